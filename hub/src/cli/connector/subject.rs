//! From a folder or a file to a connector that can be tested: finds the component and `conformance.toml`, and opens the
//! connection. Starts nothing and calls nobody.

use crate::cli::arguments::SubjectArguments;
use crate::cli::connector::judging::judged;
use crate::cli::connector::steps::Steps;
use crate::flow::connect::{ConnectSettings, Connectors};
use crate::host::{Cancel, Component, Connection, Host, LogLine};
use crate::kit::cassette::{Cassette, Player};
use crate::kit::conformance::{ConnectionSettings, Settings};
use crate::kit::judge::Document;
use crate::kit::vendor::Vendor;
use crate::manifest::{Grants, Limits, SecretRef, Source};
use crate::model::Description;
use crate::opening::{self, Environment, Stopped};
use crate::problem::{Problem, codes};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// Where a build may have left a component, below the connector's folder.
const PRODUCTS: &[&str] = &["", "build", "dist", "target"];

/// A component with the files around it.
pub struct Found {
    pub bytes: Vec<u8>,
    /// Paths in `conformance.toml` start here.
    pub folder: PathBuf,
    /// `manifest.json` and `config.schema.json`, when there are any.
    pub files: Option<(String, String)>,
}

fn no_file(message: String) -> Problem {
    Problem::new(&codes::NO_COMPONENT_FILE, message).hint(
        "`onefold connector build` makes one; `--component FILE.wasm` names one that is elsewhere",
    )
}

pub fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    std::fs::read(path)
        .map_err(|error| no_file(format!("`{}` cannot be read: {error}", path.display())))
}

/// The file of a connector that is named by its path or by its name.
pub fn component_path(
    hub: &Path,
    environment: &Environment,
    what: &str,
) -> Result<PathBuf, Problem> {
    let path = PathBuf::from(what);
    if path.is_file() {
        return Ok(path);
    }
    let folders = environment.connector_folders.iter();
    let mut folders = std::iter::once(hub.join("connectors")).chain(folders.cloned());
    folders
        .find_map(|folder| {
            let file = folder.join(format!("{what}.wasm"));
            (!what.contains('/') && file.is_file()).then_some(file)
        })
        .ok_or_else(|| {
            let message = format!("there is no file and no connector `{what}`");
            Problem::new(&codes::CONNECTOR_NOT_FOUND, message)
                .hint("`onefold connector list` shows the connectors that there are")
        })
}

/// Finds the component of a folder: the one that is named, one that was built there, or one that the hub has.
pub fn find(
    hub: &Path,
    environment: &Environment,
    path: &Path,
    named: Option<&Path>,
) -> Result<Found, Problem> {
    if path.is_file() {
        let folder = path.parent().unwrap_or(Path::new("."));
        return found(path, folder);
    }
    if let Some(named) = named {
        return found(named, path);
    }
    let manifest = std::fs::read_to_string(path.join("manifest.json")).map_err(|error| {
        no_file(format!(
            "`{}` is not a connector's folder: `manifest.json` cannot be read: {error}",
            path.display()
        ))
    })?;
    let name = serde_json::from_str::<serde_json::Value>(&manifest)
        .ok()
        .and_then(|value| Some(value.get("name")?.as_str()?.to_owned()))
        .unwrap_or_default();
    let file = format!("{name}.wasm");
    let built = PRODUCTS.iter().map(|folder| path.join(folder).join(&file));
    match built.into_iter().find(|file| file.is_file()) {
        Some(component) => found(&component, path),
        None => match component_path(hub, environment, &name) {
            Ok(component) => found(&component, path),
            Err(_) => Err(no_file(format!(
                "there is no component of `{name}` in `{}`",
                path.display()
            ))),
        },
    }
}

fn found(component: &Path, folder: &Path) -> Result<Found, Problem> {
    let document = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let files = document("manifest.json").zip(document("config.schema.json"));
    Ok(Found {
        bytes: read(component)?,
        folder: folder.to_owned(),
        files,
    })
}

/// Reads `conformance.toml`, or the file that stands for it.
pub fn settings(folder: &Path, named: Option<&Path>) -> Result<Settings, Stopped> {
    let default = folder.join("conformance.toml");
    let path = named.unwrap_or(&default);
    let manifest = folder.join("manifest.json");
    judged(&[
        (Document::Conformance, path),
        (Document::Manifest, &manifest),
    ])?;
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("`{}` cannot be read: {error}", path.display());
        Problem::new(&codes::WRONG_CONFORMANCE, message)
            .hint("`onefold help OF0331` shows what it holds")
    })?;
    Ok(Settings::parse(&text)?)
}

/// What opening takes.
pub struct Opening<'a> {
    pub environment: &'a Environment,
    pub host: Arc<Host>,
    pub component: Component,
    pub description: Arc<Description>,
    pub settings: &'a Settings,
    /// Such as `http://127.0.0.1:8080`.
    pub vendor: &'a str,
    pub log: Arc<Mutex<Vec<LogLine>>>,
    pub cancel: Cancel,
}

pub fn host(environment: &Environment) -> Result<Arc<Host>, Problem> {
    opening::host(environment).map(Arc::new)
}

impl Opening<'_> {
    /// The values of the credentials that the file names; `env:NAME` is read from the environment.
    pub fn secrets(&self, connection: &ConnectionSettings) -> BTreeMap<String, String> {
        let value = |text: &str| match text.strip_prefix("env:") {
            Some(name) => (self.environment.read_env)(name).unwrap_or_default(),
            None => text.to_owned(),
        };
        let credentials = connection.credential.iter();
        credentials
            .map(|(name, text)| (name.clone(), value(text)))
            .collect()
    }

    /// A connection with these credentials. A vendor made for tests has no rate budget; a real one keeps
    /// it.
    pub fn connection(&self, secrets: BTreeMap<String, String>) -> Result<Connection, Stopped> {
        let references = secrets
            .keys()
            .map(|name| (name.clone(), SecretRef::Env(name.clone())))
            .collect();
        let log = self.log.clone();
        let connectors = Connectors::new(ConnectSettings {
            host: self.host.clone(),
            connector_folders: Vec::new(),
            hub_folder: PathBuf::from("."),
            read_env: Arc::new(move |name| secrets.get(name).cloned()),
            runtime: Handle::current(),
            clock: self.environment.clock.clone(),
            random: self.environment.random.clone(),
            cancel: self.cancel.clone(),
            log: Arc::new(move |line| {
                log.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(line.clone());
            }),
        });
        let mut description = (*self.description).clone();
        if !self.vendor.is_empty() {
            description.rates.clear();
        }
        let address = self.vendor.strip_prefix("http://").unwrap_or_default();
        let source = Source {
            name: self.description.name.as_str().into(),
            connector: self.description.name.clone(),
            rates: description.rates.clone(),
            description: Arc::new(description),
            config: self.settings.config(self.vendor),
            credentials: references,
            grants: Grants {
                hosts: Vec::new(),
                addresses: [address]
                    .into_iter()
                    .filter(|one| !one.is_empty())
                    .map(str::to_owned)
                    .collect(),
                ..Grants::default()
            },
            limits: Limits::default(),
            schedule: None,
            streams: Vec::new(),
            empty_source_stops: false,
            max_dead_letters: None,
        };
        let opened = connectors.open_component(self.component.clone(), &source)?;
        Ok(opened.connection().clone())
    }
}

/// A connector with its vendor running and its connection open.
pub struct Ready {
    pub host: Arc<Host>,
    pub component: Component,
    /// How long it took to compile it, or to take it from the cache.
    pub loading: Duration,
    pub bytes: Vec<u8>,
    pub description: Arc<Description>,
    pub connection: Connection,
    pub settings: Settings,
    /// The address that `{vendor}` stands for; empty when the vendor is a real one.
    pub address: String,
    /// Answers until this is dropped.
    pub vendor: Option<Vendor>,
    pub log: Arc<Mutex<Vec<LogLine>>>,
}

/// An address that nobody is asked at: a cassette answers for it.
pub const CASSETTE_ADDRESS: &str = "http://127.0.0.1:1";

/// Finds, starts and opens; `adjust` may change the settings before the vendor starts.
pub fn ready(
    hub: &Path,
    environment: &Environment,
    steps: &Steps,
    options: &SubjectArguments,
    adjust: impl FnOnce(&mut Settings),
) -> Result<Ready, Stopped> {
    ready_in(host(environment)?, hub, environment, steps, options, adjust)
}

/// The same with the component compiled by this host.
pub fn ready_in(
    host: Arc<Host>,
    hub: &Path,
    environment: &Environment,
    steps: &Steps,
    options: &SubjectArguments,
    adjust: impl FnOnce(&mut Settings),
) -> Result<Ready, Stopped> {
    let found = find(
        hub,
        environment,
        &options.path,
        options.component.as_deref(),
    )?;
    let mut settings = settings(&found.folder, options.conformance.as_deref())?;
    adjust(&mut settings);
    let vendor = Vendor::start(&settings.vendor, &found.folder, &Handle::current())?;
    let address = match (&vendor, &settings.vendor.cassette) {
        (Some(vendor), _) => vendor.address(),
        (None, Some(_)) => CASSETTE_ADDRESS.to_owned(),
        (None, None) => String::new(),
    };
    if !host.is_compiled(&found.bytes) {
        steps.compiling(&found.bytes);
    }
    let begun = Instant::now();
    let component = host.load(&found.bytes)?;
    let loading = begun.elapsed();
    let opening = Opening {
        environment,
        host: host.clone(),
        component: component.clone(),
        description: component.describe()?,
        settings: &settings,
        vendor: &address,
        log: Arc::default(),
        cancel: Cancel::default(),
    };
    let mut connection = opening.connection(opening.secrets(&settings.connection))?;
    if let Some(file) = &settings.vendor.cassette {
        connection.http = Player::new(Cassette::read(&found.folder.join(file))?, &address);
    }
    Ok(Ready {
        host,
        component,
        loading,
        bytes: found.bytes,
        description: opening.description.clone(),
        connection,
        log: opening.log.clone(),
        address,
        vendor,
        settings,
    })
}

/// Runs blocking work outside of the runtime's own threads.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
