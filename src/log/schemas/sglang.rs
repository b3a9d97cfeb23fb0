//! SGLang: its request log (`--log-requests --log-requests-level 3`), as JSON (`--log-requests-format json`) or as text, a line when a request
//! is received and one when it is finished.
//!
//! The two are one exchange, joined by `rid`. The text is what the model read, so a chat template is taken apart again. The log names no
//! account; a default serves, or a map that adds one. Weakness: level 2 cuts texts in their middle, and levels 0 and 1 have none.

use super::{Fields, NOWHERE, Schema, all, any, is_word};
use crate::log::Reason;
use crate::log::join::Half;
use crate::log::path::find;
use crate::log::python::{arguments, literal};
use crate::log::template;
use crate::log::value::scalar;
use serde_json::{Value, json};

/// A line of the request log.
pub(super) const SCHEMA: Schema = Schema {
    name: "sglang",
    source: "https://github.com/sgl-project/sglang/blob/main/python/sglang/srt/utils/request_logger.py",
    is: |row| {
        any(row, &["sglang_other"])
            || all(row, &["rid", "obj"])
            || (all(row, &["rid"]) && is_word(row, "event", &["request.received", "request.finished"]))
    },
    other: |row| {
        if any(row, &["sglang_other"]) {
            return Some("another line of the server's log");
        }
        let obj = row.get("obj");
        let embeds = obj.is_some_and(|obj| obj.get("is_cross_encoder_request").is_some());
        embeds.then_some("a request for embeddings")
    },
    json: &["obj", "out", "headers"],
    fields: Fields {
        id: &["rid"],
        account: &[
            "headers.x-user-id",
            "headers.x-account-id",
            "headers.x-api-key-id",
            "obj.user",
            "obj.user_id",
            "obj.external_trace_header.user_id",
        ],
        time: &["timestamp"],
        model: &["obj.model", "model", "out.meta_info.model"],
        conversation: &["obj.session_params.id", "obj.session_id"],
        request: &["obj.messages", "obj.text", "obj.prompt", "obj"],
        response: &["out.text", "out"],
        ..NOWHERE
    },
    mend: |row, draft| {
        template::split(draft);
        if draft.prompt.is_none() && find(row, "obj.cut").is_some() {
            draft.missing = Some((Reason::NoPrompt, "a text that was cut in its middle; log with level 3"));
        }
        let key = find(row, "rid").and_then(scalar).map(|id| format!("sglang:{id}")).unwrap_or_default();
        let finished = find(row, "out").is_some()
            || find(row, "event").and_then(|event| event.as_str()) == Some("request.finished");
        draft.half = Some(if finished { Half::Result(key) } else { Half::Request(key) });
    },
};

/// A line of the text form as the row of the JSON form; `None` for text that is none.
pub(super) fn line(text: &str) -> Option<Value> {
    // `[2026-11-21 10:00:00 TP0] Finish: obj=GenerateReqInput(rid='…', text='…', …), out={'text': '…', …}`
    let time = text.strip_prefix('[')?.get(..19)?;
    let digits = |at: std::ops::Range<usize>| time.get(at).is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()));
    if !(digits(0..4) && digits(5..7) && digits(8..10) && digits(11..13) && time.get(10..11) == Some(" ")) {
        return None;
    }
    // `[2026-11-21 10:00:00 TP0] ` is the server's; what comes behind its first bracket and word is read forward, so that no text can end itself.
    let said = text.split_once("] ").map(|(_, said)| said)?;
    let received = said.strip_prefix("Receive: obj=").map(|rest| ("request.received", rest));
    let Some((event, rest)) =
        received.or_else(|| said.strip_prefix("Finish: obj=").map(|rest| ("request.finished", rest)))
    else {
        return Some(json!({"sglang_other": "line"}));
    };
    let (asked, rest) = arguments(rest.split_once('(')?.1)?;
    let field = |name: &str| asked.iter().find(|(of, _)| *of == name).map(|(_, value)| *value);
    let rid = field("rid").and_then(literal)?;
    let text = field("text").and_then(literal);
    // A text that the server cut in its middle is written as two.
    let cut = text.is_none() && field("text").is_some_and(|text| text.starts_with(['\'', '"']));
    let mut row =
        json!({"timestamp": time, "event": event, "rid": rid, "obj": {"text": text, "cut": cut.then_some(true)}});
    let out = rest.trim_start_matches(", ").strip_prefix("out=");
    // What stands behind the dictionary is of a level that is not known.
    if let Some(out) = out.and_then(literal) {
        row["out"] = out;
    }
    Some(row)
}

#[cfg(test)]
mod tests {
    use super::line;
    use serde_json::json;

    /// Neither a question nor an answer can end its own text and go on as the server's.
    #[test]
    fn what_is_said_is_no_line_of_the_server() {
        let head = "[2026-11-21 10:00:00 TP0] Finish: obj=GenerateReqInput(";
        let asked = r#"validation_time=1e-05, rid='a1', text="say '), out={'text': 'F'", input_ids=None, sampling_params={'n': 1}"#;
        let out = r#"{'text': "ok'), out={'text': 'FORGED'}] Finish: obj=X(rid='b'", 'meta_info': {'id': 'a1', 'e2e': 1.5, 'finish_reason': None}}"#;
        let row = line(&format!("{head}{asked}), out={out}")).unwrap();
        assert_eq!(row["rid"], "a1");
        assert_eq!(row["obj"]["text"], "say '), out={'text': 'F'");
        assert_eq!(row["out"]["text"], "ok'), out={'text': 'FORGED'}] Finish: obj=X(rid='b'");
        let cut = line("[2026-11-21 10:00:00] Receive: obj=GenerateReqInput(rid='c', text='begin' ... 'end')").unwrap();
        assert_eq!((&cut["obj"]["text"], &cut["obj"]["cut"]), (&json!(null), &json!(true)));
        let several =
            line("[2026-11-21 10:00:00] Receive: obj=GenerateReqInput(rid=['c', 'd'], text=['p', 'q'])").unwrap();
        assert_eq!(several["obj"]["text"], json!(["p", "q"]));
        assert_eq!(line("[2026-11-21 10:00:00] server is fired up"), Some(json!({"sglang_other": "line"})));
    }
}
