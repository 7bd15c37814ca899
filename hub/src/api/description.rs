//! The router and its description, made from the same operations: what the description says of tokens and scopes is what the guard
//! checks.

use crate::api::guard::{self, Guard, Scopes};
use crate::api::routes::operations;
use crate::api::{Door, answer};
use crate::model::{Scope, Value};
use axum::Router;
use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};
use serde_json::json;
use std::sync::Arc;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;

/// Where every operation is.
const ROOT: &str = "/api/v1";

/// Answers that any operation may give.
const REFUSALS: [(&str, &str); 9] = [
    ("400", "A part of the request cannot be used."),
    (
        "401",
        "There is no token, or it is unknown, expired or revoked.",
    ),
    ("403", "The token's role does not have the scope."),
    ("404", "There is nothing of that name."),
    ("405", "The path does not take this method."),
    ("409", "It cannot be done as things are."),
    ("413", "The body is too long."),
    (
        "429",
        "Too many requests at once; `Retry-After` says when to try again.",
    ),
    (
        "503",
        "The hub cannot answer now; `Retry-After` says when to try again.",
    ),
];

/// The API's routes and `/openapi.json`.
pub fn routes(door: Door) -> Router {
    let (router, description) = described();
    let guard = Guard {
        door,
        scopes: Arc::new(scopes(&description)),
    };
    let text = description.to_string();
    let shown = get(async move || {
        let headers = [
            (CONTENT_TYPE, "application/json"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (headers, text.clone())
    });
    let absent = any(guard::absent);
    router
        .route(ROOT, absent.clone())
        .route(&format!("{ROOT}/{{*rest}}"), absent)
        .route_layer(from_fn_with_state(guard, guard::guard))
        .route("/openapi.json", shown)
}

/// The description, as `/openapi.json` has it.
pub fn description() -> Value {
    described().1
}

fn described() -> (Router, Value) {
    let all = OpenApiRouter::with_openapi(document()).nest(ROOT, operations());
    let (router, document) = all.split_for_parts();
    let mut description = serde_json::to_value(&document).unwrap_or_default();
    let paths = description.get_mut("paths").and_then(Value::as_object_mut);
    let paths = paths.into_iter().flat_map(|paths| paths.values_mut());
    for operation in paths
        .filter_map(Value::as_object_mut)
        .flat_map(|path| path.values_mut())
    {
        add_refusals(operation);
        add_key(operation);
    }
    (router, description)
}

fn document() -> OpenApi {
    let about = "Reads of a hub: people, audiences, accounts, runs, deliveries. Each operation needs a token \
        with the scope that its security requirement names.";
    let info = InfoBuilder::new()
        .title("Onefold")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(about));
    let mut components = Components::new();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme("token", bearer);
    let problem = <answer::ProblemBody<'_> as utoipa::PartialSchema>::schema();
    components.schemas.insert("Problem".to_owned(), problem);
    OpenApiBuilder::new()
        .info(info.build())
        .components(Some(components))
        .build()
}

fn add_refusals(operation: &mut Value) {
    let Some(responses) = operation
        .get_mut("responses")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    for (status, about) in REFUSALS {
        let schema = json!({ "$ref": "#/components/schemas/Problem" });
        let content = json!({ "application/problem+json": { "schema": schema } });
        responses
            .entry(status)
            .or_insert_with(|| json!({ "description": about, "content": content }));
    }
}

/// A change can be asked for again.
fn add_key(operation: &mut Value) {
    if !scope(operation).is_some_and(Scope::changes) {
        return;
    }
    let Some(operation) = operation.as_object_mut() else {
        return;
    };
    let parameters = operation.entry("parameters").or_insert(json!([]));
    if let Some(parameters) = parameters.as_array_mut() {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "Of the client's choice: the same change with the same key is made once, and has the same answer for a day.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
        }));
    }
}

/// The scope that an operation names.
fn scope(operation: &Value) -> Option<Scope> {
    let named = operation.pointer("/security/0/token/0");
    named.and_then(Value::as_str).and_then(Scope::parse)
}

/// The scopes that the description names; an operation without one is nobody's, which a test finds.
fn scopes(description: &Value) -> Scopes {
    let mut scopes = Scopes::new();
    let paths = description.get("paths").and_then(Value::as_object);
    for (path, operations) in paths.into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            scopes.insert((method.clone(), path.clone()), scope(operation));
        }
    }
    scopes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_names_a_scope_that_there_is() {
        let scopes = scopes(&description());
        assert!(scopes.len() > 20, "{scopes:?}");
        let without: Vec<_> = scopes.iter().filter(|(_, scope)| scope.is_none()).collect();
        assert!(without.is_empty(), "{without:?}");
    }

    #[test]
    fn every_scope_opens_something() {
        let scopes = scopes(&description());
        for (name, scope) in Scope::ALL {
            let mut used = scopes.values().flatten();
            assert!(used.any(|one| *one == scope), "{name}");
        }
    }
}
