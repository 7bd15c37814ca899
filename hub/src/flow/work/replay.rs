//! What follows from other manifests, without reading and sending: stored records are mapped again, and definitions take effect.

use crate::flow::commit::adopt::{Approval, Leave};
use crate::flow::context::Context;
use crate::flow::lease;
use crate::flow::upkeep::remap::remap;
use crate::flow::work::run::{Events, LogEnds, RunReport, bring_up_to_date, enter, finish, ready};
use crate::problem::codes::TOO_MANY_UNFIT;
use crate::store::Result;
use std::sync::Arc;

/// What an edit of the manifests does by itself: everything of a run but reading and sending. For a copy of the store.
pub async fn take_effect(context: &Context) -> Result<RunReport> {
    context.store.forget_jobs().await?;
    let log = LogEnds::of(&mut context.store.read().await?).await?;
    let mut context = context.clone();
    let leave = Leave::Planned(Approval::default());
    enter(&mut context, &|| true, &leave).await?;
    let events: Events = Arc::new(|_| {});
    follow(&context, log, &events).await
}

/// What follows from the manifests that were just applied; `context` has entered by them. Other processes may do a part of it at
/// the same time. What is left when it is stopped, the next run does.
pub async fn replay(context: &Context, events: &Events) -> Result<RunReport> {
    let log = LogEnds::of(&mut context.store.read().await?).await?;
    follow(context, log, events).await
}

async fn follow(context: &Context, log: LogEnds, events: &Events) -> Result<RunReport> {
    let mut report = RunReport::default();
    let mut tx = context.store.read().await?;
    report.people_before = tx.status_counts().await?.people;
    drop(tx);
    let mut context = ready(context).await?;
    for source in &context.plan.sources {
        let Some(lease) = lease::wait_to_read(&context, &source.name).await? else {
            return Err(lease::cancelled());
        };
        let mapped = remap(&lease.fencing(&context), source).await;
        // Its records stay as they are, and those of other sources follow.
        let mapped = match mapped {
            Err(problem) if problem.code == &TOO_MANY_UNFIT => {
                report.problems.push(problem);
                Ok(0)
            }
            other => other,
        };
        report.remapped += lease.over(mapped).await?;
    }
    bring_up_to_date(&mut context, events).await?;
    finish(&context, log, &mut report).await?;
    Ok(report)
}
