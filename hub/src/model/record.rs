//! Records: what a connector returns, and what it means in canonical words.

use crate::model::{Consent, ConsentStatus, Identifier, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

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
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Canonical {
    /// Normalised, in the order of the mapping, without repeats. Blocked values are kept out.
    pub identifiers: Vec<Identifier>,
    /// So many at the end of `identifiers` are further addresses of the person: they join, and the record agrees to nothing for them.
    pub further: usize,
    /// When the vendor made the record.
    pub created_at: Option<Timestamp>,
    /// When the vendor last changed it.
    pub updated_at: Option<Timestamp>,
    /// Person streams only.
    pub traits: Fields,
    /// Purposes of which the record says something that cannot be read.
    pub unread: Vec<Arc<str>>,
    /// Statements of consent by purpose.
    pub consents: Vec<(Arc<str>, Consent)>,
    /// What happened or exists, on streams that are not about persons.
    pub fact: Option<Fact>,
}

impl Canonical {
    /// The identifiers that the record itself is about.
    pub fn own(&self) -> &[Identifier] {
        let own = self.identifiers.len().saturating_sub(self.further);
        &self.identifiers[..own]
    }

    /// What a statement of the record is about: a grant is for its own addresses, a refusal for each that it names.
    pub fn subject_of(&self, status: ConsentStatus) -> &[Identifier] {
        match status.is_granted() {
            true => self.own(),
            false => &self.identifiers,
        }
    }

    /// The time of what it says about its person.
    pub fn stated_at(&self) -> Timestamp {
        self.updated_at.or(self.created_at).unwrap_or_default()
    }
}

#[derive(Debug, Clone, PartialEq)]
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
