//! `schedule`, durations and times: how manifests express when and how long.

use crate::expression::to_timestamp;
use crate::manifest::tree::{Hinted, Item, Report};
use crate::manifest::{Loader, Schedule, zone};
use crate::model::Timestamp;
use crate::problem::codes;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::str::FromStr;
use toml::de::DeValue;

impl Loader<'_> {
    pub(super) fn schedule(&mut self, item: &Item<'_>) -> Option<Schedule> {
        let report = &mut self.report;
        let table = item.table("`schedule`", "source.schedule", report)?;
        let cron = table
            .need("cron", "`schedule`", report)
            .and_then(|item| cron(&item, report));
        let timezone = match table.get("timezone") {
            Some(item) => timezone(&item, report),
            None => Some(Tz::UTC),
        };
        if let Some(item) = table.get("overlap") {
            item.choice(&[("skip", ())], report);
        }
        let catch_up = [("latest", true), ("none", false)];
        let catch_up_latest = table
            .get("catch_up")
            .and_then(|item| item.choice(&catch_up, report))
            .unwrap_or(true);
        Some(Schedule {
            cron: cron?,
            timezone: timezone?,
            catch_up_latest,
        })
    }
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

fn read_duration(text: &str) -> Option<i64> {
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
