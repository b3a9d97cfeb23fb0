//! Dify: messages of its data base and of its API.
//!
//! A message is what a user asked and what the application answered; what was sent to the model (`message`) has the system prompt beside it. The
//! account is the end user, or the member of the workspace who asked. Weakness: the API's list says nothing of the user, whom its caller names; there a
//! default account is needed.

use super::{Fields, NOWHERE, Schema, all, all_calls, any};
use crate::log::messages::Talk;
use crate::log::path::find;
use serde_json::Value;

/// A message.
pub(super) const SCHEMA: Schema = Schema {
    name: "dify",
    source: "https://github.com/langgenius/dify/blob/main/api/models/model.py",
    is: |row| {
        all(row, &["query", "answer", "conversation_id"])
            && any(row, &["app_id", "inputs", "message_files", "retriever_resources", "from_source"])
    },
    other: all_calls,
    json: &["message"],
    fields: Fields {
        id: &["id"],
        account: &["from_end_user_id", "from_account_id", "user_id", "user"],
        time: &["created_at"],
        model: &["model_id"],
        conversation: &["conversation_id"],
        ..NOWHERE
    },
    mend: |row, draft| {
        if let Some(Value::Array(list)) = find(row, "message") {
            Talk::of(list).fill(draft);
        }
        // What the model was sent may have retrieved texts around it.
        draft.missing = None;
        draft.prompt = find(row, "query").and_then(Value::as_str).map(str::to_owned);
        draft.origin.from("prompt", "query");
        draft.response = find(row, "answer").and_then(Value::as_str).map(str::to_owned);
        draft.origin.from("response", "answer");
    },
};
