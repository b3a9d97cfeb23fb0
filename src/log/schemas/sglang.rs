//! SGLang: its request log as JSON (`--log-requests --log-requests-format json --log-requests-level 3`), a line when a request is received
//! and one when it is finished.
//!
//! The two are one exchange, joined by `rid`. The text is what the model read, so a chat template is taken apart again. The log names no
//! account; a default serves, or a map that adds one. Weakness: level 2 cuts texts in their middle, and levels 0 and 1 have none.

use super::{Fields, NOWHERE, Schema, all, is_word};
use crate::log::join::Half;
use crate::log::path::find;
use crate::log::template;
use crate::log::value::scalar;

/// A line of the request log.
pub(super) const SCHEMA: Schema = Schema {
    name: "sglang",
    source: "https://github.com/sgl-project/sglang/blob/main/python/sglang/srt/utils/request_logger.py",
    is: |row| all(row, &["rid", "obj"]) || (all(row, &["rid"]) && is_word(row, "event", &["request.received", "request.finished"])),
    other: |row| {
        let obj = row.get("obj");
        let embeds = obj.is_some_and(|obj| obj.get("is_cross_encoder_request").is_some());
        embeds.then_some("a request for embeddings")
    },
    json: &["obj", "out", "headers"],
    fields: Fields {
        id: &["rid"],
        account: &["headers.x-user-id", "headers.x-account-id", "headers.x-api-key-id", "obj.user", "obj.user_id", "obj.external_trace_header.user_id"],
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
        let finished = find(row, "out").is_some() || find(row, "event").and_then(|event| event.as_str()) == Some("request.finished");
        draft.half = Some(if finished { Half::Result(key) } else { Half::Request(key) });
    },
};
