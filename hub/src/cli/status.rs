//! `onefold status`: the hub at a glance.

use crate::cli::Ending;
use crate::cli::Environment;
use crate::cli::open::open;
use crate::cli::output::{Out, Outcome, number, plural, table, trimmed};
use crate::flow::{self, Context, leftover};
use crate::model::Timestamp;
use crate::store::RunRow;
use serde_json::json;
use std::path::Path;

pub async fn status(folder: &Path, environment: &Environment, out: &Out) -> Outcome {
    let hub = open(folder, environment, out).await?;
    let context = &hub.context;
    let mut tx = context.store.read().await?;
    let counts = tx.status_counts().await?;
    let runs = tx.last_runs().await?;
    let capped = tx.capped().await?.len();
    let left = leftover::leftovers(&mut tx, &context.plan).await?;
    let mut audiences = Vec::new();
    for audience in context.plan.audiences.iter().filter(|one| !one.is_step) {
        let size = tx.member_count(audience.of, &audience.name).await?;
        audiences.push((audience.name.to_string(), size));
    }
    drop(tx);
    let next = next_runs(context);
    if out.json {
        let mut value = serde_json::to_value(&counts).unwrap_or_default();
        value["hub"] = json!(context.plan.hub.name);
        value["components_capped"] = json!(capped);
        value["streams"] = json!(runs);
        value["left_over"] = json!(left);
        value["audiences"] = audiences
            .iter()
            .map(|(name, size)| json!({ "name": name, "size": size }))
            .collect();
        value["next_runs"] = next
            .iter()
            .map(|(name, time)| json!({ "source": name, "at": time }))
            .collect();
        out.value(&value);
        return Ok(Ending::Done);
    }
    out.line(format!(
        "{}: {}, {}, {}",
        context.plan.hub.name,
        plural(counts.people, "person", "people"),
        plural(counts.records, "record", "records"),
        plural(counts.events, "event", "events")
    ));
    print_runs(&runs, out);
    for (name, size) in audiences {
        out.line(format!(
            "audience {name}: {}",
            plural(size, "member", "members")
        ));
    }
    for (name, time) in next {
        if let Some(time) = time {
            out.line(format!("source {name} is due at {time}"));
        }
    }
    out.problems(&leftover::warnings(&left), &[]);
    if capped > 0 {
        let cap = context.rules.component_cap;
        out.line(format!(
            "{} above `component_cap` ({}); `onefold identity review` shows more",
            plural(capped as i64, "component", "components"),
            number(cap as i64)
        ));
    }
    out.line(format!(
        "waiting: {} to send, {} rejected, {}",
        number(counts.changes_pending),
        number(counts.changes_rejected),
        plural(counts.dead_letters, "dead letter", "dead letters")
    ));
    Ok(Ending::Done)
}

/// When each source is due, if it has a schedule.
fn next_runs(context: &Context) -> Vec<(String, Option<String>)> {
    let sources = context.plan.sources.iter();
    let next = sources.map(|source| {
        let schedule = source.schedule.as_ref();
        let time = schedule.and_then(|one| flow::next_time(one, context.clock.now()));
        (source.name.to_string(), time.map(Timestamp::to_rfc3339))
    });
    next.collect()
}

fn print_runs(runs: &[RunRow], out: &Out) {
    let mut rows = table(&[
        "source",
        "stream",
        "last run",
        "state",
        "read",
        "new",
        "changed",
        "set aside",
    ]);
    for run in runs {
        rows.add_row([
            run.source.clone(),
            run.stream.clone(),
            Timestamp(run.started_at).to_minutes(),
            run.state.clone(),
            number(run.read),
            number(run.added),
            number(run.changed),
            number(run.set_aside),
        ]);
    }
    if !runs.is_empty() {
        out.line(trimmed(&rows));
    }
}
