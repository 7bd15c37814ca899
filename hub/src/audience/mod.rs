//! Who is in an audience now, why, and when that can next change without new data. Owns both evaluators of a condition:
//! `evaluate` for one person in memory, `sql` as one query over all. Knows no database and no clock; `now` is a parameter.
//!
//! An event counts once it has happened: in every window, events later than `now` wait for their time.

mod cause;
mod evaluate;
mod reads;
mod sql;

pub use cause::cause;
pub use evaluate::{Verdict, evaluate};
pub use reads::{EventBound, events_read, order};
pub use sql::{Bind, Dialect, Query, SQLITE, sql};

use crate::model::{Fields, Timestamp, Value};

/// What a condition can ask about one person.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// A trait's value by canonical name.
    pub traits: &'a dyn Fn(&str) -> Option<&'a Value>,
    /// Whether the latest statement about a purpose grants it.
    pub granted: &'a dyn Fn(&str) -> bool,
    /// Whether the person is in another audience.
    pub audiences: &'a dyn Fn(&str) -> bool,
    /// In any order; at least those that `events_read` names.
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
