//! Consent: what a record says of a purpose, and the statements that are kept.

use crate::model::{IdentifierKind, Timestamp};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};
use std::sync::Arc;

/// What a record says about a purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    pub status: ConsentStatus,
    /// When it was given or refused, where the record says so.
    pub at: Option<Timestamp>,
    /// It is about the record's addresses of this channel; without a channel, about the person as such.
    pub channel: Option<Channel>,
}

/// A way to reach somebody, each with a kind of address of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Email,
    Phone,
    Push,
}

impl Channel {
    pub const ALL: [Self; 3] = [Self::Email, Self::Phone, Self::Push];

    /// The kind of its addresses.
    pub fn kind(self) -> IdentifierKind {
        match self {
            Self::Email => IdentifierKind::Email,
            Self::Phone => IdentifierKind::Phone,
            Self::Push => IdentifierKind::DeviceId,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Push => "push",
        }
    }
}

/// Ordered from the most to the least restrictive, which is how a tie in time is broken.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ConsentStatus {
    Withdrawn,
    Denied,
    Granted,
}

impl ConsentStatus {
    pub fn is_granted(self) -> bool {
        self == Self::Granted
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "granted" => Some(Self::Granted),
            "denied" => Some(Self::Denied),
            "withdrawn" => Some(Self::Withdrawn),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Whether something may be sent to a person at an address, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    Granted,
    /// Nobody said anything of a purpose that is needed.
    Unstated,
    /// A purpose that is needed is denied or withdrawn.
    Refused,
    /// Consent is given; an operator suppressed the person.
    Suppressed,
}

impl Permission {
    /// As the store has it.
    pub fn code(self) -> i64 {
        match self {
            Self::Granted => 1,
            Self::Unstated => 0,
            Self::Refused => -1,
            Self::Suppressed => -2,
        }
    }

    /// Unknown codes permit nothing.
    pub fn of_code(code: i64) -> Self {
        match code {
            1 => Self::Granted,
            -1 => Self::Refused,
            -2 => Self::Suppressed,
            _ => Self::Unstated,
        }
    }
}

/// How a statement's time is known.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Force {
    /// The time at which a record was first seen to say it.
    #[default]
    Observed,
    /// The record's own time of the statement.
    Stated,
    /// An operator made it, with a reason.
    Operator,
    /// A tool says it about a record that the hub made there: it counts for nothing.
    Echo,
}

/// What a record or an operator says of one purpose about one identifier, with which it is kept: as an array in the order of the fields,
/// without the ones at its end that are as usual, since most addresses have one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ConsentStatement {
    #[serde(deserialize_with = "shared::again")]
    pub purpose: Arc<str>,
    pub status: ConsentStatus,
    pub time: Timestamp,
    /// `source/stream/key`; empty for an operator's.
    #[serde(deserialize_with = "shared::deserialize")]
    pub said_in: Arc<str>,
    /// The slot of its record in the store; none for an operator's.
    pub record: Option<i64>,
    /// What its record supports, or `UNREADABLE`; none for an operator's, and where the record is gone or has the identifier no more.
    pub evidence: Option<i64>,
    #[serde(default)]
    pub force: Force,
    /// Since when its record says nothing of the purpose any more, or is gone. A record's refusal holds until it says something else.
    #[serde(default)]
    pub gone_at: Option<Timestamp>,
    /// When the hub learned that.
    #[serde(default)]
    pub learned_at: Option<Timestamp>,
    /// Who stated it, where an operator did.
    #[serde(default)]
    pub by: Option<Box<Author>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    pub name: String,
    pub reason: String,
}

impl Serialize for ConsentStatement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut array = serializer.serialize_seq(None)?;
        array.serialize_element(&*self.purpose)?;
        array.serialize_element(&self.status)?;
        array.serialize_element(&self.time)?;
        array.serialize_element(&*self.said_in)?;
        array.serialize_element(&self.record)?;
        array.serialize_element(&self.evidence)?;
        let is_gone = self.gone_at.is_some() || self.by.is_some();
        if is_gone || self.force != Force::default() {
            array.serialize_element(&self.force)?;
        }
        if is_gone {
            array.serialize_element(&self.gone_at)?;
            array.serialize_element(&self.learned_at)?;
        }
        if let Some(by) = &self.by {
            array.serialize_element(by)?;
        }
        array.end()
    }
}

/// Texts without a copy of their own first.
mod shared {
    use serde::de::{Deserializer, Error, Visitor};
    use std::cell::RefCell;
    use std::fmt;
    use std::sync::Arc;

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        deserializer.deserialize_str(Text)
    }

    /// One that is mostly the same as the one before.
    pub fn again<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        deserializer.deserialize_str(Again)
    }

    thread_local! {
        static BEFORE: RefCell<Arc<str>> = RefCell::new("".into());
    }

    struct Again;

    impl Visitor<'_> for Again {
        type Value = Arc<str>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a text")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Arc<str>, E> {
            BEFORE.with_borrow_mut(|before| {
                if **before != *text {
                    *before = text.into();
                }
                Ok(before.clone())
            })
        }
    }

    struct Text;

    impl Visitor<'_> for Text {
        type Value = Arc<str>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a text")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Arc<str>, E> {
            Ok(text.into())
        }
    }
}

impl ConsentStatement {
    /// The evidence of a record that cannot be used: what it said holds until it can.
    pub const UNREADABLE: i64 = 0;

    /// The source, and `stream/key`.
    pub fn origin(&self) -> (&str, &str) {
        self.said_in.split_once('/').unwrap_or_default()
    }

    pub fn is_refusal(&self) -> bool {
        !self.status.is_granted()
    }

    /// Its record says it no more, since that time at the latest; of two such times the first counts.
    pub fn gone(mut self, at: Timestamp, learned_at: Timestamp) -> Self {
        if self.gone_at.is_none() {
            (self.gone_at, self.learned_at) = (Some(at), Some(learned_at));
        }
        self
    }

    /// It counts for everybody who has the identifier.
    pub fn stands(&self) -> bool {
        self.evidence.is_none_or(|id| id == Self::UNREADABLE)
    }

    /// The latest time at which a refusal may have been made. A time that is exactly midnight is a date: any time of that day.
    pub fn refused_at(&self) -> Timestamp {
        match (self.force, self.gone_at) {
            (Force::Observed, Some(gone_at)) => gone_at.max(self.time),
            (Force::Stated, _) if self.time.0 % DAY_MS == 0 => Timestamp(self.time.0 + DAY_MS - 1),
            _ => self.time,
        }
    }
}

const DAY_MS: i64 = 86_400_000;
