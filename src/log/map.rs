//! A column map: where the fields of an exchange are in a log of no known schema.
//!
//! `prompt=body.text,account=key_id,time=ts` names, for each of our fields, a path into the row: keys and array indices
//! (from 0), joined by dots. A key that itself has dots is found before it is split, and a text that holds JSON is opened on the way.
//!
//! A map that names what was asked (`prompt`, `messages` or `request`) is the whole schema: every column that it does not name goes to the
//! attributes, and nothing is guessed; our own column names mean nothing unless the map names them. A map that names none of these three
//! *adds* to the schema that is recognised: `account=consumer.id` says where the account of such rows is, and the rest is read as ever.

use super::answer::response;
use super::body::{self, Want};
use super::draft::{Draft, leftovers};
use super::messages::system_text;
use super::spread;
use super::value::{Object, scalar, unpacked};
use crate::error::{Error, ErrorKind};
use serde_json::Value;
use std::collections::BTreeMap;
use std::str::FromStr;

/// The fields that a map may name, besides `attributes.NAME`.
const FIELDS: [&str; 11] = [
    "id",
    "account",
    "end_user",
    "time",
    "model",
    "prompt",
    "messages",
    "request",
    "system",
    "response",
    "conversation",
];

/// The fields of which a map that is a whole schema names one, in the order in which they are tried.
const ASKED: [&str; 3] = ["request", "messages", "prompt"];

/// Which path of a row stands for which field.
///
/// # Example
/// ```
/// use stillhunt::log::ColumnMap;
/// let map: ColumnMap = "prompt=body.text, account=key_id, time=ts, attributes.tier=plan".parse().unwrap();
/// assert_eq!(map.to_string(), "account=key_id,attributes.tier=plan,prompt=body.text,time=ts");
/// assert!("prompt=text,colour=c".parse::<ColumnMap>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "BTreeMap<String, Entry>")]
pub struct ColumnMap {
    paths: BTreeMap<String, String>,
}

/// A path, or the table of `attributes`.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Entry {
    Path(String),
    Table(BTreeMap<String, String>),
}

impl TryFrom<BTreeMap<String, Entry>> for ColumnMap {
    type Error = Error;
    fn try_from(entries: BTreeMap<String, Entry>) -> Result<Self, Error> {
        let mut pairs = Vec::new();
        for (name, entry) in entries {
            match entry {
                Entry::Path(path) => pairs.push((name, path)),
                Entry::Table(inner) => {
                    pairs.extend(inner.into_iter().map(|(key, path)| (format!("{name}.{key}"), path)))
                }
            }
        }
        Self::new(pairs)
    }
}

impl FromStr for ColumnMap {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let pair = |part: &str| {
            let (name, path) = part.split_once('=').ok_or_else(|| {
                Error::new(ErrorKind::Config, format!("expected FIELD=PATH in the column map, got {part:?}"))
                    .hint("write it like prompt=body.text,account=key_id,time=ts")
            })?;
            Ok((name.trim().to_owned(), path.trim().to_owned()))
        };
        Self::new(text.split(',').filter(|part| !part.trim().is_empty()).map(pair).collect::<Result<Vec<_>, Error>>()?)
    }
}

impl std::fmt::Display for ColumnMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (name, path)) in self.paths.iter().enumerate() {
            write!(f, "{}{name}={path}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl ColumnMap {
    /// A map of these pairs of field and path.
    /// # Errors
    /// `Config` when a field is unknown or named twice, a path is empty, or no field is named.
    pub fn new(pairs: Vec<(String, String)>) -> Result<Self, Error> {
        let mut paths = BTreeMap::new();
        for (name, path) in pairs {
            let known = FIELDS.contains(&name.as_str())
                || name.strip_prefix("attributes.").is_some_and(|attribute| !attribute.is_empty());
            if !known {
                let message = format!("expected a field of an exchange in the column map, got {name:?}");
                let hint = format!("the fields are {} and attributes.NAME", FIELDS.join(", "));
                return Err(Error::new(ErrorKind::Config, message).hint(hint));
            }
            if path.is_empty() {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!("expected a path for {name} in the column map, got nothing"),
                ));
            }
            if paths.insert(name.clone(), path).is_some() {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!("expected {name} once in the column map, got it twice"),
                ));
            }
        }
        if paths.is_empty() {
            let message = "expected a column map of one field at least, got none";
            return Err(
                Error::new(ErrorKind::Config, message).hint("write it like prompt=body.text,account=key_id,time=ts")
            );
        }
        Ok(Self { paths })
    }

    /// Whether the map is the whole schema of a log, and does not only add to one.
    pub(crate) fn is_whole(&self) -> bool {
        ASKED.iter().any(|name| self.paths.contains_key(*name))
    }

    /// Whether it says where a field is.
    pub(crate) fn names(&self, field: &str) -> bool {
        self.paths.contains_key(field)
    }

    /// Whether a row has anything where the paths begin.
    pub(crate) fn begins_in(&self, row: &Object) -> bool {
        let first = |path: &str| path.split_once('.').map_or(path, |(first, _)| first).to_owned();
        self.paths.values().any(|path| row.contains_key(path) || row.contains_key(&first(path)))
            || row
                .keys()
                .any(|name| name.contains('.') && self.paths.values().any(|path| path.starts_with(name.as_str())))
    }

    /// What stands at the paths, copied; `row` is left as it is but for texts on the way that hold JSON, which are opened.
    pub(crate) fn found(&self, row: &mut Value) -> BTreeMap<&str, Value> {
        let mut found = BTreeMap::new();
        for (name, path) in &self.paths {
            if let Some(value) = at(row, path, false).filter(|value| !value.is_null() && value.as_str() != Some("")) {
                found.insert(name.as_str(), value);
            }
        }
        found
    }

    /// The exchange of a row whose schema the map is.
    pub(crate) fn draft(&self, row: Object) -> Draft {
        let mut row = row;
        if row.keys().any(|name| name.contains('.')) {
            self.paths.values().for_each(|path| spread::gather(&mut row, path));
        }
        let mut row = Value::Object(row);
        let found = self.found(&mut row);
        // Removed only now: two fields may name one path.
        for path in self.paths.values() {
            at(&mut row, path, true);
        }
        let mut draft = Draft::of("map");
        if let Value::Object(rest) = row {
            draft.attributes = leftovers(rest);
        }
        self.add(found, &mut draft);
        draft
    }

    /// Puts what was found into a draft.
    pub(crate) fn add(&self, mut found: BTreeMap<&str, Value>, draft: &mut Draft) {
        let mut take = |name: &'static str, draft: &mut Draft| {
            let value = found.remove(name)?;
            draft.origin.paths.retain(|(of, _)| *of != name);
            draft.origin.from(name, self.paths.get(name).cloned().unwrap_or_default());
            Some(value)
        };
        let id = take("id", draft);
        draft.id = id.or_else(|| draft.id.take());
        let account = take("account", draft);
        draft.account = account.or_else(|| draft.account.take());
        let time = take("time", draft);
        draft.time = time.or_else(|| draft.time.take());
        for name in ["end_user", "model", "conversation"] {
            let Some(text) = take(name, draft).as_ref().and_then(scalar) else { continue };
            match name {
                "end_user" => draft.end_user = Some(text),
                "model" => draft.model = Some(text),
                _ => draft.conversation = Some(text),
            }
        }
        if let Some(system) = take("system", draft).as_ref().and_then(system_text) {
            draft.system = Some(system);
        }
        if let Some(value) = take("response", draft) {
            draft.response = response(&value, &mut draft.origin);
        }
        for name in ASKED {
            let Some(value) = take(name, draft) else { continue };
            let want = if name == "prompt" { Want::Prompt } else { Want::Body };
            if draft.prompt.is_none() && body::read(&value, want, draft) {
                draft.origin.from("prompt", self.paths.get(name).cloned().unwrap_or_default());
            }
            let Some(fields) = body::object(&value) else { continue };
            draft.model = draft.model.take().or_else(|| body::model(&fields));
            draft.conversation = draft.conversation.take().or_else(|| body::conversation(&fields));
            if let Some((field, said)) = body::reported(&fields) {
                let path = format!("{}.{field}", self.paths.get(name).map_or("", String::as_str));
                if draft.account.is_none() {
                    draft.account = Some(Value::String(said));
                    draft.origin.from("account", path);
                } else if draft.end_user.is_none() {
                    draft.end_user = Some(said);
                    draft.origin.from("end_user", path);
                }
            }
        }
        for (name, value) in found {
            if let Some(name) = name.strip_prefix("attributes.") {
                draft.attributes.insert(name.to_owned(), value);
            }
        }
    }
}

/// The value at a path: a copy of it, or (`remove`) the value itself, which then leaves its object.
fn at(value: &mut Value, path: &str, remove: bool) -> Option<Value> {
    // A CSV cell may hold JSON; it is decoded on the way down, so that a path reaches into it.
    if matches!(value, Value::String(_)) {
        *value = unpacked(value.take());
    }
    match value {
        Value::Object(fields) => {
            if fields.contains_key(path) {
                return if remove { fields.remove(path) } else { fields.get(path).cloned() };
            }
            // The longest name first: `a.b.c` may be `a.b` and in it `c`.
            let mut end = path.len();
            while let Some(dot) = path[..end].rfind('.') {
                let inner = fields.get_mut(&path[..dot]);
                if let Some(found) = inner.and_then(|inner| at(inner, &path[dot + 1..], remove)) {
                    return Some(found);
                }
                end = dot;
            }
            None
        }
        Value::Array(items) => {
            let (first, rest) = path.split_once('.').unwrap_or((path, ""));
            let item = items.get_mut(first.parse::<usize>().ok()?)?;
            match (rest, remove) {
                ("", true) => Some(item.take()),
                ("", false) => Some(item.clone()),
                _ => at(item, rest, remove),
            }
        }
        _ => None,
    }
}
