//! `report.json`: the whole report for programs, under the schema that lies beside this file.
//!
//! Raw text is kept as it is (JSON escapes what it must), so whatever draws it escapes it again for its own medium.
//! Guaranteed: the bytes validate against [`SCHEMA_TEXT`], which refuses unknown fields, as long as no number in the report
//! is NaN or infinite; JSON has no word for those, and a reader sees `null` where the schema wants a number.

use super::Report;

/// The JSON Schema (2020-12) of `report.json`.
pub const SCHEMA_TEXT: &str = include_str!("report.schema.json");

/// The report as indented JSON, with a line feed at its end.
#[must_use]
pub fn write(report: &Report) -> String {
    // The keys of every map in a report are strings and no `Serialize` of ours refuses a value, so this cannot fail.
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use serde_json::{Value, json};

    fn validator() -> jsonschema::Validator {
        let schema: Value = serde_json::from_str(SCHEMA_TEXT).expect("the schema is JSON");
        jsonschema::validator_for(&schema).expect("the schema is a schema")
    }

    fn value() -> Value {
        serde_json::from_str(&write(&sample().finish())).expect("the report is JSON")
    }

    /// Every path to an object in `value`, so that a test can visit them all.
    fn objects(value: &Value, at: &str, out: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                out.push(at.to_owned());
                fields.iter().for_each(|(name, inner)| objects(inner, &format!("{at}/{name}"), out));
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(i, item)| objects(item, &format!("{at}/{i}"), out));
            }
            _ => {}
        }
    }

    fn fields_at<'a>(value: &'a mut Value, path: &str) -> &'a mut serde_json::Map<String, Value> {
        value.pointer_mut(path).and_then(Value::as_object_mut).expect("an object")
    }

    #[test]
    fn a_report_validates() {
        let errors: Vec<String> =
            validator().iter_errors(&value()).map(|e| format!("{}: {e}", e.instance_path)).collect();
        assert_eq!(errors, Vec::<String>::new());
    }

    #[test]
    fn an_unknown_or_missing_field_is_refused_in_every_object() {
        let (validator, whole) = (validator(), value());
        let mut paths = Vec::new();
        objects(&whole, "", &mut paths);
        assert!(paths.len() > 20);
        let counted = ["quarantined_by_reason", "schemas", "accounts_from", "end_users_from"];
        for path in paths.iter().filter(|path| !counted.iter().any(|name| path.ends_with(name))) {
            let mut more = whole.clone();
            fields_at(&mut more, path).insert("surprise".into(), json!(1));
            assert!(!validator.is_valid(&more), "unknown field accepted at {path:?}");
            let names: Vec<String> = fields_at(&mut whole.clone(), path).keys().cloned().collect();
            for name in names {
                let mut less = whole.clone();
                fields_at(&mut less, path).remove(&name);
                assert!(!validator.is_valid(&less), "missing {name} accepted at {path:?}");
            }
        }
    }

    #[test]
    fn values_outside_their_range_are_refused() {
        let (validator, whole) = (validator(), value());
        for (path, bad) in [
            ("/schema", json!(2)),
            ("/counts/rows_read", json!(-1)),
            ("/families/0/id", json!("n12")),
            ("/families/0/level", json!("alike")),
            ("/families/0/first_seen", json!("yesterday")),
            ("/families/0/new_account_share", json!(1.5)),
            ("/families/0/days/0/day", json!(20148)),
            ("/parameters/model_digest", json!("DEADBEEF")),
        ] {
            let mut other = whole.clone();
            *other.pointer_mut(path).expect(path) = bad;
            assert!(!validator.is_valid(&other), "{path}");
        }
    }

    #[test]
    fn hostile_text_survives_unchanged() {
        let mut report = sample();
        let text = "</script>\u{202e}\0\u{1b}[31m\"\\\n⟨1⟩".to_owned();
        report.families[0].template.clone_from(&text);
        let back: Value = serde_json::from_str(&write(&report)).expect("the report is JSON");
        assert_eq!(back["families"][0]["template"], json!(text));
    }
}
