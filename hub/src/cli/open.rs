//! From a folder to a hub that can be worked with: reads the manifests, asks the connectors what they are, checks,
//! opens the store.

use crate::cli::output::{Out, Outcome, Stopped};
use crate::cli::{Ending, Environment};
use crate::flow::connect::{Admission, ConnectSettings, Connectors};
use crate::flow::{self, Context, Suppression, leftover, models, rules};
use crate::host::{Cancel, Host, HostSettings, LogLevel, LogLine};
use crate::kit::lock::Guard;
use crate::manifest::{self, Plan, Signers};
use crate::problem::{Problem, codes};
use crate::store::Store;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Handle;
use uuid::Uuid;

/// Manifests that were read, and what can be connected.
pub struct Loaded {
    pub files: Vec<(String, String)>,
    pub plan: Plan,
    pub connectors: Connectors,
    pub cancel: Cancel,
}

/// A hub with its store open.
pub struct Opened {
    pub context: Context,
    pub connectors: Connectors,
    pub cancel: Cancel,
}

pub fn host(environment: &Environment) -> Result<Host, Problem> {
    Host::new(HostSettings {
        cache_folder: environment.cache_folder.clone(),
        runtime: Handle::current(),
    })
}

/// Whose connectors the folder's manifests trust; a folder without manifests trusts nobody and requires nothing.
pub fn signers(folder: &Path) -> Result<Signers, Stopped> {
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
    manifest::signers(&files).map_err(|problems| Stopped {
        problems,
        files,
        nothing_was_run: true,
    })
}

pub fn connectors(
    folder: &Path,
    environment: &Environment,
    cancel: &Cancel,
    signers: Signers,
) -> Result<Connectors, Stopped> {
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
        cancel: cancel.clone(),
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

/// The folder's manifests: every `*.toml` in it, by name.
fn read_files(folder: &Path) -> Result<Vec<(String, String)>, Stopped> {
    let unreadable = |what: &str, error: &std::io::Error| {
        Stopped::from(
            Problem::new(
                &codes::UNREADABLE,
                format!("{what} cannot be read: {error}"),
            )
            .hint("`onefold --hub DIR …` names the hub's folder; `onefold init` makes one"),
        )
    };
    let shown = format!("the hub's folder `{}`", folder.display());
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(&shown, &error))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(&shown, &error))?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let text = std::fs::read_to_string(&path)
                .map_err(|error| unreadable(&format!("`{name}`"), &error))?;
            files.push((name, text));
        }
    }
    if files.is_empty() {
        return Err(Stopped::from(
            Problem::new(&codes::NO_MANIFESTS, format!("{shown} holds no manifest"))
                .hint("a hub is a folder of `.toml` files; `onefold init` makes one"),
        ));
    }
    files.sort();
    Ok(files)
}

/// Reads and checks; every problem of every file at once.
pub fn load(folder: &Path, environment: &Environment) -> Result<Loaded, Stopped> {
    load_with(folder, environment, None)
}

/// The folder's manifests with a draft, whose audiences stand for those of the same names.
pub fn load_draft(
    folder: &Path,
    environment: &Environment,
    draft: &Path,
) -> Result<Loaded, Stopped> {
    load_with(folder, environment, Some(draft))
}

fn load_with(
    folder: &Path,
    environment: &Environment,
    draft: Option<&Path>,
) -> Result<Loaded, Stopped> {
    let mut files = read_files(folder)?;
    if let Some(path) = draft {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let message = format!("`{name}` cannot be read: {error}");
            Problem::new(&codes::UNREADABLE, message)
        })?;
        // A draft that lies in the hub's folder is read once.
        let inside = path.parent().and_then(|parent| parent.canonicalize().ok());
        if inside.is_some() && inside == folder.canonicalize().ok() {
            let of = path.file_name().unwrap_or_default().to_string_lossy();
            files.retain(|(name, _)| *name != of);
        }
        files.push((name, text));
    }
    let cancel = Cancel::default();
    // Keys that cannot be read are reported with the rest, and then nothing is run.
    let signers = manifest::signers(&files).ok();
    let may_run = signers.is_some();
    let connectors = connectors(folder, environment, &cancel, signers.unwrap_or_default())?;
    let mut known = manifest::Connectors {
        available: connectors.names().into_iter().collect(),
        ..Default::default()
    };
    let mut problems = Vec::new();
    let names = manifest::connector_names(&files).into_iter();
    for name in names.filter(|_| may_run) {
        match connectors.describe(&name) {
            Ok(description) => {
                known.described.insert(name, description);
            }
            // The manifest says it better, with a place.
            Err(problem) if problem.code == &codes::CONNECTOR_NOT_FOUND => {}
            Err(problem) => problems.push(problem),
        }
    }
    let checked = match draft {
        Some(_) => manifest::load_draft(&files, &known),
        None => manifest::load(&files, &known),
    };
    match checked {
        Ok(mut plan) if problems.is_empty() => {
            plan.hub.store = store_path(folder, &plan.hub.store);
            Ok(Loaded {
                files,
                plan,
                connectors,
                cancel,
            })
        }
        Ok(_) => Err(Stopped {
            problems,
            files,
            nothing_was_run: true,
        }),
        Err(found) => {
            problems.extend(found);
            Err(Stopped {
                problems,
                files,
                nothing_was_run: true,
            })
        }
    }
}

/// A relative path starts at the hub's folder.
fn store_path(folder: &Path, store: &str) -> String {
    match store.strip_prefix("sqlite:") {
        Some(path) if !path.starts_with(':') && Path::new(path).is_relative() => {
            format!("sqlite:{}", folder.join(path).display())
        }
        _ => store.to_owned(),
    }
}

pub async fn open(folder: &Path, environment: &Environment, out: &Out) -> Result<Opened, Stopped> {
    opened(load(folder, environment)?, environment, out).await
}

async fn opened(loaded: Loaded, environment: &Environment, out: &Out) -> Result<Opened, Stopped> {
    if !out.json {
        out.problems(&loaded.plan.warnings, &loaded.files);
    }
    let store = Store::open(&loaded.plan.hub.store).await?;
    let store = match &environment.gate {
        Some(gate) => store.gated(gate.clone()),
        None => store,
    };
    let random = environment.random.clone();
    let suppression =
        Suppression::load(&store, move || Uuid::from_u64_pair(random(), random())).await?;
    let mut context = Context::new(
        Arc::new(loaded.plan),
        store,
        environment.clock.clone(),
        suppression,
    );
    context.cancel = loaded.cancel.clone();
    context.process = environment.process.clone();
    models::adopt(&mut context).await?;
    if let Some(warning) = rules::adopt(&mut context).await?
        && !out.json
    {
        out.problems(&[warning], &loaded.files);
    }
    Ok(Opened {
        context,
        connectors: loaded.connectors,
        cancel: loaded.cancel,
    })
}

/// The same for a command that writes: the hub is worked on by these manifests from now on, and by the rules of now; a change of
/// them is waited for.
pub async fn open_to_write(
    folder: &Path,
    environment: &Environment,
    out: &Out,
) -> Result<Opened, Stopped> {
    let mut hub = open(folder, environment, out).await?;
    hub.ready().await?;
    Ok(hub)
}

impl Opened {
    /// For a command that writes.
    pub async fn ready(&mut self) -> Result<(), Problem> {
        flow::enter(&mut self.context).await
    }
}

/// What the store holds that these manifests no longer have; nothing where there is no store yet.
async fn left_over(plan: &Plan) -> Result<Vec<Problem>, Problem> {
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

/// `onefold check`
pub async fn check(folder: &Path, environment: &Environment, out: &Out) -> Outcome {
    let loaded = load(folder, environment)?;
    let plan = &loaded.plan;
    let mut warnings = plan.warnings.clone();
    warnings.extend(left_over(plan).await?);
    out.problems(&warnings, &loaded.files);
    if out.json {
        return Ok(Ending::Done);
    }
    let streams: usize = plan.sources.iter().map(|source| source.streams.len()).sum();
    out.line(format!(
        "{}: {} sources with {streams} streams, {} audiences, {} destinations; no problem found",
        plan.hub.name,
        plan.sources.len(),
        plan.audiences.len(),
        plan.destinations.len()
    ));
    Ok(Ending::Done)
}
