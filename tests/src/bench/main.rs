//! `onefold-bench [records|engine|languages|serve] [--records N] [--rounds N] [--small] [--json]`: how fast a loopback HubSpot becomes
//! stored profiles, compared with a program without any logic; then the engine by itself; then a connector in each language; then a hub that serves. Each row of a table is a process of
//! its own, so that peaks of memory do not mix; this file owns the order of the first table's rows. Ends with 0 when every
//! goal held.

#![allow(clippy::print_stdout, reason = "a benchmark talks to a person")]

mod engine;
mod floor;
mod hub;
mod idle;
mod languages;
mod measure;
mod native;
mod pages;
mod serve;
mod table;

use anyhow::{Context, Result, bail};
use measure::{Measured, Row};
use onefold_tests::vendors::{Running, hubspot, start};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};

/// What the command line asks for.
#[derive(Default)]
struct Choice {
    /// None for all.
    table: Option<Table>,
    /// A tenth of the engine's table.
    small: bool,
    records: Option<u64>,
    rounds: Option<usize>,
    json: bool,
    /// Set in the processes that this program starts.
    vendor: bool,
    row: Option<String>,
    address: Option<SocketAddr>,
    folder: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq)]
enum Table {
    Records,
    Engine,
    Languages,
    Serve,
}

const RECORDS: u64 = 200_000;
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    match parse().and_then(|choice| run(&choice)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn parse() -> Result<Choice> {
    let mut choice = Choice::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || {
            let value = arguments.next();
            value.with_context(|| format!("`{name}` needs a value"))
        };
        match name.as_str() {
            "records" => choice.table = Some(Table::Records),
            "engine" => choice.table = Some(Table::Engine),
            "languages" => choice.table = Some(Table::Languages),
            "serve" => choice.table = Some(Table::Serve),
            "--small" => choice.small = true,
            "--records" => choice.records = Some(value()?.replace('_', "").parse()?),
            "--rounds" => choice.rounds = Some(value()?.parse()?),
            "--json" => choice.json = true,
            "--vendor" => choice.vendor = true,
            "--row" => choice.row = Some(value()?),
            "--address" => choice.address = Some(value()?.parse()?),
            "--folder" => choice.folder = Some(value()?.into()),
            other => {
                bail!(
                    "`{other}` is not an option; there are `records`, `engine`, `languages` or `serve` for one of the tables, `--records N`, \
                     `--rounds N`, `--small` and `--json`"
                )
            }
        }
    }
    Ok(choice)
}

fn run(choice: &Choice) -> Result<bool> {
    let records = choice.records.unwrap_or(RECORDS);
    if records == 0 {
        bail!("`--records` must be at least 1");
    }
    if choice.vendor {
        return serve_vendor(records).map(|()| true);
    }
    if let Some(row) = &choice.row {
        return measure(choice, row, records).map(|()| true);
    }
    let is_asked = |table| choice.table.is_none_or(|asked| asked == table);
    let rounds = choice.rounds.unwrap_or(ROUNDS).max(1);
    let mut held = true;
    if is_asked(Table::Records) {
        held = all(records, rounds, choice.json)?;
    }
    if is_asked(Table::Engine) {
        held &= engine::all(choice.small, choice.json)?;
    }
    if is_asked(Table::Languages) {
        held &= languages::all(choice.small, rounds, choice.json)?;
    }
    if is_asked(Table::Serve) {
        held &= serve::all(choice.small, choice.records, choice.json)?;
    }
    Ok(held)
}

/// One row of a table, printed to standard output.
fn measure(choice: &Choice, row: &str, records: u64) -> Result<()> {
    let folder = choice.folder.as_deref();
    let folder = folder.context("`--row` needs `--folder`")?;
    let found = if choice.table == Some(Table::Engine) {
        let size = engine::Size::of(choice.small);
        serde_json::to_string(&engine::one(engine::Row::parse(row)?, size, folder)?)?
    } else {
        let address = choice.address.context("`--row` needs `--address`")?;
        serde_json::to_string(&one(Row::parse(row)?, records, address, folder)?)?
    };
    println!("{found}");
    Ok(())
}

/// The vendor's process: serves until its standard input ends.
fn serve_vendor(records: u64) -> Result<()> {
    let running: Running<_> = start(hubspot::seed_bulk(records), ([127, 0, 0, 1], 0).into())?;
    // A page is rendered when it is first asked for, which is not part of what is measured.
    let mut pages = pages::Pages::connect(running.address)?;
    while pages.next_page()?.is_some() {}
    println!("{}", running.address);
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// One row, in this process.
fn one(row: Row, records: u64, address: SocketAddr, folder: &Path) -> Result<Measured> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match row {
            Row::Floor => floor::run(records, address, folder).await,
            _ => hub::run(row, records, address, folder).await,
        }
    })
}

/// The vendor as a process; it ends with this value.
struct Vendor {
    process: Child,
    /// Held open for as long as the vendor shall serve.
    input: Option<ChildStdin>,
    address: SocketAddr,
}

impl Vendor {
    fn start(records: u64) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--vendor", "--records", &records.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the vendor cannot be started")?;
        let input = process.stdin.take();
        let output = process.stdout.take().context("the vendor has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().parse().context("the vendor gave no address")?;
        Ok(Self {
            process,
            input,
            address,
        })
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.process.wait();
    }
}

fn all(records: u64, rounds: usize, json: bool) -> Result<bool> {
    let program = std::env::current_exe()?;
    let here = program.parent().context("the program has no folder")?;
    let folder = here.parent().unwrap_or(here).join("bench");
    eprintln!("seeding a HubSpot of {records} contacts");
    let vendor = Vendor::start(records)?;
    let mut found: Vec<(Row, Measured)> = Vec::new();
    for round in 1..=rounds {
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        for row in Row::ALL {
            eprintln!("round {round} of {rounds}: {}", row.title());
            let output = Command::new(&program)
                .args(["--row", row.name(), "--records", &records.to_string()])
                .args(["--address", &vendor.address.to_string()])
                .arg("--folder")
                .arg(&folder)
                .stderr(Stdio::inherit())
                .output()?;
            if !output.status.success() {
                bail!("the row `{}` failed", row.name());
            }
            found.push((row, serde_json::from_slice(&output.stdout)?));
        }
    }
    drop(vendor);
    std::fs::remove_dir_all(&folder)?;
    let summary = table::Summary::of(records, &found);
    if json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        summary.print();
    }
    Ok(summary.held())
}
