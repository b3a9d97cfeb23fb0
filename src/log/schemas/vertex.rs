//! Google Vertex AI: request-response logging of Gemini (a BigQuery table, exported as JSON lines, CSV or Parquet), and batch prediction.
//!
//! The account is the caller's label: Google logs no principal in this table. Weakness: without `labels` in the requests only a default
//! account serves. The endpoint names the project that served, and is kept as an attribute.

use super::{Fields, NOWHERE, Schema, all, all_calls, any};
use crate::log::answer::{is_answer, response_text};
use crate::log::body;
use crate::log::join::Half;
use crate::log::path::find;
use crate::log::value::{get, scalar, unpacked};
use serde_json::Value;

/// A row of the request-response table.
pub(super) const LOG: Schema = Schema {
    name: "vertex",
    source: "https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/request-response-logging",
    is: |row| {
        any(row, &["full_request", "full_response"])
            || (all(row, &["request_payload", "endpoint"]) && any(row, &["logging_time", "request_id"]))
    },
    other: all_calls,
    json: &[
        "full_request",
        "full_response",
        "metadata",
        "otel_log",
        "full_request.labels",
        "request_payload",
        "response_payload",
        "request_payload.0",
    ],
    fields: Fields {
        id: &["request_id"],
        account: &[
            "full_request.labels.user_id",
            "full_request.labels.user",
            "full_request.labels.account",
            "full_request.labels.customer",
            "full_request.labels.api_key",
            "full_request.labels.project",
            "full_request.labels.tenant",
        ],
        time: &["logging_time"],
        model: &["model", "model_version", "deployed_model_id"],
        request: &["full_request", "request_payload.0", "request_payload"],
        response: &["full_response", "response_payload.0", "response_payload"],
        ..NOWHERE
    },
    mend: |row, draft| {
        // A stream is logged as the list of its pieces.
        let pieces = find(row, "response_payload").and_then(Value::as_array).filter(|list| list.len() > 1);
        let events: Option<Value> = pieces.map(|list| list.iter().cloned().map(unpacked).collect());
        if let Some(said) = events.as_ref().filter(|events| is_answer(events)).and_then(response_text) {
            draft.response = Some(said);
        }
    },
};

/// A line of a batch: Vertex has the request beside the response, Gemini's own API a file of requests and one of responses, joined by `key`.
pub(super) const BATCH: Schema = Schema {
    name: "vertex-batch",
    source: "https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/batch-prediction-gemini",
    is: |row| {
        if !any(row, &["key", "processed_time", "status"]) && !row.get("response").is_some_and(Value::is_object) {
            return false;
        }
        let gemini = |name: &str, inner: &str| {
            let body = get(row, name).and_then(body::object);
            body.is_some_and(|body| body.get(inner).is_some_and(Value::is_array))
        };
        let (asked, answered) = (gemini("request", "contents"), gemini("response", "candidates"));
        let keyed = any(row, &["key"]) && (asked || answered);
        (keyed || (asked && (answered || any(row, &["processed_time", "status"])))) && !any(row, &["account", "time"])
    },
    other: all_calls,
    json: &["request", "response"],
    fields: Fields {
        id: &["response.responseId"],
        account: &["request.labels.user_id", "request.labels.user", "request.labels.account", "request.labels.project"],
        time: &["processed_time"],
        request: &["request"],
        response: &["response"],
        ..NOWHERE
    },
    mend: |row, draft| {
        let key = find(row, "key").and_then(scalar).map(|key| format!("gemini-batch:{key}"));
        draft.half = match (find(row, "request"), find(row, "response")) {
            (Some(_), None) => key.map(Half::Request),
            (None, Some(_)) => key.map(Half::Result),
            _ => None,
        };
    },
};
