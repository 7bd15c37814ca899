//! Evaluates a condition for one person now, and finds the next moment at which the answer changes by itself.
//!
//! The condition is first reduced to what time can change: everything else becomes true or false at once, which usually
//! settles the answer.

use crate::audience::{EventFact, Facts, sequence};
use crate::expression::{Condition, Measure, Test, Window};
use crate::expression::{Number, millis, number, passes_for, scale, split_position};
use crate::model::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub holds: bool,
    /// The earliest time after `now` at which `holds` is different with no new data; nothing when it never is.
    pub changes_at: Option<Timestamp>,
}

pub fn evaluate(condition: &Condition, facts: &Facts<'_>, now: Timestamp) -> Verdict {
    let reduced = reduce(condition, facts, now);
    let holds = reduced.at(now);
    let mut times = Vec::new();
    reduced.collect_flips(&mut times);
    times.sort_unstable();
    times.dedup();
    let changes_at = times.into_iter().find(|&time| reduced.at(time) != holds);
    Verdict { holds, changes_at }
}

/// What is left of a condition when everything that time does not change is decided.
enum Reduced {
    Always(bool),
    /// True or false now, and the later times at which it turns.
    Leaf {
        holds: bool,
        flips: Vec<Timestamp>,
    },
    All(Vec<Reduced>),
    Any(Vec<Reduced>),
    Not(Box<Reduced>),
}

impl Reduced {
    fn leaf(holds: bool, flips: Vec<Timestamp>) -> Self {
        if flips.is_empty() {
            Self::Always(holds)
        } else {
            Self::Leaf { holds, flips }
        }
    }

    /// True from a time on.
    fn from(start: Timestamp, now: Timestamp) -> Self {
        if start <= now {
            Self::Always(true)
        } else {
            Self::leaf(false, vec![start])
        }
    }

    /// True while `time + from <= now < time + until`.
    fn between(time: i64, from: i64, until: i64, now: Timestamp) -> Self {
        let (start, end) = (time.saturating_add(from), time.saturating_add(until));
        if start >= end {
            return Self::Always(false);
        }
        let later = [start, end].map(Timestamp).into_iter();
        let flips = later.filter(|time| *time > now).collect();
        Self::leaf((start..end).contains(&now.0), flips)
    }

    fn at(&self, time: Timestamp) -> bool {
        match self {
            Self::Always(holds) => *holds,
            Self::Leaf { holds, flips } => {
                *holds ^ (flips.partition_point(|flip| *flip <= time) % 2 == 1)
            }
            Self::All(parts) => parts.iter().all(|part| part.at(time)),
            Self::Any(parts) => parts.iter().any(|part| part.at(time)),
            Self::Not(part) => !part.at(time),
        }
    }

    fn collect_flips(&self, times: &mut Vec<Timestamp>) {
        match self {
            Self::Always(_) => {}
            Self::Leaf { flips, .. } => times.extend(flips),
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().for_each(|part| part.collect_flips(times));
            }
            Self::Not(part) => part.collect_flips(times),
        }
    }
}

fn reduce(condition: &Condition, facts: &Facts<'_>, now: Timestamp) -> Reduced {
    match condition {
        Condition::All(parts) => match reduce_parts(parts, false, facts, now) {
            None => Reduced::Always(false),
            Some(open) if open.is_empty() => Reduced::Always(true),
            Some(open) => Reduced::All(open),
        },
        Condition::Any(parts) => match reduce_parts(parts, true, facts, now) {
            None => Reduced::Always(true),
            Some(open) if open.is_empty() => Reduced::Always(false),
            Some(open) => Reduced::Any(open),
        },
        Condition::Not(part) => match reduce(part, facts, now) {
            Reduced::Always(holds) => Reduced::Always(!holds),
            open => Reduced::Not(Box::new(open)),
        },
        Condition::Trait { name, test } => {
            Reduced::Always(passes_for((facts.traits)(name), test, facts.traits))
        }
        Condition::Near { name, from, until } => match (facts.traits)(name).and_then(millis) {
            Some(time) => Reduced::between(time, *from, *until, now),
            None => Reduced::Always(false),
        },
        Condition::Audience { name, lasting } | Condition::AccountAudience { name, lasting } => {
            match (facts.audiences)(name) {
                Some(_) if *lasting == 0 => Reduced::Always(true),
                Some(since) => Reduced::from(Timestamp(since.0.saturating_add(*lasting)), now),
                None => Reduced::Always(false),
            }
        }
        Condition::People {
            step,
            at_least,
            at_most,
            ..
        } => {
            let count = (facts.people)(step.as_deref());
            // When a person's answer changes, the person's own timers say so.
            Reduced::Always(
                at_least.is_none_or(|bound| count >= bound)
                    && at_most.is_none_or(|bound| count <= bound),
            )
        }
        Condition::Consent { purpose } => Reduced::Always((facts.granted)(purpose)),
        Condition::Split { name, from, until } => {
            Reduced::Always((*from..*until).contains(&split_position(name, &facts.id)))
        }
        Condition::Event {
            name,
            filter,
            window,
            measure,
        } => {
            let counted = counting(facts, name, filter, *window)
                .map(|event| (event.time, amount(event, measure)));
            reduce_total(counted, *window, now, &|total| {
                within_bounds(total, measure)
            })
        }
        Condition::Sequence { steps, window } => {
            let ends = sequence::ends(steps, *window, facts).into_iter();
            reduce_total(ends.map(|time| (time, 1)), *window, now, &|total| {
                total >= 1
            })
        }
    }
}

/// The parts that time can change; nothing when a part is always `decisive`, which decides the whole.
fn reduce_parts(
    parts: &[Condition],
    decisive: bool,
    facts: &Facts<'_>,
    now: Timestamp,
) -> Option<Vec<Reduced>> {
    let mut open = Vec::new();
    for part in parts {
        match reduce(part, facts, now) {
            Reduced::Always(holds) if holds == decisive => return None,
            Reduced::Always(_) => {}
            part => open.push(part),
        }
    }
    Some(open)
}

/// The events that count at some time.
pub(super) fn counting<'f, 'c>(
    facts: &Facts<'f>,
    name: &'c str,
    filter: &'c [(String, Test)],
    window: Window,
) -> impl Iterator<Item = &'f EventFact<'f>> + use<'f, 'c> {
    let traits = facts.traits;
    facts.events.iter().filter(move |event| {
        contains(window, event.time)
            && event.name == name
            && filter
                .iter()
                .all(|(property, test)| passes_for(event.properties.get(property), test, traits))
    })
}

/// Whether an event of this time counts at some time.
pub(super) fn contains(window: Window, time: Timestamp) -> bool {
    match window {
        Window::Ever | Window::Within(_) => true,
        Window::Between(from, to) => from <= time && time < to,
    }
}

/// Whether an event of this time counts at `now`.
pub(super) fn counts_at(window: Window, time: Timestamp, now: Timestamp) -> bool {
    let (from, until) = span(time, window);
    contains(window, time) && from <= now && until.is_none_or(|until| now < until)
}

/// What is measured over the events that count at `now`.
pub(super) fn measured(
    condition: (&str, &[(String, Test)], Window, &Measure),
    facts: &Facts<'_>,
    now: Timestamp,
) -> i128 {
    let (name, filter, window, measure) = condition;
    counting(facts, name, filter, window)
        .filter(|event| counts_at(window, event.time, now))
        .map(|event| amount(event, measure))
        .sum()
}

/// A total over events, each with its time and what it adds, judged by `holds`.
fn reduce_total(
    events: impl Iterator<Item = (Timestamp, i128)>,
    window: Window,
    now: Timestamp,
    holds: &dyn Fn(i128) -> bool,
) -> Reduced {
    let mut total = 0;
    let mut steps = Vec::new();
    for (time, amount) in events {
        let (from, until) = span(time, window);
        if until.is_some_and(|until| until <= now.max(from)) {
            continue;
        }
        if from <= now {
            total += amount;
        } else {
            steps.push((from, amount));
        }
        if let Some(until) = until {
            steps.push((until, -amount));
        }
    }
    let at_first = holds(total);
    steps.sort_unstable_by_key(|(time, _)| *time);
    let mut flips = Vec::new();
    let mut state = at_first;
    for moment in steps.chunk_by(|a, b| a.0 == b.0) {
        total += moment.iter().map(|(_, amount)| amount).sum::<i128>();
        if holds(total) != state {
            state = !state;
            flips.push(moment[0].0);
        }
    }
    Reduced::leaf(at_first, flips)
}

/// The first moment at which an event counts, and the first at which it no longer does.
fn span(time: Timestamp, window: Window) -> (Timestamp, Option<Timestamp>) {
    match window {
        Window::Ever | Window::Between(..) => (time, None),
        Window::Within(duration) => (time, time.0.checked_add(duration).map(Timestamp)),
    }
}

/// One, or the property in ten-thousandths: whole numbers, so that a sum does not depend on the order of its parts (I1).
fn amount(event: &EventFact<'_>, measure: &Measure) -> i128 {
    match measure {
        Measure::Count { .. } => 1,
        Measure::Sum { property, .. } => match event.properties.get(property).and_then(number) {
            Some(Number::Whole(whole)) => scale(whole as f64),
            Some(Number::Real(real)) => scale(real),
            None => 0,
        },
    }
}

/// A count without bounds asks for one event at least; a sum without bounds asks for nothing.
fn within_bounds(total: i128, measure: &Measure) -> bool {
    match measure {
        Measure::Count {
            at_least: None,
            at_most: None,
        } => total >= 1,
        Measure::Count { at_least, at_most } => {
            at_least.is_none_or(|bound| total >= i128::from(bound))
                && at_most.is_none_or(|bound| total <= i128::from(bound))
        }
        Measure::Sum {
            at_least, at_most, ..
        } => {
            at_least.is_none_or(|bound| total >= scale(bound))
                && at_most.is_none_or(|bound| total <= scale(bound))
        }
    }
}
