//! Delivery: wanted minus acknowledged, sent in batches, with an outcome per row. What is about to be sent is marked
//! first, so that after a crash the connector checks the vendor's state before it writes (I9).

mod call;
mod group;
mod remote;
mod report;
mod send;
pub mod suppress;
#[cfg(test)]
mod tests;

use crate::delivery::{self, Operation};
use crate::flow::context::Context;
use crate::flow::lease;
use crate::host::Connector;
use crate::manifest::Destination;
use crate::store::Result;
use group::{FAMILIES, PEOPLE, WINDOW, grouped, strangers};
pub use report::DeliveryReport;
use report::{Removals, ShownRow, too_many};
use send::Sender;
use std::collections::BTreeMap;

/// Changes marked again while they were being sent are processed in another pass; after this many passes, by the next run.
const PASSES: usize = 4;

/// How a destination is delivered to.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeliveryOptions {
    /// A source returned no records though it had some before.
    pub emptied: bool,
    /// How many rows of each kind the report names.
    pub show: usize,
    /// Something else is wrong with the destination: only suppressed people are removed.
    pub suppressed_only: bool,
}

impl DeliveryOptions {
    /// For deliveries of which nobody asks to see rows.
    pub fn after(emptied: bool) -> Self {
        Self {
            emptied,
            ..Self::default()
        }
    }
}

/// What delivering would do, without doing it; of each kind of row up to `show` are named.
pub async fn plan(
    context: &Context,
    destination: &Destination,
    show: usize,
) -> Result<DeliveryReport> {
    let mut report = pending(context, destination, Some(show)).await?;
    add_withheld(&mut report, context, destination, show).await?;
    Ok(report)
}

/// What is pending, and whether a guard stops it. A plan says how many rows of each kind to name, and counts what follows from sending;
/// the guard needs to know of removals only.
async fn pending(
    context: &Context,
    destination: &Destination,
    plan: Option<usize>,
) -> Result<DeliveryReport> {
    let mut report = DeliveryReport::of(destination);
    let mut tx = context.store.read().await?;
    let list = context.suppression.at(&mut tx).await?;
    // Only acknowledged members count: one that an attempt without an answer may have added does not.
    let mut removals: BTreeMap<String, Removals> = BTreeMap::new();
    for family in FAMILIES {
        let mut after = 0;
        loop {
            let rows = tx
                .pending_changes(&destination.name, family, after, WINDOW)
                .await?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            let found = grouped(context, &list, destination, &rows)?;
            let mut all = vec![found.groups];
            if plan.is_some() && family == PEOPLE {
                // Memberships that wait for these rows, or for none any more, are sent after them.
                let rows = all[0].values().flatten();
                let keys = rows.map(|row| row.key.clone()).chain(found.unsent);
                let keys: Vec<String> = keys.collect();
                let woken = tx.waking_changes(&destination.name, &keys).await?;
                all.push(grouped(context, &list, destination, &woken)?.groups);
            }
            for (group, mut rows) in all.into_iter().flatten() {
                if let Some(show) = plan {
                    let waiting = strangers(&mut tx, destination, &group, &rows).await?;
                    rows.retain(|row| !matches!(waiting.get(&row.change()), Some((_, true))));
                    if !rows.is_empty() {
                        report.count(&group, rows.len() as i64);
                        report.show(&group, &rows, show);
                    }
                }
                if group.operation == Operation::Remove {
                    let of = removals.entry(group.audience().to_owned()).or_default();
                    for row in rows.iter().filter(|row| row.is_guarded()) {
                        of.all += 1;
                        of.without_consent += i64::from(row.kept.is_some());
                    }
                }
            }
        }
    }
    for (name, removals) in &removals {
        let acknowledged = tx
            .acknowledged_count(&destination.name, &format!("audience:{name}"))
            .await?;
        if !delivery::may_remove(removals.all, acknowledged, destination.guard.max_removed) {
            report.guarded = true;
            let problem = too_many(destination, name, *removals, acknowledged);
            report.problems.push(problem);
            break;
        }
    }
    Ok(report)
}

/// Whom the destination does not get, and why.
async fn add_withheld(
    report: &mut DeliveryReport,
    context: &Context,
    destination: &Destination,
    show: usize,
) -> Result<()> {
    let mut tx = context.store.read().await?;
    let counts = tx.withheld(&destination.name).await?;
    report.withheld = counts.iter().map(|(_, count)| count).sum();
    report.withheld_because = counts.into_iter().collect();
    report.unstated = context.plan.unstated_purposes(destination);
    if show > 0 {
        let people = tx.withheld_people(&destination.name, show as i64).await?;
        report
            .shown
            .extend(people.into_iter().map(|(key, permission)| ShownRow {
                what: "withhold",
                audience: String::new(),
                key,
                because: Some(permission),
            }));
    }
    Ok(())
}

/// Sends everything that is pending for a destination. The guards check all of it before the first row is sent, and again
/// before each further pass.
pub async fn deliver(
    context: &Context,
    destination: &Destination,
    connector: Box<dyn Connector>,
    options: DeliveryOptions,
) -> Result<DeliveryReport> {
    let is_stopped = options.emptied && destination.guard.empty_source_stops;
    let mut sender = Sender::new(context, destination, connector);
    sender.show = options.show;
    for pass in 0..PASSES {
        // I8: the guard counts removals when the work that causes them is done, not one transaction of it after another.
        sender.keeps_members = lease::may_bring_people_back(context).await?;
        let planned = pending(context, destination, None).await?;
        let is_guarded = planned.guarded || is_stopped;
        if is_guarded || options.suppressed_only {
            // What earlier passes sent is reported; the next run begins with this problem.
            if pass == 0 {
                sender.report.problems = planned.problems;
                sender.report.guarded = is_guarded;
                // I13: whom an operator named is removed, whatever else waits.
                sender.removes_suppressed_only = true;
                sender.pass().await?;
            }
            break;
        }
        if !sender.pass().await? {
            break;
        }
    }
    let mut report = sender.report;
    add_withheld(&mut report, context, destination, options.show).await?;
    Ok(report)
}
