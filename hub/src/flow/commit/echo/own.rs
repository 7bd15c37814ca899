//! Which fields of a row the tool's own record had said when they were written: those are never only the hub's.

use super::sent::{is_same, written};
use crate::flow::commit::claim::claim_of;
use crate::flow::context::Context;
use crate::manifest::Destination;
use crate::model::{Fields, Value};
use crate::store::{Result, Tx};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// A row that is being sent to a key.
pub struct Sending<'a> {
    pub key: &'a str,
    pub fields: &'a Fields,
}

/// Of each row of one object that is about to be sent, the fields that the tool says itself.
pub async fn own(
    tx: &mut Tx,
    context: &Context,
    destination: &Destination,
    object: &str,
    rows: &[Sending<'_>],
) -> Result<Vec<BTreeSet<String>>> {
    let sources = context.sources_written_by(destination);
    if sources.is_empty() {
        return Ok(vec![BTreeSet::new(); rows.len()]);
    }
    let keys: Vec<String> = rows.iter().map(|row| row.key.to_owned()).collect();
    let said = said_at(tx, destination, object, &keys, &sources).await?;
    let own = rows.iter().map(|row| {
        let claims = said.get(row.key).map_or(&[][..], |claims| claims);
        let all = written(destination, object, row.key, row.fields);
        let own = all.into_iter().filter(|one| {
            let mut said = claims.iter().filter_map(|traits| traits.get(one.name));
            !one.value.is_null() && said.any(|said| is_same(&one.value, said))
        });
        own.map(|one| one.field.to_owned()).collect()
    });
    Ok(own.collect())
}

/// By key, what the records say that are found at it: a person may have several at one tool.
async fn said_at(
    tx: &mut Tx,
    destination: &Destination,
    object: &str,
    keys: &[String],
    sources: &[&str],
) -> Result<FxHashMap<String, Vec<Fields>>> {
    let wanted = tx
        .evidence_wanted_at(&destination.name, object, keys)
        .await?;
    let mut claims: FxHashMap<i64, Vec<Fields>> = FxHashMap::default();
    for row in tx.claims_of(wanted.iter().map(|(_, id)| *id)).await? {
        if sources.contains(&&*row.source) {
            let of = claims.entry(row.evidence_id).or_default();
            of.push(claim_of(row)?.traits);
        }
    }
    let evidence = tx.evidence_by_id(claims.keys().copied()).await?;
    let nodes = evidence.iter().flat_map(|row| &row.nodes).copied();
    let nodes: Vec<i64> = nodes.collect::<BTreeSet<i64>>().into_iter().collect();
    let identifiers = tx.identifiers_at(&nodes).await?.into_iter();
    let identifiers = identifiers.filter(|one| one.kind == destination.member_key);
    let identifiers: FxHashMap<i64, String> = identifiers
        .map(|one| (one.slot, one.value.into_owned()))
        .collect();
    let nodes: FxHashMap<i64, Vec<i64>> = evidence
        .into_iter()
        .map(|row| (row.id, row.nodes))
        .collect();
    let mut all: FxHashMap<String, Vec<Fields>> = FxHashMap::default();
    for (key, id) in wanted {
        let mut slots = nodes.get(&id).into_iter().flatten();
        let is_its_key = slots.any(|slot| identifiers.get(slot) == Some(&key));
        let said = claims.get(&id).into_iter().flatten().filter(|traits| {
            let named = traits.get(&destination.member_key);
            is_its_key || named.is_some_and(|named| is_same(&Value::from(key.as_str()), named))
        });
        let said: Vec<Fields> = said.cloned().collect();
        all.entry(key).or_default().extend(said);
    }
    Ok(all)
}
