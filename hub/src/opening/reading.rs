//! Reads a folder's manifests, asks the connectors that they name what they are, and checks all of it.

use super::{Environment, Loaded, Stopped, connectors, guarding};
use crate::flow::connect::Connectors;
use crate::manifest;
use crate::problem::{Problem, codes};
use std::collections::BTreeMap;
use std::path::Path;

/// The folder's manifests: every `*.toml` in it, by name.
pub(super) fn read_files(folder: &Path) -> Result<Vec<(String, String)>, Stopped> {
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

/// The folder's manifests with a draft, whose audiences replace the ones with the same names.
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
        // A draft in the hub's folder is read once.
        let inside = path.parent().and_then(|parent| parent.canonicalize().ok());
        if inside.is_some() && inside == folder.canonicalize().ok() {
            let of = path.file_name().unwrap_or_default().to_string_lossy();
            files.retain(|(name, _)| *name != of);
        }
        files.push((name, text));
    }
    check(folder, environment, files, draft.is_some())
}

/// Texts as the manifests of a folder: what they name, connectors and the store, is that of the folder.
pub(super) fn load_texts(
    folder: &Path,
    environment: &Environment,
    files: Vec<(String, String)>,
) -> Result<Loaded, Stopped> {
    check(folder, environment, files, false)
}

fn check(
    folder: &Path,
    environment: &Environment,
    files: Vec<(String, String)>,
    last_is_draft: bool,
) -> Result<Loaded, Stopped> {
    let mut warnings = guarding::folders(folder, &environment.connector_folders, environment)?;
    // Keys that cannot be read are reported with the rest, and then nothing is run.
    let signers = manifest::signers(&files).ok();
    let may_run = signers.is_some();
    let connectors = connectors(folder, environment, signers.unwrap_or_default())?;
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
            // The manifest check reports it, with a place.
            Err(problem) if problem.code == &codes::CONNECTOR_NOT_FOUND => {}
            Err(problem) => problems.push(problem),
        }
    }
    let checked = match last_is_draft {
        true => manifest::load_draft(&files, &known),
        false => manifest::load(&files, &known),
    };
    match checked {
        Ok(mut plan) if problems.is_empty() => {
            plan.read_from(&components(&connectors, &known)?);
            plan.hub.store = store_path(folder, &plan.hub.store);
            warnings.extend(guarding::store(folder, &plan.hub.store, environment)?);
            plan.warnings.extend(warnings);
            if let Some(bytes) = plan.memory {
                connectors.share(bytes);
            }
            Ok(Loaded {
                files,
                plan,
                connectors,
            })
        }
        Ok(_) => Err(Stopped::in_files(problems, files)),
        Err(found) => {
            problems.extend(found);
            Err(Stopped::in_files(problems, files))
        }
    }
}

/// The hash of the component of each connector that is used. Another build of one is another version of the manifests.
fn components(
    connectors: &Connectors,
    known: &manifest::Connectors,
) -> Result<BTreeMap<String, String>, Problem> {
    let mut found = BTreeMap::new();
    for name in known.described.keys() {
        if let Some(hash) = connectors.hash(name)? {
            found.insert(name.clone(), hash);
        }
    }
    Ok(found)
}

/// A relative path starts at the hub's folder.
pub(super) fn store_path(folder: &Path, store: &str) -> String {
    match store.strip_prefix("sqlite:") {
        Some(path) if !path.starts_with(':') && Path::new(path).is_relative() => {
            format!("sqlite:{}", folder.join(path).display())
        }
        _ => store.to_owned(),
    }
}
