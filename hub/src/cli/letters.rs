//! `onefold dead-letters` and `onefold suppress`.

use crate::cli::Ending;
use crate::cli::arguments::DeadLetterCommand;
use crate::cli::open::{open, open_to_write};
use crate::cli::output::{Out, Outcome, plural, table, trimmed};
use crate::model::Timestamp;
use crate::opening::Environment;
use serde_json::json;
use std::path::Path;

pub async fn dead_letters(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    command: DeadLetterCommand,
) -> Outcome {
    match command {
        DeadLetterCommand::List { limit } => {
            let hub = open(folder, environment, out).await?;
            let letters = hub
                .context
                .store
                .read()
                .await?
                .dead_letters(i64::from(limit))
                .await?;
            if out.json {
                out.value(&letters);
                return Ok(Ending::Done);
            }
            let mut rows = table(&["when", "where", "record", "field", "code", "why"]);
            for letter in &letters {
                rows.add_row([
                    Timestamp(letter.created_at).to_minutes(),
                    format!("{} {}", letter.source, letter.stream),
                    letter.key.clone(),
                    letter.field.clone(),
                    letter.code.clone(),
                    letter.message.clone(),
                ]);
            }
            match letters.is_empty() {
                true => out.line("no dead letters"),
                false => out.line(trimmed(&rows)),
            }
        }
        DeadLetterCommand::Retry => {
            let hub = open_to_write(folder, environment, out).await?;
            let retried = hub.retry().await?;
            match out.json {
                true => out.value(&retried),
                false => out.line(format!(
                    "mapped {} again; {} will be sent again by the next run",
                    plural(retried.records, "record", "records"),
                    plural(retried.rows as i64, "rejected row", "rejected rows")
                )),
            }
        }
    }
    Ok(Ending::Done)
}

pub async fn suppress(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    identifier: &str,
    reason: &str,
) -> Outcome {
    let hub = open_to_write(folder, environment, out).await?;
    let (kind, done) = hub.suppress(identifier, reason).await?;
    if out.json {
        out.value(&json!({
            "suppressed": kind.to_string(), "people": done.people, "stopped": done.stopped,
        }));
        return Ok(Ending::Done);
    }
    out.line(match done.people {
        0 => "suppressed; nobody has this identifier now, and nothing is sent about anybody who gets it".to_owned(),
        people => format!(
            "suppressed; nothing about {} is sent from now on, not even by processes that are already running",
            plural(people as i64, "person", "people")
        ),
    });
    if done.stopped > 0 {
        out.line(
            "the next delivery removes them from audiences; profiles that a destination holds stay there as they are",
        );
        out.line(
            "a request that is on its way at this moment cannot be called back; the next delivery looks at what it did",
        );
    }
    Ok(Ending::Done)
}
