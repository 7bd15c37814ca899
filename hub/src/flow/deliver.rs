//! Delivery: wanted minus acknowledged, sent in batches, with an outcome per row. What is about to be sent is marked
//! first, so that after a crash the connector is asked to look before it writes (I9).

use crate::delivery::{self, Operation};
use crate::flow::Context;
use crate::flow::read::{blocking, retrying};
use crate::flow::settle::ConsentEntry;
use crate::host::{
    Cancel, Chunk, Connector, Failure, FailureKind, Member, MemberChange, MemberId, MemberIdForm,
    MemberIdKind, Outcome, WriteMode, WriteRequest,
};
use crate::manifest::Destination;
use crate::model::{ConsentStatus, Fields, IdentifierKind};
use crate::problem::codes::{GUARD_REMOVED, JOB_UNFINISHED, ROW_REJECTED};
use crate::problem::{Place, Problem};
use crate::store::{AcknowledgedRow, ChangeRow, DeadLetterRow, Result, Tx};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Changes that are looked at together.
const WINDOW: i64 = 5_000;
/// People go before memberships, since a vendor takes only members that it knows.
const FAMILIES: [&str; 2] = ["person:", "audience:"];
const ROW_TRIES: i64 = 3;
/// How often a vendor's job is asked for before the rows count as unanswered.
const POLLS: u32 = 120;

/// What a delivery did or would do.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct DeliveryReport {
    pub destination: String,
    pub upserted: i64,
    /// By audience.
    pub added: BTreeMap<String, i64>,
    pub removed: BTreeMap<String, i64>,
    pub rejected: i64,
    /// Left for the next run after failures that may pass.
    pub postponed: i64,
    /// People who are not sent for want of consent or by suppression.
    pub withheld: i64,
    #[serde(skip)]
    pub problem: Option<Problem>,
    pub guarded: bool,
}

/// One row to send.
#[derive(Debug, Clone)]
struct Row {
    change: i64,
    key: String,
    payload: String,
    unsure: bool,
    attempts: i64,
}

/// Rows of one object and operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    object: String,
    operation: Operation,
    unsure: bool,
}

// I13: every purpose must be granted, and no statement means no.
pub(super) fn is_allowed(
    context: &Context,
    destination: &Destination,
    traits: &Fields,
    consents: &BTreeMap<String, ConsentEntry>,
) -> bool {
    let granted = |purpose: &String| {
        consents
            .get(purpose)
            .is_some_and(|entry| entry.status == ConsentStatus::Granted)
    };
    let suppressed = |kind: IdentifierKind| {
        let name = kind.to_string();
        traits
            .get(&name)
            .and_then(|value| value.as_str())
            .is_some_and(|value| context.suppression.holds(&name, value))
    };
    destination.consent.iter().all(granted)
        && !suppressed(IdentifierKind::Email)
        && !suppressed(IdentifierKind::Phone)
}

/// What may be sent at a key: the wanted row of the person with the smallest id among those who allow it.
fn sendable(context: &Context, destination: &Destination, rows: &[ChangeRow]) -> Option<String> {
    rows.iter()
        .filter(|row| {
            let traits: Fields = row
                .traits
                .as_deref()
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default();
            let consents: BTreeMap<String, ConsentEntry> = row
                .consents
                .as_deref()
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default();
            is_allowed(context, destination, &traits, &consents)
        })
        .find_map(|row| row.wanted.clone())
}

/// Sorts a window of changes into groups; gives the changes that need nothing.
fn group(
    context: &Context,
    destination: &Destination,
    rows: &[ChangeRow],
) -> (BTreeMap<Group, Vec<Row>>, Vec<i64>) {
    let mut groups: BTreeMap<Group, Vec<Row>> = BTreeMap::new();
    let mut idle = Vec::new();
    for rows in rows.chunk_by(|a, b| a.id == b.id) {
        let first = &rows[0];
        let wanted = sendable(context, destination, rows);
        let operation = delivery::operation(
            &first.object,
            wanted.as_deref(),
            first.acknowledged.as_deref(),
        );
        if operation == Operation::Nothing && !first.unsure {
            idle.push(first.id);
            continue;
        }
        // A try without an answer may have been applied: for a member that is wanted no more, that is taken back.
        let operation = match operation {
            Operation::Nothing if wanted.is_none() && first.object.starts_with("audience:") => {
                Operation::Remove
            }
            Operation::Nothing if wanted.is_none() => {
                idle.push(first.id);
                continue;
            }
            Operation::Nothing if first.object.starts_with("audience:") => Operation::Add,
            Operation::Nothing => Operation::Upsert,
            needed => needed,
        };
        let group = Group {
            object: first.object.clone(),
            operation,
            unsure: first.unsure,
        };
        groups.entry(group).or_default().push(Row {
            change: first.id,
            key: first.remote_key.clone(),
            payload: wanted.unwrap_or_else(|| "{}".to_owned()),
            unsure: first.unsure,
            attempts: first.attempts,
        });
    }
    (groups, idle)
}

/// What delivering would do, without doing it.
pub async fn plan(context: &Context, destination: &Destination) -> Result<DeliveryReport> {
    let mut report = DeliveryReport {
        destination: destination.name.to_string(),
        ..DeliveryReport::default()
    };
    let mut tx = context.store.read().await?;
    report.withheld = tx.withheld_count(&destination.name).await?;
    for family in FAMILIES {
        let mut after = 0;
        loop {
            let rows = tx
                .pending_changes(&destination.name, family, after, WINDOW)
                .await?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            for (group, rows) in group(context, destination, &rows).0 {
                report.count(&group, rows.len() as i64);
            }
        }
    }
    for (name, removals) in &report.removed {
        let acknowledged = tx
            .acknowledged_count(&destination.name, &format!("audience:{name}"))
            .await?;
        if !delivery::may_remove(*removals, acknowledged, destination.guard.max_removed) {
            report.guarded = true;
            report.problem = Some(too_many(destination, name, *removals, acknowledged));
            break;
        }
    }
    Ok(report)
}

fn too_many(
    destination: &Destination,
    audience: &str,
    removals: i64,
    acknowledged: i64,
) -> Problem {
    let share = destination.guard.max_removed * 100.0;
    Problem::new(
        &GUARD_REMOVED,
        format!("audience `{audience}` would lose {removals} of its {acknowledged} members there, more than the {share:.0}% that one run may remove; nothing was sent"),
    )
    .at(at(destination))
    .hint(format!("if that is right, raise `guard.max_removed` of destination `{}` and run again", destination.name))
}

fn at(destination: &Destination) -> Place {
    Place::Record {
        source: destination.name.to_string(),
        stream: None,
        key: None,
        field: None,
    }
}

impl DeliveryReport {
    fn count(&mut self, group: &Group, rows: i64) {
        let audience = group
            .object
            .strip_prefix("audience:")
            .unwrap_or_default()
            .to_owned();
        match group.operation {
            Operation::Nothing => {}
            Operation::Upsert => self.upserted += rows,
            Operation::Add => *self.added.entry(audience).or_default() += rows,
            Operation::Remove => *self.removed.entry(audience).or_default() += rows,
        }
    }
}

/// Sends everything that is pending for a destination. The guards look at the whole before the first row goes.
pub async fn deliver(
    context: &Context,
    destination: &Destination,
    connector: Box<dyn Connector>,
    cancel: &Cancel,
) -> Result<DeliveryReport> {
    let planned = plan(context, destination).await?;
    if planned.guarded {
        let problem = planned.problem;
        return Ok(DeliveryReport {
            destination: planned.destination,
            withheld: planned.withheld,
            problem,
            guarded: true,
            ..DeliveryReport::default()
        });
    }
    let report = DeliveryReport {
        destination: planned.destination,
        withheld: planned.withheld,
        ..DeliveryReport::default()
    };
    let mut sender = Sender {
        context,
        destination,
        connector: Some(connector),
        cancel,
        report,
    };
    sender.all().await?;
    Ok(sender.report)
}

struct Sender<'a> {
    context: &'a Context,
    destination: &'a Destination,
    /// Away while it is being called.
    connector: Option<Box<dyn Connector>>,
    cancel: &'a Cancel,
    report: DeliveryReport,
}

impl Sender<'_> {
    async fn all(&mut self) -> Result<()> {
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
            let (groups, idle) = group(self.context, self.destination, &rows);
            let mut tx = self.context.store.begin().await?;
            finish(&mut tx, &idle).await?;
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
        while let Some(rows) = queue.pop_front() {
            let ids: Vec<i64> = rows.iter().map(|row| row.change).collect();
            let mut tx = self.context.store.begin().await?;
            tx.mark_unsure(&ids).await?;
            tx.commit().await?;
            match self.call(group, &rows).await? {
                Ok(outcome) => self.settle(group, rows, outcome).await?,
                Err(failure) if failure.kind == FailureKind::Permanent => {
                    match delivery::bisect(rows.clone()) {
                        Some((first, second)) => {
                            self.unmark(&rows).await?;
                            queue.push_front(second);
                            queue.push_front(first);
                        }
                        None => {
                            let message = failure.problem.message.clone();
                            self.reject(group, &rows[0], failure.problem.code.id, &message)
                                .await?;
                        }
                    }
                }
                Err(failure) => {
                    if !matches!(
                        failure.kind,
                        FailureKind::Transient
                            | FailureKind::Guest
                            | FailureKind::Other
                            | FailureKind::Cancelled
                    ) {
                        self.unmark(&rows).await?;
                    }
                    self.report.postponed +=
                        (rows.len() + queue.iter().map(Vec::len).sum::<usize>()) as i64;
                    self.report.problem = Some(failure.problem.at(at(self.destination)));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn unmark(&self, rows: &[Row]) -> Result<()> {
        let sure: Vec<i64> = rows
            .iter()
            .filter(|row| !row.unsure)
            .map(|row| row.change)
            .collect();
        let mut tx = self.context.store.begin().await?;
        tx.mark_sure(&sure).await?;
        tx.commit().await
    }

    async fn call(
        &mut self,
        group: &Group,
        rows: &[Row],
    ) -> Result<std::result::Result<Outcome, Failure>> {
        let key = idempotency_key(&self.destination.name, group, rows);
        let audience = match group.object.strip_prefix("audience:") {
            Some(name) => match self.remote_audience(name).await? {
                Ok(id) => Some(id),
                Err(failure) => return Ok(Err(failure)),
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
            data.extend_from_slice(row.payload.as_bytes());
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
        let (connector, done) = blocking(move || {
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
                    again.push(row.change)
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
                tx.acknowledge(rows, self.context.clock.now()).await?;
            }
        }
        finish(&mut tx, &ids).await?;
        tx.mark_sure(&again).await?;
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
        tx.reject_change(row.change, "rejected", code, message)
            .await?;
        let id = tx.reserve("dead_letter", 1).await?;
        tx.close_dead_letters([letter_slot(row.change)]).await?;
        tx.add_dead_letters(vec![DeadLetterRow {
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

/// One call to a destination, owned so that it can go to another thread.
enum Call {
    Rows(WriteRequest),
    Members { add: bool, change: MemberChange },
}

impl Call {
    /// A try that fails without an answer is repeated with `verify`, so that nothing is applied twice.
    fn send(
        mut self,
        connector: &mut dyn Connector,
        cancel: &Cancel,
        count: u32,
    ) -> std::result::Result<Outcome, Failure> {
        let mut first = true;
        let outcome = retrying(cancel, || {
            if !std::mem::take(&mut first) {
                self.verify();
            }
            match &self {
                Self::Rows(request) => connector.write(request),
                Self::Members { add: true, change } => connector.add_members(change),
                Self::Members { add: false, change } => connector.remove_members(change),
            }
        })?;
        let Some(job) = outcome.job.clone() else {
            return Ok(outcome);
        };
        for _ in 0..POLLS {
            let polled = match &self {
                Self::Rows(_) => connector.poll_write(&job, count)?,
                Self::Members { .. } => connector.poll_audience(&job, count)?,
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
        for text in [&row.key, &row.payload] {
            hasher.update(text.as_bytes());
            hasher.update(&[0]);
        }
    }
    hasher.finalize().to_hex()[..32].to_owned()
}
