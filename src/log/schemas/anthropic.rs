//! Anthropic Message Batches: requests (`custom_id`, `params`) and results (`custom_id`, `result`), joined by `custom_id`.
//!
//! The account is `metadata.user_id`, which the body reports. Neither file has a time; a default serves. Weakness: as of every batch, a
//! `custom_id` that two requests of a run have is not joined.

use super::{Fields, NOWHERE, Schema, all, all_calls};
use crate::log::join::Half;
use crate::log::path::find;
use crate::log::value::scalar;
use serde_json::Value;

const SOURCE: &str = "https://docs.anthropic.com/en/docs/build-with-claude/batch-processing";

fn key(row: &Value) -> String {
    find(row, "custom_id").and_then(scalar).map(|id| format!("anthropic-batch:{id}")).unwrap_or_default()
}

/// A request of a batch; one whose result stands beside it is whole.
pub(super) const INPUT: Schema = Schema {
    name: "anthropic-batch",
    source: SOURCE,
    is: |row| all(row, &["custom_id", "params"]),
    other: all_calls,
    json: &["params", "result"],
    fields: Fields {
        id: &["result.message.id"],
        time: TIME,
        request: &["params"],
        response: &["result.message"],
        ..NOWHERE
    },
    mend: |row, draft| draft.half = find(row, "result").is_none().then(|| Half::Request(key(row))),
};

/// A result of a batch.
pub(super) const OUTPUT: Schema = Schema {
    name: "anthropic-batch",
    source: SOURCE,
    is: |row| all(row, &["custom_id", "result"]),
    other: all_calls,
    json: &["result"],
    fields: Fields {
        id: &["result.message.id"],
        time: TIME,
        model: &["result.message.model"],
        response: &["result.message"],
        ..NOWHERE
    },
    mend: |row, draft| draft.half = Some(Half::Result(key(row))),
};

/// What loggers put beside the lines of a batch.
const TIME: &[&str] = &["created_at", "ended_at", "time", "timestamp"];
