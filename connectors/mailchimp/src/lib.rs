//! Mailchimp: members, campaign activity and unsubscribes in; members, static segments and erasure out.
//! Owns what is Mailchimp's: its endpoints, cursors and error bodies. Transport, retries and credentials are the hub's.

mod members;
mod read;
mod roll;
mod write;

use md5::{Digest, Md5};
use onefold_sdk::http::{base, encode};
use onefold_sdk::{
    Audience, AudienceChange, AudienceRef, Batch, CheckReport, Connector, Destination, Erasure,
    Error, Hub, Identifier, Outcome, Privacy, ReadRequest, Request, Result, Source, Vendor,
    WriteRequest,
};
use serde::Deserialize;

pub struct Mailchimp;

onefold_sdk::export!(Mailchimp: source, destination, audience, privacy);

pub(crate) const VENDOR: Vendor = Vendor {
    name: "mailchimp",
    code: &["/title"],
    // The detail of wrong fields only says that there are some.
    message: &["/errors/0/message", "/detail", "/title"],
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    list_id: String,
    server: Option<String>,
    base_url: Option<String>,
    #[serde(default = "thousand")]
    page_size: u32,
    #[serde(default)]
    status_if_new: Status,
    #[serde(default = "a_year")]
    activity_days: u32,
}

/// What an address becomes that the list does not have yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    #[default]
    Subscribed,
    Pending,
    Unsubscribed,
    Transactional,
}

fn thousand() -> u32 {
    1_000
}

fn a_year() -> u32 {
    365
}

impl Config {
    fn url(&self, path: &str) -> Result<String> {
        match (&self.base_url, &self.server) {
            (Some(url), _) => Ok(format!("{}/3.0{path}", base(url))),
            (None, Some(server)) => Ok(format!("https://{server}.api.mailchimp.com/3.0{path}")),
            (None, None) => Err(Error::config(
                "mailchimp.no_server",
                "`config.server` is missing: the data centre at the end of the API key, such as `us1`",
            )),
        }
    }

    /// An address below the list.
    fn list(&self, path: &str) -> Result<String> {
        self.url(&format!("/lists/{}{path}", encode(&self.list_id)))
    }
}

fn get(url: String) -> Request {
    Request::get(url).auth("key")
}

fn post(url: String) -> Request {
    Request::post(url).auth("key")
}

/// How Mailchimp names a member in an address.
fn subscriber_hash(email: &str) -> String {
    let digest = Md5::digest(email.to_lowercase().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Connector for Mailchimp {
    type Config = Config;
    const MANIFEST: &'static str = include_str!("../manifest.json");
    const CONFIG_SCHEMA: &'static str = include_str!("../config.schema.json");

    fn check(hub: &dyn Hub, config: &Config) -> Result<CheckReport> {
        #[derive(Deserialize)]
        struct List {
            name: String,
        }
        let request = get(config.list("")?).query("fields", "id,name");
        match VENDOR.fetch::<List>(hub, request) {
            Ok(list) => Ok(CheckReport {
                account: Some(list.name),
                warnings: Vec::new(),
            }),
            Err(error) if error.status() == Some(404) => Err(Error::config(
                "mailchimp.no_list",
                format!(
                    "the account has no list `{}`; `config.list_id` names it",
                    config.list_id
                ),
            )),
            Err(error) => Err(error),
        }
    }
}

impl Source for Mailchimp {
    fn split(
        hub: &dyn Hub,
        config: &Config,
        stream: &str,
        _since: Option<&str>,
    ) -> Result<Vec<String>> {
        read::split(hub, config, stream)
    }

    fn read(hub: &dyn Hub, config: &Config, request: &ReadRequest) -> Result<Batch> {
        read::read(hub, config, request)
    }
}

impl Destination for Mailchimp {
    fn write(hub: &dyn Hub, config: &Config, request: &WriteRequest) -> Result<Outcome> {
        write::members(hub, config, request)
    }
}

impl Audience for Mailchimp {
    fn list_audiences(
        hub: &dyn Hub,
        config: &Config,
        page: Option<&str>,
    ) -> Result<(Vec<AudienceRef>, Option<String>)> {
        write::segments(hub, config, page)
    }

    fn create(
        hub: &dyn Hub,
        config: &Config,
        name: &str,
        _options: Option<&str>,
    ) -> Result<AudienceRef> {
        write::create_segment(hub, config, name)
    }

    fn add(hub: &dyn Hub, config: &Config, change: &AudienceChange) -> Result<Outcome> {
        write::change_segment(hub, config, change, write::Change::Add)
    }

    fn remove(hub: &dyn Hub, config: &Config, change: &AudienceChange) -> Result<Outcome> {
        write::change_segment(hub, config, change, write::Change::Remove)
    }
}

impl Privacy for Mailchimp {
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
