//! `onefold connector bench`: what a connector costs: size, cold start, records a second, memory, calls.

use crate::cli::Ending;
use crate::cli::arguments::SubjectArguments;
use crate::cli::connector::steps::Steps;
use crate::cli::connector::subject::{Ready, blocking, host, ready_in};
use crate::cli::output::{Out, Outcome, number, plural, table};
use crate::host::{Host, HostSettings};
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
    let steps = Steps::new(out);
    // It is compiled even if that was done before, because that is measured; and only once.
    let scratch = Scratch::new(environment);
    let measured = Arc::new(scratch.host(environment)?);
    let ready = ready_in(measured, hub, environment, &steps, options, |settings| {
        if let Some(practice) = &mut settings.vendor.practice {
            *practice = PracticeSettings {
                seed: practice.seed,
                contacts: Some(contacts),
                new_members: practice.new_members,
            };
        }
    })?;
    host(environment)?.adopt(&ready.host, &ready.bytes);
    let start = cold_start(&scratch, environment, &ready)?;
    let most_memory = Arc::new(AtomicU64::new(0));
    let tap = Tap::new(ready.connection.http.clone());
    let (took, read) = reads(&ready, &steps, tap.clone(), most_memory.clone()).await?;
    steps.end();
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
    steps: &Steps,
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
    let name = &ready.description.name;
    steps.begin(&format!("reading everything that {name} has"));
    let shown = steps.clone();
    let done = blocking(move || {
        let begun = Instant::now();
        if !description.exports.iter().any(|one| one == "source") {
            connector.check()?;
            return Ok((begun.elapsed(), Vec::new()));
        }
        let progress = |stream: &StreamRead| {
            let records = plural(stream.records() as i64, "record", "records");
            shown.at(format!("reading {}: {records}", stream.name));
        };
        read(&mut *connector, &description, &extent, &progress).map(|read| (begun.elapsed(), read))
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

impl Scratch {
    fn new(environment: &Environment) -> Self {
        let name = format!("onefold-bench-{:016x}", (environment.random)());
        Self(std::env::temp_dir().join(name))
    }

    /// An engine of its own, so that nothing is remembered but this folder.
    fn host(&self, environment: &Environment) -> Result<Host, Problem> {
        Host::new(HostSettings {
            cache_folder: Some(self.0.clone()),
            compiler: environment.compiler.clone(),
            runtime: Handle::current(),
        })
    }
}

fn cold_start(
    scratch: &Scratch,
    environment: &Environment,
    ready: &Ready,
) -> Result<Start, Problem> {
    let host = scratch.host(environment)?;
    let begun = Instant::now();
    let component = host.load(&ready.bytes)?;
    let cached = begun.elapsed();
    let begun = Instant::now();
    component.documents()?;
    Ok(Start {
        compile: ready.loading,
        cached,
        first_call: begun.elapsed(),
    })
}
