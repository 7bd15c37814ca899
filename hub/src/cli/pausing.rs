//! `onefold pause` and `onefold resume`.

use crate::cli::Ending;
use crate::cli::letters::author;
use crate::cli::open::open;
use crate::cli::output::{Out, Outcome};
use crate::flow::Pause;
use crate::opening::{Environment, Pausing};
use crate::store::Paused;
use clap::Args;
use serde_json::json;
use std::path::Path;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onefold pause crm --reason \"the vendor migrates until Monday\"\n  onefold resume crm --reason \"the migration is done\"\n  onefold pause destination:crm --reason \"wrong names were sent\""
)]
pub struct PauseArguments {
    /// A source or destination of the manifests; `source:NAME` or `destination:NAME` where both have the name.
    #[arg(value_name = "SOURCE|DESTINATION")]
    pub name: String,
    /// Why; it is kept, and shown by `status` and `schedule`.
    #[arg(long)]
    pub reason: String,
    /// Who says so; the user of this machine by default.
    #[arg(long)]
    pub by: Option<String>,
}

pub async fn pause(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    typed: PauseArguments,
) -> Outcome {
    let hub = open(folder, environment, out).await?;
    let by = author(typed.by, environment);
    let (pause, before) = hub
        .pause(&Pausing {
            name: &typed.name,
            reason: &typed.reason,
            by: &by,
        })
        .await?;
    if out.json {
        out.value(&json!({ "paused": pause, "before": before }));
        return Ok(Ending::Done);
    }
    let Pause { kind, name, .. } = &pause;
    if let Some(before) = before {
        out.line(format!("{kind} `{name}` was {}", before.sentence()));
    }
    out.line(format!("{kind} `{name}` is {}", pause.sentence()));
    out.line(match *kind {
        "source" => "it is not read from now on; a read that is under way ends at its next safe point",
        _ => "nothing is sent there from now on but the removal of suppressed people; a request under way is finished",
    });
    out.line(format!(
        "processes that run now obey within a second; `onefold resume {}` ends it",
        typed.name
    ));
    Ok(Ending::Done)
}

pub async fn resume(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    typed: PauseArguments,
) -> Outcome {
    let hub = open(folder, environment, out).await?;
    let by = author(typed.by, environment);
    let (kind, name, before) = hub
        .resume(&Pausing {
            name: &typed.name,
            reason: &typed.reason,
            by: &by,
        })
        .await?;
    if out.json {
        out.value(&json!({ "resumed": before }));
        return Ok(Ending::Done);
    }
    let Some(before) = before else {
        out.line(format!("{kind} `{name}` is not paused"));
        return Ok(Ending::Done);
    };
    out.line(format!(
        "{kind} `{name}` is resumed; it was {}",
        before.sentence()
    ));
    out.line(match kind {
        Paused::Source => {
            "what came due meanwhile is made up for as its schedule says (`catch_up`)"
        }
        Paused::Destination => "what waits for it is sent by the next delivery",
    });
    Ok(Ending::Done)
}
