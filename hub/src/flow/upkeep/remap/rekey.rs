//! A stream whose key changed: its records move to the stream's next generation, each deleted under its old key and put under
//! the new one in the same transaction. They move in the order in which they came, so that where two have one key now, the
//! result is that of reading them under the new mapping (I2).

use super::{RECORDS, WITH_KEY};
use crate::canonical;
use crate::flow::commit::apply::apply;
use crate::flow::commit::change::{Change, Put, To};
use crate::flow::commit::meaning::{Meaning, mapped};
use crate::flow::commit::stream::StreamRef;
use crate::flow::context::Context;
use crate::flow::intake::land;
use crate::landing::{self, Arrival, Version};
use crate::manifest::Stream;
use crate::model::Timestamp;
use crate::problem::Problem;
use crate::problem::codes::KEY_TAKEN;
use crate::store::{
    DeadLetterRow, Effect, LetterState, RecordRow, RecordState, Result, StoredRecord, StreamRow, Tx,
};
use bytes::Bytes;
use rustc_hash::FxHashMap;

/// Moves what `from` still has to `to`. Returns how many records. Stopped half-way, the next run goes on (I9).
pub(super) async fn rekey(
    context: &Context,
    from: &StreamRow,
    to: &StreamRef,
    plan: &Stream,
) -> Result<i64> {
    let mut after = -1;
    let mut total = 0;
    loop {
        let mut tx = context.begin().await?;
        let rows = tx.records_by_arrival(from.id, after, RECORDS).await?;
        let Some(last) = rows.last() else {
            tx.set_stream_digest(from.id, StreamRow::EMPTIED).await?;
            tx.commit().await?;
            return Ok(total);
        };
        after = last.row.version_id;
        total += rows.len() as i64;
        let moving: Vec<Moving> = rows
            .into_iter()
            .map(|stored| keyed(stored, to, plan))
            .collect();
        let (slots, taken) = assign_slots(&mut tx, to, &moving).await?;
        let left: Vec<(i64, i64)> = (moving.iter().zip(&slots))
            .filter_map(|(one, slot)| Some((one.row.evidence_id?, *slot)))
            .collect();
        let moved = changes(context, to, plan, moving.into_iter().zip(slots), taken);
        apply(&mut tx, context, to, moved.changes).await?;
        follow(&mut tx, &left).await?;
        report(&mut tx, context, to, moved.collisions).await?;
        tx.commit().await?;
    }
}

/// A record with its key under the new mapping.
struct Moving {
    row: RecordRow,
    body: Bytes,
    changed_at: Option<i64>,
    effect: Effect,
    key: String,
    /// Why it has none.
    problem: Option<Problem>,
}

fn keyed(stored: StoredRecord, to: &StreamRef, plan: &Stream) -> Moving {
    let StoredRecord {
        row,
        body,
        changed_at,
        effect,
    } = stored;
    let (key, problem) = match canonical::key_of_line(plan, &to.source, &body) {
        Ok(key) => (key, None),
        Err(problem) => (land::without_key(row.hash), Some(problem)),
    };
    Moving {
        row,
        body: body.into(),
        changed_at,
        effect,
        key,
        problem,
    }
}

/// The slot of each record, and the rows that are there already; a key moves to its next slot where another key has the slot.
async fn assign_slots(
    tx: &mut Tx,
    to: &StreamRef,
    moving: &[Moving],
) -> Result<(Vec<i64>, FxHashMap<i64, RecordRow>)> {
    let first = moving.iter().map(|one| landing::slot_of(to.id, &one.key));
    let mut slots: Vec<i64> = first.collect();
    let mut rows: FxHashMap<i64, RecordRow> = FxHashMap::default();
    let mut owners: FxHashMap<i64, &str> = FxHashMap::default();
    let mut open: Vec<usize> = (0..moving.len()).collect();
    while !open.is_empty() {
        let mut wanted: Vec<i64> = open.iter().map(|index| slots[*index]).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let found = tx.records_at(&wanted).await?;
        rows.extend(found.into_iter().map(|row| (row.slot, row)));
        open.retain(|index| {
            let (key, slot) = (moving[*index].key.as_str(), &mut slots[*index]);
            let is_taken = match rows.get(slot) {
                Some(row) => row.stream_id != to.id || row.key != key,
                None => *owners.entry(*slot).or_insert(key) != key,
            };
            if is_taken {
                *slot = landing::next_slot(*slot);
            }
            is_taken
        });
    }
    Ok((slots, rows))
}

#[derive(Default)]
struct Moved {
    changes: Vec<Change>,
    /// Slot and key of each record under whose new key another one was already.
    collisions: Vec<(i64, String)>,
}

/// What is known under a new key.
#[derive(Default)]
struct Known {
    version: Option<Version>,
    prior: Option<RecordRow>,
    /// The change of this transaction that put the version there.
    index: Option<usize>,
}

impl From<RecordRow> for Known {
    fn from(row: RecordRow) -> Self {
        let version = Version {
            hash: row.hash,
            updated_at: row.updated_at,
        };
        Self {
            version: (row.state != RecordState::Deleted).then_some(version),
            prior: Some(row),
            index: None,
        }
    }
}

fn changes(
    context: &Context,
    to: &StreamRef,
    plan: &Stream,
    moving: impl Iterator<Item = (Moving, i64)>,
    taken: FxHashMap<i64, RecordRow>,
) -> Moved {
    let mut moved = Moved::default();
    let known = taken.into_iter().map(|(slot, row)| (slot, row.into()));
    let mut known: FxHashMap<i64, Known> = known.collect();
    let mut arriving = Vec::new();
    for (one, slot) in moving {
        let put = put(context, to, plan, &one);
        let key = one.row.key.clone();
        moved.push(one.row.slot, key, Some(one.row), To::Moved(slot));
        arriving.push((slot, one.key, put));
    }
    for (slot, key, put) in arriving {
        moved.arrive(slot, key, known.entry(slot).or_default(), put, plan);
    }
    moved
}

impl Moved {
    fn push(&mut self, slot: i64, key: String, prior: Option<RecordRow>, to: To) {
        self.changes.push(Change {
            slot,
            key,
            prior,
            passed: Vec::new(),
            to,
        });
    }

    /// A record under its new key: it becomes current, or is kept as older.
    fn arrive(&mut self, slot: i64, key: String, known: &mut Known, mut put: Put, plan: &Stream) {
        let time = |meaning: &Meaning| meaning.changed_at;
        let mut version = Version {
            hash: put.hash,
            updated_at: put.meaning.as_ref().and_then(time).map(|time| time.0),
        };
        if known.version.is_some() {
            self.collisions.push((slot, key.clone()));
        }
        let stale = |put: Put| To::Stale {
            body: put.body.unwrap_or_default(),
        };
        match landing::decide(known.version, version) {
            Arrival::Stale | Arrival::Unchanged => return self.push(slot, key, None, stale(put)),
            Arrival::Added | Arrival::Changed => {}
        }
        // As where a version that says no time of its own follows another one.
        if let Some(meaning) = &mut put.meaning {
            let since = known.version.and_then(|known| known.updated_at);
            meaning.keep_time(plan, since.map(Timestamp));
            version.updated_at = meaning.changed_at.map(Timestamp::millis);
        }
        known.version = Some(version);
        let put = To::Put(Box::new(put));
        let Some(first) = known.index else {
            known.index = Some(self.changes.len());
            return self.push(slot, key, known.prior.take(), put);
        };
        // A second one in this transaction: the first becomes history.
        if let To::Put(older) = std::mem::replace(&mut self.changes[first].to, put) {
            self.push(slot, key, None, stale(*older));
        }
    }
}

fn put(context: &Context, to: &StreamRef, plan: &Stream, moving: &Moving) -> Put {
    let (mut meaning, problems) = match &moving.problem {
        Some(problem) => (None, vec![problem.clone()]),
        None => mapped(to, plan, context, &moving.key, &moving.body),
    };
    if let Some(meaning) = &mut meaning {
        meaning.keep_time(plan, moving.changed_at.map(Timestamp));
    }
    Put {
        hash: moving.row.hash,
        body: Some(moving.body.clone()),
        effect: moving.effect,
        meaning,
        problems,
    }
}

/// I6: the id of a person whose only record moved resolves to the person who has the record now. `left` has the evidence that
/// each record had, and the record's slot.
async fn follow(tx: &mut Tx, left: &[(i64, i64)]) -> Result<()> {
    let lost = tx
        .without_heir(left.iter().map(|(evidence, _)| *evidence))
        .await?;
    if lost.is_empty() {
        return Ok(());
    }
    let to: FxHashMap<i64, i64> = left.iter().rev().copied().collect();
    let mut slots: Vec<i64> = lost.iter().filter_map(|id| to.get(id).copied()).collect();
    slots.sort_unstable();
    slots.dedup();
    let records = tx.records_at(&slots).await?;
    let now: FxHashMap<i64, i64> = records
        .iter()
        .filter_map(|row| Some((row.slot, row.evidence_id?)))
        .collect();
    let rows = tx.evidence_by_id(now.values().copied()).await?;
    let persons: FxHashMap<i64, i64> = rows
        .iter()
        .filter_map(|row| Some((row.id, row.person_id?)))
        .collect();
    let heirs: Vec<(i64, Option<i64>)> = lost
        .into_iter()
        .filter_map(|id| Some((id, Some(*persons.get(now.get(to.get(&id)?)?)?))))
        .collect();
    tx.save_heirs(&heirs).await
}

/// Adds a dead letter for each key that several stored records have now.
async fn report(
    tx: &mut Tx,
    context: &Context,
    to: &StreamRef,
    collisions: Vec<(i64, String)>,
) -> Result<()> {
    let first = tx.reserve("dead_letter", collisions.len() as i64).await?;
    let letters = (first..)
        .zip(collisions)
        .map(|(id, (slot, key))| DeadLetterRow {
            id,
            kind: "field".to_owned(),
            source: to.source.to_string(),
            stream: to.name.to_string(),
            slot,
            version: 0,
            key,
            field: "key".to_owned(),
            code: KEY_TAKEN.id.to_owned(),
            message:
                "two stored records have this key under the new mapping; the later version counts"
                    .to_owned(),
            hint: Some(WITH_KEY.to_owned()),
            created_at: context.clock.now().0,
            state: LetterState::Open,
            decided: None,
        });
    tx.add_dead_letters(&letters.collect::<Vec<_>>()).await
}
