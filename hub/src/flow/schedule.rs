//! Serving: each source at its schedule in its time zone, never two runs of one source at once, until told to stop.

use crate::flow::rest::rest;
use crate::flow::run::{Opens, RunOptions, run};
use crate::flow::{Context, rules};
use crate::manifest::{Schedule, Source};
use crate::model::Timestamp;
use crate::store::Result;
use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Tz;
use cron::Schedule as Cron;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;
use tokio::sync::watch;

/// Timers of audiences are looked at this often at the latest.
const TICK_MS: i64 = 1_000;
/// When nothing was done for so long, the hub rests: threads that only blocked or computed have ended by then.
const STILL_MS: i64 = 12_000;

/// The next instant after `after` at which the schedule fires; none when it never does.
pub fn next(schedule: &Schedule, after: Timestamp) -> Option<Timestamp> {
    let cron = Cron::from_str(&schedule.cron).ok()?;
    let after: DateTime<Utc> = DateTime::from_timestamp_millis(after.0)?;
    let zone: Tz = schedule.timezone;
    let found = cron
        .after(&zone.from_utc_datetime(&after.naive_utc()))
        .next()?;
    Some(Timestamp(found.timestamp_millis()))
}

/// When each source last began, so that what was missed while the hub was down is run once (`catch_up = "latest"`).
async fn first_times(context: &Context) -> Result<BTreeMap<String, Timestamp>> {
    let now = context.clock.now();
    let mut began: BTreeMap<String, i64> = BTreeMap::new();
    for run in context.store.read().await?.last_runs().await? {
        let latest = began.entry(run.source).or_default();
        *latest = run.started_at.max(*latest);
    }
    let mut times = BTreeMap::new();
    for (source, schedule) in scheduled(context) {
        let from = match (schedule.catch_up_latest, began.get(&*source.name)) {
            (true, Some(began)) => Timestamp(*began),
            _ => now,
        };
        if let Some(time) = next(schedule, from) {
            times.insert(source.name.to_string(), time);
        }
    }
    Ok(times)
}

fn scheduled(context: &Context) -> impl Iterator<Item = (&Source, &Schedule)> {
    context
        .plan
        .sources
        .iter()
        .filter_map(|source| Some((source, source.schedule.as_ref()?)))
}

/// Runs until `stop` turns true; the run under way ends at its next safe point.
pub async fn serve(
    context: &Context,
    connectors: &dyn Opens,
    options: &RunOptions,
    mut stop: watch::Receiver<bool>,
) -> Result<()> {
    let mut times = first_times(context).await?;
    // When something was done, until the hub rested from it; to start it was something too.
    let mut worked = Some(context.clock.now());
    loop {
        let now = context.clock.now();
        // First, while no connection is in use, nor on its way back from one who used it.
        if worked.is_some_and(|worked| now.0 - worked.0 >= STILL_MS) {
            if let Err(problem) = rest(context, connectors).await {
                // A hub that cannot rest can work all the same.
                tracing::warn!(code = problem.code.id, "{}", problem.message);
            }
            worked = None;
        }
        let due: Vec<String> = times
            .iter()
            .filter(|(_, time)| **time <= now)
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            if *stop.borrow() {
                return Ok(());
            }
            once(context, connectors, options, &name).await?;
            worked = Some(context.clock.now());
            let schedule = scheduled(context)
                .find(|(source, _)| *source.name == *name)
                .map(|(_, schedule)| schedule);
            // What came due during the run is skipped: the run that just ended saw its data.
            match schedule.and_then(|schedule| next(schedule, context.clock.now())) {
                Some(time) => times.insert(name, time),
                None => times.remove(&name),
            };
        }
        if timers_due(context).await? {
            once(context, connectors, options, "").await?;
            worked = Some(context.clock.now());
        }
        // I7: an answer that changes by itself is looked at when it does.
        let timer = context.store.read().await?.next_due().await?;
        let wait = times
            .values()
            .map(|time| time.0)
            .chain(timer)
            .map(|time| time - context.clock.now().0)
            .min()
            .unwrap_or(TICK_MS)
            .clamp(10, TICK_MS);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(wait as u64)) => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
    }
}

async fn timers_due(context: &Context) -> Result<bool> {
    let due = context.store.read().await?.next_due().await?;
    Ok(due.is_some_and(|due| due <= context.clock.now().0))
}

/// One run of one source, or of none for the timers alone, and the delivery that follows. Failures are logged; the next run tries again.
async fn once(
    context: &Context,
    connectors: &dyn Opens,
    options: &RunOptions,
    source: &str,
) -> Result<()> {
    let options = RunOptions {
        source: Some(source.to_owned()),
        deliver: true,
        ..options.clone()
    };
    // Rules that were applied since the last run hold from this one on.
    let mut context = context.clone();
    rules::adopt(&mut context).await?;
    let report = run(&context, connectors, &options).await?;
    for stream in &report.streams {
        tracing::info!(
            source = %stream.source, stream = %stream.stream, read = stream.counts.read, added = stream.counts.added,
            changed = stream.counts.changed, deleted = stream.counts.deleted, set_aside = stream.counts.set_aside, "read"
        );
    }
    let problems = report
        .problems
        .iter()
        .chain(
            report
                .streams
                .iter()
                .filter_map(|stream| stream.problem.as_ref()),
        )
        .chain(report.destinations.iter().flat_map(|one| &one.problems));
    for warning in &report.warnings {
        tracing::warn!(code = warning.code.id, "{}", warning.message);
    }
    for problem in problems {
        tracing::error!(code = problem.code.id, "{}", problem.message);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::ReadOptions;
    use crate::flow::harness::{Nobody, World};
    use crate::host::Cancel;
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    fn at(text: &str) -> Timestamp {
        Timestamp(
            DateTime::parse_from_rfc3339(text)
                .expect("a time")
                .timestamp_millis(),
        )
    }

    fn daily(zone: Tz) -> Schedule {
        Schedule {
            cron: "0 30 6 * * *".to_owned(),
            timezone: zone,
            catch_up_latest: true,
        }
    }

    #[test]
    fn a_daily_schedule_keeps_its_local_hour_when_the_clocks_change() {
        let warsaw = daily(chrono_tz::Europe::Warsaw);
        assert_eq!(
            next(&warsaw, at("2026-03-28T12:00:00Z")),
            Some(at("2026-03-29T04:30:00Z"))
        );
        assert_eq!(
            next(&warsaw, at("2026-03-27T12:00:00Z")),
            Some(at("2026-03-28T05:30:00Z"))
        );
    }

    #[test]
    fn the_next_time_is_after_the_last_one() {
        let utc = daily(chrono_tz::UTC);
        assert_eq!(
            next(&utc, at("2026-03-28T06:30:00Z")),
            Some(at("2026-03-29T06:30:00Z"))
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_hub_rests_once_when_nothing_was_done_for_a_while() {
        let manifest = "[hub]\nname = \"rest\"\nstore = \"sqlite:rest.db\"\n";
        let world = World::new(manifest, &[], 0).await;
        let connectors = Nobody::default();
        let (stop, stopping) = watch::channel(false);
        let options = RunOptions {
            source: None,
            stream: None,
            deliver: false,
            read: ReadOptions {
                full: false,
                cancel: Cancel::default(),
                progress: Arc::new(|_| {}),
            },
            events: Arc::new(|_| {}),
        };
        let serving = serve(&world.context, &connectors, &options, stopping);
        let moving = async {
            assert_eq!(connectors.rests(), 0);
            // Whenever it began to wait, it has waited long enough at some time.
            let soon = Duration::from_millis(100);
            while tokio::time::timeout(soon, connectors.rested.notified())
                .await
                .is_err()
            {
                world.hand.fetch_add(STILL_MS, Ordering::Relaxed);
            }
            // Its next looks find nothing that was done since.
            world.hand.fetch_add(10 * STILL_MS, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            assert_eq!(connectors.rests(), 1);
            stop.send(true).unwrap();
        };
        let (served, ()) = tokio::join!(serving, moving);
        served.unwrap();
    }
}
