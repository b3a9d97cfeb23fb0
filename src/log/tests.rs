//! Tests of every schema, rule and format, through the public readers.

use super::*;
use proptest::prelude::*;

/// Rows of a JSONL text.
fn jsonl_with(text: impl AsRef<[u8]>, config: &LogConfig) -> Vec<Row> {
    let mut rows = Vec::new();
    read_jsonl(text.as_ref(), config, &mut |batch| {
        rows.extend(batch);
        Ok(())
    })
    .unwrap();
    rows
}

fn jsonl(text: impl AsRef<[u8]>) -> Vec<Row> {
    jsonl_with(text, &LogConfig::default())
}

/// The only row of a text, which must be good.
fn one(text: impl AsRef<[u8]>) -> Exchange {
    let mut rows = jsonl(text);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0).result.unwrap()
}

/// The reason of the only row of a text, which must be bad.
fn reason(text: impl AsRef<[u8]>) -> &'static str {
    let mut rows = jsonl(text);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0).result.unwrap_err().reason.word()
}

#[test]
fn own_schema_keeps_every_field() {
    let row = one(
        r#"{"id":7,"account":12,"end_user":"u","time":"2026-11-21T10:00:00+01:00","model":"m","prompt":"Hi","system":"s",
           "response":"r","conversation":"c","attributes":{"tier":"free"},"region":"eu","tier":"x","nothing":null}"#
            .replace('\n', ""),
    );
    assert_eq!((row.id.as_deref(), row.account.as_str(), row.end_user.as_deref()), (Some("7"), "12", Some("u")));
    assert_eq!((row.time.to_string().as_str(), row.model.as_deref()), ("2026-11-21T09:00:00Z", Some("m")));
    assert_eq!((row.prompt.as_str(), row.system.as_deref(), row.response.as_deref()), ("Hi", Some("s"), Some("r")));
    assert_eq!(row.conversation.as_deref(), Some("c"));
    assert_eq!(serde_json::to_string(&row.attributes).unwrap(), r#"{"region":"eu","tier":"free"}"#);
}
