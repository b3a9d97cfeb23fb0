//! Data sets of conversations: LMSYS-Chat-1M (and arena logs), ShareGPT, UltraChat, and of single questions: Alpaca, Dolly, OpenOrca.
//!
//! A row is a conversation without account and time; defaults serve. It is one exchange: its newest user text is the prompt, what the
//! assistant said after that the response, and everything before are earlier turns, which are compared as such. Votes are no exchanges.
//! Weakness: where every turn was a call of its own, as in WildChat with its times, the earlier ones are not exchanges here.

use super::{Fields, NOWHERE, Schema, all, any};
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

/// A conversation of UltraChat: texts of the user and of the assistant in turn, or (its 200k) the first of them beside the messages.
pub(super) const ULTRACHAT: Schema = Schema {
    name: "ultrachat",
    source: "https://huggingface.co/datasets/stingning/ultrachat and https://huggingface.co/datasets/HuggingFaceH4/ultrachat_200k",
    is: |row| {
        let talk =
            |value: &Value| value.as_array().is_some_and(|list| list.len() > 1 && list.iter().all(Value::is_string));
        // A body may name a stored prompt beside its messages.
        (all(row, &["prompt_id", "messages"]) && !any(row, &["model", "response", "choices", "account", "user"]))
            || (all(row, &["id"]) && row.len() == 2 && get(row, "data").is_some_and(talk))
    },
    other: super::all_calls,
    json: &["messages"],
    fields: Fields { id: &["id", "prompt_id"], account: &["user_id"], time: &["time", "timestamp"], ..NOWHERE },
    mend: |row, draft| {
        let Some(Value::Array(texts)) = find(row, "data") else { return whole(row, draft, &["messages"]) };
        let turns = texts.iter().zip(["user", "assistant"].into_iter().cycle());
        let turns: Vec<Value> = turns.map(|(text, role)| serde_json::json!({"role": role, "content": text})).collect();
        Talk::of(&turns).fill_whole(draft);
        draft.origin.from("prompt", "data");
        draft.origin.from("response", "data");
    },
};

/// A question with its answer: of Alpaca and its kin, which may have a text to work on, of Dolly, which may have a context, and of OpenOrca.
pub(super) const INSTRUCTION: Schema = Schema {
    name: "instruction",
    source: "https://huggingface.co/datasets/tatsu-lab/alpaca, https://huggingface.co/datasets/databricks/databricks-dolly-15k and https://huggingface.co/datasets/Open-Orca/OpenOrca",
    is: |row| {
        let text = |name: &str| get(row, name).is_some_and(Value::is_string);
        // What was sent as such stands before what a template was filled with.
        !any(row, &["prompt", "messages", "request"])
            && ((text("instruction") && (text("output") || (text("response") && any(row, &["context", "category"]))))
                || (text("question") && text("response") && (text("system_prompt") || of_orca(row))))
    },
    other: super::all_calls,
    json: &[],
    fields: Fields {
        id: &["id"],
        account: &["account", "account_id", "user_id", "user"],
        time: &["time", "timestamp", "created_at"],
        model: &["model"],
        ..NOWHERE
    },
    mend: |row, draft| {
        let text = |name: &str| find(row, name).and_then(Value::as_str);
        let path = if text("instruction").is_some() { "instruction" } else { "question" };
        let parts = [text(path), text("input").or_else(|| text("context"))];
        draft.prompt = Some(parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n"));
        draft.origin.from("prompt", path);
        draft.system = text("system_prompt").map(str::to_owned);
        if let Some((path, said)) = ["output", "response"].into_iter().find_map(|path| Some((path, text(path)?))) {
            draft.response = Some(said.to_owned());
            draft.origin.from("response", path);
        }
    },
};

/// Whether a row without a system prompt has a name as OpenOrca gives them.
fn of_orca(row: &Object) -> bool {
    let named = |id: String| ["flan.", "t0.", "cot.", "niv."].iter().any(|part| id.starts_with(part));
    row.len() == 3 && word(row, "id").is_some_and(named)
}

/// A message of OpenAssistant, a row of its own: what a volunteer asked. The answers are other volunteers' and no model's.
pub(super) const OASST: Schema = Schema {
    name: "oasst",
    source: "https://huggingface.co/datasets/OpenAssistant/oasst1",
    is: |row| all(row, &["message_tree_id", "role", "text"]),
    other: |row| (word(row, "role").as_deref() != Some("prompter")).then_some("an answer by a person"),
    json: &[],
    fields: Fields {
        id: &["message_id"],
        account: &["user_id"],
        time: &["created_date"],
        conversation: &["message_tree_id"],
        ..NOWHERE
    },
    mend: |row, draft| {
        draft.prompt = find(row, "text").and_then(Value::as_str).map(str::to_owned);
        draft.origin.from("prompt", "text");
    },
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
