//! Members of the fake Mailchimp's list: what one is, finding and listing them, archive and erasure.

use std::collections::BTreeMap;

use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::super::http::Request;
use super::super::time::{parse_rfc3339, rfc3339_offset};
use super::{Answer, Mailchimp, Refusal};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Subscribed,
    Unsubscribed,
    Cleaned,
    Pending,
    Transactional,
    Archived,
}

const STATUSES: [(&str, Status); 6] = [
    ("subscribed", Status::Subscribed),
    ("unsubscribed", Status::Unsubscribed),
    ("cleaned", Status::Cleaned),
    ("pending", Status::Pending),
    ("transactional", Status::Transactional),
    ("archived", Status::Archived),
];

impl Status {
    pub fn name(self) -> &'static str {
        STATUSES
            .iter()
            .find(|(_, status)| *status == self)
            .map_or("", |(name, _)| name)
    }

    pub(super) fn parse(name: &str) -> Option<Status> {
        STATUSES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, status)| *status)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// As first given; the hash is of its lower case.
    pub email: String,
    pub status: Status,
    pub merge_fields: BTreeMap<String, Value>,
    pub language: String,
    pub vip: bool,
    pub signed_up_ms: i64,
    pub last_changed_ms: i64,
    pub unsubscribe_reason: Option<String>,
}

/// MD5 of the address in lower case, in hexadecimal.
pub fn subscriber_hash(email: &str) -> String {
    Md5::digest(email.trim().to_lowercase().as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl Mailchimp {
    /// Puts a member in as it stands, without checks and without a trace in the log.
    pub fn seed_member(&mut self, member: Member) {
        self.enter(member);
    }

    /// The hash behind a hash, an address or a contact id.
    pub(super) fn find(&self, who: &str) -> Result<String, Refusal> {
        let hash = if who.contains('@') {
            subscriber_hash(who)
        } else {
            who.to_lowercase()
        };
        if self.members.contains_key(&hash) {
            return Ok(hash);
        }
        let mut contacts = self.contacts.iter();
        let found = contacts.find(|(_, contact)| *contact == who);
        found
            .map(|(hash, _)| hash.clone())
            .ok_or_else(Refusal::not_found)
    }

    pub(super) fn member_body(&self, hash: &str) -> Value {
        let Some(member) = self.members.get(hash) else {
            return Value::Null;
        };
        let mut merge: BTreeMap<&str, Value> = self
            .merge_fields
            .keys()
            .map(|tag| (tag.as_str(), json!("")))
            .collect();
        merge.extend(
            member
                .merge_fields
                .iter()
                .map(|(tag, value)| (tag.as_str(), value.clone())),
        );
        let tags: Vec<Value> = self
            .segments
            .iter()
            .filter(|segment| segment.members.contains(hash))
            .map(|segment| json!({"id": segment.id, "name": segment.name}))
            .collect();
        let names = ["FNAME", "LNAME"].map(|tag| {
            merge
                .get(tag)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_string()
        });
        let mut body = json!({
            "id": hash, "email_address": member.email, "unique_email_id": &hash[..10],
            "contact_id": self.contacts.get(hash),
            "full_name": names.join(" ").trim(), "web_id": 1, "email_type": "html", "status": member.status.name(),
            "consents_to_one_to_one_messaging": true, "merge_fields": merge, "interests": {},
            "stats": {"avg_open_rate": 0, "avg_click_rate": 0}, "ip_signup": "", "timestamp_signup": "",
            "ip_opt": "198.51.100.7", "timestamp_opt": rfc3339_offset(member.signed_up_ms), "member_rating": 2,
            "last_changed": rfc3339_offset(member.last_changed_ms), "language": member.language, "vip": member.vip,
            "email_client": "",
            "location": {"latitude": 0, "longitude": 0, "gmtoff": 0, "dstoff": 0, "country_code": "", "timezone": "",
                         "region": ""},
            "source": "Import", "tags_count": tags.len(), "tags": tags, "list_id": self.list_id, "_links": [],
        });
        if let Some(reason) = &member.unsubscribe_reason {
            body["unsubscribe_reason"] = json!(reason);
        }
        body
    }

    pub(super) fn list_members(&self, request: &Request) -> Answer {
        let time = |name: &str| match request.query(name) {
            None => Ok(None),
            Some(text) => parse_rfc3339(text)
                .map(Some)
                .ok_or_else(|| Refusal::field(name, "This value is not a valid datetime.")),
        };
        let (since, before) = (time("since_last_changed")?, time("before_last_changed")?);
        let status = match request.query("status") {
            None => None,
            Some(text) => Some(Status::parse(text).ok_or_else(|| {
                Refusal::field("status", "Value must be one of the allowed statuses")
            })?),
        };
        let mut found: Vec<(&String, &Member)> = self
            .members
            .iter()
            .filter(|(_, member)| match status {
                Some(status) => member.status == status,
                None => member.status != Status::Archived,
            })
            // Mailchimp counts in whole seconds, and means `after`.
            .filter(|(_, member)| {
                since.is_none_or(|since| member.last_changed_ms / 1_000 > since / 1_000)
            })
            .filter(|(_, member)| {
                before.is_none_or(|before| member.last_changed_ms / 1_000 < before / 1_000)
            })
            .collect();
        match request.query("sort_field") {
            None => {}
            Some("last_changed") => found.sort_by_key(|(_, member)| member.last_changed_ms / 1_000),
            Some("timestamp_opt" | "timestamp_signup") => {
                found.sort_by_key(|(_, member)| member.signed_up_ms);
            }
            Some(_) => {
                return Err(Refusal::field(
                    "sort_field",
                    "Value must be one of timestamp_opt, timestamp_signup, last_changed",
                ));
            }
        }
        if request
            .query("sort_dir")
            .is_some_and(|dir| dir.eq_ignore_ascii_case("desc"))
        {
            found.reverse();
        }
        let total = found.len();
        let page: Vec<Value> = self
            .page(request, found)?
            .into_iter()
            .map(|(hash, _)| self.member_body(hash))
            .collect();
        Ok(json!({"members": page, "list_id": self.list_id, "total_items": total, "_links": []}))
    }
}
