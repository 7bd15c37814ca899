//! From a source or destination of the plan to a connector that can be called: finds the component, opens the
//! secrets, and connects `host` with `egress` for requests and with `vault` for signatures.

pub(super) mod calling;
mod opens;
mod way_out;

pub use opens::Opens;

use crate::clock::Clock;
use crate::egress::{Credential, Egress, EgressSettings, Policy, Random, Room};
use crate::host::{self, Advice, Cancel, Component, Connection, Connector, Host, LogSink, Scrub};
use crate::manifest::{Destination, Grants, Limits, SecretRef, Source};
use crate::model::{COLLECTOR, CredentialSpec, Description, Inject, RateSpec, Value};
use crate::problem::{Problem, codes};
use crate::vault::{Known, Scrubber, Secret, Vault};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use tokio::runtime::Handle;
use way_out::{SigningKeys, WayOut};

/// A JSON Schema of the collector's configuration.
const COLLECTOR_CONFIG: &str = include_str!("collector.config.json");

/// How often a request that may be repeated is sent at most.
const ATTEMPTS: u32 = 5;

/// Reads an environment variable.
pub type ReadEnv = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What connecting needs from outside.
pub struct ConnectSettings {
    pub host: Arc<Host>,
    /// Where `NAME.wasm` is looked for, in this order.
    pub connector_folders: Vec<PathBuf>,
    /// Relative `file:` secrets start here.
    pub hub_folder: PathBuf,
    pub read_env: ReadEnv,
    pub runtime: Handle,
    pub clock: Clock,
    pub random: Random,
    pub cancel: Cancel,
    pub log: LogSink,
}

/// What each connector must pass before it is loaded, and its description afterwards.
pub struct Admission {
    /// The connector's name and the file that was found under it, if one was.
    pub file: AdmitFile,
    pub description: AdmitDescription,
}

pub type AdmitFile = Box<dyn Fn(&str, Option<(&Path, &[u8])>) -> Result<(), Problem> + Send + Sync>;
pub type AdmitDescription = Box<dyn Fn(&str, &Description) -> Result<(), Problem> + Send + Sync>;

pub struct Connectors {
    settings: ConnectSettings,
    admission: Option<Admission>,
}

/// A source or destination with its secrets open. Its connectors share one way out, so that the rate budget holds
/// for all of them together.
#[derive(Clone)]
pub struct Opened {
    component: Component,
    connection: Connection,
}

impl Opened {
    /// One more instance, for one more thread.
    pub fn connector(&self) -> Box<dyn Connector> {
        self.component.connect(self.connection.clone())
    }

    /// One with another connection, such as one whose requests are recorded.
    pub fn connect(&self, connection: Connection) -> Box<dyn Connector> {
        self.component.connect(connection)
    }

    /// For a connector that is not WebAssembly, or that is under test.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// The parts that sources and destinations have in common.
struct Side<'a> {
    kind: &'static str,
    name: &'a Arc<str>,
    connector: &'a str,
    description: &'a Description,
    config: &'a Value,
    credentials: &'a BTreeMap<String, SecretRef>,
    grants: &'a Grants,
    limits: &'a Limits,
    rates: &'a BTreeMap<String, RateSpec>,
}

impl<'a> From<&'a Source> for Side<'a> {
    fn from(source: &'a Source) -> Self {
        Self {
            kind: "source",
            name: &source.name,
            connector: &source.connector,
            description: &source.description,
            config: &source.config,
            credentials: &source.credentials,
            grants: &source.grants,
            limits: &source.limits,
            rates: &source.rates,
        }
    }
}

impl<'a> From<&'a Destination> for Side<'a> {
    fn from(destination: &'a Destination) -> Self {
        Self {
            kind: "destination",
            name: &destination.name,
            connector: &destination.connector,
            description: &destination.description,
            config: &destination.config,
            credentials: &destination.credentials,
            grants: &destination.grants,
            limits: &destination.limits,
            rates: &destination.rates,
        }
    }
}

impl Connectors {
    pub fn new(settings: ConnectSettings) -> Self {
        Self {
            settings,
            admission: None,
        }
    }

    /// Loads only what is admitted.
    pub fn guarded(self, admission: Admission) -> Self {
        Self {
            admission: Some(admission),
            ..self
        }
    }

    pub fn open_source(&self, source: &Source) -> Result<Opened, Vec<Problem>> {
        self.open(&source.into())
    }

    pub fn open_destination(&self, destination: &Destination) -> Result<Opened, Vec<Problem>> {
        self.open(&destination.into())
    }

    /// A problem for each secret that these connections name and that cannot be read. Makes no requests.
    pub fn missing_secrets<'a>(
        &self,
        sources: impl IntoIterator<Item = &'a Source>,
        destinations: impl IntoIterator<Item = &'a Destination>,
    ) -> Vec<Problem> {
        let sources = sources.into_iter().map(Side::from);
        let destinations = destinations.into_iter().map(Side::from);
        sources
            .chain(destinations)
            .filter_map(|side| self.secrets(&side).err())
            .flatten()
            .collect()
    }

    pub fn describe(&self, connector: &str) -> Result<Arc<Description>, Problem> {
        if connector == COLLECTOR {
            return collector();
        }
        let description = self.component(connector)?.describe()?;
        if let Some(admission) = &self.admission {
            (admission.description)(connector, &description)?;
        }
        Ok(description)
    }

    /// The names of all connectors that can be found.
    pub fn names(&self) -> BTreeSet<String> {
        let folders = self.settings.connector_folders.iter();
        folders
            .filter_map(|folder| std::fs::read_dir(folder).ok())
            .flat_map(|entries| entries.flatten())
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "wasm"))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .chain([COLLECTOR.to_owned()])
            .collect()
    }

    /// The hash of a connector's component; none of one that has no file.
    pub fn hash(&self, connector: &str) -> Result<Option<String>, Problem> {
        let found = self.find(connector)?;
        Ok(found.map(|(_, bytes)| blake3::hash(&bytes).to_hex()[..32].to_owned()))
    }

    fn component(&self, connector: &str) -> Result<Component, Problem> {
        let found = self.find(connector)?;
        if let Some(admission) = &self.admission {
            let file = found.as_ref().map(|(path, bytes)| (&**path, &**bytes));
            (admission.file)(connector, file)?;
        }
        let Some((_, bytes)) = found else {
            return Err(not_found(connector, &self.settings.connector_folders));
        };
        self.settings.host.load(&bytes).map_err(|mut problem| {
            problem.message = format!("connector `{connector}`: {}", problem.message);
            problem
        })
    }

    /// The first file under the connector's name, with its bytes.
    fn find(&self, connector: &str) -> Result<Option<(PathBuf, Vec<u8>)>, Problem> {
        let is_name = !connector.is_empty()
            && connector
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        let folders = &self.settings.connector_folders;
        let found = folders
            .iter()
            .filter(|_| is_name)
            .map(|folder| folder.join(format!("{connector}.wasm")))
            .find(|path| path.is_file());
        let Some(path) = found else { return Ok(None) };
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some((path, bytes))),
            Err(error) => Err(Problem::new(
                &codes::CONNECTOR_NOT_FOUND,
                format!("connector `{connector}` cannot be read: {error}"),
            )),
        }
    }

    /// A connector that is in none of the folders, with the settings of a source.
    pub fn open_component(
        &self,
        component: Component,
        source: &Source,
    ) -> Result<Opened, Vec<Problem>> {
        let side = source.into();
        let secrets = self.secrets(&side)?;
        Ok(self.open_with(&side, secrets, component))
    }

    fn open(&self, side: &Side<'_>) -> Result<Opened, Vec<Problem>> {
        let secrets = self.secrets(side)?;
        let component = self.component(side.connector).map_err(|it| vec![it])?;
        Ok(self.open_with(side, secrets, component))
    }

    fn open_with(
        &self,
        side: &Side<'_>,
        secrets: BTreeMap<String, Secret>,
        component: Component,
    ) -> Opened {
        let scrub = scrub(side, &secrets);
        let owner = format!("{} `{}`", side.kind, side.name);
        let hosts = side.description.hosts.iter().chain(&side.grants.hosts);
        let egress = Egress::new(EgressSettings {
            policy: Policy::new(&owner, hosts.map(String::as_str), &side.grants.addresses),
            credentials: sendable(side, &secrets),
            rates: side.rates.clone(),
            response_bytes: side.limits.response_bytes,
            room: self.room(),
            attempts: ATTEMPTS,
            random: self.settings.random.clone(),
            clock: self.settings.clock.clone(),
            scrub: scrub.words.clone(),
        });
        let connection = Connection {
            name: side.name.clone(),
            config: side.config.to_string(),
            limits: *side.limits,
            http: Arc::new(WayOut {
                egress,
                scrub: scrub.clone(),
                runtime: self.settings.runtime.clone(),
                said: Once::new(),
            }),
            keys: Some(Arc::new(SigningKeys::new(side, secrets))),
            clock: self.settings.clock.clone(),
            cancel: self.settings.cancel.clone(),
            log: self.settings.log.clone(),
            scrub,
            advice: advice(side),
        };
        Opened {
            component,
            connection,
        }
    }

    /// Answers that are being read use the memory that the guests share.
    fn room(&self) -> Room {
        let budget = self.settings.host.budget().clone();
        Arc::new(move |bytes| match bytes.is_negative() {
            true => {
                budget.give(bytes.unsigned_abs());
                true
            }
            false => budget.take(bytes.unsigned_abs()),
        })
    }

    /// What all connectors together may use, in bytes, from now on.
    pub fn share(&self, bytes: u64) {
        self.settings.host.budget().set(bytes);
    }

    fn secrets(&self, side: &Side<'_>) -> Result<BTreeMap<String, Secret>, Vec<Problem>> {
        let vault = Vault {
            read_env: &*self.settings.read_env,
            folder: &self.settings.hub_folder,
        };
        let opened = vault.open(side.name, side.credentials);
        let mut problems = Vec::new();
        for (name, spec) in &side.description.credentials {
            if spec.required && !side.credentials.contains_key(name) {
                problems.push(
                    Problem::new(
                        &codes::SECRET_MISSING,
                        format!("{} `{}` has no credential `{name}`", side.kind, side.name),
                    )
                    .hint(format!("add `credential.{name} = \"env:NAME\"`")),
                );
            }
        }
        match opened {
            Ok(secrets) if problems.is_empty() => Ok(secrets),
            Ok(_) => Err(problems),
            Err(missing) => Err(problems.into_iter().chain(missing).collect()),
        }
    }
}

/// What to look at where the vendor says no more than that it refuses, or nothing at all.
fn advice(side: &Side<'_>) -> Advice {
    let (kind, name) = (side.kind, side.name);
    let credentials = side.credentials.iter();
    let credentials: Vec<String> = credentials
        .map(|(credential, from)| format!("`credential.{credential}` ({from})"))
        .collect();
    let at = side.config.get("base_url").and_then(Value::as_str);
    let place = at.map_or_else(
        || "the vendor can be reached from here".to_owned(),
        |at| format!("`config.base_url` (`{at}`) is right and can be reached from here"),
    );
    Advice {
        auth: format!(
            "see whether {} of {kind} `{name}` is the right one, is valid still and may do this; `onefold connector check {name}` tries it alone",
            credentials.join(" or ")
        ),
        no_answer: format!("see whether {place}; `onefold connector check {name}` tries it alone"),
    }
}

impl Opens for Connectors {
    fn source(&self, source: &Source) -> Result<Box<dyn Connector>, Vec<Problem>> {
        if source.is_collected() {
            return Err(vec![nothing_to_call(&source.name)]);
        }
        Ok(self.open_source(source)?.connector())
    }

    fn destination(&self, destination: &Destination) -> Result<Box<dyn Connector>, Vec<Problem>> {
        Ok(self.open_destination(destination)?.connector())
    }

    fn rest(&self) {
        self.settings.host.rest();
    }
}

fn nothing_to_call(name: &str) -> Problem {
    let message = format!("source `{name}` calls nobody: messages are sent to it");
    Problem::new(&codes::CANNOT, message)
        .hint("`onefold serve` takes them, where `[serve]` says; `onefold status` shows what came")
}

/// What the collector says of itself.
fn collector() -> Result<Arc<Description>, Problem> {
    let exports = vec!["source".to_owned()];
    let document = include_str!("collector.json");
    host::parse_description(document, COLLECTOR_CONFIG, exports).map(Arc::new)
}

fn not_found(connector: &str, folders: &[PathBuf]) -> Problem {
    let shown: String = connector
        .escape_debug()
        .to_string()
        .chars()
        .take(80)
        .collect();
    let looked: Vec<String> = folders
        .iter()
        .map(|folder| format!("`{}`", Path::display(folder)))
        .collect();
    Problem::new(
        &codes::CONNECTOR_NOT_FOUND,
        format!(
            "there is no connector `{shown}`; looked for `{shown}.wasm` in {}",
            looked.join(", ")
        ),
    )
    .hint("`onefold connector list` shows the connectors that were found")
}

/// The credentials that go into requests, as the connector describes them.
fn sendable(side: &Side<'_>, secrets: &BTreeMap<String, Secret>) -> BTreeMap<String, Credential> {
    secrets
        .iter()
        .filter_map(|(name, secret)| {
            let spec = side.description.credentials.get(name)?;
            let hosts = credential_hosts(side, name, spec);
            let value = secret.expose().into();
            let credential = Credential::new(spec.inject.clone(), value, hosts);
            Some((name.clone(), credential))
        })
        .collect()
}

/// To whom a credential may be sent: whom the operator names for it, or else the connector; a connector that names nobody means
/// all the hosts that it declares. A host that only a grant added gets none. A single granted address is where the operator says
/// that the vendor is, unless the connector names the hosts itself; of several addresses nobody says which.
fn credential_hosts<'a>(side: &Side<'a>, name: &str, spec: &'a CredentialSpec) -> Vec<&'a str> {
    let named = side.grants.credential_hosts.get(name);
    let of_connector = match spec.hosts.is_empty() {
        true => &side.description.hosts,
        false => &spec.hosts,
    };
    let address = match &*side.grants.addresses {
        [address] if named.is_none() && spec.hosts.is_empty() => Some(address),
        _ => None,
    };
    let hosts = named.unwrap_or(of_connector).iter().chain(address);
    hosts.map(String::as_str).collect()
}

/// Takes this side's secrets out.
fn scrub(side: &Side<'_>, secrets: &BTreeMap<String, Secret>) -> Scrub {
    let known = secrets.iter().map(|(name, secret)| {
        let spec = side.description.credentials.get(name);
        Known {
            name,
            secret,
            username: spec.and_then(|spec| match &spec.inject {
                Inject::Basic { username } => Some(username.as_str()),
                _ => None,
            }),
        }
    });
    let scrubber = Arc::new(Scrubber::new(known));
    let same = scrubber.clone();
    Scrub {
        words: Arc::new(move |text| scrubber.words(text)),
        data: Arc::new(move |content| same.data(content)),
    }
}
