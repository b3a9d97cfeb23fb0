//! Azure OpenAI: diagnostic logs, of the service (category `RequestResponse`) and of API Management before it (`GatewayLogs` with bodies,
//! `GatewayLlmLogs`), as they come from a storage account, an event hub or Log Analytics.
//!
//! The account is the API Management subscription or the caller's object id, then the caller's address. Weakness: the service's own log has
//! lengths and no texts unless bodies are added to it; and a prompt that API Management cut into several rows (`SequenceNumber` above 0) is
//! read as far as its first row goes.

use super::{Fields, NOWHERE, Schema, all, any, is_word};
use crate::log::value::{Object, get, word};
use serde_json::Value;

/// A diagnostic log.
pub(super) const GATEWAY: Schema = Schema {
    name: "azure-openai",
    source: "https://learn.microsoft.com/azure/api-management/gateway-log-schema-reference and https://learn.microsoft.com/azure/azure-monitor/reference/tables/apimanagementgatewayllmlog",
    is: |row| {
        let common = all(row, &["category"]) && any(row, &["resourceId", "ResourceId", "_ResourceId"]);
        let analytics = any(row, &["TimeGenerated"]) && any(row, BODIES);
        common || analytics || any(row, &["RequestMessages", "BackendRequestBody"])
    },
    other,
    json: &[
        "properties",
        "identity",
        "properties.requestBody",
        "properties.request",
        "properties.responseBody",
        "properties.response",
        "properties.backendRequestBody",
        "properties.backendResponseBody",
        "properties.requestMessages",
        "properties.responseMessages",
        "RequestMessages",
        "ResponseMessages",
        "RequestBody",
        "ResponseBody",
        "BackendRequestBody",
        "BackendResponseBody",
    ],
    fields: Fields {
        id: &["properties.requestId", "RequestId", "correlationId", "CorrelationId", "properties.correlationId"],
        account: &[
            "properties.apimSubscriptionId",
            "ApimSubscriptionId",
            "properties.ApimSubscriptionId",
            "properties.userId",
            "properties.UserId",
            "UserId",
            "properties.objectId",
            "ObjectId",
            "identity.claims.appid",
            "identity.claims.oid",
            "identity.oid",
            "properties.subscriptionId",
            "properties.apiKeyHash",
            "properties.user",
            "callerIpAddress",
            "CallerIPAddress",
            "callerIPAddress",
        ],
        time: &["time", "TimeGenerated", "timestamp"],
        model: &[
            "properties.modelName",
            "properties.ModelName",
            "properties.modelDeploymentName",
            "properties.deploymentName",
            "properties.DeploymentName",
            "ModelName",
            "DeploymentName",
        ],
        request: &[
            "properties.requestBody",
            "properties.request",
            "properties.requestMessages",
            "properties.RequestMessages",
            "properties.backendRequestBody",
            "properties.BackendRequestBody",
            "properties.prompt",
            "RequestMessages",
            "RequestBody",
            "BackendRequestBody",
        ],
        response: &[
            "properties.responseBody",
            "properties.response",
            "properties.responseMessages",
            "properties.ResponseMessages",
            "properties.backendResponseBody",
            "properties.BackendResponseBody",
            "properties.completion",
            "ResponseMessages",
            "ResponseBody",
            "BackendResponseBody",
        ],
        ..NOWHERE
    },
    mend: super::as_it_is,
};

const BODIES: &[&str] = &["RequestMessages", "RequestBody", "BackendRequestBody"];

fn other(row: &Object) -> Option<&'static str> {
    if is_word(row, "category", &["Audit", "Trace", "AllMetrics", "AzureOpenAIRequestUsage", "WebSocketConnectionLogs"])
    {
        return Some("a log of another category");
    }
    let operation = word(row, "operationName").unwrap_or_default().to_ascii_lowercase();
    if ["embedding", "image", "listkey", "deployments_", "models_", "files_"]
        .iter()
        .any(|name| operation.contains(name))
    {
        return Some("another operation");
    }
    // The pieces of one long prompt come as rows of their own, numbered from 0.
    let number = get(row, "SequenceNumber").or_else(|| {
        row.get("properties").and_then(|inner| inner.get("sequenceNumber").or_else(|| inner.get("SequenceNumber")))
    });
    number.and_then(Value::as_u64).is_some_and(|number| number > 0).then_some("a further piece of a row")
}
