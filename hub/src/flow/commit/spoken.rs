//! Statements of consent as a record makes them.

use crate::model::{Channel, Consent, ConsentStatus, Identifier, Timestamp};
use std::sync::Arc;

/// A statement as a record makes it.
#[derive(Debug, Clone)]
pub struct Spoken {
    pub purpose: Arc<str>,
    pub status: ConsentStatus,
    pub at: Option<Timestamp>,
    /// Which of the record's identifiers it is about.
    pub about: Vec<usize>,
    /// It only says what the hub made the record say.
    pub is_echo: bool,
}

/// What a record with these identifiers says of consent.
pub fn spoken(consents: Vec<(Arc<str>, Consent)>, identifiers: &[Identifier]) -> Vec<Spoken> {
    let consents = consents.into_iter();
    let spoken = consents.map(|(purpose, consent)| Spoken {
        purpose,
        status: consent.status,
        at: consent.at,
        about: about(identifiers, consent.channel),
        is_echo: false,
    });
    spoken.collect()
}

/// The addresses of a channel; for the person as such everything that the record is known by.
fn about(identifiers: &[Identifier], channel: Option<Channel>) -> Vec<usize> {
    let identifiers = identifiers.iter().enumerate();
    let is_meant = |one: &Identifier| channel.is_none_or(|channel| one.kind == channel.kind());
    let meant = identifiers.filter(|(_, one)| is_meant(one));
    meant.map(|(index, _)| index).collect()
}
