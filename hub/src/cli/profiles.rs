//! `onefold profile`: one person with the origin of each value, or people found by a text.

use crate::cli::Ending;
use crate::cli::consents;
use crate::cli::open::open;
use crate::cli::output::{Out, Outcome, plural, table};
use crate::expression::to_timestamp;
use crate::flow::ask::past;
use crate::flow::ask::profile::{self, Found, ProfileView, TraitWhy, Wanted};
use crate::flow::ask::thing::Thing;
use crate::flow::{self, Moment, traits_of};
use crate::model::{Fields, Timestamp, Value, snake_case};
use crate::opening::{Environment, Opened, wanted};
use crate::problem::{Problem, codes};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde_json::json;
use std::io::IsTerminal;
use std::path::Path;
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// One person, by an identifier such as `email:ada@example.com`, or by `id:PROFILE-ID`.
    Show {
        #[arg(value_name = "KIND:VALUE")]
        identifier: String,
        /// Where each value comes from, and why it is one person.
        #[arg(long)]
        why: bool,
        /// As it was then, by all that had been received: a time in RFC 3339, or a date, which means its beginning in UTC.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
    /// Each change of each of a person's values, with the record that caused it; the newest last.
    History {
        #[arg(value_name = "KIND:VALUE")]
        identifier: String,
        /// Only this trait.
        #[arg(long = "trait", value_name = "NAME")]
        trait_name: Option<String>,
    },
    /// People whose traits contain a text.
    Find {
        text: String,
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
}

pub async fn profile(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    command: ProfileCommand,
) -> Outcome {
    let hub = open(folder, environment, out).await?;
    match command {
        ProfileCommand::Show {
            identifier,
            why,
            at,
        } => {
            let wanted = wanted(&hub.context.plan, &identifier)?;
            let found = match at {
                Some(text) => profile_at(&hub, &wanted, time(&text)?, out).await?,
                None => profile::profile(&hub.context, &wanted).await?,
            };
            match found {
                Found::Person(view) if out.json => out.value(&view),
                Found::Person(view) => print(&view, why, out),
                Found::Shared => {
                    return Err(none(
                        "that identifier is shared by several people, so it names nobody",
                    )
                    .into());
                }
                Found::Nobody => return Err(none("no person has that identifier").into()),
            }
        }
        ProfileCommand::History {
            identifier,
            trait_name,
        } => {
            let wanted = wanted(&hub.context.plan, &identifier)?;
            let Some(mut moments) = flow::history(&hub.context, &wanted).await? else {
                return Err(none("no person has that identifier").into());
            };
            if let Some(name) = &trait_name {
                let name = snake_case(name);
                moments.retain(|moment| moment.name == *name);
            }
            print_history(&moments, out);
        }
        ProfileCommand::Find { text, limit } => find(&hub, &text, i64::from(limit), out).await?,
    }
    Ok(Ending::Done)
}

async fn find(hub: &Opened, text: &str, limit: i64, out: &Out) -> crate::store::Result<()> {
    let rows = profile::search(&hub.context, text, limit).await?;
    let mut people: Vec<(String, Fields)> = Vec::with_capacity(rows.len());
    for row in rows {
        people.push((Uuid::from_bytes(row.uuid).to_string(), traits_of(&row)?));
    }
    if out.json {
        let people: Vec<_> = people
            .iter()
            .map(|(id, traits)| json!({ "id": id, "traits": traits }))
            .collect();
        out.value(&people);
        return Ok(());
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
        false => out.table(&rows),
    }
    Ok(())
}

pub fn time(text: &str) -> Result<Timestamp, Problem> {
    to_timestamp(&Value::String(text.to_owned())).map_err(|_| {
        Problem::new(&codes::USAGE, format!("`{text}` is not a time"))
            .hint("write it as `2026-03-02T09:14:00Z`, or as a date, `2026-03-02`")
    })
}

async fn profile_at(
    hub: &Opened,
    wanted: &Wanted,
    at: Timestamp,
    out: &Out,
) -> crate::store::Result<Found> {
    let bar = match out.json || !std::io::stderr().is_terminal() {
        true => ProgressBar::hidden(),
        false => ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10)),
    };
    let found = past::profile_at(&hub.context, wanted, at, &|done, total| {
        bar.set_length(total.unsigned_abs());
        bar.set_position(done.unsigned_abs());
    })
    .await;
    bar.finish_and_clear();
    found
}

fn print_history(moments: &[Moment], out: &Out) {
    if out.json {
        return out.value(&moments);
    }
    if moments.is_empty() {
        return out.line("no change is known");
    }
    let mut rows = table(&["received", "trait", "value", "record"]);
    for moment in moments {
        rows.add_row([
            moment.at.to_string(),
            moment.name.clone(),
            moment.value.as_ref().map_or("(none)".to_owned(), plain),
            format!("{} {}", moment.source, moment.record),
        ]);
    }
    out.table(&rows);
}

fn none(message: &str) -> Problem {
    Problem::new(&codes::NOT_FOUND, message)
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

/// `subscription  Pro, active, quantity 2, mrr 4000 PLN, since 2026-03-02 09:14 UTC`
fn had(thing: &Thing, why: bool) -> String {
    let text = |name: &str| thing.fields.get(name).map(plain);
    let names = ["plan", "name", "sku", "order_id", "status"];
    let mut parts: Vec<String> = names.iter().filter_map(|name| text(name)).collect();
    parts.extend(text("quantity").map(|quantity| format!("quantity {quantity}")));
    let currency = text("currency").unwrap_or_default();
    for name in ["total", "mrr", "price"] {
        let amount = text(name).map(|amount| format!("{name} {amount} {currency}"));
        parts.extend(amount.map(|amount| amount.trim_end().to_owned()));
    }
    parts.extend(thing.since.map(|since| format!("since {since}")));
    let kind = thing.kind.as_str();
    let line = format!("{kind:<10} {}", parts.join(", "));
    match why {
        true => format!("{line}   ({} {})", thing.source, thing.record),
        false => line,
    }
}

/// A trait with its value and, if asked why, with where that comes from.
pub fn origin(one: &TraitWhy, why: bool) -> Vec<String> {
    let value = one.value.as_ref().map(plain).unwrap_or_default();
    let mut row = vec![format!("  {}", one.name), value];
    if why {
        row.push(format!("{} {}", one.source, one.record));
        row.push(if one.time == 0 {
            String::new()
        } else {
            Timestamp(one.time).to_minutes()
        });
        row.push(one.rule.clone());
    }
    row
}

fn print(view: &ProfileView, why: bool, out: &Out) {
    let known = name(&view.traits);
    if let Some(at) = &view.at {
        out.line(format!("as of {at}"));
    }
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
            .map(|time| format!(", last {time}"))
            .unwrap_or_default()
    ));
    let mut rows = table(&[]);
    for one in view.why.iter().filter(|one| one.value.is_some()) {
        rows.add_row(origin(one, why));
    }
    out.table(&rows);
    if why && !view.links.is_empty() {
        out.line("one person because");
        for link in &view.links {
            out.line(format!(
                "  {} {}  —  {} {}   ({})",
                link.from.kind, link.from.value, link.to.kind, link.to.value, link.record
            ));
        }
    }
    if !view.accounts.is_empty() {
        out.line(format!("accounts   {}", view.accounts.join(", ")));
    }
    for thing in &view.things {
        out.line(had(thing, why));
    }
    for audience in view.audiences.iter().flatten() {
        out.line(format!(
            "audience   {} since {}",
            audience.name, audience.since
        ));
    }
    if view.suppressed {
        out.line("suppressed: nothing about this person is sent");
    }
    if why && !view.consent_why.is_empty() {
        out.line("consent");
        consents::print(&view.consent_why, "  ", out);
        return;
    }
    for (purpose, entry) in view.consents.iter() {
        let when = if entry.time == 0 {
            String::new()
        } else {
            format!(" {}", Timestamp(entry.time).to_minutes())
        };
        out.line(format!(
            "consent    {purpose} {}{when} ({})",
            entry.status.as_str(),
            match entry.source.as_str() {
                "" => "an operator",
                source => source,
            }
        ));
    }
}
