//! The table and the goals: medians of the rounds, and what they have to be. Ratios are taken within a round and then
//! the median of those, because a machine that is busy in one round is busy for all its rows.

use crate::measure::{Measured, Row};
use serde::Serialize;

const RATE_GOAL: f64 = 40_000.0;
const FLOOR_GOAL: f64 = 0.5;
const PEAK_GOAL_MB: f64 = 300.0;
const UNCHANGED_GOAL: f64 = 3.0;
const SANDBOX_GOAL: f64 = 0.1;

#[derive(Serialize)]
pub struct Summary {
    records: u64,
    rounds: usize,
    rows: Vec<Line>,
    goals: Vec<Goal>,
}

/// A row of the table.
#[derive(Serialize)]
struct Line {
    row: Row,
    #[serde(flatten)]
    median: Measured,
    records_per_s: f64,
    of_floor: f64,
}

#[derive(Serialize)]
struct Goal {
    text: String,
    held: bool,
}

impl Summary {
    /// `found` holds every row as often as there were rounds, in the order of the rounds.
    pub fn of(records: u64, found: &[(Row, Measured)]) -> Self {
        let runs = Runs(found);
        let rows: Vec<Line> = Row::ALL
            .into_iter()
            .map(|row| Line {
                row,
                median: runs.median(row),
                records_per_s: runs.middle(row, |one| one.records as f64 / one.wall_s),
                of_floor: runs.ratio(row, Row::Floor, |one, floor| {
                    (one.records as f64 / one.wall_s) / (floor.records as f64 / floor.wall_s)
                }),
            })
            .collect();
        Self {
            records,
            rounds: found.len() / Row::ALL.len(),
            goals: goals(&rows, &runs),
            rows,
        }
    }

    pub fn held(&self) -> bool {
        self.goals.iter().all(|goal| goal.held)
    }

    pub fn print(&self) {
        println!(
            "\n{} contacts of a HubSpot on loopback, pages of 100, to stored profiles; medians of {} rounds\n",
            self.records, self.rounds
        );
        println!(
            "{:<52}{:>10}{:>9}{:>9}{:>10}{:>10}{:>10}",
            "", "records/s", "wall s", "CPU s", "peak MB", "store MB", "of floor"
        );
        for line in &self.rows {
            let Measured {
                wall_s,
                cpu_s,
                peak_mb,
                store_mb,
                ..
            } = line.median;
            // A run that reads next to nothing has a time, but no rate worth comparing.
            let (rate, of_floor) = match line.row {
                Row::Again => ("-".to_owned(), "-".to_owned()),
                _ => (
                    format!("{:.0}", line.records_per_s),
                    format!("{:.2}", line.of_floor),
                ),
            };
            println!(
                "{:<52}{rate:>10}{wall_s:>9.2}{cpu_s:>9.2}{peak_mb:>10.0}{store_mb:>10.0}{of_floor:>10}",
                line.row.title(),
            );
        }
        println!();
        for goal in &self.goals {
            println!(
                "{} {}",
                if goal.held { "held  " } else { "MISSED" },
                goal.text
            );
        }
    }
}

fn goals(rows: &[Line], runs: &Runs<'_>) -> Vec<Goal> {
    let goal = |held: bool, text: String| Goal { text, held };
    let wasm = rows.iter().find(|line| line.row == Row::Wasm);
    let (rate, of_floor) = wasm.map_or((0.0, 0.0), |line| (line.records_per_s, line.of_floor));
    let peak = rows
        .iter()
        .filter(|line| line.row != Row::Floor)
        .map(|line| line.median.peak_mb)
        .fold(0.0, f64::max);
    let faster = runs.ratio(Row::Wasm, Row::Full, |first, full| {
        first.wall_s / full.wall_s
    });
    let sandbox = runs.ratio(Row::Wasm, Row::Native, |wasm, native| {
        (wasm.wall_s - native.wall_s) / wasm.wall_s
    });
    let sandbox_cpu = runs.ratio(Row::Wasm, Row::Native, |wasm, native| {
        (wasm.cpu_s - native.cpu_s) / wasm.cpu_s
    });
    vec![
        goal(
            of_floor >= FLOOR_GOAL,
            format!("at least {FLOOR_GOAL} of the floor's rate: {of_floor:.2}"),
        ),
        goal(
            rate >= RATE_GOAL,
            format!("at least {RATE_GOAL} records a second: {rate:.0}"),
        ),
        goal(
            peak < PEAK_GOAL_MB,
            format!("under {PEAK_GOAL_MB} MB at the peak: {peak:.0} MB"),
        ),
        goal(
            faster >= UNCHANGED_GOAL,
            format!(
                "an unchanged second run at least {UNCHANGED_GOAL} times as fast as the first: {faster:.1} times"
            ),
        ),
        goal(
            sandbox < SANDBOX_GOAL,
            format!(
                "the sandbox costs less than {:.0} % of the whole: {:.1} % of the time ({:.1} % of the CPU)",
                SANDBOX_GOAL * 100.0,
                sandbox * 100.0,
                sandbox_cpu * 100.0
            ),
        ),
    ]
}

struct Runs<'a>(&'a [(Row, Measured)]);

impl Runs<'_> {
    fn of(&self, row: Row) -> impl Iterator<Item = Measured> {
        let of_row = self.0.iter().filter(move |(found, _)| *found == row);
        of_row.map(|(_, measured)| *measured)
    }

    fn middle(&self, row: Row, value: impl Fn(&Measured) -> f64) -> f64 {
        middle(self.of(row).map(|one| value(&one)).collect())
    }

    fn ratio(&self, row: Row, other: Row, value: impl Fn(&Measured, &Measured) -> f64) -> f64 {
        let pairs = self.of(row).zip(self.of(other));
        middle(pairs.map(|(one, other)| value(&one, &other)).collect())
    }

    fn median(&self, row: Row) -> Measured {
        Measured {
            records: self.of(row).map(|one| one.records).max().unwrap_or(0),
            wall_s: self.middle(row, |one| one.wall_s),
            cpu_s: self.middle(row, |one| one.cpu_s),
            peak_mb: self.middle(row, |one| one.peak_mb),
            store_mb: self.middle(row, |one| one.store_mb),
        }
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}
