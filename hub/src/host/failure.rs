//! Why a call failed: from what the guest reported, and from how it was stopped. Decides the kind and the code;
//! the caller decides what happens next.

use crate::host::state::{Limit, State, cut};
use crate::host::types::{Failure, FailureKind};
use crate::host::wire::types::{Detail, Error};
use crate::problem::{Code, Problem, codes};
use wasmtime::Trap;

/// What a vendor writes can hold personal data and go on for ever.
const DETAIL_BYTES: usize = 300;

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
        Error::Cancelled => return cancelled(),
        Error::Other(detail) => (FailureKind::Other, &codes::VENDOR_OTHER, detail, None),
    };
    // The refusal that led to the failure says better than the connector what is to be done.
    if let Some(denied) = &state.denied {
        let mut problem = denied.clone();
        let code = cut(&detail.code, 100);
        problem.message = format!("{} (the connector calls it `{code}`)", problem.message);
        return Failure::new(FailureKind::Config, problem);
    }
    let mut failure = Failure::new(kind, Problem::new(code, describe(&detail, state)));
    failure.retry_after_ms = wait;
    failure
}

fn cancelled() -> Failure {
    Failure::new(
        FailureKind::Cancelled,
        Problem::new(
            &codes::CANCELLED,
            "the call was given up because the run stops",
        ),
    )
}

fn describe(detail: &Detail, state: &State) -> String {
    let status = detail
        .http_status
        .map_or_else(String::new, |status| format!("HTTP {status}, "));
    let code = state.clean(&detail.code, 100);
    let text = format!("{status}`{code}`: {}", detail.message);
    let one_line = text.replace(|c: char| c.is_control(), " ");
    state.clean(&one_line, DETAIL_BYTES)
}

/// The call did not come back.
pub fn stopped(error: &wasmtime::Error, call: &str, state: &State) -> Failure {
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

fn trapped(error: &wasmtime::Error, call: &str, state: &State) -> Failure {
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => Failure::guest(
            &codes::STACK_LIMIT,
            format!(
                "`{call}` nested calls deeper than the stack of {} KiB",
                super::engine::STACK_BYTES >> 10
            ),
        ),
        // Also what a Rust guest does when its own stack, which lies in its memory, runs out.
        Some(trap) => Failure::guest(&codes::TRAPPED, format!("`{call}` trapped: {trap}")),
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
