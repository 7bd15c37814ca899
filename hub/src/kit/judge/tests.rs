//! Golden pairs: a document in `tests`, and what is said of it in `NAME.err`.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test shows its failure by panicking; `UPDATE_GOLDEN` rewrites what is expected"
)]

use super::{Document, judge};
use crate::problem::{Look, render};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

fn golden(document: Document, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kit/judge/tests");
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let files = [(name.to_owned(), text.clone())];
    let said = render(&judge(document, name, &text), &files, Look::Plain);
    let golden = folder.join(format!("{name}.err"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &said).unwrap();
    }
    assert_eq!(said, std::fs::read_to_string(golden).unwrap_or_default());
}

#[test]
fn what_is_wrong_with_a_manifest_is_named_with_what_is_allowed_there() {
    golden(Document::Manifest, "manifest.json");
    golden(Document::Manifest, "expressions.json");
    golden(Document::Manifest, "comma.json");
}

#[test]
fn what_is_wrong_with_a_project_and_its_conformance_is_named() {
    golden(Document::Connector, "connector.toml");
    golden(Document::Connector, "unclosed.toml");
    golden(Document::Conformance, "conformance.toml");
}

/// The files of this name below a folder, without what builds made.
fn below(folder: &Path, name: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let last = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["build", "target", "node_modules"].contains(&last.as_str()) {
            below(&path, name, found);
        } else if last == name {
            found.push(path);
        }
    }
}

#[test]
fn the_documents_of_every_connector_are_as_they_must_be() {
    let connectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../connectors");
    for (document, name, least) in [
        (Document::Manifest, "manifest.json", 9),
        (Document::Connector, "connector.toml", 6),
        (Document::Conformance, "conformance.toml", 9),
    ] {
        let mut found = Vec::new();
        below(&connectors, name, &mut found);
        assert!(found.len() >= least, "{found:?}");
        for path in found {
            let text = std::fs::read_to_string(&path).unwrap();
            let problems = judge(document, name, &text);
            assert!(problems.is_empty(), "{}: {problems:#?}", path.display());
        }
    }
}

/// A value that a schema allows, with every key that it names.
fn whole(schema: &Value) -> Value {
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    if let Some(all) = schema["anyOf"].as_array() {
        return whole(all.last().unwrap());
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds[0].as_str().unwrap(),
        kind => kind.as_str().unwrap(),
    };
    match kind {
        "array" => json!([whole(&schema["items"])]),
        "object" => {
            let properties = schema["properties"].as_object().cloned();
            let mut value: Map<String, Value> = properties
                .into_iter()
                .flatten()
                .map(|(name, below)| (name, whole(&below)))
                .collect();
            if schema["additionalProperties"].is_object() {
                value.insert("some".to_owned(), whole(&schema["additionalProperties"]));
            }
            Value::Object(value)
        }
        "integer" => json!(1),
        "boolean" => json!(false),
        _ => json!("a"),
    }
}

// A key that only one of them knows would be refused by the other, or lost.
#[test]
fn the_hub_knows_every_key_that_a_schema_names() {
    let schema = |document: Document| serde_json::from_str::<Value>(document.schema()).unwrap();
    let mut manifest = whole(&schema(Document::Manifest));
    manifest["version"] = json!("1.2.3");
    manifest["streams"][0]["mapping"]["to"] = json!(["person"]);
    let text = manifest.to_string();
    assert_eq!(judge(Document::Manifest, "manifest.json", &text), []);
    let description = crate::host::parse_description(&text, "{}", Vec::new()).unwrap();
    assert_eq!(description.audience_name_max, Some(1));
    assert_eq!(description.credentials["some"].hosts, ["a"]);
    assert_eq!(description.targets[0].max_batch, 1);
    let mapping = description.streams[0].mapping.clone().unwrap();
    assert_eq!((mapping.map.len(), mapping.consent.len()), (1, 1));

    let mut conformance = whole(&schema(Document::Conformance));
    for other in ["command", "cassette", "live"] {
        conformance["vendor"].as_object_mut().unwrap().remove(other);
    }
    conformance["not_applicable"] = json!({ "modes": "a" });
    let text = toml::to_string(&conformance).unwrap();
    assert_eq!(judge(Document::Conformance, "conformance.toml", &text), []);
    crate::kit::conformance::Settings::parse(&text).unwrap();
}
