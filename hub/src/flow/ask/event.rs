//! What a person did: events, the latest first. Writes nothing.

use crate::flow::ask::profile::{Lookup, Wanted, locate};
use crate::flow::context::Context;
use crate::flow::stored_json::read;
use crate::model::{EntityKind, Fields, Shown};
use crate::store::{EventRow, Result};
use serde::Serialize;

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct EventView {
    pub name: String,
    pub at: Shown,
    #[schema(value_type = Object)]
    pub properties: Fields,
}

/// A page of events.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Events {
    /// The id of the person.
    pub person: String,
    pub events: Vec<EventView>,
    /// What the next page comes after; none on the last one.
    pub next: Option<String>,
}

/// Where a page begins: after an event's time and number.
pub type After = (i64, i64);

/// Up to `limit` events of the person asked for. None when there is no such person.
pub async fn events(
    context: &Context,
    wanted: &Wanted,
    after: Option<After>,
    limit: usize,
) -> Result<Option<Events>> {
    let mut tx = context.store.read().await?;
    let Lookup::Person(located) = locate(context, &mut tx, wanted).await? else {
        return Ok(None);
    };
    let mut rows = tx.events_of(located.evidence()).await?;
    let place = |row: &EventRow| (row.time, row.id);
    rows.retain(|row| {
        EntityKind::of_thing(&row.name).is_none() && after.is_none_or(|after| place(row) < after)
    });
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(place(row)));
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(place);
    let event = |row: EventRow| {
        Ok(EventView {
            at: Shown::of(row.time),
            properties: read("event.properties", row.id, &row.properties)?,
            name: row.name,
        })
    };
    Ok(Some(Events {
        person: located.id(),
        events: rows.into_iter().map(event).collect::<Result<_>>()?,
        next: next.map(|(time, id)| format!("{time}.{id}")),
    }))
}
