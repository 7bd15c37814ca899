//! The engine against an oracle that knows no store: random records, deletions, statements, rules, clocks and orders.
//! One test for each invariant: I1, I2, I4, I5, I6, I7, I8.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

mod definitions;
mod oracle;
pub(super) mod sink;
mod world;

use crate::flow::{self, Stating};
use crate::identity::StatementKind;
use crate::manifest::{IdentityRules, Trust};
use crate::model::{Identifier, IdentifierKind, Timestamp};
use oracle::{State, oracle};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::json;
use sink::Sink;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{LazyLock, Mutex};
use uuid::Uuid;
use world::{DAY, Kind, Record, World, record};

#[derive(Debug, Clone)]
enum Operation {
    Put(Vec<Record>),
    Delete(Kind, u8),
    /// Between two of the identifiers that records may have.
    Link(u8, u8),
    Separate(u8, u8),
    /// One of the statements in force; the number wraps around.
    Revoke(u8),
    /// Rules by their number.
    Rules(u8),
    /// The clock moves on by this many hours, and due timers are evaluated.
    Wait(u16),
    /// The clock goes on to the next timer.
    WaitForTimer,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => prop::collection::vec(record(), 1..5).prop_map(Operation::Put),
        2 => (prop_oneof![Just(Kind::Contact), Just(Kind::Customer), Just(Kind::Charge)], 0..6u8)
            .prop_map(|(kind, key)| Operation::Delete(kind, key)),
        2 => (0..IDENTIFIERS, 0..IDENTIFIERS).prop_map(|(a, b)| Operation::Link(a, b)),
        2 => (0..IDENTIFIERS, 0..IDENTIFIERS).prop_map(|(a, b)| Operation::Separate(a, b)),
        1 => any::<u8>().prop_map(Operation::Revoke),
        1 => (0..RULE_SETS).prop_map(Operation::Rules),
        1 => (1..1_000u16).prop_map(Operation::Wait),
        1 => Just(Operation::WaitForTimer),
    ]
}

fn without_refusals(operations: &[Operation]) -> Vec<Operation> {
    let operations = operations.iter().map(|operation| match operation {
        Operation::Put(batch) => {
            Operation::Put(batch.iter().map(Record::without_refusal).collect())
        }
        other => other.clone(),
    });
    operations.collect()
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    prop::collection::vec(operation(), 1..9)
}

const IDENTIFIERS: u8 = 20;

/// The identifiers that a world's records may have: four addresses, three numbers, three users, keys of either source.
fn identifier(world: &str, number: u8) -> Identifier {
    let of =
        |kind: IdentifierKind, value: String| Identifier::parse(kind, &value, Some("PL")).unwrap();
    match number {
        0..4 => of(
            IdentifierKind::Email,
            format!("W{world}x{number}@Example.com"),
        ),
        4..7 => {
            let digits = format!("60{}{:0>6}", number - 4, world.trim_start_matches('w'));
            of(IdentifierKind::Phone, digits)
        }
        7..10 => of(IdentifierKind::UserId, format!("{world}-u{}", number - 7)),
        10..15 => {
            let key = format!("{world}-Contact-{}", number - 10);
            of(IdentifierKind::External("crm".into()), key)
        }
        _ => {
            let key = format!("{world}-Customer-{}", number - 15);
            of(IdentifierKind::External("payments".into()), key)
        }
    }
}

const RULE_SETS: u8 = 8;

fn rule_set(number: u8) -> IdentityRules {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let usual = IdentityRules::default();
    match number {
        1 => IdentityRules {
            shared_above: 1,
            ..usual
        },
        2 => IdentityRules {
            limits: vec![("user_id".to_owned(), 2), ("email".to_owned(), 1)],
            ..usual
        },
        3 => IdentityRules {
            blocked: names(&["email:*x1@example.com"]),
            ..usual
        },
        4 => IdentityRules {
            trust: vec![("payments".to_owned(), Trust::None)],
            ..usual
        },
        5 => IdentityRules {
            trust: vec![("crm".to_owned(), Trust::Late)],
            shared_above: 3,
            ..usual
        },
        6 => IdentityRules {
            component_cap: 4,
            ..usual
        },
        7 => IdentityRules {
            priority: names(&["email", "user_id"]),
            strong: names(&["email", "user_id", "external"]),
            shared: vec![("phone".to_owned(), 1)],
            ..usual
        },
        _ => usual,
    }
}

pub(super) static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());
static WORLDS: AtomicI64 = AtomicI64::new(1);
/// Hubs that were used a few times: each use has a part of its own, identified by its name.
static HUBS: Mutex<Vec<(World, Sink, u32)>> = Mutex::new(Vec::new());
const USES: u32 = 40;

/// `ONEFOLD_SEQUENCES` makes the run longer.
#[allow(
    clippy::disallowed_methods,
    reason = "a test is asked for more cases from outside"
)]
pub(super) fn sequences() -> u32 {
    std::env::var("ONEFOLD_SEQUENCES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(2_000)
}

/// Each start is a few days before the clocks change in Europe or before the last day of February in a leap year.
const STARTS: [&str; 3] = [
    "2024-03-20T01:30:00Z",
    "2024-10-20T01:30:00Z",
    "2024-02-25T23:59:59Z",
];

/// One hub going through a sequence.
struct Going {
    world: World,
    sink: Sink,
    uses: u32,
    name: String,
    state: State,
    now: i64,
}

impl Going {
    async fn start(name: &str, start: usize) -> Self {
        let used = HUBS.lock().unwrap().pop();
        let hub = match used {
            Some(used) => used,
            None => (World::usual().await, Sink::default(), 0),
        };
        Self::begin(hub, name, start).await
    }

    /// In a hub of its own.
    async fn alone(name: &str, start: usize) -> Self {
        let hub = (World::usual().await, Sink::default(), USES);
        Self::begin(hub, name, start).await
    }

    async fn begin((world, sink, uses): (World, Sink, u32), name: &str, start: usize) -> Self {
        let start = chrono::DateTime::parse_from_rfc3339(STARTS[start % STARTS.len()]).unwrap();
        let mut going = Self {
            world,
            sink,
            uses,
            name: name.to_owned(),
            state: State::default(),
            now: start.timestamp_millis(),
        };
        going.world.hand.store(going.now, Ordering::SeqCst);
        going.set_rules(IdentityRules::default()).await;
        going
    }

    fn end(self) {
        if self.uses + 1 < USES {
            HUBS.lock()
                .unwrap()
                .push((self.world, self.sink, self.uses + 1));
        }
    }

    async fn set_rules(&mut self, rules: IdentityRules) {
        if self.world.context.identity != rules {
            flow::rules::apply(&mut self.world.context, &rules, &|_, _| {})
                .await
                .unwrap();
        }
        self.state.rules = rules;
    }

    async fn run(&mut self, step: usize, operation: &Operation) {
        match operation {
            Operation::Put(batch) => self.put(step, batch).await,
            Operation::Delete(kind, key) => {
                let id = format!("{}-{kind:?}-{key}", self.name);
                self.delete(*kind, &id).await;
            }
            Operation::Link(a, b) => self.state(StatementKind::MustLink, *a, *b).await,
            Operation::Separate(a, b) => self.state(StatementKind::MustNotLink, *a, *b).await,
            Operation::Revoke(number) => self.revoke(*number).await,
            Operation::Rules(number) => self.set_rules(rule_set(*number)).await,
            Operation::Wait(hours) => {
                let time = self.now + i64::from(*hours) * 3_600_000;
                self.wait_until(time).await;
            }
            Operation::WaitForTimer => {
                if let Some(due) = self.next_due().await {
                    self.wait_until(due).await;
                }
            }
        }
    }

    async fn put(&mut self, step: usize, batch: &[Record]) {
        for kind in [Kind::Contact, Kind::Customer, Kind::Charge] {
            let mut lines = Vec::new();
            for (index, one) in batch.iter().enumerate().filter(|(_, one)| one.kind == kind) {
                // Later in the sequence is later in time, so that the last one put is the one that counts.
                let line = one.line(&self.name, 1_000_000 + (step * 10 + index) as i64);
                let id = one.id(&self.name);
                self.state
                    .history
                    .push((kind, id, Some(line.clone()), self.now));
                self.state
                    .records
                    .insert((kind, one.id(&self.name)), line.clone());
                lines.push(line);
            }
            if !lines.is_empty() {
                self.world.apply(kind.names(), &lines, &[]).await;
            }
        }
    }

    async fn delete(&mut self, kind: Kind, id: &str) {
        let line = json!({ "id": id }).to_string();
        self.world.apply(kind.names(), &[], &[line]).await;
        self.state.records.remove(&(kind, id.to_owned()));
        self.state
            .history
            .push((kind, id.to_owned(), None, self.now));
    }

    /// The engine refuses statements about identifiers without a person, or against one in force; then nothing is stated.
    async fn state(&mut self, kind: StatementKind, a: u8, b: u8) {
        let stating = Stating {
            kind,
            left: identifier(&self.name, a),
            right: identifier(&self.name, b),
            reason: "a test".to_owned(),
            author: self.name.clone(),
        };
        let stated = flow::state(&self.world.context, std::slice::from_ref(&stating)).await;
        let is_known = |known: &Stating| {
            known.kind == kind
                && ((known.left == stating.left && known.right == stating.right)
                    || (known.left == stating.right && known.right == stating.left))
        };
        if stated.is_ok() && !self.state.statements.iter().any(is_known) {
            self.state.statements.push(stating);
        }
    }

    async fn revoke(&mut self, number: u8) {
        let count = self.state.statements.len();
        if count == 0 {
            return;
        }
        let index = usize::from(number) % count;
        self.state.statements.remove(index);
        let rows = self
            .world
            .context
            .store
            .read()
            .await
            .unwrap()
            .statements()
            .await
            .unwrap();
        let mine = rows
            .iter()
            .filter(|row| row.author == self.name && row.revoked.is_none());
        let id = mine.map(|row| row.id).nth(index).unwrap();
        let count = flow::revoke(&self.world.context, |row| row.id == id, "a test", "a test")
            .await
            .unwrap();
        assert_eq!(count, 1);
    }

    async fn next_due(&self) -> Option<i64> {
        let mut tx = self.world.context.store.read().await.unwrap();
        tx.next_due().await.unwrap().filter(|due| *due > self.now)
    }

    async fn wait_until(&mut self, time: i64) {
        self.now = time;
        self.world.hand.store(time, Ordering::SeqCst);
        flow::due(&self.world.context).await.unwrap();
    }

    async fn people(&self) -> BTreeSet<String> {
        self.world.people(&self.name).await
    }

    fn expected(&self) -> BTreeSet<String> {
        oracle(&self.world, &self.name, &self.state, Timestamp(self.now))
    }
}

fn new_name() -> String {
    format!("w{}", WORLDS.fetch_add(1, Ordering::SeqCst))
}

// I1: the same state reached in another order, with everything sent twice.
async fn check_order(
    operations: &[Operation],
    start: usize,
    seed: u64,
) -> Result<(), TestCaseError> {
    let name = new_name();
    let mut first = Going::start(&name, start).await;
    for (step, operation) in without_refusals(operations).iter().enumerate() {
        first.run(step, operation).await;
    }
    let people = first.people().await;
    let mut second = Going::start(&name, start).await;
    if seed.is_multiple_of(2) {
        second.set_rules(first.state.rules.clone()).await;
    }
    let mut records: Vec<_> = first.state.records.iter().collect();
    records.extend(first.state.records.iter());
    shuffle(&mut records, seed);
    for batch in records.chunks(3) {
        for ((kind, _), line) in batch {
            second
                .world
                .apply(kind.names(), &[(*line).clone()], &[])
                .await;
        }
    }
    let mut statements: Vec<&Stating> = first.state.statements.iter().collect();
    shuffle(&mut statements, seed ^ 7);
    for stating in statements {
        // A statement about what the other rules share or block waits until they hold.
        if flow::state(&second.world.context, std::slice::from_ref(stating))
            .await
            .is_err()
        {
            second.set_rules(first.state.rules.clone()).await;
            let again = flow::state(&second.world.context, std::slice::from_ref(stating)).await;
            if again.is_err() {
                // It was made when its identifiers were live, which they never are in the second hub.
                first.end();
                second.end();
                return Ok(());
            }
        }
    }
    second.set_rules(first.state.rules.clone()).await;
    second.wait_until(first.now).await;
    prop_assert_eq!(second.people().await, people);
    first.end();
    second.end();
    Ok(())
}

// I2: after every operation.
async fn check_oracle(operations: &[Operation], start: usize) -> Result<(), TestCaseError> {
    let mut going = Going::start(&new_name(), start).await;
    for (step, operation) in operations.iter().enumerate() {
        going.run(step, operation).await;
        prop_assert_eq!(
            going.people().await,
            going.expected(),
            "after {:?}",
            operation
        );
    }
    going.end();
    Ok(())
}

// I4: whatever happened, checked on the stored graph.
async fn check_limits(operations: &[Operation], start: usize) -> Result<(), TestCaseError> {
    let mut going = Going::start(&new_name(), start).await;
    for (step, operation) in operations.iter().enumerate() {
        going.run(step, operation).await;
        let mut of_person: BTreeMap<String, Vec<Identifier>> = BTreeMap::new();
        for number in 0..IDENTIFIERS {
            let one = identifier(&going.name, number);
            if let Ok(graph) = flow::graph(&going.world.context, &one).await {
                of_person.insert(graph.person, graph.identifiers);
            }
        }
        for identifiers in of_person.values() {
            for (kind, limit) in &going.state.rules.limits {
                let count = identifiers
                    .iter()
                    .filter(|one| one.kind.text() == *kind)
                    .count();
                prop_assert!(count <= *limit as usize, "{} {}", count, kind);
            }
            for stated in &going.state.statements {
                let both =
                    identifiers.contains(&stated.left) && identifiers.contains(&stated.right);
                prop_assert!(stated.kind == StatementKind::MustLink || !both);
            }
        }
    }
    going.end();
    Ok(())
}

// I5: records that are deleted, all at the end, leave the hub that never saw them.
async fn check_deletion(
    operations: &[Operation],
    start: usize,
    seed: u64,
) -> Result<(), TestCaseError> {
    let mut going = Going::start(&new_name(), start).await;
    for (step, operation) in without_refusals(operations).iter().enumerate() {
        going.run(step, operation).await;
    }
    let mut ids: Vec<(Kind, String)> = going.state.records.keys().cloned().collect();
    shuffle(&mut ids, seed);
    ids.truncate(ids.len() / 2);
    for (kind, id) in &ids {
        going.delete(*kind, id).await;
    }
    let mut never = Going::start(&going.name, start).await;
    never.set_rules(going.state.rules.clone()).await;
    let mut kept: Vec<_> = going.state.records.iter().collect();
    shuffle(&mut kept, seed ^ 3);
    for ((kind, _), line) in kept {
        never
            .world
            .apply(kind.names(), std::slice::from_ref(line), &[])
            .await;
    }
    never.state = going.state.clone();
    never.wait_until(going.now).await;
    let without = |going: &Going| going.state.statements.is_empty();
    if without(&going) {
        prop_assert_eq!(going.people().await, never.people().await);
    }
    prop_assert_eq!(going.people().await, never.expected());
    going.end();
    never.end();
    Ok(())
}

// I6: the id of an existing person is that person's; a retired id resolves, without circles, to the person with the record that
// it was derived from, as long as that record was never changed or removed.
async fn check_ids(operations: &[Operation], start: usize) -> Result<(), TestCaseError> {
    let mut going = Going::start(&new_name(), start).await;
    let mut given: BTreeSet<Uuid> = BTreeSet::new();
    let rules = going.world.context.rules.clone();
    let mut touched: BTreeMap<(Kind, String), usize> = BTreeMap::new();
    for (step, operation) in operations.iter().enumerate() {
        going.run(step, operation).await;
        match operation {
            Operation::Put(batch) => {
                for one in batch {
                    *touched.entry((one.kind, one.id(&going.name))).or_default() += 1;
                }
            }
            Operation::Delete(kind, key) => {
                let id = format!("{}-{kind:?}-{key}", going.name);
                *touched.entry((*kind, id)).or_default() += 1;
            }
            _ => {}
        }
        let people = going.people().await;
        let live: BTreeSet<Uuid> = people
            .iter()
            .map(|text| Uuid::parse_str(text.split(' ').next().unwrap()).unwrap())
            .collect();
        given.extend(&live);
        let origins: BTreeMap<Uuid, &(Kind, String)> = touched
            .iter()
            .filter(|(_, count)| **count == 1)
            .map(|(record, _)| {
                let (source, stream) = record.0.names();
                (
                    rules
                        .person_id(&format!("{source}/{stream}/{}", record.1))
                        .0,
                    record,
                )
            })
            .collect();
        let mut tx = going.world.context.store.read().await.unwrap();
        for id in &given {
            let heir = tx.alias(id.as_bytes()).await.unwrap();
            let row = tx.persons(heir).await.unwrap().pop();
            prop_assert_eq!(
                heir.is_some(),
                row.is_some(),
                "an id resolves to an existing person"
            );
            if live.contains(id) {
                prop_assert_eq!(row.map(|row| row.uuid), Some(*id.as_bytes()));
            } else if let Some((kind, key)) = origins.get(id) {
                let owner = owner_of(&going, &mut tx, *kind, key).await;
                prop_assert!(
                    owner.is_none() || owner == heir,
                    "{} resolves to {:?}, not {:?}",
                    id,
                    heir,
                    owner
                );
            }
        }
    }
    going.end();
    Ok(())
}

/// The person of a record.
async fn owner_of(going: &Going, tx: &mut crate::store::Tx, kind: Kind, key: &str) -> Option<i64> {
    let (source, _) = kind.names();
    let plan = going.world.stream(kind.names());
    let id = tx.streams().await.unwrap();
    let stream = id
        .iter()
        .find(|row| row.source == source && *row.name == *plan.name)?;
    let slot = crate::landing::slot_of(stream.id, key);
    let record = tx.records_at(&[slot]).await.unwrap().pop()?;
    let rows = tx.evidence_by_id(record.evidence_id).await.unwrap();
    rows.first()?.person_id
}

// I7: at the moment before a timer and at its moment, across changes of clocks and a leap day.
async fn check_timers(operations: &[Operation], start: usize) -> Result<(), TestCaseError> {
    let mut going = Going::start(&new_name(), start).await;
    for (step, operation) in operations.iter().enumerate() {
        going.run(step, operation).await;
        prop_assert_eq!(going.people().await, going.expected());
        if let Some(due) = going.next_due().await {
            // Nobody moves between now and the timer.
            going.wait_until(due - 1).await;
            prop_assert_eq!(
                going.people().await,
                going.expected(),
                "a moment before a timer"
            );
            going.wait_until(due).await;
            prop_assert_eq!(going.people().await, going.expected(), "at a timer");
        }
    }
    going.end();
    Ok(())
}

// I8: what an empty destination was sent adds up to the members who agreed.
async fn check_delivery(operations: &[Operation], start: usize) -> Result<(), TestCaseError> {
    let mut going = Going::start(&new_name(), start).await;
    for (step, operation) in operations.iter().enumerate() {
        going.run(step, operation).await;
        going.deliver().await;
        prop_assert_eq!(going.sent(), going.wanted().await, "after {:?}", operation);
    }
    going.end();
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: sequences(), max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn i1_another_order_and_everything_twice_give_the_same_people(operations in operations(), start in 0..3usize, seed in any::<u64>()) {
        RUNTIME.block_on(check_order(&operations, start, seed))?;
    }

    #[test]
    fn i2_the_engine_equals_the_batch_oracle_after_every_operation(operations in operations(), start in 0..3usize) {
        RUNTIME.block_on(check_oracle(&operations, start))?;
    }

    #[test]
    fn i4_nobody_breaks_a_limit_or_holds_a_separated_pair(operations in operations(), start in 0..3usize) {
        RUNTIME.block_on(check_limits(&operations, start))?;
    }

    #[test]
    fn i5_deleting_records_equals_never_having_seen_them(operations in operations(), start in 0..3usize, seed in any::<u64>()) {
        RUNTIME.block_on(check_deletion(&operations, start, seed))?;
    }

    #[test]
    fn i6_every_id_ever_given_leads_on_without_circles(operations in operations(), start in 0..3usize) {
        RUNTIME.block_on(check_ids(&operations, start))?;
    }

    #[test]
    fn i7_members_are_those_of_the_moment_at_every_timer(operations in operations(), start in 0..3usize) {
        RUNTIME.block_on(check_timers(&operations, start))?;
    }

    #[test]
    fn i8_what_was_sent_adds_up_to_the_members_who_agreed(operations in operations(), start in 0..3usize) {
        RUNTIME.block_on(check_delivery(&operations, start))?;
    }
}

// I2: while a source is not trusted, its records have only their strongest identifier; once it is, they have all.
#[test]
fn i2_a_source_that_is_believed_again_joins_what_it_said_before() {
    let record = |kind| Record {
        kind,
        key: 1,
        email: Some(2),
        phone: None,
        user: None,
        name: 0,
        created: 0,
        consent: 0,
        customer: 0,
    };
    let operations = [
        Operation::Rules(4),
        Operation::Put(vec![record(Kind::Customer)]),
        Operation::Rules(0),
        Operation::Put(vec![record(Kind::Contact)]),
    ];
    RUNTIME.block_on(check_oracle(&operations, 0)).unwrap();
}

/// A shuffle that depends on nothing but its seed.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for index in (1..items.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        items.swap(index, (state % (index as u64 + 1)) as usize);
    }
}

// I1
#[test]
fn the_same_records_in_twenty_random_orders_with_duplicates_give_the_same_profiles() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let records = prop::collection::vec(record(), 150..151)
        .new_tree(&mut runner)
        .unwrap()
        .current();
    // Versions of one record have times of their own, different records may share one.
    let mut versions: BTreeMap<(Kind, u8), i64> = BTreeMap::new();
    let lines: Vec<(Kind, String)> = records
        .iter()
        .enumerate()
        .map(|(index, one)| {
            let one = Record {
                key: one.key.wrapping_mul(7) ^ (index % 40) as u8,
                ..one.without_refusal()
            };
            let version = versions.entry((one.kind, one.key)).or_default();
            *version += 1;
            (one.kind, one.line("w0", 1_000_000 + *version))
        })
        .collect();
    let mut first: Option<BTreeSet<String>> = None;
    for seed in 0..20 {
        let mut order: Vec<(Kind, String)> = lines
            .iter()
            .chain(lines.iter().step_by(3))
            .cloned()
            .collect();
        shuffle(&mut order, seed + 1);
        let people = RUNTIME.block_on(async {
            let world = World::usual().await;
            world
                .hand
                .store(1_700_000_000_000 + 60 * DAY, Ordering::SeqCst);
            for batch in order.chunks(1 + (seed as usize % 13)) {
                for kind in [Kind::Contact, Kind::Customer, Kind::Charge] {
                    let lines: Vec<String> = batch
                        .iter()
                        .filter(|(one, _)| *one == kind)
                        .map(|(_, line)| line.clone())
                        .collect();
                    if !lines.is_empty() {
                        world.apply(kind.names(), &lines, &[]).await;
                    }
                }
            }
            world.people("w0").await
        });
        assert!(people.len() > 3, "the records make several people");
        match &first {
            None => first = Some(people),
            Some(first) => assert_eq!(first, &people, "order {seed} gives other profiles"),
        }
    }
}
