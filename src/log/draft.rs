//! What a schema finds in a row: the fields of an exchange as they stand, before they are checked.

use super::Reason;
use super::join::Half;
use super::propose::{Lacks, addition};
use super::value::{Object, small, structure};
use crate::exchange::{Exchange, Turn};
use crate::ids::Digest;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Where an exchange came from: its schema, and the path of each field in the row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// The schema's name, `map` for a column map.
    pub schema: &'static str,
    /// Field and path, in the order in which they were found; a field that is not here was not in the row.
    pub paths: Vec<(&'static str, Cow<'static, str>)>,
    /// Texts that held JSON and were read as what they hold.
    pub json_read: u32,
    /// Texts that look like JSON and stayed texts, since no messages or answer are in them.
    pub json_kept: u32,
    /// The span that told of it, where a trace did.
    pub(crate) span: Option<Span>,
}

impl Origin {
    /// The path of a field.
    #[must_use]
    pub fn path(&self, field: &str) -> Option<&str> {
        self.paths.iter().find(|(name, _)| *name == field).map(|(_, path)| path.as_ref())
    }

    /// Says where a field came from; what is said first stands.
    pub(crate) fn from(&mut self, field: &'static str, path: impl Into<Cow<'static, str>>) {
        if self.path(field).is_none() {
            self.paths.push((field, path.into()));
        }
    }
}

/// A span of a trace: digests of its own name and of its parent's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) own: u128,
    pub(crate) parent: Option<u128>,
}

impl Span {
    /// The span of these ids; `None` where it has none of its own.
    pub(crate) fn new(trace: &str, own: &str, parent: &str) -> Option<Self> {
        let name = |id: &str| {
            let given = id.bytes().any(|byte| byte != b'0');
            given.then(|| Digest::of(format!("{}:{trace}{id}", trace.len()).as_bytes()).short())
        };
        Some(Self { own: name(own)?, parent: name(parent) })
    }
}

/// An exchange and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// The exchange.
    pub exchange: Exchange,
    /// Its origin.
    pub origin: Origin,
}

/// What a schema found in a row, before the shared checks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    /// The id as it stands.
    pub(crate) id: Option<Value>,
    /// The account as it stands.
    pub(crate) account: Option<Value>,
    /// The reported identity.
    pub(crate) end_user: Option<String>,
    /// The time as it stands.
    pub(crate) time: Option<Value>,
    /// The model.
    pub(crate) model: Option<String>,
    /// The newest user text.
    pub(crate) prompt: Option<String>,
    /// The system prompt.
    pub(crate) system: Option<String>,
    /// The response.
    pub(crate) response: Option<String>,
    /// The conversation.
    pub(crate) conversation: Option<String>,
    /// Earlier turns.
    pub(crate) turns: Vec<Turn>,
    /// Everything else.
    pub(crate) attributes: BTreeMap<String, Value>,
    /// Where all this came from.
    pub(crate) origin: Origin,
    /// Which half of an exchange this is, where request and result stand in two rows.
    pub(crate) half: Option<Half>,
    /// What stands where the prompt should, for a row without one, and the reason to tell.
    pub(crate) missing: Option<(Reason, &'static str)>,
    /// The prompts of a call that has several, each of which is an exchange; none where it has one.
    pub(crate) prompts: Vec<String>,
    /// The answers to them, in their order, where there are as many.
    pub(crate) answers: Vec<Option<String>>,
    /// The map that might add the account or the time that the row does not name.
    pub(crate) adds: Option<String>,
}

impl Draft {
    /// A draft of a schema.
    pub(crate) fn of(schema: &'static str) -> Self {
        Self { origin: Origin { schema, ..Origin::default() }, ..Self::default() }
    }

    /// What it lacks of what is wanted.
    pub(crate) fn lacks(&self, wanted: Lacks) -> Lacks {
        Lacks { account: wanted.account && self.account.is_none(), time: wanted.time && self.time.is_none() }
    }

    /// Looks for what might be the account or the time of a row that has none of it under the names of its schema. `wanted` is what has no default.
    pub(crate) fn propose(&mut self, parts: &[(&str, &Object)], wanted: Lacks) {
        let lacks = self.lacks(wanted);
        // What half a row lacks, the other half may have.
        if lacks == Lacks::default() || self.half.is_some() {
            return;
        }
        let said = |field: &str| matches!(field, "prompt" | "system" | "response");
        let taken = self.origin.paths.iter().filter(|(field, _)| said(field));
        self.adds = addition(parts, lacks, &taken.map(|(_, path)| path.as_ref()).collect::<Vec<&str>>());
    }

    /// About what it takes in memory, in bytes.
    pub(crate) fn cost(&self) -> usize {
        let texts = [&self.prompt, &self.system, &self.response].into_iter().flatten().map(String::len).sum::<usize>();
        let turns = self.turns.iter().map(|turn| turn.text.len() + 64).sum::<usize>();
        let attributes =
            self.attributes.iter().map(|(name, value)| name.len() + value.to_string().len() + 64).sum::<usize>();
        texts + turns + attributes + 1024
    }
}

/// Largest value that is copied into the attributes of an exchange from a schema that is not ours, and how many of a row.
const SMALL: (usize, usize) = (512, 32);

/// The small fields of a row or turn, but for those named.
pub(crate) fn kept(fields: &Object, not: &[&str]) -> BTreeMap<String, Value> {
    let fits = |name: &str, value: &Value| name.len() <= 64 && !value.is_null() && small(value, SMALL.0);
    let named = fields.iter().filter(|(name, value)| !not.contains(&name.as_str()) && fits(name, value));
    named.take(SMALL.1).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Moves what is left of a row into the attributes: the object `attributes` first, then every other key that it does not
/// name already.
pub(crate) fn leftovers(mut row: Object) -> BTreeMap<String, Value> {
    structure(&mut row, &["attributes"]);
    let mut out = BTreeMap::new();
    match row.remove("attributes") {
        Some(Value::Object(fields)) => out.extend(fields),
        Some(Value::Null) | None => {}
        Some(other) => drop(out.insert("attributes".to_owned(), other)),
    }
    for (name, value) in row {
        out.entry(name).or_insert(value);
    }
    out.retain(|_, value| !value.is_null());
    out
}
