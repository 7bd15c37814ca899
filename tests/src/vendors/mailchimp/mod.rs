//! A stand-in for Mailchimp's Marketing API 3.0 with one list: members, static segments (tags), reports.
//! This file owns the account, authentication, routing, the words of an error, and the log of effective writes.

mod contacts;
mod fields;
mod members;
mod reports;
mod segments;
#[cfg(test)]
mod tests;
mod writing;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

pub use contacts::contact_id;
pub use fields::Pages;
pub use members::{Member, Status, subscriber_hash};
pub use reports::{Action, Activity, Campaign, Unsubscribed};
pub use segments::Segment;

use super::http::{Reply, Request};
use super::server::Vendor;
use super::time::Clock;

pub const KEY: &str = "0123456789abcdef0123456789abcdef-us1";
pub const LIST_ID: &str = "a1b2c3d4e5";

pub struct Mailchimp {
    pub key: String,
    pub list_id: String,
    pub clock: Clock,
    /// By subscriber hash.
    pub members: BTreeMap<String, Member>,
    /// The contact that has an address, by subscriber hash. Contacts whose address was changed keep their id.
    pub contacts: BTreeMap<String, String>,
    /// An id of a contact is never given twice.
    pub contacts_given: BTreeSet<String>,
    /// How many rows a page really has.
    pub pages: Pages,
    pub segments: Vec<Segment>,
    /// How many characters the name of a tag may have.
    pub longest_tag: usize,
    /// The id of the segment that was made last; an id is never given twice.
    pub last_segment: u64,
    pub campaigns: Vec<Campaign>,
    /// Merge tags of the list and their types.
    pub merge_fields: BTreeMap<String, &'static str>,
    /// Hashes of addresses that were deleted for good.
    pub forgotten: BTreeSet<String>,
    pub writes: Vec<Write>,
}

impl Default for Mailchimp {
    fn default() -> Mailchimp {
        let fields = [
            ("FNAME", "text"),
            ("LNAME", "text"),
            ("PHONE", "phone"),
            ("COUNTRY", "text"),
            ("ORDERS", "number"),
        ];
        Mailchimp {
            key: KEY.to_string(),
            list_id: LIST_ID.to_string(),
            clock: Clock::System,
            members: BTreeMap::new(),
            contacts: BTreeMap::new(),
            contacts_given: BTreeSet::new(),
            pages: Pages::AsAsked,
            segments: Vec::new(),
            longest_tag: 100,
            last_segment: 100,
            campaigns: Vec::new(),
            merge_fields: fields.map(|(tag, kind)| (tag.to_string(), kind)).into(),
            forgotten: BTreeSet::new(),
            writes: Vec::new(),
        }
    }
}

/// One thing a request applied to one member or to one member's place in one segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    pub at_ms: i64,
    /// `member:ADDRESS` or `segment:NAME:ADDRESS`.
    pub object: String,
    /// `created`, `updated`, `archived`, `erased`, `added` or `removed`.
    pub action: &'static str,
    /// What was asked to be there afterwards.
    pub content: Value,
    /// False when it was so already.
    pub changed: bool,
}

/// What a test compares: every member's status and merge fields, and each segment's members, by address.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    pub members: BTreeMap<String, (Status, BTreeMap<String, Value>)>,
    pub segments: BTreeMap<String, BTreeSet<String>>,
}

/// A refusal in Mailchimp's words.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub status: u16,
    pub title: &'static str,
    pub detail: String,
    pub errors: Vec<(String, String)>,
}

impl Refusal {
    pub fn new(status: u16, title: &'static str, detail: impl Into<String>) -> Refusal {
        Refusal {
            status,
            title,
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    pub fn not_found() -> Refusal {
        Refusal::new(
            404,
            "Resource Not Found",
            "The requested resource could not be found.",
        )
    }

    /// Wrong fields of the body or the query.
    pub fn fields(errors: Vec<(String, String)>) -> Refusal {
        let detail = "The resource submitted could not be validated. For field-specific details, see the 'errors' array.";
        Refusal {
            errors,
            ..Refusal::new(400, "Invalid Resource", detail)
        }
    }

    pub fn field(name: &str, message: impl Into<String>) -> Refusal {
        Refusal::fields(vec![(name.to_string(), message.into())])
    }

    fn reply(&self) -> Reply {
        let mut body = json!({
            "type": "https://mailchimp.com/developer/marketing/docs/errors/",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": "995c5cb0-3280-4a6e-808b-3b096d0bb219",
        });
        if !self.errors.is_empty() {
            let errors = self
                .errors
                .iter()
                .map(|(field, message)| json!({"field": field, "message": message}));
            body["errors"] = errors.collect();
        }
        Reply::json(self.status, &body)
            .with("content-type", "application/problem+json; charset=utf-8")
    }
}

pub(crate) type Answer = Result<Value, Refusal>;

impl Vendor for Mailchimp {
    fn answer(&mut self, request: &Request) -> Reply {
        let answered = self
            .authenticate(request)
            .and_then(|()| self.route(request));
        match answered {
            Ok(Value::Null) => Reply::empty(204),
            Ok(body) => Reply::json(200, &fields::select(request, body)),
            Err(refusal) => refusal.reply(),
        }
    }

    fn too_many_requests(&self) -> Reply {
        Refusal::new(
            429,
            "Too Many Requests",
            "You have exceeded the limit of 10 simultaneous connections.",
        )
        .reply()
    }

    fn server_error(&self) -> Reply {
        let detail = "An unexpected internal error has occurred. Please contact Support for more information.";
        Refusal::new(500, "Internal Server Error", detail).reply()
    }
}

impl Mailchimp {
    pub fn snapshot(&self) -> Snapshot {
        let members = self.members.values().map(|member| {
            (
                member.email.to_lowercase(),
                (member.status, member.merge_fields.clone()),
            )
        });
        let segments = self
            .segments
            .iter()
            .map(|segment| (segment.name.clone(), self.segment_members(&segment.name)));
        Snapshot {
            members: members.collect(),
            segments: segments.collect(),
        }
    }

    /// Addresses in lower case that hold this tag; empty when there is no such tag.
    pub fn segment_members(&self, name: &str) -> BTreeSet<String> {
        let found = self.segments.iter().find(|segment| segment.name == name);
        let hashes = found.into_iter().flat_map(|segment| &segment.members);
        hashes
            .filter_map(|hash| self.members.get(hash))
            .map(|member| member.email.to_lowercase())
            .collect()
    }

    pub(crate) fn wrote(
        &mut self,
        object: String,
        action: &'static str,
        content: Value,
        changed: bool,
    ) {
        let at_ms = self.clock.now_ms();
        self.writes.push(Write {
            at_ms,
            object,
            action,
            content,
            changed,
        });
    }

    fn authenticate(&self, request: &Request) -> Result<(), Refusal> {
        let basic = request.basic().map(|(_, password)| password);
        match request.bearer().map(str::to_string).or(basic) {
            Some(key) if key == self.key => Ok(()),
            Some(_) => Err(Refusal::new(
                401,
                "API Key Invalid",
                "Your API key may be invalid, or you've attempted to access the wrong datacenter.",
            )),
            None => Err(Refusal::new(
                401,
                "API Key Missing",
                "Your request did not include an API key.",
            )),
        }
    }

    fn route(&mut self, request: &Request) -> Answer {
        let segments = request.segments();
        let ["3.0", rest @ ..] = segments.as_slice() else {
            return Err(Refusal::not_found());
        };
        match (request.method.as_str(), rest) {
            ("GET", []) => Ok(
                json!({"account_id": "onefold", "account_name": "Onefold", "total_subscribers": self.members.len()}),
            ),
            ("GET", ["ping"]) => Ok(json!({"health_status": "Everything's Chimpy!"})),
            ("GET", ["lists"]) => {
                Ok(json!({"lists": [self.list_body()], "total_items": 1, "_links": []}))
            }
            ("GET", ["reports", rest @ ..]) => self.reports(request, rest),
            (_, ["lists", list, rest @ ..]) if *list == self.list_id => {
                self.list_route(request, rest)
            }
            _ => Err(Refusal::not_found()),
        }
    }

    fn list_route(&mut self, request: &Request, rest: &[&str]) -> Answer {
        match (request.method.as_str(), rest) {
            ("GET", []) => Ok(self.list_body()),
            ("POST", []) => self.batch(request, &body_of(request)?),
            ("GET", ["merge-fields"]) => self.list_merge_fields(request),
            ("GET", ["members"]) => self.list_members(request),
            ("POST", ["members"]) => self.add_member(request, &body_of(request)?),
            ("GET", ["members", who]) => Ok(self.member_body(&self.find(who)?)),
            ("PUT", ["members", who]) => self.put_member(request, who, &body_of(request)?),
            ("PATCH", ["members", who]) => self.patch_member(request, who, &body_of(request)?),
            ("DELETE", ["members", who]) => self.archive_member(who),
            ("POST", ["members", who, "actions", "delete-permanent"]) => self.erase_member(who),
            ("GET", ["members", who, "tags"]) => self.member_tags(request, who),
            ("POST", ["members", who, "tags"]) => self.change_member_tags(who, &body_of(request)?),
            (_, ["segments", rest @ ..]) => self.segment_route(request, rest),
            ("GET", ["tag-search"]) => self.tag_search(request),
            _ => Err(Refusal::new(
                405,
                "Method Not Allowed",
                "The requested method and resource are not compatible.",
            )),
        }
    }

    fn list_body(&self) -> Value {
        let count = |status: Status| {
            self.members
                .values()
                .filter(|member| member.status == status)
                .count()
        };
        json!({
            "id": self.list_id, "web_id": 1, "name": "Newsletter", "permission_reminder": "You signed up on our site.",
            "use_archive_bar": true, "notify_on_subscribe": "", "notify_on_unsubscribe": "", "list_rating": 0,
            "date_created": "2023-01-01T00:00:00+00:00", "email_type_option": false, "double_optin": false,
            "stats": {"member_count": count(Status::Subscribed), "unsubscribe_count": count(Status::Unsubscribed),
                      "cleaned_count": count(Status::Cleaned)},
            "_links": [],
        })
    }

    fn list_merge_fields(&self, request: &Request) -> Answer {
        let all: Vec<Value> = self.merge_fields.iter().enumerate().map(|(at, (tag, kind))| {
            json!({"merge_id": at + 1, "tag": tag, "name": tag, "type": kind, "required": false, "default_value": "",
                   "public": false, "display_order": at + 1, "options": {"size": 25}, "help_text": "",
                   "list_id": self.list_id, "_links": []})
        }).collect();
        let total = all.len();
        let page = self.page(request, all)?;
        Ok(
            json!({"merge_fields": page, "list_id": self.list_id, "total_items": total, "_links": []}),
        )
    }
}

pub(crate) fn body_of(request: &Request) -> Result<Value, Refusal> {
    let parsed = request.json().ok().filter(Value::is_object);
    parsed.ok_or_else(|| {
        Refusal::new(
            400,
            "JSON Parse Error",
            "We encountered an unspecified JSON parsing error.",
        )
    })
}
