//! Traits over other traits: expressions, ranges, prefixes, ages and stages. Looks at no event; the caller evaluates the
//! condition of a stage.

use crate::compute::value::{Size, spelled};
use crate::compute::{Answer, FaultKind, Judge, earliest};
use crate::expression::Expression;
use crate::manifest::Stage;
use crate::model::{Fields, Timestamp, Value};
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime};

/// An expression that fails where a trait that it reads is absent has no value, which is not a fault. Neither has one that
/// returns null or a blank text.
pub(super) fn derive(expression: &Expression, multiplied: &[String], known: &Fields) -> Answer {
    if multiplied
        .iter()
        .any(|name| known.get(name).is_some_and(Value::is_string))
    {
        return Answer::fault(FaultKind::NotANumber);
    }
    let names = expression.reads().iter().map(|path| top(path));
    let mut absent = false;
    let mut record = serde_json::Map::new();
    for name in names {
        match known.get(name) {
            Some(value) => {
                record.insert(name.to_owned(), value.clone());
            }
            None => absent = true,
        }
    }
    match expression.eval(&Value::Object(record), None) {
        Ok(Some(Value::Null) | None) => Answer::default(),
        Ok(Some(Value::String(text))) if text.trim().is_empty() => Answer::default(),
        Ok(Some(value)) => Answer::of(spelled(value)),
        Err(_) if absent => Answer::default(),
        Err(_) => Answer::fault(FaultKind::Failed),
    }
}

/// The trait of a dotted path.
fn top(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

pub(super) fn bin(value: Option<&Value>, edges: &[f64], labels: &[String]) -> Answer {
    match value {
        None => Answer::default(),
        Some(Value::Number(number)) => {
            let size = Size::read(number);
            let range = edges.partition_point(|edge| Size::from_real(*edge) <= size);
            let label = labels.get(range).cloned().map(Value::String);
            label.map_or_else(Answer::default, Answer::of)
        }
        Some(_) => Answer::fault(FaultKind::NotANumber),
    }
}

/// A number has lost its leading zeros, so it is not used as a text.
pub(super) fn prefix(value: Option<&Value>, length: usize) -> Answer {
    match value {
        None => Answer::default(),
        Some(Value::String(text)) if text.trim().is_empty() => Answer::default(),
        Some(Value::String(text)) => {
            Answer::of(text.chars().take(length).collect::<String>().into())
        }
        Some(_) => Answer::fault(FaultKind::NotAText),
    }
}

/// Whole years in UTC. Who was born on 29 February is a year older on 1 March in a year without that day.
pub(super) fn age(value: Option<&Value>, now: Timestamp) -> Answer {
    let Some(value) = value else {
        return Answer::default();
    };
    let Some(born) = value.as_str().and_then(read_date) else {
        return Answer::fault(FaultKind::NotADate);
    };
    let Some(today) = DateTime::from_timestamp_millis(now.0).map(|now| now.date_naive()) else {
        return Answer::default();
    };
    let passed = today.year() - born.year();
    let is_to_come = birthday(born, passed).is_none_or(|day| day > today);
    let years = if is_to_come { passed - 1 } else { passed };
    if years < 0 {
        return Answer {
            changes_at: Some(midnight(born)),
            ..Answer::fault(FaultKind::InTheFuture)
        };
    }
    Answer {
        changes_at: birthday(born, years + 1).map(midnight),
        ..Answer::of(years.into())
    }
}

fn birthday(born: NaiveDate, years: i32) -> Option<NaiveDate> {
    let year = born.year() + years;
    NaiveDate::from_ymd_opt(year, born.month(), born.day())
        .or_else(|| NaiveDate::from_ymd_opt(year, 3, 1))
}

fn midnight(day: NaiveDate) -> Timestamp {
    Timestamp(day.and_time(NaiveTime::MIN).and_utc().timestamp_millis())
}

/// `YYYY-MM-DD`, alone or before `T` and a time. Nothing else: a year or a number could be read as a date, and wrongly.
fn read_date(text: &str) -> Option<NaiveDate> {
    let (day, rest) = text.trim().split_at_checked(10)?;
    let plain = day.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let whole = rest.is_empty() || rest.starts_with('T');
    NaiveDate::parse_from_str(day, "%Y-%m-%d")
        .ok()
        .filter(|_| plain && whole)
}

/// The name of the first stage that holds. A later stage cannot change that; an earlier one, or this one, can.
pub(super) fn stage(stages: &[Stage], known: &Fields, judge: &Judge<'_>) -> Answer {
    let mut changes_at = None;
    for stage in stages {
        let (holds, flips_at) = match &stage.who {
            Some(who) => judge(who, known),
            None => (true, None),
        };
        changes_at = earliest(changes_at, flips_at);
        if holds {
            return Answer {
                changes_at,
                ..Answer::of(stage.name.clone().into())
            };
        }
    }
    Answer {
        changes_at,
        ..Answer::default()
    }
}
