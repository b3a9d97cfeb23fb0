//! A row of no known schema → a column map that might read it, to be looked at by a person.
//!
//! Every leaf of the row is a candidate for every field: its name says what it may be, its value whether it can be that (a time must read as
//! one, what was asked must be text or messages). The best candidate of each field makes the map. Nothing is read by it unless a person pastes
//! it: a guess that nobody saw would be a schema that nobody answers for.
//!
//! Of a row whose schema is known, but which says nothing of its account or its time, only these are sought, and the map adds to the schema.
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
    let free = |leaf: &Leaf| leaf.path != asked.1.path && !leaf.path.starts_with(&within);
    let best = |score: &dyn Fn(&Leaf) -> u32| best(&leaves, &free, score);
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
    let scalar = |leaf: &Leaf| outside(leaf) && scalar(leaf);
    let account = best(&|leaf| if outside(leaf) { account(leaf) } else { 0 });
    let time = best(&|leaf| if outside(leaf) { time(leaf) } else { 0 });
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

/// What a row says nothing of, and has no default for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lacks {
    /// Whose the row is.
    pub account: bool,
    /// When it was.
    pub time: bool,
}

impl Lacks {
    /// What either of two rows lacks.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { account: self.account || other.account, time: self.time || other.time }
    }

    /// What a map of a whole schema leaves open of this. The body of a request may say itself whom it is for, and its answer when.
    pub(super) fn beside(self, map: &str) -> Self {
        let open = |is: bool, field: &str| is && !names(map, "request") && !names(map, field);
        Self { account: open(self.account, "account"), time: open(self.time, "time") }
    }
}

/// Whether a map in one line names a field.
fn names(map: &str, field: &str) -> bool {
    map.split(',').any(|pair| pair.split_once('=').is_some_and(|(name, _)| name == field))
}

/// The map that adds what a row of a known schema lacks, from fields that look like it; `None` where nothing does. The row comes in parts, each
/// behind the path where it lies. `taken` are paths that the schema has read: what somebody said is no account.
pub(crate) fn addition(parts: &[(&str, &Object)], lacks: Lacks, taken: &[&str]) -> Option<String> {
    let mut leaves = Vec::new();
    parts.iter().for_each(|(before, part)| walk(part, before, 0, &mut leaves));
    let below = |leaf: &Leaf, path: &str| {
        !path.is_empty() && leaf.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let free = |leaf: &Leaf| !taken.iter().any(|path| below(leaf, path));
    let find = |field: &str, is: bool, score: fn(&Leaf) -> u32| {
        let path = best(&leaves, &free, &score).filter(|_| is)?;
        Some(format!("{field}={path}"))
    };
    let found = [find("account", lacks.account, account), find("time", lacks.time, time)];
    let map = found.into_iter().flatten().collect::<Vec<String>>().join(",");
    (!map.is_empty() && map.len() <= 600).then_some(map)
}

/// What a person adds to the command so that rows that were set aside are read, in one line: the map that was proposed, and the defaults for what it
/// leaves open.
#[must_use]
pub fn way_out(map: Option<&str>, lacks: Lacks) -> Option<String> {
    let open = |is: bool, field: &str| is && !map.is_some_and(|map| names(map, field));
    let (account, time) = (open(lacks.account, "account"), open(lacks.time, "time"));
    let mut parts: Vec<String> = map.map(|map| format!("--map {}", quoted(map))).into_iter().collect();
    parts.extend(account.then(|| "--default-account NAME".to_owned()));
    parts.extend(time.then(|| "--default-time TIME".to_owned()));
    let or = match (map, account, time) {
        (None, true, true) => ", or --map account=PATH,time=PATH",
        (None, true, false) => ", or --map account=PATH",
        (None, false, true) => ", or --map time=PATH",
        _ => "",
    };
    (!parts.is_empty()).then(|| parts.join(" ") + or)
}

/// A word for a shell.
fn quoted(map: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"=,._-/".contains(&b);
    if map.bytes().all(plain) { map.to_owned() } else { format!("'{}'", map.replace('\'', "'\\''")) }
}

/// The path of the leaf that scores best, if one scores at all; of equals the first, which stands higher in the row.
fn best<'a>(leaves: &'a [Leaf], free: &dyn Fn(&Leaf) -> bool, score: &dyn Fn(&Leaf) -> u32) -> Option<&'a str> {
    let scored = leaves.iter().filter(|leaf| free(leaf)).map(|leaf| (score(leaf), leaf));
    scored
        .filter(|(score, _)| *score > 0)
        .rev()
        .max_by_key(|(score, leaf)| (*score, std::cmp::Reverse(leaf.path.matches('.').count())))
        .map(|(_, leaf)| leaf.path.as_str())
}

/// Whether a leaf can be a name: a short text or a number.
fn scalar(leaf: &Leaf) -> bool {
    matches!(&leaf.value, Value::String(text) if text.len() <= 256 && !text.is_empty()) || leaf.value.is_number()
}

/// How much a leaf looks like an account.
fn account(leaf: &Leaf) -> u32 {
    const NAMES: [&str; 34] = [
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
        "team",
        "team_id",
        "workspace",
        "workspace_id",
        "subscription",
        "uid",
        "author",
        "email",
        "hashed_ip",
        "ip",
    ];
    /// Words that make of such a name something else: `user_message`, `cache_key`, `user_agent`.
    const OTHERS: [&str; 12] = [
        "message",
        "text",
        "prompt",
        "input",
        "query",
        "agent",
        "cache",
        "sort",
        "idempotency",
        "type",
        "count",
        "time",
    ];
    let other = leaf.name.split(['_', '-', ' ']).any(|word| OTHERS.contains(&word));
    if scalar(leaf) && !other { named(leaf, &NAMES) } else { 0 }
}

/// How much a leaf looks like a time. A small number is none because its name says so.
fn time(leaf: &Leaf) -> u32 {
    const NAMES: [&str; 19] = [
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
        "requested_at",
        "created_date",
        "start_ns",
        "updated_at",
    ];
    if parse_time(&leaf.value).is_none() {
        return 0;
    }
    named(leaf, &NAMES)
        .max(u32::from(leaf.value.is_string() && leaf.value.as_str().is_some_and(|text| text.contains('-'))))
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

    #[test]
    fn what_a_known_schema_lacks_is_sought() {
        let both = Lacks { account: true, time: true };
        let row = json!({"conversations": [{"from": "human", "value": "user"}], "said": {"user_message": "a", "key": "said by a user"},
            "tags": {"cache_key": "k", "billed": {"customer": "c9"}}, "meta": "{\"logged_at\": \"2026-03-04T09:00:00Z\"}", "n": 17});
        let Value::Object(row) = row else { panic!("an object") };
        let of = |lacks: Lacks| addition(&[("", &row)], lacks, &["said"]);
        let map = of(both).unwrap();
        assert_eq!(map, "account=tags.billed.customer,time=meta.logged_at");
        assert!(!map.parse::<super::super::ColumnMap>().unwrap().is_whole());
        assert_eq!(of(Lacks { account: false, time: true }).as_deref(), Some("time=meta.logged_at"));
        assert_eq!(addition(&[("request", &Object::new())], both, &[]), None);
    }

    #[test]
    fn the_way_out_is_one_line() {
        let (both, account) = (Lacks { account: true, time: true }, Lacks { account: true, time: false });
        for (map, lacks, expected) in [
            (None, Lacks::default(), None),
            (None, both, Some("--default-account NAME --default-time TIME, or --map account=PATH,time=PATH")),
            (None, account, Some("--default-account NAME, or --map account=PATH")),
            (Some("time=t"), both, Some("--map time=t --default-account NAME")),
            (Some("account=a b"), both, Some("--map 'account=a b' --default-time TIME")),
            (Some("account=a,time=t"), both, Some("--map account=a,time=t")),
        ] {
            assert_eq!(way_out(map, lacks).as_deref(), expected);
        }
        assert_eq!(both.beside("prompt=p,account=a"), Lacks { account: false, time: true });
        assert_eq!(both.beside("request=body"), Lacks::default());
    }
}
