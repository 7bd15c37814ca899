//! The documents of a connector's folder, judged before anything is built or called.

use crate::kit::judge::{Document, judge};
use crate::opening::Stopped;
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
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Stopped::in_files(problems, files)),
    }
}
