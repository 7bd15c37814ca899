//! `onefold identity`: explain who is who, state it, change its rules.

use crate::cli::Ending;
use crate::cli::arguments::IdentityCommand;
use crate::cli::open::{open, open_to_write};
use crate::cli::output::{Out, Outcome, number, plural, table};
use crate::cli::running::bar;
use crate::cli::{identity_graph, identity_suggestions};
use crate::flow::rules::Difference;
use crate::flow::{self, Explained, Review, Stating};
use crate::identity::StatementKind;
use crate::manifest::{self, IdentityRules};
use crate::model::Identifier;
use crate::opening::{Environment, Opened, Stopped, parse_identifier};
use crate::problem::{Problem, codes};
use serde_json::json;
use std::path::{Path, PathBuf};
use uuid::Uuid;

pub async fn identity(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    command: IdentityCommand,
) -> Outcome {
    let mut hub = opened(folder, environment, out, &command).await?;
    let who = |by: Option<String>| {
        by.or_else(|| (environment.read_env)("USER"))
            .unwrap_or_else(|| "operator".to_owned())
    };
    match command {
        IdentityCommand::Link {
            left,
            right,
            reason,
            by,
        } => {
            let ends = (left.as_str(), right.as_str());
            state(&hub, out, StatementKind::MustLink, ends, reason, who(by)).await
        }
        IdentityCommand::Separate {
            left,
            right,
            reason,
            by,
        } => {
            let ends = (left.as_str(), right.as_str());
            state(&hub, out, StatementKind::MustNotLink, ends, reason, who(by)).await
        }
        IdentityCommand::Revoke { number, reason, by } => {
            revoke(&hub, out, number, &reason, &who(by)).await
        }
        IdentityCommand::Statements => statements(&hub, out).await,
        IdentityCommand::Explain { left, right } => {
            let (left, right) = (named(&hub, &left).await?, named(&hub, &right).await?);
            let explained = flow::explain(&hub.context, &left, &right).await?;
            match out.json {
                true => out.value(&explained),
                false => print_explained(&explained, out),
            }
            Ok(Ending::Done)
        }
        IdentityCommand::Graph { identifier, svg } => {
            let identifier = named(&hub, &identifier).await?;
            let graph = flow::graph(&hub.context, &identifier).await?;
            match (out.json, svg) {
                (_, true) => out.lines(&identity_graph::svg(&graph)),
                (true, _) => out.value(&graph),
                (false, _) => identity_graph::text(&graph)
                    .iter()
                    .for_each(|line| out.line(line)),
            }
            Ok(Ending::Done)
        }
        IdentityCommand::Simulate { rules } => change(&mut hub, out, rules, false).await,
        IdentityCommand::Apply { rules } => change(&mut hub, out, rules, true).await,
        IdentityCommand::Suggest => identity_suggestions::suggest(&hub, out).await,
        IdentityCommand::Suggestions { limit } => {
            identity_suggestions::list(&hub, out, limit).await
        }
        IdentityCommand::Accept { number, reason } => {
            identity_suggestions::accept(&hub, out, number, &who(None), &reason).await
        }
        IdentityCommand::Decline { number, reason } => {
            identity_suggestions::decline(&hub, out, number, &who(None), &reason).await
        }
        IdentityCommand::Review { limit } => review(&hub, out, i64::from(limit)).await,
    }
}

/// The hub, to be written to unless the command only reads.
async fn opened(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    command: &IdentityCommand,
) -> Result<Opened, Stopped> {
    match command {
        IdentityCommand::Statements
        | IdentityCommand::Explain { .. }
        | IdentityCommand::Graph { .. }
        | IdentityCommand::Simulate { .. }
        | IdentityCommand::Suggestions { .. } => open(folder, environment, out).await,
        _ => open_to_write(folder, environment, out).await,
    }
}

/// Shows what other rules would change, or puts them into force.
async fn change(hub: &mut Opened, out: &Out, file: Option<PathBuf>, apply: bool) -> Outcome {
    let rules = wanted(hub, file)?;
    let bar = bar(out);
    let progress = |done, all| show_progress(&bar, done, all);
    let difference = match apply {
        true => flow::rules::apply(&mut hub.context, &rules, &progress).await?,
        false => flow::rules::simulate(&hub.context, &rules, &progress).await?,
    };
    bar.finish_and_clear();
    show(&difference, apply, out);
    if apply && !out.json && hub.context.plan.identity != rules {
        out.note("hint: write these rules into the manifest, too, or every run will remind you");
    }
    Ok(Ending::Done)
}

fn show_progress(bar: &indicatif::ProgressBar, done: usize, all: usize) {
    let done = done * 100 / all.max(1);
    bar.set_message(format!("working out who is who: {done} %"));
}

/// The rules of a file, or the manifest's.
fn wanted(hub: &Opened, file: Option<PathBuf>) -> Result<IdentityRules, Stopped> {
    let Some(path) = file else {
        return Ok(hub.context.plan.identity.clone());
    };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Problem::new(
            &codes::UNREADABLE,
            format!("`{name}` cannot be read: {error}"),
        )
    })?;
    manifest::identity_rules(&name, &text)
        .map_err(|problems| Stopped::in_files(problems, vec![(name, text)]))
}

/// An identifier as it was typed, or the strongest one of the person with an id.
async fn named(hub: &Opened, text: &str) -> Result<Identifier, Stopped> {
    match text.strip_prefix("id:") {
        Some(id) => {
            let id = Uuid::parse_str(id).map_err(|_| {
                Problem::new(&codes::USAGE, "that is not an identifier")
                    .hint("a profile id is a UUID")
            })?;
            Ok(flow::named(&hub.context, id).await?)
        }
        None => {
            let plan = &hub.context.plan;
            let region = plan.hub.default_region.as_deref();
            Ok(parse_identifier(&plan.namespaces.kind(text), region)?)
        }
    }
}

async fn state(
    hub: &Opened,
    out: &Out,
    kind: StatementKind,
    ends: (&str, &str),
    reason: String,
    author: String,
) -> Outcome {
    let (left, right) = (named(hub, ends.0).await?, named(hub, ends.1).await?);
    let stating = Stating {
        kind,
        left: left.clone(),
        right: right.clone(),
        reason,
        author,
    };
    let ids = flow::state(&hub.context, &[stating]).await?;
    let id = ids.first().copied().unwrap_or_default();
    let explained = flow::explain(&hub.context, &left, &right).await?;
    if out.json {
        out.value(&json!({ "statement": id, "now": explained }));
    } else {
        print_stated(id, kind, &explained, out);
    }
    Ok(Ending::Done)
}

/// The effect of a new statement.
pub(super) fn print_stated(id: i64, kind: StatementKind, explained: &Explained, out: &Out) {
    out.line(format!("statement {id} is kept"));
    print_explained(explained, out);
    if explained.one_person != (kind == StatementKind::MustLink) {
        out.note("hint: the statement has no effect for the reason above; it will have one when that changes");
    }
}

async fn revoke(hub: &Opened, out: &Out, number: i64, reason: &str, by: &str) -> Outcome {
    let count = flow::revoke(&hub.context, |row| row.id == number, by, reason).await?;
    if count == 0 {
        let message = format!("there is no statement {number}, or it was revoked");
        let hint = "`onefold identity statements` lists them";
        return Err(Problem::new(&codes::NOT_FOUND, message).hint(hint).into());
    }
    match out.json {
        true => out.value(&json!({ "revoked": number })),
        false => out.line(format!("statement {number} is revoked")),
    }
    Ok(Ending::Done)
}

async fn statements(hub: &Opened, out: &Out) -> Outcome {
    let rows = hub.statements().await?;
    if out.json {
        out.value(&rows);
        return Ok(Ending::Done);
    }
    let mut shown = table(&["number", "kind", "left", "right", "by", "when", "reason"]);
    for row in &rows {
        let reason = match &row.revoked {
            Some(revoked) => format!(
                "{} (revoked by {}: {})",
                row.reason, revoked.by, revoked.reason
            ),
            None => row.reason.clone(),
        };
        shown.add_row([
            row.id.to_string(),
            row.kind.clone(),
            row.left.clone(),
            row.right.clone(),
            row.author.clone(),
            row.stated_at.to_string(),
            reason,
        ]);
    }
    match rows.is_empty() {
        true => out.line("nothing was stated"),
        false => out.table(&shown),
    }
    Ok(Ending::Done)
}

fn print_explained(explained: &Explained, out: &Out) {
    match (&explained.left_person, &explained.right_person) {
        (Some(person), _) if explained.one_person => out.line(format!("one person: {person}")),
        (left, right) => {
            let name = |person: &Option<String>| person.clone().unwrap_or("nobody".to_owned());
            out.line(format!("two people: {} and {}", name(left), name(right)));
        }
    }
    for step in &explained.steps {
        let (from, to) = (
            identity_graph::plain(&step.from),
            identity_graph::plain(&step.to),
        );
        match &step.refused {
            None => out.line(format!("  {from}  —  {to}   ({})", step.by)),
            Some(reason) => out.line(format!(
                "  {from}  ✕  {to}   ({}) refused: {reason}",
                step.by
            )),
        }
    }
    if explained.steps.is_empty() && explained.left != explained.right {
        out.line("  no record leads from one to the other");
    }
    for (identifier, why) in &explained.in_common {
        let identifier = identity_graph::plain(identifier);
        out.line(format!(
            "  both were seen with {identifier}, which joins nobody: {why}"
        ));
    }
}

fn show(difference: &Difference, applied: bool, out: &Out) {
    if out.json {
        out.value(difference);
        return;
    }
    let people = |count: i64| plural(count, "person", "people");
    if difference.is_none() {
        out.line("the rules change nothing");
        return;
    }
    out.line(format!(
        "{} {} before, {} after",
        if applied { "applied:" } else { "would be:" },
        people(difference.people_before),
        number(difference.people_after)
    ));
    let mut rows = table(&[]);
    rows.add_row(["  merges".to_owned(), number(difference.merges)]);
    rows.add_row(["  splits".to_owned(), number(difference.splits)]);
    rows.add_row(["  people touched".to_owned(), number(difference.touched)]);
    for (destination, count) in &difference.destinations {
        let rows_of = plural(*count, "row", "rows");
        rows.add_row([format!("  {destination}"), rows_of]);
    }
    out.table(&rows);
    for example in &difference.examples {
        let (before, after) = (example.before.join(" + "), example.after.join(" + "));
        out.line(format!("  {before}  →  {after}"));
    }
}

async fn review(hub: &Opened, out: &Out, limit: i64) -> Outcome {
    let review = flow::review(&hub.context, limit).await?;
    if out.json {
        out.value(&review);
        return Ok(Ending::Done);
    }
    for (title, rows) in sections(&review) {
        if rows.is_empty() {
            continue;
        }
        out.line(title);
        let mut shown = table(&[]);
        for (what, why) in rows {
            shown.add_row([format!("  {what}"), why]);
        }
        out.table(&shown);
    }
    if review.is_empty() {
        out.line("nothing suspicious");
    }
    Ok(Ending::Done)
}

/// What is suspicious and why, kind by kind.
fn sections(review: &Review) -> [(&'static str, Vec<(String, String)>); 5] {
    let plain = identity_graph::plain;
    let shared = review.shared.iter().map(|(identifier, count)| {
        let seen = plural(*count, "set of records", "sets of records");
        let why = format!("seen in {seen}; joins nobody");
        (plain(identifier), why)
    });
    let refused = review.refused.iter().map(|step| {
        let reason = step.refused.clone().unwrap_or_default();
        let what = format!("{}  ✕  {}", plain(&step.from), plain(&step.to));
        (what, format!("{reason} ({})", step.by))
    });
    let capped = review.capped.iter().map(|one| {
        let many = number(one.identifiers);
        let why = format!(
            "{many} identifiers hang together since {}; the weakest ties are not used",
            one.since
        );
        (format!("id:{}", one.person), why)
    });
    let large = review.large.iter().map(|large| {
        let people = plural(large.people, "person", "people");
        let sets = plural(large.evidence, "set", "sets");
        let why = format!("{sets} of identifiers hang together as {people}");
        (format!("id:{}", large.person), why)
    });
    let names = review.names.iter();
    let names = names.map(|one| (format!("id:{}", one.person), one.names.join(" / ")));
    [
        ("shared values", shared.collect()),
        ("refused ties", refused.collect()),
        ("components above `component_cap`", capped.collect()),
        ("large components", large.collect()),
        ("people with different names", names.collect()),
    ]
}
