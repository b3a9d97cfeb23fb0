//! Kong AI Gateway: lines of its log plug-ins (`http-log`, `file-log` …) with the payloads of `ai-proxy` (`logging.log_payloads`).
//!
//! The account is the consumer. Weakness: a gateway that logs statistics only has no prompt.

use super::{Fields, NOWHERE, Schema, all_calls, as_it_is};
use crate::log::value::get;

/// A call through the gateway.
pub(super) const SCHEMA: Schema = Schema {
    name: "kong",
    source: "https://developer.konghq.com/ai-gateway/ai-audit-log-reference/",
    is: |row| {
        let ai = get(row, "ai").and_then(crate::log::body::object);
        ai.is_some_and(|ai| {
            ai.contains_key("proxy")
                || ai.contains_key("payload")
                || ai.contains_key("meta")
                || ai.values().any(|plugin| plugin.get("payload").is_some())
        }) || row.keys().any(|key| key.starts_with("ai.proxy.payload"))
    },
    other: all_calls,
    json: &[
        "ai",
        "consumer",
        "request",
        "ai.proxy",
        "ai.proxy.payload",
        "ai.proxy.payload.request",
        "ai.proxy.payload.response",
    ],
    fields: Fields {
        id: &["request.id", "correlation_id"],
        account: &[
            "consumer.username",
            "consumer.custom_id",
            "consumer.id",
            "authenticated_entity.consumer_id",
            "authenticated_entity.id",
            "consumer_group.name",
        ],
        time: &["started_at"],
        model: &[
            "ai.proxy.meta.request_model",
            "ai.meta.request_model",
            "ai.ai-proxy.meta.request_model",
            "ai.ai-proxy-advanced.meta.request_model",
            "ai.proxy.meta.response_model",
        ],
        request: &[
            "ai.proxy.payload.request",
            "ai.payload.request",
            "ai.ai-proxy.payload.request",
            "ai.ai-proxy-advanced.payload.request",
        ],
        response: &[
            "ai.proxy.payload.response",
            "ai.payload.response",
            "ai.ai-proxy.payload.response",
            "ai.ai-proxy-advanced.payload.response",
        ],
        ..NOWHERE
    },
    mend: as_it_is,
};
