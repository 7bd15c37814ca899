//! `cargo xtask test`: formatting, lints, the build, then every test in one run of cargo's own test runner.
//! A step that fails does not hide the next ones; only a failed build does.

use crate::cargo::{Profile, Workspace, must, on_ci, shown, succeeds};
use crate::summary::Summary;
use crate::wasm;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::Instant;

struct Step {
    name: &'static str,
    passed: bool,
    seconds: f64,
}

pub fn run(workspace: &Workspace, arguments: &[OsString]) -> Result<ExitCode> {
    let mut steps = Vec::new();
    let mut step = |name, work: &mut dyn FnMut() -> Result<bool>| -> Result<()> {
        let begin = Instant::now();
        let passed = work()?;
        steps.push(Step {
            name,
            passed,
            seconds: begin.elapsed().as_secs_f64(),
        });
        Ok(())
    };
    install_components(workspace)?;
    step("formatting", &mut || {
        succeeds(&mut workspace.cargo(["fmt", "--all", "--check"]))
    })?;
    step("connectors", &mut || {
        wasm::build(workspace, Profile::Dev, wasm::Guests::All).map(|()| true)
    })?;
    step("lints", &mut || succeeds(&mut clippy(workspace)))?;
    step("build", &mut || build(workspace).map(|()| true))?;
    let mut summary = Summary::default();
    step("tests", &mut || {
        let mut cargo = workspace.cargo(["test", "--workspace", "--no-fail-fast", "--"]);
        let status = listen(cargo.args(arguments), &mut summary)?;
        Ok(status.success())
    })?;
    Ok(finish(&steps, &summary))
}

/// rustup's smallest profile comes without them.
fn install_components(workspace: &Workspace) -> Result<()> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        let mut probe = workspace.cargo([subcommand, "--version"]);
        let present = probe
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?
            .success();
        if !present {
            let mut rustup = Command::new("rustup");
            must(
                rustup
                    .args(["component", "add", component])
                    .current_dir(&workspace.root),
            )
            .with_context(|| {
                format!(
                    "the tests need `cargo {subcommand}`: run `rustup component add {component}`"
                )
            })?;
        }
    }
    Ok(())
}

fn clippy(workspace: &Workspace) -> Command {
    workspace.cargo([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ])
}

/// The programs first: the tests run them as a user would.
fn build(workspace: &Workspace) -> Result<()> {
    must(&mut workspace.cargo(["build", "--workspace", "--bins"]))?;
    must(&mut workspace.cargo(["test", "--workspace", "--no-run"]))
}

/// Passes the runner's lines on while counting them. Both of its streams go through one pipe and so keep their order.
fn listen(cargo: &mut Command, summary: &mut Summary) -> Result<ExitStatus> {
    println!("==> {}", shown(cargo));
    let (reader, writer) = std::io::pipe()?;
    let mut child = cargo
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()
        .context("cannot start `cargo`")?;
    // The command still holds the pipe's other end, and reading would never come to an end.
    cargo.stdout(Stdio::null()).stderr(Stdio::null());
    for line in BufReader::new(reader).split(b'\n') {
        if let Some(text) = summary.read(&String::from_utf8_lossy(&line?)) {
            println!("{text}");
        }
    }
    Ok(child.wait()?)
}

/// Says what ran and how it went. The runner's own closing lines come last.
fn finish(steps: &[Step], summary: &Summary) -> ExitCode {
    println!();
    for line in summary.printed() {
        println!("{line}");
    }
    println!("\n{summary}");
    for step in steps {
        let result = if step.passed { "ok" } else { "FAILED" };
        println!("{:<12} {result:<6} {:>7.1} s", step.name, step.seconds);
    }
    let missing = on_ci() && summary.skipped() > 0;
    if missing {
        println!(
            "error: with CI=true nothing may be skipped, and {} checks were",
            summary.skipped()
        );
    }
    if !summary.anything_ran() {
        println!("error: not one test ran");
    }
    let good = steps.iter().all(|step| step.passed) && !missing && summary.anything_ran();
    println!(
        "\n{}\n",
        if good {
            "everything passed"
        } else {
            "not everything passed"
        }
    );
    for line in summary.closing() {
        println!("{line}");
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
