//! Statements of consent as a record makes them.

use crate::model::{Canonical, Channel, ConsentStatus, Identifier, Timestamp};
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

/// What a record says of consent.
pub fn spoken(canonical: &Canonical) -> Vec<Spoken> {
    let spoken = canonical.consents.iter().map(|(purpose, consent)| Spoken {
        purpose: purpose.clone(),
        status: consent.status,
        at: consent.at,
        about: about(canonical.subject_of(consent.status), consent.channel),
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
