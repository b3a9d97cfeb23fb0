//! Chats as their users export them: ChatGPT, Claude, LibreChat, LM Studio; and the trees of OpenAssistant.
//!
//! A row is a conversation. Each of its user turns was a call of its own and is an exchange, as in WildChat, whose reader does the rest: here each
//! export is turned into its list of turns. Where a chat has branches, the one that was shown last is read; of an OpenAssistant tree every question is,
//! without its answers, which are other volunteers' and no model's, and without what came before it, which is an exchange itself.
//!
//! Weakness: ChatGPT's, LibreChat's and LM Studio's exports do not say whose they are. Guarantee: a chat that leads back into itself ends where it does.

use super::draft::Draft;
use super::value::{Object, get, scalar, small, take, unpacked, word};
use super::wildchat::{self, Names};
use super::{Fault, Reason};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// Which export a row is of, if any.
#[derive(Clone, Copy)]
enum Kind {
    ChatGpt,
    Claude,
    LibreChat,
    LmStudio,
    Tree,
}

fn kind(row: &Object) -> Option<Kind> {
    let first =
        |name: &str| get(row, name).and_then(Value::as_array).and_then(|list| list.first()).and_then(Value::as_object);
    let said = |fields: &Object, names: &[&str]| names.iter().all(|name| fields.contains_key(*name));
    if get(row, "mapping").is_some_and(Value::is_object)
        && ["current_node", "conversation_id", "create_time"].iter().any(|name| row.contains_key(*name))
    {
        return Some(Kind::ChatGpt);
    }
    if first("chat_messages").is_some_and(|message| message.contains_key("sender")) {
        return Some(Kind::Claude);
    }
    if let Some(message) = first("messages") {
        if said(message, &["messageId", "isCreatedByUser"]) {
            return Some(Kind::LibreChat);
        }
        if get(message, "versions").is_some_and(Value::is_array) {
            return Some(Kind::LmStudio);
        }
    }
    let root = get(row, "prompt").and_then(Value::as_object);
    (row.contains_key("message_tree_id") && root.is_some_and(|root| said(root, &["text", "role"])))
        .then_some(Kind::Tree)
}

/// Whether a row is a chat.
pub(crate) fn is_chat(row: &mut Object) -> bool {
    // A table has lists and objects as texts.
    let text = |name: &str| get(row, name).and_then(Value::as_str).unwrap_or_default();
    let messages = text("messages");
    let held = !text("chat_messages").is_empty()
        || !text("mapping").is_empty()
        || messages.contains("versions")
        || messages.contains("isCreatedByUser")
        || (row.contains_key("message_tree_id") && text("prompt").starts_with('{'));
    if held {
        for name in ["chat_messages", "mapping", "messages", "prompt", "account", "options", "lastUsedModel"] {
            if let Some(value) = row.get_mut(name) {
                *value = unpacked(value.take());
            }
        }
    }
    kind(row).is_some()
}

/// The exchanges of a chat.
pub(crate) fn drafts(mut row: Object) -> Result<Vec<Draft>, Fault> {
    let (names, turns, account, model) = match kind(&row) {
        Some(Kind::ChatGpt) => {
            let turns = shown(take(&mut row, "mapping"), word(&row, "current_node"));
            let model = newest(&turns).or_else(|| word(&row, "default_model_slug"));
            (
                Names { schema: "chatgpt", account: "--default-account", time: "create_time", said: "mapping" },
                turns,
                None,
                model,
            )
        }
        Some(Kind::Claude) => {
            let turns = list(take(&mut row, "chat_messages")).into_iter().filter_map(|message| {
                let text =
                    get(&message, "text").filter(|text| text.as_str() != Some("")).or_else(|| get(&message, "content"));
                Some(turn(get(&message, "sender")?, text?, get(&message, "created_at"), get(&message, "uuid")))
            });
            let account = row.get("account").and_then(|account| account.get("uuid")).cloned();
            let turns = turns.collect();
            let model = word(&row, "model");
            (
                Names { schema: "claude-ai", account: "account.uuid", time: "created_at", said: "chat_messages" },
                turns,
                account,
                model,
            )
        }
        Some(Kind::LibreChat) => {
            let turns = branch(take(&mut row, "messages"));
            let model = newest(&turns).or_else(|| word(row.get("options")?.as_object()?, "model"));
            let account = row.remove("user").filter(|user| scalar(user).is_some());
            (Names { schema: "librechat", account: "user", time: "createdAt", said: "messages" }, turns, account, model)
        }
        Some(Kind::LmStudio) => {
            let turns = list(take(&mut row, "messages")).iter().filter_map(studio).collect::<Vec<_>>();
            let system = row.remove("systemPrompt").filter(|text| text.as_str().is_some_and(|text| !text.is_empty()));
            let first = system.map(|text| json!({"role": "system", "content": text}));
            let used = || word(&row, "lastUsedModel.identifier");
            let model = row.get("lastUsedModel").and_then(|model| scalar(model.get("identifier")?)).or_else(used);
            let turns = first.into_iter().chain(turns).collect();
            (
                Names { schema: "lm-studio", account: "--default-account", time: "createdAt", said: "messages" },
                turns,
                None,
                model,
            )
        }
        Some(Kind::Tree) => return questions(row),
        None => return Err(Fault::new(Reason::UnknownSchema, "expected a chat, got other JSON")),
    };
    let time = [names.time, "created_at", "createdAt", "exportAt"].iter().find_map(|name| get(&row, name)).cloned();
    let id = ["conversation_id", "conversationId", "uuid", "id"].iter().find_map(|name| word(&row, name));
    let chat = [
        ("conversation", Some(Value::Array(turns))),
        ("hashed_ip", account),
        ("timestamp", time),
        ("model", model.map(Value::String)),
        ("conversation_hash", id.map(Value::String)),
    ];
    wildchat::named(chat.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect(), &names)
}

fn list(value: Option<Value>) -> Vec<Object> {
    let Some(Value::Array(items)) = value else { return Vec::new() };
    items.into_iter().filter_map(|item| if let Value::Object(fields) = item { Some(fields) } else { None }).collect()
}

/// A turn in the form of WildChat.
fn turn(role: &Value, content: &Value, time: Option<&Value>, id: Option<&Value>) -> Value {
    let mut turn = Object::from_iter([("role".to_owned(), role.clone()), ("content".to_owned(), content.clone())]);
    for (name, value) in [("timestamp", time), ("turn_identifier", id)] {
        turn.extend(value.filter(|value| small(value, 258)).map(|value| (name.to_owned(), value.clone())));
    }
    Value::Object(turn)
}

/// The model of the newest turn that names one.
fn newest(turns: &[Value]) -> Option<String> {
    turns.iter().rev().find_map(|turn| scalar(turn.get("model")?)).filter(|model| model.len() <= 256)
}

/// The turns of ChatGPT's branch that was shown last: from its newest node back to the root.
fn shown(mapping: Option<Value>, current: Option<String>) -> Vec<Value> {
    let Some(Value::Object(nodes)) = mapping else { return Vec::new() };
    let leaf = || {
        nodes
            .iter()
            .filter(|(_, node)| node.get("children").is_none_or(|list| list.get(0).is_none()))
            .map(|(id, _)| id.clone())
            .next_back()
    };
    let mut at = current.filter(|id| nodes.contains_key(id)).or_else(leaf);
    let (mut seen, mut turns) = (HashSet::new(), Vec::new());
    while let Some(id) = at.filter(|id| seen.insert(id.clone())) {
        let Some(node) = nodes.get(&id) else { break };
        at = node.get("parent").and_then(scalar);
        let Some(message) = node.get("message").and_then(Value::as_object) else { continue };
        let text = |path: &str| message.get("content").and_then(|content| content.get(path));
        let said =
            text("content_type").and_then(Value::as_str).is_none_or(|kind| matches!(kind, "text" | "multimodal_text"));
        // A call of a tool is addressed to the tool.
        let to_all = word(message, "recipient").is_none_or(|to| to == "all");
        let (Some(role), Some(parts)) = (message.get("author").and_then(|author| author.get("role")), text("parts"))
        else {
            continue;
        };
        if said && to_all {
            let mut turn = turn(role, parts, get(message, "create_time"), get(message, "id"));
            if let Some(model) = message
                .get("metadata")
                .and_then(|metadata| metadata.get("model_slug"))
                .filter(|model| small(model, 258))
            {
                turn["model"] = model.clone();
            }
            turns.push(turn);
        }
    }
    turns.reverse();
    turns
}

/// The turns of LibreChat's newest branch: from the last message back over those that each answers.
fn branch(messages: Option<Value>) -> Vec<Value> {
    let mut all: Vec<Object> = Vec::new();
    let mut nested = vec![list(messages).into_iter()];
    // An export that keeps the tree has the answers to a message within it.
    while let Some(level) = nested.last_mut() {
        match level.next() {
            Some(mut message) => {
                let children = list(message.remove("children"));
                all.push(message);
                nested.push(children.into_iter());
            }
            None => drop(nested.pop()),
        }
    }
    let places: HashMap<String, usize> =
        all.iter().enumerate().filter_map(|(at, message)| Some((word(message, "messageId")?, at))).collect();
    let mut at = all.len().checked_sub(1);
    let (mut seen, mut turns) = (HashSet::new(), Vec::new());
    while let Some(place) = at.filter(|place| seen.insert(*place)) {
        let message = &all[place];
        at = word(message, "parentMessageId").and_then(|parent| places.get(&parent).copied());
        let role = if message.get("isCreatedByUser") == Some(&Value::Bool(true)) { "user" } else { "assistant" };
        let Some(said) =
            get(message, "text").filter(|text| text.as_str() != Some("")).or_else(|| get(message, "content"))
        else {
            continue;
        };
        let mut turn = turn(&role.into(), said, get(message, "createdAt"), get(message, "messageId"));
        if let Some(model) = get(message, "model").filter(|model| small(model, 258)) {
            turn["model"] = model.clone();
        }
        turns.push(turn);
    }
    turns.reverse();
    turns
}

/// A turn of LM Studio: the version of a message that is shown, whose answer may have come in steps.
fn studio(message: &Object) -> Option<Value> {
    let shown = get(message, "currentlySelected").and_then(Value::as_u64).unwrap_or(0);
    let version = get(message, "versions")?.get(shown as usize)?.as_object()?;
    let steps = get(version, "steps").and_then(Value::as_array).into_iter().flatten();
    let blocks = steps.filter_map(|step| step.get("content")?.as_array()).flatten().cloned();
    let content = get(version, "content").cloned().unwrap_or_else(|| Value::Array(blocks.collect()));
    Some(turn(get(version, "role")?, &content, None, None))
}

/// Every question of a tree.
fn questions(mut row: Object) -> Result<Vec<Draft>, Fault> {
    let tree = word(&row, "message_tree_id").filter(|id| id.len() <= 256);
    let mut waiting = list(take(&mut row, "prompt").map(|root| Value::Array(vec![root])));
    waiting.reverse();
    let mut drafts = Vec::new();
    while let Some(mut node) = waiting.pop() {
        let replies = list(node.remove("replies"));
        if word(&node, "role").as_deref() == Some("prompter") {
            let mut draft = Draft::of("oasst");
            for (field, path) in [("prompt", "text"), ("account", "user_id"), ("time", "created_date")] {
                draft.origin.from(field, path);
            }
            draft.id = take(&mut node, "message_id");
            draft.account = take(&mut node, "user_id");
            draft.time = take(&mut node, "created_date");
            draft.prompt = word(&node, "text");
            draft.conversation.clone_from(&tree);
            drafts.push(draft);
        }
        waiting.extend(replies.into_iter().rev());
    }
    if drafts.is_empty() {
        return Err(Fault::new(Reason::NoPrompt, "expected a question in a tree of messages, got none"));
    }
    Ok(drafts)
}
