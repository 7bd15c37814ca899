//! The engine against an oracle that knows no store: random operations, random orders. Invariants I1, I2, I4, I5, I7.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

use crate::audience::{self, EventFact, Facts};
use crate::clock::Clock;
use crate::flow::{self, Arrived, Context, StreamRef, Suppression};
use crate::identity::{self, Evidence, Node};
use crate::manifest::{self, Plan, Stream};
use crate::model::{
    Canonical, ConsentStatus, Description, Fact, Fields, Identifier, StreamSpec, Timestamp,
};
use crate::profile::{self, Claim};
use crate::store::Store;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};

const DAY: i64 = 86_400_000;
const MANIFEST: &str = r#"
[hub]
name = "test"
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
created_at = "created"
map.email = "email | email"
map.phone = "phone"
map.user_id = "user"
map.first_name = "name"
map.world = "world"
consent.marketing_email = "consent"

[[source]]
name = "payments"
connector = "any"
[[source.stream]]
name = "customers"
to = "person"
key = "id"
updated_at = "updated"
created_at = "created"
map.email = "email | email"
map.phone = "phone"
map.last_name = "name"
map.world = "world"
[[source.stream]]
name = "charges"
to = "event"
event = "Order Completed"
key = "id"
updated_at = "updated"
created_at = "created"
map.external_id = "customer"
map.total = "total"

[[audience]]
name = "repeat"
who.all = [{ event = "Order Completed", count = { at_least = 2 }, within = "30d" }]
[[audience]]
name = "named_or_silent"
who.any = [{ trait = "first_name", is = "n1" }, { not = { event = "Order Completed" } }]
[[audience]]
name = "agreed_repeat"
who.all = [{ audience = "repeat" }, { consent = "marketing_email" }]
"#;

fn plan() -> Plan {
    let stream = |name: &str| StreamSpec {
        name: name.to_owned(),
        schema: json!({ "type": "object" }),
        primary_key: vec!["id".to_owned()],
        supports_deletes: true,
        ..StreamSpec::default()
    };
    let description = Description {
        name: "any".to_owned(),
        streams: ["contacts", "customers", "charges"].map(stream).into(),
        config_schema: json!({ "type": "object" }),
        ..Description::default()
    };
    let connectors = manifest::Connectors {
        available: vec!["any".to_owned()],
        described: BTreeMap::from([("any".to_owned(), Arc::new(description))]),
    };
    manifest::load(&[("hub.toml".to_owned(), MANIFEST.to_owned())], &connectors).unwrap()
}

/// A hub with a clock that stands still, and a way to give it records.
struct World {
    context: Context,
    hand: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!(
            "sqlite:{}",
            folder.path().join("hub.db").display()
        ))
        .await
        .unwrap();
        let suppression = Suppression::load(&store, uuid::Uuid::nil).await.unwrap();
        let hand = Arc::new(AtomicI64::new(0));
        let context = Context::new(
            Arc::new(plan()),
            store,
            Clock::standing(hand.clone()),
            suppression,
        );
        Self {
            context,
            hand,
            _folder: folder,
        }
    }

    fn stream(&self, kind: Kind) -> (&Stream, &'static str) {
        let (source, stream) = kind.names();
        let plan = self
            .context
            .plan
            .sources
            .iter()
            .find(|one| &*one.name == source)
            .unwrap();
        (
            plan.streams
                .iter()
                .find(|one| &*one.name == stream)
                .unwrap(),
            source,
        )
    }

    /// One transaction of one stream.
    async fn apply(&self, kind: Kind, upserts: &[String], deletes: &[String]) {
        let (plan, source) = self.stream(kind);
        let mut tx = self.context.store.begin().await.unwrap();
        let id = tx
            .stream(source, &plan.name, &plan.digest)
            .await
            .unwrap()
            .id;
        tx.commit().await.unwrap();
        let stream = StreamRef {
            id,
            source: source.into(),
            name: plan.name.clone(),
        };
        let lines = |rows: &[String]| {
            rows.iter()
                .map(|row| format!("{row}\n").into_bytes().into())
                .collect()
        };
        let arrived = Arrived {
            upserts: lines(upserts),
            deletes: lines(deletes),
        };
        let lines = flow::key_lines(&stream, plan, &arrived).unwrap();
        let landed = flow::land(&self.context, &stream, plan, lines)
            .await
            .unwrap();
        let mut tx = self.context.store.begin().await.unwrap();
        flow::apply(&mut tx, &self.context, &stream, landed.changes)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// Every person of one world, as text: id, traits, consents, audiences.
    async fn people(&self, world: &str) -> BTreeSet<String> {
        let mut tx = self.context.store.read().await.unwrap();
        let rows = tx
            .find_persons(&format!("\"world\":\"{world}\""), 10_000)
            .await
            .unwrap();
        let memberships = tx
            .memberships_of(rows.iter().map(|row| row.id))
            .await
            .unwrap();
        rows.iter()
            .map(|row| {
                let audiences: BTreeSet<&str> = memberships
                    .iter()
                    .filter(|member| member.person_id == row.id)
                    .map(|member| member.audience.as_str())
                    .collect();
                format!(
                    "{} {} {} {audiences:?}",
                    uuid::Uuid::from_bytes(row.uuid),
                    row.traits,
                    row.consents
                )
            })
            .collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Contact,
    Customer,
    Charge,
}

impl Kind {
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Contact => ("crm", "contacts"),
            Self::Customer => ("payments", "customers"),
            Self::Charge => ("payments", "charges"),
        }
    }
}

/// One record, with what it says chosen from few values so that records meet.
#[derive(Debug, Clone)]
struct Record {
    kind: Kind,
    key: u8,
    email: Option<u8>,
    phone: Option<u8>,
    user: Option<u8>,
    name: u8,
    created: u8,
    consent: u8,
    customer: u8,
}

impl Record {
    fn id(&self, world: &str) -> String {
        format!("{world}-{:?}-{}", self.kind, self.key)
    }

    fn line(&self, world: &str, updated: i64) -> String {
        let created = i64::from(self.created) * DAY + 1_700_000_000_000;
        let mut record =
            json!({ "id": self.id(world), "updated": updated, "created": created, "world": world });
        match self.kind {
            Kind::Charge => {
                record["customer"] = json!(format!("{world}-Customer-{}", self.customer));
                record["total"] = json!(100);
            }
            _ => {
                record["email"] = json!(self.email.map(|n| format!("W{world}x{n}@Example.com")));
                record["phone"] = json!(
                    self.phone
                        .map(|n| format!("60{n}{:0>6}", world.trim_start_matches('w')))
                );
                record["name"] = json!(format!("n{}", self.name));
                if self.kind == Kind::Contact {
                    record["user"] = json!(self.user.map(|n| format!("{world}-u{n}")));
                    record["consent"] =
                        json!(["granted", "withdrawn"].get(usize::from(self.consent)));
                }
            }
        }
        record.to_string()
    }
}

fn record() -> impl Strategy<Value = Record> {
    let kind = prop_oneof![
        Just(Kind::Contact),
        Just(Kind::Customer),
        Just(Kind::Charge)
    ];
    let rare = |most| prop_oneof![1 => Just(None), 2 => (0..most).prop_map(Some)];
    (
        kind,
        0..6u8,
        rare(4u8),
        rare(3u8),
        rare(3u8),
        0..3u8,
        0..60u8,
        0..3u8,
        0..5u8,
    )
        .prop_map(
            |(kind, key, email, phone, user, name, created, consent, customer)| Record {
                kind,
                key,
                email,
                phone,
                user,
                name,
                created,
                consent,
                customer,
            },
        )
}

#[derive(Debug, Clone)]
enum Operation {
    Put(Vec<Record>),
    Delete(Kind, u8),
    /// The clock goes on by so many days, and timers that are due are looked at.
    Wait(u8),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => prop::collection::vec(record(), 1..5).prop_map(Operation::Put),
        2 => (prop_oneof![Just(Kind::Contact), Just(Kind::Customer), Just(Kind::Charge)], 0..6u8)
            .prop_map(|(kind, key)| Operation::Delete(kind, key)),
        1 => (1..40u8).prop_map(Operation::Wait),
    ]
}

/// The batch answer: the surviving records, mapped, resolved and built at once, with no store in between.
fn oracle(
    world: &World,
    name: &str,
    records: &BTreeMap<(Kind, String), String>,
    now: Timestamp,
) -> BTreeSet<String> {
    let context = &world.context;
    let canonical: Vec<(Kind, String, Canonical)> = records
        .iter()
        .map(|((kind, id), line)| {
            let (stream, source) = world.stream(*kind);
            let value = serde_json::from_str(line).unwrap();
            (
                *kind,
                id.clone(),
                crate::canonical::map(stream, source, id, &value)
                    .canonical
                    .unwrap(),
            )
        })
        .collect();
    let mut sets: BTreeMap<BTreeSet<Identifier>, (Timestamp, String)> = BTreeMap::new();
    for (kind, id, one) in &canonical {
        let first = one.created_at.unwrap_or(Timestamp::MAX);
        let (source, stream) = kind.names();
        let message = format!("{source}/{stream}/{id}");
        let best = sets
            .entry(one.identifiers.iter().cloned().collect())
            .or_insert((first, message.clone()));
        *best = best.clone().min((first, message));
    }
    let mut nodes: Vec<Identifier> = sets.keys().flatten().cloned().collect();
    nodes.sort();
    nodes.dedup();
    let place = |identifier: &Identifier| nodes.binary_search(identifier).unwrap() as u32;
    let evidence: Vec<Evidence> = sets
        .iter()
        .map(|(set, (first_seen, message))| Evidence {
            nodes: set.iter().map(place).collect(),
            first_seen: *first_seen,
            message: message.clone(),
        })
        .collect();
    let mut graph_nodes: Vec<Node> = nodes
        .iter()
        .map(|identifier| Node {
            identifier: identifier.clone(),
            shared: false,
            blocked: false,
        })
        .collect();
    let shared = identity::shared(&graph_nodes, &evidence, &context.rules);
    for (node, shared) in graph_nodes.iter_mut().zip(shared) {
        node.shared = shared;
    }
    let graph = identity::Neighbourhood {
        nodes: graph_nodes,
        evidence,
        ..Default::default()
    };
    let resolution = identity::resolve(&graph, &context.rules);
    let order: Vec<&BTreeSet<Identifier>> = sets.keys().collect();
    let mut people = BTreeSet::new();
    for person in &resolution.people {
        let mine: Vec<&(Kind, String, Canonical)> = canonical
            .iter()
            .filter(|(_, _, one)| {
                let set: BTreeSet<Identifier> = one.identifiers.iter().cloned().collect();
                person
                    .evidence
                    .iter()
                    .any(|index| *order[*index as usize] == set)
            })
            .collect();
        let text = one_person(context, &mine, now);
        // People known by charges alone have no traits to be found by.
        if text.contains(&format!("\"world\":\"{name}\"")) {
            people.insert(format!("{} {text}", person.id));
        }
    }
    people
}

fn one_person(context: &Context, records: &[&(Kind, String, Canonical)], now: Timestamp) -> String {
    let claims: Vec<Claim> = records
        .iter()
        .filter(|(kind, ..)| *kind != Kind::Charge)
        .map(|(kind, id, one)| Claim {
            source: kind.names().0.into(),
            record: format!("{}/{id}", kind.names().1),
            time: one.updated_at.unwrap(),
            traits: one.traits.clone(),
            consents: one.consents.clone(),
        })
        .collect();
    let built = profile::build(&claims, &context.plan.survivorship);
    let traits: Fields = built
        .traits
        .into_iter()
        .map(|(name, won)| (name, won.value))
        .collect();
    let consents: BTreeMap<String, flow::ConsentEntry> = built
        .consents
        .into_iter()
        .map(|(purpose, won)| {
            let source = claims[won.claim as usize].source.to_string();
            (
                purpose,
                flow::ConsentEntry {
                    status: won.status,
                    time: won.time.0,
                    source,
                },
            )
        })
        .collect();
    let empty = Fields::new();
    let events: Vec<EventFact<'_>> = records
        .iter()
        .filter_map(|(_, _, one)| match &one.fact {
            Some(Fact::Event { name, time, .. }) => Some(EventFact {
                name,
                time: *time,
                properties: &empty,
            }),
            _ => None,
        })
        .collect();
    let mut audiences: BTreeSet<&str> = BTreeSet::new();
    for index in audience::order(&context.plan.audiences) {
        let one = &context.plan.audiences[index];
        let granted = |purpose: &str| {
            consents
                .get(purpose)
                .is_some_and(|entry| entry.status == ConsentStatus::Granted)
        };
        let within = |name: &str| audiences.contains(name).then_some(now);
        let facts = Facts {
            person: [0; 16],
            traits: &|name| traits.get(name),
            granted: &granted,
            audiences: &within,
            events: &events,
        };
        if audience::evaluate(&one.who, &facts, now).holds {
            audiences.insert(&one.name);
        }
    }
    let json = |value: &dyn erased::Json| value.text();
    format!("{} {} {audiences:?}", json(&traits), json(&consents))
}

mod erased {
    /// JSON text of what a profile is made of.
    pub trait Json {
        fn text(&self) -> String;
    }
    impl<T: serde::Serialize> Json for T {
        fn text(&self) -> String {
            serde_json::to_string(self).unwrap()
        }
    }
}

static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());
static WORLD: LazyLock<World> = LazyLock::new(|| RUNTIME.block_on(World::new()));
static WORLDS: AtomicI64 = AtomicI64::new(1);

/// `ONEFOLD_SEQUENCES` makes the run longer.
#[allow(
    clippy::disallowed_methods,
    reason = "a test is asked for more cases from outside"
)]
fn sequences() -> u32 {
    std::env::var("ONEFOLD_SEQUENCES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(2_000)
}

async fn check_sequence(world: &World, operations: &[Operation]) -> Result<(), TestCaseError> {
    let name = format!("w{}", WORLDS.fetch_add(1, Ordering::SeqCst));
    let mut now = 1_700_000_000_000 + 50 * DAY;
    let mut records: BTreeMap<(Kind, String), String> = BTreeMap::new();
    for (step, operation) in operations.iter().enumerate() {
        world.hand.store(now, Ordering::SeqCst);
        match operation {
            Operation::Put(batch) => {
                for kind in [Kind::Contact, Kind::Customer, Kind::Charge] {
                    let mut lines = Vec::new();
                    for (index, one) in batch.iter().enumerate().filter(|(_, one)| one.kind == kind)
                    {
                        // Later in the sequence is later in time, so that the last one put is the one that counts.
                        let line = one.line(&name, 1_000_000 + (step * 10 + index) as i64);
                        records.insert((kind, one.id(&name)), line.clone());
                        lines.push(line);
                    }
                    if !lines.is_empty() {
                        world.apply(kind, &lines, &[]).await;
                    }
                }
            }
            Operation::Delete(kind, key) => {
                let id = format!("{name}-{kind:?}-{key}");
                world
                    .apply(*kind, &[], &[json!({ "id": id }).to_string()])
                    .await;
                records.remove(&(*kind, id));
            }
            Operation::Wait(days) => {
                now += i64::from(*days) * DAY;
                world.hand.store(now, Ordering::SeqCst);
                flow::due(&world.context).await.unwrap();
            }
        }
        // I2: after every operation.
        prop_assert_eq!(
            world.people(&name).await,
            oracle(world, &name, &records, Timestamp(now))
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: sequences(), max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_equals_the_batch_oracle_after_every_operation(operations in prop::collection::vec(operation(), 1..8)) {
        let world = &*WORLD;
        RUNTIME.block_on(check_sequence(world, &operations))?;
    }
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
    let lines: Vec<(Kind, String)> = records
        .iter()
        .enumerate()
        .map(|(index, one)| {
            let one = Record {
                key: one.key.wrapping_mul(7) ^ (index % 40) as u8,
                ..one.clone()
            };
            (one.kind, one.line("w0", 1_000_000 + (index % 3) as i64))
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
            let world = World::new().await;
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
                        world.apply(kind, &lines, &[]).await;
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
