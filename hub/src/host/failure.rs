//! Why a call failed: from what the guest reported, and from how it was stopped. Decides the kind and the code;
//! the caller decides what happens next.

use crate::host::state::{Limit, State, cut};
use crate::host::types::{Failure, FailureKind};
use crate::host::wire::types::{Detail, Error};
use crate::model::without_personal;
use crate::problem::{Code, Problem, codes};
use wasmtime::Trap;

/// What a vendor writes can hold personal data and be endless.
const DETAIL_BYTES: usize = 300;
/// What the SDKs call an exception that the connector did not expect: its own fault, and not the vendor's.
pub const EXCEPTION: &str = "sdk.exception";
/// How much of it is looked at.
const LONGEST_READ: usize = 4 << 10;

/// The guest answered with an error.
pub fn said(error: Error, state: &State) -> Failure {
    let (kind, code, detail, wait): (FailureKind, &'static Code, _, _) = match error {
        Error::Config(detail) => (FailureKind::Config, &codes::VENDOR_CONFIG, detail, None),
        Error::Auth(detail) => (FailureKind::Auth, &codes::VENDOR_AUTH, detail, None),
        Error::Permission(detail) => (
            FailureKind::Permission,
            &codes::VENDOR_PERMISSION,
            detail,
            None,
        ),
        Error::RateLimited(limit) => (
            FailureKind::RateLimited,
            &codes::VENDOR_RATE_LIMITED,
            limit.detail,
            limit.retry_after_ms,
        ),
        Error::Transient(detail) => (
            FailureKind::Transient,
            &codes::VENDOR_TRANSIENT,
            detail,
            None,
        ),
        Error::Permanent(detail) => (
            FailureKind::Permanent,
            &codes::VENDOR_PERMANENT,
            detail,
            None,
        ),
        Error::CursorExpired(detail) => (
            FailureKind::CursorExpired,
            &codes::VENDOR_CURSOR_EXPIRED,
            detail,
            None,
        ),
        Error::Cancelled => return cancelled(state),
        Error::Other(detail) if detail.code == EXCEPTION => {
            (FailureKind::Guest, &codes::TRAPPED, detail, None)
        }
        Error::Other(detail) => (FailureKind::Other, &codes::VENDOR_OTHER, detail, None),
    };
    let said = without_personal(&state.clean(&detail.code, 100), &[]);
    let requests = &state.requests;
    // A refusal is the reason where nothing else can be, or where the connector agrees; it says better what is to be done.
    let is_denied = kind == FailureKind::Config || !requests.went_out();
    let (kind, problem) = match requests.denied().filter(|_| is_denied) {
        Some(mut problem) => {
            // The guest chose the host, or the vendor did.
            let message = state.connection.scrub.words(&problem.message);
            problem.message = format!("{message} (the connector calls it `{said}`)");
            problem.hint = problem.hint.map(|hint| state.connection.scrub.words(&hint));
            (FailureKind::Config, problem)
        }
        None => {
            let problem = Problem::new(code, describe(&detail, &said, state));
            (kind, advised(problem, kind, &detail, state))
        }
    };
    Failure {
        retry_after_ms: wait,
        http_status: detail.http_status,
        said,
        may_have_written: requests.may_have_changed(),
        ..Failure::new(kind, problem)
    }
}

fn advised(problem: Problem, kind: FailureKind, detail: &Detail, state: &State) -> Problem {
    let advice = &state.connection.advice;
    let hint = match kind {
        FailureKind::Auth | FailureKind::Permission => &advice.auth,
        FailureKind::Transient if detail.http_status.is_none() => &advice.no_answer,
        _ => return problem,
    };
    match hint.is_empty() {
        true => problem,
        false => problem.hint(hint.clone()),
    }
}

fn cancelled(state: &State) -> Failure {
    Failure {
        may_have_written: state.requests.may_have_changed(),
        ..Failure::new(
            FailureKind::Cancelled,
            Problem::new(
                &codes::CANCELLED,
                "the call was given up because the run stops",
            ),
        )
    }
}

/// The vendor's words without secrets and without addresses: they are shown, logged and stored.
fn describe(detail: &Detail, said: &str, state: &State) -> String {
    let status = detail
        .http_status
        .map_or_else(String::new, |status| format!("HTTP {status}, "));
    // Addresses are taken out before the text is cut: half of one would no longer be recognised.
    let message = without_personal(&state.clean(&detail.message, LONGEST_READ), &[]);
    let text = format!("{status}`{said}`: {message}");
    let one_line = text.replace(|c: char| c.is_control(), " ");
    cut(&one_line, DETAIL_BYTES).to_owned()
}

/// The call did not come back.
pub fn stopped(error: &wasmtime::Error, call: &str, state: &State) -> Failure {
    Failure {
        may_have_written: state.requests.may_have_changed(),
        ..why_stopped(error, call, state)
    }
}

fn why_stopped(error: &wasmtime::Error, call: &str, state: &State) -> Failure {
    let limits = &state.connection.limits;
    let (code, message): (&'static Code, String) = match state.hit {
        Some(Limit::Memory) => (
            &codes::MEMORY_LIMIT,
            format!(
                "`{call}` asked for more memory than `limits.memory_bytes` = {}",
                limits.memory_bytes
            ),
        ),
        Some(Limit::Cpu) => (
            &codes::CPU_LIMIT,
            format!(
                "`{call}` computed for longer than `limits.cpu_ms` = {}",
                limits.cpu_ms
            ),
        ),
        Some(Limit::Wall) => (
            &codes::WALL_LIMIT,
            format!(
                "`{call}` took longer than `limits.wall_ms` = {}",
                limits.wall_ms
            ),
        ),
        Some(Limit::Table) => (
            &codes::TABLE_LIMIT,
            format!("`{call}` asked for a table larger than a connector may have"),
        ),
        Some(Limit::HubMemory) => return hub_is_full(call, state),
        None => return trapped(error, call, state),
    };
    let failure = Failure::guest(code, message);
    match state.hit {
        Some(Limit::Table) => failure,
        _ => Failure {
            problem: failure.problem.hint(
                "raise the limit in the manifest if the connector needs it; otherwise the connector is at fault",
            ),
            ..failure
        },
    }
}

/// It is not this guest's fault, and passes.
fn hub_is_full(call: &str, state: &State) -> Failure {
    let most = state.room.budget().most() >> 20;
    let message = format!(
        "`{call}` was stopped: all connectors together would use more than the hub's {most} MiB"
    );
    let hint =
        "let fewer sources run at the same time, or raise `[limits] memory` in the hub's manifest";
    let problem = Problem::new(&codes::HUB_MEMORY, message).hint(hint);
    Failure::new(FailureKind::Transient, problem)
}

fn trapped(error: &wasmtime::Error, call: &str, state: &State) -> Failure {
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => Failure::guest(
            &codes::STACK_LIMIT,
            format!(
                "`{call}` nested calls deeper than the stack of {} KiB",
                super::engine::STACK_BYTES >> 10
            ),
        ),
        // Also what a Rust guest does when its own stack, which is in its memory, runs out.
        Some(trap) => {
            let wrote = match state.last_words() {
                words if words.is_empty() => String::new(),
                words => format!("; it wrote: {words}"),
            };
            Failure::guest(&codes::TRAPPED, format!("`{call}` trapped: {trap}{wrote}"))
        }
        None => {
            let text = state.clean(&error.root_cause().to_string(), DETAIL_BYTES);
            Failure::guest(
                &codes::MALFORMED_ANSWER,
                format!("`{call}` broke the contract: {text}"),
            )
        }
    }
}

/// The connector does not have the call at all.
pub fn not_exported(call: &str) -> Failure {
    Failure::new(
        FailureKind::Permanent,
        Problem::new(
            &codes::NOT_EXPORTED,
            format!("the connector does not have `{call}`"),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::host::cancel::Cancel;
    use crate::host::types::{
        Advice, Connection, Http, HttpError, HttpRequest, HttpResponse, Scrub,
    };
    use crate::host::wire::http::{self, Host};
    use crate::manifest::Limits;
    use crate::model::Timestamp;
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    /// Returns these answers one after another.
    struct Scripted(Mutex<Vec<Result<HttpResponse, HttpError>>>);

    impl Http for Scripted {
        fn send(&self, _: HttpRequest, _: Instant, _: &Cancel) -> Result<HttpResponse, HttpError> {
            self.0.lock().expect("no panic before").remove(0)
        }
    }

    fn denied() -> Result<HttpResponse, HttpError> {
        let problem = Problem::new(&codes::HOST_DENIED, "may not call `evil.example`");
        Err(HttpError::Denied(problem.hint("add `grant.hosts`")))
    }

    fn answered(status: u16) -> Result<HttpResponse, HttpError> {
        Ok(HttpResponse {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        })
    }

    /// A call that sent a POST for each of these answers.
    fn after(answers: Vec<Result<HttpResponse, HttpError>>) -> State {
        let count = answers.len();
        let scrub = Scrub::nothing();
        let connection = Connection {
            name: "tool".into(),
            config: "{}".to_owned(),
            limits: Limits::default(),
            http: Arc::new(Scripted(Mutex::new(answers))),
            keys: None,
            clock: Clock::new(|| Timestamp(0)),
            cancel: Cancel::default(),
            log: Arc::new(|_| {}),
            scrub,
            advice: Advice::default(),
        };
        let mut state = State::new(connection, Arc::default(), Instant::now());
        for _ in 0..count {
            let request = http::Request {
                method: "POST".to_owned(),
                url: "https://tool.example/rows".to_owned(),
                headers: Vec::new(),
                body: None,
                auth: None,
                bucket: None,
                timeout_ms: None,
                idempotent: false,
            };
            let _ = state.send(request);
        }
        state
    }

    fn detail(message: &str) -> Detail {
        Detail {
            code: "tool.no_answer".to_owned(),
            message: message.to_owned(),
            http_status: None,
            data: None,
        }
    }

    // B18, I9
    #[test]
    fn a_denial_does_not_explain_what_failed_after_it() {
        let state = after(vec![denied(), Err(HttpError::Timeout)]);
        let failure = said(Error::Transient(detail("did not answer")), &state);
        assert_eq!(failure.kind, FailureKind::Transient);
        assert_eq!(failure.problem.code.id, codes::VENDOR_TRANSIENT.id);
        assert!(failure.may_have_written && failure.is_retryable());
    }

    // B18, I9
    #[test]
    fn a_denial_after_a_write_leaves_what_was_written_unknown() {
        let state = after(vec![answered(200), denied()]);
        let failure = said(Error::Transient(detail("no way")), &state);
        assert_eq!(failure.kind, FailureKind::Transient);
        assert!(failure.may_have_written);
        // A connector that says itself that it is the configuration gets the line that is missing.
        let failure = said(Error::Config(detail("denied")), &state);
        assert_eq!(failure.problem.code.id, codes::HOST_DENIED.id);
        assert!(failure.may_have_written);
    }

    #[test]
    fn where_nothing_but_denials_happened_they_are_the_reason() {
        let state = after(vec![denied(), denied()]);
        let failure = said(Error::Transient(detail("no network")), &state);
        assert_eq!(failure.kind, FailureKind::Config);
        assert_eq!(failure.problem.code.id, codes::HOST_DENIED.id);
        assert!(!failure.may_have_written);
    }

    #[test]
    fn a_refusal_of_the_only_request_changed_nothing_and_a_lost_answer_may_have() {
        let refused = said(Error::Permanent(detail("bad")), &after(vec![answered(400)]));
        assert!(!refused.may_have_written);
        let lost = after(vec![Err(HttpError::Timeout)]);
        assert!(said(Error::Permanent(detail("bad")), &lost).may_have_written);
    }

    #[test]
    fn what_a_vendor_writes_is_kept_without_addresses() {
        let state = after(Vec::new());
        let failure = said(Error::Permanent(detail("ada@x.example is bad")), &state);
        assert_eq!(failure.problem.message, "`tool.no_answer`: [e-mail] is bad");
    }
}
