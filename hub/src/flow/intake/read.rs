//! Reading one stream: the connector reads ahead on a thread of its own, landing maps, and a writer applies one batch
//! after another, each with its cursor in the same transaction (I3). The three work in parallel; the queues between them
//! are bounded.

mod in_flight;
mod pages;
mod sweep;
pub(in crate::flow) mod tests;
mod write;

use crate::flow::commit::change::Counts;
use crate::flow::commit::stream::StreamRef;
use crate::flow::commit::unfit::Unfit;
use crate::flow::connect::calling::retrying;
use crate::flow::context::{Context, in_parallel};
use crate::flow::intake::land::{self, Arrived, Since};
use crate::host::{Cancel, Connector, Failure, ReadRequest};
use crate::manifest::{Source, Stream};
use crate::problem::codes::{EMPTY_SOURCE, TOO_MANY_UNFIT};
use crate::problem::{Place, Problem};
use crate::store::{Result, RunRow, StreamRow};
use in_flight::InFlight;
use pages::{Ended, Message, read_part};
use std::sync::Arc;
use sweep::{FullRead, Swept, sweep};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use write::{Moved, Work, Writer};

/// How many records, or bytes of records, are landed and applied together: with `BATCHES_AHEAD`, this bounds memory, for
/// small records and for large ones.
pub(super) const BATCH_RECORDS: usize = 5_000;
const BATCH_BYTES: usize = 5 << 18;
/// The first batch is small, so that the writer has something to do soon; each that follows is twice as large.
const FIRST_RECORDS: usize = 500;
/// How many batches may wait for the writer. It takes all that wait in one step and one transaction: the more records are
/// sorted together, the fewer pages are read and written.
const BATCHES_AHEAD: usize = 6;
/// Pages that may wait for landing.
const PAGES_AHEAD: usize = 4;
/// How often one run reads a stream from its start because a cursor has expired.
const RESTARTS: usize = 3;

#[derive(Clone)]
pub struct ReadOptions {
    /// Read from the start; records that do not come again are deleted.
    pub full: bool,
    /// Read what was sent to the hub. What was sent once does not come again, so this is never a full read.
    pub inbox: bool,
    pub progress: Arc<dyn Fn(Progress) + Send + Sync>,
}

/// Reported after each batch.
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

impl StreamReport {
    /// It was stopped because its source returned nothing though it had records.
    pub fn is_emptied(&self) -> bool {
        let problem = self.problem.as_ref();
        problem.is_some_and(|problem| problem.code == &EMPTY_SOURCE)
    }
}

/// Reads a stream to its end. Returns the connector for the next stream. A failure is in the report and in the run's row.
pub async fn read_stream(
    context: &Context,
    source: &Source,
    plan: &Stream,
    connector: Box<dyn Connector>,
    options: &ReadOptions,
) -> Result<(StreamReport, Box<dyn Connector>)> {
    let Begun {
        mut run,
        stream,
        full,
        first_version,
    } = begin(context, source, plan, options).await?;
    let mut going = Going {
        context,
        source,
        plan,
        options,
        stream: &stream,
        counts: Counts::default(),
        guarded: false,
        first_version,
    };
    let (connector, done) = going.all(connector, full).await;
    let (counts, guarded) = (going.counts, going.guarded);
    let problem = done.err().map(|problem| with_place(problem, &stream));
    finish(context, &mut run, counts, problem.as_ref()).await?;
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

struct Begun {
    run: RunRow,
    stream: StreamRef,
    /// The full read that is under way or asked for.
    full: Option<FullRead>,
    first_version: i64,
}

async fn begin(
    context: &Context,
    source: &Source,
    plan: &Stream,
    options: &ReadOptions,
) -> Result<Begun> {
    let mut tx = context.begin().await?;
    let row = tx.stream(&source.name, &plan.name, &plan.digest).await?;
    let again = row.full_since == Some(StreamRow::AGAIN);
    let full = match options.full || again {
        _ if options.inbox => None,
        true => Some(FullRead::begin(&mut tx, row.id).await?),
        false => FullRead::going_on(&mut tx, &row).await?,
    };
    let now = context.clock.now().0;
    tx.end_lost_runs(&source.name, &plan.name, now).await?;
    let run = RunRow {
        id: tx.reserve("run", 1).await?,
        source: source.name.to_string(),
        stream: plan.name.to_string(),
        started_at: now,
        state: "running".to_owned(),
        ..RunRow::default()
    };
    tx.save_run(&run).await?;
    let first_version = tx.reserve("version", 0).await?;
    tx.commit().await?;
    let stream = StreamRef::from(&row);
    Ok(Begun {
        run,
        stream,
        full,
        first_version,
    })
}

/// One stream's read, from its start or its cursors to its end.
struct Going<'a> {
    context: &'a Context,
    source: &'a Source,
    plan: &'a Stream,
    options: &'a ReadOptions,
    stream: &'a StreamRef,
    counts: Counts,
    guarded: bool,
    /// The first version that this read could make.
    first_version: i64,
}

impl Going<'_> {
    async fn all(
        &mut self,
        connector: Box<dyn Connector>,
        mut full: Option<FullRead>,
    ) -> (Box<dyn Connector>, Result<()>) {
        let (mut connector, parts) = split(connector, self.plan, &self.context.cancel).await;
        let parts = match parts {
            Ok(parts) => parts,
            Err(failure) => return (connector, Err(failure.problem)),
        };
        let mut restarts = 0;
        loop {
            let reading = Reading {
                context: self.context,
                stream: self.stream,
                plan: self.plan,
                parts: &parts,
                options: self.options,
                max_dead_letters: self.source.max_dead_letters,
                first_version: self.first_version,
            };
            let (back, read) = reading.all(connector, full.take(), &mut self.counts).await;
            connector = back;
            let done = match read {
                Ok((None, full)) => self.sweep(full).await,
                Ok((Some(Ended::Expired(_)), _)) if restarts < RESTARTS => {
                    restarts += 1;
                    match self.restart().await {
                        Ok(again) => {
                            full = Some(again);
                            continue;
                        }
                        Err(problem) => Err(problem),
                    }
                }
                Ok((Some(Ended::Expired(failure) | Ended::Failed(failure)), _)) => {
                    Err(failure.problem)
                }
                Err(problem) => {
                    self.guarded = problem.code == &TOO_MANY_UNFIT;
                    Err(problem)
                }
            };
            return (connector, done);
        }
    }

    /// Begins a full read: what the vendor deleted after a cursor that it no longer honours is only found by reading everything.
    async fn restart(&self) -> Result<FullRead> {
        tracing::warn!(source = %self.stream.source, stream = %self.stream.name, "the vendor no longer honours the cursor; reading from the start");
        let mut tx = self.context.begin().await?;
        let full = FullRead::begin(&mut tx, self.stream.id).await?;
        tx.commit().await?;
        Ok(full)
    }

    async fn sweep(&mut self, full: Option<FullRead>) -> Result<()> {
        let Some(full) = full.filter(|_| !self.context.cancel.is_cancelled()) else {
            return Ok(());
        };
        match sweep(self.context, self.source, self.stream, &full).await? {
            Swept::Deleted(deleted) => {
                self.counts.deleted += deleted;
                Ok(())
            }
            Swept::Stopped(problem) => {
                self.guarded = true;
                Err(problem)
            }
        }
    }
}

async fn finish(
    context: &Context,
    run: &mut RunRow,
    counts: Counts,
    problem: Option<&Problem>,
) -> Result<()> {
    run.finished_at = Some(context.clock.now().0);
    run.state = match problem {
        Some(_) => "failed",
        None if context.cancel.is_cancelled() => "stopped",
        None => "done",
    }
    .to_owned();
    run.problem = problem.map(ToString::to_string);
    run.read = counts.read;
    run.added = counts.added;
    run.changed = counts.changed;
    run.unchanged = counts.unchanged;
    run.deleted = counts.deleted;
    run.set_aside = counts.set_aside;
    // Not fenced: a process that was overtaken still stores how far it came.
    let mut tx = context.store.begin().await?;
    tx.save_run(run).await?;
    tx.commit().await
}

type Split = (
    Box<dyn Connector>,
    std::result::Result<Vec<String>, Failure>,
);

async fn split(mut connector: Box<dyn Connector>, plan: &Stream, cancel: &Cancel) -> Split {
    let (name, cancel) = (plan.name.clone(), cancel.clone());
    in_parallel(move || {
        let parts = retrying(&cancel, || connector.split(&name, None));
        (connector, parts)
    })
    .await
}

/// Pages that are landed together.
#[derive(Default)]
struct Gathered {
    arrived: Arrived,
    cursors: Vec<Moved>,
    /// Why the reader stopped early.
    early: Option<Ended>,
    /// No more pages come.
    ended: bool,
}

struct Reading<'a> {
    context: &'a Context,
    stream: &'a StreamRef,
    plan: &'a Stream,
    parts: &'a [String],
    options: &'a ReadOptions,
    max_dead_letters: Option<f64>,
    /// The first version that this read could make, unless a full read is under way.
    first_version: i64,
}

/// Why the reader stopped early, and the state of the full read.
type Read = (Option<Ended>, Option<FullRead>);

impl Reading<'_> {
    /// Adds to `counts` what was committed, even when the rest fails.
    async fn all(
        self,
        connector: Box<dyn Connector>,
        full: Option<FullRead>,
        counts: &mut Counts,
    ) -> (Box<dyn Connector>, Result<Read>) {
        let cursors = match self.cursors().await {
            Ok(cursors) => cursors,
            Err(problem) => return (connector, Err(problem)),
        };
        let (pages, mut arriving) = mpsc::channel(PAGES_AHEAD);
        let reader = self.reader(connector, cursors, pages);
        let (work, queue) = mpsc::channel(BATCHES_AHEAD);
        let since = match &full {
            Some(full) => full.since(),
            None => Since {
                version: self.first_version,
                is_full: false,
            },
        };
        let writer = Writer {
            context: self.context.clone(),
            stream: self.stream.clone(),
            parts: self.parts.to_vec(),
            full,
            since,
            counts: Counts::default(),
        };
        // On a thread of its own: it computes and writes for as long as a batch takes.
        let runtime = Handle::current();
        let writing = tokio::task::spawn_blocking(move || runtime.block_on(writer.all(queue)));
        let landed = self.land_all(&mut arriving, work, since).await;
        drop(arriving);
        let (written, result) = match writing.await {
            Ok(written) => written,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let connector = reader.await;
        counts.add(written.counts);
        let read = match (result, landed) {
            (Err(problem), _) | (Ok(()), Err(problem)) => Err(problem),
            (Ok(()), Ok(early)) => Ok((early, written.full)),
        };
        (connector, read)
    }

    async fn cursors(&self) -> Result<Vec<Option<Vec<u8>>>> {
        let mut cursors = Vec::new();
        let mut tx = self.context.store.read().await?;
        for part in self.parts {
            cursors.push(tx.cursor(self.stream.id, part).await?);
        }
        Ok(cursors)
    }

    /// Reads page after page on a thread of its own.
    fn reader(
        &self,
        mut connector: Box<dyn Connector>,
        cursors: Vec<Option<Vec<u8>>>,
        pages: mpsc::Sender<Message>,
    ) -> impl Future<Output = Box<dyn Connector>> + use<> {
        let stream = self.plan.name.to_string();
        let parts = self.parts.to_vec();
        let cancel = self.context.cancel.clone();
        in_parallel(move || {
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
        })
    }

    /// Gathers pages into batches, lands them and passes them to the writer. Returns why the reader stopped early.
    async fn land_all(
        &self,
        arriving: &mut mpsc::Receiver<Message>,
        work: mpsc::Sender<Work>,
        since: Since,
    ) -> Result<Option<Ended>> {
        let mut records = 0;
        let mut unfit = Unfit::new(self.max_dead_letters);
        let mut writing = InFlight::default();
        let mut most = FIRST_RECORDS;
        loop {
            let gathered = gather(arriving, most).await;
            most = BATCH_RECORDS.min(most * 2);
            if !gathered.cursors.is_empty() {
                // What is in memory is bounded: what is being written, what waits, and nothing else.
                let Ok(permit) = work.reserve().await else {
                    // The writer returns why it stopped.
                    return Ok(None);
                };
                let lines = land::key_lines(self.stream, self.plan, &gathered.arrived);
                // Waits for the writer where a record of this batch is still being written.
                if writing.is_busy() && writing.touches(lines.slots()) {
                    writing.wait().await;
                }
                let landed = land::land(self.context, self.stream, self.plan, lines, since).await?;
                unfit.judge(&landed.changes, self.stream)?;
                records += landed.counts.read;
                (self.options.progress)(Progress { records });
                let committed = writing.add(&landed);
                permit.send(Work {
                    arrived: gathered.arrived,
                    landed,
                    cursors: gathered.cursors,
                    committed,
                });
            }
            if gathered.ended {
                return Ok(gathered.early);
            }
        }
    }
}

/// The next pages, up to `most` records.
async fn gather(arriving: &mut mpsc::Receiver<Message>, most: usize) -> Gathered {
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

/// The problem at the stream, unless it has a place already.
fn with_place(problem: Problem, stream: &StreamRef) -> Problem {
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
