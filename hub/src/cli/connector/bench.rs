//! `onefold connector bench`: what a connector costs: size, cold start, records a second, memory, calls.

use crate::cli::Ending;
use crate::cli::arguments::SubjectArguments;
use crate::cli::connector::subject::{Ready, blocking, ready};
use crate::cli::output::{Out, Outcome, number, table};
use crate::host::{Component, Host, HostSettings};
use crate::kit::conformance::PracticeSettings;
use crate::kit::session::{Extent, StreamRead, read};
use crate::kit::tap::Tap;
use crate::opening::{Environment, Stopped};
use crate::problem::Problem;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// As a run asks for.
const RECORDS: u32 = 5_000;

/// How long it takes until the first answer.
struct Start {
    compile: Duration,
    /// Taken from the cache instead.
    cached: Duration,
    first_call: Duration,
}

pub async fn bench(
    hub: &Path,
    environment: &Environment,
    out: &Out,
    options: &SubjectArguments,
    contacts: u32,
) -> Outcome {
    let ready = ready(hub, environment, options, |settings| {
        if let Some(practice) = &mut settings.vendor.practice {
            *practice = PracticeSettings {
                seed: practice.seed,
                contacts: Some(contacts),
                new_members: practice.new_members,
            };
        }
    })?;
    let start = cold_start(environment, &ready.bytes)?;
    let most_memory = Arc::new(AtomicU64::new(0));
    let tap = Tap::new(ready.connection.http.clone());
    let (took, read) = reads(&ready, tap.clone(), most_memory.clone()).await?;
    let records: u64 = read.iter().map(StreamRead::records).sum();
    let calls: u32 = read.iter().map(|stream| stream.calls).sum();
    let rate = records as f64 / took.as_secs_f64().max(1e-9);
    let ms = |time: Duration| (time.as_secs_f64() * 1e5).round() / 100.0;
    let memory = most_memory.load(Ordering::Relaxed);
    if out.json {
        out.value(&json!({ "connector": ready.description.name, "bytes": ready.bytes.len(),
            "compile_ms": ms(start.compile), "cached_start_ms": ms(start.cached), "first_call_ms": ms(start.first_call),
            "records": records, "records_per_s": rate.round(), "calls": calls, "requests": tap.sent(),
            "most_memory_bytes": memory }));
        return Ok(Ending::Done);
    }
    let whole = |value: u64| number(i64::try_from(value).unwrap_or(i64::MAX));
    let mut rows = table(&[]);
    for (name, text) in [
        (
            "connector",
            format!("{} {}", ready.description.name, ready.description.version),
        ),
        ("size", format!("{} bytes", whole(ready.bytes.len() as u64))),
        ("cold start, compiling", format!("{} ms", ms(start.compile))),
        (
            "cold start, from the cache",
            format!("{} ms", ms(start.cached)),
        ),
        (
            "first call of an instance",
            format!("{} ms", ms(start.first_call)),
        ),
        ("records", whole(records)),
        ("records a second", whole(rate as u64)),
        ("calls of `read`", calls.to_string()),
        ("requests", tap.sent().to_string()),
        ("most memory", format!("{} bytes", whole(memory))),
    ] {
        rows.add_row([name.to_owned(), text]);
    }
    out.table(&rows);
    Ok(Ending::Done)
}

async fn reads(
    ready: &Ready,
    tap: Arc<Tap>,
    most_memory: Arc<AtomicU64>,
) -> Result<(Duration, Vec<StreamRead>), Stopped> {
    let mut connection = ready.connection.clone();
    connection.http = tap;
    let mut connector = ready.component.connect_metered(connection, most_memory);
    let description = ready.description.clone();
    let extent = Extent {
        stream: None,
        batches: usize::MAX,
        records: RECORDS,
        reads_on: false,
    };
    let done = blocking(move || {
        let begun = Instant::now();
        if !description.exports.iter().any(|one| one == "source") {
            connector.check()?;
            return Ok((begun.elapsed(), Vec::new()));
        }
        read(&mut *connector, &description, &extent).map(|read| (begun.elapsed(), read))
    });
    done.await.map_err(|failure| Stopped::from(failure.problem))
}

/// A folder that is gone when the measuring is over.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is a few megabytes in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn cold_start(environment: &Environment, bytes: &[u8]) -> Result<Start, Problem> {
    let name = format!("onefold-bench-{:016x}", (environment.random)());
    let scratch = Scratch(std::env::temp_dir().join(name));
    let (compile, _) = load(&scratch.0, bytes)?;
    let (cached, component) = load(&scratch.0, bytes)?;
    let begun = Instant::now();
    component.documents()?;
    Ok(Start {
        compile,
        cached,
        first_call: begun.elapsed(),
    })
}

/// Loads with an engine of its own, so that nothing is remembered but the cache.
fn load(cache: &Path, bytes: &[u8]) -> Result<(Duration, Component), Problem> {
    let host = Host::new(HostSettings {
        cache_folder: Some(cache.to_owned()),
        compiler: None,
        runtime: Handle::current(),
    })?;
    let begun = Instant::now();
    let component = host.load(bytes)?;
    Ok((begun.elapsed(), component))
}
