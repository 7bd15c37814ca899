//! Writing contacts, tags as audiences, and erasure. Each fault is one departure.

use crate::{Config, DESK};
use onefold_sdk::rows::{emails, keyed};
use onefold_sdk::{
    AudienceChange, AudienceRef, Erasure, ErasureStatus, Error, Failure, Hub, IdKind, Identifier,
    Mode, Outcome, Result, WriteRequest,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// As many as the vendor takes at once.
const MOST: usize = 100;

#[derive(Deserialize)]
struct Results {
    results: Vec<RowResult>,
}

#[derive(Deserialize)]
struct RowResult {
    status: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

pub fn write(hub: &dyn Hub, config: &Config, request: &WriteRequest) -> Result<Outcome> {
    let updates = match request.mode {
        Mode::Upsert => false,
        Mode::UpdateOnly => true,
        _ => return Err(Error::config("careless.mode", "the mode is not supported")),
    };
    let (mut rows, mut failures) = keyed(&DESK, request, "email");
    if config.breaks("drops-the-tail") {
        rows.truncate(MOST / 2);
    }
    if updates && !config.breaks("updates-make-rows") {
        let emails: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
        let there = existing(hub, config, &emails)?;
        rows.retain(|row| {
            let found = there.contains(&row.key.to_lowercase());
            if !found {
                failures.push(Failure::rejected(
                    row.index,
                    "careless.missing",
                    "there is no such contact",
                ));
            }
            found
        });
    }
    if rows.is_empty() {
        return Ok(Outcome::of(failures));
    }
    let contacts: Vec<Value> = rows
        .iter()
        .map(|row| {
            let mut fields = row.fields.clone();
            fields.insert("email".to_owned(), json!(row.key));
            if config.breaks("writes-something-new") {
                fields.insert("name".to_owned(), json!(request.idempotency_key));
            }
            Value::Object(fields)
        })
        .collect();
    let post = config
        .post("/v1/contacts/upsert", &json!({ "contacts": contacts }))?
        .header("Idempotency-Key", &request.idempotency_key);
    let answer: Results = DESK.fetch(hub, post).map_err(|error| match error {
        Error::RateLimited(limit) if config.breaks("429-ends-the-write") => {
            Error::Permanent(limit.detail)
        }
        Error::Transient(detail)
            if detail.code == "http.no_answer" && config.breaks("gives-lost-answers-up") =>
        {
            Error::Permanent(detail)
        }
        error => error,
    })?;
    for (row, result) in rows.iter().zip(answer.results) {
        if result.status == "error" {
            let index = match config.breaks("names-another-row") {
                true => row.index + 1,
                false => row.index,
            };
            failures.push(Failure::rejected(index, &result.code, result.message));
        }
    }
    Ok(Outcome::of(failures))
}

fn existing(hub: &dyn Hub, config: &Config, emails: &[&str]) -> Result<BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Found {
        contacts: Vec<Contact>,
    }
    #[derive(Deserialize)]
    struct Contact {
        email: String,
    }
    if emails.is_empty() {
        return Ok(BTreeSet::new());
    }
    let body = json!({ "emails": emails });
    let found: Found = DESK.fetch(hub, config.post("/v1/contacts/lookup", &body)?)?;
    let contacts = found.contacts.into_iter();
    Ok(contacts
        .map(|contact| contact.email.to_lowercase())
        .collect())
}

#[derive(Deserialize)]
struct Tags {
    tags: Vec<Tag>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Tag {
    id: String,
    name: String,
    size: u64,
}

impl From<Tag> for AudienceRef {
    fn from(tag: Tag) -> Self {
        Self {
            id: tag.id,
            name: tag.name,
            size: Some(tag.size),
        }
    }
}

/// How many tags there are.
pub fn tags(hub: &dyn Hub, config: &Config) -> Result<usize> {
    let (mut count, mut page) = (0, None);
    loop {
        let (tags, next) = audiences(hub, config, page.as_deref())?;
        count += tags.len();
        match next {
            Some(next) => page = Some(next),
            None => return Ok(count),
        }
    }
}

pub fn audiences(
    hub: &dyn Hub,
    config: &Config,
    page: Option<&str>,
) -> Result<(Vec<AudienceRef>, Option<String>)> {
    let mut request = config.get("/v1/tags");
    if let Some(page) = page {
        request = request.query("after", page);
    }
    let tags: Tags = DESK.fetch(hub, request)?;
    Ok((
        tags.tags.into_iter().map(AudienceRef::from).collect(),
        tags.next,
    ))
}

pub fn create(hub: &dyn Hub, config: &Config, name: &str) -> Result<AudienceRef> {
    let name = match config.breaks("makes-another-audience") {
        true => format!("{name} {}", tags(hub, config)?),
        false => name.to_owned(),
    };
    let request = config.post("/v1/tags", &json!({ "name": name }))?;
    let tag: Tag = DESK.fetch(hub, request)?;
    Ok(tag.into())
}

pub fn members(
    hub: &dyn Hub,
    config: &Config,
    change: &AudienceChange,
    what: &str,
) -> Result<Outcome> {
    let (mut emails, mut failures) = emails(&DESK, change);
    if config.breaks("leaves-the-tail-out") {
        emails.truncate(MOST);
    }
    for rows in emails.chunks(MOST) {
        let list: Vec<&str> = rows.iter().map(|(_, email)| *email).collect();
        let path = format!("/v1/tags/{}/members", change.audience);
        let post = config.post(&path, &json!({ what: list }))?;
        let answer: Results = DESK.fetch(hub, post).map_err(|error| match error {
            Error::RateLimited(limit) if config.breaks("429-ends-the-change") => {
                Error::Permanent(limit.detail)
            }
            error => error,
        })?;
        for ((index, _), result) in rows.iter().zip(answer.results) {
            if result.status == "error" {
                failures.push(Failure::rejected(*index, &result.code, result.message));
            }
        }
    }
    Ok(Outcome::of(failures))
}

pub fn erase(hub: &dyn Hub, config: &Config, ids: &[Identifier]) -> Result<Erasure> {
    let Some(email) = onefold_sdk::plain(ids, IdKind::Email) else {
        return Ok(Erasure {
            status: ErasureStatus::NotFound,
            evidence: None,
        });
    };
    let request = config.post("/v1/contacts/erase", &json!({ "email": email }))?;
    let status = match DESK.send(hub, request) {
        Ok(_) => ErasureStatus::Done(1),
        Err(error) if error.status() == Some(404) && config.breaks("erases-again") => {
            ErasureStatus::Done(1)
        }
        Err(error) if error.status() == Some(404) => ErasureStatus::NotFound,
        Err(error) => return Err(error),
    };
    Ok(Erasure {
        status,
        evidence: None,
    })
}
