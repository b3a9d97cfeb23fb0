//! A chat API's request body, with its response: OpenAI chat completions and responses, Anthropic messages.
//!
//! Either as objects `request` and `response` beside `account` and `time`, or as the bare body, whose account is then the
//! identity that it reports (`safety_identifier`, `user`, `metadata.user_id`) and whose time is the response's `created`.
//! Where an account stands beside the body, the reported identity is the end user inside it.
//!
//! Weakness: streamed responses must have been put together by the logger; chunks are not.

use super::draft::{Draft, leftovers};
use super::messages::{Talk, response_text, system_text};
use super::value::{Object, first_word, get, scalar, small, structure, take, word};
use serde_json::Value;

/// Whether a row is a request, or has one.
pub(crate) fn is_request(row: &Object) -> bool {
    let body = |body: &Object| {
        get(body, "messages").is_some_and(Value::is_array)
            || (get(body, "input").is_some() && ["model", "instructions"].iter().any(|name| get(body, name).is_some()))
            || get(body, "prompt").is_some_and(|prompt| prompt.is_string() || prompt.is_array())
    };
    match get(row, "request") {
        Some(Value::Object(request)) => body(request),
        _ => get(row, "prompt").is_none() && body(row),
    }
}

/// The exchange of a request.
pub(crate) fn draft(mut row: Object) -> Draft {
    structure(&mut row, &["response", "metadata"]);
    let response = take(&mut row, "response");
    let (mut outer, mut body) = match take(&mut row, "request") {
        Some(Value::Object(request)) => (row, request),
        _ => bare(row),
    };
    structure(&mut body, &["messages", "metadata"]);
    let in_response = |names: &[&str]| {
        let response = response.as_ref()?.as_object()?;
        names.iter().find_map(|name| get(response, name)).cloned()
    };

    let metadata = get(&body, "metadata").and_then(Value::as_object);
    let reported = first_word(&body, &["safety_identifier", "user"])
        .or_else(|| metadata.and_then(|metadata| word(metadata, "user_id")));
    let account = take(&mut outer, "account");
    let end_user = take(&mut outer, "end_user").as_ref().and_then(scalar);
    let mut draft = Draft {
        id: take(&mut outer, "id").or_else(|| in_response(&["id"])),
        time: ["time", "timestamp", "created", "created_at"]
            .iter()
            .find_map(|name| take(&mut outer, name))
            .or_else(|| in_response(&["created", "created_at"])),
        model: first_word(&body, &["model"])
            .or_else(|| in_response(&["model"]).as_ref().and_then(scalar))
            .or_else(|| first_word(&outer, &["model"])),
        end_user: end_user.or_else(|| account.is_some().then(|| reported.clone()).flatten()),
        account: account.or_else(|| reported.map(Value::String)),
        response: response.as_ref().and_then(response_text),
        conversation: conversation(&mut outer, &body),
        ..Draft::default()
    };
    talk(&body, &mut draft);
    outer.remove("model");
    draft.attributes = leftovers(outer);
    for (name, value) in body {
        // Sampling parameters and the like; texts, tools and identities have their own place or none.
        let plain = matches!(value, Value::Bool(_) | Value::Number(_) | Value::String(_)) && small(&value, 256);
        let taken = ["model", "user", "safety_identifier", "input", "instructions", "system", "prompt", "conversation"];
        if plain && !taken.contains(&name.as_str()) {
            draft.attributes.entry(format!("request.{name}")).or_insert(value);
        }
    }
    draft
}

/// Parts a bare body from what a logger put beside it.
fn bare(row: Object) -> (Object, Object) {
    let beside =
        ["id", "account", "end_user", "time", "timestamp", "created", "created_at", "attributes", "conversation_id"];
    row.into_iter().partition(|(name, _)| beside.contains(&name.as_str()))
}

/// The conversation, where either part names one.
fn conversation(outer: &mut Object, body: &Object) -> Option<String> {
    let name = |value: &Value| scalar(value).or_else(|| value.get("id").and_then(scalar));
    let beside = ["conversation", "conversation_id"].iter().find_map(|key| take(outer, key));
    beside.as_ref().and_then(name).or_else(|| {
        let metadata = get(body, "metadata").and_then(Value::as_object);
        get(body, "conversation").and_then(name).or_else(|| metadata.and_then(|m| word(m, "conversation_id")))
    })
}

/// Reads what was said.
fn talk(body: &Object, draft: &mut Draft) {
    draft.system = ["system", "instructions"].iter().find_map(|name| get(body, name)).and_then(system_text);
    let said = ["messages", "input", "prompt"].iter().find_map(|name| get(body, name));
    match said {
        Some(Value::Array(list)) => Talk::of(list).fill(draft),
        Some(Value::String(text)) => draft.prompt = Some(text.clone()),
        _ => {}
    }
}
