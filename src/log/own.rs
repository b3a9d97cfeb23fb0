//! Our own schema: `id, account, end_user, time, model, prompt, system, response, conversation, attributes`.
//!
//! `attributes` is an object, or its JSON text where a format has no objects; a key that is not ours joins it. `system` and
//! `response` may also be what a provider's API returns, and `prompt` a list of messages, as JSON or as a text that holds it. Without an account the identity
//! that a bare completion request reports (`safety_identifier`, `user`) is the account.

use super::answer::{each, response_whole as response};
use super::body::{self, Want};
use super::draft::{Draft, leftovers};
use super::messages::system_text;
use super::propose::Lacks;
use super::value::{Object, first_word, scalar, take};
use serde_json::Value;

/// The exchange of one of our rows.
pub(crate) fn draft(mut row: Object, wanted: Lacks) -> Draft {
    let mut draft = Draft::of("stillhunt");
    for field in ["id", "account", "end_user", "time", "model", "prompt", "system", "response", "conversation"] {
        if row.get(field).is_some_and(|value| !value.is_null()) {
            draft.origin.from(field, field);
        }
    }
    draft.id = take(&mut row, "id");
    draft.account = take(&mut row, "account").or_else(|| {
        let name = ["safety_identifier", "user"].into_iter().find(|name| first_word(&row, &[name]).is_some())?;
        draft.origin.from("account", name);
        first_word(&row, &[name]).map(Value::String)
    });
    draft.end_user = take(&mut row, "end_user").as_ref().and_then(scalar);
    draft.time = take(&mut row, "time");
    draft.model = take(&mut row, "model").as_ref().and_then(scalar);
    draft.system = take(&mut row, "system").as_ref().and_then(system_text);
    let answer = take(&mut row, "response");
    draft.response = answer.as_ref().and_then(|value| response(value, &mut draft.origin));
    draft.conversation = take(&mut row, "conversation").as_ref().and_then(scalar);
    if let Some(prompt) = take(&mut row, "prompt").filter(|prompt| prompt.is_string() || prompt.is_array()) {
        let _ = body::read(&prompt, Want::Prompt, &mut draft) || body::read_alone(&prompt, &mut draft);
    }
    draft.answers = answer.map(|answer| each(&answer, draft.prompts.len())).unwrap_or_default();
    draft.propose(&[("", &row)], wanted);
    draft.attributes = leftovers(row);
    draft
}
