//! The documents of a connector's folder, judged before anything is built or called.

use crate::kit::judge::{Document, judge};
use crate::opening::Stopped;
use crate::problem::{Problem, codes};
use serde_json::Value;
use std::path::Path;

/// What is wrong with any of these documents; a document that is not there is another's to miss.
pub fn judged(documents: &[(Document, &Path)]) -> Result<(), Stopped> {
    let (mut problems, mut files) = (Vec::new(), Vec::new());
    let (mut manifest, mut connector) = (None, None);
    for (document, path) in documents {
        let Ok(text) = std::fs::read_to_string(path) else {
            continue;
        };
        let name = path.display().to_string();
        problems.extend(judge(*document, &name, &text));
        match document {
            Document::Manifest => manifest = named_in_manifest(&text),
            Document::Connector => connector = named_in_project(&text),
            Document::Conformance => {}
        }
        files.push((name, text));
    }
    // The component is called as one says, and a hub finds it by what the other says.
    if let (Some(here), Some(there)) = (manifest, connector)
        && here != there
    {
        let message =
            format!("`manifest.json` calls the connector `{here}`, and `connector.toml` `{there}`");
        let problem = Problem::new(&codes::BAD_PROJECT, message);
        problems.push(problem.hint("both have to say the same name"));
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Stopped::in_files(problems, files)),
    }
}

fn named_in_manifest(text: &str) -> Option<String> {
    let manifest: Value = serde_json::from_str(text).ok()?;
    Some(manifest["name"].as_str()?.to_owned())
}

fn named_in_project(text: &str) -> Option<String> {
    let project: toml::Table = toml::from_str(text).ok()?;
    Some(project.get("connector")?.get("name")?.as_str()?.to_owned())
}
