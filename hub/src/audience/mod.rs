//! Who is in an audience now, why, and when that can next change without new data. Owns both evaluators of a condition:
//! `evaluate` for one person in memory, `sql` as one query over many. Knows no database and no clock; `now` is a parameter.
//!
//! An event counts once it has happened: events later than `now` are in no window until their time comes. Times are UTC
//! milliseconds and durations are milliseconds, so daylight saving time never changes an answer.

mod cause;
mod dialect;
mod evaluate;
mod explain;
mod reads;
mod sequence;
mod sql;
mod strata;
mod words;

pub use cause::cause;
pub use dialect::{Dialect, SQLITE};
pub use evaluate::{Verdict, evaluate};
pub use explain::{Explained, explain};
pub use reads::{EventBound, depends_on, events_read, order};
pub use sql::{Bind, Part, Query, sql, sql_drafted};
pub use strata::{Stratum, strata};

use crate::model::{Fields, Timestamp, Value};

/// What a condition can ask about one person, or about one account, which has no consents or events.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The id, for splits.
    pub id: [u8; 16],
    /// A trait's value by canonical name.
    pub traits: &'a dyn Fn(&str) -> Option<&'a Value>,
    /// Whether the latest statement about a purpose grants it.
    pub granted: &'a dyn Fn(&str) -> bool,
    /// Since when it has been in another audience, if it is in it; of a person, the main account's audiences too.
    pub audiences: &'a dyn Fn(&str) -> Option<Timestamp>,
    /// How many of an account's people are in an audience, or how many there are.
    pub people: &'a dyn Fn(Option<&str>) -> u64,
    /// In any order; at least the ones that `events_read` names.
    pub events: &'a [EventFact<'a>],
}

#[derive(Debug, Clone, Copy)]
pub struct EventFact<'a> {
    pub name: &'a str,
    pub time: Timestamp,
    pub properties: &'a Fields,
}

#[cfg(test)]
pub(crate) mod tests;
