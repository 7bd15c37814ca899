//! The most memory that the programs have which a test starts: watched while it runs, printed at its end, and held to a bound.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Most memory of a hub under any of these attacks, in MiB: 100 for itself, a guest's 256, and as much twice more, since an answer takes up
/// to twice its length while it is read.
pub const HUB_MIB: u64 = 100 + 3 * 256;
/// The same of the process that compiles: its limit, and what the limit does not count.
pub const COMPILER_MIB: u64 = 2_100;

/// Watches what the thread that made it starts, until it is dropped.
pub struct Peak {
    name: &'static str,
    is_over: Arc<AtomicBool>,
    watch: Option<JoinHandle<Seen>>,
}

/// In MiB.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    pub programs: u64,
    pub compilers: u64,
}

impl Peak {
    pub fn of(name: &'static str) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let thread = Path::new("/proc").join(std::fs::read_link("/proc/thread-self").unwrap());
        let watch = std::thread::spawn(move || {
            let mut seen = Seen::default();
            while !over.load(Ordering::Relaxed) {
                seen.look(&thread);
                std::thread::park_timeout(Duration::from_millis(2));
            }
            seen
        });
        Self {
            name,
            is_over,
            watch: Some(watch),
        }
    }

    fn end(&mut self) -> Option<Seen> {
        self.is_over.store(true, Ordering::Relaxed);
        self.watch.take()?.join().ok()
    }

    /// What was seen until now; nothing is printed.
    pub fn seen(mut self) -> Seen {
        self.end().unwrap_or_default()
    }
}

impl Drop for Peak {
    fn drop(&mut self) {
        let Some(seen) = self.end() else { return };
        let own = of_process(std::process::id());
        // Not by `eprintln`, of which only a failed test shows anything.
        let _ = writeln!(
            std::io::stderr(),
            "{}: programs {} MiB at most, compilers {} MiB; the tests' own process {own} MiB",
            self.name,
            seen.programs,
            seen.compilers
        );
        if !std::thread::panicking() {
            assert!(
                seen.programs < HUB_MIB && seen.compilers < COMPILER_MIB,
                "{seen:?}"
            );
        }
    }
}

impl Seen {
    /// At the processes that a thread started, and those that they started.
    fn look(&mut self, thread: &Path) {
        let listed = std::fs::read_to_string(thread.join("children")).unwrap_or_default();
        let own = std::fs::read("/proc/self/cmdline").ok();
        for pid in listed.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            let process = PathBuf::from(format!("/proc/{pid}"));
            let command = std::fs::read(process.join("cmdline")).unwrap_or_default();
            // Before it becomes another program, a process has this one's memory.
            if command.is_empty() || Some(&command) == own.as_ref() {
                continue;
            }
            let mib = of_process(pid);
            match command.windows(JOB.len()).any(|part| part == JOB) {
                true => self.compilers = self.compilers.max(mib),
                false => self.programs = self.programs.max(mib),
            }
            let threads = std::fs::read_dir(process.join("task"));
            for thread in threads.into_iter().flatten().flatten() {
                self.look(&thread.path());
            }
        }
    }
}

/// How a process that compiles is recognised.
const JOB: &[u8] = b"compile-component";

/// The most resident memory that a process has had, in MiB.
pub fn of_process(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next());
    kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) >> 10
}
