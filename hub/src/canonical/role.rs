//! What a mapped field is for, by its name and by what its stream is about.

use crate::manifest::{StreamTarget, trait_said};
use crate::model::{
    EntityKind, FURTHER_EMAILS, IdentifierKind, Shape, entity_field, event_property, person_trait,
};

/// What a mapped field is for.
pub(super) enum Role<'a> {
    Identifier(IdentifierKind),
    /// Identifies a person and describes one: `email` and `phone` on person streams.
    Both(IdentifierKind),
    /// Any number of identifiers that are not the record's own.
    Further(IdentifierKind),
    EventName,
    EventTime,
    Field(Option<Shape>),
    /// What a record that is about something else says of its person: the trait.
    Said(&'a str),
}

pub(super) fn role_of<'a>(to: &StreamTarget, name: &'a str, source: &str) -> Role<'a> {
    if let Some(said) = trait_said(to, name) {
        return Role::Said(said);
    }
    let kind = match name {
        "external_id" => Some(IdentifierKind::External(source.into())),
        _ => IdentifierKind::parse(name),
    };
    match (to, name, kind) {
        (StreamTarget::Person, FURTHER_EMAILS, _) => Role::Further(IdentifierKind::Email),
        (StreamTarget::Person, "email" | "phone", Some(kind)) => Role::Both(kind),
        // A company's or a product's address identifies no person.
        (
            StreamTarget::Entity(entity @ (EntityKind::Account | EntityKind::Product)),
            "email" | "phone",
            _,
        ) => Role::Field(entity_field(*entity, name)),
        (_, _, Some(kind)) => Role::Identifier(kind),
        (StreamTarget::Event(_), "event", None) => Role::EventName,
        (StreamTarget::Event(_), "time", None) => Role::EventTime,
        (StreamTarget::Person, _, None) => Role::Field(person_trait(name)),
        (StreamTarget::Event(_), _, None) => Role::Field(event_property(name)),
        (StreamTarget::Entity(entity), _, None) => Role::Field(entity_field(*entity, name)),
        (StreamTarget::Consent, _, None) => Role::Field(None),
    }
}
