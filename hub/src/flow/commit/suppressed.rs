//! The people of whom nothing may be sent, because an operator suppressed one of their identifiers (I13).

use crate::flow::commit::identifiers::identifier_of;
use crate::flow::commit::view::View;
use crate::flow::context::Context;
use crate::flow::suppression::{List, REACHED_BY};
use crate::model::{Fields, IdentifierKind};
use crate::store::{EvidenceRow, IdentifierRow, Result, Tx};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;

/// The people among `views` of whom nothing may be sent. What else is theirs is on the list from now on.
pub async fn suppressed(tx: &mut Tx, context: &Context, views: &[View]) -> Result<FxHashSet<i64>> {
    let list = context.suppression.at(tx).await?;
    if list.is_empty() {
        return Ok(FxHashSet::default());
    }
    let reached = views.iter().filter(|view| list.holds_reached(&view.traits));
    let mut found: FxHashSet<i64> = reached.map(|view| view.id).collect();
    let owners = owners(tx, views).await?;
    let evidence = tx.evidence_by_id(owners.keys().copied()).await?;
    let slots = evidence.iter().flat_map(|row| row.nodes.iter().copied());
    // Each with whether an operator named it.
    let mut on_it: FxHashMap<i64, bool> = FxHashMap::default();
    for row in listed(tx, &list, slots).await? {
        if says_who(context, &list, &row)? {
            on_it.insert(row.slot, list.is_named(&row.kind, &row.value));
        }
    }
    let (mut people, mut named) = (BTreeSet::new(), BTreeSet::new());
    for row in &evidence {
        let on_it = || row.nodes.iter().filter_map(|slot| on_it.get(slot));
        if let Some(person) = owners.get(&row.id).filter(|_| on_it().next().is_some()) {
            people.insert(*person);
            if on_it().any(|is_named| *is_named) {
                named.insert(*person);
            }
        }
    }
    if !named.is_empty() {
        let is_theirs =
            |row: &EvidenceRow| owners.get(&row.id).is_some_and(|id| named.contains(id));
        let theirs: Vec<EvidenceRow> = evidence.into_iter().filter(is_theirs).collect();
        spread(tx, context, &theirs, "of somebody who is suppressed").await?;
    }
    found.extend(people);
    Ok(found)
}

/// Whether nothing may be sent of somebody with these values and this evidence. Reads only.
pub async fn is_suppressed(
    tx: &mut Tx,
    context: &Context,
    traits: &Fields,
    evidence: &[&EvidenceRow],
) -> Result<bool> {
    let list = context.suppression.at(tx).await?;
    if list.is_empty() || list.holds_reached(traits) {
        return Ok(!list.is_empty());
    }
    let slots = evidence.iter().flat_map(|row| row.nodes.iter().copied());
    for row in listed(tx, &list, slots).await? {
        if says_who(context, &list, &row)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Puts on the list whatever else is of the people of this evidence alone and names them, or is where they are reached: they stay suppressed
/// when the identifier that an operator named is edited at its source. `evidence` is all that they have.
pub async fn spread(
    tx: &mut Tx,
    context: &Context,
    evidence: &[EvidenceRow],
    reason: &str,
) -> Result<()> {
    let list = context.suppression.at(tx).await?;
    let slots = evidence.iter().flat_map(|row| row.nodes.iter().copied());
    let slots: BTreeSet<i64> = slots.collect();
    let slots: Vec<i64> = slots.into_iter().collect();
    let mut kept = Vec::new();
    for row in tx.identifiers_at(&slots).await? {
        let kind = identifier_of(&row)?.kind;
        let is_kept = kind == IdentifierKind::Email || context.rules.is_strong(&kind);
        if is_kept && is_live(context, &row)? && !list.holds(&row.kind, &row.value) {
            kept.push(row);
        }
    }
    if kept.is_empty() {
        return Ok(());
    }
    let components: BTreeSet<i64> = kept.iter().filter_map(|row| row.component).collect();
    let around = tx.evidence_of_components(components).await?.into_iter();
    let theirs: FxHashSet<i64> = evidence.iter().map(|row| row.id).collect();
    let others = around.filter(|row| !theirs.contains(&row.id));
    let others: FxHashSet<i64> = others.flat_map(|row| row.nodes).collect();
    for row in kept.iter().filter(|row| !others.contains(&row.slot)) {
        let hash = list.hash(&row.kind, &row.value);
        tx.suppress(&hash, reason, true, context.clock.now())
            .await?;
    }
    Ok(())
}

/// The evidence with an identifier that is on the list, whether it is live or not.
pub async fn with_listed(
    tx: &mut Tx,
    context: &Context,
    evidence: &[(i64, &[i64])],
) -> Result<FxHashSet<i64>> {
    let list = context.suppression.at(tx).await?;
    if list.is_empty() {
        return Ok(FxHashSet::default());
    }
    let slots = evidence.iter().flat_map(|(_, nodes)| nodes.iter().copied());
    let listed = listed(tx, &list, slots).await?;
    let listed: FxHashSet<i64> = listed.iter().map(|row| row.slot).collect();
    let holding = evidence
        .iter()
        .filter(|(_, nodes)| nodes.iter().any(|slot| listed.contains(slot)));
    Ok(holding.map(|(id, _)| *id).collect())
}

/// The identifiers at these slots that are on the list.
async fn listed(
    tx: &mut Tx,
    list: &List,
    slots: impl Iterator<Item = i64>,
) -> Result<Vec<IdentifierRow<'static>>> {
    let slots: BTreeSet<i64> = slots.collect();
    let slots: Vec<i64> = slots.into_iter().collect();
    let mut rows = tx.identifiers_at(&slots).await?;
    rows.retain(|row| list.holds(&row.kind, &row.value));
    Ok(rows)
}

/// The person of each piece of evidence.
async fn owners(tx: &mut Tx, views: &[View]) -> Result<FxHashMap<i64, i64>> {
    let mut owners = FxHashMap::default();
    let mut unknown = Vec::new();
    for view in views {
        match view.evidence.is_empty() {
            true => unknown.push(view.id),
            false => owners.extend(view.evidence.iter().map(|id| (*id, view.id))),
        }
    }
    if !unknown.is_empty() {
        unknown.sort_unstable();
        let pairs = tx.evidence_of_persons(&unknown).await?;
        owners.extend(pairs.into_iter().map(|(person, id)| (id, person)));
    }
    Ok(owners)
}

/// Whether an identifier on the list suppresses everybody who has it, and not only who is reached at it.
fn says_who(context: &Context, list: &List, row: &IdentifierRow<'_>) -> Result<bool> {
    Ok(match list.is_named(&row.kind, &row.value) {
        true => is_live(context, row)? || asks_for_all(context, row)?,
        false => is_live(context, row)? && !REACHED_BY.contains(&identifier_of(row)?.kind),
    })
}

/// Whether an entry for it is for everybody who has it: a number that several people share. A blocked one is nobody's.
pub fn asks_for_all(context: &Context, row: &IdentifierRow<'_>) -> Result<bool> {
    let identifier = identifier_of(row)?;
    let is_phone = identifier.kind == IdentifierKind::Phone;
    Ok(is_phone && row.shared && !context.rules.blocks(&identifier))
}

/// Neither blocked nor shared, so that it says who somebody is.
pub fn is_live(context: &Context, row: &IdentifierRow<'_>) -> Result<bool> {
    Ok(!row.shared && !context.rules.blocks(&identifier_of(row)?))
}
