//! The engine's table and its goals.

use super::{Found, Row, Size};
use serde::Serialize;

const RATE_GOAL: f64 = 40_000.0;
/// What rows where nothing is new must reach of the speed of new records.
const CHURN_GOAL: f64 = 0.5;
const EVENT_GOAL_MS: f64 = 50.0;
const BACKFILL_GOAL_S: f64 = 20.0;
const UNMERGE_GOAL_MS: f64 = 100.0;
/// The issue wants it bounded; this is what seven batches of 5,000 small records take, whatever the size.
const PEAK_GOAL_MB: f64 = 400.0;

#[derive(Serialize)]
pub struct Summary {
    size: Size,
    rows: Vec<Line>,
    goals: Vec<Goal>,
}

#[derive(Serialize)]
struct Line {
    row: Row,
    title: String,
    #[serde(flatten)]
    found: Found,
}

#[derive(Serialize)]
struct Goal {
    text: String,
    held: bool,
}

pub fn title(row: Row, size: Size) -> String {
    let Size {
        records,
        people,
        profiles,
        events,
        ..
    } = size;
    match row {
        Row::Resolve => format!("{records} records of {people} people, from nothing"),
        Row::Fresh => format!("{records} records of as many people, all new"),
        Row::Changed => format!("{records} records, all changed"),
        Row::Remap => format!("{records} records, mapped again after an edit"),
        Row::Gone => format!("{records} records, half of them gone in a full read"),
        Row::Deleted => format!("{} records, all deleted", records - records / 2),
        Row::Seed => format!("(filling: {profiles} profiles, {events} events)"),
        Row::Backfill => format!("one new audience over {profiles} profiles, {events} events"),
        Row::Members => "(filling: members of the other 99 audiences)".to_owned(),
        Row::Event => format!("one event among {profiles} profiles, 100 audiences"),
        Row::Unmerge => "un-merge in a component of 100 pieces of evidence".to_owned(),
    }
}

const NOTES: [&str; 4] = [
    "the first row: records made in memory while they are read, keyed, compared, mapped, resolved, made profiles of, committed;",
    "  three streams one after another, as a run reads them; no sandbox, no HTTP",
    "rows in brackets are not measurements: customers and their first events through the engine, nine of ten events and the",
    "  members of 99 audiences as rows that the engine would have written, without the raw records of those events",
];

impl Summary {
    pub fn of(size: Size, found: Vec<(Row, Found)>) -> Self {
        let goals = goals(&found);
        let rows = found.into_iter().map(|(row, found)| Line {
            row,
            title: title(row, size),
            found,
        });
        Self {
            size,
            rows: rows.collect(),
            goals,
        }
    }

    pub fn held(&self) -> bool {
        self.goals.iter().all(|goal| goal.held)
    }

    pub fn print(&self) {
        println!("\nthe engine by itself\n");
        println!(
            "{:<62}{:>10}{:>9}{:>11}{:>9}{:>9}{:>10}{:>10}",
            "", "a second", "wall s", "median ms", "p99 ms", "CPU s", "peak MB", "store MB"
        );
        for line in &self.rows {
            let Found {
                whole,
                median_ms,
                p99_ms,
            } = line.found;
            let ms = |value: Option<f64>| value.map_or("-".to_owned(), |ms| format!("{ms:.1}"));
            println!(
                "{:<62}{:>10.0}{:>9.2}{:>11}{:>9}{:>9.2}{:>10.0}{:>10.0}",
                line.title,
                whole.records as f64 / whole.wall_s,
                whole.wall_s,
                ms(median_ms),
                ms(p99_ms),
                whole.cpu_s,
                whole.peak_mb,
                whole.store_mb,
            );
        }
        println!();
        for note in NOTES {
            println!("{note}");
        }
        println!();
        for goal in &self.goals {
            let held = if goal.held { "held  " } else { "MISSED" };
            println!("{held} {}", goal.text);
        }
    }
}

fn goals(found: &[(Row, Found)]) -> Vec<Goal> {
    let of = |row| found.iter().find(|(one, _)| *one == row);
    let value = |row, value: fn(&Found) -> Option<f64>| {
        of(row)
            .and_then(|(_, found)| value(found))
            .unwrap_or(f64::INFINITY)
    };
    let rate = of(Row::Resolve).map_or(0.0, |(_, found)| {
        found.whole.records as f64 / found.whole.wall_s
    });
    let speed = |row| {
        of(row).map_or(0.0, |(_, found)| {
            found.whole.records as f64 / found.whole.wall_s
        })
    };
    let fresh = speed(Row::Fresh);
    let event = value(Row::Event, |found| found.p99_ms);
    let backfill = value(Row::Backfill, |found| Some(found.whole.wall_s));
    let unmerge = value(Row::Unmerge, |found| found.median_ms);
    let measured = found
        .iter()
        .filter(|(row, _)| !matches!(row, Row::Seed | Row::Members));
    let peak = measured
        .map(|(_, found)| found.whole.peak_mb)
        .fold(0.0, f64::max);
    let goal = |held: bool, text: String| Goal { text, held };
    let churn = [
        (Row::Changed, "changed"),
        (Row::Remap, "remapped"),
        (Row::Gone, "half gone in a full read"),
        (Row::Deleted, "deleted"),
    ];
    let churn = churn.map(|(row, what)| {
        let share = speed(row) / fresh;
        let text = format!("{what} at least {CHURN_GOAL} times as fast as new: {share:.2}");
        goal(share >= CHURN_GOAL, text)
    });
    let mut goals = vec![
        goal(
            rate >= RATE_GOAL,
            format!("at least {RATE_GOAL} records a second: {rate:.0}"),
        ),
        goal(
            event < EVENT_GOAL_MS,
            format!("99 of 100 events in their audience within {EVENT_GOAL_MS} ms: {event:.1} ms"),
        ),
        goal(
            backfill < BACKFILL_GOAL_S,
            format!("a new audience filled within {BACKFILL_GOAL_S} s: {backfill:.1} s"),
        ),
        goal(
            unmerge < UNMERGE_GOAL_MS,
            format!("an un-merge within {UNMERGE_GOAL_MS} ms: {unmerge:.1} ms"),
        ),
        goal(
            peak < PEAK_GOAL_MB,
            format!("under {PEAK_GOAL_MB} MB at the peak: {peak:.0} MB"),
        ),
    ];
    goals.extend(churn);
    goals
}
