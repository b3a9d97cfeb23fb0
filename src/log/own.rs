//! Our own schema: `id, account, end_user, time, model, prompt, system, response, conversation, attributes`.
//!
//! `attributes` is an object, or its JSON text where a format has no objects; a key that is not ours joins it. `system` and
//! `response` may also be what a provider's API returns, and `prompt` a list of messages. Without an account the identity
//! that a bare completion request reports (`safety_identifier`, `user`) is the account.

use super::draft::{Draft, leftovers};
use super::messages::{Talk, response_text, system_text};
use super::value::{Object, first_word, scalar, take};
use serde_json::Value;

/// The exchange of one of our rows.
pub(crate) fn draft(mut row: Object) -> Draft {
    let mut draft = Draft {
        id: take(&mut row, "id"),
        account: take(&mut row, "account")
            .or_else(|| first_word(&row, &["safety_identifier", "user"]).map(Value::String)),
        end_user: take(&mut row, "end_user").as_ref().and_then(scalar),
        time: take(&mut row, "time"),
        model: take(&mut row, "model").as_ref().and_then(scalar),
        system: take(&mut row, "system").as_ref().and_then(system_text),
        response: take(&mut row, "response").as_ref().and_then(response_text),
        conversation: take(&mut row, "conversation").as_ref().and_then(scalar),
        ..Draft::default()
    };
    set_prompt(&mut draft, take(&mut row, "prompt"));
    draft.attributes = leftovers(row);
    draft
}

/// A prompt is a text, or a list of messages whose newest user text it is.
pub(crate) fn set_prompt(draft: &mut Draft, prompt: Option<Value>) {
    match prompt {
        Some(Value::String(text)) => draft.prompt = Some(text),
        Some(Value::Array(list)) => Talk::of(&list).fill(draft),
        _ => {}
    }
}
