//! Cloudflare AI Gateway: Logpush (with bodies only after they were decrypted), and the logs of its API with their bodies.
//!
//! Logpush encrypts bodies and metadata under the customer's public key; a row that is still encrypted is a bad row that says so. The account
//! is what the caller put into the metadata header. Weakness: the API lists logs without bodies; a log must be fetched with its own.

use super::{Fields, NOWHERE, Schema, all, all_calls, any};
use crate::log::Reason;
use crate::log::draft::Draft;
use crate::log::path::find;
use serde_json::Value;

const ACCOUNT: [&[&str]; 2] = [
    &[
        "Metadata.user_id",
        "Metadata.userId",
        "Metadata.userID",
        "Metadata.user",
        "Metadata.account",
        "Metadata.account_id",
        "Metadata.customer",
        "Metadata.customer_id",
        "Metadata.api_key",
        "Metadata.tenant",
        "Metadata.team",
    ],
    &[
        "metadata.user_id",
        "metadata.userId",
        "metadata.userID",
        "metadata.user",
        "metadata.account",
        "metadata.account_id",
        "metadata.customer",
        "metadata.customer_id",
        "metadata.api_key",
        "metadata.tenant",
        "metadata.team",
    ],
];

/// A row of Logpush.
pub(super) const LOGPUSH: Schema = Schema {
    name: "cloudflare",
    source: "https://developers.cloudflare.com/logs/logpush/logpush-job/datasets/account/ai_gateway_events/",
    is: |row| all(row, &["RequestBody"]) && any(row, &["Gateway", "Provider", "Endpoint", "ResponseBody"]),
    other: all_calls,
    json: &["RequestBody", "ResponseBody", "Metadata"],
    fields: Fields {
        id: &["ID", "RequestID", "RayID"],
        account: ACCOUNT[0],
        time: &["Timestamp", "Datetime"],
        model: &["Model"],
        request: &["RequestBody", "RequestBody.data"],
        response: &["ResponseBody", "ResponseBody.data"],
        attributes: &["Metadata"],
        ..NOWHERE
    },
    mend: |row, draft| encrypted(row, draft, "RequestBody"),
};

/// What is encrypted was not said.
fn encrypted(row: &Value, draft: &mut Draft, name: &str) {
    if find(row, name).and_then(|body| body.get("type")).and_then(Value::as_str) == Some("encrypted") {
        draft.prompt = None;
        let what = "the request encrypted; decrypt the log with the private key of Logpush first";
        draft.missing = Some((Reason::NoPrompt, what));
    }
}

/// A log of the API, with its bodies.
pub(super) const API: Schema = Schema {
    name: "cloudflare",
    source: "https://developers.cloudflare.com/api/resources/ai_gateway/subresources/logs/",
    is: |row| {
        all(row, &["provider", "created_at"])
            && any(row, &["request", "request_head"])
            && any(row, &["cached", "tokens_in", "step", "path", "duration"])
    },
    other: all_calls,
    json: &["request", "response", "request_head", "response_head", "metadata"],
    fields: Fields {
        id: &["id"],
        account: ACCOUNT[1],
        time: &["created_at"],
        model: &["model"],
        request: &["request", "request_head"],
        response: &["response", "response_head"],
        attributes: &["metadata"],
        ..NOWHERE
    },
    mend: super::as_it_is,
};
