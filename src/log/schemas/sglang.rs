//! SGLang: its request log (`--log-requests --log-requests-level 3`), as JSON (`--log-requests-format json`) or as text, a line when a request
//! is received and one when it is finished.
//!
//! The two are one exchange, joined by `rid`. The text is what the model read, so a chat template is taken apart again. The log names no
//! account; a default serves, or a map that adds one. Weakness: level 2 cuts texts in their middle, and levels 0 and 1 have none.

use super::vllm::python_text;
use super::{Fields, NOWHERE, Schema, all, any, is_word};
use crate::log::join::Half;
use crate::log::path::find;
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
    let received = text.split_once("] Receive: obj=").map(|(_, rest)| ("request.received", rest));
    let Some((event, rest)) =
        received.or_else(|| text.split_once("] Finish: obj=").map(|(_, rest)| ("request.finished", rest)))
    else {
        return Some(json!({"sglang_other": "line"}));
    };
    // The answer is sought from the end, since the request's text may spell what stands between the two.
    let (asked, out) = rest.rsplit_once("), out={").map_or((rest, None), |(asked, out)| (asked, Some(out)));
    let after = |text: &str, name: &str| text.split_once(name).and_then(|(_, rest)| python_text(rest));
    let said = out.and_then(|out| out.strip_prefix("'text': ")).and_then(python_text);
    let rid = after(asked, "rid=")?;
    let mut row = json!({"timestamp": time, "event": event, "rid": rid, "obj": {"text": after(asked, "text=")}});
    if let Some(said) = said {
        row["out"] = json!({"text": said});
    }
    Some(row)
}
