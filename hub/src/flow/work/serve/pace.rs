//! When work that failed is retried, and when nothing has been done for a while.

use crate::clock::Clock;
use crate::model::Timestamp;
use crate::problem::codes::STORE_FAILED;
use crate::problem::{Class, Problem};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The first wait after a failure that may pass; it doubles with each further one.
const FIRST_MS: i64 = 1_000;
/// The longest wait.
const LONGEST_MS: i64 = 300_000;
/// The wait after a failure that only a person can fix: by then somebody may have.
const UNLIKELY_MS: i64 = 300_000;

/// Failures in a row of one piece of work.
#[derive(Debug, Default)]
pub(super) struct Pace {
    failures: u32,
}

impl Pace {
    /// When to retry after a problem; none when there was none.
    pub fn after(&mut self, problem: Option<&Problem>, now: Timestamp) -> Option<Timestamp> {
        let Some(problem) = problem else {
            self.failures = 0;
            return None;
        };
        match may_pass(problem) {
            true => Some(self.later(now)),
            false => Some(Timestamp(now.0.saturating_add(UNLIKELY_MS))),
        }
    }

    /// When to go on with what has to wait; each time in a row the wait is longer.
    pub fn later(&mut self, now: Timestamp) -> Timestamp {
        self.failures += 1;
        let wait_ms = LONGEST_MS.min(FIRST_MS << (self.failures - 1).min(20));
        Timestamp(now.0.saturating_add(wait_ms))
    }
}

/// Failures in a row of one source, which are retried before its next time for as long as its window is.
#[derive(Debug)]
pub(super) struct Retries {
    pace: Pace,
    window_ms: Option<i64>,
    /// When the first of them was.
    since: Option<Timestamp>,
}

impl Retries {
    pub fn new(window_ms: Option<i64>) -> Self {
        Self {
            pace: Pace::default(),
            window_ms,
            since: None,
        }
    }

    /// When to retry; none when there was no problem, and when the next time comes first: a problem that only a person can mend, or one that
    /// did not pass within the window. The read at the next time begins a window of its own.
    pub fn after(&mut self, problem: Option<&Problem>, now: Timestamp) -> Option<Timestamp> {
        let retry = self.pace.after(problem, now);
        let retry = retry.filter(|_| problem.is_some_and(may_pass));
        let since = *self.since.get_or_insert(now);
        let end = self.window_ms.map(|window| since.0.saturating_add(window));
        let retry = retry.filter(|at| end.is_none_or(|end| at.0 <= end));
        if retry.is_none() {
            *self = Self::new(self.window_ms);
        }
        retry
    }
}

/// Whether a retry may succeed without anybody's help.
pub(super) fn may_pass(problem: &Problem) -> bool {
    problem.code.class == Class::Retry || problem.code == &STORE_FAILED
}

/// How much is being done, and when the last of it ended.
pub(super) struct Activity {
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    busy: usize,
    /// None once the hub has rested since.
    ended: Option<Timestamp>,
}

/// Work is under way for as long as this exists.
pub(super) struct Working<'a>(&'a Activity);

impl Activity {
    /// Starting counts as work, too.
    pub fn new(clock: Clock) -> Self {
        let ended = Some(clock.now());
        Self {
            clock,
            state: Mutex::new(State { busy: 0, ended }),
        }
    }

    pub fn begin(&self) -> Working<'_> {
        self.state().busy += 1;
        Working(self)
    }

    /// Whether nothing has been done for `still_ms`. True once, until something was done again.
    pub fn is_still(&self, still_ms: i64) -> bool {
        let now = self.clock.now();
        let mut state = self.state();
        let is_still =
            state.busy == 0 && state.ended.is_some_and(|ended| now.0 - ended.0 >= still_ms);
        if is_still {
            state.ended = None;
        }
        is_still
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let now = self.0.clock.now();
        let mut state = self.0.state();
        state.busy -= 1;
        state.ended = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::codes::{RULES_CHANGED, VENDOR_AUTH};

    #[test]
    fn a_source_is_retried_within_its_window_and_then_waits_for_its_next_time() {
        let passing = Problem::new(&RULES_CHANGED, "");
        let refused = Problem::new(&VENDOR_AUTH, "");
        let mut retries = Retries::new(Some(10_000));
        let mut now = Timestamp(0);
        let mut tried = Vec::new();
        while let Some(at) = retries.after(Some(&passing), now) {
            tried.push(at.0);
            now = at;
        }
        assert_eq!(tried, [1_000, 3_000, 7_000]);
        // The next time begins again, whatever went before.
        now = Timestamp(60_000);
        assert_eq!(retries.after(Some(&passing), now), Some(Timestamp(61_000)));
        assert_eq!(retries.after(None, now), None);
        let much_later = Timestamp(600_000);
        let again = retries.after(Some(&passing), much_later);
        assert_eq!(again, Some(Timestamp(601_000)));
        assert_eq!(retries.after(Some(&refused), much_later), None);
        let mut endless = Retries::new(None);
        assert!((0..100).all(|_| endless.after(Some(&passing), Timestamp(0)).is_some()));
    }

    #[test]
    fn failures_that_may_pass_are_tried_again_soon_and_then_less_often() {
        let problem = Problem::new(&RULES_CHANGED, "");
        let mut pace = Pace::default();
        let mut wait = || pace.after(Some(&problem), Timestamp(0)).unwrap().0;
        assert_eq!([wait(), wait(), wait()], [1_000, 2_000, 4_000]);
        assert!((0..100).all(|_| wait() <= LONGEST_MS));
        assert_eq!(pace.after(None, Timestamp(0)), None);
        let again = pace.after(Some(&problem), Timestamp(5));
        assert_eq!(again, Some(Timestamp(1_005)));
        let refused = Problem::new(&VENDOR_AUTH, "");
        let again = Pace::default().after(Some(&refused), Timestamp(0));
        assert_eq!(again, Some(Timestamp(UNLIKELY_MS)));
    }
}
