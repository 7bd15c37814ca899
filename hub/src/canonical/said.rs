//! What a record that is about something else says of its person: a guest's name and address, for instance.

use super::Mapper;
use crate::expression::{scalar_text, to_shape};
use crate::model::{Identifier, IdentifierKind, Rejected, Value, person_trait};
use crate::problem::codes;

impl Mapper<'_> {
    /// Keeps a trait in its usual form. What an event leaves empty clears nothing.
    pub(super) fn said(&mut self, name: &str, said: &str, value: Value) {
        if value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty()) {
            return;
        }
        let kind = IdentifierKind::builtin(said);
        let value = match (kind, person_trait(said)) {
            (Some(kind), _) => self.address(name, kind, &value).map(Value::from),
            (None, None) => Some(value),
            (None, Some(shape)) => match to_shape(shape, value) {
                Ok(value) => Some(value),
                Err(expected) => {
                    let message = format!("`{name}` must be {expected}; it is left out");
                    self.warn(&codes::WRONG_SHAPE, name, message);
                    None
                }
            },
        };
        if let Some(value) = value {
            self.canonical.traits.insert(said.to_owned(), value);
        }
    }

    fn address(&mut self, name: &str, kind: IdentifierKind, value: &Value) -> Option<String> {
        let text = scalar_text(value);
        let parsed = text.map(|text| Identifier::parse(kind, &text, self.region));
        let what = match parsed {
            Some(Ok(identifier)) => return Some(identifier.value),
            Some(Err(Rejected::Empty)) => return None,
            Some(Err(Rejected::Malformed)) => "is malformed",
            Some(Err(Rejected::Blocked(_))) => "is a stand-in",
            None => "is neither a text nor a number",
        };
        let message = format!("`{name}` {what} and is left out");
        self.warn(&codes::UNUSABLE, name, message);
        None
    }
}
