//! Bounds on answers: somebody's prompt may be a megabyte, a list shows hundreds, and a store has more nights every day.
//!
//! The idea: every text of an answer that is longer than [`MOST`] bytes is cut, whatever field it stands in, and a field beside it of the same
//! name with `_bytes` behind says how long it is as a whole; every list that is too long is cut, and a field with `_left_out` behind says how many
//! rows are missing. A field that somebody adds later is bounded too. Weakness: a template's parts are
//! cut behind the first that do not fit, by number and not one by one. Guarantee: what is cut says so, and a cut lies between two characters.

use crate::text::boundary;
use serde_json::{Map, Value, json};

/// Bytes of a text that a list or a page shows.
pub(super) const MOST: usize = 4_096;

/// Lists with a row or more of each night, oldest first; in an answer the newest rows stay, as many as [`MOST_NIGHTS`].
const BY_NIGHT: &[&str] = &["nights", "days", "by_night", "quarantined", "notes"];
const MOST_NIGHTS: usize = 100;
/// Rows of any other list of an answer, the first of them.
const MOST_ROWS: usize = 5_000;

/// Leaves the first rows of a list, and says how many are left out.
pub(super) fn first(value: &mut Value, list: &str, most: usize) {
    cut_list(value, list, |rows| rows.truncate(most));
}

/// Bounds each object of a list.
pub(super) fn each(value: &mut Value, list: &str, bound: impl FnMut(&mut Value)) {
    value.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten().for_each(bound);
}

fn cut_list(value: &mut Value, list: &str, cut: impl Fn(&mut Vec<Value>)) {
    let Some(rows) = value.get_mut(list).and_then(Value::as_array_mut) else { return };
    let all = rows.len();
    cut(rows);
    let left_out = all - rows.len();
    if left_out > 0 {
        let name = format!("{list}_left_out");
        // What was left out before counts on.
        let before = value.get(&name).and_then(Value::as_u64).unwrap_or(0);
        value[name] = json!(before + left_out as u64);
    }
}

/// Cuts all lists of an answer that are too long.
pub(super) fn lists(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(lists),
        Value::Object(fields) => {
            let names: Vec<String> =
                fields.iter().filter(|(_, of)| of.is_array()).map(|(name, _)| name.clone()).collect();
            for name in names {
                if BY_NIGHT.contains(&name.as_str()) {
                    cut_list(value, &name, |rows| drop(rows.drain(..rows.len().saturating_sub(MOST_NIGHTS))));
                } else {
                    first(value, &name, MOST_ROWS);
                }
            }
            value.as_object_mut().into_iter().flatten().for_each(|(_, value)| lists(value));
        }
        _ => {}
    }
}

/// Cuts all texts of an answer that are too long.
pub(super) fn texts(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(texts),
        Value::Object(fields) => of_object(fields),
        _ => {}
    }
}

fn of_object(fields: &mut Map<String, Value>) {
    let mut beside: Vec<(String, Value)> = Vec::new();
    for (name, value) in fields.iter_mut() {
        match value {
            Value::String(text) if text.len() > MOST => {
                beside.push((format!("{name}_bytes"), json!(text.len())));
                cut(text);
            }
            Value::Array(parts) if name == "template_parts" => {
                if let Some(left_out) = of_parts(parts) {
                    beside.push((format!("{name}_left_out"), json!(left_out)));
                }
            }
            Value::Array(values) if values.iter().any(|value| value.as_str().is_some_and(|text| text.len() > MOST)) => {
                let lengths: Vec<Option<usize>> = values.iter().map(|value| value.as_str().map(str::len)).collect();
                beside.push((format!("{name}_bytes"), json!(lengths)));
                for value in values {
                    if let Value::String(text) = value {
                        cut(text);
                    }
                }
            }
            value => texts(value),
        }
    }
    // Places in a text that is cut lie before the cut.
    if let (Some(length), Some(Value::Array(ranges))) =
        (fields.get("text").and_then(Value::as_str).map(str::len), fields.get_mut("shared"))
        && beside.iter().any(|(name, _)| name == "text_bytes")
    {
        ranges.retain(|range| range[0].as_u64().is_some_and(|from| from < length as u64));
        for range in ranges {
            range[1] = json!(range[1].as_u64().unwrap_or(0).min(length as u64));
        }
    }
    fields.extend(beside);
}

/// Cuts a text between two characters.
fn cut(text: &mut String) {
    text.truncate(boundary(text, MOST));
}

/// Leaves the parts of a template that fit, the last of them cut; says how many are left out.
fn of_parts(parts: &mut Vec<Value>) -> Option<usize> {
    let mut room = MOST;
    let mut fits = 0;
    for part in parts.iter_mut() {
        let Some(Value::String(text)) = part.get_mut("text") else {
            fits += 1;
            continue;
        };
        if room == 0 {
            break;
        }
        if text.len() > room {
            let end = boundary(text, room);
            let whole = text.len();
            text.truncate(end);
            part["text_bytes"] = json!(whole);
            room = 0;
        } else {
            room -= text.len();
        }
        fits += 1;
    }
    let left_out = parts.len() - fits;
    parts.truncate(fits);
    (left_out > 0).then_some(left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_says_how_long_it_was() {
        let long = "ä".repeat(MOST);
        let mut page = json!({ "a": "short", "hits": [{ "text": long, "shared": [[0, 3], [4_000, 8_000], [5_000, 5_009]] }],
            "slots": [{ "examples": ["x", long] }] });
        texts(&mut page);
        let hit = &page["hits"][0];
        assert_eq!((hit["text"].as_str().map(str::len), &hit["text_bytes"]), (Some(MOST), &json!(2 * MOST)));
        assert_eq!(hit["shared"], json!([[0, 3], [4_000, MOST]]));
        assert_eq!(page["slots"][0]["examples_bytes"], json!([1, 2 * MOST]));
        assert_eq!((page["slots"][0]["examples"][1].as_str().map(str::len), &page["a"]), (Some(MOST), &json!("short")));
        assert!(page.get("a_bytes").is_none());
        assert!(page.to_string().len() < 4 * MOST);
    }

    #[test]
    fn a_list_that_is_cut_says_how_many_rows_are_missing() {
        let rows = |n: usize| -> Vec<usize> { (0..n).collect() };
        let mut page = json!({ "nights": rows(101), "families": [{ "days": rows(250), "slots": rows(3) }], "hits": rows(MOST_ROWS + 7),
            "moments": rows(MOST_ROWS), "moments_left_out": 4 });
        lists(&mut page);
        assert_eq!((&page["nights"][0], &page["nights_left_out"]), (&json!(1), &json!(1)), "the newest stay");
        let family = &page["families"][0];
        assert_eq!((&family["days"][99], &family["days_left_out"]), (&json!(249), &json!(150)));
        assert_eq!((&family["slots"], family.get("slots_left_out")), (&json!([0, 1, 2]), None));
        let hits = page["hits"].as_array().expect("hits");
        assert_eq!((hits.len(), &hits[0], &page["hits_left_out"]), (MOST_ROWS, &json!(0), &json!(7)));
        assert_eq!(page["moments_left_out"], json!(4), "what was left out before counts on");
        first(&mut page, "moments", 3);
        assert_eq!((&page["moments"], &page["moments_left_out"]), (&json!([0, 1, 2]), &json!(4 + MOST_ROWS - 3)));
        first(&mut page, "no such list", 3);
        assert!(page.get("no such list_left_out").is_none());
    }

    #[test]
    fn parts_of_a_template_are_cut_together() {
        let part = |text: &str| json!({ "text": text });
        let mut page = json!({ "template_parts": [part(&"a".repeat(4_000)), { "slot": 1 }, part(&"b".repeat(200)), { "slot": 2 }, part("c")] });
        texts(&mut page);
        let parts = page["template_parts"].as_array().expect("parts");
        assert_eq!((parts.len(), &page["template_parts_left_out"]), (4, &json!(1)));
        assert_eq!((parts[2]["text"].as_str().map(str::len), &parts[2]["text_bytes"]), (Some(96), &json!(200)));
        let mut short = json!({ "template_parts": [part("a"), { "slot": 1 }] });
        texts(&mut short);
        assert_eq!(short, json!({ "template_parts": [part("a"), { "slot": 1 }] }));
    }
}
