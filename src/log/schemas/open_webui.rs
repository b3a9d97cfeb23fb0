//! Open WebUI: chats as its administrator exports them (a JSON array).
//!
//! A row is a chat of one user: its newest user text is the prompt, and what was said after it the response; everything before are earlier
//! turns. Weakness: where a chat has branches, only the one that was shown last is read.

use super::{Fields, NOWHERE, Schema, all};
use crate::log::messages::Talk;
use crate::log::path::find;
use serde_json::Value;

/// A chat.
pub(super) const SCHEMA: Schema = Schema {
    name: "open-webui",
    source: "https://docs.openwebui.com/features/chat-features/import-export-chats",
    is: |row| {
        all(row, &["user_id", "chat"])
            && row.get("chat").and_then(crate::log::body::object).is_some_and(|chat| chat.contains_key("messages"))
    },
    other: super::all_calls,
    json: &["chat"],
    fields: Fields {
        id: &["id"],
        account: &["user_id"],
        time: &["updated_at", "created_at", "chat.timestamp"],
        model: &["chat.models.0"],
        conversation: &["id"],
        system: &["chat.system", "chat.params.system"],
        ..NOWHERE
    },
    mend: |row, draft| {
        let Some(Value::Array(list)) = find(row, "chat.messages") else { return };
        let talk = Talk::of(list);
        if talk.has_prompt() {
            talk.fill_whole(draft);
            draft.origin.from("prompt", "chat.messages");
            if draft.response.is_some() {
                draft.origin.from("response", "chat.messages");
            }
        }
    },
};
