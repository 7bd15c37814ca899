//! What is measured of one row, in its own process, and how. Reads the process's own counters from `/proc`.

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// The rows of the table, in the order in which they are run: `Full` and `Again` go on where `Wasm` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Row {
    Floor,
    Native,
    Wasm,
    Full,
    Again,
}

impl Row {
    pub const ALL: [Self; 5] = [
        Self::Floor,
        Self::Native,
        Self::Wasm,
        Self::Full,
        Self::Again,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Native => "native",
            Self::Wasm => "wasm",
            Self::Full => "full",
            Self::Again => "again",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Floor => "floor: same pages, same rows, no logic",
            Self::Native => "hub, first run, connector compiled natively",
            Self::Wasm => "hub, first run, connector as WebAssembly",
            Self::Full => "hub, second run, everything read again, unchanged",
            Self::Again => "hub, third run, only what changed since",
        }
    }

    pub fn parse(name: &str) -> Result<Self> {
        match Self::ALL.into_iter().find(|row| row.name() == name) {
            Some(row) => Ok(row),
            None => bail!("there is no row `{name}`"),
        }
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Measured {
    /// Records that came from the vendor.
    pub records: i64,
    pub wall_s: f64,
    /// Of this process, all threads.
    pub cpu_s: f64,
    /// The most memory that was resident at any time.
    pub peak_mb: f64,
    /// The database and its log, after the last transaction.
    pub store_mb: f64,
}

/// Runs from when it is made until it is asked.
pub struct Watch {
    begun: Instant,
    cpu_s: f64,
}

impl Watch {
    pub fn start() -> Self {
        Self {
            cpu_s: cpu_s(),
            begun: Instant::now(),
        }
    }

    pub fn stop(&self, records: i64, store: &std::path::Path) -> Measured {
        let wall_s = self.begun.elapsed().as_secs_f64();
        Measured {
            records,
            wall_s,
            cpu_s: cpu_s() - self.cpu_s,
            peak_mb: peak_mb(),
            store_mb: std::fs::metadata(store).map_or(0.0, |file| file.len() as f64 / 1e6),
        }
    }
}

/// User and system time; 0 where the machine has no `/proc`. The kernel counts in hundredths of a second.
fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The program's name is in brackets and may contain spaces.
    let fields = text.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .filter_map(|field| field.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

fn peak_mb() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(0.0) * 1024.0 / 1e6
}
