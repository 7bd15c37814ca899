//! Audience conditions as a tree. `manifest` makes it, `audience` evaluates it, in memory and as SQL.

use crate::model::{Timestamp, Value};

#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// A trait of the profile, in canonical spelling.
    Trait {
        name: String,
        test: Test,
    },
    /// Events of one name whose properties pass every test, in a window, measured.
    Event {
        name: String,
        filter: Vec<(String, Test)>,
        window: Window,
        measure: Measure,
    },
    /// Membership of another audience.
    Audience {
        name: String,
    },
    /// Consent to a purpose is granted.
    Consent {
        purpose: String,
    },
}

/// A test of one value. An absent or null value passes only `Exists(false)`.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Equal; texts compare with case. A number equals a number of the same size.
    Is(Value),
    In(Vec<Value>),
    /// A text contains it, or a list has it.
    Contains(String),
    Exists(bool),
    /// A time (text in RFC 3339, date, or milliseconds) before or after.
    Before(Timestamp),
    After(Timestamp),
    /// A number compared; a text never passes.
    Compare(Comparison, f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    AtLeast,
    AtMost,
    Above,
    Below,
}

/// Which events count. Times are those of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    Ever,
    /// `now - duration < time <= now`, in milliseconds.
    Within(i64),
    /// `from <= time < to`
    Between(Timestamp, Timestamp),
}

/// What is measured over the events that count.
#[derive(Debug, Clone, PartialEq)]
pub enum Measure {
    Count {
        at_least: Option<u64>,
        at_most: Option<u64>,
    },
    /// The sum of a numeric property; events without the number add nothing.
    Sum {
        property: String,
        at_least: Option<f64>,
        at_most: Option<f64>,
    },
}
