//! LiteLLM: the proxy's spend logs (table `LiteLLM_SpendLogs`) and the standard logging payload of its callbacks (S3, GCS, SQS …).
//!
//! The account is the digest of the key, which is what the proxy bills; then user and team. The end user is `end_user`. Messages stand in
//! `messages`, and where they are not stored there, in `proxy_server_request`. Weakness: a proxy that does not store prompts
//! (`store_prompts_in_spend_logs`) has none in its log.

use super::{Fields, NOWHERE, Schema, all, any, as_it_is};
use crate::log::value::{Object, word};

/// A call through the proxy.
pub(super) const SCHEMA: Schema = Schema {
    name: "litellm",
    source: "https://docs.litellm.ai/docs/proxy/logging_spec",
    is: |row| {
        let metadata = row.get("metadata").and_then(crate::log::body::object);
        let keyed = metadata.is_some_and(|metadata| metadata.keys().any(|key| key.starts_with("user_api_key_")));
        all(row, &["call_type"])
            && (keyed
                || any(row, &["api_key", "spend", "response_cost", "proxy_server_request", "custom_llm_provider"]))
    },
    other,
    json: &["messages", "response", "metadata", "proxy_server_request", "proxy_server_request.body"],
    fields: Fields {
        id: &["request_id", "id", "litellm_call_id"],
        account: &[
            "api_key",
            "metadata.user_api_key_hash",
            "metadata.user_api_key",
            "metadata.user_api_key_user_id",
            "user",
            "metadata.user_api_key_team_id",
            "team_id",
            "metadata.user_api_key_alias",
        ],
        end_user: &["end_user", "metadata.user_api_key_end_user_id"],
        time: &["startTime", "start_time", "endTime"],
        model: &["model", "model_group"],
        conversation: &["session_id", "metadata.session_id"],
        request: &["messages", "proxy_server_request.body", "proxy_server_request"],
        response: &["response"],
        ..NOWHERE
    },
    mend: as_it_is,
};

fn other(row: &Object) -> Option<&'static str> {
    let kind = word(row, "call_type").unwrap_or_default();
    let others = [
        "embedding",
        "image",
        "speech",
        "transcription",
        "moderation",
        "rerank",
        "vector_store",
        "file",
        "batch",
        "health",
    ];
    others.iter().any(|name| kind.contains(name)).then_some("another kind of call")
}
