//! OpenRouter: a generation's stored content, with or without the generation's own fields beside it.
//!
//! The content has what was asked and what was answered, and nothing else: an export that puts the fields of the generation beside it has account,
//! time and model as well. The account is the key, else the user whom the caller named. Weakness: content alone needs a default account and time.

use super::{Fields, NOWHERE, Schema, all, all_calls, as_it_is};
use crate::log::value::{Object, get};
use serde_json::Value;

/// The content of a generation.
pub(super) const SCHEMA: Schema = Schema {
    name: "openrouter",
    source: "https://openrouter.ai/docs/api/api-reference/generations/list-generation-content and https://openrouter.ai/docs/api/api-reference/generations/get-generation",
    is: |row| is(row) || get(row, "data").and_then(Value::as_object).is_some_and(is),
    other: all_calls,
    json: &[],
    fields: Fields {
        id: &["id", "data.id"],
        account: &[
            "api_key_id",
            "data.api_key_id",
            "external_user",
            "externalUser",
            "data.external_user",
            "data.externalUser",
            "user_id",
            "data.user_id",
        ],
        time: &["created_at", "createdAt", "data.created_at", "data.createdAt"],
        model: &["model", "data.model"],
        conversation: &["session_id", "data.session_id"],
        request: &["input", "data.input"],
        response: &["output.completion", "data.output.completion"],
        ..NOWHERE
    },
    mend: as_it_is,
};

/// Its output says so: what was completed, beside how it was thought of.
fn is(row: &Object) -> bool {
    let output = get(row, "output").and_then(Value::as_object);
    // A table has no column for a thought that no generation had.
    let of = |output: &Object| all(output, &["completion"]) && (output.contains_key("reasoning") || output.len() == 1);
    get(row, "input").is_some() && output.is_some_and(of)
}
