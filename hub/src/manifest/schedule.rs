//! `schedule`, durations and times: how manifests express when and how long.

use crate::expression::to_timestamp;
use crate::manifest::tree::{Hinted, Item, Report, Table};
use crate::manifest::{Blackout, CatchUp, Loader, Overlap, Schedule, When, zone};
use crate::model::Timestamp;
use crate::problem::codes;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::str::FromStr;
use toml::de::DeValue;

const FORMS: &str = "write `cron = \"0 */15 * * * *\"`, `every = \"15m\"` or `after = \"crm\"`; a source without a `schedule` is read by `onefold run` only";

impl Loader<'_> {
    pub(super) fn schedule(&mut self, item: &Item<'_>, source: &str) -> Option<Schedule> {
        let table = item.table("`schedule`", "source.schedule", &mut self.report)?;
        let when = self.when(&table, source);
        let report = &mut self.report;
        let timezone = match table.get("timezone") {
            Some(item) => timezone(&item, report),
            None => Some(Tz::UTC),
        };
        let overlap = [
            ("skip", Overlap::Skip),
            ("queue", Overlap::Queue),
            ("cancel", Overlap::Cancel),
        ];
        let overlap = table
            .get("overlap")
            .and_then(|item| item.choice(&overlap, report))
            .unwrap_or(Overlap::Skip);
        let catch_up = match table.get("catch_up") {
            Some(item) => catch_up(&item, report),
            None => Some(CatchUp::Latest),
        };
        let jitter = table.get("jitter");
        let jitter_ms = jitter.as_ref().and_then(|item| duration(item, report));
        if let (Some(item), Some(jitter), Some(When::Every(every))) = (jitter, jitter_ms, &when)
            && jitter >= *every
        {
            let message = "`jitter` must be shorter than `every`: reads would pass each other";
            report.error(&codes::BAD_SCHEDULE, &item.spot(), message);
        }
        let time_limit = table.get("time_limit");
        let time_limit_ms = time_limit.and_then(|item| duration(&item, report));
        let retry_for = table.get("retry_for");
        let retry_for_ms = retry_for.and_then(|item| duration(&item, report));
        let blackout = match table.get("blackout") {
            Some(item) => blackout(&item, timezone.unwrap_or(Tz::UTC), report),
            None => Some(Vec::new()),
        };
        Some(Schedule {
            when: when?,
            timezone: timezone?,
            overlap,
            catch_up: catch_up?,
            jitter_ms: jitter_ms.unwrap_or_default(),
            time_limit_ms,
            retry_for_ms,
            blackout: blackout?,
        })
    }

    fn when(&mut self, table: &Table<'_>, source: &str) -> Option<When> {
        let report = &mut self.report;
        let named: Vec<Item<'_>> = ["cron", "every", "after"]
            .iter()
            .filter_map(|key| table.get(key))
            .collect();
        let [item] = &named[..] else {
            let (spot, message) = match named.get(1) {
                None => (table.spot(), "`schedule` does not say when".to_owned()),
                Some(second) => (
                    second.key_spot(),
                    format!("`schedule` has `{}` and `{}`", named[0].key, second.key),
                ),
            };
            let problem = report.error(&codes::BAD_SCHEDULE, &spot, message);
            problem.with_hint(Some(FORMS.to_owned()));
            return None;
        };
        match item.key {
            "cron" => cron(item, report).map(When::Cron),
            "every" => duration(item, report).map(When::Every),
            _ => {
                let after = item.text(report)?;
                if after == source {
                    let message = "a source cannot be read after itself";
                    let problem = report.error(&codes::BAD_SCHEDULE, &item.spot(), message);
                    problem.with_hint(Some("name another source, or write `every`".to_owned()));
                    return None;
                }
                let owner = source.to_owned();
                let spot = item.spot();
                self.mentions.after.push((owner, after.to_owned(), spot));
                Some(When::After(after.to_owned()))
            }
        }
    }
}

/// `"latest"`, `"none"` or `{ all = 10 }`
fn catch_up(item: &Item<'_>, report: &mut Report) -> Option<CatchUp> {
    if item.as_table().is_some() {
        let table = item.table("`catch_up`", "source.schedule.catch_up", report)?;
        let most = table.need("all", "`catch_up`", report)?;
        let most = most.integer(1..=1_000, report)?;
        return usize::try_from(most).ok().map(CatchUp::All);
    }
    if item.raw().as_str() == Some("all") {
        let message = "`catch_up = \"all\"` has no bound";
        report
            .error(&codes::BAD_SCHEDULE, &item.spot(), message)
            .with_hint(Some(
                "write `catch_up = { all = 10 }`: the latest ten are read, one after another"
                    .to_owned(),
            ));
        return None;
    }
    let choices = [("latest", CatchUp::Latest), ("none", CatchUp::None)];
    item.choice(&choices, report)
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn blackout(item: &Item<'_>, zone: Tz, report: &mut Report) -> Option<Vec<Blackout>> {
    // All of them are read before one that is wrong ends it.
    let windows: Vec<Option<Blackout>> = item
        .tables(report)
        .iter()
        .map(|item| window(item, zone, report))
        .collect();
    let windows: Vec<Blackout> = windows.into_iter().collect::<Option<_>>()?;
    let is_open = |minute: u32| {
        let (day, minute) = (minute as usize / 1_440, minute % 1_440);
        !windows.iter().any(|one| one.holds(day, minute))
    };
    if !windows.is_empty() && !(0..7 * 1_440).any(is_open) {
        let message = "`blackout` leaves no time at all";
        report.error(&codes::BAD_SCHEDULE, &item.spot(), message);
        return None;
    }
    Some(windows)
}

fn window(item: &Item<'_>, zone: Tz, report: &mut Report) -> Option<Blackout> {
    let table = item.table("`blackout`", "source.schedule.blackout", report)?;
    let from = table.need("from", "`blackout`", report);
    let from = from.and_then(|item| minute(&item, report));
    let to = table.need("to", "`blackout`", report);
    let to = to.and_then(|item| minute(&item, report));
    let timezone = match table.get("timezone") {
        Some(item) => timezone(&item, report),
        None => Some(zone),
    };
    let mut days = [true; 7];
    if let Some(item) = table.get("days") {
        days = [false; 7];
        for (item, text) in item.texts(report) {
            match DAYS.iter().position(|day| *day == text) {
                Some(day) => days[day] = true,
                None => {
                    let message = format!("`{text}` is not a day");
                    report
                        .error(&codes::BAD_SCHEDULE, &item.spot(), message)
                        .with_hint(Some(format!("days are `{}`", DAYS.join("`, `"))));
                }
            }
        }
    }
    Some(Blackout {
        from: from?,
        to: to?,
        days,
        timezone: timezone?,
    })
}

/// `08:30`, in minutes of the day.
fn minute(item: &Item<'_>, report: &mut Report) -> Option<u32> {
    let read = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let is_number =
            |part: &str| part.len() == 2 && part.bytes().all(|one| one.is_ascii_digit());
        if !is_number(hour) || !is_number(minute) {
            return None;
        }
        let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let text = item.text(report)?;
    let found = read(text);
    if found.is_none() {
        let message = format!("`{text}` is not a time of the day");
        report
            .error(&codes::BAD_SCHEDULE, &item.spot(), message)
            .with_hint(Some(
                "write hours and minutes, such as `08:30`; midnight is `00:00`".to_owned(),
            ));
    }
    found
}

const FIELDS: &str = "fields are second, minute, hour, day of the month, month, day of the week";

fn cron(item: &Item<'_>, report: &mut Report) -> Option<String> {
    let text = item.text(report)?;
    let fields = text.split_whitespace().count();
    let (message, hint) = if fields == 6 {
        match cron::Schedule::from_str(text) {
            Ok(read) if read.after(&DateTime::<Utc>::UNIX_EPOCH).next().is_some() => {
                return Some(text.to_owned());
            }
            Ok(_) => (
                format!("`{text}` never comes: no such month has such a day"),
                FIELDS.to_owned(),
            ),
            Err(_) => (
                format!("`{text}` is not a valid cron expression"),
                FIELDS.to_owned(),
            ),
        }
    } else {
        let hint = match fields {
            5 => format!("seconds come first: did you mean `0 {text}`?"),
            _ => FIELDS.to_owned(),
        };
        (
            format!("a cron schedule has six fields, not {fields}"),
            hint,
        )
    };
    report
        .error(&codes::BAD_SCHEDULE, &item.spot(), message)
        .with_hint(Some(hint));
    None
}

fn timezone(item: &Item<'_>, report: &mut Report) -> Option<Tz> {
    let text = item.text(report)?;
    let found = Tz::from_str(text).ok();
    if found.is_none() {
        let message = format!("there is no time zone `{text}`");
        report
            .error(&codes::BAD_SCHEDULE, &item.spot(), message)
            .with_hint(Some(zone::hint(text)));
    }
    found
}

/// `90m`, `12h`, `30d`, `2w`, in milliseconds.
pub(super) fn duration(item: &Item<'_>, report: &mut Report) -> Option<i64> {
    if let Some(number) = item.as_number() {
        let message = format!("`{}` is a duration and `{number}` has no unit", item.key);
        let hint = format!(
            "write `\"{number}d\"` for days; the units are `m`, `h`, `d` and `w`, and the number is a whole one"
        );
        report
            .error(&codes::BAD_DURATION, &item.spot(), message)
            .with_hint(Some(hint));
        return None;
    }
    let text = item.text(report)?;
    let millis = read_duration(text);
    if millis.is_none() {
        report
            .error(
                &codes::BAD_DURATION,
                &item.spot(),
                format!("`{text}` is not a valid duration"),
            )
            .with_hint(Some(
                "write a whole number and `m`, `h`, `d` or `w`, such as `30d`".to_owned(),
            ));
    }
    millis
}

/// The same of a text: none where it is not a duration.
pub fn read_duration(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let minutes = match unit {
        "m" => 1,
        "h" => 60,
        "d" => 24 * 60,
        "w" => 7 * 24 * 60,
        _ => return None,
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = number
        .parse()
        .ok()
        .filter(|number| (1..=1_000_000).contains(number))?;
    number.checked_mul(minutes * 60_000)
}

/// A TOML date or date and time, or the same as text. Without an offset it is UTC.
pub(super) fn time(item: &Item<'_>, report: &mut Report) -> Option<Timestamp> {
    let text = match item.raw() {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(time) if time.date.is_some() => time.to_string(),
        _ => {
            item.wrong("a date or a date and time", report);
            return None;
        }
    };
    let numeric = text.parse::<f64>().is_ok();
    match to_timestamp(&text.as_str().into()) {
        Ok(time) if !numeric => Some(time),
        _ => {
            report
                .error(
                    &codes::BAD_DURATION,
                    &item.spot(),
                    format!("`{text}` is neither a date nor a time"),
                )
                .with_hint(Some(
                    "write `2026-01-31` or `2026-01-31T09:00:00Z`".to_owned(),
                ));
            None
        }
    }
}
