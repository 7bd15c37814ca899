//! `onefold init`: the smallest hub that `onefold check` accepts, with the next steps in it.

use crate::cli::Ending;
use crate::cli::output::{Out, Outcome};
use crate::files;
use crate::opening::Stopped;
use crate::problem::{Problem, codes};
use std::path::Path;

const TEMPLATE: &str = include_str!("hub.toml");

pub fn init(folder: &Path, name: Option<&str>, out: &Out) -> Outcome {
    let failed = |error: &std::io::Error| {
        let what = format!(
            "`{}` cannot be written: {error}",
            folder.join("hub.toml").display()
        );
        Stopped::from(Problem::new(&codes::UNREADABLE, what))
    };
    files::make_folder(folder).map_err(|error| failed(&error))?;
    let file = folder.join("hub.toml");
    if file.exists() {
        let problem = Problem::new(
            &codes::USAGE,
            format!("`{}` exists already", file.display()),
        );
        return Err(problem
            .hint("choose another folder with `--hub DIR`")
            .into());
    }
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let name = name.map_or_else(|| folder_name(&absolute), str::to_owned);
    files::write(&file, TEMPLATE.replace("{name}", &name).as_bytes())
        .map_err(|error| failed(&error))?;
    if out.json {
        out.value(&serde_json::json!({ "created": file }));
    } else {
        out.line(format!("made {}", file.display()));
        out.line("next: name a source in it, then `onefold check` and `onefold run`");
    }
    Ok(Ending::Done)
}

/// The folder's own name, as far as a hub may be called that.
fn folder_name(folder: &Path) -> String {
    let name: String = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if name.chars().next().is_some_and(|c| c.is_ascii_alphabetic()) {
        name
    } else {
        format!("hub_{name}")
    }
}
