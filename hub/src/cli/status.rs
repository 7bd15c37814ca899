//! `onefold status`: the hub at a glance.

use crate::cli::Ending;
use crate::cli::open::open;
use crate::cli::output::{Out, Outcome, number, plural, table};
use crate::cli::running::print_pauses;
use crate::flow::leftover;
use crate::model::Timestamp;
use crate::opening::Environment;
use crate::store::{RunRow, SentRow};
use std::path::Path;

pub async fn status(folder: &Path, environment: &Environment, out: &Out) -> Outcome {
    let hub = open(folder, environment, out).await?;
    let status = hub.status().await?;
    if out.json {
        out.value(&status);
        return Ok(Ending::Done);
    }
    let counts = &status.counts;
    out.line(format!(
        "{}: {}, {}, {}",
        status.hub,
        plural(counts.people, "person", "people"),
        plural(counts.records, "record", "records"),
        plural(counts.events, "event", "events")
    ));
    print_runs(&status.streams, out);
    for one in &status.sent {
        out.line(format!("source {} was sent {}", one.source, sent(one)));
    }
    for one in &status.audiences {
        let members = plural(one.size, "member", "members");
        out.line(format!("audience {}: {members}", one.name));
    }
    for next in &status.next_runs {
        if let Some(time) = &next.at {
            out.line(format!("source {} is due at {time}", next.source));
        }
    }
    print_pauses(&status.paused, out);
    if let Some(pending) = &status.pending {
        out.line(format!(
            "a plan is pending: the hub works by version {}, and the folder has other manifests ({}); `onefold plan` says what they would do",
            pending.applied, pending.changes
        ));
    }
    out.problems(&leftover::warnings(&status.left_over), &[]);
    if status.components_capped > 0 {
        let cap = hub.context.rules.component_cap;
        out.line(format!(
            "{} above `component_cap` ({}); `onefold identity review` shows more",
            plural(status.components_capped as i64, "component", "components"),
            number(cap as i64)
        ));
    }
    let messages = match counts.messages {
        0 => String::new(),
        waiting => plural(waiting, "message", "messages") + " to take in, ",
    };
    out.line(format!(
        "waiting: {messages}{} to send, {} rejected, {}",
        number(counts.changes_pending),
        number(counts.changes_rejected),
        plural(counts.dead_letters, "dead letter", "dead letters")
    ));
    Ok(Ending::Done)
}

/// `12 messages; 3 came again, 1 of them with other content`
fn sent(one: &SentRow) -> String {
    let mut text = plural(one.taken, "message", "messages");
    if one.known > 0 {
        text += &format!("; {} came again", number(one.known));
    }
    if one.conflicts > 0 {
        let conflicts = number(one.conflicts);
        text += &format!(", {conflicts} of them with other content, which was not taken");
    }
    text
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
            match &*run.kind {
                "inbox" => format!("{} (sent)", run.stream),
                _ => run.stream.clone(),
            },
            Timestamp(run.started_at).to_minutes(),
            run.state.clone(),
            number(run.read),
            number(run.added),
            number(run.changed),
            number(run.set_aside),
        ]);
    }
    if !runs.is_empty() {
        out.table(&rows);
    }
}
