//! Reading one source: stored records are mapped again where the mapping was edited, then stream after stream is read.

mod tests;

use crate::flow::commit::change::Counts;
use crate::flow::connect::Opens;
use crate::flow::context::Context;
use crate::flow::intake::inbox::{Inbox, empty_landed};
use crate::flow::intake::range::What;
use crate::flow::intake::read::{ReadOptions, StreamReport, read_stream};
use crate::flow::lease;
use crate::flow::upkeep::remap::remap;
use crate::flow::upkeep::rules;
use crate::flow::work::bounded::bounded;
use crate::flow::work::pauses::{Pause, pause_of, paused};
use crate::flow::work::run::{RunEvent, RunOptions};
use crate::host::Connector;
use crate::manifest::{Source, Stream};
use crate::problem::Problem;
use crate::problem::codes::{MANIFESTS_CHANGED, RULES_CHANGED, TOO_MANY_UNFIT};
use crate::store::{Paused, Result};

/// How often reading a stream goes on after another process changed the identity rules.
const RULES_ATTEMPTS: usize = 5;

/// How reading one source went.
#[derive(Debug, Default)]
pub struct SourceReport {
    /// Stored records that were mapped again.
    pub remapped: i64,
    pub streams: Vec<StreamReport>,
    pub problems: Vec<Problem>,
    /// It was paused, took too long, or another time came.
    pub ended_early: bool,
    /// The pause that kept it from being read, or ended the read.
    pub paused: Option<Pause>,
}

/// Reads a source, once no other process does.
pub async fn read_source(
    context: &Context,
    source: &Source,
    connectors: &dyn Opens,
    options: &RunOptions,
) -> Result<SourceReport> {
    let pause = pause_of(context, Paused::Source, &source.name).await?;
    if pause.is_some() {
        return Ok(SourceReport {
            paused: pause,
            ..SourceReport::default()
        });
    }
    let mut report = SourceReport::default();
    let is_beside = matches!(options.read.what, What::Range(_));
    if is_beside {
        // By the mapping that the stored records follow.
        let Some(lease) = lease::wait_to_read(context, &source.name).await? else {
            return Ok(report);
        };
        let brought = bring_up(&lease.fencing(context), source, &mut report).await;
        if !lease.over(brought).await? {
            return Ok(report);
        }
    }
    let name = match is_beside {
        true => format!("backfill {}", source.name),
        false => format!("read {}", source.name),
    };
    let waiting = || (options.events)(RunEvent::Waiting { what: &name });
    let Some(lease) = lease::wait(context, &name, waiting).await? else {
        return Ok(report);
    };
    let ending = paused(context, Paused::Source, &source.name);
    let fenced = lease.fencing(context);
    let read = read_held(&fenced, source, connectors, options, ending).await;
    lease.over(read).await
}

/// The same, for the holder of its lease. The read ends at its next safe point when `ending` returns why, which is stored with it.
pub async fn read_held(
    context: &Context,
    source: &Source,
    connectors: &dyn Opens,
    options: &RunOptions,
    ending: impl Future<Output = String>,
) -> Result<SourceReport> {
    let began = context.clock.now();
    let reading = |context| read_streams(context, source, connectors, options);
    let (read, why) = bounded(context, ending, reading).await;
    let Some(why) = why else {
        return read;
    };
    tracing::warn!(source = %source.name, why, "the read was ended early");
    let mut tx = context.store.begin().await?;
    let is_beside = matches!(options.read.what, What::Range(_));
    tx.explain_stopped(&source.name, is_beside, began.0, &why)
        .await?;
    tx.commit().await?;
    let mut read = read?;
    read.ended_early = true;
    // What a guard found is no consequence of the end.
    if let Some(last) = read.streams.last_mut()
        && !(last.guarded || last.is_emptied())
    {
        last.problem = None;
    }
    read.paused = pause_of(context, Paused::Source, &source.name).await?;
    Ok(read)
}

/// Only what was sent to the hub, for the holder of its lease.
pub async fn read_inbox(
    mut context: Context,
    source: &Source,
    options: &RunOptions,
) -> Result<SourceReport> {
    let mut report = SourceReport::default();
    if bring_up(&context, source, &mut report).await? {
        from_inbox(&mut context, source, options, &mut report).await?;
    }
    Ok(report)
}

async fn read_streams(
    mut context: Context,
    source: &Source,
    connectors: &dyn Opens,
    options: &RunOptions,
) -> Result<SourceReport> {
    let mut report = SourceReport::default();
    if let What::Range(_) = options.read.what {
        from_vendor(&mut context, source, connectors, options, &mut report).await?;
        return Ok(report);
    }
    if !bring_up(&context, source, &mut report).await? {
        return Ok(report);
    }
    // What waits is older than what the vendor returns from now on, so it comes first, and nothing is read before it is landed.
    from_inbox(&mut context, source, options, &mut report).await?;
    if report.streams.iter().any(|one| one.problem.is_some()) {
        return Ok(report);
    }
    if !source.is_collected() {
        from_vendor(&mut context, source, connectors, options, &mut report).await?;
        from_inbox(&mut context, source, options, &mut report).await?;
    }
    Ok(report)
}

async fn from_vendor(
    context: &mut Context,
    source: &Source,
    connectors: &dyn Opens,
    options: &RunOptions,
    report: &mut SourceReport,
) -> Result<()> {
    match connectors.source(source) {
        Ok(connector) => {
            let all = Streams {
                source,
                streams: source.streams.iter().collect(),
                read: options.read.clone(),
            };
            all.read(context, connector, options, report).await?;
        }
        Err(problems) => report.problems.extend(problems),
    }
    Ok(())
}

/// Maps stored records as the manifests say now; false when they stay as they were mapped before, and other sources go on.
async fn bring_up(context: &Context, source: &Source, report: &mut SourceReport) -> Result<bool> {
    match remap(context, source).await {
        Ok(remapped) => report.remapped = remapped,
        Err(problem) if problem.code == &TOO_MANY_UNFIT => {
            report.problems.push(problem);
            return Ok(false);
        }
        Err(problem) => return Err(problem),
    }
    Ok(true)
}

async fn from_inbox(
    context: &mut Context,
    source: &Source,
    options: &RunOptions,
    report: &mut SourceReport,
) -> Result<()> {
    let mut tx = context.store.read().await?;
    let waiting = tx.waiting_streams(&source.name).await?;
    drop(tx);
    if waiting.is_empty() {
        return Ok(());
    }
    let is_waiting = |stream: &&Stream| waiting.iter().any(|name| *name == *stream.name);
    let sent = Streams {
        source,
        streams: source.streams.iter().filter(is_waiting).collect(),
        read: ReadOptions {
            what: What::Inbox,
            ..options.read.clone()
        },
    };
    let connector = Inbox::of(context, source);
    sent.read(context, connector, options, report).await?;
    empty_landed(context, source).await
}

/// Streams that are read one after another.
struct Streams<'a> {
    source: &'a Source,
    streams: Vec<&'a Stream>,
    read: ReadOptions,
}

impl Streams<'_> {
    async fn read(
        &self,
        context: &mut Context,
        mut connector: Box<dyn Connector>,
        options: &RunOptions,
        report: &mut SourceReport,
    ) -> Result<()> {
        let named = options.stream.as_deref();
        let streams = self.streams.iter();
        for stream in streams.filter(|stream| named.is_none_or(|name| name == &*stream.name)) {
            if context.cancel.is_cancelled() {
                break;
            }
            (options.events)(RunEvent::Reading {
                source: &self.source.name,
                stream: &stream.name,
            });
            let (done, back) = self.one(context, stream, connector).await?;
            connector = back;
            (options.events)(RunEvent::Read(&done));
            report.streams.push(done);
        }
        Ok(())
    }

    /// One stream, with the rules that are current when it ends.
    async fn one(
        &self,
        context: &mut Context,
        stream: &Stream,
        mut connector: Box<dyn Connector>,
    ) -> Result<(StreamReport, Box<dyn Connector>)> {
        let (mut attempts, mut before) = (0, Counts::default());
        loop {
            let (mut read, back) =
                read_stream(context, self.source, stream, connector, &self.read).await?;
            connector = back;
            read.counts.add(before);
            if let Some(problem) = read.problem.take_if(|one| one.code == &MANIFESTS_CHANGED) {
                return Err(problem);
            }
            let overtaken = read.problem.as_ref();
            let overtaken = overtaken.is_some_and(|problem| problem.code == &RULES_CHANGED);
            if !overtaken || attempts == RULES_ATTEMPTS {
                return Ok((read, connector));
            }
            // With the current rules, from where it stopped.
            attempts += 1;
            before = read.counts;
            rules::ready(context).await?;
        }
    }
}
