//! Checks that need something which a machine may lack: they are skipped with a line that says what is missing,
//! and with `CI=true` a skip is a failure.

use std::io::Write;

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
