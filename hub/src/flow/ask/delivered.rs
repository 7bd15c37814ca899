//! What a destination should have of each person, what it has confirmed, and why the rest is not there; row by row. Writes nothing.

use crate::flow::ask::destination::{State, state};
use crate::flow::context::Context;
use crate::flow::stored_json::read;
use crate::manifest::Destination;
use crate::model::{Shown, Value};
use crate::store::{DeliveredRow, Result};
use serde::Serialize;
use uuid::Uuid;

/// One row of a destination.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Delivered {
    /// `person:TARGET` or `audience:NAME`
    pub object: String,
    /// The person's id.
    pub person: String,
    /// By which the person is found there.
    pub key: String,
    pub state: State,
    /// What the destination should have.
    pub payload: Value,
    /// What it has confirmed last, where it has confirmed anything.
    pub confirmed: Option<Value>,
    pub confirmed_at: Option<Shown>,
    /// An attempt has no answer yet, so the row may be there.
    pub is_unknown: bool,
}

/// A page of rows.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Deliveries {
    pub destination: String,
    pub rows: Vec<Delivered>,
    /// What the next page comes after; none on the last one.
    pub next: Option<String>,
}

/// Up to `limit` rows after the object and the person's number of `after`.
pub async fn deliveries(
    context: &Context,
    destination: &Destination,
    after: (&str, i64),
    limit: i64,
) -> Result<Deliveries> {
    let mut tx = context.store.read().await?;
    let name = &*destination.name;
    let mut rows = tx.delivered_after(name, after, limit + 1).await?;
    let has_more = rows.len() as i64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or_default());
    let next = rows.last().filter(|_| has_more);
    let next = next.map(|row| format!("{}.{}", row.person_id, row.state.object));
    Ok(Deliveries {
        destination: name.to_owned(),
        rows: rows.into_iter().map(shown).collect::<Result<_>>()?,
        next,
    })
}

fn shown(row: DeliveredRow) -> Result<Delivered> {
    let person = row.person.and_then(|id| Uuid::from_slice(&id).ok());
    let number = row.person_id;
    let confirmed = row.confirmed.as_deref();
    let confirmed = confirmed.map(|text| read("acknowledged.payload", number, text));
    Ok(Delivered {
        object: row.state.object.clone(),
        person: person.map_or_else(String::new, |id| id.to_string()),
        key: row.state.remote_key.clone().unwrap_or_default(),
        payload: read("wanted.payload", number, &row.payload)?,
        confirmed: confirmed.transpose()?,
        confirmed_at: row.confirmed_at.map(Shown::of),
        is_unknown: row.is_unsure,
        state: state(row.state),
    })
}
