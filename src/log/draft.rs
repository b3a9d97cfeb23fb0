//! What a schema finds in a row: the fields of an exchange as they stand, before they are checked.

use super::value::{Object, structure};
use crate::exchange::Turn;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a schema found in a row, before the shared checks.
#[derive(Debug, Default)]
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
