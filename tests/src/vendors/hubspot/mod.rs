//! A stand-in for HubSpot's CRM API, version 3: contacts, companies, search, lists, properties, GDPR delete.
//! This file owns the account, authentication, routing and the words of an error; the rules of each area are in
//! the files next to it.

mod batch;
mod lists;
mod objects;
mod properties;
mod search;
mod seed;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

pub use lists::List;
pub use objects::{Objects, Record};
pub use seed::seed_bulk;

use super::http::{Reply, Request};
use super::server::Vendor;
use super::time::Clock;

pub const TOKEN: &str = "pat-eu1-00000000-0000-4000-8000-000000000000";

pub struct HubSpot {
    /// The private app's token.
    pub token: String,
    pub clock: Clock,
    pub contacts: Objects,
    pub companies: Objects,
    pub lists: Vec<List>,
    /// The id of the list that was made last; an id is never given twice.
    pub last_list: u64,
    /// Search does not see changes younger than this, as with HubSpot's index.
    pub search_lag_ms: i64,
}

impl Default for HubSpot {
    fn default() -> HubSpot {
        HubSpot {
            token: TOKEN.to_string(),
            clock: Clock::System,
            contacts: Objects::contacts(),
            companies: Objects::companies(),
            lists: Vec::new(),
            last_list: 0,
            search_lag_ms: 0,
        }
    }
}

/// A refusal in HubSpot's words.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub status: u16,
    pub category: &'static str,
    pub message: String,
    pub context: Value,
}

impl Refusal {
    pub fn invalid(message: impl Into<String>) -> Refusal {
        Refusal::new(400, "VALIDATION_ERROR", message)
    }

    pub fn missing(message: impl Into<String>) -> Refusal {
        Refusal::new(404, "OBJECT_NOT_FOUND", message)
    }

    pub fn new(status: u16, category: &'static str, message: impl Into<String>) -> Refusal {
        Refusal {
            status,
            category,
            message: message.into(),
            context: json!({}),
        }
    }

    pub fn body(&self) -> Value {
        json!({
            "status": "error",
            "message": self.message,
            "correlationId": "4f5d9bd0-6b5e-4e1a-9f6f-2b7c5a0d1e3f",
            "category": self.category,
            "context": self.context,
        })
    }
}

pub(crate) type Answer = Result<Reply, Refusal>;

impl Vendor for HubSpot {
    fn answer(&mut self, request: &Request) -> Reply {
        if let Err(refusal) = self.authenticate(request) {
            return Reply::json(refusal.status, &refusal.body());
        }
        match self.route(request) {
            Ok(reply) => reply,
            Err(refusal) => Reply::json(refusal.status, &refusal.body()),
        }
    }

    fn too_many_requests(&self) -> Reply {
        let body = json!({
            "status": "error",
            "message": "You have reached your ten_secondly_rolling limit.",
            "errorType": "RATE_LIMIT",
            "correlationId": "c033cdaa-2c40-4a64-ae48-b4cec88dad24",
            "policyName": "TEN_SECONDLY_ROLLING",
            "requestId": "3d3e35b7-0dae-4b9f-a6e3-9c230cbcf8dd",
        });
        Reply::json(429, &body)
    }

    fn server_error(&self) -> Reply {
        Reply::json(
            500,
            &Refusal::new(500, "INTERNAL_ERROR", "internal error").body(),
        )
    }
}

impl HubSpot {
    fn authenticate(&self, request: &Request) -> Result<(), Refusal> {
        let Some(token) = request.bearer() else {
            return Err(Refusal::new(
                401,
                "INVALID_AUTHENTICATION",
                "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find \
                 more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
            ));
        };
        if token != self.token {
            return Err(Refusal::new(
                401,
                "INVALID_AUTHENTICATION",
                "Authentication credentials not found or not valid for this account.",
            ));
        }
        Ok(())
    }

    fn route(&mut self, request: &Request) -> Answer {
        let segments = request.segments();
        match (request.method.as_str(), segments.as_slice()) {
            (_, ["crm", "v3", "objects", kind, rest @ ..]) => {
                self.object_route(request, kind, rest)
            }
            (_, ["crm", "v3", "lists", rest @ ..]) => lists::route(self, request, rest),
            ("GET", ["crm", "v3", "properties", kind]) => {
                Ok(Reply::json(200, &self.objects(kind)?.describe_properties()))
            }
            ("GET", ["account-info", "v3", "details"]) => Ok(Reply::json(200, &account())),
            _ => Err(Refusal::new(
                404,
                "RESOURCE_NOT_FOUND",
                "resource not found",
            )),
        }
    }

    fn object_route(&mut self, request: &Request, kind: &str, rest: &[&str]) -> Answer {
        let now_ms = self.clock.now_ms();
        let search_until = now_ms - self.search_lag_ms;
        let method = request.method.as_str();
        let lists = &mut self.lists;
        let objects = match kind {
            "contacts" | "contact" | "0-1" => &mut self.contacts,
            "companies" | "company" | "0-2" => &mut self.companies,
            _ => return Err(unknown_type(kind)),
        };
        match (method, rest) {
            ("GET", []) => objects.list(request),
            ("POST", []) => objects.create_one(&body_of(request)?, now_ms),
            ("POST", ["search"]) => search::search(objects, request, search_until),
            ("POST", ["batch", action]) => {
                batch::route(objects, lists, action, &body_of(request)?, now_ms)
            }
            ("POST", ["gdpr-delete"]) if kind.starts_with("contact") => {
                batch::gdpr_delete(objects, lists, &body_of(request)?)
            }
            ("GET", [id]) => objects.read_one(request, id),
            ("PATCH", [id]) => objects.update_one(request, id, &body_of(request)?, now_ms),
            ("DELETE", [id]) => {
                if let Some(id) = objects.find(id, None) {
                    objects.archive(id, now_ms);
                    lists::forget(lists, id);
                }
                Ok(Reply::empty(204))
            }
            _ => Err(Refusal::new(
                405,
                "METHOD_NOT_ALLOWED",
                "HTTP 405 Method Not Allowed",
            )),
        }
    }

    fn objects(&self, kind: &str) -> Result<&Objects, Refusal> {
        match kind {
            "contacts" | "contact" | "0-1" => Ok(&self.contacts),
            "companies" | "company" | "0-2" => Ok(&self.companies),
            _ => Err(unknown_type(kind)),
        }
    }
}

fn unknown_type(kind: &str) -> Refusal {
    Refusal::invalid(format!("Unable to infer object type from: {kind}"))
}

fn account() -> Value {
    json!({
        "portalId": 1_400_000,
        "accountType": "DEVELOPER_TEST",
        "timeZone": "Europe/Warsaw",
        "companyCurrency": "PLN",
        "additionalCurrencies": [],
        "utcOffset": "+01:00",
        "utcOffsetMilliseconds": 3_600_000,
        "uiDomain": "app-eu1.hubspot.com",
        "dataHostingLocation": "eu1",
    })
}

pub(crate) fn body_of(request: &Request) -> Result<Value, Refusal> {
    let labelled = request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/json"));
    if !labelled {
        return Err(Refusal::new(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "HTTP 415 Unsupported Media Type",
        ));
    }
    request
        .json()
        .map_err(|_| Refusal::invalid("Invalid input JSON on line 1, column 1"))
}

/// A number of the query between 1 and `max`.
pub(crate) fn limit_of(value: Option<&str>, default: usize, max: usize) -> Result<usize, Refusal> {
    let Some(text) = value else {
        return Ok(default);
    };
    let limit: i64 = text
        .parse()
        .map_err(|_| Refusal::invalid(format!("limit: `{text}` is not a valid integer")))?;
    if limit < 1 || limit > max as i64 {
        return Err(Refusal::invalid(format!(
            "The requested limit {limit} must be between 1 and {max}"
        )));
    }
    Ok(limit as usize)
}
