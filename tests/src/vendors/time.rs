//! The fakes' clock and the vendors' ways of writing a time.
//! A clock is the machine's, or stands still where a test put it.

use chrono::{DateTime, SecondsFormat, Utc};

#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    #[default]
    System,
    /// Milliseconds since 1970 UTC.
    Fixed(i64),
}

impl Clock {
    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now_ms(self) -> i64 {
        match self {
            Clock::System => Utc::now().timestamp_millis(),
            Clock::Fixed(ms) => ms,
        }
    }
}

/// `2026-03-02T09:14:00.123Z`, as HubSpot writes it.
pub fn rfc3339_ms(ms: i64) -> String {
    let time = DateTime::<Utc>::from_timestamp_millis(ms).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `2026-03-02T09:14:00+00:00`, as Mailchimp writes it.
pub fn rfc3339_offset(ms: i64) -> String {
    let time = DateTime::<Utc>::from_timestamp_millis(ms).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// Reads RFC 3339, with the space that an unescaped `+` of a query turns into.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let repaired = text.trim().replace(' ', "+");
    let time = DateTime::parse_from_rfc3339(&repaired).ok()?;
    Some(time.timestamp_millis())
}
