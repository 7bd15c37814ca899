//! What the records of a batch say of consent, and which refusals outlive their records. Statements are kept with the identifiers that
//! they are about.

use crate::flow::commit::change::{Passed, Put};
use crate::flow::commit::meaning::Meaning;
use crate::flow::commit::neighbourhood::{Neighbourhood, message_id};
use crate::flow::commit::spoken::Spoken;
use crate::flow::commit::stream::StreamRef;
use crate::model::{ConsentStatement, Force, Timestamp};
use crate::store::{RecordRow, RecordState};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// A statement, and the slot of the identifier that it is about.
pub type About = (i64, ConsentStatement);

pub const DAY_MS: i64 = 86_400_000;
/// How far the clocks of vendors may be ahead.
const SKEW_MS: i64 = 5 * 60_000;

/// A record while its statements are made.
pub struct Speaker<'a> {
    pub stream: &'a StreamRef,
    pub record: i64,
    pub key: &'a str,
    pub updated_at: Option<Timestamp>,
}

impl Speaker<'_> {
    /// Statements without the evidence; `slots` are those of the record's identifiers.
    pub fn says(&self, spoken: &[Spoken], slots: &[i64], now: Timestamp) -> Vec<About> {
        if spoken.is_empty() {
            return Vec::new();
        }
        let seen_at = self
            .updated_at
            .map_or(now, |updated_at| updated_at.min(now));
        let said_in: Arc<str> = message_id(self.stream, self.key).into();
        let count = spoken.iter().map(|one| one.about.len()).sum();
        let mut says = Vec::with_capacity(count);
        for one in spoken {
            let stated = stated(one, now);
            let statement = ConsentStatement {
                purpose: one.purpose.clone(),
                status: one.status,
                time: stated.unwrap_or(seen_at),
                force: match stated {
                    _ if one.is_echo => Force::Echo,
                    Some(_) => Force::Stated,
                    None => Force::Observed,
                },
                record: Some(self.record),
                evidence: None,
                gone_at: None,
                learned_at: None,
                said_in: said_in.clone(),
                by: None,
            };
            let Some((last, others)) = one.about.split_last() else {
                continue;
            };
            says.extend(
                others
                    .iter()
                    .map(|index| (slots[*index], statement.clone())),
            );
            says.push((slots[*last], statement));
        }
        says
    }
}

/// The time that a statement gives itself, if it can be one. Nobody agreed in the future: that is a typing error, or the day until which
/// it holds. A refusal may be a day ahead, in local time. The first days of 1970 are what an empty field becomes.
pub fn stated(one: &Spoken, now: Timestamp) -> Option<Timestamp> {
    let ahead = if one.status.is_granted() {
        SKEW_MS
    } else {
        DAY_MS
    };
    one.at
        .filter(|at| (2 * DAY_MS..=now.0 + ahead).contains(&at.0))
}

/// What one version of a record says.
pub struct Version {
    says: Vec<About>,
    /// Those of its identifiers.
    slots: Vec<i64>,
    /// Purposes of which it says something that cannot be read.
    unread: Vec<Arc<str>>,
    /// The latest time at which it can have begun to be so.
    at: Timestamp,
    now: Timestamp,
    is_unreadable: bool,
}

impl Version {
    pub fn new(stream: &StreamRef, record: &RecordRow, version: Passed, now: Timestamp) -> Self {
        let speaker = Speaker {
            stream,
            record: record.slot,
            key: &record.key,
            updated_at: version.updated_at,
        };
        Self {
            says: speaker.says(&version.consents, &version.slots, now),
            slots: version.slots,
            unread: version.unread,
            at: version
                .updated_at
                .map_or(now, |updated_at| updated_at.min(now)),
            now,
            is_unreadable: version.is_unreadable,
        }
    }

    /// What is left when this version cannot be used at all.
    fn kept_unread(&self, living: Vec<About>) -> Vec<About> {
        let kept = living.into_iter().filter_map(|(slot, one)| {
            let one = match one.is_refusal() {
                true => Some(one.gone(self.at, self.now)),
                false => (one.force == Force::Echo).then_some(one),
            };
            Some((slot, one?))
        });
        kept.collect()
    }

    /// What is left of a statement about an identifier that the record still has, and of which this version says nothing.
    fn unsaid(&self, before: ConsentStatement, is_remapped: bool) -> Option<ConsentStatement> {
        // I17: a value that cannot be read takes the place of nothing.
        let is_unread = self
            .unread
            .iter()
            .any(|purpose| **purpose == *before.purpose);
        // What the old mapping made of the record was the operator's; what the record is silent about since is its own.
        let goes_on = match is_remapped {
            true => before.gone_at.is_some() || before.force == Force::Echo,
            false => before.is_refusal(),
        };
        (is_unread || goes_on).then(|| match is_remapped || is_unread {
            true => before,
            false => before.gone(self.at, self.now),
        })
    }
}

/// What a record says of consent in its batch.
pub enum Telling {
    Nothing,
    /// Of a record that said nothing before.
    First(Vec<About>),
    Versions(Vec<Version>),
}

/// What a record says in its batch, version by version; `had_said`: it may have said something before.
pub fn telling(
    passed: Vec<Passed>,
    mut put: Option<&mut Put>,
    had_said: bool,
    row: &RecordRow,
    slots: &[i64],
    stream: &StreamRef,
    now: Timestamp,
) -> Telling {
    if !had_said && passed.iter().all(|one| one.consents.is_empty()) {
        let meaning = put.as_mut().and_then(|put| put.meaning.as_mut());
        return match meaning.filter(|meaning| !meaning.consents.is_empty()) {
            Some(meaning) => Telling::First(says_first(meaning, row, slots, stream, now)),
            None => Telling::Nothing,
        };
    }
    let last = put.map_or_else(Passed::default, |put| {
        Passed::last(put.meaning.as_mut(), slots)
    });
    let all = passed.into_iter().chain([last]);
    Telling::Versions(all.map(|one| Version::new(stream, row, one, now)).collect())
}

fn says_first(
    meaning: &Meaning,
    row: &RecordRow,
    slots: &[i64],
    stream: &StreamRef,
    now: Timestamp,
) -> Vec<About> {
    let speaker = Speaker {
        stream,
        record: row.slot,
        key: &row.key,
        updated_at: meaning.canonical.updated_at,
    };
    speaker.says(&meaning.consents, slots, now)
}

/// What the records of a batch said before under other keys, and in versions that came late.
#[derive(Default)]
pub struct Pending {
    /// By the slot at which the record is from now on.
    moved: FxHashMap<i64, Vec<About>>,
    late: Vec<About>,
}

impl Pending {
    /// What a record says at another slot from now on is what it said here. `slots` are those of its identifiers there.
    pub fn move_to(
        &mut self,
        neighbourhood: &mut Neighbourhood,
        prior: &RecordRow,
        to: i64,
        slots: &[i64],
    ) {
        let moved = self.moved.entry(to).or_default();
        for (slot, statement) in take_living(neighbourhood, prior, slots) {
            let record = Some(to);
            moved.push((
                slot,
                ConsentStatement {
                    record,
                    ..statement
                },
            ));
        }
    }

    pub fn has_moved(&self, to: i64) -> bool {
        self.moved.contains_key(&to)
    }

    /// A version that came late: what it refuses stands, unless the record says something else now.
    pub fn late(&mut self, version: Version) {
        let refusals = version.says.into_iter().filter(|(_, one)| one.is_refusal());
        self.late.extend(refusals);
    }

    /// I14: a record's next versions, those first that its batch has replaced. What it refused holds until it says something else; where
    /// the record is gone, or has the identifier no more, that stands on its own. `is_remapped`: only the operator's mapping changed.
    /// Returns whether the record says anything in the end.
    pub fn follow(
        &mut self,
        neighbourhood: &mut Neighbourhood,
        prior: Option<&RecordRow>,
        record: &RecordRow,
        telling: Telling,
        is_remapped: bool,
    ) -> bool {
        let versions = match telling {
            Telling::Nothing => return false,
            Telling::First(says) => return tell(neighbourhood, says, record.evidence_id),
            Telling::Versions(versions) => versions,
        };
        let mut living = match prior {
            Some(prior) => {
                let slots = versions.iter().filter(|_| prior.evidence_id.is_none());
                let slots = slots.flat_map(|version| &version.slots);
                let slots: Vec<i64> = slots.copied().collect();
                take_living(neighbourhood, prior, &slots)
            }
            None => Vec::new(),
        };
        let moved = self.moved.remove(&record.slot);
        let is_reread = is_remapped || moved.is_some();
        living.extend(moved.into_iter().flatten());
        let mut evidence = record.evidence_id;
        for mut version in versions {
            if version.is_unreadable {
                living = version.kept_unread(living);
                evidence = Some(ConsentStatement::UNREADABLE);
                continue;
            }
            evidence = record.evidence_id;
            let mut next = std::mem::take(&mut version.says);
            let new = next.len();
            for (slot, before) in std::mem::take(&mut living) {
                let is_left = !version.slots.contains(&slot);
                // What it says of the purpose now, about the same identifier or about others.
                let about = next[..new]
                    .iter_mut()
                    .filter(|(_, one)| one.purpose == before.purpose);
                let again = about.min_by_key(|(at, _)| *at != slot);
                match again {
                    _ if is_left && before.is_refusal() => {
                        stand(neighbourhood, slot, before.gone(version.at, version.now));
                    }
                    _ if is_left => {}
                    Some((_, again)) if !is_reread && is_taken_back(&before, again) => {
                        stand(neighbourhood, slot, before.gone(version.at, version.now));
                    }
                    Some((at, again)) if *at == slot => keep_time(&before, again, is_reread),
                    // What is agreed for one address is not agreed for another one of the record.
                    Some((at, _))
                        if !is_reread
                            && before.is_refusal()
                            && neighbourhood.are_alike(slot, *at) =>
                    {
                        stand(neighbourhood, slot, before.gone(version.at, version.now));
                    }
                    Some(_) => {}
                    None => {
                        let left = version.unsaid(before, is_remapped);
                        next.extend(left.map(|left| (slot, left)));
                    }
                }
            }
            living = next;
        }
        tell(neighbourhood, living, evidence)
    }

    /// What was moved to a record that did not change stands, and so does what came late and is not said by the same record as it is.
    pub fn end(self, neighbourhood: &mut Neighbourhood, now: Timestamp) {
        for (slot, statement) in self.moved.into_values().flatten() {
            if statement.is_refusal() {
                stand(neighbourhood, slot, statement.gone(now, now));
            }
        }
        for (slot, late) in self.late {
            let of = late.record.unwrap_or_default();
            let is_said =
                |one: &ConsentStatement| is_living(one, of) && one.purpose == late.purpose;
            if !neighbourhood.said(slot).iter().any(is_said) {
                // It cannot have been said later.
                let at = late.time;
                stand(neighbourhood, slot, late.gone(at, now));
            }
        }
    }

    /// What a record says until now; `slots` are those of its identifiers from now on.
    pub fn before<'p>(
        &'p self,
        neighbourhood: &'p Neighbourhood,
        prior: Option<&RecordRow>,
        slot: i64,
        slots: &'p [i64],
    ) -> impl Iterator<Item = &'p ConsentStatement> + Clone {
        let former = prior.and_then(|prior| prior.evidence_id);
        let former = former.map_or(&[][..], |id| neighbourhood.nodes_of(id));
        let said = former.iter().chain(slots);
        let said = said.flat_map(|node| neighbourhood.said(*node));
        let own = said.filter(move |one| is_living(one, slot));
        let moved = self.moved.get(&slot).into_iter().flatten();
        own.chain(moved.map(|(_, statement)| statement))
    }
}

/// Returns whether anything is said.
fn tell(neighbourhood: &mut Neighbourhood, says: Vec<About>, evidence: Option<i64>) -> bool {
    let is_any = !says.is_empty();
    for (slot, statement) in says {
        neighbourhood.said_mut(slot).push(ConsentStatement {
            evidence,
            ..statement
        });
    }
    is_any
}

fn is_living(one: &ConsentStatement, record: i64) -> bool {
    one.record == Some(record) && one.evidence.is_some()
}

/// Takes what a record says out of what is kept. `slots` are those of its identifiers from now on, by which a record is found that could
/// not be used.
fn take_living(neighbourhood: &mut Neighbourhood, prior: &RecordRow, slots: &[i64]) -> Vec<About> {
    match prior.state {
        RecordState::Deleted => Vec::new(),
        _ => neighbourhood.take_said(prior.evidence_id, slots, |one| is_living(one, prior.slot)),
    }
}

/// A refusal stands on its own from now on. Of one record and purpose only what adds something is kept.
fn stand(neighbourhood: &mut Neighbourhood, slot: i64, statement: ConsentStatement) {
    let mut standing = ConsentStatement {
        evidence: None,
        ..statement
    };
    let said = neighbourhood.said_mut(slot);
    let is_less = |a: &ConsentStatement, b: &ConsentStatement| {
        let is_same = b.evidence.is_none() && a.record == b.record && a.purpose == b.purpose;
        is_same && a.is_refusal() && a.time <= b.time && a.refused_at() <= b.refused_at()
    };
    if said.iter().any(|known| is_less(&standing, known)) {
        return;
    }
    let replaced = said.extract_if(.., |known| {
        known.evidence.is_none() && is_less(known, &standing)
    });
    // Since then it is known that somebody refused.
    let learned_at = replaced.filter_map(|known| known.learned_at).min();
    standing.learned_at = learned_at.into_iter().chain(standing.learned_at).min();
    said.push(standing);
}

/// A grant that states an earlier time than the refusal it takes the place of: the refusal was the last word.
fn is_taken_back(before: &ConsentStatement, again: &ConsentStatement) -> bool {
    let both = before.force == Force::Stated && again.force == Force::Stated;
    both && before.is_refusal() && !again.is_refusal() && again.time <= before.time
}

/// The same word without a time of its own is as old as it was: edits of anything else do not make it newer. What another
/// mapping reads has no time that only the old one read.
fn keep_time(before: &ConsentStatement, again: &mut ConsentStatement, is_reread: bool) {
    let is_same = again.status == before.status;
    let has_time = match is_reread {
        true => before.force == Force::Observed,
        false => before.force != Force::Echo,
    };
    if is_same && again.force == Force::Observed && has_time {
        (again.time, again.force) = (before.time, before.force);
    }
    if is_same && again.force == Force::Echo && before.force == Force::Echo {
        again.time = before.time;
    }
}
