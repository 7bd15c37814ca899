//! N6, N7: what a build and a benchmark say while they last, and what is kept for the next one. A program that writes down what it
//! is asked and copies a component takes the place of componentize-py, so that no test waits for an interpreter.

use crate::compiled::{self, toolchains};
use crate::hub::beside_program;
use crate::languages::typed;
use onefold::kit::practice::TOKEN;
use onefold::kit::project::{Kind, Language};
use onefold::kit::template;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const KEPT: &str = "the last build's component is kept";
const WAITS: &str = "another build of this project is running; waiting for it";

/// A new project in Python, and compilers that are not what they seem.
struct Place {
    folder: TempDir,
}

impl Place {
    /// None where no component can be compiled from Python.
    fn new() -> Option<Self> {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../connectors/examples");
        let example = examples.join("helpdesk-python");
        compiled::example(&example)?;
        let folder = tempfile::tempdir().unwrap();
        let place = Self { folder };
        let new = template::New {
            name: "acme",
            language: Language::Python,
            kind: Kind::Both,
            start: template::Start::Example,
        };
        template::make(place.folder.path(), &new).unwrap();
        let component = example.join("build/component.wasm");
        std::fs::copy(component, place.path("component.wasm")).unwrap();
        place.pretend();
        Some(place)
    }

    /// The folder of the real compiler with a script in its place, which waits for a word if there is a pipe to read it from.
    fn pretend(&self) {
        let real = std::fs::read_dir(toolchains()).unwrap().flatten();
        let real = real.map(|entry| entry.path()).find(|folder| {
            let made = std::fs::read_to_string(folder.join("complete"));
            made.is_ok_and(|made| made.starts_with("componentize-py=="))
        });
        let real = real.unwrap();
        let folder = self.path("toolchains").join(real.file_name().unwrap());
        std::fs::create_dir_all(folder.join("bin")).unwrap();
        std::fs::copy(real.join("complete"), folder.join("complete")).unwrap();
        let script = "#!/bin/sh\n\
            echo \"$VIRTUAL_ENV\" >> PLACE/calls\n\
            if [ -p PLACE/pipe ]; then read word < PLACE/pipe; fi\n\
            while [ $# -gt 0 ]; do if [ \"$1\" = --output ]; then cp PLACE/component.wasm \"$2\"; fi; shift; done\n";
        let script = script.replace("PLACE", &self.folder.path().display().to_string());
        let program = folder.join("bin/componentize-py");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn build(&self, more: &[&str]) -> Command {
        let mut program = Command::new(beside_program("onefold"));
        program
            .args(["connector", "build", "acme"])
            .args(more)
            .current_dir(self.folder.path())
            .env("ONEFOLD_TOOLCHAINS", self.path("toolchains"));
        program
    }

    fn built(&self) -> String {
        said(&self.build(&[]).output().unwrap())
    }

    /// What the compiler wrote down, once each time that it ran.
    fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    fn append(&self, file: &str, text: &str) {
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(self.path("acme").join(file))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn n6_a_component_is_kept_until_something_that_it_is_made_of_changes() {
    let Some(place) = Place::new() else { return };
    let first = place.built();
    assert!(first.contains("compiling `acme` (python)"), "{first}");
    assert!(first.contains("starting a Python interpreter"), "{first}");
    assert!(!first.contains(KEPT), "{first}");
    let made = std::fs::read(place.path("acme/build/acme.wasm")).unwrap();
    let second = place.built();
    assert!(second.contains(KEPT), "{second}");
    assert!(!second.contains("starting"), "{second}");
    assert_eq!(place.calls().len(), 1);
    let kept = std::fs::read(place.path("acme/build/acme.wasm")).unwrap();
    assert!(made == kept, "the same component, byte for byte");

    let changes = [
        ("src/connector/read.py", "\n# changed\n"),
        ("manifest.json", "\n"),
        ("config.schema.json", "\n"),
        ("sdk/onefold_sdk/http.py", "\n# changed\n"),
        ("wit/connector.wit", "\n// changed\n"),
        // Somebody else's file under its name.
        ("build/component.wasm", "x"),
    ];
    for (runs, (file, text)) in (2..).zip(changes) {
        place.append(file, text);
        let built = place.built();
        assert!(!built.contains(KEPT), "{file}: {built}");
        assert_eq!(place.calls().len(), runs, "{file}");
        assert!(place.built().contains(KEPT), "{file}");
    }
}

#[test]
fn n6_a_build_sees_the_project_and_not_the_packages_of_this_machine() {
    let Some(place) = Place::new() else { return };
    let built = place.build(&[]).env("VIRTUAL_ENV", "/elsewhere").output();
    said(&built.unwrap());
    let calls = place.calls();
    let environment = Path::new(&calls[0]);
    assert!(
        environment.starts_with(place.path("acme/build")),
        "{calls:?}"
    );
    let packages = environment.join("lib/site-packages");
    assert_eq!(std::fs::read_dir(packages).unwrap().count(), 0);
}

#[test]
fn n6_of_two_builds_at_once_one_compiles_and_the_other_waits_for_it() {
    let Some(place) = Place::new() else { return };
    let pipe = place.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let start = || {
        let mut build = place.build(&[]);
        build.stdout(Stdio::piped()).stderr(Stdio::piped());
        build.spawn().unwrap()
    };
    let mut first = start();
    until(&mut first.stderr, "starting a Python interpreter");
    let mut second = start();
    until(&mut second.stderr, WAITS);
    // The first is let go on only when the second waits.
    std::fs::write(&pipe, "on\n").unwrap();
    let second = second.wait_with_output().unwrap();
    said(&first.wait_with_output().unwrap());
    said(&second);
    assert_eq!(place.calls().len(), 1);
    assert!(place.built().contains(KEPT));
}

/// Reads lines until one says this.
fn until(stderr: &mut Option<std::process::ChildStderr>, wanted: &str) {
    let mut lines = BufReader::new(stderr.as_mut().unwrap()).lines();
    let found = lines.any(|line| line.unwrap().contains(wanted));
    assert!(found, "`{wanted}` was not said");
}

#[test]
fn n6_bench_says_that_it_compiles_before_it_does_and_keeps_what_it_compiled() {
    let place = tempfile::tempdir().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../connectors/examples/helpdesk-rust");
    let command = |word: &str, component: &Path, more: &[&str]| {
        let mut program = Command::new(beside_program("onefold"));
        program
            .args(["connector", word])
            .arg(&folder)
            .arg("--component")
            .arg(component)
            .args(more)
            .env("ONEFOLD_CACHE", place.path().join("cache"))
            .env("DESK_TOKEN", TOKEN)
            .output()
            .unwrap()
    };
    let bench = |component: &Path| command("bench", component, &["--contacts", "50"]);
    // What does not compile shows the order.
    let broken = place.path().join("broken.wasm");
    std::fs::write(&broken, b"\0asm\x0d\0\x01\0\x01\x01\xff").unwrap();
    let failed = bench(&broken);
    let text = String::from_utf8_lossy(&failed.stderr);
    assert!(
        text.starts_with("compiling the component, 11 bytes\nerror["),
        "{text}"
    );

    let component = beside_program("guests").join("helpdesk-rust.wasm");
    let output = bench(&component);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    said(&output);
    assert_eq!(text.matches("compiling").count(), 1, "{text}");
    assert!(
        text.contains("reading everything that helpdesk has"),
        "{text}"
    );
    // The commands that follow do without; the next measurement compiles again.
    let tested = said(&command("test", &component, &[]));
    assert!(!tested.contains("compiling"), "{tested}");
    let again = said(&bench(&component));
    assert_eq!(
        again.matches("compiling the component").count(),
        1,
        "{again}"
    );
}

#[test]
fn n7_imports_are_a_line_unless_they_are_asked_for() {
    let Some(place) = Place::new() else { return };
    let short = place.built();
    let line = "  imports  crypto, http, log, run and 25 of WASI (`--verbose` names them)\n";
    assert!(short.contains(line), "{short}");
    let long = said(&place.build(&["--verbose"]).output().unwrap());
    assert_eq!(long.matches("\n           wasi:").count(), 25, "{long}");
    let json = place.build(&["--json"]).output().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(value["imports"].as_array().unwrap().len(), 30);
}

#[test]
fn n6_a_test_says_what_it_does_and_json_is_only_json() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../connectors/examples/helpdesk-rust");
    let component = beside_program("guests").join("helpdesk-rust.wasm");
    let component = component.display().to_string();
    let arguments = ["connector", "test", ".", "--component", &component];
    let (code, text) = typed(&folder, &arguments);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("testing helpdesk 0.1.0 by 34 rules"),
        "{text}"
    );
    let (_, json) = typed(&folder, &[&arguments[..], &["--json"]].concat());
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["passed"], true);
}
