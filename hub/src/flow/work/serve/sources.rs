//! One source of a serving hub: read each time that it is due, unless it is paused.

use super::pace::Retries;
use super::{Serving, TICK_MS, locked, release, until};
use crate::flow::intake::read::StreamReport;
use crate::flow::lease;
use crate::flow::work::pauses::{pause_of, paused};
use crate::flow::work::reading::{self, SourceReport};
use crate::flow::work::run;
use crate::flow::work::schedule::{last_end, last_read};
use crate::flow::work::turns::{Due, Missed, Step, Timing, Turns};
use crate::host::Cancel;
use crate::manifest::{Source, When, span};
use crate::model::Timestamp;
use crate::problem::Problem;
use crate::problem::codes::MANIFESTS_CHANGED;
use crate::store::{MissedRow, Paused, Result};
use std::pin::pin;
use std::time::Duration;

impl Serving {
    /// One source, each time that it is due.
    pub(super) async fn source(&self, index: usize, mut turns: Turns) {
        let source = &self.context.plan.sources[index];
        let Some(timing) = Timing::new(&self.context.plan.hub.name, source) else {
            return;
        };
        let retry_for = source.schedule.as_ref().and_then(|one| one.retry_for_ms);
        let mut retries = Retries::new(retry_for);
        let mut again: Option<Timestamp> = None;
        loop {
            let due = self
                .next_turn(source, &timing, &mut turns, &mut again)
                .await;
            let Some(due) = due else {
                return;
            };
            locked(&self.unread).insert(source.name.to_string());
            let working = self.activity.begin();
            let read = self.take_turn(source, &timing, &mut turns, due).await;
            drop(working);
            self.note(source, turns.ended()).await;
            if let Err(problem) = &read
                && problem.code == &MANIFESTS_CHANGED
            {
                self.stop_overtaken();
            }
            if self.context.cancel.is_cancelled() {
                return;
            }
            let now = self.context.clock.now();
            let retry = retries.after(read.as_ref().err(), now);
            again = retry.map(|at| timing.permitted(at));
            if again.is_none() {
                locked(&self.unread).remove(&*source.name);
            }
            if let Err(problem) = &read {
                let next = [turns.wakes(), again].into_iter().flatten().min();
                self.failed(problem, "read", &source.name, next);
                self.retries_at(&lease_name(source), again).await;
            }
        }
    }

    /// Waits until the source is to be read; none when the hub is stopped first.
    async fn next_turn(
        &self,
        source: &Source,
        timing: &Timing<'_>,
        turns: &mut Turns,
        again: &mut Option<Timestamp>,
    ) -> Option<Due> {
        loop {
            let now = self.context.clock.now();
            let mut wakes = *again;
            match pause_of(&self.context, Paused::Source, &source.name).await {
                Ok(Some(pause)) => turns.pause(format!("the source was {}", pause.sentence())),
                // A store that fails is seen by the read.
                _ => {
                    if again.is_some_and(|again| again <= now) {
                        *again = None;
                        turns.retry(now);
                    }
                    let upstream = self.upstream(source).await;
                    let mut begins = None;
                    for step in turns.look(timing, now, upstream, false) {
                        match step {
                            Step::Read(due) => begins = Some(due),
                            Step::Note(missed) => self.note(source, Some(missed)).await,
                            Step::Cancel => {}
                        }
                    }
                    if begins.is_some() && !self.context.cancel.is_cancelled() {
                        return begins;
                    }
                    wakes = [turns.wakes(), *again].into_iter().flatten().min();
                }
            }
            let tick = Duration::from_millis(TICK_MS as u64);
            let wait = wakes.map_or(tick, |wakes| until(wakes, now).min(tick));
            if self.context.cancel.wait(wait).await {
                return None;
            }
        }
    }

    /// When the source that this one is read after was last read to its end.
    async fn upstream(&self, source: &Source) -> Option<Timestamp> {
        let When::After(upstream) = &source.schedule.as_ref()?.when else {
            return None;
        };
        // A store that fails is asked again at the next tick.
        last_end(&self.context, upstream).await.ok().flatten()
    }

    /// Reads a source, and decides meanwhile about the times that come.
    async fn take_turn(
        &self,
        source: &Source,
        timing: &Timing<'_>,
        turns: &mut Turns,
        due: Due,
    ) -> Result<bool> {
        let replaced = Cancel::default();
        let mut reading = pin!(async {
            match self.read(source, &replaced).await {
                Ok(false) => self.read_after_another(source, due.at, &replaced).await,
                read => read,
            }
        });
        let tick = Duration::from_millis(TICK_MS as u64);
        loop {
            tokio::select! {
                done = &mut reading => return done,
                () = tokio::time::sleep(tick) => {}
            }
            let upstream = self.upstream(source).await;
            for step in turns.look(timing, self.context.clock.now(), upstream, true) {
                match step {
                    Step::Cancel => replaced.cancel(),
                    Step::Note(missed) => self.note(source, Some(missed)).await,
                    Step::Read(_) => {}
                }
            }
        }
    }

    /// Stores what was due and was not read: nothing that is due goes without a record.
    async fn note(&self, source: &Source, missed: Option<Missed>) {
        let Some(missed) = missed else {
            return;
        };
        let (times, reason) = (missed.times, &missed.reason);
        tracing::warn!(source = %source.name, times, reason, "it was due and was not read");
        let store = async {
            let mut tx = self.context.store.begin().await?;
            let row = MissedRow {
                id: tx.reserve("run", 1).await?,
                source: source.name.to_string(),
                first_due: missed.first.0,
                last_due: missed.last.0,
                times: missed.times,
                noted_at: self.context.clock.now().0,
                reason: missed.reason.clone(),
            };
            tx.add_missed(&[row]).await?;
            tx.forget_missed(&source.name).await?;
            tx.commit().await
        };
        if let Err(problem) = store.await {
            tracing::error!(code = problem.code.id, "{}", problem.message);
        }
    }

    /// Waits for the process that reads a source, and then reads it, unless the other one began when it was due or later. False
    /// when the hub is stopped first.
    async fn read_after_another(
        &self,
        source: &Source,
        due: Timestamp,
        replaced: &Cancel,
    ) -> Result<bool> {
        tracing::info!(source = %source.name, "another process reads it; waiting for it");
        let tick = Duration::from_millis(TICK_MS as u64);
        while !self.context.cancel.wait(tick).await {
            if lease::is_held(&self.context, &lease_name(source)).await? {
                continue;
            }
            let began = last_read(&self.context).await?;
            let is_read = began.get(&*source.name).is_some_and(|began| *began >= due);
            if is_read || self.read(source, replaced).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads a source; false when another process does. Returns the first error; the others were logged.
    async fn read(&self, source: &Source, replaced: &Cancel) -> Result<bool> {
        let context = run::ready(&self.context).await?;
        let Some(lease) = lease::take(&context, &lease_name(source)).await? else {
            return Ok(false);
        };
        let (connectors, options) = (&*self.connectors, &self.options);
        let limit_ms = source.schedule.as_ref().and_then(|one| one.time_limit_ms);
        let ending = async {
            tokio::select! {
                why = paused(&context, Paused::Source, &source.name) => why,
                why = self.too_long(limit_ms) => why,
                () = replaced.cancelled() => "another time came (`overlap = \"cancel\"`)".to_owned(),
            }
        };
        let fenced = lease.fencing(&context);
        let read = reading::read_held(&fenced, source, connectors, options, ending).await;
        self.changed();
        let problem = match &read {
            Ok(report) => {
                self.note_emptied(source, report);
                self.log(source, report)
            }
            Err(problem) => Some(problem.clone()),
        };
        release(lease, problem).await?;
        Ok(true)
    }

    /// Returns when a read that begins now has taken as long as it may.
    async fn too_long(&self, limit_ms: Option<i64>) -> String {
        let Some(limit_ms) = limit_ms else {
            return std::future::pending().await;
        };
        let ends = Timestamp(self.context.clock.now().0.saturating_add(limit_ms));
        if self.sleep_until(ends).await {
            // The hub stops, which ends the read by itself.
            return std::future::pending().await;
        }
        format!("it took longer than its `time_limit` of {}", span(limit_ms))
    }

    /// Whether the vendor returned nothing: a guard of its destinations asks. One read that ended early says nothing of that.
    fn note_emptied(&self, source: &Source, report: &SourceReport) {
        let mut emptied = self.emptied();
        if report.streams.iter().any(StreamReport::is_emptied) {
            emptied.insert(source.name.to_string());
        } else if !report.ended_early {
            emptied.remove(&*source.name);
        }
    }

    /// Logs what was read; returns the first problem.
    pub(super) fn log(&self, source: &Source, report: &SourceReport) -> Option<Problem> {
        for stream in &report.streams {
            let counts = stream.counts;
            tracing::info!(
                source = %stream.source, stream = %stream.stream, run = stream.run, read = counts.read, added = counts.added,
                changed = counts.changed, deleted = counts.deleted, set_aside = counts.set_aside, "read"
            );
        }
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
pub(super) fn lease_name(source: &Source) -> String {
    format!("read {}", source.name)
}
