//! A chat API's request body, with its response: OpenAI chat completions and responses, Anthropic messages, Gemini.
//!
//! Either as objects `request` and `response` beside `account` and `time`, or as the bare body, whose account is then the
//! identity that it reports (`safety_identifier`, `user`, `metadata.user_id`) and whose time is the response's `created`.
//! Where an account stands beside the body, the reported identity is the end user inside it.
//!
//! Weakness: a bare body that is no row of a log, say a line of a data set, is read as if it had been sent.

use super::answer::{each, is_answer, is_embedding, opened, opened_whole, response_whole as answer};
use super::body;
use super::draft::{Draft, leftovers};
use super::messages::Talk;
use super::propose::Lacks;
use super::value::{Object, first_word, get, scalar, small, structure, take, word};
use super::{Fault, Reason};
use serde_json::Value;

/// Whether a row is a request, or has one.
pub(crate) fn is_request(row: &Object) -> bool {
    let body = |body: &Object| {
        // A page of an API has an empty list of messages beside its results.
        let is_page = || get(body, "result").is_some() && get(body, "success").is_some();
        (["messages", "contents"].iter().any(|name| get(body, name).is_some_and(Value::is_array)) && !is_page())
            || (get(body, "input").is_some() && ["model", "instructions"].iter().any(|name| get(body, name).is_some()))
            || get(body, "prompt").is_some_and(|prompt| prompt.is_string() || prompt.is_array())
            || (get(body, "inputs").is_some_and(Value::is_string) && get(body, "parameters").is_some())
            // Cohere's first chat API has the newest message apart.
            || (get(body, "message").is_some_and(Value::is_string)
                && (get(body, "chat_history").is_some_and(Value::is_array) || get(body, "preamble").is_some()))
    };
    match get(row, "request") {
        Some(Value::Object(request)) => body(request),
        _ => get(row, "prompt").is_none() && body(row),
    }
}

/// The exchange of a request, where it is one of a model's text.
pub(crate) fn call(row: Object, wanted: Lacks) -> Result<Draft, Fault> {
    if embeds(&row) {
        return Err(Fault::new(Reason::NoExchange, "expected a model call, got a request for embeddings"));
    }
    Ok(draft(row, wanted))
}

/// Whether a row is a request for embeddings with its response.
fn embeds(row: &Object) -> bool {
    let asked = match get(row, "request") {
        Some(Value::Object(request)) => request,
        _ => row,
    };
    let answer = get(row, "response").map(|response| opened(response.clone()));
    (body::embeds(asked) && !answer.as_ref().is_some_and(is_answer))
        || answer.is_some_and(|answer| is_embedding(&answer))
}

/// Whether a row is a line of a data set: messages, and beside them what data sets say of a line. Anything else beside them is of a request or of its
/// log, and there a last message of the assistant is where the model is to go on: the caller's words, and no answer.
fn is_of_data_set(row: &Object) -> bool {
    const KEYS: [&str; 8] = ["messages", "id", "source", "dataset", "category", "language", "split", "weight"];
    row.iter().all(|(name, value)| value.is_null() || KEYS.contains(&name.as_str()))
}

/// The exchange of a request.
fn draft(mut row: Object, wanted: Lacks) -> Draft {
    let is_of_data_set = is_of_data_set(&row);
    structure(&mut row, &["metadata"]);
    // A log of bare bodies may have the answer among their fields.
    let response = take(&mut row, "response").map(opened_whole).or_else(|| {
        let answer = ["choices", "output", "candidates"]
            .into_iter()
            .find(|name| get(&row, name).is_some_and(Value::is_array))?;
        let own = Value::Object(Object::from_iter([
            (answer.to_owned(), take(&mut row, answer)?),
            ("object".to_owned(), Value::from("response")),
        ]));
        is_answer(&own).then_some(own)
    });
    // Gateways call the two sides input and output.
    let said = |row: &Object| {
        get(row, "input").is_some() && get(row, "output").is_some_and(|v| v.is_object() || v.is_string())
    };
    let response = response.or_else(|| said(&row).then(|| take(&mut row, "output").map(opened_whole)).flatten());
    let enclosed = get(&row, "request").is_some_and(Value::is_object);
    let (mut outer, mut body) = match take(&mut row, "request") {
        Some(Value::Object(request)) => (row, request),
        _ => bare(row),
    };
    structure(&mut body, &["messages", "metadata"]);
    let in_response = |names: &[&str]| {
        let response = response.as_ref()?.as_object()?;
        names.iter().find_map(|name| get(response, name)).cloned()
    };

    let reported = body::reported(&body);
    let mut draft = Draft::of("request");
    let origin = &mut draft.origin;
    let inside = |name: &str| if enclosed { format!("request.{name}") } else { name.to_owned() };
    let account = take(&mut outer, "account");
    let end_user = take(&mut outer, "end_user").as_ref().and_then(scalar);
    match (&account, &end_user, &reported) {
        (Some(_), None, Some((name, _))) => origin.from("end_user", inside(name)),
        (None, _, Some((name, _))) => origin.from("account", inside(name)),
        _ => {}
    }
    if account.is_some() {
        origin.from("account", "account");
    }
    if end_user.is_some() {
        origin.from("end_user", "end_user");
    }
    draft.id = take(&mut outer, "id").inspect(|_| origin.from("id", "id")).or_else(|| in_response(&["id"]));
    let times = ["time", "timestamp", "created", "created_at", "processed_time"];
    draft.time = times
        .iter()
        .find_map(|name| take(&mut outer, name).inspect(|_| origin.from("time", *name)))
        .or_else(|| in_response(&["created", "created_at"]).inspect(|_| origin.from("time", "response.created")));
    draft.model = body::model(&body)
        .inspect(|_| origin.from("model", inside("model")))
        .or_else(|| {
            let named = in_response(&["model", "modelVersion"]).as_ref().and_then(scalar);
            named.inspect(|_| origin.from("model", "response.model"))
        })
        .or_else(|| first_word(&outer, &["model"]).inspect(|_| origin.from("model", "model")));
    let reported = reported.map(|(_, name)| name);
    draft.end_user = end_user.or_else(|| account.is_some().then(|| reported.clone()).flatten());
    draft.account = account.or_else(|| reported.map(Value::String));
    draft.response = response.as_ref().and_then(|response| {
        origin.from("response", "response");
        answer(response, origin)
    });
    draft.conversation = conversation(&mut outer, &body).inspect(|_| origin.from("conversation", "conversation"));
    origin.from("prompt", if enclosed { "request" } else { "" });
    if !body::read_fields(&body, &mut draft) && draft.missing.is_none() {
        let messages = ["messages", "input"].iter().find_map(|name| get(&body, name));
        let _ = messages.is_some_and(|messages| body::read_alone(messages, &mut draft));
    }
    // A line of a data set is messages and no more: the last is the answer.
    if is_of_data_set && let Some(Value::Array(messages)) = get(&body, "messages") {
        let talk = Talk::of(messages);
        if talk.has_prompt() {
            let system = draft.system.take();
            talk.fill_whole(&mut draft);
            draft.system = system;
            if draft.response.is_some() {
                draft.origin.from("response", "messages");
            }
        }
    }
    draft.answers = response.map(|response| each(&response, draft.prompts.len())).unwrap_or_default();
    outer.remove("model");
    draft.propose(&[("", &outer), (if enclosed { "request" } else { "" }, &body)], wanted);
    draft.attributes = leftovers(outer);
    for (name, value) in body {
        // Sampling parameters and the like; texts, tools and identities have their own place or none.
        let plain = matches!(value, Value::Bool(_) | Value::Number(_) | Value::String(_)) && small(&value, 256);
        let taken = [
            "object",
            "model",
            "user",
            "safety_identifier",
            "input",
            "instructions",
            "system",
            "prompt",
            "conversation",
        ];
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
