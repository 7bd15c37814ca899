//! Sending: batch after batch, marked before it goes, with what became of each row stored after.

use super::{DeliveryReport, FAMILIES, Group, Grouped, Row, WINDOW, at, group};
use crate::delivery::{self, Operation};
use crate::flow::read::retrying;
use crate::flow::{Context, beside};
use crate::host::{
    Cancel, Chunk, Connector, Failure, FailureKind, Member, MemberChange, MemberId, MemberIdForm,
    MemberIdKind, Outcome, WriteMode, WriteRequest,
};
use crate::manifest::Destination;
use crate::problem::Problem;
use crate::problem::codes::{JOB_UNFINISHED, ROW_REJECTED};
use crate::store::{AcknowledgedRow, DeadLetterRow, Result, TryRow, Tx};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const ROW_TRIES: i64 = 3;
/// How often a vendor's job is asked for before the rows count as unanswered.
const POLLS: u32 = 120;

pub(super) struct Sender<'a> {
    pub context: &'a Context,
    pub destination: &'a Destination,
    /// Away while it is being called.
    pub connector: Option<Box<dyn Connector>>,
    pub cancel: &'a Cancel,
    pub report: DeliveryReport,
}

impl Sender<'_> {
    pub async fn all(&mut self) -> Result<()> {
        for family in FAMILIES {
            self.family(family).await?;
        }
        Ok(())
    }

    async fn family(&mut self, family: &str) -> Result<()> {
        let mut after = 0;
        while self.report.problem.is_none() && !self.cancel.is_cancelled() {
            let mut tx = self.context.store.read().await?;
            let rows = tx
                .pending_changes(&self.destination.name, family, after, WINDOW)
                .await?;
            drop(tx);
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = last.id;
            let Grouped { groups, idle, held } = group(self.context, self.destination, &rows);
            let mut tx = self.context.store.begin().await?;
            finish(&mut tx, &idle).await?;
            tx.hold_changes(&held).await?;
            tx.commit().await?;
            for (group, rows) in groups {
                let size = self.batch_size(&group);
                for batch in rows.chunks(size) {
                    if self.report.problem.is_some() || self.cancel.is_cancelled() {
                        self.report.postponed += batch.len() as i64;
                        continue;
                    }
                    self.send(&group, batch.to_vec()).await?;
                }
            }
        }
        Ok(())
    }

    fn batch_size(&self, group: &Group) -> usize {
        let target = group.object.strip_prefix("person:");
        let spec = self
            .destination
            .description
            .targets
            .iter()
            .find(|spec| Some(spec.name.as_str()) == target);
        spec.map_or(500, |spec| spec.max_batch.max(1) as usize)
    }

    /// Sends one batch; a batch that is rejected as a whole is halved until the row that spoils it is found.
    async fn send(&mut self, group: &Group, rows: Vec<Row>) -> Result<()> {
        let mut queue = VecDeque::from([rows]);
        let mut group = group.clone();
        while let Some(mut rows) = queue.pop_front() {
            let tries: Vec<TryRow> = rows.iter().map(Row::trying).collect();
            let mut tx = self.context.store.begin().await?;
            tx.begin_tries(&tries).await?;
            tx.commit().await?;
            let answer = self.call(&group, &rows).await?;
            if answer.is_unsure {
                group.unsure = true;
                for (row, tried) in rows.iter_mut().zip(tries) {
                    row.before = tried;
                }
            }
            let failure = match answer.outcome {
                Ok(outcome) => {
                    self.settle(&group, rows, outcome).await?;
                    continue;
                }
                Err(failure) => failure,
            };
            let mut tx = self.context.store.begin().await?;
            undo(&mut tx, &rows).await?;
            tx.commit().await?;
            if failure.kind != FailureKind::Permanent {
                let queued: usize = queue.iter().map(Vec::len).sum();
                self.report.postponed += (rows.len() + queued) as i64;
                self.report.problem = Some(failure.problem.at(at(self.destination)));
                return Ok(());
            }
            match delivery::bisect(rows.clone()) {
                Some((first, second)) => {
                    queue.push_front(second);
                    queue.push_front(first);
                }
                None => {
                    let message = failure.problem.message.clone();
                    self.reject(&group, &rows[0], failure.problem.code.id, &message)
                        .await?;
                }
            }
        }
        Ok(())
    }

    async fn call(&mut self, group: &Group, rows: &[Row]) -> Result<Answer> {
        let key = idempotency_key(&self.destination.name, group, rows);
        let audience = match group.object.strip_prefix("audience:") {
            Some(name) => match self.remote_audience(name).await? {
                Ok(id) => Some(id),
                Err(failure) => return Ok(Answer::sure(Err(failure))),
            },
            None => None,
        };
        let call = match audience {
            Some(audience) => Call::Members {
                add: group.operation == Operation::Add,
                change: MemberChange {
                    audience,
                    members: rows
                        .iter()
                        .map(|row| member(&self.destination.member_key, &row.key))
                        .collect(),
                    idempotency_key: key,
                    verify: group.unsure,
                },
            },
            None => Call::Rows(self.write_request(group, rows, key)),
        };
        let count = rows.len() as u32;
        self.with_connector(move |connector, cancel| call.send(connector, cancel, count))
            .await
    }

    fn write_request(&self, group: &Group, rows: &[Row], idempotency_key: String) -> WriteRequest {
        let mut data = Vec::new();
        for row in rows {
            data.extend_from_slice(row.sent.as_bytes());
            data.push(b'\n');
        }
        let mode = self
            .destination
            .person
            .as_ref()
            .and_then(|push| WriteMode::parse(&push.mode));
        WriteRequest {
            target: group
                .object
                .strip_prefix("person:")
                .unwrap_or_default()
                .to_owned(),
            mode: mode.unwrap_or(WriteMode::Upsert),
            rows: Chunk {
                count: rows.len() as u32,
                data,
            },
            idempotency_key,
            verify: group.unsure,
        }
    }

    /// The destination's id of an audience, made there on first use.
    async fn remote_audience(
        &mut self,
        name: &str,
    ) -> Result<std::result::Result<String, Failure>> {
        let mut tx = self.context.store.read().await?;
        if let Some(id) = tx.remote_audience(&self.destination.name, name).await? {
            return Ok(Ok(id));
        }
        drop(tx);
        let wanted = name.to_owned();
        let made = self
            .with_connector(move |connector, cancel| {
                retrying(cancel, || connector.create_audience(&wanted, None))
            })
            .await?;
        let audience = match made {
            Ok(audience) => audience,
            Err(failure) => return Ok(Err(failure)),
        };
        let mut tx = self.context.store.begin().await?;
        tx.set_remote_audience(&self.destination.name, name, &audience.id)
            .await?;
        tx.commit().await?;
        Ok(Ok(audience.id))
    }

    async fn with_connector<T: Send + 'static>(
        &mut self,
        call: impl FnOnce(&mut dyn Connector, &Cancel) -> T + Send + 'static,
    ) -> Result<T> {
        let mut connector = self
            .connector
            .take()
            .expect("calls are made one after another");
        let cancel = self.cancel.clone();
        let (connector, done) = beside(move || {
            let done = call(connector.as_mut(), &cancel);
            (connector, done)
        })
        .await;
        self.connector = Some(connector);
        Ok(done)
    }

    /// Stores what became of each row.
    async fn settle(&mut self, group: &Group, rows: Vec<Row>, outcome: Outcome) -> Result<()> {
        let mut failed: BTreeMap<usize, _> = outcome
            .failures
            .into_iter()
            .map(|failure| (failure.index as usize, failure))
            .collect();
        let mut done = Vec::new();
        let mut again = Vec::new();
        let mut rejected = Vec::new();
        for (index, row) in rows.into_iter().enumerate() {
            match failed.remove(&index) {
                None => done.push(row),
                Some(failure) if failure.retryable && row.attempts + 1 < ROW_TRIES => {
                    again.push(row);
                }
                Some(failure) => rejected.push((row, failure)),
            }
        }
        let ids: Vec<i64> = done.iter().map(|row| row.change).collect();
        self.report.count(group, done.len() as i64);
        self.report.postponed += again.len() as i64;
        let mut tx = self.context.store.begin().await?;
        match group.operation {
            Operation::Remove => {
                let keys: Vec<(String, String)> = done
                    .into_iter()
                    .map(|row| (group.object.clone(), row.key))
                    .collect();
                tx.forget_acknowledged(&self.destination.name, &keys)
                    .await?;
            }
            _ => {
                let mut rows: Vec<AcknowledgedRow> = done
                    .into_iter()
                    .map(|row| AcknowledgedRow {
                        destination: self.destination.name.to_string(),
                        object: group.object.clone(),
                        remote_key: row.key,
                        payload: row.payload,
                    })
                    .collect();
                rows.sort_unstable_by(|a, b| a.remote_key.cmp(&b.remote_key));
                tx.acknowledge(&rows, self.context.clock.now()).await?;
            }
        }
        finish(&mut tx, &ids).await?;
        undo(&mut tx, &again).await?;
        tx.commit().await?;
        for (row, failure) in rejected {
            self.reject(group, &row, &failure.code, &failure.message)
                .await?;
        }
        Ok(())
    }

    /// The vendor will not have this row: a dead letter, until it changes or is retried.
    async fn reject(&mut self, group: &Group, row: &Row, code: &str, message: &str) -> Result<()> {
        self.report.rejected += 1;
        let mut tx = self.context.store.begin().await?;
        undo(&mut tx, std::slice::from_ref(row)).await?;
        tx.reject_change(row.change, "rejected", code, message)
            .await?;
        let id = tx.reserve("dead_letter", 1).await?;
        tx.close_dead_letters([letter_slot(row.change)]).await?;
        tx.add_dead_letters(&[DeadLetterRow {
            id,
            kind: "delivery".to_owned(),
            source: self.destination.name.to_string(),
            stream: group.object.clone(),
            slot: letter_slot(row.change),
            key: row.key.clone(),
            field: String::new(),
            code: ROW_REJECTED.id.to_owned(),
            message: format!("rejected by the vendor ({code}): {message}"),
            hint: Some("correct it at its source, or `onefold dead-letters retry`".to_owned()),
            created_at: self.context.clock.now().0,
        }])
        .await?;
        tx.commit().await
    }
}

/// Nothing more is known than before these were sent.
async fn undo(tx: &mut Tx, rows: &[Row]) -> Result<()> {
    let before: Vec<TryRow> = rows.iter().map(|row| row.before.clone()).collect();
    tx.undo_tries(&before).await
}

/// Nothing is left to do: the changes end, and with them the letters about earlier refusals.
async fn finish(tx: &mut Tx, changes: &[i64]) -> Result<()> {
    tx.close_dead_letters(changes.iter().map(|id| letter_slot(*id)))
        .await?;
    tx.finish_changes(changes).await
}

/// Letters about records and about changes share their table: the slots of records are never negative.
fn letter_slot(change: i64) -> i64 {
    -change
}

/// How a call ended.
struct Answer {
    outcome: std::result::Result<Outcome, Failure>,
    /// A try ended without an answer, and may have been applied whatever the last one says.
    is_unsure: bool,
}

impl Answer {
    fn sure(outcome: std::result::Result<Outcome, Failure>) -> Self {
        Self {
            outcome,
            is_unsure: false,
        }
    }
}

/// Whether a call that failed so may have been carried out.
fn is_no_answer(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Transient | FailureKind::Guest | FailureKind::Other | FailureKind::Cancelled
    )
}

/// One call to a destination, owned so that it can go to another thread.
enum Call {
    Rows(WriteRequest),
    Members { add: bool, change: MemberChange },
}

impl Call {
    /// A try that fails without an answer is repeated with `verify`, so that nothing is applied twice.
    fn send(mut self, connector: &mut dyn Connector, cancel: &Cancel, count: u32) -> Answer {
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
            is_unsure |= done
                .as_ref()
                .is_err_and(|failure| is_no_answer(failure.kind));
            done
        });
        match outcome {
            Ok(Outcome { job: Some(job), .. }) => {
                let outcome = self.wait(connector, &job, count);
                // The vendor has the rows: whatever went wrong since, they may be applied.
                is_unsure |= outcome.is_err();
                Answer { outcome, is_unsure }
            }
            outcome => Answer { outcome, is_unsure },
        }
    }

    /// The outcome of a job, asked for until it is there.
    fn wait(
        &self,
        connector: &mut dyn Connector,
        job: &str,
        count: u32,
    ) -> std::result::Result<Outcome, Failure> {
        for _ in 0..POLLS {
            let polled = match self {
                Self::Rows(_) => connector.poll_write(job, count)?,
                Self::Members { .. } => connector.poll_audience(job, count)?,
            };
            if let Some(outcome) = polled {
                return Ok(outcome);
            }
            std::thread::park_timeout(Duration::from_millis(1_000));
        }
        let problem = Problem::new(
            &JOB_UNFINISHED,
            "the vendor took the rows but never said what became of them",
        );
        Err(Failure::new(
            FailureKind::Transient,
            problem.hint("the next run asks again before it sends"),
        ))
    }

    fn verify(&mut self) {
        match self {
            Self::Rows(request) => request.verify = true,
            Self::Members { change, .. } => change.verify = true,
        }
    }
}

fn member(kind: &str, value: &str) -> Member {
    let kind = match kind {
        "email" => MemberIdKind::Email,
        "phone" => MemberIdKind::Phone,
        "device_id" | "ad_id" => MemberIdKind::Device,
        _ => MemberIdKind::ExternalId,
    };
    Member {
        ids: vec![MemberId {
            kind,
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
