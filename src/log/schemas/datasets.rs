//! Data sets of conversations: LMSYS-Chat-1M (and arena logs), and ShareGPT.
//!
//! A row is a conversation without account and time; defaults serve. It is one exchange: its newest user text is the prompt, what the
//! assistant said after that the response, and everything before are earlier turns, which are compared as such. Votes are no exchanges.
//! Weakness: where every turn was a call of its own, as in WildChat with its times, the earlier ones are not exchanges here.

use super::{Fields, NOWHERE, Schema, any};
use crate::log::draft::Draft;
use crate::log::messages::Talk;
use crate::log::path::find;
use crate::log::value::{Object, get, word};
use serde_json::Value;

/// A conversation of LMSYS-Chat, or a line of the arena's own log.
pub(super) const LMSYS: Schema = Schema {
    name: "lmsys",
    source: "https://huggingface.co/datasets/lmsys/lmsys-chat-1m",
    is: |row| {
        let listed = get(row, "conversation").is_some_and(holds_list);
        let arena = any(row, &["tstamp"]) && any(row, &["state", "states", "conversation_a"]);
        let vote = any(row, &["conversation_a"]) && any(row, &["winner"]);
        (listed && any(row, &["conversation_id", "language", "openai_moderation", "redacted", "turn"])) || arena || vote
    },
    other: |row| {
        let vote = any(row, &["winner", "conversation_a"]) || word(row, "type").is_some_and(|kind| kind != "chat");
        vote.then_some("a vote")
    },
    json: &["conversation", "state"],
    fields: Fields {
        id: &["conversation_id", "state.conv_id"],
        account: &["user_id", "user", "ip"],
        time: &["tstamp", "timestamp", "time"],
        model: &["model", "state.model_name"],
        conversation: &["conversation_id", "state.conv_id"],
        ..NOWHERE
    },
    mend: |row, draft| whole(row, draft, &["conversation", "state.messages"]),
};

/// A conversation in the form of ShareGPT.
pub(super) const SHAREGPT: Schema = Schema {
    name: "sharegpt",
    source: "https://huggingface.co/datasets/anon8231489123/ShareGPT_Vicuna_unfiltered",
    is: |row| ["conversations", "items"].iter().any(|name| get(row, name).is_some_and(holds_list)),
    other: super::all_calls,
    json: &["conversations", "items"],
    fields: Fields {
        id: &["id", "conversation_id", "hash"],
        account: &["user_id", "user", "account"],
        time: &["time", "timestamp", "created_at"],
        model: &["model"],
        conversation: &["conversation_id"],
        system: &["system", "system_prompt"],
        ..NOWHERE
    },
    mend: |row, draft| whole(row, draft, &["conversations", "items"]),
};

/// Whether a value is a list of turns, or a text that may hold one.
fn holds_list(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.first().is_some_and(|turn| turn.as_object().is_some_and(is_turn)),
        Value::String(text) => text.trim_start().starts_with("[{"),
        _ => false,
    }
}

fn is_turn(turn: &Object) -> bool {
    any(turn, &["role", "from"]) && any(turn, &["content", "value", "text"])
}

fn whole(row: &Value, draft: &mut Draft, paths: &[&'static str]) {
    for path in paths {
        let Some(Value::Array(list)) = find(row, path) else { continue };
        let talk = Talk::of(list);
        if talk.has_prompt() {
            talk.fill_whole(draft);
            draft.origin.from("prompt", *path);
            if draft.response.is_some() {
                draft.origin.from("response", *path);
            }
            return;
        }
    }
}
