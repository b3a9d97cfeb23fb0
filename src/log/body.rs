//! What was asked → prompt, system prompt, earlier turns: the request body of any chat or completion API, a list of messages, one message, or
//! a text.
//!
//! The bodies known: OpenAI chat, completions and responses, Anthropic, Gemini, the model families of Bedrock and its Converse, Cohere,
//! text-generation servers, LangChain's inputs. A text that holds one of these as JSON, or in Python's notation, is read as what it holds; a text that merely looks like
//! JSON stays a text. How often each happened is counted in the draft's origin.
//!
//! Weakness: a user who types a list of messages into a column of plain prompts is read as if that list had been sent. Guarantee: texts are
//! opened at most three deep, and a body that is none leaves the draft as it was. A body that a gateway cut off is known by its end and is no
//! prompt; a call with a list of prompts keeps them all, since each is an exchange.

use super::Reason;
use super::draft::Draft;
use super::messages::{CONTENT, Talk, is_role, plain_role, role_of, system_text};
use super::value::{Object, first_word, get, inner, pythons, scalar, unpacked, word};
use serde_json::Value;
use std::borrow::Cow;

/// How deep texts are opened that hold JSON, and how deep a body may lie in other objects.
const DEPTH: u32 = 3;

/// What a value is expected to be.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Want {
    /// A request or messages: a text that holds an API's body in any form is opened.
    Body,
    /// A prompt: a text is opened only where it holds messages.
    Prompt,
}

/// Reads what was asked; false where the value has no user text, and then the draft is as it was.
pub(crate) fn read(value: &Value, want: Want, draft: &mut Draft) -> bool {
    read_at(value, want, draft, 0)
}

/// As [`read`], for a body whose fields are at hand.
pub(crate) fn read_fields(body: &Object, draft: &mut Draft) -> bool {
    read_object(body, Want::Body, draft, 0)
}

/// Reads messages of which every one is a system prompt: nobody else said anything, so the last of them is what was asked. For whoever sought a
/// user's text in vain.
pub(crate) fn read_alone(value: &Value, draft: &mut Draft) -> bool {
    let held = if value.is_string() { Cow::Owned(unpacked(value.clone())) } else { Cow::Borrowed(value) };
    let list = match &*held {
        Value::Array(list) => Some(list),
        Value::Object(body) => ["messages", "input"].iter().find_map(|name| get(body, name)?.as_array()),
        _ => None,
    };
    let list = list.map_or(&[][..], Vec::as_slice);
    let list = if let [Value::Array(first)] = list { first.as_slice() } else { list };
    let of_system = |item: &Value| {
        let Some(message) = item.as_object() else { return false };
        let inner = get(message, "message").and_then(Value::as_object).unwrap_or(message);
        role_of(inner).is_some_and(|role| plain_role(role) == "system")
    };
    let read = list.iter().all(of_system) && Talk::of(list).fill_alone(draft);
    draft.origin.json_read += u32::from(read && value.is_string());
    read
}

fn read_at(value: &Value, want: Want, draft: &mut Draft, depth: u32) -> bool {
    if depth > DEPTH {
        return false;
    }
    match value {
        Value::String(text) => read_text(text, want, draft, depth),
        Value::Array(list) if want == Want::Prompt && several(list, draft) => true,
        Value::Array(list) => fill(Talk::of(list), draft),
        Value::Object(body) => read_object(body, want, draft, depth),
        _ => false,
    }
}

/// Takes a list of two texts or more as the prompts of a call, as completion APIs have them.
fn several(list: &[Value], draft: &mut Draft) -> bool {
    let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    let are = list.len() >= 2 && texts.len() == list.len() && texts.iter().any(|text| !text.trim().is_empty());
    if are {
        draft.prompt = texts.first().map(|text| (*text).to_owned());
        draft.prompts = texts.into_iter().map(str::to_owned).collect();
    }
    are
}

/// Whether a body asks for embeddings: only there the input is a list of texts or of token ids.
pub(crate) fn embeds(body: &Object) -> bool {
    let plain = |list: &Vec<Value>| !list.is_empty() && list.iter().all(|item| !item.is_object());
    get(body, "input").and_then(Value::as_array).is_some_and(plain) && get(body, "messages").is_none()
}

fn fill(talk: Talk, draft: &mut Draft) -> bool {
    let has = talk.has_prompt();
    if has {
        talk.fill(draft);
    }
    has
}

fn read_text(text: &str, want: Want, draft: &mut Draft, depth: u32) -> bool {
    let start = text.trim_start();
    if start.starts_with(['{', '[', '"']) {
        match inner(start).or_else(|| pythons(start)) {
            // A text in a text is opened where messages come out of it in the end.
            Some(Value::String(deeper)) if deeper.trim_start().starts_with(['{', '[', '"']) => {
                let mut tried = Draft { system: draft.system.clone(), ..Draft::default() };
                if read_at(&Value::String(deeper), want, &mut tried, depth + 1) && tried.origin.json_read > 0 {
                    return adopt(tried, draft);
                }
            }
            Some(held) if is_empty(&held) && want == Want::Body => return false,
            Some(held)
                if (want == Want::Body && (held.is_object() || is_messages(&held)))
                    || (is_messages(&held) && !says_more(&held)) =>
            {
                let mut tried = Draft { system: draft.system.clone(), ..Draft::default() };
                if read_at(&held, want, &mut tried, depth + 1) {
                    tried.origin.json_read += 1;
                    return adopt(tried, draft);
                }
            }
            _ => {}
        }
        // Messages of which none is a user's are no text that somebody typed.
        if want == Want::Body && holds_messages(&Value::String(text.to_owned())) {
            return false;
        }
        if want == Want::Body && is_cut(start) {
            draft.missing = Some((Reason::NoPrompt, "the request's body cut off by what logged it"));
            return true;
        }
        if start.starts_with(['{', '[']) {
            draft.origin.json_kept += 1;
        }
    }
    let said = !text.trim().is_empty();
    if said {
        draft.prompt = Some(text.to_owned());
    }
    said
}

/// Whether a text is the beginning of a request's body whose end is missing: gateways log so many bytes of it. What is newest stands at the end.
fn is_cut(text: &str) -> bool {
    const KEYS: [&str; 7] =
        ["\"messages\"", "\"contents\"", "\"model\"", "\"prompt\"", "\"role\"", "\"input\"", "\"system\""];
    let head: String = text.chars().take(512).collect();
    let broken =
        || serde_json::from_str::<serde::de::IgnoredAny>(text).is_err_and(|cause: serde_json::Error| cause.is_eof());
    text.starts_with(['{', '[']) && KEYS.iter().any(|key| head.contains(key)) && broken()
}

/// Takes over what was read on trial.
fn adopt(tried: Draft, draft: &mut Draft) -> bool {
    (draft.prompt, draft.system, draft.turns) = (tried.prompt, tried.system, tried.turns);
    draft.response = draft.response.take().or(tried.response);
    (draft.missing, draft.prompts) = (tried.missing, tried.prompts);
    draft.origin.json_read += tried.origin.json_read;
    draft.origin.json_kept += tried.origin.json_kept;
    true
}

/// Whether there is nothing in it.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.trim().is_empty(),
        _ => value.is_null(),
    }
}

/// Whether a value is a list of messages, one message, or a body with such a list, and nothing that merely looks so.
pub(crate) fn is_messages(value: &Value) -> bool {
    let message = |value: &Value| {
        let Some(message) = value.as_object() else { return false };
        // LangChain's class names and OpenInference's wrappers are as particular as a role.
        let inner = get(message, "message").and_then(Value::as_object).unwrap_or(message);
        let said = CONTENT.iter().any(|name| get(inner, name).is_some())
            || ["kwargs", "data", "tool_calls", "function_call"].iter().any(|name| inner.contains_key(*name));
        said && role_of(inner).is_some_and(is_role)
    };
    let list = |value: &Value| {
        let items = value.as_array().map_or(&[][..], Vec::as_slice);
        let items = if let [Value::Array(first)] = items { first.as_slice() } else { items };
        let other = |item: &Value| {
            let kind = item.get("type").and_then(Value::as_str).unwrap_or_default();
            matches!(kind, "function_call" | "function_call_output" | "reasoning" | "item_reference")
        };
        items.iter().any(message) && items.iter().all(|item| message(item) || other(item))
    };
    match value {
        Value::Array(_) => list(value),
        Value::Object(body) => {
            message(value) || ["messages", "contents", "input"].iter().any(|name| get(body, name).is_some_and(list))
        }
        _ => false,
    }
}

/// Whether a value is messages and nothing beside them, or a text that holds such.
pub(crate) fn holds_messages(value: &Value) -> bool {
    let held = if value.is_string() { Cow::Owned(unpacked(value.clone())) } else { Cow::Borrowed(value) };
    is_messages(&held) && !says_more(&held)
}

/// Whether a value that looks like messages holds a text beside them, which would be lost if it were read as messages: who writes such a prompt means all of it.
fn says_more(value: &Value) -> bool {
    /// Fields of requests and messages, whatever they hold.
    const FIELDS: [&str; 27] = [
        "messages",
        "contents",
        "input",
        "system",
        "instructions",
        "systemInstruction",
        "system_instruction",
        "preamble",
        "system_prompt",
        "tools",
        "functions",
        "tool_choice",
        "response_format",
        "content",
        "parts",
        "value",
        "message",
        "config",
        "generationConfig",
        "safetySettings",
        "kwargs",
        "data",
        "tool_calls",
        "function_call",
        "additional_kwargs",
        "response_metadata",
        "metadata",
    ];
    /// Bytes of any other field: settings have fewer.
    const SETTING: usize = 64;
    match value {
        Value::Array(items) => items.iter().any(says_more),
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| !FIELDS.contains(&name.as_str()) && value.to_string().len() > SETTING)
        }
        _ => false,
    }
}

fn read_object(body: &Object, want: Want, draft: &mut Draft, depth: u32) -> bool {
    let system = ["system", "instructions", "systemInstruction", "system_instruction", "preamble", "system_prompt"];
    let system = system.iter().find_map(|name| get(body, name)).or_else(|| {
        let config = ["config", "generationConfig"].iter().find_map(|name| get(body, name))?;
        ["systemInstruction", "system_instruction"].iter().find_map(|name| config.get(name))
    });
    let before = draft.system.clone();
    let system = system.and_then(|value| match value {
        // Gemini's is a content with parts.
        Value::Object(content) => get(content, "parts")
            .or_else(|| get(content, "content"))
            .and_then(system_text)
            .or_else(|| system_text(value)),
        other => system_text(other),
    });
    if let Some(system) = system {
        draft.system = Some(system);
    }
    let read = said(body, want, draft, depth);
    if !read {
        draft.system = before;
    }
    read
}

/// What was said in a body.
fn said(body: &Object, want: Want, draft: &mut Draft, depth: u32) -> bool {
    // Cohere: the newest message apart from those before it.
    if let (Some(Value::String(newest)), Some(Value::Array(history))) =
        (get(body, "message"), get(body, "chat_history"))
    {
        let newest = serde_json::json!({"role": "user", "content": newest});
        let all: Vec<Value> = history.iter().cloned().chain([newest]).collect();
        return fill(Talk::of(&all), draft);
    }
    for name in ["messages", "contents", "input", "prompts", "prompt", "instances"] {
        let want = if matches!(name, "input" | "prompts" | "prompt") { Want::Prompt } else { want };
        match get(body, name) {
            // A batch of one holds a body, a list of texts the call's prompt.
            Some(Value::Array(list)) if name == "instances" => match list.first() {
                Some(first) if read_at(first, want, draft, depth + 1) => return true,
                _ => {}
            },
            // The SDK of Gemini takes texts for the parts of one message.
            Some(Value::Array(parts)) if name == "contents" && parts.iter().all(Value::is_string) => {
                let mut talk = Talk::default();
                talk.content("user", &Value::Array(parts.clone()));
                return fill(talk, draft);
            }
            Some(found) if !is_empty(found) && read_at(found, want, draft, depth + 1) => return true,
            _ => {}
        }
    }
    if role_of(body).is_some_and(is_role) {
        let mut talk = Talk::default();
        talk.message(body);
        return fill(talk, draft);
    }
    let texts = ["inputText", "inputs", "text_input", "message", "text", "query", "question"];
    for name in texts {
        if let Some(Value::Array(list)) = get(body, name)
            && name != "message"
            && several(list, draft)
        {
            return true;
        }
        if let Some(Value::String(text)) = get(body, name)
            && !text.trim().is_empty()
        {
            draft.prompt = Some(text.clone());
            return true;
        }
    }
    ["body", "params", "kwargs", "request", "json", "input", "inputs", "parameters"]
        .iter()
        .filter_map(|name| get(body, name))
        .filter(|inner| inner.is_object())
        .any(|inner| read_at(inner, want, draft, depth + 1))
        || arguments(body).is_some_and(|one| read_at(one, want, draft, depth + 1))
}

/// The one argument of a function that a tracing tool wraps, or that of several which is messages.
fn arguments(body: &Object) -> Option<&Value> {
    let args = get(body, "args").and_then(Value::as_array).filter(|_| body.contains_key("kwargs"))?;
    args.iter().find(|arg| is_messages(arg)).or(match args.as_slice() {
        [one] => Some(one),
        _ => None,
    })
}

/// The object of a value: itself, or what its text holds.
pub(crate) fn object(value: &Value) -> Option<Cow<'_, Object>> {
    match value {
        Value::Object(fields) => Some(Cow::Borrowed(fields)),
        Value::String(text) if text.trim_start().starts_with(['{', '"']) => match unpacked(value.clone()) {
            Value::Object(fields) => Some(Cow::Owned(fields)),
            _ => None,
        },
        _ => None,
    }
}

/// The identity that a body reports of whom it is for, and the field that says so.
pub(crate) fn reported(body: &Object) -> Option<(&'static str, String)> {
    for name in ["safety_identifier", "user", "user_id", "end_user"] {
        if let Some(found) = word(body, name) {
            return Some((name, found));
        }
    }
    let inside = [
        ("metadata", "user_id", "metadata.user_id"),
        ("labels", "user_id", "labels.user_id"),
        ("requestMetadata", "user_id", "requestMetadata.user_id"),
    ];
    inside.iter().find_map(|(outer, name, path)| {
        let fields = get(body, outer).and_then(object)?;
        word(&fields, name).map(|found| (*path, found))
    })
}

/// The model that a body names.
pub(crate) fn model(body: &Object) -> Option<String> {
    first_word(body, &["model", "model_name", "modelId", "modelVersion", "model_id"])
}

/// The conversation that a body names.
pub(crate) fn conversation(body: &Object) -> Option<String> {
    let name = |value: &Value| scalar(value).or_else(|| value.get("id").and_then(scalar));
    let metadata = get(body, "metadata").and_then(Value::as_object);
    let inside = || metadata.and_then(|metadata| first_word(metadata, &["conversation_id", "session_id", "thread_id"]));
    get(body, "conversation").and_then(name).or_else(inside)
}
