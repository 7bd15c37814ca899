//! The documents of a connector's folder, judged before anything is built or called.

use crate::kit::judge::{Document, judge};
use crate::opening::Stopped;
use crate::problem::{Problem, codes};
use serde_json::Value;
use std::path::Path;

/// What is wrong with any of these documents; a document that is not there is another's to miss.
pub fn judged(documents: &[(Document, &Path)]) -> Result<(), Stopped> {
    let (mut problems, mut files) = (Vec::new(), Vec::new());
    for (document, path) in documents {
        let Ok(text) = std::fs::read_to_string(path) else {
            continue;
        };
        let name = path.display().to_string();
        problems.extend(judge(*document, &name, &text));
        files.push((name, text));
    }
    problems.extend(two_names(documents));
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Stopped::in_files(problems, files)),
    }
}

/// The component is called as `connector.toml` says, and a hub finds it by what `manifest.json` says.
fn two_names(documents: &[(Document, &Path)]) -> Option<Problem> {
    let name_in = |wanted: Document| {
        let (_, path) = documents.iter().find(|(one, _)| *one == wanted)?;
        let text = std::fs::read_to_string(path).ok()?;
        let name = match wanted {
            Document::Manifest => serde_json::from_str::<Value>(&text).ok()?["name"].clone(),
            _ => {
                let table: toml::Table = toml::from_str(&text).ok()?;
                serde_json::to_value(table.get("connector")?.get("name")?).ok()?
            }
        };
        Some(name.as_str()?.to_owned())
    };
    let (here, there) = (name_in(Document::Manifest)?, name_in(Document::Connector)?);
    let message =
        format!("`manifest.json` calls the connector `{here}`, and `connector.toml` `{there}`");
    let hint = "both have to say the same name";
    (here != there).then(|| Problem::new(&codes::BAD_PROJECT, message).hint(hint))
}
