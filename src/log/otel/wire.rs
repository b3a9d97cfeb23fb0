//! The wire form of OTLP-JSON: lists of objects and typed values → plain JSON.
//!
//! Follows the JSON mapping of protocol buffers (64-bit integers are text), and takes a plain JSON value where a typed one
//! is expected, because exporters write both. Depth is bounded by the JSON reader.

use super::super::value::{Object, structured};
use serde_json::{Number, Value};

/// The objects of a list, which a table has as its text.
pub(crate) fn objects(list: Value) -> Vec<Object> {
    let Value::Array(items) = structured(list) else { return Vec::new() };
    items.into_iter().filter_map(|item| if let Value::Object(fields) = item { Some(fields) } else { None }).collect()
}

/// A list of `{key, value}`, or a plain object.
pub(crate) fn attributes(list: Option<Value>) -> Object {
    match list {
        Some(Value::Object(plain)) => plain,
        Some(list @ Value::Array(_)) => objects(list)
            .into_iter()
            .filter_map(|mut pair| match pair.remove("key") {
                Some(Value::String(key)) => Some((key, any(pair.remove("value")?))),
                _ => None,
            })
            .collect(),
        _ => Object::new(),
    }
}

/// A typed value as plain JSON.
pub(crate) fn any(value: Value) -> Value {
    let Value::Object(mut fields) = value else { return value };
    let typed = |name: &str| name.ends_with("Value") || name.ends_with("_value");
    if fields.len() != 1 || !fields.keys().all(|name| typed(name)) {
        return Value::Object(fields);
    }
    let Some(name) = fields.keys().next().cloned() else { return Value::Null };
    let Some(inner) = fields.remove(&name) else { return Value::Null };
    match (name.as_str(), inner) {
        ("intValue" | "int_value", Value::String(digits)) => {
            digits.parse::<i64>().map_or(Value::String(digits), |number| Value::Number(Number::from(number)))
        }
        ("arrayValue" | "array_value", Value::Object(mut list)) => match list.remove("values") {
            Some(Value::Array(items)) => Value::Array(items.into_iter().map(any).collect()),
            _ => Value::Array(Vec::new()),
        },
        ("kvlistValue" | "kvlist_value", Value::Object(mut list)) => Value::Object(attributes(list.remove("values"))),
        (_, inner) => inner,
    }
}
