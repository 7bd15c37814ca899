//! What to write instead of a text that names no time zone.

use crate::expression::closest;
use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::{OffsetName, TZ_VARIANTS, Tz};

/// The city by which a clock is named first, before others that show the same.
const CITIES: [Tz; 24] = [
    Tz::Europe__Warsaw,
    Tz::Europe__London,
    Tz::Europe__Lisbon,
    Tz::Europe__Helsinki,
    Tz::Europe__Dublin,
    Tz::Europe__Moscow,
    Tz::America__New_York,
    Tz::America__Chicago,
    Tz::America__Denver,
    Tz::America__Los_Angeles,
    Tz::America__Anchorage,
    Tz::America__Halifax,
    Tz::Pacific__Honolulu,
    Tz::Asia__Kolkata,
    Tz::Asia__Jerusalem,
    Tz::Asia__Shanghai,
    Tz::Asia__Tokyo,
    Tz::Asia__Seoul,
    Tz::Asia__Manila,
    Tz::Australia__Sydney,
    Tz::Australia__Adelaide,
    Tz::Australia__Perth,
    Tz::Africa__Johannesburg,
    Tz::Pacific__Auckland,
];

/// The middle of January and of July of one year: every clock that changes shows both of its times.
const MOMENTS: [i64; 2] = [1_768_435_200, 1_784_073_600];

pub(super) fn hint(text: &str) -> String {
    if let Some(minutes) = offset(text) {
        return of_offset(minutes);
    }
    let shown = showing(text);
    if let Some((last, others)) = shown.split_last() {
        let cities = match others {
            [] => format!("`{last}`"),
            _ => format!("`{}` or `{last}`", others.join("`, `")),
        };
        return format!(
            "`{text}` is what clocks show there, for the whole year or for a part of it: name a city, {cities}"
        );
    }
    let names = || TZ_VARIANTS.iter().map(|zone| zone.name());
    let is_city = |name: &&str| {
        let city = name.rsplit('/').next();
        city.is_some_and(|city| city.eq_ignore_ascii_case(&text.replace(' ', "_")))
    };
    match names().find(is_city).or_else(|| closest(text, names())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "time zones are those of the IANA database, such as `Europe/Warsaw`".to_owned(),
    }
}

/// `GMT+1`, `UTC-05:30`, `+0200`, in minutes east of Greenwich.
fn offset(text: &str) -> Option<i32> {
    let text = text.trim();
    let bare = ["UTC", "GMT", "utc", "gmt", "Z"]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
        .unwrap_or(text)
        .trim();
    let (sign, digits) = match bare.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if !digits.is_ascii() {
        return None;
    }
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at(2),
        None => (digits, "0"),
    };
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn of_offset(minutes: i32) -> String {
    let city = "name a city, such as `Europe/Warsaw`: its summer time is known";
    match (minutes, minutes % 60) {
        (0, _) => "write `UTC`".to_owned(),
        (_, 0) => {
            let (hours, side) = (
                minutes.abs() / 60,
                if minutes > 0 { "ahead of" } else { "behind" },
            );
            let sign = if minutes > 0 { '-' } else { '+' };
            format!(
                "{city}; a clock that is always {hours} h {side} UTC is `Etc/GMT{sign}{hours}`, where the sign is the other way round"
            )
        }
        _ => city.to_owned(),
    }
}

/// A city for each kind of clock that shows this abbreviation: `CEST`, `IST`.
fn showing(text: &str) -> Vec<&'static str> {
    let wanted = text.trim().to_ascii_uppercase();
    if !(2..=5).contains(&wanted.len()) || !wanted.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Vec::new();
    }
    let mut kinds: Vec<(i32, &'static str)> = Vec::new();
    for zone in CITIES.iter().chain(&TZ_VARIANTS) {
        for moment in MOMENTS {
            let Some(moment) = DateTime::from_timestamp(moment, 0) else {
                continue;
            };
            let offset = zone.offset_from_utc_datetime(&moment.naive_utc());
            let east = offset.fix().local_minus_utc();
            let is_new = || kinds.iter().all(|(known, _)| *known != east);
            // A name without a city is an abbreviation itself.
            if zone.name().contains('/') && offset.abbreviation() == Some(&wanted) && is_new() {
                kinds.push((east, zone.name()));
            }
        }
    }
    kinds.into_iter().map(|(_, name)| name).take(3).collect()
}
