//! After identity: profiles of the people whose claims changed, audiences and wanted rows of everybody touched.
//! All in the transaction of what caused it.

use crate::flow::commit::claim::FreshClaim;
use crate::flow::commit::moves::Moves;
use crate::flow::commit::neighbourhood::{Neighbourhood, Reshaped, Resolved};
use crate::flow::commit::profiles::{self, Profiles};
use crate::flow::commit::select::{Selecting, memberships};
use crate::flow::commit::touched::{Ripple, Touched};
use crate::flow::commit::view::View;
use crate::flow::commit::views::{events_of, stored_views};
use crate::flow::commit::want::{key_of, mark, want};
use crate::flow::commit::{accounts, agreed, computed};
use crate::flow::context::{Context, at_once};
use crate::flow::stored_json::to_json;
use crate::profile::ACCOUNT_PREFIX;
use crate::store::{ClaimRow, Result, Tx};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// People whose events are in memory at the same time.
pub const TOGETHER: usize = 2_000;

/// A resolved neighbourhood and what was touched, to be stored with everything that follows.
pub struct Settling {
    pub neighbourhood: Neighbourhood,
    pub reshaped: Reshaped,
    pub touched: Touched,
    /// Claims that this transaction has written.
    pub fresh: Vec<FreshClaim>,
    /// The claims of everyone to rebuild that were stored before this transaction and still are, if they were read already; extra claims
    /// are ignored.
    pub stored: Option<Vec<ClaimRow>>,
}

impl Settling {
    /// Without new claims.
    pub fn new(neighbourhood: Neighbourhood, reshaped: Reshaped, touched: Touched) -> Self {
        Self {
            neighbourhood,
            reshaped,
            touched,
            fresh: Vec::new(),
            stored: None,
        }
    }
}

/// Stores the neighbourhood and the profiles that follow from it.
pub async fn settle(
    tx: &mut Tx,
    context: &Context,
    settling: Settling,
    ripple: &mut Ripple,
) -> Result<()> {
    let Settling {
        mut neighbourhood,
        reshaped,
        touched,
        mut fresh,
        stored,
    } = settling;
    tx.save_heirs(&reshaped.heirs).await?;
    bury(tx, context, &reshaped.gone, ripple).await?;
    let (rebuild, look) = people(&neighbourhood, reshaped, &touched);
    agreed::spread(&mut neighbourhood, &context.plan, &rebuild);
    let mut aliases: Vec<([u8; 16], i64)> = rebuild
        .iter()
        .filter(|person| !person.is_named)
        .map(|person| (person.uuid, person.earliest))
        .collect();
    aliases.sort_unstable();
    let stored = match stored {
        Some(stored) => stored,
        None => {
            let evidence = rebuild.iter().flat_map(|person| &person.evidence);
            let stored = evidence.filter(|id| !neighbourhood.is_new_evidence(**id));
            // Those of this transaction are among them.
            fresh.retain(|(row, _)| neighbourhood.is_new_evidence(row.evidence_id));
            tx.claims_of(stored.copied()).await?
        }
    };
    let neighbourhood = Arc::new(neighbourhood);
    // Profiles are built while identifiers, evidence and aliases are written.
    let building = at_once({
        let (context, neighbourhood) = (context.clone(), neighbourhood.clone());
        move || profiles::build(rebuild, stored, fresh, &neighbourhood, &context)
    });
    neighbourhood.save(tx).await?;
    neighbourhood.save_alarms(tx, context.clock.now()).await?;
    tx.save_aliases(&aliases).await?;
    let Profiles {
        mut new,
        mut known,
        mut views,
    } = building.await?;
    let mut worked = FxHashMap::default();
    if context.watches_people() {
        views.extend(stored_views(tx, look).await?);
        views.sort_unstable_by_key(|view| view.id);
        accounts::relate(tx, context, &mut views, ripple).await?;
        worked = select(tx, context, &mut views, ripple).await?;
    }
    for row in new.iter_mut().chain(&mut known) {
        if let Some(traits) = worked.remove(&row.id) {
            row.traits = traits;
        }
    }
    tx.add_persons(&new).await?;
    tx.update_persons(&known).await?;
    let worked: Vec<(i64, String)> = worked.into_iter().collect();
    tx.save_traits(&worked).await?;
    // Freeing what a batch needed takes a while, too.
    drop(at_once(move || drop((neighbourhood, new, known))));
    Ok(())
}

/// The people to rebuild, and the people of whom only facts changed, with their evidence. Removed evidence needs no attention:
/// the people of its whole component are rebuilt.
fn people(
    neighbourhood: &Neighbourhood,
    reshaped: Reshaped,
    touched: &Touched,
) -> (Vec<Resolved>, FxHashMap<i64, Vec<i64>>) {
    let mut rebuild = reshaped.people;
    let done: FxHashSet<i64> = rebuild.iter().map(|person| person.id).collect();
    let of = |evidence: &FxHashSet<i64>| -> FxHashSet<i64> {
        evidence
            .iter()
            .filter_map(|id| neighbourhood.person_of(*id))
            .filter(|person| !done.contains(person))
            .collect()
    };
    let claimed: FxHashSet<i64> = of(&touched.claimed);
    let mut look = neighbourhood.evidence_of_persons(&of(&touched.evidence));
    for id in claimed {
        let evidence = look.remove(&id).unwrap_or_default();
        rebuild.extend(neighbourhood.standing(id, evidence));
    }
    (rebuild, look)
}

/// Removes the rows of people who no longer exist.
async fn bury(tx: &mut Tx, context: &Context, ids: &[i64], ripple: &mut Ripple) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    if context.watches_people() {
        leave_all(tx, context, ids).await?;
    }
    ripple.accounts_of(tx, context, ids).await?;
    tx.remove_relations(ids).await?;
    tx.remove_persons(ids).await
}

async fn leave_all(tx: &mut Tx, context: &Context, ids: &[i64]) -> Result<()> {
    let memberships = tx.memberships_of(ids.iter().copied()).await?;
    let uuids: FxHashMap<i64, [u8; 16]> = tx
        .persons(ids.iter().copied())
        .await?
        .into_iter()
        .map(|row| (row.id, row.uuid))
        .collect();
    let mut moves = Moves::default();
    for row in memberships {
        let uuid = uuids.get(&row.person_id).copied().unwrap_or_default();
        moves.leave(
            &row.audience,
            row.person_id,
            uuid,
            "the profile became part of another",
        );
    }
    moves.save(tx, context.clock.now()).await?;
    tx.set_timers(ids, &[]).await?;
    tx.set_faults(ids, &[]).await?;
    let wanted = tx.wanted_of(ids.iter().copied()).await?;
    let keys = wanted.iter().map(key_of).collect();
    tx.remove_wanted(&wanted).await?;
    mark(tx, keys).await
}

/// Computes the traits and evaluates all audiences of people whose rows are stored already.
pub async fn evaluate(
    tx: &mut Tx,
    context: &Context,
    views: &mut [View],
    ripple: &mut Ripple,
) -> Result<()> {
    let worked = select(tx, context, views, ripple).await?;
    let worked: Vec<(i64, String)> = worked.into_iter().collect();
    tx.save_traits(&worked).await
}

/// Computes traits, audiences, and what destinations should hold. Returns the traits that differ from what the views had, as
/// JSON, by person.
async fn select(
    tx: &mut Tx,
    context: &Context,
    views: &mut [View],
    ripple: &mut Ripple,
) -> Result<FxHashMap<i64, String>> {
    let mut traits = FxHashMap::default();
    for chunk in views.chunks_mut(TOGETHER) {
        let events = events_of(tx, context, chunk).await?;
        let worked = computed::work_out(tx, context, chunk, &events).await?;
        let changed: FxHashSet<i64> = worked.changed.into_iter().collect();
        let views = chunk.iter().filter(|view| changed.contains(&view.id));
        // Traits that are read from an account are stored with the account.
        let own = |view: &View| -> String {
            let own = view.traits.iter();
            let own = own.filter(|(name, _)| !name.starts_with(ACCOUNT_PREFIX));
            to_json(&own.collect::<BTreeMap<_, _>>())
        };
        traits.extend(views.map(|view| (view.id, own(view))));
        let selecting = Selecting {
            views: chunk,
            events: &events,
            timers: worked.timers,
            rank: 0,
        };
        let members = memberships(tx, context, selecting, ripple).await?;
        // What is wanted can depend on audiences that are evaluated later.
        match context.has_account_audiences() {
            true => ripple.people(chunk.iter().map(|view| view.id)),
            false => want(tx, context, chunk, &members).await?,
        }
    }
    Ok(traits)
}
