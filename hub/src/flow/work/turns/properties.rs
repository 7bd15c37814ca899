//! Weeks of schedules on an injected clock, across both changes of the clocks and two downtimes, against an oracle that steps through
//! the minutes and knows no schedule arithmetic. And the traps of schedulers, S10 to S12, by their numbers.

use super::{Missed, Step, Timing, Turns};
use crate::manifest::{Blackout, CatchUp, Overlap, Schedule, When};
use crate::model::Timestamp;
use chrono::{DateTime, NaiveTime, Offset, TimeZone, Utc};
use chrono_tz::{Europe::Warsaw, Tz};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

const MINUTE: i64 = 60_000;
const WEEK: i64 = 7 * 1_440;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Read,
    Missed(i64),
}

/// What happened, by minute.
type Log = Vec<(i64, Event)>;

struct Case {
    schedule: Schedule,
    /// The first minute since 1970.
    begins: i64,
    /// How long each read takes.
    takes: i64,
    /// Minutes of the week during which the hub is killed.
    downs: [(i64, i64); 2],
    /// The minutes in which it is due, by the oracle.
    dues: Rc<BTreeSet<i64>>,
}

fn dues(schedule: &Schedule, begins: i64) -> Rc<BTreeSet<i64>> {
    let minutes = begins + 1..begins + WEEK;
    Rc::new(minutes.filter(|minute| is_due(schedule, *minute)).collect())
}

fn at(text: &str) -> i64 {
    let time = DateTime::parse_from_rfc3339(text).unwrap();
    time.timestamp() / 60
}

fn ts(minute: i64) -> Timestamp {
    Timestamp(minute * MINUTE)
}

impl Case {
    fn is_down(&self, minute: i64) -> bool {
        let minute = minute - self.begins;
        self.downs
            .iter()
            .any(|(from, to)| (*from..*to).contains(&minute))
    }

    /// What the hub does, minute by minute.
    fn played(&self) -> Log {
        let timing = Timing::of("hub", "crm", &self.schedule);
        let mut log = Log::new();
        let (mut read, mut known): (Option<Timestamp>, Option<Timestamp>) = (None, None);
        let mut turns: Option<Turns> = None;
        // When the read under way began and ends.
        let mut reading: Option<(i64, i64)> = None;
        for minute in self.begins..self.begins + WEEK {
            if self.is_down(minute) {
                (turns, reading) = (None, None);
                continue;
            }
            let turns = turns.get_or_insert_with(|| {
                Turns::resume(&timing, read, known, (None, false), ts(minute))
            });
            let mut note = |missed: Missed, known: &mut Option<Timestamp>| {
                log.push((minute, Event::Missed(missed.times)));
                *known = (*known).max(Some(missed.last));
            };
            if let Some((began, _)) = reading.filter(|(_, ends)| *ends <= minute) {
                // One that was cancelled did not come to its end.
                if minute - began >= self.takes {
                    read = Some(ts(began));
                }
                reading = None;
                if let Some(missed) = turns.ended() {
                    note(missed, &mut known);
                }
            }
            for step in turns.look(&timing, ts(minute), None, reading.is_some()) {
                match step {
                    Step::Note(missed) => note(missed, &mut known),
                    Step::Cancel => reading = reading.map(|(began, _)| (began, minute + 1)),
                    Step::Read(_) => {
                        reading = Some((minute, minute + self.takes));
                        known = known.max(Some(ts(minute)));
                    }
                }
            }
            if let Some((began, _)) = reading.filter(|(began, _)| *began == minute) {
                log.push((began, Event::Read));
            }
        }
        log
    }

    /// What should happen: lists of minutes, and nothing else.
    fn expected(&self) -> Log {
        let dues = &*self.dues;
        let mut log = Log::new();
        let (mut done, mut known) = (None, None);
        let mut reading: Option<(i64, i64)> = None;
        let mut waiting: VecDeque<i64> = VecDeque::new();
        let (mut skipped, mut was_down): (Vec<i64>, bool) = (Vec::new(), false);
        for minute in self.begins..self.begins + WEEK {
            if self.is_down(minute) {
                (reading, was_down) = (None, true);
                waiting.clear();
                skipped.clear();
                continue;
            }
            if let Some((began, _)) = reading.filter(|(_, ends)| *ends <= minute) {
                if minute - began >= self.takes {
                    done = Some(began);
                }
                reading = None;
                if let Some(last) = skipped.last() {
                    log.push((minute, Event::Missed(skipped.len() as i64)));
                    known = known.max(Some(*last));
                    skipped.clear();
                }
            }
            let mut is_owed = false;
            if std::mem::take(&mut was_down)
                && let Some(since) = known
            {
                let missed = dues.iter().filter(|due| since < **due && **due <= minute);
                let missed: Vec<i64> = missed.copied().collect();
                is_owed =
                    done.is_some_and(|done| dues.iter().any(|due| done < *due && *due <= since));
                let most = match self.schedule.catch_up {
                    CatchUp::None => 0,
                    CatchUp::Latest => 1,
                    CatchUp::All(most) => most,
                };
                is_owed &= most > 0;
                waiting = missed.iter().rev().take(most).rev().copied().collect();
                if let Some(last) = missed.last() {
                    log.push((minute, Event::Missed(missed.len() as i64)));
                    known = Some(*last);
                }
            } else if dues.contains(&minute) {
                match (reading, self.schedule.overlap) {
                    (None, _) => waiting.push_back(minute),
                    (Some(_), Overlap::Skip) => skipped.push(minute),
                    (Some((began, _)), overlap) => {
                        skipped.extend(waiting.drain(..));
                        waiting.push_back(minute);
                        if overlap == Overlap::Cancel {
                            reading = Some((began, minute + 1));
                        }
                    }
                }
            }
            let is_next = !waiting.is_empty() || is_owed;
            if reading.is_none() && is_next {
                waiting.pop_front();
                reading = Some((minute, minute + self.takes));
                known = known.max(Some(minute));
                log.push((minute, Event::Read));
            }
        }
        log
    }
}

/// Whether a schedule is due in a minute, by what the clock on the wall shows then.
fn is_due(schedule: &Schedule, minute: i64) -> bool {
    let fixed: &[&str] = match &schedule.when {
        When::Every(millis) => return minute * MINUTE % millis == 0,
        When::Cron(fields) => match fields.as_str() {
            "0 30 2 * * *" => &["02:30"],
            "0 0 7,9 * * *" => &["07:00", "09:00"],
            other => panic!("{other}"),
        },
        When::After(_) => return false,
    };
    let zone = schedule.timezone;
    let offset = |minute: i64| {
        let utc: DateTime<Utc> = DateTime::from_timestamp(minute * 60, 0).unwrap();
        let fix = zone.offset_from_utc_datetime(&utc.naive_utc()).fix();
        i64::from(fix.local_minus_utc() / 60)
    };
    // What the wall shows, and whether it has shown that within the last two hours.
    let shown = |minute: i64| minute + offset(minute);
    let is_repeated = (minute - 120..minute).any(|before| shown(before) == shown(minute));
    let is_at = |local: i64| {
        let times = fixed
            .iter()
            .map(|text| NaiveTime::parse_from_str(text, "%H:%M").unwrap());
        let mut of_day = times.map(|time| (time - NaiveTime::MIN).num_minutes());
        of_day.any(|time| local.rem_euclid(1_440) == time)
    };
    // What the wall skips in this minute counts at its end.
    let skipped = shown(minute - 1) + 1..shown(minute);
    (!is_repeated && is_at(shown(minute))) || skipped.clone().any(is_at)
}

fn schedule(when: When, zone: Tz, overlap: Overlap, catch_up: CatchUp) -> Schedule {
    Schedule {
        timezone: zone,
        overlap,
        catch_up,
        ..Schedule::of(when)
    }
}

fn daily(fields: &str) -> When {
    When::Cron(fields.to_owned())
}

#[test]
fn a_week_of_schedules_equals_the_oracle_for_every_policy() {
    let weeks = [at("2026-03-26T00:00:00Z"), at("2026-10-22T00:00:00Z")];
    let whens = [
        daily("0 30 2 * * *"),
        daily("0 0 7,9 * * *"),
        When::Every(15 * MINUTE),
        When::Every(60 * MINUTE),
    ];
    let overlaps = [Overlap::Skip, Overlap::Queue, Overlap::Cancel];
    let catch_ups = [
        CatchUp::None,
        CatchUp::Latest,
        CatchUp::All(3),
        CatchUp::All(1_000),
    ];
    // The clocks change in minute 4,380 of either week: while the hub is down, and while it runs.
    let downs = [
        [(1_000, 1_500), (4_300, 4_500)],
        [(100, 105), (4_321, 7_000)],
        [(2_000, 2_001), (6_000, 6_900)],
    ];
    let mut kinds = [0; 2];
    for begins in weeks {
        for when in &whens {
            let dues = dues(
                &schedule(when.clone(), Warsaw, Overlap::Skip, CatchUp::None),
                begins,
            );
            for (overlap, catch_up) in overlaps
                .iter()
                .flat_map(|one| catch_ups.map(|two| (*one, two)))
            {
                for (takes, downs) in [5, 40, 200]
                    .iter()
                    .flat_map(|one| downs.map(|two| (*one, two)))
                {
                    let schedule = schedule(when.clone(), Warsaw, overlap, catch_up);
                    let case = Case {
                        schedule,
                        begins,
                        takes,
                        downs,
                        dues: dues.clone(),
                    };
                    let (played, expected) = (case.played(), case.expected());
                    let differs = played.iter().zip(&expected).position(|(a, b)| a != b);
                    assert_eq!(
                        played, expected,
                        "{:?} takes {takes}, down {downs:?}, from {begins}: first at {differs:?}",
                        case.schedule
                    );
                    for (_, event) in played {
                        kinds[usize::from(event == Event::Read)] += 1;
                    }
                }
            }
        }
    }
    assert!(kinds.iter().all(|count| *count > 1_000), "{kinds:?}");
}

/// The times at which reads begin when nothing is in the way.
fn reads(schedule: &Schedule, from: &str, to: &str) -> Vec<String> {
    let case = |begins| Case {
        schedule: schedule.clone(),
        begins,
        takes: 1,
        downs: [(WEEK, WEEK); 2],
        dues: Rc::default(),
    };
    let played = case(at(from)).played().into_iter();
    let reads = played.filter(|(minute, event)| *event == Event::Read && *minute <= at(to));
    let shown = reads.map(|(minute, _)| {
        let utc: DateTime<Utc> = DateTime::from_timestamp(minute * 60, 0).unwrap();
        utc.with_timezone(&schedule.timezone)
            .format("%d %H:%M%:z")
            .to_string()
    });
    shown.collect()
}

#[test]
fn s10_fixed_times_come_once_a_day_where_the_clocks_change() {
    let at_half_past_two = Schedule {
        timezone: Warsaw,
        ..Schedule::of(daily("0 30 2 * * *"))
    };
    assert_eq!(
        reads(
            &at_half_past_two,
            "2026-03-28T00:00:00Z",
            "2026-03-31T00:00:00Z"
        ),
        ["28 02:30+01:00", "29 03:00+02:00", "30 02:30+02:00"]
    );
    assert_eq!(
        reads(
            &at_half_past_two,
            "2026-10-24T00:00:00Z",
            "2026-10-26T20:00:00Z"
        ),
        ["24 02:30+02:00", "25 02:30+02:00", "26 02:30+01:00"]
    );
    for hours in ["7,9", "7-9/2", "7/12,9"] {
        let mornings = Schedule {
            timezone: Warsaw,
            ..Schedule::of(daily(&format!("0 0 {hours} * * *")))
        };
        let (from, to) = ("2026-03-29T00:00:00Z", "2026-03-29T12:00:00Z");
        assert_eq!(
            reads(&mornings, from, to),
            ["29 07:00+02:00", "29 09:00+02:00"],
            "{hours}"
        );
    }
}

#[test]
fn s11_after_hundreds_of_missed_times_one_record_and_the_next_time() {
    let every_minute = Schedule::of(daily("0 * * * * *"));
    let timing = Timing::of("hub", "crm", &every_minute);
    let mut turns = Turns::resume(&timing, None, None, (None, false), ts(0));
    assert_eq!(turns.look(&timing, ts(0), None, false), []);
    turns.pause("the source was paused".to_owned());
    let steps = turns.look(&timing, ts(50_000), None, false);
    let [Step::Note(missed), Step::Read(_)] = &steps[..] else {
        panic!("{steps:?}");
    };
    // They are counted up to a bound, and that is said.
    assert!(missed.times >= 10_000, "{missed:?}");
    assert!(
        missed.reason.contains("more came than were counted"),
        "{missed:?}"
    );
    assert_eq!((missed.first, missed.last), (ts(1), ts(50_000)));
    turns.pause("the source was paused".to_owned());
    let steps = turns.look(&timing, ts(50_200), None, false);
    let [Step::Note(missed), Step::Read(_)] = &steps[..] else {
        panic!("{steps:?}");
    };
    assert_eq!(missed.times, 200);
    assert_eq!(
        missed.reason,
        "the source was paused; one read makes up for all (`catch_up = \"latest\"`)"
    );
    let steps = turns.look(&timing, ts(50_201), None, false);
    assert!(
        matches!(steps[..], [Step::Read(due)] if due.at == ts(50_201)),
        "{steps:?}"
    );
}

#[test]
fn s12_a_read_whose_process_died_is_due_again_at_once() {
    let hourly = Schedule::of(When::Every(60 * MINUTE));
    let timing = Timing::of("hub", "crm", &hourly);
    // Read to its end at one o'clock; the process died during the read of two o'clock.
    let died = |now| Turns::resume(&timing, Some(ts(60)), Some(ts(120)), (None, false), now);
    let steps = died(ts(130)).look(&timing, ts(130), None, false);
    assert!(matches!(steps[..], [Step::Read(_)]), "{steps:?}");
    // It was done: the next one is due at three.
    let mut turns = Turns::resume(
        &timing,
        Some(ts(120)),
        Some(ts(120)),
        (None, false),
        ts(130),
    );
    assert_eq!(turns.look(&timing, ts(130), None, false), []);
    assert_eq!(turns.wakes(), Some(ts(180)));
}

#[test]
fn a_blackout_moves_what_is_due_to_its_end_as_one_read_and_says_so() {
    let quiet = |from, to, days| Blackout {
        from,
        to,
        days,
        timezone: Warsaw,
    };
    let weekdays = [true, true, true, true, true, false, false];
    let hourly = Schedule {
        blackout: vec![
            quiet(8 * 60, 18 * 60, weekdays),
            quiet(22 * 60, 60, [true; 7]),
        ],
        ..Schedule::of(When::Every(60 * MINUTE))
    };
    let timing = Timing::of("hub", "crm", &hourly);
    // Friday, 2026-03-27, 07:30 in Warsaw.
    let begins = at("2026-03-27T06:30:00Z");
    let mut turns = Turns::resume(&timing, None, None, (None, false), ts(begins));
    let mut seen = Vec::new();
    for minute in begins..begins + 2 * 1_440 {
        for step in turns.look(&timing, ts(minute), None, false) {
            match step {
                Step::Read(_) => seen.push((minute, 0)),
                Step::Note(missed) => seen.push((minute, missed.times)),
                Step::Cancel => {}
            }
        }
    }
    let end = at("2026-03-27T17:00:00Z");
    assert_eq!(&seen[..3], [(end, 10), (end, 0), (end + 60, 0)]);
    let night = at("2026-03-28T00:00:00Z");
    assert!(
        seen.contains(&(night, 3)) && seen.contains(&(night, 0)),
        "{seen:?}"
    );
    // A Saturday is read through the day.
    assert!(seen.contains(&(at("2026-03-28T09:00:00Z"), 0)));
}

#[test]
fn jitter_follows_from_the_hub_the_source_and_the_time() {
    let jittered = Schedule {
        jitter_ms: 5 * MINUTE,
        ..Schedule::of(When::Every(15 * MINUTE))
    };
    let times = |hub, source| {
        let timing = Timing::of(hub, source, &jittered);
        let of = |quarter: i64| timing.next(ts(15 * quarter), None).unwrap();
        (0..50).map(of).collect::<Vec<_>>()
    };
    assert_eq!(times("hub", "crm"), times("hub", "crm"));
    assert_ne!(times("hub", "crm"), times("hub", "shop"));
    assert_ne!(times("hub", "crm"), times("other", "crm"));
    let late: Vec<i64> = times("hub", "crm")
        .iter()
        .map(|due| due.at.0 - due.scheduled.0)
        .collect();
    assert!(
        late.iter().all(|late| (0..5 * MINUTE).contains(late)),
        "{late:?}"
    );
    let distinct: BTreeSet<_> = late.iter().collect();
    assert!(distinct.len() > 40, "{distinct:?}");
}

#[test]
fn a_source_after_another_is_read_once_for_each_end_of_that_one() {
    let after = Schedule::of(When::After("crm".to_owned()));
    let timing = Timing::of("hub", "shop", &after);
    let mut turns = Turns::resume(&timing, None, None, (None, false), ts(0));
    let mut look = |minute, upstream: Option<i64>| {
        let steps = turns.look(&timing, ts(minute), upstream.map(ts), false);
        steps
            .iter()
            .filter(|step| matches!(step, Step::Read(_)))
            .count()
    };
    assert_eq!(look(1, None), 0);
    assert_eq!(
        [
            look(2, Some(2)),
            look(3, Some(2)),
            look(4, Some(4)),
            look(5, Some(4))
        ],
        [1, 0, 1, 0]
    );
}
