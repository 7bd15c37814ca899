//! The hub that the other rows work on. Its customers, and the first event of each, go through the engine; the other
//! events are written as the engine would write them, their index afterwards, and without their raw records, which
//! neither audiences nor identity look at.

use super::{Found, Size, memory, stop, world};
use crate::measure::Watch;
use anyhow::{Context as _, Result, ensure};
use onefold::landing::slot_of;
use rusqlite::{Connection, params};
use std::path::Path;
use world::{EVENTS_EACH, Event, People};

pub async fn run(size: Size, folder: &Path) -> Result<Found> {
    let watch = Watch::start();
    let path = world::path(folder);
    let context = world::open(&path, 0).await?;
    let people = People::new(size)?;
    let customers = size.profiles;
    let made = People::new(size)?;
    let line = move |place| made.customer(place);
    memory::read(&context, ("shop", "customers"), customers, line).await?;
    let made = People::new(size)?;
    let first = move |place| {
        let event = made.event_of(made.arriving(place), 0);
        line_of(&event, place)
    };
    memory::read(&context, ("shop", "pages"), customers, first).await?;
    let (_, stream) = world::stream(&context, "shop", "pages").await?;
    context.store.close().await;
    events(&people, &path, stream.id)?;
    Ok(Found::whole(stop(&watch, size.events, &path)?))
}

fn line_of(event: &Event, place: u64) -> String {
    format!(
        r#"{{"id":"e{place}","customer":"c{}","total":{},"time":{}}}"#,
        event.customer, event.total, event.time
    )
}

/// All events but the customers' first, in the order of their times.
fn events(people: &People, path: &Path, stream: i64) -> Result<()> {
    let mut store = Connection::open(path)?;
    store.execute_batch("pragma synchronous = off; pragma cache_size = -200000")?;
    let indexes = drop_indexes(&store, "event")?;
    let tx = store.transaction()?;
    let next: i64 = tx.query_one("select next from counter where name = 'fact'", [], |row| {
        row.get(0)
    })?;
    let mut id = next;
    {
        check(people, &tx)?;
        let text = "insert into event (id, evidence_id, slot, name, time, properties) values (?, ?, ?, ?, ?, ?)";
        let mut insert = tx.prepare(text)?;
        for place in 0..people.count * EVENTS_EACH {
            let event = people.event(place);
            if event.nth == 0 {
                continue;
            }
            let slot = slot_of(stream, &format!("f{place}"));
            let properties = format!(r#"{{"total":{}}}"#, event.total);
            let evidence = evidence_of(people, event.customer);
            insert.execute(params![
                id, evidence, slot, event.name, event.time, properties
            ])?;
            id += 1;
        }
    }
    tx.execute("update counter set next = ? where name = 'fact'", [id])?;
    tx.commit()?;
    for text in indexes {
        store.execute_batch(&text)?;
    }
    store.execute_batch("pragma wal_checkpoint(truncate)")?;
    Ok(())
}

/// The evidence that a customer's events stand on: it was made by the first of them.
fn evidence_of(people: &People, customer: u64) -> i64 {
    (people.count + people.arrival(customer) + 1) as i64
}

fn check(people: &People, store: &Connection) -> Result<()> {
    for customer in [0, people.count / 3, people.count - 1] {
        let text = "select message from evidence where id = ?";
        let find = |id: i64| store.query_one(text, [id], |row| row.get::<_, String>(0));
        let found = find(evidence_of(people, customer)).context("no evidence of a first event")?;
        let expected = format!("shop/pages/e{}", people.arrival(customer));
        ensure!(found == expected, "`{found}` is not `{expected}`");
        let found = find(customer as i64 + 1).context("no evidence of a customer")?;
        let expected = format!("shop/customers/c{customer}");
        ensure!(found == expected, "`{found}` is not `{expected}`");
    }
    Ok(())
}

/// Takes a table's own indexes away while many rows are written; returns the statements that make them again.
pub fn drop_indexes(store: &Connection, table: &str) -> Result<Vec<String>> {
    let text = "select name, sql from sqlite_master where type = 'index' and tbl_name = ? and sql is not null";
    let mut statement = store.prepare(text)?;
    let rows = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let indexes: Vec<(String, String)> = rows.collect::<rusqlite::Result<_>>()?;
    drop(statement);
    for (name, _) in &indexes {
        store.execute_batch(&format!("drop index {name}"))?;
    }
    Ok(indexes.into_iter().map(|(_, text)| text).collect())
}
