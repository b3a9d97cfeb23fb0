//! Rows of tables that lost their shape on the way → the rows that they were: objects spread over columns whose names have dots, lists over
//! columns that end in numbers, values in Python's own notation, objects as texts.
//!
//! What flattens an object (pandas' `json_normalize`, a search engine's table, a query's export) writes `request.body.messages`; what writes a
//! table of objects with pandas writes `{'messages': [...]}`. A schema is asked first for the row as it stands, so that what tools themselves
//! flatten (attributes of spans) is read as they mean it.
//!
//! Weakness: a key that had a dot of its own becomes an object. Guarantee: at most sixteen levels are made of a name, nothing is lost where names
//! are at odds, and the order of the columns does not matter.

use super::value::{Object, get, unpacked};
use serde_json::Value;
use std::collections::BTreeMap;

/// Most levels of a name.
const LEVELS: usize = 16;

/// The row that a spread one was; `None` where it is as it was.
pub(crate) fn whole(row: &Object) -> Option<Object> {
    let opens = |value: &Value| value.as_str().is_some_and(|text| text.trim_start().starts_with(['{', '[']));
    if !row.iter().any(|(name, value)| name.contains('.') || opens(value)) {
        return None;
    }
    let fields =
        row.iter().filter(|(_, value)| is_there(value)).map(|(name, value)| (name.as_str(), open(name, value)));
    let whole = nested(fields);
    (whole != *row).then_some(whole)
}

/// Gathers the columns below one name into the object that they were; a row that has that name, or none below it, is left as it is.
pub(crate) fn gather(row: &mut Object, name: &str) {
    let lead = |key: &String| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    if name.is_empty() || get(row, name).is_some() || !row.keys().any(lead) {
        return;
    }
    let keys: Vec<String> = row.keys().filter(|key| lead(key)).cloned().collect();
    let fields: Vec<(String, Value)> =
        keys.into_iter().filter_map(|key| row.remove(&key).map(|value| (key, value))).collect();
    let below = fields.iter().filter(|(_, value)| is_there(value));
    let made = nested(below.map(|(key, value)| (&key[name.len() + 1..], open(key, value))));
    if !made.is_empty() {
        row.insert(name.to_owned(), listed(Value::Object(made)));
    }
}

/// A cell as the value that its text holds; what people and models say stays text, though it be JSON.
fn open(name: &str, value: &Value) -> Value {
    const SAID: [&str; 12] = [
        "prompt",
        "text",
        "input_text",
        "inputText",
        "output_text",
        "outputText",
        "completion",
        "response",
        "answer",
        "question",
        "query",
        "generated_text",
    ];
    let last = name.rsplit('.').next().unwrap_or(name);
    if SAID.contains(&last) {
        return value.clone();
    }
    let held = unpacked(value.clone());
    // Blocks of which one is text: what somebody typed as others must not go unread.
    let block = |item: &Value| item.get("type").or_else(|| item.get("text")).is_some_and(Value::is_string);
    let text = |item: &Value| item.get("text").is_some_and(Value::is_string);
    let blocks = held.as_array().is_some_and(|items| items.iter().all(block) && items.iter().any(text));
    if last == "content" && !blocks { value.clone() } else { held }
}

/// A table has an empty cell where an object had no field.
fn is_there(value: &Value) -> bool {
    !value.is_null() && value.as_str() != Some("")
}

/// Objects of names with dots.
fn nested<'a>(fields: impl Iterator<Item = (&'a str, Value)>) -> Object {
    // In order of the names, so that what is above stands before what is below.
    let fields: BTreeMap<&str, Value> = fields.collect();
    let mut out = Object::new();
    for (name, value) in fields {
        if let Err(value) = put(&mut out, name, value, LEVELS) {
            out.insert(name.to_owned(), value);
        }
    }
    out.into_iter().map(|(name, value)| (name, listed(value))).collect()
}

/// Puts a value where its name says; gives it back where something else is in the way.
fn put(into: &mut Object, name: &str, value: Value, levels: usize) -> Result<(), Value> {
    let Some((first, rest)) = name.split_once('.').filter(|(first, rest)| !first.is_empty() && !rest.is_empty()) else {
        if into.contains_key(name) {
            return Err(value);
        }
        into.insert(name.to_owned(), value);
        return Ok(());
    };
    let inner = into.entry(first).or_insert_with(|| Value::Object(Object::new()));
    let Some(inner) = inner.as_object_mut() else { return Err(value) };
    // Attributes of spans have names with dots.
    if first == "attributes" || levels == 0 {
        if inner.contains_key(rest) {
            return Err(value);
        }
        inner.insert(rest.to_owned(), value);
        return Ok(());
    }
    put(inner, rest, value, levels - 1)
}

/// Objects whose names are the numbers from 0 on are lists.
fn listed(value: Value) -> Value {
    let Value::Object(fields) = value else { return value };
    let mut fields: Object = fields.into_iter().map(|(name, value)| (name, listed(value))).collect();
    let numbered = (0..fields.len()).all(|n| fields.contains_key(&n.to_string()));
    if fields.is_empty() || !numbered {
        return Value::Object(fields);
    }
    Value::Array((0..fields.len()).filter_map(|n| fields.remove(&n.to_string())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Object {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn spread_rows_are_gathered() {
        let row = object(
            json!({"id": "i", "a.b.0.c": 1, "a.b.1.c": "x", "a.d": "{'e': [None, True]}", "f": "{\"g\": 2}", "n": null,
            "attributes.gen_ai.prompt.0.role": "user", "a": ""}),
        );
        let expected = json!({"id": "i", "a": {"b": [{"c": 1}, {"c": "x"}], "d": {"e": [null, true]}}, "f": {"g": 2},
            "attributes": {"gen_ai.prompt.0.role": "user"}});
        assert_eq!(Value::Object(whole(&row).unwrap()), expected);
        assert_eq!(whole(&object(json!({"a": 1, "b": "{no json", "c": [1]}))), None);
        // Nothing is lost where a name is in the way, and a name of dots alone makes no levels.
        let row = object(json!({"a": "text", "a.b": 1, "..": 2, ".c": 3}));
        assert_eq!(whole(&row).map(Value::Object), None);
        let deep = format!("{}x", "a.".repeat(100_000));
        let row = object(json!({deep.clone(): 1}));
        let mut depth = 0;
        let mut at = &Value::Object(whole(&row).unwrap());
        while let Some(inner) = at.as_object().and_then(|fields| fields.values().next()) {
            (at, depth) = (inner, depth + 1);
        }
        assert!(depth <= LEVELS + 2 && *at == json!(1), "{depth}");
    }

    #[test]
    fn what_was_said_stays_text() {
        let said = "[{\"a\": 1}]";
        let mut row = object(
            json!({"out.role": "assistant", "out.content": said, "out.text": "{}", "in.content": "[{\"type\": \"text\", \"text\": \"t\"}]"}),
        );
        gather(&mut row, "out");
        gather(&mut row, "in");
        let expected = json!({"out": {"role": "assistant", "content": said, "text": "{}"}, "in": {"content": [{"type": "text", "text": "t"}]}});
        assert_eq!(Value::Object(row), expected);
    }

    #[test]
    fn columns_of_one_field_are_gathered() {
        let mut row =
            object(json!({"body.messages": "[{\"role\": \"user\"}]", "body.model": "m", "body.top": "", "bodyx": 1}));
        gather(&mut row, "body");
        assert_eq!(Value::Object(row), json!({"body": {"messages": [{"role": "user"}], "model": "m"}, "bodyx": 1}));
        let mut row = object(json!({"body": "whole", "body.part": 1}));
        gather(&mut row, "body");
        assert_eq!(Value::Object(row), json!({"body": "whole", "body.part": 1}));
    }
}
