//! Langfuse: observations of its API (camel case) and of its blob-storage export (snake case; JSON lines, CSV or Parquet), the CSV of its page,
//! and traces that hold their observations.
//!
//! A generation is a model call; the other observations of its trace are none. The account is the trace's user: it stands in the observation, in
//! the trace around it, or (first API, older blob export) in the file of traces that is read in the same run. Weakness: without that file the
//! account of such an observation is the project.

use super::{Fields, NOWHERE, Schema, any, with_shared};
use crate::log::join::Half;
use crate::log::path::find;
use crate::log::value::{Object, get, scalar, structure, word};
use serde_json::Value;

/// A trace alone: what an application got and gave around its calls.
pub(super) const TRACE: Schema = Schema {
    name: "langfuse",
    source: SOURCE,
    is: |row| {
        any(row, &["userId", "user_id", "sessionId", "session_id"])
            && any(row, &["timestamp"])
            && any(row, &["input", "output"])
            && any(row, &["observations", "htmlPath", "bookmarked", "release"])
    },
    other: |row| (!any(row, USER)).then_some("a trace without its observations"),
    json: &[],
    fields: Fields { account: USER, conversation: &["sessionId", "session_id"], ..NOWHERE },
    mend: |row, draft| draft.half = find(row, "id").and_then(scalar).map(|id| Half::Note(format!("langfuse:{id}"))),
};

/// Whose a trace is.
const USER: &[&str] = &["userId", "user_id"];

const SOURCE: &str = "https://api.reference.langfuse.com and https://langfuse.com/docs/api-and-data-platform/features/export-to-blob-storage";

/// An observation.
pub(super) const OBSERVATION: Schema = Schema {
    name: "langfuse",
    source: SOURCE,
    is: |row| {
        any(row, &["traceId", "trace_id"])
            && any(row, &["startTime", "start_time"])
            && (kind(row).is_some() || generation(row))
    },
    other: |row| kind(row).filter(|kind| kind != "GENERATION").map(|_| "another observation"),
    json: &["metadata", "modelParameters", "model_parameters", "trace", "trace_metadata"],
    fields: Fields {
        id: &["id"],
        account: &[
            "userId",
            "user_id",
            "trace.userId",
            "trace.user_id",
            "traceUserId",
            "trace_user_id",
            "metadata.userId",
            "metadata.user_id",
            "metadata.user",
            "projectId",
            "project_id",
        ],
        time: &["startTime", "start_time"],
        model: &["providedModelName", "provided_model_name", "model", "internalModelId", "internal_model_id"],
        conversation: &["sessionId", "session_id", "trace.sessionId", "trace.session_id"],
        request: &["input"],
        response: &["output"],
        attributes: &["metadata"],
        ..NOWHERE
    },
    mend: |row, draft| {
        // The older export has the user in the file of traces.
        let named = draft.origin.path("account").is_some_and(|path| !path.starts_with("project"));
        let trace = ["traceId", "trace_id"].iter().find_map(|path| find(row, path).and_then(scalar));
        draft.half = trace.filter(|_| !named).map(|trace| Half::Asks(format!("langfuse:{trace}")));
    },
};

/// Whether an observation without a kind is a generation, as on the page that lists only these: it names a model.
fn generation(row: &Object) -> bool {
    any(row, &["providedModelName", "provided_model_name", "model"])
        && any(row, &["input", "output"])
        && any(row, &["level", "promptName", "usageDetails"])
}

/// The kind of an observation, where it is one of Langfuse's.
fn kind(row: &Object) -> Option<String> {
    const KINDS: [&str; 11] = [
        "GENERATION",
        "SPAN",
        "EVENT",
        "AGENT",
        "TOOL",
        "CHAIN",
        "RETRIEVER",
        "EVALUATOR",
        "EMBEDDING",
        "GUARDRAIL",
        "TRACE",
    ];
    let kind = word(row, "type").or_else(|| word(row, "observationType")).or_else(|| word(row, "observation_type"))?;
    KINDS.contains(&kind.as_str()).then_some(kind)
}

/// The observations of a trace that holds them, each with what the trace says of all.
pub(super) fn observations(row: &mut Object) -> Option<Vec<Object>> {
    let whole = |list: &Value| {
        list.as_array().is_some_and(|list| list.first().is_some_and(|first| first.get("traceId").is_some()))
    };
    // A table has the list as a text.
    structure(row, &["observations"]);
    get(row, "observations").filter(|list| whole(list))?;
    let Some(Value::Array(list)) = row.remove("observations") else { return None };
    let shared: Object = ["userId", "sessionId", "projectId"]
        .iter()
        .filter_map(|name| {
            Some(((*name).to_owned(), get(row, name).filter(|value| crate::log::value::small(value, 1026))?.clone()))
        })
        .collect();
    Some(with_shared(list, &shared))
}
