//! Braintrust: project logs of its API and of its export (JSON lines, CSV or Parquet).
//!
//! A span of type `llm` is a model call; tasks, tools and scores around it are none. The account is what the application put into the
//! metadata. Weakness: a project that says nothing of its users needs a default account.

use super::{Fields, NOWHERE, Schema, all, any, as_it_is};
use crate::log::body;
use crate::log::value::{Object, get, word};

/// A span of a project's logs.
pub(super) const SCHEMA: Schema = Schema {
    name: "braintrust",
    source: "https://www.braintrust.dev/docs/reference/api/Logs",
    is: |row| {
        all(row, &["span_attributes"]) && any(row, &["root_span_id", "span_id"]) && any(row, &["input", "output"])
    },
    other: |row| (kind(row).as_deref() != Some("llm")).then_some("a span of another type"),
    json: &["metadata", "metrics", "span_attributes"],
    fields: Fields {
        id: &["id", "span_id"],
        account: &[
            "metadata.user_id",
            "metadata.userId",
            "metadata.user",
            "metadata.account_id",
            "metadata.customer_id",
            "metadata.org_id",
            "metadata.api_key",
        ],
        time: &["metrics.start", "created"],
        model: &["metadata.model"],
        conversation: &["metadata.session_id", "metadata.conversation_id", "metadata.thread_id"],
        request: &["input"],
        response: &["output"],
        ..NOWHERE
    },
    mend: as_it_is,
};

fn kind(row: &Object) -> Option<String> {
    let attributes = get(row, "span_attributes").and_then(body::object)?;
    word(&attributes, "type")
}
