//! How fast one token may ask: so many requests a second, and a number of them at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

const PER_SECOND: f64 = 200.0;
const AT_ONCE: f64 = 400.0;

#[derive(Default)]
pub struct Paces(Mutex<HashMap<i64, Pace>>);

struct Pace {
    /// Requests that may come now.
    left: f64,
    at: Instant,
}

impl Paces {
    pub fn allows(&self, token: i64, now: Instant) -> bool {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = paces.entry(token).or_insert(Pace {
            left: AT_ONCE,
            at: now,
        });
        let passed = now.saturating_duration_since(pace.at).as_secs_f64();
        pace.left = (pace.left + passed * PER_SECOND).min(AT_ONCE);
        pace.at = now;
        let is_allowed = pace.left >= 1.0;
        if is_allowed {
            pace.left -= 1.0;
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_token_that_asks_too_fast_waits_and_others_do_not() {
        let (paces, begun) = (Paces::default(), Instant::now());
        let allowed =
            |token: i64, at: Instant| (0..1_000).filter(|_| paces.allows(token, at)).count();
        assert_eq!(allowed(1, begun), 400);
        assert_eq!(allowed(2, begun), 400);
        assert_eq!(allowed(1, begun + Duration::from_millis(500)), 100);
        assert_eq!(allowed(1, begun + Duration::from_secs(60)), 400);
    }
}
