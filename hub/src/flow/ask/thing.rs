//! What a person has: orders, subscriptions and products, as a profile shows them.

use crate::flow::commit::view::Happened;
use crate::flow::stored_json::read;
use crate::model::{EntityKind, Fields, Shown, Timestamp};
use crate::store::{EventRow, Result, Tx};
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::cmp::Ordering;

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Thing {
    pub kind: EntityKind,
    /// RFC 3339, where anything says since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Shown>,
    #[schema(value_type = Object)]
    pub fields: Fields,
    pub source: String,
    /// `stream/key`
    pub record: String,
}

impl Thing {
    /// None when it is an event.
    pub fn of(happened: &Happened, source: &str, record: String) -> Option<Self> {
        let known = Some(happened.time).filter(|time| *time != Timestamp::default());
        let fields = happened
            .properties
            .iter()
            .filter(|(_, value)| !value.is_null());
        Some(Self {
            kind: EntityKind::of_thing(&happened.name)?,
            since: known.map(Shown),
            fields: fields
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            source: source.to_owned(),
            record,
        })
    }

    pub fn latest_first(&self, other: &Self) -> Ordering {
        let key = |one: &Self| (one.kind, one.source.clone(), one.record.clone());
        other
            .since
            .cmp(&self.since)
            .then_with(|| key(self).cmp(&key(other)))
    }
}

/// Divides what is stored of a person's events into the times of events and the things, the latest first.
pub async fn divided(tx: &mut Tx, rows: Vec<EventRow>) -> Result<(Vec<Timestamp>, Vec<Thing>)> {
    let is_thing = |row: &&EventRow| EntityKind::of_thing(&row.name).is_some();
    let events = rows.iter().filter(|row| !is_thing(row));
    let times = events.map(|row| Timestamp(row.time)).collect();
    let rows: Vec<&EventRow> = rows.iter().filter(is_thing).collect();
    if rows.is_empty() {
        return Ok((times, Vec::new()));
    }
    let mut streams = FxHashMap::default();
    for row in tx.stream_generations().await? {
        streams.insert(row.id, (row.source, row.name));
    }
    let slots: Vec<i64> = rows.iter().map(|row| row.slot).collect();
    let mut records = FxHashMap::default();
    for row in tx.records_at(&slots).await? {
        if let Some((source, name)) = streams.get(&row.stream_id) {
            records.insert(row.slot, (source.clone(), format!("{name}/{}", row.key)));
        }
    }
    let mut things = Vec::with_capacity(rows.len());
    for row in rows {
        let happened = Happened {
            name: row.name.clone(),
            time: Timestamp(row.time),
            properties: read("event.properties", row.id, &row.properties)?,
        };
        let (source, record) = records.remove(&row.slot).unwrap_or_default();
        things.extend(Thing::of(&happened, &source, record));
    }
    things.sort_by(Thing::latest_first);
    Ok((times, things))
}
