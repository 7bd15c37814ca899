//! `onefold connector inspect`: a component as its file shows it. Runs nothing.

use crate::cli::Ending;
use crate::cli::connector::subject;
use crate::cli::output::{Out, Outcome, number, table};
use crate::kit::inspect::{Inspection, inspect as look};
use crate::model::{Description, Inject};
use crate::opening::Environment;
use serde_json::{Value, json};
use std::path::Path;

pub fn inspect(folder: &Path, environment: &Environment, out: &Out, what: &str) -> Outcome {
    let path = subject::component_path(folder, environment, what)?;
    let bytes = subject::read(&path)?;
    let inspection = look(&bytes).map_err(|mut problem| {
        problem.message = format!("`{}`: {}", path.display(), problem.message);
        problem
    })?;
    match out.json {
        true => out.value(&wire(&inspection)),
        false => show(&path, &inspection, out),
    }
    Ok(Ending::Done)
}

pub fn inject(inject: &Inject) -> String {
    match inject {
        Inject::Bearer => "bearer".to_owned(),
        Inject::Basic { username } => format!("basic, as user `{username}`"),
        Inject::Header { name } => format!("header `{name}`"),
        Inject::Signing => "signing, never sent".to_owned(),
    }
}

fn wire(one: &Inspection) -> Value {
    let mut value = json!({
        "contract": one.contract, "exports": one.exports, "imports": one.imports,
        "bytes": one.bytes, "sha256": one.digest, "documents": one.description.is_some(),
    });
    if let Some(said) = &one.description {
        let credentials: serde_json::Map<String, Value> = said
            .credentials
            .iter()
            .map(|(name, spec)| {
                let spec = json!({ "title": spec.title, "required": spec.required, "inject": inject(&spec.inject), "hosts": spec.hosts });
                (name.clone(), spec)
            })
            .collect();
        let streams: Vec<Value> = said
            .streams
            .iter()
            .map(|one| {
                json!({ "name": one.name, "primary_key": one.primary_key, "cursor_fields": one.cursor_fields,
                    "supports_deletes": one.supports_deletes })
            })
            .collect();
        let targets: Vec<Value> = said
            .targets
            .iter()
            .map(|one| json!({ "name": one.name, "modes": one.modes, "keys": one.keys, "max_batch": one.max_batch }))
            .collect();
        let more = json!({
            "name": said.name, "title": said.title, "version": said.version, "hosts": said.hosts,
            "credentials": credentials, "streams": streams, "targets": targets, "audience_keys": said.audience_keys,
        });
        if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
            value.extend(more);
        }
    }
    value
}

fn show(path: &Path, one: &Inspection, out: &Out) {
    let mut rows = table(&[]);
    let mut row = |name: &str, text: String| {
        if !text.is_empty() {
            rows.add_row([name.to_owned(), text]);
        }
    };
    row("file", path.display().to_string());
    match &one.description {
        Some(said) => describe(said, &mut row),
        None => row(
            "name",
            "unknown: the file carries no documents, so only its types can be seen".to_owned(),
        ),
    }
    row("contract", one.contract.clone());
    row("exports", one.exports.join(", "));
    row("imports", one.imports.join(", "));
    let size = number(i64::try_from(one.bytes).unwrap_or(i64::MAX));
    row("size", format!("{size} bytes"));
    row("sha256", one.digest.clone());
    out.table(&rows);
}

fn describe(said: &Description, row: &mut impl FnMut(&str, String)) {
    row("name", said.name.clone());
    row("title", said.title.clone());
    row("version", said.version.clone());
    row("hosts", said.hosts.join(", "));
    let credentials = said.credentials.iter().map(|(name, spec)| {
        let need = if spec.required {
            "required"
        } else {
            "optional"
        };
        let hosts = match spec.hosts.is_empty() {
            true => String::new(),
            false => format!(", for {}", spec.hosts.join(" and ")),
        };
        format!("{name} ({need}, {}{hosts})", inject(&spec.inject))
    });
    row("credentials", credentials.collect::<Vec<_>>().join(", "));
    let streams = said.streams.iter().map(|one| {
        let deletes = if one.supports_deletes {
            ", deletions"
        } else {
            ""
        };
        format!("{} (by {}{deletes})", one.name, one.primary_key.join("+"))
    });
    row("streams", streams.collect::<Vec<_>>().join(", "));
    let targets = said.targets.iter().map(|one| {
        format!(
            "{} ({}, {} a batch)",
            one.name,
            one.modes.join(", "),
            one.max_batch
        )
    });
    row("targets", targets.collect::<Vec<_>>().join(", "));
    row("audience keys", said.audience_keys.join(", "));
}
