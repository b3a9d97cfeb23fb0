//! OpenAI: stored responses (Responses API) and stored chat completions, with what was asked beside what was answered.
//!
//! The API gives the input of a response and the messages of a completion by a call of their own; an export puts them into the object as
//! `input` (or `input_items`) and `messages`. The account is `safety_identifier` or `user`. Weakness: an object without them has no prompt.

use super::{Fields, NOWHERE, Schema, all_calls, any, as_it_is, is_word};

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
        request: &["input", "input_items.data", "input_items"],
        response: &["output", "output_text"],
        attributes: &["metadata"],
        ..NOWHERE
    },
    mend: as_it_is,
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
