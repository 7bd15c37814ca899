//! Delivery: wanted minus acknowledged, sent in batches, with an outcome per row. What is about to be sent is marked
//! first, so that after a crash the connector is asked to look before it writes (I9).

mod send;

use crate::delivery::{self, Operation};
use crate::flow::Context;
use crate::flow::settle::ConsentEntry;
use crate::flow::stored_json::to_json;
use crate::host::{Cancel, Connector};
use crate::manifest::Destination;
use crate::model::{ConsentStatus, Fields, IdentifierKind};
use crate::problem::codes::GUARD_REMOVED;
use crate::problem::{Place, Problem};
use crate::store::{ChangeRow, Result, TryRow};
use send::Sender;
use std::collections::{BTreeMap, BTreeSet};

/// Changes that are looked at together.
const WINDOW: i64 = 5_000;
/// People go before memberships, since a vendor takes only members that it knows.
const FAMILIES: [&str; 2] = ["person:", "audience:"];

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
    /// The payload, and null for what it no longer holds.
    sent: String,
    /// What was known before it is sent now.
    before: TryRow,
    /// The destination has confirmed to hold something at the key.
    is_acknowledged: bool,
    attempts: i64,
}

impl Row {
    /// What is known of it once it is on its way: a field that is given now, or was before, may be there.
    fn trying(&self) -> TryRow {
        let mut tried = names(&self.before.tried);
        tried.extend(delivery::fields(&self.payload));
        TryRow {
            unsure: true,
            tried: to_json(&tried),
            ..self.before
        }
    }
}

fn names(tried: &str) -> BTreeSet<String> {
    serde_json::from_str(tried).unwrap_or_default()
}

/// Rows of one object and operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    object: String,
    operation: Operation,
    unsure: bool,
}

impl Group {
    /// Nothing for profiles.
    fn audience(&self) -> &str {
        self.object.strip_prefix("audience:").unwrap_or_default()
    }
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

/// A window of changes, sorted.
#[derive(Default)]
struct Grouped {
    groups: BTreeMap<Group, Vec<Row>>,
    /// They need nothing.
    idle: Vec<i64>,
    /// Profiles that are not wanted and may have been written by a try without an answer. Nobody is sent for that, but what
    /// was tried has to be known when one is wanted at that key again.
    held: Vec<i64>,
}

fn group(context: &Context, destination: &Destination, rows: &[ChangeRow]) -> Grouped {
    let mut grouped = Grouped::default();
    for rows in rows.chunk_by(|a, b| a.id == b.id) {
        let first = &rows[0];
        let wanted = sendable(context, destination, rows);
        let operation = delivery::operation(
            &first.object,
            wanted.as_deref(),
            first.acknowledged.as_deref(),
        );
        if operation == Operation::Nothing && !first.unsure {
            grouped.idle.push(first.id);
            continue;
        }
        // A try without an answer may have been applied: for a member that is wanted no more, that is taken back.
        let operation = match operation {
            Operation::Nothing if wanted.is_none() && first.object.starts_with("audience:") => {
                Operation::Remove
            }
            Operation::Nothing if wanted.is_none() => {
                grouped.held.push(first.id);
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
        let payload = wanted.unwrap_or_else(|| "{}".to_owned());
        grouped.groups.entry(group).or_default().push(Row {
            change: first.id,
            key: first.remote_key.clone(),
            sent: delivery::to_send(
                &payload,
                first.acknowledged.as_deref(),
                &names(&first.tried),
            ),
            payload,
            before: TryRow {
                change: first.id,
                unsure: first.unsure,
                tried: first.tried.clone(),
            },
            is_acknowledged: first.acknowledged.is_some(),
            attempts: first.attempts,
        });
    }
    grouped
}

/// What delivering would do, without doing it.
pub async fn plan(context: &Context, destination: &Destination) -> Result<DeliveryReport> {
    let mut report = DeliveryReport {
        destination: destination.name.to_string(),
        ..DeliveryReport::default()
    };
    let mut tx = context.store.read().await?;
    report.withheld = tx.withheld_count(&destination.name).await?;
    // What a try without an answer may have added was nobody's member yet.
    let mut removals: BTreeMap<String, i64> = BTreeMap::new();
    for family in FAMILIES {
        let mut after = 0;
        loop {
            let rows = tx
                .pending_changes(&destination.name, family, after, WINDOW)
                .await?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            for (group, rows) in group(context, destination, &rows).groups {
                report.count(&group, rows.len() as i64);
                if group.operation == Operation::Remove {
                    let known = rows.iter().filter(|row| row.is_acknowledged).count();
                    *removals.entry(group.audience().to_owned()).or_default() += known as i64;
                }
            }
        }
    }
    for (name, removals) in &removals {
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
        let audience = group.audience().to_owned();
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
