//! `onefold connector new`: a project to begin with.

use crate::cli::Ending;
use crate::cli::connector::arguments::NewArguments;
use crate::cli::output::{Out, Outcome};
use crate::kit::template::{self, New, Start};
use serde_json::json;
use std::path::Path;

/// Makes the project in the current folder.
pub fn new(arguments: &NewArguments, out: &Out) -> Outcome {
    let (name, language) = (&arguments.name, arguments.language);
    let start = match arguments.skeleton {
        true => Start::Skeleton,
        false => Start::Example,
    };
    let new = New {
        name,
        language,
        kind: arguments.kind,
        start,
    };
    let files = template::make(Path::new(""), &new)?;
    if out.json {
        out.value(&json!({ "name": name, "language": language.word(), "created": files }));
        return Ok(Ending::Done);
    }
    out.line(format!("made {name}: {} files in {language}", files.len()));
    out.line(format!(
        "next: `cd {name}`, `onefold connector build`, `onefold connector test`; `README.md` says more"
    ));
    if start == Start::Skeleton {
        out.line("the code, `manifest.json` and `conformance.toml` say what to fill in");
    }
    Ok(Ending::Done)
}
