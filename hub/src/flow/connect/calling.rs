//! Calls of a connector, retried after failures that may pass.

use crate::host::{Cancel, Failure};
use std::time::Duration;

/// Attempts of one call that fails in a way that may pass.
const ATTEMPTS: u32 = 5;

/// Calls until it works, fails for good, or has failed `ATTEMPTS` times. A run that is cancelled waits no longer.
pub(in crate::flow) fn retrying<T>(
    cancel: &Cancel,
    mut call: impl FnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut wait_ms = 200;
    for attempt in 1.. {
        match call() {
            Err(failure) if failure.is_retryable() && attempt < ATTEMPTS => {
                let ms = failure.retry_after_ms.unwrap_or(wait_ms).min(60_000);
                tracing::warn!(
                    "{}; trying again in {:.1} s ({} of {ATTEMPTS})",
                    failure.problem.message,
                    ms as f64 / 1_000.0,
                    attempt + 1,
                );
                if cancel.block(Duration::from_millis(ms)) {
                    return Err(failure);
                }
                wait_ms *= 2;
            }
            done => return done,
        }
    }
    unreachable!("the loop ends at the last attempt")
}
