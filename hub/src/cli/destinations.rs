//! `onefold destination`: what destinations there are, and what one holds of a person and why.

use crate::cli::Ending;
use crate::cli::audiences::nobody;
use crate::cli::consents;
use crate::cli::open::open;
use crate::cli::output::{Out, Outcome, number, table};
use crate::cli::profiles;
use crate::cli::running::reason;
use crate::flow::ask::destination::{self, AtDestination, State};
use crate::manifest::Destination;
use crate::opening::{Environment, Opened, find_destination, wanted};
use clap::Subcommand;
use serde_json::json;
use std::path::Path;

#[derive(Debug, Subcommand)]
pub enum DestinationCommand {
    /// All destinations: how many people and members each holds, what waits, what was refused, and who is withheld.
    List,
    /// What a destination holds of a person, what waits, and why something is not sent.
    Explain {
        /// As in the manifest.
        name: String,
        /// Such as `email:ada@example.com`, or `id:PROFILE-ID`.
        #[arg(value_name = "KIND:VALUE")]
        identifier: String,
    },
}

pub async fn destination(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    command: DestinationCommand,
) -> Outcome {
    let hub = open(folder, environment, out).await?;
    match command {
        DestinationCommand::List => list(&hub, out).await,
        DestinationCommand::Explain { name, identifier } => {
            let plan = &hub.context.plan;
            let one = find_destination(plan, &name)?;
            let wanted = wanted(plan, &identifier)?;
            let Some(at) = destination::explain(&hub.context, one, &wanted).await? else {
                return Err(nobody().into());
            };
            match out.json {
                true => out.value(&at),
                false => explain(&at, one, out),
            }
            Ok(Ending::Done)
        }
    }
}

async fn list(hub: &Opened, out: &Out) -> Outcome {
    let heads = hub.destinations().await?;
    if out.json {
        out.value(&json!({ "destinations": heads }));
        return Ok(Ending::Done);
    }
    if heads.is_empty() {
        out.line("no manifest has a destination");
        return Ok(Ending::Done);
    }
    let mut rows = table(&[
        "destination",
        "connector",
        "holds",
        "waits",
        "refused",
        "withheld",
        "consent",
    ]);
    for head in heads {
        rows.add_row([
            head.name,
            head.connector,
            number(head.holds),
            number(head.waits),
            number(head.refused),
            number(head.withheld),
            head.consent.join(", "),
        ]);
    }
    out.table(&rows);
    Ok(Ending::Done)
}

fn explain(at: &AtDestination, destination: &Destination, out: &Out) {
    let name = profiles::name(&at.traits);
    out.line(format!("{}, for {name}", at.destination));
    if let Some(key) = &at.key {
        out.line(format!("found by      {key}"));
    }
    if at.suppressed {
        out.line("suppressed    an operator said that nothing is sent");
    }
    for answer in &at.consents {
        let status = match (answer.status, answer.is_unstated) {
            (Some(status), _) => status.as_str(),
            (None, true) => "nothing was said, and no stream of this hub states it",
            (None, false) => "nothing was said for this address",
        };
        out.line(format!("needs         {}: {status}", answer.purpose));
        consents::print(&answer.said, "              ", out);
    }
    for object in &at.objects {
        let state = sentence(&object.state, &object.name, destination);
        out.line(format!("{:<13} {state}", object.name));
    }
}

fn sentence(state: &State, name: &str, destination: &Destination) -> String {
    let there = |there: &bool| match there {
        true => "; what was sent before is there",
        false => "",
    };
    match state {
        State::NotWanted { there: before } => {
            let only = destination
                .person
                .as_ref()
                .map(|push| push.only.join("`, `"));
            let why = match only {
                Some(only) if name == "profile" && !only.is_empty() => {
                    format!("not sent: only people in `{only}` are")
                }
                _ if name == "profile" => "not sent".to_owned(),
                _ => format!("not in the audience (`onefold audience explain {name}` says why)"),
            };
            why + there(before)
        }
        State::NoKey { field } => {
            format!("not sent: the profile has no `{field}`, by which people are found there")
        }
        State::Withheld {
            because,
            there: before,
        } => format!("withheld: {}{}", reason(*because), there(before)),
        State::Rejected { code, message } => {
            format!("refused by the vendor: {code} {message} (`onefold dead-letters list`)")
        }
        State::Held => "waits until the destination has the profile".to_owned(),
        State::Waits => "waits for the next delivery".to_owned(),
        State::Sent => "sent".to_owned(),
    }
}
