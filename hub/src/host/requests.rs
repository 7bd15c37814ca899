//! What became of the HTTP requests of one call: whether any went out, whether one may have changed something at the
//! vendor, and whether the last one was denied. Knows no guest and sends nothing.

use crate::host::types::{HttpError, HttpResponse};
use crate::problem::{Problem, codes};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shared between the two ways out of an instance. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Requests(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// Of requests that may change something: on their way, without an answer yet.
    changing: u32,
    went_out: bool,
    has_changed: bool,
    /// The refusal, if the last request was refused by the hub itself.
    denied: Option<Problem>,
}

impl Requests {
    /// Starts again, for the next call.
    pub fn begin(&self) {
        *self.seen() = Seen::default();
    }

    /// A request is about to be sent. A guest that is stopped while it waits never reaches `ended`.
    pub fn sending(&self, method: &str) {
        if changes(method) {
            self.seen().changing += 1;
        }
    }

    pub fn ended(&self, method: &str, answer: &Result<HttpResponse, HttpError>) {
        let mut seen = self.seen();
        if changes(method) {
            seen.changing = seen.changing.saturating_sub(1);
            seen.has_changed |= may_be_done(answer);
        }
        match answer {
            Err(HttpError::Denied(problem)) => seen.denied = Some(problem.clone()),
            _ => {
                seen.went_out = true;
                seen.denied = None;
            }
        }
    }

    /// The last request's refusal by the hub.
    pub fn denied(&self) -> Option<Problem> {
        self.seen().denied.clone()
    }

    /// Some request left the hub, or may have, and was not denied.
    pub fn went_out(&self) -> bool {
        let seen = self.seen();
        seen.went_out || seen.changing > 0
    }

    /// The vendor may have carried out a request that changes something.
    pub fn may_have_changed(&self) -> bool {
        let seen = self.seen();
        seen.has_changed || seen.changing > 0
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Many vendors read by POST as well, which cannot be distinguished from a write here: it counts as one.
fn changes(method: &str) -> bool {
    !["GET", "HEAD", "OPTIONS"]
        .iter()
        .any(|reads| method.eq_ignore_ascii_case(reads))
}

/// A vendor that says 4xx has done nothing; 408 says only that it took too long.
fn may_be_done(answer: &Result<HttpResponse, HttpError>) -> bool {
    match answer {
        Ok(response) => !(400..500).contains(&response.status) || response.status == 408,
        // It was sent, and answered by a redirect to where the hub does not go.
        Err(HttpError::Denied(problem)) => problem.code == &codes::REDIRECT_DENIED,
        Err(HttpError::Dns(_) | HttpError::Connect(_) | HttpError::Tls(_)) => false,
        Err(
            HttpError::Timeout
            | HttpError::ResponseTooLarge(_)
            | HttpError::Cancelled
            | HttpError::Other(_),
        ) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16) -> Result<HttpResponse, HttpError> {
        Ok(HttpResponse {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        })
    }

    fn after(exchanges: &[(&str, Result<HttpResponse, HttpError>)]) -> Requests {
        let requests = Requests::default();
        for (method, answer) in exchanges {
            requests.sending(method);
            requests.ended(method, answer);
        }
        requests
    }

    fn denied() -> Result<HttpResponse, HttpError> {
        Err(HttpError::Denied(Problem::new(&codes::HOST_DENIED, "no")))
    }

    #[test]
    fn only_what_a_vendor_may_have_carried_out_counts() {
        let done = |method, answer| after(&[(method, answer)]).may_have_changed();
        assert!(done("POST", answered(200)));
        assert!(done("post", answered(503)));
        assert!(done("PUT", Err(HttpError::Timeout)));
        assert!(!done("POST", answered(400)));
        assert!(!done("POST", Err(HttpError::Connect("refused".into()))));
        assert!(!done("POST", denied()));
        assert!(!done("GET", Err(HttpError::Timeout)));
    }

    #[test]
    fn a_request_whose_answer_nobody_waited_for_may_be_done() {
        let requests = Requests::default();
        requests.sending("POST");
        assert!(requests.may_have_changed() && requests.went_out());
        requests.begin();
        assert!(!requests.may_have_changed() && !requests.went_out());
    }

    #[test]
    fn a_denial_counts_until_a_request_goes_out() {
        let requests = after(&[("POST", denied())]);
        assert!(requests.denied().is_some() && !requests.went_out());
        let requests = after(&[("POST", denied()), ("GET", answered(503))]);
        assert!(requests.denied().is_none() && requests.went_out());
    }
}
