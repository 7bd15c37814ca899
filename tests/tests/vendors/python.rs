//! A Python environment of our own in the target folder, made once, with the packages that the checks need.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const PACKAGES: [&str; 4] = [
    "hubspot-api-client==12.0.0",
    "stripe==16.1.0",
    "mailchimp-marketing==3.0.80",
    "localstripe==1.15.10",
];

/// The interpreter, or what is missing.
pub fn interpreter() -> Result<&'static Path, &'static str> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match MADE.get_or_init(make) {
        Ok(path) => Ok(path),
        Err(missing) => Err(missing),
    }
}

fn make() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = here
        .ancestors()
        .nth(3)
        .ok_or("the test program has no target folder")?;
    let folder = target.join("python");
    let python = folder.join("bin/python");
    let complete = folder.join("complete");
    let wanted = PACKAGES.join(" ");
    if std::fs::read_to_string(&complete).is_ok_and(|made| made == wanted) {
        return Ok(python);
    }
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&folder))?;
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet"])
        .args(PACKAGES))?;
    std::fs::write(&complete, wanted).map_err(|error| error.to_string())?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("python3 could not be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "the packages {PACKAGES:?} could not be installed: {}",
        said.lines().last().unwrap_or_default()
    ))
}
