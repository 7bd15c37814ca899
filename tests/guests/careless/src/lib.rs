//! A connector to the practice help desk, good in itself, that breaks the one rule that its configuration names.
//! For tests of the conformance suite.

mod read;
mod write;

use onefold_sdk::{
    Audience, AudienceChange, AudienceRef, Batch, CheckReport, Connector, Destination, Erasure,
    Error, Hub, Identifier, Outcome, Privacy, ReadRequest, Request, Result, Source, StreamInfo,
    TargetInfo, Vendor, WriteRequest,
};
use serde::Deserialize;

pub struct Careless;

onefold_sdk::export!(Careless: source, destination, audience, privacy);

const DESK: Vendor = Vendor {
    name: "desk",
    code: &["/error/code"],
    message: &["/error/message"],
};

#[derive(Deserialize)]
pub struct Config {
    base_url: String,
    #[serde(default)]
    fault: String,
    #[serde(default)]
    note: String,
}

impl Config {
    fn get(&self, path: &str) -> Request {
        Request::get(format!("{}{path}", self.base_url)).auth("token")
    }

    fn post(&self, path: &str, body: &serde_json::Value) -> Result<Request> {
        let url = format!("{}{path}", self.base_url);
        Request::post(url).auth("token").json(body)
    }

    fn breaks(&self, rule: &str) -> bool {
        self.fault == rule
    }
}

impl Connector for Careless {
    type Config = Config;
    const MANIFEST: &'static str = include_str!("../manifest.json");
    const CONFIG_SCHEMA: &'static str = include_str!("../config.schema.json");

    fn check(hub: &dyn Hub, config: &Config) -> Result<CheckReport> {
        match DESK.send(hub, config.get("/v1/me")) {
            Err(Error::Auth(detail)) if config.breaks("auth-is-transient") => {
                Err(Error::Transient(detail))
            }
            Err(error) => Err(error),
            Ok(_) if config.breaks("check-fails") => {
                Err(Error::permanent("careless.check", "no account"))
            }
            Ok(_) => Ok(CheckReport::default()),
        }
    }
}

impl Source for Careless {
    fn discover(_: &dyn Hub, config: &Config) -> Result<Vec<StreamInfo>> {
        let mut streams = onefold_sdk::Manifest::parse(Self::MANIFEST)?.stream_infos();
        if config.breaks("discovers-another-key") {
            streams[0].primary_key = vec!["email".to_owned()];
        }
        Ok(streams)
    }

    fn split(hub: &dyn Hub, config: &Config, _: &str, _: Option<&str>) -> Result<Vec<String>> {
        if !config.breaks("parts-change-places") {
            return Ok(vec![String::new()]);
        }
        // What the vendor holds tells one call from the next.
        let tag = serde_json::json!({ "name": format!("call {}", write::tags(hub, config)?) });
        DESK.send(hub, config.post("/v1/tags", &tag)?)?;
        let mut parts = vec!["even".to_owned(), "odd".to_owned()];
        if write::tags(hub, config)?.is_multiple_of(2) {
            parts.reverse();
        }
        Ok(parts)
    }

    fn read(hub: &dyn Hub, config: &Config, request: &ReadRequest) -> Result<Batch> {
        read::read(hub, config, request)
    }
}

impl Destination for Careless {
    fn targets(_: &dyn Hub, config: &Config) -> Result<Vec<TargetInfo>> {
        let mut targets = onefold_sdk::Manifest::parse(Self::MANIFEST)?.target_infos();
        if config.breaks("tells-another-limit") {
            targets[0].max_batch = 99;
        }
        Ok(targets)
    }

    fn write(hub: &dyn Hub, config: &Config, request: &WriteRequest) -> Result<Outcome> {
        write::write(hub, config, request)
    }
}

impl Audience for Careless {
    fn list_audiences(
        hub: &dyn Hub,
        config: &Config,
        page: Option<&str>,
    ) -> Result<(Vec<AudienceRef>, Option<String>)> {
        write::audiences(hub, config, page)
    }

    fn create(hub: &dyn Hub, config: &Config, name: &str, _: Option<&str>) -> Result<AudienceRef> {
        write::create(hub, config, name)
    }

    fn add(hub: &dyn Hub, config: &Config, change: &AudienceChange) -> Result<Outcome> {
        write::members(hub, config, change, "add")
    }

    fn remove(hub: &dyn Hub, config: &Config, change: &AudienceChange) -> Result<Outcome> {
        match config.breaks("removes-nobody") {
            true => Ok(Outcome::default()),
            false => write::members(hub, config, change, "remove"),
        }
    }
}

impl Privacy for Careless {
    fn erase_subject(
        hub: &dyn Hub,
        config: &Config,
        ids: &[Identifier],
        _: &str,
    ) -> Result<Erasure> {
        write::erase(hub, config, ids)
    }
}
