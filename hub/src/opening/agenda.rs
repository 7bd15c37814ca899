//! What is due next, and what keeps it from being done: sources, destinations, timers and models.

use super::Opened;
use crate::flow::{self, Pause, models};
use crate::manifest::{Destination, Source, When};
use crate::model::{Shown, Timestamp};
use crate::store::{JobRow, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;

/// A source that was due this long ago and was not read since is overdue.
const OVERDUE_MS: i64 = 60_000;

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Agenda {
    pub sources: Vec<SourceDue>,
    pub destinations: Vec<DestinationDue>,
    /// The next moment at which an audience or trait changes by itself.
    pub timers: Option<Shown>,
    pub models: Vec<ModelDue>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SourceDue {
    pub source: String,
    /// As it is written; none, if only `onefold run` reads it, or it is sent to.
    pub schedule: Option<String>,
    /// Its records are sent to the hub.
    pub is_sent_to: bool,
    pub at: Option<Shown>,
    /// The same on the clock of the schedule's zone, such as `06:30 Europe/Warsaw`.
    pub local: Option<String>,
    /// Since when it should have been read.
    pub overdue_since: Option<Shown>,
    pub is_running: bool,
    #[serde(flatten)]
    pub held: Held,
}

/// What keeps work from being done.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub struct Held {
    pub paused: Option<Pause>,
    /// Failures in a row, and the last one.
    pub failures: i64,
    pub problem: Option<String>,
    /// When a service retries it.
    pub again_at: Option<Shown>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DestinationDue {
    pub destination: String,
    /// Changes that the next delivery looks at.
    pub waits: i64,
    pub is_running: bool,
    #[serde(flatten)]
    pub held: Held,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ModelDue {
    pub model: String,
    /// When its version will be too old; none, if it has no version.
    pub at: Option<Shown>,
}

impl Opened {
    /// Everything that is due, as the store and the manifests have it now.
    pub async fn agenda(&self) -> Result<Agenda> {
        let plan = &self.context.plan;
        let began = flow::last_read(&self.context).await?;
        let pauses = self.pauses().await?;
        let mut tx = self.context.store.read().await?;
        let jobs = tx.jobs().await?;
        let timers = tx.next_due().await?.map(Shown::of);
        let held = |kind: &str, name: &str, job: Option<&JobRow>| Held {
            paused: pauses
                .iter()
                .find(|one| one.kind == kind && one.name == name)
                .cloned(),
            failures: job.map_or(0, |job| job.attempts),
            problem: job.and_then(|job| job.problem.clone()),
            again_at: job.and_then(|job| job.again_at).map(Shown::of),
        };
        let mut sources = Vec::new();
        for source in &plan.sources {
            let name = format!("read {}", source.name);
            let job = jobs.iter().find(|job| job.name == name);
            let held = held("source", &source.name, job);
            let is_running = flow::is_held(&self.context, &name).await?;
            let after = source.schedule.as_ref().map(|schedule| &schedule.when);
            let upstream = match after {
                Some(When::After(upstream)) => flow::last_end(&self.context, upstream).await?,
                _ => None,
            };
            sources.push(self.source_due(source, &began, held, is_running, upstream));
        }
        let mut destinations = Vec::new();
        for Destination { name, .. } in &plan.destinations {
            let lease = format!("deliver {name}");
            let job = jobs.iter().find(|job| job.name == lease);
            destinations.push(DestinationDue {
                destination: name.to_string(),
                waits: tx.destination_counts(name).await?.waits,
                is_running: flow::is_held(&self.context, &lease).await?,
                held: held("destination", name, job),
            });
        }
        let rows = tx.models().await?;
        let models = plan.models.iter().map(|model| ModelDue {
            model: model.name.to_string(),
            at: models::due_at(model, &rows).map(Shown),
        });
        Ok(Agenda {
            sources,
            destinations,
            timers,
            models: models.collect(),
        })
    }

    fn source_due(
        &self,
        source: &Source,
        began: &BTreeMap<String, Timestamp>,
        held: Held,
        is_running: bool,
        upstream: Option<Timestamp>,
    ) -> SourceDue {
        let now = self.context.clock.now();
        let schedule = source.schedule.as_ref();
        let timing = flow::Timing::new(&self.context.plan.hub.name, source);
        let due = |after: Timestamp| Some(timing.as_ref()?.next(after, upstream)?.at);
        let at = timing
            .as_ref()
            .and_then(|timing| timing.upcoming(now, upstream))
            .map(|due| due.at);
        // One that was never read to its end has no time to count from.
        let began = began.get(&*source.name).filter(|began| began.0 > 0);
        let missed = began.and_then(|began| due(*began));
        let overdue = missed.filter(|missed| {
            missed.0 + OVERDUE_MS <= now.0 && !is_running && held.paused.is_none()
        });
        SourceDue {
            source: source.name.to_string(),
            schedule: schedule.map(ToString::to_string),
            is_sent_to: source.is_collected(),
            at: at.map(Shown),
            local: at
                .zip(schedule)
                .and_then(|(at, schedule)| local(at, schedule.timezone)),
            overdue_since: overdue.map(Shown),
            is_running,
            held,
        }
    }
}

/// `06:30 Europe/Warsaw`
fn local(at: Timestamp, zone: chrono_tz::Tz) -> Option<String> {
    let at: DateTime<Utc> = DateTime::from_timestamp_millis(at.0)?;
    Some(format!(
        "{} {zone}",
        at.with_timezone(&zone).format("%H:%M")
    ))
}
