//! Full reads: what was read is recorded in the transaction of its cursor, so that an interrupted read can go on, and in the
//! end what was not read is deleted, unless the source returned nothing at all.

use super::{BATCH_RECORDS, with_place};
use crate::flow::commit::apply::apply;
use crate::flow::commit::change::{Change, To};
use crate::flow::commit::stream::StreamRef;
use crate::flow::context::Context;
use crate::flow::intake::land::Since;
use crate::manifest::Source;
use crate::problem::Problem;
use crate::problem::codes::{EMPTY_SOURCE, RECORDS_CHANGED};
use crate::store::{RecordRow, Result, SeenBlock, StreamRow, Tx};
use std::collections::{BTreeMap, BTreeSet};

/// Versions that have a bit in the same block.
const BLOCK_VERSIONS: i64 = 32_768;
const BLOCK_BYTES: usize = BLOCK_VERSIONS as usize / 8;
/// How often records that changed meanwhile are compared again.
const ATTEMPTS: usize = 20;

/// A full read under way.
pub(super) struct FullRead {
    /// The first version that it could make. Versions from this one on were read in it.
    since: i64,
    /// Older versions that were read again, by block.
    seen: BTreeMap<i64, Vec<u8>>,
    /// Blocks that changed since they were stored.
    marked: BTreeSet<i64>,
}

impl FullRead {
    /// The full read that was begun and not ended.
    pub async fn going_on(tx: &mut Tx, stream: &StreamRow) -> Result<Option<Self>> {
        let Some(since) = stream.full_since else {
            return Ok(None);
        };
        let mut full = Self::from(since);
        for block in tx.seen_blocks(stream.id).await? {
            full.seen.insert(block.block, block.bits);
        }
        Ok(Some(full))
    }

    /// A full read from the stream's start.
    pub async fn begin(tx: &mut Tx, stream_id: i64) -> Result<Self> {
        Ok(Self::from(tx.begin_full_read(stream_id).await?))
    }

    fn from(since: i64) -> Self {
        Self {
            since,
            seen: BTreeMap::new(),
            marked: BTreeSet::new(),
        }
    }

    pub fn since(&self) -> Since {
        Since {
            version: self.since,
            is_full: true,
            range: None,
        }
    }

    /// Marks records that were read and did not change.
    pub fn mark(&mut self, versions: &[i64]) {
        for version in versions {
            let block = version / BLOCK_VERSIONS;
            let bit = (version % BLOCK_VERSIONS) as usize;
            let bits = self.seen.entry(block);
            bits.or_insert_with(|| vec![0; BLOCK_BYTES])[bit / 8] |= 1 << (bit % 8);
            self.marked.insert(block);
        }
    }

    /// Stores what was marked, in the transaction that moves the cursor (I3).
    pub async fn save(&mut self, tx: &mut Tx, stream_id: i64, records: i64) -> Result<()> {
        let marked = self.marked.iter();
        let blocks: Vec<SeenBlock> = marked
            .map(|block| SeenBlock {
                block: *block,
                bits: self.seen[block].clone(),
            })
            .collect();
        tx.note_seen(stream_id, records, &blocks).await
    }

    /// What was marked is committed.
    pub fn saved(&mut self) {
        self.marked.clear();
    }

    fn came(&self, version: i64) -> bool {
        let bit = (version % BLOCK_VERSIONS) as usize;
        version >= self.since
            || self
                .seen
                .get(&(version / BLOCK_VERSIONS))
                .is_some_and(|bits| bits[bit / 8] & (1 << (bit % 8)) != 0)
    }
}

pub(super) enum Swept {
    Deleted(i64),
    Stopped(Problem),
}

/// At the end of a full read: deletes records that were not read.
pub(super) async fn sweep(
    context: &Context,
    source: &Source,
    stream: &StreamRef,
    full: &FullRead,
) -> Result<Swept> {
    let mut deleted = 0;
    let mut after = -1;
    loop {
        let mut tx = context.store.read().await?;
        let rows = tx
            .record_heads(stream.id, after, BATCH_RECORDS as i64)
            .await?;
        let is_empty = tx.full_seen(stream.id).await? == 0;
        drop(tx);
        let Some(last) = rows.last() else {
            let mut tx = context.begin().await?;
            tx.end_full_read(stream.id).await?;
            tx.commit().await?;
            return Ok(Swept::Deleted(deleted));
        };
        let last = last.slot;
        if is_empty && source.empty_source_stops {
            // The next run reads from the start again, in case it was a mistake.
            let mut tx = context.begin().await?;
            tx.clear_cursors(stream.id).await?;
            tx.commit().await?;
            return Ok(Swept::Stopped(empty(stream)));
        }
        deleted += delete(context, stream, full, after, rows).await?;
        after = last;
    }
}

/// Deletes the records of one part that were not read; returns how many. Compares again when another process changed them.
async fn delete(
    context: &Context,
    stream: &StreamRef,
    full: &FullRead,
    after: i64,
    mut rows: Vec<RecordRow>,
) -> Result<i64> {
    for attempt in 1.. {
        let changes: Vec<Change> = rows
            .into_iter()
            .filter(|row| !full.came(row.version_id))
            .map(|row| Change {
                slot: row.slot,
                key: row.key.clone(),
                prior: Some(row),
                passed: Vec::new(),
                to: To::Deleted,
            })
            .collect();
        if changes.is_empty() {
            return Ok(0);
        }
        let mut tx = context.begin().await?;
        match apply(&mut tx, context, stream, changes).await {
            Ok(counts) => {
                tx.commit().await?;
                return Ok(counts.deleted);
            }
            Err(problem) if problem.code == &RECORDS_CHANGED && attempt < ATTEMPTS => {}
            Err(problem) => return Err(problem),
        }
        drop(tx);
        let mut tx = context.store.read().await?;
        rows = tx
            .record_heads(stream.id, after, BATCH_RECORDS as i64)
            .await?;
    }
    unreachable!("the last attempt returns")
}

fn empty(stream: &StreamRef) -> Problem {
    let problem = Problem::new(&EMPTY_SOURCE, "the source returned no records at all, but had some before; nothing was removed")
        .hint("if it is right that it is empty, set `guard.empty_source = \"allow\"` for the source and run again");
    with_place(problem, stream)
}
