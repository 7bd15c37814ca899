//! Tagging contacts, erasing them.

use crate::{Config, Helpdesk, VENDOR};
use onefold_sdk::http::encode;
use onefold_sdk::rows::emails;
use onefold_sdk::types::plain;
use onefold_sdk::{
    Audience, AudienceChange, AudienceRef, Erasure, ErasureStatus, Error, Failure, Hub, IdKind,
    Identifier, Outcome, Privacy, Request, Result,
};
use serde::Deserialize;
use serde_json::json;

/// Most members that the vendor takes at once.
const MEMBERS: usize = 100;

#[derive(Deserialize)]
pub struct Answer {
    #[serde(default)]
    results: Vec<RowResult>,
}

#[derive(Deserialize)]
struct RowResult {
    status: String,
    #[serde(default)]
    code: String,
    message: Option<String>,
}

/// The rows that the vendor did not take. It gives one answer a row, in the rows' order.
pub fn refused(places: &[usize], answer: Answer) -> Result<Vec<Failure>> {
    if answer.results.len() != places.len() {
        let message = format!(
            "{} rows were sent, and the answer is about {}",
            places.len(),
            answer.results.len()
        );
        return Err(Error::transient("helpdesk.malformed_answer", message));
    }
    let results = places.iter().zip(answer.results);
    let errors = results.filter(|(_, result)| result.status == "error");
    let failure = |(place, result): (&usize, RowResult)| {
        let code = format!("{}.{}", VENDOR.name, result.code);
        Failure::rejected(*place, &code, result.message.unwrap_or(result.code))
    };
    Ok(errors.map(failure).collect())
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
    size: Option<u64>,
}

impl From<Tag> for AudienceRef {
    fn from(tag: Tag) -> Self {
        Self {
            id: tag.id,
            name: tag.name,
            size: tag.size,
        }
    }
}

/// Audiences are the vendor's tags.
impl Audience for Helpdesk {
    fn list_audiences(
        hub: &dyn Hub,
        config: &Config,
        page: Option<&str>,
    ) -> Result<(Vec<AudienceRef>, Option<String>)> {
        let mut request = Request::get(config.at("/v1/tags")).auth("token");
        if let Some(page) = page {
            request = request.query("after", page);
        }
        let Tags { tags, next } = VENDOR.fetch(hub, request)?;
        Ok((tags.into_iter().map(AudienceRef::from).collect(), next))
    }

    /// The vendor gives the tag of that name when there is one.
    fn create(
        hub: &dyn Hub,
        config: &Config,
        name: &str,
        _options: Option<&str>,
    ) -> Result<AudienceRef> {
        let request = Request::post(config.at("/v1/tags"))
            .json(&json!({ "name": name }))?
            .auth("token")
            .repeatable();
        Ok(VENDOR.fetch::<Tag>(hub, request)?.into())
    }

    fn add(hub: &dyn Hub, config: &Config, change: &AudienceChange) -> Result<Outcome> {
        members(hub, config, change, "add")
    }

    fn remove(hub: &dyn Hub, config: &Config, change: &AudienceChange) -> Result<Outcome> {
        members(hub, config, change, "remove")
    }
}

/// Adding somebody who is there, or removing somebody who is not, is no failure, so a try can be repeated.
fn members(hub: &dyn Hub, config: &Config, change: &AudienceChange, verb: &str) -> Result<Outcome> {
    let (found, mut failures) = emails(&VENDOR, change);
    let url = config.at(&format!("/v1/tags/{}/members", encode(&change.audience)));
    for some in found.chunks(MEMBERS) {
        let (places, emails): (Vec<usize>, Vec<&str>) = some.iter().copied().unzip();
        let request = Request::post(url.as_str())
            .json(&json!({ verb: emails }))?
            .auth("token")
            .repeatable();
        failures.extend(refused(&places, VENDOR.fetch(hub, request)?)?);
    }
    Ok(Outcome::of(failures))
}

#[derive(Deserialize)]
struct Erased {
    erased: u64,
}

impl Privacy for Helpdesk {
    fn erase_subject(
        hub: &dyn Hub,
        config: &Config,
        ids: &[Identifier],
        request_id: &str,
    ) -> Result<Erasure> {
        let Some(email) = plain(ids, IdKind::Email) else {
            let status =
                ErasureStatus::Manual("contacts are found by a plain email only".to_owned());
            return Ok(Erasure {
                status,
                evidence: None,
            });
        };
        let request = Request::post(config.at("/v1/contacts/erase"))
            .json(&json!({ "email": email }))?
            .auth("token");
        let (status, evidence) = match VENDOR.fetch::<Erased>(hub, request) {
            Ok(Erased { erased }) => {
                let evidence = json!({ "request_id": request_id, "erased": erased });
                (ErasureStatus::Done(erased), Some(evidence.to_string()))
            }
            Err(error) if error.status() == Some(404) => (ErasureStatus::NotFound, None),
            Err(error) => return Err(error),
        };
        Ok(Erasure { status, evidence })
    }
}

#[cfg(test)]
mod tests;
