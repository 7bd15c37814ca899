//! I15, I16: several processes over one store, paused and killed at any step of any transaction. The result is what they would
//! have left one after another: the people, and what the vendor was sent, once.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

use crate::clock::Clock;
use crate::flow::ask::profile::{Lookup, Wanted, profile};
use crate::flow::connect::Opens;
use crate::flow::context::Process;
use crate::flow::harness::World;
use crate::flow::intake::read::tests::script::{Page, Script, page};
use crate::flow::properties::sink::{Members, Sink};
use crate::flow::properties::{RUNTIME, sequences};
use crate::flow::work::delivering;
use crate::flow::work::run::{self, RunOptions};
use crate::flow::{self, Context, DeliveryOptions, ReadOptions, Suppression, What};
use crate::host::Connector;
use crate::manifest::{Destination, IdentityRules, Source};
use crate::model::{Identifier, IdentifierKind, Value};
use crate::problem::Problem;
use crate::problem::codes::STORE_FAILED;
use crate::store::{Gate, Store};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

const MANIFEST: &str = r#"
[hub]
name = "together"
store = "sqlite:unused.db"
default_region = "PL"

[[source]]
name = "crm"
connector = "any"
[[source.stream]]
name = "contacts"
to = "person"
key = "id"
updated_at = "updated"
created_at = "updated"
map.email = "email"
map.phone = "phone"
map.first_name = "name"
consent.marketing_email = "'granted'"

[[audience]]
name = "ones"
who = { trait = "first_name", is = "n1" }
[[audience]]
name = "everybody"
who = { not = { event = "Order Completed" } }

[[destination]]
name = "tool"
connector = "tool"
consent = ["marketing_email"]
person = { match = "email", map = { name = "first_name" } }
audiences = ["ones", "everybody"]
guard = { max_removed = "100%" }
"#;

/// The manifest as somebody edits it meanwhile: nobody agreed, one audience is other people, one is gone.
fn edited() -> String {
    let denied = MANIFEST.replace("\"'granted'\"", "\"'denied'\"");
    let other = denied.replace("is = \"n1\"", "is = \"n2\"");
    let gone =
        "[[audience]]\nname = \"everybody\"\nwho = { not = { event = \"Order Completed\" } }\n";
    other
        .replace(gone, "")
        .replace("[\"ones\", \"everybody\"]", "[\"ones\"]")
}

/// Schedules that go on at the same time, since each one sleeps most of the time.
const AT_ONCE: usize = 8;
const PATIENCE: Duration = Duration::from_secs(120);

const START_MS: i64 = 1_800_000_000_000;
/// More than a lease lasts.
const LONG_MS: i64 = 40_000;

/// A generator that depends on nothing but its seed.
#[derive(Clone)]
struct Draw(Arc<AtomicU64>);

impl Draw {
    fn new(seed: u64) -> Self {
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self(Arc::new(AtomicU64::new(state)))
    }

    fn below(&self, most: u64) -> u64 {
        let next = |mut state: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^ (state << 17)
        };
        let relaxed = Ordering::Relaxed;
        let before = self
            .0
            .fetch_update(relaxed, relaxed, |state| Some(next(state)));
        (next(before.unwrap()) >> 11) % most
    }
}

/// Four addresses and two numbers among six records, each of which comes up to three times.
fn pages(draw: &Draw) -> Vec<Page> {
    let pages = 3 + draw.below(4);
    let mut time = START_MS - 1_000_000;
    let mut page_of = || {
        let lines: Vec<String> = (0..1 + draw.below(3))
            .map(|_| {
                time += 1_000;
                let (id, email, name) = (1 + draw.below(6), draw.below(4), draw.below(3));
                let phone = match draw.below(3) {
                    0 => format!(r#","phone":"60010000{}""#, draw.below(2)),
                    _ => String::new(),
                };
                format!(
                    r#"{{"id":"{id}","updated":{time},"email":"p{email}@x.example","name":"n{name}"{phone}}}"#
                )
            })
            .collect();
        page(&lines, &[])
    };
    (0..pages).map(|_| page_of()).collect()
}

/// What the processes share apart from the store.
#[derive(Clone)]
struct Outside {
    pages: Vec<Page>,
    sink: Sink,
    hand: Arc<AtomicI64>,
    ended: Arc<Mutex<HashSet<String>>>,
}

impl Opens for Outside {
    fn source(&self, _: &Source) -> Result<Box<dyn Connector>, Vec<Problem>> {
        Ok(Box::new(Script::of(self.pages.clone())))
    }

    fn destination(&self, _: &Destination) -> Result<Box<dyn Connector>, Vec<Problem>> {
        Ok(Box::new(self.sink.clone()))
    }

    fn rest(&self) {}
}

impl Outside {
    fn new(pages: Vec<Page>) -> Self {
        Self {
            pages,
            sink: Sink {
                takes: Duration::from_millis(3),
                ..Sink::default()
            },
            hand: Arc::new(AtomicI64::new(START_MS)),
            ended: Arc::default(),
        }
    }

    /// A process with that name over the store at `path`.
    async fn process(
        &self,
        path: &Path,
        name: &str,
        manifest: &str,
        gate: Option<Gate>,
    ) -> Context {
        let url = format!("sqlite:{}", path.display());
        let store = Store::open(&url).await.unwrap();
        let suppression = Suppression::load(&store, Uuid::nil).await.unwrap();
        let store = match gate {
            Some(gate) => store.gated(gate),
            None => store,
        };
        let plan = Arc::new(flow::harness::plan(manifest, &[("crm", "contacts")]));
        let clock = Clock::standing(self.hand.clone());
        let mut context = Context::new(plan, store, clock, suppression);
        let ended = self.ended.clone();
        context.process = Process {
            id: name.into(),
            has_ended: Arc::new(move |id| ended.lock().unwrap().contains(id)),
        };
        context
    }
}

fn options(deliver: bool) -> RunOptions {
    RunOptions {
        source: None,
        stream: None,
        deliver,
        show: 0,
        read: ReadOptions {
            what: What::Vendor,
            full: false,
            progress: Arc::new(|_| {}),
        },
        events: Arc::new(|_| {}),
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Actor {
    Run,
    /// The same with the edited manifest.
    Edited,
    Deliver,
    Suppress,
    Rules,
    Reader,
}

fn other_rules() -> IdentityRules {
    IdentityRules {
        blocked: vec!["phone:*".to_owned()],
        ..IdentityRules::default()
    }
}

fn suppressed() -> Identifier {
    Identifier::parse(IdentifierKind::Email, "p0@x.example", None).unwrap()
}

/// What one actor does, as its command would.
async fn act(actor: Actor, mut context: Context, outside: &Outside) -> Result<(), Problem> {
    if actor != Actor::Reader {
        flow::enter(&mut context, &|| true, &flow::Leave::Automatic).await?;
    }
    match actor {
        Actor::Run | Actor::Edited => {
            run::run(&context, outside, &options(true)).await?;
        }
        Actor::Deliver => {
            let context = run::ready(&context).await?;
            let destination = &context.plan.destinations[0];
            let events = options(true).events;
            delivering::deliver_to(
                &context,
                destination,
                outside,
                DeliveryOptions::default(),
                &events,
            )
            .await?;
        }
        Actor::Suppress => {
            let mut tx = context.begin().await?;
            flow::suppress(&mut tx, &context, &suppressed(), "asked").await?;
            tx.commit().await?;
        }
        Actor::Rules => {
            flow::rules::apply(&mut context, &other_rules(), &|_, _| {}).await?;
        }
        Actor::Reader => {
            let mut tx = context.store.read().await?;
            let people = tx.find_persons("", 1_000).await?;
            let known: BTreeSet<i64> = people.iter().map(|row| row.id).collect();
            for audience in ["ones", "everybody"] {
                for member in tx.members(audience).await? {
                    assert!(known.contains(&member.person_id), "a member who is nobody");
                }
            }
        }
    }
    Ok(())
}

/// Pauses at steps, and fails at each from the one on at which its process is killed.
fn gate(draw: Draw, killed_at: Option<u64>, hand: Arc<AtomicI64>) -> Gate {
    let steps = Arc::new(AtomicU64::new(0));
    Arc::new(move || {
        let (draw, hand) = (draw.clone(), hand.clone());
        let step = steps.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            if killed_at.is_some_and(|at| step >= at) {
                return Err(Problem::new(&STORE_FAILED, "killed"));
            }
            match draw.below(150) {
                // Paused for so long that the others take over its work.
                0 => {
                    hand.fetch_add(LONG_MS, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                1..20 => tokio::time::sleep(Duration::from_micros(draw.below(400))).await,
                20..60 => tokio::task::yield_now().await,
                _ => {}
            }
            Ok(())
        })
    })
}

/// What can be compared: people, and what the vendor has.
#[derive(Debug, PartialEq)]
struct End {
    people: BTreeSet<String>,
    members: Members,
    /// First names of the members, by address.
    rows: BTreeMap<String, String>,
}

/// Runs until nothing is left, as a process of its own, and looks.
async fn end(outside: &Outside, context: &Context) -> End {
    for _ in 0..3 {
        let report = run::run(context, outside, &options(true)).await.unwrap();
        assert!(report.problems.is_empty(), "{report:?}");
        for one in &report.streams {
            assert_eq!(one.problem, None);
        }
        for one in &report.destinations {
            assert_eq!((&one.problems[..], one.rejected), (&[][..], 0));
        }
    }
    let mut tx = context.store.read().await.unwrap();
    let mut people = BTreeSet::new();
    for row in tx.find_persons("", 1_000).await.unwrap() {
        let audiences = tx.memberships_of([row.id]).await.unwrap();
        let audiences: BTreeSet<String> = audiences.into_iter().map(|one| one.audience).collect();
        let id = Uuid::from_bytes(row.uuid);
        people.insert(format!("{id} {} {audiences:?}", row.traits));
    }
    let nothing = [
        "select count(*) from change where state = 'pending'",
        "select count(*) from run where state = 'running'",
    ];
    for text in nothing {
        assert_eq!(tx.select_persons(text, &[]).await.unwrap(), [0], "{text}");
    }
    let letters = tx.dead_letters(false, 10).await.unwrap();
    assert_eq!(letters, []);
    let lines: usize = outside.pages.iter().map(Page::len).sum();
    let versions = "select count(*) from record_version";
    let versions = tx.select_persons(versions, &[]).await.unwrap()[0];
    assert_eq!(versions, lines as i64, "each version is stored once");
    let members = outside.sink.members.lock().unwrap().clone();
    let emails: BTreeSet<&String> = members.iter().map(|(_, email)| email).collect();
    let rows = outside.sink.rows.lock().unwrap();
    let rows = rows.iter().filter(|(email, _)| emails.contains(email));
    let name = |row: &crate::model::Fields| row["name"].as_str().unwrap().to_owned();
    let rows = rows.map(|(email, row)| (email.clone(), name(row)));
    End {
        people,
        rows: rows.collect(),
        members: members.clone(),
    }
}

impl End {
    fn leave_out(&mut self, emails: &BTreeSet<String>) {
        self.members.retain(|(_, email)| !emails.contains(email));
        self.rows.retain(|email, _| !emails.contains(email));
    }
}

/// The same work, one process after another, on a hub of its own, under one manifest after another.
async fn alone(pages: &[Page], manifests: &[&str], rules: bool, suppress: bool) -> End {
    let [first, later @ ..] = manifests else {
        unreachable!("there is a manifest");
    };
    let mut world = World::new(first, &[("crm", "contacts")], START_MS).await;
    let outside = Outside::new(pages.to_vec());
    flow::enter(&mut world.context, &|| true, &flow::Leave::Automatic)
        .await
        .unwrap();
    flow::rules::keep_first(&world.context).await.unwrap();
    if rules {
        flow::rules::apply(&mut world.context, &other_rules(), &|_, _| {})
            .await
            .unwrap();
    }
    if suppress {
        act(Actor::Suppress, world.context.clone(), &outside)
            .await
            .unwrap();
    }
    let mut left = end(&outside, &world.context).await;
    for manifest in later {
        world.reread(manifest, &[("crm", "contacts")]).await;
        let context = run::ready(&world.context).await.unwrap();
        left = end(&outside, &context).await;
    }
    left
}

async fn schedule(seed: u64) {
    let draw = Draw::new(seed);
    let outside = Outside::new(pages(&draw));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let mut first = outside.process(&path, "first", MANIFEST, None).await;
    flow::enter(&mut first, &|| true, &flow::Leave::Automatic)
        .await
        .unwrap();
    flow::rules::keep_first(&first).await.unwrap();
    let edited = edited();
    let kinds = [
        Actor::Run,
        Actor::Edited,
        Actor::Deliver,
        Actor::Suppress,
        Actor::Rules,
        Actor::Reader,
    ];
    let mut tasks = Vec::new();
    let mut actors = vec![Actor::Run];
    actors.extend((0..1 + draw.below(3)).map(|_| kinds[draw.below(6) as usize]));
    let was_edited = actors.contains(&Actor::Edited);
    for (number, actor) in actors.into_iter().enumerate() {
        let name = format!("p{number}");
        let killed_at = (draw.below(3) == 0).then(|| draw.below(600));
        let own = Draw::new(seed.wrapping_mul(31).wrapping_add(number as u64 + 1));
        let gate = gate(own, killed_at, outside.hand.clone());
        let manifest = match actor {
            Actor::Edited => &edited,
            _ => MANIFEST,
        };
        let context = outside.process(&path, &name, manifest, Some(gate)).await;
        let outside = outside.clone();
        tasks.push(tokio::spawn(async move {
            // A process that is killed, or loses to another one, leaves the rest to the next one.
            let _ = act(actor, context, &outside).await;
            outside.ended.lock().unwrap().insert(name);
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    // With the manifest that was adopted last.
    let known = &mut first.store.read().await.unwrap();
    let is_edited = flow::manifests_digest(known).await.unwrap() != first.plan.digest;
    let manifest = if is_edited { &edited } else { MANIFEST };
    let mut last = outside.process(&path, "last", manifest, None).await;
    flow::enter(&mut last, &|| true, &flow::Leave::Automatic)
        .await
        .unwrap();
    let context = run::ready(&last).await.unwrap();
    let found = end(&outside, &context).await;
    let is_changed = run::ready(&context).await.unwrap().identity == other_rules();
    let mut tx = context.store.read().await.unwrap();
    let listed = tx
        .select_persons("select count(*) from suppression", &[])
        .await;
    let is_suppressed = listed.unwrap() != [0];
    drop(tx);
    let mut wanted = alone(&outside.pages, &[manifest], is_changed, false).await;
    let most = wanted.members.clone();
    let which =
        format!("edited: {is_edited}, rules changed: {is_changed}, suppressed: {is_suppressed}");
    assert!(
        !is_suppressed || !found.rows.contains_key(&suppressed().value),
        "{which}"
    );
    let mut found = found;
    if was_edited && !is_edited {
        // What the records that were read meanwhile refused by the edited manifest stands where they have left the address.
        let manifests = [&*edited, MANIFEST];
        let least = alone(&outside.pages, &manifests, is_changed, false).await;
        assert_eq!(least.people, wanted.people, "{which}");
        assert!(
            least.members.is_subset(&found.members) || is_suppressed,
            "{which}"
        );
        assert!(found.members.is_subset(&wanted.members), "{which}");
        let open: BTreeSet<String> = wanted
            .members
            .difference(&least.members)
            .map(|(_, email)| email.clone())
            .collect();
        for (email, name) in &found.rows {
            assert_eq!(wanted.rows.get(email), Some(name), "{which}");
        }
        for end in [&mut found, &mut wanted] {
            end.leave_out(&open);
        }
    }
    if !is_suppressed {
        assert_eq!(found, wanted, "{which}");
        return;
    }
    // Who was known by the address at some time is suppressed, and it depends on the moment who that is.
    let early = alone(&outside.pages, &[manifest], is_changed, true).await;
    assert_eq!(
        (&found.people, &early.people),
        (&wanted.people, &wanted.people),
        "{which}"
    );
    let connected = connected(&outside.pages);
    assert!(!early.rows.contains_key(&suppressed().value), "{which}");
    assert!(found.members.is_subset(&wanted.members), "{which}");
    assert!(early.members.is_subset(&most), "{which}");
    for end in [&mut found, &mut wanted] {
        end.leave_out(&connected);
    }
    assert_eq!(found, wanted, "{which}");
    let address = Wanted::Identifier(suppressed());
    if let Lookup::Person(person) = profile(&context, &address).await.unwrap() {
        let email = person.traits["email"].as_str().unwrap();
        assert!(
            person.suppressed && !early.rows.contains_key(email),
            "{which}"
        );
    }
}

/// The addresses that any version of any record connects with the one that is suppressed.
fn connected(pages: &[Page]) -> BTreeSet<String> {
    let lines = pages.iter().flat_map(|page| page.lines());
    let sets = lines.map(|line| {
        let row: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
        let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
        ["id", "email", "phone"]
            .into_iter()
            .filter_map(text)
            .collect()
    });
    let sets: Vec<BTreeSet<String>> = sets.collect();
    let mut connected = BTreeSet::from([suppressed().value]);
    loop {
        let before = connected.len();
        for set in &sets {
            if !connected.is_disjoint(set) {
                connected.extend(set.iter().cloned());
            }
        }
        if connected.len() == before {
            return connected;
        }
    }
}

/// `ONEFOLD_SCHEDULE` repeats one seed; `ONEFOLD_SEQUENCES` asks for another number of them.
#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "a test is asked for one case from outside"
)]
fn processes_at_once_leave_what_they_would_have_left_one_after_another() {
    let one = std::env::var("ONEFOLD_SCHEDULE").ok();
    let seeds = match one.and_then(|text| text.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..u64::from(sequences()),
    };
    let queue = Arc::new(Mutex::new(seeds));
    let work = (0..AT_ONCE).map(|_| {
        let queue = queue.clone();
        RUNTIME.spawn(async move {
            loop {
                let seed = queue.lock().unwrap().next();
                let Some(seed) = seed else { return };
                let case = tokio::spawn(tokio::time::timeout(PATIENCE, schedule(seed)));
                let repeat = format!("ONEFOLD_SCHEDULE={seed} repeats this schedule");
                case.await.expect(&repeat).expect(&repeat);
            }
        })
    });
    let work: Vec<_> = work.collect();
    for one in work {
        RUNTIME.block_on(one).unwrap();
    }
}
