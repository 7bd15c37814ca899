//! Events: what each says of a record of a stream, and the last state of every record that several are about.

use crate::rows::Rows;
use crate::streams::Stream;
use onefold_sdk::{Error, Found, Result, Row};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// An event this soon after its object was made says nothing new of the time.
const SAME_MOMENT: i64 = 60;

pub(crate) struct Event<'a> {
    pub id: String,
    pub created: i64,
    pub kind: String,
    /// As it is written: a value of it that cannot be read costs no event.
    pub object: Row<'a>,
}

#[derive(Deserialize)]
struct EventHead {
    id: String,
    created: i64,
    #[serde(rename = "type")]
    kind: String,
}

/// The few fields of an object that say which one it is. Whatever else it holds is not looked at, and a field of another type
/// is as good as none.
#[derive(Default, Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    created: Option<&'a RawValue>,
}

#[derive(Default)]
pub(crate) struct Head {
    pub id: Option<String>,
    pub object: Option<String>,
    pub created: Option<i64>,
}

impl Head {
    pub fn of(row: &Row<'_>) -> Self {
        fn read<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
            serde_json::from_str(raw?.get()).ok()
        }
        let raw: Raw<'_> = row.read_borrowed().unwrap_or_default();
        Self {
            id: read(raw.id),
            object: read(raw.object),
            created: read(raw.created),
        }
    }
}

/// What an event makes of a record.
pub(crate) enum Change {
    Is(State),
    Gone,
}

/// A record as an event has it.
pub(crate) struct State {
    /// Raw JSON.
    pub raw: String,
    /// When the event says that it came to be so.
    pub at: i64,
    /// The event only says that the record exists now.
    pub is_new: bool,
}

/// The last state of each record.
pub(crate) type Latest = BTreeMap<String, Change>;

/// The record that an event is about, when it is one of the stream.
pub(crate) fn change(stream: &Stream, event: &Event<'_>) -> Option<(String, Change)> {
    let kind = event.kind.as_str();
    if !stream.events.contains(&kind) {
        return None;
    }
    let object = Head::of(&event.object);
    let is_its = object.object.as_deref() == Some(stream.object);
    let id = object.id.filter(|_| is_its)?;
    let made = object.created.unwrap_or(event.created);
    let is_soon = event.created.saturating_sub(made) <= SAME_MOMENT;
    let change = match stream.deleted == Some(kind) {
        true => Change::Gone,
        false => Change::Is(State {
            raw: String::from_utf8_lossy(event.object.bytes).into_owned(),
            at: event.created,
            is_new: is_soon && stream.created.contains(&kind),
        }),
    };
    Some((id, change))
}

/// Adds each record once, in its last state.
pub(crate) fn give(latest: Latest, rows: &mut Rows<'_>, found: &mut Found) -> Result<()> {
    rows.will_ask_for(&latest)?;
    for (id, change) in latest {
        match change {
            // Its line is the one that the list has.
            Change::Is(state) => {
                let at = (!state.is_new).then_some(state.at);
                rows.add_changed(&id, &state, at, found)?;
            }
            Change::Gone => found.delete(&json!({ "id": id }))?,
        }
    }
    Ok(())
}

pub(crate) fn read_event<'a>(row: &Row<'a>) -> Result<Event<'a>> {
    let EventHead { id, created, kind } =
        row.read().map_err(|error| malformed(&error.to_string()))?;
    let object = row.member(&["data", "object"]);
    let object = object.ok_or_else(|| malformed("it has no `data.object`"))?;
    Ok(Event {
        id,
        created,
        kind,
        object,
    })
}

fn malformed(why: &str) -> Error {
    let message = format!("an event has another shape: {why}");
    Error::transient("stripe.malformed_event", message)
}
