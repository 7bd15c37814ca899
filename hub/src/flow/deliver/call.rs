//! One call to a destination: the request, its retries where they are safe, and how it ended.

use super::group::{Group, Row};
use crate::delivery::Operation;
use crate::flow::connect::calling::retrying;
use crate::host::{
    Cancel, Chunk, Connector, Failure, FailureKind, Member, MemberChange, MemberId, MemberIdForm,
    MemberIdKind, Outcome, WriteMode, WriteRequest,
};
use crate::manifest::Destination;
use crate::problem::Problem;
use crate::problem::codes::JOB_UNFINISHED;
use std::time::Duration;

/// How often a vendor's job is polled before the outcome of its rows counts as unknown.
const POLLS: u32 = 120;

/// How a call ended.
pub(super) struct Answer {
    pub outcome: Result<Outcome, Failure>,
    /// Something may have been applied, whatever the last attempt says.
    pub is_unsure: bool,
    /// Somebody in it must not be sent any more, so it was broken off.
    pub is_forbidden: bool,
}

/// One call to a destination, owned so that it can go to another thread.
pub(super) enum Call {
    Rows(WriteRequest),
    Members { add: bool, change: MemberChange },
}

impl Call {
    /// The rows of a group; `audience` is the vendor's id, for members.
    pub fn of(
        destination: &Destination,
        group: &Group,
        rows: &[Row],
        audience: Option<String>,
    ) -> Self {
        let idempotency_key = idempotency_key(&destination.name, group, rows);
        match audience {
            Some(audience) => Self::Members {
                add: group.operation == Operation::Add,
                change: MemberChange {
                    audience,
                    members: rows
                        .iter()
                        .map(|row| member(&destination.member_key, &row.key))
                        .collect(),
                    idempotency_key,
                    verify: group.unsure,
                },
            },
            None => Self::Rows(write_request(destination, group, rows, idempotency_key)),
        }
    }

    /// A failed attempt is repeated with `verify`, so that nothing is applied twice.
    pub fn send(mut self, connector: &mut dyn Connector, cancel: &Cancel, count: u32) -> Answer {
        let (mut first, mut is_unsure) = (true, false);
        let outcome = retrying(cancel, || {
            if !std::mem::take(&mut first) {
                self.verify();
            }
            let done = match &self {
                Self::Rows(request) => connector.write(request),
                Self::Members { add: true, change } => connector.add_members(change),
                Self::Members { add: false, change } => connector.remove_members(change),
            };
            is_unsure |= done.as_ref().is_err_and(|failure| failure.may_have_written);
            done
        });
        match outcome {
            Ok(Outcome { job: Some(job), .. }) => {
                let outcome = self.wait(connector, &job, count, cancel);
                // The vendor has the rows: whatever went wrong since, they may be applied.
                is_unsure |= outcome.is_err();
                Answer {
                    outcome,
                    is_unsure,
                    is_forbidden: false,
                }
            }
            outcome => Answer {
                outcome,
                is_unsure,
                is_forbidden: false,
            },
        }
    }

    /// The outcome of a job, polled until it is available.
    fn wait(
        &self,
        connector: &mut dyn Connector,
        job: &str,
        count: u32,
        cancel: &Cancel,
    ) -> Result<Outcome, Failure> {
        for _ in 0..POLLS {
            // Polling changes nothing: one lost answer does not mean that the job failed.
            let polled = retrying(cancel, || match self {
                Self::Rows(_) => connector.poll_write(job, count),
                Self::Members { .. } => connector.poll_audience(job, count),
            })?;
            if let Some(outcome) = polled {
                return Ok(outcome);
            }
            if cancel.block(Duration::from_millis(1_000)) {
                break;
            }
        }
        let problem = Problem::new(
            &JOB_UNFINISHED,
            "the vendor took the rows but never said what became of them",
        );
        Err(Failure::new(
            FailureKind::Transient,
            problem.hint("the next run checks the vendor's state before it sends"),
        ))
    }

    fn verify(&mut self) {
        match self {
            Self::Rows(request) => request.verify = true,
            Self::Members { change, .. } => change.verify = true,
        }
    }
}

fn write_request(
    destination: &Destination,
    group: &Group,
    rows: &[Row],
    idempotency_key: String,
) -> WriteRequest {
    let mut data = Vec::new();
    for row in rows {
        data.extend_from_slice(row.sent.as_bytes());
        data.push(b'\n');
    }
    let push = destination.person.as_ref();
    let mode = push.and_then(|push| WriteMode::parse(&push.mode));
    WriteRequest {
        target: group.target().to_owned(),
        mode: mode.unwrap_or(WriteMode::Upsert),
        rows: Chunk {
            count: rows.len() as u32,
            data,
        },
        idempotency_key,
        verify: group.unsure,
    }
}

fn member(key: &str, value: &str) -> Member {
    Member {
        ids: vec![MemberId {
            kind: MemberIdKind::of_key(key),
            form: MemberIdForm::Plain,
            value: value.to_owned(),
        }],
        traits: None,
    }
}

/// The same for the same rows, so that a vendor that knows such keys drops a repetition.
fn idempotency_key(destination: &str, group: &Group, rows: &[Row]) -> String {
    let mut hasher = blake3::Hasher::new();
    for text in [
        destination,
        &group.object,
        &format!("{:?}", group.operation),
    ] {
        hasher.update(text.as_bytes());
        hasher.update(&[0]);
    }
    for row in rows {
        for text in [&row.key, &row.sent] {
            hasher.update(text.as_bytes());
            hasher.update(&[0]);
        }
    }
    hasher.finalize().to_hex()[..32].to_owned()
}
