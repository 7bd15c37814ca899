//! What a record says of consent.

use crate::model::{Canonical, Channel, ConsentStatus, Identifier, IdentifierKind, Timestamp};

/// A statement as a record makes it.
#[derive(Debug, Clone)]
pub struct Spoken {
    pub purpose: String,
    pub status: ConsentStatus,
    pub at: Option<Timestamp>,
    /// Which of the record's identifiers it is about.
    pub about: Vec<usize>,
    /// It only says what the hub made the record say.
    pub is_echo: bool,
}

/// What a record says of consent.
pub fn spoken(canonical: &Canonical) -> Vec<Spoken> {
    let consents = canonical.consents.iter();
    let spoken = consents.map(|(purpose, consent)| Spoken {
        purpose: purpose.clone(),
        status: consent.status,
        at: consent.at,
        about: about(&canonical.identifiers, consent.channel),
        is_echo: false,
    });
    spoken.collect()
}

/// The addresses of a channel; for the person as such the identifiers that are rarely shared, or all if there is none of them.
fn about(identifiers: &[Identifier], channel: Option<Channel>) -> Vec<usize> {
    let those = |is_meant: &dyn Fn(&IdentifierKind) -> bool| -> Vec<usize> {
        let identifiers = identifiers.iter().enumerate();
        let meant = identifiers.filter(|(_, one)| is_meant(&one.kind));
        meant.map(|(index, _)| index).collect()
    };
    if let Some(channel) = channel {
        return those(&|kind| *kind == channel.kind());
    }
    let of_one = those(&|kind| {
        use IdentifierKind::{Email, External, UserId};
        matches!(kind, UserId | External(_) | Email)
    });
    match of_one.is_empty() {
        true => those(&|_| true),
        false => of_one,
    }
}
