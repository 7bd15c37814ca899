//! The connector: its documents, its parts, and a proof that they work.

mod audience;
mod read;
mod write;

use onefold_sdk::http::base;
use onefold_sdk::{CheckReport, Connector, Hub, Request, Result, Vendor};
use serde::Deserialize;

pub struct Helpdesk;

onefold_sdk::export!(Helpdesk: source, destination, audience, privacy);

/// Where the answer to a refused request has an error's code and message.
const VENDOR: Vendor = Vendor {
    name: "helpdesk",
    code: &["/error/code"],
    message: &["/error/message"],
};

/// A field for each property of `config.schema.json`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    base_url: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_url: "https://api.example.com".to_owned(),
        }
    }
}

impl Config {
    fn at(&self, path: &str) -> String {
        format!("{}{path}", base(&self.base_url))
    }
}

impl Connector for Helpdesk {
    type Config = Config;
    const MANIFEST: &'static str = include_str!("../manifest.json");
    const CONFIG_SCHEMA: &'static str = include_str!("../config.schema.json");

    /// Any request that a wrong credential makes fail; the hub adds the credential that `auth` names.
    fn check(hub: &dyn Hub, config: &Config) -> Result<CheckReport> {
        VENDOR.send(hub, Request::get(config.at("/me")).auth("token"))?;
        Ok(CheckReport::default())
    }
}
