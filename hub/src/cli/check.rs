//! `onefold check`: every problem of the manifests, what they rely on and is not there, and what the store holds that they no
//! longer have; with `--live`, whether each connection works.

use crate::cli::Ending;
use crate::cli::connector;
use crate::cli::output::{Out, Outcome, plural, table};
use crate::manifest::Plan;
use crate::opening::{Environment, Loaded, left_over, load};
use crate::problem::{Place, Problem, codes};
use serde_json::json;
use std::path::Path;

pub async fn check(folder: &Path, environment: &Environment, out: &Out, live: bool) -> Outcome {
    let loaded = load(folder, environment)?;
    let plan = &loaded.plan;
    let mut warnings = plan.warnings.clone();
    let connectors = &loaded.connectors;
    let missing = connectors.missing_secrets(&plan.sources, &plan.destinations);
    // Where manifests are checked, the secrets need not be: a run refuses to begin without them.
    let missing: Vec<Problem> = missing.into_iter().map(Problem::warning).collect();
    let may_call = missing.is_empty();
    warnings.extend(missing);
    warnings.extend(left_over(plan).await?);
    out.problems(&warnings, &loaded.files);
    if live && !may_call {
        let message = "nothing was called, since a secret is missing";
        return Err(Problem::new(&codes::SECRET_MISSING, message).into());
    }
    if live {
        return call_all(&loaded, out).await;
    }
    if out.json {
        return Ok(Ending::Done);
    }
    let streams: usize = plan.sources.iter().map(|source| source.streams.len()).sum();
    let counted = |count: usize, one: &str| plural(count as i64, one, &format!("{one}s"));
    out.line(format!(
        "{}: {} with {}, {}, {}; no problem found",
        plan.hub.name,
        counted(plan.sources.len(), "source"),
        counted(streams, "stream"),
        counted(plan.audiences.len(), "audience"),
        counted(plan.destinations.len(), "destination")
    ));
    if let Some(names) = unscheduled(plan) {
        out.line(format!(
            "{names} without a `schedule`: `onefold run` reads them, `onefold serve` does not"
        ));
    }
    Ok(Ending::Done)
}

/// The sources that only a run reads.
pub fn unscheduled(plan: &Plan) -> Option<String> {
    let sources = plan.sources.iter();
    let sources = sources.filter(|source| source.schedule.is_none() && !source.is_collected());
    let names: Vec<String> = sources.map(|source| format!("`{}`", source.name)).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn at(problem: Problem, name: &str) -> Problem {
    match problem.place {
        Place::Nowhere => problem.at(Place::entry(name)),
        _ => problem,
    }
}

/// Calls each connection once, as `connector check` does.
async fn call_all(loaded: &Loaded, out: &Out) -> Outcome {
    let plan = &loaded.plan;
    let sources = plan.sources.iter().filter(|one| !one.is_collected());
    let sources = sources.map(|one| &*one.name);
    let destinations = plan.destinations.iter().map(|one| &*one.name);
    let mut rows = table(&[]);
    let mut called = Vec::new();
    let mut problems = Vec::new();
    for name in sources.chain(destinations) {
        let done = connector::call(loaded, name).await;
        let (says, account) = match done {
            Ok(report) => ("works", report.account.unwrap_or_default()),
            Err(stopped) => {
                problems.extend(stopped.problems.into_iter().map(|one| at(one, name)));
                ("does not work", String::new())
            }
        };
        rows.add_row([name, says, &account]);
        called.push(json!({ "name": name, "works": says == "works", "account": account }));
    }
    match out.json {
        true => out.value(&json!({ "connections": called })),
        false => out.table(&rows),
    }
    match problems.is_empty() {
        true => Ok(Ending::Done),
        false => Err(problems.into()),
    }
}
