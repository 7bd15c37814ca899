//! Reading one source: stored records are mapped again where the mapping was edited, then stream after stream is read.

use crate::flow::commit::change::Counts;
use crate::flow::connect::Opens;
use crate::flow::context::Context;
use crate::flow::intake::read::{StreamReport, read_stream};
use crate::flow::lease;
use crate::flow::upkeep::remap::remap;
use crate::flow::upkeep::rules;
use crate::flow::work::bounded::bounded;
use crate::flow::work::pauses::{Pause, pause_of, paused};
use crate::flow::work::run::{RunEvent, RunOptions};
use crate::manifest::Source;
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
    let name = format!("read {}", source.name);
    let waiting = || (options.events)(RunEvent::Waiting { what: &name });
    let Some(lease) = lease::wait(context, &name, waiting).await? else {
        return Ok(SourceReport::default());
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
    tx.explain_stopped(&source.name, began.0, &why).await?;
    tx.commit().await?;
    let mut read = read?;
    if let Some(last) = read.streams.last_mut() {
        last.problem = None;
    }
    read.paused = pause_of(context, Paused::Source, &source.name).await?;
    Ok(read)
}

async fn read_streams(
    mut context: Context,
    source: &Source,
    connectors: &dyn Opens,
    options: &RunOptions,
) -> Result<SourceReport> {
    let mut report = SourceReport::default();
    match remap(&context, source).await {
        Ok(remapped) => report.remapped = remapped,
        // The stream's records stay as they were mapped before; other sources go on.
        Err(problem) if problem.code == &TOO_MANY_UNFIT => {
            report.problems.push(problem);
            return Ok(report);
        }
        Err(problem) => return Err(problem),
    }
    let mut connector = match connectors.source(source) {
        Ok(connector) => connector,
        Err(problems) => {
            report.problems.extend(problems);
            return Ok(report);
        }
    };
    let named = options.stream.as_deref();
    let streams = source.streams.iter();
    for stream in streams.filter(|stream| named.is_none_or(|name| name == &*stream.name)) {
        if context.cancel.is_cancelled() {
            break;
        }
        (options.events)(RunEvent::Reading {
            source: &source.name,
            stream: &stream.name,
        });
        let (mut attempts, mut before) = (0, Counts::default());
        let read = loop {
            let (mut read, back) =
                read_stream(&context, source, stream, connector, &options.read).await?;
            connector = back;
            read.counts.add(before);
            if let Some(problem) = read.problem.take_if(|one| one.code == &MANIFESTS_CHANGED) {
                return Err(problem);
            }
            let overtaken = read.problem.as_ref();
            let overtaken = overtaken.is_some_and(|problem| problem.code == &RULES_CHANGED);
            if !overtaken || attempts == RULES_ATTEMPTS {
                break read;
            }
            // With the current rules, from where it stopped.
            attempts += 1;
            before = read.counts;
            rules::ready(&mut context).await?;
        };
        (options.events)(RunEvent::Read(&read));
        report.streams.push(read);
    }
    Ok(report)
}
