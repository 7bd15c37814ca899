//! One event after another, each of another customer and each in a transaction of its own, from when the hub has its
//! line until the membership that follows from it is committed.

use super::{Found, Size, memory, stop, world};
use crate::measure::Watch;
use anyhow::{Result, ensure};
use onefold::manifest::Subject;
use std::path::Path;
use std::time::Instant;
use world::{AUDIENCES, NOW, People};

/// Events before the timed ones, so that the statements and the upper pages are where they are in a hub that runs.
const WARM: u64 = 50;

pub async fn run(size: Size, folder: &Path) -> Result<Found> {
    let path = world::path(folder);
    let context = world::open(&path, AUDIENCES).await?;
    let people = People::new(size)?;
    let (plan, stream) = world::stream(&context, "shop", "checkouts").await?;
    let before = context
        .store
        .read()
        .await?
        .last_log_id(Subject::Person)
        .await?;
    let watch = Watch::start();
    let mut steps = Vec::new();
    for place in 0..WARM + size.singles {
        let customer = people.arriving(place * 13);
        let line = format!(
            r#"{{"id":"k{place}","customer":"c{customer}","total":{},"time":{}}}"#,
            place % 100,
            NOW - 60_000,
        );
        let begun = Instant::now();
        memory::put(&context, plan, &stream, line).await?;
        if place >= WARM {
            steps.push(begun.elapsed());
        }
    }
    let measured = stop(&watch, size.singles, &path)?;
    // One membership an event and no other: what the hub was filled with is what the engine finds.
    let mut tx = context.store.read().await?;
    let logged = tx.last_log_id(Subject::Person).await? - before;
    let name = world::audience_name(AUDIENCES - 1);
    let entered = tx.log_counts(Subject::Person, &name, before).await?;
    drop(tx);
    context.store.close().await;
    let expected = i64::try_from(WARM + size.singles)?;
    ensure!(
        (logged, entered) == (expected, (expected, 0)),
        "{expected} events made {logged} moves, of them {entered:?} in and out of their audience"
    );
    Ok(Found::steps(measured, steps))
}
