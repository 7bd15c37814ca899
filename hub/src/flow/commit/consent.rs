//! Statements of consent: what the records of a batch say, which refusals outlive their records, and what follows for people.

use crate::flow::commit::change::{Change, Passed, To};
use crate::flow::commit::meaning::Meaning;
use crate::flow::commit::neighbourhood::{Held, Neighbourhood};
use crate::flow::commit::spoken::Spoken;
use crate::flow::commit::stream::StreamRef;
use crate::flow::commit::view::{AddressConsent, ConsentEntry, Consents};
use crate::flow::context::Context;
use crate::flow::stored_json::unknown;
use crate::identity;
use crate::manifest::Plan;
use crate::model::{ConsentStatus, Timestamp};
use crate::profile::consent::{Force, Said, Statement, answers};
use crate::store::{ConsentRow, RecordRow, Result, Tx};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};

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

const DAY_MS: i64 = 86_400_000;

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
            stated_at => stated_at.min(now),
        };
        // Nobody agreed in the future: a typing error, or the day until which it holds.
        let stated = |one: &Spoken| one.at.filter(|at| at.0 <= now.0 + DAY_MS);
        let rows = spoken.iter().flat_map(|one| {
            one.about.iter().map(|index| ConsentRow {
                slot: slots[*index],
                purpose: one.purpose.clone(),
                record: self.record,
                evidence: NOBODY,
                gone_at: 0,
                status: one.status.as_str().to_owned(),
                time: stated(one).unwrap_or(seen_at).0,
                force: match stated(one) {
                    _ if one.is_echo => Force::Echo.code(),
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
    /// Of versions that came late.
    late: Vec<ConsentRow>,
    /// What records said that are at other slots from now on, by these.
    moved: FxHashMap<i64, Vec<ConsentRow>>,
}

/// The evidence of a statement without a record.
pub const NOBODY: i64 = -1;

/// What becomes of statements that a record no longer makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsaid {
    /// The vendor changed or deleted the record: its refusals stand on their own from now on.
    Stands,
    /// The operator changed what records mean.
    Goes,
}

impl Statements {
    /// Loads what the changed records of a stream said before; their evidence is in the neighbourhood.
    pub async fn load(
        tx: &mut Tx,
        context: &Context,
        stream: &StreamRef,
        neighbourhood: &Neighbourhood,
        changes: &[Change],
    ) -> Result<Self> {
        // Where the stream says nothing of consent, only records that an earlier mapping read may have said something.
        let speaks = context
            .stream(stream)
            .is_none_or(|plan| !plan.consent.is_empty());
        let mapped_again = |to: &To| match to {
            To::Put(put) => put.body.is_none(),
            To::Moved(_) => true,
            To::Stale { .. } | To::Deleted => false,
        };
        let changes = changes
            .iter()
            .filter(|change| speaks || mapped_again(&change.to));
        let priors = changes.filter_map(|change| change.prior.as_ref());
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
        self.has(record, purpose, &|force| force != Force::Echo.code())
    }

    /// Whether a record only said of a purpose what the hub had made it say.
    pub fn was_echo(&self, record: i64, purpose: &str) -> bool {
        self.has(record, purpose, &|force| force == Force::Echo.code())
    }

    fn has(&self, record: i64, purpose: &str, is_meant: &dyn Fn(i64) -> bool) -> bool {
        let rows = [&self.before, &self.moved].into_iter();
        let mut rows = rows.filter_map(|of| of.get(&record)).flatten();
        rows.any(|row| row.purpose == purpose && is_meant(row.force))
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
        let mut living = self.before.remove(&record.slot).unwrap_or_default();
        self.stale.extend(living.iter().cloned());
        let unsaid = match self.moved.remove(&record.slot) {
            // Under another key it is the operator's new mapping that speaks.
            Some(moved) => {
                living.extend(moved);
                Unsaid::Goes
            }
            None => unsaid,
        };
        for mut next in versions {
            for row in std::mem::take(&mut living) {
                let same =
                    |one: &&mut ConsentRow| one.slot == row.slot && one.purpose == row.purpose;
                match next.iter_mut().find(same) {
                    Some(again) if is_taken_back(&row, again) => self.gone.push(gone(row, now)),
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
            row.evidence = record.evidence_id.unwrap_or(NOBODY);
        }
        self.after.append(&mut living);
    }

    /// What a record says at another slot from now on is what the record said here.
    pub fn move_to(&mut self, from: i64, to: i64) {
        let rows = self.before.remove(&from).unwrap_or_default();
        self.stale.extend(rows.iter().cloned());
        let rows = rows.into_iter().map(|row| ConsentRow { record: to, ..row });
        self.moved.entry(to).or_default().extend(rows);
    }

    /// A version that came late, with what it said: it refuses all the same, unless the record says something else now.
    pub fn late(&mut self, rows: Vec<ConsentRow>) {
        self.late.extend(rows.into_iter().filter(is_refusal));
    }

    /// Adds what came late and is not said by the same record as it is.
    pub async fn add_late(&mut self, tx: &mut Tx, now: Timestamp) -> Result<()> {
        if self.late.is_empty() {
            return Ok(());
        }
        let late = std::mem::take(&mut self.late);
        let living = tx.consents_at(late.iter().map(|row| row.slot)).await?;
        let subject = |row: &ConsentRow| (row.slot, row.purpose.clone(), row.record);
        let stale: FxHashSet<_> = self.stale.iter().map(subject).collect();
        let living = living.iter().filter(|row| row.gone_at == 0).map(subject);
        let living = living.filter(|subject| !stale.contains(subject));
        let said: FxHashSet<_> = living.chain(self.after.iter().map(subject)).collect();
        let unsaid = late.into_iter().filter(|row| !said.contains(&subject(row)));
        self.gone.extend(unsaid.map(|row| gone(row, now)));
        Ok(())
    }

    /// Rows to remove and rows to save, each sorted by key.
    pub fn done(mut self, now: Timestamp) -> Written {
        // What was moved to a record that did not change keeps standing.
        let left = self.moved.into_values().flatten().filter(is_refusal);
        self.gone.extend(left.map(|row| gone(row, now)));
        let (mut remove, mut save) = (self.stale, self.after);
        save.append(&mut self.gone);
        // Of two refusals that one record ceased to say at once the later counts.
        save.sort_by(|a, b| a.key().cmp(&b.key()).then_with(|| b.time.cmp(&a.time)));
        save.dedup_by(|a, b| a.key() == b.key());
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
        evidence: NOBODY,
        ..row
    }
}

/// A grant that states an earlier time than the refusal it takes the place of: the refusal was the last word.
fn is_taken_back(before: &ConsentRow, again: &ConsentRow) -> bool {
    let is_stated = |row: &ConsentRow| row.force == Force::Stated.code();
    let both = is_stated(before) && is_stated(again);
    both && is_refusal(before) && !is_refusal(again) && again.time <= before.time
}

/// The same word without a time of its own is as old as it was: edits of anything else do not make it newer.
fn keep_time(before: &ConsentRow, again: &mut ConsentRow) {
    if again.force == Force::Observed.code() && again.status == before.status {
        (again.time, again.force) = (before.time, before.force);
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

/// The loaded evidence with an identifier about which anything was said.
pub async fn spoken_of(tx: &mut Tx, neighbourhood: &Neighbourhood) -> Result<Vec<i64>> {
    if !tx.has_consents().await? {
        return Ok(Vec::new());
    }
    let nodes = neighbourhood.nodes();
    let slots = nodes.iter().flat_map(|(_, slots)| slots.iter().copied());
    let rows = tx.consents_at(slots).await?;
    let slots: FxHashSet<i64> = rows.iter().map(|row| row.slot).collect();
    Ok(neighbourhood.evidence_with(&slots))
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
    let evidence: FxHashSet<i64> = evidence.iter().copied().collect();
    for one in held {
        let rows = rows.get(&one.slot).copied().unwrap_or_default();
        let counts = |row: &&ConsentRow| row.force != Force::Echo.code();
        let own = rows.iter().filter(counts);
        let own = own.filter(|row| evidence.contains(&row.evidence));
        let own: BTreeSet<&str> = own.map(|row| row.purpose.as_str()).collect();
        for purpose in rows.chunk_by(|a, b| a.purpose == b.purpose) {
            let name = purpose[0].purpose.as_str();
            let channel = plan.channel_of(name);
            let is_address = channel.is_some_and(|channel| channel.kind() == one.identifier.kind);
            if is_address && !one.is_live && !own.contains(name) {
                continue;
            }
            for row in purpose.iter().filter(counts) {
                let is_its = is_address
                    || evidence.contains(&row.evidence)
                    || (row.evidence == NOBODY && (one.is_live || row.record == 0));
                let is_said = is_address || channel.is_none() || is_refusal(row);
                if is_its && is_said {
                    said.push(Said {
                        purpose: name,
                        address: is_address.then_some(one.identifier.value.as_str()),
                        statement: statement(row)?,
                    });
                }
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
    let all: Vec<i64> = slots.iter().copied().collect();
    neighbourhood.load_around(tx, &all).await?;
    let speaking = tx.consents_at(slots.iter().copied()).await?;
    let speaking = speaking.iter().map(|row| row.evidence);
    let mut speaking: Vec<i64> = speaking.filter(|id| *id != NOBODY).collect();
    // An operator may speak of an identifier that several people have.
    if written.save.iter().any(|row| row.record == 0) {
        let pairs = tx.evidence_of_shared(all).await?;
        speaking.extend(pairs.into_iter().map(|(_, evidence)| evidence));
    }
    neighbourhood.load(tx, &[], &speaking).await?;
    let mut concerned = neighbourhood.evidence_with(&slots);
    concerned.extend(speaking);
    Ok(concerned)
}
