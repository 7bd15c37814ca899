//! Instants as UTC milliseconds.

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use utoipa::openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub const MAX: Self = Self(i64::MAX);

    pub fn millis(self) -> i64 {
        self.0
    }

    /// RFC 3339 in UTC with milliseconds, or the bare number when it is out of the calendar's range.
    pub fn to_rfc3339(self) -> String {
        match chrono::DateTime::from_timestamp_millis(self.0) {
            Some(time) => time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            None => self.0.to_string(),
        }
    }

    /// Minutes are enough for people: `2026-03-02 09:14 UTC`.
    pub fn to_minutes(self) -> String {
        match chrono::DateTime::from_timestamp_millis(self.0) {
            Some(time) => time.format("%Y-%m-%d %H:%M UTC").to_string(),
            None => self.0.to_string(),
        }
    }
}

/// A time in what surfaces show: in minutes to people, in RFC 3339 to programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown(pub Timestamp);

impl Shown {
    pub fn of(millis: i64) -> Self {
        Self(Timestamp(millis))
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.to_minutes())
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339())
    }
}

impl utoipa::PartialSchema for Shown {
    fn schema() -> RefOr<Schema> {
        let time = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        let text = ObjectBuilder::new().schema_type(Type::String);
        text.format(Some(time)).into()
    }
}

impl utoipa::ToSchema for Shown {}
