//! Our filters: one value of a record in, one canonical value out. Pure functions that know no expression.
//! A blank text clears the value; a failure never quotes the value.

use crate::expression::country::country_code;
use crate::expression::decimal;
use crate::model::{Timestamp, Value, normalise_email, normalise_phone};
use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// Why an expression gave no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The value is not what the filter reads: this one field goes without.
    #[error("`{filter}` cannot use the value: {reason}")]
    Unusable {
        filter: &'static str,
        reason: &'static str,
    },
    /// The expression itself failed: the record cannot be mapped.
    #[error("{0}")]
    Failed(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    Email,
    Phone,
    Country,
    Timestamp,
    Date,
    Number,
    MinorUnits,
    ToMinorUnits,
    Lower,
    Upper,
    Trim,
    Sha256,
}

impl Filter {
    pub const ALL: [Self; 12] = [
        Self::Email,
        Self::Phone,
        Self::Country,
        Self::Timestamp,
        Self::Date,
        Self::Number,
        Self::MinorUnits,
        Self::ToMinorUnits,
        Self::Lower,
        Self::Upper,
        Self::Trim,
        Self::Sha256,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Country => "country",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Number => "number",
            Self::MinorUnits => "minor_units",
            Self::ToMinorUnits => "to_minor_units",
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Trim => "trim",
            Self::Sha256 => "sha256",
        }
    }

    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|filter| filter.name() == name)
    }

    /// `minor_units` and `to_minor_units` take the currency.
    pub fn takes_argument(self) -> bool {
        matches!(self, Self::MinorUnits | Self::ToMinorUnits)
    }

    /// `date`, `timestamp` and `number` take the format in which the value is written, if it is none of the usual ones.
    pub fn may_take_argument(self) -> bool {
        self.takes_argument() || matches!(self, Self::Date | Self::Timestamp | Self::Number)
    }

    /// Why a text cannot be the argument.
    pub fn refuses(self, argument: &str) -> Option<String> {
        let is_good = match self {
            Self::Date | Self::Timestamp => {
                !StrftimeItems::new(argument).any(|item| matches!(item, Item::Error))
            }
            Self::Number => decimal::mark(argument).is_some(),
            Self::MinorUnits | Self::ToMinorUnits => minor_digits(argument).is_some(),
            _ => true,
        };
        (!is_good).then(|| self.wants())
    }

    fn wants(self) -> String {
        let name = self.name();
        match self {
            Self::Number => format!("`{name}` takes the sign before the decimals, '.' or ','"),
            Self::MinorUnits | Self::ToMinorUnits => {
                format!("`{name}` takes a currency of three letters")
            }
            _ => format!("the format of `{name}` has to be a text such as '%d.%m.%Y'"),
        }
    }

    /// Applies the filter to a value that is neither absent nor null.
    pub fn apply(
        self,
        value: &Value,
        argument: Option<&Value>,
        region: Option<&str>,
    ) -> Result<Value, Failure> {
        match self {
            Self::MinorUnits => minor_units(value),
            Self::ToMinorUnits => to_minor_units(value, argument),
            Self::Date | Self::Timestamp if argument.is_some() => {
                let format = argument.and_then(Value::as_str);
                self.by_format(value, format)
            }
            Self::Timestamp if value.is_number() => Ok(to_timestamp(value)?.0.into()),
            Self::Date if value.is_number() => Ok(to_date(value)?.into()),
            Self::Number if value.is_number() => Ok(value.clone()),
            Self::Number if argument.is_some() => {
                let mark = argument.and_then(Value::as_str).and_then(decimal::mark);
                self.by_mark(value, mark)
            }
            _ => {
                let Some(text) = scalar_text(value) else {
                    return Err(self.unusable("it is neither a text nor a number"));
                };
                self.apply_to_text(value, &text, region)
            }
        }
    }

    fn apply_to_text(
        self,
        value: &Value,
        text: &str,
        region: Option<&str>,
    ) -> Result<Value, Failure> {
        let keeps_blank = matches!(self, Self::Lower | Self::Upper | Self::Trim | Self::Sha256);
        if !keeps_blank && text.trim().is_empty() {
            return Ok(Value::Null);
        }
        Ok(match self {
            Self::Email => normalise_email(text)
                .map_err(|_| self.unusable("it is not a valid email address"))?
                .into(),
            Self::Phone => normalise_phone(text, region)
                .map_err(|_| match region {
                    Some(_) => {
                        self.unusable("it is not a valid phone number in the source's region")
                    }
                    None => self.unusable(
                        "it is not a valid phone number with a country code, and no region is set",
                    ),
                })?
                .into(),
            Self::Country => country_code(text)
                .ok_or_else(|| {
                    self.unusable("it is not a country's ISO 3166 code or English name")
                })?
                .into(),
            Self::Timestamp => to_timestamp(value)?.0.into(),
            Self::Date => to_date(value)?.into(),
            Self::Number => to_number(text).ok_or_else(|| {
                self.unusable("it is not a number; where decimals follow a comma write number(',')")
            })?,
            Self::Lower => text.to_lowercase().into(),
            Self::Upper => text.to_uppercase().into(),
            Self::Trim => text.trim().into(),
            Self::Sha256 => hex(&Sha256::digest(text.as_bytes())).into(),
            Self::MinorUnits => minor_units(value)?,
            Self::ToMinorUnits => to_minor_units(value, None)?,
        })
    }

    /// A date or a time in a named format, as in C's `strptime`; without an offset a time is in UTC.
    fn by_format(self, value: &Value, format: Option<&str>) -> Result<Value, Failure> {
        let format = format.filter(|format| self.refuses(format).is_none());
        let format = format.ok_or_else(|| Failure::Failed(self.wants()))?;
        let Some(text) = scalar_text(value) else {
            return Err(self.unusable("it is neither a text nor a number"));
        };
        let text = text.trim();
        if text.is_empty() {
            return Ok(Value::Null);
        }
        let other = || self.unusable("it is not written in the format that the mapping names");
        let date = || NaiveDate::parse_from_str(text, format);
        if self == Self::Date {
            let time = || NaiveDateTime::parse_from_str(text, format).map(|time| time.date());
            let date = date().or_else(|_| time()).map_err(|_| other())?;
            return Ok(date.format("%Y-%m-%d").to_string().into());
        }
        let midnight = || date().map(|date| date.and_time(chrono::NaiveTime::MIN));
        let time = DateTime::parse_from_str(text, format).map(|time| time.timestamp_millis());
        let time = time.or_else(|_| {
            let time = NaiveDateTime::parse_from_str(text, format).or_else(|_| midnight());
            time.map(|time| time.and_utc().timestamp_millis())
        });
        let millis = time.map_err(|_| other())?;
        match (EARLIEST..=LAST).contains(&millis) {
            true => Ok(millis.into()),
            false => Err(other()),
        }
    }

    /// A number whose decimals follow `mark`.
    fn by_mark(self, value: &Value, mark: Option<char>) -> Result<Value, Failure> {
        let mark = mark.ok_or_else(|| Failure::Failed(self.wants()))?;
        let Some(text) = value.as_str() else {
            return Err(self.unusable("it is neither a text nor a number"));
        };
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        let number = decimal::plain(text, mark).and_then(|plain| to_number(&plain));
        number.ok_or_else(|| {
            self.unusable("it is not a number written in the way that the mapping names")
        })
    }

    fn unusable(self, reason: &'static str) -> Failure {
        Failure::Unusable {
            filter: self.name(),
            reason,
        }
    }
}

/// A text as it is, a number as its decimal text; nothing else.
pub fn scalar_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

/// Below this, a number counts seconds (until the year 5138); from it on, milliseconds (from March 1973).
const FIRST_MILLISECONDS: f64 = 1e11;
/// 9999-12-31T23:59:59.999Z
const LAST: i64 = 253_402_300_799_999;
/// 0000-01-01T00:00:00Z
const EARLIEST: i64 = -62_167_219_200_000;

/// A time from RFC 3339, a date (its midnight in UTC), a date and time without an offset (UTC), seconds or milliseconds
/// since 1970 as a number or as digits.
pub fn to_timestamp(value: &Value) -> Result<Timestamp, Failure> {
    let millis = match value {
        Value::Number(number) => match number.as_i64() {
            Some(integer) if (integer.unsigned_abs() as f64) < FIRST_MILLISECONDS => {
                integer.checked_mul(1_000)
            }
            Some(integer) => Some(integer),
            None => number.as_f64().map(millis_of),
        },
        Value::String(text) => read_time(text.trim()),
        _ => None,
    };
    match millis {
        Some(millis) if (EARLIEST..=LAST).contains(&millis) => Ok(Timestamp(millis)),
        _ => Err(Filter::Timestamp.unusable(
            "it is neither a time in RFC 3339, nor a date, nor a count of (milli)seconds since 1970",
        )),
    }
}

fn millis_of(number: f64) -> i64 {
    // A conversion by `as` saturates, and what saturates is out of the calendar's range.
    if number.abs() < FIRST_MILLISECONDS {
        (number * 1_000.0).round() as i64
    } else {
        number.round() as i64
    }
}

/// Four digits and a hyphen: `88-02-08` is no day of the year 88.
fn has_whole_year(text: &str) -> bool {
    let mut bytes = text.bytes();
    (&mut bytes).take(4).filter(u8::is_ascii_digit).count() == 4 && bytes.next() == Some(b'-')
}

fn read_time(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_millis());
    }
    if let Ok(number) = text.parse::<f64>() {
        let is_count = number.is_finite() && number.abs() >= LEAST_COUNT;
        return match text.parse::<i64>() {
            Ok(integer) if is_count => to_timestamp(&integer.into()).ok().map(Timestamp::millis),
            _ => is_count.then(|| millis_of(number)),
        };
    }
    if !has_whole_year(text) {
        return None;
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(
            date.and_time(chrono::NaiveTime::MIN)
                .and_utc()
                .timestamp_millis(),
        );
    }
    for format in ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z"] {
        if let Ok(time) = DateTime::parse_from_str(text, format) {
            return Some(time.timestamp_millis());
        }
    }
    for format in [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Some(time.and_utc().timestamp_millis());
        }
    }
    None
}

/// Smaller numbers count something else: years, days of a spreadsheet, months and days in a row.
const LEAST_COUNT: f64 = 1e8;

/// `YYYY-MM-DD`: a date as it is written, or the UTC day of a time. A number that only looks like a date is none.
pub fn to_date(value: &Value) -> Result<String, Failure> {
    let unusable = |_| {
        Filter::Date.unusable(
            "it is neither a date as YYYY-MM-DD nor a time; for another format write date('%d.%m.%Y')",
        )
    };
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    if number.is_some_and(|number| number.abs() < LEAST_COUNT) {
        return Err(unusable(Failure::Failed(String::new())));
    }
    if let Value::String(text) = value {
        let text = text.trim();
        if let Some(day) = text.get(..10)
            && has_whole_year(day)
            && NaiveDate::parse_from_str(day, "%Y-%m-%d").is_ok()
            && (text.len() == 10 || read_time(text).is_some())
        {
            return Ok(day.to_owned());
        }
    }
    let time = to_timestamp(value).map_err(unusable)?;
    let time = DateTime::from_timestamp_millis(time.0)
        .ok_or(())
        .map_err(|()| unusable(Failure::Failed(String::new())))?;
    Ok(time.to_rfc3339_opts(SecondsFormat::Secs, true)[..10].to_owned())
}

fn to_number(text: &str) -> Option<Value> {
    let text = text.trim();
    if let Ok(integer) = text.parse::<i64>() {
        return Some(integer.into());
    }
    let number: f64 = text.parse().ok()?;
    serde_json::Number::from_f64(number).map(Value::Number)
}

/// A vendor's amount that counts minor units already, in its own way for currencies without any: passed through.
fn minor_units(value: &Value) -> Result<Value, Failure> {
    match value.as_i64() {
        Some(_) => Ok(value.clone()),
        None => Err(Failure::Failed(
            "`minor_units` needs a whole number; for decimal amounts use `to_minor_units`"
                .to_owned(),
        )),
    }
}

/// A decimal amount to minor units, exactly, by the currency's digits in ISO 4217.
fn to_minor_units(value: &Value, currency: Option<&Value>) -> Result<Value, Failure> {
    let failed = |text: &str| Failure::Failed(format!("`to_minor_units` {text}"));
    let currency = currency
        .and_then(Value::as_str)
        .ok_or_else(|| failed("needs a currency, and the record has none"))?;
    let digits =
        minor_digits(currency).ok_or_else(|| failed("needs a currency of three letters"))?;
    let amount = scalar_text(value).ok_or_else(|| failed("needs a decimal amount"))?;
    if amount.trim().is_empty() {
        return Ok(Value::Null);
    }
    let minor = scaled(amount.trim(), digits).ok_or_else(|| {
        failed("needs a decimal amount with no more digits than its currency has")
    })?;
    Ok(minor.into())
}

/// `12.3` with two digits is 1230.
fn scaled(amount: &str, digits: usize) -> Option<i64> {
    let (negative, amount) = match amount.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, amount),
    };
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    let kept = fraction.trim_end_matches('0');
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if kept.len() > digits || whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let text = format!("{}{whole}{kept:0<digits$}", if negative { "-" } else { "" });
    text.parse().ok()
}

/// The digits after the point in ISO 4217; two when the table says nothing else.
fn minor_digits(currency: &str) -> Option<usize> {
    let currency = currency.trim().to_ascii_uppercase();
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    Some(match currency.as_str() {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
