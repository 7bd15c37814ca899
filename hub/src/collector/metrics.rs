//! `/metrics`, as OpenMetrics: what the process counted, and what the store is asked for. However often it is scraped, the store is asked
//! at most once in some seconds, and never for more than a small share of the time.

use super::Collector;
use crate::flow::{Context, Labels, Meter};
use crate::store::Result;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// For how long at least what the store answered is used.
const FRESH: Duration = Duration::from_secs(5);
/// The same, as a multiple of the time that the answer took.
const SHARE: u32 = 20;
/// How long a scrape waits for the store before it is answered with what was known before.
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Metrics {
    meter: Meter,
    begun: Instant,
    asked: Arc<Mutex<Asked>>,
    answered: watch::Sender<u64>,
}

#[derive(Default)]
struct Asked {
    known: Arc<Known>,
    is_under_way: bool,
    /// When the store may be asked again.
    again: Option<Instant>,
}

/// What the store answered.
#[derive(Default)]
struct Known {
    bytes: i64,
    /// By source: how many messages wait, and for how long the oldest.
    inbox: Vec<(Arc<str>, i64, f64)>,
    /// The same of changes, by destination.
    changes: Vec<(Arc<str>, i64, f64)>,
    audiences: Vec<(Arc<str>, i64)>,
}

impl Metrics {
    pub fn new(meter: Meter) -> Self {
        Self {
            meter,
            begun: Instant::now(),
            asked: Arc::default(),
            answered: watch::channel(0).0,
        }
    }

    /// Counts an answer to a client.
    pub fn answered(&self, status: u16) {
        let reason = match status {
            0..=399 => return,
            400 => "unreadable",
            401 => "unknown_key",
            403 => "origin",
            404 | 405 => "unknown_route",
            408 => "too_slow",
            413 => "too_large",
            429 => "full",
            503 => "unavailable",
            500.. => "failed",
            402..=499 => "refused",
        };
        self.meter.refused(reason);
        if matches!(status, 429 | 503) {
            self.meter.asked_to_wait();
        }
    }

    /// Everything, as text.
    pub async fn text(&self, collector: Option<&Collector>) -> String {
        let mut registry = Registry::with_prefix("onefold");
        self.meter.register(&mut registry);
        let ready: Gauge = Gauge::default();
        ready.set(i64::from(collector.is_some()));
        registry.register("ready", "Whether the hub takes messages", ready);
        let up: Gauge<f64, std::sync::atomic::AtomicU64> = Gauge::default();
        up.set(self.begun.elapsed().as_secs_f64());
        let help = "How long the process has been serving";
        registry.register_with_unit("up", help, Unit::Seconds, up);
        if let Some(bytes) = resident() {
            let memory: Gauge = Gauge::default();
            memory.set(bytes);
            let help = "Memory of the process that is not swapped out";
            registry.register_with_unit("resident_memory", help, Unit::Bytes, memory);
        }
        if let Some(collector) = collector {
            self.known(&collector.context).await.register(&mut registry);
        }
        let mut text = String::new();
        match encode(&mut text, &registry) {
            Ok(()) => text,
            Err(_) => unreachable!("a string takes everything"),
        }
    }

    async fn known(&self, context: &Context) -> Arc<Known> {
        let mut answered = self.answered.subscribe();
        if self.begin() {
            let (asked, context) = (self.asked.clone(), context.clone());
            let tell = self.answered.clone();
            tokio::spawn(async move {
                let begun = Instant::now();
                let known = Known::of(&context).await;
                let mut asked = locked(&asked);
                asked.is_under_way = false;
                asked.again = Some(Instant::now() + FRESH.max(begun.elapsed() * SHARE));
                match known {
                    Ok(known) => asked.known = Arc::new(known),
                    Err(problem) => {
                        tracing::warn!(code = problem.code.id, "{}", problem.message);
                    }
                }
                drop(asked);
                tell.send_modify(|count| *count += 1);
            });
        }
        if locked(&self.asked).is_under_way {
            // Without an answer, what was known before is shown.
            let _ = tokio::time::timeout(PATIENCE, answered.changed()).await;
        }
        locked(&self.asked).known.clone()
    }

    /// Whether the store is to be asked now, by the caller.
    fn begin(&self) -> bool {
        let mut asked = locked(&self.asked);
        let is_fresh = asked.again.is_some_and(|again| Instant::now() < again);
        let begins = !asked.is_under_way && !is_fresh;
        asked.is_under_way |= begins;
        begins
    }
}

fn locked(asked: &Mutex<Asked>) -> MutexGuard<'_, Asked> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Known {
    async fn of(context: &Context) -> Result<Self> {
        let mut known = Self::default();
        let mut tx = context.store.read().await?;
        known.bytes = tx.bytes().await?;
        let now = context.clock.now().0;
        for source in &context.plan.sources {
            if source.is_collected() || source.has_webhook() {
                let (waiting, oldest) = tx.inbox_counts(&source.name).await?;
                let age = oldest.map_or(0.0, |oldest| (now - oldest).max(0) as f64 / 1_000.0);
                known.inbox.push((source.name.clone(), waiting, age));
            }
        }
        for destination in &context.plan.destinations {
            let name = &destination.name;
            let (waiting, oldest) = tx.waiting_changes(name).await?;
            let age = oldest.map(|oldest| context.meter.age_of_change(oldest));
            let age = age.unwrap_or_default().as_secs_f64();
            known.changes.push((name.clone(), waiting, age));
        }
        for audience in context.plan.audiences.iter().filter(|one| !one.is_step) {
            let size = tx.member_count(audience.of, &audience.name).await?;
            known.audiences.push((audience.name.clone(), size));
        }
        Ok(known)
    }

    fn register(&self, registry: &mut Registry) {
        let bytes: Gauge = Gauge::default();
        bytes.set(self.bytes);
        registry.register_with_unit("store", "How large the database is", Unit::Bytes, bytes);
        waiting(
            registry,
            "source",
            &self.inbox,
            [
                ("inbox_waiting", "Messages that are stored and not read yet"),
                (
                    "inbox_oldest",
                    "Age of the oldest message that is not read yet",
                ),
            ],
        );
        waiting(
            registry,
            "destination",
            &self.changes,
            [
                (
                    "changes_waiting",
                    "Changes that a destination has not acknowledged",
                ),
                (
                    "changes_oldest",
                    "Time since the oldest of them was first marked, as far as this process has seen",
                ),
            ],
        );
        let sizes: Family<Labels<1>, Gauge> = Family::default();
        for (name, size) in &self.audiences {
            sizes
                .get_or_create(&[("audience", name.clone())])
                .set(*size);
        }
        registry.register("audience_members", "Members of an audience", sizes);
    }
}

/// How much waits, and for how long, by a label.
fn waiting(
    registry: &mut Registry,
    label: &'static str,
    rows: &[(Arc<str>, i64, f64)],
    [(count, counts), (oldest, ages)]: [(&'static str, &'static str); 2],
) {
    let numbers: Family<Labels<1>, Gauge> = Family::default();
    let times: Family<Labels<1>, Gauge<f64, std::sync::atomic::AtomicU64>> = Family::default();
    for (name, waits, age) in rows {
        let of = [(label, name.clone())];
        numbers.get_or_create(&of).set(*waits);
        times.get_or_create(&of).set(*age);
    }
    registry.register(count, counts, numbers);
    registry.register_with_unit(oldest, ages, Unit::Seconds, times);
}

/// What the process has in memory, in bytes; none where the system has no `/proc`.
fn resident() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: i64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_asked_once_however_often_somebody_scrapes() {
        let metrics = Metrics::new(Meter::default());
        let begun = (0..1_000).filter(|_| metrics.begin()).count();
        assert_eq!(begun, 1);
        // Answered, and fresh for a while.
        let mut asked = locked(&metrics.asked);
        asked.is_under_way = false;
        asked.again = Some(Instant::now() + FRESH);
        drop(asked);
        assert!(!metrics.begin());
        locked(&metrics.asked).again = Some(Instant::now());
        assert!(metrics.begin());
    }
}
