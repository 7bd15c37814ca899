//! `onefold connector run-one`: repeats a read that failed in a run, from what was captured of it.

use crate::cli::Ending;
use crate::cli::connector::subject::blocking;
use crate::cli::output::{Out, Outcome, fitted, plural, table};
use crate::kit::capture::{Captured, FOLDER};
use crate::kit::cassette::Player;
use crate::opening::{Environment, Stopped, load};
use crate::problem::{Problem, codes};
use serde_json::json;
use std::path::{Path, PathBuf};

pub async fn run_one(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    file: Option<&Path>,
    live: bool,
) -> Outcome {
    let Some(file) = file else {
        return list(folder, out);
    };
    let captured = Captured::read(file)?;
    let loaded = load(folder, environment)?;
    let sources = loaded.plan.sources.iter();
    let Some(source) = sources
        .into_iter()
        .find(|one| *one.name == *captured.source)
    else {
        let message = format!(
            "the source `{}` of `{}` is not in the manifests",
            captured.source,
            file.display()
        );
        return Err(Stopped::from(Problem::new(&codes::BAD_CAPTURE, message)));
    };
    let opened = loaded.connectors.open_source(source)?;
    let mut connection = opened.connection().clone();
    let replays = captured.cassette.is_some() && !live;
    if let Some(cassette) = captured.cassette.clone().filter(|_| replays) {
        connection.http = Player::new(cassette, "");
    }
    let mut connector = opened.connect(connection);
    let request = captured.request();
    let from = if replays {
        "what was captured"
    } else {
        "the vendor"
    };
    match blocking(move || connector.read(&request)).await {
        Err(failure) => Err(failure.problem.into()),
        Ok(batch) => {
            let deletions = batch.deletes.as_ref().map_or(0, |chunk| chunk.count);
            if out.json {
                out.value(&json!({ "records": batch.upserts.count, "deletions": deletions, "done": batch.done }));
            } else {
                out.line(format!(
                    "{} {}: the read works now, from {from}: {}, {}",
                    captured.source,
                    captured.stream,
                    plural(batch.upserts.count as i64, "record", "records"),
                    plural(deletions as i64, "deletion", "deletions")
                ));
            }
            Ok(Ending::Done)
        }
    }
}

fn list(folder: &Path, out: &Out) -> Outcome {
    let entries = std::fs::read_dir(folder.join(FOLDER))
        .into_iter()
        .flatten()
        .flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    let mut rows = table(&["file", "source", "stream", "problem", "answers kept"]);
    let mut values = Vec::new();
    for file in &files {
        let Ok(captured) = Captured::read(file) else {
            continue;
        };
        let keeps = captured.cassette.is_some();
        rows.add_row([
            file.display().to_string(),
            captured.source.clone(),
            captured.stream.clone(),
            fitted(&format!("{} {}", captured.code, captured.message), 60),
            if keeps { "yes" } else { "no" }.to_owned(),
        ]);
        values.push(json!({ "file": file.display().to_string(), "source": captured.source, "stream": captured.stream,
            "code": captured.code, "message": captured.message, "answers_kept": keeps }));
    }
    match out.json {
        true => out.value(&values),
        false if values.is_empty() => out.line("no read that failed is captured"),
        false => out.table(&rows),
    }
    Ok(Ending::Done)
}
