//! OpenTelemetry: OTLP-JSON lines of spans or log records with the GenAI attributes.
//!
//! One exchange for every span of a model call. Content is looked for as `gen_ai.input.messages`,
//! `gen_ai.system_instructions` and `gen_ai.output.messages` (structured or as JSON text, on the span, on its event
//! `gen_ai.client.inference.operation.details`, or on a log record of that name), then in the forms that came before them:
//! `gen_ai.prompt` and `gen_ai.completion`, OpenLLMetry's numbered `gen_ai.prompt.0.content`, OpenInference's
//! `llm.input_messages.0.message.content`, and one event a message (`gen_ai.user.message`, `gen_ai.choice` …) inside the span or as log records
//! with its id. Sources: the semantic conventions of OpenTelemetry, OpenLLMetry and OpenInference.
//!
//! Spans of tools, agents and embeddings are passed over: they repeat a model call or are none. Of a model's span inside a model's span that asks
//! the same, as of a framework's over a client's, the outer one is the call: it carries what the application says of its account. Weakness: log records of one
//! call are joined within a line only, as the collector writes them; and attributes that a resource shares among its spans
//! are copied only where they are small.

pub(crate) mod call;
mod wire;

use super::draft::{Draft, Span};
use super::propose::Lacks;
use super::value::{Object, get, small, structured, word};
use super::{Fault, Reason};
use crate::ids::Digest;
use call::{Call, RAW, ids, is_generative, parent};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// Most calls of a line, which bounds what the attributes they share can grow to.
const CALLS: usize = 100_000;

/// Whether a row is OTLP-JSON.
pub(crate) fn is_otlp(row: &Object) -> bool {
    ["resourceSpans", "resource_spans", "resourceLogs", "resource_logs"].iter().any(|name| get(row, name).is_some())
}

/// Makes the typed list of attributes of a lone span an object.
pub(crate) fn plain_attributes(row: &mut Object) {
    if let Some(list @ Value::Array(_)) = row.get_mut("attributes") {
        *list = Value::Object(wire::attributes(Some(list.take())));
    }
}

/// Whether a row is one span with flat attributes, as exports to tables and SDKs that write to a file have them.
pub(crate) fn is_flat(row: &Object) -> bool {
    is_generative(row) || get(row, "attributes").and_then(Value::as_object).is_some_and(is_generative)
}

/// The exchange of a row with flat attributes.
pub(crate) fn flat(mut row: Object, wanted: Lacks) -> Result<Draft, Fault> {
    let mut call = Call::default();
    let beside: HashSet<String> = row.keys().cloned().collect();
    if let Some(Value::Object(inner)) = row.remove("attributes") {
        call.attributes.extend(inner);
    }
    let raw = word(&row, "name").or_else(|| word(&row, "span_name")).as_deref() == Some(RAW);
    let names = [
        "startTimeUnixNano",
        "start_time_unix_nano",
        "start_time",
        "startTime",
        "start_timestamp",
        "created_at",
        "timestamp",
        "time",
    ];
    call.time = names.iter().find_map(|name| row.remove(*name).filter(|value| !value.is_null()));
    // The SDK has the ids in a context of their own.
    let context = match row.remove("context") {
        Some(Value::Object(context)) => context,
        _ => Object::new(),
    };
    let id = |names: [&str; 2]| {
        names.iter().find_map(|name| word(&row, name).or_else(|| word(&context, name))).unwrap_or_default()
    };
    call.ids = (id(["traceId", "trace_id"]), id(["spanId", "span_id"]));
    call.parent = parent(&row);
    for mut event in row.remove("events").map(wire::objects).unwrap_or_default() {
        let name = event.get("name").and_then(super::value::scalar).unwrap_or_default();
        call.event(&name, wire::attributes(event.remove("attributes")), None);
    }
    row.remove("links");
    let resource = row
        .remove("resource")
        .and_then(|mut resource| Some(wire::attributes(Some(resource.get_mut("attributes")?.take()))));
    call.attributes.extend(row);
    if raw || !call.is_exchange() {
        return Err(Fault::new(Reason::NoExchange, "expected a span of a model call, got one of something else"));
    }
    let mut draft = call.shared(&shared(resource.unwrap_or_default())).draft();
    if draft.lacks(wanted) != Lacks::default() {
        let (outer, inner): (Object, Object) =
            draft.attributes.clone().into_iter().partition(|(name, _)| beside.contains(name));
        draft.propose(&[("", &outer), ("attributes", &inner)], wanted);
    }
    Ok(draft)
}

/// The exchanges of an OTLP line.
pub(crate) fn drafts(row: Object) -> Result<Vec<Draft>, Fault> {
    let mut drafts = Vec::new();
    let mut above: BTreeMap<Ids, String> = BTreeMap::new();
    // Log records of one call come as several; they are joined by trace and span. Those without ids stand alone.
    let mut joined: BTreeMap<(String, String), Call> = BTreeMap::new();
    let mut order: Vec<(String, String)> = Vec::new();
    for (name, value) in row {
        let logs = matches!(name.as_str(), "resourceLogs" | "resource_logs");
        if !logs && !matches!(name.as_str(), "resourceSpans" | "resource_spans") {
            continue;
        }
        for mut resource in wire::objects(value) {
            let shared = match resource.remove("resource") {
                Some(Value::Object(mut inner)) => shared(wire::attributes(inner.remove("attributes"))),
                _ => Object::new(),
            };
            let scopes = ["scopeSpans", "scope_spans", "scopeLogs", "scope_logs"];
            for mut scope in scopes.iter().filter_map(|name| resource.remove(*name)).flat_map(wire::objects) {
                let items = ["spans", "logRecords", "log_records"];
                for item in items.iter().filter_map(|name| scope.remove(*name)).flat_map(wire::objects) {
                    if drafts.len() > CALLS {
                        break;
                    }
                    if !logs {
                        above.insert(ids(&item), parent(&item));
                        let call = Call::of_span(item).filter(Call::is_exchange);
                        drafts.extend(call.map(|call| (call.ids.clone(), call.shared(&shared).draft())));
                        continue;
                    }
                    let Some(record) = Call::of_record(item) else { continue };
                    if record.ids.1.is_empty() {
                        let call = Some(record).filter(Call::is_exchange);
                        drafts.extend(call.map(|call| (call.ids.clone(), call.shared(&shared).draft())));
                    } else if let Some(call) = joined.get_mut(&record.ids) {
                        call.absorb(record);
                    } else {
                        order.push(record.ids.clone());
                        joined.insert(record.ids.clone(), record.shared(&shared));
                    }
                }
            }
        }
    }
    let calls = order.iter().filter_map(|ids| joined.remove(ids));
    drafts.extend(calls.filter(Call::is_exchange).map(|call| (call.ids.clone(), call.draft())));
    if drafts.len() > CALLS {
        return Err(Fault::new(
            Reason::TooLong,
            format!("expected at most {CALLS} calls in a line, got {}", drafts.len()),
        ));
    }
    if drafts.is_empty() {
        return Err(Fault::new(
            Reason::NoExchange,
            "expected a span or record of a model call, got telemetry without one",
        ));
    }
    Ok(outermost(drafts, &above))
}

/// A call's trace and span.
type Ids = (String, String);

/// How many spans may lie between a call and one that it is inside of.
const ABOVE: usize = 64;

/// The calls that are not inside another one of the line that asks the same.
fn outermost(drafts: Vec<(Ids, Draft)>, above: &BTreeMap<Ids, String>) -> Vec<Draft> {
    let asked: BTreeMap<&Ids, Option<Digest>> = drafts
        .iter()
        .filter(|(ids, _)| !ids.1.is_empty())
        .map(|(ids, draft)| (ids, draft.prompt.as_ref().map(|text| Digest::of(text.as_bytes()))))
        .collect();
    let mut keep = Vec::with_capacity(drafts.len());
    let mut parents = Vec::with_capacity(drafts.len());
    for (ids, _) in &drafts {
        let (mut at, mut inside) = (ids.clone(), false);
        for _ in 0..ABOVE {
            // The nearest span that is not in this line may be in another.
            let Some(parent) = above.get(&at).filter(|parent| parent.bytes().any(|byte| byte != b'0')) else { break };
            at.1.clone_from(parent);
            if at == *ids {
                // A ring of spans has no outermost one.
                inside = false;
                break;
            }
            inside |= asked.get(&at).is_some_and(|outer| outer.is_some() && Some(outer) == asked.get(ids));
        }
        keep.push(!inside);
        parents.push(at);
    }
    let outer = drafts.into_iter().zip(parents).zip(keep).filter(|(_, keep)| *keep);
    let one = |(((ids, mut draft), parent), _): (((Ids, Draft), Ids), bool)| {
        let parent = if parent == ids { "" } else { parent.1.as_str() };
        draft.origin.span = Span::new(&ids.0, &ids.1, parent);
        draft
    };
    outer.map(one).collect()
}

/// The attributes of a resource that its spans take over: at most 16 small ones.
fn shared(attributes: Object) -> Object {
    attributes.into_iter().filter(|(name, value)| name.len() <= 64 && small(value, 256)).take(16).collect()
}

/// A list of messages, structured or as JSON text; a plain text is one user message.
fn messages(value: Value) -> Vec<Value> {
    match structured(value) {
        Value::Array(list) => list,
        Value::Object(mut one) => match one.remove("messages") {
            Some(Value::Array(list)) => list,
            _ => vec![Value::Object(one)],
        },
        Value::String(text) => vec![serde_json::json!({"role": "user", "content": text})],
        _ => Vec::new(),
    }
}
