//! Every condition of an audience for one person: whether it holds, why, and when that can change by itself. Contains the
//! person's own values, so it is only for people who may see the profile.

use crate::audience::evaluate::{counting, counts_at, evaluate, measured};
use crate::audience::{Facts, sequence, words};
use crate::expression::{Condition, Measure, POSITIONS, SCALE, Window, split_position};
use crate::model::Timestamp;

/// One condition of a tree, in the order in which the tree is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Its depth in the tree.
    pub depth: usize,
    /// What the condition asks.
    pub condition: String,
    pub holds: bool,
    /// What is known about the person; nothing for a condition that is made of others.
    pub why: String,
    pub changes_at: Option<Timestamp>,
}

pub fn explain(condition: &Condition, facts: &Facts<'_>, now: Timestamp) -> Vec<Explained> {
    let mut lines = Vec::new();
    add(condition, facts, now, 0, &mut lines);
    lines
}

fn add(
    condition: &Condition,
    facts: &Facts<'_>,
    now: Timestamp,
    depth: usize,
    lines: &mut Vec<Explained>,
) {
    let verdict = evaluate(condition, facts, now);
    lines.push(Explained {
        depth,
        condition: words::condition(condition),
        holds: verdict.holds,
        why: why(condition, facts, now),
        changes_at: verdict.changes_at,
    });
    match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            for part in parts {
                add(part, facts, now, depth + 1, lines);
            }
        }
        Condition::Not(part) => add(part, facts, now, depth + 1, lines),
        _ => {}
    }
}

fn why(condition: &Condition, facts: &Facts<'_>, now: Timestamp) -> String {
    match condition {
        Condition::All(_) | Condition::Any(_) | Condition::Not(_) => String::new(),
        Condition::Trait { name, .. } | Condition::Near { name, .. } => {
            match (facts.traits)(name).filter(|value| !value.is_null()) {
                Some(value) => format!("it is {}", words::value(value)),
                None => "it is not known".to_owned(),
            }
        }
        Condition::Audience { name, .. } | Condition::AccountAudience { name, .. } => {
            match (facts.audiences)(name) {
                Some(since) => format!("since {}", since.to_minutes()),
                None => "not in it".to_owned(),
            }
        }
        Condition::People { step, .. } => {
            format!("{} of its people", (facts.people)(step.as_deref()))
        }
        Condition::Consent { purpose } if (facts.granted)(purpose) => "granted".to_owned(),
        Condition::Consent { .. } => "not granted".to_owned(),
        Condition::Split { name, .. } => {
            let percent = f64::from(split_position(name, &facts.id)) * 100.0 / f64::from(POSITIONS);
            format!("the place in it is {percent}%")
        }
        Condition::Sequence { steps, window } => {
            let ends = sequence::ends(steps, *window, facts);
            let done = sequence::done(steps, facts, now);
            match ends.iter().rev().find(|end| **end <= now) {
                Some(last) => format!("last completed {}", last.to_minutes()),
                None if done == steps.len() => "completed at another time".to_owned(),
                None => format!("{done} of {} steps", steps.len()),
            }
        }
        Condition::Event {
            name,
            filter,
            window,
            measure,
        } => {
            let total = measured((name, filter, *window, measure), facts, now);
            let found = match measure {
                Measure::Count { .. } if total == 0 => "none".to_owned(),
                Measure::Count { .. } => format!("{total}"),
                Measure::Sum { .. } => format!("it is {}", total as f64 / SCALE),
            };
            let latest = |window: Window| {
                let times = counting(facts, name, filter, window).map(|event| event.time);
                times.filter(|time| counts_at(window, *time, now)).max()
            };
            match (latest(*window), latest(Window::Ever)) {
                (Some(last), _) => format!("{found}, the last {}", last.to_minutes()),
                (None, Some(last)) => format!("{found}; the last ever {}", last.to_minutes()),
                (None, None) => found,
            }
        }
    }
}
