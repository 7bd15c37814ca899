//! `onefold-febrl`: how well the hub finds who is who in data with a known answer, by exact rules and by likeness.
//! Fetches the data on the first run. Ends with 0 when every goal held.

#![allow(clippy::print_stdout, reason = "a measurement talks to a person")]

use anyhow::{Result, anyhow};
use onefold_tests::febrl::{Line, fetch, goals, measure};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool> {
    let folder = fetch().map_err(|missing| anyhow!("needs {missing}"))?;
    let lines = measure(&folder, |_| true)?;
    print(&lines);
    let goals = goals(&lines);
    for goal in &goals {
        println!(
            "{} {}",
            if goal.held { "held  " } else { "MISSED" },
            goal.text
        );
    }
    Ok(goals.iter().all(|goal| goal.held))
}

fn print(lines: &[Line]) {
    println!(
        "Pairs of records that are one person; the model is estimated without the answer. `seen`: the comparisons were tuned \
         on the set, so that it says little about other data\n"
    );
    println!(
        "{:<16}{:<6}{:<38}{:>7}{:>7}{:>7}{:>11}{:>9}{:>9}{:>9}",
        "", "", "", "pairs", "found", "wrong", "precision", "recall", "F1", "seconds"
    );
    for line in lines {
        println!(
            "{:<16}{:<6}{:<38}{:>7}{:>7}{:>7}{:>11.4}{:>9.4}{:>9.4}{:>9.2}",
            line.set,
            if line.tuned_on { "seen" } else { "new" },
            line.method.words(),
            line.truth,
            line.found,
            line.found - line.right,
            line.precision(),
            line.recall(),
            line.f1(),
            line.seconds,
        );
    }
    println!();
}
