//! Portkey: the log export of the gateway (JSON lines), and its logs as they lie in an own bucket.
//!
//! The account is the user of the request's metadata (`_user`), else the key. Weakness: an export in which request and response were not
//! asked for has no prompt.

use super::{Fields, NOWHERE, Schema, all_calls, any, as_it_is};

/// A call through the gateway.
pub(super) const SCHEMA: Schema = Schema {
    name: "portkey",
    source: "https://portkey.ai/docs/product/observability/logs-export",
    is: |row| {
        any(row, &["request"])
            && any(row, &["ai_org", "ai_model", "ai_provider", "portkeyHeaders", "config_id", "virtual_key"])
    },
    other: all_calls,
    json: &["request", "response", "request.body", "response.body", "metadata", "portkeyHeaders"],
    fields: Fields {
        id: &["id", "request_id"],
        account: &[
            "metadata._user",
            "metadata.user",
            "metadata.user_id",
            "portkeyHeaders.x-portkey-metadata._user",
            "api_key",
            "api_key_id",
            "virtual_key",
            "workspace_slug",
        ],
        time: &["created_at", "time_of_generation", "createdAt"],
        model: &["ai_model", "request.body.model"],
        conversation: &["metadata.session_id", "metadata.conversation_id"],
        request: &["request.body", "request", "finalUntransformedRequest.body"],
        response: &["response.body", "response"],
        attributes: &["metadata"],
        ..NOWHERE
    },
    mend: as_it_is,
};
