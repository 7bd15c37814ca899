//! `onefold audience`: sizes, members, previews.

use crate::cli::arguments::AudienceCommand;
use crate::cli::open::{Opened, open};
use crate::cli::output::{Out, Outcome, number, plural, table, trimmed};
use crate::cli::running::unknown;
use crate::cli::{Ending, Environment};
use crate::flow::show;
use crate::model::{Fields, Timestamp};
use crate::problem::Problem;
use serde_json::json;
use std::path::Path;
use uuid::Uuid;

pub async fn audience(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    command: AudienceCommand,
) -> Outcome {
    let hub = open(folder, environment, out).await?;
    match command {
        AudienceCommand::List => list(&hub, out).await,
        AudienceCommand::Show { name, limit } => {
            find(&hub, &name)?;
            let mut tx = hub.context.store.read().await?;
            let members = tx.members(&name).await?;
            let since: Vec<(i64, i64)> = members
                .iter()
                .map(|row| (row.person_id, row.since))
                .collect();
            drop(tx);
            show_people(&hub, out, &name, &since, limit as usize).await
        }
        AudienceCommand::Preview { name, limit } => {
            let index = find(&hub, &name)?;
            let ids = show::preview(&hub.context, index).await?;
            let people: Vec<(i64, i64)> = ids.into_iter().map(|id| (id, 0)).collect();
            show_people(&hub, out, &name, &people, limit as usize).await
        }
    }
}

async fn list(hub: &Opened, out: &Out) -> Outcome {
    let mut tx = hub.context.store.read().await?;
    let mut rows = table(&["audience", "members", "description"]);
    let mut values = Vec::new();
    for audience in &hub.context.plan.audiences {
        let size = tx.member_count(&audience.name).await?;
        rows.add_row([
            audience.name.to_string(),
            number(size),
            audience.description.clone(),
        ]);
        values.push(
            json!({ "name": &*audience.name, "size": size, "description": audience.description }),
        );
    }
    match out.json {
        true => out.value(&values),
        false if values.is_empty() => out.line("no audiences"),
        false => out.line(trimmed(&rows)),
    }
    Ok(Ending::Done)
}

fn find(hub: &Opened, name: &str) -> Result<usize, Problem> {
    let audiences = &hub.context.plan.audiences;
    audiences
        .iter()
        .position(|audience| *audience.name == *name)
        .ok_or_else(|| {
            unknown(
                "audience",
                name,
                audiences.iter().map(|audience| &*audience.name),
            )
        })
}

async fn show_people(
    hub: &Opened,
    out: &Out,
    name: &str,
    people: &[(i64, i64)],
    limit: usize,
) -> Outcome {
    let shown = &people[..people.len().min(limit)];
    let mut tx = hub.context.store.read().await?;
    let mut rows = tx.persons(shown.iter().map(|(id, _)| *id)).await?;
    rows.sort_unstable_by_key(|row| row.id);
    let mut lines = table(&["id", "email", "since"]);
    let mut values = Vec::new();
    for row in rows {
        let since = shown
            .iter()
            .find(|(id, _)| *id == row.id)
            .map_or(0, |(_, since)| *since);
        let traits: Fields = serde_json::from_str(&row.traits).unwrap_or_default();
        let id = Uuid::from_bytes(row.uuid).to_string();
        let email = traits
            .get("email")
            .and_then(|value| value.as_str())
            .unwrap_or_default()
            .to_owned();
        let when = if since == 0 {
            String::new()
        } else {
            Timestamp(since).to_rfc3339()
        };
        values.push(json!({ "id": id, "email": email, "since": when }));
        lines.add_row([id, email, when]);
    }
    if out.json {
        out.value(&json!({ "audience": name, "size": people.len(), "members": values }));
        return Ok(Ending::Done);
    }
    out.line(format!(
        "{name}: {}",
        plural(people.len() as i64, "member", "members")
    ));
    if !values.is_empty() {
        out.line(trimmed(&lines));
    }
    if people.len() > shown.len() {
        out.line(format!(
            "… and {} more; `--limit` shows them",
            number((people.len() - shown.len()) as i64)
        ));
    }
    Ok(Ending::Done)
}
