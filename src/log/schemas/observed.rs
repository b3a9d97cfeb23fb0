//! Logs of tools that keep the request as input and the answer as output beside whom the call was for: Lunary, Respan (Keywords AI), OpenPipe.
//!
//! They differ in how they name the account, the time and the conversation, and in little else. Weakness: OpenPipe's export has no time where the
//! answer has none.

use super::{Fields, NOWHERE, Schema, all, all_calls, any, as_it_is, is_word};
use crate::log::answer::is_answer;
use crate::log::body::holds_messages;
use crate::log::value::{get, word};
use serde_json::Value;

/// A run of Lunary.
pub(super) const LUNARY: Schema = Schema {
    name: "lunary",
    source: "https://docs.lunary.ai/api/runs",
    is: |row| {
        is_word(row, "type", &["llm", "chain", "agent", "tool", "thread", "chat", "embed", "retriever"])
            && any(row, &["createdAt", "created_at"])
            && any(row, &["endedAt", "ended_at", "externalUserId", "external_user_id", "templateSlug"])
            && any(row, &["input", "output"])
    },
    other: |row| (word(row, "type").as_deref() != Some("llm")).then_some("a run of another type"),
    json: &["user", "metadata"],
    fields: Fields {
        id: &["id"],
        account: &[
            "user.externalId",
            "user.external_id",
            "user.id",
            "userId",
            "user_id",
            "externalUserId",
            "external_user_id",
            "metadata.user_id",
            "projectId",
            "project_id",
        ],
        time: &["createdAt", "created_at"],
        model: &["name", "model"],
        conversation: &["threadId", "thread_id", "metadata.threadId"],
        request: &["input"],
        response: &["output"],
        ..NOWHERE
    },
    mend: as_it_is,
};

/// A request of Respan.
pub(super) const RESPAN: Schema = Schema {
    name: "respan",
    source: "https://docs.keywordsai.co/api-endpoints/observe/logs/request-logging-endpoint",
    is: |row| {
        any(row, &["customer_identifier", "thread_identifier", "organization_key_id", "trace_unique_id"])
            && any(row, &["prompt_messages", "input"])
    },
    other: |row| {
        let call = word(row, "log_type")
            .is_none_or(|kind| matches!(kind.as_str(), "chat" | "completion" | "response" | "generation" | "text"));
        (!call).then_some("a log of another type")
    },
    json: &["prompt_messages", "metadata", "customer_params"],
    fields: Fields {
        id: &["id", "unique_id"],
        account: &[
            "customer_identifier",
            "customer_params.customer_identifier",
            "organization_key_id",
            "metadata.user_id",
        ],
        time: &["timestamp", "start_time", "created_at"],
        model: &["model"],
        conversation: &["thread_identifier", "session_identifier"],
        request: &["prompt_messages", "input"],
        response: &["completion_message", "output"],
        ..NOWHERE
    },
    mend: as_it_is,
};

/// A line of OpenPipe's export.
pub(super) const OPENPIPE: Schema = Schema {
    name: "openpipe",
    source: "https://docs.openpipe.ai/features/request-logs/exporting-logs",
    is: |row| {
        let body = |name: &str, is: fn(&Value) -> bool| get(row, name).is_some_and(is);
        all(row, &["reqPayload", "respPayload"])
            || (!any(row, &["model", "instructions"])
                && body("input", |input| input.get("messages").is_some() || holds_messages(input))
                && body("output", is_answer))
    },
    other: all_calls,
    json: &["input", "reqPayload", "tags", "metadata"],
    fields: Fields {
        id: &["id"],
        account: &[
            "account",
            "account_id",
            "customer_id",
            "user_id",
            "user",
            "tags.account_id",
            "tags.customer_id",
            "tags.user_id",
            "tags.userId",
            "tags.user",
            "metadata.account_id",
            "metadata.customer_id",
            "metadata.user_id",
            "metadata.userId",
        ],
        end_user: &["end_user"],
        time: &["requestedAt", "requested_at", "createdAt", "created_at", "timestamp", "time"],
        model: &["model"],
        conversation: &["conversation", "conversation_id", "session_id"],
        request: &["input", "reqPayload"],
        response: &["output", "respPayload"],
        attributes: &["tags"],
        ..NOWHERE
    },
    mend: as_it_is,
};
