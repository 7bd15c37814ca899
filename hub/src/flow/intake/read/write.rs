//! The writer of a read: applies what waits, all of it in one transaction with its cursors (I3). When another process has
//! changed the same records since they were compared, they are compared again (I15).

use super::sweep::FullRead;
use crate::flow::commit::apply::apply;
use crate::flow::commit::change::{Change, Counts};
use crate::flow::commit::stream::StreamRef;
use crate::flow::context::Context;
use crate::flow::intake::land::{self, Arrived, Landed, Since};
use crate::flow::trace::Within;
use crate::problem::Problem;
use crate::problem::codes::{LEASE_LOST, RECORDS_CHANGED};
use crate::store::{Result, Tx};
use tokio::sync::{mpsc, oneshot};

/// How often the same batches are compared again before the read fails.
const ATTEMPTS: usize = 20;

/// Rows for one transaction, and the cursors that go with them.
pub(super) struct Work {
    /// The rows as they arrived, in case they must be compared again.
    pub arrived: Arrived,
    pub landed: Landed,
    pub cursors: Vec<Moved>,
    pub committed: oneshot::Sender<()>,
}

/// A cursor to be moved.
pub(super) struct Moved {
    pub part: usize,
    pub from: Option<Vec<u8>>,
    pub to: Vec<u8>,
}

pub(super) struct Writer {
    pub context: Context,
    pub within: Within,
    pub stream: StreamRef,
    pub parts: Vec<String>,
    pub full: Option<FullRead>,
    /// What is read was sent to the hub: a full read under way is not asked for it.
    pub is_sent: bool,
    pub since: Since,
    /// What was committed.
    pub counts: Counts,
}

/// What one transaction takes.
#[derive(Default)]
struct Batch {
    changes: Vec<Change>,
    counts: Counts,
    unchanged: Vec<i64>,
    /// All rows as they arrived, in order.
    arrived: Vec<Arrived>,
    cursors: Vec<Moved>,
    committed: Vec<oneshot::Sender<()>>,
}

impl Batch {
    fn add(&mut self, work: Work) {
        self.land(work.landed);
        self.arrived.push(work.arrived);
        self.cursors.extend(work.cursors);
        self.committed.push(work.committed);
    }

    fn land(&mut self, landed: Landed) {
        self.changes.extend(landed.changes);
        self.counts.add(landed.counts);
        self.unchanged.extend(landed.unchanged_versions);
    }
}

impl Writer {
    /// Works until nothing more comes or something fails. Returns itself, with what was committed.
    pub async fn all(mut self, mut queue: mpsc::Receiver<Work>) -> (Self, Result<()>) {
        while let Some(work) = queue.recv().await {
            let mut batch = Batch::default();
            batch.add(work);
            while let Ok(work) = queue.try_recv() {
                batch.add(work);
            }
            if let Err(problem) = self.write(batch).await {
                return (self, Err(problem));
            }
        }
        (self, Ok(()))
    }

    async fn write(&mut self, mut batch: Batch) -> Result<()> {
        let mut span = self.context.trace.span("commit", &self.within);
        for attempt in 1.. {
            let changes = std::mem::take(&mut batch.changes);
            let mut tx = self.context.begin_for(changes.len()).await?;
            match self.apply(&mut tx, changes, &batch).await {
                Ok(applied) => {
                    if self.context.trace.is_on() {
                        let next = tx.next_change().await?;
                        self.context.trace.marked(next, span.within());
                    }
                    tx.commit().await?;
                    span.number("added", applied.added);
                    span.number("changed", applied.changed);
                    let committed = Counts {
                        read: batch.counts.read,
                        unchanged: batch.counts.unchanged,
                        ..applied
                    };
                    self.counts.add(committed);
                    let StreamRef { source, name, .. } = &self.stream;
                    let meter = &self.context.meter;
                    meter.landed(source, name, committed.read, committed.results());
                    if let Some(full) = &mut self.full {
                        full.saved();
                    }
                    break;
                }
                Err(problem) if problem.code == &RECORDS_CHANGED && attempt < ATTEMPTS => {}
                Err(problem) => return Err(problem),
            }
            drop(tx);
            self.compare_again(&mut batch).await?;
        }
        for committed in batch.committed {
            let _ = committed.send(());
        }
        Ok(())
    }

    async fn apply(&mut self, tx: &mut Tx, changes: Vec<Change>, batch: &Batch) -> Result<Counts> {
        let applied = apply(tx, &self.context, &self.stream, changes).await?;
        let now = self.context.clock.now();
        for cursor in &batch.cursors {
            let part = &self.parts[cursor.part];
            tx.move_cursor(
                self.stream.id,
                part,
                cursor.from.as_deref(),
                &cursor.to,
                now,
            )
            .await?;
        }
        if let Some(full) = &mut self.full {
            full.mark(&batch.unchanged);
            // A vendor that returns nothing is found by what it returned itself.
            let read = if self.is_sent { 0 } else { batch.counts.read };
            full.save(tx, self.stream.id, read).await?;
        }
        Ok(applied)
    }

    /// Compares with what is known by now. The batches share no record, since batches that do wait for each other.
    async fn compare_again(&self, batch: &mut Batch) -> Result<()> {
        batch.counts = Counts::default();
        batch.unchanged.clear();
        let Some(plan) = self.context.stream(&self.stream) else {
            let message = "the stream is no longer in the manifests that this process works by";
            return Err(Problem::new(&LEASE_LOST, message));
        };
        let stream = &self.stream;
        for arrived in std::mem::take(&mut batch.arrived) {
            let lines = land::key_lines(stream, plan, &arrived);
            let landed = land::land(&self.context, stream, plan, lines, self.since.clone()).await?;
            batch.land(landed);
            batch.arrived.push(arrived);
        }
        Ok(())
    }
}
