//! Landing: the lines of a batch against the records known under their keys. Reads only; `apply` writes.

use crate::canonical;
use crate::flow::Context;
use crate::flow::change::{Change, Counts, Meaning, Put, StreamRef, To};
use crate::flow::settle::Told;
use crate::landing::{self, Arrival, Line, Version, slot_of_identifier};
use crate::manifest::Stream;
use crate::problem::Problem;
use crate::store::{RecordRow, RecordState, Result, Store};
use bytes::Bytes;
use rustc_hash::FxHashMap;

/// The rows of one or more batches of a stream.
#[derive(Debug, Default)]
pub struct Arrived {
    /// JSON lines.
    pub upserts: Vec<Bytes>,
    /// JSON lines with the key fields only.
    pub deletes: Vec<Bytes>,
}

/// What landing found.
#[derive(Debug, Default)]
pub struct Landed {
    pub changes: Vec<Change>,
    pub counts: Counts,
    /// Versions of the records that came again without a change.
    pub unchanged_versions: Vec<i64>,
}

/// A line with its key, before it is known whether anything changed.
struct Keyed<'a> {
    /// What the line is cut from; its body stays a part of it.
    chunk: &'a Bytes,
    line: Line<'a>,
    key: String,
    slot: i64,
    problem: Option<Problem>,
    /// None for a deletion.
    is_delete: bool,
}

/// The lines of a batch with their keys.
pub struct Lines<'a>(Vec<Keyed<'a>>);

impl Lines<'_> {
    /// Where the records of these lines are, to be compared with those that are still being written.
    pub fn slots(&self) -> impl Iterator<Item = i64> {
        self.0.iter().map(|keyed| keyed.slot)
    }
}

/// I17: a line that cannot be read is a record without a key, and stops nothing.
pub fn key_lines<'a>(stream: &StreamRef, plan: &Stream, arrived: &'a Arrived) -> Lines<'a> {
    let mut keyed = Vec::new();
    for (chunks, is_delete) in [(&arrived.upserts, false), (&arrived.deletes, true)] {
        for chunk in chunks {
            for line in landing::lines(chunk) {
                keyed.push(key(stream, plan, chunk, line, is_delete));
            }
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
) -> Result<Landed> {
    let mut keyed = lines.0;
    let known = known(&context.store, stream, &mut keyed).await?;
    Ok(compare(stream, plan, context, keyed, known))
}

fn key<'a>(
    stream: &StreamRef,
    plan: &Stream,
    chunk: &'a Bytes,
    line: Line<'a>,
    is_delete: bool,
) -> Keyed<'a> {
    let found = canonical::key_of_line(plan, &stream.source, line.body);
    let (key, problem) = match found {
        Ok(key) => (key, None),
        Err(problem) => (without_key(line.hash), Some(problem)),
    };
    let slot = landing::slot_of(stream.id, &key);
    Keyed {
        chunk,
        line,
        key,
        slot,
        problem,
        is_delete,
    }
}

/// What stands in the place of the key of a record that has none.
pub fn without_key(hash: i64) -> String {
    format!("no key, version {hash:016x}")
}

/// The rows of the keys, by slot; moves a key on where another holds its slot.
async fn known(
    store: &Store,
    stream: &StreamRef,
    keyed: &mut [Keyed<'_>],
) -> Result<FxHashMap<i64, RecordRow>> {
    let mut tx = store.read().await?;
    let mut rows: FxHashMap<i64, RecordRow> = FxHashMap::default();
    let mut owners: FxHashMap<i64, String> = FxHashMap::default();
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
            let item = &mut keyed[index];
            let taken = match rows.get(&item.slot) {
                Some(row) => row.stream_id != stream.id || row.key != item.key,
                None => *owners.entry(item.slot).or_insert_with(|| item.key.clone()) != item.key,
            };
            if taken {
                item.slot = landing::next_slot(item.slot);
                moved.push(index);
            }
        }
        open = moved;
    }
    Ok(rows)
}

/// The newest state of a record while the batch goes through.
struct Candidate {
    prior: Option<RecordRow>,
    current: Option<(Version, usize)>,
}

fn compare(
    stream: &StreamRef,
    plan: &Stream,
    context: &Context,
    keyed: Vec<Keyed<'_>>,
    mut known: FxHashMap<i64, RecordRow>,
) -> Landed {
    let mut landed = Landed::default();
    let mut places: FxHashMap<i64, Candidate> = FxHashMap::default();
    for item in keyed {
        let candidate = places.entry(item.slot).or_insert_with(|| Candidate {
            prior: known.remove(&item.slot),
            current: None,
        });
        if item.is_delete {
            if let Some(problem) = &item.problem {
                // What it deletes is not known; a full read finds out.
                tracing::warn!(source = %stream.source, stream = %stream.name, code = problem.code.id, "a deletion without a key");
            }
            delete(&mut landed, candidate, item);
            continue;
        }
        landed.counts.read += 1;
        let prior = candidate
            .prior
            .as_ref()
            .filter(|row| row.state != RecordState::Deleted);
        let version = candidate
            .current
            .map(|(version, _)| version)
            .or_else(|| prior.map(version_of));
        if let Some(version) = version.filter(|version| version.hash == item.line.hash) {
            landed.counts.unchanged += 1;
            let row = prior.filter(|row| row.hash == version.hash);
            landed
                .unchanged_versions
                .extend(row.map(|row| row.version_id));
            continue;
        }
        arrive(&mut landed, candidate, version, item, stream, plan, context);
    }
    landed
}

/// A version that differs from the one known: it becomes current, or is kept as older.
fn arrive(
    landed: &mut Landed,
    candidate: &mut Candidate,
    known: Option<Version>,
    item: Keyed<'_>,
    stream: &StreamRef,
    plan: &Stream,
    context: &Context,
) {
    let put = Box::new(map(stream, plan, context, &item));
    let version = Version {
        hash: put.hash,
        updated_at: put
            .meaning
            .as_ref()
            .and_then(|meaning| meaning.canonical.updated_at)
            .map(|time| time.0),
    };
    let stale = |body: Option<Bytes>| To::Stale {
        body: body.unwrap_or_default(),
    };
    if landing::decide(known, version) == Arrival::Stale {
        let to = stale(put.body);
        landed.changes.push(Change {
            slot: item.slot,
            key: item.key,
            prior: None,
            to,
        });
        return;
    }
    match candidate.current {
        // A second new version in one batch: the first becomes history.
        Some((_, index)) => {
            let change = &mut landed.changes[index];
            let older = std::mem::replace(&mut change.to, To::Put(put));
            let body = match older {
                To::Put(put) => put.body,
                To::Stale { .. } | To::Deleted => None,
            };
            if body.is_some() {
                landed.changes.push(Change {
                    slot: item.slot,
                    key: item.key,
                    prior: None,
                    to: stale(body),
                });
            }
            candidate.current = Some((version, index));
        }
        None => {
            candidate.current = Some((version, landed.changes.len()));
            let prior = candidate.prior.clone();
            landed.changes.push(Change {
                slot: item.slot,
                key: item.key,
                prior,
                to: To::Put(put),
            });
        }
    }
}

fn delete(landed: &mut Landed, candidate: &mut Candidate, item: Keyed<'_>) {
    if let Some((_, index)) = candidate.current.take() {
        landed.changes[index].to = To::Deleted;
        return;
    }
    let Some(prior) = candidate
        .prior
        .take_if(|row| row.state != RecordState::Deleted)
    else {
        return;
    };
    landed.changes.push(Change {
        slot: item.slot,
        key: item.key,
        prior: Some(prior),
        to: To::Deleted,
    });
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
        meaning,
        problems,
    }
}

/// What a line means as a record, and what did not fit.
pub fn mapped(
    stream: &StreamRef,
    plan: &Stream,
    context: &Context,
    key: &str,
    line: &[u8],
) -> (Option<Meaning>, Vec<Problem>) {
    let record = match canonical::read(plan, &stream.source, Some(key), line) {
        Ok(record) => record,
        Err(problem) => return (None, vec![problem]),
    };
    let mapped = canonical::map(plan, &stream.source, key, &record);
    let meaning = mapped.canonical.map(|mut canonical| Meaning {
        slots: canonical
            .identifiers
            .iter()
            .map(|identifier| slot_of_identifier(&identifier.kind.text(), &identifier.value))
            .collect(),
        told: Told::by(&mut canonical, stream, context),
        canonical,
    });
    (meaning, mapped.problems)
}
