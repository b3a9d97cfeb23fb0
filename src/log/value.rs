//! Reading fields of a row's JSON value without trusting their types.
//!
//! A missing key, a null and an empty CSV cell are the same thing: absent. A number stands for its digits where a name is
//! wanted. A JSON text inside a string counts as its value, and so does one in Python's notation, as a table that was written by pandas has it,
//! but only where a schema expects structure: a prompt or a response that happens to be JSON stays text. Sizes are counted with an early end, so that asking is cheap.

use super::{Fault, Reason, python};
use serde_json::{Map, Value};

/// One JSON object.
pub(crate) type Object = Map<String, Value>;

/// What a value is, for messages.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A present field.
pub(crate) fn get<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

/// Takes a present field out.
pub(crate) fn take(object: &mut Object, name: &str) -> Option<Value> {
    object.remove(name).filter(|value| !value.is_null())
}

/// A text, or a number's digits.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A non-empty scalar field.
pub(crate) fn word(object: &Object, name: &str) -> Option<String> {
    object.get(name).and_then(scalar).filter(|text| !text.is_empty())
}

/// The first of several fields that is a non-empty scalar.
pub(crate) fn first_word(object: &Object, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| word(object, name))
}

/// The value, decoded when it is the JSON text of an array or object.
pub(crate) fn structured(value: Value) -> Value {
    if let Value::String(text) = &value
        && text.trim_start().starts_with(['{', '['])
        && let Some(inner) = inner(text)
    {
        return inner;
    }
    value
}

/// How many times a text in a text is opened.
const LAYERS: usize = 3;

/// As [`structured`], also for a text that holds such a text; one that holds anything else stays as it is.
pub(crate) fn unpacked(value: Value) -> Value {
    let Value::String(text) = &value else { return value };
    let mut held = text.trim_start().starts_with(['{', '[', '"']).then(|| inner(text)).flatten();
    if held.is_none() {
        held = pythons(text);
    }
    for _ in 1..LAYERS {
        match held {
            Some(Value::String(deeper)) if deeper.trim_start().starts_with(['{', '[', '"']) => held = inner(&deeper),
            _ => break,
        }
    }
    held.filter(|held| held.is_object() || held.is_array()).unwrap_or(value)
}

/// The list or dictionary that a text holds in Python's own notation, as a table that was written by pandas has it.
pub(crate) fn pythons(text: &str) -> Option<Value> {
    let text = text.trim_start();
    let begins = ["[{'", "[{\"", "{'", "[[{'", "['{", "array([", "[array("].iter().any(|lead| text.starts_with(lead));
    begins.then(|| python::literal(text)).flatten()
}

/// Most values of a JSON text inside a string: one of more stays text.
const INNER_VALUES: usize = 1 << 20;

/// The value of a JSON text inside a string.
pub(crate) fn inner(text: &str) -> Option<Value> {
    let bytes = text.as_bytes();
    if values_at_most(bytes) > INNER_VALUES && values_outside_strings(bytes) > INNER_VALUES {
        return None;
    }
    parse(text).ok()
}

/// Parses JSON; a whole number of twenty digits or more becomes a text of its digits, since two accounts that are told apart by the last of them
/// must not become one.
pub(crate) fn parse(text: &str) -> serde_json::Result<Value> {
    match exact(text) {
        Some(exact) => serde_json::from_str(&exact),
        None => serde_json::from_str(text),
    }
}

/// Digits of a whole number that a value of JSON may not hold.
const LONG: usize = 20;

/// A JSON text with quotes about its longest whole numbers; `None` where it has none.
fn exact(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    // A run of so many digits covers one of these places.
    let near = |at: usize| {
        let digits = |bytes: &mut dyn Iterator<Item = &u8>| bytes.take(LONG).take_while(|b| b.is_ascii_digit()).count();
        digits(&mut bytes[at..].iter()) + digits(&mut bytes[..at].iter().rev()) >= LONG
    };
    if !(LONG - 1..bytes.len()).step_by(LONG).any(|at| bytes[at].is_ascii_digit() && near(at)) {
        return None;
    }
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    let (mut quoted, mut escaped) = (false, false);
    while at < bytes.len() {
        match bytes[at] {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            byte if !quoted && (byte.is_ascii_digit() || byte == b'-') => {
                let end =
                    bytes[at..].iter().position(|b| !b"+-.eE0123456789".contains(b)).map_or(bytes.len(), |n| at + n);
                let number = &text[at..end];
                if number.len() >= LONG && number.bytes().skip(1).all(|b| b.is_ascii_digit()) {
                    out.push_str(&text[copied..at]);
                    out.push('"');
                    out.push_str(number);
                    out.push('"');
                    copied = end;
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    out.push_str(&text[copied..]);
    (copied > 0).then_some(out)
}

/// Commas and opening brackets: no JSON text has more values than these and one.
pub(crate) fn values_at_most(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count()
}

/// The same outside strings, so that prose counts for nothing.
pub(crate) fn values_outside_strings(bytes: &[u8]) -> usize {
    let (mut n, mut quoted, mut escaped) = (0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' | b'[' | b'{' if !quoted => n += 1,
            _ => {}
        }
    }
    n
}

/// Decodes the named fields in place.
pub(crate) fn structure(object: &mut Object, names: &[&str]) {
    for name in names {
        if let Some(value) = object.get_mut(*name) {
            *value = structured(value.take());
        }
    }
}

/// Whether the value is at most about `bound` bytes of JSON; ends as soon as it is not.
pub(crate) fn small(value: &Value, bound: usize) -> bool {
    fn spend(value: &Value, left: &mut usize) -> bool {
        let cost = match value {
            Value::String(text) => text.len() + 2,
            _ => 8,
        };
        if cost > *left {
            return false;
        }
        *left -= cost;
        match value {
            Value::Array(items) => items.iter().all(|item| spend(item, left)),
            Value::Object(fields) => fields.iter().all(|(name, item)| {
                let fits = name.len() + 3 <= *left;
                *left = left.saturating_sub(name.len() + 3);
                fits && spend(item, left)
            }),
            _ => true,
        }
    }
    let mut left = bound;
    spend(value, &mut left)
}

/// The keys of an object as one bounded list, for messages.
pub(crate) fn keys(object: &Object) -> String {
    let mut out = String::new();
    for key in object.keys() {
        if out.len() > 240 {
            break;
        }
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.extend(key.chars().take(40));
    }
    out
}

/// A log's own id: text or number, at most 256 bytes, no control characters; absent stays `None`.
pub(crate) fn id(value: Option<&Value>) -> Result<Option<String>, Fault> {
    let Some(value) = value.filter(|v| !v.is_null() && v.as_str() != Some("")) else { return Ok(None) };
    let fault = |got: &str| Fault::new(Reason::BadId, format!("expected an id of 1 to 256 printable bytes, got {got}"));
    let id = scalar(value).ok_or_else(|| fault(kind(value)))?;
    if id.len() > 256 {
        return Err(fault(&format!("{} bytes", id.len())));
    }
    if id.chars().any(char::is_control) {
        return Err(fault("control characters"));
    }
    Ok(Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn long_numbers_keep_their_digits() {
        let text = r#"{"a":18446744073709551617,"b":[-123456789012345678901 , 1234567890123456789, 1.23456789012345678901e3],"c":"say \"18446744073709551617\" 18446744073709551617"}"#;
        let value = parse(text).unwrap();
        assert_eq!(value["a"], "18446744073709551617");
        assert_eq!(value["b"][0], "-123456789012345678901");
        assert_eq!(value["b"][1], json!(1_234_567_890_123_456_789_u64));
        assert!(value["b"][2].is_f64());
        assert_eq!(value["c"], "say \"18446744073709551617\" 18446744073709551617");
        assert!(parse("18446744073709551617").unwrap().is_string() && parse("[12345678901234567890123").is_err());
    }

    proptest! {
        #[test]
        fn what_has_no_long_number_is_read_as_ever(text in "[\\[\\]{}:,\"\\\\0-9a.eE é-]{0,60}") {
            if exact(&text).is_none() {
                prop_assert_eq!(parse(&text).ok(), serde_json::from_str::<Value>(&text).ok());
            }
            // A run of digits is found wherever it stands.
            let long = format!("{}{}", " ".repeat(text.len()), "7".repeat(LONG));
            prop_assert_eq!(parse(&long).unwrap(), Value::String("7".repeat(LONG)));
        }
    }
}
