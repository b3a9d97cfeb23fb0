//! KServe: CloudEvents of the inference logger (`logger: {mode: all}`), the request and the response of a call in two lines, joined by their id.
//!
//! The account is what the request's body reports. Weakness: an id that the caller sets itself may stand for two calls, of which then neither gets an
//! answer.

use super::{Fields, NOWHERE, Object, Schema, all, all_calls};
use crate::log::join::Half;
use crate::log::path::find;
use crate::log::value::{scalar, word};
use serde_json::Value;

const SOURCE: &str = "https://kserve.github.io/website/docs/model-serving/predictive-inference/logger/basic-logger";

fn is(row: &Object, kind: &str) -> bool {
    all(row, &["specversion", "id", "data"])
        && word(row, "type").is_some_and(|word| word == format!("org.kubeflow.serving.inference.{kind}"))
}

fn key(row: &Value) -> String {
    let of = |name: &str| find(row, name).and_then(scalar).unwrap_or_default();
    format!("kserve:{}/{}:{}", of("namespace"), of("inferenceservicename"), of("id"))
}

/// A request.
pub(super) const REQUEST: Schema = Schema {
    name: "kserve",
    source: SOURCE,
    is: |row| is(row, "request"),
    other: all_calls,
    json: &["data"],
    fields: Fields { id: &["id"], time: &["time"], request: &["data"], ..NOWHERE },
    mend: |row, draft| draft.half = Some(Half::Request(key(row))),
};

/// A response.
pub(super) const RESPONSE: Schema = Schema {
    name: "kserve",
    source: SOURCE,
    is: |row| is(row, "response"),
    other: all_calls,
    json: &["data"],
    fields: Fields { time: &["time"], response: &["data"], ..NOWHERE },
    mend: |row, draft| draft.half = Some(Half::Result(key(row))),
};
