//! What the hub wrote is not evidence. A record that comes back from a tool where the hub wrote it makes no claim by the fields that
//! hold what was written, grants nothing by having been made, and is no newer for it. Fields that differ are what somebody said.

use crate::canonical;
use crate::flow::commit::change::{Change, Passed, Put, To};
use crate::flow::commit::claim::{MappedClaim, claim_of};
use crate::flow::commit::consent::{DAY_MS, Pending, stated};
use crate::flow::commit::neighbourhood::Neighbourhood;
use crate::flow::commit::stream::StreamRef;
use crate::flow::context::Context;
use crate::flow::stored_json::read;
use crate::manifest::{Destination, PersonPush, Stream};
use crate::model::{Fields, Force, Timestamp, Value};
use crate::profile::Claim;
use crate::store::{Effect, RecordState, Result, Tx};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;
use std::collections::hash_map::Entry;

/// What a destination was sent of somebody.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The traits that come back of it, by name, null where a field was left empty.
    traits: Vec<Fields>,
    /// The same of what was there before, with the time at which it was replaced.
    former: Vec<(Timestamp, Fields)>,
    /// The traits by which people are found there.
    keys: BTreeSet<String>,
    /// When it had the last of it; the end of time where that is not known.
    last: Timestamp,
}

impl Sent {
    /// A tool stamps by its own clock, in whatever zone, and not everything at once: what it says to have happened in the day after it was
    /// sent something may come of that.
    fn settled_at(&self) -> Timestamp {
        Timestamp(self.last.0.saturating_add(DAY_MS))
    }

    /// Whether a value that comes back is one that was written. A record from before the last writing, which was read late, may
    /// hold what was written before.
    fn has(&self, name: &str, value: &Value, changed_at: Option<Timestamp>) -> bool {
        let holds = |traits: &Fields| {
            let sent = traits.get(name);
            sent.is_some_and(|sent| is_same(sent, value))
        };
        let is_late = |until: Timestamp| changed_at.is_some_and(|at| at <= until);
        let mut former = self.former.iter();
        self.traits.iter().any(holds)
            || former.any(|(until, traits)| is_late(*until) && holds(traits))
    }

    fn extend(&mut self, other: Self) {
        self.traits.extend(other.traits);
        self.former.extend(other.former);
        self.keys.extend(other.keys);
        self.last = self.last.max(other.last);
    }
}

/// What the records of a batch have said until now, and the slots of each one's identifiers from now on.
pub struct Before<'a> {
    pub neighbourhood: &'a Neighbourhood,
    pub pending: &'a Pending,
    pub slots: &'a [Vec<i64>],
}

/// Takes out of the changes what only repeats what the hub wrote to the same tool: `sent`, of each change, or nothing where nobody writes
/// to it. Grants of the hub's own making stay such even then.
pub async fn silence(
    tx: &mut Tx,
    context: &Context,
    changes: &mut [Change],
    sent: Vec<Option<Sent>>,
    before: Before<'_>,
    stream: &StreamRef,
) -> Result<()> {
    if sent.is_empty() && !before.neighbourhood.has_echoes() {
        return Ok(());
    }
    let mut claims = claims_before(tx, changes, &sent).await?;
    let sent = sent.into_iter().chain(std::iter::repeat(None));
    for ((change, sent), slots) in changes.iter_mut().zip(sent).zip(before.slots) {
        silence_consent(change, sent.as_ref(), slots, &before, context.clock.now());
        let claim = claims.remove(&change.slot);
        if let (To::Put(put), Some(sent)) = (&mut change.to, sent) {
            silence_claim(context, stream, put, &sent, claim.as_ref());
        }
    }
    Ok(())
}

/// The hub makes members; that they are subscribed then is its own doing, and stays so until the record says something else, or that somebody
/// agreed since.
fn silence_consent(
    change: &mut Change,
    sent: Option<&Sent>,
    slots: &[i64],
    before: &Before<'_>,
    now: Timestamp,
) {
    let To::Put(put) = &mut change.to else {
        return;
    };
    let Some(meaning) = put
        .meaning
        .as_mut()
        .filter(|_| put.effect != Effect::Corrected)
    else {
        return;
    };
    let prior = change.prior.as_ref();
    // What is read by another mapping, or can be read at last, is seen for the first time.
    let is_remapped = put.body.is_none();
    let lives = !is_remapped && prior.is_some_and(|prior| prior.state == RecordState::Live);
    // What it said before it was deleted and made again is another record's word.
    let deleted = change.passed.iter().rposition(Passed::is_deletion);
    let passed = &change.passed[deleted.map_or(0, |index| index + 1)..];
    let made = sent.filter(|_| deleted.is_some() || !lives);
    let grants = meaning.consents.iter_mut();
    for one in grants.filter(|one| one.status.is_granted()) {
        let said = before
            .pending
            .before(before.neighbourhood, prior, change.slot, slots);
        let mut said = said
            .filter(|said| deleted.is_none() && said.purpose == one.purpose)
            .peekable();
        let was_echo = said.peek().is_some();
        let at = stated(one, now);
        let is_later = |than: Timestamp| at.is_some_and(|at| at > than);
        let is_own = said.any(|said| said.force != Force::Echo || is_later(said.time));
        // Earlier versions of the same batch.
        let passed = passed.iter().flat_map(|passed| &passed.consents);
        let mut passed = passed.filter(|passed| passed.purpose == one.purpose);
        let is_second =
            passed.any(|passed| !passed.status.is_granted() || passed.at.is_some_and(is_later));
        let is_made = made.is_some_and(|sent| !is_later(sent.settled_at()));
        one.is_echo = (is_made || was_echo) && !is_own && !is_second;
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
    // What an operator wrote is nobody's echo.
    if put.effect == Effect::Corrected {
        return;
    }
    let own = |name: &str| before.and_then(|claim| claim.traits.get(name));
    // Who agrees there says the address.
    let mut grants = meaning.consents.iter();
    let agrees = grants.any(|one| one.status.is_granted() && !one.is_echo);
    let is_sent = |name: &str, value: &Value| {
        let is_silent = !agrees || !sent.keys.contains(name);
        is_silent && sent.has(name, value, meaning.changed_at)
    };
    let mut is_changed = false;
    traits.retain(|name, value| {
        if !is_sent(name, value) {
            return true;
        }
        // What the tool said there before it was written over was not taken back. A key says where something was written, and its
        // former value is another place.
        let said = own(name).filter(|said| {
            let is_key = sent.keys.contains(name);
            !is_key || said.is_null() || *said == value
        });
        is_changed |= said != Some(value);
        if let Some(said) = said {
            *value = said.clone();
        }
        said.is_some()
    });
    let stated_at = meaning.stated_at();
    let time = match before {
        Some(before) if before.traits == traits => before.time,
        _ => stated_at,
    };
    if is_changed || time != stated_at {
        let is_aside = meaning.canonical.is_aside();
        let claim = MappedClaim::from(traits, is_aside, time, stream, context);
        meaning.claim = Some(claim);
    }
}

/// Tools give back numbers as texts, and lists in one text.
fn is_same(sent: &Value, back: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is_so) => Some(is_so.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    if sent == back {
        return true;
    }
    match (sent, back) {
        (Value::Array(many), Value::String(back)) => {
            let back = back
                .split([',', ';'])
                .map(|one| Some(one.trim().to_owned()));
            many.iter().map(text).eq(back)
        }
        _ => text(sent).is_some_and(|sent| Some(sent) == text(back)),
    }
}

/// What was sent of the person of each change, where anything was; asked before the identifiers of the changes are taken.
pub async fn sent(
    tx: &mut Tx,
    context: &Context,
    stream: &StreamRef,
    changes: &[Change],
) -> Result<Vec<Option<Sent>>> {
    let writers = context.writers_to(&stream.source);
    if writers.is_empty() {
        return Ok(Vec::new());
    }
    let plan = context.stream(stream);
    let mut all: Vec<Option<Sent>> = vec![None; changes.len()];
    for index in writers {
        let destination = &context.plan.destinations[*index];
        let keys = changes.iter().map(|change| key_at(destination, change));
        let keys: Vec<Option<String>> = keys.collect();
        let asked: Vec<String> = keys.iter().flatten().cloned().collect();
        let push = destination.person.as_ref();
        let object = push.map(|push| format!("person:{}", push.target));
        let audiences = destination.audiences.iter();
        let objects = audiences.map(|name| format!("audience:{name}"));
        let objects: Vec<String> = objects.chain(object.clone()).collect();
        let mut keys_of = BTreeSet::from([destination.member_key.clone()]);
        keys_of.extend(push.map(|push| push.match_field.clone()));
        let mut known: FxHashMap<String, Sent> = FxHashMap::default();
        for row in tx.written_at(&destination.name, &objects, &asked).await? {
            let push = push.filter(|_| object.as_ref() == Some(&row.object));
            let comes_back = |payload: &str| match push {
                Some(push) => traits_of(push, plan, stream, &row.object, payload),
                None => {
                    let key = Value::from(row.remote_key.as_str());
                    let fields = Fields::from([(destination.member_key.clone(), key)]);
                    Ok(vec![fields])
                }
            };
            let last = row.acknowledged_at.map_or(Timestamp::MAX, Timestamp);
            let mut former = Vec::new();
            if let Some(payload) = &row.former {
                former.extend(comes_back(payload)?.into_iter().map(|one| (last, one)));
            }
            let sent = Sent {
                traits: comes_back(&row.payload)?,
                former,
                keys: keys_of.clone(),
                last,
            };
            match known.entry(row.remote_key) {
                Entry::Occupied(mut known) => known.get_mut().extend(sent),
                Entry::Vacant(free) => {
                    free.insert(sent);
                }
            }
        }
        for (sent, key) in all.iter_mut().zip(keys) {
            if let Some(found) = key.and_then(|key| known.get(&key)) {
                match sent {
                    Some(sent) => sent.extend(found.clone()),
                    None => *sent = Some(found.clone()),
                }
            }
        }
    }
    Ok(all)
}

/// By which the destination knows the person of a changed record. The hub makes people there: what tells of an event or of something else
/// is nobody's copy.
fn key_at(destination: &Destination, change: &Change) -> Option<String> {
    let To::Put(put) = &change.to else {
        return None;
    };
    let meaning = put.meaning.as_ref()?;
    if meaning.canonical.fact.is_some() {
        return None;
    }
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

/// The traits that a row was made of, and the traits that the stream reads where they were written: a trait that is written to
/// `FNAME` comes back as whatever is read from there.
fn traits_of(
    push: &PersonPush,
    plan: Option<&Stream>,
    stream: &StreamRef,
    object: &str,
    payload: &str,
) -> Result<Vec<Fields>> {
    let mut payload: Fields = read("acknowledged.payload", object, payload)?;
    for (field, _) in &push.map {
        payload.entry(field.clone()).or_insert(Value::Null);
    }
    let value = |field: &str| payload.get(field).cloned().unwrap_or(Value::Null);
    let mapped = push.map.iter();
    let mut sent: Fields = mapped
        .map(|(field, name)| (name.clone(), value(field)))
        .collect();
    sent.insert(push.match_field.clone(), value(&push.match_field));
    let back = plan.map(|plan| canonical::read_back(plan, &stream.source, &payload));
    Ok(std::iter::once(sent).chain(back).collect())
}

/// What the records of which something was sent claimed before, by slot.
async fn claims_before(
    tx: &mut Tx,
    changes: &[Change],
    sent: &[Option<Sent>],
) -> Result<FxHashMap<i64, Claim>> {
    let asked = changes.iter().zip(sent);
    let asked = asked.filter_map(|(change, sent)| sent.as_ref().map(|_| change.slot));
    let asked: FxHashSet<i64> = asked.collect();
    if asked.is_empty() {
        return Ok(FxHashMap::default());
    }
    // A record that moved is found by the slot that it moved to.
    let slots = changes.iter().filter_map(|change| {
        let prior = change.prior.as_ref()?;
        let slot = match change.to {
            To::Moved(to) => to,
            _ => prior.slot,
        };
        let former = (prior.evidence_id?, slot);
        asked.contains(&slot).then_some((prior.slot, former))
    });
    let slots: FxHashMap<i64, (i64, i64)> = slots.collect();
    let evidence = slots.values().map(|(evidence, _)| *evidence);
    let mut found = FxHashMap::default();
    for row in tx.claims_of(evidence).await? {
        if let Some((evidence, slot)) = slots.get(&row.slot)
            && *evidence == row.evidence_id
        {
            found.insert(*slot, claim_of(row)?);
        }
    }
    Ok(found)
}
