//! The logs of gateways, tracing tools, providers, serving engines and data sets: one small file a schema.
//!
//! A schema is a table: by which keys a row is recognised, which rows are no model call, which texts hold JSON, and for each field of an
//! exchange the paths where it may be, the first that is there being taken. Bodies of requests and responses are not described again: one
//! reader of each ([`super::body`], [`super::answer`]) knows every form. So a new schema is a file with a table, the public source of its
//! shape, and a sample in `tests/golden/formats` that its test reads.
//!
//! **Who is the account**: the field that a provider would bill (key, user, project), by the order of its paths; what a request body reports
//! inside itself is the end user where there is such a field, and the account where there is none. Which path was taken is in the origin of
//! every exchange. What customers set themselves (metadata) joins the attributes only behind a prefix, so that it cannot pass for what the
//! provider knows.
//!
//! Weakness: a tool that changes its export is read as far as its fields still stand where they stood. Guarantee: a table reads nothing but
//! its paths, and its order decides, not the row's.

mod anthropic;
mod azure;
mod batch;
mod bedrock;
mod braintrust;
mod cloudflare;
mod databricks;
mod datadog;
mod datasets;
mod dify;
mod helicone;
mod honeyhive;
mod kong;
mod kserve;
mod laminar;
mod langfuse;
mod langsmith;
mod litellm;
mod messages;
mod mlflow;
mod observed;
mod open_webui;
mod openai;
mod openinference;
mod openrouter;
mod opik;
mod portkey;
mod posthog;
mod promptlayer;
mod sagemaker;
mod sglang;
mod truefoundry;
mod vertex;
mod vllm;
mod weave;

use super::answer::{each, is_answer, is_embedding, opened, response};
use super::body::{self, Want};
use super::draft::{Draft, Span, kept};
use super::messages::system_text;
use super::path::{find, unpack};
use super::propose::Lacks;
use super::spread;
use super::value::{Object, get, scalar, unpacked};
use super::{Fault, Reason};
use serde_json::Value;

/// The calls that a row holds within it, each with what the row says of all: a trace with its observations or spans. What a row holds in another encoding is
/// decoded where it stands.
pub(crate) fn inside(row: &mut Object) -> Option<Vec<Object>> {
    sagemaker::decode(row);
    langfuse::observations(row).or_else(|| mlflow::spans(row)).or_else(|| datadog::spans(row))
}

/// What is said of all calls of a row may take in them together, in bytes.
const SHARED: usize = 4 << 20;

/// The calls of a list, each with what is said of all where it does not say it itself; without it where the copies would take more than [`SHARED`].
fn with_shared(list: Vec<Value>, said: &Object) -> Vec<Object> {
    let fits = Value::Object(said.clone()).to_string().len().saturating_mul(list.len()) <= SHARED;
    let one = |item: Value| {
        let Value::Object(mut item) = item else { return None };
        for (name, value) in said.iter().filter(|_| fits) {
            if get(&item, name).is_none() {
                item.insert(name.clone(), value.clone());
            }
        }
        Some(item)
    };
    list.into_iter().filter_map(one).collect()
}

/// A line of an engine's log as text, as a row; `None` for text that is none.
pub(crate) fn engine_line(text: &str) -> Option<Value> {
    vllm::line(text).or_else(|| sglang::line(text))
}

/// How one tool writes its log.
pub(crate) struct Schema {
    /// The word of reports.
    pub(crate) name: &'static str,
    /// Where its shape is published.
    #[cfg_attr(not(test), allow(dead_code))]
    pub(crate) source: &'static str,
    /// Whether a row is of it.
    pub(crate) is: fn(&Object) -> bool,
    /// What a row is that is no model call.
    pub(crate) other: fn(&Object) -> Option<&'static str>,
    /// Paths of texts that hold JSON; they are opened before anything is sought.
    pub(crate) json: &'static [&'static str],
    /// Where the fields are.
    pub(crate) fields: Fields,
    /// What no table can say.
    pub(crate) mend: fn(&Value, &mut Draft),
}

/// For each field the paths where it may be; the first that is there is taken.
pub(crate) struct Fields {
    pub(crate) id: &'static [&'static str],
    pub(crate) account: &'static [&'static str],
    pub(crate) end_user: &'static [&'static str],
    pub(crate) time: &'static [&'static str],
    pub(crate) model: &'static [&'static str],
    pub(crate) conversation: &'static [&'static str],
    pub(crate) system: &'static [&'static str],
    /// A request's body, messages or a prompt.
    pub(crate) request: &'static [&'static str],
    pub(crate) response: &'static [&'static str],
    /// Objects whose small values become attributes, behind their own names.
    pub(crate) attributes: &'static [&'static str],
}

/// No field anywhere.
const NOWHERE: Fields = Fields {
    id: &[],
    account: &[],
    end_user: &[],
    time: &[],
    model: &[],
    conversation: &[],
    system: &[],
    request: &[],
    response: &[],
    attributes: &[],
};

/// Every row is a call.
fn all_calls(_: &Object) -> Option<&'static str> {
    None
}

/// The table says all.
fn as_it_is(_: &Value, _: &mut Draft) {}

/// Takes an object of no known form as its JSON, where a tracing tool has whatever the application gave as input and output of a model call.
fn free_form(path: &str, found: &Value, text: &mut Option<String>) -> bool {
    let traced = ["input", "inputs", "output", "outputs"].contains(&path);
    let object = found.as_object().is_some_and(|fields| !fields.is_empty() && !fields.contains_key("error"));
    if traced && object {
        *text = Some(found.to_string());
    }
    traced && object
}

/// The span of a trace that a row is, by the names that tools give its ids.
fn span(row: &Value) -> Option<Span> {
    let word = |paths: &[&str]| paths.iter().find_map(|path| find(row, path).and_then(scalar));
    let trace = word(&["trace_id", "traceId", "context.trace_id", "root_span_id"])?;
    let own = word(&["context.span_id", "span_id", "spanId", "id"])?;
    let parents = [
        "parent_id",
        "parent_span_id",
        "parentSpanId",
        "parent_run_id",
        "parentObservationId",
        "parent_observation_id",
        "parentId",
        "span_parents.0",
    ];
    Span::new(&trace, &own, &word(&parents).unwrap_or_default())
}

/// Every schema, the most particular first.
const ALL: [&Schema; 53] = [
    &bedrock::INVOCATION,
    &bedrock::BATCH,
    &vertex::LOG,
    &vertex::BATCH,
    &batch::INPUT,
    &batch::OUTPUT,
    &anthropic::INPUT,
    &anthropic::OUTPUT,
    &openai::RESPONSE,
    &openai::STORED,
    &helicone::SCHEMA,
    &litellm::SCHEMA,
    &langsmith::SCHEMA,
    &langfuse::TRACE,
    &langfuse::OBSERVATION,
    &portkey::SCHEMA,
    &cloudflare::LOGPUSH,
    &cloudflare::API,
    &kong::SCHEMA,
    &azure::GATEWAY,
    &databricks::SCHEMA,
    &sagemaker::SCHEMA,
    &kserve::REQUEST,
    &kserve::RESPONSE,
    &braintrust::SCHEMA,
    &weave::SCHEMA,
    &opik::SCHEMA,
    &open_webui::SCHEMA,
    &mlflow::SPAN,
    &datadog::EVENT,
    &datadog::SPAN,
    &honeyhive::SCHEMA,
    &posthog::SCHEMA,
    &promptlayer::TRACKED,
    &promptlayer::LOGGED,
    &truefoundry::SCHEMA,
    &openrouter::SCHEMA,
    &laminar::SCHEMA,
    &dify::SCHEMA,
    &messages::LIBRECHAT,
    &messages::FLOWISE,
    &messages::LANGFLOW,
    &observed::LUNARY,
    &observed::RESPAN,
    &observed::OPENPIPE,
    &sglang::SCHEMA,
    &vllm::SCHEMA,
    &openinference::SCHEMA,
    &datasets::LMSYS,
    &datasets::SHAREGPT,
    &datasets::ULTRACHAT,
    &datasets::INSTRUCTION,
    &datasets::OASST,
];

/// The schema of a row, where it is one of these.
pub(crate) fn of(row: &Object) -> Option<&'static Schema> {
    ALL.into_iter().find(|schema| (schema.is)(row))
}

/// Whether a row has one of these keys.
fn any(row: &Object, names: &[&str]) -> bool {
    names.iter().any(|name| get(row, name).is_some())
}

/// Whether a row has all of these keys.
fn all(row: &Object, names: &[&str]) -> bool {
    names.iter().all(|name| get(row, name).is_some())
}

/// Whether a field is one of these words.
fn is_word(row: &Object, name: &str, words: &[&str]) -> bool {
    get(row, name).and_then(Value::as_str).is_some_and(|word| words.contains(&word))
}

impl Schema {
    /// The exchange of a row, or why there is none in it.
    pub(crate) fn draft(&self, mut row: Object, wanted: Lacks) -> Result<Draft, Fault> {
        if let Some(what) = (self.other)(&row) {
            return Err(Fault::new(Reason::NoExchange, format!("expected a model call of {}, got {what}", self.name)));
        }
        // A flattened table has a body's fields for columns.
        if row.keys().any(|name| name.contains('.')) {
            self.fields.request.iter().chain(self.fields.response).for_each(|path| spread::gather(&mut row, path));
        }
        // A model that is asked for JSON answers in JSON, which stays as it was said; what lies around an answer is opened.
        let is_around = |path: &str| {
            let below = |other: &&str| other.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
            self.fields.response.iter().any(below)
        };
        unpack(&mut row, self.json, &|path, value| {
            if self.fields.response.contains(&path) && !is_around(path) { opened(value) } else { unpacked(value) }
        });
        let row = Value::Object(row);
        if self.fields.response.iter().filter_map(|path| find(&row, path)).any(is_embedding) {
            let message = format!("expected a model call of {}, got a request for embeddings", self.name);
            return Err(Fault::new(Reason::NoExchange, message));
        }
        let answered = self.fields.response.iter().filter_map(|path| find(&row, path)).any(is_answer);
        let asked = self.fields.request.iter().find_map(|path| body::object(find(&row, path)?));
        if !answered && asked.is_some_and(|body| body::embeds(&body)) {
            let message = format!("expected a model call of {}, got a request for embeddings", self.name);
            return Err(Fault::new(Reason::NoExchange, message));
        }
        let mut draft = Draft::of(self.name);
        draft.origin.span = span(&row);
        let fields = &self.fields;
        for path in fields.request {
            let Some(found) = find(&row, path) else { continue };
            let of_prompts = ["prompt", "prompts", "text"].contains(&path.rsplit('.').next().unwrap_or(path));
            let want = if of_prompts && found.is_array() { Want::Prompt } else { Want::Body };
            // Messages are a known form: where none of them is a user's, nobody asked. But a text in a field of prompts was asked, though it be typed as messages:
            // nobody takes himself out of an audit by what he types.
            let is_asked = (of_prompts && found.is_string()) || !body::holds_messages(found);
            let free = |text: &mut Option<String>| is_asked && free_form(path, found, text);
            if body::read(found, want, &mut draft) || free(&mut draft.prompt) {
                draft.origin.from("prompt", *path);
                break;
            }
        }
        let asked = || fields.request.iter().filter_map(|path| find(&row, path));
        if draft.prompt.is_none() && draft.missing.is_none() {
            let alone = fields
                .request
                .iter()
                .find(|path| find(&row, path).is_some_and(|found| body::read_alone(found, &mut draft)));
            alone.iter().for_each(|path| draft.origin.from("prompt", **path));
        }
        if draft.prompt.is_none() && draft.missing.is_none() && asked().any(body::holds_messages) {
            draft.missing = Some((Reason::NoPrompt, "messages of which none is a user's"));
        }
        for path in fields.response {
            let Some(found) = find(&row, path) else { continue };
            draft.answers = each(found, draft.prompts.len());
            draft.response = response(found, &mut draft.origin);
            if draft.response.is_some() || (!is_answer(found) && free_form(path, found, &mut draft.response)) {
                draft.origin.from("response", *path);
                break;
            }
        }
        let origin = &mut draft.origin;
        let mut pick = |field: &'static str, paths: &'static [&'static str]| {
            let (path, value) = paths.iter().find_map(|path| {
                let value = find(&row, path).filter(|value| scalar(value).is_some())?;
                Some((*path, value.clone()))
            })?;
            origin.from(field, path);
            Some(value)
        };
        draft.id = pick("id", fields.id);
        draft.account = pick("account", fields.account);
        draft.time = pick("time", fields.time);
        let end_user = pick("end_user", fields.end_user);
        draft.model = pick("model", fields.model).as_ref().and_then(scalar);
        draft.conversation = pick("conversation", fields.conversation).as_ref().and_then(scalar);
        draft.end_user = end_user.as_ref().and_then(scalar);
        for path in fields.system {
            if let Some(system) = find(&row, path).and_then(system_text).filter(|_| draft.system.is_none()) {
                draft.system = Some(system);
                draft.origin.from("system", *path);
            }
        }
        self.of_bodies(&row, &mut draft);
        if let Value::Object(row) = &row {
            draft.attributes = self.attributes(row);
        }
        (self.mend)(&row, &mut draft);
        if let Value::Object(row) = &row {
            draft.propose(&[("", row)], wanted);
        }
        Ok(draft)
    }

    /// What the bodies themselves say of model, user, time and id, where the row does not.
    fn of_bodies(&self, row: &Value, draft: &mut Draft) {
        let objects = |paths: &'static [&'static str]| {
            let found = paths.iter().filter_map(|path| Some((*path, body::object(find(row, path)?)?)));
            found.collect::<Vec<_>>()
        };
        let (asked, answered) = (objects(self.fields.request), objects(self.fields.response));
        let place = |path: &str, name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        for (path, body) in &asked {
            if let Some((name, said)) = body::reported(body) {
                if draft.account.is_none() {
                    draft.account = Some(Value::String(said));
                    draft.origin.from("account", place(path, name));
                } else if draft.end_user.is_none() && draft.account.as_ref().and_then(scalar).as_ref() != Some(&said) {
                    draft.end_user = Some(said);
                    draft.origin.from("end_user", place(path, name));
                }
            }
            if draft.conversation.is_none()
                && let Some(conversation) = body::conversation(body)
            {
                draft.conversation = Some(conversation);
                draft.origin.from("conversation", place(path, "metadata"));
            }
        }
        for (path, body) in asked.iter().chain(&answered) {
            if draft.model.is_none()
                && let Some(model) = body::model(body)
            {
                draft.model = Some(model);
                draft.origin.from("model", place(path, "model"));
            }
        }
        for (path, body) in &answered {
            let of = |names: &[&'static str]| names.iter().find_map(|name| Some((*name, get(body, name)?.clone())));
            if draft.time.is_none()
                && let Some((name, time)) = of(&["created", "created_at", "createTime"])
            {
                draft.time = Some(time);
                draft.origin.from("time", place(path, name));
            }
            if draft.id.is_none()
                && let Some((name, id)) = of(&["id", "responseId"]).filter(|(_, id)| scalar(id).is_some())
            {
                draft.id = Some(id);
                draft.origin.from("id", place(path, name));
            }
        }
    }

    /// The small values that stand beside what was taken.
    fn attributes(&self, row: &Object) -> std::collections::BTreeMap<String, Value> {
        let f = &self.fields;
        let lists = [f.id, f.account, f.end_user, f.time, f.model, f.conversation, f.system, f.request, f.response];
        let taken: Vec<&str> = lists
            .iter()
            .flat_map(|paths| paths.iter())
            .chain(f.attributes)
            .map(|path| path.split('.').next().unwrap_or(path))
            .collect();
        let mut out = kept(row, &taken);
        out.retain(|_, value| !value.is_object() && !value.is_array());
        for path in f.attributes {
            let Some(fields) = row.get(*path).and_then(body::object) else { continue };
            out.extend(kept(&fields, &[]).into_iter().map(|(name, value)| (format!("{path}.{name}"), value)));
        }
        out
    }
}

#[cfg(test)]
mod tests;
