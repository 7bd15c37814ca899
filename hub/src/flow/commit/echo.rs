//! What the hub wrote is not evidence. A record that comes back from a tool where the hub wrote it makes no claim by the fields that
//! hold what was written, grants nothing by having been made, and is no newer for it. Fields that differ are what somebody said.

use crate::flow::commit::change::{Change, Put, To};
use crate::flow::commit::claim::{MappedClaim, claim_of};
use crate::flow::commit::consent::Statements;
use crate::flow::commit::stream::StreamRef;
use crate::flow::context::Context;
use crate::flow::facts::written_to;
use crate::flow::stored_json::read;
use crate::manifest::{Destination, PersonPush};
use crate::model::{Fields, Value};
use crate::profile::Claim;
use crate::store::{Result, Tx};
use rustc_hash::FxHashMap;

/// What a destination was sent of somebody: traits by name, null where a field was left empty.
pub type Sent = Fields;

/// Takes out of the changes what only repeats what the hub wrote to the same tool: `sent`, of each change. `statements` hold what the
/// records said before.
pub async fn silence(
    tx: &mut Tx,
    context: &Context,
    changes: &mut [Change],
    sent: Vec<Option<Sent>>,
    statements: &Statements,
    stream: &StreamRef,
) -> Result<()> {
    if written_to(&context.plan, &stream.source).is_empty() {
        return Ok(());
    }
    let mut before = claims_before(tx, changes).await?;
    let nothing = sent.into_iter().chain(std::iter::repeat(None));
    for (change, sent) in changes.iter_mut().zip(nothing) {
        let before = before.remove(&change.slot);
        if let To::Put(put) = &mut change.to {
            silence_consent(put, sent.is_some(), change.slot, statements);
            if let Some(sent) = sent {
                silence_claim(context, stream, put, &sent, before.as_ref());
            }
        }
    }
    Ok(())
}

/// The hub makes members; that they are subscribed then is its own doing, and stays so until the record says something else.
fn silence_consent(put: &mut Put, was_sent: bool, record: i64, statements: &Statements) {
    let Some(meaning) = &mut put.meaning else {
        return;
    };
    for one in &mut meaning.consents {
        let has_said = statements.has_said(record, &one.purpose);
        let is_ours = was_sent || statements.was_echo(record, &one.purpose);
        one.is_echo = one.status.is_granted() && is_ours && !has_said;
    }
}

fn silence_claim(
    context: &Context,
    stream: &StreamRef,
    put: &mut Put,
    sent: &Sent,
    before: Option<&Claim>,
) {
    let Some(meaning) = &mut put.meaning else {
        return;
    };
    let Some(mut traits) = meaning.claim.as_mut().and_then(|claim| claim.echo.take()) else {
        return;
    };
    let own = |name: &str| before.and_then(|claim| claim.traits.get(name));
    let count = traits.len();
    let mut is_cleared = false;
    traits.retain(|name, value| match (sent.get(name), own(name)) {
        (Some(sent), before) if sent == value && before != Some(value) => {
            // What it said before was that it has none, which it goes on saying.
            is_cleared |= before == Some(&Value::Null);
            *value = Value::Null;
            before == Some(&Value::Null)
        }
        _ => true,
    });
    let stated_at = meaning.canonical.stated_at();
    let time = match before {
        Some(before) if before.traits == traits => before.time,
        _ => stated_at,
    };
    if is_cleared || traits.len() < count || time != stated_at {
        meaning.claim = Some(MappedClaim::from(traits, time, stream, context));
    }
}

/// What was sent of the person of each change, where anything was; asked before the identifiers of the changes are taken.
pub async fn sent(
    tx: &mut Tx,
    context: &Context,
    stream: &StreamRef,
    changes: &[Change],
) -> Result<Vec<Option<Sent>>> {
    let tools = written_to(&context.plan, &stream.source);
    if tools.is_empty() {
        return Ok(Vec::new());
    }
    let mut all: Vec<Option<Sent>> = vec![None; changes.len()];
    for index in tools {
        let destination = &context.plan.destinations[index];
        let keys = changes.iter().map(|change| key_at(destination, change));
        let keys: Vec<Option<String>> = keys.collect();
        let asked: Vec<String> = keys.iter().flatten().cloned().collect();
        let mut known: FxHashMap<String, Sent> = FxHashMap::default();
        for name in &destination.audiences {
            let object = format!("audience:{name}");
            for row in tx.written_at(&destination.name, &object, &asked).await? {
                let key = (
                    destination.member_key.clone(),
                    row.remote_key.as_str().into(),
                );
                known.entry(row.remote_key).or_default().extend([key]);
            }
        }
        if let Some(push) = &destination.person {
            let object = format!("person:{}", push.target);
            for row in tx.written_at(&destination.name, &object, &asked).await? {
                let traits = traits_of(push, &object, &row.payload)?;
                known.entry(row.remote_key).or_default().extend(traits);
            }
        }
        for (sent, key) in all.iter_mut().zip(keys) {
            if let Some(found) = key.and_then(|key| known.get(&key)) {
                sent.get_or_insert_default().extend(found.clone());
            }
        }
    }
    Ok(all)
}

/// By which the destination knows the person of a changed record.
fn key_at(destination: &Destination, change: &Change) -> Option<String> {
    let To::Put(put) = &change.to else {
        return None;
    };
    let meaning = put.meaning.as_ref()?;
    let traits = meaning.claim.as_ref().and_then(|claim| claim.echo.as_ref());
    match traits.and_then(|traits| traits.get(&destination.member_key)) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => {
            let mut identifiers = meaning.canonical.identifiers.iter();
            let found = identifiers.find(|one| *one.kind.text() == *destination.member_key);
            found.map(|one| one.value.clone())
        }
    }
}

/// The traits that a row was made of.
fn traits_of(push: &PersonPush, object: &str, payload: &str) -> Result<Sent> {
    let payload: Fields = read("acknowledged.payload", object, payload)?;
    let value = |field: &str| payload.get(field).cloned().unwrap_or(Value::Null);
    let mapped = push.map.iter();
    let mut sent: Sent = mapped
        .map(|(field, name)| (name.clone(), value(field)))
        .collect();
    sent.insert(push.match_field.clone(), value(&push.match_field));
    Ok(sent)
}

/// What the changed records claimed before, by slot.
async fn claims_before(tx: &mut Tx, changes: &[Change]) -> Result<FxHashMap<i64, Claim>> {
    // A record that moved is found by the slot that it moved to.
    let slots = changes.iter().filter_map(|change| {
        let prior = change.prior.as_ref()?;
        let slot = match change.to {
            To::Moved(to) => to,
            _ => prior.slot,
        };
        Some((prior.slot, (prior.evidence_id?, slot)))
    });
    let slots: FxHashMap<i64, (i64, i64)> = slots.collect();
    let mut found = FxHashMap::default();
    for row in tx
        .claims_of(slots.values().map(|(evidence, _)| *evidence))
        .await?
    {
        if let Some((evidence, slot)) = slots.get(&row.slot)
            && *evidence == row.evidence_id
        {
            found.insert(*slot, claim_of(row)?);
        }
    }
    Ok(found)
}
