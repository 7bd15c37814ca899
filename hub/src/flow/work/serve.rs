//! Serving: each source at its schedule, timers when they are due, each destination when there is something to send. They
//! do not wait for one another, and no failure ends them: it is logged, and the work is retried.

mod collected;
mod held;
mod pace;
mod sources;

use crate::flow::commit::fence;
use crate::flow::connect::Opens;
use crate::flow::context::Context;
use crate::flow::deliver::DeliveryOptions;
use crate::flow::lease::{self, Lease};
use crate::flow::upkeep::due::due;
use crate::flow::work::delivering;
use crate::flow::work::rest::rest;
use crate::flow::work::run::{self, RunOptions};
use crate::flow::work::schedule::{Carried, first_turns};
use crate::flow::work::turns::Turns;
use crate::manifest::Destination;
use crate::model::Timestamp;
use crate::problem::{Problem, codes::MANIFESTS_CHANGED};
use crate::store::Result;
use held::Held;
use pace::{Activity, Pace};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How often, at least, timers and changes made by other processes are checked.
const TICK_MS: i64 = 1_000;
/// How often definitions and models are checked, besides after each change.
const CHECK_DEFINITIONS: Duration = Duration::from_secs(60);
/// After this time without work the hub rests: threads that only blocked or computed have ended by then.
const STILL_MS: i64 = 12_000;
/// How long work under way has to reach its next safe point when the hub stops.
const LAST_STEPS: Duration = Duration::from_secs(30);

/// What all parts of a serving hub share.
struct Serving {
    context: Context,
    connectors: Arc<dyn Opens>,
    options: RunOptions,
    /// Goes up when something may have to be sent, fitted or filled.
    changes: watch::Sender<u64>,
    /// Sources that returned nothing when they were last read.
    emptied: Mutex<BTreeSet<String>>,
    /// Sources that are due and were not read yet.
    unread: Mutex<BTreeSet<String>>,
    /// Set when another process was found to use other manifests.
    overtaken: AtomicBool,
    activity: Activity,
}

/// The result of a delivery that did not fail.
enum Sent {
    All,
    /// Some rows wait.
    Postponed,
}

/// Why serving ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// Somebody stopped it.
    Stopped,
    /// Another process uses other manifests, or the folder was edited.
    Overtaken(Carried),
}

/// Runs until the context is cancelled, another process uses other manifests or `edited` is ready; work under way ends at its next
/// safe point.
pub async fn serve(
    context: &Context,
    connectors: &Arc<dyn Opens>,
    options: &RunOptions,
    carried: Carried,
    edited: impl Future<Output = ()>,
) -> Served {
    let Some(times) = times(context, &carried).await else {
        return Served::Stopped;
    };
    // Of a source that is not read any more nothing would ever take its name out.
    let is_read = |name: &String| {
        let mut sources = context.plan.sources.iter();
        sources.any(|one| *one.name == **name && one.schedule.is_some())
    };
    let kept = |names: BTreeSet<String>| Mutex::new(names.into_iter().filter(is_read).collect());
    let serving = Arc::new(Serving {
        context: context.clone(),
        connectors: connectors.clone(),
        options: options.clone(),
        changes: watch::channel(0).0,
        emptied: kept(carried.emptied),
        unread: kept(carried.unread),
        overtaken: AtomicBool::new(false),
        activity: Activity::new(context.clock.clone()),
    });
    let mut parts = JoinSet::new();
    for (index, first) in times {
        let serving = serving.clone();
        parts.spawn(async move { serving.source(index, first).await });
    }
    collected::collect(&serving, &mut parts);
    for index in 0..context.plan.destinations.len() {
        let serving = serving.clone();
        parts.spawn(async move { serving.destination(index).await });
    }
    let same = serving.clone();
    parts.spawn(async move { same.timers().await });
    let same = serving.clone();
    parts.spawn(async move { same.definitions().await });
    let same = serving.clone();
    parts.spawn(async move { same.rests().await });
    tokio::select! {
        () = context.cancel.cancelled() => {}
        () = edited => serving.stop_overtaken(),
        () = all(&mut parts) => context.cancel.cancelled().await,
    }
    let stopped_at = context.clock.now();
    if tokio::time::timeout(LAST_STEPS, all(&mut parts))
        .await
        .is_err()
    {
        tracing::warn!("some work did not end in time; it is left after its last stored step");
    }
    match serving.overtaken.load(Ordering::Relaxed) {
        true => Served::Overtaken(Carried {
            stopped_at: Some(stopped_at),
            unread: locked(&serving.unread).clone(),
            emptied: locked(&serving.emptied).clone(),
        }),
        false => Served::Stopped,
    }
}

/// Waits for the end of all parts. One that panics is a bug, and is not left out.
async fn all(parts: &mut JoinSet<()>) {
    while let Some(part) = parts.join_next().await {
        if let Err(error) = part
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// What is known of the times of each source; none when the hub is stopped before the store answers.
async fn times(context: &Context, carried: &Carried) -> Option<Vec<(usize, Turns)>> {
    let mut pace = Pace::default();
    loop {
        let problem = match first_turns(context, carried).await {
            Ok(times) => return Some(times),
            Err(problem) => problem,
        };
        let now = context.clock.now();
        let again = pace.later(now);
        tracing::error!(code = problem.code.id, "{}", problem.message);
        if context.cancel.wait(until(again, now)).await {
            return None;
        }
    }
}

fn locked(names: &Mutex<BTreeSet<String>>) -> MutexGuard<'_, BTreeSet<String>> {
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Serving {
    /// Audiences, journeys and traits that change by themselves (I7).
    async fn timers(&self) {
        let mut pace = Pace::default();
        let mut changes = self.changes.subscribe();
        loop {
            let checked = self.check_timers().await;
            let now = self.context.clock.now();
            let again = pace.after(checked.as_ref().err(), now);
            let next = match &checked {
                Ok(next) => *next,
                Err(problem) => {
                    self.failed(problem, "timers", "audiences", again);
                    again
                }
            };
            let wait_ms = next.map_or(TICK_MS, |next| next.0 - now.0);
            let wait = Duration::from_millis(wait_ms.clamp(1, TICK_MS) as u64);
            tokio::select! {
                stopped = self.context.cancel.wait(wait) => if stopped { return },
                _ = changes.changed() => {}
            }
        }
    }

    /// Evaluates the people and accounts that are due; returns the next time.
    async fn check_timers(&self) -> Result<Option<Timestamp>> {
        let mut tx = self.context.store.read().await?;
        if !fence::has_current_manifests(&mut tx, &self.context).await? {
            self.stop_overtaken();
            return Ok(None);
        }
        let next = tx.next_due().await?;
        drop(tx);
        if next.is_none_or(|next| next > self.context.clock.now().0) {
            return Ok(next.map(Timestamp));
        }
        let _working = self.activity.begin();
        let context = run::ready(&self.context).await?;
        if due(&context).await? > 0 {
            self.changed();
        }
        let next = self.context.store.read().await?.next_due().await?;
        Ok(next.map(Timestamp))
    }

    /// New definitions, models that are due, and what follows from them.
    async fn definitions(&self) {
        let mut pace = Pace::default();
        let mut changes = self.changes.subscribe();
        loop {
            let brought = self.bring_up_to_date().await;
            let now = self.context.clock.now();
            let again = pace.after(brought.as_ref().err(), now);
            if let Err(problem) = &brought {
                self.failed(problem, "definitions", "audiences and traits", again);
            }
            let woken = async {
                if brought.is_ok() {
                    let _ = changes.changed().await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            let wait = again.map_or(CHECK_DEFINITIONS, |again| until(again, now));
            tokio::select! {
                stopped = self.context.cancel.wait(wait) => if stopped { return },
                () = woken => {}
            }
        }
    }

    async fn bring_up_to_date(&self) -> Result<()> {
        let mut context = run::ready(&self.context).await?;
        let models = run::bring_up_to_date(&mut context, &self.options.events).await?;
        if models.iter().any(|model| model.fitted.is_some()) {
            self.changed();
        }
        for warning in crate::flow::upkeep::alarm::alarm(&context).await? {
            tracing::warn!(code = warning.code.id, "{}", warning.message);
        }
        Ok(())
    }

    /// One destination, each time that there is something to send.
    async fn destination(&self, index: usize) {
        let destination = &self.context.plan.destinations[index];
        let mut pace = Pace::default();
        let mut held = Held::default();
        let mut changes = self.changes.subscribe();
        loop {
            let delivered = self.deliver(destination, &mut held).await;
            let now = self.context.clock.now();
            let again = match &delivered {
                // Rows that the vendor asked to send later are not sent at once.
                Ok(Sent::Postponed) => Some(pace.later(now)),
                other => pace.after(other.as_ref().err(), now),
            };
            if let Err(problem) = &delivered {
                self.failed(problem, "deliver", &destination.name, again);
                self.retries_at(&format!("deliver {}", destination.name), again)
                    .await;
            }
            match again {
                // A vendor that is down is not called for each change.
                Some(again) => {
                    if self.sleep_until(again).await {
                        return;
                    }
                }
                None => tokio::select! {
                    stopped = self.context.cancel.wait(Duration::from_millis(TICK_MS as u64)) => if stopped { return },
                    _ = changes.changed() => {}
                },
            }
        }
    }

    async fn deliver(&self, destination: &Destination, held: &mut Held) -> Result<Sent> {
        let mut tx = self.context.store.read().await?;
        if !tx.is_anything_pending(&destination.name).await?
            || !held
                .is_due(&mut tx, destination, self.context.clock.now())
                .await?
        {
            return Ok(Sent::All);
        }
        drop(tx);
        let _working = self.activity.begin();
        let context = run::ready(&self.context).await?;
        let name = format!("deliver {}", destination.name);
        let Some(lease) = lease::take(&context, &name).await? else {
            return Ok(Sent::All);
        };
        let how = DeliveryOptions::after(!self.emptied().is_empty());
        let fenced = lease.fencing(&context);
        let delivered =
            delivering::deliver_held(&fenced, destination, &*self.connectors, how).await;
        let mut sent = Sent::All;
        let problem = match delivered {
            Ok(report) => {
                if report.postponed > 0 {
                    sent = Sent::Postponed;
                }
                let mut problems = report.problems.into_iter();
                let first = problems.next();
                for problem in problems {
                    self.failed(&problem, "deliver", &destination.name, None);
                }
                first
            }
            Err(problem) => Some(problem),
        };
        release(lease, problem).await?;
        Ok(sent)
    }

    /// Releases memory when nothing was done for a while.
    async fn rests(&self) {
        loop {
            if self.activity.is_still(STILL_MS)
                && let Err(problem) = rest(&self.context, &*self.connectors).await
            {
                // A hub that cannot rest can still work.
                tracing::warn!(code = problem.code.id, "{}", problem.message);
            }
            let tick = Duration::from_millis(TICK_MS as u64);
            if self.context.cancel.wait(tick).await {
                return;
            }
        }
    }

    /// Logs a failure. One because of other manifests ends serving.
    fn failed(&self, problem: &Problem, doing: &str, what: &str, again: Option<Timestamp>) {
        if problem.code == &MANIFESTS_CHANGED {
            self.stop_overtaken();
            return;
        }
        let again = again.map_or_else(|| "at its next time".to_owned(), Timestamp::to_rfc3339);
        tracing::error!(
            code = problem.code.id,
            doing,
            what,
            again,
            "{}",
            problem.message
        );
    }

    /// Stores when failed work is retried.
    async fn retries_at(&self, job: &str, at: Option<Timestamp>) {
        let store = async {
            let mut tx = self.context.store.begin().await?;
            tx.retry_job(job, at.map(|at| at.0)).await?;
            tx.commit().await
        };
        if let Err(problem) = store.await {
            tracing::warn!(code = problem.code.id, "{}", problem.message);
        }
    }

    fn stop_overtaken(&self) {
        self.overtaken.store(true, Ordering::Relaxed);
        self.context.cancel.cancel();
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn emptied(&self) -> MutexGuard<'_, BTreeSet<String>> {
        locked(&self.emptied)
    }

    /// True when the hub is stopped first. A clock that is set forward is noticed within a second, and one that is set back
    /// does not make the wait longer.
    async fn sleep_until(&self, time: Timestamp) -> bool {
        let at_most = Instant::now() + until(time, self.context.clock.now());
        loop {
            let now = self.context.clock.now();
            if now >= time || Instant::now() >= at_most {
                return self.context.cancel.is_cancelled();
            }
            let tick = Duration::from_millis(TICK_MS as u64);
            if self.context.cancel.wait(until(time, now).min(tick)).await {
                return true;
            }
        }
    }
}

fn until(time: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis((time.0 - now.0).max(1) as u64)
}

/// Releases the lease; the problem, if any, is stored with it.
async fn release(lease: Lease, problem: Option<Problem>) -> Result<()> {
    match problem {
        None => lease.end().await,
        Some(problem) => {
            lease.fail(&problem).await?;
            Err(problem)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::ReadOptions;
    use crate::flow::context::Process;
    use crate::flow::harness::{Nobody, World};
    use crate::flow::intake::read::tests::script::{Script, page};
    use crate::manifest::Source;
    use std::sync::atomic::AtomicUsize;

    fn options() -> RunOptions {
        RunOptions {
            source: None,
            stream: None,
            deliver: false,
            show: 0,
            read: ReadOptions {
                inbox: false,
                full: false,
                progress: Arc::new(|_| {}),
            },
            events: Arc::new(|_| {}),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_hub_rests_once_when_nothing_was_done_for_a_while() {
        let manifest = "[hub]\nname = \"rest\"\nstore = \"sqlite:rest.db\"\n";
        let world = World::new(manifest, &[], 0).await;
        let connectors = Arc::new(Nobody::default());
        let options = options();
        let opens: Arc<dyn Opens> = connectors.clone();
        let serving = serve(
            &world.context,
            &opens,
            &options,
            Carried::default(),
            std::future::pending(),
        );
        let moving = async {
            assert_eq!(connectors.rests(), 0);
            // Whenever it began to wait, it will have waited long enough at some time.
            let soon = Duration::from_millis(100);
            while tokio::time::timeout(soon, connectors.rested.notified())
                .await
                .is_err()
            {
                world.hand.fetch_add(STILL_MS, Ordering::Relaxed);
            }
            // Its next checks find nothing that was done since.
            world.hand.fetch_add(10 * STILL_MS, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            assert_eq!(connectors.rests(), 1);
            world.context.cancel.cancel();
        };
        let (served, ()) = tokio::join!(serving, moving);
        assert_eq!(served, Served::Stopped);
    }

    /// Opens pages of one record, and counts how often.
    #[derive(Clone, Default)]
    struct Counting(Arc<AtomicUsize>);

    impl Opens for Counting {
        fn source(
            &self,
            _: &Source,
        ) -> std::result::Result<Box<dyn crate::host::Connector>, Vec<Problem>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let row = r#"{"id":"1","email":"ada@x.example"}"#.to_owned();
            Ok(Box::new(Script::of([page(&[row], &[])])))
        }

        fn destination(
            &self,
            _: &Destination,
        ) -> std::result::Result<Box<dyn crate::host::Connector>, Vec<Problem>> {
            Err(Vec::new())
        }

        fn rest(&self) {}
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_due_while_another_process_reads_it_is_read_when_that_one_fails() {
        let manifest = "[hub]\nname = \"busy\"\nstore = \"sqlite:busy.db\"\n[[source]]\nname = \"crm\"\nconnector = \"any\"\n\
            schedule = { cron = \"0 0 6 * * *\", timezone = \"UTC\" }\n\
            [[source.stream]]\nname = \"contacts\"\nto = \"person\"\nkey = \"id\"\nmap.email = \"email\"\n";
        // Half a second before six o'clock.
        let now = 1_800_000_000_000 - 1_800_000_000_000 % 86_400_000 + 6 * 3_600_000 - 500;
        let world = World::new(manifest, &[("crm", "contacts")], now).await;
        let mut other = world.context.clone();
        other.process = Process::named("other");
        let reading = lease::take(&other, "read crm").await.unwrap().unwrap();
        let connectors = Counting::default();
        let opens: Arc<dyn Opens> = Arc::new(connectors.clone());
        let options = options();
        let serving = serve(
            &world.context,
            &opens,
            &options,
            Carried::default(),
            std::future::pending(),
        );
        let others = async {
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            world.hand.fetch_add(1_000, Ordering::Relaxed);
            assert_eq!(connectors.0.load(Ordering::Relaxed), 0);
            reading
                .fail(&Problem::new(&MANIFESTS_CHANGED, "it failed"))
                .await
                .unwrap();
            let read = async || {
                let mut tx = world.context.store.read().await.unwrap();
                !tx.last_done().await.unwrap().is_empty()
            };
            while !read().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            world.context.cancel.cancel();
        };
        let both = async { tokio::join!(serving, others) };
        let (served, ()) = tokio::time::timeout(Duration::from_secs(20), both)
            .await
            .unwrap();
        assert_eq!(served, Served::Stopped);
        assert_eq!(connectors.0.load(Ordering::Relaxed), 1);
    }

    /// Opens a vendor that asks to wait for a minute, again and again.
    #[derive(Clone, Default)]
    struct Slow(Arc<AtomicUsize>);

    impl Opens for Slow {
        fn source(
            &self,
            _: &Source,
        ) -> std::result::Result<Box<dyn crate::host::Connector>, Vec<Problem>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(Box::new(Script::of([]).asking_to_wait(57_000)))
        }

        fn destination(
            &self,
            _: &Destination,
        ) -> std::result::Result<Box<dyn crate::host::Connector>, Vec<Problem>> {
            Err(Vec::new())
        }

        fn rest(&self) {}
    }

    /// Serves a slow source from a quarter of an hour on, and moves the clock once it is being read. Returns why that read ended, what is
    /// recorded of times that were not read, and how many reads began, once one of these says something.
    async fn disturbed(policies: &str, later_ms: i64) -> (String, Vec<String>, usize) {
        let manifest = format!(
            "[hub]\nname = \"slow\"\nstore = \"sqlite:slow.db\"\n[[source]]\nname = \"crm\"\nconnector = \"any\"\n\
             schedule = {{ every = \"15m\", {policies} }}\n\
             [[source.stream]]\nname = \"contacts\"\nto = \"person\"\nkey = \"id\"\nmap.email = \"email\"\n"
        );
        let world = World::new(&manifest, &[("crm", "contacts")], 1_800_000_000_000 - 500).await;
        let slow = Slow::default();
        let opens: Arc<dyn Opens> = Arc::new(slow.clone());
        let options = options();
        let serving = serve(
            &world.context,
            &opens,
            &options,
            Carried::default(),
            std::future::pending(),
        );
        let soon = Duration::from_millis(50);
        let disturbing = async {
            tokio::time::sleep(soon).await;
            world.hand.fetch_add(1_000, Ordering::Relaxed);
            while slow.0.load(Ordering::Relaxed) == 0 {
                tokio::time::sleep(soon).await;
            }
            tokio::time::sleep(4 * soon).await;
            world.hand.fetch_add(later_ms, Ordering::Relaxed);
            let ended = async || {
                let mut tx = world.context.store.read().await.unwrap();
                let runs = tx.newest_runs(None, 10).await.unwrap();
                runs.iter().any(|run| run.problem.is_some())
            };
            for _ in 0..60 {
                if ended().await && (later_ms < 900_000 || slow.0.load(Ordering::Relaxed) > 1) {
                    break;
                }
                tokio::time::sleep(soon).await;
            }
            world.context.cancel.cancel();
        };
        let both = async { tokio::join!(serving, disturbing) };
        let (served, ()) = tokio::time::timeout(Duration::from_secs(20), both)
            .await
            .unwrap();
        assert_eq!(served, Served::Stopped);
        let mut tx = world.context.store.read().await.unwrap();
        let first = tx.newest_runs(None, 10).await.unwrap().pop().unwrap();
        let is_ended_early = first.state == "stopped";
        let missed = tx.newest_missed(None, 10).await.unwrap().into_iter();
        let missed = missed.map(|row| format!("{}: {}", row.times, row.reason));
        let opened = slow.0.load(Ordering::Relaxed);
        let why = first.problem.filter(|_| is_ended_early);
        (why.unwrap_or_default(), missed.collect(), opened)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_read_ends_at_its_time_limit_or_when_another_time_comes_and_what_is_skipped_is_recorded()
     {
        let (why, missed, opened) = disturbed("time_limit = \"2m\"", 120_000).await;
        assert_eq!(why, "it took longer than its `time_limit` of 2m");
        assert_eq!((missed.len(), opened), (0, 1));
        let (why, missed, opened) = disturbed("overlap = \"cancel\"", 900_000).await;
        assert_eq!(why, "another time came (`overlap = \"cancel\"`)");
        assert_eq!((missed.len(), opened), (0, 2));
        let (why, missed, opened) = disturbed("overlap = \"skip\"", 900_000).await;
        assert_eq!((why.as_str(), opened), ("", 1));
        assert_eq!(
            missed,
            ["1: the read before was still going (`overlap = \"skip\"`)"]
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn serving_ends_when_another_process_works_by_other_manifests() {
        let manifest = "[hub]\nname = \"old\"\nstore = \"sqlite:old.db\"\n";
        let mut world = World::new(manifest, &[], 0).await;
        crate::flow::enter(&mut world.context, &|| true, &crate::flow::Leave::Automatic)
            .await
            .unwrap();
        let old = world.context.clone();
        let options = options();
        let opens: Arc<dyn Opens> = Arc::new(Nobody::default());
        let serving = serve(
            &old,
            &opens,
            &options,
            Carried::default(),
            std::future::pending(),
        );
        let editing = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            world.reread(&format!("{manifest}\n"), &[]).await;
        };
        let both = async { tokio::join!(serving, editing) };
        let (served, ()) = tokio::time::timeout(Duration::from_secs(20), both)
            .await
            .unwrap();
        assert!(matches!(served, Served::Overtaken(_)), "{served:?}");
    }
}
