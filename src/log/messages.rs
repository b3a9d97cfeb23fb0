//! Messages of chat APIs → prompt, system prompt, earlier turns, response.
//!
//! One reader serves OpenAI chat and responses, Anthropic messages and OpenTelemetry: they differ in names only. A message
//! is a role and a content, which is a text or a list of blocks. Text blocks of one message are joined by a newline; tool
//! results become turns of role `tool` wherever they stand; images, audio, tool calls and reasoning are left out. The prompt
//! is the newest user text; when newer messages hold only tool results it is still that text, and they stay turns.
//!
//! Weakness: of several answer choices only the first is kept, and tool calls are not kept at all.

use super::draft::Draft;
use super::value::{Object, get};
use crate::exchange::Turn;
use serde_json::Value;

/// A conversation as one request carries it.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    /// System and developer texts, in order.
    system: Vec<String>,
    /// Everything else, oldest first.
    turns: Vec<Turn>,
}

impl Talk {
    /// Reads a list of messages; what is no message is passed over.
    pub(crate) fn of(list: &[Value]) -> Self {
        let mut talk = Self::default();
        for item in list {
            match item {
                Value::Object(message) => talk.message(message),
                Value::String(text) => talk.say("user", text.clone()),
                _ => {}
            }
        }
        talk
    }

    /// What one role said, where it is text.
    pub(crate) fn one(role: &str, content: &Value) -> Option<Turn> {
        let mut talk = Self::default();
        talk.content(role, content);
        let system = talk.system.pop().map(|text| Turn { role: "system".to_owned(), text });
        system.or_else(|| talk.turns.pop())
    }

    /// Adds one message.
    pub(crate) fn message(&mut self, message: &Object) {
        let item = get(message, "type").and_then(Value::as_str).unwrap_or("message");
        if item == "function_call_output" || item == "custom_tool_call_output" {
            let text = get(message, "output").map(tool_text).unwrap_or_default();
            return self.say("tool", text);
        }
        let Some(role) = get(message, "role").or_else(|| get(message, "from")).and_then(Value::as_str) else { return };
        match ["parts", "content", "value"].iter().find_map(|name| get(message, name)) {
            Some(content) => self.content(role, content),
            None => self.say(role, get(message, "refusal").and_then(Value::as_str).unwrap_or_default().to_owned()),
        }
    }

    /// Adds what a role said: a text or blocks.
    pub(crate) fn content(&mut self, role: &str, content: &Value) {
        let role = match role {
            "developer" => "system",
            "human" => "user",
            "model" | "ai" | "gpt" => "assistant",
            "function" | "tool_response" => "tool",
            other => other,
        };
        if role == "tool" {
            return self.say(role, tool_text(content));
        }
        let mut said = String::new();
        for block in blocks(content) {
            match block {
                Block::Text(text) => join(&mut said, text),
                Block::ToolResult(result) => self.say("tool", tool_text(result)),
                Block::Other => {}
            }
        }
        self.say(role, said);
    }

    fn say(&mut self, role: &str, text: String) {
        if text.trim().is_empty() {
            return;
        }
        if role == "system" {
            self.system.push(text);
        } else {
            self.turns.push(Turn { role: role.to_owned(), text });
        }
    }

    /// Puts prompt, system prompt and turns into a draft; a system prompt that the draft has comes first.
    pub(crate) fn fill(mut self, draft: &mut Draft) {
        let newest = self.turns.iter().rposition(|turn| turn.role == "user");
        draft.prompt = newest.map(|at| self.turns.remove(at).text);
        let mut system = draft.system.take().filter(|text| !text.is_empty());
        for text in self.system {
            join(system.get_or_insert_default(), &text);
        }
        draft.system = system;
        draft.turns = self.turns;
    }
}

/// One block of a content.
enum Block<'a> {
    Text(&'a str),
    /// What the tool gave; turned into text only once, for results may nest.
    ToolResult(&'a Value),
    Other,
}

/// The blocks of a content.
fn blocks(content: &Value) -> Vec<Block<'_>> {
    match content {
        Value::String(text) => vec![Block::Text(text)],
        Value::Array(items) => items.iter().map(block).collect(),
        Value::Object(_) => vec![block(content)],
        _ => Vec::new(),
    }
}

fn block(value: &Value) -> Block<'_> {
    let item = match value {
        Value::String(text) => return Block::Text(text),
        Value::Object(item) => item,
        _ => return Block::Other,
    };
    match get(item, "type").and_then(Value::as_str).unwrap_or("text") {
        "text" | "input_text" | "output_text" => {
            let text = get(item, "text").or_else(|| get(item, "content"));
            // Assistants nest the text once more: {"text": {"value": …}}.
            let text = text.map(|text| text.get("value").unwrap_or(text));
            text.and_then(Value::as_str).map_or(Block::Other, Block::Text)
        }
        "tool_result" | "tool_call_response" | "function_call_output" | "server_tool_call_response" => {
            let result = ["content", "response", "result", "output"].iter().find_map(|name| get(item, name));
            result.map_or(Block::Other, Block::ToolResult)
        }
        _ => Block::Other,
    }
}

/// A tool's result as text: the texts of its blocks, or the JSON of anything else.
fn tool_text(value: &Value) -> String {
    if let Value::String(text) = value {
        return text.clone();
    }
    let mut said = String::new();
    for block in blocks(value) {
        match block {
            Block::Text(text) => join(&mut said, text),
            Block::ToolResult(inner) => join(&mut said, &tool_text(inner)),
            Block::Other => {}
        }
    }
    if said.is_empty() { value.to_string() } else { said }
}

/// Appends a text on a line of its own.
fn join(said: &mut String, text: &str) {
    if !said.is_empty() {
        said.push('\n');
    }
    said.push_str(text);
}

/// A system prompt: a text or blocks, joined by newlines.
pub(crate) fn system_text(value: &Value) -> Option<String> {
    let mut said = String::new();
    for block in blocks(value) {
        if let Block::Text(text) = block {
            join(&mut said, text);
        }
    }
    (!said.is_empty()).then_some(said)
}

/// A response: a text, blocks, or what a chat API returns. Its blocks are one text in pieces, so nothing is put between them.
pub(crate) fn response_text(value: &Value) -> Option<String> {
    let plain = |value: &Value| -> Option<String> {
        let said: String =
            blocks(value).iter().map(|block| if let Block::Text(text) = block { *text } else { "" }).collect();
        (!said.is_empty()).then_some(said)
    };
    let message = |message: &Object| {
        let content = ["content", "parts"].iter().find_map(|name| get(message, name));
        content.and_then(plain).or_else(|| get(message, "refusal").and_then(plain))
    };
    match value {
        Value::Object(body) => {
            if let Some(choice) = get(body, "choices").and_then(|choices| choices.get(0)) {
                let inner = choice.get("message").or_else(|| choice.get("delta")).and_then(Value::as_object);
                return inner.and_then(message).or_else(|| choice.get("text").and_then(plain));
            }
            if let Some(items) = get(body, "output").and_then(Value::as_array) {
                return messages_text(items);
            }
            message(body)
                .or_else(|| get(body, "text").and_then(plain))
                .or_else(|| ["completion", "output_text"].iter().find_map(|name| get(body, name)).and_then(plain))
        }
        Value::Array(items) if items.iter().any(|item| item.get("role").is_some()) => messages_text(items),
        other => plain(other),
    }
}

/// The texts of the assistant's messages among output items, in pieces of one text.
fn messages_text(items: &[Value]) -> Option<String> {
    let said: String = items
        .iter()
        .filter_map(Value::as_object)
        .filter(|item| get(item, "role").and_then(Value::as_str).is_some_and(|role| role != "user" && role != "tool"))
        .filter_map(|item| ["content", "parts"].iter().find_map(|name| get(item, name)))
        .filter_map(response_text)
        .collect();
    (!said.is_empty()).then_some(said)
}
