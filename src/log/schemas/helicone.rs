//! Helicone: requests of its API and of `npx @helicone/export --include-body`, as JSON lines, a JSON array or CSV.
//!
//! The account is Helicone's user id, then its key. Weakness: an export without bodies has no prompt.

use super::{Fields, NOWHERE, Schema, all_calls, any, as_it_is};

/// A request with its response.
pub(super) const SCHEMA: Schema = Schema {
    name: "helicone",
    source: "https://docs.helicone.ai/rest/request/post-v1requestquery",
    is: |row| {
        any(row, &["request_body", "response_body"])
            && any(
                row,
                &[
                    "request_created_at",
                    "request_path",
                    "request_user_id",
                    "helicone_user",
                    "request_properties",
                    "response_status",
                ],
            )
    },
    other: all_calls,
    json: &["request_body", "response_body", "request_properties", "properties"],
    fields: Fields {
        id: &["request_id", "response_id"],
        account: &[
            "request_user_id",
            "user_id",
            "request_auth_hash",
            "auth_id",
            "helicone_api_key_id",
            "helicone_user",
            "properties.user_id",
            "properties.Helicone-User-Id",
        ],
        time: &["request_created_at", "response_created_at"],
        model: &["request_model", "model_override", "response_model", "model"],
        conversation: &["request_properties.Helicone-Session-Id", "properties.Helicone-Session-Id", "session_id"],
        request: &["request_body", "prompt"],
        response: &["response_body", "response"],
        attributes: &["request_properties", "properties"],
        ..NOWHERE
    },
    mend: as_it_is,
};
