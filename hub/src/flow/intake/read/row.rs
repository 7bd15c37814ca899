//! The row of a run: what `onefold runs` shows of it.

use super::ReadOptions;
use crate::flow::commit::change::Counts;
use crate::flow::context::Context;
use crate::manifest::{Source, Stream};
use crate::problem::Problem;
use crate::store::{Result, RunRow, Tx};

/// For how long what was sent to the hub is counted in one run.
const INBOX_RUN_MS: i64 = 600_000;

/// The row of a run that begins now. Messages that come one by one are counted in one row for some time.
pub(super) async fn new_run(
    tx: &mut Tx,
    source: &Source,
    plan: &Stream,
    options: &ReadOptions,
    now: i64,
) -> Result<RunRow> {
    let kind = options.what.kind();
    let last = match options.what.is_inbox() {
        true => tx.newest_run(&source.name, &plan.name, kind).await?,
        false => None,
    };
    let goes_on = |last: &RunRow| last.state == "done" && now - last.started_at < INBOX_RUN_MS;
    let run = match last.filter(goes_on) {
        Some(last) => RunRow {
            state: "running".to_owned(),
            ..last
        },
        None => {
            tx.forget_runs(&source.name, &plan.name, kind).await?;
            RunRow {
                id: tx.reserve("run", 1).await?,
                source: source.name.to_string(),
                stream: plan.name.to_string(),
                kind: kind.to_owned(),
                started_at: now,
                state: "running".to_owned(),
                ..RunRow::default()
            }
        }
    };
    tx.save_run(&run).await?;
    Ok(run)
}

pub(super) async fn finish(
    context: &Context,
    run: &mut RunRow,
    began: i64,
    counts: Counts,
    problem: Option<&Problem>,
) -> Result<()> {
    let now = context.clock.now().0;
    run.finished_at = Some(now);
    run.state = match problem {
        Some(_) => "failed",
        None if context.cancel.is_cancelled() => "stopped",
        None => "done",
    }
    .to_owned();
    run.problem = problem.map(ToString::to_string);
    run.read += counts.read;
    run.added += counts.added;
    run.changed += counts.changed;
    run.unchanged += counts.unchanged;
    run.deleted += counts.deleted;
    run.set_aside += counts.set_aside;
    // Not fenced: a process that was overtaken still stores how far it came.
    let mut tx = context.store.begin().await?;
    tx.save_run(run).await?;
    tx.commit().await?;
    context.meter.ran(run, now - began);
    Ok(())
}
