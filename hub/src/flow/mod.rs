//! The hops: each loads, calls a pure stage and saves. One file a hop; `run` strings them together.

pub mod accounts;
mod apply;
mod backfill;
mod change;
pub mod connect;
mod deliver;
mod harness;
mod history;
mod land;
mod neighbourhood;
pub mod past;
mod properties;
mod read;
mod rebuild;
mod run;
mod schedule;
mod settle;
pub mod show;
mod suppress;

pub use apply::apply;
pub use backfill::{backfill, due, remap, retry_set_aside};
pub use change::{Change, Counts, Put, StreamRef, To};
pub use deliver::{DeliveryReport, deliver, plan as delivery_plan};
pub use history::{Moment, history};
pub use land::{Arrived, key_lines, land};
pub use read::{Progress, ReadOptions, StreamReport, read_stream};
pub use rebuild::rebuild;
pub use run::{AudienceReport, Opens, RunEvent, RunOptions, RunReport, run};
pub use schedule::{next as next_time, serve};
pub use settle::ConsentEntry;
pub use suppress::{Suppression, suppress};

use crate::clock::Clock;
use crate::delivery;
use crate::identity;
use crate::manifest::Plan;
use crate::store::{Store, WantedRow};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Starts `work` at once on a thread for work that blocks or computes; the future waits for it.
fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> impl Future<Output = T> {
    let running = tokio::task::spawn_blocking(work);
    async move {
        match running.await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// What every hop needs.
#[derive(Clone)]
pub struct Context {
    pub plan: Arc<Plan>,
    pub store: Store,
    pub clock: Clock,
    pub rules: Arc<identity::Rules>,
    /// Places in `plan.audiences`, those that others refer to first.
    pub audience_order: Vec<usize>,
    /// Names of the events that any audience reads.
    pub events_read: BTreeSet<String>,
    pub suppression: Arc<Suppression>,
    /// Whether people have accounts.
    pub relating: accounts::Relating,
}

impl Context {
    pub fn new(plan: Arc<Plan>, store: Store, clock: Clock, suppression: Suppression) -> Self {
        let rules = Arc::new(identity::Rules::new(&plan.identity, &plan.hub.name));
        let audience_order = crate::audience::order(&plan.audiences);
        let events_read =
            crate::audience::events_read(plan.audiences.iter().map(|audience| &audience.who))
                .into_keys()
                .map(str::to_owned)
                .collect();
        Self {
            relating: accounts::Relating::of(&plan),
            plan,
            store,
            clock,
            rules,
            audience_order,
            events_read,
            suppression: Arc::new(suppression),
        }
    }

    /// True when anything looks at profiles after they are built.
    fn watches_people(&self) -> bool {
        !(self.plan.audiences.is_empty() && self.plan.destinations.is_empty())
            || self.relating.people
    }

    /// What every destination should hold of a person.
    fn wanted(&self, view: &settle::View, audiences: &BTreeSet<String>) -> Vec<WantedRow> {
        let mut rows = Vec::new();
        for destination in &self.plan.destinations {
            let wanted = delivery::wanted(destination, &view.traits, audiences);
            if wanted.is_empty() {
                continue;
            }
            let allowed = deliver::is_allowed(self, destination, &view.traits, &view.consents);
            rows.extend(wanted.into_iter().map(|row| WantedRow {
                destination: destination.name.to_string(),
                object: row.object,
                person_id: view.id,
                remote_key: row.remote_key,
                payload: row.payload,
                allowed,
            }));
        }
        rows
    }
}
