//! One model call of a trace: its attributes and messages, from wherever they were recorded, as a draft.
//!
//! Weakness: the account is the first known name of a billed identity among the attributes; a deployment with a name of its
//! own for it sets `account.id`, or maps it.

use super::super::answer::{opened, response, response_text};
use super::super::body::{self, Want};
use super::super::draft::{Draft, Span};
use super::super::messages::{Talk, system_text};
use super::super::value::{Object, first_word, get, inner, scalar, structured, word};
use super::{messages, wire};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Names of the billed identity, and of the user inside it. OpenLLMetry has what an application says of its traffic as association properties.
const ACCOUNT: [&str; 13] = [
    "account",
    "account.id",
    "client.account",
    "customer.id",
    "organization.id",
    "tenant.id",
    "api_key.id",
    "traceloop.association.properties.account_id",
    "traceloop.association.properties.customer_id",
    "traceloop.association.properties.organization_id",
    "traceloop.association.properties.tenant_id",
    "traceloop.association.properties.api_key",
    "traceloop.association.properties.project_id",
];
const END_USER: [&str; 11] = [
    "enduser.id",
    "user.id",
    "gen_ai.user.id",
    "gen_ai.request.user",
    "gen_ai.openai.request.user",
    "llm.user",
    "traceloop.association.properties.user_id",
    "traceloop.association.properties.userId",
    "traceloop.association.properties.user",
    "langfuse.user.id",
    "ai.telemetry.metadata.userId",
];

/// Names of attributes that tell a span of a model, by their beginnings.
const GENERATIVE: [&str; 4] = ["gen_ai.", "llm.", "openinference.", "traceloop."];

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
    /// The span above it.
    pub(crate) parent: String,
    /// Messages and choices that came one an event.
    events: Vec<Value>,
    choices: Vec<Value>,
}

impl Call {
    /// The call of a span; `None` for a span of something else.
    pub(crate) fn of_span(mut span: Object) -> Option<Self> {
        if word(&span, "name").as_deref() == Some(RAW) {
            return None;
        }
        let mut call = Self {
            attributes: wire::attributes(span.remove("attributes")),
            time: ["startTimeUnixNano", "start_time_unix_nano"].iter().find_map(|name| span.remove(*name)),
            ids: ids(&span),
            parent: parent(&span),
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
    pub(crate) fn event(&mut self, name: &str, mut fields: Object, body: Option<Value>) {
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
        !self.events.is_empty() || !self.choices.is_empty() || is_generative(&self.attributes)
    }

    /// Whether it is a model call, not another operation and not a lone piece of one.
    pub(crate) fn is_exchange(&self) -> bool {
        let operation = get(&self.attributes, "gen_ai.operation.name").and_then(Value::as_str);
        // OpenInference and OpenLLMetry say of each span what it is; only a model's own span is a call.
        let kind = first_word(&self.attributes, &["openinference.span.kind"]);
        let around = get(&self.attributes, "traceloop.span.kind").is_some();
        let request =
            word(&self.attributes, "llm.request.type").is_some_and(|kind| kind == "embedding" || kind == "rerank");
        self.is_generative()
            && !operation.is_some_and(|name| OTHERS.contains(&name))
            && kind.is_none_or(|kind| kind.eq_ignore_ascii_case("LLM"))
            && !around
            && !request
    }

    /// The call as an exchange to be checked.
    pub(crate) fn draft(mut self) -> Draft {
        let mut draft = Draft::of("opentelemetry");
        let mut spread = |prefix: &str| {
            let found = numbered(&self.attributes, prefix)?;
            self.attributes.retain(|name, _| !name.starts_with(prefix));
            Some(found)
        };
        let prompts = ["llm.input_messages.", "gen_ai.prompt.", "llm.prompts."]
            .iter()
            .find_map(|prefix| Some((*prefix, spread(prefix)?)));
        let completions = ["llm.output_messages.", "gen_ai.completion.", "llm.completions."]
            .iter()
            .find_map(|prefix| Some((*prefix, spread(prefix)?)));
        let mut given = |name: &str| self.attributes.remove(name).filter(|value| !value.is_null());

        draft.system = given("gen_ai.system_instructions").map(structured).as_ref().and_then(system_text);
        let asked = ["gen_ai.input.messages", "gen_ai.prompt", "ai.prompt.messages"]
            .iter()
            .find_map(|name| Some((*name, messages(given(name)?))));
        // OpenInference has the bodies as they went, and so have Logfire's integrations.
        let (input, output) = (
            given("input.value").or_else(|| given("request_data")),
            given("output.value").or_else(|| given("response_data")),
        );
        // The first place that has a user's text; where none has, the first that has anything.
        let mut places = asked.into_iter().chain(prompts).filter(|(_, list)| !list.is_empty()).collect::<Vec<_>>();
        places.push(("events", self.events));
        let at = places.iter().position(|(_, list)| Talk::of(list).has_prompt()).unwrap_or(0);
        let said = places.swap_remove(at);
        let system = draft.system.clone();
        Talk::of(&said.1).fill(&mut draft);
        let list = Value::Array(said.1);
        if draft.prompt.is_none() && draft.missing.is_none() && input.as_ref().is_none_or(|input| !has_user(input)) {
            let mut alone = Draft { system, ..Draft::default() };
            if body::read_alone(&list, &mut alone) {
                (draft.prompt, draft.system) = (alone.prompt, alone.system);
            }
        }
        if draft.prompt.is_some() || draft.missing.is_some() {
            draft.origin.from("prompt", said.0.trim_end_matches('.'));
        } else if input.as_ref().is_some_and(|input| body::read(input, Want::Body, &mut draft)) {
            draft.origin.from("prompt", "input.value");
        }

        let answers = ["gen_ai.output.messages", "gen_ai.completion", "ai.response.text"]
            .iter()
            .find_map(|name| Some((*name, given(name)?)));
        // Only the first of these is JSON by what is written of it; the others are what the model said.
        let open = |name: &str, value| if name == "gen_ai.output.messages" { structured(value) } else { opened(value) };
        let (place, answer) = match answers.map(|(name, value)| (name, open(name, value))) {
            Some((name, Value::Array(list))) => (name, list.into_iter().next()),
            Some((name, other)) => (name, Some(other)),
            None => {
                let (place, list) = completions.unwrap_or(("events", self.choices));
                (place, list.into_iter().next())
            }
        };
        draft.response = answer.as_ref().and_then(response_text);
        if draft.response.is_some() {
            draft.origin.from("response", place.trim_end_matches('.'));
        } else if let Some(said) = output.as_ref().and_then(|output| response(output, &mut draft.origin)) {
            draft.response = Some(said);
            draft.origin.from("response", "output.value");
        }

        let (fields, origin) = (&mut self.attributes, &mut draft.origin);
        let mut name = |field: &'static str, names: &[&'static str]| {
            let found = names.iter().find_map(|name| Some((*name, word(fields, name)?)));
            names.iter().for_each(|name| drop(fields.remove(*name)));
            let (path, found) = found?;
            origin.from(field, path);
            Some(found)
        };
        let (account, end_user) = (name("account", &ACCOUNT), name("end_user", &END_USER));
        draft.model = name("model", &["gen_ai.request.model", "gen_ai.response.model", "llm.model_name"]);
        draft.conversation = name(
            "conversation",
            &[
                "gen_ai.conversation.id",
                "session.id",
                "traceloop.association.properties.session_id",
                "traceloop.association.properties.chat_id",
            ],
        );
        let (trace, span) = &self.ids;
        let from_ids = (!span.is_empty()).then(|| format!("{trace}-{span}"));
        draft.id = name("id", &["gen_ai.response.id"]).or(from_ids).map(Value::String);
        if account.is_none()
            && end_user.is_some()
            && let Some(path) = draft.origin.paths.iter_mut().find(|(field, _)| *field == "end_user")
        {
            path.0 = "account";
        }
        draft.origin.span = Span::new(trace, span, &self.parent);
        draft.end_user = end_user.clone().filter(|_| account.is_some());
        draft.account = account.or(end_user).map(Value::String);
        if self.time.is_some() {
            draft.origin.from("time", "start time");
        }
        draft.time = self.time;
        draft.attributes = self.attributes.into_iter().filter(|(_, value)| !value.is_null()).collect();
        draft
    }
}

/// Whether a body has a user's text.
fn has_user(body: &Value) -> bool {
    body::read(body, Want::Body, &mut Draft::default())
}

/// Whether attributes tell of a model.
pub(crate) fn is_generative(attributes: &Object) -> bool {
    attributes.keys().any(|name| GENERATIVE.iter().any(|prefix| name.starts_with(prefix)))
}

/// LiteLLM's span below the one of a call: it repeats it as it went to the provider, in names of its own.
pub(crate) const RAW: &str = "raw_gen_ai_request";

/// The span above a span.
pub(crate) fn parent(fields: &Object) -> String {
    first_word(fields, &["parentSpanId", "parent_span_id", "parent_id"]).unwrap_or_default()
}

/// Trace and span of a span or record.
pub(crate) fn ids(fields: &Object) -> (String, String) {
    let id = |names: &[&str]| first_word(fields, names).unwrap_or_default();
    (id(&["traceId", "trace_id"]), id(&["spanId", "span_id"]))
}

/// Role, content and blocks of a message that is spread over attributes.
type Spread = (Option<String>, Value, BTreeMap<u64, Value>);

/// Messages spread over numbered attributes: `gen_ai.prompt.0.role`, `llm.input_messages.0.message.content`,
/// `llm.input_messages.0.message.contents.0.message_content.text`.
pub(crate) fn numbered(attributes: &Object, prefix: &str) -> Option<Vec<Value>> {
    let mut found: BTreeMap<u64, Spread> = BTreeMap::new();
    for (name, value) in attributes {
        let Some((index, field)) = name.strip_prefix(prefix).and_then(|rest| rest.split_once('.')) else { continue };
        let Ok(index) = index.parse::<u64>() else { continue };
        let entry = found.entry(index).or_default();
        let field = field.strip_prefix("message.").unwrap_or(field);
        match field.split_once('.') {
            None if field == "role" => entry.0 = scalar(value),
            None if field == "content" || field == "user" => entry.1 = blocks(value.clone()),
            Some(("contents", rest)) => {
                let block = rest.split_once('.').filter(|(_, field)| *field == "message_content.text");
                if let Some(at) = block.and_then(|(at, _)| at.parse().ok()) {
                    entry.2.insert(at, json!({"type": "text", "text": value}));
                }
            }
            _ => {}
        }
    }
    let usual = if prefix.contains("completion") || prefix.contains("output") { "assistant" } else { "user" };
    let message = |(role, content, contents): Spread| {
        let content = if content.is_null() { Value::Array(contents.into_values().collect()) } else { content };
        json!({"role": role.unwrap_or_else(|| usual.to_owned()), "content": content})
    };
    (!found.is_empty()).then(|| found.into_values().map(message).collect())
}

/// Whether a value is a block of a content, of a type that is known; whoever writes a list of anything else means it as text.
fn is_block(item: &Value) -> bool {
    const BLOCKS: [&str; 17] = [
        "text",
        "input_text",
        "output_text",
        "image",
        "image_url",
        "input_image",
        "input_audio",
        "audio",
        "video",
        "file",
        "input_file",
        "document",
        "tool_use",
        "tool_call",
        "tool_result",
        "thinking",
        "reasoning",
    ];
    item.get("type").and_then(Value::as_str).is_some_and(|kind| BLOCKS.contains(&kind))
}

/// A content that is the JSON text of a list of blocks, as that list; any other text stays text.
fn blocks(content: Value) -> Value {
    match &content {
        Value::String(text) if text.starts_with("[{") => match inner(text) {
            Some(Value::Array(items)) if items.iter().all(is_block) => Value::Array(items),
            _ => content,
        },
        _ => content,
    }
}
