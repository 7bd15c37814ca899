//! A person as audiences and destinations see it: values, consents, events.

use crate::audience::{EventFact, Facts};
use crate::compute::Event;
use crate::model::{ByName, ConsentStatus, Fields, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The audiences that a person is in, with the time since when.
pub type Since = BTreeMap<String, Timestamp>;

/// What holds of consent, by purpose.
pub type Consents = ByName<ConsentEntry>;

/// A consent as a profile keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentEntry {
    /// Granted when it is for any address.
    pub status: ConsentStatus,
    pub time: i64,
    /// Empty for an operator.
    pub source: String,
    /// What holds for each address of the purpose's channel that anything was said about.
    #[serde(default, skip_serializing_if = "ByName::is_empty")]
    pub addresses: ByName<AddressConsent>,
}

/// A consent for one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressConsent {
    pub status: ConsentStatus,
    pub time: i64,
}

/// A person with what audiences and destinations read.
pub struct View {
    pub id: i64,
    pub uuid: [u8; 16],
    pub is_new: bool,
    pub evidence: Vec<i64>,
    pub traits: Fields,
    pub consents: Consents,
    /// The audiences that its main account is in, with the time since when.
    pub account_audiences: BTreeMap<String, Timestamp>,
}

impl View {
    /// Whether the person agreed to a purpose, at some address where it has a channel.
    pub fn granted(&self, purpose: &str) -> bool {
        let entry = self.consents.get(purpose);
        entry.is_some_and(|entry| entry.status == ConsentStatus::Granted)
    }
}

impl View {
    /// Calls `ask` with the person's facts: its values, these events, and since when it is in audiences.
    pub fn ask<T>(
        &self,
        events: &[EventFact<'_>],
        since: &Since,
        ask: impl FnOnce(&Facts<'_>) -> T,
    ) -> T {
        ask(&Facts {
            id: self.uuid,
            traits: &|name| self.traits.get(name),
            granted: &|purpose| self.granted(purpose),
            audiences: &|name| {
                since
                    .get(name)
                    .or(self.account_audiences.get(name))
                    .copied()
            },
            people: &|_| 0,
            events,
        })
    }
}

/// An event with its properties read.
pub struct Happened {
    pub name: String,
    pub time: Timestamp,
    pub properties: Fields,
}

impl Happened {
    pub fn event(&self) -> Event<'_> {
        Event {
            name: &self.name,
            time: self.time,
            properties: &self.properties,
        }
    }

    pub fn fact(&self) -> EventFact<'_> {
        EventFact {
            name: &self.name,
            time: self.time,
            properties: &self.properties,
        }
    }
}
