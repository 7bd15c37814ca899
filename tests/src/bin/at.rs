//! `onefold-at`: the program `onefold` as a test wants it. `ONEFOLD_AT` gives the moment at which its clock stands, in
//! milliseconds since 1970, so that a test can read whole outputs and move from one day to another. `ONEFOLD_STORE_FAULTS`
//! makes about one step in so many of its store fail.

use onefold::app::{main_by, random, system_clock};
use onefold::clock::Clock;
use onefold::model::Timestamp;
use onefold::problem::Problem;
use onefold::problem::codes::STORE_FAILED;
use onefold::store::Gate;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let clock = match variable("ONEFOLD_AT") {
        Some(at) => Clock::new(move || Timestamp(at)),
        None => system_clock(),
    };
    let gate = variable("ONEFOLD_STORE_FAULTS").map(failing);
    main_by(clock, gate)
}

fn failing(one_in: i64) -> Gate {
    Arc::new(move || {
        Box::pin(async move {
            match random() % one_in.unsigned_abs() {
                0 => Err(Problem::new(
                    &STORE_FAILED,
                    "the store failed: by order of a test",
                )),
                _ => Ok(()),
            }
        })
    })
}

#[allow(
    clippy::disallowed_methods,
    reason = "the test that starts this program says what it wants"
)]
fn variable(name: &str) -> Option<i64> {
    std::env::var(name).ok()?.parse().ok()
}
