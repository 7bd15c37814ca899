//! Checks of reading while something goes wrong: one fault at one request at a time, then everything has to be there.

use super::reading::{Baseline, read_through};
use super::{Trial, Tried, failed, not_applicable};
use crate::host::{Failure, FailureKind};
use crate::kit::tap::{Fault, Tap};
use std::collections::BTreeSet;

pub fn rate_limited(trial: &Trial) -> Tried {
    reads(trial, Fault::RateLimited { retry_after_s: 1 }, &|failure| {
        if failure.kind != FailureKind::RateLimited {
            return failed(format!(
                "429 becomes {:?}: {}",
                failure.kind, failure.problem.message
            ));
        }
        match failure.retry_after_ms {
            Some(1_000..) => Ok(()),
            _ => failed("the seconds of `Retry-After` are not passed on"),
        }
    })
}

pub fn server_error(trial: &Trial) -> Tried {
    reads(trial, Fault::ServerError, &|failure| {
        transient("500", failure)
    })
}

pub fn reset(trial: &Trial) -> Tried {
    reads(trial, Fault::Reset, &|failure| {
        transient("a broken connection", failure)
    })
}

pub fn half_body(trial: &Trial) -> Tried {
    reads(trial, Fault::HalfBody, &|failure| {
        transient("half a body", failure)
    })
}

fn transient(what: &str, failure: &Failure) -> Tried {
    match failure.kind {
        FailureKind::Transient => Ok(()),
        kind => failed(format!(
            "{what} becomes {kind:?}: {}",
            failure.problem.message
        )),
    }
}

/// The first requests, one in the middle and the last.
fn positions(requests: usize) -> BTreeSet<usize> {
    [0, 1, 2, requests / 2, requests.saturating_sub(1)]
        .into_iter()
        .filter(|at| *at < requests)
        .collect()
}

fn reads(trial: &Trial, fault: Fault, judge: &dyn Fn(&Failure) -> Tried) -> Tried {
    let baselines = trial.baselines()?;
    let mut fired = false;
    for (stream, baseline) in baselines {
        for number in positions(baseline.requests) {
            let tap = Tap::with_fault(trial.way_out(), number, fault);
            let mut connector = trial.fresh_through(tap.clone());
            let found = read_through(
                trial,
                stream,
                &baseline.parts,
                &mut *connector,
                &mut |failure| judge(failure),
            )?;
            fired |= tap.fired();
            compare(stream, number, baseline, &found)?;
        }
    }
    match fired {
        true => Ok(()),
        false => not_applicable("reading sends no request"),
    }
}

fn compare(stream: &str, number: usize, baseline: &Baseline, found: &Baseline) -> Tried {
    let (right, now) = (baseline.records(), found.records());
    if right == now {
        return Ok(());
    }
    failed(format!(
        "stream `{stream}`: after a fault at request {} there are {} records and not {}, or other ones",
        number + 1,
        now.len(),
        right.len()
    ))
}
