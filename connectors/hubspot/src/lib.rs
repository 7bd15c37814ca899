//! HubSpot: contacts, companies, deals, activities, owners, lists and custom objects in; contact properties, list membership and erasure out.
//! Owns what is HubSpot's: its endpoints, its cursors, its error bodies. Transport, retries and credentials are the hub's.

mod gather;
mod lists;
mod memberships;
mod owners;
mod read;
mod record;
mod streams;
mod write;

use onefold_sdk::http::base;
use onefold_sdk::paging::next_cursor;
use onefold_sdk::{
    Audience, AudienceChange, AudienceRef, Batch, CheckReport, Connector, Destination, Erasure,
    Error, Hub, Identifier, Outcome, Privacy, ReadRequest, Request, Result, Source, Vendor,
    WriteRequest,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use streams::CustomObject;

pub struct HubSpot;

onefold_sdk::export!(HubSpot: source, destination, audience, privacy);

pub(crate) const VENDOR: Vendor = Vendor {
    name: "hubspot",
    code: &["/category", "/errorType"],
    message: &["/message"],
};

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    base_url: String,
    page_size: u32,
    /// Of contacts and companies alike.
    properties: Vec<String>,
    /// By stream.
    stream_properties: BTreeMap<String, Vec<String>>,
    custom_objects: Vec<CustomObject>,
    /// Types of records whose lists have their members read.
    list_types: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_url: "https://api.hubapi.com".to_owned(),
            page_size: 200,
            properties: Vec::new(),
            stream_properties: BTreeMap::new(),
            custom_objects: Vec::new(),
            list_types: vec!["0-1".to_owned(), "0-2".to_owned()],
        }
    }
}

impl Config {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", base(&self.base_url))
    }
}

#[derive(Deserialize)]
struct Envelope {
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Paging {
    next: Option<Next>,
}

#[derive(Deserialize)]
struct Next {
    after: Option<String>,
}

/// Where the next page begins; `asked` is where this one did.
fn after_of(envelope: &Envelope, asked: Option<&str>) -> Result<Option<String>> {
    let next = envelope
        .paging
        .as_ref()
        .and_then(|paging| paging.next.as_ref());
    let next = next_cursor(next.and_then(|next| next.after.as_deref()));
    if next.is_some() && next.as_deref() == asked {
        let message = "the next page is the page itself";
        return Err(Error::transient("hubspot.paging", message));
    }
    Ok(next)
}

fn get(config: &Config, path: &str) -> Request {
    Request::get(config.url(path)).auth("token")
}

fn post(config: &Config, path: &str) -> Request {
    Request::post(config.url(path)).auth("token")
}

fn put(config: &Config, path: &str) -> Request {
    Request::put(config.url(path)).auth("token")
}

impl Connector for HubSpot {
    type Config = Config;
    const MANIFEST: &'static str = include_str!("../manifest.json");
    const CONFIG_SCHEMA: &'static str = include_str!("../config.schema.json");

    fn check(hub: &dyn Hub, config: &Config) -> Result<CheckReport> {
        let request = get(config, "/crm/v3/objects/contacts?limit=1");
        VENDOR.send(hub, request)?;
        Ok(CheckReport::default())
    }
}

impl Source for HubSpot {
    /// Each type of custom objects is read by itself. Lists are distributed over parts for the size of the cursors.
    fn split(
        _hub: &dyn Hub,
        config: &Config,
        stream: &str,
        _since: Option<&str>,
    ) -> Result<Vec<String>> {
        match stream {
            streams::CUSTOM => {
                let types = config.custom_objects.iter().map(|one| one.kind.clone());
                let types: BTreeSet<String> = types.collect();
                Ok(types.into_iter().collect())
            }
            "list_memberships" => Ok(memberships::parts()),
            _ => Ok(vec![String::new()]),
        }
    }

    fn read(hub: &dyn Hub, config: &Config, request: &ReadRequest) -> Result<Batch> {
        match request.stream.as_str() {
            "owners" => owners::read(hub, config, request),
            "lists" => lists::read(hub, config, request),
            "list_memberships" => memberships::read(hub, config, request),
            _ => read::read(hub, config, request),
        }
    }
}

impl Destination for HubSpot {
    fn write(hub: &dyn Hub, config: &Config, request: &WriteRequest) -> Result<Outcome> {
        write::contacts(hub, config, request)
    }
}

impl Audience for HubSpot {
    fn list_audiences(
        hub: &dyn Hub,
        config: &Config,
        page: Option<&str>,
    ) -> Result<(Vec<AudienceRef>, Option<String>)> {
        write::list_audiences(hub, config, page)
    }

    fn create(
        hub: &dyn Hub,
        config: &Config,
        name: &str,
        _options: Option<&str>,
    ) -> Result<AudienceRef> {
        write::create_list(hub, config, name)
    }

    fn add(hub: &dyn Hub, config: &Config, change: &AudienceChange) -> Result<Outcome> {
        write::change_list(hub, config, change, write::Change::Add)
    }

    fn remove(hub: &dyn Hub, config: &Config, change: &AudienceChange) -> Result<Outcome> {
        write::change_list(hub, config, change, write::Change::Remove)
    }
}

impl Privacy for HubSpot {
    fn erase_subject(
        hub: &dyn Hub,
        config: &Config,
        ids: &[Identifier],
        _request_id: &str,
    ) -> Result<Erasure> {
        write::erase(hub, config, ids)
    }
}

#[cfg(test)]
mod tests;
