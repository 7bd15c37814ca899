//! `onefold schedule`: what is due next, the soonest first, and what keeps it from being done.

use crate::cli::Ending;
use crate::cli::open::open;
use crate::cli::output::{Out, Outcome, fitted, number, plural, table};
use crate::cli::running::print_pauses;
use crate::model::Shown;
use crate::opening::{Agenda, DestinationDue, Environment, Held, SourceDue};
use std::path::Path;

/// What of a note fits next to the other columns.
const NOTE: usize = 60;

/// A line of the table, before it is sorted.
struct Line {
    what: String,
    at: Option<Shown>,
    local: String,
    note: String,
}

pub async fn schedule(folder: &Path, environment: &Environment, out: &Out) -> Outcome {
    let hub = open(folder, environment, out).await?;
    let agenda = hub.agenda().await?;
    if out.json {
        out.value(&agenda);
        return Ok(Ending::Done);
    }
    let mut lines = lines(&agenda);
    // What has no time comes last; otherwise the order of the manifests.
    lines.sort_by_key(|line| (line.at.is_none(), line.at));
    let mut rows = table(&["what", "due", "there", "note"]);
    for line in lines {
        let due = line.at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        rows.add_row([line.what, due, line.local, fitted(&line.note, NOTE)]);
    }
    out.table(&rows);
    let overdue = agenda
        .sources
        .iter()
        .filter(|one| one.overdue_since.is_some());
    let overdue: Vec<&str> = overdue.map(|one| &*one.source).collect();
    if !overdue.is_empty() {
        out.line(format!(
            "hint: `{}` should have been read by now: see whether `onefold serve` runs, and what `onefold runs` says",
            overdue.join("`, `")
        ));
    }
    let sources = agenda.sources.into_iter().map(|one| one.held.paused);
    let destinations = agenda.destinations.into_iter().map(|one| one.held.paused);
    let pauses: Vec<_> = sources.chain(destinations).flatten().collect();
    print_pauses(&pauses, out);
    Ok(Ending::Done)
}

fn lines(agenda: &Agenda) -> Vec<Line> {
    let mut lines: Vec<Line> = agenda.sources.iter().map(of_source).collect();
    lines.extend(agenda.destinations.iter().map(of_destination));
    if let Some(at) = agenda.timers {
        lines.push(Line {
            what: "timers".to_owned(),
            at: Some(at),
            local: String::new(),
            note: "somebody enters or leaves an audience, or a trait changes".to_owned(),
        });
    }
    lines.extend(agenda.models.iter().map(|model| Line {
        what: format!("model {}", model.model),
        at: model.at,
        local: String::new(),
        note: match model.at {
            Some(_) => "it is fitted again".to_owned(),
            None => "it is fitted as soon as there are enough events".to_owned(),
        },
    }));
    lines
}

fn of_source(source: &SourceDue) -> Line {
    let schedule = match &source.schedule {
        Some(schedule) => schedule.clone(),
        None if source.is_sent_to => "`onefold serve` takes what is sent to it".to_owned(),
        None => "no schedule: only `onefold run` reads it".to_owned(),
    };
    let note = match (
        &source.overdue_since,
        state(source.is_running, &source.held),
    ) {
        (Some(since), _) => format!("overdue since {since}"),
        (None, Some(state)) => state,
        (None, None) => schedule,
    };
    Line {
        what: format!("source {}", source.source),
        at: source.at,
        local: source.local.clone().unwrap_or_default(),
        note,
    }
}

fn of_destination(destination: &DestinationDue) -> Line {
    let note = state(destination.is_running, &destination.held);
    Line {
        what: format!("destination {}", destination.destination),
        at: destination.held.again_at,
        local: String::new(),
        note: note.unwrap_or_else(|| match destination.waits {
            0 => "nothing waits; what changes is sent as it comes".to_owned(),
            waits => format!("{} to send as soon as something delivers", number(waits)),
        }),
    }
}

fn state(is_running: bool, held: &Held) -> Option<String> {
    if held.paused.is_some() {
        return Some("paused".to_owned());
    }
    if is_running {
        return Some("running now".to_owned());
    }
    let problem = held.problem.as_ref()?;
    let failures = plural(held.failures, "failure", "failures in a row");
    Some(format!("{failures}: {problem}"))
}
