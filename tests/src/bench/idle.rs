//! What a hub costs that has nothing to do: a hundred connectors in every language under `onefold serve`, before the
//! first of them ran and after all of them did.

#![allow(
    clippy::disallowed_methods,
    reason = "it measures what a hub does by the machine's clock, and that it does nothing"
)]

use super::languages::{Desk, onefold_at, told};
use anyhow::{Context, Result, bail};
use chrono::{Timelike, Utc};
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

pub const CONNECTORS: usize = 100;
/// Records that each of them reads when it runs.
const CONTACTS: u32 = 200;
/// Until all have been described, from the cache of compiled code, and the hub rests from it.
const START: Duration = Duration::from_secs(25);
/// For all of them to run, one after the other.
const PATIENCE: Duration = Duration::from_secs(180);
/// So long nothing happens before a hub counts as idle.
const STILL: Duration = Duration::from_secs(20);

/// Resident memory of the hub's process.
#[derive(Serialize)]
pub struct Idle {
    pub at_rest_mb: f64,
    pub after_running_mb: f64,
}

/// `components` are the built connectors, shared out in turn.
pub fn measure(
    onefold: &Path,
    here: &Path,
    components: &[PathBuf],
    scratch: &Path,
) -> Result<Idle> {
    let desk = Desk::open(onefold, CONTACTS)?;
    if scratch.exists() {
        std::fs::remove_dir_all(scratch)?;
    }
    std::fs::create_dir_all(scratch.join("connectors"))?;
    write_hub(scratch, components, &desk.address, "0 0 0 1 1 *")?;
    let told_at = |argument: &str| {
        let mut command = onefold_at(onefold, here);
        told(command.arg("--hub").arg(scratch).arg(argument))
    };
    // Compiled before: a hub that is started again finds its cache.
    told_at("check")?;
    let first = Utc::now() + START;
    let at = format!(
        "{} {} {} * * *",
        first.second(),
        first.minute(),
        first.hour()
    );
    write_hub(scratch, components, &desk.address, &at)?;
    let log = std::fs::File::create(scratch.join("serve.log"))?;
    let mut serving = onefold_at(onefold, here);
    serving.arg("--hub").arg(scratch).arg("serve");
    serving.stdout(log.try_clone()?).stderr(log);
    let hub = Serving(serving.stdin(Stdio::null()).spawn()?);
    std::thread::sleep(START - Duration::from_secs(2));
    if Utc::now() >= first {
        bail!("the machine was too slow: the hub was to be ready before its first run");
    }
    let at_rest_mb = hub.resident_mb()?;
    let began = Instant::now();
    let all = (CONNECTORS as u64) * u64::from(CONTACTS);
    // Some contacts of the practice help desk are unusable on purpose.
    let seen = |status: &Value| {
        let of = |name: &str| status[name].as_u64().unwrap_or_default();
        of("records") + of("dead_letters")
    };
    while seen(&told_at("status")?) < all {
        if began.elapsed() > PATIENCE {
            bail!("not every connector has run after {PATIENCE:?}: see serve.log in {scratch:?}");
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    std::thread::sleep(STILL);
    let after_running_mb = hub.resident_mb()?;
    drop(hub);
    std::fs::remove_dir_all(scratch)?;
    Ok(Idle {
        at_rest_mb,
        after_running_mb,
    })
}

fn write_hub(scratch: &Path, components: &[PathBuf], address: &str, cron: &str) -> Result<()> {
    let mut manifest = "[hub]\nname = \"idle\"\nstore = \"sqlite:idle.db\"\n".to_owned();
    for (number, component) in components.iter().cycle().take(CONNECTORS).enumerate() {
        std::fs::copy(
            component,
            scratch.join(format!("connectors/desk{number}.wasm")),
        )?;
        write!(
            manifest,
            "[[source]]\nname = \"desk{number}\"\nconnector = \"desk{number}\"\nschedule.cron = \"{cron}\"\n\
             config.base_url = \"http://{address}\"\ncredential.token = \"env:DESK_TOKEN\"\n\
             grant.addresses = [\"{address}\"]\nstreams = [\"contacts\"]\n"
        )?;
    }
    Ok(std::fs::write(scratch.join("hub.toml"), manifest)?)
}

/// A hub that serves; it ends with this value.
struct Serving(Child);

impl Serving {
    fn resident_mb(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        let kilobytes: f64 = number.context("no VmRSS")?.parse()?;
        Ok(kilobytes * 1024.0 / 1e6)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
