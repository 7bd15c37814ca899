//! A stand-in for HubSpot's CRM API, version 3: contacts, companies, deals, activities, custom objects, their search, merging and
//! associations, owners, lists, properties, GDPR delete. This file owns the account, authentication, routing and the words of an
//! error; the rules of each area are in the files next to it.

mod associations;
mod batch;
mod kinds;
mod lists;
mod memberships;
mod merge;
mod objects;
mod owners;
mod properties;
mod search;
mod seed;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

pub use associations::{Associations, End};
pub use lists::List;
pub use objects::{Objects, Record};
pub use owners::Owner;
pub use seed::seed_bulk;

use super::http::{Reply, Request};
use super::server::Vendor;
use super::time::Clock;

pub const TOKEN: &str = "pat-eu1-00000000-0000-4000-8000-000000000000";

/// What is in front of HubSpot refuses longer addresses before HubSpot sees them.
const MAX_TARGET: usize = 8_000;

pub struct HubSpot {
    /// The private app's token.
    pub token: String,
    pub clock: Clock,
    pub contacts: Objects,
    pub companies: Objects,
    /// Deals, activities and custom objects.
    pub more: Vec<Objects>,
    pub associations: Associations,
    pub owners: Vec<Owner>,
    /// As before 2025: the primary record of a merge keeps its id.
    pub merges_keep_the_primary: bool,
    pub lists: Vec<List>,
    /// The id of the list that was made last; an id is never given twice.
    pub last_list: u64,
    /// Rights that the token lacks.
    pub missing_scopes: Vec<&'static str>,
    /// Search does not see changes younger than this, as with HubSpot's index.
    pub search_lag_ms: i64,
}

impl Default for HubSpot {
    fn default() -> HubSpot {
        HubSpot {
            token: TOKEN.to_string(),
            clock: Clock::System,
            contacts: Objects::of(&kinds::KINDS[0]),
            companies: Objects::of(&kinds::KINDS[1]),
            more: kinds::KINDS[2..].iter().map(Objects::of).collect(),
            associations: Associations::default(),
            owners: Vec::new(),
            merges_keep_the_primary: false,
            lists: Vec::new(),
            last_list: 0,
            missing_scopes: Vec::new(),
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
        if request.target.len() > MAX_TARGET {
            let page =
                "<html>\r\n<head><title>414 Request-URI Too Large</title></head>\r\n</html>\r\n";
            return Reply::text(414, page.to_string());
        }
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

    /// Refuses what the token has no right to.
    fn need(&self, scope: &'static str) -> Result<(), Refusal> {
        if !self.missing_scopes.contains(&scope) {
            return Ok(());
        }
        let message = "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: \
                       https://developers.hubspot.com/scopes.";
        let mut refusal = Refusal::new(403, "MISSING_SCOPES", message);
        refusal.context = json!({"requiredGranularScopes": [scope]});
        Err(refusal)
    }

    fn route(&mut self, request: &Request) -> Answer {
        let segments = request.segments();
        match (request.method.as_str(), segments.as_slice()) {
            (_, ["crm", "v3", "objects", kind, rest @ ..]) => {
                self.object_route(request, kind, rest)
            }
            ("POST", ["crm", "v4", "associations", from, to, "batch", "read"]) => {
                associations::read(self, from, to, &body_of(request)?)
            }
            ("GET", ["crm", "v3", "owners"]) => owners::list(self, request),
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
        let mut all = [&mut self.contacts, &mut self.companies]
            .into_iter()
            .chain(&mut self.more);
        let objects = all
            .find(|objects| objects.type_names.contains(&kind))
            .ok_or_else(|| unknown_type(kind))?;
        match (method, rest) {
            ("GET", []) => objects.list(request),
            ("POST", []) => objects.create_one(&body_of(request)?, now_ms),
            ("POST", ["search"]) => search::search(objects, request, search_until),
            ("POST", ["batch", action]) => {
                batch::route(objects, lists, action, &body_of(request)?, now_ms)
            }
            ("POST", ["merge"]) => {
                let around = merge::Around {
                    lists,
                    associations: &mut self.associations,
                    keeps_the_primary: self.merges_keep_the_primary,
                    now_ms,
                };
                merge::merge(objects, around, &body_of(request)?)
            }
            ("POST", ["gdpr-delete"]) if objects.kind == kinds::CONTACT => {
                batch::gdpr_delete(objects, lists, &body_of(request)?, now_ms)
            }
            ("GET", [id]) => objects.read_one(request, id),
            ("PATCH", [id]) => objects.update_one(request, id, &body_of(request)?, now_ms),
            ("DELETE", [id]) => {
                if let Some(id) = objects.find(id, None) {
                    objects.archive(id, now_ms);
                    lists::forget(lists, (objects.type_names[2], id), now_ms);
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

    /// The records of a type, as addresses call it.
    pub(crate) fn objects(&self, kind: &str) -> Result<&Objects, Refusal> {
        let mut all = [&self.contacts, &self.companies]
            .into_iter()
            .chain(&self.more);
        all.find(|objects| objects.type_names.contains(&kind))
            .ok_or_else(|| unknown_type(kind))
    }

    /// The same for a test that changes them.
    ///
    /// # Panics
    /// When there is no such type: the test is wrong.
    pub fn of(&mut self, kind: &str) -> &mut Objects {
        let mut all = [&mut self.contacts, &mut self.companies]
            .into_iter()
            .chain(&mut self.more);
        all.find(|objects| objects.type_names.contains(&kind))
            .expect("a type of the account")
    }

    /// Makes a type of the account's own.
    pub fn define(&mut self, number: &'static str, properties: &'static [&'static str]) {
        self.more
            .push(Objects::of(&kinds::custom(number, properties)));
    }

    /// Associates two records. What HubSpot counts in a contact's own properties changes the contact.
    ///
    /// # Panics
    /// When there is no such type: the test is wrong.
    pub fn associate(&mut self, one: (&str, u64), other: (&str, u64), now_ms: i64) {
        let (one, other) = (
            (self.of(one.0).kind, one.1),
            (self.of(other.0).kind, other.1),
        );
        self.associations.add(one, other);
        self.refresh_company(one, now_ms);
        self.refresh_company(other, now_ms);
    }

    /// Takes an association back.
    ///
    /// # Panics
    /// When there is no such type: the test is wrong.
    pub fn part(&mut self, one: (&str, u64), other: (&str, u64), now_ms: i64) {
        let (one, other) = (
            (self.of(one.0).kind, one.1),
            (self.of(other.0).kind, other.1),
        );
        self.associations.remove(one, other);
        self.refresh_company(one, now_ms);
        self.refresh_company(other, now_ms);
    }

    /// Works a contact's primary company out again, as HubSpot does when companies were merged.
    ///
    /// # Panics
    /// When there is no such type: the test is wrong.
    pub fn refresh(&mut self, (kind, id): (&str, u64), now_ms: i64) {
        let kind = self.of(kind).kind;
        self.refresh_company((kind, id), now_ms);
    }

    fn refresh_company(&mut self, end: End, now_ms: i64) {
        if end.0 == kinds::CONTACT {
            let company = self.associations.primary(end);
            let text = company.map(|id| id.to_string()).unwrap_or_default();
            self.contacts
                .put(end.1, "associatedcompanyid", &text, now_ms);
        }
    }

    /// Merges two records, as a person in HubSpot's own pages would. Returns the id of the merged one.
    ///
    /// # Panics
    /// When there are no such records: the test is wrong.
    pub fn merge(&mut self, kind: &str, primary: u64, other: u64, now_ms: i64) -> u64 {
        let body =
            json!({"primaryObjectId": primary.to_string(), "objectIdToMerge": other.to_string()});
        let keeps_the_primary = self.merges_keep_the_primary;
        let mut all = [&mut self.contacts, &mut self.companies]
            .into_iter()
            .chain(&mut self.more);
        let objects = all
            .find(|objects| objects.type_names.contains(&kind))
            .expect("a type of the account");
        let around = merge::Around {
            lists: &mut self.lists,
            associations: &mut self.associations,
            keeps_the_primary,
            now_ms,
        };
        merge::merge(objects, around, &body).expect("a merge in a test must be valid");
        objects.current(primary)
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
