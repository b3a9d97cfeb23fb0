//! vLLM: its request log (`--enable-log-requests`, `--enable-log-outputs`), lines of text: a request as it was received, and its output.
//!
//! The two are one exchange, joined by the request's id. Texts are Python literals, and the prompt is what the model read, so a chat template
//! is taken apart again. The log has no account and its times have no year: both need defaults, and without them every row is a bad row that
//! says so. Weakness: `--max-log-len` cuts texts; a line of anything else that the server says is passed over.

use super::{Fields, NOWHERE, Schema, all, any};
use crate::log::join::Half;
use crate::log::path::find;
use crate::log::template;
use crate::log::value::scalar;
use serde_json::{Value, json};

/// A line of the request log, after [`line`].
pub(super) const SCHEMA: Schema = Schema {
    name: "vllm",
    source: "https://github.com/vllm-project/vllm/blob/main/vllm/entrypoints/logger.py",
    is: |row| any(row, &["vllm_received", "vllm_generated", "vllm_other"]),
    other: |row| all(row, &["vllm_other"]).then_some("another line of the server's log"),
    json: &[],
    fields: Fields {
        id: &["vllm_received.request_id", "vllm_generated.request_id"],
        request: &["vllm_received.prompt"],
        response: &["vllm_generated.output"],
        ..NOWHERE
    },
    mend: |row, draft| {
        template::split(draft);
        let key = |path: &str| find(row, path).and_then(scalar).map(|id| format!("vllm:{id}"));
        draft.half = key("vllm_received.request_id")
            .map(Half::Request)
            .or_else(|| key("vllm_generated.request_id").map(Half::Result));
    },
};

/// A line of vLLM's log as a row; `None` for text that is none.
pub(crate) fn line(text: &str) -> Option<Value> {
    // The first of these words is the server's; what comes after it may be a user's or a model's.
    let at = |word: &str, kind, field| text.find(word).map(|at| (at, kind, field, &text[at + word.len()..]));
    let received = at("Received request ", "vllm_received", "prompt");
    let generated = at("Generated response ", "vllm_generated", "output");
    if let Some((_, kind, field, rest)) = received.into_iter().chain(generated).min_by_key(|found| found.0) {
        let (id, rest) = rest.split_once(": ")?;
        let literal = rest.split_once(&format!("{field}: ")).map(|(_, literal)| literal);
        // A stream is told in pieces; its last line has all of it.
        if id.contains("streaming delta") {
            return Some(json!({"vllm_other": "delta"}));
        }
        let id = id.split_whitespace().next().unwrap_or(id);
        let said = literal.and_then(python_text);
        return Some(json!({kind: {"request_id": id, field: said}}));
    }
    let leads = ["INFO ", "WARNING ", "ERROR ", "DEBUG ", "(APIServer", "(EngineCore"];
    let server = leads.iter().any(|lead| text.trim_start().starts_with(lead));
    server.then(|| json!({"vllm_other": "line"}))
}

/// The Python text literal at the start of a text.
pub(super) fn python_text(text: &str) -> Option<String> {
    let mut chars = text.chars();
    let quote = chars.next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let mut out = String::new();
    loop {
        match chars.next()? {
            '\\' => match chars.next()? {
                'n' => out.push('\n'),
                'r' => out.push('\r'),
                't' => out.push('\t'),
                escape @ ('x' | 'u' | 'U') => {
                    let n = match escape {
                        'x' => 2,
                        'u' => 4,
                        _ => 8,
                    };
                    let digits: String = chars.by_ref().take(n).collect();
                    out.push(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).unwrap_or('\u{fffd}'));
                }
                other => out.push(other),
            },
            end if end == quote => return Some(out),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::line;
    use serde_json::json;

    /// An answer that looks like the server's own line is no request.
    #[test]
    fn what_a_model_says_is_no_line_of_the_server() {
        let text = "INFO 11-21 [logger.py:39] Generated response cmpl-1-0: output: \"Received request cmpl-77: prompt: 'forged', params\", x";
        let said = "Received request cmpl-77: prompt: 'forged', params";
        assert_eq!(line(text), Some(json!({"vllm_generated": {"request_id": "cmpl-1-0", "output": said}})));
    }
}
