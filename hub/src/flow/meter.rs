//! What this process counts while it works: per batch, never per record. Label values are names of the manifests, problem codes and words
//! of this file: nothing personal, and a bounded number of series.

use crate::store::{LettersWritten, RunRow};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

pub type Labels<const N: usize> = [(&'static str, Arc<str>); N];

/// For how long a client that was asked to wait does so.
pub const SOON: Duration = Duration::from_secs(2);
/// Times at which the next number of a change is remembered. When there are more, every other one is forgotten.
const REMEMBERED: usize = 1_024;

/// The counters of a process. They outlive edits of the manifests.
#[derive(Clone)]
pub struct Meter {
    pub letters: LettersWritten,
    read: Family<Labels<2>, Counter>,
    records: Family<Labels<3>, Counter>,
    messages: Family<Labels<2>, Counter>,
    refused: Family<Labels<1>, Counter>,
    delivered: Family<Labels<3>, Counter>,
    failed: Family<Labels<2>, Counter>,
    calls: Family<Labels<2>, Counter>,
    runs: Family<Labels<3>, Counter>,
    durations: Family<Labels<2>, Histogram>,
    waits: Arc<Mutex<Waits>>,
    marked: Arc<Mutex<VecDeque<(i64, Instant)>>>,
}

/// How long clients were asked to wait, in all.
#[derive(Default)]
struct Waits {
    seconds: f64,
    until: Option<Instant>,
}

impl Default for Meter {
    fn default() -> Self {
        let durations = Family::new_with_constructor(durations as fn() -> Histogram);
        Self {
            letters: LettersWritten::default(),
            read: Family::default(),
            records: Family::default(),
            messages: Family::default(),
            refused: Family::default(),
            delivered: Family::default(),
            failed: Family::default(),
            calls: Family::default(),
            runs: Family::default(),
            durations,
            waits: Arc::default(),
            marked: Arc::default(),
        }
    }
}

/// From 0.05 seconds to almost an hour.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.05, 4.0, 9))
}

fn locked<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn add<const N: usize>(family: &Family<Labels<N>, Counter>, labels: &Labels<N>, count: i64) {
    if count > 0 {
        family.get_or_create(labels).inc_by(count.unsigned_abs());
    }
}

impl Meter {
    /// One committed batch of a stream.
    pub(super) fn landed(
        &self,
        source: &Arc<str>,
        stream: &Arc<str>,
        read: i64,
        results: [(&'static str, i64); 5],
    ) {
        let of = [("source", source.clone()), ("stream", stream.clone())];
        add(&self.read, &of, read);
        for (result, count) in results {
            let [source, stream] = of.clone();
            add(
                &self.records,
                &[source, stream, ("result", result.into())],
                count,
            );
        }
    }

    /// The messages of one request, once they are stored: new ones, and known ones, which had come before.
    pub fn collected(&self, source: &Arc<str>, stored: usize, known: usize) {
        for (result, count) in [("accepted", stored), ("duplicate", known)] {
            let labels = [("source", source.clone()), ("result", result.into())];
            add(&self.messages, &labels, count as i64);
        }
    }

    /// A request that was not taken.
    pub fn refused(&self, reason: &'static str) {
        add(&self.refused, &[("reason", reason.into())], 1);
    }

    /// A client was asked to come back `SOON`.
    pub fn asked_to_wait(&self) {
        let now = Instant::now();
        let mut waits = locked(&self.waits);
        let from = waits.until.map_or(now, |until| until.max(now));
        waits.until = Some(now + SOON);
        waits.seconds += (now + SOON - from).as_secs_f64();
    }

    pub(super) fn delivered(
        &self,
        destination: &Arc<str>,
        object: &str,
        operation: &'static str,
        rows: i64,
    ) {
        let labels = [
            ("destination", destination.clone()),
            ("object", object.into()),
            ("operation", operation.into()),
        ];
        add(&self.delivered, &labels, rows);
    }

    /// Rows that a destination refused, each with its problem code.
    pub(super) fn rejected(&self, destination: &Arc<str>, codes: &[&'static str]) {
        for code in codes {
            let labels = [
                ("destination", destination.clone()),
                ("code", (*code).into()),
            ];
            add(&self.failed, &labels, 1);
        }
    }

    /// A call or a delivery that failed as a whole.
    pub(super) fn failed_call(&self, destination: &Arc<str>, code: &'static str) {
        let labels = [("destination", destination.clone()), ("code", code.into())];
        add(&self.calls, &labels, 1);
    }

    /// A stream's read that ended.
    pub(super) fn ran(&self, run: &RunRow, took_ms: i64) {
        let [source, stream] = [&run.source, &run.stream].map(|name| Arc::from(name.as_str()));
        let of = [("source", source), ("stream", stream)];
        self.durations
            .get_or_create(&of)
            .observe(took_ms as f64 / 1_000.0);
        let [source, stream] = of;
        let outcome = ("outcome", run.state.as_str().into());
        add(&self.runs, &[source, stream, outcome], 1);
    }

    /// The number that the next change will have, as it is now.
    pub fn next_change(&self, number: i64) {
        let mut marked = locked(&self.marked);
        if marked.back().is_some_and(|(last, _)| *last == number) {
            return;
        }
        if marked.len() == REMEMBERED {
            let mut index = 0;
            marked.retain(|_| {
                index += 1;
                index % 2 == 1
            });
        }
        marked.push_back((number, Instant::now()));
    }

    /// For how long at least the change with a number has been there, as far as this process knows.
    pub fn age_of_change(&self, number: i64) -> Duration {
        let marked = locked(&self.marked);
        let first = marked.partition_point(|(next, _)| *next <= number);
        let since = marked.get(first).map(|(_, at)| at.elapsed());
        since.unwrap_or_default()
    }

    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "records_read",
            "Records that sources returned",
            self.read.clone(),
        );
        registry.register(
            "records",
            "Records by what became of them; added and changed ones were mapped",
            self.records.clone(),
        );
        registry.register(
            "messages",
            "Messages that clients sent to the hub and that are stored",
            self.messages.clone(),
        );
        registry.register(
            "refused_requests",
            "Requests of clients that were not taken, by reason",
            self.refused.clone(),
        );
        registry.register(
            "delivered_rows",
            "Rows that destinations took",
            self.delivered.clone(),
        );
        registry.register(
            "failed_rows",
            "Rows that destinations refused, by problem code",
            self.failed.clone(),
        );
        registry.register(
            "failed_deliveries",
            "Calls to destinations that failed as a whole, by problem code",
            self.calls.clone(),
        );
        registry.register("runs", "Reads of a stream, by outcome", self.runs.clone());
        registry.register_with_unit(
            "run_duration",
            "How long the reads of a stream took",
            Unit::Seconds,
            self.durations.clone(),
        );
        let letters: Family<Labels<4>, Counter> = Family::default();
        for ([kind, source, stream, code], count) in self.letters.counts() {
            let labels = [
                ("kind", kind),
                ("source", source),
                ("stream", stream),
                ("code", code),
            ];
            letters
                .get_or_create(&labels.map(|(key, text)| (key, text.into())))
                .inc_by(count);
        }
        registry.register(
            "dead_letters",
            "Dead letters written, by problem code",
            letters,
        );
        let waits: Counter<f64, std::sync::atomic::AtomicU64> = Counter::default();
        waits.inc_by(locked(&self.waits).seconds);
        registry.register_with_unit(
            "asked_to_wait",
            "Time in which clients were asked to come back later (429 and 503)",
            Unit::Seconds,
            waits,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_that_overlap_are_counted_once() {
        let meter = Meter::default();
        for _ in 0..1_000 {
            meter.asked_to_wait();
        }
        let seconds = locked(&meter.waits).seconds;
        assert!((2.0..3.0).contains(&seconds), "{seconds}");
    }

    #[test]
    fn a_change_is_as_old_as_the_first_moment_after_it_was_marked() {
        let meter = Meter::default();
        assert_eq!(meter.age_of_change(1), Duration::ZERO);
        meter.next_change(10);
        let before = Instant::now();
        meter.next_change(20);
        // Of one that was marked before this process began, it is known that it is older.
        assert!(meter.age_of_change(3) >= before.elapsed());
        assert!(meter.age_of_change(15) <= before.elapsed() + Duration::from_millis(5));
        assert_eq!(meter.age_of_change(20), Duration::ZERO);
        for number in 0..10_000 {
            meter.next_change(100 + number);
        }
        let marked = locked(&meter.marked);
        assert!(marked.len() <= REMEMBERED && marked.front().map(|one| one.0) == Some(10));
    }
}
