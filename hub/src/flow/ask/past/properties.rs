//! A look back equals what was shown then, computed traits and all: random histories of puts, deletes and statements through
//! the engine, and each past moment asked for again afterwards. I2 for times gone by.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

use super::profile_at;
use crate::flow::ask::profile::{self, Found, Wanted};
use crate::flow::harness::World;
use crate::flow::{self, Stating};
use crate::identity::StatementKind;
use crate::model::{Identifier, IdentifierKind, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;
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
map.account_id = "city"
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
map.account_id = "customer"
map.total = "total"
[[source.stream]]
name = "companies"
to = "account"
key = "id"
map.plan = "name"

[[trait]]
name = "orders_2h"
count = { event = "Order Completed", within = "2h" }
[[trait]]
name = "spent"
sum = { event = "Order Completed", of = "total" }
[[trait]]
name = "known_as"
derive = "first_name ~ '!'"
[[trait]]
name = "tier"
prefix = { of = "account.plan", length = 2 }
[[trait]]
name = "stage"
stages = [
  { name = "active", who = { event = "Order Completed", within = "3h" } },
  { name = "agrees", who = { consent = "marketing_email" } },
  { name = "other" },
]
"#;

const STREAMS: [(&str, &str); 4] = [
    ("crm", "contacts"),
    ("shop", "customers"),
    ("shop", "orders"),
    ("shop", "companies"),
];
const START: i64 = 1_700_000_000_000;
const HOUR: i64 = 3_600_000;

async fn now(world: &World, wanted: &Wanted) -> Value {
    text(profile::profile(&world.context, wanted).await.unwrap())
}

async fn then(world: &World, wanted: &Wanted, at: i64) -> Value {
    let found = profile_at(&world.context, wanted, Timestamp(at), &|_, _| {});
    text(found.await.unwrap())
}

/// Everything that is shown, but for what a look back leaves out.
fn text(found: Found) -> Value {
    match found {
        Found::Person(view) => {
            let mut view = serde_json::to_value(view).unwrap();
            let fields = view.as_object_mut().unwrap();
            fields.remove("audiences");
            fields.remove("at");
            fields.remove("consent_why");
            // A look back reads one version of each record: that the same was said before, it does not know.
            for consent in fields["consents"].as_object_mut().unwrap().values_mut() {
                consent["time"].take();
                for one in consent["addresses"].as_object_mut().into_iter().flatten() {
                    one.1["time"].take();
                }
            }
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
        0..4usize,
        (0..5u8, 0..6u8, 0..4u8),
        (few(4), few(3), 0..4u8),
        few(3),
    )
        .prop_map(
            |(stream, (key, created, updated), (email, user, name), consent)| {
                let mut record = json!({
                    // Companies are the accounts that contacts and orders name.
                    "id": match stream { 3 => ["c1", "c2", "1-1", "1-2", "1-3"][usize::from(key)].to_owned(), _ => format!("{stream}-{key}") },
                    "total": u32::from(created) * 7,
                    "created": START + i64::from(created) * HOUR,
                    "updated": (updated > 0).then(|| START + i64::from(updated) * HOUR),
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
    /// Whether they are one person, and the indexes of two identifiers.
    State(bool, usize, usize),
    /// The statement with this index, if there are that many.
    Revoke(i64),
}

/// Once a record says something else, the past does not know what a version said of consent that its own batch replaced: such versions say
/// nothing here.
fn put(mut batch: Vec<(usize, Value)>) -> Operation {
    let mut later = HashSet::new();
    for (_, record) in batch.iter_mut().rev() {
        if !later.insert(record["id"].clone()) {
            record["consent"] = Value::Null;
        }
    }
    Operation::Put(batch)
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let one = prop_oneof![
        4 => prop::collection::vec(record(), 1..6).prop_map(put),
        1 => (0..3usize, 0..5u8).prop_map(|(stream, key)| Operation::Delete(stream, key)),
        1 => (any::<bool>(), 0..12usize, 0..12usize).prop_map(|(one, a, b)| Operation::State(one, a, b)),
        1 => (1..3i64).prop_map(Operation::Revoke),
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

/// States something about two identifiers; a refusal is ignored.
async fn state(world: &World, is_one: bool, left: usize, right: usize) {
    let end = |index: usize| match &everybody()[index] {
        Wanted::Identifier(identifier) => identifier.clone(),
        Wanted::Id(_) => unreachable!(),
    };
    let stating = Stating {
        kind: match is_one {
            true => StatementKind::MustLink,
            false => StatementKind::MustNotLink,
        },
        left: end(left),
        right: end(right),
        reason: "seen".to_owned(),
        author: "ola".to_owned(),
    };
    let _ = flow::state(&world.context, &[stating]).await;
}

async fn check(operations: &[Operation]) -> Result<(), TestCaseError> {
    let world = World::new(MANIFEST, &STREAMS, START).await;
    let mut shown: Vec<(i64, Wanted, Value)> = Vec::new();
    for (step, operation) in operations.iter().enumerate() {
        let time = START + step as i64 * HOUR;
        world.hand.store(time, Ordering::SeqCst);
        match operation {
            Operation::Put(batch) => {
                for (stream, name) in STREAMS.iter().enumerate() {
                    let of = batch.iter().filter(|(at, _)| *at == stream);
                    let lines: Vec<Value> = of.map(|(_, record)| record.clone()).collect();
                    if !lines.is_empty() {
                        world.apply(*name, &lines, &[]).await;
                    }
                }
            }
            Operation::Delete(stream, key) => {
                let id = json!({ "id": format!("{stream}-{key}") });
                world.apply(STREAMS[*stream], &[], &[id]).await;
            }
            Operation::State(is_one, left, right) => state(&world, *is_one, *left, *right).await,
            Operation::Revoke(id) => {
                flow::revoke(&world.context, |row| row.id == *id, "ola", "wrong")
                    .await
                    .unwrap();
            }
        }
        flow::due(&world.context).await.unwrap();
        for wanted in everybody() {
            let now_shown = now(&world, &wanted).await;
            // A person must be found by its id, too.
            if let Some(id) = now_shown.get("id").and_then(Value::as_str) {
                let id = Wanted::Id(Uuid::parse_str(id).unwrap());
                shown.push((time, id, now_shown.clone()));
            }
            shown.push((time, wanted, now_shown));
        }
    }
    for (index, (at, wanted, expected)) in shown.into_iter().enumerate() {
        // Any time until the next batch gives the same answer as the time of the batch.
        let at = at + index as i64 % 2 * (HOUR - 1);
        prop_assert_eq!(
            then(&world, &wanted, at).await,
            expected,
            "{:?} at {}",
            wanted,
            at
        );
    }
    prop_assert_eq!(
        then(&world, &everybody()[0], START - 1).await,
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
    asked.and_then(|text| text.parse().ok()).unwrap_or(500)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: sequences(), max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_profile_at_each_past_moment_is_what_was_shown_at_that_moment(operations in operations()) {
        RUNTIME.block_on(check(&operations))?;
    }
}

#[tokio::test]
async fn a_look_back_honours_the_statements_that_stood_then() {
    let world = World::new(MANIFEST, &STREAMS, START).await;
    let contact = |n: u8| json!({ "id": format!("0-{n}"), "email": format!("e{n}@example.com"), "name": format!("n{n}") });
    world
        .apply(STREAMS[0], &[contact(0), contact(1)], &[])
        .await;
    let step = |hours: i64| world.hand.store(START + hours * HOUR, Ordering::SeqCst);
    step(1);
    state(&world, true, 0, 1).await;
    step(2);
    let taken = flow::revoke(&world.context, |row| row.id == 1, "ola", "two people").await;
    assert_eq!(taken.unwrap(), 1);
    step(3);
    state(&world, false, 0, 1).await;
    let shown = async |hours: i64| {
        let ids = everybody();
        let (a, b) = (&ids[0], &ids[1]);
        let at = START + hours * HOUR;
        let (a, b) = (then(&world, a, at).await, then(&world, b, at).await);
        assert!(a["id"].is_string() && b["id"].is_string());
        a["id"] == b["id"]
    };
    assert_eq!(
        [
            shown(0).await,
            shown(1).await,
            shown(2).await,
            shown(3).await
        ],
        [false, true, false, false]
    );
}

/// A contact of `e0@example.com`, by its number, what it says of consent, and its user.
fn subscriber(key: u8, consent: Option<&str>, user: Option<&str>) -> (usize, Value) {
    let stream = usize::from(key > 3);
    let record = json!({ "id": format!("{stream}-{key}"), "updated": START, "email": "e0@example.com", "user": user, "consent": consent });
    (stream, record)
}

// I14: a refusal holds while its record is silent, also one that its own batch replaced, and at an address that became shared.
#[tokio::test]
async fn a_look_back_knows_a_refusal_of_which_its_record_says_no_more() {
    let refused = || subscriber(0, Some("withdrawn"), None);
    let silent = || subscriber(0, None, Some("u0"));
    let put = Operation::Put;
    let others = || put((4..7).map(|key| subscriber(key, None, None)).collect());
    let agreed = || put(vec![subscriber(0, Some("granted"), None)]);
    check(&[put(vec![refused(), silent()]), others()])
        .await
        .unwrap();
    check(&[
        put(vec![refused()]),
        put(vec![silent()]),
        others(),
        agreed(),
    ])
    .await
    .unwrap();
}
