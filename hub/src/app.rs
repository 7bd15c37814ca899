//! Reads settings and does the wiring: the real clock, randomness and environment, the runtime, the log.

mod process;

use crate::cli::{self, Arguments, LogFormat, SHOWN};
use crate::clock::Clock;
use crate::flow::Meter;
use crate::host::{Cancel, CompilerJob};
use crate::model::Timestamp;
use crate::opening::Environment;
use crate::problem::plain_line;
use crate::store::Gate;
use clap::Parser;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::debug_fn;

/// Threads that drive input and output. More than the cores of a small machine, since landing computes on one of them.
const THREADS: usize = 4;

/// The whole program.
pub fn main() -> ExitCode {
    main_by(system_clock(), None)
}

/// The whole program, which takes the time from `clock`. Each step of its store passes the gate, if there is one.
pub fn main_by(clock: Clock, gate: Option<Gate>) -> ExitCode {
    if let Some(job) = CompilerJob::asked(std::env::args_os().skip(1)) {
        return job.run();
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match log_format(&arguments) {
        Ok(format) => log(format),
        Err(message) => {
            log(LogFormat::Text);
            tracing::error!("{message}");
            return ExitCode::from(2);
        }
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("the runtime cannot start: {error}");
            return ExitCode::from(2);
        }
    };
    let environment = Environment {
        gate,
        ..environment(clock)
    };
    let ending = runtime.block_on(cli::run(arguments, &environment));
    runtime.shutdown_background();
    ExitCode::from(ending as u8)
}

/// What was typed, or else what `ONEFOLD_LOG_FORMAT` says.
fn log_format(arguments: &Arguments) -> Result<LogFormat, String> {
    if let Some(format) = arguments.log_format {
        return Ok(format);
    }
    match env("ONEFOLD_LOG_FORMAT").as_deref() {
        None | Some("text") => Ok(LogFormat::Text),
        Some("json") => Ok(LogFormat::Json),
        Some(other) => Err(format!(
            "`ONEFOLD_LOG_FORMAT` is `{}`; it may be `text` or `json`",
            plain_line(other)
        )),
    }
}

/// Standard error, at the level of `ONEFOLD_LOG`; warnings when it is not set.
fn log(format: LogFormat) {
    let filter = env("ONEFOLD_LOG")
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| EnvFilter::new("warn,onefold=warn"));
    let shown = match format {
        LogFormat::Text => LevelFilter::OFF,
        LogFormat::Json => LevelFilter::INFO,
    };
    let filter = match format!("{SHOWN}={shown}").parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    if format == LogFormat::Json {
        // A panic's own words are not JSON, and may quote what was worked on.
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            tracing::error!(target: SHOWN, place, "the program has a fault, and this work ended");
        }));
        let _ = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .try_init();
        return;
    }
    let coloured =
        std::io::stderr().is_terminal() && env("NO_COLOR").is_none_or(|set| set.is_empty());
    // One event is one line, whatever a connector or a vendor wrote into it.
    let fields = debug_fn(|writer, field, value| {
        let text = plain_line(&format!("{value:?}"));
        match field.name() {
            "message" => write!(writer, "{text}"),
            name => write!(writer, "{name}={text}"),
        }
    });
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .fmt_fields(fields.delimited(" "))
        .with_ansi(coloured)
        .with_writer(std::io::stderr)
        .try_init();
}

fn environment(clock: Clock) -> Environment {
    let mut connector_folders: Vec<PathBuf> = env("ONEFOLD_CONNECTORS")
        .map(PathBuf::from)
        .into_iter()
        .collect();
    if let Some(folder) = std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.join("connectors")))
    {
        connector_folders.push(folder);
    }
    let cache_folder = env("ONEFOLD_CACHE")
        .or_else(|| Some(format!("{}/onefold", env("XDG_CACHE_HOME")?)))
        .or_else(|| Some(format!("{}/.cache/onefold", env("HOME")?)))
        .map(PathBuf::from);
    Environment {
        read_env: Arc::new(env),
        clock,
        random: Arc::new(random),
        connector_folders,
        cache_folder,
        compiler: this_program(),
        cancel: Cancel::default(),
        process: process::this(),
        meter: Meter::default(),
        gate: None,
    }
}

/// The program that runs, also when another one has taken its place on disk since.
fn this_program() -> Option<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    match running.exists() {
        true => Some(running),
        false => std::env::current_exe().ok(),
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[allow(
    clippy::disallowed_methods,
    reason = "the one place that reads the wall clock"
)]
pub fn system_clock() -> Clock {
    Clock::new(|| {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}

/// Seeded by the operating system, for each number again.
pub fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
