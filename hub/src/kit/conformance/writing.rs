//! Checks of writing rows. What the vendor holds is compared before and after: twice the same must change nothing, and
//! rows that are new must add as much as the same number of other new rows.

use super::settings::{NUMBER_VARIABLE, RowSettings, VENDOR_VARIABLE, substituted};
use super::{Stop, Trial, Tried, failed, not_applicable};
use crate::host::{Chunk, Failure, FailureKind, Outcome, WriteMode, WriteRequest};
use crate::kit::raw_json::weight;
use crate::kit::tap::{Fault, Tap};
use crate::model::{TargetSpec, Value};
use serde_json::json;

/// Rows of one attempt.
const ROWS: usize = 3;
/// Faults are injected into at most this many requests of a write or of a change of members.
pub const MOST_POSITIONS: usize = 6;

/// Rows that are new to the vendor, as many as asked for.
pub fn new_rows(trial: &Trial, target: &TargetSpec, count: usize) -> Result<Vec<Value>, Stop> {
    (0..count).map(|_| new_row(trial, target)).collect()
}

fn settings(trial: &Trial, target: &TargetSpec) -> RowSettings {
    let rows = &trial.subject.settings.rows;
    rows.get(&target.name).cloned().unwrap_or_default()
}

fn new_row(trial: &Trial, target: &TargetSpec) -> Result<Value, Stop> {
    let number = trial.number().to_string();
    let Some(row) = settings(trial, target).good else {
        return made_row(target, &number);
    };
    let variables = [
        (NUMBER_VARIABLE, number.as_str()),
        (VENDOR_VARIABLE, &trial.subject.vendor),
    ];
    Ok(substituted(&toml::Value::Table(row), &variables))
}

/// A row with the target's keys and what its schema requires, as far as the types say what that is.
fn made_row(target: &TargetSpec, number: &str) -> Result<Value, Stop> {
    let required = target.schema.get("required").and_then(Value::as_array);
    let required = required.into_iter().flatten().filter_map(Value::as_str);
    let mut row = serde_json::Map::new();
    let first = target.keys.iter().take(1).map(String::as_str);
    for name in first.chain(required) {
        let field = &target.schema["properties"][name];
        let value = if let Some(one) = field["enum"].as_array().and_then(|all| all.first()) {
            one.clone()
        } else if name.contains("mail") || field["format"] == "email" {
            json!(format!("conformance.{number}@example.com"))
        } else if field["type"] == "string" || field["type"][0] == "string" {
            json!(format!("conformance {number}"))
        } else {
            return not_applicable(format!(
                "no row for target `{}` can be made up: `[rows.{}] good = {{ … }}` in conformance.toml says one",
                target.name, target.name
            ));
        };
        row.insert(name.to_owned(), value);
    }
    Ok(Value::Object(row))
}

fn bad_row(trial: &Trial, target: &TargetSpec) -> Result<Value, Stop> {
    if let Some(row) = settings(trial, target).bad {
        return Ok(substituted(
            &toml::Value::Table(row),
            &[(NUMBER_VARIABLE, "0")],
        ));
    }
    let key = target.keys.first().map_or("", String::as_str);
    if !key.contains("mail") {
        return not_applicable(format!(
            "`[rows.{}] bad = {{ … }}` in conformance.toml does not say which row the vendor refuses",
            target.name
        ));
    }
    let mut row = new_row(trial, target)?;
    row[key] = json!("this is no address");
    Ok(row)
}

fn chunk(rows: &[Value]) -> Chunk {
    let data = rows
        .iter()
        .map(|row| format!("{row}\n"))
        .collect::<String>();
    Chunk {
        count: u32::try_from(rows.len()).unwrap_or(u32::MAX),
        data: data.into_bytes(),
    }
}

pub fn request(
    trial: &Trial,
    target: &TargetSpec,
    mode: WriteMode,
    rows: &[Value],
) -> WriteRequest {
    WriteRequest {
        target: target.name.clone(),
        mode,
        rows: chunk(rows),
        idempotency_key: format!("conformance-{}", trial.number()),
        verify: false,
    }
}

/// Writes and waits for the vendor's answer, when it comes later.
pub fn write(
    trial: &Trial,
    request: &WriteRequest,
    tap: Option<&std::sync::Arc<Tap>>,
) -> Result<Outcome, Failure> {
    let mut connector = match tap {
        Some(tap) => trial.fresh_through(tap.clone()),
        None => trial.fresh(),
    };
    let mut outcome = connector.write(request)?;
    for _ in 0..100 {
        let Some(job) = outcome.job.take() else { break };
        outcome = connector
            .poll_write(&job, request.rows.count)?
            .unwrap_or(Outcome {
                failures: Vec::new(),
                job: Some(job),
            });
    }
    Ok(outcome)
}

fn all_written(what: &str, outcome: &Outcome) -> Tried {
    match outcome.failures.first() {
        None => Ok(()),
        Some(failure) => failed(format!(
            "{what}: row {} is refused: {}",
            failure.index, failure.message
        )),
    }
}

/// A mode in which rows can be made, the best first.
fn making(target: &TargetSpec) -> Option<WriteMode> {
    [WriteMode::Upsert, WriteMode::CreateOnly]
        .into_iter()
        .find(|mode| target.modes.iter().any(|one| one == mode.as_str()))
}

fn each(trial: &Trial, look: impl Fn(&TargetSpec, WriteMode) -> Tried) -> Tried {
    trial.needs_rows()?;
    trial.needs_live()?;
    let mut made = false;
    for target in &trial.description().targets {
        if let Some(mode) = making(target) {
            made = true;
            look(target, mode)?;
        }
    }
    match made {
        true => Ok(()),
        false => not_applicable("no target can make rows"),
    }
}

fn grown(before: &str, after: &str) -> i64 {
    let size = |text: &str| i64::try_from(weight(text)).unwrap_or(i64::MAX);
    size(after) - size(before)
}

/// How much the vendor's state grows by new rows that are written without any trouble.
fn growth(trial: &Trial, target: &TargetSpec, mode: WriteMode, count: usize) -> Result<i64, Stop> {
    let before = trial.state()?;
    let rows = new_rows(trial, target, count)?;
    let outcome = write(trial, &request(trial, target, mode, &rows), None)?;
    all_written(&format!("target `{}`", target.name), &outcome)?;
    let growth = grown(&before, &trial.state()?);
    match growth {
        ..=0 => failed(format!(
            "target `{}`: written rows are not at the vendor",
            target.name
        )),
        _ => Ok(growth),
    }
}

pub fn upsert_twice(trial: &Trial) -> Tried {
    each(trial, |target, mode| {
        if mode != WriteMode::Upsert {
            return not_applicable(format!("target `{}` has no mode `upsert`", target.name));
        }
        growth(trial, target, mode, ROWS)?;
        let rows = new_rows(trial, target, ROWS)?;
        let first = write(trial, &request(trial, target, mode, &rows), None)?;
        all_written("the first time", &first)?;
        let before = trial.state()?;
        let second = write(trial, &request(trial, target, mode, &rows), None)?;
        all_written("the second time", &second)?;
        unchanged(
            target,
            "the same rows again change the vendor's state",
            &before,
            &trial.state()?,
        )
    })
}

fn unchanged(target: &TargetSpec, what: &str, before: &str, after: &str) -> Tried {
    match before == after {
        true => Ok(()),
        false => failed(format!("target `{}`: {what}", target.name)),
    }
}

pub fn partial_failure(trial: &Trial) -> Tried {
    each(trial, |target, mode| {
        let expected = growth(trial, target, mode, 2)?;
        let mut rows = new_rows(trial, target, 2)?;
        rows.insert(1, bad_row(trial, target)?);
        let before = trial.state()?;
        let outcome = write(trial, &request(trial, target, mode, &rows), None)?;
        let named: Vec<u32> = outcome
            .failures
            .iter()
            .map(|failure| failure.index)
            .collect();
        outcome
            .failures
            .iter()
            .for_each(|failure| trial.hear_text(&failure.message));
        if named != [1] {
            return failed(format!(
                "target `{}`: row 1 is wrong, and the rows {named:?} are named",
                target.name
            ));
        }
        if outcome.failures[0].retryable {
            return failed(format!(
                "target `{}`: a row that the vendor refuses is to be tried again",
                target.name
            ));
        }
        match grown(&before, &trial.state()?) == expected {
            true => Ok(()),
            false => failed(format!(
                "target `{}`: the rows next to a wrong one are not written once",
                target.name
            )),
        }
    })
}

/// Numbers of the requests that a write of new rows makes.
fn positions(trial: &Trial, target: &TargetSpec, mode: WriteMode) -> Result<usize, Stop> {
    let rows = new_rows(trial, target, ROWS)?;
    let tap = Tap::new(trial.way_out());
    let outcome = write(trial, &request(trial, target, mode, &rows), Some(&tap))?;
    all_written(&format!("target `{}`", target.name), &outcome)?;
    Ok(tap.sent().min(MOST_POSITIONS))
}

pub fn unknown_outcome(trial: &Trial) -> Tried {
    each(trial, |target, mode| {
        let expected = growth(trial, target, mode, ROWS)?;
        for number in 0..positions(trial, target, mode)? {
            for fault in [Fault::AnswerLost, Fault::Reset] {
                let rows = new_rows(trial, target, ROWS)?;
                let before = trial.state()?;
                let mut request = request(trial, target, mode, &rows);
                let tap = Tap::with_fault(trial.way_out(), number, fault);
                let what = format!("target `{}`", target.name);
                tolerable(trial, &what, fault, write(trial, &request, Some(&tap)))?;
                request.verify = true;
                let outcome = write(trial, &request, None)?;
                all_written("after a lost answer, with `verify`", &outcome)?;
                let after = trial.state()?;
                if grown(&before, &after) != expected {
                    return failed(format!(
                        "target `{}`: after request {} was without an answer, `verify` does not leave each row there once",
                        target.name,
                        number + 1
                    ));
                }
                write(trial, &request, None)?;
                let what = "a second attempt with `verify` writes what is there already";
                unchanged(target, what, &after, &trial.state()?)?;
            }
        }
        Ok(())
    })
}

pub fn write_faults(trial: &Trial) -> Tried {
    each(trial, |target, mode| {
        let expected = growth(trial, target, mode, ROWS)?;
        let wait = Fault::RateLimited { retry_after_s: 1 };
        for number in 0..positions(trial, target, mode)? {
            for fault in [wait, Fault::ServerError, Fault::HalfBody] {
                let rows = new_rows(trial, target, ROWS)?;
                let before = trial.state()?;
                let mut request = request(trial, target, mode, &rows);
                let tap = Tap::with_fault(trial.way_out(), number, fault);
                let what = format!("target `{}`", target.name);
                tolerable(trial, &what, fault, write(trial, &request, Some(&tap)))?;
                request.verify = true;
                let outcome = write(trial, &request, None)?;
                all_written("after a fault", &outcome)?;
                if grown(&before, &trial.state()?) != expected {
                    return failed(format!(
                        "target `{}`: after {fault:?} at request {} the rows are not there once",
                        target.name,
                        number + 1
                    ));
                }
            }
        }
        Ok(())
    })
}

/// A fault may end what was sent, or the rows or members that it met, as something to try again.
pub fn tolerable(trial: &Trial, what: &str, fault: Fault, done: Result<Outcome, Failure>) -> Tried {
    match done {
        Ok(outcome) => match outcome.failures.iter().find(|failure| !failure.retryable) {
            None => Ok(()),
            Some(failure) => failed(format!(
                "{what}: {fault:?} makes row or member {} one that is not tried again",
                failure.index
            )),
        },
        Err(failure) => {
            trial.heard(&failure);
            let fits = match fault {
                Fault::RateLimited { .. } => failure.kind == FailureKind::RateLimited,
                Fault::AnswerLost | Fault::Reset => {
                    matches!(failure.kind, FailureKind::Transient | FailureKind::Other)
                }
                _ => failure.kind == FailureKind::Transient,
            };
            match fits {
                true => Ok(()),
                false => failed(format!(
                    "{what}: {fault:?} becomes {:?}: {}",
                    failure.kind, failure.problem.message
                )),
            }
        }
    }
}

pub fn modes(trial: &Trial) -> Tried {
    each(trial, |target, making| {
        let declared = |mode: WriteMode| target.modes.iter().any(|one| one == mode.as_str());
        let there = new_rows(trial, target, ROWS)?;
        let outcome = write(trial, &request(trial, target, making, &there), None)?;
        all_written("new rows", &outcome)?;
        for mode in [
            WriteMode::UpdateOnly,
            WriteMode::CreateOnly,
            WriteMode::Delete,
            WriteMode::Upsert,
        ] {
            let missing = new_rows(trial, target, ROWS)?;
            let before = trial.state()?;
            if !declared(mode) {
                let done = write(trial, &request(trial, target, mode, &there), None);
                refused(target, mode, &done)?;
                let what = format!(
                    "the mode `{}` is not declared, and does something",
                    mode.as_str()
                );
                unchanged(target, &what, &before, &trial.state()?)?;
                continue;
            }
            match mode {
                WriteMode::UpdateOnly => {
                    write(trial, &request(trial, target, mode, &missing), None)?;
                    unchanged(target, "`update-only` makes rows", &before, &trial.state()?)?;
                    let outcome = write(trial, &request(trial, target, mode, &there), None)?;
                    all_written("`update-only` of rows that are there", &outcome)?;
                }
                WriteMode::CreateOnly => {
                    write(trial, &request(trial, target, mode, &there), None)?;
                    unchanged(
                        target,
                        "`create-only` changes rows that are there",
                        &before,
                        &trial.state()?,
                    )?;
                }
                WriteMode::Delete => {
                    write(trial, &request(trial, target, mode, &missing), None)?;
                    unchanged(
                        target,
                        "`delete` of rows that are not there does something",
                        &before,
                        &trial.state()?,
                    )?;
                    let rows = new_rows(trial, target, ROWS)?;
                    let outcome = write(trial, &request(trial, target, making, &rows), None)?;
                    all_written("new rows", &outcome)?;
                    let before = trial.state()?;
                    let outcome = write(trial, &request(trial, target, mode, &rows), None)?;
                    all_written("`delete`", &outcome)?;
                    if trial.state()? == before {
                        return failed(format!("target `{}`: `delete` does nothing", target.name));
                    }
                }
                WriteMode::Upsert => {}
            }
        }
        Ok(())
    })
}

/// What is not declared is refused as a whole or row by row, for good.
fn refused(target: &TargetSpec, mode: WriteMode, done: &Result<Outcome, Failure>) -> Tried {
    let is_refused = match done {
        Ok(outcome) => {
            outcome.failures.len() == ROWS
                && outcome.failures.iter().all(|failure| !failure.retryable)
        }
        Err(failure) => matches!(failure.kind, FailureKind::Permanent | FailureKind::Config),
    };
    match is_refused {
        true => Ok(()),
        false => failed(format!(
            "target `{}`: the mode `{}` is not declared, and is not refused",
            target.name,
            mode.as_str()
        )),
    }
}

pub fn max_batch(trial: &Trial) -> Tried {
    each(trial, |target, mode| {
        let one = growth(trial, target, mode, 1)?;
        let count = usize::try_from(target.max_batch)
            .unwrap_or(usize::MAX)
            .min(2_000);
        let many = growth(trial, target, mode, count)?;
        match many == one * i64::try_from(count).unwrap_or(i64::MAX) {
            true => Ok(()),
            false => failed(format!(
                "target `{}`: of {count} rows, as many as are declared, not each is written once",
                target.name
            )),
        }
    })
}
