//! The rules of identity over the whole history: which ones are in force, what others would change, and changing them.
//!
//! A hub's people are resolved by the rules that were applied, whatever the manifest says by now. Applying others goes
//! through the history block by block; if that is interrupted, the next process that writes finishes it, and each block that
//! was done stays done, because doing it again changes nothing.

mod blocks;
mod difference;

use crate::flow::commit::fence::{APPLYING, VERSION, version};
pub use difference::{Difference, Example};

use crate::flow::commit::neighbourhood::{Neighbourhood, Reshaped};
use crate::flow::commit::settle::{self, Settling};
use crate::flow::commit::suppressed::with_listed;
use crate::flow::commit::touched::{Ripple, Touched};
use crate::flow::context::Context;
use crate::flow::lease::{self, Lease};
use crate::flow::stored_json::{read, to_json};
use crate::flow::upkeep::announce::announce;
use crate::identity::Rules;
use crate::manifest::IdentityRules;
use crate::problem::codes::{CANCELLED, RULES_NOT_APPLIED};
use crate::problem::{Problem, Severity};
use crate::store::{Result, Tx};
use blocks::Blocks;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

/// The hub's value of the rules in force.
const APPLIED: &str = "identity_rules";

/// Pieces of evidence that one transaction works on.
const BATCH: usize = 5_000;

/// Called with how many batches are done, and of how many.
pub type Tell<'t> = &'t (dyn Fn(usize, usize) + Sync);

/// Takes the rules that were applied to the hub; changes nothing. Returns a warning when the manifest has different ones, or when
/// a change is under way or was interrupted.
pub async fn adopt(context: &mut Context) -> Result<Option<Problem>> {
    if take(context).await?.is_some() {
        let message = "the identity rules are being changed, or a change was interrupted: some people follow the old rules, others the new ones";
        let hint = "the process that changes them finishes it, or else the next `onefold run`";
        return Ok(Some(warning(message, hint)));
    }
    if context.identity != context.plan.identity {
        let message = "the `[identity]` rules of the manifest are not those by which this hub's people were resolved";
        let hint = "`onefold identity simulate` shows what they would change, `onefold identity apply` does it";
        return Ok(Some(warning(message, hint)));
    }
    Ok(None)
}

/// Takes the rules that were applied, and returns the ones that are being applied, if any; both are read in one transaction.
async fn take(context: &mut Context) -> Result<Option<IdentityRules>> {
    let mut tx = context.store.read().await?;
    let applying = rules_of(tx.hub_value(APPLYING).await?)?;
    let applied = rules_of(tx.hub_value(APPLIED).await?)?;
    let version = version(&mut tx).await?;
    drop(tx);
    let rules = applied.unwrap_or_else(|| context.plan.identity.clone());
    context.take_rules(rules, version);
    Ok(applying)
}

fn warning(message: &str, hint: &str) -> Problem {
    let mut problem = Problem::new(&RULES_NOT_APPLIED, message).hint(hint);
    problem.severity = Severity::Warning;
    problem
}

/// Takes the rules that were applied to the hub, for work that writes: a change that another process is doing is waited for,
/// one that was interrupted is finished.
pub async fn ready(context: &mut Context) -> Result<()> {
    while take(context).await?.is_some() {
        let lease = turn(context).await?;
        let work = async {
            // The process that held the lease may have finished it.
            if let Some(rules) = take(context).await? {
                tracing::info!("a change of the identity rules was begun; it is being finished");
                change(&mut lease.fencing(context), &rules, &|_, _| {}).await?;
            }
            Ok(())
        };
        let done = work.await;
        lease.over(done).await?;
    }
    Ok(())
}

/// The lease of changing rules.
async fn turn(context: &Context) -> Result<Lease> {
    let waiting =
        || tracing::warn!("another process is changing the identity rules; waiting for it");
    let lease = lease::wait(context, "identity rules", waiting).await?;
    lease.ok_or_else(lease::cancelled)
}

/// Stores the manifest's rules as the ones in force, if none are yet.
pub async fn keep_first(context: &Context) -> Result<()> {
    let known = context.store.read().await?.hub_value(APPLIED).await?;
    if known.is_some() {
        return Ok(());
    }
    let mut tx = context.begin().await?;
    if tx.hub_value(APPLIED).await?.is_none() {
        let text = to_json(&context.identity);
        tx.set_hub_value(APPLIED, &text).await?;
        tx.commit().await?;
    }
    Ok(())
}

fn rules_of(text: Option<String>) -> Result<Option<IdentityRules>> {
    text.map(|text| read("hub.value", APPLIED, &text))
        .transpose()
}

/// What other rules would change, from the whole history; changes nothing.
pub async fn simulate(
    context: &Context,
    rules: &IdentityRules,
    tell: Tell<'_>,
) -> Result<Difference> {
    let new = Arc::new(Rules::new(rules, &context.plan.hub.name));
    let mut tx = context.store.read().await?;
    let blocks = Blocks::load(&mut tx, &context.rules, &new).await?;
    let batches = blocks.batches(BATCH);
    let mut difference = Difference::new(tx.status_counts().await?.people, blocks.evidence());
    for (index, batch) in batches.iter().enumerate() {
        tell(index, batches.len());
        let block = Block::resolve(&mut tx, &blocks, batch, &new).await?;
        difference.add(&mut tx, &block).await?;
    }
    Ok(difference)
}

/// Puts other rules in force, for the whole history.
pub async fn apply(
    context: &mut Context,
    rules: &IdentityRules,
    tell: Tell<'_>,
) -> Result<Difference> {
    let lease = turn(context).await?;
    let changed = async {
        adopt(context).await?;
        change(&mut lease.fencing(context), rules, tell).await
    };
    let changed = changed.await;
    let difference = lease.over(changed).await?;
    adopt(context).await?;
    Ok(difference)
}

async fn change(
    context: &mut Context,
    rules: &IdentityRules,
    tell: Tell<'_>,
) -> Result<Difference> {
    announce(context).await?;
    let mut tx = context.begin().await?;
    // A process with the old rules gets an error when it next writes.
    let version = version(&mut tx).await? + 1;
    tx.set_hub_value(APPLYING, &to_json(rules)).await?;
    tx.set_hub_value(VERSION, &version.to_string()).await?;
    tx.commit().await?;
    let mut tx = context.store.read().await?;
    let new = Arc::new(Rules::new(rules, &context.plan.hub.name));
    let blocks = Blocks::load(&mut tx, &context.rules, &new).await?;
    let mut difference = Difference::new(tx.status_counts().await?.people, blocks.evidence());
    drop(tx);
    context.take_rules(rules.clone(), version);
    let batches = blocks.batches(BATCH);
    for (index, batch) in batches.iter().enumerate() {
        if context.cancel.is_cancelled() {
            let message = "the change of the identity rules was stopped half-way";
            return Err(
                Problem::new(&CANCELLED, message).hint("the next command that writes finishes it")
            );
        }
        tell(index, batches.len());
        let mut tx = context.begin().await?;
        let block = Block::resolve(&mut tx, &blocks, batch, &new).await?;
        difference.add(&mut tx, &block).await?;
        let Block {
            neighbourhood,
            reshaped,
            ..
        } = block;
        // I13: an identifier on the suppression list may be live under some rules and not under others.
        // What was said about an address counts by whether the identifier is live, too.
        let spoken = neighbourhood.spoken_of();
        let mut evidence = with_listed(&mut tx, context, &neighbourhood.nodes()).await?;
        evidence.extend(&spoken);
        let touched = Touched {
            evidence,
            claimed: spoken.into_iter().collect(),
        };
        let mut ripple = Ripple::default();
        let settling = Settling::new(neighbourhood, reshaped, touched);
        settle::settle(&mut tx, context, settling, &mut ripple).await?;
        ripple.carry(&mut tx, context).await?;
        tx.commit().await?;
    }
    let mut tx = context.begin().await?;
    tx.set_hub_value(APPLIED, &to_json(rules)).await?;
    tx.remove_hub_value(APPLYING).await?;
    // A process that took the old rules meanwhile gets an error, too.
    tx.set_hub_value(VERSION, &(version + 1).to_string())
        .await?;
    tx.commit().await?;
    Ok(difference)
}

/// Some blocks, divided into people by new rules.
pub struct Block {
    neighbourhood: Neighbourhood,
    /// Without the people who stay as they are.
    reshaped: Reshaped,
    /// The person of each piece of evidence before and after.
    persons: Vec<(Option<i64>, Option<i64>)>,
    /// The ids of people who are new.
    uuids: FxHashMap<i64, [u8; 16]>,
}

impl Block {
    async fn resolve(
        tx: &mut Tx,
        blocks: &Blocks,
        components: &[i64],
        rules: &Arc<Rules>,
    ) -> Result<Self> {
        let mut neighbourhood = Neighbourhood::new(0, rules.clone());
        neighbourhood
            .load_components(tx, components.iter().copied())
            .await?;
        neighbourhood.decide_shared(|slots| blocks.shared(slots));
        let before = neighbourhood.persons();
        neighbourhood.mark_all_stale();
        let mut reshaped = neighbourhood.resolve();
        let after = neighbourhood.persons();
        let persons: Vec<(Option<i64>, Option<i64>)> = before
            .iter()
            .zip(&after)
            .map(|((_, before), (_, after))| (*before, *after))
            .collect();
        let changed: FxHashSet<i64> = persons
            .iter()
            .filter(|(before, after)| before != after)
            .flat_map(|(before, after)| [*before, *after])
            .flatten()
            .collect();
        reshaped
            .people
            .retain(|person| changed.contains(&person.id));
        let uuids = reshaped
            .people
            .iter()
            .map(|person| (person.id, person.uuid))
            .collect();
        Ok(Self {
            neighbourhood,
            reshaped,
            persons,
            uuids,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::context::Process;
    use crate::flow::harness::World;

    // B11
    #[tokio::test(flavor = "multi_thread")]
    async fn only_who_writes_takes_over_a_change_and_only_one_that_was_interrupted() {
        let manifest = "[hub]\nname = \"rules\"\nstore = \"sqlite:rules.db\"\n";
        let world = World::new(manifest, &[], 1_700_000_000_000).await;
        let rules = IdentityRules {
            shared_above: 7,
            ..IdentityRules::default()
        };
        // Another process is changing them.
        let mut other = world.context.clone();
        other.process = Process::named("other");
        let lease = turn(&other).await.unwrap();
        let mut tx = world.context.store.begin().await.unwrap();
        tx.set_hub_value(APPLYING, &to_json(&rules)).await.unwrap();
        tx.set_hub_value(VERSION, "1").await.unwrap();
        tx.commit().await.unwrap();
        let mut reading = world.context.clone();
        let warning = adopt(&mut reading).await.unwrap().unwrap();
        assert_eq!(warning.code, &RULES_NOT_APPLIED);
        let applying = async || {
            let mut tx = world.context.store.read().await.unwrap();
            tx.hub_value(APPLYING).await.unwrap()
        };
        assert!(applying().await.is_some(), "a reader changes nothing");
        let mut writing = world.context.clone();
        let soon = std::time::Duration::from_millis(600);
        let waited = tokio::time::timeout(soon, ready(&mut writing)).await;
        assert!(waited.is_err(), "a writer waits for it");
        assert!(applying().await.is_some());
        // It was killed: its lease is over when its process has ended.
        drop(lease);
        writing.process.has_ended = Arc::new(|id| id == "other");
        ready(&mut writing).await.unwrap();
        assert_eq!(applying().await, None);
        assert_eq!(writing.identity, rules);
    }
}
