//! The versions of a hub's manifests that were applied: which there are, working by one of them, and going back to one.

use super::reading::{load_texts, read_files, store_path};
use super::{Environment, Look, Opened, Stopped, open, opened, unknown};
use crate::flow::{self, Context, Leave};
use crate::kit::lock::write_whole;
use crate::manifest::version::{Version, in_a_line, short};
use crate::model::Shown;
use crate::problem::Problem;
use crate::problem::codes::{
    EDITS_WOULD_BE_LOST, MANIFESTS_CHANGED, NOT_APPLIED, NOT_FOUND, UNREADABLE,
};
use crate::store::{ManifestRow, Result, Store, Tx};
use serde::Serialize;
use std::path::Path;

/// A version that was applied.
#[derive(Debug, Serialize)]
pub struct Known {
    pub version: String,
    pub applied_at: Shown,
    pub changes: String,
    pub is_in_force: bool,
}

/// Edits that wait until they are applied.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Pending {
    /// The version that the hub works by.
    pub applied: String,
    pub version: String,
    pub changes: String,
}

impl Opened {
    /// What of the folder is not applied, and does not take effect by itself.
    pub async fn pending(&self) -> Result<Option<Pending>> {
        let mut tx = self.context.store.read().await?;
        let Some((row, before)) = flow::in_force(&mut tx).await? else {
            return Ok(None);
        };
        let version = &self.context.plan.version;
        let found = before.differences(version);
        Ok(flow::held_back(&before, &found).map(|_| Pending {
            applied: short(&row.hash).to_owned(),
            version: version.short().to_owned(),
            changes: in_a_line(&found),
        }))
    }
}

/// Every version that was applied to a folder's hub, the newest first, whatever else is in its files now.
pub async fn versions(folder: &Path) -> std::result::Result<Vec<Known>, Stopped> {
    let store = Store::open(&store_of(folder, &read_files(folder)?)?).await?;
    let rows = store.read().await?.manifest_versions().await;
    store.close().await;
    let known = rows?
        .into_iter()
        .rev()
        .enumerate()
        .map(|(index, row)| Known {
            version: short(&row.hash).to_owned(),
            applied_at: Shown::of(row.applied_at),
            changes: row.changes,
            is_in_force: index == 0,
        });
    Ok(known.collect())
}

/// The hub by its folder's manifests, or by those of an earlier version.
pub async fn open_at(
    folder: &Path,
    environment: &Environment,
    version: Option<&str>,
) -> std::result::Result<Opened, Stopped> {
    let Some(typed) = version else {
        return open(folder, environment).await;
    };
    let files = read_files(folder)?;
    let url = store_of(folder, &files)?;
    let store = Store::open(&url).await?;
    let found = find(&mut store.read().await?, typed).await;
    store.close().await;
    let loaded = load_texts(folder, environment, found?.files)?;
    opened(folder, Look::at(folder, environment), loaded, environment).await
}

/// The hub by the version in force, whatever its folder holds, for a folder whose edits wait until they are applied; none where they
/// do not wait.
pub async fn open_in_force(
    folder: &Path,
    environment: &Environment,
) -> std::result::Result<Option<Opened>, Stopped> {
    let look = Look::at(folder, environment);
    let Ok(url) = store_of(folder, &look.files) else {
        return Ok(None);
    };
    match in_force_at(&url).await? {
        Some(version) if version.automatic().is_some() => {
            let hub = by_version(folder, environment, look, &version).await?;
            Ok(Some(hub))
        }
        _ => Ok(None),
    }
}

async fn in_force_at(url: &str) -> Result<Option<Version>> {
    let store = Store::open(url).await?;
    let found = flow::in_force(&mut store.read().await?).await;
    store.close().await;
    Ok(found?.map(|(_, version)| version))
}

/// The hub by a version that is in force. Refused where a connector is not the one that was applied.
async fn by_version(
    folder: &Path,
    environment: &Environment,
    look: Look,
    version: &Version,
) -> std::result::Result<Opened, Stopped> {
    let loaded = load_texts(folder, environment, version.files.clone())?;
    let found = &loaded.plan.version;
    if let Some(name) = version.is_built_otherwise(found) {
        let message = format!("the connector `{name}` is not the build that was applied");
        return Err(Problem::new(&NOT_APPLIED, message)
            .hint("`onefold plan` says what it would change and `onefold apply` applies it, or put the other build back")
            .into());
    }
    let mut hub = opened(folder, look, loaded, environment).await?;
    let entered: std::result::Result<(), Stopped> = async {
        hub.refuse_without_secrets(None, true)?;
        Ok(flow::enter(&mut hub.context, &|| true, &Leave::Automatic).await?)
    }
    .await;
    if entered.is_err() {
        hub.context.store.close().await;
    }
    entered.map(|()| hub)
}

/// What a service knows of its folder while it works by one version after another.
#[derive(Default)]
pub struct Watched {
    /// What was judged last.
    pub judged: Look,
    /// What is to be worked by next, when the folder was edited.
    pub edited: Option<Look>,
    /// The hash of the version by which it worked last.
    pub served: String,
    /// The store's address.
    pub url: String,
}

impl Watched {
    /// A hub by its folder's manifests has judged them.
    pub fn at(&mut self, hub: &Opened) {
        let plan = &hub.context.plan;
        self.url.clone_from(&plan.hub.store);
        self.served.clone_from(&plan.version.hash);
        if hub.files == hub.look.files {
            self.judged = hub.look.clone();
        }
    }
}

/// The hub again for a service: by what its folder was when it was looked at, or else by the version in force, which another process
/// may have applied. Where the folder is the one that the service knows, and another process applied something else, that process has
/// manifests of its own, and adopting this folder's would undo its work.
pub async fn reopen(
    folder: &Path,
    environment: &Environment,
    watched: &mut Watched,
) -> std::result::Result<Opened, Stopped> {
    if let Some(look) = watched.edited.take() {
        let loaded = load_texts(folder, environment, look.files.clone())?;
        let hub = opened(folder, look, loaded, environment).await?;
        return ready(hub).await;
    }
    let look = Look::at(folder, environment);
    let follows = |version: &Version| version.automatic().is_none();
    let version = in_force_at(&watched.url).await?;
    let is_there = |version: &Version| follows(version) && version.files == look.files;
    let Some(version) = version.filter(|version| !is_there(version)) else {
        return ready(open(folder, environment).await?).await;
    };
    if look == watched.judged && follows(&version) && version.hash != watched.served {
        let message =
            "another process uses this hub's store with other manifests than this folder's";
        return Err(Problem::new(&MANIFESTS_CHANGED, message)
            .hint("give each folder of manifests a store of its own, or restart `serve` to use this folder's")
            .into());
    }
    by_version(folder, environment, look, &version).await
}

async fn ready(mut hub: Opened) -> std::result::Result<Opened, Stopped> {
    let entered: std::result::Result<(), Stopped> = async {
        hub.refuse_without_secrets(None, true)?;
        Ok(hub.ready().await?)
    }
    .await;
    if entered.is_err() {
        hub.context.store.close().await;
    }
    entered.map(|()| hub)
}

/// Where the hub of a folder is stored, whatever else is in its files.
fn store_of(folder: &Path, files: &[(String, String)]) -> Result<String> {
    let store = Version::store(files).map(|store| store_path(folder, &store));
    let path = store.as_deref().and_then(|url| url.strip_prefix("sqlite:"));
    match (path, &store) {
        (Some(path), Some(url)) if Path::new(path).is_file() => Ok(url.clone()),
        _ => Err(
            Problem::new(&NOT_FOUND, "no version of these manifests was applied yet")
                .hint("`onefold run` applies the first one"),
        ),
    }
}

/// The version whose hash begins as it was typed.
async fn find(tx: &mut Tx, typed: &str) -> Result<Version> {
    let mut rows = tx.manifest_versions().await?;
    rows.reverse();
    let is_it = |row: &&ManifestRow| typed.len() >= 4 && row.hash.starts_with(typed);
    let Some(row) = rows.iter().find(is_it) else {
        return Err(unknown(
            "version",
            typed,
            rows.iter().map(|row| short(&row.hash)),
        ));
    };
    if let Some(other) = rows.iter().filter(is_it).find(|one| one.hash != row.hash) {
        let (one, other) = (&row.hash, &other.hash);
        let message = format!("`{typed}` could be version {one} or {other}");
        return Err(Problem::new(&NOT_FOUND, message).hint("type more of it"));
    }
    flow::stored_version(tx, row).await
}

/// Refuses where the folder holds what is in no version: going back to one would overwrite it.
pub async fn refuse_to_lose(folder: &Path, context: &Context) -> std::result::Result<(), Stopped> {
    let files = read_files(folder)?;
    let mut tx = context.store.read().await?;
    for row in tx.manifest_versions().await?.iter().rev() {
        if flow::stored_version(&mut tx, row).await?.files == files {
            return Ok(());
        }
    }
    let message = "the folder holds edits that were never applied, and going back to an earlier version would overwrite them";
    Err(Problem::new(&EDITS_WOULD_BE_LOST, message)
        .hint("copy them somewhere else and put the applied files back, or apply them first")
        .into())
}

/// Writes a version's files into the folder, and removes other manifests.
pub fn put_back(folder: &Path, files: &[(String, String)]) -> Result<()> {
    let failed = |name: &str, error: &std::io::Error| {
        let message = format!("the version is in force, and `{name}` cannot be written: {error}");
        Problem::new(&UNREADABLE, message)
            .hint("put the version's files into the folder by hand: `onefold versions` names it")
    };
    let there = read_files(folder).map_err(first_of)?;
    for (name, text) in files {
        write_whole(&folder.join(name), text.as_bytes())?;
    }
    let gone = there
        .iter()
        .filter(|(name, _)| !files.iter().any(|(one, _)| one == name));
    for (name, _) in gone {
        std::fs::remove_file(folder.join(name)).map_err(|error| failed(name, &error))?;
    }
    Ok(())
}

fn first_of(stopped: Stopped) -> Problem {
    let first = stopped.problems.into_iter().next();
    first.unwrap_or_else(|| Problem::new(&UNREADABLE, "the folder cannot be read"))
}
