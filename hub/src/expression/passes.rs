//! Tests of one value. What counts as equal, as a time and as a number is decided here and repeated in `sql`.

use crate::expression::condition::{Comparison, Test};
use crate::model::{Timestamp, Value};
use chrono::NaiveDate;
use std::cmp::Ordering;

/// A list or an object equals nothing; a number is never a text. A test against a person's trait is passed by nothing.
pub fn passes(value: Option<&Value>, test: &Test) -> bool {
    passes_for(value, test, &|_| None)
}

/// The same where the person's traits are known.
pub fn passes_for<'a>(
    value: Option<&Value>,
    test: &Test,
    traits: &dyn Fn(&str) -> Option<&'a Value>,
) -> bool {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return *test == Test::Exists(false);
    };
    match test {
        Test::Is(wanted) => equal(value, wanted),
        Test::In(wanted) => wanted.iter().any(|wanted| equal(value, wanted)),
        Test::Contains(part) => match value {
            Value::String(text) => text.contains(part.as_str()),
            Value::Array(items) => items.iter().any(|item| item.as_str() == Some(part)),
            _ => false,
        },
        Test::Matches(pattern) => value.as_str().is_some_and(|text| pattern.is_in(text)),
        Test::Exists(wanted) => *wanted,
        Test::Before(time) => compare_time(value, *time) == Some(Ordering::Less),
        Test::After(time) => compare_time(value, *time) == Some(Ordering::Greater),
        Test::Compare(comparison, bound) => number(value)
            .and_then(|number| compare(number, Number::Real(*bound)))
            .is_some_and(|order| holds(*comparison, order)),
        Test::IsTrait(name) => traits(name).is_some_and(|wanted| equal(value, wanted)),
        Test::CompareTrait(comparison, name) => number(value)
            .zip(traits(name).and_then(number))
            .and_then(|(value, bound)| compare(value, bound))
            .is_some_and(|order| holds(*comparison, order)),
    }
}

fn holds(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::AtLeast => order.is_ge(),
        Comparison::AtMost => order.is_le(),
        Comparison::Above => order.is_gt(),
        Comparison::Below => order.is_lt(),
    }
}

fn equal(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::String(value), Value::String(wanted)) => value == wanted,
        (Value::Bool(value), Value::Bool(wanted)) => value == wanted,
        (Value::Number(_), Value::Number(_)) => match (number(value), number(wanted)) {
            (Some(value), Some(wanted)) => compare(value, wanted) == Some(Ordering::Equal),
            _ => false,
        },
        _ => false,
    }
}

fn compare_time(value: &Value, time: Timestamp) -> Option<Ordering> {
    match value {
        Value::String(text) => Some(parse_time(text)?.cmp(&time)),
        _ => compare(number(value)?, Number::Whole(time.millis())),
    }
}

/// The milliseconds of a value that is a time as tests read it; a fraction is rounded up. The whole range of dates is far
/// inside of the limits.
pub fn millis(value: &Value) -> Option<i64> {
    const LIMIT: i64 = 1 << 61;
    let millis = match value {
        Value::String(text) => parse_time(text)?.millis(),
        _ => match number(value)? {
            Number::Whole(whole) => whole,
            Number::Real(real) => real.ceil() as i64,
        },
    };
    Some(millis.clamp(-LIMIT, LIMIT))
}

#[derive(Debug, Clone, Copy)]
pub enum Number {
    Whole(i64),
    Real(f64),
}

pub fn number(value: &Value) -> Option<Number> {
    let Value::Number(number) = value else {
        return None;
    };
    number
        .as_i64()
        .map(Number::Whole)
        .or_else(|| number.as_f64().map(Number::Real))
}

/// By size and exactly: a whole number is not rounded to be compared with a fraction. None if one is not a number.
fn compare(a: Number, b: Number) -> Option<Ordering> {
    match (a, b) {
        (Number::Whole(a), Number::Whole(b)) => Some(a.cmp(&b)),
        (Number::Real(a), Number::Real(b)) => a.partial_cmp(&b),
        (Number::Whole(a), Number::Real(b)) => compare_mixed(a, b),
        (Number::Real(a), Number::Whole(b)) => compare_mixed(b, a).map(Ordering::reverse),
    }
}

fn compare_mixed(whole: i64, real: f64) -> Option<Ordering> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if real.is_nan() {
        return None;
    }
    if real >= TWO_TO_63 {
        return Some(Ordering::Less);
    }
    if real < -TWO_TO_63 {
        return Some(Ordering::Greater);
    }
    let below = real.floor();
    Some(whole.cmp(&(below as i64)).then(if real > below {
        Ordering::Less
    } else {
        Ordering::Equal
    }))
}

/// Parts of one in a sum: whole ones, so that it does not depend on the order of what is added (I1).
pub const SCALE: f64 = 10_000.0;

/// In ten-thousandths, as SQL does it, too: multiplied as a real number, rounded half away from zero.
pub fn scale(number: f64) -> i128 {
    (number * SCALE).round() as i128
}

/// `2026-03-02` (midnight UTC) or `2026-03-02T09:14:00.123+01:00`, with `Z` or an offset; digits after the third are cut off.
pub fn parse_time(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let date = bytes.get(..10)?;
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let (year, month, day) = (
        digits(&date[..4])?,
        digits(&date[5..7])?,
        digits(&date[8..])?,
    );
    let days =
        NaiveDate::from_ymd_opt(year as i32, month as u32, day as u32)?.and_hms_opt(0, 0, 0)?;
    let midnight = days.and_utc().timestamp_millis();
    if bytes.len() == 10 {
        return Some(Timestamp(midnight));
    }
    let clock = bytes.get(10..19)?;
    if clock[0] != b'T' || clock[3] != b':' || clock[6] != b':' {
        return None;
    }
    let (hour, minute, second) = (
        digits(&clock[1..3])?,
        digits(&clock[4..6])?,
        digits(&clock[7..])?,
    );
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let rest = &bytes[19..];
    let (fraction, offset) = match rest.split_last()? {
        (b'Z', fraction) => (fraction, 0),
        _ => {
            let (fraction, zone) = rest.split_at(rest.len().checked_sub(6)?);
            (fraction, parse_offset(zone)?)
        }
    };
    let clock_ms = (hour * 3_600 + minute * 60 + second) * 1_000;
    Some(Timestamp(
        midnight + clock_ms + parse_fraction(fraction)? - offset,
    ))
}

/// `+01:00` in milliseconds.
fn parse_offset(zone: &[u8]) -> Option<i64> {
    let (hours, minutes) = (digits(&zone[1..3])?, digits(&zone[4..])?);
    if zone[3] != b':' || hours > 23 || minutes > 59 {
        return None;
    }
    match zone[0] {
        b'+' => Some((hours * 60 + minutes) * 60_000),
        b'-' => Some(-(hours * 60 + minutes) * 60_000),
        _ => None,
    }
}

/// Nothing, or a point and one to nine digits, in milliseconds.
fn parse_fraction(fraction: &[u8]) -> Option<i64> {
    let Some((point, figures)) = fraction.split_first() else {
        return Some(0);
    };
    if *point != b'.' || figures.is_empty() || figures.len() > 9 {
        return None;
    }
    digits(figures)?;
    let mut three = [b'0'; 3];
    let kept = figures.len().min(3);
    three[..kept].copy_from_slice(&figures[..kept]);
    digits(&three)
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + i64::from(byte - b'0'))
    })
}
