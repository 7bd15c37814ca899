//! A whole run: mappings and definitions brought up to date, sources read, timers looked at, destinations delivered to.

use crate::flow::deliver::{DeliveryReport, deliver};
use crate::flow::read::{ReadOptions, StreamReport, read_stream};
use crate::flow::{
    Context, Counts, alarm, announce, backfill, due, leftover, models, rebuild, remap, rules,
};
use crate::host::Connector;
use crate::manifest::{Destination, Source, Subject};
use crate::problem::Problem;
use crate::store::Result;
use std::sync::Arc;

/// Opens connectors: `connect` as WebAssembly components, the benchmark natively compiled.
pub trait Opens: Send + Sync {
    fn source(&self, source: &Source) -> std::result::Result<Box<dyn Connector>, Vec<Problem>>;
    fn destination(
        &self,
        destination: &Destination,
    ) -> std::result::Result<Box<dyn Connector>, Vec<Problem>>;
    /// Nothing will be opened for a while.
    fn rest(&self);
}

#[derive(Clone)]
pub struct RunOptions {
    /// One source only; nothing is delivered unless `deliver`.
    pub source: Option<String>,
    pub stream: Option<String>,
    pub read: ReadOptions,
    pub deliver: bool,
    /// Told as each part begins and ends.
    pub events: Arc<dyn Fn(RunEvent<'_>) + Send + Sync>,
}

/// What a surface shows while a run goes on.
#[derive(Debug, Clone, Copy)]
pub enum RunEvent<'a> {
    Reading {
        source: &'a str,
        stream: &'a str,
    },
    Read(&'a StreamReport),
    /// Something that takes its time between reading and delivering, with how many people it has come to.
    Working {
        what: &'a str,
        people: usize,
    },
    Delivering {
        destination: &'a str,
    },
    Delivered(&'a DeliveryReport),
}

/// How a run went.
#[derive(Debug, Default, serde::Serialize)]
pub struct RunReport {
    pub streams: Vec<StreamReport>,
    pub remapped: i64,
    pub people: i64,
    pub people_before: i64,
    pub records: i64,
    pub audiences: Vec<AudienceReport>,
    pub destinations: Vec<DeliveryReport>,
    pub dead_letters: i64,
    /// Models that were fitted, or could not be.
    pub models: Vec<models::FitReport>,
    #[serde(skip)]
    pub problems: Vec<Problem>,
    /// What an operator should look at, though the run did what it should.
    #[serde(skip)]
    pub warnings: Vec<Problem>,
}

#[derive(Debug, serde::Serialize)]
pub struct AudienceReport {
    pub name: String,
    pub size: i64,
    pub entered: i64,
    pub left: i64,
}

impl RunReport {
    /// True when a guard stopped something.
    pub fn is_guarded(&self) -> bool {
        self.streams.iter().any(|stream| stream.guarded)
            || self.destinations.iter().any(|one| one.guarded)
    }

    /// True when some rows or streams failed.
    pub fn is_partial(&self) -> bool {
        !self.problems.is_empty()
            || self
                .streams
                .iter()
                .any(|stream| stream.problem.is_some() || stream.counts.set_aside > 0)
            || self
                .destinations
                .iter()
                .any(|one| one.problem.is_some() || one.rejected > 0 || one.postponed > 0)
    }

    /// Everything read, of all streams.
    pub fn totals(&self) -> Counts {
        let mut totals = Counts::default();
        for stream in &self.streams {
            totals.add(stream.counts);
        }
        totals
    }
}

/// Runs once. A stream or destination that fails does not keep the others from going on.
pub async fn run(
    context: &Context,
    connectors: &dyn Opens,
    options: &RunOptions,
) -> Result<RunReport> {
    let mut report = RunReport::default();
    let mut tx = context.store.read().await?;
    report.people_before = tx.status_counts().await?.people;
    let log = [
        tx.last_log_id(Subject::Person).await?,
        tx.last_log_id(Subject::Account).await?,
    ];
    drop(tx);
    rules::keep_first(context).await?;
    let mut context = context.clone();
    models::adopt(&mut context).await?;
    announce(&context).await?;
    rebuild(&context).await?;
    // New definitions are filled while sources are read, unless everybody's traits are worked out anew before.
    let filling = match models::are_behind(&context).await? {
        true => None,
        false => Some(tokio::spawn({
            let context = context.clone();
            async move { backfill(&context).await }
        })),
    };
    for source in wanted(&context, options) {
        report.remapped += remap(&context, source).await?;
        read_source(&context, source, connectors, options, &mut report).await?;
    }
    if let Some(filling) = filling {
        match filling.await {
            Ok(filled) => filled?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
    }
    let watch = |what: &str, people| (options.events)(RunEvent::Working { what, people });
    report.models = models::refresh(&mut context, &watch).await?;
    backfill(&context).await?;
    let context = &context;
    due(context).await?;
    // I8: a source that came up empty is not proof that its people are gone.
    if options.deliver && !options.read.cancel.is_cancelled() {
        deliver_all(context, connectors, options, &mut report).await?;
    }
    finish(context, log, &mut report).await?;
    report.warnings.extend(alarm(context).await?);
    // A single source runs often, and counting takes a look at every record.
    if options.source.is_none() {
        let mut tx = context.store.read().await?;
        let left = leftover::leftovers(&mut tx, &context.plan).await?;
        report.warnings.extend(leftover::warnings(&left));
    }
    Ok(report)
}

fn wanted<'a>(context: &'a Context, options: &'a RunOptions) -> impl Iterator<Item = &'a Source> {
    context.plan.sources.iter().filter(|source| {
        options
            .source
            .as_deref()
            .is_none_or(|name| name == &*source.name)
    })
}

async fn read_source(
    context: &Context,
    source: &Source,
    connectors: &dyn Opens,
    options: &RunOptions,
    report: &mut RunReport,
) -> Result<()> {
    let mut connector = match connectors.source(source) {
        Ok(connector) => connector,
        Err(problems) => {
            report.problems.extend(problems);
            return Ok(());
        }
    };
    for stream in &source.streams {
        if options
            .stream
            .as_deref()
            .is_some_and(|name| name != &*stream.name)
            || options.read.cancel.is_cancelled()
        {
            continue;
        }
        (options.events)(RunEvent::Reading {
            source: &source.name,
            stream: &stream.name,
        });
        let (stream_report, back) =
            read_stream(context, source, stream, connector, &options.read).await?;
        connector = back;
        (options.events)(RunEvent::Read(&stream_report));
        report.streams.push(stream_report);
    }
    Ok(())
}

async fn deliver_all(
    context: &Context,
    connectors: &dyn Opens,
    options: &RunOptions,
    report: &mut RunReport,
) -> Result<()> {
    let emptied = report.streams.iter().any(|stream| stream.guarded);
    for destination in &context.plan.destinations {
        (options.events)(RunEvent::Delivering {
            destination: &destination.name,
        });
        let delivered = if emptied && destination.guard.empty_source_stops {
            DeliveryReport {
                destination: destination.name.to_string(),
                guarded: true,
                ..DeliveryReport::default()
            }
        } else {
            match connectors.destination(destination) {
                Ok(connector) => {
                    deliver(context, destination, connector, &options.read.cancel).await?
                }
                Err(mut problems) => {
                    let problem = problems.pop();
                    report.problems.extend(problems);
                    DeliveryReport {
                        destination: destination.name.to_string(),
                        problem,
                        ..DeliveryReport::default()
                    }
                }
            }
        };
        (options.events)(RunEvent::Delivered(&delivered));
        report.destinations.push(delivered);
    }
    Ok(())
}

async fn finish(
    context: &Context,
    [of_people, of_accounts]: [i64; 2],
    report: &mut RunReport,
) -> Result<()> {
    let mut tx = context.store.read().await?;
    let counts = tx.status_counts().await?;
    report.people = counts.people;
    report.records = counts.records;
    report.dead_letters = counts.dead_letters;
    let shown = context.plan.audiences.iter().filter(|one| !one.is_step);
    for audience in shown {
        let name = &*audience.name;
        let before = match audience.of {
            Subject::Person => of_people,
            Subject::Account => of_accounts,
        };
        let (entered, left) = tx.log_counts(audience.of, name, before).await?;
        let size = tx.member_count(audience.of, name).await?;
        report.audiences.push(AudienceReport {
            name: audience.name.to_string(),
            size,
            entered,
            left,
        });
    }
    Ok(())
}
