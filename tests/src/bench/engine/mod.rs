//! `onefold-bench engine`: how fast the hub's own steps are, without a connector's code and without HTTP. Each row of the
//! table is a process of its own, so that peaks of memory do not mix; this file owns the order of the rows. Two of
//! them only prepare the hub that the rows after them work on.

mod backfill;
mod churn;
mod event;
mod members;
mod memory;
mod resolve;
mod seed;
mod table;
mod unmerge;
mod world;

use crate::measure::{Measured, Watch};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// In the order in which they are run: what follows `Fresh`, and what follows `Seed`, goes on with its hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Row {
    Resolve,
    Fresh,
    Changed,
    Remap,
    Gone,
    Deleted,
    Seed,
    Backfill,
    Members,
    Event,
    Unmerge,
}

impl Row {
    const ALL: [Self; 11] = [
        Self::Resolve,
        Self::Fresh,
        Self::Changed,
        Self::Remap,
        Self::Gone,
        Self::Deleted,
        Self::Seed,
        Self::Backfill,
        Self::Members,
        Self::Event,
        Self::Unmerge,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Fresh => "fresh",
            Self::Changed => "changed",
            Self::Remap => "remap",
            Self::Gone => "gone",
            Self::Deleted => "deleted",
            Self::Seed => "seed",
            Self::Backfill => "backfill",
            Self::Members => "members",
            Self::Event => "event",
            Self::Unmerge => "unmerge",
        }
    }

    pub fn parse(name: &str) -> Result<Self> {
        match Self::ALL.into_iter().find(|row| row.name() == name) {
            Some(row) => Ok(row),
            None => bail!("the engine's table has no row `{name}`"),
        }
    }
}

/// How much of everything there is.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Size {
    /// Records that are resolved from nothing, and the people whom they are about.
    pub records: u64,
    pub people: u64,
    /// Profiles and events of the hub that the other rows work on.
    pub profiles: u64,
    pub events: u64,
    /// Single events that are timed, and merges that are undone.
    pub singles: u64,
    pub merges: u64,
}

impl Size {
    const FULL: Self = Self {
        records: 1_000_000,
        people: 400_000,
        profiles: 1_000_000,
        events: 10_000_000,
        singles: 1_000,
        merges: 25,
    };
    /// A tenth, for a quick look.
    const SMALL: Self = Self {
        records: 100_000,
        people: 40_000,
        profiles: 100_000,
        events: 1_000_000,
        singles: 500,
        merges: 20,
    };

    pub fn of(small: bool) -> Self {
        if small { Self::SMALL } else { Self::FULL }
    }
}

/// One row: the whole work, and the single steps where those are what is timed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Found {
    #[serde(flatten)]
    whole: Measured,
    median_ms: Option<f64>,
    p99_ms: Option<f64>,
}

impl Found {
    fn whole(whole: Measured) -> Self {
        Self {
            whole,
            median_ms: None,
            p99_ms: None,
        }
    }

    fn steps(whole: Measured, mut steps: Vec<Duration>) -> Self {
        steps.sort_unstable();
        // The smallest value that at least this share of the steps did not exceed.
        let at = |share: f64| {
            let rank = (steps.len() as f64 * share).ceil() as usize;
            let step = steps.get(rank.max(1) - 1);
            step.map(|step| step.as_secs_f64() * 1e3)
        };
        Self {
            whole,
            median_ms: at(0.5),
            p99_ms: at(0.99),
        }
    }
}

/// One row, in this process.
pub fn one(row: Row, size: Size, folder: &Path) -> Result<Found> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match row {
            Row::Resolve => resolve::run(size, folder).await,
            Row::Fresh | Row::Changed | Row::Remap | Row::Gone | Row::Deleted => {
                churn::run(row, size, folder).await
            }
            Row::Seed => seed::run(size, folder).await,
            Row::Backfill => backfill::run(size, folder).await,
            Row::Members => members::run(size, folder),
            Row::Event => event::run(size, folder).await,
            Row::Unmerge => unmerge::run(size, folder).await,
        }
    })
}

/// All rows. Returns whether every goal held.
pub fn all(small: bool, json: bool) -> Result<bool> {
    let size = Size::of(small);
    let program = std::env::current_exe()?;
    let here = program.parent().context("the program has no folder")?;
    let folder = here.parent().unwrap_or(here).join("bench-engine");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let found = every(&program, size, small, &folder);
    std::fs::remove_dir_all(&folder)?;
    let summary = table::Summary::of(size, found?);
    if json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        summary.print();
    }
    Ok(summary.held())
}

fn every(program: &Path, size: Size, small: bool, folder: &Path) -> Result<Vec<(Row, Found)>> {
    let mut found = Vec::new();
    for row in Row::ALL {
        eprintln!("{}", table::title(row, size));
        let mut command = Command::new(program);
        command.args(["engine", "--row", row.name()]);
        command.arg("--folder").arg(folder);
        if small {
            command.arg("--small");
        }
        let output = command.stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            bail!("the row `{}` failed", row.name());
        }
        found.push((row, serde_json::from_slice(&output.stdout)?));
    }
    Ok(found)
}

/// What a row without steps of its own is measured with.
fn stop(watch: &Watch, count: u64, store: &Path) -> Result<Measured> {
    Ok(watch.stop(i64::try_from(count)?, store))
}
