//! `onefold dead-letters` and `onefold suppress`.

pub mod arguments;
mod letter;

use crate::canonical::Edit;
use crate::cli::Ending;
use crate::cli::open::{open, open_to_write};
use crate::cli::output::{Out, Outcome, plural, table};
use crate::flow::{self, Correction, RetriedOne};
use crate::model::Timestamp;
use crate::opening::Environment;
use crate::problem::{Problem, codes};
use arguments::{DeadLetterCommand, EditArguments};
use serde_json::json;
use std::path::Path;

pub async fn dead_letters(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    command: DeadLetterCommand,
) -> Outcome {
    match command {
        DeadLetterCommand::List { limit, all } => list(folder, environment, out, limit, all).await,
        DeadLetterCommand::Show { id } => {
            let hub = open(folder, environment, out).await?;
            letter::show(&flow::letter(&hub.context, id).await?, out);
            Ok(Ending::Done)
        }
        DeadLetterCommand::Edit(edit) => correct(folder, environment, out, edit).await,
        DeadLetterCommand::Retry { id: None } => retry_all(folder, environment, out).await,
        DeadLetterCommand::Retry { id: Some(id) } => retry(folder, environment, out, id).await,
        DeadLetterCommand::GiveUp { id, deciding } => {
            let hub = open_to_write(folder, environment, out).await?;
            let decision = hub.decision(&author(deciding.by, environment), &deciding.reason)?;
            flow::give_up(&hub.context, id, &decision).await?;
            match out.json {
                true => out.value(&json!({ "id": id, "state": "given_up" })),
                false => {
                    out.line("given up: it stays as it is until there is another version of it");
                }
            }
            Ok(Ending::Done)
        }
    }
}

async fn list(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    limit: u32,
    all: bool,
) -> Outcome {
    let hub = open(folder, environment, out).await?;
    let mut tx = hub.context.store.read().await?;
    let letters = tx.dead_letters(all, i64::from(limit)).await?;
    if out.json {
        out.value(&letters);
        return Ok(Ending::Done);
    }
    if letters.is_empty() {
        out.line("no dead letters");
        return Ok(Ending::Done);
    }
    let mut head = vec!["id", "when", "where", "record", "field", "code", "why"];
    head.extend(all.then_some("state"));
    let mut rows = table(&head);
    for letter in &letters {
        let mut row = vec![
            letter.id.to_string(),
            Timestamp(letter.created_at).to_minutes(),
            format!("{} {}", letter.source, letter.stream),
            letter.key.clone(),
            letter.field.clone(),
            letter.code.clone(),
            letter.message.clone(),
        ];
        row.extend(all.then(|| letter::state(letter.state).to_owned()));
        rows.add_row(row);
    }
    out.table(&rows);
    Ok(Ending::Done)
}

async fn correct(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    edit: EditArguments,
) -> Outcome {
    let id = edit.id;
    let correction = correction(&edit)?;
    let hub = open_to_write(folder, environment, out).await?;
    let decision = hub.decision(
        &author(edit.deciding.by, environment),
        &edit.deciding.reason,
    )?;
    flow::correct(&hub.context, id, &correction, &decision).await?;
    match out.json {
        true => out.value(&json!({ "id": id, "state": "corrected" })),
        false => out.line(
            "corrected: it counts from now on, until the vendor sends another version; the original stays stored",
        ),
    }
    Ok(Ending::Done)
}

/// What was typed or is in a file.
fn correction(edit: &EditArguments) -> Result<Correction, Problem> {
    if let Some(path) = &edit.body {
        let read = match path.as_os_str() == "-" {
            true => std::io::read_to_string(std::io::stdin()).map(String::into_bytes),
            false => std::fs::read(path),
        };
        let body = read.map_err(|error| {
            let message = format!("`{}` cannot be read: {error}", path.display());
            Problem::new(&codes::UNREADABLE, message)
        })?;
        return Ok(Correction::Whole(body));
    }
    let mut edits = Vec::new();
    for text in &edit.set {
        let Some((path, value)) = text.split_once('=') else {
            let message = format!("`--set {text}` has no value");
            return Err(Problem::new(&codes::USAGE, message)
                .hint("write `--set PATH=VALUE`, such as `--set properties.birthday=1988-02-08`"));
        };
        edits.push(Edit {
            path: Edit::path(path),
            value: Some(value.to_owned()),
        });
    }
    edits.extend(edit.unset.iter().map(|path| Edit {
        path: Edit::path(path),
        value: None,
    }));
    Ok(Correction::Edits(edits))
}

async fn retry(folder: &Path, environment: &Environment, out: &Out, id: i64) -> Outcome {
    let hub = open_to_write(folder, environment, out).await?;
    let outcome = flow::retry_one(&hub.context, id).await?;
    if out.json {
        out.value(&json!({ "id": id, "outcome": outcome }));
    } else {
        out.line(match outcome {
            RetriedOne::Fits => "mapped again: it fits now",
            RetriedOne::DoesNotFit => {
                "mapped again, and it still does not fit; there is a new dead letter"
            }
            RetriedOne::WillBeSent => "the next run sends it again",
        });
    }
    Ok(match outcome {
        RetriedOne::DoesNotFit => Ending::Partial,
        RetriedOne::Fits | RetriedOne::WillBeSent => Ending::Done,
    })
}

async fn retry_all(folder: &Path, environment: &Environment, out: &Out) -> Outcome {
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
    Ok(Ending::Done)
}

pub fn author(by: Option<String>, environment: &Environment) -> String {
    by.or_else(|| (environment.read_env)("USER"))
        .unwrap_or_else(|| "operator".to_owned())
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
