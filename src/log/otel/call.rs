//! One model call of a trace: its attributes and messages, from wherever they were recorded, as a draft.
//!
//! Weakness: the account is the first known name of a billed identity among the attributes; a deployment with a name of its
//! own for it sets `account.id`, or maps it.

use super::super::draft::Draft;
use super::super::messages::{Talk, response_text, system_text};
use super::super::value::{Object, first_word, get, inner, scalar, structured};
use super::{messages, wire};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Names of the billed identity, and of the user inside it.
const ACCOUNT: [&str; 7] =
    ["account", "account.id", "client.account", "customer.id", "organization.id", "tenant.id", "api_key.id"];
const END_USER: [&str; 6] =
    ["enduser.id", "user.id", "gen_ai.user.id", "gen_ai.request.user", "gen_ai.openai.request.user", "llm.user"];

/// Operations that are no exchange of their own.
const OTHERS: [&str; 6] =
    ["execute_tool", "create_agent", "invoke_agent", "invoke_workflow", "embeddings", "retrieval"];

/// A call being put together.
#[derive(Debug, Default)]
pub(crate) struct Call {
    /// Attributes of the span and of the event that describes the whole call.
    pub(crate) attributes: Object,
    /// Start, as it stands.
    pub(crate) time: Option<Value>,
    /// Trace and span.
    pub(crate) ids: (String, String),
    /// Messages and choices that came one an event.
    events: Vec<Value>,
    choices: Vec<Value>,
}

impl Call {
    /// The call of a span; `None` for a span of something else.
    pub(crate) fn of_span(mut span: Object) -> Option<Self> {
        let mut call = Self {
            attributes: wire::attributes(span.remove("attributes")),
            time: ["startTimeUnixNano", "start_time_unix_nano"].iter().find_map(|name| span.remove(*name)),
            ids: ids(&span),
            ..Self::default()
        };
        for mut event in span.remove("events").map(wire::objects).unwrap_or_default() {
            let name = event.get("name").and_then(scalar).unwrap_or_default();
            call.event(&name, wire::attributes(event.remove("attributes")), None);
        }
        call.is_generative().then_some(call)
    }

    /// What a log record adds to a call; `None` for a record of something else.
    pub(crate) fn of_record(mut record: Object) -> Option<Self> {
        let attributes = wire::attributes(record.remove("attributes"));
        let name =
            first_word(&record, &["eventName", "event_name"]).or_else(|| first_word(&attributes, &["event.name"]));
        let names = ["timeUnixNano", "time_unix_nano", "observedTimeUnixNano", "observed_time_unix_nano"];
        let given = |value: &Value| scalar(value).is_some_and(|text| !text.is_empty() && text != "0");
        let time = names.iter().find_map(|name| record.remove(*name).filter(given));
        let mut call = Self { time, ids: ids(&record), ..Self::default() };
        call.event(&name.unwrap_or_default(), attributes, record.remove("body").map(wire::any));
        call.is_generative().then_some(call)
    }

    /// Takes in one event: a message, a choice, or the description of the whole call.
    fn event(&mut self, name: &str, mut fields: Object, body: Option<Value>) {
        let role = name.strip_prefix("gen_ai.").and_then(|rest| rest.strip_suffix(".message"));
        if role.is_none() && name != "gen_ai.choice" {
            if let Some(Value::Object(inner)) = body {
                fields.extend(inner.into_iter().filter(|(name, _)| name.starts_with("gen_ai.")));
            }
            fields.remove("event.name");
            let known = name.starts_with("gen_ai.") || fields.keys().any(|name| name.starts_with("gen_ai."));
            if known {
                self.attributes.extend(fields);
            }
            return;
        }
        let content = body.or_else(|| fields.remove("gen_ai.event.content")).map(structured);
        let mut message = match content {
            Some(Value::Object(inner)) => inner,
            Some(text) => Object::from_iter([("content".to_owned(), text)]),
            None => fields,
        };
        if let Some(content) = message.get_mut("content") {
            *content = blocks(content.take());
        }
        match role {
            Some(role) => {
                message.entry("role").or_insert_with(|| role.into());
                self.events.push(Value::Object(message));
            }
            None => self.choices.push(message.remove("message").map_or(Value::Object(message), structured)),
        }
    }

    /// Adds what another record of the same call says; the earliest time stands.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.attributes.extend(other.attributes);
        self.events.extend(other.events);
        self.choices.extend(other.choices);
    }

    /// Adds attributes of the resource, where the call has none of that name.
    pub(crate) fn shared(mut self, resource: &Object) -> Self {
        for (name, value) in resource {
            self.attributes.entry(name.clone()).or_insert_with(|| value.clone());
        }
        self
    }

    fn is_generative(&self) -> bool {
        let known = |name: &String| name.starts_with("gen_ai.");
        !self.events.is_empty() || !self.choices.is_empty() || self.attributes.keys().any(known)
    }

    /// Whether it is a model call, not another operation and not a lone piece of one.
    pub(crate) fn is_exchange(&self) -> bool {
        let operation = get(&self.attributes, "gen_ai.operation.name").and_then(Value::as_str);
        self.is_generative() && !operation.is_some_and(|name| OTHERS.contains(&name))
    }

    /// The call as an exchange to be checked.
    pub(crate) fn draft(mut self) -> Draft {
        let mut draft = Draft::default();
        let prompts = numbered(&mut self.attributes, "gen_ai.prompt.");
        let completions = numbered(&mut self.attributes, "gen_ai.completion.");
        let mut given = |name: &str| self.attributes.remove(name).filter(|value| !value.is_null());

        draft.system = given("gen_ai.system_instructions").map(structured).as_ref().and_then(system_text);
        let asked = ["gen_ai.input.messages", "gen_ai.prompt"].iter().find_map(|name| given(name)).map(messages);
        let said = asked.filter(|list| !list.is_empty()).or(prompts).unwrap_or(self.events);
        Talk::of(&said).fill(&mut draft);

        let answers = given("gen_ai.output.messages").or_else(|| given("gen_ai.completion"));
        let answer = match answers.map(structured) {
            Some(Value::Array(list)) => list.into_iter().next(),
            Some(other) => Some(other),
            None => completions.unwrap_or(self.choices).into_iter().next(),
        };
        draft.response = answer.as_ref().and_then(response_text);

        let fields = &mut self.attributes;
        let mut name = |names: &[&str]| {
            let found = first_word(fields, names);
            names.iter().for_each(|name| drop(fields.remove(*name)));
            found
        };
        let (account, end_user) = (name(&ACCOUNT), name(&END_USER));
        draft.end_user = end_user.clone().filter(|_| account.is_some());
        draft.account = account.or(end_user).map(Value::String);
        draft.model = name(&["gen_ai.request.model", "gen_ai.response.model"]);
        draft.conversation = name(&["gen_ai.conversation.id", "session.id"]);
        let (trace, span) = &self.ids;
        let from_ids = (!span.is_empty()).then(|| format!("{trace}-{span}"));
        draft.id = name(&["gen_ai.response.id"]).or(from_ids).map(Value::String);
        draft.time = self.time;
        draft.attributes = self.attributes.into_iter().filter(|(_, value)| !value.is_null()).collect();
        draft
    }
}

/// Trace and span of a span or record.
fn ids(fields: &Object) -> (String, String) {
    let id = |names: &[&str]| first_word(fields, names).unwrap_or_default();
    (id(&["traceId", "trace_id"]), id(&["spanId", "span_id"]))
}

/// Messages spread over numbered attributes: `gen_ai.prompt.0.role`, `gen_ai.prompt.0.content`.
fn numbered(attributes: &mut Object, prefix: &str) -> Option<Vec<Value>> {
    let names: Vec<String> = attributes.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
    let mut found: BTreeMap<u64, (Option<String>, Value)> = BTreeMap::new();
    for name in names {
        let Some((index, field)) = name[prefix.len()..].split_once('.') else { continue };
        let Ok(index) = index.parse::<u64>() else { continue };
        let value = attributes.remove(&name).unwrap_or_default();
        let entry = found.entry(index).or_default();
        match field {
            "role" => entry.0 = scalar(&value),
            "content" => entry.1 = blocks(value),
            _ => {}
        }
    }
    let usual = if prefix.contains("completion") { "assistant" } else { "user" };
    let message = |(role, content): (Option<String>, Value)| json!({"role": role.unwrap_or_else(|| usual.to_owned()), "content": content});
    (!found.is_empty()).then(|| found.into_values().map(message).collect())
}

/// A content that is the JSON text of a list of blocks, as that list; any other text stays text.
fn blocks(content: Value) -> Value {
    match &content {
        Value::String(text) if text.starts_with("[{") => match inner(text) {
            Some(Value::Array(items)) if items.iter().all(|item| item.get("type").is_some()) => Value::Array(items),
            _ => content,
        },
        _ => content,
    }
}
