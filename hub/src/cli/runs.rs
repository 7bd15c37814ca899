//! `onefold runs`: what ran and what was due and did not, the newest first, and one of them with all that is known of it.

use crate::cli::Ending;
use crate::cli::open::open;
use crate::cli::output::{Out, Outcome, fitted, number, plural, table};
use crate::opening::{Environment, GoesOn, Ran, RanOne};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::Path;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "A state is one of\n  running  now\n  done     to its end\n  failed   the reason is shown; the next run goes on from where it stopped\n  stopped  by a signal, a pause or its time limit\n  lost     its process died\n  missed   it was due and was not run; the reason says what was done instead"
)]
pub struct RunsArguments {
    #[command(subcommand)]
    pub command: Option<RunsCommand>,
    /// Only this source.
    #[arg(long)]
    pub source: Option<String>,
    #[arg(long, default_value_t = 20)]
    pub limit: u32,
}

#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// What one run did, why it failed, and from where its stream goes on.
    Show {
        /// Its number, as `onefold runs` lists it.
        #[arg(value_name = "ID")]
        id: i64,
    },
}

pub async fn runs(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    typed: RunsArguments,
) -> Outcome {
    let hub = open(folder, environment, out).await?;
    if let Some(RunsCommand::Show { id }) = typed.command {
        let one = hub.run_of(id).await?;
        match out.json {
            true => out.value(&one),
            false => show(&one, out),
        }
        return Ok(Ending::Done);
    }
    hub.refuse_unknown(typed.source.as_deref(), None)?;
    let runs = hub.runs(typed.source.as_deref(), typed.limit).await?;
    match out.json {
        true => out.value(&json!({ "runs": runs })),
        false => list(&runs, out),
    }
    Ok(Ending::Done)
}

/// What of a reason fits next to the other columns.
const WHY: usize = 60;

fn list(runs: &[Ran], out: &Out) {
    if runs.is_empty() {
        out.line("nothing has been run yet");
        return;
    }
    let mut rows = table(&["id", "began", "source", "stream", "took", "state", "did"]);
    for ran in runs {
        let why = ran.why.as_deref().filter(|_| ran.state != "lost");
        let state = match &ran.due {
            Some(due) if due.times > 1 => format!("{} {}×", ran.state, number(due.times)),
            _ => ran.state.clone(),
        };
        rows.add_row([
            ran.id.to_string(),
            ran.at.to_string(),
            ran.source.clone(),
            ran.stream.clone().unwrap_or_default(),
            ran.duration_ms.map(took).unwrap_or_default(),
            state,
            fitted(&why.map_or_else(|| did(ran), str::to_owned), WHY),
        ]);
    }
    out.table(&rows);
}

/// `3 read, 1 new, 2 changed`
fn did(ran: &Ran) -> String {
    let Some(counts) = &ran.counts else {
        return String::new();
    };
    let parts = [
        (counts.added, "new"),
        (counts.changed, "changed"),
        (counts.deleted, "deleted"),
        (counts.set_aside, "set aside"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts = parts.map(|(count, word)| format!("{} {word}", number(*count)));
    let read = format!("{} read", number(counts.read));
    let all: Vec<String> = std::iter::once(read).chain(parts).collect();
    all.join(", ")
}

/// `0.4 s`, `12 min`, `3 h 5 min`
fn took(duration_ms: i64) -> String {
    match duration_ms {
        ..60_000 => format!("{:.1} s", duration_ms as f64 / 1000.0),
        60_000..3_600_000 => format!("{} min", duration_ms / 60_000),
        _ => format!(
            "{} h {} min",
            duration_ms / 3_600_000,
            duration_ms / 60_000 % 60
        ),
    }
}

fn show(one: &RanOne, out: &Out) {
    let ran = &one.ran;
    let line = |name: &str, text: &str| out.line(format!("{name:<9} {text}"));
    let stream = ran.stream.as_deref().unwrap_or_default();
    out.line(format!("run {}: {} {stream}", ran.id, ran.source).trim_end());
    line("state", &ran.state);
    match &ran.due {
        Some(due) => {
            line("noted", &ran.at.to_string());
            let times = plural(due.times, "time", "times");
            let (first, last) = (&due.first, &due.last);
            line("due", &format!("{times}, from {first} to {last}"));
        }
        None => {
            line("began", &ran.at.to_string());
            match (&ran.ended, ran.duration_ms) {
                (Some(ended), Some(ms)) => line("ended", &format!("{ended}, after {}", took(ms))),
                _ if ran.state == "lost" => line("ended", "its process died; when is not known"),
                _ => {}
            }
            line("did", &did(ran));
        }
    }
    if let Some(why) = &ran.why {
        line("why", why);
    }
    if let Some(goes_on) = &one.goes_on {
        line("goes on", &from(goes_on));
    }
    let counts = ran.counts.as_ref();
    if counts.is_some_and(|counts| counts.set_aside > 0) {
        out.line("hint: `onefold dead-letters list` shows what was set aside, with its reasons");
    }
}

fn from(goes_on: &GoesOn) -> String {
    let read = match goes_on.full {
        true => "the full read goes on",
        false => "the next read begins",
    };
    match &goes_on.cursor_of {
        Some(at) => format!("{read} where its stream was at {at}"),
        None => format!("{read} at the start of its stream"),
    }
}
