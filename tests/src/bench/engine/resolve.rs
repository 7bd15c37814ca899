//! The first row: many records of fewer people, from nothing to committed profiles. Each person is a contact in the CRM;
//! three of four are customers of the shop, and three of four users of the app, not the same ones. The records of a
//! stream come in an order of their own, so that a person's records lie far apart.

use super::{Found, Size, memory, stop, world};
use crate::measure::Watch;
use anyhow::{Result, ensure};
use std::path::Path;
use world::{DAY, NOW};

pub async fn run(size: Size, folder: &Path) -> Result<Found> {
    let path = folder.join("resolve.db");
    let people = size.people;
    let rest = size.records - people;
    let watch = Watch::start();
    let context = world::open(&path, 0).await?;
    let mut added = 0;
    for (names, count, line) in [
        (
            ("crm", "contacts"),
            people,
            contact as fn(u64, u64) -> String,
        ),
        (("shop", "customers"), rest / 2, customer),
        (("app", "users"), rest - rest / 2, user),
    ] {
        let counts = memory::read(&context, names, count, move |place| line(place, people)).await?;
        added += counts.added;
    }
    context.store.close().await;
    let measured = stop(&watch, size.records, &path)?;
    let context = world::open(&path, 0).await?;
    let counts = context.store.read().await?.status_counts().await?;
    context.store.close().await;
    ensure!(
        (added, counts.records, counts.people)
            == (
                i64::try_from(size.records)?,
                i64::try_from(size.records)?,
                i64::try_from(people)?
            ),
        "the hub holds {} records of {} people",
        counts.records,
        counts.people
    );
    std::fs::remove_file(&path)?;
    Ok(Found::whole(measured))
}

/// Numbers without a divisor in common with a power of ten visit each person once.
fn person(place: u64, stride: u64, people: u64) -> u64 {
    place * stride % people
}

fn times(place: u64) -> (i64, i64) {
    let created = NOW - 900 * DAY + place as i64 * 60_000;
    (created, created + 30 * DAY)
}

fn contact(place: u64, people: u64) -> String {
    let who = person(place, 27_733, people);
    let (created, updated) = times(place);
    format!(
        r#"{{"id":"{}","email":"Person{who}@Bulk.example","phone":"+486{who:08}","first":"Zofia","last":"Lovelace","company":"Company {}","country":"PL","consent":"granted","created":{created},"updated":{updated}}}"#,
        place + 1,
        who % 1_000,
    )
}

/// One in ten is known by the phone alone.
fn customer(place: u64, people: u64) -> String {
    let who = person(place, 61_331, people);
    let (created, updated) = times(place);
    let email = match place % 10 {
        0 => "null".to_owned(),
        _ => format!(r#""person{who}@bulk.example""#),
    };
    format!(
        r#"{{"id":"cus_{place:x}","email":{email},"phone":"+486{who:08}","first":"Zofia","country":"PL","segment":"s{}","created":{created},"updated":{updated}}}"#,
        who % 40
    )
}

fn user(place: u64, people: u64) -> String {
    let who = person(place, 91_127, people);
    let (created, updated) = times(place);
    format!(
        r#"{{"id":"u{place}","user":"user-{who}","email":"person{who}@bulk.example","name":"Zosia","plan":"free","created":{created},"updated":{updated}}}"#
    )
}
