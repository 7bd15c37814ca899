//! Lists and their members, erasing people.

use crate::{Config, Helpdesk, VENDOR};
use onefold_sdk::http::encode;
use onefold_sdk::rows::emails;
use onefold_sdk::types::plain;
use onefold_sdk::{
    Audience, AudienceChange, AudienceRef, Erasure, ErasureStatus, Hub, IdKind, Identifier,
    Outcome, Privacy, Request, Result,
};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Lists {
    lists: Vec<List>,
}

#[derive(Deserialize)]
struct List {
    id: String,
    name: String,
}

impl From<List> for AudienceRef {
    fn from(list: List) -> Self {
        Self {
            id: list.id,
            name: list.name,
            size: None,
        }
    }
}

impl Audience for Helpdesk {
    /// The second value is the next `page`.
    fn list_audiences(
        hub: &dyn Hub,
        config: &Config,
        _page: Option<&str>,
    ) -> Result<(Vec<AudienceRef>, Option<String>)> {
        let request = Request::get(config.at("/lists")).auth("token");
        let found: Lists = VENDOR.fetch(hub, request)?;
        Ok((
            found.lists.into_iter().map(AudienceRef::from).collect(),
            None,
        ))
    }

    /// The list of that name, made only when there is none.
    fn create(
        hub: &dyn Hub,
        config: &Config,
        name: &str,
        _options: Option<&str>,
    ) -> Result<AudienceRef> {
        let request = Request::post(config.at("/lists"))
            .json(&json!({ "name": name }))?
            .auth("token")
            .repeatable();
        Ok(VENDOR.fetch::<List>(hub, request)?.into())
    }

    fn add(hub: &dyn Hub, config: &Config, change: &AudienceChange) -> Result<Outcome> {
        members(hub, config, change, "add")
    }

    fn remove(hub: &dyn Hub, config: &Config, change: &AudienceChange) -> Result<Outcome> {
        members(hub, config, change, "remove")
    }
}

/// Members who are in the list already, or no longer in it, count as done.
fn members(hub: &dyn Hub, config: &Config, change: &AudienceChange, verb: &str) -> Result<Outcome> {
    let (found, failures) = emails(&VENDOR, change);
    let emails: Vec<&str> = found.iter().map(|(_, email)| *email).collect();
    let url = config.at(&format!("/lists/{}/{verb}", encode(&change.audience)));
    let request = Request::post(url)
        .json(&json!({ "emails": emails }))?
        .auth("token")
        .repeatable();
    VENDOR.send(hub, request)?;
    Ok(Outcome::of(failures))
}

impl Privacy for Helpdesk {
    fn erase_subject(
        hub: &dyn Hub,
        config: &Config,
        ids: &[Identifier],
        _request_id: &str,
    ) -> Result<Erasure> {
        let status = match plain(ids, IdKind::Email) {
            None => ErasureStatus::Manual("people are found by a plain email only".to_owned()),
            Some(email) => {
                let request = Request::post(config.at("/erase"))
                    .json(&json!({ "email": email }))?
                    .auth("token");
                match VENDOR.send(hub, request) {
                    Ok(_) => ErasureStatus::Done(1),
                    Err(error) if error.status() == Some(404) => ErasureStatus::NotFound,
                    Err(error) => return Err(error),
                }
            }
        };
        Ok(Erasure {
            status,
            evidence: None,
        })
    }
}

#[cfg(test)]
mod tests;
