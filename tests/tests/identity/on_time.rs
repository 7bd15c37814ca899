//! I7: who is in an audience because something has *not* happened for a while enters at the exact instant, without news
//! from any source, and the destination is updated. The hub runs inside the test, by a clock that the test moves.

use super::pair::Pair;
use crate::hub::beside_program;
use crate::small::JANUARY_MS;
use onefold::app::{random, system_clock};
use onefold::clock::Clock;
use onefold::flow::connect::{ConnectSettings, Connectors};
use onefold::flow::{self, Carried, Context, Opens, ReadOptions, RunOptions, Served, Suppression};
use onefold::host::{Cancel, Host, HostSettings};
use onefold::manifest;
use onefold::model::Timestamp;
use onefold::store::Store;
use onefold_tests::demo::World;
use onefold_tests::vendors::Fault;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use uuid::Uuid;

const DAY_MS: i64 = 86_400_000;
/// Ada ordered last on the third day.
const INSTANT: i64 = JANUARY_MS + 33 * DAY_MS;
const ADA: &str = "ada@poczta.example";

/// A hub over a pair's manifest, with a clock of the test's.
struct Inside {
    context: Context,
    connectors: Arc<dyn Opens>,
}

impl Inside {
    async fn new(pair: &Pair, text: String, clock: Clock) -> Inside {
        let cancel = Cancel::default();
        let connectors = connectors(pair, cancel.clone());
        let files = [("hub.toml".to_owned(), text)];
        let mut known = manifest::Connectors::default();
        for name in manifest::connector_names(&files) {
            let description = connectors.describe(&name).unwrap();
            known.described.insert(name, description);
        }
        let plan = manifest::load(&files, &known).unwrap();
        let path = pair.hub.path().join("pair.db");
        let store = Store::open(&format!("sqlite:{}", path.display())).await;
        let store = store.unwrap();
        let suppression = Suppression::load(&store, Uuid::nil).await.unwrap();
        let mut context = Context::new(Arc::new(plan), store, clock, suppression);
        context.cancel = cancel;
        Inside {
            context,
            connectors: Arc::new(connectors),
        }
    }

    /// A run of every source, or of none.
    async fn run(&self, source: Option<&str>) {
        let options = options(source);
        let report = flow::run(&self.context, &*self.connectors, &options).await;
        let report = report.unwrap();
        assert!(!report.is_partial() && !report.is_guarded(), "{report:?}");
    }

    async fn number(&self, query: &str) -> i64 {
        let mut tx = self.context.store.read().await.unwrap();
        tx.select_persons(query, &[]).await.unwrap()[0]
    }

    /// Since when Ada is in the audience, if she is.
    async fn since(&self) -> Option<i64> {
        let mut tx = self.context.store.read().await.unwrap();
        let ada = tx.find_persons("ada@", 10).await.unwrap();
        assert_eq!(ada.len(), 1);
        let rows = tx.members("quiet").await.unwrap();
        let row = rows.iter().find(|row| row.person_id == ada[0].id);
        row.map(|row| row.since)
    }
}

fn connectors(pair: &Pair, cancel: Cancel) -> Connectors {
    let host = Host::new(HostSettings {
        cache_folder: Some(beside_program("test-cache")),
        compiler: None,
        runtime: Handle::current(),
    });
    let secret = |name: &str| {
        let mut secrets = World::secrets().into_iter();
        let found = secrets.find(|(known, _)| *known == name);
        found.map(|(_, value)| value.to_owned())
    };
    Connectors::new(ConnectSettings {
        host: Arc::new(host.unwrap()),
        connector_folders: vec![beside_program("connectors")],
        hub_folder: pair.hub.path().to_owned(),
        read_env: Arc::new(secret),
        runtime: Handle::current(),
        clock: system_clock(),
        random: Arc::new(random),
        cancel,
        log: Arc::new(|_| {}),
    })
}

fn options(source: Option<&str>) -> RunOptions {
    RunOptions {
        source: source.map(str::to_owned),
        stream: None,
        deliver: true,
        show: 0,
        read: ReadOptions {
            inbox: false,
            full: false,
            progress: Arc::new(|_| {}),
        },
        events: Arc::new(|_| {}),
    }
}

fn is_tagged(pair: &Pair) -> bool {
    let tagged = pair
        .mailchimp
        .with(|mailchimp| mailchimp.segment_members("quiet"));
    tagged.contains(ADA)
}

/// How many entries of the log say that somebody entered at an instant for the cause given.
fn entered(at: i64, cause: &str) -> String {
    format!(
        "select count(*) from membership_log where audience = 'quiet' and entered = 1 and at = {at} and cause = '{cause}'"
    )
}

/// Requests that reach the sources.
fn asked(pair: &Pair) -> usize {
    pair.hubspot.requests().len() + pair.stripe.requests().len()
}

#[test]
fn who_has_not_ordered_for_thirty_days_enters_at_that_millisecond_and_is_tagged() {
    let pair = Pair::new("");
    let hand = Arc::new(AtomicI64::new(JANUARY_MS + 4 * DAY_MS));
    pair.hub.runtime.block_on(async {
        let clock = Clock::standing(hand.clone());
        let inside = Inside::new(&pair, pair.manifest(), clock).await;
        inside.run(None).await;
        assert_eq!(inside.since().await, None);
        let asked_before = asked(&pair);
        hand.store(INSTANT - 1, Ordering::SeqCst);
        inside.run(Some("")).await;
        assert_eq!(inside.since().await, None);
        assert!(!is_tagged(&pair));
        hand.store(INSTANT, Ordering::SeqCst);
        inside.run(Some("")).await;
        assert_eq!(inside.since().await, Some(INSTANT));
        let cause = "no `Order Completed` in 30 days";
        assert_eq!(inside.number(&entered(INSTANT, cause)).await, 1);
        assert!(is_tagged(&pair));
        assert_eq!(asked(&pair), asked_before, "no source was read for it");
        // And out again with the next order.
        pair.stripe.with(|stripe| {
            let paid = onefold_tests::vendors::stripe::Paid::Succeeded;
            let now_s = stripe.clock.now_ms() / 1_000;
            stripe.seed_charge("ch_late", "cus_ada", 900, "pln", now_s, paid);
        });
        hand.store(system_clock().now().0 + DAY_MS, Ordering::SeqCst);
        inside.run(None).await;
        assert_eq!(inside.since().await, None);
        assert!(!is_tagged(&pair));
    });
}

#[test]
fn serve_wakes_for_a_timer_between_two_schedules() {
    // The next schedule is far off: the second of September, once a year.
    wakes("0 0 4 2 9 *", false);
}

// A source hangs for ten minutes in a request.
#[test]
fn serve_wakes_for_a_timer_while_a_source_hangs() {
    wakes("* * * * * *", true);
}

fn wakes(cron: &str, hangs: bool) {
    let pair = Pair::new("");
    let scheduled = format!(
        "connector = \"hubspot\"\nschedule = {{ cron = \"{cron}\", timezone = \"Europe/Warsaw\" }}"
    );
    let text = pair
        .manifest()
        .replacen("connector = \"hubspot\"", &scheduled, 1);
    let begin = Instant::now();
    let clock = Clock::new(move || {
        let passed = i64::try_from(begin.elapsed().as_millis()).unwrap();
        Timestamp(INSTANT - 10_000 + passed)
    });
    pair.hub.runtime.block_on(async {
        let inside = Inside::new(&pair, text, clock.clone()).await;
        inside.run(None).await;
        assert!(clock.now().0 < INSTANT, "the first run took too long");
        assert_eq!(inside.since().await, None);
        let asked_before = asked(&pair);
        if hangs {
            let pause = Duration::from_secs(40);
            pair.hubspot.fail_next(1_000, "", Fault::Dribble { pause });
        }
        let (tell, mut requests) = mpsc::channel(10_000);
        pair.mailchimp.tell(tell);
        let all = options(None);
        let serving = flow::serve(
            &inside.context,
            &inside.connectors,
            &all,
            Carried::default(),
            std::future::pending(),
        );
        let watching = async {
            while !is_tagged(&pair) {
                let asked = tokio::time::timeout(Duration::from_secs(60), requests.recv());
                asked.await.unwrap().unwrap();
                tokio::task::yield_now().await;
            }
            inside.context.cancel.cancel();
        };
        let (served, ()) = tokio::join!(serving, watching);
        assert_eq!(served, Served::Stopped);
        let since = inside.since().await.unwrap();
        assert!(
            (INSTANT..INSTANT + 100).contains(&since),
            "{}",
            since - INSTANT
        );
        let asked = asked(&pair) - asked_before;
        assert_eq!(asked > 0, hangs, "read {asked} times");
    });
}
