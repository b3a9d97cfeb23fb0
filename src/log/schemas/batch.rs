//! OpenAI Batch: the input and the output of a batch are two files, joined by `custom_id` (also those of Azure, Groq, Mistral and vLLM's
//! `run-batch`).
//!
//! An input without its output is an exchange without an answer; an output without its input has nothing that was asked, and is a bad row. The
//! account is what the body reports. Weakness: `custom_id` is unique in one batch only, so where two requests of a run have the same one,
//! neither is joined.

use super::{Fields, NOWHERE, Schema, all, all_calls, any};
use crate::log::join::Half;
use crate::log::path::find;
use crate::log::value::scalar;
use serde_json::Value;

const SOURCE: &str = "https://platform.openai.com/docs/guides/batch";

fn key(row: &Value) -> String {
    find(row, "custom_id").and_then(scalar).map(|id| format!("openai-batch:{id}")).unwrap_or_default()
}

/// A line of a batch's input.
pub(super) const INPUT: Schema = Schema {
    name: "openai-batch",
    source: SOURCE,
    is: |row| all(row, &["custom_id", "body"]),
    other: |row| {
        let url = row.get("url").and_then(Value::as_str).unwrap_or_default();
        (url.contains("embeddings") || url.contains("moderations")).then_some("a request for embeddings or moderation")
    },
    json: &["body"],
    fields: Fields { request: &["body"], ..NOWHERE },
    mend: |row, draft| draft.half = Some(Half::Request(key(row))),
};

/// A line of a batch's output.
pub(super) const OUTPUT: Schema = Schema {
    name: "openai-batch",
    source: SOURCE,
    is: |row| {
        all(row, &["custom_id"])
            && any(row, &["response", "error"])
            && !any(row, &["params", "prompt", "messages", "request"])
    },
    other: all_calls,
    json: &["response", "response.body"],
    fields: Fields {
        id: &["response.body.id", "id"],
        time: &["response.body.created", "response.body.created_at"],
        model: &["response.body.model"],
        response: &["response.body", "response"],
        ..NOWHERE
    },
    mend: |row, draft| draft.half = Some(Half::Result(key(row))),
};
