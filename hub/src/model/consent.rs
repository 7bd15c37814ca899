//! Consent: what a record says of a purpose, and the statements that are kept.

use crate::model::{IdentifierKind, Timestamp};
use serde::{Deserialize, Serialize};
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

/// What a record or an operator says of one purpose about one identifier, with which it is kept. The names are short since most
/// addresses have one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentStatement {
    #[serde(rename = "p", with = "shared")]
    pub purpose: Arc<str>,
    #[serde(rename = "s")]
    pub status: ConsentStatus,
    #[serde(rename = "t")]
    pub time: Timestamp,
    #[serde(rename = "f", default, skip_serializing_if = "is_usual")]
    pub force: Force,
    /// Its slot in the store; none for an operator's.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub record: Option<i64>,
    /// What its record supports, or `UNREADABLE`; none for an operator's, and where the record is gone or has the identifier no more.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<i64>,
    /// Since when its record says nothing of the purpose any more, or is gone. A record's refusal holds until it says something else.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<Timestamp>,
    /// When the hub learned that.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub learned_at: Option<Timestamp>,
    /// Empty for an operator's, as `said_in` is.
    #[serde(rename = "o", with = "shared")]
    pub source: Arc<str>,
    /// `stream/key`
    #[serde(rename = "i", with = "shared")]
    pub said_in: Arc<str>,
    /// An operator's name and reason.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Texts that many statements have in common.
mod shared {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::sync::Arc;

    pub fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(deserializer).map(Into::into)
    }
}

fn is_usual(force: &Force) -> bool {
    *force == Force::default()
}

impl ConsentStatement {
    /// The evidence of a record that cannot be used: what it said holds until it can.
    pub const UNREADABLE: i64 = 0;

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
