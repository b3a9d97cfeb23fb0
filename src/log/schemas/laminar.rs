//! Laminar: spans of its SQL tables and of its export.
//!
//! A span of type `LLM` is a model call; the others of its trace are none. The account is the user whom the application associates with the trace.
//! Weakness: an application that associates none needs a default account.

use super::{Fields, NOWHERE, Schema, all, any, as_it_is, is_word};
use crate::log::value::word;

/// A span.
pub(super) const SCHEMA: Schema = Schema {
    name: "laminar",
    source: "https://docs.lmnr.ai/sql-editor/reference",
    is: |row| {
        let kinds = ["LLM", "DEFAULT", "PIPELINE", "EXECUTOR", "EVALUATOR", "EVALUATION", "TOOL", "HUMAN_EVALUATOR"];
        all(row, &["span_id", "trace_id"]) && is_word(row, "span_type", &kinds) && any(row, &["input", "output"])
    },
    other: |row| (word(row, "span_type").as_deref() != Some("LLM")).then_some("a span of another type"),
    json: &["attributes", "metadata"],
    fields: Fields {
        id: &["span_id"],
        account: &[
            "attributes.lmnr.association.properties.metadata.account_id",
            "attributes.lmnr.association.properties.metadata.customer_id",
            "user_id",
            "attributes.lmnr.association.properties.user_id",
            "metadata.user_id",
        ],
        time: &["start_time"],
        model: &["request_model", "model", "response_model", "attributes.gen_ai.request.model"],
        conversation: &["session_id", "attributes.lmnr.association.properties.session_id"],
        request: &["input"],
        response: &["output"],
        ..NOWHERE
    },
    mend: as_it_is,
};
