//! Landing: compares the lines of a batch with the records known under their keys. Reads only; `apply` writes.

use crate::canonical;
use crate::flow::commit::change::{Change, Counts, Passed, Put, To};
use crate::flow::commit::meaning::mapped;
use crate::flow::commit::stream::StreamRef;
use crate::flow::context::Context;
use crate::flow::intake::range::Range;
use crate::landing::{self, Arrival, Line, Version};
use crate::manifest::Stream;
use crate::model::Timestamp;
use crate::problem::Problem;
use crate::store::{Effect, RecordRow, RecordState, Result, Store};
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The rows of one or more batches of a stream, in the order in which they came: what comes later counts.
#[derive(Debug, Clone, Default)]
pub struct Arrived(Vec<(Kind, Bytes)>);

/// What the lines of a chunk are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// JSON lines.
    Upserts,
    /// JSON lines with the key fields only.
    Deletes,
}

impl Arrived {
    /// Adds a batch. Within one batch, upserts count before deletes.
    pub fn add(&mut self, upserts: Bytes, deletes: Option<Bytes>) {
        self.0.push((Kind::Upserts, upserts));
        let deletes = deletes.map(|deletes| (Kind::Deletes, deletes));
        self.0.extend(deletes);
    }
}

/// Where a read began.
#[derive(Debug, Clone)]
pub struct Since {
    /// The first version that the read could make: a record with it or a later one came in this read already.
    pub version: i64,
    /// It is a full read: an older stored version is replaced by what arrives, whatever their times.
    pub is_full: bool,
    /// It is a backfill in parallel with other reads: what those stored since it began is newer, unless times say otherwise.
    pub range: Option<Arc<Range>>,
}

impl Since {
    /// Whether another read stored a version that a backfill leaves alone.
    fn is_newer(&self, stored: Option<i64>) -> bool {
        self.range.is_some() && stored.is_some_and(|stored| stored >= self.version)
    }
}

/// What landing found.
#[derive(Debug, Default)]
pub struct Landed {
    pub changes: Vec<Change>,
    pub counts: Counts,
    /// The stored versions of the records that came again and did not change.
    pub unchanged_versions: Vec<i64>,
    /// The preferred slots of changed records that are stored elsewhere because another record has the slot.
    pub displaced: Vec<i64>,
}

/// A line with its key, before it is known whether anything changed.
struct Keyed<'a> {
    /// What the line is cut from; its body stays a part of it.
    chunk: &'a Bytes,
    line: Line<'a>,
    key: String,
    slot: i64,
    problem: Option<Problem>,
    kind: Kind,
}

/// The lines of a batch with their keys.
pub struct Lines<'a>(Vec<Keyed<'a>>);

impl Lines<'_> {
    /// The slots of the records of these lines, to be compared with records that are still being written.
    pub fn slots(&self) -> impl Iterator<Item = i64> {
        self.0.iter().map(|keyed| keyed.slot)
    }
}

pub fn key_lines<'a>(stream: &StreamRef, plan: &Stream, arrived: &'a Arrived) -> Lines<'a> {
    let mut keyed = Vec::new();
    for (kind, chunk) in &arrived.0 {
        for line in landing::lines(chunk) {
            keyed.push(key(stream, plan, chunk, line, *kind));
        }
    }
    Lines(keyed)
}

/// Compares what arrived with what is known, and maps what is new.
pub async fn land(
    context: &Context,
    stream: &StreamRef,
    plan: &Stream,
    lines: Lines<'_>,
    since: Since,
) -> Result<Landed> {
    let mut keyed = lines.0;
    if let Some(range) = &since.range {
        keyed.retain(|one| range.has_key(&one.key));
    }
    let known = known(&context.store, stream, &mut keyed).await?;
    let mut comparing = Comparing {
        context,
        stream,
        plan,
        since,
        passing: FxHashMap::default(),
        landed: Landed::default(),
    };
    comparing.all(keyed, known);
    Ok(comparing.landed)
}

// I17: a line that cannot be read is set aside, and the others go on.
fn key<'a>(
    stream: &StreamRef,
    plan: &Stream,
    chunk: &'a Bytes,
    line: Line<'a>,
    kind: Kind,
) -> Keyed<'a> {
    let found = canonical::key_of_line(plan, &stream.source, line.body);
    let (key, kind, problem) = match found {
        Ok(key) => (key, kind, None),
        // A deletion whose key cannot be read is set aside, too.
        Err(problem) => (without_key(line.hash), Kind::Upserts, Some(problem)),
    };
    let slot = landing::slot_of(stream.id, &key);
    Keyed {
        chunk,
        line,
        key,
        slot,
        problem,
        kind,
    }
}

/// What a record without a key has instead of one.
pub fn without_key(hash: i64) -> String {
    format!("no key, version {hash:016x}")
}

/// The rows of the keys, by slot; moves a key to its next slot where another key has the slot.
async fn known(
    store: &Store,
    stream: &StreamRef,
    keyed: &mut [Keyed<'_>],
) -> Result<FxHashMap<i64, RecordRow>> {
    let mut tx = store.read().await?;
    let mut rows: FxHashMap<i64, RecordRow> = FxHashMap::default();
    // The first line of each slot that has no row.
    let mut owners: FxHashMap<i64, usize> = FxHashMap::default();
    owners.reserve(keyed.len());
    let mut open: Vec<usize> = (0..keyed.len()).collect();
    while !open.is_empty() {
        let mut slots: Vec<i64> = open.iter().map(|index| keyed[*index].slot).collect();
        slots.sort_unstable();
        slots.dedup();
        for row in tx.records_at(&slots).await? {
            rows.insert(row.slot, row);
        }
        let mut moved = Vec::new();
        for index in open {
            let item = &keyed[index];
            let taken = match rows.get(&item.slot) {
                Some(row) => row.stream_id != stream.id || row.key != item.key,
                None => keyed[*owners.entry(item.slot).or_insert(index)].key != item.key,
            };
            if taken {
                keyed[index].slot = landing::next_slot(item.slot);
                moved.push(index);
            }
        }
        open = moved;
    }
    Ok(rows)
}

/// One record while the batch goes through.
struct Passing {
    /// The stored row.
    prior: Option<RecordRow>,
    /// Index into `changes` of the record's change, if there is one already.
    change: Option<usize>,
    now: Now,
}

/// What is known of a record at some line of a batch.
#[derive(Clone, Copy)]
enum Now {
    /// Never seen, or deleted.
    Absent,
    /// With the version in the store, or without one when it came in this batch.
    There(Version, Option<i64>),
}

impl Passing {
    fn of(prior: Option<RecordRow>) -> Self {
        let now = match &prior {
            Some(row) if row.state != RecordState::Deleted => {
                Now::There(version_of(row), Some(row.version_id))
            }
            _ => Now::Absent,
        };
        Self {
            prior,
            change: None,
            now,
        }
    }
}

struct Comparing<'a> {
    context: &'a Context,
    stream: &'a StreamRef,
    plan: &'a Stream,
    since: Since,
    /// By slot.
    passing: FxHashMap<i64, Passing>,
    landed: Landed,
}

impl Comparing<'_> {
    fn all(&mut self, keyed: Vec<Keyed<'_>>, mut known: FxHashMap<i64, RecordRow>) {
        self.passing.reserve(keyed.len());
        self.landed.changes.reserve(keyed.len());
        for item in keyed {
            let passing = self.passing.entry(item.slot);
            let now = passing
                .or_insert_with(|| Passing::of(known.remove(&item.slot)))
                .now;
            match (item.kind, now) {
                (Kind::Upserts, now) => self.upsert(item, now),
                (Kind::Deletes, Now::There(_, stored)) if self.since.is_newer(stored) => {}
                (Kind::Deletes, Now::There(..)) => self.change(item, To::Deleted, Now::Absent),
                // It is unknown or deleted already.
                (Kind::Deletes, Now::Absent) => {}
            }
        }
    }

    fn upsert(&mut self, item: Keyed<'_>, now: Now) {
        // I10: the line is a duplicate, or becomes a version with its meaning or with the reason why it has none.
        self.landed.counts.read += 1;
        let (known, stored) = match now {
            Now::Absent => (None, None),
            Now::There(version, stored) => (Some(version), stored),
        };
        if known.is_some_and(|known| known.hash == item.line.hash) {
            return self.stays(stored);
        }
        let mut put = Box::new(map(self.stream, self.plan, self.context, &item));
        let meaning = put.meaning.as_ref();
        if let (Some(range), Some(meaning)) = (&self.since.range, meaning)
            && !range.has_time(&meaning.canonical)
        {
            self.landed.counts.read -= 1;
            return;
        }
        let updated_at = meaning.and_then(|meaning| meaning.canonical.updated_at);
        let mut version = Version {
            hash: put.hash,
            updated_at: updated_at.map(|time| time.0),
        };
        let since = known.and_then(|known| known.updated_at);
        // Of two versions of which one tells no time, what the live read returned since counts.
        let untold = since.is_none() || version.updated_at.is_none();
        if untold && self.since.is_newer(stored) {
            return self.stays(stored);
        }
        // What a full read returns is the current state.
        let is_outdated = |stored| self.since.is_full && stored < self.since.version;
        let known = known.map(|known| Version {
            updated_at: known
                .updated_at
                .filter(|_| !stored.is_some_and(is_outdated)),
            ..known
        });
        if landing::decide(known, version) == Arrival::Stale {
            self.stays(stored);
            let said = Passed::of(put.meaning);
            return self.keep(item.slot, item.key, put.body, Some(said));
        }
        if let Some(meaning) = &mut put.meaning {
            meaning.keep_time(self.plan, since.map(Timestamp));
            version.updated_at = meaning.changed_at.map(Timestamp::millis);
        }
        self.change(item, To::Put(put), Now::There(version, None));
    }

    /// The record came and did not change. Pages overlap on purpose, so what came in this read already is not counted again.
    fn stays(&mut self, stored: Option<i64>) {
        match stored.is_none_or(|stored| stored >= self.since.version) {
            true => self.landed.counts.read -= 1,
            false => self.landed.counts.unchanged += 1,
        }
        self.landed.unchanged_versions.extend(stored);
    }

    /// Stores a version that has no effect.
    fn keep(&mut self, slot: i64, key: String, body: Option<Bytes>, said: Option<Passed>) {
        if let Some(body) = body {
            self.landed.changes.push(Change {
                slot,
                key,
                prior: None,
                passed: said.into_iter().collect(),
                to: To::Stale { body },
            });
        }
    }

    /// The record changes with this line. What an earlier line of the batch made of it becomes history.
    fn change(&mut self, item: Keyed<'_>, to: To, now: Now) {
        let Keyed { slot, key, .. } = item;
        let passing = self.passing.get_mut(&slot).expect("`all` made it");
        passing.now = now;
        let Some(index) = passing.change else {
            passing.change = Some(self.landed.changes.len());
            let home = landing::slot_of(self.stream.id, &key);
            self.landed.displaced.extend((home != slot).then_some(home));
            self.landed.changes.push(Change {
                slot,
                key,
                prior: passing.prior.take(),
                passed: Vec::new(),
                to,
            });
            return;
        };
        let change = &mut self.landed.changes[index];
        let (passed, body) = match std::mem::replace(&mut change.to, to) {
            To::Put(put) => (Passed::of(put.meaning), put.body),
            To::Stale { .. } | To::Deleted | To::Moved(_) => (Passed::default(), None),
        };
        change.passed.push(passed);
        self.keep(slot, key, body, None);
    }
}

fn version_of(row: &RecordRow) -> Version {
    Version {
        hash: row.hash,
        updated_at: row.updated_at,
    }
}

fn map(stream: &StreamRef, plan: &Stream, context: &Context, item: &Keyed<'_>) -> Put {
    let (meaning, problems) = match &item.problem {
        Some(problem) => (None, vec![problem.clone()]),
        None => mapped(stream, plan, context, &item.key, item.line.body),
    };
    Put {
        hash: item.line.hash,
        body: Some(item.chunk.slice_ref(item.line.body)),
        effect: Effect::Current,
        meaning,
        problems,
    }
}
