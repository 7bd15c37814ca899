//! The nouns: plain data with their invariants in constructors. Knows no other module.

mod access;
mod by_name;
mod connector;
mod consent;
mod folded;
mod identifier;
mod normalise;
mod personal;
mod record;
mod time;
mod vocabulary;

pub use access::{Role, Scope};
pub use by_name::ByName;
pub use connector::{
    COLLECTOR, ConsentText, CredentialSpec, Description, Inject, RateSpec, StreamMapping,
    StreamSpec, TargetSpec,
};
pub use consent::{Author, Channel, Consent, ConsentStatement, ConsentStatus, Force, Permission};
pub use folded::fold;
pub use identifier::{Identifier, IdentifierKind, PersonId, Rejected, StandIn};
pub use normalise::{load_phone_rules, normalise_email, normalise_phone};
pub use personal::without_personal;
pub use record::{Canonical, Cursor, EntityKind, Fact, Fields, RecordKey, THING, Value};
pub use time::{Shown, Timestamp};
pub use vocabulary::{
    EVENT_NAMES, FURTHER_EMAILS, IDENTIFIER_FIELDS, PERSON_TRAITS, Shape, entity_field,
    event_property, person_trait, snake_case,
};
