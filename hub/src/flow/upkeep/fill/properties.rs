//! I7 for definitions: what is filled, and the timers that it leaves, equal the result of evaluating everybody again, for new and
//! edited definitions, and later when timers become due; and the same definitions as queries find the same members.
#![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

use super::*;
use crate::audience::tests::{Someone, conditions, people};
use crate::clock::Clock;
use crate::expression::Condition;
use crate::flow;
use crate::flow::commit::view::stored_consents;
use crate::flow::suppression::Suppression;
use crate::manifest::{self, Subject};
use crate::model::ConsentStatus;
use crate::store::{Arg, EventRow, EvidenceRow, PersonRow, Store};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};

/// Names that the conditions refer to; the others name no audience.
const NAMES: [&str; 3] = ["a", "b", "x.y"];
const HUB: &str = "[hub]\nname = \"test\"\nstore = \"sqlite:unused.db\"\n";

struct World {
    store: Store,
    hand: Arc<AtomicI64>,
    next_id: AtomicI64,
    _folder: tempfile::TempDir,
}

static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());
static WORLD: LazyLock<World> = LazyLock::new(|| RUNTIME.block_on(World::new()));

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("hub.db").display());
        Self {
            store: Store::open(&url).await.unwrap(),
            hand: Arc::new(AtomicI64::new(0)),
            next_id: AtomicI64::new(1),
            _folder: folder,
        }
    }

    /// A context with these definitions; each may refer to those before it.
    async fn context(&self, definitions: &[Condition]) -> Context {
        let files = [("hub.toml".to_owned(), HUB.to_owned())];
        let mut plan = manifest::load(&files, &manifest::Connectors::default()).unwrap();
        for (index, who) in definitions.iter().enumerate() {
            let who = before(who, index);
            plan.audiences.push(Audience {
                name: NAMES[index].into(),
                description: String::new(),
                of: Subject::Person,
                is_step: false,
                digest: format!("{who:?}"),
                who,
            });
        }
        let suppression = Suppression::load(&self.store, uuid::Uuid::nil)
            .await
            .unwrap();
        let clock = Clock::standing(self.hand.clone());
        Context::new(Arc::new(plan), self.store.clone(), clock, suppression)
    }

    /// Stores people and forgets those of the previous case. Two share a component, and each has two pieces of evidence.
    async fn put(&self, people: &[Someone]) -> Vec<i64> {
        let mut tx = self.store.begin().await.unwrap();
        let old = tx.select_persons("select id from person", &[]).await;
        tx.remove_persons(&old.unwrap()).await.unwrap();
        let first = self.next_id.fetch_add(100, Ordering::SeqCst);
        let mut ids = Vec::new();
        for (at, someone) in people.iter().enumerate() {
            let id = first + 2 * at as i64;
            ids.push(id);
            let component = first + (at / 2) as i64;
            let consents: flow::Consents = someone
                .granted
                .iter()
                .map(|purpose| {
                    let (status, source) = (ConsentStatus::Granted, String::new());
                    let time = 0;
                    (
                        purpose.clone(),
                        flow::ConsentEntry {
                            status,
                            time,
                            source,
                            addresses: Default::default(),
                        },
                    )
                })
                .collect();
            let row = PersonRow {
                id,
                uuid: someone.id,
                component,
                traits: serde_json::to_string(&someone.traits).unwrap(),
                consents: stored_consents(&consents),
                updated_at: 0,
            };
            tx.add_persons(&[row]).await.unwrap();
            for evidence in [id, id + 1] {
                let row = EvidenceRow {
                    id: evidence,
                    component,
                    person_id: Some(id),
                    nodes: vec![evidence],
                    first_seen: 0,
                    message: "".into(),
                    name: None,
                };
                tx.add_evidence(&[&row]).await.unwrap();
            }
            let fact = tx.reserve("fact", 100).await.unwrap();
            let events: Vec<EventRow> = someone
                .events
                .iter()
                .enumerate()
                .map(|(number, (name, time, properties))| EventRow {
                    id: fact + number as i64,
                    evidence_id: id + (number % 2) as i64,
                    slot: 0,
                    name: name.clone(),
                    time: time.0,
                    properties: serde_json::to_string(properties).unwrap(),
                })
                .collect();
            tx.save_events(&events).await.unwrap();
        }
        tx.commit().await.unwrap();
        ids
    }

    /// Members with their time, and timers, of every audience.
    async fn stored(&self, definitions: usize) -> Vec<State> {
        let mut tx = self.store.read().await.unwrap();
        let mut states = Vec::new();
        for name in &NAMES[..definitions] {
            let members = tx.members(name).await.unwrap();
            let of = [Arg::Text(name)];
            let persons = "select person_id from timer where audience = $1 order by person_id";
            let times = "select due_at from timer where audience = $1 order by person_id";
            let persons = tx.select_persons(persons, &of).await.unwrap();
            let times = tx.select_persons(times, &of).await.unwrap();
            states.push(State {
                members: members
                    .iter()
                    .map(|row| (row.person_id, row.since))
                    .collect(),
                timers: persons.into_iter().zip(times).collect(),
            });
        }
        states
    }
}

/// The condition with references only to the audiences before the one of this index.
fn before(condition: &Condition, index: usize) -> Condition {
    let all = |parts: &[Condition]| parts.iter().map(|part| before(part, index)).collect();
    match condition {
        Condition::All(parts) => Condition::All(all(parts)),
        Condition::Any(parts) => Condition::Any(all(parts)),
        Condition::Not(part) => before(part, index).negated(),
        Condition::Audience { name, .. } if NAMES[index..].contains(&name.as_str()) => {
            Condition::Any(Vec::new())
        }
        leaf => leaf.clone(),
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct State {
    members: BTreeMap<i64, i64>,
    timers: BTreeMap<i64, i64>,
}

/// Everybody against every audience in memory, with what was there before.
fn expected(
    context: &Context,
    people: &[(i64, Someone)],
    was: &[State],
    now: Timestamp,
) -> Vec<State> {
    let mut states = vec![State::default(); context.plan.audiences.len()];
    for (id, someone) in people {
        let mut someone = someone.clone();
        someone.audiences = BTreeMap::new();
        for (index, audience) in context.plan.audiences.iter().enumerate() {
            let verdict = someone.evaluate(&audience.who, now);
            if verdict.holds {
                let since = was[index].members.get(id).copied().unwrap_or(now.0);
                states[index].members.insert(*id, since);
                let name = audience.name.to_string();
                someone.audiences.insert(name, Timestamp(since));
            }
            if let Some(due) = verdict.changes_at {
                states[index].timers.insert(*id, due.0);
            }
        }
    }
    states
}

/// New definitions, then edited ones, then time goes on.
async fn check(
    world: &World,
    people: Vec<Someone>,
    definitions: [Vec<Condition>; 2],
    wait: i64,
    mut now: i64,
) -> std::result::Result<(), TestCaseError> {
    // Definitions of the previous case are removed, and their members with them.
    world.hand.store(now, Ordering::SeqCst);
    backfill(&world.context(&[]).await).await.unwrap();
    let ids = world.put(&people).await;
    let people: Vec<(i64, Someone)> = ids.into_iter().zip(people).collect();
    let mut was = vec![State::default(); definitions[0].len()];
    for definitions in &definitions {
        let context = world.context(definitions).await;
        let log = world
            .store
            .read()
            .await
            .unwrap()
            .last_log_id(Subject::Person)
            .await
            .unwrap();
        backfill(&context).await.unwrap();
        let expected = expected(&context, &people, &was, Timestamp(now));
        prop_assert_eq!(&world.stored(definitions.len()).await, &expected);
        let mut tx = world.store.read().await.unwrap();
        for (audience, expected) in context.plan.audiences.iter().zip(&expected) {
            let found = flow::ask::preview::holding(&mut tx, &audience.who, Timestamp(now)).await;
            let members: Vec<i64> = expected.members.keys().copied().collect();
            prop_assert_eq!(found.unwrap(), members);
        }
        drop(tx);
        // Only the difference was written.
        let mut tx = world.store.read().await.unwrap();
        for (index, name) in NAMES[..definitions.len()].iter().enumerate() {
            let new = |a: &State, b: &State| {
                a.members
                    .keys()
                    .filter(|id| !b.members.contains_key(id))
                    .count() as i64
            };
            prop_assert_eq!(
                tx.log_counts(Subject::Person, name, log).await.unwrap(),
                (
                    new(&expected[index], &was[index]),
                    new(&was[index], &expected[index])
                )
            );
        }
        drop(tx);
        prop_assert_eq!(backfill(&context).await.unwrap(), 0);
        was = expected;
    }
    now += wait;
    world.hand.store(now, Ordering::SeqCst);
    let context = world.context(&definitions[1]).await;
    flow::due(&context).await.unwrap();
    let later = expected(&context, &people, &was, Timestamp(now));
    prop_assert_eq!(world.stored(later.len()).await, later);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, max_shrink_iters: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn filling_equals_evaluating_everybody_and_the_queries(
        people in prop::collection::vec(people(), 1..5),
        first in prop::collection::vec(conditions(), 3),
        second in prop::collection::vec(conditions(), 3),
        kept in prop::collection::vec(any::<bool>(), 3),
        now in 0..30i64,
        wait in 0..20i64,
    ) {
        // Some definitions stay as they are.
        let choose = |(index, kept): (usize, bool)| if kept { &first[index] } else { &second[index] };
        let second = kept.into_iter().enumerate().map(choose).cloned().collect();
        let world = &*WORLD;
        RUNTIME.block_on(check(world, people, [first, second], wait, now))?;
    }
}
