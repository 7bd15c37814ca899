//! Statements of consent: what the records of a batch say, which refusals outlive their records, and what follows for people.

use crate::flow::commit::change::Passed;
use crate::flow::commit::meaning::Meaning;
use crate::flow::commit::neighbourhood::{Held, Neighbourhood};
use crate::flow::commit::spoken::Spoken;
use crate::flow::commit::stream::StreamRef;
use crate::flow::commit::view::{AddressConsent, ConsentEntry, Consents};
use crate::flow::stored_json::unknown;
use crate::identity;
use crate::manifest::Plan;
use crate::model::{ConsentStatus, Timestamp};
use crate::profile::consent::{Force, Said, Statement, answers};
use crate::store::{ConsentRow, RecordRow, Result, Tx};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;

/// What the versions of a record say, in order: those of its batch that were replaced already, and the one that counts, if it means
/// anything. `slots` are those of its identifiers.
pub fn versions(
    stream: &StreamRef,
    row: &RecordRow,
    passed: &[Passed],
    meaning: Option<&Meaning>,
    slots: &[i64],
    now: Timestamp,
) -> Vec<Vec<ConsentRow>> {
    let speaker = |stated_at| Speaker {
        stream,
        record: row.slot,
        key: &row.key,
        stated_at,
    };
    let versions = passed.iter();
    let versions = versions.map(|one| speaker(one.stated_at).rows(&one.consents, &one.slots, now));
    let last = meaning.map(|meaning| {
        let speaker = speaker(meaning.canonical.stated_at());
        speaker.rows(&meaning.consents, slots, now)
    });
    versions.chain([last.unwrap_or_default()]).collect()
}

/// A record while its statements are written.
pub struct Speaker<'a> {
    pub stream: &'a StreamRef,
    pub record: i64,
    pub key: &'a str,
    /// The time that the record gives itself.
    pub stated_at: Timestamp,
}

impl Speaker<'_> {
    /// Statements as rows, without the evidence; `slots` are those of the record's identifiers.
    pub fn rows(&self, spoken: &[Spoken], slots: &[i64], now: Timestamp) -> Vec<ConsentRow> {
        let seen_at = match self.stated_at {
            Timestamp(0) => now,
            stated_at => stated_at,
        };
        let rows = spoken.iter().flat_map(|one| {
            one.about.iter().map(|index| ConsentRow {
                slot: slots[*index],
                purpose: one.purpose.clone(),
                record: self.record,
                evidence: 0,
                gone_at: 0,
                status: one.status.as_str().to_owned(),
                time: one.at.unwrap_or(seen_at).0,
                force: match one.at {
                    Some(_) => Force::Stated.code(),
                    None => Force::Observed.code(),
                },
                source: self.stream.source.to_string(),
                said_in: [&self.stream.name, "/", self.key].concat(),
                author: None,
                reason: None,
            })
        });
        rows.collect()
    }
}

/// The statements of a batch's records, before and after it.
#[derive(Default)]
pub struct Statements {
    before: FxHashMap<i64, Vec<ConsentRow>>,
    after: Vec<ConsentRow>,
    gone: Vec<ConsentRow>,
    /// Of records that the batch has come to.
    stale: Vec<ConsentRow>,
}

/// What becomes of statements that a record no longer makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsaid {
    /// The vendor changed or deleted the record: its refusals stand on their own from now on.
    Stands,
    /// The operator changed what records mean.
    Goes,
}

impl Statements {
    /// Loads what these records said; their evidence is in the neighbourhood.
    pub async fn load(
        tx: &mut Tx,
        neighbourhood: &Neighbourhood,
        priors: impl Iterator<Item = &RecordRow>,
    ) -> Result<Self> {
        let mut slots: FxHashSet<i64> = FxHashSet::default();
        let mut records: FxHashSet<i64> = FxHashSet::default();
        for prior in priors {
            let Some(evidence) = prior.evidence_id else {
                continue;
            };
            records.insert(prior.slot);
            slots.extend(neighbourhood.nodes_of(evidence));
        }
        let mut consents = Self::default();
        if slots.is_empty() || !tx.has_consents().await? {
            return Ok(consents);
        }
        for row in tx.consents_at(slots).await? {
            if row.gone_at == 0 && records.contains(&row.record) {
                consents.before.entry(row.record).or_default().push(row);
            }
        }
        Ok(consents)
    }

    /// Whether a record said anything of a purpose before.
    pub fn has_said(&self, record: i64, purpose: &str) -> bool {
        let rows = self.before.get(&record);
        rows.is_some_and(|rows| rows.iter().any(|row| row.purpose == purpose))
    }

    /// I14: a record's next version, after which its refusals stand on their own if it does not repeat them. `versions` are what it
    /// said in versions that this batch has already replaced, in order, and what it says now.
    pub fn follow(
        &mut self,
        record: &RecordRow,
        versions: Vec<Vec<ConsentRow>>,
        unsaid: Unsaid,
        now: Timestamp,
    ) {
        let before = self.before.remove(&record.slot).unwrap_or_default();
        self.stale.extend(before.iter().cloned());
        let mut living = before;
        for mut next in versions {
            for row in std::mem::take(&mut living) {
                let same =
                    |one: &&mut ConsentRow| one.slot == row.slot && one.purpose == row.purpose;
                match next.iter_mut().find(same) {
                    Some(again) => keep_time(&row, again),
                    None if unsaid == Unsaid::Stands && is_refusal(&row) => {
                        self.gone.push(gone(row, now));
                    }
                    None => {}
                }
            }
            living = next;
        }
        for row in &mut living {
            row.evidence = record.evidence_id.unwrap_or_default();
        }
        self.after.append(&mut living);
    }

    /// What a record said is what the record at another slot said, whose next version is still to come.
    pub fn move_to(&mut self, from: i64, to: i64) {
        let rows = self.before.remove(&from).unwrap_or_default();
        self.stale.extend(rows.iter().cloned());
        let rows = rows.into_iter().map(|row| ConsentRow { record: to, ..row });
        self.before.entry(to).or_default().extend(rows);
    }

    /// Rows to remove and rows to save, each sorted by key.
    pub fn done(mut self, now: Timestamp) -> Written {
        // What was moved to a record that did not change keeps standing.
        let left = self.before.into_values().flatten().filter(is_refusal);
        self.gone.extend(left.map(|row| gone(row, now)));
        let (mut remove, mut save) = (self.stale, self.after);
        save.append(&mut self.gone);
        save.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
        remove.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
        let find = |rows: &[ConsentRow], row: &ConsentRow| {
            let found = rows.binary_search_by(|one| one.key().cmp(&row.key()));
            found.ok()
        };
        let is_same = |row: &ConsentRow| find(&remove, row).is_some_and(|at| remove[at] == *row);
        let (same, save): (Vec<_>, Vec<_>) = save.into_iter().partition(is_same);
        remove.retain(|row| find(&same, row).is_none() && find(&save, row).is_none());
        Written { remove, save }
    }
}

/// A refusal that stands on its own from now on.
fn gone(row: ConsentRow, now: Timestamp) -> ConsentRow {
    ConsentRow {
        gone_at: now.0,
        evidence: 0,
        ..row
    }
}

/// The same word without a time of its own is as old as it was: edits of anything else do not make it newer.
fn keep_time(before: &ConsentRow, again: &mut ConsentRow) {
    if again.force == Force::Observed.code() && again.status == before.status {
        again.time = before.time;
    }
}

fn is_refusal(row: &ConsentRow) -> bool {
    row.status != ConsentStatus::Granted.as_str()
}

/// What a batch changes of the stored statements.
#[derive(Default)]
pub struct Written {
    pub remove: Vec<ConsentRow>,
    pub save: Vec<ConsentRow>,
}

impl Written {
    pub async fn save(&self, tx: &mut Tx) -> Result<()> {
        if !self.remove.is_empty() {
            tx.remove_consents(&self.remove).await?;
        }
        match self.save.is_empty() {
            true => Ok(()),
            false => tx.save_consents(&self.save).await,
        }
    }

    /// The identifiers about which something else is said now.
    pub fn changed(&self) -> impl Iterator<Item = i64> {
        let rows = self.remove.iter().chain(&self.save);
        rows.map(|row| row.slot)
    }
}

/// A person and what it is known by.
pub struct Known<'a> {
    pub id: i64,
    pub evidence: &'a [i64],
    pub held: Vec<Held>,
}

/// What holds for people.
pub async fn consents_of(
    tx: &mut Tx,
    plan: &Plan,
    people: &[Known<'_>],
) -> Result<FxHashMap<i64, Consents>> {
    let mut found = FxHashMap::default();
    let slots = people.iter().flat_map(|person| &person.held);
    let rows = tx.consents_at(slots.map(|held| held.slot)).await?;
    let rows = rows_by_slot(&rows);
    for person in people {
        let said = said(plan, &person.held, person.evidence, &rows)?;
        if !said.is_empty() {
            found.insert(person.id, entries(&said));
        }
    }
    Ok(found)
}

/// What a resolved person is known by; `slot` gives that of each node.
pub fn held_in(
    graph: &identity::Neighbourhood,
    person: &identity::Person,
    rules: &identity::Rules,
    slot: impl Fn(u32) -> i64,
) -> Vec<Held> {
    let mut held: BTreeMap<u32, bool> = BTreeMap::new();
    for index in &person.evidence {
        let piece = &graph.evidence[*index as usize];
        let nodes = piece
            .nodes
            .iter()
            .map(|node| (*node, &graph.nodes[*node as usize]));
        let live = nodes.clone().filter(|(_, node)| node.is_live());
        let joined = rules.joined(
            &piece.message,
            live.map(|(at, node)| (at, &*node.identifier)),
        );
        for (at, _) in nodes {
            *held.entry(at).or_default() |= joined.contains(&at);
        }
    }
    let held = held.into_iter().map(|(at, is_live)| Held {
        slot: slot(at),
        identifier: graph.nodes[at as usize].identifier.clone(),
        is_live,
    });
    held.collect()
}

/// Rows of one identifier after another, by its slot.
pub type BySlot<'a> = FxHashMap<i64, &'a [ConsentRow]>;

pub fn rows_by_slot(rows: &[ConsentRow]) -> BySlot<'_> {
    let chunks = rows.chunk_by(|a, b| a.slot == b.slot);
    chunks.map(|rows| (rows[0].slot, rows)).collect()
}

/// What was said about a person; `evidence` is the person's.
///
/// Of a purpose with a channel, statements at other identifiers are about the person as such, and refuse. A record's statement of that kind
/// is about the person who has the record; one that stands on its own is about everybody who has the identifier. An address that
/// joins nobody is a person's where a record of that person speaks of it; then everything counts that anybody said about it.
pub fn said<'a>(
    plan: &Plan,
    held: &'a [Held],
    evidence: &[i64],
    rows: &BySlot<'a>,
) -> Result<Vec<Said<'a>>> {
    let mut said = Vec::new();
    for one in held {
        let rows = rows.get(&one.slot).copied().unwrap_or_default();
        let is_own = |row: &ConsentRow| row.evidence > 0 && evidence.contains(&row.evidence);
        for row in rows {
            let channel = plan.channel_of(&row.purpose);
            let is_address = channel.is_some_and(|channel| channel.kind() == one.identifier.kind);
            let counts = match is_address {
                true => {
                    let mut rows = rows.iter();
                    one.is_live || rows.any(|own| own.purpose == row.purpose && is_own(own))
                }
                false => {
                    let is_its = is_own(row) || row.evidence == 0;
                    is_its && (channel.is_none() || is_refusal(row))
                }
            };
            if counts {
                said.push(Said {
                    purpose: &row.purpose,
                    address: is_address.then_some(one.identifier.value.as_str()),
                    statement: statement(row)?,
                });
            }
        }
    }
    Ok(said)
}

pub fn statement(row: &ConsentRow) -> Result<Statement<'_>> {
    Ok(Statement {
        status: ConsentStatus::parse(&row.status)
            .ok_or_else(|| unknown("consent.status", row.slot))?,
        time: Timestamp(row.time),
        force: Force::from_code(row.force).ok_or_else(|| unknown("consent.force", row.slot))?,
        gone_at: (row.gone_at > 0).then_some(Timestamp(row.gone_at)),
        source: &row.source,
        record: &row.said_in,
    })
}

/// As a profile keeps them.
pub fn entries(said: &[Said<'_>]) -> Consents {
    let entries = answers(said).into_iter().map(|(purpose, answer)| {
        let addresses = answer.addresses.into_iter().map(|(address, by)| {
            let consent = AddressConsent {
                status: by.status,
                time: by.time.0,
                source: by.source.to_owned(),
            };
            (address.to_owned(), consent)
        });
        let entry = ConsentEntry {
            status: answer.by.status,
            time: answer.by.time.0,
            source: answer.by.source.to_owned(),
            addresses: addresses.collect(),
        };
        (purpose.to_owned(), entry)
    });
    entries.collect()
}

/// The evidence of people for whom other statements count now: those known by the identifiers, whose evidence is loaded, and those
/// whose records speak of them.
pub async fn concerned(
    tx: &mut Tx,
    neighbourhood: &mut Neighbourhood,
    written: &Written,
) -> Result<Vec<i64>> {
    let slots: FxHashSet<i64> = written.changed().collect();
    if slots.is_empty() {
        return Ok(Vec::new());
    }
    let speaking = tx.consents_at(slots.iter().copied()).await?;
    let speaking = speaking.iter().map(|row| row.evidence);
    let speaking: Vec<i64> = speaking.filter(|id| *id > 0).collect();
    neighbourhood.load(tx, &[], &speaking).await?;
    let mut concerned = neighbourhood.evidence_with(&slots);
    concerned.extend(speaking);
    Ok(concerned)
}
