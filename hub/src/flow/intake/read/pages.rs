//! Reading the pages of one part, noticing cursors that repeat, and gathering pages into batches.

use super::write::Moved;
use crate::flow::connect::calling::retrying;
use crate::flow::intake::land::Arrived;
use crate::flow::trace::Span;
use crate::host::{Batch, Cancel, Connector, Failure, FailureKind, ReadRequest};
use crate::landing;
use crate::problem::codes::CURSOR_REPEATED;
use rustc_hash::FxHashMap;
use tokio::sync::mpsc;

/// How many bytes of records are landed together.
const BATCH_BYTES: usize = 5 << 18;

/// What the reader passes to landing.
pub(super) enum Message {
    Page {
        batch: Batch,
        part: usize,
        /// The cursor with which it was asked for.
        from: Option<Vec<u8>>,
    },
    Ended(Ended),
}

/// Why the reader stopped before the end.
pub(super) enum Ended {
    /// The vendor no longer honours the cursor.
    Expired(Failure),
    Failed(Failure),
}

/// True to go on with the next part.
pub(super) fn read_part(
    connector: &mut dyn Connector,
    request: &mut ReadRequest,
    part: usize,
    cancel: &Cancel,
    pages: &mpsc::Sender<Message>,
    span: &impl Fn() -> Span,
) -> bool {
    let mut cursors = Cursors::default();
    cursors.returned(request.cursor.as_deref());
    loop {
        if cancel.is_cancelled() {
            return false;
        }
        let mut fetching = span();
        let read = retrying(cancel, || connector.read(request));
        match &read {
            Ok(batch) => fetching.number("records", i64::from(batch.upserts.count)),
            Err(failure) => fetching.failed(failure.problem.code.id),
        }
        drop(fetching);
        let early = match read {
            Ok(batch) => {
                let done = batch.done;
                let to = batch.cursor.clone();
                let from = request.cursor.replace(to.clone());
                let page = Message::Page { batch, part, from };
                if pages.blocking_send(page).is_err() {
                    return false;
                }
                if done {
                    return true;
                }
                match cursors.returned(Some(&to)) {
                    None => continue,
                    Some(batches) => Ended::Failed(circle(batches)),
                }
            }
            Err(failure)
                if failure.kind == FailureKind::CursorExpired && request.cursor.is_some() =>
            {
                Ended::Expired(failure)
            }
            Err(failure) => Ended::Failed(failure),
        };
        let _ = pages.blocking_send(Message::Ended(early));
        return false;
    }
}

/// Pages that are landed together.
#[derive(Default)]
pub(super) struct Gathered {
    pub arrived: Arrived,
    pub cursors: Vec<Moved>,
    /// Why the reader stopped early.
    pub early: Option<Ended>,
    /// No more pages come.
    pub ended: bool,
}

/// The next pages, up to `most` records.
pub(super) async fn gather(arriving: &mut mpsc::Receiver<Message>, most: usize) -> Gathered {
    let mut gathered = Gathered::default();
    let (mut records, mut bytes) = (0, 0);
    while records < most && bytes < BATCH_BYTES {
        match arriving.recv().await {
            Some(Message::Page { batch, part, from }) => {
                for chunk in std::iter::once(&batch.upserts).chain(&batch.deletes) {
                    records += chunk.count as usize;
                    bytes += chunk.data.len();
                }
                let deletes = batch.deletes.map(|chunk| chunk.data.into());
                gathered.arrived.add(batch.upserts.data.into(), deletes);
                gathered.cursors.push(Moved {
                    part,
                    from,
                    to: batch.cursor,
                });
            }
            Some(Message::Ended(early)) => {
                gathered.early = Some(early);
                gathered.ended = true;
                return gathered;
            }
            None => {
                gathered.ended = true;
                return gathered;
            }
        }
    }
    gathered
}

/// The cursors that a part was read with, by their hashes.
#[derive(Default)]
struct Cursors {
    batch: usize,
    seen: FxHashMap<Option<i64>, usize>,
}

impl Cursors {
    /// How many batches ago it was returned before, if it was.
    fn returned(&mut self, cursor: Option<&[u8]>) -> Option<usize> {
        let before = self.seen.insert(cursor.map(landing::hash), self.batch);
        self.batch += 1;
        before.map(|before| self.batch - 1 - before)
    }
}

/// A call depends on its cursor alone, so a cursor that repeats returns the same batches endlessly.
fn circle(batches: usize) -> Failure {
    let message = match batches {
        1 => "the cursor did not change between two batches, and the last one was not `done`"
            .to_owned(),
        _ => format!(
            "the cursor is the same as {batches} batches ago, and the last batch was not `done`"
        ),
    };
    let failure = Failure::guest(&CURSOR_REPEATED, message);
    Failure {
        problem: failure
            .problem
            .hint("the connector is at fault: each `read` has to return a new cursor, or `done`"),
        ..failure
    }
}
