//! Which fields of a row the tool's own record had said when they were written: those are never only the hub's.

use super::sent::{Own, is_same, written};
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

/// Of each row of one object that is about to be sent, the fields that the tool says itself, with its records that do.
pub async fn own(
    tx: &mut Tx,
    context: &Context,
    destination: &Destination,
    object: &str,
    rows: &[Sending<'_>],
) -> Result<Vec<Own>> {
    let sources = context.sources_written_by(destination);
    if sources.is_empty() {
        return Ok(vec![Own::new(); rows.len()]);
    }
    let keys: Vec<String> = rows.iter().map(|row| row.key.to_owned()).collect();
    let said = said_at(tx, destination, object, &keys, &sources).await?;
    let own = rows.iter().map(|row| {
        let claims = said.get(row.key).map_or(&[][..], |claims| claims);
        let all = written(destination, object, row.key, row.fields);
        let own = all
            .into_iter()
            .filter(|one| !one.value.is_null())
            .map(|one| {
                let said = claims.iter().filter(|(_, traits)| {
                    let said = traits.get(one.name);
                    said.is_some_and(|said| is_same(&one.value, said))
                });
                let records: BTreeSet<i64> = said.map(|(slot, _)| *slot).collect();
                (one.field.to_owned(), records)
            });
        own.filter(|(_, records)| !records.is_empty()).collect()
    });
    Ok(own.collect())
}

/// A record's slot, and what it says.
type Said = (i64, Fields);

/// By key, what the records say that are found at it: a person may have several at one tool.
async fn said_at(
    tx: &mut Tx,
    destination: &Destination,
    object: &str,
    keys: &[String],
    sources: &[&str],
) -> Result<FxHashMap<String, Vec<Said>>> {
    let wanted = tx
        .evidence_wanted_at(&destination.name, object, keys)
        .await?;
    let mut claims: FxHashMap<i64, Vec<Said>> = FxHashMap::default();
    for row in tx.claims_of(wanted.iter().map(|(_, id)| *id)).await? {
        if !sources.contains(&&*row.source) {
            continue;
        }
        let (evidence, slot) = (row.evidence_id, row.slot);
        let claim = claim_of(row)?;
        // What is about something else is nobody's copy, and may repeat what the hub wrote.
        if !claim.is_aside {
            let of = claims.entry(evidence).or_default();
            of.push((slot, claim.traits));
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
    let mut all: FxHashMap<String, Vec<Said>> = FxHashMap::default();
    for (key, id) in wanted {
        let mut slots = nodes.get(&id).into_iter().flatten();
        let is_its_key = slots.any(|slot| identifiers.get(slot) == Some(&key));
        let said = claims.get(&id).into_iter().flatten().filter(|(_, traits)| {
            let named = traits.get(&destination.member_key);
            is_its_key || named.is_some_and(|named| is_same(&Value::from(key.as_str()), named))
        });
        let said: Vec<Said> = said.cloned().collect();
        all.entry(key).or_default().extend(said);
    }
    Ok(all)
}
