//! What the hub wrote is not evidence. A record that comes back from a tool where the hub wrote it makes no claim by the fields that
//! hold what was written, grants nothing by having been made, and is no newer for it. Fields that differ are what somebody said, and
//! so is what the tool's own record said already when it was written.

mod own;
mod sent;

use crate::flow::commit::change::{Change, Passed, Put, To};
use crate::flow::commit::claim::{Echoed, Keeping, Kept, MappedClaim, claim_kept};
use crate::flow::commit::consent::{Pending, stated};
use crate::flow::commit::neighbourhood::Neighbourhood;
use crate::flow::commit::stream::StreamRef;
use crate::flow::context::Context;
use crate::flow::facts::Back;
use crate::manifest::Stream;
use crate::model::{Force, Timestamp, Value};
use crate::profile::Claim;
use crate::store::{Effect, RecordState, Result, Tx};
pub use own::{Sending, own};
use rustc_hash::{FxHashMap, FxHashSet};
pub use sent::{Attempt, Own, Sent, sent};

/// A record that came, as far as it may repeat what was written.
pub struct Came<'a> {
    /// Its slot, and the one that it had before its key was made in another way.
    records: Vec<i64>,
    echoed: &'a Echoed,
    backs: &'a [Back],
    /// When it changed, as this version says.
    updated_at: Option<Timestamp>,
    now: Timestamp,
}

/// What a record claimed before.
struct Said {
    claim: Claim,
    kept: Keeping,
    /// When the version came that said it.
    received_at: Timestamp,
    is_corrected: bool,
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
    let is_read_back = !context.backs(&stream.source, &stream.name).is_empty();
    let mut claims = claims_before(tx, changes, &sent, is_read_back).await?;
    let sent = sent.into_iter().chain(std::iter::repeat(None));
    let moved = changes.iter().filter_map(|change| match change.to {
        To::Moved(to) => Some((to, change.prior.as_ref()?.slot)),
        _ => None,
    });
    let moved: FxHashMap<i64, i64> = moved.collect();
    for ((change, sent), slots) in changes.iter_mut().zip(sent).zip(before.slots) {
        silence_consent(change, sent.as_ref(), slots, &before, context.clock.now());
        let said = claims.remove(&change.slot);
        if let (To::Put(put), Some(sent)) = (&mut change.to, sent) {
            let records = [Some(change.slot), moved.get(&change.slot).copied()];
            let records = records.into_iter().flatten().collect();
            silence_claim(context, stream, put, records, &sent, said.as_ref());
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
    records: Vec<i64>,
    sent: &Sent,
    before: Option<&Said>,
) {
    let is_new = put.body.is_some();
    let Some(meaning) = &mut put.meaning else {
        return;
    };
    let Some(mut echoed) = meaning.claim.as_mut().and_then(|claim| claim.echo.take()) else {
        return;
    };
    // What an operator wrote is nobody's echo.
    if put.effect == Effect::Corrected {
        return;
    }
    // Who agrees there says the address.
    let mut grants = meaning.consents.iter();
    let agrees = grants.any(|one| one.status.is_granted() && !one.is_echo);
    let mut traits = std::mem::take(&mut echoed.traits);
    let came = Came {
        records,
        echoed: &echoed,
        backs: context.backs(&stream.source, &stream.name),
        updated_at: meaning.canonical.updated_at,
        now: context.clock.now(),
    };
    let plan = context.stream(stream);
    let mut kept = Keeping::new();
    let mut is_changed = false;
    traits.retain(|name, value| {
        let own = before.and_then(|before| before.claim.traits.get(name));
        let is_silent = !agrees || !sent.is_key(name);
        let stays = if is_silent && sent.has(name, value, &came.records) {
            // What it said before was the same, or a part of it, or that it has none, which it goes on saying.
            own.filter(|own| *own == value || own.is_null() || is_part(own, value))
        } else if sent.is_own(name, value, &came.records) {
            return true;
        } else if let Some(written) = sent.written_over(name, &came) {
            let word = before.and_then(|before| before.overwritten(name, written, is_new, plan));
            let own = own.filter(|_| word.is_some());
            kept.extend(word.map(|word| (name.clone(), word)));
            own
        } else {
            return true;
        };
        is_changed |= stays != Some(value);
        if let Some(own) = stays {
            *value = own.clone();
        }
        stays.is_some()
    });
    let stated_at = meaning.stated_at();
    let is_restored = |before: &Said| before.kept.keys().any(|name| !kept.contains_key(name));
    let time = match before {
        Some(before) if before.claim.traits == traits && !is_restored(before) => before.claim.time,
        _ => stated_at,
    };
    if is_changed || time != stated_at || !kept.is_empty() {
        let is_aside = meaning.canonical.is_aside();
        let claim = MappedClaim::from(traits, &kept, is_aside, time, stream, context);
        meaning.claim = Some(claim);
    }
}

impl Said {
    /// What it said of a trait, where the hub wrote over that and nobody took it back since: said before it was written, and kept from
    /// then on, as long as the same mapping reads it.
    fn overwritten(
        &self,
        name: &str,
        written: Timestamp,
        is_new: bool,
        plan: Option<&Stream>,
    ) -> Option<Kept> {
        let mut map = plan?.map.iter();
        let (_, expression) = map.find(|(known, _)| known == name)?;
        self.claim.traits.get(name).filter(|own| !own.is_null())?;
        let by = expression.text();
        match self.kept.get(name) {
            Some(kept) => (*kept.by == *by).then(|| kept.clone()),
            None => {
                let is_over = is_new && !self.is_corrected && self.received_at < written;
                is_over.then(|| Kept::new(self.claim.time, by.to_owned()))
            }
        }
    }
}

/// Whether a list is what a tool said of a longer one: the values of several records are put together there.
fn is_part(own: &Value, value: &Value) -> bool {
    let both = own.as_array().zip(value.as_array());
    both.is_some_and(|(own, value)| own.iter().all(|one| value.contains(one)))
}

/// What the records of which something was sent claimed before, by slot.
async fn claims_before(
    tx: &mut Tx,
    changes: &[Change],
    sent: &[Option<Sent>],
    is_read_back: bool,
) -> Result<FxHashMap<i64, Said>> {
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
        let former = (prior.evidence_id?, slot, prior.version_id);
        asked.contains(&slot).then_some((prior.slot, former))
    });
    let slots: FxHashMap<i64, (i64, i64, i64)> = slots.collect();
    // Only what is read back by its field asks when it was said.
    let versions = match is_read_back {
        true => {
            let versions = slots.values().map(|(_, _, version)| *version);
            tx.versions_received(versions).await?
        }
        false => Vec::new(),
    };
    let versions: FxHashMap<i64, (Timestamp, bool)> = versions
        .into_iter()
        .map(|(id, received_at, is_corrected)| (id, (received_at, is_corrected)))
        .collect();
    let evidence = slots.values().map(|(evidence, ..)| *evidence);
    let mut found = FxHashMap::default();
    for row in tx.claims_of(evidence).await? {
        if let Some((evidence, slot, version)) = slots.get(&row.slot)
            && *evidence == row.evidence_id
        {
            let (claim, kept) = claim_kept(row)?;
            // A version that is not there any more was an old one.
            let (received_at, is_corrected) = versions.get(version).copied().unwrap_or_default();
            let said = Said {
                claim,
                kept,
                received_at,
                is_corrected,
            };
            found.insert(*slot, said);
        }
    }
    Ok(found)
}
