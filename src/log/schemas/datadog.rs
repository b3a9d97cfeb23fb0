//! Datadog LLM Observability: spans as its API lists them, and as its SDKs and HTTP intake send them.
//!
//! A span of kind `llm` is a model call; agents, workflows, tools and tasks around it are none. The account is what the application puts into the
//! tags (`user_id:…`), which are texts of name and value. Weakness: an application that tags no user needs a default account.

use super::{Fields, NOWHERE, Schema, all, any, with_shared};
use crate::log::draft::Draft;
use crate::log::otel::call::is_generative;
use crate::log::path::find;
use crate::log::value::{Object, get, small, word};
use serde_json::Value;

const SOURCE: &str = "https://docs.datadoghq.com/api/latest/llm-observability/list-llm-observability-spans/ and https://docs.datadoghq.com/llm_observability/instrumentation/api/";

/// An event of the API.
pub(super) const EVENT: Schema = Schema {
    name: "datadog",
    source: SOURCE,
    // Spans of OpenTelemetry may have the same names among their attributes.
    is: |row| {
        attributes(row).is_some_and(|fields| {
            all(fields, &["span_kind", "trace_id"])
                && any(fields, &["meta", "ml_app", "input"])
                && !is_generative(fields)
        })
    },
    other: |row| {
        let kind = attributes(row).and_then(|fields| word(fields, "span_kind"));
        (kind.as_deref() != Some("llm")).then_some("a span of another kind")
    },
    json: &[],
    fields: Fields {
        id: &["attributes.span_id", "id"],
        time: &["attributes.start_ns", "attributes.start_ms", "attributes.timestamp"],
        model: &["attributes.model_name", "attributes.metadata.model_name"],
        conversation: &["attributes.session_id"],
        request: &["attributes.input.messages", "attributes.input.value", "attributes.input"],
        response: &["attributes.output.messages", "attributes.output.value", "attributes.output"],
        ..NOWHERE
    },
    mend: |row, draft| tagged(row, "attributes.tags", draft),
};

/// A span of the intake, with what its payload says of all.
pub(super) const SPAN: Schema = Schema {
    name: "datadog",
    source: SOURCE,
    is: |row| all(row, &["span_id", "meta", "start_ns"]) && kind(row).is_some(),
    other: |row| (kind(row).as_deref() != Some("llm")).then_some("a span of another kind"),
    json: &[],
    fields: Fields {
        id: &["span_id"],
        time: &["start_ns"],
        model: &["meta.model_name", "meta.metadata.model_name"],
        conversation: &["session_id"],
        request: &["meta.input.messages", "meta.input.value"],
        response: &["meta.output.messages", "meta.output.value"],
        ..NOWHERE
    },
    mend: |row, draft| tagged(row, "tags", draft),
};

fn attributes(row: &Object) -> Option<&Object> {
    get(row, "attributes").and_then(Value::as_object)
}

/// The kind of a span of the intake.
fn kind(row: &Object) -> Option<String> {
    let meta = get(row, "meta").and_then(Value::as_object)?;
    word(meta, "kind").or_else(|| word(meta, "span.kind"))
}

/// Tags that name whom a call was for, in the order of who pays.
const ACCOUNTS: [&str; 9] =
    ["account_id", "customer_id", "org_id", "organization_id", "tenant_id", "user_id", "usr.id", "user", "user_handle"];

fn tagged(row: &Value, path: &'static str, draft: &mut Draft) {
    let tags = || find(row, path).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let of = |name: &&str| {
        tags().find_map(|tag| tag.strip_prefix(*name)?.strip_prefix(':').filter(|value| !value.is_empty()))
    };
    if let Some((name, found)) = ACCOUNTS.iter().find_map(|name| Some((name, of(name)?))) {
        draft.account = Some(Value::from(found));
        draft.origin.from("account", format!("{path}.{name}"));
    }
}

/// The spans of a payload of the intake, each with its session and its tags.
pub(super) fn spans(row: &mut Object) -> Option<Vec<Object>> {
    let held = |row: &Object| {
        let list = row.get("attributes").and_then(|attributes| attributes.get("spans")).and_then(Value::as_array);
        list.and_then(|list| list.first()).and_then(|span| span.get("meta")).is_some()
    };
    let payload = if row.get("data").and_then(Value::as_object).is_some_and(held) {
        row.get_mut("data")?.as_object_mut()?
    } else if held(row) {
        row
    } else {
        return None;
    };
    let Some(Value::Object(fields)) = payload.get_mut("attributes") else { return None };
    let Some(Value::Array(list)) = fields.remove("spans") else { return None };
    fields.retain(|name, value| matches!(name.as_str(), "session_id" | "tags" | "ml_app") && small(value, 1026));
    Some(with_shared(list, fields))
}
