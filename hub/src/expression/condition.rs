//! Audience conditions as a tree. `manifest` builds it, `audience` evaluates it, in memory and as SQL.

use crate::expression::pattern::Pattern;
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
    /// A trait that is a time, near to now: `time + from <= now < time + until`, in milliseconds.
    Near {
        name: String,
        from: i64,
        until: i64,
    },
    /// Events of one name whose properties pass every test, in a window, measured.
    Event {
        name: String,
        filter: Vec<(String, Test)>,
        window: Window,
        measure: Measure,
    },
    /// Events one after another, each later than the one before it. The window is for the last of them.
    Sequence {
        steps: Vec<Step>,
        window: Window,
    },
    /// Membership of another audience, for this many milliseconds without interruption.
    Audience {
        name: String,
        lasting: i64,
    },
    /// Of a person: its main account is in an audience of accounts, for this many milliseconds without interruption.
    AccountAudience {
        name: String,
        lasting: i64,
    },
    /// Of an account: how many of its people meet `who`. They are the members of the audience `step`, which the manifest
    /// makes of `who`; without a step every one of its people counts.
    People {
        who: Box<Condition>,
        step: Option<String>,
        at_least: Option<u64>,
        at_most: Option<u64>,
    },
    /// Consent to a purpose is granted.
    Consent {
        purpose: String,
    },
    /// The position of the person or account in a split is `from <= position < until`, of `POSITIONS`.
    Split {
        name: String,
        from: u32,
        until: u32,
    },
}

impl Condition {
    /// Membership of another audience, however short.
    pub fn audience(name: impl Into<String>) -> Self {
        Self::Audience {
            name: name.into(),
            lasting: 0,
        }
    }

    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// Calls `see` for each condition that holds no others, from left to right.
    pub fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Self)) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.visit(see)),
            Self::Not(part) => part.visit(see),
            leaf => see(leaf),
        }
    }
}

/// One event of a sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub name: String,
    pub filter: Vec<(String, Test)>,
    /// `before < time < before + within`, where `before` is the time of the event before it; any later time when nothing.
    pub within: Option<i64>,
}

/// A test of one value. An absent or null value passes only `Exists(false)`.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Equal; texts compare with case. A number equals a number of the same size.
    Is(Value),
    In(Vec<Value>),
    /// A text contains it, or a list has it.
    Contains(String),
    /// A text in which the pattern is found.
    Matches(Pattern),
    Exists(bool),
    /// A time (text in RFC 3339, date, or milliseconds) before or after.
    Before(Timestamp),
    After(Timestamp),
    /// A number compared; a text never passes.
    Compare(Comparison, f64),
    /// The same value as the person's trait of this name. A list or an object equals nothing.
    IsTrait(String),
    /// A number compared with the person's trait of this name, which must be a number too.
    CompareTrait(Comparison, String),
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
