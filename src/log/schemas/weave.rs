//! Weights & Biases Weave: calls of its service API and of its export.
//!
//! A call of an integration's completion operation is a model call; the application's own operations around it are none. The account is what
//! the application put into the attributes, else the user whose key traced it. Weakness: an operation of one's own that calls a model itself
//! is not told from one that does not, and is passed over.

use super::{Fields, NOWHERE, Schema, all, any, as_it_is};
use crate::log::value::word;

/// A call.
pub(super) const SCHEMA: Schema = Schema {
    name: "weave",
    source: "https://docs.wandb.ai/weave/reference/service-api/calls/calls-query-stream",
    is: |row| all(row, &["op_name"]) && any(row, &["trace_id", "started_at"]) && any(row, &["inputs", "output"]),
    other: |row| {
        let name = word(row, "op_name").unwrap_or_default();
        let calls = [
            ".create",
            ".completion",
            ".acompletion",
            ".generate_content",
            ".converse",
            ".invoke_model",
            ".chat",
            ".parse",
            ".stream",
        ];
        let name = name.strip_prefix("weave:///").unwrap_or(&name).split(':').next().unwrap_or_default().to_owned();
        let model = calls.iter().any(|call| name.ends_with(call)) && !name.contains("mbedding");
        (!model).then_some("another operation")
    },
    json: &["attributes", "summary"],
    fields: Fields {
        id: &["id"],
        account: &[
            "attributes.user_id",
            "attributes.user",
            "attributes.account_id",
            "attributes.customer_id",
            "wb_user_id",
        ],
        time: &["started_at"],
        model: &["inputs.model", "output.model"],
        conversation: &["thread_id", "attributes.session_id"],
        request: &["inputs"],
        response: &["output"],
        ..NOWHERE
    },
    mend: as_it_is,
};
