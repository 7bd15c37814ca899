//! A person as audiences and destinations see it: values, consents, events.

use crate::audience::{EventFact, Facts};
use crate::compute::Event;
use crate::flow::stored_json::{read, to_json};
use crate::model::{ByName, ConsentStatus, Fields, Timestamp};
use crate::store;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// The audiences that a person is in, with the time since when.
pub type Since = BTreeMap<String, Timestamp>;

/// What holds of consent, by purpose.
pub type Consents = ByName<ConsentEntry>;

/// A consent as a profile shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ConsentEntry {
    /// Granted when it is for any address.
    pub status: ConsentStatus,
    pub time: i64,
    /// Empty for an operator.
    pub source: String,
    /// What holds for each address of the purpose's channel that anything was said about.
    #[serde(skip_serializing_if = "ByName::is_empty")]
    #[schema(value_type = BTreeMap<String, AddressConsent>)]
    pub addresses: ByName<AddressConsent>,
}

/// A consent for one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AddressConsent {
    pub status: ConsentStatus,
    pub time: i64,
}

/// The stored form of what holds of consent for a person: for each purpose an array of an entry's fields, in which an address is `null`
/// if what holds for it is the entry's status and time. Most people have one address.
pub fn stored_consents(consents: &Consents) -> String {
    to_json(&Row(consents))
}

struct Row<'a>(&'a Consents);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = self.0.iter().map(|(purpose, entry)| {
            let stored = (entry.status, entry.time, &entry.source, Addresses(entry));
            (purpose, stored)
        });
        serializer.collect_map(entries)
    }
}

struct Addresses<'a>(&'a ConsentEntry);

impl Serialize for Addresses<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(entry) = self;
        serializer.collect_map(entry.addresses.iter().map(|(address, one)| {
            let is_same = one.status == entry.status && one.time == entry.time;
            (address, (!is_same).then_some((one.status, one.time)))
        }))
    }
}

/// What `stored_consents` wrote of one purpose.
type Stored = (
    ConsentStatus,
    i64,
    String,
    ByName<Option<(ConsentStatus, i64)>>,
);

/// The stored form of the person with this number, read.
pub fn read_consents(id: i64, text: &str) -> store::Result<Consents> {
    let stored: ByName<Stored> = read("person.consents", id, text)?;
    let entries = stored.into_iter().map(|(purpose, stored)| {
        let (status, time, source, addresses) = stored;
        let addresses = addresses.into_iter().map(|(address, one)| {
            let (status, time) = one.unwrap_or((status, time));
            (address, AddressConsent { status, time })
        });
        let entry = ConsentEntry {
            status,
            time,
            source,
            addresses: addresses.collect(),
        };
        (purpose, entry)
    });
    Ok(entries.collect())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

    use super::{AddressConsent, ConsentEntry, Consents, read_consents, stored_consents};
    use crate::model::ConsentStatus::{Denied, Granted};

    fn consents(addresses: &[(&str, AddressConsent)]) -> Consents {
        let addresses = addresses
            .iter()
            .map(|(name, one)| ((*name).to_owned(), *one));
        let entry = ConsentEntry {
            status: Granted,
            time: 5,
            source: "crm".to_owned(),
            addresses: addresses.collect(),
        };
        Consents::from_iter([("mail".to_owned(), entry)])
    }

    #[test]
    fn an_address_is_stored_with_what_differs() {
        let at = |status, time| AddressConsent { status, time };
        for (addresses, text) in [
            (&[][..], r#"{"mail":["granted",5,"crm",{}]}"#),
            (
                &[("a", at(Granted, 5))],
                r#"{"mail":["granted",5,"crm",{"a":null}]}"#,
            ),
            (
                &[("a", at(Denied, 5)), ("b", at(Granted, 4))],
                r#"{"mail":["granted",5,"crm",{"a":["denied",5],"b":["granted",4]}]}"#,
            ),
        ] {
            let consents = consents(addresses);
            assert_eq!(stored_consents(&consents), text);
            assert_eq!(read_consents(1, text).unwrap(), consents);
        }
    }
}
