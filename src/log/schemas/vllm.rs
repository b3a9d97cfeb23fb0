//! vLLM: its request log (`--enable-log-requests`, `--enable-log-outputs`), lines of text: a request as it was received, and its output.
//!
//! The two are one exchange, joined by the request's id. Texts are Python literals, and the prompt is what the model read, so a chat template
//! is taken apart again. The log has no account and its times have no year: both need defaults, and without them every row is a bad row that
//! says so. Weakness: `--max-log-len` cuts texts; a line of anything else that the server says is passed over.

use super::{Fields, NOWHERE, Schema, all, any};
use crate::log::join::Half;
use crate::log::path::find;
use crate::log::python;
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
///
/// Since version 0.10 the prompt stands in a line of its own at the level of debugging (`Request ID details: prompt: …`), and the line of the
/// request has its parameters only; since 0.11 its head may be coloured.
pub(crate) fn line(text: &str) -> Option<Value> {
    let bare;
    let text = if text.contains('\u{1b}') {
        bare = uncoloured(text);
        bare.as_str()
    } else {
        text
    };
    // The first of these words is the server's; what comes after it may be a user's or a model's.
    let at = |word: &str, kind, field| text.find(word).map(|at| (at, kind, field, &text[at + word.len()..]));
    let received = at("Received request ", "vllm_received", "prompt");
    let generated = at("Generated response ", "vllm_generated", "output");
    let details = at("] Request ", "vllm_received", "prompt").filter(|(.., rest)| rest.contains(" details: prompt: "));
    if let Some((_, kind, field, rest)) =
        received.into_iter().chain(generated).chain(details).min_by_key(|found| found.0)
    {
        let (id, rest) = rest.split_once(": ")?;
        // A stream is told in pieces; its last line has all of it.
        if id.contains("streaming delta") {
            return Some(json!({"vllm_other": "delta"}));
        }
        // The text stands first, or it is not in this line.
        let Some(literal) = rest.strip_prefix(field).and_then(|rest| rest.strip_prefix(": ")) else {
            return Some(json!({"vllm_other": "a request without its text"}));
        };
        let id = id.split_whitespace().next().unwrap_or(id);
        return Some(json!({kind: {"request_id": id, field: python::text(literal)}}));
    }
    let leads = ["INFO ", "WARNING ", "ERROR ", "DEBUG ", "(APIServer", "(EngineCore", "(Worker", "(VllmWorker"];
    let server = leads.iter().any(|lead| text.trim_start().starts_with(lead));
    server.then(|| json!({"vllm_other": "line"}))
}

/// A line without the marks that colour it on a terminal. In a text that was said they are escaped, so what stands there bare is the server's.
fn uncoloured(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.find(|c: char| !(c.is_ascii_digit() || c == ';'));
        out.push_str(code.filter(|at| part[*at..].starts_with(['m', 'K'])).map_or(part, |at| &part[at + 1..]));
    }
    out
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

    #[test]
    fn newer_lines_have_the_prompt_apart_and_colours() {
        let lead = "\u{1b}[1;36m(APIServer pid=7)\u{1b}[0;0m \u{1b}[32mINFO\u{1b}[0m 11-21 10:00:00 [entrypoints/logger.py:50] ";
        let asked = format!(
            "{lead}Request chatcmpl-1 details: prompt: 'it\\'s prompt: me', prompt_token_ids: None, prompt_embeds shape: None."
        );
        assert_eq!(
            line(&asked),
            Some(json!({"vllm_received": {"request_id": "chatcmpl-1", "prompt": "it's prompt: me"}}))
        );
        let params = format!(
            "{lead}Received request chatcmpl-1: params: SamplingParams(n=1, stop=['prompt: ']), lora_request: None."
        );
        assert_eq!(line(&params), Some(json!({"vllm_other": "a request without its text"})));
        let said = format!(
            "{lead}Generated response chatcmpl-1 (streaming complete): output: 'Request x details: prompt: ', output_token_ids: None"
        );
        assert_eq!(
            line(&said),
            Some(json!({"vllm_generated": {"request_id": "chatcmpl-1", "output": "Request x details: prompt: "}}))
        );
    }
}
