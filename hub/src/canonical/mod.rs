//! What a raw record means in canonical words: identifiers, traits, consents, an event or an entity.
//! Pure; `flow` decides what happens to the problems.

mod edit;
mod record;
mod role;
mod said;

pub use edit::{Edit, edited};
pub use record::{REFUSED, Record, key_of_line, read, readable};

use crate::expression::{
    Expression, Failure, country_code, scalar_text, shown, to_shape, to_timestamp,
};
use crate::manifest::{ConsentRule, SAID_COUNTRY, Stream, StreamTarget};
use crate::model::{
    Canonical, Consent, ConsentStatus, FURTHER_EMAILS, Fact, Fields, Identifier, IdentifierKind,
    Rejected, Shape, Timestamp, Value,
};
use crate::problem::{Code, Place, Problem, codes};
use role::{Role, role_of};

/// `canonical` is `None` when the record must be set aside; the last problem then says why.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    pub canonical: Option<Canonical>,
    /// Warnings name fields that went without a value.
    pub problems: Vec<Problem>,
}

/// Maps one record. `key` is what `key_of` gave for it.
pub fn map(stream: &Stream, source: &str, key: &str, record: &Record) -> Mapped {
    let mut mapper = Mapper {
        stream,
        source,
        key,
        record,
        region: stream.region.as_deref(),
        canonical: Canonical::default(),
        fields: Fields::new(),
        event: None,
        time: None,
        problems: Vec::new(),
    };
    match mapper.run() {
        Ok(()) => Mapped {
            canonical: Some(mapper.canonical),
            problems: mapper.problems,
        },
        Err(problem) => {
            mapper.problems.push(*problem);
            Mapped {
                canonical: None,
                problems: mapper.problems,
            }
        }
    }
}

/// The record's key at the vendor, a number as its decimal text.
#[allow(
    clippy::result_large_err,
    reason = "a record without a key is rare, and its problem is kept"
)]
pub fn key_of(stream: &Stream, source: &str, record: &Record) -> Result<String, Problem> {
    let place = || Place::Record {
        source: source.to_owned(),
        stream: Some(stream.name.to_string()),
        key: None,
        field: Some("key".to_owned()),
    };
    let expression = stream.key.text();
    if record.is_damaged(stream.key.reads()) {
        let message = format!("the key `{expression}` reads a value that cannot be read");
        return Err(Problem::new(&codes::NO_KEY, message).at(place()));
    }
    let value = match stream.key.eval(&record.value, stream.region.as_deref()) {
        Ok(value) => value,
        Err(failure) => {
            let message = format!("the key `{expression}` cannot be worked out: {failure}");
            return Err(Problem::new(&codes::NO_KEY, message).at(place()));
        }
    };
    match value.as_ref().and_then(scalar_text) {
        Some(text) if !text.is_empty() => Ok(text.into_owned()),
        _ => {
            let message = format!(
                "the record has no key: `{expression}` returns neither a text nor a number"
            );
            Err(Problem::new(&codes::NO_KEY, message).at(place()))
        }
    }
}

/// A problem that sets the record aside; boxed, as it is rare and large.
type Fatal = Box<Problem>;

struct Mapper<'a> {
    stream: &'a Stream,
    source: &'a str,
    key: &'a str,
    record: &'a Record,
    /// Of phone numbers without a country code.
    region: Option<&'a str>,
    canonical: Canonical,
    fields: Fields,
    event: Option<String>,
    time: Option<Timestamp>,
    problems: Vec<Problem>,
}

impl Mapper<'_> {
    fn run(&mut self) -> Result<(), Fatal> {
        if !self.record.value.is_object() {
            return Err(self.fatal(
                &codes::NOT_AN_OBJECT,
                None,
                "the record is not a JSON object".to_owned(),
            ));
        }
        if self.stream.is_sent_to
            && let Some(why) = self.record.at(REFUSED).and_then(Value::as_str)
        {
            return Err(self.fatal(&codes::MESSAGE_REFUSED, None, why.to_owned()));
        }
        let stream = self.stream;
        if let Some(expression) = &stream.created_at {
            self.canonical.created_at = self.time_of("created_at", expression)?;
        }
        if let Some(expression) = &stream.updated_at {
            self.canonical.updated_at = self.time_of("updated_at", expression)?;
        }
        if stream.to == StreamTarget::Person
            && !stream.map.iter().any(|(name, _)| name == "external_id")
        {
            let namespace = stream.namespace.as_deref().unwrap_or(self.source);
            self.identify("key", IdentifierKind::External(namespace.into()), self.key);
        }
        // It says how the record's phone numbers are read.
        self.fields_of(|name| name == "country" || name == SAID_COUNTRY)?;
        self.region = self.country().or(self.region);
        self.fields_of(|name| name != "country" && name != SAID_COUNTRY && name != FURTHER_EMAILS)?;
        let own = self.canonical.identifiers.len();
        self.fields_of(|name| name == FURTHER_EMAILS)?;
        self.canonical.further = self.canonical.identifiers.len() - own;
        for rule in &stream.consent {
            self.consent(rule)?;
        }
        self.finish()
    }

    fn fields_of(&mut self, is_meant: impl Fn(&str) -> bool) -> Result<(), Fatal> {
        let stream = self.stream;
        for (name, expression) in stream.map.iter().filter(|(name, _)| is_meant(name)) {
            self.field(name, expression)?;
        }
        Ok(())
    }

    fn country(&self) -> Option<&'static str> {
        let fields = [&self.canonical.traits, &self.fields];
        let mut found = fields
            .into_iter()
            .filter_map(|fields| fields.get("country"));
        found.next()?.as_str().and_then(country_code)
    }

    fn field(&mut self, name: &str, expression: &Expression) -> Result<(), Fatal> {
        let role = role_of(self.stream, name, self.source);
        if matches!(role, Role::EventTime) {
            self.time = self.time_of(name, expression)?;
            return Ok(());
        }
        if self.record.is_damaged(expression.reads()) {
            // I17: what cannot be read takes the place of nothing, and two damaged identifiers would be one.
            let is_identifier = matches!(
                role,
                Role::Identifier(_)
                    | Role::Both(_)
                    | Role::Further(_)
                    | Role::Said("email" | "phone")
            );
            if is_identifier || self.record.is_unread(expression.reads()) {
                self.damaged(name, "is left out");
                return Ok(());
            }
            self.damaged(name, "has a replacement character in its place");
        }
        let result = role.evaluated(expression, &self.record.value, self.region);
        let Some(value) = self.taken(name, expression, result)? else {
            return Ok(());
        };
        match role {
            Role::Identifier(_) if value.is_null() => {}
            Role::Identifier(kind) => {
                self.identifier(name, kind, &value);
            }
            Role::Both(_)
                if value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty()) =>
            {
                // What an event leaves empty clears nothing.
                if self.stream.to == StreamTarget::Person {
                    self.canonical.traits.insert(name.to_owned(), Value::Null);
                }
            }
            Role::Both(kind) => {
                if let Some(normal) = self.identifier(name, kind, &value) {
                    self.canonical.traits.insert(name.to_owned(), normal.into());
                }
            }
            Role::Further(kind) => self.further(name, &kind, &value),
            Role::EventName => {
                self.event = scalar_text(&value)
                    .filter(|text| !text.trim().is_empty())
                    .map(|text| text.into_owned());
            }
            // An empty text clears what a person's custom trait was, as it does with the others.
            Role::Field(None)
                if self.stream.to == StreamTarget::Person
                    && value.as_str().is_some_and(|text| text.trim().is_empty()) =>
            {
                self.keep(name, Value::Null);
            }
            Role::Field(None) => self.keep(name, value),
            Role::Field(Some(shape)) => self.shaped(name, shape, value, expression)?,
            Role::Said(said) => self.said(name, said, value),
            Role::EventTime => {}
        }
        Ok(())
    }

    fn shaped(
        &mut self,
        name: &str,
        shape: Shape,
        value: Value,
        expression: &Expression,
    ) -> Result<(), Fatal> {
        if shape == Shape::Time && expression.makes_time() {
            self.keep(name, value);
            return Ok(());
        }
        match to_shape(shape, value) {
            Ok(value) => self.keep(name, value),
            Err(expected) if shape == Shape::Money => {
                let message = format!("`{name}` must be {expected}");
                let hint = "amounts in decimals need the filter `to_minor_units(currency)`";
                return Err(Box::new(
                    self.problem(&codes::NOT_MONEY, Some(name), message)
                        .hint(hint),
                ));
            }
            Err(expected) => {
                self.warn(
                    &codes::WRONG_SHAPE,
                    name,
                    format!("`{name}` must be {expected}; it is left out"),
                );
            }
        }
        Ok(())
    }

    fn keep(&mut self, name: &str, value: Value) {
        let fields = match self.stream.to {
            StreamTarget::Person => &mut self.canonical.traits,
            _ => &mut self.fields,
        };
        fields.insert(name.to_owned(), value);
    }

    /// Adds an identifier and returns its normalised value.
    fn identifier(&mut self, name: &str, kind: IdentifierKind, value: &Value) -> Option<String> {
        match scalar_text(value) {
            Some(text) => self.identify(name, kind, &text),
            None => {
                let message =
                    format!("`{name}` is neither a text nor a number and identifies nobody");
                self.warn(&codes::UNUSABLE, name, message);
                None
            }
        }
    }

    /// A list of identifiers, or a text with `;` or `,` between them.
    fn further(&mut self, name: &str, kind: &IdentifierKind, value: &Value) {
        match value {
            Value::Null => {}
            Value::Array(all) => all.iter().for_each(|one| self.further(name, kind, one)),
            Value::String(text) => {
                for one in text.split([';', ',']) {
                    self.identify(name, kind.clone(), one);
                }
            }
            other => {
                self.identifier(name, kind.clone(), other);
            }
        }
    }

    fn identify(&mut self, name: &str, kind: IdentifierKind, text: &str) -> Option<String> {
        match Identifier::parse(kind, text, self.region) {
            Ok(identifier) => {
                let value = identifier.value.clone();
                if !self.canonical.identifiers.contains(&identifier) {
                    self.canonical.identifiers.push(identifier);
                }
                Some(value)
            }
            Err(Rejected::Empty) => None,
            Err(Rejected::Malformed) => {
                self.warn(
                    &codes::UNUSABLE,
                    name,
                    format!("`{name}` is malformed and identifies nobody"),
                );
                None
            }
            Err(Rejected::Blocked(rule)) => {
                self.warn(
                    &codes::UNUSABLE,
                    name,
                    format!("`{name}` identifies nobody: it is {}", rule.as_str()),
                );
                None
            }
        }
    }

    fn consent(&mut self, rule: &ConsentRule) -> Result<(), Fatal> {
        let (purpose, field) = (&rule.purpose, &rule.field);
        let problems = self.problems.len();
        let status = match self.value(field, &rule.status)? {
            Some(Value::Null) => return Ok(()),
            // I17: a value that cannot be read takes the place of nothing.
            None if self.problems.len() > problems => {
                self.canonical.unread.push(purpose.clone());
                return Ok(());
            }
            None => return Ok(()),
            Some(value) => value.as_str().and_then(ConsentStatus::parse),
        };
        let Some(status) = status else {
            let message =
                format!("the consent to `{purpose}` is none of `granted`, `denied`, `withdrawn`");
            self.warn(&codes::UNKNOWN_CONSENT, field, message);
            self.canonical.unread.push(purpose.clone());
            return Ok(());
        };
        let at = match &rule.at {
            Some(expression) => self.time_of(&format!("{field}.at"), expression)?,
            None => None,
        };
        let has_address = rule.channel.is_none_or(|channel| {
            let mut identifiers = self.canonical.own().iter();
            identifiers.any(|identifier| identifier.kind == channel.kind())
        });
        // A refusal without an address is one of every address.
        let channel = rule.channel.filter(|_| has_address);
        if let (Some(channel), false, true) = (rule.channel, has_address, status.is_granted()) {
            let message = format!(
                "the consent to `{purpose}` is about an address, and the record has no usable `{}`",
                channel.kind()
            );
            self.warn(&codes::CONSENT_WITHOUT_ADDRESS, field, message);
            return Ok(());
        }
        let consent = Consent {
            status,
            at,
            channel,
        };
        self.canonical.consents.push((purpose.clone(), consent));
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fatal> {
        let fields = std::mem::take(&mut self.fields);
        self.canonical.fact = match &self.stream.to {
            StreamTarget::Person | StreamTarget::Consent => None,
            StreamTarget::Entity(kind) => Some(Fact::Entity {
                kind: *kind,
                fields,
            }),
            StreamTarget::Event(constant) => {
                let Some(name) = self.event.take().or_else(|| constant.clone()) else {
                    return Err(self.fatal(
                        &codes::NO_EVENT_NAME,
                        Some("event"),
                        "the event has no name".to_owned(),
                    ));
                };
                let Some(time) = self.time.or(self.canonical.created_at) else {
                    let message =
                        "the event has no time: neither `map.time` nor `created_at` gives one"
                            .to_owned();
                    return Err(self.fatal(&codes::NO_EVENT_TIME, Some("time"), message));
                };
                Some(Fact::Event {
                    name,
                    time,
                    properties: fields,
                })
            }
        };
        self.canonical.is_of_person = self.stream.is_of_person;
        Ok(())
    }

    fn time_of(&mut self, name: &str, expression: &Expression) -> Result<Option<Timestamp>, Fatal> {
        let Some(value) = self.value(name, expression)? else {
            return Ok(None);
        };
        if expression.makes_time() {
            return Ok(value.as_i64().map(Timestamp));
        }
        if value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty()) {
            return Ok(None);
        }
        match to_timestamp(&value) {
            Ok(time) => Ok(Some(time)),
            Err(failure) => {
                self.warn(
                    &codes::UNUSABLE,
                    name,
                    format!("`{name}` is left out: {failure}"),
                );
                Ok(None)
            }
        }
    }

    fn value(&mut self, name: &str, expression: &Expression) -> Result<Option<Value>, Fatal> {
        if self.record.is_damaged(expression.reads()) {
            self.damaged(name, "is left out");
            return Ok(None);
        }
        self.taken(
            name,
            expression,
            expression.eval(&self.record.value, self.region),
        )
    }

    /// What an expression gave, with its failure sorted into a warning or the record's end.
    fn taken(
        &mut self,
        name: &str,
        expression: &Expression,
        result: Result<Option<Value>, Failure>,
    ) -> Result<Option<Value>, Fatal> {
        match result {
            Ok(value) => Ok(value),
            Err(failure @ Failure::Unusable { .. }) => {
                self.warn(
                    &codes::UNUSABLE,
                    name,
                    format!("`{name}` is left out: {failure}"),
                );
                Ok(None)
            }
            Err(Failure::Failed(why)) => {
                let message = format!(
                    "`{name}` cannot be worked out by `{}`: {why}",
                    shown(expression.text())
                );
                Err(self.fatal(&codes::EXPRESSION_FAILED, Some(name), message))
            }
        }
    }

    fn damaged(&mut self, name: &str, what: &str) {
        let message = format!("`{name}` reads a value or a text that cannot be read, and {what}");
        self.warn(&codes::DAMAGED_TEXT, name, message);
    }

    fn warn(&mut self, code: &'static Code, field: &str, message: String) {
        let problem = self.problem(code, Some(field), message).warning();
        self.problems.push(problem);
    }

    fn fatal(&self, code: &'static Code, field: Option<&str>, message: String) -> Fatal {
        Box::new(self.problem(code, field, message))
    }

    fn problem(&self, code: &'static Code, field: Option<&str>, message: String) -> Problem {
        Problem::new(code, message).at(Place::Record {
            source: self.source.to_owned(),
            stream: Some(self.stream.name.to_string()),
            key: Some(self.key.to_owned()),
            field: field.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
