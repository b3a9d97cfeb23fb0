//! TrueFoundry's AI gateway: spans of its request logs.
//!
//! The span of a chat or a completion is the call as the caller made it; the spans of the model, of guardrails and of tools below it are passed over.
//! The account is the subject (a user or a virtual account) that made the request. Weakness: a gateway that is told not to log bodies has no texts.

use super::{Fields, NOWHERE, Schema, any, as_it_is};
use crate::log::path::find;
use crate::log::value::{Object, get};
use serde_json::Value;

/// A span.
pub(super) const SCHEMA: Schema = Schema {
    name: "truefoundry",
    source: "https://www.truefoundry.com/docs/ai-gateway/fetch-request-logs-span-attributes",
    is: |row| any(row, &["traceId", "trace_id"]) && kind(row).is_some(),
    other: |row| {
        let call = matches!(kind(row), Some("ChatCompletion" | "Completion" | "AgentResponse"));
        (!call).then_some("a span of another type")
    },
    json: &["spanAttributes.tfy.input", "span_attributes.tfy.input"],
    fields: Fields {
        id: &["spanId", "span_id"],
        account: &[
            "createdBySubject.subjectSlug",
            "createdBySubject.subjectId",
            "created_by_subject.subject_slug",
            "created_by_subject.subject_id",
            "spanAttributes.tfy.request.created_by_subject",
            "span_attributes.tfy.request.created_by_subject",
        ],
        time: &["timestamp", "startTime", "start_time"],
        model: &[
            "spanAttributes.tfy.request.model_name",
            "spanAttributes.tfy.model.name",
            "span_attributes.tfy.request.model_name",
            "span_attributes.tfy.model.name",
        ],
        conversation: &["spanAttributes.tfy.request.conversation_id", "span_attributes.tfy.request.conversation_id"],
        request: &["spanAttributes.tfy.input", "span_attributes.tfy.input"],
        response: &["spanAttributes.tfy.output", "span_attributes.tfy.output"],
        ..NOWHERE
    },
    mend: as_it_is,
};

fn kind(row: &Object) -> Option<&str> {
    let attributes = ["spanAttributes", "span_attributes"].iter().find_map(|name| get(row, name))?;
    find(attributes, "tfy.span_type").and_then(Value::as_str)
}
