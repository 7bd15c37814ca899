//! Sending: batch after batch, each marked before it is sent, and the outcome of each row stored afterwards.

use super::group::{FAMILIES, Group, Grouped, Row, WINDOW, grouped, strangers};
use super::remote::{Renewed, Sent};
use super::report::{DeliveryReport, at, codes_of, whole_refused};
use crate::delivery::{End, Operation, Search};
use crate::flow::commit::echo::{self, Sending};
use crate::flow::commit::want::mark;
use crate::flow::context::Context;
use crate::flow::stored_json::to_json;
use crate::host::{Connector, Failure, FailureKind, Outcome, RowFailure};
use crate::manifest::Destination;
use crate::model::without_personal;
use crate::problem::codes::{NOT_EXPORTED, ROW_REJECTED};
use crate::store::{
    AcknowledgedRow, AttemptRow, DeadLetterRow, LetterState, Looked, RefusedRow, Result, Tx,
};
use std::collections::{BTreeMap, BTreeSet};

/// How many attempts a row gets when the vendor asks to send it again. Calls that say nothing about the row do not count.
const ROW_ATTEMPTS: i64 = 3;

pub(super) struct Sender<'a> {
    pub context: &'a Context,
    pub destination: &'a Destination,
    /// None while it is being called.
    pub connector: Option<Box<dyn Connector>>,
    pub report: DeliveryReport,
    /// How many rows of each kind the report names.
    pub show: usize,
    /// Rows that changed in this pass after they were read.
    pub moved: i64,
    /// Changes appeared that this pass did not read.
    pub again: bool,
    /// Rows of this pass that were not sent, or refused with all others.
    skipped: i64,
    /// Removals that a guard would count are left for later.
    pub keeps_members: bool,
    /// A guard stopped everything else.
    pub removes_suppressed_only: bool,
    /// Changes that the vendor asked to send later.
    later: BTreeSet<Looked>,
    /// Objects that the vendor refuses as a whole.
    stopped: BTreeSet<String>,
    /// Audiences that were created again.
    pub renewed: BTreeSet<String>,
    /// Nothing more can be sent to the destination for now.
    halted: bool,
}

impl<'a> Sender<'a> {
    pub fn new(
        context: &'a Context,
        destination: &'a Destination,
        connector: Box<dyn Connector>,
    ) -> Self {
        Self {
            context,
            destination,
            connector: Some(connector),
            report: DeliveryReport::of(destination),
            show: 0,
            moved: 0,
            again: false,
            skipped: 0,
            keeps_members: false,
            removes_suppressed_only: false,
            later: BTreeSet::new(),
            stopped: BTreeSet::new(),
            renewed: BTreeSet::new(),
            halted: false,
        }
    }

    pub fn is_over(&self) -> bool {
        self.halted || self.context.cancel.is_cancelled()
    }

    /// One pass over everything that is pending. True when another pass is needed.
    pub async fn pass(&mut self) -> Result<bool> {
        (self.moved, self.skipped, self.again) = (0, 0, false);
        for family in FAMILIES {
            self.family(family).await?;
        }
        self.report.postponed = self.moved + self.skipped + self.later.len() as i64;
        Ok((self.moved > 0 || self.again) && !self.is_over())
    }

    async fn family(&mut self, family: &str) -> Result<()> {
        let mut after = 0;
        while !self.is_over() {
            let mut tx = self.context.store.read().await?;
            let rows = tx
                .pending_changes(&self.destination.name, family, after, WINDOW)
                .await?;
            let list = self.context.suppression.at(&mut tx).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = last.id;
            let mut found = grouped(self.context, &list, self.destination, &rows)?;
            self.leave_strangers(&mut tx, &mut found).await?;
            drop(tx);
            let Grouped {
                groups,
                idle,
                held,
                unsent,
            } = found;
            if !(idle.is_empty() && held.is_empty()) {
                // I13, I16: what replaced manifests need not send may have to be sent with the new ones.
                let mut tx = self.context.begin_held().await?;
                finish(&mut tx, &idle).await?;
                tx.close_dead_letters(held.iter().map(|one| letter_slot(one.change)))
                    .await?;
                tx.hold_changes(&held).await?;
                tx.wake_members(&self.destination.name, &unsent).await?;
                tx.commit().await?;
            }
            for (group, mut rows) in groups {
                rows.retain(|row| !self.later.contains(&row.before.looked));
                if self.removes_suppressed_only {
                    let removes = group.operation == Operation::Remove;
                    rows.retain(|row| removes && row.is_suppressed());
                }
                if self.keeps_members && group.operation == Operation::Remove {
                    rows.retain(|row| !row.is_guarded());
                }
                let size = self.batch_size(&group);
                for batch in rows.chunks(size) {
                    if self.is_over() || self.stopped.contains(&group.object) {
                        self.skipped += batch.len() as i64;
                        continue;
                    }
                    self.send(&group, batch.to_vec()).await?;
                }
            }
        }
        Ok(())
    }

    /// Leaves out members that the destination does not know yet. They follow their people.
    async fn leave_strangers(&mut self, tx: &mut Tx, found: &mut Grouped) -> Result<()> {
        let push = self.destination.person.as_ref();
        let Some(push) = push.filter(|_| !self.removes_suppressed_only) else {
            return Ok(());
        };
        let person = format!("person:{}", push.target);
        for (group, rows) in &mut found.groups {
            let waiting = strangers(tx, self.destination, group, rows).await?;
            rows.retain(|row| {
                let Some((of, refused)) = waiting.get(&row.change()) else {
                    return true;
                };
                if *refused {
                    found.held.push(row.before.looked);
                } else {
                    self.skipped += 1;
                    let is_later = self.later.iter().any(|later| later.change == *of);
                    self.again |= !is_later && !self.stopped.contains(&person);
                }
                false
            });
        }
        Ok(())
    }

    fn batch_size(&self, group: &Group) -> usize {
        let mut targets = self.destination.description.targets.iter();
        let spec = targets.find(|spec| spec.name == group.target());
        spec.map_or(500, |spec| spec.max_batch.max(1) as usize)
    }

    /// Sends one batch. If it is refused as a whole, searches for the rows that cause that.
    async fn send(&mut self, group: &Group, rows: Vec<Row>) -> Result<()> {
        let mut group = group.clone();
        let mut search = Search::new(rows);
        // The audience was created again under the same id, if it was gone at all.
        let mut may_be_empty = false;
        while let Some(rows) = search.next_part() {
            let mut rows = self.begin(&group, rows).await?;
            if rows.is_empty() {
                search.skipped();
                continue;
            }
            let left = (rows.len() + search.left()) as i64;
            let answer = match self.call(&group, &rows).await? {
                Sent::Answer(answer) => answer,
                Sent::NoAudience(failure) => {
                    self.undo(&rows).await?;
                    self.stop(&group, &failure, left);
                    return Ok(());
                }
            };
            if answer.is_unsure {
                group.unsure = true;
                for row in &mut rows {
                    row.before = row.sending(self.context.clock.now())?;
                }
            }
            let failure = match answer.outcome {
                Ok(outcome) => {
                    if std::mem::take(&mut may_be_empty) {
                        self.mark_unknown(&group.object).await?;
                    }
                    self.refuse(&group, search.taken()).await?;
                    self.record_outcome(&group, rows, outcome).await?;
                    continue;
                }
                Err(failure) => failure,
            };
            self.undo(&rows).await?;
            if answer.is_forbidden {
                self.moved += left;
                return Ok(());
            }
            may_be_empty = false;
            match self.renew(&group, &failure).await? {
                Renewed::Not => {}
                Renewed::Replaced => {
                    self.moved += left;
                    return Ok(());
                }
                Renewed::Same => {
                    (may_be_empty, group.unsure) = (true, true);
                    search.again(rows);
                    continue;
                }
                Renewed::Failed(failure) => {
                    self.stop(&group, &failure, left);
                    return Ok(());
                }
            }
            if failure.kind != FailureKind::Permanent || failure.problem.code == &NOT_EXPORTED {
                self.stop(&group, &failure, left);
                return Ok(());
            }
            let reason = reason(&failure);
            let blamed = search.refused(rows, &reason, failure);
            self.refuse(&group, blamed).await?;
        }
        self.conclude(&group, search.end()).await
    }

    /// Acts on the result of a search for the rows that were refused.
    async fn conclude(&mut self, group: &Group, end: End<Row, Failure>) -> Result<()> {
        match end {
            End::Rows(blamed) => self.refuse(group, blamed).await,
            End::All(failure, rows) => {
                self.stop(group, &failure, rows.len() as i64);
                Ok(())
            }
        }
    }

    /// Marks rows as being sent, and returns the rows that were marked.
    // I13, I15: a change that was marked again since it was read is left out: its wanted state changed, a consent was withdrawn,
    // somebody was suppressed, or another process sends it. It is not sent as it was read.
    async fn begin(&mut self, group: &Group, mut rows: Vec<Row>) -> Result<Vec<Row>> {
        let mut tx = self.context.begin_held().await?;
        let looked: Vec<Looked> = rows.iter().map(|row| row.before.looked).collect();
        let still = tx.still_pending(&looked).await?;
        rows.retain(|row| still.contains(&row.before.looked));
        self.moved += (looked.len() - rows.len()) as i64;
        if group.operation != Operation::Remove {
            let sending = rows.iter().map(|row| Sending {
                key: &row.key,
                fields: &row.fields,
            });
            let sending: Vec<Sending<'_>> = sending.collect();
            let (context, destination) = (self.context, self.destination);
            let own = echo::own(&mut tx, context, destination, &group.object, &sending).await?;
            for (row, own) in rows.iter_mut().zip(own) {
                row.own = own;
            }
        }
        let now = self.context.clock.now();
        let attempts = rows.iter().map(|row| row.sending(now));
        let attempts: Vec<AttemptRow> = attempts.collect::<Result<_>>()?;
        tx.begin_attempts(&attempts).await?;
        tx.commit().await?;
        for row in &mut rows {
            row.before.looked.generation += 1;
        }
        Ok(rows)
    }

    /// Restores the state recorded before these rows were sent.
    async fn undo(&mut self, rows: &[Row]) -> Result<()> {
        let before: Vec<AttemptRow> = rows.iter().map(|row| row.before.clone()).collect();
        let mut tx = self.context.store.begin().await?;
        tx.undo_attempts(&before).await?;
        tx.commit().await
    }

    /// Stops sending an audience or target, or to the destination at all; `left` rows of the batch wait.
    fn stop(&mut self, group: &Group, failure: &Failure, left: i64) {
        self.skipped += left;
        let code = failure.problem.code.id;
        self.context.meter.failed_call(&self.destination.name, code);
        let is_audience = !group.audience().is_empty();
        let is_its_own = match failure.kind {
            FailureKind::Permanent => true,
            FailureKind::Config | FailureKind::Permission => is_audience,
            _ => false,
        };
        let problem = if is_its_own {
            self.stopped.insert(group.object.clone());
            whole_refused(self.destination, group, &failure.problem)
        } else {
            self.halted = true;
            failure.problem.clone().at(at(self.destination))
        };
        self.report.problems.push(problem);
    }

    /// Stores the outcome of each row.
    async fn record_outcome(
        &mut self,
        group: &Group,
        rows: Vec<Row>,
        outcome: Outcome,
    ) -> Result<()> {
        let mut failed: BTreeMap<usize, RowFailure> = outcome
            .failures
            .into_iter()
            .map(|failure| (failure.index as usize, failure))
            .collect();
        let (mut done, mut again, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
        for (index, row) in rows.into_iter().enumerate() {
            match failed.remove(&index) {
                None => done.push(row),
                Some(failure) if failure.retryable && row.before.attempts + 1 < ROW_ATTEMPTS => {
                    again.push(row.to_retry());
                }
                Some(failure) => rejected.push((row, failure.code, failure.message)),
            }
        }
        let taken = done.len() as i64;
        self.report.count(group, taken);
        self.report.show(group, &done, self.show);
        self.later.extend(again.iter().map(|row| row.looked));
        let codes = codes_of(&rejected);
        let mut tx = self.context.store.begin().await?;
        self.acknowledge(&mut tx, group, done).await?;
        tx.undo_attempts(&again).await?;
        self.reject(&mut tx, group, rejected).await?;
        tx.commit().await?;
        let (meter, name) = (&self.context.meter, &self.destination.name);
        meter.delivered(name, &group.object, group.operation.name(), taken);
        meter.rejected(name, &codes);
        Ok(())
    }

    /// The vendor holds what was sent, whatever is wanted by now.
    // I16: the change is finished if nothing marked it or began to send it since; otherwise it stays pending and is processed
    // again. It is also marked again if another process finished it: it is unknown which request the vendor got last.
    async fn acknowledge(&mut self, tx: &mut Tx, group: &Group, done: Vec<Row>) -> Result<()> {
        let destination = self.destination.name.to_string();
        let looked: Vec<Looked> = done.iter().map(|row| row.before.looked).collect();
        let ended = tx.still_pending(&looked).await?;
        let is_moved = |row: &&Row| !ended.contains(&row.before.looked);
        let whole = |row: &Row| (destination.clone(), group.object.clone(), row.key.clone());
        let moved: Vec<_> = done.iter().filter(is_moved).map(whole).collect();
        if group.operation == Operation::Remove {
            let keys = done.into_iter().map(|row| (group.object.clone(), row.key));
            let keys: Vec<(String, String)> = keys.collect();
            tx.forget_acknowledged(&destination, &keys).await?;
        } else {
            let rows = done.into_iter().map(|row| AcknowledgedRow {
                destination: destination.clone(),
                object: group.object.clone(),
                remote_key: row.key,
                payload: row.payload,
                own: (!row.own.is_empty()).then(|| to_json(&row.own)),
            });
            let mut rows: Vec<AcknowledgedRow> = rows.collect();
            rows.sort_unstable_by(|a, b| a.remote_key.cmp(&b.remote_key));
            let keeps_former = self.context.is_read_back(&destination);
            tx.acknowledge(&rows, self.context.clock.now(), keeps_former)
                .await?;
            if group.operation == Operation::Upsert {
                let keys: Vec<String> = rows.into_iter().map(|row| row.remote_key).collect();
                tx.wake_members(&destination, &keys).await?;
            }
        }
        self.moved += moved.len() as i64;
        mark(tx, moved).await?;
        let ended: Vec<Looked> = ended.into_iter().collect();
        finish(tx, &ended).await
    }

    /// Stores rows that the vendor refused by themselves.
    async fn refuse(&mut self, group: &Group, blamed: Vec<(Row, Failure)>) -> Result<()> {
        if blamed.is_empty() {
            return Ok(());
        }
        let rejected = blamed.into_iter().map(|(row, failure)| {
            let Failure { problem, .. } = failure;
            (row, problem.code.id.to_owned(), problem.message)
        });
        let rejected: Vec<_> = rejected.collect();
        let codes = codes_of(&rejected);
        let mut tx = self.context.store.begin().await?;
        self.reject(&mut tx, group, rejected).await?;
        tx.commit().await?;
        self.context.meter.rejected(&self.destination.name, &codes);
        Ok(())
    }

    /// The vendor refuses these rows: they become dead letters, until they change or are retried. One that changed meanwhile is
    /// sent as it is now.
    async fn reject(
        &mut self,
        tx: &mut Tx,
        group: &Group,
        rejected: Vec<(Row, String, String)>,
    ) -> Result<()> {
        if rejected.is_empty() {
            return Ok(());
        }
        let looked: Vec<Looked> = rejected.iter().map(|one| one.0.before.looked).collect();
        let still = tx.still_pending(&looked).await?;
        let mut undone = Vec::new();
        let mut refused = Vec::new();
        let mut letters = Vec::new();
        for (row, code, message) in rejected {
            if !still.contains(&row.before.looked) {
                self.moved += 1;
                continue;
            }
            let values = row.values();
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let (code, message) = (
                without_personal(&code, &values),
                without_personal(&message, &values),
            );
            letters.push(self.letter(group, &row, &code, &message));
            refused.push(RefusedRow {
                looked: row.before.looked,
                code,
                message,
            });
            undone.push(row.before);
        }
        self.report.rejected += refused.len() as i64;
        tx.undo_attempts(&undone).await?;
        tx.reject_changes(&refused).await?;
        tx.close_dead_letters(letters.iter().map(|letter| letter.slot))
            .await?;
        let first = tx.reserve("dead_letter", letters.len() as i64).await?;
        for (id, letter) in (first..).zip(&mut letters) {
            letter.id = id;
        }
        tx.add_dead_letters(&letters).await
    }

    fn letter(&self, group: &Group, row: &Row, code: &str, message: &str) -> DeadLetterRow {
        DeadLetterRow {
            id: 0,
            kind: "delivery".to_owned(),
            source: self.destination.name.to_string(),
            stream: group.object.clone(),
            slot: letter_slot(row.change()),
            version: row.before.looked.generation,
            key: row.key.clone(),
            field: String::new(),
            code: ROW_REJECTED.id.to_owned(),
            message: format!("rejected by the vendor ({code}): {message}"),
            hint: Some("correct it at its source, or `onefold dead-letters retry`".to_owned()),
            created_at: self.context.clock.now().0,
            state: LetterState::Open,
            decided: None,
        }
    }
}

/// What distinguishes one refusal from another; the message may name the row and is not used.
fn reason(failure: &Failure) -> String {
    let status = failure.http_status.unwrap_or_default();
    format!("{} {} {status}", failure.problem.code.id, failure.said)
}

/// Finishes changes for which nothing is left to do, and closes the dead letters about earlier refusals.
async fn finish(tx: &mut Tx, ended: &[Looked]) -> Result<()> {
    if ended.is_empty() {
        return Ok(());
    }
    tx.close_dead_letters(ended.iter().map(|one| letter_slot(one.change)))
        .await?;
    tx.finish_changes(ended).await
}

/// Dead letters about records and about changes share a table: the slots of records are never negative.
fn letter_slot(change: i64) -> i64 {
    -change
}
