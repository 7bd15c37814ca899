//! `cargo xtask`: the few commands that building, trying and testing Onefold takes.
//! Needs nothing but rustup. What a command does is told as it goes; what ran is told at the end.
//! Knows nothing of the hub's code: it starts cargo and the programs that cargo built.

#![allow(
    clippy::print_stdout,
    reason = "a command-line program speaks on standard output"
)]

mod cargo;
mod names;
mod summary;
mod test;
mod wasm;

use anyhow::{Context, Result, bail};
use cargo::{Profile, Workspace};
use std::ffi::OsString;
use std::process::ExitCode;
use wasm::Guests;

const HELP: &str = "\
cargo xtask build          connectors as WebAssembly components, the hub, the demo
cargo xtask demo           builds, then shows the whole way on made-up people; needs no account and no network;
                           with `--stay` it ends with a hub that is served, with events that come in
cargo xtask test [ARGS]    formatting, lints, every test; ARGS go to the tests, for example a part of a name
cargo xtask bench [ARGS]   builds with optimisation and measures; `records`, `engine`, `languages` or `serve` for one table
cargo xtask febrl          how well likeness finds who is who, on Febrl and other data with a known answer; fetches it once
cargo xtask help           this

With `CI=true` a check that cannot run is a failure; otherwise it is counted as skipped.
`CARGO_TARGET_DIR` may name a folder outside the checkout.";

/// The first line of the demo: a newcomer waits for the compiler.
const EXPECT: &str = "\
The first time, this compiles some 390 packages: about 10 minutes on two cores, and 3 GB in the target folder.
Later times it starts within seconds. Then come a few screens about 2,000 made-up people.";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next().unwrap_or_else(|| "help".into());
    match run(&command.to_string_lossy(), &arguments.collect::<Vec<_>>()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str, arguments: &[OsString]) -> Result<ExitCode> {
    if matches!(command, "help" | "-h" | "--help") {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    let workspace = Workspace::find()?;
    match command {
        "build" if arguments.is_empty() => {
            build(&workspace, Profile::Dev, &[])?;
            println!(
                "built: {}",
                workspace.program(Profile::Dev, "onefold").display()
            );
            Ok(ExitCode::SUCCESS)
        }
        "demo" => {
            println!("{EXPECT}");
            build(&workspace, Profile::Dev, &["onefold", "onefold-demo"])?;
            start(&workspace, Profile::Dev, "onefold-demo", arguments)
        }
        "test" => test::run(&workspace, arguments),
        "bench" => {
            build(&workspace, Profile::Release, &[])?;
            start(&workspace, Profile::Release, "onefold-bench", arguments)
        }
        "febrl" => {
            let mut cargo = workspace.cargo(["build", "--workspace", "--bin", "onefold-febrl"]);
            cargo::must(&mut cargo)?;
            start(&workspace, Profile::Dev, "onefold-febrl", arguments)
        }
        other => bail!(
            "`{other}` is no command here, or takes no arguments; `cargo xtask help` lists them"
        ),
    }
}

/// The connectors, and the programs that are named; without names every program, and the guests of the tests. Always of the
/// whole workspace, so that tests and demo share one set of features.
fn build(workspace: &Workspace, profile: Profile, programs: &[&str]) -> Result<()> {
    let guests = match programs {
        [] => Guests::All,
        _ => Guests::Connectors,
    };
    wasm::build(workspace, profile, guests)?;
    let mut cargo = workspace.cargo(["build", "--workspace"]);
    match programs {
        [] => cargo.arg("--bins"),
        some => cargo.args(some.iter().flat_map(|name| ["--bin", name])),
    };
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    cargo::must(&mut cargo)
}

/// Runs a program that was just built and passes its exit code on.
fn start(
    workspace: &Workspace,
    profile: Profile,
    name: &str,
    arguments: &[OsString],
) -> Result<ExitCode> {
    let program = workspace.program(profile, name);
    if !program.is_file() {
        bail!(
            "`{}` is not there: no package of the workspace builds a program `{name}`",
            program.display()
        );
    }
    let status = std::process::Command::new(&program)
        .args(arguments)
        .current_dir(&workspace.root)
        .status()
        .with_context(|| format!("cannot start `{}`", program.display()))?;
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Ok(ExitCode::from(code))
}
