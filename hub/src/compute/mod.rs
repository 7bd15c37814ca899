//! Computed traits: over events, over other traits, and by fitted models. Knows no database and no clock.
//!
//! Results depend on the set of events and not on their order of arrival (I1). Of two events with the same time, the one with
//! the smaller value comes first. An event counts once it has happened, in every window.

mod derived;
mod events;
pub mod lifetime;
pub mod models;
mod tally;
mod value;

use crate::expression::{Condition, Measure};
use crate::manifest::{ComputedTrait, TraitKind};
use crate::model::{Fields, Timestamp, Value};
use std::fmt;
use std::sync::Arc;

/// What is known of one person.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    /// The winning values of the profile; null is as good as absent.
    pub traits: &'a Fields,
    /// In any order; at least the ones that `reads` asks for.
    pub events: &'a [Event<'a>],
    /// Whether a condition holds over these traits, and when that next changes with the same traits.
    pub judge: &'a Judge<'a>,
}

/// The answer to a condition and the time of the next one.
pub type Judge<'a> = dyn Fn(&Condition, &Fields) -> (bool, Option<Timestamp>) + 'a;

#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    pub name: &'a str,
    pub time: Timestamp,
    pub properties: &'a Fields,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Computed {
    /// By the traits' names; a trait without a value is absent.
    pub values: Fields,
    /// The earliest time after `now` at which any value is different with no new data.
    pub changes_at: Option<Timestamp>,
    /// At most one a trait, in the traits' order.
    pub faults: Vec<Fault>,
}

/// Why a trait has no value although there is something that it could be made of. Never the person's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub trait_name: Arc<str>,
    pub kind: FaultKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    NotANumber,
    NotAText,
    NotADate,
    /// A list or an object where values are counted.
    NotASingleValue,
    /// A number with which no exact sum can be made.
    TooLarge,
    /// A birthday after today.
    InTheFuture,
    /// The expression failed, as it does when it divides by zero.
    Failed,
    /// There are more values than the list may have. The one fault with a value: the first of them.
    Capped,
}

impl FaultKind {
    pub const ALL: [Self; 8] = [
        Self::NotANumber,
        Self::NotAText,
        Self::NotADate,
        Self::NotASingleValue,
        Self::TooLarge,
        Self::InTheFuture,
        Self::Failed,
        Self::Capped,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotANumber => "a value that is not a number",
            Self::NotAText => "a value that is not text",
            Self::NotADate => "a value that is not a date",
            Self::NotASingleValue => "a list or an object where single values are counted",
            Self::TooLarge => "a number too large to be added exactly",
            Self::InTheFuture => "a date in the future",
            Self::Failed => "no result, as of a division by zero",
            Self::Capped => "more values than the list may have",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One trait's value at one time, and when it next is another one.
#[derive(Debug, Clone, PartialEq, Default)]
struct Answer {
    value: Option<Value>,
    fault: Option<FaultKind>,
    changes_at: Option<Timestamp>,
}

impl Answer {
    fn of(value: Value) -> Self {
        Self {
            value: Some(value),
            ..Self::default()
        }
    }

    fn fault(kind: FaultKind) -> Self {
        Self {
            fault: Some(kind),
            ..Self::default()
        }
    }
}

/// All `traits` of one person at `now`. They are in the order of `Plan::traits`, each after the ones it reads.
///
/// The next change is exact, although each trait's own is worked out as if the traits that it reads stood still: before the
/// earliest of these times nothing has moved, and at that time the trait that it belongs to does.
pub fn compute(traits: &[ComputedTrait], given: &Given<'_>, now: Timestamp) -> Computed {
    let mut computed = Computed::default();
    let mut known = given.traits.clone();
    known.retain(|_, value| !value.is_null());
    for one in traits {
        let answer = answer(&one.kind, &known, given, now);
        known.remove(&*one.name);
        if let Some(value) = answer.value {
            known.insert(one.name.to_string(), value.clone());
            computed.values.insert(one.name.to_string(), value);
        }
        computed.changes_at = earliest(computed.changes_at, answer.changes_at);
        computed.faults.extend(answer.fault.map(|kind| Fault {
            trait_name: one.name.clone(),
            kind,
        }));
    }
    computed
}

fn answer(kind: &TraitKind, known: &Fields, given: &Given<'_>, now: Timestamp) -> Answer {
    match kind {
        TraitKind::Events {
            event,
            filter,
            window,
            aggregate,
        } => events::over(event, filter, *window, aggregate, given.events, now),
        TraitKind::Derive {
            expression,
            multiplied,
        } => derived::derive(expression, multiplied, known),
        TraitKind::Bin { of, edges, labels } => derived::bin(known.get(of), edges, labels),
        TraitKind::Prefix { of, length } => derived::prefix(known.get(of), *length),
        TraitKind::Age { of } => derived::age(known.get(of), now),
        TraitKind::Stages(stages) => derived::stage(stages, known, given.judge),
    }
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Conditions that read, between them, every event that the traits read: for a caller that loads no more than it must.
pub fn reads(traits: &[ComputedTrait]) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for one in traits {
        match &one.kind {
            TraitKind::Events { event, window, .. } => conditions.push(Condition::Event {
                name: event.clone(),
                filter: Vec::new(),
                window: *window,
                measure: Measure::Count {
                    at_least: None,
                    at_most: None,
                },
            }),
            TraitKind::Stages(stages) => {
                conditions.extend(stages.iter().filter_map(|stage| stage.who.clone()));
            }
            TraitKind::Derive { .. }
            | TraitKind::Bin { .. }
            | TraitKind::Prefix { .. }
            | TraitKind::Age { .. } => {}
        }
    }
    conditions
}

#[cfg(test)]
mod tests;
