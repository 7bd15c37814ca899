//! One audience that is new to the hub: two orders in a window, over everybody and all events.

use super::{Found, Size, stop, world};
use crate::measure::Watch;
use anyhow::{Result, ensure};
use onefold::flow;
use onefold::manifest::Subject;
use std::path::Path;
use world::People;

pub async fn run(size: Size, folder: &Path) -> Result<Found> {
    let path = world::path(folder);
    let context = world::open(&path, 1).await?;
    let watch = Watch::start();
    let changed = flow::backfill(&context).await?;
    let measured = stop(&watch, size.profiles, &path)?;
    let name = world::audience_name(0);
    let members = context
        .store
        .read()
        .await?
        .member_count(Subject::Person, &name)
        .await?;
    context.store.close().await;
    let people = People::new(size)?;
    let audience = world::audiences(1)[0];
    let expected =
        (0..size.profiles).filter(|customer| audience.holds(*customer, &people).is_some());
    let expected = i64::try_from(expected.count())?;
    ensure!(
        (changed, members) == (1, expected),
        "{changed} definitions were filled and have {members} members, not {expected}"
    );
    Ok(Found::whole(measured))
}
