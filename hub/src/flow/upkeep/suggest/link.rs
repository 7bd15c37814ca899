//! Links that a model states by itself: many in a transaction, and none against an operator's statement.

use super::author;
use crate::flow::commit::neighbourhood::Neighbourhood;
use crate::flow::context::{Context, Watch};
use crate::flow::upkeep::statements::{Stating, state_what_fits};
use crate::identity::StatementKind;
use crate::model::Identifier;
use crate::store::{Result, Tx};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;

/// People whose identifiers are looked up together, and pairs that are stated together.
const BATCH: usize = 500;

/// Two people by their numbers, and how probably they are one.
pub struct Sure {
    pub left: i64,
    pub right: i64,
    pub probability: f64,
}

/// Links pairs; returns how many. Leaves out pairs that contradict a statement in force, and people who changed since they were
/// compared.
pub async fn link(
    context: &Context,
    pairs: &[Sure],
    version: i64,
    watch: Watch<'_>,
) -> Result<usize> {
    // Before anybody is linked, because numbers of people come and go with links, and identifiers do not.
    let names = names(context, pairs).await?;
    let statements: Vec<Stating> = pairs
        .iter()
        .filter_map(|pair| {
            Some(Stating {
                kind: StatementKind::MustLink,
                left: names.get(&pair.left)?.clone(),
                right: names.get(&pair.right)?.clone(),
                reason: format!("likeness {:.4}", pair.probability),
                author: author(version),
            })
        })
        .collect();
    let mut linked = 0;
    for batch in statements.chunks(BATCH) {
        watch("linking", linked);
        linked += state_what_fits(context, batch).await?;
    }
    Ok(linked)
}

/// The strongest identifier of each person of the pairs.
async fn names(context: &Context, pairs: &[Sure]) -> Result<FxHashMap<i64, Identifier>> {
    let ids: BTreeSet<i64> = pairs
        .iter()
        .flat_map(|pair| [pair.left, pair.right])
        .collect();
    let ids: Vec<i64> = ids.into_iter().collect();
    let mut names = FxHashMap::default();
    let mut tx = context.store.read().await?;
    for batch in ids.chunks(BATCH) {
        let rows = tx.persons(batch.iter().copied()).await?;
        let mut around = Neighbourhood::new(0, context.rules.clone());
        let components: BTreeSet<i64> = rows.iter().map(|row| row.component).collect();
        around.load_components(&mut tx, components).await?;
        let around = around.around();
        let numbers: FxHashMap<[u8; 16], i64> = rows.iter().map(|row| (row.uuid, row.id)).collect();
        for person in &around.resolution.people {
            if let Some(number) = numbers.get(person.id.0.as_bytes()) {
                let strongest = &around.graph.nodes[person.nodes[0] as usize];
                names.insert(*number, (*strongest.identifier).clone());
            }
        }
    }
    Ok(names)
}

/// Pairs of people that a statement in force keeps apart, by their current ids. They need not be suggested again.
pub async fn kept_apart(tx: &mut Tx, context: &Context) -> Result<FxHashSet<([u8; 16], [u8; 16])>> {
    let mut apart = FxHashSet::default();
    let mut rows = tx.statements().await?;
    rows.retain(|row| row.kind == "separate" && row.revoked.is_none());
    for batch in rows.chunks(BATCH) {
        let slots: BTreeSet<i64> = batch.iter().flat_map(|row| [row.left, row.right]).collect();
        let slots: Vec<i64> = slots.into_iter().collect();
        let mut around = Neighbourhood::new(0, context.rules.clone());
        around.load_around(tx, &slots).await?;
        let around = around.around();
        let mut owner: FxHashMap<i64, [u8; 16]> = FxHashMap::default();
        for person in &around.resolution.people {
            let slots = person.nodes.iter().map(|node| around.slots[*node as usize]);
            owner.extend(slots.map(|slot| (slot, *person.id.0.as_bytes())));
        }
        apart.extend(batch.iter().filter_map(|row| {
            let (left, right) = (owner.get(&row.left)?, owner.get(&row.right)?);
            Some((*left.min(right), *left.max(right)))
        }));
    }
    Ok(apart)
}
