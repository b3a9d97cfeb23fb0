//! OpenTelemetry: OTLP-JSON lines of spans or log records with the GenAI attributes.
//!
//! One exchange for every span of a model call. Content is looked for as `gen_ai.input.messages`,
//! `gen_ai.system_instructions` and `gen_ai.output.messages` (structured or as JSON text, on the span, on its event
//! `gen_ai.client.inference.operation.details`, or on a log record of that name), then in the forms that came before them:
//! `gen_ai.prompt` and `gen_ai.completion`, OpenLLMetry's numbered `gen_ai.prompt.0.content`, OpenInference's
//! `llm.input_messages.0.message.content`, and one event a message (`gen_ai.user.message`, `gen_ai.choice` …) inside the span or as log records
//! with its id. Sources: the semantic conventions of OpenTelemetry, OpenLLMetry and OpenInference.
//!
//! Spans of tools, agents and embeddings are passed over: they repeat a model call or are none. Weakness: log records of one
//! call are joined within a line only, as the collector writes them; and attributes that a resource shares among its spans
//! are copied only where they are small.

pub(crate) mod call;
mod wire;

use super::draft::Draft;
use super::value::{Object, get, small, structured, word};
use super::{Fault, Reason};
use call::{Call, is_generative};
use serde_json::Value;
use std::collections::BTreeMap;

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
pub(crate) fn flat(mut row: Object) -> Result<Draft, Fault> {
    let mut call = Call::default();
    if let Some(Value::Object(inner)) = row.remove("attributes") {
        call.attributes.extend(inner);
    }
    let names = ["startTimeUnixNano", "start_time_unix_nano", "start_time", "timestamp", "time"];
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
    for mut event in row.remove("events").map(wire::objects).unwrap_or_default() {
        let name = event.get("name").and_then(super::value::scalar).unwrap_or_default();
        call.event(&name, wire::attributes(event.remove("attributes")), None);
    }
    row.remove("links");
    let resource = row
        .remove("resource")
        .and_then(|mut resource| Some(wire::attributes(Some(resource.get_mut("attributes")?.take()))));
    call.attributes.extend(row);
    if !call.is_exchange() {
        return Err(Fault::new(Reason::NoExchange, "expected a span of a model call, got one of something else"));
    }
    Ok(call.shared(&shared(resource.unwrap_or_default())).draft())
}

/// The exchanges of an OTLP line.
pub(crate) fn drafts(row: Object) -> Result<Vec<Draft>, Fault> {
    let mut drafts = Vec::new();
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
                        drafts.extend(
                            Call::of_span(item).filter(Call::is_exchange).map(|call| call.shared(&shared).draft()),
                        );
                        continue;
                    }
                    let Some(record) = Call::of_record(item) else { continue };
                    if record.ids.1.is_empty() {
                        drafts.extend(Some(record).filter(Call::is_exchange).map(|call| call.shared(&shared).draft()));
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
    drafts.extend(calls.filter(Call::is_exchange).map(Call::draft));
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
    Ok(drafts)
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
