//! HoneyHive: events of its API and of its export.
//!
//! An event of type `model` is a model call; tools, chains and the session around it are none. The account is what the application says of its
//! user. Weakness: an application that says nothing of its users needs a default account.

use super::{Fields, NOWHERE, Schema, all, any, as_it_is, is_word};
use crate::log::value::word;

/// An event.
pub(super) const SCHEMA: Schema = Schema {
    name: "honeyhive",
    source: "https://docs.honeyhive.ai/v2/sdk-reference/semconv-reference",
    is: |row| {
        all(row, &["event_id"])
            && is_word(row, "event_type", &["model", "tool", "chain", "session"])
            && any(row, &["inputs", "outputs", "session_id"])
    },
    other: |row| (word(row, "event_type").as_deref() != Some("model")).then_some("an event of another type"),
    json: &["config", "user_properties", "metadata", "inputs"],
    fields: Fields {
        id: &["event_id"],
        account: &[
            "user_properties.account_id",
            "user_properties.customer_id",
            "user_properties.user_id",
            "user_properties.id",
            "metadata.account_id",
            "metadata.customer_id",
            "metadata.user_id",
        ],
        time: &["start_time"],
        model: &["config.model", "metadata.model"],
        conversation: &["session_id"],
        request: &["inputs.chat_history", "inputs.messages", "inputs"],
        response: &["outputs"],
        ..NOWHERE
    },
    mend: as_it_is,
};
