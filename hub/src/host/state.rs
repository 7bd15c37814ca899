//! What the host keeps for one instance of a guest while it runs: its limits and how much of them is used.
//! Does not know which call is running.

use crate::host::cancel::Cancel;
use crate::host::requests::Requests;
use crate::host::room::{Budget, Full, Room};
use crate::host::types::{Connection, LogLevel, LogLine};
use crate::model::without_personal;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use wasmtime::{ResourceLimiter, UpdateDeadline};

/// Longest message and longest `fields` of a log line, in bytes.
const LOG_LINE_BYTES: usize = 4 << 10;
/// A text can be as large as a guest's memory; no secret is longer than this.
pub const LONGEST_SECRET: usize = 64 << 10;
const TABLE_ELEMENTS: usize = 100_000;
const INSTANCES: usize = 64;

/// How many lines of a guest are kept for the message of a crash, how many of them are shown, and how much of each.
const LAST_LINES: usize = 40;
const SHOWN_LINES: usize = 6;
const LAST_LINE_BYTES: usize = 200;
const KEPT_LINE_BYTES: usize = 1_000;

/// A limit that stopped a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Memory,
    Cpu,
    Wall,
    Table,
    /// All guests together have what the hub allows.
    HubMemory,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "limit reached: {self:?}")
    }
}

impl std::error::Error for Limit {}

/// The data of a guest's store.
pub struct State {
    pub connection: Connection,
    pub stream: Option<String>,
    /// Set by what stops the call.
    pub hit: Option<Limit>,
    /// What became of the requests of this call.
    pub requests: Requests,
    pub wasi: Option<super::wasi::Wasi>,
    /// Learns how much memory the instance had at most.
    pub most_memory: Option<Arc<AtomicU64>>,
    memory_bytes: u64,
    pub room: Room,
    /// How long the guest waited in WASI during this call, in nanoseconds; counted where it is driven.
    pub waited_ns: Arc<AtomicU64>,
    started: Instant,
    deadline: Instant,
    /// Time of this call spent waiting for a vendor, which the guest does not pay for.
    host_time: Duration,
    log_lines: u32,
    /// What the guest wrote last in this call, to its log and its standard error.
    last_lines: VecDeque<String>,
}

impl State {
    /// Of all memories of the instance together.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    pub fn new(connection: Connection, budget: Arc<Budget>, now: Instant) -> Self {
        Self {
            room: Room::new(connection.limits.memory_bytes, budget),
            waited_ns: Arc::default(),
            deadline: now + Duration::from_millis(connection.limits.wall_ms),
            connection,
            stream: None,
            hit: None,
            requests: Requests::default(),
            wasi: None,
            most_memory: None,
            memory_bytes: 0,
            started: now,
            host_time: Duration::ZERO,
            log_lines: 0,
            last_lines: VecDeque::new(),
        }
    }

    /// Starts the counting for one call.
    pub fn begin(&mut self, stream: Option<&str>) {
        self.stream = stream.map(str::to_owned);
        self.hit = None;
        self.requests.begin();
        self.started = Instant::now();
        self.deadline = self.started + Duration::from_millis(self.connection.limits.wall_ms);
        self.host_time = Duration::ZERO;
        self.waited_ns.store(0, Ordering::Relaxed);
        self.log_lines = 0;
        self.last_lines.clear();
    }

    /// What the guest wrote last, in one line without personal data; empty when it wrote nothing. Of a panic with a trace its beginning.
    pub fn last_words(&self) -> String {
        let all = self.last_lines.len();
        let panic = self
            .last_lines
            .iter()
            .position(|line| line.contains("panic"));
        let from = panic.unwrap_or(all.saturating_sub(SHOWN_LINES));
        let lines = self.last_lines.iter().skip(from).take(SHOWN_LINES);
        // Addresses are taken out before a line is cut: half of one would no longer be recognised.
        let lines =
            lines.map(|line| cut(&without_personal(line.trim(), &[]), LAST_LINE_BYTES).to_owned());
        let text = lines.collect::<Vec<String>>().join(" | ");
        text.replace(|c: char| c.is_control(), " ")
    }

    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Until when the call may take, and where what it waits in WASI is counted.
    pub fn patience(&self) -> (Instant, Arc<AtomicU64>) {
        (self.deadline, self.waited_ns.clone())
    }

    pub fn cancel(&self) -> &Cancel {
        &self.connection.cancel
    }

    /// Waits for somebody else, which the guest does not pay for. What the hub computes for it, it pays for.
    pub fn waiting<T>(&mut self, wait: impl FnOnce(&mut Self) -> T) -> T {
        let entered = Instant::now();
        let answer = wait(self);
        self.host_time += entered.elapsed();
        answer
    }

    /// Called on every tick that finds the guest at work.
    pub fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let now = Instant::now();
        let worked = now
            .duration_since(self.started)
            .saturating_sub(self.host_time)
            .saturating_sub(Duration::from_nanos(self.waited_ns.load(Ordering::Relaxed)));
        if now >= self.deadline {
            return Err(self.stop(Limit::Wall));
        }
        if worked >= Duration::from_millis(self.connection.limits.cpu_ms) {
            return Err(self.stop(Limit::Cpu));
        }
        Ok(UpdateDeadline::Continue(1))
    }

    pub fn stop(&mut self, limit: Limit) -> wasmtime::Error {
        self.hit = Some(limit);
        wasmtime::Error::new(limit)
    }

    /// Passes a line on, until the limit of the call is reached; the last line then says so.
    pub fn log(&mut self, level: LogLevel, message: &str, fields: Option<&str>) {
        let most = self.connection.limits.log_lines;
        self.log_lines = self.log_lines.saturating_add(1);
        if self.log_lines > most {
            if self.log_lines == most + 1 {
                let text = format!(
                    "the connector logged more than {most} lines in one call; the rest is dropped \
                     (`limits.log_lines`)"
                );
                self.emit(LogLevel::Warn, text, None);
            }
            return;
        }
        let message = self.clean(message, LOG_LINE_BYTES);
        if !message.trim().is_empty() {
            if self.last_lines.len() == LAST_LINES {
                self.last_lines.pop_front();
            }
            self.last_lines
                .push_back(cut(&message, KEPT_LINE_BYTES).to_owned());
        }
        let fields = fields.map(|fields| self.clean(fields, LOG_LINE_BYTES));
        self.emit(level, message, fields);
    }

    /// At most this many bytes of a guest's text, without secrets. Secrets are taken out first: half of one would no
    /// longer be recognised.
    pub fn clean(&self, text: &str, most: usize) -> String {
        let near = cut(text, most + LONGEST_SECRET);
        cut(&self.connection.scrub.words(near), most).to_owned()
    }

    /// A reader of the log may be slow, which is not the guest's doing.
    fn emit(&mut self, level: LogLevel, message: String, fields: Option<String>) {
        let line = LogLine {
            connection: self.connection.name.clone(),
            stream: self.stream.clone(),
            level,
            message,
            fields,
        };
        self.waiting(|state| (state.connection.log)(&line));
    }
}

/// The longest prefix of at most `most` bytes that is whole characters.
pub fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl ResourceLimiter for State {
    /// All memories of an instance together; going over ends the call, so that the reason is known.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let more = desired.saturating_sub(current) as u64;
        match self.room.take(more) {
            Ok(()) => {}
            Err(Full::Hub) => return Err(self.stop(Limit::HubMemory)),
            Err(Full::Guest | Full::Waiting) => return Err(self.stop(Limit::Memory)),
        }
        self.memory_bytes += more;
        let grown = self.memory_bytes;
        if let Some(most) = &self.most_memory {
            most.fetch_max(grown, Ordering::Relaxed);
        }
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS {
            return Err(self.stop(Limit::Table));
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        INSTANCES
    }

    fn memories(&self) -> usize {
        INSTANCES
    }
}
