//! PromptLayer: requests as its SDK tracks them, as its API logs them, and as it gives them back (whose template holds the answer as its last message).
//!
//! The account is what the application put into the metadata. Weakness: one that puts none there needs a default account.

use super::{Fields, NOWHERE, Schema, all, all_calls, any, as_it_is};
use crate::log::messages::Talk;
use crate::log::path::find;
use serde_json::Value;

const ACCOUNT: &[&str] = &[
    "metadata.account_id",
    "metadata.customer_id",
    "metadata.org_id",
    "metadata.user_id",
    "metadata.userId",
    "metadata.user",
];

/// A request with the arguments of the provider's own client.
pub(super) const TRACKED: Schema = Schema {
    name: "promptlayer",
    source: "https://docs.promptlayer.com/reference/track-request",
    is: |row| all(row, &["function_name", "kwargs"]) && any(row, &["request_response", "request_start_time"]),
    other: all_calls,
    json: &["kwargs", "metadata"],
    fields: Fields {
        id: &["request_id"],
        account: ACCOUNT,
        time: &["request_start_time"],
        request: &["kwargs"],
        response: &["request_response"],
        ..NOWHERE
    },
    mend: as_it_is,
};

/// A request in PromptLayer's own form.
pub(super) const LOGGED: Schema = Schema {
    name: "promptlayer",
    source: "https://docs.promptlayer.com/reference/log-request",
    is: |row| {
        all(row, &["request_start_time"])
            && ((all(row, &["input", "output"]) && any(row, &["provider", "function_name", "prompt_name"]))
                || all(row, &["request_id", "prompt_blueprint"]))
    },
    other: all_calls,
    json: &["input", "output", "prompt_blueprint", "metadata"],
    fields: Fields {
        id: &["request_id"],
        account: ACCOUNT,
        time: &["request_start_time"],
        model: &["model", "prompt_blueprint.metadata.model.name"],
        request: &["input"],
        response: &["output.messages", "output.content", "output"],
        ..NOWHERE
    },
    mend: |row, draft| {
        let Some(Value::Array(list)) = find(row, "prompt_blueprint.prompt_template.messages") else { return };
        let talk = Talk::of(list);
        if draft.prompt.is_none() && talk.has_prompt() {
            talk.fill_whole(draft);
            draft.origin.from("prompt", "prompt_blueprint.prompt_template.messages");
            draft.origin.from("response", "prompt_blueprint.prompt_template.messages");
        }
    },
};
