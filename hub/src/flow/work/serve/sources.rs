//! One source of a serving hub: read each time that it is due, unless it is paused.

use super::pace::{Pace, may_pass};
use super::{Serving, TICK_MS, locked, release};
use crate::flow::intake::read::StreamReport;
use crate::flow::lease;
use crate::flow::work::pauses::{pause_of, paused};
use crate::flow::work::reading::{self, SourceReport};
use crate::flow::work::run;
use crate::flow::work::schedule::{last_read, next};
use crate::manifest::Source;
use crate::model::Timestamp;
use crate::problem::Problem;
use crate::problem::codes::MANIFESTS_CHANGED;
use crate::store::{Paused, Result};
use std::time::Duration;

impl Serving {
    /// One source, each time that it is due.
    pub(super) async fn source(&self, index: usize, first: Option<Timestamp>) {
        let source = &self.context.plan.sources[index];
        let Some(schedule) = &source.schedule else {
            return;
        };
        let mut pace = Pace::default();
        let mut time = first;
        while let Some(due) = time {
            let is_stopped = self.sleep_until(due).await;
            if self.context.clock.now() >= due {
                locked(&self.unread).insert(source.name.to_string());
            }
            if is_stopped {
                return;
            }
            if self.wait_while_paused(source).await {
                return;
            }
            let working = self.activity.begin();
            let read = match self.read(source).await {
                Ok(false) => self.read_after_another(source, due).await,
                read => read,
            };
            drop(working);
            if let Err(problem) = &read
                && problem.code == &MANIFESTS_CHANGED
            {
                self.stop_overtaken();
            }
            if self.context.cancel.is_cancelled() {
                return;
            }
            let now = self.context.clock.now();
            // What came due meanwhile is skipped: the run that just ended saw its data.
            let scheduled = next(schedule, now);
            let again = pace.after(read.as_ref().err(), now);
            // A failure that may pass is not left until the next time.
            let again = again.filter(|_| read.as_ref().err().is_some_and(may_pass));
            if again.is_none() {
                locked(&self.unread).remove(&*source.name);
            }
            time = [scheduled, again].into_iter().flatten().min();
            if let Err(problem) = &read {
                self.failed(problem, "read", &source.name, time);
            }
        }
    }

    /// True when the hub is stopped first.
    async fn wait_while_paused(&self, source: &Source) -> bool {
        let tick = Duration::from_millis(TICK_MS as u64);
        // A store that fails is seen by the read.
        while let Ok(Some(_)) = pause_of(&self.context, Paused::Source, &source.name).await {
            if self.context.cancel.wait(tick).await {
                return true;
            }
        }
        false
    }

    /// Waits for the process that reads a source, and then reads it, unless the other one began when it was due or later. False
    /// when the hub is stopped first.
    async fn read_after_another(&self, source: &Source, due: Timestamp) -> Result<bool> {
        tracing::info!(source = %source.name, "another process reads it; waiting for it");
        let tick = Duration::from_millis(TICK_MS as u64);
        while !self.context.cancel.wait(tick).await {
            if lease::is_held(&self.context, &lease_name(source)).await? {
                continue;
            }
            let began = last_read(&self.context).await?;
            let is_read = began.get(&*source.name).is_some_and(|began| *began >= due);
            if is_read || self.read(source).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads a source; false when another process does. Returns the first error; the others were logged.
    async fn read(&self, source: &Source) -> Result<bool> {
        let context = run::ready(&self.context).await?;
        let Some(lease) = lease::take(&context, &lease_name(source)).await? else {
            return Ok(false);
        };
        let (connectors, options) = (&*self.connectors, &self.options);
        let ending = paused(&context, Paused::Source, &source.name);
        let fenced = lease.fencing(&context);
        let read = reading::read_held(&fenced, source, connectors, options, ending).await;
        self.changed();
        let problem = match &read {
            Ok(report) => self.log(source, report),
            Err(problem) => Some(problem.clone()),
        };
        release(lease, problem).await?;
        Ok(true)
    }

    /// Logs what was read; returns the first problem.
    fn log(&self, source: &Source, report: &SourceReport) -> Option<Problem> {
        for stream in &report.streams {
            let counts = stream.counts;
            tracing::info!(
                source = %stream.source, stream = %stream.stream, read = counts.read, added = counts.added,
                changed = counts.changed, deleted = counts.deleted, set_aside = counts.set_aside, "read"
            );
        }
        let mut emptied = self.emptied();
        match report.streams.iter().any(StreamReport::is_emptied) {
            true => emptied.insert(source.name.to_string()),
            false => emptied.remove(&*source.name),
        };
        drop(emptied);
        let of_streams = report.streams.iter();
        let of_streams = of_streams.filter_map(|stream| stream.problem.as_ref());
        let mut problems = report.problems.iter().chain(of_streams).peekable();
        let first = problems.peek().map(|problem| (*problem).clone());
        for problem in problems.skip(1) {
            self.failed(problem, "read", &source.name, None);
        }
        first
    }
}

/// The name of the lease of reading a source.
fn lease_name(source: &Source) -> String {
    format!("read {}", source.name)
}
