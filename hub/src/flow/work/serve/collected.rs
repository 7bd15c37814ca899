//! Sources whose records are sent to the hub: what waits in the inbox is read at once.

use super::sources::lease_name;
use super::{MANIFESTS_CHANGED, Pace, Serving, TICK_MS, release};
use crate::flow::lease;
use crate::flow::work::pauses::pause_of;
use crate::flow::work::reading::read_inbox;
use crate::flow::work::run;
use crate::manifest::{Source, Stream};
use crate::store::{Paused, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Starts a part for each source that is sent to, by clients or by its vendor.
pub(super) fn collect(serving: &Arc<Serving>, parts: &mut JoinSet<()>) {
    for (index, source) in serving.context.plan.sources.iter().enumerate() {
        if source.is_collected() || source.has_webhook() {
            let serving = serving.clone();
            parts.spawn(async move { serving.collected(index).await });
        }
    }
}

impl Serving {
    /// What is sent to the hub, as it comes.
    async fn collected(&self, index: usize) {
        let source = &self.context.plan.sources[index];
        let mut arrivals = self.context.arrivals.subscribe();
        let mut pace = Pace::default();
        loop {
            let taken = self.take_in(source).await;
            let now = self.context.clock.now();
            let again = pace.after(taken.as_ref().err(), now);
            if let Err(problem) = &taken {
                if problem.code == &MANIFESTS_CHANGED {
                    self.stop_overtaken();
                }
                self.failed(problem, "take in", &source.name, again);
            }
            let wait_ms = again.map_or(TICK_MS, |again| again.0 - now.0).max(1);
            let waited = self
                .context
                .cancel
                .wait(Duration::from_millis(wait_ms as u64));
            tokio::select! {
                stopped = waited => if stopped { return },
                _ = arrivals.changed(), if taken.is_ok() => {}
            }
        }
    }

    /// Reads what waits in the inbox, if anything does.
    async fn take_in(&self, source: &Source) -> Result<()> {
        let mut tx = self.context.store.read().await?;
        let waiting = tx.waiting_streams(&source.name).await?;
        // What waits for a stream that the manifests do not have is reported with the records of such streams.
        let is_waiting = |stream: &Stream| waiting.iter().any(|name| *name == *stream.name);
        let waits = source.streams.iter().any(is_waiting);
        drop(tx);
        let is_paused = pause_of(&self.context, Paused::Source, &source.name);
        if waits && is_paused.await?.is_none() {
            let _working = self.activity.begin();
            self.land(source).await?;
        }
        Ok(())
    }

    /// Takes what waits out of the inbox, unless another process reads the source: then it waits for that.
    async fn land(&self, source: &Source) -> Result<()> {
        let context = run::ready(&self.context).await?;
        let Some(lease) = lease::take(&context, &lease_name(source)).await? else {
            return Ok(());
        };
        let read = read_inbox(lease.fencing(&context), source, &self.options).await;
        self.changed();
        let problem = match &read {
            Ok(report) => self.log(source, report),
            Err(problem) => Some(problem.clone()),
        };
        release(lease, problem).await
    }
}
