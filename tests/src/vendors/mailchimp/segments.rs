//! Static segments, which Mailchimp shows as tags: making them, finding them, and who is in them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::http::Request;
use super::super::time::rfc3339_offset;
use super::members::{Status, subscriber_hash};
use super::{Answer, Mailchimp, Refusal, body_of};

const MAX_CHANGES: usize = 500;

pub struct Segment {
    pub id: u64,
    pub name: String,
    pub created_ms: i64,
    pub updated_ms: i64,
    /// Subscriber hashes.
    pub members: BTreeSet<String>,
}

impl Mailchimp {
    pub(super) fn segment_route(&mut self, request: &Request, rest: &[&str]) -> Answer {
        match (request.method.as_str(), rest) {
            ("GET", []) => self.list_segments(request),
            ("POST", []) => self.create_segment(&body_of(request)?),
            ("GET", [id]) => Ok(self.segment_body(self.segment_at(id)?)),
            ("POST", [id]) => self.change_segment(id, &body_of(request)?),
            ("DELETE", [id]) => {
                let at = self.segment_at(id)?;
                self.segments.remove(at);
                Ok(Value::Null)
            }
            ("GET", [id, "members"]) => self.list_segment_members(request, id),
            ("POST", [id, "members"]) => {
                let body = body_of(request)?;
                let email = body["email_address"]
                    .as_str()
                    .unwrap_or_default()
                    .to_string();
                let at = self.segment_at(id)?;
                match self.add(at, &email) {
                    Ok(_) => Ok(self.member_body(&subscriber_hash(&email))),
                    Err(why) => Err(Refusal::new(400, "Bad Request", why)),
                }
            }
            ("DELETE", [id, "members", who]) => {
                let at = self.segment_at(id)?;
                let email = self.members[&self.find(who)?].email.clone();
                self.remove(at, &email)
                    .map_err(|why| Refusal::new(404, "Resource Not Found", why))?;
                Ok(Value::Null)
            }
            _ => Err(Refusal::new(
                405,
                "Method Not Allowed",
                "The requested method and resource are not compatible.",
            )),
        }
    }

    fn segment_at(&self, id: &str) -> Result<usize, Refusal> {
        let found = self
            .segments
            .iter()
            .position(|segment| segment.id.to_string() == id);
        found.ok_or_else(Refusal::not_found)
    }

    fn segment_body(&self, at: usize) -> Value {
        let segment = &self.segments[at];
        json!({
            "id": segment.id, "name": segment.name, "member_count": segment.members.len(), "type": "static",
            "created_at": rfc3339_offset(segment.created_ms), "updated_at": rfc3339_offset(segment.updated_ms),
            "list_id": self.list_id, "_links": [],
        })
    }

    fn list_segments(&self, request: &Request) -> Answer {
        let all: Vec<Value> = (0..self.segments.len())
            .map(|at| self.segment_body(at))
            .filter(|_| request.query("type").is_none_or(|kind| kind == "static"))
            .collect();
        let total = all.len();
        let page = self.page(request, all)?;
        Ok(json!({"segments": page, "list_id": self.list_id, "total_items": total, "_links": []}))
    }

    fn create_segment(&mut self, body: &Value) -> Answer {
        let name = body["name"]
            .as_str()
            .map(str::trim)
            .unwrap_or_default()
            .to_string();
        if name.is_empty() || name.chars().count() > self.longest_tag {
            let most = self.longest_tag;
            let message = format!("This value should be between 1 and {most} characters.");
            return Err(Refusal::field("name", message));
        }
        let Some(emails) = body["static_segment"].as_array() else {
            return Err(Refusal::field(
                "options",
                "A segment needs either `static_segment` or `options`.",
            ));
        };
        if self
            .segments
            .iter()
            .any(|segment| segment.name.eq_ignore_ascii_case(&name))
        {
            return Err(Refusal::new(
                400,
                "Bad Request",
                "Sorry, that tag already exists.",
            ));
        }
        let now = self.clock.now_ms();
        self.last_segment += 1;
        let id = self.last_segment;
        self.segments.push(Segment {
            id,
            name,
            created_ms: now,
            updated_ms: now,
            members: BTreeSet::new(),
        });
        let at = self.segments.len() - 1;
        for email in emails.iter().filter_map(Value::as_str) {
            // An address that is not on the list is left out without a word.
            let _ = self.add(at, email);
        }
        Ok(self.segment_body(at))
    }

    fn change_segment(&mut self, id: &str, body: &Value) -> Answer {
        let at = self.segment_at(id)?;
        let emails = |name: &str| -> Vec<String> {
            let given = body[name].as_array().into_iter().flatten();
            given
                .filter_map(Value::as_str)
                .map(str::to_string)
                .collect()
        };
        let (add, remove) = (emails("members_to_add"), emails("members_to_remove"));
        if add.len() > MAX_CHANGES || remove.len() > MAX_CHANGES {
            return Err(Refusal::field(
                "members_to_add",
                format!("At most {MAX_CHANGES} members may be changed at once."),
            ));
        }
        let mut errors: Vec<(String, Vec<String>)> = Vec::new();
        let mut refuse =
            |email: String, why: String| match errors.iter_mut().find(|(known, _)| *known == why) {
                Some((_, emails)) => emails.push(email),
                None => errors.push((why, vec![email])),
            };
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for email in add {
            match self.add(at, &email) {
                Ok(hash) => added.extend(hash),
                Err(why) => refuse(email, why),
            }
        }
        for email in remove {
            match self.remove(at, &email) {
                Ok(hash) => removed.extend(hash),
                Err(why) => refuse(email, why),
            }
        }
        let count: usize = errors.iter().map(|(_, emails)| emails.len()).sum();
        let errors: Vec<Value> = errors
            .into_iter()
            .map(|(error, emails)| json!({"email_addresses": emails, "error": error}))
            .collect();
        let bodies = |hashes: &[String]| -> Vec<Value> {
            hashes.iter().map(|hash| self.member_body(hash)).collect()
        };
        Ok(json!({
            "members_added": bodies(&added), "members_removed": bodies(&removed), "errors": errors,
            "total_added": added.len(), "total_removed": removed.len(), "error_count": count, "_links": [],
        }))
    }

    /// Returns the hash when the address was added, none when it was in the segment already.
    fn add(&mut self, at: usize, email: &str) -> Result<Option<String>, String> {
        let hash = subscriber_hash(email);
        match self.members.get(&hash).map(|member| member.status) {
            Some(Status::Subscribed | Status::Pending | Status::Transactional) => {}
            Some(_) => {
                return Err(
                    "Email addresses have unsubscribed, bounced or been archived".to_string(),
                );
            }
            None => return Err("Email addresses do not exist on the list".to_string()),
        }
        let new = self.segments[at].members.insert(hash.clone());
        self.note(at, email, "added", new);
        Ok(new.then_some(hash))
    }

    /// Returns the hash when the address was removed, none when it was not in the segment.
    fn remove(&mut self, at: usize, email: &str) -> Result<Option<String>, String> {
        let hash = subscriber_hash(email);
        if !self.members.contains_key(&hash) {
            return Err("Email addresses do not exist on the list".to_string());
        }
        let was = self.segments[at].members.remove(&hash);
        self.note(at, email, "removed", was);
        Ok(was.then_some(hash))
    }

    fn note(&mut self, at: usize, email: &str, action: &'static str, changed: bool) {
        let now = self.clock.now_ms();
        let segment = &mut self.segments[at];
        if changed {
            segment.updated_ms = now;
        }
        let object = format!("segment:{}:{}", segment.name, email.to_lowercase());
        self.wrote(object, action, Value::Null, changed);
    }

    fn list_segment_members(&self, request: &Request, id: &str) -> Answer {
        let segment = &self.segments[self.segment_at(id)?];
        let include = request.query("include_unsubscribed") == Some("true");
        let shown = |hash: &&String| {
            let status = self.members.get(*hash).map(|member| member.status);
            include || status == Some(Status::Subscribed)
        };
        let hashes: Vec<&String> = segment.members.iter().filter(shown).collect();
        let total = hashes.len();
        let page = self.page(request, hashes)?;
        let members: Vec<Value> = page
            .into_iter()
            .map(|hash| self.member_body(hash))
            .collect();
        Ok(json!({"members": members, "total_items": total, "_links": []}))
    }

    pub(super) fn member_tags(&self, request: &Request, who: &str) -> Answer {
        let hash = self.find(who)?;
        let tags: Vec<Value> = self
            .segments
            .iter()
            .filter(|segment| segment.members.contains(&hash))
            .map(|segment| json!({"id": segment.id, "name": segment.name, "date_added": rfc3339_offset(segment.updated_ms)}))
            .collect();
        let total = tags.len();
        Ok(json!({"tags": self.page(request, tags)?, "total_items": total, "_links": []}))
    }

    /// Sets or clears tags of one member; a new name makes a new tag.
    pub(super) fn change_member_tags(&mut self, who: &str, body: &Value) -> Answer {
        let email = self.members[&self.find(who)?].email.clone();
        for tag in body["tags"]
            .as_array()
            .ok_or_else(|| Refusal::field("tags", "This field is required."))?
        {
            let name = tag["name"].as_str().unwrap_or_default();
            let found = self
                .segments
                .iter()
                .position(|segment| segment.name == name);
            match tag["status"].as_str() {
                Some("active") => {
                    if found.is_none() {
                        self.create_segment(&json!({"name": name, "static_segment": []}))?;
                    }
                    let at = found.unwrap_or(self.segments.len() - 1);
                    // A tag that is there already stays.
                    let _ = self.add(at, &email);
                }
                Some("inactive") => {
                    if let Some(at) = found {
                        let _ = self.remove(at, &email);
                    }
                }
                _ => {
                    return Err(Refusal::field(
                        "tags.status",
                        "Value must be one of active, inactive",
                    ));
                }
            }
        }
        Ok(Value::Null)
    }

    pub(super) fn tag_search(&self, request: &Request) -> Answer {
        let wanted = request.query("name").unwrap_or_default().to_lowercase();
        let tags: Vec<Value> = self
            .segments
            .iter()
            .filter(|segment| segment.name.to_lowercase().starts_with(&wanted))
            .map(|segment| json!({"id": segment.id, "name": segment.name}))
            .collect();
        Ok(json!({"total_items": tags.len(), "tags": tags}))
    }
}
