//! Writing to HubSpot: contacts by email in batches, membership of static lists, erasure.
//! Lists know record ids only, so members' emails are looked up first.

use crate::{Config, VENDOR, get, post, put};
use onefold_sdk::connector::unknown;
use onefold_sdk::http::encode;
use onefold_sdk::rows::{self, KeyedRow, folded, keyed};
use onefold_sdk::types::plain;
use onefold_sdk::{
    AudienceChange, AudienceRef, Erasure, ErasureStatus, Error, Failure, Hub, IdKind, Identifier,
    Mode, Outcome, Result, WriteRequest,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Batch endpoints take at most this many.
const BATCH: usize = 100;
/// HubSpot's number for the object type of contacts.
const CONTACT_TYPE: &str = "0-1";
/// The property with a contact's other emails.
const FURTHER: &str = "hs_additional_emails";
const MEMBERSHIP_PAGE: &str = "250";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Add,
    Remove,
}

#[derive(Deserialize)]
struct BatchAnswer {
    #[serde(default)]
    results: Vec<Contact>,
    #[serde(default)]
    errors: Vec<RowError>,
}

#[derive(Deserialize)]
struct Contact {
    id: String,
    #[serde(default)]
    properties: Map<String, Value>,
}

#[derive(Deserialize)]
struct RowError {
    #[serde(default)]
    category: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    context: BTreeMap<String, Value>,
}

pub(crate) fn contacts(hub: &dyn Hub, config: &Config, request: &WriteRequest) -> Result<Outcome> {
    if request.target != "contacts" {
        return Err(unknown("target", &request.target));
    }
    let path = match request.mode {
        Mode::Upsert => "/crm/v3/objects/contacts/batch/upsert",
        Mode::UpdateOnly => "/crm/v3/objects/contacts/batch/update",
        Mode::CreateOnly | Mode::Delete => {
            return Err(Error::config(
                "hubspot.mode",
                "contacts are upserted or updated only",
            ));
        }
    };
    let (mut rows, mut failures) = keyed(&VENDOR, request, "email");
    if request.verify {
        rows = differing(hub, config, rows)?;
    }
    for batch in rows.chunks(BATCH) {
        let inputs: Vec<Value> = batch.iter().map(input).collect();
        let request = post(config, path).json(&json!({ "inputs": inputs }))?;
        let answer: BatchAnswer = VENDOR.fetch(hub, request)?;
        failures.extend(refused(batch, &answer));
    }
    Ok(Outcome::of(failures))
}

/// Property values are texts: an empty one clears, several choices are joined by semicolons.
fn property(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(property).collect::<Vec<_>>().join(";"),
        other => other.to_string(),
    }
}

fn input(row: &KeyedRow) -> Value {
    let fields = row.fields.iter();
    let mut properties: Map<String, Value> = fields
        .map(|(name, value)| (name.clone(), Value::String(property(value))))
        .collect();
    properties.insert("email".to_owned(), Value::String(row.key.clone()));
    json!({
        "idProperty": "email",
        "id": row.key,
        "objectWriteTraceId": row.index.to_string(),
        "properties": properties,
    })
}

/// The rows that a multi-status answer refuses. An error names its row by our trace id or by the email; one that names
/// none counts for every row that is not among the results, because none of them is known to be written.
fn refused(batch: &[KeyedRow], answer: &BatchAnswer) -> Vec<Failure> {
    let mut failures = Vec::new();
    for error in &answer.errors {
        let named: BTreeSet<String> = error.context.values().flat_map(texts).collect();
        let is_named = |row: &&KeyedRow| {
            let trace = row.index.to_string();
            named.contains(&trace) || named.contains(&folded(&row.key))
        };
        let mut hit: Vec<&KeyedRow> = batch.iter().filter(is_named).collect();
        if hit.is_empty() {
            let written = emails(&answer.results);
            let unwritten = |row: &&KeyedRow| !written.contains_key(&folded(&row.key));
            hit = batch.iter().filter(unwritten).collect();
        }
        let code = format!("hubspot.{}", error.category);
        let reject = |row: &KeyedRow| Failure::rejected(row.index, &code, error.message.clone());
        failures.extend(hit.into_iter().map(reject));
    }
    failures
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.to_lowercase()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Contacts by their emails in lower case: those of contacts that were merged lead to the contact that they are now.
fn emails(contacts: &[Contact]) -> BTreeMap<String, &Contact> {
    let mut all = BTreeMap::new();
    for name in [FURTHER, "email"] {
        for contact in contacts {
            let text = contact.properties.get(name).and_then(Value::as_str);
            let emails = text.unwrap_or_default().split(';').map(str::trim);
            let emails = emails.filter(|email| !email.is_empty());
            all.extend(emails.map(|email| (email.to_lowercase(), contact)));
        }
    }
    all
}

fn differing(hub: &dyn Hub, config: &Config, rows: Vec<KeyedRow>) -> Result<Vec<KeyedRow>> {
    let wanted: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    let names: BTreeSet<&str> = rows
        .iter()
        .flat_map(|row| row.fields.keys().map(String::as_str))
        .collect();
    let found = look_up(hub, config, &wanted, &names)?;
    let found = emails(&found);
    let differs = |row: &KeyedRow| {
        let Some(contact) = found.get(&folded(&row.key)) else {
            return true;
        };
        row.fields.iter().any(|(name, value)| {
            let present = contact.properties.get(name).map_or(String::new(), property);
            property(value) != present
        })
    };
    Ok(rows.into_iter().filter(differs).collect())
}

/// The contacts of these emails that exist, with the named properties.
fn look_up(
    hub: &dyn Hub,
    config: &Config,
    wanted: &[&str],
    names: &BTreeSet<&str>,
) -> Result<Vec<Contact>> {
    let properties: Vec<&str> = names.iter().copied().chain(["email", FURTHER]).collect();
    let mut found = Vec::new();
    for batch in wanted.chunks(BATCH) {
        let inputs: Vec<Value> = batch.iter().map(|email| json!({ "id": email })).collect();
        let body = json!({ "idProperty": "email", "properties": properties, "inputs": inputs });
        let request = post(config, "/crm/v3/objects/contacts/batch/read").json(&body)?;
        let answer: BatchAnswer = VENDOR.fetch(hub, request.repeatable())?;
        found.extend(answer.results);
    }
    Ok(found)
}

#[derive(Deserialize)]
struct List {
    #[serde(rename = "listId")]
    id: String,
    name: String,
    #[serde(rename = "processingType", default)]
    processing: String,
    /// Of a list that is read by its id or its name; a search has it among the properties.
    size: Option<u64>,
    #[serde(rename = "additionalProperties")]
    properties: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct ListAnswer {
    list: List,
}

impl From<List> for AudienceRef {
    fn from(list: List) -> Self {
        let size = list.properties.as_ref();
        let size = size.and_then(|own| own.get("hs_list_size")?.as_str()?.parse().ok());
        Self {
            id: list.id,
            name: list.name,
            size: list.size.or(size),
        }
    }
}

pub(crate) fn list_audiences(
    hub: &dyn Hub,
    config: &Config,
    page: Option<&str>,
) -> Result<(Vec<AudienceRef>, Option<String>)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        lists: Vec<List>,
        has_more: bool,
        offset: u64,
    }
    let offset: u64 = page.unwrap_or("0").parse().unwrap_or(0);
    let body = json!({ "processingTypes": ["MANUAL", "SNAPSHOT"], "count": 250, "offset": offset });
    let request = post(config, "/crm/v3/lists/search").json(&body)?;
    let answer: Answer = VENDOR.fetch(hub, request.repeatable())?;
    let next = (answer.has_more && answer.offset > offset).then(|| answer.offset.to_string());
    Ok((
        answer.lists.into_iter().map(AudienceRef::from).collect(),
        next,
    ))
}

pub(crate) fn create_list(hub: &dyn Hub, config: &Config, name: &str) -> Result<AudienceRef> {
    let by_name = format!(
        "/crm/v3/lists/object-type-id/{CONTACT_TYPE}/name/{}",
        encode(name)
    );
    let found: ListAnswer = match VENDOR.fetch(hub, get(config, &by_name)) {
        Err(error) if error.status() == Some(404) => {
            let body =
                json!({ "name": name, "objectTypeId": CONTACT_TYPE, "processingType": "MANUAL" });
            VENDOR.fetch(hub, post(config, "/crm/v3/lists/").json(&body)?)?
        }
        other => other?,
    };
    if found.list.processing == "DYNAMIC" {
        let message =
            format!("the list `{name}` fills itself by a filter; rename it or the audience");
        return Err(Error::config("hubspot.dynamic_list", message));
    }
    Ok(found.list.into())
}

pub(crate) fn change_list(
    hub: &dyn Hub,
    config: &Config,
    change: &AudienceChange,
    kind: Change,
) -> Result<Outcome> {
    let (wanted, mut failures) = rows::emails(&VENDOR, change);
    let names: Vec<&str> = wanted.iter().map(|(_, email)| *email).collect();
    let contacts = look_up(hub, config, &names, &BTreeSet::new())?;
    let known = emails(&contacts);
    let mut ids = BTreeSet::new();
    for (index, email) in wanted {
        match known.get(&email.to_lowercase()) {
            Some(contact) => {
                ids.insert(contact.id.clone());
            }
            // Somebody who is no contact is in no list.
            None if kind == Change::Remove => {}
            None => failures.push(Failure::rejected(
                index,
                "hubspot.no_contact",
                "there is no contact with the member's email; a list takes contacts only",
            )),
        }
    }
    if change.verify {
        let present = memberships(hub, config, &change.audience)?;
        ids.retain(|id| present.contains(id) == (kind == Change::Remove));
    }
    let verb = match kind {
        Change::Add => "add",
        Change::Remove => "remove",
    };
    if !ids.is_empty() {
        let path = format!(
            "/crm/v3/lists/{}/memberships/{verb}",
            encode(&change.audience)
        );
        VENDOR.send(hub, put(config, &path).json(&ids)?)?;
    }
    Ok(Outcome::of(failures))
}

fn memberships(hub: &dyn Hub, config: &Config, list: &str) -> Result<BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Answer {
        results: Vec<Membership>,
        paging: Option<Value>,
    }
    #[derive(Deserialize)]
    struct Membership {
        #[serde(rename = "recordId")]
        record: String,
    }
    let path = format!("/crm/v3/lists/{}/memberships", encode(list));
    let (mut present, mut after) = (BTreeSet::new(), None::<String>);
    loop {
        let mut request = get(config, &path).query("limit", MEMBERSHIP_PAGE);
        if let Some(after) = &after {
            request = request.query("after", after);
        }
        let answer: Answer = VENDOR.fetch(hub, request)?;
        let before = present.len();
        present.extend(answer.results.into_iter().map(|member| member.record));
        let next = answer
            .paging
            .as_ref()
            .and_then(|paging| paging.pointer("/next/after"));
        match next.and_then(Value::as_str) {
            Some(next) if present.len() > before => after = Some(next.to_owned()),
            _ => return Ok(present),
        }
    }
}

/// Erases by email. HubSpot also blocks an address that it does not know, so there is no `not found`.
pub(crate) fn erase(hub: &dyn Hub, config: &Config, ids: &[Identifier]) -> Result<Erasure> {
    let emails = ids
        .iter()
        .filter(|id| plain(std::slice::from_ref(id), IdKind::Email).is_some());
    let mut erased = 0;
    for id in emails {
        let body = json!({ "idProperty": "email", "objectId": id.value });
        let request = post(config, "/crm/v3/objects/contacts/gdpr-delete").json(&body)?;
        VENDOR.send(hub, request)?;
        erased += 1;
    }
    let status = match erased {
        0 => ErasureStatus::Manual("HubSpot erases by email, and none is known".to_owned()),
        count => ErasureStatus::Done(count),
    };
    let evidence = json!({ "endpoint": "contacts/gdpr-delete", "accepted": erased });
    Ok(Erasure {
        status,
        evidence: Some(evidence.to_string()),
    })
}
