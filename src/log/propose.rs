//! A row of no known schema → a column map that might read it, to be looked at by a person.
//!
//! Every leaf of the row is a candidate for every field: its name says what it may be, its value whether it can be that (a time must read as
//! one, what was asked must be text or messages). The best candidate of each field makes the map. Nothing is read by it unless a person pastes
//! it: a guess that nobody saw would be a schema that nobody answers for.
//!
//! Weakness: names in other languages are not known. Guarantee: at most 400 leaves and eight levels are looked at, the map is one line of at
//! most 600 characters, and a row without anything that could be a prompt gives none.

use super::answer::is_answer;
use super::body::{self, Want, is_messages};
use super::draft::Draft;
use super::parse_time;
use super::value::{Object, unpacked};
use serde_json::Value;

const LEAVES: usize = 400;
const LEVELS: u32 = 8;

/// A place in a row.
struct Leaf {
    path: String,
    name: String,
    value: Value,
}

/// The map in one line.
pub(crate) fn map(row: &Object) -> Option<String> {
    let mut leaves = Vec::new();
    walk(row, "", 0, &mut leaves);
    let asked = asked(&leaves)?;
    let mut pairs: Vec<(&str, &str)> = vec![(asked.0, &asked.1.path)];
    let within = format!("{}.", asked.1.path);
    let free = |leaf: &&Leaf| leaf.path != asked.1.path && !leaf.path.starts_with(&within);
    let best = |score: &dyn Fn(&Leaf) -> u32| {
        let scored = leaves.iter().filter(free).map(|leaf| (score(leaf), leaf)).filter(|(score, _)| *score > 0);
        // Of equals the first, which stands higher in the row.
        scored
            .rev()
            .max_by_key(|(score, leaf)| (*score, std::cmp::Reverse(leaf.path.matches('.').count())))
            .map(|(_, leaf)| leaf.path.as_str())
    };
    let response = best(&|leaf| {
        let answer = is_answer(&leaf.value);
        let text = leaf.value.is_string();
        if answer {
            1000
        } else if text {
            named(leaf, &["response", "completion", "output", "answer", "reply", "result", "generation"])
        } else {
            0
        }
    });
    // What an answer says of itself is no field of the row: its time is when it was made, its id the provider's.
    let answer = response.map(|path| format!("{path}."));
    let outside = |leaf: &Leaf| answer.as_ref().is_none_or(|answer| !leaf.path.starts_with(answer.as_str()));
    let scalar = |leaf: &Leaf| {
        let short = matches!(&leaf.value, Value::String(text) if text.len() <= 256 && !text.is_empty());
        outside(leaf) && (short || leaf.value.is_number())
    };
    let account = best(&|leaf| {
        let names = [
            "account",
            "account_id",
            "api_key",
            "key_id",
            "api_key_id",
            "key",
            "customer",
            "customer_id",
            "org_id",
            "organization_id",
            "tenant",
            "tenant_id",
            "project",
            "project_id",
            "user_id",
            "userid",
            "user",
            "username",
            "client_id",
            "client",
            "consumer",
            "owner",
            "who",
            "caller",
        ];
        if scalar(leaf) { named(leaf, &names) } else { 0 }
    });
    let time = best(&|leaf| {
        let names = [
            "time",
            "timestamp",
            "created_at",
            "created",
            "ts",
            "start_time",
            "started_at",
            "starttime",
            "date",
            "datetime",
            "at",
            "logged_at",
            "event_time",
            "request_time",
            "received_at",
        ];
        // A small number is no time because its name says so.
        if outside(leaf) && parse_time(&leaf.value).is_some() {
            named(leaf, &names)
                .max(u32::from(leaf.value.is_string() && leaf.value.as_str().is_some_and(|text| text.contains('-'))))
        } else {
            0
        }
    });
    let id = best(&|leaf| {
        if scalar(leaf) { named(leaf, &["id", "request_id", "uuid", "call_id", "event_id", "message_id"]) } else { 0 }
    });
    let model = best(&|leaf| {
        if outside(leaf) && leaf.value.is_string() {
            named(leaf, &["model", "model_name", "model_id", "llm", "engine", "deployment"])
        } else {
            0
        }
    });
    let system = best(&|leaf| {
        if leaf.value.is_string() { named(leaf, &["system", "system_prompt", "instructions", "preamble"]) } else { 0 }
    });
    let conversation = best(&|leaf| {
        if scalar(leaf) {
            named(leaf, &["conversation_id", "conversation", "session_id", "session", "thread_id", "thread", "chat_id"])
        } else {
            0
        }
    });
    for (field, path) in [
        ("response", response),
        ("account", account),
        ("time", time),
        ("id", id),
        ("model", model),
        ("system", system),
        ("conversation", conversation),
    ] {
        if let Some(path) = path.filter(|path| !pairs.iter().any(|(_, taken)| taken == path)) {
            pairs.push((field, path));
        }
    }
    // A body that was taken whole has model and system inside.
    let inside = asked.0 == "request";
    pairs.retain(|(field, _)| !(inside && matches!(*field, "system")));
    let map: Vec<String> = pairs.iter().map(|(field, path)| format!("{field}={path}")).collect();
    Some(map.join(",")).filter(|map| map.len() <= 600)
}

/// What was asked: a body, messages or a text, with the field's name.
fn asked(leaves: &[Leaf]) -> Option<(&'static str, &Leaf)> {
    let request = |leaf: &&Leaf| {
        let body = leaf.value.as_object().is_some_and(|body| {
            ["messages", "contents"].iter().any(|name| body.get(*name).is_some_and(Value::is_array))
        });
        (body && is_messages(&leaf.value)) || (leaf.value.is_object() && leaf.name == "request" && reads(&leaf.value))
    };
    if let Some(leaf) = leaves.iter().find(request) {
        return Some(("request", leaf));
    }
    let messages = |leaf: &&Leaf| leaf.value.is_array() && is_messages(&leaf.value) && reads(&leaf.value);
    if let Some(leaf) = leaves.iter().find(messages) {
        return Some(("messages", leaf));
    }
    let names = [
        "prompt",
        "question",
        "query",
        "input",
        "user_message",
        "user_input",
        "text",
        "message",
        "content",
        "instruction",
        "body",
        "request",
        "ask",
    ];
    let text = |leaf: &&Leaf| {
        leaf.value.as_str().is_some_and(|text| !text.trim().is_empty() && parse_time(&leaf.value).is_none())
    };
    let named = leaves.iter().filter(text).map(|leaf| (named(leaf, &names), leaf)).filter(|(score, _)| *score > 0);
    named.rev().max_by_key(|(score, _)| *score).map(|(_, leaf)| ("prompt", leaf))
}

/// Whether a body gives a prompt.
fn reads(value: &Value) -> bool {
    body::read(value, Want::Body, &mut Draft::default())
}

/// How well a leaf's name fits one of several, the best first: whole names before parts of them.
fn named(leaf: &Leaf, names: &[&str]) -> u32 {
    let rank = |at: usize| (names.len() - at) as u32;
    let whole = names.iter().position(|name| leaf.name == *name).map(|at| 100 + rank(at));
    let part = || {
        let has = |name: &str| leaf.name.split(['_', '-', ' ']).any(|word| word == name);
        names.iter().position(|name| has(name)).map(rank)
    };
    whole.or_else(part).unwrap_or(0)
}

/// Collects the leaves; objects are leaves too, and texts that hold JSON are opened.
fn walk(row: &Object, before: &str, level: u32, out: &mut Vec<Leaf>) {
    for (key, value) in row {
        // A map is split at commas and equal signs, so a key that has one cannot be named.
        if out.len() >= LEAVES
            || key.is_empty()
            || key.contains([',', '='])
            || key.chars().any(char::is_control)
            || key.len() > 64
        {
            continue;
        }
        let path = if before.is_empty() { key.clone() } else { format!("{before}.{key}") };
        let opened = match value {
            Value::String(text) if text.len() <= 1 << 20 && text.trim_start().starts_with(['{', '[', '"']) => {
                unpacked(value.clone())
            }
            Value::String(text) if text.len() > 4096 => Value::String(text.chars().take(4096).collect()),
            other => other.clone(),
        };
        let name = key.rsplit('.').next().unwrap_or(key);
        let mut words = String::new();
        for c in name.chars() {
            if c.is_ascii_uppercase() && words.ends_with(|last: char| last.is_ascii_lowercase()) {
                words.push('_');
            }
            words.push(c.to_ascii_lowercase());
        }
        if let Value::Object(inner) = &opened
            && level < LEVELS
        {
            out.push(Leaf { path: path.clone(), name: words, value: opened.clone() });
            walk(inner, &path, level + 1, out);
        } else {
            out.push(Leaf { path, name: words, value: opened });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn maps_are_proposed_from_names_and_values() {
        for (row, expected) in [
            (
                json!({"n": "x1", "at": "2026-02-15T09:00:17Z", "who": {"key": "acct"}, "body": {"req": {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}, "res": {"id": "c", "choices": [{"message": {"role": "assistant", "content": "Yes."}}]}}}),
                Some("request=body.req,response=body.res,account=who.key,time=at"),
            ),
            (
                json!({"uuid": 7, "ts": 1_795_255_200, "customerId": "c1", "question": "Why?", "answer": "So."}),
                Some("prompt=question,response=answer,account=customerId,time=ts,id=uuid"),
            ),
            (
                json!({"chat": "[{\"role\": \"user\", \"content\": \"Hi\"}]", "reply": "Yes.", "user": "u", "created": "2026-02-15 09:00:17"}),
                Some("messages=chat,response=reply,account=user,time=created"),
            ),
            (json!({"cpu": 0.5, "host": "a"}), None),
        ] {
            let Value::Object(row) = row else { panic!("an object") };
            assert_eq!(map(&row).as_deref(), expected);
            if let Some(map) = expected {
                assert!(map.parse::<super::super::ColumnMap>().is_ok(), "{map}");
            }
        }
    }
}
