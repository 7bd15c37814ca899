//! `map.person.NAME`: what a record that is about something else says of its person.

use crate::manifest::StreamTarget;
use crate::model::{EntityKind, IdentifierKind};

const PREFIX: &str = "person.";
pub const SAID_COUNTRY: &str = "person.country";

/// The trait that a mapped field gives the person of an event, an order or a subscription.
pub fn trait_said<'a>(to: &StreamTarget, name: &'a str) -> Option<&'a str> {
    let is_somebodys = match to {
        StreamTarget::Event(_) => true,
        StreamTarget::Entity(kind) => {
            matches!(kind, EntityKind::Order | EntityKind::Subscription)
        }
        StreamTarget::Person | StreamTarget::Consent => false,
    };
    name.strip_prefix(PREFIX).filter(|_| is_somebodys)
}

/// The table of a mapping that holds such fields.
pub(super) const TABLE: &str = "person";

pub(super) fn name_in_table(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// Why a field cannot be mapped.
pub(super) fn refused(to: &StreamTarget, name: &str) -> Option<String> {
    let said = name.strip_prefix(PREFIX)?;
    if trait_said(to, name).is_none() {
        return Some(format!(
            "`{name}` is for events, orders and subscriptions, which say something of a person; here it is `{said}`"
        ));
    }
    let kind = IdentifierKind::parse(said);
    let describes = matches!(
        kind,
        None | Some(IdentifierKind::Email | IdentifierKind::Phone)
    );
    (!describes || said == "external_id" || said.is_empty())
        .then(|| format!("`{name}` describes nobody: identifiers are mapped as they are, `{said}`"))
}
