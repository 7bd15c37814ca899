//! Rows where nothing is new: all records of a hub changed, mapped again, gone by half in a full read, deleted. Each is
//! held against the row that made the hub, of the same records when they were new.

use super::memory::{self, Pass};
use super::{Found, Row, Size, stop, world};
use crate::measure::Watch;
use anyhow::{Result, bail, ensure};
use onefold::flow::{self, Context};
use std::path::Path;
use world::{DAY, NOW};

const CONTACTS: (&str, &str) = ("crm", "contacts");
/// The mapping of the first names before and after it is edited.
const EDIT: [&str; 2] = [
    "map.first_name = \"first\"",
    "map.first_name = \"first | upper\"",
];

pub async fn run(row: Row, size: Size, folder: &Path) -> Result<Found> {
    let path = folder.join("churn.db");
    let count = size.records;
    let edit = match row {
        Row::Fresh | Row::Changed => EDIT[0],
        _ => EDIT[1],
    };
    let context = world::open_edited(&path, 0, [EDIT[0], edit]).await?;
    let watch = Watch::start();
    let touched = churn(row, &context, count).await?;
    let measured = stop(&watch, touched, &path)?;
    let counts = context.store.read().await?.status_counts().await?;
    context.store.close().await;
    let left = match row {
        Row::Gone => count - count / 2,
        Row::Deleted => 0,
        _ => count,
    };
    let left = i64::try_from(left)?;
    ensure!(
        (counts.records, counts.people) == (left, left),
        "the hub holds {} records of {} people, not {left}",
        counts.records,
        counts.people
    );
    if row == Row::Deleted {
        std::fs::remove_file(&path)?;
    }
    Ok(Found::whole(measured))
}

/// Returns how many records it was about.
async fn churn(row: Row, context: &Context, count: u64) -> Result<u64> {
    let half = count - count / 2;
    let pass = Pass::default();
    let (pass, read, name) = match row {
        Row::Fresh => (pass, count, "Zofia"),
        Row::Changed => (
            Pass {
                base: count,
                ..pass
            },
            count,
            "Zosia",
        ),
        Row::Remap => {
            let mut sources = context.plan.sources.iter();
            let Some(source) = sources.find(|one| &*one.name == CONTACTS.0) else {
                bail!("the plan has no such source");
            };
            let mapped = flow::remap(context, source).await?;
            ensure!(
                mapped == i64::try_from(count)?,
                "{mapped} records were mapped"
            );
            return Ok(count);
        }
        Row::Gone => (Pass { full: true, ..pass }, half, "Zosia"),
        Row::Deleted => {
            let pass = Pass {
                base: half,
                deletes: true,
                ..pass
            };
            (pass, half, "")
        }
        _ => bail!("the row is not one of these"),
    };
    let line = move |place| contact(place, name);
    let counts = memory::pass(context, CONTACTS, read, pass, line).await?;
    let (done, expected) = match row {
        Row::Fresh => (counts.added, count),
        Row::Changed => (counts.changed, count),
        Row::Gone => (counts.deleted, count / 2),
        _ => (counts.deleted, half),
    };
    ensure!(done == i64::try_from(expected)?, "{counts:?}");
    Ok(match row {
        Row::Gone => count,
        _ => read,
    })
}

fn contact(place: u64, name: &str) -> String {
    let created = NOW - 900 * DAY + place as i64 * 60_000;
    let updated = created + if name == "Zofia" { 0 } else { DAY };
    format!(
        r#"{{"id":"{}","email":"person{place}@bulk.example","phone":"+486{place:08}","first":"{name}","last":"Lovelace","company":"Company {}","country":"PL","consent":"granted","created":{created},"updated":{updated}}}"#,
        place + 1,
        place % 1_000,
    )
}
