//! `onefold connector show`: what a connector reads and writes, field by field, and how it maps it onto the canonical schema.

use crate::cli::Ending;
use crate::cli::connector::inspect::inject;
use crate::cli::output::{Out, Outcome, table};
use crate::model::{Description, StreamMapping, StreamSpec, Value};
use crate::opening::{Environment, connectors, signers, unknown};
use crate::problem::codes;
use serde_json::json;
use std::path::Path;

pub fn show(
    folder: &Path,
    environment: &Environment,
    out: &Out,
    name: &str,
    stream: Option<&str>,
) -> Outcome {
    let connectors = connectors(folder, environment, signers(folder, environment)?)?;
    let described = connectors.describe(name);
    let described =
        described.map_err(
            |problem| match problem.code == &codes::CONNECTOR_NOT_FOUND {
                true => {
                    let names = connectors.names();
                    unknown("connector", name, names.iter().map(String::as_str))
                }
                false => problem,
            },
        )?;
    let is_wanted = |one: &&StreamSpec| stream.is_none_or(|stream| stream == one.name);
    let streams: Vec<&StreamSpec> = described.streams.iter().filter(is_wanted).collect();
    if let Some(stream) = stream.filter(|_| streams.is_empty()) {
        let names = described.streams.iter().map(|one| one.name.as_str());
        return Err(unknown("stream", stream, names).into());
    }
    if out.json {
        let streams: Vec<Value> = streams.iter().map(|one| wire(one)).collect();
        let targets = described.targets.iter();
        let targets: Vec<Value> = targets
            .map(|one| json!({ "name": one.name, "keys": one.keys, "modes": one.modes, "fields": fields(&one.schema) }))
            .collect();
        out.value(&json!({
            "name": described.name, "version": described.version, "title": described.title,
            "config": described.config_schema, "streams": streams, "targets": targets,
        }));
        return Ok(Ending::Done);
    }
    if stream.is_none() {
        head(&described, out);
    }
    for one in &streams {
        print_stream(one, out);
    }
    for one in described.targets.iter().filter(|_| stream.is_none()) {
        out.line("");
        out.line(format!(
            "target {}: people are found by {}",
            one.name,
            one.keys.join(" or ")
        ));
        out.line(format!("  takes {}", names(&fields(&one.schema))));
    }
    Ok(Ending::Done)
}

/// What a manifest has to say of it, and can.
fn head(described: &Description, out: &Out) {
    out.line(format!(
        "{} {}, {}",
        described.name, described.version, described.title
    ));
    let mut rows = table(&[]);
    for (name, spec) in &described.credentials {
        let kind = inject(&spec.inject);
        let need = if spec.required {
            "required"
        } else {
            "optional"
        };
        rows.add_row([
            format!("credential.{name}"),
            format!("{need}, {kind}"),
            spec.title.clone(),
        ]);
    }
    let needed = described
        .config_schema
        .get("required")
        .and_then(Value::as_array);
    let is_needed = |name: &str| needed.is_some_and(|all| all.iter().any(|one| one == name));
    let properties = described.config_schema.get("properties");
    for (name, property) in properties.and_then(Value::as_object).into_iter().flatten() {
        let word = |key: &str| {
            property
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let mut kind = word("type").to_owned();
        if is_needed(name) {
            kind.push_str(", required");
        } else if let Some(usual) = property.get("default") {
            kind.push_str(&format!(", {usual} by default"));
        }
        let text = [word("title"), word("description")]
            .into_iter()
            .find(|text| !text.is_empty());
        rows.add_row([
            format!("config.{name}"),
            kind,
            text.unwrap_or_default().to_owned(),
        ]);
    }
    for (name, rate) in &described.rates {
        let rate = format!("{} requests per {} ms", rate.requests, rate.per_ms);
        rows.add_row([format!("rates.{name}"), rate, String::new()]);
    }
    out.table(&rows);
}

fn print_stream(stream: &StreamSpec, out: &Out) {
    let to = match &stream.mapping {
        Some(mapping) => format!("mapped as {}", mapping.to.join(" and ")),
        None => "not mapped unless a manifest does it".to_owned(),
    };
    let deletes = if stream.supports_deletes {
        "; deletions are read"
    } else {
        ""
    };
    out.line("");
    out.line(format!(
        "stream {}, {}: {to}{deletes}",
        stream.name, stream.title
    ));
    if let Some(mapping) = &stream.mapping {
        let mut rows = table(&[]);
        for (name, text) in lines(mapping) {
            rows.add_row(["", &name, &text]);
        }
        out.table(&rows);
    }
    out.line(format!("  has {}", names(&fields(&stream.schema))));
    let personal = stream
        .data_classes
        .iter()
        .filter(|(_, class)| class.starts_with("pii."));
    let personal: Vec<String> = personal
        .map(|(path, class)| format!("{path} ({class})"))
        .collect();
    if !personal.is_empty() {
        out.line(format!("  personal data: {}", personal.join(", ")));
    }
}

/// A mapping as a manifest would have it.
fn lines(mapping: &StreamMapping) -> Vec<(String, String)> {
    let event = mapping
        .event
        .iter()
        .map(|event| ("event".to_owned(), format!("{event:?}")));
    let written = |(name, text): (String, &str)| {
        let is_own = matches!(name.as_str(), "key" | "updated_at" | "created_at");
        let name = match is_own || name.starts_with("consent.") {
            true => name,
            false => format!("map.{name}"),
        };
        (name, format!("{text:?}"))
    };
    event
        .chain(mapping.expressions().into_iter().map(written))
        .collect()
}

/// The paths of a schema, those of objects within it spelled out.
fn fields(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    add_fields(schema, "", &mut found);
    found
}

fn add_fields(schema: &Value, within: &str, found: &mut Vec<String>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let path = format!("{within}{name}");
        match property.get("properties") {
            Some(Value::Object(inner)) if !inner.is_empty() && path.len() < 200 => {
                add_fields(property, &format!("{path}."), found);
            }
            _ => found.push(path),
        }
    }
    if schema
        .get("additionalProperties")
        .is_some_and(|more| *more != false)
        && !within.is_empty()
    {
        found.push(format!("{within}*"));
    }
}

fn names(fields: &[String]) -> String {
    match fields.is_empty() {
        true => "what its schema does not list".to_owned(),
        false => fields.join(", "),
    }
}

fn wire(stream: &StreamSpec) -> Value {
    let mapping = stream.mapping.as_ref();
    let mapping = mapping.map(|mapping| {
        let lines: serde_json::Map<String, Value> = lines(mapping)
            .into_iter()
            .map(|(name, text)| (name, serde_json::from_str(&text).unwrap_or(Value::Null)))
            .collect();
        let to = match &mapping.to[..] {
            [one] => json!(one),
            several => json!(several),
        };
        json!({ "to": to, "lines": lines })
    });
    json!({
        "name": stream.name, "title": stream.title, "primary_key": stream.primary_key, "supports_deletes": stream.supports_deletes,
        "fields": fields(&stream.schema), "data_classes": stream.data_classes, "mapping": mapping,
    })
}
