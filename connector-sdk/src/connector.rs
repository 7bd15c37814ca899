//! What a connector implements, and the calls that run it from the JSON of the contract.
//! Owns no transport: a component (`guest`) and a native build go through the same functions.

use crate::config;
use crate::hub::Hub;
use crate::manifest::Manifest;
use crate::types::*;
use serde::de::DeserializeOwned;

/// What every connector is: its description, its configuration, and a proof that both work.
pub trait Connector {
    type Config: DeserializeOwned;
    /// JSON of the shape of `manifest::Manifest`.
    const MANIFEST: &'static str;
    /// JSON Schema 2020-12 of the configuration.
    const CONFIG_SCHEMA: &'static str;

    /// Calls the vendor once.
    fn check(hub: &dyn Hub, config: &Self::Config) -> Result<CheckReport>;
}

pub trait Source: Connector {
    /// The streams; those of the manifest unless the vendor has to be asked.
    fn discover(_hub: &dyn Hub, _config: &Self::Config) -> Result<Vec<StreamInfo>> {
        Ok(Manifest::parse(Self::MANIFEST)?.stream_infos())
    }

    /// Parts that can be read side by side.
    fn split(
        _hub: &dyn Hub,
        _config: &Self::Config,
        _stream: &str,
        _since: Option<&str>,
    ) -> Result<Vec<String>> {
        Ok(vec![String::new()])
    }

    fn read(hub: &dyn Hub, config: &Self::Config, request: &ReadRequest) -> Result<Batch>;
}

pub trait Webhook: Connector {
    fn receive(hub: &dyn Hub, config: &Self::Config, delivery: &Delivery) -> Result<Reply>;
}

pub trait Destination: Connector {
    fn targets(_hub: &dyn Hub, _config: &Self::Config) -> Result<Vec<TargetInfo>> {
        Ok(Manifest::parse(Self::MANIFEST)?.target_infos())
    }

    /// A connector that takes audiences only leaves this as it is: `impl Destination for Acme {}`.
    fn write(_hub: &dyn Hub, _config: &Self::Config, _request: &WriteRequest) -> Result<Outcome> {
        let message = "this connector cannot write rows: it takes audiences only";
        Err(Error::permanent("connector.cannot", message))
    }

    fn poll(_hub: &dyn Hub, _config: &Self::Config, _job: &str) -> Result<Option<Outcome>> {
        Ok(Some(Outcome::default()))
    }
}

pub trait Audience: Connector {
    /// One page of audiences and the token of the next.
    fn list_audiences(
        hub: &dyn Hub,
        config: &Self::Config,
        page: Option<&str>,
    ) -> Result<(Vec<AudienceRef>, Option<String>)>;

    /// Gives the audience of that name, making it when there is none.
    fn create(
        hub: &dyn Hub,
        config: &Self::Config,
        name: &str,
        options: Option<&str>,
    ) -> Result<AudienceRef>;

    fn add(hub: &dyn Hub, config: &Self::Config, change: &AudienceChange) -> Result<Outcome>;

    fn remove(hub: &dyn Hub, config: &Self::Config, change: &AudienceChange) -> Result<Outcome>;

    fn poll_audience(
        _hub: &dyn Hub,
        _config: &Self::Config,
        _job: &str,
    ) -> Result<Option<Outcome>> {
        Ok(Some(Outcome::default()))
    }
}

pub trait Privacy: Connector {
    fn erase_subject(
        hub: &dyn Hub,
        config: &Self::Config,
        ids: &[Identifier],
        request_id: &str,
    ) -> Result<Erasure>;

    fn poll_erasure(_hub: &dyn Hub, _config: &Self::Config, _job: &str) -> Result<Erasure> {
        Ok(Erasure {
            status: ErasureStatus::NotFound,
            evidence: None,
        })
    }
}

/// The calls of the contract, with the configuration still as JSON text.
pub mod call {
    use super::*;

    pub fn check<T: Connector>(hub: &dyn Hub, config: &str) -> Result<CheckReport> {
        T::check(hub, &config::parse(config)?)
    }

    pub fn discover<T: Source>(hub: &dyn Hub, config: &str) -> Result<Vec<StreamInfo>> {
        T::discover(hub, &config::parse(config)?)
    }

    pub fn split<T: Source>(
        hub: &dyn Hub,
        config: &str,
        stream: &str,
        since: Option<&str>,
    ) -> Result<Vec<String>> {
        T::split(hub, &config::parse(config)?, stream, since)
    }

    pub fn read<T: Source>(hub: &dyn Hub, config: &str, request: &ReadRequest) -> Result<Batch> {
        T::read(hub, &config::parse(config)?, request)
    }

    pub fn receive<T: Webhook>(hub: &dyn Hub, config: &str, delivery: &Delivery) -> Result<Reply> {
        T::receive(hub, &config::parse(config)?, delivery)
    }

    pub fn targets<T: Destination>(hub: &dyn Hub, config: &str) -> Result<Vec<TargetInfo>> {
        T::targets(hub, &config::parse(config)?)
    }

    pub fn write<T: Destination>(
        hub: &dyn Hub,
        config: &str,
        request: &WriteRequest,
    ) -> Result<Outcome> {
        T::write(hub, &config::parse(config)?, request)
    }

    pub fn poll<T: Destination>(hub: &dyn Hub, config: &str, job: &str) -> Result<Option<Outcome>> {
        T::poll(hub, &config::parse(config)?, job)
    }

    pub fn list_audiences<T: Audience>(
        hub: &dyn Hub,
        config: &str,
        page: Option<&str>,
    ) -> Result<(Vec<AudienceRef>, Option<String>)> {
        T::list_audiences(hub, &config::parse(config)?, page)
    }

    pub fn create<T: Audience>(
        hub: &dyn Hub,
        config: &str,
        name: &str,
        options: Option<&str>,
    ) -> Result<AudienceRef> {
        T::create(hub, &config::parse(config)?, name, options)
    }

    pub fn add<T: Audience>(
        hub: &dyn Hub,
        config: &str,
        change: &AudienceChange,
    ) -> Result<Outcome> {
        T::add(hub, &config::parse(config)?, change)
    }

    pub fn remove<T: Audience>(
        hub: &dyn Hub,
        config: &str,
        change: &AudienceChange,
    ) -> Result<Outcome> {
        T::remove(hub, &config::parse(config)?, change)
    }

    pub fn poll_audience<T: Audience>(
        hub: &dyn Hub,
        config: &str,
        job: &str,
    ) -> Result<Option<Outcome>> {
        T::poll_audience(hub, &config::parse(config)?, job)
    }

    pub fn erase_subject<T: Privacy>(
        hub: &dyn Hub,
        config: &str,
        ids: &[Identifier],
        request_id: &str,
    ) -> Result<Erasure> {
        T::erase_subject(hub, &config::parse(config)?, ids, request_id)
    }

    pub fn poll_erasure<T: Privacy>(hub: &dyn Hub, config: &str, job: &str) -> Result<Erasure> {
        T::poll_erasure(hub, &config::parse(config)?, job)
    }
}

/// An unknown stream, target or the like, in the manifest's or the hub's words.
pub fn unknown(kind: &str, name: &str) -> Error {
    Error::config(
        &format!("connector.unknown_{kind}"),
        format!("this connector has no {kind} `{name}`"),
    )
}
