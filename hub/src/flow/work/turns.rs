//! What a source's schedule and its policies make of the times as they come: which are read, which are not, and why. Values in, values
//! out: a service calls it with its clock and does what it says.

#[cfg(test)]
mod properties;

use crate::flow::work::schedule::next;
use crate::manifest::{Blackout, CatchUp, Overlap, Schedule, Source, When};
use crate::model::Timestamp;
use chrono::{DateTime, Datelike, Days, TimeDelta, TimeZone, Timelike, Utc};
use std::collections::VecDeque;

/// Times that come while nobody looked for longer than this were missed, rather than being a little late.
const GAP_MS: i64 = 60_000;
/// So many missed times are counted one by one; a schedule of every second would take long for a year.
const COUNTED: i64 = 10_000;

/// A source's schedule, with what its jitter follows from.
pub struct Timing<'a> {
    hub: &'a str,
    source: &'a str,
    schedule: &'a Schedule,
}

/// A time by the schedule, and when it is due: after its jitter, and after the blackout that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    pub scheduled: Timestamp,
    pub at: Timestamp,
}

/// Times that are not read by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    pub first: Timestamp,
    pub last: Timestamp,
    pub times: i64,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Begin to read.
    Read(Due),
    /// End the read under way.
    Cancel,
    /// Store why times were not read.
    Note(Missed),
}

/// What is known of a source's times.
#[derive(Debug, Clone)]
pub struct Turns {
    /// All times up to here are decided.
    decided: Timestamp,
    /// When the times were last looked at; none after a pause, or when the hub was down.
    looked: Option<Timestamp>,
    /// A read is due because one before was not finished.
    is_owed: bool,
    /// What is read one after another.
    waiting: VecDeque<Due>,
    /// What came during the read under way.
    during: Option<Missed>,
    /// Why nobody looked.
    absence: String,
    /// The next time, if it is known.
    upcoming: Option<Due>,
}

/// The times since the last look: how many, the first, and the latest few.
struct Came {
    first: Due,
    times: i64,
    latest: VecDeque<Due>,
    /// The one before these.
    before: Option<Due>,
    /// More came than were counted.
    is_more: bool,
}

impl Came {
    fn before_newest(&self) -> Due {
        let of_latest = self.latest.iter().rev().nth(1).copied();
        of_latest.or(self.before).unwrap_or(self.first)
    }
}

impl<'a> Timing<'a> {
    /// None where the source has no schedule.
    pub fn new(hub: &'a str, source: &'a Source) -> Option<Self> {
        let schedule = source.schedule.as_ref()?;
        Some(Self::of(hub, &source.name, schedule))
    }

    pub fn of(hub: &'a str, source: &'a str, schedule: &'a Schedule) -> Self {
        Self {
            hub,
            source,
            schedule,
        }
    }

    /// The first time after `after`. `upstream`: when the source that it follows was last read to its end.
    pub fn next(&self, after: Timestamp, upstream: Option<Timestamp>) -> Option<Due> {
        let scheduled = match self.schedule.when {
            When::After(_) => upstream.filter(|end| *end > after)?,
            _ => next(self.schedule, after)?,
        };
        let late = Timestamp(scheduled.0.saturating_add(self.jitter(scheduled)));
        Some(Due {
            scheduled,
            at: self.permitted(late),
        })
    }

    /// The first one that is due after now, though its time may be over.
    pub fn upcoming(&self, now: Timestamp, upstream: Option<Timestamp>) -> Option<Due> {
        let mut after = Timestamp(now.0 - self.schedule.jitter_ms);
        loop {
            let due = self.next(after, upstream)?;
            if due.at > now {
                return Some(due);
            }
            after = due.scheduled;
        }
    }

    fn jitter(&self, scheduled: Timestamp) -> i64 {
        if self.schedule.jitter_ms == 0 {
            return 0;
        }
        let mut hasher = blake3::Hasher::new();
        for text in [self.hub, self.source] {
            hasher.update(text.as_bytes());
            hasher.update(&[0]);
        }
        hasher.update(&scheduled.0.to_le_bytes());
        let hash = hasher.finalize();
        let (first, _) = hash.as_bytes().split_at(8);
        let number = first
            .iter()
            .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        (number % self.schedule.jitter_ms.unsigned_abs()) as i64
    }

    /// The first moment from then on that is in no blackout.
    pub fn permitted(&self, mut at: Timestamp) -> Timestamp {
        // Windows may follow each other; a manifest whose windows leave no time is refused.
        for _ in 0..100 {
            let ends = self
                .schedule
                .blackout
                .iter()
                .filter_map(|one| end_of(one, at));
            match ends.max() {
                Some(end) => at = end,
                None => break,
            }
        }
        at
    }
}

/// The end of a blackout, if the moment is in it.
fn end_of(blackout: &Blackout, at: Timestamp) -> Option<Timestamp> {
    let at: DateTime<Utc> = DateTime::from_timestamp_millis(at.0)?;
    let local = at.with_timezone(&blackout.timezone).naive_local();
    let minute = local.hour() * 60 + local.minute();
    let day = local.weekday().num_days_from_monday() as usize;
    if !blackout.holds(day, minute) {
        return None;
    }
    let is_today = minute < blackout.to;
    let date = match is_today {
        true => local.date(),
        false => local.date().checked_add_days(Days::new(1))?,
    };
    let mut end = date.and_hms_opt(blackout.to / 60, blackout.to % 60, 0)?;
    // A minute that the clock skips ends with the change; of two, the first counts, unless that is over.
    for _ in 0..24 * 60 {
        let found = blackout.timezone.from_local_datetime(&end);
        let found = [found.earliest(), found.latest()].into_iter().flatten();
        let found = found
            .map(|end| end.with_timezone(&Utc))
            .find(|end| *end > at);
        if let Some(found) = found {
            return Some(Timestamp(found.timestamp_millis()));
        }
        end += TimeDelta::minutes(1);
    }
    None
}

impl Turns {
    fn new(decided: Timestamp, looked: Option<Timestamp>, is_owed: bool) -> Self {
        Self {
            decided,
            looked,
            is_owed,
            waiting: VecDeque::new(),
            during: None,
            absence: "the hub did not run".to_owned(),
            upcoming: None,
        }
    }

    /// When a hub begins: with when the last completed read began, and up to when it is known what became of each time. `stopped_at`: when
    /// the service that this one follows at once ended, with whether a read of it was cut off.
    pub fn resume(
        timing: &Timing<'_>,
        read: Option<Timestamp>,
        known: Option<Timestamp>,
        stopped: (Option<Timestamp>, bool),
        now: Timestamp,
    ) -> Self {
        let (stopped_at, is_cut_off) = stopped;
        // A source that is new was never due.
        let since = known.unwrap_or(stopped_at.unwrap_or(now));
        let looked = stopped_at.or_else(|| known.is_none().then_some(now));
        let is_unread = |read| {
            timing
                .next(read, None)
                .is_some_and(|due| due.scheduled <= since)
        };
        Self::new(since, looked, is_cut_off || read.is_some_and(is_unread))
    }

    /// When there is something to do next, as far as it is known.
    pub fn wakes(&self) -> Option<Timestamp> {
        self.upcoming.map(|due| due.at)
    }

    /// Nobody looks from now on, until the next look: what comes in between is made up for as after a time when the hub was down.
    pub fn pause(&mut self, why: String) {
        self.absence = why;
        self.looked = None;
    }

    /// A read that failed is due again.
    pub fn retry(&mut self, at: Timestamp) {
        self.waiting.push_front(Due { scheduled: at, at });
    }

    /// Decides about every time up to now.
    pub fn look(
        &mut self,
        timing: &Timing<'_>,
        now: Timestamp,
        upstream: Option<Timestamp>,
        is_reading: bool,
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        let was_away = self.looked.is_none_or(|looked| now.0 - looked.0 > GAP_MS);
        self.looked = Some(now);
        if let Some(came) = self.came(timing, now, upstream, &mut steps) {
            match (is_reading, was_away) {
                (true, _) => self.overlaps(timing, &came, &mut steps),
                (false, true) => self.catch_up(timing, &came, &mut steps),
                (false, false) => self.take_latest(&came, &mut steps),
            }
        }
        if is_reading {
            return steps;
        }
        let owed = Due {
            scheduled: self.decided,
            at: now,
        };
        let is_owed = std::mem::take(&mut self.is_owed);
        // One read makes up for what was not finished, too.
        if is_owed && self.waiting.is_empty() && timing.schedule.catch_up != CatchUp::None {
            self.waiting.push_back(owed);
        }
        if let Some(due) = self.waiting.pop_front() {
            steps.push(Step::Read(due));
        }
        steps
    }

    /// The read under way has ended, or the hub stops: what came meanwhile and is not read by itself.
    pub fn ended(&mut self) -> Option<Missed> {
        self.during.take()
    }

    /// The times up to now. Where a blackout moves several to the same moment, they are one.
    fn came(
        &mut self,
        timing: &Timing<'_>,
        now: Timestamp,
        upstream: Option<Timestamp>,
        steps: &mut Vec<Step>,
    ) -> Option<Came> {
        let keep = match timing.schedule.catch_up {
            CatchUp::All(most) => most,
            _ => 1,
        };
        let mut came: Option<Came> = None;
        let mut moved: Option<Missed> = None;
        if self
            .upcoming
            .is_none_or(|due| due.scheduled <= self.decided)
        {
            self.upcoming = timing.next(self.decided, upstream);
        }
        while let Some(due) = self.upcoming.filter(|due| due.at <= now) {
            self.decided = due.scheduled;
            self.upcoming = timing.next(self.decided, upstream);
            let is_last_of_moment = self.upcoming.is_none_or(|next| next.at != due.at);
            if !is_last_of_moment {
                let reason = || "in a blackout, at whose end one read makes up for all".to_owned();
                add(&mut moved, due, reason);
                continue;
            }
            let came = came.get_or_insert_with(|| Came {
                first: due,
                times: 0,
                latest: VecDeque::new(),
                before: None,
                is_more: false,
            });
            came.times += 1;
            came.latest.push_back(due);
            if came.latest.len() > keep {
                came.before = came.latest.pop_front();
            }
            if came.times == COUNTED && self.leap(timing, came, now, upstream) {
                came.is_more = true;
            }
        }
        steps.extend(moved.map(Step::Note));
        came
    }

    /// Goes on close to now, without counting what is in between. False where there is little in between.
    fn leap(
        &mut self,
        timing: &Timing<'_>,
        came: &Came,
        now: Timestamp,
        upstream: Option<Timestamp>,
    ) -> bool {
        let taken = self.decided.0 - came.first.scheduled.0;
        // Twice as long as as many times took on average as are kept.
        let enough =
            2 * taken / COUNTED * (came.latest.len() as i64 + 1) + timing.schedule.jitter_ms;
        let target = now.0 - enough;
        if target <= self.decided.0 {
            return false;
        }
        self.decided = Timestamp(target);
        self.upcoming = timing.next(self.decided, upstream);
        true
    }

    fn overlaps(&mut self, timing: &Timing<'_>, came: &Came, steps: &mut Vec<Step>) {
        let Some(newest) = came.latest.back().copied() else {
            return;
        };
        let (keeps, reason) = match timing.schedule.overlap {
            Overlap::Skip => (
                false,
                "the read before was still going (`overlap = \"skip\"`)",
            ),
            Overlap::Queue => (
                true,
                "the read before was still going, and one read waits for its end (`overlap = \"queue\"`)",
            ),
            Overlap::Cancel => (
                true,
                "the read before was still being cancelled (`overlap = \"cancel\"`)",
            ),
        };
        let (mut without, mut last) = (came.times, newest);
        if keeps {
            // What waited is read together with what comes now.
            for due in self.waiting.drain(..) {
                add(&mut self.during, due, || reason.to_owned());
            }
            self.waiting.push_back(newest);
            without -= 1;
            last = came.before_newest();
        }
        if without > 0 {
            add_some(&mut self.during, came.first, last, without, reason);
        }
        if timing.schedule.overlap == Overlap::Cancel {
            steps.push(Step::Cancel);
        }
    }

    fn catch_up(&mut self, timing: &Timing<'_>, came: &Came, steps: &mut Vec<Step>) {
        let done = match timing.schedule.catch_up {
            CatchUp::None => "nothing makes up for it (`catch_up = \"none\"`)".to_owned(),
            CatchUp::Latest => "one read makes up for all (`catch_up = \"latest\"`)".to_owned(),
            CatchUp::All(most) => {
                format!("of these, up to {most} are read now, one after another (`catch_up`)")
            }
        };
        let more = match came.is_more {
            true => "; more came than were counted",
            false => "",
        };
        let reason = format!("{}; {done}{more}", self.absence);
        self.absence = "the hub did not look for a while".to_owned();
        let read = match timing.schedule.catch_up {
            CatchUp::None => VecDeque::new(),
            _ => came.latest.clone(),
        };
        let last = came.latest.back().copied().unwrap_or(came.first);
        let mut missed = None;
        add_some(&mut missed, came.first, last, came.times, &reason);
        steps.extend(missed.map(Step::Note));
        self.waiting.extend(read);
    }

    /// Times that came one after another before anybody could look.
    fn take_latest(&mut self, came: &Came, steps: &mut Vec<Step>) {
        let Some(newest) = came.latest.back().copied() else {
            return;
        };
        if came.times > 1 {
            let mut missed = None;
            let reason = "another time came before the read could begin";
            let last = came.before_newest();
            add_some(&mut missed, came.first, last, came.times - 1, reason);
            steps.extend(missed.map(Step::Note));
        }
        self.waiting.push_back(newest);
    }
}

fn add(to: &mut Option<Missed>, due: Due, reason: impl Fn() -> String) {
    add_some(to, due, due, 1, &reason());
}

fn add_some(to: &mut Option<Missed>, first: Due, last: Due, times: i64, reason: &str) {
    let missed = to.get_or_insert_with(|| Missed {
        first: first.scheduled,
        last: last.scheduled,
        times: 0,
        reason: reason.to_owned(),
    });
    missed.times += times;
    missed.last = missed.last.max(last.scheduled);
}
