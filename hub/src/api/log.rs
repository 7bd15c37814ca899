//! Writes the audit log and the last uses of tokens, many in one transaction, so that a read does not wait for the writer. What
//! cannot be noted is refused: nobody reads a person unseen. A process that is killed loses the notes of its last moment, and of a
//! change only how it ended, since that it began is stored before.

use crate::api::audit::{self, Entry};
use crate::problem::Problem;
use crate::problem::codes::API_BUSY;
use crate::store::{Result, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Notes that may wait to be written.
const WAITING: usize = 4_096;
/// Notes in one transaction.
const TOGETHER: usize = 1_024;
/// How long notes are collected.
const COLLECTED: Duration = Duration::from_millis(200);
/// When a batch that could not be written is attempted again.
const AGAIN: Duration = Duration::from_secs(1);
const ATTEMPTS: usize = 5;

enum Note {
    Row(Box<Entry>),
    /// A token's number, and when it was used.
    Used(i64, i64),
    /// Everything before it is to be written now.
    Written(oneshot::Sender<()>),
}

#[derive(Clone)]
pub struct Log {
    notes: mpsc::Sender<Note>,
    /// The last attempt to write failed.
    is_failing: Arc<AtomicBool>,
}

impl Log {
    /// Its task ends with the last clone.
    pub fn start(store: Store) -> Self {
        let (notes, arriving) = mpsc::channel(WAITING);
        let is_failing = Arc::new(AtomicBool::new(false));
        tokio::spawn(write_all(store, arriving, is_failing.clone()));
        Self { notes, is_failing }
    }

    /// Refuses when too much waits to be written, or nothing can be.
    pub fn add(&self, entry: Entry) -> Result<()> {
        if self.is_failing.load(Ordering::Relaxed) {
            return Err(full());
        }
        let note = Note::Row(Box::new(entry));
        self.notes.try_send(note).map_err(|_| full())
    }

    /// The same, and waits until it is stored.
    pub async fn store(&self, entry: Entry) -> Result<()> {
        self.add(entry)?;
        self.written().await
    }

    pub fn used(&self, token: i64, at: i64) {
        // Less than a minute later it is noted again.
        let _ = self.notes.try_send(Note::Used(token, at));
    }

    /// Waits until everything noted before is stored.
    pub async fn written(&self) -> Result<()> {
        let (done, is_done) = oneshot::channel();
        let sent = self.notes.send(Note::Written(done)).await;
        sent.map_err(|_| full())?;
        is_done.await.map_err(|_| full())
    }
}

fn full() -> Problem {
    Problem::new(
        &API_BUSY,
        "the audit log cannot take this now, so nothing was read or changed",
    )
    .hint("try again in a moment")
}

/// What was noted is written as soon as the store takes it again; until then nothing more is answered.
async fn write_all(store: Store, mut arriving: mpsc::Receiver<Note>, is_failing: Arc<AtomicBool>) {
    while let Some(first) = arriving.recv().await {
        let mut notes = vec![first];
        let until = tokio::time::Instant::now() + COLLECTED;
        while notes.len() < TOGETHER && !matches!(notes.last(), Some(Note::Written(_))) {
            match tokio::time::timeout_at(until, arriving.recv()).await {
                Ok(Some(note)) => notes.push(note),
                Ok(None) | Err(_) => break,
            }
        }
        let mut failures = 0;
        while let Err(problem) = write(&store, &notes).await {
            is_failing.store(true, Ordering::Relaxed);
            failures += 1;
            let code = problem.code.id;
            tracing::error!(code, "the audit log is not written: {}", problem.message);
            // Nobody is left who could be answered.
            if arriving.is_closed() && failures >= ATTEMPTS {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
        is_failing.store(false, Ordering::Relaxed);
        for note in notes {
            if let Note::Written(done) = note {
                let _ = done.send(());
            }
        }
    }
}

async fn write(store: &Store, notes: &[Note]) -> Result<()> {
    let rows = notes.iter().filter_map(|note| match note {
        Note::Row(entry) => Some((**entry).clone()),
        Note::Used(..) | Note::Written(_) => None,
    });
    let rows: Vec<Entry> = rows.collect();
    let uses = notes.iter().filter_map(|note| match note {
        Note::Used(token, at) => Some((*token, *at)),
        Note::Row(_) | Note::Written(_) => None,
    });
    let uses: Vec<(i64, i64)> = uses.collect();
    if rows.is_empty() && uses.is_empty() {
        return Ok(());
    }
    let mut tx = store.begin().await?;
    audit::append(&mut tx, &rows).await?;
    for (token, at) in uses {
        tx.mark_token_used(token, at).await?;
    }
    tx.commit().await
}
