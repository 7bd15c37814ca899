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
type Sent = Fields;

/// Takes out of the changes what only repeats what the hub wrote to the same tool. `statements` hold what the records said before.
pub async fn silence(
    tx: &mut Tx,
    context: &Context,
    stream: &StreamRef,
    statements: &Statements,
    changes: &mut [Change],
) -> Result<()> {
    let tools = written_to(&context.plan, &stream.source);
    if tools.is_empty() {
        return Ok(());
    }
    let sent = sent(tx, context, &tools, changes).await?;
    if sent.iter().all(Option::is_none) {
        return Ok(());
    }
    let mut before = claims_before(tx, changes).await?;
    for (change, sent) in changes.iter_mut().zip(sent) {
        let before = before.remove(&change.slot);
        if let (Some(sent), To::Put(put)) = (sent, &mut change.to) {
            let granted = |purpose: &str| statements.has_said(change.slot, purpose);
            silence_one(context, stream, put, &sent, before.as_ref(), &granted);
        }
    }
    Ok(())
}

fn silence_one(
    context: &Context,
    stream: &StreamRef,
    put: &mut Put,
    sent: &Sent,
    before: Option<&Claim>,
    has_said: &dyn Fn(&str) -> bool,
) {
    let Some(meaning) = &mut put.meaning else {
        return;
    };
    // The hub makes members; that they are subscribed then is its own doing.
    let spoken = &mut meaning.consents;
    spoken.retain(|one| !one.status.is_granted() || has_said(&one.purpose));
    let Some(mut traits) = meaning.claim.as_mut().and_then(|claim| claim.echo.take()) else {
        return;
    };
    let own = |name: &str| before.and_then(|claim| claim.traits.get(name));
    let count = traits.len();
    traits.retain(|name, value| match sent.get(name) {
        Some(sent) => sent != value || own(name) == Some(value),
        None => true,
    });
    let stated_at = meaning.canonical.stated_at();
    let time = match before {
        Some(before) if before.traits == traits => before.time,
        _ => stated_at,
    };
    if traits.len() < count || time != stated_at {
        meaning.claim = Some(MappedClaim::from(traits, time, stream, context));
    }
}

/// What was sent of the person of each change, where anything was.
async fn sent(
    tx: &mut Tx,
    context: &Context,
    tools: &[usize],
    changes: &[Change],
) -> Result<Vec<Option<Sent>>> {
    let mut all: Vec<Option<Sent>> = vec![None; changes.len()];
    for index in tools {
        let destination = &context.plan.destinations[*index];
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
    let traits = put.meaning.as_ref()?.claim.as_ref()?.echo.as_ref()?;
    match traits.get(&destination.member_key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
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
    let priors = changes.iter().filter_map(|change| change.prior.as_ref());
    let evidence: FxHashMap<i64, i64> = priors
        .filter_map(|prior| Some((prior.slot, prior.evidence_id?)))
        .collect();
    let mut found = FxHashMap::default();
    for row in tx.claims_of(evidence.values().copied()).await? {
        if evidence.get(&row.slot) == Some(&row.evidence_id) {
            found.insert(row.slot, claim_of(row)?);
        }
    }
    Ok(found)
}
