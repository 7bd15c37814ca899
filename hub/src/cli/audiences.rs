//! `onefold audience`: sizes, members, previews, histories and explanations.

use crate::audience::Explained;
use crate::cli::Ending;
use crate::cli::open::open;
use crate::cli::output::{Out, Outcome, fitted, moves, number, plural, table};
use crate::cli::profiles;
use crate::flow::ask::account;
use crate::flow::ask::audience::{self, Day};
use crate::flow::ask::preview::preview;
use crate::flow::ask::preview::{Preview, Sample};
use crate::flow::ask::profile::{self, Found};
use crate::flow::traits_of;
use crate::manifest::{Audience, Subject};
use crate::model::Timestamp;
use crate::opening::{Environment, Members, Opened, find_audience, load_draft, wanted};
use crate::problem::{Problem, codes};
use crate::store::PersonRow;
use clap::Subcommand;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Columns of a terminal that text fits into.
const WIDTH: usize = 100;

#[derive(Debug, Subcommand)]
pub enum AudienceCommand {
    /// All audiences with their sizes.
    List,
    /// One audience with its members.
    Show {
        name: String,
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Who would be in it now by its definition, whatever has been stored: size, some people, overlap with other audiences.
    Preview {
        name: String,
        /// A file of audiences that replace the ones with the same names.
        #[arg(long, value_name = "DRAFT.toml")]
        file: Option<PathBuf>,
        /// Only the overlap with this audience.
        #[arg(long, value_name = "OTHER")]
        with: Option<String>,
        #[arg(long, default_value_t = 5)]
        limit: u32,
    },
    /// How its size came about: who entered and left each day, and the main causes.
    History {
        name: String,
        #[arg(long, default_value_t = 30)]
        days: u32,
    },
    /// Why one person or account is in it or not: every condition, and when it can change by itself.
    Explain {
        name: String,
        /// Such as `email:ada@example.com`, or `id:PROFILE-ID`; for an audience of accounts the account's id.
        #[arg(value_name = "MEMBER")]
        member: String,
    },
}

pub async fn audience(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    command: AudienceCommand,
) -> Outcome {
    let hub = open(folder, environment, out).await?;
    let plan = &hub.context.plan;
    match command {
        AudienceCommand::List => list(&hub, out).await,
        AudienceCommand::Show { name, limit } => {
            let audience = find_audience(plan, &name)?;
            show_members(&hub.members(audience, limit as usize).await?, out);
            Ok(Ending::Done)
        }
        AudienceCommand::Preview {
            name,
            file,
            with,
            limit,
        } => {
            let draft = match &file {
                Some(file) => Some(load_draft(folder, environment, file)?.plan),
                None => None,
            };
            let plan = draft.as_ref().unwrap_or(plan);
            let audience = find_audience(plan, &name)?;
            if let Some(other) = &with {
                same_kind(audience, find_audience(plan, other)?)?;
            }
            let context = &hub.context;
            let began = context.clock.now();
            let sample = limit as usize;
            let preview = preview(context, plan, audience, with.as_deref(), sample).await?;
            let took_ms = context.clock.now().0 - began.0;
            show_preview(&name, &preview, took_ms, out)?;
            Ok(Ending::Done)
        }
        AudienceCommand::History { name, days } => {
            let audience = find_audience(plan, &name)?;
            let days = audience::history(&hub.context, audience, i64::from(days)).await?;
            show_history(&name, &days, out);
            Ok(Ending::Done)
        }
        AudienceCommand::Explain { name, member } => {
            let audience = find_audience(plan, &name)?;
            if audience.of == Subject::Account {
                let lines = account::explain(&hub.context, audience, &member).await?;
                let lines = lines.ok_or_else(no_account)?;
                show_explained(&name, &member, &member, &lines, out);
                return Ok(Ending::Done);
            }
            let (id, who) = person_of(&hub, &member).await?;
            match audience::explain(&hub.context, audience, id.as_bytes()).await? {
                Some(lines) => show_explained(&name, &id.to_string(), &who, &lines, out),
                None => return Err(nobody().into()),
            }
            Ok(Ending::Done)
        }
    }
}

/// A person's id and name.
async fn person_of(hub: &Opened, text: &str) -> Result<(Uuid, String), Problem> {
    let found = profile::profile(&hub.context, &wanted(&hub.context.plan, text)?).await?;
    match found {
        Found::Person(view) => {
            let id = Uuid::parse_str(&view.id).map_err(|_| nobody())?;
            Ok((id, profiles::name(&view.traits)))
        }
        Found::Shared | Found::Nobody => Err(nobody()),
    }
}

pub fn nobody() -> Problem {
    Problem::new(&codes::NOT_FOUND, "that identifier names no one person")
        .hint("`onefold profile find TEXT` looks through all traits")
}

fn show_preview(name: &str, preview: &Preview, took_ms: i64, out: &Out) -> Result<(), Problem> {
    let (columns, members): ([&str; 3], Vec<[String; 3]>) = match &preview.sample {
        Sample::People(rows) => (
            ["id", "name", "email"],
            rows.iter().map(shown).collect::<Result<_, _>>()?,
        ),
        Sample::Accounts(heads) => {
            let heads = heads.iter().map(|head| {
                let people = number(head.people);
                [
                    head.id.clone(),
                    profiles::text_of(&head.traits, "name"),
                    people,
                ]
            });
            (["id", "name", "people"], heads.collect())
        }
    };
    let size = preview.size;
    if out.json {
        let members: Vec<BTreeMap<&str, &String>> = members
            .iter()
            .map(|member| columns.into_iter().zip(member).collect())
            .collect();
        out.value(&json!({
            "audience": name, "size": size, "members": members, "overlap": preview.overlap, "took_ms": took_ms,
        }));
        return Ok(());
    }
    let seconds = took_ms as f64 / 1_000.0;
    out.line(format!(
        "{name}: {} by its definition, in {seconds:.1} s; nothing was changed",
        plural(size as i64, "member", "members")
    ));
    if !members.is_empty() {
        let mut rows = table(&columns);
        for [id, name, email] in &members {
            rows.add_row([id.clone(), fitted(name, 24), fitted(email, 36)]);
        }
        out.table(&rows);
    }
    if !preview.overlap.is_empty() {
        let mut rows = table(&["audience", "members", "in both", "of this"]);
        for one in &preview.overlap {
            let share = one.both as f64 * 100.0 / size.max(1) as f64;
            rows.add_row([
                fitted(&one.audience, 50),
                number(one.size as i64),
                number(one.both as i64),
                format!("{share:.1}%"),
            ]);
        }
        out.table(&rows);
    }
    Ok(())
}

/// A person's id, name and email.
fn shown(row: &PersonRow) -> Result<[String; 3], Problem> {
    let traits = traits_of(row)?;
    Ok([
        Uuid::from_bytes(row.uuid).to_string(),
        profiles::name(&traits),
        profiles::text_of(&traits, "email"),
    ])
}

fn show_history(name: &str, days: &[Day], out: &Out) {
    if out.json {
        return out.value(&json!({ "audience": name, "days": days }));
    }
    if days.is_empty() {
        return out.line(format!("{name}: nobody entered or left in this time"));
    }
    let mut rows = table(&["day", "members", "moved", "main causes"]);
    for day in days {
        let causes: Vec<String> = day
            .causes
            .iter()
            .take(3)
            .map(|cause| {
                let sign = if cause.entered { '+' } else { '−' };
                format!("{sign}{} {}", number(cause.members), cause.cause)
            })
            .collect();
        rows.add_row([
            day.day.clone(),
            number(day.size),
            moves(day.entered, day.left),
            fitted(&causes.join("; "), 52),
        ]);
    }
    out.table(&rows);
}

fn show_explained(name: &str, id: &str, who: &str, lines: &[Explained], out: &Out) {
    let change = |line: &Explained| line.changes_at.map(Timestamp::to_minutes);
    let is_in = lines.first().is_some_and(|line| line.holds);
    if out.json {
        let conditions: Vec<_> = lines
            .iter()
            .map(|line| {
                json!({
                    "depth": line.depth, "condition": line.condition, "holds": line.holds, "why": line.why,
                    "changes_at": line.changes_at.map(Timestamp::to_rfc3339),
                })
            })
            .collect();
        return out.value(&json!({
            "audience": name, "id": id, "holds": is_in, "conditions": conditions,
        }));
    }
    let who = match who {
        "" => id.to_owned(),
        who => who.to_owned(),
    };
    let is = if is_in { "meets" } else { "does not meet" };
    out.line(fitted(
        &format!("{who} {is} the definition of {name}"),
        WIDTH,
    ));
    for line in lines {
        let sign = if line.holds { "yes" } else { "no " };
        let mut text = line.condition.clone();
        if !line.why.is_empty() {
            text = format!("{text}: {}", line.why);
        }
        if let Some(time) = change(line) {
            text = format!("{text}, can change {time}");
        }
        let indent = 6 + 2 * line.depth.min(20);
        for (index, row) in wrapped(&text, WIDTH - indent).iter().enumerate() {
            let sign = if index == 0 { sign } else { "   " };
            let blank = " ".repeat(indent - 5 + 2 * usize::from(index > 0));
            out.line(format!("  {sign}{blank}{row}"));
        }
    }
}

/// Lines of at most `width` characters, a little less after the first, broken between words where that is possible.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let room = width - if lines.is_empty() { 0 } else { 2 };
        let length = line.chars().count();
        if length > 0 && length + 1 + word.chars().count() > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&fitted(word, width - 2));
    }
    lines.push(line);
    lines
}

async fn list(hub: &Opened, out: &Out) -> Outcome {
    let audiences = hub.audiences().await?;
    if out.json {
        out.value(&audiences);
        return Ok(Ending::Done);
    }
    let mut rows = table(&["audience", "members", "of", "description"]);
    for one in &audiences {
        rows.add_row([
            fitted(&one.name, 40),
            number(one.size),
            one.of.to_owned(),
            fitted(&one.description, 36),
        ]);
    }
    match audiences.is_empty() {
        true => out.line("no audiences"),
        false => out.table(&rows),
    }
    Ok(Ending::Done)
}

fn same_kind(audience: &Audience, other: &Audience) -> Result<(), Problem> {
    match audience.of == other.of {
        true => Ok(()),
        false => Err(Problem::new(
            &codes::USAGE,
            format!(
                "`{}` and `{}` are of people and of accounts, and have no members in common",
                audience.name, other.name
            ),
        )),
    }
}

fn no_account() -> Problem {
    Problem::new(
        &codes::NOT_FOUND,
        "neither a record nor a person names that account",
    )
    .hint("`onefold account list` shows all of them")
}

fn show_members(members: &Members, out: &Out) {
    if out.json {
        return out.value(members);
    }
    let (heads, one, many): (&[&str], _, _) = match members.of {
        Subject::Account => (&["account", "since"], "account", "accounts"),
        Subject::Person => (&["id", "email", "since"], "member", "members"),
    };
    let size = members.size as i64;
    out.line(format!("{}: {}", members.audience, plural(size, one, many)));
    let mut rows = table(heads);
    for member in &members.members {
        let mut row = vec![fitted(&member.id, 60)];
        row.extend(member.email.clone());
        row.push(
            member
                .since
                .map_or_else(String::new, |since| since.to_string()),
        );
        rows.add_row(row);
    }
    if !members.members.is_empty() {
        out.table(&rows);
    }
    let more = members.size - members.members.len();
    if more > 0 {
        let more = number(more as i64);
        out.line(format!("… and {more} more; `--limit` shows them"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_explanations_are_broken_between_words() {
        let lines = wrapped("one two three four", 9);
        assert_eq!(lines, ["one two", "three", "four"]);
        assert!(wrapped(&"x".repeat(300), 20)[0].chars().count() <= 20);
    }
}
