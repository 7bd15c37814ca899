//! `run` and `serve`: progress while it lasts, and in the end what happened in a few lines.

use crate::cli::Ending;
use crate::cli::models::said;
use crate::cli::open::open;
use crate::cli::output::{Out, Outcome, moves, number, plural, table};
use crate::flow::{
    self, DeliveryReport, Pause, Progress, ReadOptions, RunEvent, RunOptions, RunReport,
    StreamReport, Trace, What,
};
use crate::model::Permission;
use crate::opening::{CapturingConnectors, Environment};
use crate::problem::Problem;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What can be typed after `onefold run`.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// Only this source.
    #[arg(long)]
    pub source: Option<String>,
    /// Only this stream.
    #[arg(long)]
    pub stream: Option<String>,
    /// Read from the start; records that do not come again are deleted.
    #[arg(long)]
    pub full: bool,
    /// Send nothing to destinations.
    #[arg(long)]
    pub no_delivery: bool,
    /// When a read fails, keep what the vendor said too, personal data included, for `onefold connector run-one`.
    #[arg(long)]
    pub capture: bool,
    /// Name up to this many people of each kind of change, and of the people who are withheld, with the reason.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub show: usize,
}

impl From<RunArguments> for Choice {
    fn from(typed: RunArguments) -> Self {
        Self {
            source: typed.source,
            stream: typed.stream,
            what: What::Vendor,
            full: typed.full,
            deliver: !typed.no_delivery,
            capture: typed.capture,
            show: typed.show,
        }
    }
}

/// What a run was asked to do.
pub struct Choice {
    pub source: Option<String>,
    pub stream: Option<String>,
    pub what: What,
    pub full: bool,
    pub deliver: bool,
    /// Keeps what vendors say when a read fails.
    pub capture: bool,
    /// How many rows of each kind are named.
    pub show: usize,
}

/// `onefold run`
pub async fn run(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    typed: RunArguments,
) -> Outcome {
    carry_out(folder, environment, out, Choice::from(typed)).await
}

/// One run of what was chosen.
pub async fn carry_out(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    choice: Choice,
) -> Outcome {
    let named = choice.source.clone();
    let mut hub = open(folder, environment, out).await?;
    hub.refuse_unknown(choice.source.as_deref(), choice.stream.as_deref())?;
    hub.refuse_without_secrets(choice.source.as_deref(), choice.deliver)?;
    hub.ready().await?;
    let cancel = hub.context.cancel.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            cancel.cancel();
        }
    });
    let bar = bar(out);
    let keeps_exchanges = choice.capture;
    let options = options(choice, out.json, &bar);
    let connectors = CapturingConnectors {
        connectors: hub.connectors,
        folder: folder.to_owned(),
        keeps_exchanges,
    };
    hub.context.trace = Trace::of(&hub.context.plan);
    let done = flow::run(&hub.context, &connectors, &options).await;
    hub.context.trace.end().await;
    bar.finish_and_clear();
    let report = done?;
    hub.context.store.close().await;
    // A command that names one source and gets nothing from it has not done what it was called for.
    let is_paused = report
        .paused
        .iter()
        .any(|pause| pause.kind == "source" && Some(&pause.name) == named.as_ref());
    Ok(match finish(&report, out) {
        Ending::Done if is_paused => Ending::Guarded,
        ending => ending,
    })
}

/// For work that goes by records.
pub fn bar(out: &Out) -> ProgressBar {
    bar_of(out, "records")
}

/// For work that goes by something else.
pub fn bar_of(out: &Out, what: &str) -> ProgressBar {
    if out.json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    bar.set_style(
        ProgressStyle::with_template(&format!(
            "{{spinner}} {{msg}} {{human_pos}} {what}, {{per_sec}}"
        ))
        .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Shows on a bar what is being done.
pub fn progress_on(bar: &ProgressBar) -> impl Fn(&str, usize) + Send + Sync {
    let bar = bar.clone();
    move |what, done| {
        bar.set_message(what.to_owned());
        bar.set_position(done as u64);
    }
}

pub fn options(choice: Choice, json: bool, bar: &ProgressBar) -> RunOptions {
    let (counting, showing) = (bar.clone(), bar.clone());
    let quiet = json || !bar.is_hidden();
    RunOptions {
        source: choice.source,
        stream: choice.stream,
        deliver: choice.deliver,
        show: choice.show,
        read: ReadOptions {
            what: choice.what,
            full: choice.full,
            progress: Arc::new(move |progress: Progress| {
                counting.set_position(progress.records.unsigned_abs());
            }),
        },
        events: Arc::new(move |event| match event {
            RunEvent::Reading { source, stream } => {
                showing.set_position(0);
                showing.set_message(format!("{source} {stream}"));
                if !quiet {
                    tracing::debug!(source, stream, "reading");
                }
            }
            RunEvent::Delivering { destination } => {
                showing.set_message(format!("{destination}: delivering"));
            }
            RunEvent::Working { what, people } => {
                showing.set_position(people as u64);
                showing.set_message(what.to_owned());
            }
            RunEvent::Waiting { what } => {
                tracing::warn!("another process is at `{what}`; waiting for it");
            }
            RunEvent::Read(_) | RunEvent::Delivered(_) => {}
        }),
    }
}

pub fn wire<'p>(problems: impl IntoIterator<Item = &'p Problem>) -> serde_json::Value {
    let problems = problems.into_iter();
    let problems = problems.map(|problem| crate::problem::to_wire(problem, &[]));
    json!(problems.collect::<Vec<_>>())
}

fn finish(report: &RunReport, out: &Out) -> Ending {
    if out.json {
        let mut value = serde_json::to_value(report).unwrap_or_default();
        value["problems"] = wire(all_problems(report));
        out.value(&value);
    } else {
        print(report, out);
    }
    match report {
        report if report.is_guarded() => Ending::Guarded,
        report if report.is_partial() => Ending::Partial,
        _ => Ending::Done,
    }
}

fn all_problems(report: &RunReport) -> Vec<&Problem> {
    report
        .problems
        .iter()
        .chain(
            report
                .streams
                .iter()
                .filter_map(|stream| stream.problem.as_ref()),
        )
        .chain(report.destinations.iter().flat_map(|one| &one.problems))
        .chain(&report.warnings)
        .collect()
}

fn print(report: &RunReport, out: &Out) {
    let mut rows = table(&[]);
    for stream in &report.streams {
        rows.add_row(stream_row(stream));
    }
    if !report.streams.is_empty() {
        out.table(&rows);
    }
    if report.remapped > 0 {
        out.line(format!(
            "mapped again  {}",
            plural(report.remapped, "record", "records")
        ));
    }
    let more = report.people - report.people_before;
    out.line(format!(
        "people        {} ({}{}) from {}",
        number(report.people),
        if more < 0 { "" } else { "+" },
        number(more),
        plural(report.records, "record", "records")
    ));
    for model in &report.models {
        out.line(format!("model         {}", said(model)));
    }
    for audience in &report.audiences {
        out.line(format!(
            "{:<13} {} ({})",
            audience.name,
            number(audience.size),
            moves(audience.entered, audience.left)
        ));
    }
    for destination in &report.destinations {
        let name = format!("{:<13}", destination.destination);
        print_delivery(&name, destination, out);
    }
    print_pauses(&report.paused, out);
    let problems: Vec<Problem> = all_problems(report).into_iter().cloned().collect();
    out.problems(&problems, &[]);
    if report.dead_letters > 0 {
        out.line(format!(
            "hint: `onefold dead-letters list` shows {} that did not fit or {} rejected, each with its reason",
            plural(report.dead_letters, "record or row", "records and rows"),
            if report.dead_letters == 1 { "was" } else { "were" }
        ));
    }
}

pub fn print_pauses(pauses: &[Pause], out: &Out) {
    for pause in pauses {
        let Pause { kind, name, .. } = pause;
        let line = format!("{kind} {name} is {}", pause.sentence());
        out.line(format!("{line} (`onefold resume {kind}:{name}` ends it)"));
    }
}

fn stream_row(report: &StreamReport) -> Vec<String> {
    let counts = report.counts;
    let some = |count: i64, word: &str| {
        if count > 0 {
            format!("{} {word}", number(count))
        } else {
            String::new()
        }
    };
    vec![
        report.source.clone(),
        report.stream.clone(),
        format!("{} read", number(counts.read)),
        format!("{} new", number(counts.added)),
        some(counts.changed, "changed"),
        format!("{} unchanged", number(counts.unchanged)),
        some(counts.deleted, "deleted"),
        some(counts.set_aside, "set aside"),
        format!("{:.1} s", report.duration_ms as f64 / 1000.0),
        if report.problem.is_some() {
            "failed".to_owned()
        } else {
            String::new()
        },
    ]
}

/// `1,204 upserted, 143 added to lapsed_vip, 2 rejected, 41 withheld (40 without consent, 1 suppressed)`
fn sentence(report: &DeliveryReport) -> String {
    let mut parts = Vec::new();
    if report.upserted > 0 {
        parts.push(format!("{} upserted", number(report.upserted)));
    }
    for (audience, count) in &report.added {
        parts.push(format!("{} added to {audience}", number(*count)));
    }
    for (audience, count) in &report.removed {
        parts.push(format!("{} removed from {audience}", number(*count)));
    }
    let rest = [
        (report.rejected, "rejected"),
        (report.postponed, "left for the next run"),
    ];
    parts.extend(
        rest.iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{} {word}", number(*count))),
    );
    if report.withheld > 0 {
        let because = report.withheld_because.iter();
        let because = because.map(|(why, count)| format!("{} {}", number(*count), reason(*why)));
        let because: Vec<String> = because.collect();
        parts.push(format!(
            "{} withheld ({})",
            number(report.withheld),
            because.join(", ")
        ));
    }
    if report.paused {
        parts.insert(0, "paused, only suppressed people are removed".to_owned());
    } else if report.guarded {
        parts.insert(0, "stopped by a guard, nothing sent".to_owned());
    } else if parts.is_empty() || (report.withheld > 0 && parts.len() == 1) {
        parts.insert(0, "nothing to send".to_owned());
    }
    parts.join(", ")
}

pub fn reason(permission: Permission) -> &'static str {
    match permission {
        Permission::Granted => "agreed",
        Permission::Unstated => "without consent",
        Permission::Refused => "refused",
        Permission::Suppressed => "suppressed",
    }
}

/// A destination's line, what to do where nobody can have agreed, and the rows that were asked for.
pub fn print_delivery(name: &str, report: &DeliveryReport, out: &Out) {
    out.line(format!("{name} {}", sentence(report)));
    if report.withheld > 0 && !report.unstated.is_empty() {
        out.line(format!(
            "hint: no stream states the consent `{}`, which {} needs: map it (`consent.{} = …`), or state it with `onefold consent grant`",
            report.unstated.join("`, `"),
            report.destination,
            report.unstated[0],
        ));
    }
    if report.shown.is_empty() {
        return;
    }
    let mut rows = table(&[]);
    for row in &report.shown {
        let because = row.because.map_or("", reason);
        rows.add_row(["", row.what, &row.key, &row.audience, because]);
    }
    out.table(&rows);
}

/// Interrupt or terminate.
pub async fn wait_for_signal() {
    #[cfg(unix)]
    if let Ok(mut terminate) =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
    {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}
