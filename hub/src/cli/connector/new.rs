//! `onefold connector new`: a project to begin with.

use crate::cli::Ending;
use crate::cli::output::{Out, Outcome};
use crate::kit::template::{self, New, Start};
use serde_json::json;
use std::path::Path;

/// Makes the project in the current folder.
pub fn new(new: &New<'_>, out: &Out) -> Outcome {
    let (name, language) = (new.name, new.language);
    let files = template::make(Path::new(""), new)?;
    if out.json {
        out.value(&json!({ "name": name, "language": language.word(), "created": files }));
        return Ok(Ending::Done);
    }
    out.line(format!("made {name}: {} files in {language}", files.len()));
    out.line(format!(
        "next: `cd {name}`, `onefold connector build`, `onefold connector test`; `README.md` says more"
    ));
    if new.start == Start::Skeleton {
        out.line("the code, `manifest.json` and `conformance.toml` say what to fill in");
    }
    Ok(Ending::Done)
}
