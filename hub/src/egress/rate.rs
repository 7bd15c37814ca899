//! Rate budgets: a maximum number of requests in any window of a bucket, and none while the vendor asks the hub to wait. Where a vendor refuses
//! requests within the stated rate, which others may use too, half of it is used from then on, and step by step more again.
//! Computes when a request may leave; the caller does the waiting.

use crate::model::RateSpec;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest pause that a vendor can impose.
/// The hub waits no longer than this, whatever a vendor says.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
const DEFAULT: &str = "default";

pub struct Rates {
    specs: BTreeMap<String, RateSpec>,
    buckets: Mutex<HashMap<String, Bucket>>,
}

/// A share of the stated rate, in percent: halved when the vendor refuses, at most once a step, and raised by `MORE` with each step without that.
const ALL: u32 = 100;
const LEAST: u32 = 10;
const MORE: u32 = 10;
/// A step is a window, but not longer.
const LONGEST_STEP: Duration = Duration::from_secs(10);

struct Bucket {
    share: u32,
    /// When the share was last changed.
    stepped: Option<Instant>,
    /// When it was last halved.
    refused: Option<Instant>,
    /// When the requests of the last window left or will leave, the oldest first.
    sent: VecDeque<Instant>,
    paused_until: Option<Instant>,
}

impl Rates {
    pub fn new(specs: BTreeMap<String, RateSpec>) -> Self {
        Self {
            specs,
            buckets: Mutex::default(),
        }
    }

    /// Takes a place in the bucket's queue and says when it is due. None when that is after `deadline`: then no
    /// place was taken.
    pub fn reserve(
        &self,
        bucket: Option<&str>,
        now: Instant,
        deadline: Instant,
    ) -> Option<Instant> {
        self.with(bucket, |bucket, spec| bucket.reserve(spec, now, deadline))
    }

    /// Until when the vendor asked everybody in the bucket to wait, if that is still to come.
    pub fn paused_until(&self, bucket: Option<&str>, now: Instant) -> Option<Instant> {
        self.with(bucket, |bucket, _| {
            bucket.paused_until.filter(|until| *until > now)
        })
    }

    /// The vendor asks to wait.
    pub fn pause(&self, bucket: Option<&str>, now: Instant, wait: Duration) {
        let until = now + wait.min(LONGEST_PAUSE);
        self.with(bucket, |bucket, _| {
            bucket.paused_until = bucket.paused_until.max(Some(until));
        });
    }

    /// The vendor refused a request because there were too many.
    pub fn refused(&self, bucket: Option<&str>, now: Instant) {
        self.with(bucket, |bucket, spec| {
            if let Some(spec) = spec {
                bucket.refused(spec, now);
            }
        });
    }

    /// A bucket that the connector does not describe counts as the default one.
    fn with<T>(
        &self,
        name: Option<&str>,
        work: impl FnOnce(&mut Bucket, Option<RateSpec>) -> T,
    ) -> T {
        let name = match name {
            Some(name) if self.specs.contains_key(name) => name,
            _ => DEFAULT,
        };
        let spec = self.specs.get(name).copied();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        match buckets.get_mut(name) {
            Some(bucket) => work(bucket, spec),
            None => work(buckets.entry(name.to_owned()).or_default(), spec),
        }
    }
}

impl Default for Bucket {
    fn default() -> Self {
        Self {
            share: ALL,
            stepped: None,
            refused: None,
            sent: VecDeque::new(),
            paused_until: None,
        }
    }
}

impl Bucket {
    fn refused(&mut self, spec: RateSpec, now: Instant) {
        // The requests that were on their way are refused with the first one, and say nothing new.
        let is_new = self.refused.is_none_or(|before| now >= before + step(spec));
        if is_new {
            self.recover(spec, now);
            self.share = (self.share / 2).max(LEAST);
            (self.refused, self.stepped) = (Some(now), Some(now));
        }
    }

    fn recover(&mut self, spec: RateSpec, now: Instant) {
        while let Some(stepped) = self.stepped
            && self.share < ALL
            && stepped + step(spec) <= now
        {
            self.share = (self.share + MORE).min(ALL);
            self.stepped = Some(stepped + step(spec));
        }
    }

    fn reserve(
        &mut self,
        spec: Option<RateSpec>,
        now: Instant,
        deadline: Instant,
    ) -> Option<Instant> {
        let mut due = self.paused_until.map_or(now, |until| until.max(now));
        let Some(spec) = spec else {
            return (due <= deadline).then_some(due);
        };
        self.recover(spec, now);
        let stated = spec.requests as usize;
        let most = (stated * self.share as usize / ALL as usize).max(1);
        let is_full = self.sent.len() >= most;
        if is_full && let Some(oldest) = self.sent.get(self.sent.len() - most) {
            due = due.max(*oldest + Duration::from_millis(spec.per_ms));
        }
        // A later place never overtakes an earlier one, so the queue stays sorted.
        due = self.sent.back().map_or(due, |last| due.max(*last));
        if due > deadline {
            return None;
        }
        self.sent.push_back(due);
        if self.sent.len() > stated {
            self.sent.pop_front();
        }
        Some(due)
    }
}

fn step(spec: RateSpec) -> Duration {
    Duration::from_millis(spec.per_ms.max(1)).min(LONGEST_STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn rates(requests: u32, per_ms: u64) -> Rates {
        let spec = RateSpec { requests, per_ms };
        Rates::new(BTreeMap::from([("default".to_owned(), spec)]))
    }

    pub const FAR: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_pause_holds_back_everybody_in_the_bucket() {
        let rates = rates(10, 1000);
        let now = Instant::now();
        rates.pause(None, now, Duration::from_secs(7));
        let due = rates.reserve(Some("unknown"), now, now + FAR);
        assert_eq!(due, Some(now + Duration::from_secs(7)));
        assert_eq!(rates.reserve(None, now, now + Duration::from_secs(6)), None);
    }

    /// How many requests leave within a window from a time on.
    fn in_a_window(rates: &Rates, from: Instant) -> usize {
        let end = from + Duration::from_millis(999);
        let leave = std::iter::from_fn(|| rates.reserve(None, from, end));
        leave.take(1_000).count()
    }

    #[test]
    fn a_vendor_that_refuses_is_sent_half_and_step_by_step_more_again() {
        let rates = rates(100, 1_000);
        let start = Instant::now();
        let at = |second: u64| start + Duration::from_secs(second);
        assert_eq!(in_a_window(&rates, at(0)), 100);
        // All of a window's requests are refused: that is one signal.
        for _ in 0..100 {
            rates.refused(None, at(2));
        }
        assert_eq!(in_a_window(&rates, at(2)), 50);
        assert_eq!(in_a_window(&rates, at(4)), 70);
        rates.refused(None, at(6));
        assert_eq!(in_a_window(&rates, at(6)), 45);
        rates.refused(None, at(8));
        assert_eq!(in_a_window(&rates, at(8)), 32);
        for second in 9..100 {
            rates.refused(None, at(second));
        }
        assert!(
            in_a_window(&rates, at(100)) >= 10,
            "something is always sent"
        );
        assert_eq!(in_a_window(&rates, at(200)), 100);
    }

    #[test]
    fn a_refused_reservation_takes_no_place() {
        let rates = rates(1, 1000);
        let now = Instant::now();
        assert_eq!(rates.reserve(None, now, now + FAR), Some(now));
        for _ in 0..10 {
            assert_eq!(rates.reserve(None, now, now), None);
        }
        let due = rates.reserve(None, now, now + FAR);
        assert_eq!(due, Some(now + Duration::from_secs(1)));
    }
}

#[cfg(test)]
mod properties {
    use super::tests::{FAR, rates};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_window_holds_more_than_the_budget(
            requests in 1_u32..6,
            per_ms in 1_u64..200,
            gaps in proptest::collection::vec(0_u64..80, 1..80),
        ) {
            let rates = rates(requests, per_ms);
            let mut now = Instant::now();
            let mut sent = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                sent.extend(rates.reserve(None, now, now + FAR));
            }
            let window = Duration::from_millis(per_ms);
            for start in &sent {
                let inside = sent.iter().filter(|at| *at >= start && **at < *start + window);
                prop_assert!(inside.count() <= requests as usize);
            }
        }
    }
}
