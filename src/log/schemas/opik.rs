//! Opik (Comet): spans of its API and of its export.
//!
//! A span of type `llm` is a model call; the others of its trace are none. The account is what the application put into the metadata.
//! Weakness: a project that says nothing of its users needs a default account.

use super::{Fields, NOWHERE, Schema, all, any, as_it_is, is_word};
use crate::log::value::word;

/// A span.
pub(super) const SCHEMA: Schema = Schema {
    name: "opik",
    source: "https://www.comet.com/docs/opik/reference/rest-api/spans/get-spans-by-project",
    is: |row| {
        all(row, &["trace_id", "start_time"])
            && is_word(row, "type", &["llm", "general", "tool", "guardrail"])
            && any(row, &["input", "output"])
    },
    other: |row| (word(row, "type").as_deref() != Some("llm")).then_some("a span of another type"),
    json: &["metadata"],
    fields: Fields {
        id: &["id"],
        account: &[
            "metadata.user_id",
            "metadata.user",
            "metadata.account_id",
            "metadata.customer_id",
            "metadata.created_by",
            "created_by",
        ],
        time: &["start_time"],
        model: &["model", "metadata.model"],
        conversation: &["thread_id", "metadata.thread_id", "metadata.session_id"],
        request: &["input"],
        response: &["output"],
        ..NOWHERE
    },
    mend: as_it_is,
};
