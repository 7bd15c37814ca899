//! `onefold connector new`: a project to begin with.

use crate::cli::Ending;
use crate::cli::output::{Out, Outcome};
use crate::kit::project::{Kind, Language};
use crate::kit::template;
use serde_json::json;
use std::path::Path;

/// Makes the project in the current folder.
pub fn new(name: &str, language: Language, kind: Kind, out: &Out) -> Outcome {
    let files = template::make(Path::new(""), name, language, kind)?;
    if out.json {
        out.value(&json!({ "name": name, "language": language.word(), "created": files }));
        return Ok(Ending::Done);
    }
    out.line(format!("made {name}: {} files in {language}", files.len()));
    out.line(format!(
        "next: `cd {name}`, `onefold connector build`, `onefold connector test`; `README.md` says more"
    ));
    Ok(Ending::Done)
}
