//! The help desk: contacts and tickets in, contacts out, audiences as tags, erasure. Transport, retries and credentials
//! are the hub's.

mod audience;
mod read;
mod write;

use onefold_sdk::http::base;
use onefold_sdk::{CheckReport, Connector, Hub, Request, Result, Vendor};
use serde::Deserialize;

pub struct Helpdesk;

onefold_sdk::export!(Helpdesk: source, destination, audience, privacy);

const VENDOR: Vendor = Vendor {
    name: "helpdesk",
    code: &["/error/code"],
    message: &["/error/message"],
};

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    base_url: String,
    page_size: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_url: "https://desk.example.com".to_owned(),
            page_size: 200,
        }
    }
}

impl Config {
    fn at(&self, path: &str) -> String {
        format!("{}{path}", base(&self.base_url))
    }
}

#[derive(Deserialize)]
struct Me {
    account: String,
    scopes: Vec<String>,
}

impl Connector for Helpdesk {
    type Config = Config;
    const MANIFEST: &'static str = include_str!("../manifest.json");
    const CONFIG_SCHEMA: &'static str = include_str!("../config.schema.json");

    fn check(hub: &dyn Hub, config: &Config) -> Result<CheckReport> {
        let me: Me = VENDOR.fetch(hub, Request::get(config.at("/v1/me")).auth("token"))?;
        let warnings = match me.scopes.iter().any(|scope| scope == "write") {
            true => Vec::new(),
            false => vec!["the token may read but not write".to_owned()],
        };
        Ok(CheckReport {
            account: Some(me.account),
            warnings,
        })
    }
}
