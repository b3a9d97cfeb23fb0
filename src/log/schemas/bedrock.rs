//! AWS Bedrock: model invocation logs (InvokeModel, Converse, and both as streams) and the output of batch inference.
//!
//! The account is the caller's ARN, since the account id is that of whoever runs the service. The bodies are those of the model family:
//! Anthropic, Nova, Titan, Llama, Mistral, Cohere, AI21. Weakness: bodies over 100 KB lie in S3 beside the log and are not fetched; such a row
//! has no prompt, and says so.

use super::{Fields, NOWHERE, Schema, all, any, as_it_is, is_word};
use crate::log::template;
use crate::log::value::Object;
use serde_json::Value;

/// A model invocation log, from S3 or CloudWatch.
pub(super) const INVOCATION: Schema = Schema {
    name: "bedrock",
    source: "https://docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html",
    is: |row| {
        is_word(row, "schemaType", &["ModelInvocationLog"])
            || (all(row, &["modelId", "input"]) && any(row, &["identity", "operation"]))
    },
    other,
    json: &["identity", "input", "output", "input.inputBodyJson", "output.outputBodyJson"],
    fields: Fields {
        id: &["requestId"],
        account: &["identity.arn", "identity.principalId", "accountId"],
        time: &["timestamp"],
        model: &["modelId"],
        request: &["input.inputBodyJson"],
        response: &["output.outputBodyJson"],
        attributes: &["requestMetadata"],
        ..NOWHERE
    },
    mend: |_, draft| template::split(draft),
};

fn other(row: &Object) -> Option<&'static str> {
    let input = row.get("input").and_then(|input| input.get("inputBodyJson"));
    let embeds = |body: &Value| {
        ["texts", "embeddingConfig", "taskType", "textToImageParams", "text_prompts", "queries", "documents"]
            .iter()
            .any(|name| body.get(name).is_some())
    };
    let output = row.get("output").and_then(|output| output.get("outputBodyJson"));
    let embedded = |body: &Value| {
        ["embedding", "embeddings", "embeddingsByType", "images", "artifacts"]
            .iter()
            .any(|name| body.get(name).is_some())
    };
    (input.is_some_and(embeds) || output.is_some_and(embedded)).then_some("an embedding or an image")
}

/// The output of a batch inference job.
pub(super) const BATCH: Schema = Schema {
    name: "bedrock-batch",
    source: "https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference-results.html",
    is: |row| all(row, &["recordId", "modelInput"]),
    other: super::all_calls,
    json: &["modelInput", "modelOutput"],
    fields: Fields {
        id: &["recordId"],
        time: &["timestamp"],
        model: &["modelId"],
        request: &["modelInput"],
        response: &["modelOutput"],
        ..NOWHERE
    },
    mend: as_it_is,
};
