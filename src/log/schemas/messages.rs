//! Tables of chat applications that have a row for each message: LibreChat, Flowise, Langflow.
//!
//! LibreChat's answer names the message that it answers, so the two are joined; an answer that was asked for again is passed over. Weakness: in Flowise and Langflow only the order ties an answer to its
//! question; it is not guessed, so the exchange has no answer there. A session is no account, for one person has many: where the application names no
//! user, a default or a map does.

use super::{Fields, NOWHERE, Schema, all, any, is_word};
use crate::log::draft::Draft;
use crate::log::join::Half;
use crate::log::messages::system_text;
use crate::log::path::find;
use crate::log::value::{get, scalar, word};
use serde_json::Value;

/// A message of LibreChat's data base.
pub(super) const LIBRECHAT: Schema = Schema {
    name: "librechat",
    source: "https://github.com/danny-avila/LibreChat/blob/main/packages/data-schemas/src/schema/message.ts",
    is: |row| all(row, &["messageId", "conversationId", "isCreatedByUser"]),
    other: super::all_calls,
    json: &["content", "createdAt"],
    fields: Fields {
        id: &["messageId"],
        account: &["user"],
        time: &["createdAt.$date.$numberLong", "createdAt.$date", "createdAt"],
        model: &["model"],
        conversation: &["conversationId"],
        ..NOWHERE
    },
    mend: |row, draft| {
        let key = |path| find(row, path).and_then(scalar).map(|id| format!("librechat:{id}"));
        let (path, said) = match find(row, "text") {
            Some(text) => ("text", text.as_str().map(str::to_owned)),
            None => ("content", find(row, "content").and_then(system_text)),
        };
        if find(row, "isCreatedByUser")
            .is_some_and(|of_user| matches!(of_user, Value::Bool(true)) || of_user == "true" || of_user == "True")
        {
            draft.prompt = said;
            draft.origin.from("prompt", path);
            // The answer has its own name, which the exchange takes; the model is the answer's too.
            draft.half = key("messageId").map(Half::Request);
        } else {
            draft.response = said;
            draft.origin.from("response", path);
            draft.half = key("parentMessageId").map(Half::Answer);
        }
    },
};

/// A message of Flowise's table.
pub(super) const FLOWISE: Schema = Schema {
    name: "flowise",
    source: "https://docs.flowiseai.com/api-reference/chat-message",
    is: |row| all(row, &["chatflowid", "role", "content"]),
    other: |row| (word(row, "role").as_deref() != Some("userMessage")).then_some("an answer without its question"),
    json: &[],
    fields: Fields {
        id: &["id"],
        account: &["userId"],
        time: &["createdDate"],
        conversation: &["sessionId", "chatId"],
        ..NOWHERE
    },
    mend: |row, draft| asked(row, draft, "content"),
};

/// A message of Langflow's table.
pub(super) const LANGFLOW: Schema = Schema {
    name: "langflow",
    source: "https://docs.langflow.org/api-monitor",
    is: |row| {
        all(row, &["flow_id", "sender", "text"])
            && any(row, &["sender_name", "session_id"])
            && get(row, "sender").is_some_and(Value::is_string)
    },
    other: |row| (!is_word(row, "sender", &["User"])).then_some("an answer without its question"),
    json: &[],
    fields: Fields {
        id: &["id", "message_id"],
        account: &["user_id"],
        time: &["timestamp"],
        conversation: &["session_id"],
        ..NOWHERE
    },
    mend: |row, draft| asked(row, draft, "text"),
};

fn asked(row: &Value, draft: &mut Draft, path: &'static str) {
    draft.prompt = find(row, path).and_then(Value::as_str).map(str::to_owned);
    draft.origin.from("prompt", path);
}
