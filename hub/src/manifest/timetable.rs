//! When a source is read, and what happens when it cannot be: the checked form of `schedule`.

use chrono_tz::Tz;
use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub when: When,
    /// Of the fields of `cron`, and of what people are shown.
    pub timezone: Tz,
    pub overlap: Overlap,
    pub catch_up: CatchUp,
    /// How much later than its time a read may begin; less than that.
    pub jitter_ms: i64,
    /// After which a read is cancelled.
    pub time_limit_ms: Option<i64>,
    /// For how long a read that failed is retried before its next time; endlessly without it.
    pub retry_for_ms: Option<i64>,
    pub blackout: Vec<Blackout>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// Six fields, seconds first.
    Cron(String),
    /// Milliseconds, counted from 1970-01-01T00:00:00Z.
    Every(i64),
    /// When that source was read to its end.
    After(String),
}

/// What happens to a time that comes while the source is still being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    Skip,
    /// One read waits, however many times come.
    Queue,
    /// The read under way ends at its next safe point, and a new one begins.
    Cancel,
}

/// What is made up for of the times that came while nothing could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    None,
    /// One read for all of them.
    Latest,
    /// The latest ones, up to so many, one after another.
    All(usize),
}

/// Each day of `days`, from one minute of the day until before another, which is on the next day if it is not later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blackout {
    pub from: u32,
    pub to: u32,
    /// From Monday on.
    pub days: [bool; 7],
    pub timezone: Tz,
}

impl Schedule {
    /// With what holds where a manifest says nothing else.
    pub fn of(when: When) -> Self {
        Self {
            when,
            timezone: Tz::UTC,
            overlap: Overlap::Skip,
            catch_up: CatchUp::Latest,
            jitter_ms: 0,
            time_limit_ms: None,
            retry_for_ms: None,
            blackout: Vec::new(),
        }
    }
}

impl Blackout {
    /// Whether a minute of a day, from Monday on, is in it.
    pub fn holds(&self, day: usize, minute: u32) -> bool {
        let began = |day: usize| self.days[day % 7];
        match self.from < self.to {
            true => began(day) && (self.from..self.to).contains(&minute),
            false => (began(day) && minute >= self.from) || (began(day + 6) && minute < self.to),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.when {
            When::Cron(fields) => write!(out, "cron {fields} {}", self.timezone),
            When::Every(millis) => write!(out, "every {}", span(*millis)),
            When::After(source) => write!(out, "after {source}"),
        }
    }
}

/// A duration as it is written in a manifest.
pub fn span(millis: i64) -> String {
    let units = [("w", 10_080), ("d", 1_440), ("h", 60), ("m", 1)];
    let fits = |(_, minutes): &&(&str, i64)| millis % (minutes * 60_000) == 0;
    match units.iter().find(fits) {
        Some((unit, minutes)) => format!("{}{unit}", millis / (minutes * 60_000)),
        None => format!("{millis} ms"),
    }
}
