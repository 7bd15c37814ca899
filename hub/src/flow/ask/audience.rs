//! Reads for audiences: how one reached its size, and why a person or account is in it or not.
//! Writes nothing.

use crate::audience::{self, EventFact, Explained};
use crate::flow::commit::view::Happened;
use crate::flow::commit::views::{events_named, views};
use crate::flow::context::Context;
use crate::manifest::Audience;
use crate::model::Timestamp;
use crate::store::Result;
use serde::Serialize;

const DAY_MS: i64 = 86_400_000;

/// What happened to an audience on one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Day {
    /// `2026-03-02`, in UTC.
    pub day: String,
    /// At the end of the day.
    pub size: i64,
    pub entered: i64,
    pub left: i64,
    /// The most frequent first.
    pub causes: Vec<Cause>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Cause {
    pub entered: bool,
    pub members: i64,
    pub cause: String,
}

/// The days on which members entered or left, the latest first.
pub async fn history(context: &Context, audience: &Audience, days: i64) -> Result<Vec<Day>> {
    let name = &*audience.name;
    let mut tx = context.store.read().await?;
    let today = context.clock.now().0.div_euclid(DAY_MS);
    let from = Timestamp((today - days + 1).saturating_mul(DAY_MS));
    let mut size = tx.member_count(audience.of, name).await?;
    let moved = tx.moved(audience.of, name, from).await?;
    let mut history = Vec::new();
    for rows in moved.chunk_by(|a, b| a.day == b.day) {
        let sum = |entered: bool| -> i64 {
            let rows = rows.iter().filter(|row| row.entered == entered);
            rows.map(|row| row.members).sum()
        };
        let (entered, left) = (sum(true), sum(false));
        let date = Timestamp(rows[0].day * DAY_MS).to_rfc3339();
        history.push(Day {
            day: date.chars().take("2026-03-02".len()).collect(),
            size,
            entered,
            left,
            causes: rows
                .iter()
                .map(|row| Cause {
                    entered: row.entered,
                    members: row.members,
                    cause: row.cause.clone(),
                })
                .collect(),
        });
        size -= entered - left;
    }
    Ok(history)
}

/// Every condition of an audience for one person, from what is stored.
pub async fn explain(
    context: &Context,
    audience: &Audience,
    person: &[u8; 16],
) -> Result<Option<Vec<Explained>>> {
    let mut tx = context.store.read().await?;
    let Some(id) = tx.alias(person).await? else {
        return Ok(None);
    };
    let Some(row) = tx.persons([id]).await?.pop() else {
        return Ok(None);
    };
    let now = context.clock.now();
    // All events, not only the ones that still count: an explanation says when the last one was.
    let Some(view) = views(&mut tx, context, vec![row]).await?.pop() else {
        return Ok(None);
    };
    let names: Vec<_> = audience::events_read([&audience.who]).into_iter().collect();
    let views = std::slice::from_ref(&view);
    let mut events = events_named(&mut tx, &names, views, None).await?;
    let events = events.remove(&id).unwrap_or_default();
    let events: Vec<EventFact<'_>> = events.iter().map(Happened::fact).collect();
    let since = tx.memberships_of([id]).await?.into_iter();
    let since = since
        .map(|row| (row.audience, Timestamp(row.since)))
        .collect();
    Ok(Some(view.ask(&events, &since, |facts| {
        audience::explain(&audience.who, facts, now)
    })))
}
