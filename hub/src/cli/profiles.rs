//! `onefold profile`: one person with the origin of each value, or people found by a text.

use crate::cli::arguments::ProfileCommand;
use crate::cli::open::open;
use crate::cli::output::{Out, Outcome, plural, table, trimmed};
use crate::cli::{Ending, Environment};
use crate::flow::show::{self, Found, ProfileView};
use crate::model::{Fields, Identifier, IdentifierKind, Timestamp, Value};
use crate::problem::{Problem, codes};
use serde_json::json;
use std::path::Path;
use uuid::Uuid;

pub async fn profile(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    command: ProfileCommand,
) -> Outcome {
    let hub = open(folder, environment, out).await?;
    match command {
        ProfileCommand::Show { identifier, why } => {
            let found = match identifier.strip_prefix("id:").map(Uuid::parse_str) {
                Some(Ok(id)) => show::by_id(&hub.context, id).await?,
                Some(Err(_)) => return Err(bad(&identifier, "a profile id is a UUID").into()),
                None => {
                    let region = hub.context.plan.hub.default_region.as_deref();
                    show::by_identifier(&hub.context, &parse_identifier(&identifier, region)?)
                        .await?
                }
            };
            match found {
                Found::Person(view) if out.json => out.value(&view),
                Found::Person(view) => print(&view, why, out),
                Found::Shared => {
                    return Err(none("is shared by several people, so it names nobody").into());
                }
                Found::Nobody => return Err(none("is known of nobody").into()),
            }
        }
        ProfileCommand::Find { text, limit } => {
            let rows = show::find(&hub.context, &text, i64::from(limit)).await?;
            let people: Vec<(String, Fields)> = rows
                .into_iter()
                .map(|row| {
                    (
                        Uuid::from_bytes(row.uuid).to_string(),
                        serde_json::from_str(&row.traits).unwrap_or_default(),
                    )
                })
                .collect();
            if out.json {
                let people: Vec<_> = people
                    .iter()
                    .map(|(id, traits)| json!({ "id": id, "traits": traits }))
                    .collect();
                out.value(&people);
                return Ok(Ending::Done);
            }
            let mut rows = table(&["id", "name", "email", "phone"]);
            for (id, traits) in &people {
                rows.add_row([
                    id.clone(),
                    name(traits),
                    text_of(traits, "email"),
                    text_of(traits, "phone"),
                ]);
            }
            match people.is_empty() {
                true => out.line("nobody found"),
                false => out.line(trimmed(&rows)),
            }
        }
    }
    Ok(Ending::Done)
}

/// Reads `email:ada@example.com`.
pub fn parse_identifier(text: &str, region: Option<&str>) -> Result<Identifier, Problem> {
    let kinds = "`user_id:`, `email:`, `phone:`, `external:SOURCE:`, `anonymous_id:`, `device_id:`, `ad_id:` or `id:`";
    let (kind, value) = match text
        .strip_prefix("external:")
        .and_then(|rest| rest.split_once(':'))
    {
        Some((source, value)) => (IdentifierKind::parse(&format!("external:{source}")), value),
        None => match text.split_once(':') {
            Some((kind, value)) => (IdentifierKind::parse(kind), value),
            None => (None, text),
        },
    };
    let Some(kind) = kind else {
        return Err(bad(text, &format!("begin it with {kinds}")));
    };
    let shown = kind.to_string();
    Identifier::parse(kind, value, region)
        .map_err(|_| bad(text, &format!("its value cannot be of kind `{shown}`")))
}

fn bad(_text: &str, why: &str) -> Problem {
    Problem::new(&codes::USAGE, "that is not an identifier").hint(why)
}

fn none(what: &str) -> Problem {
    Problem::new(&codes::NOT_FOUND, format!("that identifier {what}"))
        .hint("`onefold profile find TEXT` looks through all traits")
}

pub fn text_of(traits: &Fields, name: &str) -> String {
    traits.get(name).map(plain).unwrap_or_default()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub fn name(traits: &Fields) -> String {
    let full = [text_of(traits, "first_name"), text_of(traits, "last_name")];
    let full: Vec<&str> = full
        .iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    match full.is_empty() {
        true => text_of(traits, "name"),
        false => full.join(" "),
    }
}

fn print(view: &ProfileView, why: bool, out: &Out) {
    let known = name(&view.traits);
    out.line(format!(
        "{}  {}  {}, {}{}",
        if known.is_empty() {
            "(no name)"
        } else {
            &known
        },
        view.id,
        plural(view.sources as i64, "source", "sources"),
        plural(view.events as i64, "event", "events"),
        view.last_event_at
            .as_deref()
            .map(|time| format!(", last {time}"))
            .unwrap_or_default()
    ));
    let mut rows = table(&[]);
    for one in &view.why {
        let Some(value) = &one.value else { continue };
        let mut row = vec![format!("  {}", one.name), plain(value)];
        if why {
            row.push(format!("{} {}", one.source, one.record));
            row.push(if one.time == 0 {
                String::new()
            } else {
                Timestamp(one.time).to_minutes()
            });
            row.push(one.rule.clone());
        }
        rows.add_row(row);
    }
    out.line(trimmed(&rows));
    if why && !view.links.is_empty() {
        out.line("one person because");
        for link in &view.links {
            out.line(format!(
                "  {} {}  —  {} {}   ({})",
                link.from.kind, link.from.value, link.to.kind, link.to.value, link.record
            ));
        }
    }
    for audience in &view.audiences {
        out.line(format!(
            "audience   {} since {}",
            audience.name, audience.since
        ));
    }
    for (purpose, entry) in &view.consents {
        let when = if entry.time == 0 {
            String::new()
        } else {
            format!(" {}", Timestamp(entry.time).to_minutes())
        };
        out.line(format!(
            "consent    {purpose} {}{when} ({})",
            entry.status.as_str(),
            entry.source
        ));
    }
}
