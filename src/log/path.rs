//! Paths into a row: keys and array indices (from 0), joined by dots.
//!
//! A key that itself has dots is found before it is split, so that flattened columns and attributes are reached by the names that their tools
//! give them. Weakness: of a key with dots and a nested one of the same spelling the one with dots is found.

use super::value::Object;
#[cfg(test)]
use super::value::unpacked;
use serde_json::Value;

/// The value at a path, where there is one that is neither null nor an empty text. The empty path is the value itself.
pub(crate) fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let present = |value: &&Value| !value.is_null() && value.as_str() != Some("");
    if path.is_empty() {
        return Some(value).filter(present);
    }
    match value {
        Value::Object(fields) => {
            if let Some(found) = fields.get(path) {
                return Some(found).filter(present);
            }
            // The longest key first: `a.b.c` may be `a.b` and in it `c`.
            let mut at = path.len();
            while let Some(dot) = path[..at].rfind('.') {
                if let Some(found) = fields.get(&path[..dot]).and_then(|inner| find(inner, &path[dot + 1..])) {
                    return Some(found);
                }
                at = dot;
            }
            None
        }
        Value::Array(items) => {
            let (first, rest) = path.split_once('.').unwrap_or((path, ""));
            find(items.get(first.parse::<usize>().ok()?)?, rest)
        }
        _ => None,
    }
}

/// Opens the texts at these paths that hold JSON, in place, by `open`.
pub(crate) fn unpack(row: &mut Object, paths: &[&str], open: &dyn Fn(&str, Value) -> Value) {
    fn at(value: &mut Value, path: &str, open: &dyn Fn(Value) -> Value) {
        if path.is_empty() {
            *value = open(value.take());
            return;
        }
        let Value::Object(fields) = value else { return };
        if let Some(found) = fields.get_mut(path) {
            *found = open(found.take());
        } else if let Some((first, rest)) = path.split_once('.')
            && let Some(inner) = fields.get_mut(first)
        {
            at(inner, rest, open);
        }
    }
    for path in paths {
        let open = |value: Value| open(path, value);
        if let Some(found) = row.get_mut(*path) {
            *found = open(found.take());
        } else if let Some((first, rest)) = path.split_once('.')
            && let Some(inner) = row.get_mut(first)
        {
            at(inner, rest, &open);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_with_dots_are_found_whole_or_in_parts() {
        let row = json!({"a.b": {"c": 1, "": 2}, "a": {"b": {"d": 3}, "x.y": [4, {"z": 5}]}, "e": "", "n": null});
        for (path, expected) in [("a.b.c", 1), ("a.b.d", 3), ("a.x.y.0", 4), ("a.x.y.1.z", 5)] {
            assert_eq!(find(&row, path), Some(&json!(expected)), "{path}");
        }
        for path in ["e", "n", "a.q", "a.x.y.7", "a.b.c.d", ".", "q."] {
            assert_eq!(find(&row, path), None, "{path}");
        }
    }

    #[test]
    fn texts_are_opened_where_they_hold_structure() {
        let row = json!({"m": "{\"user\": \"u\"}", "o": {"p": "\"[1, 2]\""}, "t": "\"said\"", "u": "{broken"});
        let Value::Object(mut row) = row else { panic!("an object") };
        unpack(&mut row, &["m", "o.p", "t", "u", "none.of"], &|_, value| unpacked(value));
        assert_eq!(
            Value::Object(row),
            json!({"m": {"user": "u"}, "o": {"p": [1, 2]}, "t": "\"said\"", "u": "{broken"})
        );
    }
}
