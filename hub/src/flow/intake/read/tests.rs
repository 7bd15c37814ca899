//! Reads against a connector that answers by a script: what is stored in the end.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

pub(in crate::flow) mod script;

use super::pages::{Message, gather};
use crate::flow::harness::World;
use crate::flow::{Counts, ReadOptions, StreamReport, What, read_stream};
use script::{Script, page};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const MANIFEST: &str = r#"
[hub]
name = "read"
store = "sqlite:unused.db"

[[source]]
name = "crm"
connector = "any"
[[source.stream]]
name = "contacts"
to = "person"
key = "id"
updated_at = "updated"
map.email = "email"
map.first_name = "name"
"#;

async fn world() -> World {
    World::new(MANIFEST, &[("crm", "contacts")], 1_700_000_000_000).await
}

fn options(full: bool) -> ReadOptions {
    ReadOptions {
        what: What::Vendor,
        full,
        progress: Arc::new(|_| {}),
    }
}

async fn read(world: &World, script: &Script, full: bool) -> StreamReport {
    let source = &world.context.plan.sources[0];
    let (plan, options) = (&source.streams[0], options(full));
    let connector = Box::new(script.clone());
    let read = read_stream(&world.context, source, plan, connector, &options);
    read.await.unwrap().0
}

fn record(id: &str, updated: i64, name: &str) -> String {
    format!(r#"{{"id":"{id}","email":"p{id}@x.example","updated":{updated},"name":"{name}"}}"#)
}

/// The first name of each person with an address.
async fn names(world: &World) -> BTreeMap<String, String> {
    let mut tx = world.context.store.read().await.unwrap();
    let people = tx.find_persons("", 100_000).await.unwrap();
    let named = people.into_iter().filter_map(|row| {
        let traits: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&row.traits).unwrap();
        let text = |name: &str| Some(traits.get(name)?.as_str()?.to_owned());
        Some((text("email")?, text("first_name").unwrap()))
    });
    named.collect()
}

fn expected<const N: usize>(rows: [(&str, &str); N]) -> BTreeMap<String, String> {
    let rows = rows.map(|(id, name)| (format!("p{id}@x.example"), name.to_owned()));
    rows.into()
}

// B1
#[tokio::test(flavor = "multi_thread")]
async fn a_full_read_keeps_what_came_with_the_same_time_or_an_older_one() {
    let world = world().await;
    let lines = |time: i64, name: &str| -> Vec<String> {
        let ids = 0..40;
        ids.map(|id| record(&id.to_string(), time, name)).collect()
    };
    read(
        &world,
        &Script::of([page(&lines(1_000, "old"), &[])]),
        false,
    )
    .await;
    let again = read(&world, &Script::of([page(&lines(1_000, "new"), &[])]), true).await;
    assert_eq!((again.counts.changed, again.counts.deleted), (40, 0));
    let older = read(
        &world,
        &Script::of([page(&lines(900, "restored"), &[])]),
        true,
    )
    .await;
    assert_eq!((older.counts.changed, older.counts.deleted), (40, 0));
    let names = names(&world).await;
    assert_eq!(names.len(), 40);
    assert!(names.values().all(|name| name == "restored"), "{names:?}");
}

// B2
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_later_with_the_same_time_is_what_the_vendor_says_now() {
    let world = world().await;
    let lines = |name: &str| -> Vec<String> {
        let ids = 0..40;
        ids.map(|id| record(&id.to_string(), 1_000, name)).collect()
    };
    read(&world, &Script::of([page(&lines("old"), &[])]), false).await;
    let script = Script::of([page(&[], &[]), page(&lines("new"), &[])]);
    read(&world, &script, false).await;
    assert!(names(&world).await.values().all(|name| name == "new"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_version_is_kept_without_effect_and_counted_as_unchanged() {
    let world = world().await;
    let new = page(&[record("1", 2_000, "new")], &[]);
    let old = page(&[record("1", 1_000, "old")], &[]);
    // Pages overlap: what came in this read already is counted once.
    let report = read(&world, &Script::of([new.clone(), old.clone(), new]), false).await;
    let of = |counts: Counts| (counts.read, counts.added, counts.changed, counts.unchanged);
    assert_eq!(of(report.counts), (1, 1, 0, 0));
    let read_before = [(); 3].map(|()| page(&[], &[]));
    let later = read_before.into_iter().chain([old.clone(), old]);
    let report = read(&world, &Script::of(later), false).await;
    assert_eq!(of(report.counts), (2, 0, 0, 2));
    assert_eq!(names(&world).await, expected([("1", "new")]));
}

// B3
#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_and_made_again_in_one_read_is_there_with_its_new_body() {
    let world = world().await;
    let pages = [
        page(
            &[record("1", 1_000, "first"), record("2", 1_000, "other")],
            &[],
        ),
        page(&[], &["1"]),
        page(&[record("1", 3_000, "again")], &["2"]),
    ];
    let report = read(&world, &Script::of(pages), false).await;
    assert_eq!(report.problem, None);
    assert_eq!(names(&world).await, expected([("1", "again")]));
    // In a later read, the same happens to what is stored.
    let pages = [
        page(&[record("2", 4_000, "other again")], &["1"]),
        page(&[record("1", 5_000, "third")], &[]),
        page(&[], &["2"]),
    ];
    read(&world, &Script::of(pages), true).await;
    assert_eq!(names(&world).await, expected([("1", "third")]));
}

// B14
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_another_one_displaced_may_change_twice_in_one_read() {
    let world = world().await;
    let first = [record("7", 1_000, "seven")];
    read(&world, &Script::of([page(&first, &[])]), false).await;
    // Batches are gathered until the first one is large enough, so that the second is landed while it is written.
    let mut many: Vec<String> = (100..700)
        .map(|id| record(&id.to_string(), 1_000, "x"))
        .collect();
    many.push(record("07", 1_000, "oh seven"));
    let pages = [
        page(&first, &[]),
        page(&many, &[]),
        page(&[record("07", 2_000, "oh seven, again")], &[]),
    ];
    let report = read(&world, &Script::of(pages), true).await;
    assert_eq!(report.problem, None);
    let names = names(&world).await;
    assert_eq!(names["p07@x.example"], "oh seven, again");
    assert_eq!(names["p7@x.example"], "seven");
}

// B23
#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_before_a_cursor_expired_is_found_by_reading_everything() {
    let world = world().await;
    let people = [record("1", 1_000, "one"), record("2", 1_000, "two")];
    read(&world, &Script::of([page(&people, &[])]), false).await;
    // The second was deleted meanwhile, and nothing reports it.
    let script = Script::of([page(&people[..1], &[])]).with_expired("1");
    let report = read(&world, &script, false).await;
    assert_eq!(report.problem, None);
    assert_eq!(report.counts.deleted, 1);
    assert_eq!(names(&world).await, expected([("1", "one")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_read_that_was_interrupted_goes_on_and_deletes_in_the_end() {
    let world = world().await;
    let all: Vec<String> = (0..2_000)
        .map(|id| record(&id.to_string(), 1_000, "x"))
        .collect();
    read(&world, &Script::of([page(&all, &[])]), false).await;
    // Every second one is gone; the read breaks off after its second page.
    let left: Vec<String> = all.iter().step_by(2).cloned().collect();
    let pages: Vec<_> = left.chunks(300).map(|lines| page(lines, &[])).collect();
    let broken = read(&world, &Script::of(pages.clone()).failing_at("2"), true).await;
    assert!(broken.problem.is_some());
    assert_eq!(broken.counts.deleted, 0);
    assert_eq!(names(&world).await.len(), 2_000);
    let script = Script::of(pages);
    let rest = read(&world, &script, false).await;
    assert_eq!(rest.problem, None);
    assert_eq!((rest.counts.read, rest.counts.deleted), (400, 1_000));
    assert_eq!(script.asked(), ["2", "3"], "it goes on where it stopped");
    assert_eq!(names(&world).await.len(), 1_000);
    // The next read is an ordinary one.
    let next = read(&world, &Script::of([]), false).await;
    assert_eq!((next.counts.deleted, next.problem), (0, None));
}

// B25
#[tokio::test(flavor = "multi_thread")]
async fn cursors_that_go_round_in_a_circle_end_the_read() {
    let world = world().await;
    let one = page(&[record("1", 1_000, "one")], &[]);
    for (leads, said) in [
        (vec!["a", "b", "a"], "the same as 2 batches ago"),
        (vec!["a", "a"], "did not change between two batches"),
    ] {
        let script = Script::of([]).going_round(&leads, one.clone());
        let reading = read(&world, &script, true);
        let report = tokio::time::timeout(Duration::from_secs(20), reading).await;
        let problem = report.expect("the read ends").problem.unwrap();
        assert_eq!(problem.code.id, "OF0307");
        assert!(problem.message.contains(said), "{}", problem.message);
        assert_eq!(names(&world).await, expected([("1", "one")]));
    }
}

// B15
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cancelled_does_not_wait_for_the_vendor() {
    let world = world().await;
    let source = &world.context.plan.sources[0];
    let script = Script::of([]).asking_to_wait(57_000);
    let options = options(false);
    let connector = Box::new(script.clone());
    let reading = read_stream(
        &world.context,
        source,
        &source.streams[0],
        connector,
        &options,
    );
    let cancelling = async {
        while script.asked().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.context.cancel.cancel();
        Instant::now()
    };
    let (read, cancelled) = tokio::join!(reading, cancelling);
    read.unwrap();
    assert!(cancelled.elapsed() < Duration::from_secs(2));
}

// B13
#[tokio::test(flavor = "multi_thread")]
async fn two_reads_of_one_stream_at_once_store_each_record_once_and_both_come_to_an_end() {
    let world = Arc::new(world().await);
    let ids = 0..4_000;
    let lines: Vec<String> = ids.map(|id| record(&id.to_string(), 1_000, "x")).collect();
    let pages: Vec<_> = lines.chunks(100).map(|lines| page(lines, &[])).collect();
    let tasks = [(); 2].map(|()| {
        let (world, script) = (world.clone(), Script::of(pages.clone()));
        // No lease is held here: only the fences protect.
        tokio::spawn(async move { read(&world, &script, false).await })
    });
    for task in tasks {
        let report = task.await.unwrap();
        let problem = report.problem.map(|problem| problem.code.id);
        assert!(matches!(problem, None | Some("OF0805")), "{problem:?}");
    }
    // The next read finishes the rest.
    read(&world, &Script::of(pages), false).await;
    assert_eq!(names(&world).await.len(), 4_000);
    let count = |text: &'static str| count(&world, text);
    assert_eq!(count("select count(*) from record_version").await, 4_000);
    assert_eq!(
        count("select count(*) from run where state = 'running'").await,
        0
    );
}

// I15
#[tokio::test(flavor = "multi_thread")]
async fn records_that_change_between_the_look_and_the_write_are_looked_at_again() {
    let world = Arc::new(world().await);
    let lines = |time: i64, name: &str| -> Vec<String> {
        let ids = 0..3_000;
        ids.map(|id| record(&id.to_string(), time, name)).collect()
    };
    read(
        &world,
        &Script::of([page(&lines(1_000, "first"), &[])]),
        false,
    )
    .await;
    let pages = lines(2_000, "read");
    let pages: Vec<_> = pages.chunks(100).map(|lines| page(lines, &[])).collect();
    let reading = tokio::spawn({
        let (world, script) = (world.clone(), Script::of(pages));
        async move { read(&world, &script, true).await }
    });
    // What another process receives meanwhile is newer, for every third record.
    let received: Vec<String> = lines(3_000, "received").into_iter().step_by(3).collect();
    for lines in received.chunks(50) {
        world.apply(("crm", "contacts"), lines, &[]).await;
    }
    let report = reading.await.unwrap();
    assert_eq!((report.problem, report.counts.deleted), (None, 0));
    let names = names(&world).await;
    for id in 0..3_000 {
        let wanted = if id % 3 == 0 { "received" } else { "read" };
        assert_eq!(names[&format!("p{id}@x.example")], wanted, "{id}");
    }
    let claims = count(&world, "select count(*) from claim").await;
    assert_eq!(claims, 3_000, "nobody says anything twice");
}

async fn count(world: &World, text: &str) -> i64 {
    let mut tx = world.context.store.read().await.unwrap();
    tx.select_persons(text, &[]).await.unwrap()[0]
}

#[tokio::test]
async fn a_batch_of_deletes_is_as_bounded_as_one_of_records() {
    let (pages, mut arriving) = tokio::sync::mpsc::channel(20);
    for number in 0..20_u8 {
        let keys = crate::host::Chunk {
            count: 2_000,
            data: br#"{"id":"1"}"#.repeat(10),
        };
        let batch = crate::host::Batch {
            upserts: crate::host::Chunk {
                count: 0,
                data: Vec::new(),
            },
            deletes: Some(keys),
            cursor: vec![number],
            done: false,
        };
        let (part, from) = (0, None);
        pages
            .try_send(Message::Page { batch, part, from })
            .ok()
            .unwrap();
    }
    drop(pages);
    let gathered = gather(&mut arriving, 5_000).await;
    assert_eq!(gathered.cursors.len(), 3);
}

// I17: a mapping or a format that has become wrong stops its stream before it costs what is known.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_records_that_do_not_fit_stop_the_stream_before_they_are_stored() {
    let guarded = MANIFEST.replace(
        "connector = \"any\"",
        "connector = \"any\"\nguard = { max_dead_letters = \"20%\" }",
    );
    let mut world = World::new(&guarded, &[("crm", "contacts")], 1_700_000_000_000).await;
    let lines = |bad: usize, name: &str| -> Vec<String> {
        let line = |id: usize| match id <= bad {
            true => {
                format!(r#"{{"id":"{id}","email":"no address","updated":1000,"name":"{name}"}}"#)
            }
            false => record(&id.to_string(), 1_000, name),
        };
        (1..41).map(line).collect()
    };
    // A fifth may.
    let first = read(&world, &Script::of([page(&lines(8, "Ada"), &[])]), false).await;
    assert!(first.problem.is_none() && !first.guarded, "{first:?}");
    let held = names(&world).await;
    assert_eq!(held.len(), 32);
    let second = read(
        &world,
        &Script::of([page(&[], &[]), page(&lines(9, "Ida"), &[])]),
        false,
    )
    .await;
    assert!(
        second.problem.is_none(),
        "nine are too few to count: {second:?}"
    );
    // Another time, and a format that has changed.
    let third = read(
        &world,
        &Script::of([page(&[], &[]), page(&[], &[]), page(&lines(30, "Oda"), &[])]),
        false,
    )
    .await;
    assert!(third.guarded, "{third:?}");
    assert_eq!(
        third.problem.unwrap().to_string(),
        "[OF0516] 30 of 40 records that are new, changed or mapped again do not fit, which is more than the 20% that \
         `guard.max_dead_letters` allows: `email` of 30 (OF0505); the step that found it was not stored; hint: correct the mapping \
         and run again, or raise `guard.max_dead_letters` of the source"
    );
    let held = names(&world).await;
    assert_eq!((held.len(), held["p35@x.example"].as_str()), (31, "Ida"));
    // An edit of the mapping that costs everybody something.
    let edited = guarded.replace("map.email = \"email\"", "map.email = \"name\"");
    world.reread(&edited, &[("crm", "contacts")]).await;
    let source = &world.context.plan.sources[0];
    let problem = crate::flow::remap(&world.context, source)
        .await
        .unwrap_err();
    assert_eq!(problem.code.id, "OF0516");
    assert_eq!(names(&world).await, held);
    // So does an edit of the key, under which no record has one.
    let rekeyed = guarded.replace("key = \"id\"", "key = \"idd\"");
    world.reread(&rekeyed, &[("crm", "contacts")]).await;
    let source = &world.context.plan.sources[0];
    let problem = crate::flow::remap(&world.context, source)
        .await
        .unwrap_err();
    assert_eq!(problem.code.id, "OF0516");
    assert_eq!(names(&world).await, held);
    // What did not fit before does not count: a stricter limit stops no other edit.
    let other = guarded
        .replace("20%", "1%")
        .replace("\"name\"", "\"name | trim\"");
    world.reread(&other, &[("crm", "contacts")]).await;
    let source = &world.context.plan.sources[0];
    assert!(crate::flow::remap(&world.context, source).await.is_ok());
    assert_eq!(names(&world).await, held);
    // Taken back, everything is as it was.
    world.reread(&guarded, &[("crm", "contacts")]).await;
    let source = &world.context.plan.sources[0];
    assert_eq!(
        crate::flow::remap(&world.context, source).await.unwrap(),
        40
    );
    assert_eq!(names(&world).await, held);
}
