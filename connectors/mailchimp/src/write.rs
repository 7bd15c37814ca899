//! Writing to Mailchimp: members in batches, static segments (tags) as audiences, permanent deletion.
//! Nothing here ever sends a status for an address that the list already has, so nobody is subscribed again.

use crate::{Config, Status, VENDOR, get, post, subscriber_hash};
use onefold_sdk::connector::unknown;
use onefold_sdk::http::encode;
use onefold_sdk::paging::next_offset;
use onefold_sdk::rows::{self, KeyedRow, folded, keyed};
use onefold_sdk::types::plain;
use onefold_sdk::{
    AudienceChange, AudienceRef, Erasure, ErasureStatus, Error, Failure, Hub, IdKind, Identifier,
    Mode, Outcome, Result, WriteRequest,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The batch endpoints take at most this many.
const BATCH: usize = 500;
const EXISTS: &str = "ERROR_CONTACT_EXISTS";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Add,
    Remove,
}

#[derive(Serialize)]
struct MemberIn<'a> {
    email_address: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    merge_fields: &'a Map<String, Value>,
}

#[derive(Deserialize)]
struct BatchAnswer {
    #[serde(default)]
    errors: Vec<RowError>,
}

#[derive(Deserialize)]
struct RowError {
    email_address: String,
    #[serde(default)]
    error_code: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    field: String,
    #[serde(default)]
    field_message: String,
}

impl RowError {
    /// The vendor's reason, with the field that it names. A reason may quote the value: the hub takes out what it has sent.
    fn reason(&self) -> String {
        let field = match (self.field.as_str(), self.field_message.as_str()) {
            ("", message) => message.to_owned(),
            (field, "") => format!("`{field}`"),
            (field, message) => format!("`{field}`: {message}"),
        };
        let parts = [self.error.clone(), field];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        match parts.is_empty() {
            true => "no reason was given".to_owned(),
            false => parts.join(" "),
        }
    }
}

pub(crate) fn members(hub: &dyn Hub, config: &Config, request: &WriteRequest) -> Result<Outcome> {
    if request.target != "members" {
        return Err(unknown("target", &request.target));
    }
    if !matches!(request.mode, Mode::Upsert | Mode::UpdateOnly) {
        return Err(Error::config(
            "mailchimp.mode",
            "members are upserted or updated only",
        ));
    }
    let (mut rows, mut failures) = keyed(&VENDOR, request, "email");
    for value in rows.iter_mut().flat_map(|row| row.fields.values_mut()) {
        *value = field(value.take());
    }
    if request.verify {
        rows = differing(hub, config, rows)?;
    }
    for batch in rows.chunks(BATCH) {
        let all: Vec<&KeyedRow> = batch.iter().collect();
        let mut existing = all.clone();
        if request.mode == Mode::Upsert {
            // New ones first, without touching any other: those that exist are refused by name.
            let errors = send(hub, config, &all, Some(config.status_if_new))?;
            existing.retain(|row| {
                errors
                    .get(&folded(&row.key))
                    .is_some_and(|e| e.error_code == EXISTS)
            });
            let real = errors
                .into_iter()
                .filter(|(_, error)| error.error_code != EXISTS);
            failures.extend(rejected(&all, &real.collect()));
        }
        if !existing.is_empty() {
            let errors = send(hub, config, &existing, None)?;
            failures.extend(rejected(&existing, &errors));
        }
    }
    Ok(Outcome::of(failures))
}

/// An empty text clears a merge field; null is not taken.
fn field(value: Value) -> Value {
    match value {
        Value::Null => Value::String(String::new()),
        Value::Bool(flag) => Value::String(flag.to_string()),
        Value::Array(items) => {
            let texts = items.into_iter().map(|item| match item {
                Value::String(text) => text,
                other => other.to_string(),
            });
            Value::String(texts.collect::<Vec<_>>().join(", "))
        }
        other => other,
    }
}

/// Sends members; with a status they are new ones only, without one they keep theirs. Gives the errors by address.
fn send(
    hub: &dyn Hub,
    config: &Config,
    rows: &[&KeyedRow],
    status: Option<Status>,
) -> Result<BTreeMap<String, RowError>> {
    let members: Vec<MemberIn<'_>> = rows
        .iter()
        .map(|row| MemberIn {
            email_address: &row.key,
            status,
            merge_fields: &row.fields,
        })
        .collect();
    let body = json!({ "members": members, "update_existing": status.is_none() });
    let answer: BatchAnswer = VENDOR.fetch(hub, post(config.list("")?).json(&body)?)?;
    let errors = answer.errors.into_iter();
    Ok(errors
        .map(|error| (folded(&error.email_address), error))
        .collect())
}

fn rejected(rows: &[&KeyedRow], errors: &BTreeMap<String, RowError>) -> Vec<Failure> {
    let failure = |row: &&KeyedRow| {
        let error = errors.get(&folded(&row.key))?;
        let code = match error.error_code.as_str() {
            "" => "mailchimp.rejected".to_owned(),
            code => format!("mailchimp.{code}"),
        };
        Some(Failure::rejected(row.index, &code, error.reason()))
    };
    rows.iter().filter_map(failure).collect()
}

/// The rows whose member is missing or has other values.
fn differing(hub: &dyn Hub, config: &Config, rows: Vec<KeyedRow>) -> Result<Vec<KeyedRow>> {
    #[derive(Deserialize)]
    struct Member {
        #[serde(default)]
        merge_fields: Map<String, Value>,
    }
    let mut differing = Vec::new();
    for row in rows {
        let url = config.list(&format!("/members/{}", subscriber_hash(&row.key)))?;
        let request = get(url).query("fields", "email_address,status,merge_fields");
        let present = match VENDOR.fetch::<Member>(hub, request) {
            Ok(member) => Some(member),
            Err(error) if error.status() == Some(404) => None,
            Err(error) => return Err(error),
        };
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let same = present.is_some_and(|member| {
            row.fields.iter().all(|(name, value)| {
                let current = member.merge_fields.get(name);
                current.map_or(String::new(), text) == text(value)
            })
        });
        if !same {
            differing.push(row);
        }
    }
    Ok(differing)
}

#[derive(Deserialize)]
struct Segment {
    id: u64,
    name: String,
    member_count: Option<u64>,
}

impl From<Segment> for AudienceRef {
    fn from(segment: Segment) -> Self {
        Self {
            id: segment.id.to_string(),
            name: segment.name,
            size: segment.member_count,
        }
    }
}

/// One page of the static segments, which Mailchimp shows as tags.
pub(crate) fn segments(
    hub: &dyn Hub,
    config: &Config,
    page: Option<&str>,
) -> Result<(Vec<AudienceRef>, Option<String>)> {
    #[derive(Deserialize)]
    struct Answer {
        segments: Vec<Segment>,
        total_items: u64,
    }
    let offset: u64 = page.unwrap_or("0").parse().unwrap_or(0);
    let request = get(config.list("/segments")?)
        .query("type", "static")
        .query("count", &config.page_size.to_string())
        .query("offset", &offset.to_string());
    let answer: Answer = VENDOR.fetch(hub, request)?;
    let rows = answer.segments.len();
    let next = next_offset(offset, rows, config.page_size, Some(answer.total_items));
    let found = answer.segments.into_iter().map(AudienceRef::from).collect();
    Ok((found, next.map(|next| next.to_string())))
}

pub(crate) fn create_segment(hub: &dyn Hub, config: &Config, name: &str) -> Result<AudienceRef> {
    let mut page = None;
    loop {
        let (found, next) = segments(hub, config, page.as_deref())?;
        if let Some(segment) = found.into_iter().find(|segment| segment.name == name) {
            return Ok(segment);
        }
        match next {
            Some(next) => page = Some(next),
            None => break,
        }
    }
    let body = json!({ "name": name, "static_segment": [] });
    let made: Segment = VENDOR.fetch(hub, post(config.list("/segments")?).json(&body)?)?;
    Ok(made.into())
}

pub(crate) fn change_segment(
    hub: &dyn Hub,
    config: &Config,
    change: &AudienceChange,
    kind: Change,
) -> Result<Outcome> {
    let segment = config.list(&format!("/segments/{}", encode(&change.audience)))?;
    let (emails, mut failures) = rows::emails(&VENDOR, change);
    let mut wanted: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, email) in emails {
        wanted.entry(folded(email)).or_default().push(index);
    }
    if change.verify {
        let present = members_of(hub, config, &segment)?;
        wanted.retain(|email, _| present.contains(email) == (kind == Change::Remove));
    }
    let emails: Vec<&String> = wanted.keys().collect();
    let mut errors = BTreeMap::new();
    for batch in emails.chunks(BATCH) {
        let body = match kind {
            Change::Add => json!({ "members_to_add": batch }),
            Change::Remove => json!({ "members_to_remove": batch }),
        };
        errors.extend(change_batch(hub, &segment, &body)?);
    }
    if kind == Change::Remove && !errors.is_empty() {
        // Somebody who is not in the segment, or not even in the list, is where we want them.
        let present = members_of(hub, config, &segment)?;
        errors.retain(|email, _| present.contains(email));
    }
    for (email, message) in errors {
        for index in wanted.get(&email).into_iter().flatten() {
            failures.push(Failure::rejected(
                *index,
                "mailchimp.not_changed",
                message.clone(),
            ));
        }
    }
    Ok(Outcome::of(failures))
}

/// Sends one batch and gives the reasons by address.
fn change_batch(hub: &dyn Hub, segment: &str, body: &Value) -> Result<BTreeMap<String, String>> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        errors: Vec<Refused>,
    }
    #[derive(Deserialize)]
    struct Refused {
        #[serde(default)]
        email_addresses: Vec<String>,
        #[serde(default)]
        error: String,
    }
    let answer: Answer = VENDOR.fetch(hub, post(segment.to_owned()).json(body)?)?;
    let mut errors = BTreeMap::new();
    for refused in answer.errors {
        for email in refused.email_addresses {
            errors.insert(folded(&email), refused.error.clone());
        }
    }
    Ok(errors)
}

/// The addresses in a segment, in lower case.
fn members_of(hub: &dyn Hub, config: &Config, segment: &str) -> Result<BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Answer {
        members: Vec<Member>,
        total_items: u64,
    }
    #[derive(Deserialize)]
    struct Member {
        email_address: String,
    }
    let (mut present, mut offset) = (BTreeSet::new(), 0);
    loop {
        let request = get(format!("{segment}/members"))
            .query("count", &config.page_size.to_string())
            .query("offset", &offset.to_string())
            .query("include_cleaned", "true")
            .query("include_transactional", "true")
            .query("include_unsubscribed", "true")
            .query("fields", "members.email_address,total_items");
        let answer: Answer = VENDOR.fetch(hub, request)?;
        let rows = answer.members.len();
        present.extend(
            answer
                .members
                .iter()
                .map(|member| folded(&member.email_address)),
        );
        match next_offset(offset, rows, config.page_size, Some(answer.total_items)) {
            Some(next) => offset = next,
            None => return Ok(present),
        }
    }
}

/// Deletes for good: the address can never be imported again.
pub(crate) fn erase(hub: &dyn Hub, config: &Config, ids: &[Identifier]) -> Result<Erasure> {
    let (mut erased, mut unknown) = (0, 0);
    for id in ids {
        let Some(email) = plain(std::slice::from_ref(id), IdKind::Email) else {
            continue;
        };
        let path = format!(
            "/members/{}/actions/delete-permanent",
            subscriber_hash(email)
        );
        match VENDOR.send(hub, post(config.list(&path)?)) {
            Ok(_) => erased += 1,
            Err(error) if error.status() == Some(404) => unknown += 1,
            Err(error) => return Err(error),
        }
    }
    let status = match erased {
        0 => ErasureStatus::NotFound,
        count => ErasureStatus::Done(count),
    };
    let evidence = json!({ "endpoint": "delete-permanent", "erased": erased, "unknown": unknown });
    Ok(Erasure {
        status,
        evidence: Some(evidence.to_string()),
    })
}
