//! OpenInference (Arize Phoenix): spans with flattened attributes, as its SDK writes them to the console or a file, and as Phoenix exports
//! them to tables, where `attributes.llm.input_messages` is a list.
//!
//! A span of kind `LLM` is a model call; chains, agents, tools and retrievers around it are none. The account is `user.id`. The same
//! attributes in OTLP are read with OpenTelemetry's. Weakness: a span that hides its texts has no prompt.

use super::{Fields, NOWHERE, Schema, any};
use crate::log::answer::response_text;
use crate::log::body::{self, Want};
use crate::log::draft::Draft;
use crate::log::otel::call::numbered;
use crate::log::path::find;
use crate::log::value::{Object, get};
use serde_json::Value;

const KIND: [&str; 5] = [
    "attributes.openinference.span.kind",
    "openinference.span.kind",
    "attributes.openinference.span_kind",
    "openinference_span_kind",
    "span_kind",
];

/// A span.
pub(super) const SCHEMA: Schema = Schema {
    name: "openinference",
    source: "https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md",
    is: |row| {
        kind(row).is_some()
            && any(row, &["attributes", "context", "context.trace_id", "trace_id", "traceId", "start_time"])
            || flat(row)
    },
    other: |row| kind(row).filter(|kind| !kind.eq_ignore_ascii_case("LLM")).map(|_| "another span"),
    json: &[
        "attributes",
        "context",
        "attributes.llm",
        "attributes.llm.input_messages",
        "attributes.llm.output_messages",
        "attributes.metadata",
    ],
    fields: Fields {
        id: &["context.span_id", "span_id", "spanId"],
        account: &[
            "attributes.user.id",
            "user.id",
            "attributes.metadata.user_id",
            "attributes.llm.user",
            "resource.attributes.user.id",
            "attributes.session.user.id",
        ],
        time: &["start_time", "startTime", "startTimeUnixNano"],
        model: &["attributes.llm.model_name", "llm.model_name"],
        conversation: &["attributes.session.id", "session.id"],
        request: &["attributes.llm.input_messages", "attributes.input.value", "input.value"],
        response: &["attributes.llm.output_messages", "attributes.output.value", "output.value"],
        ..NOWHERE
    },
    mend: messages,
};

fn kind(row: &Object) -> Option<String> {
    let attributes =
        get(row, "attributes").filter(|value| value.as_str().is_none_or(|text| text.contains("openinference")));
    let opened = attributes.and_then(Value::as_str).and_then(|_| body::object(attributes?));
    let opened = opened.map(|fields| Value::Object(fields.into_owned()));
    let inner = opened.as_ref().or(attributes);
    let row_of = |path: &str| {
        let whole = row.get(path).and_then(Value::as_str);
        let inside = || find(inner?, path.strip_prefix("attributes.")?).and_then(Value::as_str);
        whole.or_else(inside).map(str::to_owned)
    };
    // Other tools have a kind of span too, and mean something else.
    let of_openinference = |kind: &String| KINDS.iter().any(|known| known.eq_ignore_ascii_case(kind));
    KIND.iter().find_map(|path| row_of(path).filter(of_openinference))
}

const KINDS: [&str; 11] = [
    "LLM",
    "CHAIN",
    "AGENT",
    "TOOL",
    "RETRIEVER",
    "EMBEDDING",
    "RERANKER",
    "GUARDRAIL",
    "EVALUATOR",
    "PROMPT",
    "UNKNOWN",
];

fn flat(row: &Object) -> bool {
    any(row, &["attributes.llm.input_messages", "attributes.llm.model_name", "llm.input_messages"])
}

/// Messages that are spread over numbered attributes stand before what the span calls its input and output.
fn messages(row: &Value, draft: &mut Draft) {
    let attributes = find(row, "attributes").and_then(Value::as_object).or_else(|| row.as_object());
    let Some(attributes) = attributes else { return };
    let list = |prefix: &str| numbered(attributes, prefix);
    if let Some(asked) = list("llm.input_messages.") {
        let mut said = Draft::default();
        if body::read(&Value::Array(asked), Want::Body, &mut said) {
            (draft.prompt, draft.system, draft.turns) = (said.prompt, said.system, said.turns);
            draft.origin.paths.retain(|(field, _)| *field != "prompt");
            draft.origin.from("prompt", "attributes.llm.input_messages");
        }
    }
    if let Some(said) = list("llm.output_messages.").and_then(|list| response_text(list.first()?)) {
        draft.response = Some(said);
        draft.origin.paths.retain(|(field, _)| *field != "response");
        draft.origin.from("response", "attributes.llm.output_messages");
    }
    // Invocation parameters name the user inside the application.
    let parameters = get(attributes, "llm.invocation_parameters").and_then(body::object);
    if draft.account.is_none()
        && let Some((_, user)) = parameters.as_deref().and_then(body::reported)
    {
        draft.account = Some(Value::String(user));
        draft.origin.from("account", "attributes.llm.invocation_parameters.user");
    }
}
