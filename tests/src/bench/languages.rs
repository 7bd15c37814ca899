//! The third table: the help-desk connector in each language, built as its author would, measured by the program's own
//! `connector bench`, and through the whole of a run. What it talks to is the practice help desk on loopback.

use super::idle::{self, Idle};
use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const LANGUAGES: [&str; 6] = ["rust", "typescript", "javascript", "python", "c", "go"];
/// Contacts of the help desk, which has half as many tickets.
const CONTACTS: u32 = 20_000;
const SMALL: u32 = 2_000;

#[derive(Serialize)]
struct Line {
    language: &'static str,
    bytes: u64,
    compile_ms: f64,
    cached_start_ms: f64,
    first_call_ms: f64,
    /// Through the boundary alone, pages over HTTP and no store.
    read_per_s: f64,
    /// Through a whole run: read, mapped, resolved, stored.
    run_per_s: f64,
    memory_mb: f64,
}

pub fn all(small: bool, rounds: usize, json: bool) -> Result<bool> {
    let program = std::env::current_exe()?;
    let here = program.parent().context("the program has no folder")?;
    let onefold = here.join("onefold");
    let scratch = here.parent().unwrap_or(here).join("bench-languages");
    let contacts = if small { SMALL } else { CONTACTS };
    let desk = Desk::open(&onefold, contacts)?;
    let mut lines = Vec::new();
    let mut components = Vec::new();
    for language in LANGUAGES {
        eprintln!("the help desk in {language}");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../connectors/examples")
            .join(format!("helpdesk-{language}"));
        let built = told(
            onefold_at(&onefold, here)
                .arg("connector")
                .arg("build")
                .arg(&folder),
        )?;
        let file = built["file"].as_str().context("the build names no file")?;
        components.push(PathBuf::from(file));
        let mut best: Option<Line> = None;
        for _ in 0..rounds.max(1) {
            let line = measure(
                &onefold, here, language, &folder, file, contacts, &desk, &scratch,
            )?;
            // The fastest round is the one that was disturbed least.
            if best
                .as_ref()
                .is_none_or(|best| best.run_per_s < line.run_per_s)
            {
                best = Some(line);
            }
        }
        lines.extend(best);
    }
    drop(desk);
    eprintln!("{} connectors that wait", idle::CONNECTORS);
    let idle = idle::measure(&onefold, here, &components, &scratch)?;
    let goals = goals(&lines, &idle);
    if json {
        let goals: Vec<Value> = goals
            .iter()
            .map(|(held, text)| serde_json::json!({ "text": text, "held": held }))
            .collect();
        println!(
            "{}",
            serde_json::to_string_pretty(
                &serde_json::json!({ "rows": lines, "idle": idle, "goals": goals })
            )?
        );
    } else {
        print(&lines, &idle, &goals, contacts);
    }
    Ok(goals.iter().all(|(held, _)| *held))
}

#[allow(
    clippy::too_many_arguments,
    reason = "one row of the table, with all that it depends on"
)]
fn measure(
    onefold: &Path,
    here: &Path,
    language: &'static str,
    folder: &Path,
    file: &str,
    contacts: u32,
    desk: &Desk,
    scratch: &Path,
) -> Result<Line> {
    let count = contacts.to_string();
    let mut bench = onefold_at(onefold, here);
    bench.args(["connector", "bench"]).arg(folder);
    bench.args(["--component", file, "--contacts", &count]);
    let alone = told(&mut bench)?;
    let number = |name: &str| alone[name].as_f64().unwrap_or_default();
    Ok(Line {
        language,
        bytes: alone["bytes"].as_u64().unwrap_or_default(),
        compile_ms: number("compile_ms"),
        cached_start_ms: number("cached_start_ms"),
        first_call_ms: number("first_call_ms"),
        read_per_s: number("records_per_s"),
        run_per_s: run(onefold, here, file, desk, scratch)?,
        memory_mb: number("most_memory_bytes") / 1e6,
    })
}

/// Records a second through `onefold run` on a hub that is new.
fn run(onefold: &Path, here: &Path, file: &str, desk: &Desk, hub: &Path) -> Result<f64> {
    if hub.exists() {
        std::fs::remove_dir_all(hub)?;
    }
    std::fs::create_dir_all(hub.join("connectors"))?;
    std::fs::copy(file, hub.join("connectors/helpdesk.wasm"))?;
    let address = &desk.address;
    let manifest = format!(
        "[hub]\nname = \"bench\"\nstore = \"sqlite:bench.db\"\n[[source]]\nname = \"desk\"\nconnector = \"helpdesk\"\n\
         config.base_url = \"http://{address}\"\ncredential.token = \"env:DESK_TOKEN\"\n\
         grant.addresses = [\"{address}\"]\nstreams = [\"contacts\", \"tickets\"]\n"
    );
    std::fs::write(hub.join("hub.toml"), manifest)?;
    // Compiled before: what is measured is a run as it is every day.
    told(
        onefold_at(onefold, here)
            .arg("--hub")
            .arg(hub)
            .args(["connector", "check", "desk"]),
    )?;
    let began = Instant::now();
    told(onefold_at(onefold, here).arg("--hub").arg(hub).arg("run"))?;
    let took = began.elapsed().as_secs_f64();
    let status = told(
        onefold_at(onefold, here)
            .arg("--hub")
            .arg(hub)
            .arg("status"),
    )?;
    std::fs::remove_dir_all(hub)?;
    let records = status["records"]
        .as_f64()
        .context("the hub counts no records")?;
    Ok(records / took)
}

pub fn onefold_at(onefold: &Path, here: &Path) -> Command {
    let target = here.parent().unwrap_or(here);
    let mut command = Command::new(onefold);
    command
        .arg("--json")
        .env("DESK_TOKEN", "practice-token")
        .env("ONEFOLD_CACHE", target.join("bench-cache"))
        .env("ONEFOLD_TOOLCHAINS", target.join("toolchains"));
    command
}

/// What a command says as JSON.
pub fn told(command: &mut Command) -> Result<Value> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&text));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The practice help desk as a process; it ends with this value.
pub struct Desk {
    process: Child,
    pub address: String,
}

impl Desk {
    pub fn open(onefold: &Path, contacts: u32) -> Result<Self> {
        let mut process = Command::new(onefold)
            .args(["connector", "vendor", "--contacts", &contacts.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .context("the help desk cannot be started")?;
        let output = process
            .stdout
            .take()
            .context("the help desk has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next());
        let address = address.context("the help desk gave no address")?.to_owned();
        Ok(Self { process, address })
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn goals(lines: &[Line], idle: &Idle) -> Vec<(bool, String)> {
    let of = |language: &str| lines.iter().find(|line| line.language == language);
    let mut goals = Vec::new();
    for (language, most) in [("typescript", 2.0), ("javascript", 2.0), ("python", 3.0)] {
        if let (Some(rust), Some(one)) = (of("rust"), of(language)) {
            let times = rust.run_per_s / one.run_per_s;
            goals.push((
                times <= most,
                format!("{language} within {most} times of Rust through a run: {times:.2}"),
            ));
        }
    }
    for line in lines {
        let most = if line.language == "rust" { 10.0 } else { 50.0 };
        let start = line.cached_start_ms + line.first_call_ms;
        goals.push((
            start < most,
            format!(
                "{} starts from the cache within {most} ms: {start:.1} ms",
                line.language
            ),
        ));
    }
    let most = idle.at_rest_mb.max(idle.after_running_mb);
    goals.push((
        most < 100.0,
        format!(
            "{} idle connectors within 100 MB: {most:.0} MB",
            idle::CONNECTORS
        ),
    ));
    goals
}

fn print(lines: &[Line], idle: &Idle, goals: &[(bool, String)], contacts: u32) {
    println!("\nthe help-desk connector, {contacts} contacts and half as many tickets\n");
    println!(
        "{:<12}{:>12}{:>12}{:>11}{:>12}{:>12}{:>12}{:>11}",
        "", "size KB", "compile ms", "cached ms", "1st call ms", "read /s", "run /s", "memory MB"
    );
    for line in lines {
        println!(
            "{:<12}{:>12.0}{:>12.0}{:>11.1}{:>12.1}{:>12.0}{:>12.0}{:>11.1}",
            line.language,
            line.bytes as f64 / 1e3,
            line.compile_ms,
            line.cached_start_ms,
            line.first_call_ms,
            line.read_per_s,
            line.run_per_s,
            line.memory_mb,
        );
    }
    println!(
        "\nread: pages over HTTP through the boundary, no store; run: `onefold run` on a new hub, the program's start and all"
    );
    println!(
        "{} connectors under `onefold serve`, resident: {:.0} MB at rest, {:.0} MB when all have run",
        idle::CONNECTORS,
        idle.at_rest_mb,
        idle.after_running_mb
    );
    println!();
    for (held, text) in goals {
        println!("{} {text}", if *held { "held  " } else { "MISSED" });
    }
}
