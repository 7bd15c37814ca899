//! A connector's way out with a tap in it: it counts the requests, keeps the answers, and makes one fail on request.
//! It is in front of the egress, so that the connector sees the fault and no retry hides it.

use crate::host::{Cancel, Http, HttpError, HttpRequest, HttpResponse};
use crate::kit::raw_json;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 429 with `Retry-After`, in seconds; the vendor hears nothing.
    RateLimited { retry_after_s: u32 },
    /// 500; the vendor hears nothing.
    ServerError,
    /// The connection breaks before the vendor hears anything.
    Reset,
    /// The vendor does what was asked and the answer is lost.
    AnswerLost,
    /// The vendor does what was asked and half of the answer arrives.
    HalfBody,
}

#[derive(Default)]
struct Inside {
    sent: usize,
    fault: Option<(usize, Fault)>,
    fired: bool,
    keeps_answers: bool,
    answers: Vec<Vec<u8>>,
    /// A member for each row that has all of these fields.
    probe: Option<(Vec<String>, String)>,
}

/// One tap for one connection; shared by its clones.
pub struct Tap {
    inner: Arc<dyn Http>,
    inside: Mutex<Inside>,
}

impl Tap {
    pub fn new(inner: Arc<dyn Http>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            inside: Mutex::default(),
        })
    }

    /// Lets the request with this number, from 0, go wrong.
    pub fn with_fault(inner: Arc<dyn Http>, number: usize, fault: Fault) -> Arc<Self> {
        let tap = Self::new(inner);
        tap.lock().fault = Some((number, fault));
        tap
    }

    pub fn keep_answers(&self) {
        self.lock().keeps_answers = true;
    }

    /// Adds a member to every row of a list that has all of the fields.
    pub fn add_to_rows(&self, fields: Vec<String>, member: String) {
        self.lock().probe = Some((fields, member));
    }

    /// How many requests there were.
    pub fn sent(&self) -> usize {
        self.lock().sent
    }

    /// True when the fault has happened.
    pub fn fired(&self) -> bool {
        self.lock().fired
    }

    pub fn take_answers(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.lock().answers)
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn due(&self) -> Option<Fault> {
        let mut inside = self.lock();
        let number = inside.sent;
        inside.sent += 1;
        let (_, fault) = inside.fault.filter(|(at, _)| *at == number)?;
        inside.fired = true;
        Some(fault)
    }
}

impl Http for Tap {
    fn send(
        &self,
        request: HttpRequest,
        deadline: Instant,
        cancel: &Cancel,
    ) -> Result<HttpResponse, HttpError> {
        let fault = self.due();
        match fault {
            Some(Fault::RateLimited { retry_after_s }) => {
                let mut answer = refusal(429, "rate_limited");
                let wait = retry_after_s.to_string().into_bytes();
                answer.headers.push(("retry-after".to_owned(), wait));
                return Ok(answer);
            }
            Some(Fault::ServerError) => return Ok(refusal(500, "server_error")),
            Some(Fault::Reset) => return Err(reset()),
            Some(Fault::AnswerLost | Fault::HalfBody) | None => {}
        }
        let mut answer = self.inner.send(request, deadline, cancel)?;
        match fault {
            Some(Fault::AnswerLost) => return Err(reset()),
            // Nothing is half of nothing: the connection breaks instead.
            Some(Fault::HalfBody) if answer.body.len() < 2 => return Err(reset()),
            Some(Fault::HalfBody) => answer.body.truncate(answer.body.len() / 2),
            _ => {}
        }
        let mut inside = self.lock();
        if let Some((fields, member)) = &inside.probe
            && let Ok(text) = std::str::from_utf8(&answer.body)
        {
            let wants = |members: &raw_json::Members| members.key(fields).is_some();
            answer.body = raw_json::with_member(text, member, &wants).into_bytes();
            answer
                .headers
                .retain(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
        }
        if inside.keeps_answers {
            inside.answers.push(answer.body.clone());
        }
        Ok(answer)
    }
}

/// In the words of no vendor in particular.
fn refusal(status: u16, code: &str) -> HttpResponse {
    let body =
        format!(r#"{{"error":{{"code":"{code}","message":"injected by the conformance suite"}}}}"#);
    HttpResponse {
        status,
        headers: vec![("content-type".to_owned(), b"application/json".to_vec())],
        body: body.into_bytes(),
    }
}

fn reset() -> HttpError {
    HttpError::Other("the connection was reset".to_owned())
}
