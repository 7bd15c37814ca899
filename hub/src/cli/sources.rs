//! `onefold source`: what is left of sources that were removed from the manifests.

use crate::cli::Ending;
use crate::cli::connector::add::is_yes;
use crate::cli::open::open;
use crate::cli::output::{Out, Outcome, plural};
use crate::cli::running::{bar, wait_for_signal};
use crate::flow::leftover::{self, Leftover};
use crate::opening::{Environment, Opened};
use crate::problem::{Problem, codes};
use clap::Subcommand;
use serde_json::json;
use std::io::IsTerminal;
use std::path::Path;

#[derive(Debug, Subcommand)]
pub enum SourceCommand {
    /// Remove the records of a source that is no longer in the manifests, and what follows from them alone.
    Remove {
        /// The source's name, as the manifests had it.
        name: String,
        /// Only this stream of it.
        #[arg(long)]
        stream: Option<String>,
        /// Remove them without a question.
        #[arg(long)]
        yes: bool,
    },
}

pub async fn source(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    command: SourceCommand,
) -> Outcome {
    let SourceCommand::Remove { name, stream, yes } = command;
    let mut hub = open(folder, environment, out).await?;
    let left = leftover::removable(&hub.context, &name, stream.as_deref()).await?;
    let records = left.iter().map(|one| one.records).sum();
    let messages: i64 = left.iter().map(|one| one.messages).sum();
    let all = match messages {
        0 => plural(records, "record", "records"),
        _ => format!(
            "{} and {}",
            plural(records, "record", "records"),
            plural(messages, "waiting message", "waiting messages")
        ),
    };
    if !yes && !agrees(out, &left, &all) {
        let message = format!(
            "nothing was removed: {all} of `{name}` would go, and what follows from them alone"
        );
        let problem = Problem::new(&codes::SOURCE_GONE, message)
            .hint("if you agree, run it again with `--yes`");
        out.problems(&[problem], &[]);
        return Ok(Ending::Guarded);
    }
    hub.ready().await?;
    remove(&hub, out, &left, records).await
}

async fn remove(hub: &Opened, out: &Out, left: &[Leftover], records: i64) -> Outcome {
    let cancel = hub.context.cancel.clone();
    tokio::spawn(async move {
        wait_for_signal().await;
        cancel.cancel();
    });
    let bar = bar(out);
    let before = hub
        .context
        .store
        .read()
        .await?
        .status_counts()
        .await?
        .people;
    let mut removed = 0;
    for one in left {
        let go_on = |so_far: i64| {
            bar.set_position((removed + so_far).unsigned_abs());
            !hub.context.cancel.is_cancelled()
        };
        removed += leftover::remove(&hub.context, one, &go_on).await?;
    }
    bar.finish_and_clear();
    let people = hub
        .context
        .store
        .read()
        .await?
        .status_counts()
        .await?
        .people;
    hub.context.store.close().await;
    let is_done = removed >= records;
    match out.json {
        true => out.value(&json!({ "removed": removed, "left": records - removed, "people": people, "people_before": before })),
        false => {
            out.line(format!(
                "removed {}; {} before, {} now",
                plural(removed, "record", "records"),
                plural(before, "person", "people"),
                plural(people, "person", "people")
            ));
            out.line(match is_done {
                true => "the next run sends to the destinations what changed",
                false => "stopped before the end: run it again to remove the rest",
            });
        }
    }
    Ok(if is_done {
        Ending::Done
    } else {
        Ending::Partial
    })
}

/// Asks, when somebody is there to answer. Silence is not a yes.
fn agrees(out: &Out, left: &[Leftover], all: &str) -> bool {
    if out.json || !std::io::stdin().is_terminal() {
        return false;
    }
    for one in left {
        out.line(format!("{} {}: {}", one.source, one.stream, one.amount()));
    }
    out.note(format!(
        "{all} will be removed, and people and audience members that depend on them alone. Agree? Type `yes`:"
    ));
    is_yes(&mut std::io::stdin().lock())
}
