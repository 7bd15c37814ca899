//! Reading a source, for the holder of its lease: what the vendor returns, and what was sent to the hub.

use crate::flow::commit::change::Counts;
use crate::flow::connect::Opens;
use crate::flow::context::Context;
use crate::flow::intake::inbox::{Inbox, empty_landed};
use crate::flow::intake::read::{ReadOptions, StreamReport, read_stream};
use crate::flow::upkeep::remap::remap;
use crate::flow::upkeep::rules;
use crate::flow::work::run::{RunEvent, RunOptions, SourceReport};
use crate::host::Connector;
use crate::manifest::{Source, Stream};
use crate::problem::codes::{MANIFESTS_CHANGED, RULES_CHANGED, TOO_MANY_UNFIT};
use crate::store::Result;

/// How often a stream is read again from where it stopped, after the rules changed meanwhile.
const RULES_ATTEMPTS: usize = 5;

pub async fn read_held(
    mut context: Context,
    source: &Source,
    connectors: &dyn Opens,
    options: &RunOptions,
) -> Result<SourceReport> {
    let mut report = SourceReport::default();
    if !bring_up(&context, source, &mut report).await? {
        return Ok(report);
    }
    if !source.is_collected() {
        match connectors.source(source) {
            Ok(connector) => {
                let streams = source.streams.iter();
                streams_of(
                    &mut context,
                    streams,
                    source,
                    connector,
                    options,
                    &options.read,
                    &mut report,
                )
                .await?;
            }
            Err(problems) => report.problems.extend(problems),
        }
    }
    from_inbox(&mut context, source, options, &mut report).await?;
    Ok(report)
}

/// Only what was sent to the hub.
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
    let waiting = context.store.read().await?;
    let waiting = { waiting }.waiting_streams(&source.name).await?;
    if waiting.is_empty() {
        return Ok(());
    }
    let read = ReadOptions {
        inbox: true,
        ..options.read.clone()
    };
    let connector = Inbox::of(context, source);
    let streams = source.streams.iter();
    let streams = streams.filter(|stream| waiting.iter().any(|name| *name == *stream.name));
    streams_of(context, streams, source, connector, options, &read, report).await?;
    empty_landed(context, source).await
}

async fn streams_of<'s>(
    context: &mut Context,
    streams: impl Iterator<Item = &'s Stream>,
    source: &Source,
    mut connector: Box<dyn Connector>,
    options: &RunOptions,
    read: &ReadOptions,
    report: &mut SourceReport,
) -> Result<()> {
    let named = options.stream.as_deref();
    for stream in streams.filter(|stream| named.is_none_or(|name| name == &*stream.name)) {
        if context.cancel.is_cancelled() {
            break;
        }
        (options.events)(RunEvent::Reading {
            source: &source.name,
            stream: &stream.name,
        });
        let (done, back) = one(context, source, stream, connector, read).await?;
        connector = back;
        (options.events)(RunEvent::Read(&done));
        report.streams.push(done);
    }
    Ok(())
}

/// One stream, with the rules that are current when it ends.
async fn one(
    context: &mut Context,
    source: &Source,
    stream: &Stream,
    mut connector: Box<dyn Connector>,
    options: &ReadOptions,
) -> Result<(StreamReport, Box<dyn Connector>)> {
    let (mut attempts, mut before) = (0, Counts::default());
    loop {
        let (mut read, back) = read_stream(context, source, stream, connector, options).await?;
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
