//! Events in order: the times at which the last event completes the sequence.

use crate::audience::Facts;
use crate::audience::evaluate::{contains, counting};
use crate::expression::{Step, Window};
use crate::model::Timestamp;

/// The times of all last events, ascending, that count in the window at some time. What comes before the last event has
/// happened by then, so these times do not depend on now.
pub(super) fn ends(steps: &[Step], window: Window, facts: &Facts<'_>) -> Vec<Timestamp> {
    let mut reached: Option<Vec<Timestamp>> = None;
    for step in steps {
        let mut times: Vec<Timestamp> = counting(facts, &step.name, &step.filter, Window::Ever)
            .map(|event| event.time)
            .collect();
        times.sort_unstable();
        if let Some(before) = reached {
            times.retain(|time| follows(*time, &before, step.within));
        }
        reached = Some(times);
    }
    let mut ends = reached.unwrap_or_default();
    ends.retain(|time| contains(window, *time));
    ends
}

/// The latest event before is the one that matters: if it is too long ago, so are the others.
fn follows(time: Timestamp, before: &[Timestamp], within: Option<i64>) -> bool {
    let earlier = before.partition_point(|before| *before < time);
    let Some(latest) = earlier.checked_sub(1).map(|index| before[index]) else {
        return false;
    };
    within.is_none_or(|within| time.0.saturating_sub(latest.0) < within)
}

/// How many of the steps have been done by `now`, one after another: what is missing is the one after them.
pub(super) fn done(steps: &[Step], facts: &Facts<'_>, now: Timestamp) -> usize {
    (1..=steps.len())
        .take_while(|count| {
            let ends = ends(&steps[..*count], Window::Ever, facts);
            ends.first().is_some_and(|first| *first <= now)
        })
        .count()
}
