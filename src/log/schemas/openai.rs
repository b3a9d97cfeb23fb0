//! OpenAI: stored responses (Responses API) and stored chat completions, with what was asked beside what was answered.
//!
//! The API gives the input of a response and the messages of a completion by a call of their own; an export puts them into the object as
//! `input` (or `input_items`) and `messages`. The API lists the items of an input newest first unless it is asked otherwise, so `input_items` are
//! turned round, except where they show that they stand in the order of the talk; then the list of a page that goes on lacks what was asked. The account is `safety_identifier` or `user`. Weakness: an object without them has no prompt.

use super::{Fields, NOWHERE, Schema, all_calls, any, as_it_is, is_word};
use crate::log::Reason;
use crate::log::body::{self, Want};
use crate::log::draft::Draft;
use crate::log::path::find;
use serde_json::Value;

const ACCOUNT: &[&str] = &[
    "safety_identifier",
    "user",
    "input_user",
    "metadata.user_id",
    "metadata.user",
    "metadata.account",
    "metadata.customer_id",
    "project",
    "project_id",
    "organization",
];

/// A response of the Responses API.
pub(super) const RESPONSE: Schema = Schema {
    name: "openai-responses",
    source: "https://platform.openai.com/docs/api-reference/responses/object",
    is: |row| is_word(row, "object", &["response"]) && !any(row, &["request", "account"]),
    other: all_calls,
    json: &["input", "output", "metadata", "input_items"],
    fields: Fields {
        id: &["id"],
        account: ACCOUNT,
        time: &["created_at", "created"],
        model: &["model"],
        conversation: &["conversation.id", "conversation", "previous_response_id"],
        system: &["instructions"],
        request: &["input"],
        response: &["output", "output_text"],
        attributes: &["metadata"],
        ..NOWHERE
    },
    mend: items,
};

/// A stored chat completion.
pub(super) const STORED: Schema = Schema {
    name: "openai-stored",
    source: "https://platform.openai.com/docs/api-reference/chat/list",
    is: |row| {
        is_word(row, "object", &["chat.completion", "text_completion", "chat.completion.stored"])
            && !any(row, &["request", "account"])
    },
    other: all_calls,
    json: &["messages", "input", "choices", "metadata"],
    fields: Fields {
        id: &["id"],
        account: ACCOUNT,
        time: &["created", "created_at"],
        model: &["model"],
        request: &["messages.data", "messages", "input", "input_messages", "prompt"],
        response: &[""],
        attributes: &["metadata"],
        ..NOWHERE
    },
    mend: as_it_is,
};

/// Reads what was asked from the items of the input, which the API lists by a call of their own.
fn items(row: &Value, draft: &mut Draft) {
    let Some(found) = find(row, "input_items").filter(|_| draft.prompt.is_none() && draft.missing.is_none()) else {
        return;
    };
    let Some(list) = found.get("data").unwrap_or(found).as_array() else { return };
    let (newest_first, more) = (newest_first(list), found.get("has_more").and_then(Value::as_bool) == Some(true));
    if more && newest_first == Some(false) {
        draft.missing = Some((Reason::NoPrompt, "the first page of the input's items, without the newest"));
        return;
    }
    let newest_first = newest_first.unwrap_or(true);
    let ordered = if newest_first { list.iter().rev().cloned().collect() } else { list.clone() };
    if body::read(&Value::Array(ordered), Want::Body, draft) {
        draft.origin.from("prompt", if newest_first { "input_items (newest first)" } else { "input_items" });
    }
}

/// Whether items stand newest first, where they show it: a call of a tool comes before its output, a system message before all, and the last
/// word before an answer is not the assistant's.
fn newest_first(items: &[Value]) -> Option<bool> {
    let word = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let calls = items.iter().enumerate().filter(|(_, item)| word(item, "type").ends_with("_call"));
    for (at, call) in calls {
        let answers = |item: &Value| {
            word(item, "type").ends_with("_call_output") && word(item, "call_id") == word(call, "call_id")
        };
        if let Some(output) = items.iter().position(answers) {
            return Some(output < at);
        }
    }
    let roles: Vec<String> = items.iter().map(|item| word(item, "role")).filter(|role| !role.is_empty()).collect();
    let (first, last) = (roles.first()?, roles.last()?);
    let leads = |role: &str| matches!(role, "system" | "developer");
    match (leads(first), leads(last)) {
        (true, false) => return Some(false),
        (false, true) => return Some(true),
        _ => {}
    }
    match (first == "assistant", last == "assistant") {
        (true, false) => Some(false),
        (false, true) => Some(true),
        _ => None,
    }
}
