//! What was sent to the hub and what the vendor returns meet in one source.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

use crate::flow::connect::Opens;
use crate::flow::context::Process;
use crate::flow::harness::World;
use crate::flow::intake::inbox::{Incoming, Receiver};
use crate::flow::intake::land::Landed;
use crate::flow::intake::read::tests::script::{Page, Script, page};
use crate::flow::lease;
use crate::flow::work::reading::{SourceReport, read_inbox, read_source};
use crate::flow::work::run::RunOptions;
use crate::flow::work::schedule::{last_end, last_read};
use crate::flow::{self, Arrived, Range, ReadOptions, Since, StreamRef, What};
use crate::host::Connector;
use crate::manifest::{Destination, Source};
use crate::problem::Problem;
use crate::store::RunRow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const MANIFEST: &str = r#"
[hub]
name = "sent"
store = "sqlite:unused.db"

[[source]]
name = "crm"
connector = "any"
guard = { max_dead_letters = "10%" }
[[source.stream]]
name = "contacts"
to = "person"
key = "id"
map.email = "email"
map.first_name = "name"
"#;
const CONTACTS: [(&str, &str); 1] = [("crm", "contacts")];
const BEGAN: i64 = 1_700_000_000_000;

async fn world() -> World {
    World::new(MANIFEST, &CONTACTS, BEGAN).await
}

/// Opens one script.
struct One(Script);

impl Opens for One {
    fn source(&self, _: &Source) -> Result<Box<dyn Connector>, Vec<Problem>> {
        Ok(Box::new(self.0.clone()))
    }

    fn destination(&self, _: &Destination) -> Result<Box<dyn Connector>, Vec<Problem>> {
        Err(Vec::new())
    }

    fn rest(&self) {}
}

fn options(full: bool) -> RunOptions {
    options_of(What::Vendor, full)
}

fn options_of(what: What, full: bool) -> RunOptions {
    RunOptions {
        source: None,
        stream: None,
        deliver: false,
        show: 0,
        read: ReadOptions {
            what,
            full,
            progress: Arc::new(|_| {}),
        },
        events: Arc::new(|_| {}),
    }
}

fn record(id: &str, name: &str) -> String {
    format!(r#"{{"id":"{id}","email":"p{id}@x.example","name":"{name}"}}"#)
}

async fn send(world: &World, bodies: &[(&str, bool)]) {
    let receiver = Receiver::start(&world.context);
    let mut tx = world.context.store.read().await.unwrap();
    let sent = tx.inbox_counts("crm").await.unwrap().0;
    drop(tx);
    let messages = bodies
        .iter()
        .enumerate()
        .map(|(at, (body, removes))| Incoming {
            stream: "contacts".into(),
            id: format!("{body} {sent} {at}"),
            hash: at as i64,
            removes: *removes,
            body: body.as_bytes().to_vec(),
        });
    let taken = receiver.take(&"crm".into(), messages.collect()).await;
    assert_eq!(taken.unwrap().stored, bodies.len());
}

async fn read(world: &World, pages: impl IntoIterator<Item = Page>, full: bool) -> SourceReport {
    read_script(world, Script::of(pages), full).await
}

async fn read_script(world: &World, script: Script, full: bool) -> SourceReport {
    let source = &world.context.plan.sources[0];
    let (connectors, options) = (One(script), options(full));
    let read = read_source(&world.context, source, &connectors, &options);
    read.await.unwrap()
}

async fn land(world: &World) -> SourceReport {
    let source = &world.context.plan.sources[0];
    let lease = lease::take(&world.context, "read crm")
        .await
        .unwrap()
        .unwrap();
    let landed = read_inbox(lease.fencing(&world.context), source, &options(false)).await;
    lease.end().await.unwrap();
    landed.unwrap()
}

async fn names(world: &World) -> BTreeMap<String, String> {
    let mut tx = world.context.store.read().await.unwrap();
    let people = tx.find_persons("", 1_000).await.unwrap();
    let named = people.into_iter().map(|row| {
        let traits: serde_json::Value = serde_json::from_str(&row.traits).unwrap();
        let text = |name: &str| traits[name].as_str().unwrap_or_default().to_owned();
        (text("email"), text("first_name"))
    });
    named.collect()
}

fn expected(rows: &[(&str, &str)]) -> BTreeMap<String, String> {
    let rows = rows.iter();
    rows.map(|(id, name)| (format!("p{id}@x.example"), (*name).to_owned()))
        .collect()
}

async fn runs(world: &World) -> Vec<RunRow> {
    let mut tx = world.context.store.read().await.unwrap();
    tx.newest_runs(None, 100).await.unwrap()
}

// S14
#[tokio::test(flavor = "multi_thread")]
async fn what_waited_is_landed_before_what_the_vendor_returns_now() {
    let world = world().await;
    read(
        &world,
        [page(&[record("1", "one"), record("2", "two")], &[])],
        false,
    )
    .await;
    // Both waited while the first was put back and the second changed once more.
    send(
        &world,
        &[(r#"{"id":"1"}"#, true), (&record("2", "older"), false)],
    )
    .await;
    let report = read(
        &world,
        [page(&[record("1", "back"), record("2", "newer")], &[])],
        true,
    )
    .await;
    assert!(report.problems.is_empty());
    assert_eq!(
        names(&world).await,
        expected(&[("1", "back"), ("2", "newer")])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn landing_what_was_sent_is_no_read_of_the_vendor() {
    let world = world().await;
    read(&world, [page(&[record("1", "one")], &[])], false).await;
    let (began, ended) = (
        last_read(&world.context).await.unwrap(),
        last_end(&world.context, "crm").await.unwrap(),
    );
    assert!(ended.is_some());
    for id in ["2", "3", "4"] {
        world.hand.fetch_add(60_000, Ordering::Relaxed);
        send(&world, &[(&record(id, "sent"), false)]).await;
        let report = land(&world).await;
        assert_eq!(report.streams[0].counts.added, 1);
        assert_eq!(report.streams[0].duration_ms, 0);
    }
    assert_eq!(last_read(&world.context).await.unwrap(), began);
    assert_eq!(last_end(&world.context, "crm").await.unwrap(), ended);
    // What came within some minutes is counted together.
    let found = runs(&world).await;
    let shown: Vec<(&str, &str, i64)> = found
        .iter()
        .map(|run| (&*run.kind, &*run.state, run.added))
        .collect();
    assert_eq!(shown, [("inbox", "done", 3), ("read", "done", 1)]);
    world.hand.fetch_add(600_000, Ordering::Relaxed);
    send(&world, &[(&record("5", "sent"), false)]).await;
    land(&world).await;
    assert_eq!(runs(&world).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_read_under_way_keeps_what_was_sent_meanwhile_though_it_had_not_changed() {
    let world = world().await;
    let all: Vec<String> = ["1", "2", "3"].iter().map(|id| record(id, "x")).collect();
    read(&world, [page(&all, &[])], false).await;
    // The vendor had removed 2 and 3 when its list was read up to there; 3 was put back as it was, which the vendor says by a call.
    let first = page(&all[..1], &[]);
    let script = Script::of([first.clone(), page(&[], &[])]).failing_at("1");
    assert!(
        read_script(&world, script, true).await.streams[0]
            .problem
            .is_some()
    );
    send(&world, &[(&record("3", "x"), false)]).await;
    land(&world).await;
    let report = read(&world, [first, page(&[], &[])], false).await;
    assert_eq!(report.streams.last().unwrap().counts.deleted, 1);
    assert_eq!(names(&world).await, expected(&[("1", "x"), ("3", "x")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_returns_nothing_is_guarded_whatever_was_sent_meanwhile() {
    let world = world().await;
    read(
        &world,
        [page(&[record("1", "one"), record("2", "two")], &[])],
        false,
    )
    .await;
    let broken = Script::of([page(&[], &[]), page(&[], &[])]).failing_at("1");
    read_script(&world, broken, true).await;
    send(&world, &[(&record("1", "one"), false)]).await;
    land(&world).await;
    let report = read(&world, [page(&[], &[]), page(&[], &[])], false).await;
    assert!(report.streams.last().unwrap().is_emptied());
    assert_eq!(names(&world).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_do_not_fit_hold_no_others_back() {
    let world = world().await;
    let bad = r#"{"id":"1","email":"not an address"}"#;
    let mut bodies = vec![(bad, false); 50];
    let good = record("2", "good");
    bodies.push((&good, false));
    send(&world, &bodies).await;
    let report = land(&world).await;
    assert_eq!(report.streams[0].problem, None);
    assert!(!report.streams[0].guarded);
    assert_eq!(names(&world).await.get("p2@x.example").unwrap(), "good");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_land_one_inbox_one_after_the_other() {
    let world = world().await;
    let mut other = world.context.clone();
    other.process = Process::named("other");
    let lease = lease::take(&other, "read crm").await.unwrap().unwrap();
    send(&world, &[(&record("1", "one"), false)]).await;
    assert!(
        lease::take(&world.context, "read crm")
            .await
            .unwrap()
            .is_none()
    );
    let source = &world.context.plan.sources[0];
    read_inbox(lease.fencing(&other), source, &options(false))
        .await
        .unwrap();
    lease.end().await.unwrap();
    assert!(land(&world).await.streams.is_empty());
    assert_eq!(runs(&world).await.len(), 1);
}

/// A stream whose records tell when they changed.
async fn dated() -> World {
    let manifest = MANIFEST.replace("key = \"id\"", "key = \"id\"\nupdated_at = \"at\"");
    World::new(&manifest, &CONTACTS, BEGAN).await
}

fn at(id: &str, name: &str, day: u32) -> String {
    format!(
        r#"{{"id":"{id}","email":"p{id}@x.example","name":"{name}","at":"2026-01-{day:02}T00:00:00Z"}}"#
    )
}

async fn backfill(world: &World, script: Script, range: Range) -> SourceReport {
    let source = &world.context.plan.sources[0];
    let (connectors, options) = (One(script), options_of(What::Range(Arc::new(range)), false));
    let read = read_source(&world.context, source, &connectors, &options);
    read.await.unwrap()
}

fn time(day: u32) -> Option<crate::model::Timestamp> {
    crate::expression::parse_time(&format!("2026-01-{day:02}T00:00:00Z"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_lands_what_it_is_asked_for_and_leaves_the_live_cursor_and_the_rest() {
    let world = dated().await;
    read(&world, [page(&[at("1", "one", 9)], &[])], false).await;
    let began = last_read(&world.context).await.unwrap();
    world.hand.fetch_add(60_000, Ordering::Relaxed);
    let all = [
        at("2", "two", 1),
        at("3", "three", 2),
        at("4", "four", 3),
        at("5", "five", 4),
    ];
    let range = Range {
        since: time(2),
        until: time(4),
        ..Range::default()
    };
    let report = backfill(&world, Script::of([page(&all, &[])]), range).await;
    let counts = report.streams[0].counts;
    assert_eq!((counts.read, counts.added, counts.deleted), (2, 2, 0));
    let expected_now = [("1", "one"), ("3", "three"), ("4", "four")];
    assert_eq!(names(&world).await, expected(&expected_now));
    let keys = Range {
        keys: ["5".to_owned()].into(),
        ..Range::default()
    };
    let report = backfill(&world, Script::of([page(&all, &["1"])]), keys).await;
    assert_eq!(report.streams[0].counts.added, 1);
    assert_eq!(names(&world).await.len(), 4);
    // It was no read of the schedule's, and the next one goes on from its own cursor.
    assert_eq!(last_read(&world.context).await.unwrap(), began);
    let script = Script::of([page(&[], &[]), page(&[at("6", "six", 9)], &[])]);
    read_script(&world, script.clone(), false).await;
    assert_eq!(script.asked(), ["1"]);
    let kinds: Vec<String> = runs(&world).await.into_iter().map(|run| run.kind).collect();
    assert_eq!(kinds, ["read", "backfill", "backfill", "read"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_that_was_cut_off_goes_on_and_another_one_begins_at_the_start() {
    let world = dated().await;
    let pages = [
        page(&[at("1", "one", 1)], &[]),
        page(&[at("2", "two", 2)], &[]),
    ];
    let broken = Script::of(pages.clone()).failing_at("1");
    let report = backfill(&world, broken, Range::default()).await;
    assert!(report.streams[0].problem.is_some());
    let other = Script::of(pages.clone());
    let keys = Range {
        keys: ["2".to_owned()].into(),
        ..Range::default()
    };
    backfill(&world, other.clone(), keys).await;
    assert_eq!(other.asked(), ["", "1"]);
    let script = Script::of(pages.clone());
    backfill(&world, script.clone(), Range::default()).await;
    assert_eq!(script.asked(), ["1"]);
    // It came to its end, so the same one begins again.
    let again = Script::of(pages);
    backfill(&world, again.clone(), Range::default()).await;
    assert_eq!(again.asked(), ["", "1"]);
    assert_eq!(names(&world).await, expected(&[("1", "one"), ("2", "two")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_live_read_stored_since_a_backfill_began_is_newer_than_what_it_brings() {
    let world = world().await;
    world
        .apply(
            CONTACTS[0],
            &[record("1", "before"), record("2", "before")],
            &[],
        )
        .await;
    let mut tx = world.context.store.begin().await.unwrap();
    let version = tx.reserve("version", 0).await.unwrap();
    drop(tx);
    world.apply(CONTACTS[0], &[record("1", "live")], &[]).await;
    let plan = world.stream(CONTACTS[0]);
    let mut tx = world.context.store.begin().await.unwrap();
    let row = tx.stream("crm", "contacts", &plan.digest).await.unwrap();
    let stream = StreamRef::from(&row);
    drop(tx);
    let mut arrived = Arrived::default();
    let lines = format!("{}\n{}\n", record("1", "older"), record("2", "older"));
    arrived.add(lines.into(), Some("{\"id\":\"1\"}\n".into()));
    let landed = |range: Option<Range>| {
        let since = Since {
            version,
            is_full: false,
            range: range.map(Arc::new),
        };
        let lines = flow::key_lines(&stream, plan, &arrived);
        flow::land(&world.context, &stream, plan, lines, since)
    };
    let keys = |landed: Landed| -> BTreeSet<String> {
        let changes = landed.changes.into_iter();
        changes.map(|change| change.key).collect()
    };
    let expected =
        |keys: &[&str]| -> BTreeSet<String> { keys.iter().map(|key| (*key).to_owned()).collect() };
    let beside = landed(Some(Range::default())).await.unwrap();
    assert_eq!(keys(beside), expected(&["2"]));
    let alone = landed(None).await.unwrap();
    assert_eq!(keys(alone), expected(&["1", "2"]));
}
