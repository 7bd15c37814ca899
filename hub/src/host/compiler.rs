//! Compiling in a process of its own, with limits of memory, processor time and time: what a stranger's component does to the compiler is
//! an answer, and not the end of the hub. The same program does both jobs; its arguments say which.

use crate::host::engine;
use crate::host::judge::COMPONENT_BYTES;
use crate::problem::{Problem, codes, plain_line};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use wasmtime::Engine;

/// The first argument of the compiling process; the others are its limits.
const JOB: &str = "compile-component";
/// How the compiling process ends when the component is not valid; its standard error says why.
const INVALID: u8 = 3;
/// Most memory of the compiling process, in bytes.
const MEMORY_BYTES: u64 = 2 << 30;
/// Processor time: this, and this much more for each MiB of the component.
const CPU_S: u64 = 15;
const CPU_S_PER_MIB: u64 = 6;
/// Longest compiled code, in bytes.
const CODE_BYTES: u64 = 512 << 20;
const MESSAGE_BYTES: u64 = 2_000;

/// Most that compiling one component may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Allowance {
    memory_bytes: u64,
    cpu_s: u64,
}

impl Allowance {
    fn of(component: &[u8]) -> Self {
        let mebibytes = (component.len() as u64) >> 20;
        Self {
            memory_bytes: MEMORY_BYTES,
            cpu_s: CPU_S + CPU_S_PER_MIB * mebibytes,
        }
    }

    /// Others may want the processors, too.
    fn wall(self) -> Duration {
        Duration::from_secs(self.cpu_s * 2)
    }
}

/// Compiles with the program at `program`, or in this process without one. Returns wasmtime's serialized form.
pub fn compile(
    program: Option<&Path>,
    engine: &Engine,
    component: &[u8],
) -> Result<Vec<u8>, Problem> {
    let Some(program) = program else {
        let code = engine.precompile_component(component);
        return code.map_err(|error| invalid(&error.root_cause().to_string()));
    };
    let allowance = Allowance::of(component);
    let failed = |error: std::io::Error| {
        let shown = program.display();
        Problem::new(
            &codes::ENGINE_UNAVAILABLE,
            format!("the compiler `{shown}` cannot be started: {error}"),
        )
    };
    let mut child = Command::new(program)
        .args([
            JOB.to_owned(),
            allowance.memory_bytes.to_string(),
            allowance.cpu_s.to_string(),
        ])
        // No secret of the environment, and no large reservations that would count as memory.
        .env_clear()
        .envs([
            ("MIMALLOC_ARENA_RESERVE", "65536"),
            ("MIMALLOC_ARENA_EAGER_COMMIT", "0"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let answer = exchange(&mut child, component, allowance);
    // It is over in every case: whatever still runs is ended.
    let _ = child.kill();
    let _ = child.wait();
    answer
}

fn exchange(child: &mut Child, component: &[u8], allowance: Allowance) -> Result<Vec<u8>, Problem> {
    let until = Instant::now() + allowance.wall();
    let (mut input, output) = (child.stdin.take(), child.stdout.take());
    let errors = child.stderr.take();
    let (tell, told) = mpsc::sync_channel(1);
    std::thread::scope(|threads| {
        threads.spawn(move || {
            // Who ends before it has read everything says why in another way.
            let _ = input.as_mut().map(|input| input.write_all(component));
        });
        let said = threads.spawn(move || read(errors, MESSAGE_BYTES));
        threads.spawn(move || tell.send(read(output, CODE_BYTES)));
        let code = told.recv_timeout(until.saturating_duration_since(Instant::now()));
        let status = match code {
            Ok(_) => ended(child, until),
            Err(_) => None,
        };
        // Lets the threads end: their pipes have no other end any more.
        let _ = child.kill();
        let said = said.join().unwrap_or_default();
        match (code, status) {
            (Ok(code), Some(status)) if status.success() => Ok(code),
            (Ok(_), Some(status)) if status.code() == Some(i32::from(INVALID)) => {
                Err(invalid(&String::from_utf8_lossy(&said)))
            }
            (Ok(_), Some(status)) => Err(too_much(&stopped(status, allowance))),
            (Ok(_), None)
            | (Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected), _) => {
                Err(too_much(&format!(
                    "took longer than {} s",
                    allowance.wall().as_secs()
                )))
            }
        }
    })
}

fn read(from: Option<impl Read>, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        // What was read until it broke off is judged by how the process ends.
        let _ = from.take(most).read_to_end(&mut bytes);
    }
    bytes
}

/// How the process ended, which has closed its output and so is about to end.
fn ended(child: &mut Child, until: Instant) -> Option<ExitStatus> {
    while Instant::now() < until {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    None
}

fn stopped(status: ExitStatus, allowance: Allowance) -> String {
    let Allowance {
        memory_bytes,
        cpu_s,
    } = allowance;
    let megabytes = memory_bytes >> 20;
    #[cfg(unix)]
    {
        use rustix::process::Signal;
        use std::os::unix::process::ExitStatusExt;
        match status.signal() {
            Some(signal) if signal == Signal::XCPU.as_raw() => {
                return format!("needed more than {cpu_s} s of processor time");
            }
            Some(signal) if signal == Signal::ABORT.as_raw() => {
                return format!("needed more than {megabytes} MiB of memory, or failed");
            }
            Some(signal) if signal == Signal::KILL.as_raw() => {
                return "was ended by the system, which may have no memory left".to_owned();
            }
            Some(signal) if signal == Signal::INT.as_raw() => {
                return "was interrupted".to_owned();
            }
            _ => {}
        }
    }
    format!("ended with {status}; it may use {megabytes} MiB and {cpu_s} s of processor time")
}

fn too_much(why: &str) -> Problem {
    Problem::new(
        &codes::COMPONENT_TOO_LARGE,
        format!("the component cannot be compiled: the compiler {why}"),
    )
    .hint("nothing of it was run; ask its author for a smaller one")
}

fn invalid(why: &str) -> Problem {
    let why = plain_line(why.trim());
    Problem::new(
        &codes::NOT_A_COMPONENT,
        format!("the file is not a valid component: {why}"),
    )
}

/// What the compiling process was asked, if these arguments of the program ask it.
pub struct Job(Allowance);

impl Job {
    pub fn asked(arguments: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut arguments = arguments.into_iter().map(|one| one.into_string().ok());
        let is_asked = arguments.next()?? == JOB;
        let mut number = || arguments.next()??.parse().ok();
        is_asked.then_some(())?;
        let (memory_bytes, cpu_s) = (number()?, number()?);
        Some(Self(Allowance {
            memory_bytes,
            cpu_s,
        }))
    }

    /// Compiles standard input to standard output, within the limits.
    pub fn run(self) -> ExitCode {
        restrict(self.0);
        let mut component = Vec::new();
        let code = std::io::stdin()
            .lock()
            .take(COMPONENT_BYTES as u64)
            .read_to_end(&mut component)
            .map_err(|error| error.to_string())
            .and_then(|_| {
                let engine = engine::compiling().map_err(|error| error.to_string())?;
                let code = engine.precompile_component(&component);
                code.map_err(|error| error.root_cause().to_string())
            });
        match code.map(|code| std::io::stdout().lock().write_all(&code)) {
            Ok(Ok(())) => ExitCode::SUCCESS,
            Ok(Err(_)) => ExitCode::FAILURE,
            Err(why) => {
                let _ = std::io::stderr().lock().write_all(why.as_bytes());
                ExitCode::from(INVALID)
            }
        }
    }
}

/// The compiling process limits itself before it reads a byte. Where the system knows no such limits, time is the only one.
fn restrict(allowance: Allowance) {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        // Nobody would read what it makes.
        #[cfg(target_os = "linux")]
        let _ =
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
        let Allowance {
            memory_bytes,
            cpu_s,
        } = allowance;
        let limits = [
            (Resource::Data, memory_bytes, memory_bytes),
            // The first is a signal of its own, by which the parent knows it.
            (Resource::Cpu, cpu_s, cpu_s + 5),
            (Resource::Core, 0, 0),
            (Resource::Fsize, 0, 0),
        ];
        for (resource, current, maximum) in limits {
            let limit = Rlimit {
                current: Some(current),
                maximum: Some(maximum),
            };
            // A system that knows one of them not has the others, and the time.
            let _ = setrlimit(resource, limit);
        }
    }
    #[cfg(not(unix))]
    let _ = allowance;
}
