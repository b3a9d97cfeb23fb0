//! Databricks: inference tables of model serving and of its AI gateway (a Delta table, exported as Parquet, CSV or JSON lines).
//!
//! The account is the requester, else the id that the client gave its request. Weakness: payloads over the table's limit are not in it.

use super::{Fields, NOWHERE, Schema, all, all_calls, any, as_it_is};

/// A row of an inference table.
pub(super) const SCHEMA: Schema = Schema {
    name: "databricks",
    source: "https://docs.databricks.com/aws/en/ai-gateway/inference-tables",
    is: |row| all(row, &["databricks_request_id"]) && any(row, &["request", "response"]),
    other: all_calls,
    json: &["request", "response", "request_metadata"],
    fields: Fields {
        id: &["databricks_request_id"],
        account: &["requester", "request_metadata.user_id", "request_metadata.requester"],
        time: &["request_time", "timestamp_ms", "request_date", "date"],
        model: &["request_metadata.model_name"],
        request: &["request"],
        response: &["response"],
        ..NOWHERE
    },
    mend: as_it_is,
};
