//! Reading the pages of one part, and noticing cursors that repeat.

use crate::flow::connect::calling::retrying;
use crate::flow::trace::Span;
use crate::host::{Batch, Cancel, Connector, Failure, FailureKind, ReadRequest};
use crate::landing;
use crate::problem::codes::CURSOR_REPEATED;
use rustc_hash::FxHashMap;
use tokio::sync::mpsc;

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
