//! Writing members of the fake Mailchimp's list: the three ways of writing one, the batch, and what each refuses.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::http::Request;
use super::members::{Member, Status, subscriber_hash};
use super::{Answer, Mailchimp, Refusal};

const MAX_BATCH: usize = 500;

/// What a write may do besides setting fields.
#[derive(Clone, Copy, PartialEq)]
enum Existing {
    Refuse,
    Update,
}

/// What a checked write does to one member.
struct Applied {
    hash: String,
    new: bool,
}

impl Mailchimp {
    pub(super) fn add_member(&mut self, _request: &Request, body: &Value) -> Answer {
        let email = body["email_address"]
            .as_str()
            .unwrap_or_default()
            .to_string();
        let status = status_of(body, &["status"])?;
        let applied = self.write(&email, body, status, status, Existing::Refuse)?;
        Ok(self.member_body(&applied.hash))
    }

    pub(super) fn put_member(&mut self, _request: &Request, who: &str, body: &Value) -> Answer {
        let known = self.find(who).ok();
        let own = known
            .as_ref()
            .and_then(|hash| self.members.get(hash))
            .map(|member| member.email.clone());
        let given = body["email_address"].as_str().map(str::to_string);
        let email = given.or(own).unwrap_or_else(|| {
            if who.contains('@') {
                who.to_string()
            } else {
                String::new()
            }
        });
        let known = match known {
            Some(hash) => Some(self.own_address(hash, &email)?),
            None => None,
        };
        if known.is_none() && !who.contains('@') && subscriber_hash(&email) != who.to_lowercase() {
            return Err(Refusal::new(
                400,
                "Invalid Resource",
                "The subscriber hash does not belong to the email address.",
            ));
        }
        let if_new = status_of(body, &["status_if_new", "status"])?;
        let applied = self.write(
            &email,
            body,
            if_new,
            status_of(body, &["status"])?,
            Existing::Update,
        )?;
        Ok(self.member_body(&applied.hash))
    }

    pub(super) fn patch_member(&mut self, _request: &Request, who: &str, body: &Value) -> Answer {
        let hash = self.find(who)?;
        let hash = match body["email_address"].as_str() {
            Some(email) => self.own_address(hash, email)?,
            None => hash,
        };
        let email = self.members[&hash].email.clone();
        self.write(
            &email,
            body,
            None,
            status_of(body, &["status"])?,
            Existing::Update,
        )?;
        Ok(self.member_body(&hash))
    }

    /// The member's hash once it has this address.
    fn own_address(&mut self, hash: String, email: &str) -> Result<String, Refusal> {
        if subscriber_hash(email) == hash {
            return Ok(hash);
        }
        check_address(email)?;
        self.check_forgotten(email)?;
        let new = self.readdress(&hash, email)?;
        let content = json!({ "email_address": email });
        let object = format!("member:{}", email.trim().to_lowercase());
        self.wrote(object, "updated", content, true);
        Ok(new)
    }

    /// Adds or updates up to 500 members, each with its own outcome.
    pub(super) fn batch(&mut self, request: &Request, body: &Value) -> Answer {
        let Some(rows) = body["members"].as_array() else {
            return Err(Refusal::field("members", "This field is required."));
        };
        if rows.len() > MAX_BATCH {
            return Err(Refusal::new(
                400,
                "Bad Request",
                format!("Too many members: at most {MAX_BATCH} per request."),
            ));
        }
        let existing = if body["update_existing"] == true {
            Existing::Update
        } else {
            Existing::Refuse
        };
        let skip_duplicates = request.query("skip_duplicate_check") == Some("true");
        let mut seen = BTreeSet::new();
        let (mut new, mut updated, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            let email = row["email_address"].as_str().unwrap_or_default();
            let outcome = if !seen.insert(subscriber_hash(email)) {
                if skip_duplicates {
                    continue;
                }
                Err(Refusal::new(
                    400,
                    "Invalid Resource",
                    format!("{email} appears more than once in the request."),
                ))
            } else {
                self.batch_row(email, row, existing)
            };
            match outcome {
                Ok(applied) if applied.new => new.push(self.member_body(&applied.hash)),
                Ok(applied) => updated.push(self.member_body(&applied.hash)),
                Err(refusal) => errors.push(row_error(email, &refusal)),
            }
        }
        Ok(json!({
            "total_created": new.len(), "total_updated": updated.len(), "error_count": errors.len(),
            "new_members": new, "updated_members": updated, "errors": errors, "_links": [],
        }))
    }

    fn batch_row(
        &mut self,
        email: &str,
        row: &Value,
        existing: Existing,
    ) -> Result<Applied, Refusal> {
        // There is no `status_if_new` here: a row without a status can only update.
        let status = status_of(row, &["status"])?;
        self.write(email, row, status, status, existing)
    }

    fn write(
        &mut self,
        email: &str,
        body: &Value,
        if_new: Option<Status>,
        status: Option<Status>,
        existing: Existing,
    ) -> Result<Applied, Refusal> {
        check_address(email)?;
        self.check_forgotten(email)?;
        let hash = subscriber_hash(email);
        let merge_fields = self.check_merge_fields(&body["merge_fields"])?;
        let before = self.members.get(&hash).cloned();
        let after = match &before {
            Some(member) if existing == Existing::Refuse && member.status != Status::Archived => {
                let detail = format!(
                    "{email} is already a list member. Use PUT to insert or update list members."
                );
                return Err(Refusal::new(400, "Member Exists", detail));
            }
            Some(member) => changed_member(member, status, merge_fields, body)?,
            None => {
                let status = if_new
                    .ok_or_else(|| Refusal::field("status", "This value should not be blank."))?;
                new_member(email, status, merge_fields, body, self.clock.now_ms())
            }
        };
        let changed = before.as_ref() != Some(&after);
        let content = json!({"status": after.status.name(), "merge_fields": after.merge_fields});
        let action = if before.is_some() {
            "updated"
        } else {
            "created"
        };
        let now = self.clock.now_ms();
        let kept = Member {
            last_changed_ms: if changed { now } else { after.last_changed_ms },
            ..after
        };
        self.enter(kept);
        self.wrote(
            format!("member:{}", email.to_lowercase()),
            action,
            content,
            changed,
        );
        Ok(Applied {
            hash,
            new: before.is_none(),
        })
    }

    fn check_forgotten(&self, email: &str) -> Result<(), Refusal> {
        if !self.forgotten.contains(&subscriber_hash(email)) {
            return Ok(());
        }
        Err(Refusal::new(
            400,
            "Forgotten Email Not Subscribed",
            format!(
                "{email} was permanently deleted and cannot be re-imported. The contact must re-subscribe to get back on the list."
            ),
        ))
    }

    /// Unknown merge tags are dropped without a word, as Mailchimp does; wrong values are refused.
    fn check_merge_fields(&self, given: &Value) -> Result<BTreeMap<String, Value>, Refusal> {
        let mut kept = BTreeMap::new();
        let mut errors = Vec::new();
        if !given.is_null() && !given.is_object() {
            return Err(Refusal::field(
                "merge_fields",
                "Schema describes object, string found instead",
            ));
        }
        for (tag, value) in given.as_object().into_iter().flatten() {
            let Some(kind) = self.merge_fields.get(tag) else {
                continue;
            };
            let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
            let message = match (*kind, value) {
                (_, Value::Null | Value::Array(_) | Value::Object(_) | Value::Bool(_)) => {
                    "Data did not match any of the schemas described in anyOf."
                }
                ("number", Value::String(text)) if text.is_empty() => "",
                ("number", _) if number.is_none() => "Please enter a number",
                (_, Value::String(text)) if text.chars().count() > 255 => {
                    "Please enter a value of at most 255 characters"
                }
                _ => "",
            };
            if message.is_empty() {
                kept.insert(tag.clone(), value.clone());
            } else {
                errors.push((tag.clone(), message.to_string()));
            }
        }
        if errors.is_empty() {
            return Ok(kept);
        }
        let refusal = Refusal::fields(errors);
        Err(Refusal {
            detail: "Your merge fields were invalid.".to_string(),
            ..refusal
        })
    }
}

fn new_member(
    email: &str,
    status: Status,
    merge_fields: BTreeMap<String, Value>,
    body: &Value,
    now: i64,
) -> Member {
    Member {
        email: email.trim().to_string(),
        status,
        merge_fields,
        language: body["language"].as_str().unwrap_or_default().to_string(),
        vip: body["vip"] == true,
        signed_up_ms: now,
        last_changed_ms: now,
        unsubscribe_reason: None,
    }
}

fn changed_member(
    before: &Member,
    status: Option<Status>,
    merge_fields: BTreeMap<String, Value>,
    body: &Value,
) -> Result<Member, Refusal> {
    let mut after = before.clone();
    let left = matches!(before.status, Status::Unsubscribed | Status::Cleaned);
    match status {
        Some(Status::Subscribed) if left => {
            let detail = format!(
                "{} is in a compliance state due to unsubscribe, bounce, or compliance review and cannot be subscribed.",
                before.email
            );
            return Err(Refusal::new(400, "Member In Compliance State", detail));
        }
        Some(status) => after.status = status,
        None => {}
    }
    after.merge_fields.extend(merge_fields);
    if let Some(language) = body["language"].as_str() {
        after.language = language.to_string();
    }
    if let Some(vip) = body["vip"].as_bool() {
        after.vip = vip;
    }
    Ok(after)
}

fn status_of(body: &Value, names: &[&str]) -> Result<Option<Status>, Refusal> {
    let Some((name, value)) = names
        .iter()
        .map(|name| (*name, &body[*name]))
        .find(|(_, value)| !value.is_null())
    else {
        return Ok(None);
    };
    let status = value
        .as_str()
        .and_then(Status::parse)
        .filter(|status| *status != Status::Archived);
    status.map(Some).ok_or_else(|| {
        Refusal::field(name, "Data did not match any of the allowed values: subscribed, unsubscribed, cleaned, pending, transactional")
    })
}

fn check_address(email: &str) -> Result<(), Refusal> {
    let email = email.trim();
    let (local, domain) = email.rsplit_once('@').unwrap_or_default();
    let labels_wrong = domain.split('.').any(str::is_empty) || !domain.contains('.');
    if local.is_empty()
        || labels_wrong
        || email.contains(char::is_whitespace)
        || local.contains(['@', ',', ';', '<'])
    {
        return Err(Refusal::field(
            "email_address",
            "Please provide a valid email address.",
        ));
    }
    let domain = domain.to_lowercase();
    let made_up = ["example.com", "example.org", "example.net"].contains(&domain.as_str())
        || [".test", ".invalid", ".localhost"]
            .iter()
            .any(|ending| domain.ends_with(ending));
    if made_up {
        let detail = format!("{email} looks fake or invalid, please enter a real email address.");
        return Err(Refusal::new(400, "Invalid Resource", detail));
    }
    Ok(())
}

fn row_error(email: &str, refusal: &Refusal) -> Value {
    let code = if refusal.title == "Member Exists" {
        "ERROR_CONTACT_EXISTS"
    } else {
        "ERROR_GENERIC"
    };
    let (field, message) = refusal.errors.first().cloned().unwrap_or_default();
    let error = if message.is_empty() {
        refusal.detail.clone()
    } else {
        message.clone()
    };
    json!({"email_address": email, "error": error, "error_code": code, "field": field, "field_message": message})
}
