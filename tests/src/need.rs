//! What a test run takes from the machine: how long its searches are, and checks that need something which a machine may lack.
//! These are skipped with a line that says what is missing, and with `CI=true` a skip is a failure.

use std::io::Write;

/// How long a search is to be: as the environment says, or as usual; at least one.
#[allow(
    clippy::disallowed_methods,
    reason = "a test run reads how long it is to be"
)]
pub fn asked(variable: &str, usual: u32) -> u32 {
    let asked = std::env::var(variable).ok();
    let number: Option<u32> = asked.and_then(|text| text.parse().ok());
    number.unwrap_or(usual).max(1)
}

/// Whether a check can run. `missing` says what is not there and how to get it; `None` when all is there.
///
/// # Panics
/// With `CI=true` in the environment, when something is missing.
pub fn need(check: &str, missing: Option<&str>) -> bool {
    let Some(missing) = missing else { return true };
    #[allow(
        clippy::disallowed_methods,
        reason = "a skip depends on the machine, which only the environment describes"
    )]
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(
        !ci,
        "check `{check}` cannot be skipped with CI=true: {missing}"
    );
    // Past the capture of the test runner, which keeps what a passing test prints; in one call, so that lines stay whole.
    let line = format!("skipped: {check} (needs {missing})\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    false
}
