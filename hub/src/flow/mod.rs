//! The hops: each loads, calls a pure stage and saves. One file a hop; `run` strings them together.

pub mod accounts;
mod apply;
pub mod audiences;
mod backfill;
mod change;
pub mod connect;
mod deliver;
mod explain;
mod fence;
mod fill;
mod harness;
mod history;
mod land;
pub mod lease;
pub mod leftover;
pub mod models;
mod neighbourhood;
pub mod past;
mod properties;
mod read;
mod rebuild;
mod rest;
mod review;
mod ripple;
pub mod rules;
mod run;
mod schedule;
mod serve;
mod settle;
pub mod show;
mod state;
mod stored_json;
mod suggest;
mod suppress;
mod together;

pub use apply::apply;
pub use backfill::{due, remap, retry_set_aside};
pub use change::{Change, Counts, Put, StreamRef, To};
pub use deliver::{DeliveryReport, deliver, plan as delivery_plan};
pub use explain::{Explained, Graph, Step, explain, graph};
pub use fence::manifests_digest;
pub use fill::backfill;
pub use history::{Moment, history};
pub use land::{Arrived, key_lines, land};
pub use read::{Progress, ReadOptions, StreamReport, read_stream};
pub use rebuild::rebuild;
pub use review::{Review, alarm, review};
pub use run::{AudienceReport, Events, Opens, RunEvent, RunOptions, RunReport, enter, run};
pub use schedule::next as next_time;
pub use serve::{Served, serve};
pub use settle::{ConsentEntry, traits_of};
pub use state::{Stating, named, revoke, state};
pub use suggest::{SuggestReport, decide, drop_version, likeness_of, reasons_of, suggest};
pub use suppress::{Suppressed, Suppression, suppress};

use crate::audience::{self, EventBound, Stratum};
use crate::clock::Clock;
use crate::compute::models::Fitted;
use crate::host::Cancel;
use crate::identity;
use crate::manifest::{IdentityRules, Plan, Stream};
use crate::store::{Result, Store, WantedRow};
use crate::{compute, delivery};
use lease::{Process, Token};
use rustc_hash::FxHashSet;
use std::collections::{BTreeMap, BTreeSet};
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

/// In the place of the digest of a definition that some people or records follow and others do not.
const UNFINISHED: &str = "";

/// Says in the store which definitions are not those by which people were judged before, ahead of judging somebody by them.
async fn announce(context: &Context) -> Result<()> {
    rebuild::announce(context).await?;
    models::announce(context).await?;
    fill::announce(context).await
}

/// Told what is being done, and with how many of what it is done.
pub type Watch<'a> = &'a (dyn Fn(&str, usize) + Send + Sync);

/// What every hop needs.
#[derive(Clone)]
pub struct Context {
    pub plan: Arc<Plan>,
    pub store: Store,
    pub clock: Clock,
    /// The rules that hold, as an operator wrote them.
    pub identity: IdentityRules,
    pub rules: Arc<identity::Rules>,
    /// Counts the changes of rules; nobody works on by rules that were replaced.
    rules_version: i64,
    /// Counts the changes of manifests; nobody works on by manifests that were replaced.
    manifests_version: i64,
    /// Places in `plan.audiences`, those that others refer to first.
    pub audience_order: Vec<usize>,
    /// The same in the order in which people and accounts take turns.
    pub strata: Vec<Stratum>,
    /// Audiences of people whose members some account counts.
    pub counted: BTreeSet<String>,
    /// The events that audiences, traits and models read, by name.
    pub events_read: BTreeMap<String, EventBound>,
    pub suppression: Arc<Suppression>,
    /// Names of all computed traits, those of models too, and of some that are no more.
    pub computed_names: Vec<String>,
    /// Places in `plan.models`, and the version of each that is asked.
    pub models: Arc<Vec<(usize, Fitted)>>,
    /// Whether people have accounts.
    pub relating: accounts::Relating,
    /// Ends every wait of what is being done.
    pub cancel: Cancel,
    pub process: Process,
    /// Of work that one process does at a time.
    lease: Option<Token>,
}

impl Context {
    pub fn new(plan: Arc<Plan>, store: Store, clock: Clock, suppression: Suppression) -> Self {
        let rules = Arc::new(identity::Rules::new(&plan.identity, &plan.hub.name));
        let audience_order = audience::order(&plan.audiences);
        let strata = audience::strata(&plan.audiences);
        let worked_out = compute::reads(&plan.traits);
        let conditions = plan.audiences.iter().map(|audience| &audience.who);
        let whole = audience::events_read(&worked_out).into_keys();
        let whole = whole.chain(plan.models.iter().map(|model| model.event.as_str()));
        let events_read = audience::events_read(conditions)
            .into_iter()
            .chain(whole.map(|name| (name, EventBound::ALL)))
            .map(|(name, bound)| (name.to_owned(), bound))
            .collect();
        Self {
            computed_names: models::computed_names(&plan),
            identity: plan.identity.clone(),
            rules_version: 0,
            manifests_version: 0,
            relating: accounts::Relating::of(&plan),
            counted: accounts::counted(&plan),
            plan,
            store,
            clock,
            rules,
            audience_order,
            strata,
            events_read,
            suppression: Arc::new(suppression),
            models: Arc::default(),
            cancel: Cancel::default(),
            process: Process::named("this"),
            lease: None,
        }
    }

    fn take_rules(&mut self, rules: IdentityRules, version: i64) {
        self.rules = Arc::new(identity::Rules::new(&rules, &self.plan.hub.name));
        self.identity = rules;
        self.rules_version = version;
    }

    /// The plan of a stream that it has.
    fn stream(&self, stream: &StreamRef) -> Option<&Stream> {
        let mut sources = self.plan.sources.iter();
        let source = sources.find(|source| source.name == stream.source)?;
        source.streams.iter().find(|one| one.name == stream.name)
    }

    /// True when anything looks at profiles after they are built.
    fn watches_people(&self) -> bool {
        !(self.plan.audiences.is_empty() && self.plan.destinations.is_empty())
            || self.works_out_traits()
            || self.relating.people
    }

    /// The names of audiences at these places.
    fn names<'c>(&'c self, places: &'c [usize]) -> impl Iterator<Item = &'c str> {
        places
            .iter()
            .map(|place| &*self.plan.audiences[*place].name)
    }

    /// True when some audience is one of accounts.
    fn has_account_audiences(&self) -> bool {
        self.strata
            .iter()
            .any(|stratum| !stratum.accounts.is_empty())
    }

    fn works_out_traits(&self) -> bool {
        !self.computed_names.is_empty()
    }

    /// What every destination should hold of a person, and whether it may be sent there.
    fn wanted(
        &self,
        view: &settle::View,
        audiences: &BTreeSet<String>,
        suppressed: &FxHashSet<i64>,
    ) -> Vec<WantedRow> {
        let mut rows = Vec::new();
        for destination in &self.plan.destinations {
            let wanted = delivery::wanted(destination, &view.traits, audiences);
            if wanted.is_empty() {
                continue;
            }
            let allowed =
                !suppressed.contains(&view.id) && deliver::has_consent(destination, &view.consents);
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
