//! From a folder to a hub that can be worked with, the one door of every surface: reads the manifests, asks the connectors
//! what they are, checks, opens the store. Returns problems and warnings as values; it does not know how they are shown.

mod agenda;
mod capturing;
mod changes;
pub mod doctor;
mod guarding;
mod named;
mod overview;
mod pages;
mod pausing;
mod planning;
mod reading;
mod runs;
mod versions;
mod watching;

pub use agenda::{Agenda, DestinationDue, Held, ModelDue, SourceDue};
pub use capturing::CapturingConnectors;
pub use changes::{ConsentStatement, Retried};
pub use named::{find_audience, find_destination, parse_identifier, unknown, wanted};
pub use overview::{AudienceHead, DestinationHead, Members, NextRun, Stated, Status, TraitHead};
pub use pages::{ChangesPage, MemberChange, MembersPage};
pub use pausing::Pausing;
pub use planning::{Planned, PlannedStream, Wish, apply};
pub use reading::{load, load_draft};
pub use runs::{GoesOn, Ran, RanOne};
pub use versions::{Pending, Watched, open_at, open_in_force, reopen, versions};
pub use watching::{Look, Seen, Watching};

use crate::clock::Clock;
use crate::egress::Random;
use crate::flow::connect::{Admission, ConnectSettings, Connectors, ReadEnv};
use crate::flow::{self, Context, Leave, Meter, Process, Suppression, leftover, models, rules};
use crate::host::{Cancel, Host, HostSettings, LogLevel, LogLine};
use crate::kit::lock::Guard;
use crate::manifest::{self, Plan, Signers};
use crate::problem::{Problem, codes};
use crate::store::{Gate, Store};
use reading::read_files;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Handle;
use uuid::Uuid;

/// The world outside, as `app` found it.
#[derive(Clone)]
pub struct Environment {
    pub read_env: ReadEnv,
    pub clock: Clock,
    pub random: Random,
    /// Where bundled connectors are, after the hub's own.
    pub connector_folders: Vec<PathBuf>,
    /// Where compiled connectors are kept.
    pub cache_folder: Option<PathBuf>,
    /// The program that compiles connectors in a process of its own: this one.
    pub compiler: Option<PathBuf>,
    /// Ends every wait of what is done with it.
    pub cancel: Cancel,
    pub process: Process,
    /// What this process counts, whatever hubs it opens.
    pub meter: Meter,
    /// What each step of the store passes; only tests have one.
    pub gate: Option<Gate>,
}

/// Why something could not be done.
#[derive(Debug, Default)]
pub struct Stopped {
    pub problems: Vec<Problem>,
    /// What was found before and does not stop anything.
    pub warnings: Vec<Problem>,
    /// The manifests, so that places can be shown.
    pub files: Vec<(String, String)>,
    /// It ended before anything had an effect.
    pub nothing_was_run: bool,
}

impl Stopped {
    /// Problems of files.
    pub fn in_files(problems: Vec<Problem>, files: Vec<(String, String)>) -> Self {
        Self {
            problems,
            files,
            nothing_was_run: true,
            ..Self::default()
        }
    }
}

impl From<Problem> for Stopped {
    fn from(problem: Problem) -> Self {
        vec![problem].into()
    }
}

impl From<Vec<Problem>> for Stopped {
    fn from(problems: Vec<Problem>) -> Self {
        Self {
            problems,
            ..Self::default()
        }
    }
}

/// Manifests that were read, and what can be connected.
pub struct Loaded {
    pub files: Vec<(String, String)>,
    pub plan: Plan,
    pub connectors: Connectors,
}

/// A hub with its store open.
pub struct Opened {
    folder: PathBuf,
    /// The folder when it was read.
    pub look: Look,
    pub context: Context,
    pub connectors: Arc<Connectors>,
    /// What does not stop anybody from working with the hub.
    pub warnings: Vec<Problem>,
    /// The manifests, so that places can be shown.
    pub files: Vec<(String, String)>,
}

pub fn host(environment: &Environment) -> Result<Host, Problem> {
    Host::new(HostSettings {
        cache_folder: guarding::cache(environment.cache_folder.clone()),
        compiler: environment.compiler.clone(),
        runtime: Handle::current(),
    })
}

/// Whose connectors the folder's manifests trust; a folder without manifests trusts nobody and requires nothing.
pub fn signers(folder: &Path, environment: &Environment) -> Result<Signers, Stopped> {
    guarding::folders(folder, &[], environment)?;
    let files = match read_files(folder) {
        Ok(files) => files,
        Err(stopped)
            if stopped
                .problems
                .iter()
                .all(|one| one.code == &codes::NO_MANIFESTS) =>
        {
            return Ok(Signers::default());
        }
        Err(stopped) => return Err(stopped),
    };
    manifest::signers(&files).map_err(|problems| Stopped::in_files(problems, files))
}

pub fn connectors(
    folder: &Path,
    environment: &Environment,
    signers: Signers,
) -> Result<Connectors, Stopped> {
    guarding::folders(folder, &environment.connector_folders, environment)?;
    let host = host(environment)?;
    let guard = Arc::new(Guard::new(folder, signers));
    let same = guard.clone();
    let admission = Admission {
        file: Box::new(move |name, found| guard.admit(name, found)),
        description: Box::new(move |name, description| same.admit_description(name, description)),
    };
    let mut folders = vec![folder.join("connectors")];
    folders.extend(environment.connector_folders.iter().cloned());
    let connectors = Connectors::new(ConnectSettings {
        host: Arc::new(host),
        connector_folders: folders,
        hub_folder: folder.to_owned(),
        read_env: environment.read_env.clone(),
        runtime: Handle::current(),
        clock: environment.clock.clone(),
        random: environment.random.clone(),
        cancel: environment.cancel.clone(),
        log: Arc::new(log),
    });
    Ok(connectors.guarded(admission))
}

/// A connector's own words, one line each.
fn log(line: &LogLine) {
    let stream = line.stream.as_deref().unwrap_or_default();
    let (connection, message) = (&*line.connection, &line.message);
    match line.level {
        LogLevel::Trace | LogLevel::Debug => tracing::debug!(connection, stream, "{message}"),
        LogLevel::Info => tracing::info!(connection, stream, "{message}"),
        LogLevel::Warn => tracing::warn!(connection, stream, "{message}"),
        LogLevel::Error => tracing::error!(connection, stream, "{message}"),
    }
}

/// The hub of a folder.
pub async fn open(folder: &Path, environment: &Environment) -> Result<Opened, Stopped> {
    // Before the files are read: what is written meanwhile counts as an edit.
    let look = Look::at(folder, environment);
    opened(folder, look, load(folder, environment)?, environment).await
}

/// The hub of a folder by manifests that were loaded.
async fn opened(
    folder: &Path,
    look: Look,
    loaded: Loaded,
    environment: &Environment,
) -> Result<Opened, Stopped> {
    let Loaded {
        files,
        plan,
        connectors,
    } = loaded;
    let mut warnings = plan.warnings.clone();
    match first_context(plan, environment).await {
        Ok((context, warning)) => {
            warnings.extend(warning);
            Ok(Opened {
                folder: folder.to_owned(),
                look,
                context,
                connectors: Arc::new(connectors),
                warnings,
                files,
            })
        }
        Err(problem) => Err(Stopped {
            warnings,
            files,
            ..Stopped::from(problem)
        }),
    }
}

async fn open_store(url: &str, environment: &Environment) -> Result<Store, Problem> {
    let store = Store::open(url).await?;
    let store = match &environment.gate {
        Some(gate) => store.gated(gate.clone()),
        None => store,
    };
    Ok(store.counting(environment.meter.letters.clone()))
}

/// With a warning when the manifests' identity rules are not in force.
async fn context(
    plan: Arc<Plan>,
    store: Store,
    environment: &Environment,
) -> Result<(Context, Option<Problem>), Problem> {
    let random = environment.random.clone();
    let suppression =
        Suppression::load(&store, move || Uuid::from_u64_pair(random(), random())).await?;
    let clock = environment.clock.clone();
    let mut context = Context::new(plan, store, clock, suppression);
    context.cancel = environment.cancel.clone();
    context.process = environment.process.clone();
    context.meter = environment.meter.clone();
    models::adopt(&mut context).await?;
    let warning = rules::adopt(&mut context).await?;
    Ok((context, warning))
}

/// The same by manifests that name sources as the operator does.
async fn first_context(
    mut plan: Plan,
    environment: &Environment,
) -> Result<(Context, Option<Problem>), Problem> {
    let store = open_store(&plan.hub.store, environment).await?;
    let namespaces = flow::namespaces(&mut store.read().await?, &plan).await?;
    plan.name_by(namespaces);
    context(Arc::new(plan), store, environment).await
}

impl Opened {
    /// Refuses a source or stream that the manifests do not have.
    pub fn refuse_unknown(
        &self,
        source: Option<&str>,
        stream: Option<&str>,
    ) -> Result<(), Problem> {
        let sources = &self.context.plan.sources;
        let names = || sources.iter().map(|source| &*source.name);
        if let Some(name) = source.filter(|name| !names().any(|one| one == *name)) {
            return Err(unknown("source", name, names()));
        }
        let streams = || {
            let streams = sources.iter().flat_map(|source| &source.streams);
            streams.map(|stream| &*stream.name)
        };
        match stream.filter(|name| !streams().any(|one| one == *name)) {
            Some(name) => Err(unknown("stream", name, streams())),
            None => Ok(()),
        }
    }

    /// A run that would stop half-way because a secret is missing does not begin.
    pub fn refuse_without_secrets(
        &self,
        source: Option<&str>,
        delivers: bool,
    ) -> Result<(), Stopped> {
        let plan = &self.context.plan;
        let sources = plan.sources.iter();
        let sources = sources.filter(|one| source.is_none_or(|name| name == &*one.name));
        let destinations = plan.destinations.iter().filter(|_| delivers);
        let problems = self.connectors.missing_secrets(sources, destinations);
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Stopped::in_files(problems, Vec::new())),
        }
    }

    /// For work that writes: the hub is worked on by these manifests from now on. Uses the current identity rules, and waits
    /// while they are being changed.
    pub async fn ready(&mut self) -> Result<(), Problem> {
        self.ready_by(&Leave::Automatic).await
    }

    async fn ready_by(&mut self, leave: &Leave) -> Result<(), Problem> {
        let is_current = || read_files(&self.folder).is_ok_and(|files| files == self.files);
        flow::enter(&mut self.context, &is_current, leave).await
    }
}

/// Copies the hub's store into a new file; returns its size in bytes.
pub async fn back_up(folder: &Path, environment: &Environment, to: &Path) -> Result<u64, Stopped> {
    let loaded = load(folder, environment)?;
    let url = &loaded.plan.hub.store;
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = path.split('?').next().unwrap_or(path);
    if !Path::new(path).is_file() {
        let message = "the hub has no store yet, so there is nothing to copy";
        return Err(Problem::new(&codes::NOT_FOUND, message)
            .hint("`onefold run` makes it")
            .into());
    }
    Ok(crate::store::back_up(url, to).await?)
}

/// What the store holds that these manifests no longer have; nothing where there is no store yet.
pub async fn left_over(plan: &Plan) -> Result<Vec<Problem>, Problem> {
    let path = plan.hub.store.strip_prefix("sqlite:").unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    if !Path::new(path).is_file() {
        return Ok(Vec::new());
    }
    let store = Store::open(&plan.hub.store).await?;
    let left = leftover::leftovers(&mut store.read().await?, plan).await;
    store.close().await;
    Ok(leftover::warnings(&left?))
}
