//! A look back equals what was shown then: random histories of puts and deletes through the engine, and each past moment
//! asked for again afterwards. I2 for times gone by.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

use super::profile_at;
use crate::clock::Clock;
use crate::flow::show::{self, Found, Wanted};
use crate::flow::{self, Arrived, Context, StreamRef, Suppression};
use crate::manifest;
use crate::model::{Description, Identifier, IdentifierKind, StreamSpec, Timestamp};
use crate::store::Store;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use uuid::Uuid;

const MANIFEST: &str = r#"
[hub]
name = "test"
store = "sqlite:unused.db"

[profile.trait.city]
with = "first_name"

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
map.user_id = "user"
map.first_name = "name"
map.city = "city"
consent.marketing_email = "consent"

[[source]]
name = "shop"
connector = "any"
# Without a time of change, the version that comes last counts.
[[source.stream]]
name = "customers"
to = "person"
key = "id"
created_at = "created"
map.email = "email | email"
map.first_name = "name"
[[source.stream]]
name = "orders"
to = "event"
event = "Order Completed"
key = "id"
created_at = "created"
map.external_id = "customer"
map.email = "email | email"
"#;

const STREAMS: [(&str, &str); 3] = [
    ("crm", "contacts"),
    ("shop", "customers"),
    ("shop", "orders"),
];
const START: i64 = 1_700_000_000_000;
const HOUR: i64 = 3_600_000;

struct World {
    context: Context,
    hand: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let spec = |name: &str| StreamSpec {
            name: name.to_owned(),
            schema: json!({ "type": "object" }),
            ..StreamSpec::default()
        };
        let description = Description {
            name: "any".to_owned(),
            streams: STREAMS.map(|(_, name)| spec(name)).into(),
            config_schema: json!({ "type": "object" }),
            ..Description::default()
        };
        let connectors = manifest::Connectors {
            available: vec!["any".to_owned()],
            described: BTreeMap::from([("any".to_owned(), Arc::new(description))]),
        };
        let files = [("hub.toml".to_owned(), MANIFEST.to_owned())];
        let plan = manifest::load(&files, &connectors).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        let store = Store::open(&format!("sqlite:{}", path.display()))
            .await
            .unwrap();
        let suppression = Suppression::load(&store, Uuid::nil).await.unwrap();
        let hand = Arc::new(AtomicI64::new(START));
        Self {
            context: Context::new(
                Arc::new(plan),
                store,
                Clock::standing(hand.clone()),
                suppression,
            ),
            hand,
            _folder: folder,
        }
    }

    /// One transaction of one stream.
    async fn apply(&self, stream: usize, upserts: &[Value], deletes: &[Value]) {
        let (source, name) = STREAMS[stream];
        let sources = &self.context.plan.sources;
        let of_source = sources.iter().find(|one| &*one.name == source).unwrap();
        let plan = of_source
            .streams
            .iter()
            .find(|one| &*one.name == name)
            .unwrap();
        let mut tx = self.context.store.begin().await.unwrap();
        let id = tx.stream(source, name, &plan.digest).await.unwrap().id;
        tx.commit().await.unwrap();
        let stream = StreamRef {
            id,
            source: source.into(),
            name: name.into(),
        };
        let lines = |rows: &[Value]| {
            let lines = rows
                .iter()
                .map(|row| format!("{row}\n").into_bytes().into());
            lines.collect()
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

    async fn now(&self, wanted: &Wanted) -> Value {
        text(show::profile(&self.context, wanted).await.unwrap())
    }

    async fn then(&self, wanted: &Wanted, at: i64) -> Value {
        text(
            profile_at(&self.context, wanted, Timestamp(at), &|_, _| {})
                .await
                .unwrap(),
        )
    }
}

/// Everything that is shown, but for what a look back leaves out.
fn text(found: Found) -> Value {
    match found {
        Found::Person(view) => {
            let mut view = serde_json::to_value(view).unwrap();
            let fields = view.as_object_mut().unwrap();
            fields.remove("audiences");
            fields.remove("at");
            view
        }
        Found::Shared => json!("shared"),
        Found::Nobody => json!("nobody"),
    }
}

/// A record with its stream; few values, so that records meet.
fn record() -> impl Strategy<Value = (usize, Value)> {
    let few = |most: u8| prop_oneof![1 => Just(None), 3 => (0..most).prop_map(Some)];
    (
        0..3usize,
        (0..5u8, 0..6u8, 0..4u8),
        (few(4), few(3), 0..4u8),
        few(3),
    )
        .prop_map(
            |(stream, (key, created, updated), (email, user, name), consent)| {
                let mut record = json!({
                    "id": format!("{stream}-{key}"),
                    "created": START + i64::from(created) * HOUR,
                    "updated": START + i64::from(updated) * HOUR,
                    "email": email.map(|n| format!("e{n}@example.com")),
                    "name": (name > 0).then(|| format!("n{name}")),
                    "user": user.map(|n| format!("u{n}")),
                    "customer": format!("1-{created}"),
                });
                if name > 1 {
                    record["city"] = json!(format!("c{key}"));
                }
                record["consent"] =
                    json!(consent.and_then(|n| ["granted", "withdrawn"].get(usize::from(n))));
                (stream, record)
            },
        )
}

#[derive(Debug, Clone)]
enum Operation {
    Put(Vec<(usize, Value)>),
    Delete(usize, u8),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let one = prop_oneof![
        4 => prop::collection::vec(record(), 1..6).prop_map(Operation::Put),
        1 => (0..3usize, 0..5u8).prop_map(|(stream, key)| Operation::Delete(stream, key)),
    ];
    prop::collection::vec(one, 2..8)
}

fn everybody() -> Vec<Wanted> {
    let identifier = |kind: &str, value: String| {
        Wanted::Identifier(Identifier {
            kind: IdentifierKind::parse(kind).unwrap(),
            value,
        })
    };
    let mut all: Vec<Wanted> = (0..4)
        .map(|n| identifier("email", format!("e{n}@example.com")))
        .collect();
    all.extend((0..3).map(|n| identifier("user_id", format!("u{n}"))));
    all.extend((0..5).map(|n| identifier("external:shop", format!("1-{n}"))));
    all
}

async fn check(operations: &[Operation]) -> Result<(), TestCaseError> {
    let world = World::new().await;
    let mut shown: Vec<(i64, Wanted, Value)> = Vec::new();
    for (step, operation) in operations.iter().enumerate() {
        let now = START + step as i64 * HOUR;
        world.hand.store(now, Ordering::SeqCst);
        match operation {
            Operation::Put(batch) => {
                for stream in 0..3 {
                    let of = batch.iter().filter(|(at, _)| *at == stream);
                    let lines: Vec<Value> = of.map(|(_, record)| record.clone()).collect();
                    if !lines.is_empty() {
                        world.apply(stream, &lines, &[]).await;
                    }
                }
            }
            Operation::Delete(stream, key) => {
                let id = json!({ "id": format!("{stream}-{key}") });
                world.apply(*stream, &[], &[id]).await;
            }
        }
        for wanted in everybody() {
            let now_shown = world.now(&wanted).await;
            // By its id a person must be found again, too.
            if let Some(id) = now_shown.get("id").and_then(Value::as_str) {
                let id = Wanted::Id(Uuid::parse_str(id).unwrap());
                shown.push((now, id, now_shown.clone()));
            }
            shown.push((now, wanted, now_shown));
        }
    }
    for (index, (at, wanted, expected)) in shown.into_iter().enumerate() {
        // Any time until the next batch is as good as that of the batch.
        let at = at + index as i64 % 2 * (HOUR - 1);
        prop_assert_eq!(
            world.then(&wanted, at).await,
            expected,
            "{:?} at {}",
            wanted,
            at
        );
    }
    prop_assert_eq!(
        world.then(&everybody()[0], START - 1).await,
        json!("nobody")
    );
    Ok(())
}

static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());

/// `ONEFOLD_SEQUENCES` makes the run longer.
#[allow(
    clippy::disallowed_methods,
    reason = "a test is asked for more cases from outside"
)]
fn sequences() -> u32 {
    let asked = std::env::var("ONEFOLD_SEQUENCES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(100)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: sequences(), max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_profile_at_each_past_moment_is_what_was_shown_at_that_moment(operations in operations()) {
        RUNTIME.block_on(check(&operations))?;
    }
}
