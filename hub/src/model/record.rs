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
    /// What it says of its person. Records that are about something else say little, see `claims`.
    pub traits: Fields,
    /// Purposes of which the record says something that cannot be read.
    pub unread: Vec<Arc<str>>,
    /// Statements of consent by purpose.
    pub consents: Vec<(Arc<str>, Consent)>,
    /// What happened or exists, on streams that are not about persons alone.
    pub fact: Option<Fact>,
    /// Whether the record is about its person, as well as about what happened to it.
    pub is_of_person: bool,
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

    /// The event, or the thing that its person has: name, time and properties. None for accounts and persons.
    pub fn happened(&self) -> Option<(String, Timestamp, &Fields)> {
        match self.fact.as_ref()? {
            Fact::Event {
                name,
                time,
                properties,
            } => Some((name.clone(), *time, properties)),
            Fact::Entity {
                kind: EntityKind::Account,
                ..
            } => None,
            Fact::Entity { kind, fields } => {
                let since = fields.get(kind.since()).and_then(Value::as_i64);
                let time = since.map(Timestamp).or(self.created_at);
                Some((kind.thing_name(), time.unwrap_or_default(), fields))
            }
        }
    }

    /// Whether it is about something else and speaks of its person by the way.
    pub fn is_aside(&self) -> bool {
        self.fact.is_some() && !self.is_of_person
    }

    /// Whether it says anything of its person. One that is not an aside does, even when it is empty, so that its evidence is known to
    /// be supported.
    pub fn claims(&self) -> bool {
        !self.is_aside() || !self.consents.is_empty() || !self.traits.is_empty()
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
pub enum EntityKind {
    Account,
    Order,
    Subscription,
    Product,
}

/// What a person has is kept with the person's events and asked for in the same way. No event's name begins like that.
pub const THING: &str = "\u{1f}";

impl EntityKind {
    /// What a person can have; an account has people instead.
    pub const THINGS: [Self; 3] = [Self::Order, Self::Subscription, Self::Product];

    /// The name under which a thing is kept among its person's events.
    pub fn thing_name(self) -> String {
        format!("{THING}{}", self.as_str())
    }

    /// The kind of thing that is kept under a name, or none when it is an event's.
    pub fn of_thing(name: &str) -> Option<Self> {
        let kind = name.strip_prefix(THING)?;
        Self::THINGS
            .into_iter()
            .find(|known| known.as_str() == kind)
    }

    /// An event's or a thing's name as people read it.
    pub fn shown(name: &str) -> &str {
        name.strip_prefix(THING).unwrap_or(name)
    }

    /// The field that says since when a person has it.
    fn since(self) -> &'static str {
        match self {
            Self::Subscription => "started_at",
            Self::Order => "ordered_at",
            Self::Account | Self::Product => "created_at",
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Order => "order",
            Self::Subscription => "subscription",
            Self::Product => "product",
        }
    }
}
