//! MLflow: traces as its SDK and its API write them (`to_json`, `search_traces`), also where a table has the whole trace in a column.
//!
//! A trace holds its spans; a span of type `LLM` or `CHAT_MODEL` is a model call, the others around it are none. Each attribute of a span is the
//! text of a JSON value. The account is the user of the trace, which the application sets. Weakness: the user under whose name the application ran
//! (`mlflow.user`) is no account, so a project that says nothing of its users needs a default or a map (`account=tags.NAME`).

use super::{Fields, NOWHERE, Schema, as_it_is, with_shared};
use crate::log::draft::kept;
use crate::log::path::find;
use crate::log::value::{Object, get, inner, structure};
use serde_json::Value;

/// A span, with what its trace says of all.
pub(super) const SPAN: Schema = Schema {
    name: "mlflow",
    source: "https://mlflow.org/docs/3.0.1/tracing/tracing-schema",
    is: |row| get(row, "attributes").is_some_and(|attributes| find(attributes, "mlflow.spanType").is_some()),
    other: |row| {
        let kind = get(row, "attributes").and_then(|attributes| find(attributes, "mlflow.spanType"));
        let kind = kind.and_then(Value::as_str).map(|kind| kind.trim_matches('"'));
        (!matches!(kind, Some("LLM" | "CHAT_MODEL"))).then_some("a span of another type")
    },
    json: &[],
    fields: Fields {
        id: &["context.span_id", "span_id"],
        account: &[
            "trace_metadata.mlflow.trace.user",
            "tags.mlflow.trace.user",
            "tags.account_id",
            "tags.customer_id",
            "tags.user_id",
            "trace_metadata.user_id",
            "attributes.user.id",
            "attributes.user_id",
        ],
        time: &["start_time_unix_nano", "start_time_ns", "start_time"],
        model: &["attributes.mlflow.llm.model"],
        conversation: &["trace_metadata.mlflow.trace.session", "tags.mlflow.trace.session", "tags.session_id"],
        request: &["attributes.mlflow.spanInputs"],
        response: &["attributes.mlflow.spanOutputs"],
        ..NOWHERE
    },
    mend: as_it_is,
};

/// The spans of a trace, each with the tags and the metadata of the trace.
pub(super) fn spans(row: &mut Object) -> Option<Vec<Object>> {
    structure(row, &["trace"]);
    let trace = match row.get_mut("trace") {
        Some(Value::Object(trace)) if trace.contains_key("data") => trace,
        _ => row,
    };
    if trace.contains_key("info") {
        structure(trace, &["info", "data"]);
    }
    let of_mlflow = |span: &Value| {
        let named = |fields: &Object| fields.keys().any(|name| name.starts_with("mlflow."));
        span.get("attributes").and_then(Value::as_object).is_some_and(named)
    };
    let is = |list: &Value| list.as_array().and_then(|list| list.first()).is_some_and(of_mlflow);
    let Value::Array(mut list) = (match trace.get_mut("data").and_then(|data| data.get_mut("spans")) {
        Some(list) if is(list) => list.take(),
        _ => trace.get_mut("spans").filter(|list| is(list))?.take(),
    }) else {
        return None;
    };
    let info = trace.get("info").and_then(Value::as_object).unwrap_or(trace);
    let mut said = Object::new();
    for (name, places) in [("tags", ["tags", "tags"]), ("trace_metadata", ["trace_metadata", "request_metadata"])] {
        let mut fields = Object::new();
        for place in places {
            let found = get(info, place).and_then(crate::log::body::object);
            fields.extend(found.map(|found| kept(&found, &[])).into_iter().flatten());
        }
        // What the SDK notes there repeats what was said, or tells of the machine that it ran on.
        fields.retain(|name, _| !name.starts_with("mlflow.") || name.starts_with("mlflow.trace."));
        said.insert(name.to_owned(), Value::Object(fields));
    }
    let attributes = list.iter_mut().filter_map(|span| span.get_mut("attributes")?.as_object_mut());
    for value in attributes.flat_map(|attributes| attributes.values_mut()) {
        if let Some(held) = value.as_str().and_then(inner) {
            *value = held;
        }
    }
    Some(with_shared(list, &said))
}
