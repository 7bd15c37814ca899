//! Schedules where clocks change, against tables that another program made (Python's `zoneinfo`, of the tz database 2025b): every zone
//! whose clocks change in 2026 or 2027. `changes.tsv` has the zone and its changes in seconds since 1970; `fires.tsv` has the zone, the
//! schedule, how often it fires, and the first 16 hex digits of SHA-256 over the times, a line each: schedules of one time a day in
//! both years, the others in the two days around each change.

use crate::flow::next_time;
use crate::manifest::{Schedule, When};
use crate::model::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

const CHANGES: &str = include_str!("clocks/changes.tsv");
const FIRES: &str = include_str!("clocks/fires.tsv");
/// 2026-01-01 and 2028-01-01.
const YEARS: (i64, i64) = (1_767_225_600, 1_830_297_600);
const DAY: i64 = 86_400;

fn schedule(cron: &str, zone: &str) -> Schedule {
    Schedule {
        timezone: zone.parse().expect("a zone"),
        ..Schedule::of(When::Cron(cron.to_owned()))
    }
}

/// The times in seconds after the first and up to the last.
fn fires(schedule: &Schedule, (first, last): (i64, i64)) -> Vec<i64> {
    let mut found = Vec::new();
    let mut after = Timestamp(first * 1_000);
    while let Some(next) = next_time(schedule, after).filter(|next| next.0 <= last * 1_000) {
        assert!(next > after, "{schedule:?} {after:?} {next:?}");
        found.push(next.0 / 1_000);
        after = next;
    }
    found
}

// F19
#[test]
fn schedules_fire_where_clocks_change_as_another_program_says() {
    let changes = CHANGES.lines().filter_map(|line| line.split_once('\t'));
    let changes: BTreeMap<&str, &str> = changes.collect();
    let mut differ = String::new();
    for line in FIRES.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [zone, cron, count, digest] = columns[..] else {
            panic!("{line}");
        };
        let schedule = schedule(cron, zone);
        let times = match cron.split(' ').nth(2) {
            Some("*") => {
                let changes = changes[zone]
                    .split(' ')
                    .filter_map(|text| text.parse::<i64>().ok());
                let around = changes.map(|at| fires(&schedule, (at - 2 * DAY, at + 2 * DAY)));
                around.flatten().collect()
            }
            _ => fires(&schedule, YEARS),
        };
        let text: Vec<String> = times.iter().map(i64::to_string).collect();
        let hash = Sha256::digest(text.join("\n").as_bytes());
        let hex: String = hash
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if count != times.len().to_string() || hex != digest {
            let _ = writeln!(differ, "{zone} {cron}: {} of {count}", times.len());
        }
    }
    assert_eq!(differ, "");
}

#[test]
fn a_time_that_does_not_exist_is_the_moment_of_the_change() {
    let seconds = |text: &str| {
        chrono::DateTime::parse_from_rfc3339(text)
            .expect(text)
            .timestamp()
    };
    for (cron, zone, from, until, expected) in [
        // Warsaw, 29 March 2026: from 02:00 to 03:00.
        (
            "0 30 2 * * *",
            "Europe/Warsaw",
            "2026-03-28T12:00:00Z",
            "2026-03-30T12:00:00Z",
            &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"][..],
        ),
        // 25 October 2026: from 03:00 back to 02:00.
        (
            "0 30 2 * * *",
            "Europe/Warsaw",
            "2026-10-24T12:00:00Z",
            "2026-10-26T12:00:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        ),
        (
            "0 0 * * * *",
            "Europe/Warsaw",
            "2026-10-24T23:30:00Z",
            "2026-10-25T03:30:00Z",
            &[
                "2026-10-25T00:00:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T02:00:00Z",
                "2026-10-25T03:00:00Z",
            ],
        ),
        // Lord Howe, 5 April 2026: half an hour back at 02:00.
        (
            "0 */15 * * * *",
            "Australia/Lord_Howe",
            "2026-04-04T14:30:00Z",
            "2026-04-04T16:00:00Z",
            &[
                "2026-04-04T14:45:00Z",
                "2026-04-04T15:00:00Z",
                "2026-04-04T15:15:00Z",
                "2026-04-04T15:30:00Z",
                "2026-04-04T15:45:00Z",
                "2026-04-04T16:00:00Z",
            ],
        ),
        (
            "0 45 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T12:00:00Z",
            "2026-04-05T12:00:00Z",
            &["2026-04-04T14:45:00Z"],
        ),
        (
            "0 15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T12:00:00Z",
            "2026-10-04T12:00:00Z",
            &["2026-10-03T15:30:00Z"],
        ),
    ] {
        let found = fires(&schedule(cron, zone), (seconds(from), seconds(until)));
        let expected: Vec<i64> = expected.iter().map(|text| seconds(text)).collect();
        assert_eq!(found, expected, "{cron} in {zone}");
    }
}

// A service that begins, or reads by hand, between the two times of an hour that comes twice.
#[test]
fn a_time_that_was_there_once_does_not_come_again() {
    let seconds = |text: &str| {
        let time = chrono::DateTime::parse_from_rfc3339(text);
        time.expect(text).timestamp_millis()
    };
    let next = |cron: &str| {
        let after = Timestamp(seconds("2026-10-25T01:10:00Z"));
        next_time(&schedule(cron, "Europe/Warsaw"), after).map(|next| next.0)
    };
    let tomorrow = seconds("2026-10-26T01:30:00Z");
    assert_eq!(next("0 30 2 * * *"), Some(tomorrow));
    assert_eq!(next("0 30 3 * * *"), Some(seconds("2026-10-25T02:30:00Z")));
    assert_eq!(next("0 30 * * * *"), Some(seconds("2026-10-25T01:30:00Z")));
}
