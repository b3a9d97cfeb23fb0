//! Azure OpenAI: diagnostic logs, of the service (category `RequestResponse`) and of API Management before it (`GatewayLogs` with bodies,
//! `GatewayLlmLogs`), as they come from a storage account, an event hub or Log Analytics.
//!
//! The account is the API Management subscription or the caller's object id, then the caller's address. `GatewayLlmLogs` has a call in several
//! rows, numbered by `SequenceNumber`: its model and tokens, what was asked, what was answered, each in pieces where it is long; they are put
//! together by their correlation id, and the subscription is taken from the row of `GatewayLogs` that has the same. Weakness: the service's own
//! log has lengths and no texts unless bodies are added to it, and bodies in `GatewayLogs` end after 8,192 bytes: such a row says so.

use super::{Fields, NOWHERE, Schema, all, any, is_word};
use crate::log::join::Half;
use crate::log::path::find;
use crate::log::value::{Object, scalar, word};

/// A diagnostic log.
pub(super) const GATEWAY: Schema = Schema {
    name: "azure-openai",
    source: "https://learn.microsoft.com/azure/api-management/gateway-log-schema-reference and https://learn.microsoft.com/azure/azure-monitor/reference/tables/apimanagementgatewayllmlog",
    is: |row| {
        let common = all(row, &["category"]) && any(row, &["resourceId", "ResourceId", "_ResourceId"]);
        let analytics = any(row, TIME) && (any(row, BODIES) || all(row, &["CorrelationId", "SequenceNumber"]));
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
        time: &["time", "TimeGenerated", "TimeGenerated [UTC]", "timestamp"],
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
    mend: |row, draft| {
        let word = |paths: &[&str]| paths.iter().find_map(|path| find(row, path).and_then(scalar));
        let Some(call) =
            word(&["properties.correlationId", "properties.CorrelationId", "correlationId", "CorrelationId"])
        else {
            return;
        };
        let key = format!("azure:{call}");
        let number = word(&["properties.sequenceNumber", "properties.SequenceNumber", "SequenceNumber"]);
        if let Some(number) = number.and_then(|number| number.parse::<f64>().ok()) {
            let text = |paths: &[&str]| {
                let found = paths.iter().find_map(|path| find(row, path))?;
                Some(found.as_str().map_or_else(|| found.to_string(), str::to_owned))
            };
            // What a row of it holds may be a piece of a list that is no list yet.
            draft.prompt = text(&["properties.requestMessages", "properties.RequestMessages", "RequestMessages"]);
            draft.response = text(&["properties.responseMessages", "properties.ResponseMessages", "ResponseMessages"]);
            (draft.system, draft.turns, draft.missing) = (None, Vec::new(), None);
            draft.half = Some(Half::Part(key, number.clamp(0.0, 1e9) as u64));
        } else if draft.origin.path("account").is_some_and(|path| path.contains("imSubscriptionId"))
            && draft.prompt.is_none()
            && draft.missing.is_none()
            && draft.response.is_none()
        {
            draft.half = Some(Half::Note(key));
        } else if draft.account.is_none() && draft.prompt.is_some() {
            draft.half = Some(Half::Asks(key));
        }
    },
};

const TIME: &[&str] = &["TimeGenerated", "TimeGenerated [UTC]"];
const BODIES: &[&str] = &["RequestMessages", "ResponseMessages", "RequestBody", "BackendRequestBody"];

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
    None
}
