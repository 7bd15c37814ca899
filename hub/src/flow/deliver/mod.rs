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
use group::{FAMILIES, WINDOW, grouped};
pub use report::DeliveryReport;
use report::too_many;
use send::Sender;
use std::collections::BTreeMap;

/// Changes marked again while they were being sent are processed in another pass; after this many passes, by the next run.
const PASSES: usize = 4;

/// What delivering would do, without doing it.
pub async fn plan(context: &Context, destination: &Destination) -> Result<DeliveryReport> {
    let mut report = DeliveryReport::of(destination);
    let mut tx = context.store.read().await?;
    report.withheld = tx.withheld_count(&destination.name).await?;
    let list = context.suppression.at(&mut tx).await?;
    // Only acknowledged members count: one that an attempt without an answer may have added does not.
    let mut removals: BTreeMap<String, i64> = BTreeMap::new();
    for family in FAMILIES {
        let mut after = 0;
        loop {
            let rows = tx
                .pending_changes(&destination.name, family, after, WINDOW)
                .await?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            for (group, rows) in grouped(context, &list, destination, &rows)?.groups {
                report.count(&group, rows.len() as i64);
                if group.operation == Operation::Remove {
                    let guarded = rows.iter().filter(|row| row.is_guarded()).count();
                    *removals.entry(group.audience().to_owned()).or_default() += guarded as i64;
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
            let problem = too_many(destination, name, *removals, acknowledged);
            report.problems.push(problem);
            break;
        }
    }
    Ok(report)
}

/// Sends everything that is pending for a destination. The guards check all of it before the first row is sent, and again
/// before each further pass. `emptied`: a source returned no records though it had some before.
pub async fn deliver(
    context: &Context,
    destination: &Destination,
    connector: Box<dyn Connector>,
    emptied: bool,
) -> Result<DeliveryReport> {
    let is_stopped = emptied && destination.guard.empty_source_stops;
    let mut sender = Sender::new(context, destination, connector);
    for pass in 0..PASSES {
        // I8: the guard counts removals when the work that causes them is done, not one transaction of it after another.
        sender.keeps_members = lease::may_bring_people_back(context).await?;
        let planned = plan(context, destination).await?;
        sender.report.withheld = planned.withheld;
        if planned.guarded || is_stopped {
            // What earlier passes sent is reported; the next run begins with this problem.
            if pass == 0 {
                sender.report.problems = planned.problems;
                sender.report.guarded = true;
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
    Ok(sender.report)
}
