//! A hub whose stream got another key equals one that read everything under that key: random records in random order, keys that
//! move, swap and collide, and a remap that is stopped after any transaction. I2, I6, I9.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

use super::{rekey, remap};
use crate::flow::harness::World;
use crate::manifest::Subject;
use crate::model::Fields;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use uuid::Uuid;

const CONTACTS: (&str, &str) = ("crm", "contacts");
const COMPANIES: (&str, &str) = ("crm", "companies");
const USERS: (&str, &str) = ("app", "users");
const STREAMS: [(&str, &str); 3] = [CONTACTS, COMPANIES, USERS];

fn manifest(key: &str) -> String {
    let stream = |name: &str, to: &str, key: &str, map: &str| {
        format!(
            "[[source.stream]]\nname = \"{name}\"\nto = \"{to}\"\nkey = \"{key}\"\nupdated_at = \"updated\"\ncreated_at = \"created\"\n{map}\n"
        )
    };
    let person = "map.email = \"email\"\nmap.name = \"name\"\nmap.account_id = \"company\"";
    [
        "[hub]\nname = \"test\"\nstore = \"sqlite:unused.db\"\n[[source]]\nname = \"crm\"\nconnector = \"any\"\n",
        &stream("contacts", "person", key, person),
        &stream("companies", "account", key, "map.plan = \"name\""),
        "[[source]]\nname = \"app\"\nconnector = \"any\"\n",
        &stream("users", "person", "id", person),
        "[[audience]]\nname = \"known\"\nwho = { trait = \"name\", exists = true }\n",
    ]
    .concat()
}

/// Everything that is shown of people and accounts.
async fn shown(world: &World) -> BTreeSet<String> {
    let mut tx = world.context.store.read().await.unwrap();
    let mut all = BTreeSet::new();
    for row in tx.persons_after(0, 1_000).await.unwrap() {
        let memberships = tx.memberships_of([row.id]).await.unwrap().len();
        let relations = tx.relations_of([row.id]).await.unwrap();
        let accounts: Vec<String> = relations.into_iter().map(|row| row.account).collect();
        let id = Uuid::from_bytes(row.uuid);
        all.insert(format!(
            "{id} {} {} {memberships} {accounts:?}",
            row.traits, row.consents
        ));
    }
    for (row, people) in tx.accounts_after("", 1_000).await.unwrap() {
        all.insert(format!("account {} {} {people}", row.id, row.traits));
    }
    let size = tx.member_count(Subject::Person, "known").await.unwrap();
    all.insert(format!(
        "{size} of {} records",
        tx.status_counts().await.unwrap().records
    ));
    all
}

async fn ids(world: &World) -> BTreeSet<Uuid> {
    let mut tx = world.context.store.read().await.unwrap();
    let rows = tx.persons_after(0, 1_000).await.unwrap();
    rows.into_iter()
        .map(|row| Uuid::from_bytes(row.uuid))
        .collect()
}

async fn letters(world: &World) -> usize {
    let mut tx = world.context.store.read().await.unwrap();
    let letters = tx.dead_letters(false, 1_000).await.unwrap();
    letters.iter().filter(|one| one.code == "OF0511").count()
}

/// A record of a stream: the stream's index, id, number, e-mail address, and when it was changed.
type Row = (u8, u8, u8, u8, Option<u8>);

fn line((stream, id, number, email, updated): Row) -> ((&'static str, &'static str), Value) {
    let of = STREAMS[usize::from(stream)];
    let line = json!({
        "id": format!("k{id}"), "number": format!("n{number}"), "email": format!("e{email}@example.com"), "name": format!("N{email}"),
        "company": format!("{}", number % 2), "created": 1_000_000_000_000_i64 + i64::from(id),
        "updated": updated.map(|updated| 1_100_000_000_000_i64 + i64::from(updated)),
    });
    (of, line)
}

static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());

async fn check(rows: Vec<Row>, later: Vec<Row>) -> Result<(), TestCaseError> {
    let mut world = World::new(&manifest("id"), &STREAMS, 1_000).await;
    for row in &rows {
        let (of, line) = line(*row);
        world.apply(of, &[line], &[]).await;
    }
    let before = ids(&world).await;
    world.reread(&manifest("number"), &STREAMS).await;
    for source in &world.context.plan.sources {
        remap(&world.context, source).await.unwrap();
    }
    for row in &later {
        let (of, line) = line(*row);
        world.apply(of, &[line], &[]).await;
    }
    // What the old key left: the last version of each record, in the order of arrival.
    let mut last: BTreeMap<(u8, u8), (usize, Row, Option<u8>)> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        let known = last.get(&(row.0, row.1)).copied();
        if known.is_none_or(|(_, known, changed)| counts(*row, known, changed)) {
            // One that says no time of its own was not changed before what was known.
            let changed = row.4.or(known.and_then(|(.., changed)| changed));
            last.insert((row.0, row.1), (index, *row, changed));
        }
    }
    let mut left: Vec<(usize, Row, Option<u8>)> = last.into_values().collect();
    left.sort_unstable();
    let left = left.into_iter();
    let left = left.map(|(_, row, changed)| (row.0, row.1, row.2, row.3, changed));
    let fresh = World::new(&manifest("number"), &STREAMS, 1_000).await;
    for row in left.chain(later) {
        let (of, line) = line(row);
        fresh.apply(of, &[line], &[]).await;
    }
    prop_assert_eq!(shown(&world).await, shown(&fresh).await);
    for id in before {
        let mut tx = world.context.store.read().await.unwrap();
        let found = tx.alias(id.as_bytes()).await.unwrap();
        prop_assert!(found.is_some(), "{id} does not resolve");
    }
    Ok(())
}

/// Whether a version replaces the known one, whose record changed at `changed`.
fn counts(row: Row, known: Row, changed: Option<u8>) -> bool {
    use crate::landing::{Arrival, Version, decide, hash};
    let version = |row: Row, updated: Option<u8>| Version {
        hash: hash(line(row).1.to_string().as_bytes()),
        updated_at: updated.map(i64::from),
    };
    matches!(
        decide(Some(version(known, changed)), version(row, row.4)),
        Arrival::Added | Arrival::Changed
    )
}

fn row() -> impl Strategy<Value = Row> {
    (
        0..3_u8,
        0..6_u8,
        0..6_u8,
        0..4_u8,
        prop::option::of(0..4_u8),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_new_key_ends_where_reading_under_it_would(
        rows in prop::collection::vec(row(), 1..16),
        later in prop::collection::vec(row(), 0..4),
    ) {
        RUNTIME.block_on(check(rows, later))?;
    }
}

fn contact(id: u8, number: u8, email: u8) -> Value {
    line((0, id, number, email, None)).1
}

#[tokio::test]
async fn keys_that_are_swapped_leave_two_records_and_one_generation() {
    let mut world = World::new(&manifest("id"), &STREAMS, 1_000).await;
    let rows = [contact(1, 2, 1), contact(2, 1, 2)];
    world.apply(CONTACTS, &rows, &[]).await;
    world.reread(&manifest("number"), &STREAMS).await;
    let source = &world.context.plan.sources[0];
    assert_eq!(remap(&world.context, source).await.unwrap(), 2);
    assert_eq!(remap(&world.context, source).await.unwrap(), 0);
    assert_eq!(letters(&world).await, 0);
    let mut tx = world.context.store.read().await.unwrap();
    let generations = tx.stream_generations().await.unwrap();
    let shown = generations.iter().filter(|row| row.name == "contacts");
    let shown: Vec<(i64, &str)> = shown.map(|row| (row.generation, &*row.digest)).collect();
    let digest = &world.stream(CONTACTS).digest;
    assert_eq!(shown, [(0, "emptied"), (1, &**digest)]);
    let last = tx.streams().await.unwrap();
    let last = last.iter().find(|row| row.name == "contacts").unwrap();
    let heads = tx.record_heads(last.id, -1, 10).await.unwrap();
    let keys: Vec<&str> = heads.iter().map(|row| &*row.key).collect();
    let mut keys = keys;
    keys.sort_unstable();
    assert_eq!(keys, ["n1", "n2"]);
    drop(tx);
    // It is read again unchanged, and nothing is new about it.
    let before = shown_and_read(&world, &rows).await;
    assert_eq!(before.0, before.1);
}

async fn shown_and_read(world: &World, rows: &[Value]) -> (BTreeSet<String>, BTreeSet<String>) {
    let before = shown(world).await;
    world.apply(CONTACTS, rows, &[]).await;
    (before, shown(world).await)
}

#[tokio::test]
async fn two_records_with_one_new_key_are_one_and_that_is_reported() {
    let mut world = World::new(&manifest("id"), &STREAMS, 1_000).await;
    for row in [contact(1, 7, 1), contact(2, 7, 2), contact(3, 8, 3)] {
        world.apply(CONTACTS, &[row], &[]).await;
    }
    world.reread(&manifest("number"), &STREAMS).await;
    let source = &world.context.plan.sources[0];
    assert_eq!(remap(&world.context, source).await.unwrap(), 3);
    assert_eq!(letters(&world).await, 1);
    let all = shown(&world).await;
    let is_there = |text: &str| all.iter().any(|one| one.contains(text));
    assert!(
        is_there("N2") && is_there("N3") && !is_there("N1"),
        "{all:?}"
    );
    // The next version of the record settles it.
    world.apply(CONTACTS, &[contact(2, 7, 4)], &[]).await;
    assert_eq!(letters(&world).await, 0);
}

#[tokio::test]
async fn a_move_that_was_stopped_is_finished_by_the_next_run() {
    let mut world = World::new(&manifest("id"), &STREAMS, 1_000).await;
    world.apply(CONTACTS, &[contact(1, 2, 1)], &[]).await;
    world.reread(&manifest("number"), &STREAMS).await;
    // Killed after the next generation was made, and before anything moved.
    let plan = world.stream(CONTACTS);
    let mut tx = world.context.store.begin().await.unwrap();
    let row = tx.stream("crm", "contacts", "").await.unwrap();
    tx.next_generation(&row, &plan.digest).await.unwrap();
    tx.commit().await.unwrap();
    let source = &world.context.plan.sources[0];
    assert_eq!(remap(&world.context, source).await.unwrap(), 1);
    // Killed after everything moved, and before that was noted.
    let mut tx = world.context.store.begin().await.unwrap();
    tx.set_stream_digest(row.id, &row.digest).await.unwrap();
    let last = tx.stream("crm", "contacts", "").await.unwrap();
    tx.commit().await.unwrap();
    let to = crate::flow::StreamRef::from(&last);
    assert_eq!(
        rekey::rekey(&world.context, &row, &to, plan).await.unwrap(),
        0
    );
    let all = shown(&world).await;
    assert!(all.contains("1 of 1 records"), "{all:?}");
}

#[tokio::test]
async fn people_keep_their_ids_where_other_evidence_gives_them_and_old_ids_resolve() {
    let mut world = World::new(&manifest("id"), &STREAMS, 1_000).await;
    // The first is older at the app, the second is known from the contact alone.
    world.apply(USERS, &[line((2, 0, 0, 1, None)).1], &[]).await;
    world
        .apply(CONTACTS, &[contact(3, 8, 1), contact(4, 9, 2)], &[])
        .await;
    let before = ids(&world).await;
    world.reread(&manifest("number"), &STREAMS).await;
    let source = &world.context.plan.sources[0];
    assert_eq!(remap(&world.context, source).await.unwrap(), 2);
    let after = ids(&world).await;
    assert_eq!(
        (
            before.len(),
            after.len(),
            before.intersection(&after).count()
        ),
        (2, 2, 1)
    );
    let mut tx = world.context.store.read().await.unwrap();
    let mut people = BTreeSet::<i64>::new();
    for id in before {
        people.extend(tx.alias(id.as_bytes()).await.unwrap());
    }
    assert_eq!(people.len(), 2);
    let traits: Vec<Fields> = (tx.persons(people).await.unwrap().iter())
        .map(|row| crate::flow::traits_of(row).unwrap())
        .collect();
    assert!(traits.iter().any(|one| one["name"] == "N2"), "{traits:?}");
}
