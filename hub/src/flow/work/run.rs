//! A whole run: mappings and definitions brought up to date, sources read, due timers evaluated, destinations delivered to.

use crate::flow::commit::adopt::{Leave, adopt_manifests};
use crate::flow::commit::change::Counts;
use crate::flow::connect::Opens;
use crate::flow::context::Context;
use crate::flow::deliver::{DeliveryOptions, DeliveryReport};
use crate::flow::intake::read::{ReadOptions, StreamReport};
use crate::flow::lease::{self, Lease};
use crate::flow::upkeep::alarm::alarm;
use crate::flow::upkeep::announce::announce;
use crate::flow::upkeep::due::due;
use crate::flow::upkeep::fill::backfill;
use crate::flow::upkeep::rebuild::rebuild;
use crate::flow::upkeep::{leftover, models, rules};
use crate::flow::work::delivering::{deliver_to, paused_destinations};
use crate::flow::work::pauses::Pause;
use crate::flow::work::reading::{SourceReport, read_source};
use crate::manifest::{Source, Subject};
use crate::model::load_phone_rules;
use crate::problem::Problem;
use crate::problem::codes::TOO_MANY_UNFIT;
use crate::store::{Result, Tx};
use std::sync::Arc;
use tokio::task::JoinHandle;

#[derive(Clone)]
pub struct RunOptions {
    /// One source only; nothing is delivered unless `deliver`.
    pub source: Option<String>,
    pub stream: Option<String>,
    pub read: ReadOptions,
    pub deliver: bool,
    /// How many rows of each kind a destination's report names.
    pub show: usize,
    /// Called as each part begins and ends.
    pub events: Events,
}

pub type Events = Arc<dyn Fn(RunEvent<'_>) + Send + Sync>;

/// What a surface shows while a run goes on.
#[derive(Debug, Clone, Copy)]
pub enum RunEvent<'a> {
    /// Another process is doing it.
    Waiting {
        what: &'a str,
    },
    Reading {
        source: &'a str,
        stream: &'a str,
    },
    Read(&'a StreamReport),
    /// Longer work between reading and delivering, with how many people it has reached.
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
    /// Sources that were not read, and destinations that were sent no more than removals of suppressed people.
    pub paused: Vec<Pause>,
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
        let unfit = |problem: &Problem| problem.code == &TOO_MANY_UNFIT;
        self.streams.iter().any(|stream| stream.guarded)
            || self.problems.iter().any(unfit)
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
                .any(|one| !one.problems.is_empty() || one.rejected > 0 || one.postponed > 0)
    }

    fn add(&mut self, read: SourceReport) {
        self.remapped += read.remapped;
        self.streams.extend(read.streams);
        self.problems.extend(read.problems);
        self.paused.extend(read.paused);
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

/// Runs once. A stream or destination that fails does not stop the others.
pub async fn run(
    context: &Context,
    connectors: &dyn Opens,
    options: &RunOptions,
) -> Result<RunReport> {
    let mut report = RunReport::default();
    let mut tx = context.store.read().await?;
    report.people_before = tx.status_counts().await?.people;
    let log = LogEnds::of(&mut tx).await?;
    drop(tx);
    let mut context = ready(context).await?;
    let filling = prepare(&context, &options.events).await?;
    for source in wanted(&context, options) {
        let read = read_source(&context, source, connectors, options).await?;
        report.add(read);
    }
    if let Some(filling) = filling {
        match filling.await {
            Ok(filled) => filled?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    if !context.cancel.is_cancelled() {
        report.models = bring_up_to_date(&mut context, &options.events).await?;
        due(&context).await?;
    }
    // I8: a source that returned nothing is not proof that its people are gone.
    let how = DeliveryOptions {
        emptied: report.streams.iter().any(StreamReport::is_emptied),
        show: options.show,
        suppressed_only: false,
    };
    for destination in &context.plan.destinations {
        if !options.deliver || context.cancel.is_cancelled() {
            break;
        }
        let delivered = deliver_to(&context, destination, connectors, how, &options.events).await?;
        report.destinations.push(delivered);
    }
    finish(&context, log, &mut report).await?;
    if options.deliver {
        report.paused.extend(paused_destinations(&context).await?);
    }
    report.warnings.extend(alarm(&context).await?);
    // A single source runs often, and counting takes a look at every record.
    if options.source.is_none() {
        let mut tx = context.store.read().await?;
        let left = leftover::leftovers(&mut tx, &context.plan).await?;
        report.warnings.extend(leftover::warnings(&left));
    }
    Ok(report)
}

/// Makes this process one that writes to the hub: adopts its manifests, takes the current rules and models, and marks changed
/// definitions as unfinished before anyone is evaluated by them. Called once. `is_current` tells whether the manifests are still
/// as they were read, `leave` why they may be applied.
pub async fn enter(
    context: &mut Context,
    is_current: &(dyn Fn() -> bool + Sync),
    leave: &Leave,
) -> Result<()> {
    // Meanwhile; the first record needs them.
    let thread = std::thread::Builder::new().name("phone rules".to_owned());
    // Where there can be no further thread, the first record waits for them.
    drop(thread.spawn(load_phone_rules));
    adopt_manifests(context, is_current, leave).await?;
    rules::ready(context).await?;
    models::adopt(context).await?;
    announce(context).await
}

/// The context with the current rules and models. Waits for a change of rules that another process is doing.
pub async fn ready(context: &Context) -> Result<Context> {
    let mut context = context.clone();
    rules::ready(&mut context).await?;
    rules::keep_first(&context).await?;
    models::adopt(&mut context).await?;
    Ok(context)
}

/// Takes the lease of bringing definitions up to date; none when the run is cancelled first.
async fn definitions(context: &Context, events: &Events) -> Result<Option<Lease>> {
    let waiting = || {
        events(RunEvent::Waiting {
            what: "definitions",
        });
    };
    lease::wait(context, "definitions", waiting).await
}

/// Announces new definitions, and begins to fill them while sources are read, unless everybody's traits have to be computed
/// again first.
async fn prepare(context: &Context, events: &Events) -> Result<Option<JoinHandle<Result<()>>>> {
    let Some(lease) = definitions(context, events).await? else {
        return Ok(None);
    };
    let fenced = lease.fencing(context);
    let prepared = async {
        announce(&fenced).await?;
        rebuild(&fenced).await?;
        models::are_behind(&fenced).await
    };
    match prepared.await {
        Ok(false) => Ok(Some(tokio::spawn(async move {
            let filled = backfill(&fenced).await.map(drop);
            lease.over(filled).await
        }))),
        other => lease.over(other.map(|_| None)).await,
    }
}

/// Fits the models that are due, and brings traits and audiences up to date with what is defined now.
pub async fn bring_up_to_date(
    context: &mut Context,
    events: &Events,
) -> Result<Vec<models::FitReport>> {
    let Some(lease) = definitions(context, events).await? else {
        return Ok(Vec::new());
    };
    let mut fenced = lease.fencing(context);
    let watch = |what: &str, people| events(RunEvent::Working { what, people });
    let brought = async {
        announce(&fenced).await?;
        rebuild(&fenced).await?;
        let models = models::refresh(&mut fenced, &watch).await?;
        backfill(&fenced).await?;
        Ok(models)
    };
    let brought = brought.await;
    let models = lease.over(brought).await?;
    models::adopt(context).await?;
    Ok(models)
}

fn wanted<'a>(context: &'a Context, options: &'a RunOptions) -> impl Iterator<Item = &'a Source> {
    context.plan.sources.iter().filter(|source| {
        options
            .source
            .as_deref()
            .is_none_or(|name| name == &*source.name)
    })
}

/// The last entries in the logs of memberships when a run began.
pub(super) struct LogEnds {
    of_people: i64,
    of_accounts: i64,
}

impl LogEnds {
    pub(super) async fn of(tx: &mut Tx) -> Result<Self> {
        Ok(Self {
            of_people: tx.last_log_id(Subject::Person).await?,
            of_accounts: tx.last_log_id(Subject::Account).await?,
        })
    }
}

pub(super) async fn finish(context: &Context, log: LogEnds, report: &mut RunReport) -> Result<()> {
    let mut tx = context.store.read().await?;
    let counts = tx.status_counts().await?;
    report.people = counts.people;
    report.records = counts.records;
    report.dead_letters = counts.dead_letters;
    let shown = context.plan.audiences.iter().filter(|one| !one.is_step);
    for audience in shown {
        let name = &*audience.name;
        let before = match audience.of {
            Subject::Person => log.of_people,
            Subject::Account => log.of_accounts,
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
