//! The people of whom nothing may be sent, because an operator suppressed one of their identifiers (I13).

use crate::flow::commit::identifiers::identifier_of;
use crate::flow::commit::view::View;
use crate::flow::context::Context;
use crate::flow::suppression::List;
use crate::store::{IdentifierRow, Result, Tx};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;

/// The people among `views` of whom nothing may be sent.
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
    let mut on_it: FxHashSet<i64> = FxHashSet::default();
    for row in listed(tx, &list, slots).await? {
        if is_live(context, &row)? {
            on_it.insert(row.slot);
        }
    }
    if !on_it.is_empty() {
        let holding = evidence
            .iter()
            .filter(|row| row.nodes.iter().any(|slot| on_it.contains(slot)));
        found.extend(holding.filter_map(|row| owners.get(&row.id)));
    }
    Ok(found)
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

/// Neither blocked nor shared, so that it says who somebody is.
pub fn is_live(context: &Context, row: &IdentifierRow<'_>) -> Result<bool> {
    Ok(!row.shared && !context.rules.blocks(&identifier_of(row)?))
}
