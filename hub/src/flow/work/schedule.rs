//! When a source runs next by its schedule, in its time zone.

use crate::flow::context::Context;
use crate::manifest::{Schedule, Source};
use crate::model::Timestamp;
use crate::store::Result;
use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Tz;
use cron::Schedule as Cron;
use std::collections::BTreeMap;
use std::str::FromStr;

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

/// The sources that have a schedule, each with its first time, if there is any: what was missed while the hub was down is run
/// once (`catch_up = "latest"`).
pub async fn first_times(context: &Context) -> Result<Vec<(usize, Option<Timestamp>)>> {
    let now = context.clock.now();
    let mut began: BTreeMap<String, i64> = BTreeMap::new();
    for run in context.store.read().await?.last_runs().await? {
        let latest = began.entry(run.source).or_default();
        *latest = run.started_at.max(*latest);
    }
    let first = |source: &Source, schedule: &Schedule| {
        let from = match (schedule.catch_up_latest, began.get(&*source.name)) {
            (true, Some(began)) => Timestamp(*began),
            _ => now,
        };
        next(schedule, from)
    };
    let sources = context.plan.sources.iter().enumerate();
    let times = sources
        .filter_map(|(place, source)| Some((place, first(source, source.schedule.as_ref()?))));
    Ok(times.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
