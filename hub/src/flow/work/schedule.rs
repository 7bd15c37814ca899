//! When a source runs next by its schedule, in its time zone.

use crate::flow::context::Context;
use crate::flow::work::turns::{Timing, Turns};
use crate::manifest::{Schedule, Source, When};
use crate::model::Timestamp;
use crate::store::Result;
use chrono::{DateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use cron::Schedule as Cron;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// The next instant after `after` at which the schedule fires; none when it never does, or when another source decides.
///
/// Where a clock changes, a schedule that names its hour fires once on each day: at the moment of the change when its time is skipped, and
/// the first time when its time comes twice. One that runs through the hours (`*` for seconds, minutes or hours) fires by the wall clock
/// as it runs: nothing where time is skipped, and twice where it comes twice.
pub fn next(schedule: &Schedule, after: Timestamp) -> Option<Timestamp> {
    match &schedule.when {
        When::Cron(fields) => next_by_cron(fields, schedule.timezone, after),
        When::Every(millis) => {
            let next = after.0.div_euclid(*millis).checked_add(1)?;
            next.checked_mul(*millis).map(Timestamp)
        }
        When::After(_) => None,
    }
}

fn next_by_cron(fields: &str, zone: Tz, after: Timestamp) -> Option<Timestamp> {
    let cron = Cron::from_str(fields).ok()?;
    let runs_through = fields
        .split_whitespace()
        .take(3)
        .any(|field| field.contains('*'));
    let mut after: DateTime<Utc> = DateTime::from_timestamp_millis(after.0)?;
    let mut offset = offset_at(zone, after);
    // What the wall clock has shown; later than `after` where time comes twice.
    let mut shown = after.naive_utc() + offset;
    let lately = after - TimeDelta::hours(24);
    if let (false, Some(change)) = (runs_through, change_within(zone, lately, after)) {
        let before = change.naive_utc() + offset_at(zone, lately);
        shown = shown.max(before - TimeDelta::milliseconds(1));
    }
    loop {
        // The wall clock as if it never changed.
        let wall = cron.after(&shown.and_utc()).next()?.naive_utc();
        let found = (wall - offset).and_utc();
        let Some(change) = change_within(zone, after, found) else {
            return Some(Timestamp(found.timestamp_millis()));
        };
        let before = change.naive_utc() + offset;
        offset = offset_at(zone, change);
        let begins = change.naive_utc() + offset;
        let is_skipped = before <= wall && wall < begins;
        if is_skipped && !runs_through {
            return Some(Timestamp(change.timestamp_millis()));
        }
        let first = match runs_through {
            true => begins,
            false => begins.max(before),
        };
        shown = first - TimeDelta::milliseconds(1);
        after = change;
    }
}

fn offset_at(zone: Tz, time: DateTime<Utc>) -> TimeDelta {
    let offset = zone.offset_from_utc_datetime(&time.naive_utc()).fix();
    TimeDelta::seconds(i64::from(offset.local_minus_utc()))
}

/// The first instant after `from` and up to `to` from which on the clock differs.
fn change_within(zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let offset = offset_at(zone, from);
    let (mut low, mut high) = (from, from);
    // No zone changes its clock twice in so short a time.
    while offset_at(zone, high) == offset {
        if high >= to {
            return None;
        }
        low = high;
        high = to.min(high + TimeDelta::hours(12));
    }
    while high - low > TimeDelta::milliseconds(1) {
        let middle = low + (high - low) / 2;
        match offset_at(zone, middle) == offset {
            true => low = middle,
            false => high = middle,
        }
    }
    Some(high)
}

/// Before every schedule.
const NEVER: Timestamp = Timestamp(0);

/// When the last completed reads began, by source: of several streams the one that is furthest behind, such as one that was
/// begun and never completed. If the clock was set back since, a time is at most now.
pub async fn last_read(context: &Context) -> Result<BTreeMap<String, Timestamp>> {
    let now = context.clock.now();
    let mut began: BTreeMap<String, Timestamp> = BTreeMap::new();
    let plan = &context.plan.sources;
    let is_read = |source: &str, stream: &str| {
        let of = plan.iter().find(|one| &*one.name == source);
        of.is_some_and(|of| of.streams.iter().any(|one| &*one.name == stream))
    };
    for (source, stream, at) in context.store.read().await?.last_done().await? {
        if is_read(&source, &stream) {
            let at = at.map_or(NEVER, |at| Timestamp(at).min(now));
            let first = began.entry(source).or_insert(at);
            *first = at.min(*first);
        }
    }
    Ok(began)
}

/// When a source was last read to its end: when the stream that is furthest behind was. None, if some stream never was.
pub async fn last_end(context: &Context, source: &str) -> Result<Option<Timestamp>> {
    let ended = context.store.read().await?.last_ends(source).await?;
    let Some(of) = context.plan.sources.iter().find(|one| *one.name == *source) else {
        return Ok(None);
    };
    let ends = of.streams.iter().map(|stream| {
        let end = ended.iter().find(|(name, _)| *name == *stream.name);
        end.map_or(NEVER, |(_, at)| Timestamp(*at))
    });
    Ok(ends.min().filter(|end| *end > NEVER))
}

/// What a service that is overtaken leaves to the one that goes on with the new manifests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// When it stopped. What has been due since was not missed: it is read.
    pub stopped_at: Option<Timestamp>,
    /// Sources whose read was cut off, or waited.
    pub unread: BTreeSet<String>,
    /// Sources whose last read returned nothing.
    pub emptied: BTreeSet<String>,
}

/// The indexes of the sources that have a schedule, each with what is known of its times: what was missed while the hub was
/// down, or was begun and not finished, goes by `catch_up`.
pub async fn first_turns(context: &Context, carried: &Carried) -> Result<Vec<(usize, Turns)>> {
    let now = context.clock.now();
    let read = last_read(context).await?;
    let mut tx = context.store.read().await?;
    // Up to when it is known what became of each time.
    let mut known: BTreeMap<String, Timestamp> = BTreeMap::new();
    let missed = tx.last_missed().await?.into_iter();
    for (source, at) in missed.chain(tx.last_attempts().await?) {
        let at = Timestamp(at).min(now);
        let last = known.entry(source).or_insert(at);
        *last = at.max(*last);
    }
    let stopped_at = carried.stopped_at.map(|at| at.min(now));
    let turns = |source: &Source| {
        let timing = Timing::new(&context.plan.hub.name, source)?;
        let name = &*source.name;
        let (read, known) = (read.get(name).copied(), known.get(name).copied());
        let stopped = (stopped_at, carried.unread.contains(name));
        Some(Turns::resume(&timing, read, known, stopped, now))
    };
    let sources = context.plan.sources.iter().enumerate();
    let turns = sources.filter_map(|(index, source)| Some((index, turns(source)?)));
    Ok(turns.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

    use super::*;
    use crate::flow::harness::World;
    use crate::flow::work::turns::Step;
    use crate::store::RunRow;
    use std::sync::Mutex;

    fn at(text: &str) -> Timestamp {
        Timestamp(
            DateTime::parse_from_rfc3339(text)
                .expect("a time")
                .timestamp_millis(),
        )
    }

    fn daily(zone: Tz) -> Schedule {
        Schedule {
            timezone: zone,
            ..Schedule::of(When::Cron("0 30 6 * * *".to_owned()))
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

    #[tokio::test]
    async fn what_was_missed_is_counted_from_the_last_read_that_came_to_its_end() {
        let manifest = "[hub]\nname = \"missed\"\nstore = \"sqlite:unused.db\"\n[[source]]\nname = \"crm\"\nconnector = \"any\"\n\
            schedule = { cron = \"0 0 6 * * *\", timezone = \"UTC\" }\n\
            [[source.stream]]\nname = \"contacts\"\nto = \"person\"\nkey = \"id\"\nmap.email = \"email\"\n";
        let now = at("2026-03-28T12:00:00Z");
        let world = World::new(manifest, &[("crm", "contacts")], now.0).await;
        let carried = Mutex::new(Carried::default());
        // How many reads begin now, and how many times are noted as missed.
        let first = async || {
            let carried = carried.lock().unwrap().clone();
            let source = &world.context.plan.sources[0];
            let timing = Timing::new("missed", source).unwrap();
            let mut turns = first_turns(&world.context, &carried).await.unwrap();
            let steps = turns[0].1.look(&timing, now, None, false);
            let noted = steps.iter().map(|step| match step {
                Step::Note(missed) => missed.times,
                _ => 0,
            });
            let reads = steps.iter().filter(|step| matches!(step, Step::Read(_)));
            (reads.count(), noted.sum::<i64>())
        };
        let run = async |id: i64, began: &str, state: &str| {
            let mut tx = world.context.store.begin().await.unwrap();
            let row = RunRow {
                id,
                source: "crm".to_owned(),
                stream: "contacts".to_owned(),
                kind: "read".to_owned(),
                started_at: at(began).0,
                state: state.to_owned(),
                ..RunRow::default()
            };
            tx.save_run(&row).await.unwrap();
            tx.commit().await.unwrap();
        };
        assert_eq!(first().await, (0, 0), "it is new");
        // The first read was cut off.
        run(0, "2026-03-25T11:00:00Z", "stopped").await;
        assert_eq!(first().await, (1, 3));
        run(1, "2026-03-27T06:00:00Z", "done").await;
        assert_eq!(first().await, (1, 1));
        // Killed half-way, it was not read.
        run(2, "2026-03-28T06:00:00Z", "lost").await;
        run(3, "2026-03-28T07:00:00Z", "failed").await;
        assert_eq!(first().await, (1, 0));
        run(4, "2026-03-28T08:00:00Z", "done").await;
        assert_eq!(first().await, (0, 0));
        // What a service leaves to the one that goes on.
        carried.lock().unwrap().unread.insert("crm".to_owned());
        assert_eq!(first().await, (1, 0));
        carried.lock().unwrap().unread.clear();
        // The clock was a year ahead when it was read.
        run(5, "2027-03-28T07:00:00Z", "done").await;
        assert_eq!(first().await, (0, 0));
    }
}
