//! A column map: where the fields of an exchange are in a log of no known schema.
//!
//! `prompt=body.text,account=key_id,time=ts` names, for each of our fields, a path into the row: keys and array indices
//! (from 0), joined by dots. A key that itself has dots is found before it is split. Every column that the map does not
//! name goes to the attributes, and nothing is guessed: our own column names mean nothing here unless the map names them.

use super::draft::{Draft, leftovers};
use super::messages::{Talk, response_text, system_text};
use super::own::set_prompt;
use super::value::{Object, scalar, structured};
use crate::error::{Error, ErrorKind};
use serde_json::Value;
use std::collections::BTreeMap;
use std::str::FromStr;

/// The fields that a map may name, besides `attributes.NAME`.
const FIELDS: [&str; 9] =
    ["id", "account", "end_user", "time", "model", "prompt", "system", "response", "conversation"];

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
    /// `Config` when a field is unknown or named twice, a path is empty, or no prompt is named.
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
        if !paths.contains_key("prompt") {
            let message = "expected the column map to name the prompt, got no prompt=PATH";
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(Self { paths })
    }

    /// The exchange of a row.
    pub(crate) fn draft(&self, row: Object) -> Draft {
        let mut row = Value::Object(row);
        let mut found: BTreeMap<&str, Value> = BTreeMap::new();
        for (name, path) in &self.paths {
            if let Some(value) = at(&mut row, path, false).filter(|value| !value.is_null()) {
                found.insert(name, value);
            }
        }
        // Removed only now: two fields may name one path.
        for path in self.paths.values() {
            at(&mut row, path, true);
        }
        let mut draft = Draft {
            id: found.remove("id"),
            account: found.remove("account"),
            end_user: found.remove("end_user").as_ref().and_then(scalar),
            time: found.remove("time"),
            model: found.remove("model").as_ref().and_then(scalar),
            system: found.remove("system").as_ref().and_then(system_text),
            response: found.remove("response").as_ref().and_then(response_text),
            conversation: found.remove("conversation").as_ref().and_then(scalar),
            ..Draft::default()
        };
        match found.remove("prompt") {
            Some(Value::Object(message)) => {
                let mut talk = Talk::default();
                talk.message(&message);
                talk.fill(&mut draft);
            }
            other => set_prompt(&mut draft, other),
        }
        if let Value::Object(rest) = row {
            draft.attributes = leftovers(rest);
        }
        for (name, value) in found {
            if let Some(name) = name.strip_prefix("attributes.") {
                draft.attributes.insert(name.to_owned(), value);
            }
        }
        draft
    }
}

/// The value at a path: a copy of it, or (`remove`) the value itself, which then leaves its object.
fn at(value: &mut Value, path: &str, remove: bool) -> Option<Value> {
    // A CSV cell may hold JSON; it is decoded on the way down, so that a path reaches into it.
    if matches!(value, Value::String(_)) {
        *value = structured(value.take());
    }
    match value {
        Value::Object(fields) => {
            if fields.contains_key(path) {
                return if remove { fields.remove(path) } else { fields.get(path).cloned() };
            }
            let (first, rest) = path.split_once('.')?;
            at(fields.get_mut(first)?, rest, remove)
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
