//! Times as vendors write them: RFC 3339 text into milliseconds since 1970 UTC, and back.
//! No calendar beyond that, and no clock.

/// Milliseconds of an RFC 3339 time, such as `2024-02-29T12:00:00.5+01:00`; `T` may be a space.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        digits.parse().ok()
    };
    let expect = |at: usize, wanted: &[u8]| bytes.get(at).filter(|byte| wanted.contains(byte));
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    expect(4, b"-")?;
    expect(7, b"-")?;
    expect(10, b"Tt ")?;
    expect(13, b":")?;
    expect(16, b":")?;
    let plausible = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !plausible {
        return None;
    }
    let mut rest = &text[19..];
    let mut ms = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return None;
        }
        let mut three = fraction[..digits.min(3)].to_owned();
        while three.len() < 3 {
            three.push('0');
        }
        ms = three.parse().ok()?;
        rest = &fraction[digits..];
    }
    let offset = offset_minutes(rest)?;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some((seconds - offset * 60) * 1_000 + ms)
}

/// `2024-02-29T11:00:00.500Z`
pub fn format_rfc3339(ms: i64) -> String {
    let (date, hour, minute, second) = civil(ms.div_euclid(1_000));
    let milli = ms.rem_euclid(1_000);
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// `2024-02-29T11:00:00+00:00`, rounded down to the second.
pub fn format_seconds(ms: i64) -> String {
    let (date, hour, minute, second) = civil(ms.div_euclid(1_000));
    format!("{date}T{hour:02}:{minute:02}:{second:02}+00:00")
}

fn offset_minutes(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    if digits.len() != 4 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let value: i64 = digits.parse().ok()?;
    Some(sign * (value / 100 * 60 + value % 100))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Years begin in March here, so that a leap day is a year's last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let shifted = (month + 9) % 12;
    let year = year - i64::from(month <= 2);
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
        - 719_468
}

fn civil(seconds: i64) -> (String, i64, i64, i64) {
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let mut year = 1970 + days / 366;
    while days_since_1970(year + 1, 1, 1) <= days {
        year += 1;
    }
    while days_since_1970(year, 1, 1) > days {
        year -= 1;
    }
    let mut month = 12;
    while days_since_1970(year, month, 1) > days {
        month -= 1;
    }
    let day = days - days_since_1970(year, month, 1) + 1;
    let date = format!("{year:04}-{month:02}-{day:02}");
    (date, of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_spellings_of_one_moment_are_equal() {
        let texts = [
            "2024-02-29T12:00:00Z",
            "2024-02-29T13:00:00+01:00",
            "2024-02-29T13:00:00.000+0100",
            "2024-02-29 07:30:00-04:30",
        ];
        for text in texts {
            assert_eq!(parse_rfc3339(text), Some(1_709_208_000_000), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2024-02-30T00:00:00Z",
            "2024-02-29",
            "2024-02-29T12:00:00",
            "2024-02-29T12:00:00.Z",
            "2024-13-01T00:00:00Z",
            "20240229T120000Z",
            "2024-02-29T12:00:0é",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_three_centuries_survives_the_round_trip() {
        for day in -40_000..70_000_i64 {
            let ms = day * 86_400_000 + 45_296_789;
            assert_eq!(parse_rfc3339(&format_rfc3339(ms)), Some(ms));
        }
        assert_eq!(
            format_seconds(1_709_208_000_999),
            "2024-02-29T12:00:00+00:00"
        );
    }
}
