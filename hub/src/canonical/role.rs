//! What a mapped field is for, by its name and by what its stream is about.

use crate::expression::{Expression, Failure, Filter};
use crate::manifest::{Stream, StreamTarget, trait_said};
use crate::model::{
    EntityKind, FURTHER_EMAILS, IdentifierKind, Shape, Value, entity_field, event_property,
    person_trait,
};

/// What a mapped field is for.
pub(super) enum Role<'a> {
    Identifier(IdentifierKind),
    /// Identifies a person and describes one: `email` and `phone` where the record is about the person.
    Both(IdentifierKind),
    /// Any number of identifiers that are not the record's own.
    Further(IdentifierKind),
    EventName,
    EventTime,
    Field(Option<Shape>),
    /// What a record that is about something else says of its person: the trait.
    Said(&'a str),
}

impl Role<'_> {
    /// The value of a field with this role.
    pub fn evaluated(
        &self,
        expression: &Expression,
        record: &Value,
        region: Option<&str>,
    ) -> Result<Option<Value>, Failure> {
        // An identifier is normalised at its door; its filter would do the same work before.
        let done_later = match self {
            Self::Identifier(IdentifierKind::Email) | Self::Both(IdentifierKind::Email) => {
                Filter::Email
            }
            Self::Identifier(IdentifierKind::Phone) | Self::Both(IdentifierKind::Phone) => {
                Filter::Phone
            }
            _ => return expression.eval(record, region),
        };
        expression.eval_before(done_later, record, region)
    }
}

pub(super) fn role_of<'a>(stream: &Stream, name: &'a str, source: &str) -> Role<'a> {
    let to = &stream.to;
    if let Some(said) = trait_said(to, name) {
        return Role::Said(said);
    }
    let kind = match name {
        "external_id" => {
            let namespace = stream.namespace.as_deref().unwrap_or(source);
            Some(IdentifierKind::External(namespace.into()))
        }
        _ => IdentifierKind::parse(name),
    };
    match (to, name, kind) {
        (_, FURTHER_EMAILS, _) if stream.is_of_person => Role::Further(IdentifierKind::Email),
        (_, "email" | "phone", Some(kind)) if stream.is_of_person => Role::Both(kind),
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
