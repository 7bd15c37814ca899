//! Rust: cargo of the machine, with the compilation target added by rustup.

use crate::kit::component;
use crate::kit::project::Project;
use crate::kit::toolchain::{Toolchains, read};
use crate::problem::{Problem, codes};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";
const RUSTUP: &str = "install Rust with rustup: https://rustup.rs";

/// What cargo says about one thing that it made.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    target: Option<Target>,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

pub fn compile(project: &Project, tools: &Toolchains<'_>) -> Result<Vec<u8>, Problem> {
    add_target(project, tools)?;
    let mut cargo = Command::new("cargo");
    cargo
        .args([
            "build",
            "--lib",
            "--profile",
            "connector",
            "--target",
            TARGET,
        ])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(&project.folder);
    let said = tools.run(&mut cargo, RUSTUP)?;
    let module = module(&said, &project.folder.join("Cargo.toml")).ok_or_else(|| {
        Problem::new(&codes::BUILD_FAILED, "cargo made no WebAssembly module")
            .hint("the library's `crate-type` has to contain \"cdylib\"")
    })?;
    component::encode(&read(&module)?)
}

/// The module of the package in that file, among everything that cargo reports.
fn module(said: &str, manifest: &Path) -> Option<PathBuf> {
    let messages = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let made = messages.filter(|one| {
        let is_library = |target: &Target| target.kind.iter().any(|kind| kind == "cdylib");
        one.reason == "compiler-artifact"
            && same_file(&one.manifest_path, manifest)
            && one.target.as_ref().is_some_and(is_library)
    });
    made.flat_map(|one| one.filenames).find(|file| {
        file.extension()
            .is_some_and(|extension| extension == "wasm")
    })
}

fn same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn add_target(project: &Project, tools: &Toolchains<'_>) -> Result<(), Problem> {
    let mut rustc = Command::new("rustc");
    rustc
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(&project.folder);
    let libraries = tools.run(&mut rustc, RUSTUP)?;
    if Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup
        .args(["target", "add", TARGET])
        .current_dir(&project.folder);
    let hint = "without rustup install your system's Rust package for WebAssembly";
    tools.run(&mut rustup, hint).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_found_among_what_cargo_tells() {
        let said = r#"
{"reason":"compiler-artifact","manifest_path":"/p/sdk/Cargo.toml","target":{"kind":["lib"]},"filenames":["/t/libsdk.rlib"]}
{"reason":"compiler-message","message":{}}
{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","target":{"kind":["cdylib","rlib"]},"filenames":["/t/a.rlib","/t/a.wasm"]}
{"reason":"build-finished","success":true}"#;
        let found = module(said, Path::new("/p/Cargo.toml"));
        assert_eq!(found.as_deref(), Some(Path::new("/t/a.wasm")));
        assert_eq!(module(said, Path::new("/other/Cargo.toml")), None);
    }
}
