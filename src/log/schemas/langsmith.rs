//! LangSmith: runs of its API, and the Parquet of its bulk export.
//!
//! A run of type `llm` is a model call; chains, tools and retrievers around it are none. The account is what the application says of its user
//! in the run's metadata. Weakness: a project that says nothing of its users needs a default account.

use super::{Fields, NOWHERE, Schema, all, any};
use crate::log::body;
use crate::log::path::find;
use crate::log::value::{get, scalar};
use serde_json::Value;

/// A run.
pub(super) const SCHEMA: Schema = Schema {
    name: "langsmith",
    source: "https://docs.smith.langchain.com/reference/data_formats/run_data_format",
    is: |row| all(row, &["run_type"]) && any(row, &["inputs", "outputs", "trace_id", "dotted_order"]),
    other: |row| (row.get("run_type").and_then(Value::as_str) != Some("llm")).then_some("a run of another type"),
    json: &["extra", "extra.metadata", "extra.invocation_params", "metadata"],
    fields: Fields {
        id: &["id", "run_id"],
        account: &[
            "extra.metadata.user_id",
            "extra.metadata.user",
            "extra.metadata.userId",
            "extra.metadata.customer_id",
            "extra.metadata.account_id",
            "extra.metadata.tenant_id",
            "metadata.user_id",
            "metadata.user",
            "extra.metadata.api_key",
        ],
        time: &["start_time"],
        model: &[
            "extra.metadata.ls_model_name",
            "extra.invocation_params.model",
            "extra.invocation_params.model_name",
            "metadata.ls_model_name",
        ],
        conversation: &["extra.metadata.session_id", "extra.metadata.thread_id", "extra.metadata.conversation_id"],
        request: &["inputs"],
        response: &["outputs"],
        attributes: &[],
        ..NOWHERE
    },
    mend: |row, draft| {
        // The model's own parameters name its end user, where the application is billed for it.
        let params = find(row, "extra.invocation_params").and_then(body::object);
        let user = params.and_then(|params| get(&params, "user").and_then(scalar));
        if draft.account.is_none()
            && let Some(user) = user
        {
            draft.account = Some(Value::String(user));
            draft.origin.from("account", "extra.invocation_params.user");
        }
    },
};
