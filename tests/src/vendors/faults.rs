//! Faults that a test orders for the next requests, and a switchable rate limit.
//! Says what should go wrong; `server` makes it happen.

use std::time::{Duration, Instant};

#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// 500 with the vendor's error body; the request is not carried out.
    ServerError,
    /// This status with a plain error body; the request is not carried out.
    Refused { status: u16 },
    /// 429 with `Retry-After`; the request is not carried out.
    TooManyRequests { retry_after_s: u64 },
    /// The connection is reset; the request is not carried out.
    Reset,
    /// The request is carried out, then the connection is reset instead of an answer.
    AnswerLost,
    /// The request is carried out, and the connection breaks in the middle of the answer.
    HalfBody,
    /// The request is carried out; the answer is status 200 and bytes that mean nothing.
    Garbage,
    /// The request is carried out; the answer comes in sixteen pieces with this pause before each.
    Dribble { pause: Duration },
}

impl Fault {
    pub fn carries_out(&self) -> bool {
        !matches!(
            self,
            Fault::ServerError
                | Fault::Refused { .. }
                | Fault::TooManyRequests { .. }
                | Fault::Reset
        )
    }
}

struct Order {
    /// Matching requests that go well before.
    skip: u32,
    left: u32,
    /// Matches any request when empty, else requests whose `METHOD /path?query` contains it.
    matching: String,
    fault: Fault,
}

/// At most `requests` in any window of `per`, the rest answered 429.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    pub requests: u32,
    pub per: Duration,
}

#[derive(Default)]
pub struct Faults {
    orders: Vec<Order>,
    limit: Option<RateLimit>,
    window: Option<(Instant, u32)>,
}

impl Faults {
    pub fn order(&mut self, skip: u32, count: u32, matching: &str, fault: Fault) {
        let matching = matching.to_string();
        self.orders.push(Order {
            skip,
            left: count,
            matching,
            fault,
        });
    }

    pub fn clear(&mut self) {
        self.orders.clear();
    }

    pub fn limit(&mut self, limit: Option<RateLimit>) {
        self.limit = limit;
        self.window = None;
    }

    /// The fault for this request, counted off.
    pub fn take(&mut self, request_line: &str) -> Option<Fault> {
        let order = self
            .orders
            .iter_mut()
            .find(|order| request_line.contains(&order.matching))?;
        if order.skip > 0 {
            order.skip -= 1;
            return None;
        }
        order.left -= 1;
        let fault = order.fault.clone();
        self.orders.retain(|order| order.left > 0);
        Some(fault)
    }

    /// Counts one request; returns the seconds to wait when it is one too many.
    pub fn over_limit(&mut self, now: Instant) -> Option<u64> {
        let limit = self.limit?;
        let (start, used) = match self.window {
            Some((start, used)) if now.duration_since(start) < limit.per => (start, used),
            _ => (now, 0),
        };
        self.window = Some((start, used + 1));
        if used < limit.requests {
            return None;
        }
        let left = limit.per.saturating_sub(now.duration_since(start));
        Some(left.as_secs() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_spent_on_matching_requests_only() {
        let mut faults = Faults::default();
        faults.order(0, 2, "/members", Fault::ServerError);
        assert_eq!(faults.take("GET /lists"), None);
        assert_eq!(
            faults.take("GET /lists/1/members"),
            Some(Fault::ServerError)
        );
        assert_eq!(
            faults.take("GET /lists/1/members"),
            Some(Fault::ServerError)
        );
        assert_eq!(faults.take("GET /lists/1/members"), None);
    }

    #[test]
    fn a_rate_limit_lets_its_number_pass_in_each_window() {
        let mut faults = Faults::default();
        faults.limit(Some(RateLimit {
            requests: 2,
            per: Duration::from_secs(10),
        }));
        let start = Instant::now();
        assert_eq!(faults.over_limit(start), None);
        assert_eq!(faults.over_limit(start), None);
        assert_eq!(faults.over_limit(start), Some(11));
        assert_eq!(faults.over_limit(start + Duration::from_secs(10)), None);
    }
}
