//! Checks that need something which a machine may lack: they are skipped with a line that says what is missing,
//! and with `CI=true` a skip is a failure.

/// Whether a check can run. `missing` says what is not there and how to get it; `None` when all is there.
///
/// # Panics
/// With `CI=true` in the environment, when something is missing.
#[expect(
    clippy::print_stdout,
    reason = "the line is how a skip is seen and counted"
)]
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
    println!("skipped: {check} (needs {missing})");
    false
}
