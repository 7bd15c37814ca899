//! `onefold audit`: what was read and changed through the API, and whether the log of it is whole.

use crate::api::audit::{self, Line};
use crate::cli::Ending;
use crate::cli::open::open;
use crate::cli::output::{Out, Outcome, fitted, plural, table};
use crate::opening::Environment;
use clap::Subcommand;
use std::path::Path;

#[derive(Debug, Subcommand)]
#[command(
    after_help = "Examples:\n  onefold audit verify\n  onefold audit list --after 1200 --limit 50\n  onefold audit export > audit.jsonl"
)]
pub enum AuditCommand {
    /// Rows of the log, the oldest first.
    List {
        /// Begin after this row.
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: i64,
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// The whole log, one JSON object a line.
    Export,
    /// Compute the hash of every row again, and name the first that was altered.
    Verify {
        /// A row that must be there, as an earlier `verify` printed it.
        #[arg(long, value_name = "NUMBER:HASH")]
        expect: Option<String>,
    },
}

/// Rows that are exported at a time.
const PAGE: i64 = 1_000;

pub async fn audit(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    command: AuditCommand,
) -> Outcome {
    let hub = open(folder, environment, out).await?;
    let store = &hub.context.store;
    match command {
        AuditCommand::List { after, limit } => {
            show(&audit::lines(store, after, i64::from(limit)).await?, out);
        }
        AuditCommand::Export => {
            let mut after = 0;
            loop {
                let lines = audit::lines(store, after, PAGE).await?;
                for line in &lines {
                    out.json_line(line);
                }
                let Some(last) = lines.last() else { break };
                after = last.id;
            }
        }
        AuditCommand::Verify { expect } => {
            let verified = audit::verify(store, expect.as_deref()).await?;
            if out.json {
                out.value(&verified);
                return Ok(Ending::Done);
            }
            let rows = plural(verified.rows, "row", "rows");
            match verified.last {
                Some(last) => out.line(format!("{rows}, unbroken; the last one is {last}")),
                None => out.line("the log is empty"),
            }
        }
    }
    Ok(Ending::Done)
}

fn show(lines: &[Line], out: &Out) {
    if out.json {
        return out.value(&lines);
    }
    if lines.is_empty() {
        return out.line("no rows");
    }
    let mut rows = table(&["row", "when", "by", "role", "action", "of", "outcome"]);
    for line in lines {
        rows.add_row([
            line.id.to_string(),
            line.at.to_string(),
            fitted(&line.by, 20),
            line.role.clone(),
            line.action.clone(),
            fitted(&line.subject, 40),
            match line.outcome {
                0 => "begun".to_owned(),
                status => status.to_string(),
            },
        ]);
    }
    out.table(&rows);
}
