//! What a model returned → its text, in every form that an API, a stream or a tracing tool gives it.
//!
//! An answer is a text, a message, a list of blocks, or the object that an API returns: OpenAI chat, completions and responses, Anthropic,
//! Gemini, the model families of Bedrock and its Converse, Cohere, LangChain's generations, SGLang and text-generation servers. A list of
//! stream events, or the stream itself as text, gives its pieces joined. Of several choices the first is the answer.
//!
//! A *text* that holds JSON is opened only where it is unmistakably such an object: a model that was asked for JSON answers in JSON, and that
//! stays as it was said. In our own rows and beside a request a lone message in a text stays as well, since nobody logs it so; a tracing tool
//! does, and there it is opened. Weakness: a model can be asked to answer with such an object; then its inner text is taken, and counted.
//! Guarantee: no recursion deeper than eight, any JSON gives a text or none.

use super::draft::Origin;
use super::messages::{Block, CONTENT, blocks, plain_role, role_of};
use super::value::{Object, get, inner, pythons, unpacked};
use serde_json::Value;

/// How deep an answer may lie in other objects.
const DEPTH: u32 = 8;

/// The text of a response that stands in a log, opened where it is a string that holds what an API returns.
pub(crate) fn response(value: &Value, origin: &mut Origin) -> Option<String> {
    response_where(value, origin, is_answer)
}

/// As [`response`], where what an application said is logged as it said it: only an API's whole object is opened.
pub(crate) fn response_whole(value: &Value, origin: &mut Origin) -> Option<String> {
    response_where(value, origin, is_whole_answer)
}

fn response_where(value: &Value, origin: &mut Origin, is: fn(&Value) -> bool) -> Option<String> {
    let Value::String(text) = value else { return response_text(value) };
    let start = text.trim_start();
    if ["data:", "event:", "id:", "retry:", ":"].iter().any(|field| start.starts_with(field)) {
        if let Some(said) = streamed(text) {
            origin.json_read += 1;
            return Some(said);
        }
    } else if start.starts_with(['{', '[', '"']) {
        // A string in a string in a string is opened as far as an answer is found in it.
        let mut held = inner(start).or_else(|| pythons(start));
        for _ in 0..3 {
            match held {
                Some(Value::String(deeper)) if deeper.trim_start().starts_with(['{', '[', '"']) => {
                    held = inner(&deeper);
                }
                _ => break,
            }
        }
        if let Some(said) = held.filter(is).as_ref().and_then(response_text) {
            origin.json_read += 1;
            return Some(said);
        }
        if is_cut(start) {
            return None;
        }
        if start.starts_with(['{', '[']) {
            origin.json_kept += 1;
        }
    }
    Some(text.clone())
}

/// Whether a text is the beginning of what an API returns, whose end is missing: gateways log so many bytes of it.
fn is_cut(text: &str) -> bool {
    let head: String = text.chars().take(512).collect();
    let has = |names: &[&str]| names.iter().all(|name| head.contains(name));
    let api = has(&["\"object\"", "\"choices\""])
        || has(&["\"choices\"", "\"message\"", "\"content\""])
        || has(&["\"candidates\"", "\"parts\""])
        || has(&["\"object\"", "\"response\"", "\"output\""])
        || has(&["\"type\"", "\"message\"", "\"role\"", "\"content\"", "\"id\""]);
    let broken =
        || serde_json::from_str::<serde::de::IgnoredAny>(text).is_err_and(|cause: serde_json::Error| cause.is_eof());
    text.starts_with(['{', '[']) && api && broken()
}

/// The answers to the `n` prompts of one call, in their order; none where it cannot be told which is whose.
pub(crate) fn each(value: &Value, n: usize) -> Vec<Option<String>> {
    if n < 2 {
        return Vec::new();
    }
    let value = opened(value.clone());
    let texts = |list: &[Value]| list.iter().map(response_text).collect();
    let body = match &value {
        Value::Array(list) if list.len() == n => return texts(list),
        Value::Object(body) => body,
        _ => return Vec::new(),
    };
    if let Some(choices) = get(body, "choices").and_then(Value::as_array) {
        // Of `best_of` or `n` choices each, those of one prompt stand together, and the first is the answer.
        let step = choices.len() / n;
        let of = |at: usize| {
            let is = |choice: &&Value| choice.get("index").and_then(Value::as_u64) == Some((at * step) as u64);
            let choice =
                choices.iter().find(is).or_else(|| choices.get(at * step).filter(|c| c.get("index").is_none()))?;
            let inner = ["message", "delta"].iter().find_map(|name| choice.get(name)).filter(|inner| inner.is_object());
            inner.and_then(response_text).or_else(|| choice.get("text").and_then(plain))
        };
        return if step * n == choices.len() { (0..n).map(of).collect() } else { Vec::new() };
    }
    let lists = ["generations", "outputs", "results", "predictions", "text", "responses"];
    let list = lists.iter().find_map(|name| get(body, name).and_then(Value::as_array).filter(|list| list.len() == n));
    list.map(|list| texts(list)).unwrap_or_default()
}

/// A response that stands in a log, as the object where its text holds what an API returns; any other text stays as it was said.
pub(crate) fn opened(value: Value) -> Value {
    opened_where(value, is_answer)
}

/// As [`opened`], where what an application said is logged as it said it: only an API's whole object is opened.
pub(crate) fn opened_whole(value: Value) -> Value {
    opened_where(value, is_whole_answer)
}

fn opened_where(value: Value, is: fn(&Value) -> bool) -> Value {
    if !value.is_string() {
        return value;
    }
    let held = unpacked(value.clone());
    if is(&held) || is_embedding(&held) { held } else { value }
}

/// Whether a value is an API's whole object: it says of itself what it is, or which model made it. A lone message or text is what a model that
/// is asked for such JSON says as well.
fn is_whole_answer(value: &Value) -> bool {
    let Value::Object(body) = value else { return value.is_array() && is_answer(value) && !holds_messages(value) };
    let text = |name: &str| get(body, name).is_some_and(Value::is_string);
    let named =
        ["object", "model", "modelVersion", "stop_reason", "status", "responseId", "done_reason", "generation_id"]
            .iter()
            .any(|name| text(name));
    let counted = [
        "usage",
        "usageMetadata",
        "usage_metadata",
        "meta_info",
        "meta",
        "stop",
        "metrics",
        "created",
        "inputTextTokenCount",
    ]
    .iter()
    .any(|name| get(body, name).is_some());
    let message = get(body, "message").is_some_and(is_assistant) && !named && !counted;
    let bare = (role_of(body).is_some() || text("generated_text")) && !(text("id") || named || counted);
    let choice = |name: &str, inner: &[&str]| {
        get(body, name)
            .and_then(|list| list.get(0))
            .is_some_and(|first| inner.iter().any(|name| first.get(name).is_some()))
    };
    let choices = choice("choices", &["message", "delta", "finish_reason"]) || choice("candidates", &["content"]);
    is_answer(value)
        && !message
        && !bare
        && (named
            || counted
            || choices
            || get(body, "generations").is_some()
            || get(body, "results").is_some()
            || get(body, "output").is_some_and(Value::is_object))
}

/// Whether a list is one of messages.
fn holds_messages(value: &Value) -> bool {
    value
        .as_array()
        .is_some_and(|items| items.iter().any(|item| item.as_object().is_some_and(|item| role_of(item).is_some())))
}

/// Whether a value is what an API returns to a request for embeddings, which is no exchange.
pub(crate) fn is_embedding(value: &Value) -> bool {
    let of = |item: &Value| item.get("embedding").is_some_and(|found| found.is_array() || found.is_string());
    let listed =
        value.get("data").and_then(Value::as_array).is_some_and(|list| !list.is_empty() && list.iter().all(of));
    listed || ["embedding", "embeddings"].iter().any(|name| value.get(name).is_some_and(|found| found.get(0).is_some()))
}

/// Whether a value is what an API returns, and nothing that a model might say in JSON by itself.
pub(crate) fn is_answer(value: &Value) -> bool {
    let list = |body: &Object, name: &str| get(body, name).is_some_and(Value::is_array);
    let text = |body: &Object, name: &str| get(body, name).is_some_and(Value::is_string);
    match value {
        Value::Object(body) => {
            let assistant = role_of(body).is_some_and(|role| plain_role(role) == "assistant");
            (list(body, "choices") && (text(body, "object") || text(body, "model") || text(body, "id")))
                || body.get("choices").and_then(|choices| choices.get(0)?.get("message")).is_some_and(is_assistant)
                || list(body, "candidates")
                || list(body, "generations")
                || (list(body, "output") && (text(body, "object") || text(body, "status")))
                || body.get("output").and_then(|output| output.get("message")).is_some()
                || (assistant && (CONTENT.iter().any(|name| get(body, name).is_some()) || list(body, "tool_calls")))
                || get(body, "message").is_some_and(is_assistant)
                || (list(body, "content") && (text(body, "stop_reason") || text(body, "type")))
                || (text(body, "completion") && (body.contains_key("stop_reason") || body.contains_key("stop")))
                || (text(body, "generation") && body.contains_key("stop_reason"))
                || (list(body, "outputs")
                    && body["outputs"].get(0).is_some_and(|first| first.get("stop_reason").is_some()))
                || (list(body, "results")
                    && body["results"].get(0).is_some_and(|first| first.get("outputText").is_some()))
                || (text(body, "text") && (body.contains_key("meta_info") || text(body, "generation_id")))
                || text(body, "generated_text")
        }
        Value::Array(items) => {
            let message = |item: &Value| is_assistant(item) || item.get("message").is_some_and(is_assistant);
            !items.is_empty() && (items.iter().any(message) || items.iter().all(is_event))
        }
        _ => false,
    }
}

/// Whether a value is a message of the assistant.
fn is_assistant(value: &Value) -> bool {
    value.as_object().and_then(role_of).is_some_and(|role| plain_role(role) == "assistant")
}

/// Whether a value is one event of a stream.
fn is_event(value: &Value) -> bool {
    let Some(event) = value.as_object() else { return false };
    let kind = get(event, "type").or_else(|| get(event, "event_type")).and_then(Value::as_str).unwrap_or_default();
    let of_anthropic = kind.starts_with("message_") || kind.starts_with("content_block_") || kind == "ping";
    let of_responses = kind.starts_with("response.");
    let of_cohere =
        matches!(kind, "text-generation" | "stream-start" | "stream-end" | "content-delta" | "content-start")
            || kind.starts_with("message-")
            || kind == "content-end";
    let of_converse =
        ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"];
    let of_openai = get(event, "object").and_then(Value::as_str).is_some_and(|object| object.ends_with("chunk"))
        || value.pointer("/choices/0/delta").is_some();
    let of_gemini = get(event, "candidates").is_some_and(Value::is_array);
    let of_titan = event.contains_key("outputText") || event.contains_key("generation");
    let of_bedrock = event.contains_key("amazon-bedrock-invocationMetrics");
    of_anthropic
        || of_responses
        || of_cohere
        || of_openai
        || of_gemini
        || of_titan
        || of_bedrock
        || of_converse.iter().any(|name| event.contains_key(*name))
        || (get(event, "completion").is_some_and(Value::is_string) && event.contains_key("stop"))
}

/// What one event of a stream adds.
fn piece(event: &Value) -> Option<&str> {
    const PLACES: [&str; 9] = [
        "/choices/0/delta/content",
        "/choices/0/text",
        "/delta/text",
        "/contentBlockDelta/delta/text",
        "/delta/message/content/text",
        "/outputText",
        "/generation",
        "/completion",
        "/outputs/0/text",
    ];
    let kind = event.get("type").or_else(|| event.get("event_type")).and_then(Value::as_str).unwrap_or_default();
    match kind {
        "response.output_text.delta" => event.get("delta").and_then(Value::as_str),
        "text-generation" => event.get("text").and_then(Value::as_str),
        _ => PLACES.iter().find_map(|place| event.pointer(place)).and_then(Value::as_str),
    }
}

/// The text of a stream, its events in order.
fn events_text<'a>(events: impl Iterator<Item = &'a Value> + Clone) -> Option<String> {
    let mut said = String::new();
    let first = |event: &&Value| event.pointer("/choices/0/index").and_then(Value::as_u64).unwrap_or(0) == 0;
    for event in events.clone().filter(first) {
        if let Some(piece) = piece(event) {
            said.push_str(piece);
        } else if event.get("candidates").is_some() {
            said.push_str(&deep(event, 1).unwrap_or_default());
        }
    }
    // The Responses API ends its stream with the whole response.
    let whole = || {
        events.clone().find_map(|event| event.get("response").filter(|whole| whole.is_object())).and_then(response_text)
    };
    if said.is_empty() { whole() } else { Some(said) }
}

/// The text of a stream of server-sent events, as it went over the wire.
fn streamed(text: &str) -> Option<String> {
    let data = text.lines().filter_map(|line| line.trim_start().strip_prefix("data:")).map(str::trim);
    let events: Vec<Value> = data.filter(|data| data.starts_with('{')).filter_map(inner).collect();
    (!events.is_empty() && events.iter().any(is_event)).then(|| events_text(events.iter())).flatten()
}

/// A response: a text, blocks, or what an API returns. Its blocks are one text in pieces, so nothing is put between them.
pub(crate) fn response_text(value: &Value) -> Option<String> {
    deep(value, 0)
}

fn deep(value: &Value, depth: u32) -> Option<String> {
    if depth > DEPTH {
        return None;
    }
    let further = |value: &Value| deep(value, depth + 1);
    match value {
        Value::Object(body) => of_object(body, &further),
        Value::Array(items) if !items.is_empty() && items.iter().all(is_event) => events_text(items.iter()),
        Value::Array(items) if items.iter().any(|item| item.as_object().and_then(role_of).is_some()) => {
            messages_text(items, &further)
        }
        Value::Array(items) if items.iter().any(|item| item.get("message").is_some_and(Value::is_object)) => {
            // OpenInference and choices without their object: the first.
            items.first().and_then(further)
        }
        Value::Array(items) if items.iter().any(|item| item.get("generated_text").is_some()) => {
            items.first().and_then(further)
        }
        other => plain(other),
    }
}

/// The texts of blocks.
fn plain(value: &Value) -> Option<String> {
    let said: String =
        blocks(value).iter().map(|block| if let Block::Text(text) = block { *text } else { "" }).collect();
    (!said.is_empty()).then_some(said)
}

fn of_object(body: &Object, further: &dyn Fn(&Value) -> Option<String>) -> Option<String> {
    let first = |name: &str| get(body, name).and_then(|list| list.get(0));
    // Of several choices the first by its number.
    let numbered = || {
        let is_first = |choice: &&Value| choice.get("index").and_then(Value::as_u64) == Some(0);
        get(body, "choices")?.as_array()?.iter().find(is_first)
    };
    if let Some(choice) = numbered().or_else(|| first("choices")) {
        let inner = ["message", "delta"].iter().find_map(|name| choice.get(name)).filter(|inner| inner.is_object());
        return inner.and_then(further).or_else(|| choice.get("text").and_then(plain));
    }
    if let Some(candidate) = first("candidates") {
        return candidate
            .get("content")
            .unwrap_or(candidate)
            .pointer("/parts")
            .or(candidate.get("content"))
            .and_then(further);
    }
    // LangChain: a list of prompts, each with a list of generations.
    if let Some(generation) = first("generations") {
        let generation = generation.get(0).unwrap_or(generation);
        return ["text", "message"].iter().find_map(|name| generation.get(name).and_then(further));
    }
    if let Some(Value::Array(items)) = get(body, "output") {
        return messages_text(items, further);
    }
    // What stands one level down: Converse, DashScope and Workers AI, LangChain's wrappers, batches of one.
    for name in ["output", "message", "result", "response", "kwargs", "data", "body", "streamed_data"] {
        let is_inner = |inner: &&Value| inner.is_object() || (name == "streamed_data" && inner.is_array());
        if let Some(found) = get(body, name).filter(is_inner).and_then(further) {
            return Some(found);
        }
    }
    for name in ["results", "outputs", "completions", "predictions"] {
        if let Some(found) = first(name).and_then(further) {
            return Some(found);
        }
    }
    if let Some(Value::Array(items)) = get(body, "messages") {
        return messages_text(items, further);
    }
    // What went wrong is no answer.
    if ["error_code", "errorCode", "error_type"].iter().any(|name| get(body, name).is_some()) {
        return None;
    }
    let named = ["content", "parts", "contents", "value"].iter().find_map(|name| get(body, name)).and_then(plain);
    named.or_else(|| {
        let texts = [
            "refusal",
            "text",
            "completion",
            "output_text",
            "outputText",
            "generation",
            "generated_text",
            "response",
            "output",
            "message",
            "answer",
            "reply",
        ];
        texts.iter().find_map(|name| get(body, name)).and_then(plain)
    })
}

/// The texts of the assistant's messages among output items, in pieces of one text.
fn messages_text(items: &[Value], further: &dyn Fn(&Value) -> Option<String>) -> Option<String> {
    let said = |item: &&Object| {
        let role = role_of(item).map(plain_role);
        // An item of the Responses API that is no message has no role either, but a type.
        role.is_some_and(|role| role == "assistant" || !matches!(role, "user" | "tool" | "system"))
    };
    let text = |item: &Object| {
        let content =
            ["content", "parts", "contents", "value", "message.content"].iter().find_map(|name| get(item, name));
        content.and_then(further).or_else(|| further(&Value::Object(item.clone())))
    };
    let said: String = items.iter().filter_map(Value::as_object).filter(said).filter_map(text).collect();
    (!said.is_empty()).then_some(said)
}
