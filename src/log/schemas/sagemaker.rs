//! Amazon SageMaker: data capture of an endpoint, request and response of each call in one line.
//!
//! Bodies are the endpoint's own: text-generation servers, or any chat API. The account is what the body reports. Custom attributes are none unless a map
//! says so: callers put the id of a trace there as well, and each call would be an account of its own. Weakness: a response that was streamed is captured
//! as its pieces, of which only whole bodies are read.

use super::{Fields, NOWHERE, Object, Schema, all, all_calls, any, as_it_is, get, unpacked};
use base64::Engine as _;
use serde_json::Value;

/// A captured call.
pub(super) const SCHEMA: Schema = Schema {
    name: "sagemaker",
    source: "https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture.html",
    is: |row| all(row, &["captureData", "eventMetadata"]) && any(row, &["eventVersion"]),
    other: all_calls,
    json: &["eventMetadata", "captureData.endpointInput.data", "captureData.endpointOutput.data"],
    fields: Fields {
        id: &["eventMetadata.inferenceId", "eventMetadata.eventId"],
        time: &["eventMetadata.inferenceTime"],
        request: &["captureData.endpointInput.data"],
        response: &["captureData.endpointOutput.data"],
        ..NOWHERE
    },
    mend: as_it_is,
};

/// Bodies that were captured as base64, which is what capture does with a content type that nobody named, become texts.
pub(super) fn decode(row: &mut Object) {
    let Some(capture) = row.get_mut("captureData") else { return };
    if capture.is_string() {
        *capture = unpacked(capture.take());
    }
    let Value::Object(capture) = capture else { return };
    for name in ["endpointInput", "endpointOutput"] {
        let Some(Value::Object(side)) = capture.get_mut(name) else { continue };
        if get(side, "encoding").and_then(Value::as_str) != Some("BASE64") {
            continue;
        }
        let bytes = get(side, "data")
            .and_then(Value::as_str)
            .and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
        match bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
            Some(text) => side.insert("data".to_owned(), Value::String(text)),
            // What is no text was said by nobody.
            None => side.remove("data"),
        };
    }
}
