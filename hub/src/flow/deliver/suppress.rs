//! Suppressing an identifier. Accepting an entry decides again what may be sent of the people who have the identifier (I13).

use crate::flow::commit::identifiers::find;
use crate::flow::commit::suppressed::{asks_for_all, is_live, spread};
use crate::flow::commit::views::view_of;
use crate::flow::commit::want::{key_of, mark};
use crate::flow::context::Context;
use crate::flow::stored_json::to_json;
use crate::flow::suppression::REACHED_BY;
use crate::model::{Fields, Identifier};
use crate::store::{Result, Tx};
use std::collections::BTreeSet;

/// What an entry on the list changed at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Suppressed {
    /// People who have the identifier now, or are reached at it.
    pub people: usize,
    /// How many of them could be sent to some destination until now.
    pub stopped: usize,
}

/// Puts an identifier on the list, in the caller's transaction. What is wanted of the people who have it may not be sent from
/// the moment that the transaction commits, and they are removed from the audiences that hold them.
pub async fn suppress(
    tx: &mut Tx,
    context: &Context,
    identifier: &Identifier,
    reason: &str,
) -> Result<Suppressed> {
    let list = context.suppression.at(tx).await?;
    let hash = list.hash(&identifier.kind.text(), &identifier.value);
    tx.suppress(&hash, reason, false, context.clock.now())
        .await?;
    let Holders {
        people,
        are_known_by,
    } = holders(tx, context, identifier).await?;
    if are_known_by {
        let ids: Vec<i64> = people.iter().copied().collect();
        let pairs = tx.evidence_of_persons(&ids).await?;
        let evidence = tx
            .evidence_by_id(pairs.into_iter().map(|(_, id)| id))
            .await?;
        spread(tx, context, &evidence, reason).await?;
    }
    let rows = tx.forbid_wanted(people.iter().copied()).await?;
    // I13, I16: a delivery that read them before no longer sends anything of them.
    mark(tx, rows.iter().map(key_of).collect()).await?;
    let stopped: BTreeSet<i64> = rows.iter().map(|row| row.person_id).collect();
    Ok(Suppressed {
        people: people.len(),
        stopped: stopped.len(),
    })
}

#[derive(Default)]
struct Holders {
    people: BTreeSet<i64>,
    /// It says who they are; otherwise they are only reached at it.
    are_known_by: bool,
}

async fn holders(tx: &mut Tx, context: &Context, identifier: &Identifier) -> Result<Holders> {
    let mut found = Holders::default();
    let Some(row) = find(tx, identifier).await? else {
        return Ok(found);
    };
    if is_live(context, &row)? {
        let evidence = tx.evidence_of_components(row.component).await?.into_iter();
        let holding = evidence.filter(|one| one.nodes.contains(&row.slot));
        found.people = holding.filter_map(|one| one.person_id).collect();
        found.are_known_by = true;
        return Ok(found);
    }
    if asks_for_all(context, &row)? {
        let pairs = tx.evidence_of_shared([row.slot]).await?;
        let holding = tx.evidence_by_id(pairs.into_iter().map(|(_, id)| id));
        found.people = holding
            .await?
            .iter()
            .filter_map(|one| one.person_id)
            .collect();
        found.are_known_by = true;
        return Ok(found);
    }
    if !REACHED_BY.contains(&identifier.kind) {
        return Ok(found);
    }
    let name = identifier.kind.text();
    let ids = tx.persons_with_value(&to_json(&identifier.value)).await?;
    let persons = tx.persons(ids).await?;
    let is_reached = |traits: &Fields| {
        let value = traits.get(&*name).and_then(|value| value.as_str());
        value == Some(identifier.value.as_str())
    };
    for row in &persons {
        let view = view_of(row)?;
        if is_reached(&view.traits) {
            found.people.insert(view.id);
        }
    }
    Ok(found)
}
