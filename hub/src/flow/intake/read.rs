//! Reading one stream: the connector reads ahead on a thread of its own, landing maps, and a writer applies one batch
//! after another, each with its cursor in the same transaction (I3). The three work in parallel; the queues between them
//! are bounded.

mod in_flight;
mod pages;
mod row;
mod sweep;
pub(in crate::flow) mod tests;
mod write;

use crate::flow::commit::change::Counts;
use crate::flow::commit::stream::StreamRef;
use crate::flow::commit::unfit::Unfit;
use crate::flow::connect::calling::retrying;
use crate::flow::context::{Context, in_parallel};
use crate::flow::intake::land::{self, Since};
use crate::flow::intake::range::What;
use crate::flow::trace::{Span, Within};
use crate::host::{Cancel, Connector, Failure, ReadRequest};
use crate::manifest::{Source, Stream};
use crate::model::Timestamp;
use crate::problem::codes::{EMPTY_SOURCE, TOO_MANY_UNFIT};
use crate::problem::{Place, Problem};
use crate::store::{Result, RunRow, StreamRow};
use in_flight::InFlight;
use pages::{Ended, Message, gather, read_part};
use row::{finish, new_run};
use std::sync::Arc;
use sweep::{FullRead, Swept, sweep};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use write::{Work, Writer};

/// How many records are landed and applied together: with the bytes of a batch (`pages`) and `BATCHES_AHEAD`, this bounds memory, for small
/// records and for large ones.
pub(super) const BATCH_RECORDS: usize = 5_000;
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
    pub what: What,
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
    /// Its number among the runs.
    #[serde(skip)]
    pub run: i64,
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
        began,
    } = begin(context, source, plan, options).await?;
    let span = context.trace.span("run", &Within::default());
    let span = span.text("source", &source.name).text("stream", &plan.name);
    let mut going = Going {
        context,
        within: span.within(),
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
    finish(context, &mut run, began, counts, problem.as_ref()).await?;
    ended(span, &run, problem.as_ref());
    let report = StreamReport {
        run: run.id,
        source: run.source,
        stream: run.stream,
        counts,
        duration_ms: run.finished_at.unwrap_or(began) - began,
        problem,
        guarded,
    };
    Ok((report, connector))
}

fn ended(mut span: Span, run: &RunRow, problem: Option<&Problem>) {
    span.number("run", run.id);
    span.number("read", run.read);
    if let Some(problem) = problem {
        span.failed(problem.code.id);
    }
}

struct Begun {
    run: RunRow,
    stream: StreamRef,
    /// The full read that is under way or asked for.
    full: Option<FullRead>,
    first_version: i64,
    began: i64,
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
    let full = match &options.what {
        What::Range(_) => None,
        // What was sent does not come again; a full read under way, which may not return it, knows it.
        What::Inbox if again => None,
        What::Vendor if options.full || again => Some(FullRead::begin(&mut tx, row.id).await?),
        What::Inbox | What::Vendor => FullRead::going_on(&mut tx, &row).await?,
    };
    let now = context.clock.now().0;
    let kind = options.what.kind();
    tx.end_lost_runs(&source.name, &plan.name, kind, now)
        .await?;
    let run = new_run(&mut tx, source, plan, options, now).await?;
    let first_version = tx.reserve("version", 0).await?;
    tx.commit().await?;
    let stream = StreamRef::from(&row);
    Ok(Begun {
        run,
        stream,
        full,
        first_version,
        began: now,
    })
}

/// One stream's read, from its start or its cursors to its end.
struct Going<'a> {
    context: &'a Context,
    within: Within,
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
                within: self.within.clone(),
                stream: self.stream,
                plan: self.plan,
                parts: &parts,
                options: self.options,
                // A message that was taken is landed whatever becomes of others: anyone may send some with a public key.
                max_dead_letters: self
                    .source
                    .max_dead_letters
                    .filter(|_| !self.options.what.is_inbox()),
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
                            full = again;
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
    /// A backfill begins again.
    async fn restart(&self) -> Result<Option<FullRead>> {
        tracing::warn!(source = %self.stream.source, stream = %self.stream.name, "the vendor no longer honours the cursor; reading from the start");
        let mut tx = self.context.begin().await?;
        let full = match self.options.what.range() {
            None => Some(FullRead::begin(&mut tx, self.stream.id).await?),
            Some(range) => {
                tx.forget_cursors(self.stream.id, &range.cursors()).await?;
                None
            }
        };
        tx.commit().await?;
        Ok(full)
    }

    async fn sweep(&mut self, full: Option<FullRead>) -> Result<()> {
        let ended = !self.context.cancel.is_cancelled();
        if let Some(range) = self.options.what.range().filter(|_| ended) {
            let mut tx = self.context.begin().await?;
            tx.forget_cursors(self.stream.id, &range.cursors()).await?;
            return tx.commit().await;
        }
        let Some(full) = full.filter(|_| ended && !self.options.what.is_inbox()) else {
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

struct Reading<'a> {
    context: &'a Context,
    within: Within,
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
            Some(full) if !self.options.what.is_inbox() => full.since(),
            _ => Since {
                version: self.first_version,
                is_full: false,
                range: self.options.what.range().cloned(),
            },
        };
        let writer = Writer {
            context: self.context.clone(),
            within: self.within.clone(),
            stream: self.stream.clone(),
            parts: self.parts.iter().map(|part| self.cursor_of(part)).collect(),
            full,
            is_sent: self.options.what.is_inbox(),
            since: since.clone(),
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

    /// Under which the cursor of a part is kept.
    fn cursor_of(&self, part: &str) -> String {
        match self.options.what.range() {
            Some(range) => range.cursor_of(part),
            None => part.to_owned(),
        }
    }

    async fn cursors(&self) -> Result<Vec<Option<Vec<u8>>>> {
        let mut cursors = Vec::new();
        let mut tx = self.context.store.read().await?;
        for part in self.parts {
            let name = self.cursor_of(part);
            cursors.push(tx.cursor(self.stream.id, &name).await?);
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
        let range = self.options.what.range().cloned().unwrap_or_default();
        let (trace, within) = (self.context.trace.clone(), self.within.clone());
        let span = move || trace.span("fetch page", &within);
        in_parallel(move || {
            for (index, (part, cursor)) in parts.into_iter().zip(cursors).enumerate() {
                let mut request = ReadRequest {
                    stream: stream.clone(),
                    part,
                    cursor,
                    since: range.since.map(Timestamp::to_rfc3339),
                    until: range.until.map(Timestamp::to_rfc3339),
                    max_records: 2_000,
                    max_bytes: 8 << 20,
                };
                let connector = connector.as_mut();
                if !read_part(connector, &mut request, index, &cancel, &pages, &span) {
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
                let mut span = self.context.trace.span("land and map", &self.within);
                let lines = land::key_lines(self.stream, self.plan, &gathered.arrived);
                // Waits for the writer where a record of this batch is still being written.
                if writing.is_busy() && writing.touches(lines.slots()) {
                    writing.wait().await;
                }
                let landed =
                    land::land(self.context, self.stream, self.plan, lines, since.clone()).await?;
                unfit.judge(&landed.changes, self.stream)?;
                records += landed.counts.read;
                span.number("records", landed.counts.read);
                span.number("changes", landed.changes.len() as i64);
                drop(span);
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
