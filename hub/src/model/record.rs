//! Records: what a connector returns, and what it means in canonical words.

use crate::model::{Identifier, IdentifierKind, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A trait's or property's value.
pub type Value = serde_json::Value;
/// Named values in canonical (snake_case) spelling. `Value::Null` means "this source clears it"; absent means "no statement".
pub type Fields = BTreeMap<String, Value>;

/// The vendor's key of a record, unique within a stream of a source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordKey(pub String);

/// How far a stream has been read; only the connector knows what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub Vec<u8>);

/// What one raw record says, in canonical words. Made by `canonical::map`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Canonical {
    /// Normalised, in the order of the mapping, without repeats. Blocked values are kept out.
    pub identifiers: Vec<Identifier>,
    /// When the vendor made the record.
    pub created_at: Option<Timestamp>,
    /// When the vendor last changed it.
    pub updated_at: Option<Timestamp>,
    /// Person streams only.
    pub traits: Fields,
    /// Statements of consent by purpose.
    pub consents: BTreeMap<String, Consent>,
    /// What happened or exists, on streams that are not about persons.
    pub fact: Option<Fact>,
}

impl Canonical {
    /// The time of what it says about its person.
    pub fn stated_at(&self) -> Timestamp {
        self.updated_at.or(self.created_at).unwrap_or_default()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    Event {
        name: String,
        time: Timestamp,
        properties: Fields,
    },
    Entity {
        kind: EntityKind,
        fields: Fields,
    },
}

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

/// Canonical entities that are neither a person nor an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    Account,
    Order,
    Subscription,
    Product,
}

impl EntityKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Order => "order",
            Self::Subscription => "subscription",
            Self::Product => "product",
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
