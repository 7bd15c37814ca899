//! `onefold-at`: the program `onefold` at the moment that the environment variable `ONEFOLD_AT` gives, in milliseconds since
//! 1970. Its clock stands still, so that a test can read whole outputs and move from one day to another.

use onefold::clock::Clock;
use onefold::model::Timestamp;
use std::process::ExitCode;

#[allow(
    clippy::disallowed_methods,
    reason = "the test that starts this program says which time it is"
)]
fn main() -> ExitCode {
    let at = std::env::var("ONEFOLD_AT").ok();
    let Some(at) = at.and_then(|text| text.parse().ok()) else {
        return ExitCode::from(2);
    };
    onefold::app::main_by(Clock::new(move || Timestamp(at)))
}
