//! PostHog: events of its LLM analytics, by the API, a batch export or the page.
//!
//! An event `$ai_generation` is a model call; traces, spans, embeddings and whatever else an application counts are none. The account is the
//! distinct id, which is a person of the application. Weakness: events of people who were not identified have an id for each browser.

use super::{Fields, NOWHERE, Schema, all, as_it_is};
use crate::log::value::word;

/// An event.
pub(super) const SCHEMA: Schema = Schema {
    name: "posthog",
    source: "https://posthog.com/docs/llm-analytics/generations",
    is: |row| all(row, &["event", "distinct_id", "properties"]),
    other: |row| (word(row, "event").as_deref() != Some("$ai_generation")).then_some("an event of another kind"),
    json: &["properties", "properties.$ai_input", "properties.$ai_output_choices"],
    fields: Fields {
        id: &["uuid", "properties.$ai_span_id"],
        account: &["distinct_id"],
        time: &["timestamp", "created_at"],
        model: &["properties.$ai_model"],
        conversation: &["properties.$ai_session_id", "properties.$ai_trace_id"],
        request: &["properties.$ai_input"],
        response: &["properties.$ai_output_choices", "properties.$ai_output"],
        ..NOWHERE
    },
    mend: as_it_is,
};
