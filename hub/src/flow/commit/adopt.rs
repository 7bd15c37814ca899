//! Applying a version of the manifests: in one transaction it becomes the one in force, and processes that work by another one
//! store and send nothing from then on (I13). What follows from it is done afterwards, and goes on where it was stopped.

use crate::flow::commit::fence::{self, APPLYING, Manifests, VERSION};
use crate::flow::context::Context;
use crate::flow::stored_json::{read, to_json};
use crate::manifest::version::{Change, in_a_line};
use crate::manifest::{Difference, Namespaces, Plan, Rename, Renamed, Version};
use crate::problem::Problem;
use crate::problem::codes::{BAD_RENAME, MANIFESTS_CHANGED, NOT_APPLIED, PLAN_STALE};
use crate::store::{ManifestRow, Result, Tx};

/// By what right a version is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leave {
    /// None but what the version in force lets happen by itself.
    Automatic,
    /// An operator's, who saw the plan.
    Planned(Approval),
}

/// What an operator saw and said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Approval {
    /// The version that was in force then, 0 where there was none; any, for a copy of the store.
    pub over: Option<i64>,
}

/// Which version is in force, with its content.
pub async fn in_force(tx: &mut Tx) -> Result<Option<(ManifestRow, Version)>> {
    let Some(row) = tx.manifest_version().await? else {
        return Ok(None);
    };
    let version = stored(tx, &row).await?;
    Ok(Some((row, version)))
}

/// The content of a version.
pub async fn stored(tx: &mut Tx, row: &ManifestRow) -> Result<Version> {
    let content = tx.manifest_content(row.id).await?;
    let version: Version = read("manifest_version.content", row.id, &content)?;
    Ok(Version {
        hash: row.hash.clone(),
        ..version
    })
}

/// What keeps a version from being applied without a plan.
pub fn held_back(before: &Version, differences: &[Difference]) -> Option<Problem> {
    let words = before.automatic()?;
    let held: Vec<Difference> = differences
        .iter()
        .filter(|one| !one.is_automatic(&words))
        .cloned()
        .collect();
    if held.is_empty() {
        return None;
    }
    let message = format!(
        "the manifests are not the ones that were applied ({}), and `[apply]` lets not all of it happen by itself: {}",
        before.short(),
        in_a_line(&held)
    );
    Some(Problem::new(&NOT_APPLIED, message).hint(
        "`onefold plan` says what that would do, and `onefold apply` does it by the plan's hash; or put the manifests back",
    ))
}

/// The new names that take effect when these manifests come in force after `before`.
fn renames<'p>(plan: &'p Plan, differences: &[Difference]) -> Vec<&'p Rename> {
    let is_new = |rename: &&Rename| {
        let name = match &rename.source {
            Some(source) => format!("{source}/{}", rename.to),
            None => rename.to.clone(),
        };
        let mut renamed = differences.iter();
        renamed.any(|one| {
            one.change == Change::Renamed && one.what == rename.what.as_str() && one.name == name
        })
    };
    plan.renames.iter().filter(is_new).collect()
}

/// By which names the hub knows the sources of these manifests, once they are in force.
pub async fn namespaces(tx: &mut Tx, plan: &Plan) -> Result<Namespaces> {
    let known = Namespaces(tx.namespaces().await?.into_iter().collect());
    let before = in_force(tx).await?;
    let differences = before.map(|(_, before)| before.differences(&plan.version));
    let renames = renames(plan, &differences.unwrap_or_default());
    let sources = plan.sources.iter().map(|source| &*source.name);
    Ok(known.after(renames.into_iter(), sources))
}

/// Refuses names that lead nowhere: what the hub holds would stay under another one, and be read or sent once more.
fn refuse_lost(
    plan: &Plan,
    before: &Version,
    known: &Namespaces,
    differences: &[Difference],
) -> Result<()> {
    let is = |change: Change, what: &str, name: &str| {
        let mut found = differences.iter();
        found.any(|one| one.change == change && one.what == what && one.name == name)
    };
    for Rename {
        what,
        source,
        from,
        to,
    } in &plan.renames
    {
        let what = what.as_str();
        let name = source.as_ref().map(|source| format!("{source}/{to}"));
        if is(Change::Added, what, name.as_ref().unwrap_or(to)) {
            let message = format!(
                "the {what} `{to}` says that it was `{from}`, and the manifests that are in force have no {what} of that name"
            );
            return Err(Problem::new(&BAD_RENAME, message).hint(
                "name the one that is in force (`onefold versions` shows each change); if it is a new one, take `was` out",
            ));
        }
    }
    let sources = known.0.iter();
    let sources =
        sources.map(|(source, first)| ("source".to_owned(), source.clone(), first.clone()));
    for (what, name, was) in before.former_names().into_iter().chain(sources) {
        if is(Change::Removed, &what, &name) && is(Change::Added, &what, &was) {
            let message = format!(
                "the {what} `{name}` was called `{was}` before, and `{was}` would now be a new one: what the hub holds would stay under `{name}`, and come once more"
            );
            return Err(Problem::new(&BAD_RENAME, message).hint(format!(
                "to give it its name back, write `was = \"{name}\"` at `{was}` in the folder's manifests; a version of before the new name cannot say that"
            )));
        }
    }
    Ok(())
}

/// Gives what was renamed its new name wherever the store shows it.
async fn rename(tx: &mut Tx, context: &Context, differences: &[Difference]) -> Result<()> {
    let plan = &context.plan;
    for rename in renames(plan, differences) {
        let (from, to) = (&*rename.from, &*rename.to);
        let rows = tx.stream_generations().await?;
        let source = rename.source.as_deref();
        let is_taken = match rename.what {
            Renamed::Source => {
                rows.iter().any(|row| row.source == to) || tx.was_sent_to(to).await?
            }
            Renamed::Stream => rows
                .iter()
                .any(|row| Some(&*row.source) == source && row.name == to),
            Renamed::Destination => {
                let counts = tx.destination_counts(to).await?;
                counts.holds + counts.waits + counts.refused > 0
            }
            Renamed::Trait => false,
        };
        if is_taken {
            let what = rename.what.as_str();
            let message = format!(
                "the {what} `{from}` cannot be called `{to}`: the hub still holds what a {what} of that name left"
            );
            return Err(Problem::new(&BAD_RENAME, message).hint(
                "give it another name, or remove what is left: of a source with `onefold source remove`, of a destination by a run",
            ));
        }
        match (rename.what, source) {
            (Renamed::Source, _) => tx.rename_source(from, to).await?,
            (Renamed::Stream, Some(source)) => tx.rename_stream(source, from, to).await?,
            (Renamed::Stream, None) => {}
            (Renamed::Trait, _) => tx.rename_trait(from, to).await?,
            (Renamed::Destination, _) => tx.rename_destination(from, to).await?,
        }
    }
    let namespaces = plan.namespaces.0.iter();
    let namespaces = namespaces.map(|(source, name)| (&**source, &**name));
    tx.set_namespaces(namespaces).await
}

/// Makes these manifests the ones in force. A process does so once, before it first writes.
///
/// `is_current` tells whether the folder is still as it was read. It is asked while nobody else can adopt: manifests that were
/// edited since never replace the edited ones.
pub async fn adopt_manifests(
    context: &mut Context,
    is_current: &(dyn Fn() -> bool + Sync),
    leave: &Leave,
) -> Result<()> {
    if *leave == Leave::Automatic {
        let mut tx = context.store.read().await?;
        if is_in_force(&mut tx, context).await? {
            context.manifests_version = fence::manifests(&mut tx).await?.version;
            return Ok(());
        }
    }
    let mut tx = context.store.begin().await?;
    let known = fence::manifests(&mut tx).await?;
    let before = in_force(&mut tx).await?;
    let version = &context.plan.version;
    let is_same = before
        .as_ref()
        .is_some_and(|(row, _)| row.hash == version.hash);
    let id = before.as_ref().map_or(0, |(row, _)| row.id);
    if let Leave::Planned(approval) = leave
        && approval.over.is_some_and(|over| over != id)
    {
        let message = "other manifests were applied since that plan was made";
        return Err(Problem::new(&PLAN_STALE, message).hint("make a new one with `onefold plan`"));
    }
    if known.digest != context.plan.digest && !is_current() {
        return Err(edited());
    }
    if !is_same {
        record(&mut tx, context, before.as_ref().map(|(_, one)| one), leave).await?;
    }
    if let Leave::Planned(_) = leave {
        begin_rules(&mut tx, context).await?;
    }
    let mut number = known.version;
    if known.digest != context.plan.digest {
        number += 1;
        let new = Manifests {
            version: number,
            digest: context.plan.digest.clone(),
        };
        fence::set_manifests(&mut tx, &new).await?;
    }
    tx.commit().await?;
    context.manifests_version = number;
    Ok(())
}

/// Keeps the version as the one in force, under the names that it gives.
async fn record(
    tx: &mut Tx,
    context: &Context,
    before: Option<&Version>,
    leave: &Leave,
) -> Result<()> {
    let version = &context.plan.version;
    let differences = before.map(|before| before.differences(version));
    if let (Leave::Automatic, Some(before), Some(found)) = (leave, before, &differences)
        && let Some(problem) = held_back(before, found)
    {
        return Err(problem);
    }
    if let (Some(before), Some(found)) = (before, &differences) {
        let known = Namespaces(tx.namespaces().await?.into_iter().collect());
        refuse_lost(&context.plan, before, &known, found)?;
    }
    // Other manifests came in force since these were read.
    if namespaces(tx, &context.plan).await? != context.plan.namespaces {
        return Err(edited());
    }
    let changes = match &differences {
        None => "the first version".to_owned(),
        Some(found) if found.is_empty() => "only how it is written".to_owned(),
        Some(found) => in_a_line(found),
    };
    let row = ManifestRow {
        id: tx.reserve("manifest_version", 1).await?,
        hash: version.hash.clone(),
        applied_at: context.clock.now().0,
        changes,
    };
    rename(tx, context, &differences.unwrap_or_default()).await?;
    tx.add_manifest_version(&row, &to_json(version)).await
}

fn edited() -> Problem {
    let message = "the manifests were edited while they were being read";
    Problem::new(&MANIFESTS_CHANGED, message)
        .hint("run it again: it reads the manifests as they are now")
}

async fn is_in_force(tx: &mut Tx, context: &Context) -> Result<bool> {
    let digest = fence::manifests_digest(tx).await?;
    let row = tx.manifest_version().await?;
    let is_recorded = row.is_some_and(|row| row.hash == context.plan.version.hash);
    Ok(is_recorded && digest == context.plan.digest)
}

/// The identity rules of the manifests are put in force along with them: begun here, and finished by the next process that writes.
async fn begin_rules(tx: &mut Tx, context: &Context) -> Result<()> {
    if context.identity == context.plan.identity || tx.hub_value(APPLYING).await?.is_some() {
        return Ok(());
    }
    let version = fence::version(tx).await? + 1;
    tx.set_hub_value(APPLYING, &to_json(&context.plan.identity))
        .await?;
    tx.set_hub_value(VERSION, &version.to_string()).await
}
