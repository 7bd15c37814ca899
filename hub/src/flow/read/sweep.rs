//! After a full read: what did not come again is deleted, unless the source came up empty.

use super::{BATCH_RECORDS, place};
use crate::flow::change::{Change, StreamRef, To};
use crate::flow::{Context, apply};
use crate::manifest::Source;
use crate::problem::Problem;
use crate::problem::codes::EMPTY_SOURCE;
use crate::store::Result;

/// Versions that came again unchanged in a full read, as bits over version ids. None outside a full read.
pub(super) type Unchanged = Option<Vec<u64>>;

pub(super) fn note_unchanged(seen: &mut Unchanged, versions: &[i64]) {
    let Some(bits) = seen else { return };
    for version in versions {
        let word = (*version / 64) as usize;
        if bits.len() <= word {
            bits.resize(word + 1, 0);
        }
        bits[word] |= 1 << (version % 64);
    }
}

pub(super) enum Swept {
    Deleted(i64),
    Stopped(Problem),
}

/// After a full read: records that did not come are deleted. A record came when its version is newer than the run or
/// was noted as unchanged.
pub(super) async fn sweep(
    context: &Context,
    source: &Source,
    stream: &StreamRef,
    read: i64,
    seen: &[u64],
    first_version: i64,
) -> Result<Swept> {
    let came = |version: i64| {
        version >= first_version
            || seen
                .get((version / 64) as usize)
                .is_some_and(|word| word & (1 << (version % 64)) != 0)
    };
    let mut deleted = 0;
    let mut after = -1;
    loop {
        let mut tx = context.store.read().await?;
        let rows = tx
            .record_heads(stream.id, after, BATCH_RECORDS as i64)
            .await?;
        drop(tx);
        let Some(last) = rows.last() else {
            return Ok(Swept::Deleted(deleted));
        };
        after = last.slot;
        if read == 0 && source.empty_source_stops {
            return Ok(Swept::Stopped(empty(stream)));
        }
        let changes: Vec<Change> = rows
            .into_iter()
            .filter(|row| !came(row.version_id))
            .map(|row| Change {
                slot: row.slot,
                key: row.key.clone(),
                prior: Some(row),
                to: To::Deleted,
            })
            .collect();
        deleted += changes.len() as i64;
        let mut tx = context.store.begin().await?;
        apply(&mut tx, context, stream, changes).await?;
        tx.commit().await?;
    }
}

fn empty(stream: &StreamRef) -> Problem {
    let problem = Problem::new(&EMPTY_SOURCE, "the source gave no records at all, but had some before; nothing was removed")
        .hint("if it is right that it is empty, set `guard.empty_source = \"allow\"` for the source and run again");
    place(problem, stream)
}
