//! `onefold consent`: what somebody agreed to, who said so, and what an operator states of it.

use crate::cli::Ending;
use crate::cli::open::{open, open_to_write};
use crate::cli::output::{Out, Outcome, plural};
use crate::flow::ask::consent::{ConsentView, StatementView, consents};
use crate::model::{ConsentStatus, Timestamp};
use crate::opening::{ConsentStatement, Environment, wanted};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::Path;

#[derive(Debug, Subcommand)]
pub enum ConsentCommand {
    /// What was said, by which record, since when, what decides, and what it beats.
    Show {
        /// Such as `email:ada@example.com`, or `id:PROFILE-ID`.
        #[arg(value_name = "KIND:VALUE")]
        identifier: String,
    },
    /// State that somebody refuses: it holds against everything that was said before.
    Refuse(ConsentStating),
    /// State that somebody agrees: it ends every refusal that was said before.
    Grant(ConsentStating),
}

#[derive(Debug, Args)]
pub struct ConsentStating {
    /// Such as `email:ada@example.com`.
    #[arg(value_name = "KIND:VALUE")]
    pub identifier: String,
    /// Such as `marketing_email`.
    pub purpose: String,
    #[arg(long)]
    pub reason: String,
    /// Who says so; the user of this machine by default.
    #[arg(long)]
    pub by: Option<String>,
}

pub async fn consent(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    command: ConsentCommand,
) -> Outcome {
    let (stating, status) = match command {
        ConsentCommand::Show { identifier } => {
            let hub = open(folder, environment, out).await?;
            let wanted = wanted(&hub.context.plan, &identifier)?;
            let views = consents(&hub.context, &wanted).await?;
            match (out.json, views.is_empty()) {
                (true, _) => out.value(&views),
                (false, true) => {
                    out.line("nothing was said of consent, so nothing is sent that needs it");
                }
                (false, false) => print(&views, "", out),
            }
            return Ok(Ending::Done);
        }
        ConsentCommand::Grant(stating) => (stating, ConsentStatus::Granted),
        ConsentCommand::Refuse(stating) => (stating, ConsentStatus::Withdrawn),
    };
    state(folder, environment, out, stating, status).await
}

async fn state(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    stating: ConsentStating,
    status: ConsentStatus,
) -> Outcome {
    let hub = open_to_write(folder, environment, out).await?;
    let by = stating.by.or_else(|| (environment.read_env)("USER"));
    let purpose = &stating.purpose;
    let said = ConsentStatement {
        identifier: &stating.identifier,
        purpose,
        status,
        reason: &stating.reason,
        author: by.as_deref().unwrap_or("operator"),
    };
    let (kind, people) = hub.state_consent(&said).await?;
    if out.json {
        let status = status.as_str();
        out.value(&json!({
            "identifier": kind.to_string(), "purpose": purpose, "status": status, "people": people,
        }));
        return Ok(Ending::Done);
    }
    let whom = match people {
        0 => "nobody has this identifier now, and it counts for anybody who gets it".to_owned(),
        some => format!(
            "it counts for {} now",
            plural(some as i64, "person", "people")
        ),
    };
    out.line(match status.is_granted() {
        true => format!("`{purpose}` is granted for it; {whom}"),
        false => format!("`{purpose}` is refused for it; {whom}"),
    });
    if people > 0 {
        out.line("the next delivery acts on it");
    }
    Ok(Ending::Done)
}

/// Each purpose and address with what decides, and below it what that beats.
pub fn print(views: &[ConsentView], indent: &str, out: &Out) {
    for view in views {
        let Some(by) = view.statements.first() else {
            continue;
        };
        let address = view.address.as_deref().unwrap_or("the person");
        out.line(format!(
            "{indent}{} for {address}: {} {}",
            view.purpose,
            view.status.as_str(),
            described(by)
        ));
        for beaten in &view.statements[1..] {
            out.line(format!(
                "{indent}  before {} {}",
                beaten.status.as_str(),
                described(beaten)
            ));
        }
    }
}

fn described(one: &StatementView) -> String {
    let by = match (&one.author, &one.reason) {
        (Some(author), Some(reason)) => format!("by {author}: {reason}"),
        _ => format!("by {} {}", one.source, one.record),
    };
    let since = Timestamp(one.time).to_minutes();
    let time = match one.time_is {
        "seen" => format!("first seen {since}"),
        _ => format!("since {since}"),
    };
    match one.gone_at {
        Some(gone) => {
            let gone = Timestamp(gone).to_minutes();
            format!("{time}, {by} (no longer said since {gone})")
        }
        None => format!("{time}, {by}"),
    }
}
