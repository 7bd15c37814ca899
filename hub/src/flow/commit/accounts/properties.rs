//! Accounts after every change equal accounts built from all that is left: the values, whose people, and what conditions on
//! people say (I1, I2, I5, I7).
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

use crate::flow::ask::preview::holding;
use crate::flow::commit::views::views;
use crate::flow::harness::World;
use crate::model::{Fields, Timestamp};
use crate::profile::{self, Claim, account_traits, accounts_of};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

const MANIFEST: &str = r#"
[hub]
name = "test"
store = "sqlite:unused.db"

[profile.trait.account_id]
rule = "union"
[profile.trait."account.plan"]
rule = "source_priority"
sources = ["billing"]

[[source]]
name = "crm"
connector = "any"
[[source.stream]]
name = "contacts"
to = "person"
key = "id"
map.email = "email | email"
map.account_id = "account"
[[source.stream]]
name = "companies"
to = "account"
key = "id"
map.name = "name"
map.plan = "plan"

[[source]]
name = "billing"
connector = "any"
[[source.stream]]
name = "customers"
to = "account"
key = "id"
map.id = "account"
map.plan = "plan"
[[source.stream]]
name = "orders"
to = "event"
event = "Order Completed"
key = "id"
created_at = "created"
map.email = "email | email"
map.account_id = "account"

[[audience]]
name = "pro"
who.all = [{ trait = "account.plan", is = "pro" }]
[[audience]]
name = "unknown_plan"
who.all = [{ not = { trait = "account.plan", exists = true } }]
"#;

const STREAMS: [(&str, &str); 4] = [
    ("crm", "contacts"),
    ("crm", "companies"),
    ("billing", "customers"),
    ("billing", "orders"),
];

/// The present records, by stream and key.
type Records = BTreeMap<(usize, String), Value>;

fn record() -> impl Strategy<Value = (usize, Value)> {
    let few = |most: u8| prop_oneof![1 => Just(None), 3 => (0..most).prop_map(Some)];
    (0..4usize, 0..4u8, 0..3u8, (few(3), few(3)), few(2)).prop_map(
        |(stream, key, email, (first, second), plan)| {
            let id = |n: u8| format!("a{n}");
            // The CRM's companies are named by their keys.
            let key = match stream {
                1 => id(key),
                _ => format!("{stream}-{key}"),
            };
            let account = match (first, second) {
                (Some(one), Some(other)) if stream == 0 => json!([id(one), id(other)]),
                (one, _) => json!(one.map(id)),
            };
            let record = json!({
                "id": key,
                "email": format!("e{email}@example.com"),
                "account": account,
                "name": format!("{}", email),
                "plan": plan.map(|n| ["pro", "free"][usize::from(n)]),
                "created": 1_700_000_000_000_i64,
            });
            (stream, record)
        },
    )
}

#[derive(Debug, Clone)]
enum Operation {
    Put(Vec<(usize, Value)>),
    /// The record with this index among the present ones.
    Delete(usize),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let one = prop_oneof![
        3 => prop::collection::vec(record(), 1..5).prop_map(Operation::Put),
        1 => (0..20usize).prop_map(Operation::Delete),
    ];
    prop::collection::vec(one, 1..9)
}

/// The winning values of every account, from all records at once.
fn accounts(world: &World, records: &Records) -> BTreeMap<String, Fields> {
    let mut claims: BTreeMap<String, Vec<Claim>> = BTreeMap::new();
    for ((stream, key), record) in records {
        let field = |name: &str| (name.to_owned(), record[name].clone());
        let (account, traits) = match stream {
            1 => (key.clone(), Fields::from([field("name"), field("plan")])),
            2 => {
                let id = ("id".to_owned(), record["account"].clone());
                let account = record["account"].as_str().unwrap_or(key);
                (account.to_owned(), Fields::from([id, field("plan")]))
            }
            _ => continue,
        };
        claims.entry(account).or_default().push(Claim {
            source: STREAMS[*stream].0.into(),
            record: format!("{}/{key}", STREAMS[*stream].1),
            time: Timestamp::default(),
            traits,
            since: BTreeMap::new(),
            is_aside: false,
        });
    }
    let rules = world.context.plan.survivorship.of_accounts();
    claims
        .into_iter()
        .map(|(id, claims)| {
            let built = profile::build(&claims, &rules).traits.into_iter();
            (id, built.map(|(name, won)| (name, won.value)).collect())
        })
        .collect()
}

async fn compare(world: &World, records: &Records) -> Result<(), TestCaseError> {
    let expected = accounts(world, records);
    let mut tx = world.context.store.read().await.unwrap();
    let stored = tx
        .accounts(&expected.keys().cloned().collect::<Vec<_>>())
        .await
        .unwrap();
    let stored: BTreeMap<String, Fields> = stored
        .into_iter()
        .map(|row| (row.id, serde_json::from_str(&row.traits).unwrap()))
        .collect();
    prop_assert_eq!(&stored, &expected);

    let rows = tx.persons_after(0, 1_000).await.unwrap();
    let emails: BTreeSet<&str> = records
        .iter()
        .filter(|((stream, _), _)| matches!(stream, 0 | 3))
        .map(|(_, record)| record["email"].as_str().unwrap())
        .collect();
    prop_assert!(rows.len() >= emails.len());
    let views = views(&mut tx, &world.context, rows).await.unwrap();
    let mut listed: BTreeSet<String> = expected.keys().cloned().collect();
    let mut members: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    for view in &views {
        let events = tx.events_of(view.evidence.iter().copied()).await.unwrap();
        let named = events.iter().filter_map(|event| {
            let properties: Value = serde_json::from_str(&event.properties).unwrap();
            properties["account_id"].as_str().map(str::to_owned)
        });
        let own = accounts_of(&view.traits, named);
        let related = tx.relations_of([view.id]).await.unwrap();
        let related: Vec<String> = related.into_iter().map(|row| row.account).collect();
        prop_assert_eq!(&related, &own);
        let read = account_traits(&own, &expected);
        for (name, value) in &read {
            prop_assert_eq!(view.traits.get(name), Some(value));
        }
        match read.get("account.plan") {
            Some(plan) if plan == "pro" => members.entry("pro").or_default().insert(view.id),
            Some(_) => true,
            None => members.entry("unknown_plan").or_default().insert(view.id),
        };
        listed.extend(own);
    }
    let all = tx.accounts_after("", 1_000).await.unwrap();
    let ids: BTreeSet<String> = all.into_iter().map(|(row, _)| row.id).collect();
    prop_assert_eq!(ids, listed);
    for audience in &world.context.plan.audiences {
        let wanted = members.remove(&*audience.name).unwrap_or_default();
        let is = tx.members(&audience.name).await.unwrap();
        let is: BTreeSet<i64> = is.into_iter().map(|row| row.person_id).collect();
        prop_assert_eq!(&is, &wanted, "{}", audience.name);
        // The second evaluator agrees.
        let now = world.context.clock.now();
        let previewed = holding(&mut tx, &audience.who, now).await.unwrap();
        prop_assert_eq!(previewed.into_iter().collect::<BTreeSet<_>>(), wanted);
    }
    Ok(())
}

async fn check(operations: &[Operation]) -> Result<(), TestCaseError> {
    let world = World::new(MANIFEST, &STREAMS, 1_700_000_000_000).await;
    let mut records = Records::new();
    for operation in operations {
        match operation {
            Operation::Put(batch) => {
                for (at, stream) in STREAMS.iter().enumerate() {
                    let of = batch.iter().filter(|(stream, _)| *stream == at);
                    let lines: Vec<Value> = of.map(|(_, record)| record.clone()).collect();
                    for line in &lines {
                        let key = line["id"].as_str().unwrap().to_owned();
                        records.insert((at, key), line.clone());
                    }
                    if !lines.is_empty() {
                        world.apply(*stream, &lines, &[]).await;
                    }
                }
            }
            Operation::Delete(index) => {
                let found = records.keys().nth(index % records.len().max(1)).cloned();
                if let Some((at, key)) = found {
                    world.apply(STREAMS[at], &[], &[json!({ "id": key })]).await;
                    records.remove(&(at, key));
                }
            }
        }
        compare(&world, &records).await?;
    }
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
    fn accounts_and_their_people_equal_the_batch_answer_after_every_operation(operations in operations()) {
        RUNTIME.block_on(check(&operations))?;
    }
}
