//! What every hop needs: the plan, the store, the clock, what follows from the plan, and which process is working.

use crate::audience::{self, EventBound, Stratum};
use crate::clock::Clock;
use crate::compute;
use crate::compute::models::Fitted;
use crate::flow::facts::{self, Back, Relating};
use crate::flow::suppression::Suppression;
use crate::host::Cancel;
use crate::identity;
use crate::manifest::{Destination, IdentityRules, Plan};
use crate::store::Store;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::c_long;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, LazyLock};
use tokio::sync::{oneshot, watch};

/// Called with what is being done, and for how many people or pairs it has been done.
pub type Watch<'a> = &'a (dyn Fn(&str, usize) + Send + Sync);

/// What every hop needs.
#[derive(Clone)]
pub struct Context {
    pub plan: Arc<Plan>,
    pub store: Store,
    pub clock: Clock,
    /// The rules in force, as an operator wrote them.
    pub identity: IdentityRules,
    pub rules: Arc<identity::Rules>,
    /// Counts the changes of rules; work with rules that were replaced is refused.
    pub(super) rules_version: i64,
    /// Counts the changes of manifests; work with manifests that were replaced is refused.
    pub(super) manifests_version: i64,
    /// Indexes into `plan.audiences`, audiences that others refer to first.
    pub audience_order: Vec<usize>,
    /// The same, in alternating groups of people's and accounts' audiences.
    pub strata: Vec<Stratum>,
    /// Audiences of people whose members some account counts.
    pub counted: BTreeSet<String>,
    /// By source, the destinations that write to the same tool, by their indexes.
    pub writers: BTreeMap<String, Vec<usize>>,
    /// By source and stream, where what destinations write is read back.
    pub backs: BTreeMap<String, BTreeMap<String, Vec<Back>>>,
    /// The events that audiences, traits and models read, by name.
    pub events_read: BTreeMap<String, EventBound>,
    pub suppression: Arc<Suppression>,
    /// Names of all computed traits, those of models too; while everybody is recomputed, also of some that no longer exist.
    pub computed_names: Vec<String>,
    /// Indexes into `plan.models`, and the version of each that is used.
    pub models: Arc<Vec<(usize, Fitted)>>,
    /// Whether people have accounts.
    pub relating: Relating,
    /// Ends every wait of what is being done.
    pub cancel: Cancel,
    pub process: Process,
    /// Goes up when something was taken into the inbox.
    pub arrivals: Arc<watch::Sender<u64>>,
    /// The lease, for work that one process does at a time.
    pub(super) lease: Option<Token>,
}

impl Context {
    pub fn new(plan: Arc<Plan>, store: Store, clock: Clock, suppression: Suppression) -> Self {
        let rules = Arc::new(identity::Rules::new(&plan.identity, &plan.hub.name));
        let writers = facts::writers(&plan);
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
            computed_names: facts::computed_names(&plan),
            identity: plan.identity.clone(),
            rules_version: 0,
            manifests_version: 0,
            relating: Relating::of(&plan),
            counted: facts::counted(&plan),
            backs: facts::read_back(&plan, &writers),
            writers,
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
            arrivals: Arc::new(watch::channel(0).0),
            lease: None,
        }
    }

    pub(super) fn take_rules(&mut self, rules: IdentityRules, version: i64) {
        self.rules = Arc::new(identity::Rules::new(&rules, &self.plan.hub.name));
        self.identity = rules;
        self.rules_version = version;
    }

    /// Where what destinations write is read back by a stream.
    pub(super) fn backs(&self, source: &str, stream: &str) -> &[Back] {
        let streams = self.backs.get(source);
        let backs = streams.and_then(|streams| streams.get(stream));
        backs.map_or(&[], |backs| backs)
    }

    /// Whether any stream reads back by its field what a destination writes.
    pub(super) fn is_read_back(&self, destination: &str) -> bool {
        let mut backs = self.backs.values().flat_map(BTreeMap::values).flatten();
        backs.any(|back| *self.plan.destinations[back.destination].name == *destination)
    }

    /// The destinations that write to the tool that a source reads, by their indexes.
    pub(super) fn writers_to(&self, source: &str) -> &[usize] {
        self.writers.get(source).map_or(&[], |indexes| indexes)
    }

    /// The sources that read the tool that a destination writes to, by their namespaces.
    pub(super) fn sources_written_by(&self, destination: &Destination) -> Vec<&str> {
        let all = &self.plan.destinations;
        let is_it = |index: &usize| all[*index].name == destination.name;
        let sources = self.writers.iter();
        let sources = sources.filter(|(_, indexes)| indexes.iter().any(is_it));
        let namespaces = &self.plan.namespaces;
        sources.map(|(source, _)| namespaces.of(source)).collect()
    }

    /// True when anything depends on profiles after they are built.
    pub(super) fn watches_people(&self) -> bool {
        !(self.plan.audiences.is_empty() && self.plan.destinations.is_empty())
            || self.works_out_traits()
            || self.relating.people
    }

    /// The names of the audiences at these indexes.
    pub(super) fn names<'c>(&'c self, indexes: &'c [usize]) -> impl Iterator<Item = &'c str> {
        indexes
            .iter()
            .map(|index| &*self.plan.audiences[*index].name)
    }

    /// True when at least one audience is of accounts.
    pub(super) fn has_account_audiences(&self) -> bool {
        self.strata
            .iter()
            .any(|stratum| !stratum.accounts.is_empty())
    }

    pub(super) fn works_out_traits(&self) -> bool {
        !self.computed_names.is_empty()
    }
}

/// This process, and what it can find out about others.
#[derive(Clone)]
pub struct Process {
    pub id: Arc<str>,
    /// Whether the process with that id has certainly ended.
    pub has_ended: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

impl Process {
    /// A process that cannot find out anything about others.
    pub fn named(id: &str) -> Self {
        Self {
            id: id.into(),
            has_ended: Arc::new(|_| false),
        }
    }
}

/// The name of a lease and the holder's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub name: Arc<str>,
    pub number: i64,
}

/// Stored instead of the digest of a definition that has been applied to only some people or records.
pub(super) const UNFINISHED: &str = "";

/// Starts `work` at once on a thread for work that blocks or computes; the future waits for it.
pub(super) fn in_parallel<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = T> {
    let running = tokio::task::spawn_blocking(work);
    async move {
        match running.await {
            Ok(done) => done,
            Err(error) => resume_unwind(error.into_panic()),
        }
    }
}

/// From this many people or pieces of evidence on, work on them is divided. Tests do so with few.
pub(super) const LONG: usize = if cfg!(test) { 2 } else { 1_000 };

/// Threads of their own: those of the library's common pool compile connectors, too.
static HALVES: LazyLock<rayon::ThreadPool> = LazyLock::new(|| {
    keep_memory();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2);
    pool.build().expect("two threads can be started")
});

/// How long freed memory is kept for what comes next, unless the hub rests. The allocator's own second is shorter than a read, and what
/// was released is cleared by the system when it is needed again.
const KEPT_MS: c_long = 60_000;
/// The allocator's own.
const USUAL_MS: c_long = 1_000;

fn keep_memory() {
    // `mi_option_purge_delay`, for which the binding has no name. What the environment says stays.
    let purge_delay = 15;
    #[allow(unsafe_code, reason = "the allocator's own call has no safe wrapper")]
    // SAFETY: it takes no pointer and reads and writes an aligned word; the option exists in this version.
    unsafe {
        if libmimalloc_sys::mi_option_get(purge_delay) == USUAL_MS {
            libmimalloc_sys::mi_option_set(purge_delay, KEPT_MS);
        }
    }
}

/// Starts `work` at once, which only computes; the future waits for it. Its threads are few, so that memory that one batch has freed is
/// what the next one gets.
pub(super) fn at_once<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = T> {
    let (tell, told) = oneshot::channel();
    HALVES.spawn(move || {
        // Nobody may wait for it.
        let _ = tell.send(catch_unwind(AssertUnwindSafe(work)));
    });
    async move {
        match told.await {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => unreachable!("the work ends or panics"),
        }
    }
}

/// Runs `work` on each thread of `at_once` and `both`.
pub(super) fn on_each_thread(work: impl Fn() + Sync) {
    HALVES.broadcast(|_| work());
}

/// Both, at the same time where there is much to do.
pub(super) fn both<A: Send, B: Send>(
    is_much: bool,
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    match is_much {
        true => HALVES.join(one, other),
        false => (one(), other()),
    }
}
