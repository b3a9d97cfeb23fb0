//! Messages of chat APIs → prompt, system prompt, earlier turns.
//!
//! One reader serves OpenAI chat and responses, Anthropic messages, Gemini contents, Bedrock Converse, Cohere, LangChain, OpenInference and
//! OpenTelemetry: they differ in names only. A message is a role and a content, which is a text or a list of blocks. Text blocks of one
//! message are joined by a newline; tool results become turns of role `tool` wherever they stand; images, audio, tool calls and reasoning are
//! left out. The prompt is the newest user text; when newer messages hold only tool results it is still that text, and they stay turns. Where the
//! newest user message holds images, audio or files and no text, an older text is not what was asked: there is no prompt, and the row says so.
//!
//! Weakness: tool calls are not kept at all. Guarantee: any JSON gives messages or none, and nothing nests deeper than the JSON reader allows.

use super::Reason;
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
    /// The newest user message holds images, audio or files and no text.
    silent: bool,
}

impl Talk {
    /// Reads a list of messages; what is no message is passed over.
    pub(crate) fn of(list: &[Value]) -> Self {
        let mut talk = Self::default();
        talk.list(list);
        talk
    }

    fn list(&mut self, list: &[Value]) {
        for item in list {
            match item {
                Value::Object(message) => self.message(message),
                Value::String(text) => self.say("user", text.clone()),
                // LangChain's batches (`[[…]]`, of which the first is the call's), and FastChat's and LangGraph's pairs of role and text.
                Value::Array(inner) => match inner.as_slice() {
                    [Value::String(role), content @ (Value::String(_) | Value::Array(_))] if is_role(role) => {
                        self.content(role, content);
                    }
                    _ => {
                        let inner = inner.iter().filter_map(Value::as_object);
                        inner.for_each(|message| self.message(message));
                    }
                },
                _ => {}
            }
        }
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
        // OpenInference wraps each message, LangChain its content.
        if let Some(Value::Object(inner)) = get(message, "message").filter(|_| !message.contains_key("role")) {
            return self.message(inner);
        }
        let item = get(message, "type").and_then(Value::as_str).unwrap_or("message");
        if item == "function_call_output" || item == "custom_tool_call_output" {
            let text = get(message, "output").map(tool_text).unwrap_or_default();
            return self.say("tool", text);
        }
        // Gemini's content of one turn needs no role.
        let unnamed = get(message, "parts").filter(|parts| parts.is_array()).map(|_| "user");
        let Some(role) = role_of(message).or(unnamed) else { return };
        let fields = wrapped(message);
        match CONTENT.iter().find_map(|name| get(fields, name)) {
            Some(content) => self.content(role, content),
            None => self.say(role, get(fields, "refusal").and_then(Value::as_str).unwrap_or_default().to_owned()),
        }
    }

    /// Adds what a role said: a text or blocks.
    pub(crate) fn content(&mut self, role: &str, content: &Value) {
        let role = plain_role(role);
        if role == "tool" {
            return self.say(role, tool_text(content));
        }
        let mut said = String::new();
        let (mut others, mut results) = (false, false);
        for block in blocks(content) {
            match block {
                Block::Text(text) => join(&mut said, text),
                Block::ToolResult(result) => {
                    results = true;
                    self.say("tool", tool_text(result));
                }
                Block::Other => others = true,
            }
        }
        self.silent |= role == "user" && others && !results && said.trim().is_empty();
        self.say(role, said);
    }

    fn say(&mut self, role: &str, text: String) {
        if text.trim().is_empty() {
            return;
        }
        self.silent &= role != "user";
        if role == "system" {
            self.system.push(text);
        } else {
            self.turns.push(Turn { role: role.to_owned(), text });
        }
    }

    /// Whether a user said something, be it in images only.
    pub(crate) fn has_prompt(&self) -> bool {
        self.silent || self.turns.iter().any(|turn| turn.role == "user")
    }

    /// As [`Talk::fill`], for a record of the whole conversation: what the assistant said after the newest user text is the response.
    pub(crate) fn fill_whole(mut self, draft: &mut Draft) {
        let newest = self.turns.iter().rposition(|turn| turn.role == "user");
        let later = newest.map_or_else(Vec::new, |at| self.turns.split_off(at + 1));
        let (said, others): (Vec<_>, Vec<_>) = later.into_iter().partition(|turn| turn.role == "assistant");
        self.turns.extend(others);
        let said: Vec<String> = said.into_iter().map(|turn| turn.text).collect();
        if draft.response.is_none() && !said.is_empty() {
            draft.response = Some(said.join("\n"));
        }
        self.fill(draft);
    }

    /// As [`Talk::fill`], where there is nothing but system prompts: the last of them is what was asked. It stays among the system prompts as well, for an
    /// application whose model speaks first says the same there for every customer.
    pub(crate) fn fill_alone(self, draft: &mut Draft) -> bool {
        let asked = if self.silent || !self.turns.is_empty() { None } else { self.system.last().cloned() };
        let Some(asked) = asked else { return false };
        self.fill(draft);
        draft.prompt = Some(asked);
        true
    }

    /// Puts prompt, system prompt and turns into a draft; a system prompt that the draft has comes first.
    pub(crate) fn fill(mut self, draft: &mut Draft) {
        if self.silent {
            draft.missing = Some((Reason::NoText, "a newest user message without text (images, audio or files)"));
            draft.prompt = None;
            return;
        }
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

/// Where a message has its content.
pub(crate) const CONTENT: [&str; 8] =
    ["parts", "content", "value", "contents", "message", "text", "message.content", "message.contents"];

/// The fields of a message inside what LangChain wraps around it.
fn wrapped(message: &Object) -> &Object {
    let inner = ["kwargs", "data"].iter().find_map(|name| get(message, name)).and_then(Value::as_object);
    inner.filter(|inner| inner.contains_key("content")).unwrap_or(message)
}

/// The role of a message, by any of the names it has; LangChain's stands in the name of its class.
pub(crate) fn role_of(message: &Object) -> Option<&str> {
    let named =
        ["role", "from", "author", "message.role"].iter().find_map(|name| get(message, name)).and_then(Value::as_str);
    let class = || {
        let class = get(message, "id").and_then(Value::as_array)?.last()?.as_str()?;
        class.strip_suffix("Chunk").unwrap_or(class).strip_suffix("Message")
    };
    let kind = || get(message, "type").and_then(Value::as_str).filter(|kind| is_role(kind));
    named.or_else(class).or_else(kind)
}

/// One name for a role that has several.
pub(crate) fn plain_role(role: &str) -> &str {
    let same = |names: &[&str]| names.iter().any(|name| role.eq_ignore_ascii_case(name));
    if same(&["user", "human"]) {
        "user"
    } else if same(&["assistant", "model", "ai", "gpt", "chatbot", "bot", "chatgpt", "bing", "bard", "claude"]) {
        "assistant"
    } else if same(&["system", "developer"]) {
        "system"
    } else if same(&["tool", "function", "tool_response", "ipython"]) {
        "tool"
    } else {
        role
    }
}

/// Whether a word is the name of one of the four roles.
pub(crate) fn is_role(word: &str) -> bool {
    matches!(plain_role(word), "user" | "assistant" | "system" | "tool")
}

/// One block of a content.
pub(crate) enum Block<'a> {
    Text(&'a str),
    /// What the tool gave; turned into text only once, for results may nest.
    ToolResult(&'a Value),
    Other,
}

/// The blocks of a content.
pub(crate) fn blocks(content: &Value) -> Vec<Block<'_>> {
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
    // Gemini marks a part as a thought, Converse names a block by its key, OpenInference wraps it.
    if get(item, "thought").and_then(Value::as_bool) == Some(true) {
        return Block::Other;
    }
    if let Some(inner) = get(item, "message_content").filter(|inner| inner.is_object()) {
        return text_block(inner.as_object().unwrap_or(item));
    }
    for (name, of) in [("toolResult", "content"), ("functionResponse", "response"), ("function_response", "response")] {
        if let Some(result) = get(item, name).and_then(|result| result.get(of)) {
            return Block::ToolResult(result);
        }
    }
    if let Some(Value::String(text)) = get(item, "guardContent").and_then(|guard| guard.pointer("/text/text")) {
        return Block::Text(text);
    }
    text_block(item)
}

fn text_block(item: &Object) -> Block<'_> {
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
