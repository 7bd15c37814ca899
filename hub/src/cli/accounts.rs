//! `onefold account`: the companies and groups that people belong to.

use crate::cli::Ending;
use crate::cli::open::open;
use crate::cli::output::{Out, Outcome, number, plural, table};
use crate::cli::profiles::{name, origin, text_of};
use crate::flow::ask::account::{self, AccountView};
use crate::opening::Environment;
use crate::problem::{Problem, codes};
use clap::Subcommand;
use std::path::Path;

#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// All accounts by id, each with its number of people.
    List {
        /// Begin after this id.
        #[arg(long, value_name = "ID")]
        after: Option<String>,
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// One account with its traits and its people.
    Show {
        id: String,
        /// Where each value comes from.
        #[arg(long)]
        why: bool,
        /// How many of its people are shown.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
}

pub async fn account(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    command: AccountCommand,
) -> Outcome {
    let hub = open(folder, environment, out).await?;
    match command {
        AccountCommand::List { after, limit } => {
            let after = after.unwrap_or_default();
            let heads = account::list(&hub.context, &after, i64::from(limit)).await?;
            if out.json {
                out.value(&heads);
                return Ok(Ending::Done);
            }
            let mut rows = table(&["id", "name", "plan", "people"]);
            for head in &heads {
                rows.add_row([
                    head.id.clone(),
                    text_of(&head.traits, "name"),
                    text_of(&head.traits, "plan"),
                    number(head.people),
                ]);
            }
            match heads.last() {
                None => out.line("no accounts"),
                Some(_) => out.table(&rows),
            }
            if let Some(last) = heads.last().filter(|_| heads.len() == limit as usize) {
                out.line(format!("… `--after \"{}\"` shows what comes next", last.id));
            }
        }
        AccountCommand::Show { id, why, limit } => {
            let view = account::show(&hub.context, &id, limit as usize).await?;
            let view = view.ok_or_else(|| {
                Problem::new(
                    &codes::NOT_FOUND,
                    "neither a record nor a person names that account",
                )
                .hint("`onefold account list` shows all of them")
            })?;
            match out.json {
                true => out.value(&view),
                false => print(&view, why, out),
            }
        }
    }
    Ok(Ending::Done)
}

fn print(view: &AccountView, why: bool, out: &Out) {
    let known = text_of(&view.traits, "name");
    out.line(format!(
        "{}  {}  {}",
        if known.is_empty() {
            "(no name)"
        } else {
            &known
        },
        view.id,
        plural(view.people_count as i64, "person", "people")
    ));
    let mut rows = table(&[]);
    for one in view.why.iter().filter(|one| one.value.is_some()) {
        rows.add_row(origin(one, why));
    }
    if !view.traits.is_empty() {
        out.table(&rows);
    }
    for audience in &view.audiences {
        out.line(format!(
            "audience {} since {}",
            audience.name, audience.since
        ));
    }
    if !view.people.is_empty() {
        let mut rows = table(&["person", "name", "email"]);
        for person in &view.people {
            rows.add_row([
                person.id.clone(),
                name(&person.traits),
                text_of(&person.traits, "email"),
            ]);
        }
        out.table(&rows);
    }
    if view.people.len() < view.people_count {
        out.line(format!(
            "… and {} more; `--limit` shows them",
            number((view.people_count - view.people.len()) as i64)
        ));
    }
}
