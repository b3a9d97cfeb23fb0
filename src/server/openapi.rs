//! The document of the API in OpenAPI 3.1, made of the table of routes.
//!
//! The idea: the table that checks what is given also says what may be given. Weakness: of answers it says the fields of the first level with
//! their types; what lies in them is what the command line prints. Guarantee: every route of the table is in it, and no other.

use super::fault::STATUSES;
use super::given::{Param, object_schema};
use super::routes::{ROUTES, Route};
use crate::report::export::Format;
use serde_json::{Map, Value, json};

/// The whole document.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "stillhunt", "version": env!("CARGO_PKG_VERSION"),
            "description": "The investigator's desk. Answers are those of the command line, shown as the role may see them. Texts of logs are shown \
                to analysts who say what for: in the body, in the header Stillhunt-Purpose, or at the login; each reading is logged first.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "session": { "type": "apiKey", "in": "cookie", "name": super::who::COOKIE },
            },
            "schemas": {
                "Error": {
                    "type": "object", "required": ["error"],
                    "properties": { "error": {
                        "type": "object", "required": ["code", "message", "hint"],
                        "properties": {
                            "code": { "type": "string" }, "message": { "type": "string" }, "hint": { "type": ["string", "null"] },
                        },
                    } },
                },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let place = |param: &Param, place: &str| json!({ "name": param.name, "in": place, "required": param.required, "description": param.about, "schema": param.kind.schema() });
    let mut parameters: Vec<Value> = route.in_path.iter().map(|param| place(param, "path")).collect();
    parameters.extend(route.query.iter().map(|param| place(param, "query")));
    let error = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } });
    let mut responses: Map<String, Value> = STATUSES
        .iter()
        .map(|(status, about)| (status.to_string(), json!({ "description": about, "content": error })))
        .collect();
    let mut good = json!({ "description": "As asked" });
    if !route.answer.is_empty() {
        good["content"] = json!({ "application/json": { "schema": answer(route.answer) } });
    } else if ![204, 303].contains(&route.status) {
        let of_exports = Format::ALL.map(|format| format.media().split(';').next().unwrap_or_default());
        good["content"] =
            of_exports.into_iter().chain(["text/plain"]).map(|media| (media.to_owned(), json!({}))).collect();
    }
    responses.insert(route.status.to_string(), good);
    if route.method == "GET" {
        responses.insert(
            "304".into(),
            json!({ "description": "Nothing changed since the answer with the tag of If-None-Match" }),
        );
    }
    let words: Vec<&str> =
        route.path.split(['/', '.']).filter(|part| !part.is_empty() && !["api", "v1"].contains(part)).collect();
    let mut out = json!({
        "operationId": format!("{}-{}", route.method.to_lowercase(), words.join("-").replace(['{', '}'], "")),
        "summary": route.about,
        "parameters": parameters,
        "responses": responses,
        "security": if route.least.is_some() { json!([{ "token": [] }, { "session": [] }]) } else { json!([]) },
    });
    if let Some(least) = route.least {
        out["description"] = json!(format!("Least role: {}", least.word()));
    }
    if !route.body.is_empty() {
        out["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": body(route) } } });
    }
    out
}

/// The schema of a body.
fn body(route: &Route) -> Value {
    let mut schema = object_schema(route.body.iter(), route.one_of);
    let one = |name: &&str| {
        let others = route.one_of.iter().filter(|other| *other != name);
        let mut properties: Map<String, Value> = others.map(|other| ((*other).to_owned(), json!(false))).collect();
        for (_, other, words) in route.goes_with.iter().filter(|(of, ..)| of == name) {
            let _ = properties.insert((*other).to_owned(), json!({ "enum": words }));
        }
        json!({ "required": [name], "properties": properties })
    };
    if !route.one_of.is_empty() {
        schema["oneOf"] = route.one_of.iter().map(one).collect();
    }
    schema
}

fn answer(fields: &[(&str, &str)]) -> Value {
    let kinds = |(name, of): &(&str, &str)| {
        let kinds: Vec<&str> = of.split(" or ").collect();
        ((*name).to_owned(), json!({ "type": kinds }))
    };
    let properties: Map<String, Value> = fields.iter().map(kinds).collect();
    let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_route_is_described_once() {
        let document = document();
        let mut names = BTreeSet::new();
        for route in ROUTES {
            let operation = &document["paths"][route.path][route.method.to_lowercase()];
            assert!(
                operation["summary"].as_str().is_some_and(|about| !about.is_empty()),
                "{} {}",
                route.method,
                route.path
            );
            assert!(names.insert(operation["operationId"].as_str().map(str::to_owned)), "{operation}");
            let in_path: BTreeSet<&str> = route.path.split(['{', '}']).skip(1).step_by(2).collect();
            assert_eq!(in_path, route.in_path.iter().map(|param| param.name).collect(), "{}", route.path);
        }
        assert_eq!(names.len(), ROUTES.len());
        // Two of those of which one is given are no body of it.
        let body =
            &document["paths"]["/api/v1/registry"]["post"]["requestBody"]["content"]["application/json"]["schema"];
        let body = jsonschema::validator_for(body).expect("a schema");
        let mut entry = json!({ "name": "a", "provenance": "b", "kind": "gateway", "account": format!("a{:024}", 7) });
        assert!(body.is_valid(&entry));
        entry["text"] = json!("c");
        assert!(!body.is_valid(&entry));
        // The schemas in it are schemas.
        let mut open = vec![&document];
        let mut found = 0;
        while let Some(value) = open.pop() {
            if let Some(schema) = value.get("schema").filter(|schema| schema.get("$ref").is_none()) {
                jsonschema::validator_for(schema).expect("a schema");
                found += 1;
            }
            match value {
                Value::Array(of) => open.extend(of),
                Value::Object(of) => open.extend(of.values()),
                _ => {}
            }
        }
        assert!(found > ROUTES.len());
    }
}
