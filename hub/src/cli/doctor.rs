//! `onefold doctor`: what the hub leaves open that it need not.

use crate::cli::Ending;
use crate::cli::output::{Out, Outcome, plural};
use crate::opening::{self, Environment};
use std::path::Path;

pub async fn doctor(folder: &Path, environment: &Environment, out: &Out) -> Outcome {
    let loaded = opening::load(folder, environment);
    let found = opening::doctor::examine(folder, environment, loaded.as_ref().ok());
    if let Err(stopped) = loaded {
        // What can be seen without the manifests is said all the same.
        out.warnings(&found, &[]);
        return Err(stopped);
    }
    out.problems(&found, &[]);
    if found.is_empty() {
        if !out.json {
            out.line("nothing is left open that need not be");
        }
        return Ok(Ending::Done);
    }
    if !out.json {
        let count = plural(found.len() as i64, "thing is", "things are");
        out.line(format!("{count} left open; each says what closes it"));
    }
    Ok(Ending::Partial)
}
