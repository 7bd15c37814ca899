//! Reading one stream: the connector reads ahead on a thread of its own, landing maps, and a writer applies one batch
//! after another, each with its cursor in the same transaction (I3). The three work at the same time; what waits between
//! them is bounded.

mod in_flight;
mod sweep;

use crate::flow::change::{Change, Counts, StreamRef};
use crate::flow::land::{self, Arrived, Landed};
use crate::flow::{Context, apply, beside};
use crate::host::{Batch, Cancel, Connector, Failure, FailureKind, ReadRequest};
use crate::manifest::{Source, Stream};
use crate::problem::{Place, Problem};
use crate::store::{Result, RunRow};
use in_flight::InFlight;
use std::sync::Arc;
use std::time::Duration;
use sweep::{Swept, Unchanged, note_unchanged, sweep};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// How many records are landed and applied together, and after how many bytes there are no more: with `BATCHES_AHEAD`, this
/// is what bounds memory, of small records and of large ones.
pub(super) const BATCH_RECORDS: usize = 5_000;
const BATCH_BYTES: usize = 5 << 18;
/// The first batch is small, so that the writer has something to do soon; each that follows is twice as large.
const FIRST_RECORDS: usize = 500;
/// How many batches may wait for the writer. It takes all that wait in one step and one transaction: the more records
/// are sorted together, the fewer times is a page read and written.
const BATCHES_AHEAD: usize = 6;
/// Pages that may wait for landing.
const PAGES_AHEAD: usize = 4;
/// Tries of one call that fails in a way that may pass.
const TRIES: u32 = 5;

#[derive(Clone)]
pub struct ReadOptions {
    /// Read from the start; records that do not come again are deleted.
    pub full: bool,
    pub cancel: Cancel,
    pub progress: Arc<dyn Fn(Progress) + Send + Sync>,
}

/// Told after each page.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub records: i64,
}

/// How reading a stream went.
#[derive(Debug, Clone, serde::Serialize)]
pub struct StreamReport {
    pub source: String,
    pub stream: String,
    #[serde(flatten)]
    pub counts: Counts,
    pub duration_ms: i64,
    #[serde(skip)]
    pub problem: Option<Problem>,
    /// A guard stopped it.
    pub guarded: bool,
}

/// What the reader hands to landing.
enum Message {
    Page {
        batch: Batch,
        part: usize,
    },
    /// The vendor no longer honours the cursor: the rest is a read from the start.
    Restarted {
        part: usize,
    },
    Failed(Failure),
}

/// Rows for one transaction, and the cursors that go with them.
struct Work {
    changes: Vec<Change>,
    cursors: Vec<(usize, Vec<u8>)>,
    counts: Counts,
    committed: oneshot::Sender<()>,
}

/// Reads a stream to its end. The connector comes back for the next stream.
pub async fn read_stream(
    context: &Context,
    source: &Source,
    plan: &Stream,
    connector: Box<dyn Connector>,
    options: &ReadOptions,
) -> Result<(StreamReport, Box<dyn Connector>)> {
    let (mut run, stream, first_version) = begin(context, source, plan, options).await?;
    let (connector, mut problem, counts, seen) = match split(connector, plan).await {
        (connector, Err(failure)) => (
            connector,
            Some(place(failure.problem, &stream)),
            Counts::default(),
            None,
        ),
        (connector, Ok(parts)) => {
            let reading = Reading {
                context,
                stream: &stream,
                plan,
                parts,
                options,
            };
            reading.all(connector).await?
        }
    };
    run_counts(&mut run, counts);
    let mut guarded = false;
    if problem.is_none()
        && options.full
        && !options.cancel.is_cancelled()
        && let Some(seen) = seen
    {
        match sweep(context, source, &stream, counts.read, &seen, first_version).await? {
            Swept::Deleted(deleted) => run.deleted += deleted,
            Swept::Stopped(stopped) => {
                problem = Some(stopped);
                guarded = true;
            }
        }
    }
    finish(context, &mut run, problem.as_ref()).await?;
    let counts = Counts {
        deleted: run.deleted,
        ..counts
    };
    let report = StreamReport {
        source: run.source,
        stream: run.stream,
        counts,
        duration_ms: run.finished_at.unwrap_or(run.started_at) - run.started_at,
        problem,
        guarded,
    };
    Ok((report, connector))
}

/// The run's row, its stream, and the first version that this run can make.
async fn begin(
    context: &Context,
    source: &Source,
    plan: &Stream,
    options: &ReadOptions,
) -> Result<(RunRow, StreamRef, i64)> {
    let mut tx = context.store.begin().await?;
    let row = tx.stream(&source.name, &plan.name, &plan.digest).await?;
    if options.full {
        tx.clear_cursors(row.id).await?;
    }
    let run = RunRow {
        id: tx.reserve("run", 1).await?,
        source: source.name.to_string(),
        stream: plan.name.to_string(),
        started_at: context.clock.now().0,
        state: "running".to_owned(),
        ..RunRow::default()
    };
    tx.save_run(&run).await?;
    let first_version = tx.reserve("version", 0).await?;
    tx.commit().await?;
    let stream = StreamRef {
        id: row.id,
        source: source.name.clone(),
        name: plan.name.clone(),
    };
    Ok((run, stream, first_version))
}

async fn finish(context: &Context, run: &mut RunRow, problem: Option<&Problem>) -> Result<()> {
    run.finished_at = Some(context.clock.now().0);
    run.state = if problem.is_some() { "failed" } else { "done" }.to_owned();
    run.problem = problem.map(ToString::to_string);
    let mut tx = context.store.begin().await?;
    tx.save_run(run).await?;
    tx.commit().await
}

fn run_counts(run: &mut RunRow, counts: Counts) {
    run.read = counts.read;
    run.added = counts.added;
    run.changed = counts.changed;
    run.unchanged = counts.unchanged;
    run.deleted = counts.deleted;
    run.set_aside = counts.set_aside;
}

type Split = (
    Box<dyn Connector>,
    std::result::Result<Vec<String>, Failure>,
);

async fn split(mut connector: Box<dyn Connector>, plan: &Stream) -> Split {
    let name = plan.name.clone();
    beside(move || {
        let parts = retrying(&Cancel::default(), || connector.split(&name, None));
        (connector, parts)
    })
    .await
}

/// Calls until it works, fails for good, or has failed `TRIES` times.
pub(super) fn retrying<T>(
    cancel: &Cancel,
    mut call: impl FnMut() -> std::result::Result<T, Failure>,
) -> std::result::Result<T, Failure> {
    let mut wait_ms = 200;
    for attempt in 1.. {
        match call() {
            Err(failure) if failure.is_retryable() && attempt < TRIES && !cancel.is_cancelled() => {
                let ms = failure.retry_after_ms.unwrap_or(wait_ms).min(60_000);
                std::thread::park_timeout(Duration::from_millis(ms));
                wait_ms *= 2;
            }
            done => return done,
        }
    }
    unreachable!("the loop ends at the last try")
}

/// Pages that are landed together.
#[derive(Default)]
struct Gathered {
    arrived: Arrived,
    cursors: Vec<(usize, Vec<u8>)>,
    /// Why the reader stopped early.
    problem: Option<Problem>,
    /// No more pages come.
    ended: bool,
}

struct Reading<'a> {
    context: &'a Context,
    stream: &'a StreamRef,
    plan: &'a Stream,
    parts: Vec<String>,
    options: &'a ReadOptions,
}

impl Reading<'_> {
    async fn all(
        self,
        connector: Box<dyn Connector>,
    ) -> Result<(Box<dyn Connector>, Option<Problem>, Counts, Unchanged)> {
        let mut cursors = Vec::new();
        let mut tx = self.context.store.read().await?;
        for part in &self.parts {
            cursors.push(tx.cursor(self.stream.id, part).await?);
        }
        drop(tx);
        let (pages, mut arriving) = mpsc::channel(PAGES_AHEAD);
        let reader = self.reader(connector, cursors, pages);
        let (work, queue) = mpsc::channel(BATCHES_AHEAD);
        let writing = write(
            self.context.clone(),
            self.stream.clone(),
            self.parts.clone(),
            queue,
        );
        // On a thread of its own: it computes and writes for as long as a batch takes.
        let runtime = Handle::current();
        let writer = tokio::task::spawn_blocking(move || runtime.block_on(writing));
        let landed = self.land_all(&mut arriving, work).await;
        drop(arriving);
        let written = match writer.await {
            Ok(written) => written,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let connector = reader.await;
        let counts = written?;
        let (problem, read, seen) = landed?;
        Ok((
            connector,
            problem,
            Counts {
                read: read.read,
                unchanged: read.unchanged,
                ..counts
            },
            seen,
        ))
    }

    /// Reads page after page on a thread of its own.
    fn reader(
        &self,
        mut connector: Box<dyn Connector>,
        cursors: Vec<Option<Vec<u8>>>,
        pages: mpsc::Sender<Message>,
    ) -> impl Future<Output = Box<dyn Connector>> + use<> {
        let stream = self.plan.name.to_string();
        let parts = self.parts.clone();
        let cancel = self.options.cancel.clone();
        let task = tokio::task::spawn_blocking(move || {
            for (index, (part, cursor)) in parts.into_iter().zip(cursors).enumerate() {
                let mut request = ReadRequest {
                    stream: stream.clone(),
                    part,
                    cursor,
                    since: None,
                    until: None,
                    max_records: 2_000,
                    max_bytes: 8 << 20,
                };
                if !read_part(connector.as_mut(), &mut request, index, &cancel, &pages) {
                    break;
                }
            }
            connector
        });
        async move {
            match task.await {
                Ok(connector) => connector,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
    }

    /// Gathers pages into batches, lands them and passes them to the writer.
    async fn land_all(
        &self,
        arriving: &mut mpsc::Receiver<Message>,
        work: mpsc::Sender<Work>,
    ) -> Result<(Option<Problem>, Counts, Unchanged)> {
        let mut total = Counts::default();
        let mut seen: Unchanged = self.options.full.then(Vec::new);
        let mut writing = InFlight::default();
        let mut most = FIRST_RECORDS;
        loop {
            let gathered = self.gather(arriving, most).await;
            most = BATCH_RECORDS.min(most * 2);
            if !gathered.cursors.is_empty() {
                // What is in memory is bounded: what is being written, what waits, and nothing else.
                let Ok(place) = work.reserve().await else {
                    return Ok((None, total, seen));
                };
                let landed = match self.land_one(&gathered.arrived, &mut writing).await {
                    Ok(landed) => landed,
                    Err(failed) => return Ok((Some(failed), total, seen)),
                };
                total.add(landed.counts);
                note_unchanged(&mut seen, &landed.unchanged_versions);
                (self.options.progress)(Progress {
                    records: total.read,
                });
                let committed = writing.add(&landed.changes);
                place.send(Work {
                    changes: landed.changes,
                    cursors: gathered.cursors,
                    counts: landed.counts,
                    committed,
                });
            }
            if gathered.ended {
                return Ok((gathered.problem, total, seen));
            }
        }
    }

    /// The next pages, up to `most` records.
    async fn gather(&self, arriving: &mut mpsc::Receiver<Message>, most: usize) -> Gathered {
        let mut gathered = Gathered::default();
        let (mut records, mut bytes) = (0, 0);
        while records < most && bytes < BATCH_BYTES {
            match arriving.recv().await {
                Some(Message::Page { batch, part }) => {
                    records += batch.upserts.count as usize;
                    bytes += batch.upserts.data.len();
                    gathered.arrived.upserts.push(batch.upserts.data.into());
                    let deletes = batch.deletes.map(|chunk| chunk.data.into());
                    gathered.arrived.deletes.extend(deletes);
                    gathered.cursors.push((part, batch.cursor));
                }
                Some(Message::Restarted { part }) => {
                    tracing::warn!(source = %self.stream.source, stream = %self.stream.name, part, "the vendor no longer honours the cursor; reading from the start");
                }
                Some(Message::Failed(failure)) => {
                    gathered.problem = Some(place(failure.problem, self.stream));
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

    /// Waits for the writer where a record of this batch is still being written.
    async fn land_one(&self, arrived: &Arrived, writing: &mut InFlight) -> Result<Landed> {
        let lines = land::key_lines(self.stream, self.plan, arrived);
        if writing.is_busy() && writing.touches(lines.slots()) {
            writing.wait().await;
        }
        land::land(self.context, self.stream, self.plan, lines).await
    }
}

/// True to go on with the next part.
fn read_part(
    connector: &mut dyn Connector,
    request: &mut ReadRequest,
    part: usize,
    cancel: &Cancel,
    pages: &mpsc::Sender<Message>,
) -> bool {
    loop {
        if cancel.is_cancelled() {
            return false;
        }
        match retrying(cancel, || connector.read(request)) {
            Ok(batch) => {
                let done = batch.done;
                request.cursor = Some(batch.cursor.clone());
                if pages.blocking_send(Message::Page { batch, part }).is_err() {
                    return false;
                }
                if done {
                    return true;
                }
            }
            Err(failure)
                if failure.kind == FailureKind::CursorExpired && request.cursor.is_some() =>
            {
                request.cursor = None;
                if pages.blocking_send(Message::Restarted { part }).is_err() {
                    return false;
                }
            }
            Err(failure) => {
                let _ = pages.blocking_send(Message::Failed(failure));
                return false;
            }
        }
    }
}

/// Applies what waits, all of it in one transaction with its cursors.
async fn write(
    context: Context,
    stream: StreamRef,
    parts: Vec<String>,
    mut queue: mpsc::Receiver<Work>,
) -> Result<Counts> {
    let mut total = Counts::default();
    while let Some(Work {
        mut changes,
        mut cursors,
        mut counts,
        committed,
    }) = queue.recv().await
    {
        let mut committed = vec![committed];
        while let Ok(mut work) = queue.try_recv() {
            changes.append(&mut work.changes);
            cursors.append(&mut work.cursors);
            counts.add(work.counts);
            committed.push(work.committed);
        }
        let mut tx = context.store.begin_for(changes.len()).await?;
        let applied = apply(&mut tx, &context, &stream, changes).await?;
        for (part, cursor) in cursors {
            tx.set_cursor(stream.id, &parts[part], &cursor, context.clock.now())
                .await?;
        }
        tx.commit().await?;
        total.add(Counts {
            read: counts.read,
            unchanged: counts.unchanged,
            ..applied
        });
        for sender in committed {
            let _ = sender.send(());
        }
    }
    Ok(total)
}

fn place(problem: Problem, stream: &StreamRef) -> Problem {
    if problem.place != Place::Nowhere {
        return problem;
    }
    problem.at(Place::Record {
        source: stream.source.to_string(),
        stream: Some(stream.name.to_string()),
        key: None,
        field: None,
    })
}
