//! `plan`, `apply` and `versions`: what edited manifests would do, doing it, and what was done before.

use crate::cli::Ending;
use crate::cli::output::{Out, Outcome, moves, number, plural, table};
use crate::cli::running::{bar, options, print_delivery, print_pauses, wire};
use crate::cli::serving::SERVED;
use crate::flow::leftover;
use crate::manifest::version::Change;
use crate::opening::{self, Environment, Planned, PlannedStream, Wish};
use crate::problem::Problem;
use clap::Args;
use serde_json::json;
use std::path::Path;

/// What can be typed after `onefold plan`.
#[derive(Debug, Args)]
pub struct PlanArguments {
    /// Name up to this many people of each kind of change, and of the people who are withheld, with the reason.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub show: usize,
    /// Going back to this version, as `onefold versions` lists it, instead of the folder's manifests.
    #[arg(long, value_name = "VERSION")]
    pub from: Option<String>,
}

/// What can be typed after `onefold apply`.
#[derive(Debug, Args)]
pub struct ApplyArguments {
    /// As `onefold plan` printed it.
    pub hash: String,
    /// The version to go back to, if the plan was made with it; its files replace those of the folder.
    #[arg(long, value_name = "VERSION")]
    pub from: Option<String>,
    /// What becomes of the records of a source that is taken out: `keep`, `retire` (as if the vendor had deleted them) or `erase`
    /// (nothing of them is kept); once for each.
    #[arg(long, value_name = "SOURCE=FATE")]
    pub removed: Vec<String>,
}

/// `onefold plan`
pub async fn plan(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    typed: PlanArguments,
) -> Outcome {
    let from = typed.from.as_deref();
    let hub = opening::open_at(folder, environment, from).await?;
    out.warnings(&hub.warnings, &hub.files);
    let planned = hub.planned(environment, typed.show).await?;
    if out.json {
        let mut value = serde_json::to_value(&planned).unwrap_or_default();
        let found = planned.destinations.iter().flat_map(|one| &one.problems);
        value["problems"] = wire(planned.problems.iter().chain(found));
        out.value(&value);
    } else {
        print(&planned, from, out);
    }
    Ok(match planned.is_guarded() {
        true => Ending::Guarded,
        false => Ending::Done,
    })
}

fn print(planned: &Planned, from: Option<&str>, out: &Out) {
    for difference in &planned.differences {
        out.line(format!("would change  {difference}"));
    }
    for stream in &planned.streams {
        print_stream(stream, out);
    }
    if let Some(identity) = &planned.identity {
        out.line(format!(
            "would resolve {} again: {}, {}, {} then",
            plural(identity.touched, "person", "people"),
            plural(identity.merges, "merge", "merges"),
            plural(identity.splits, "split", "splits"),
            plural(identity.people_after, "person", "people"),
        ));
    }
    for name in &planned.audiences_to_fill {
        out.line(format!(
            "would fill    audience {name}: it is new or edited"
        ));
    }
    for audience in &planned.audiences {
        out.line(format!(
            "would change  audience {}: {} then ({})",
            audience.name,
            plural(audience.size, "member", "members"),
            moves(audience.entered, audience.left)
        ));
    }
    out.problems(&planned.problems, &[]);
    for report in &planned.destinations {
        let name = format!("would send    {}:", report.destination);
        print_delivery(&name, report, out);
        out.problems(&report.problems, &[]);
    }
    print_pauses(&planned.paused, out);
    out.problems(&leftover::warnings(&planned.left_over), &[]);
    out.line("nothing was read, changed or sent");
    if let (Some(hash), Some(_)) = (&planned.hash, &planned.applied) {
        let from = from.map_or_else(String::new, |from| format!(" --from {from}"));
        let gone = planned.differences.iter();
        let gone = gone.filter(|one| one.what == "source" && one.change == Change::Removed);
        let fates = gone.map(|one| format!(" --removed {}=keep|retire|erase", one.name));
        let fates: String = fates.collect();
        out.line(format!(
            "`onefold apply {hash}{from}{fates}` applies exactly this"
        ));
    }
}

fn print_stream(stream: &PlannedStream, out: &Out) {
    let from = match &stream.since {
        Some(time) => format!("what changed since {time}"),
        None => "from the start".to_owned(),
    };
    let again = match stream.remap {
        true => format!(
            ", after mapping {} again",
            plural(stream.records, "stored record", "stored records")
        ),
        false => String::new(),
    };
    let (source, name) = (&stream.source, &stream.stream);
    out.line(format!("would read    {source} {name}: {from}{again}"));
}

/// `onefold apply`
pub async fn apply(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    typed: ApplyArguments,
) -> Outcome {
    let wish = Wish {
        hash: &typed.hash,
        from: typed.from.as_deref(),
        removed: &typed.removed,
    };
    let (hub, differences) = opening::apply(folder, environment, &wish).await?;
    out.warnings(&hub.warnings, &hub.files);
    let cancel = hub.context.cancel.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            cancel.cancel();
        }
    });
    let bar = bar(out);
    let followed = hub.follow(&options(SERVED, out.json, &bar).events).await;
    bar.finish_and_clear();
    hub.context.store.close().await;
    let report = followed.map_err(unfinished)?;
    let version = hub.context.plan.version.short();
    if out.json {
        out.value(&json!({
            "version": version,
            "differences": differences,
            "remapped": report.remapped,
            "people": report.people,
            "audiences": report.audiences,
            "problems": wire(&report.problems),
        }));
    } else {
        for difference in &differences {
            out.line(format!("applied       {difference}"));
        }
        if report.remapped > 0 {
            let records = plural(report.remapped, "record", "records");
            out.line(format!("mapped again  {records}"));
        }
        let changed = report.audiences.iter();
        for audience in changed.filter(|one| one.entered + one.left > 0) {
            out.line(format!(
                "{:<13} {} ({})",
                audience.name,
                number(audience.size),
                moves(audience.entered, audience.left)
            ));
        }
        out.problems(&report.problems, &[]);
        out.line(format!("version {version} is in force"));
    }
    Ok(match report.problems.is_empty() {
        true => Ending::Done,
        false => Ending::Partial,
    })
}

/// What failed after a version came in force.
fn unfinished(mut problem: Problem) -> Problem {
    problem.message = format!(
        "the version is in force, and what follows from it is not finished: {}",
        problem.message
    );
    problem.hint("the next `onefold run`, or a hub that serves, does the rest")
}

/// `onefold versions`
pub async fn versions(folder: &Path, out: &Out) -> Outcome {
    let known = opening::versions(folder).await?;
    if out.json {
        out.value(&json!({ "versions": known }));
        return Ok(Ending::Done);
    }
    let mut rows = table(&["version", "applied", "changes"]);
    for one in &known {
        let mark = if one.is_in_force { " (in force)" } else { "" };
        rows.add_row([
            format!("{}{mark}", one.version),
            one.applied_at.to_string(),
            one.changes.clone(),
        ]);
    }
    out.table(&rows);
    Ok(Ending::Done)
}
