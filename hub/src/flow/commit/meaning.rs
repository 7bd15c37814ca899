//! What a record means, ready to be written.

use crate::canonical;
use crate::flow::commit::claim::MappedClaim;
use crate::flow::commit::spoken::{Spoken, spoken};
use crate::flow::commit::stream::StreamRef;
use crate::flow::context::Context;
use crate::landing::slot_of_identifier;
use crate::manifest::Stream;
use crate::model::{Canonical, Timestamp};
use crate::problem::Problem;

/// A record in canonical words, its traits in the forms in which they are stored.
#[derive(Debug)]
pub struct Meaning {
    /// Without its traits and consents.
    pub canonical: Canonical,
    /// What it says of consent.
    pub consents: Vec<Spoken>,
    /// The preferred slot of each of its identifiers.
    pub slots: Vec<i64>,
    /// What it says of its person.
    pub claim: Option<MappedClaim>,
    /// When the record last changed, as far as its versions say.
    pub changed_at: Option<Timestamp>,
}

impl Meaning {
    /// Some answers of a vendor say when a record changed and others do not. One that does not may be a repetition: the
    /// time that is `known` of the record goes on, so that reading it again does not make it older.
    pub fn keep_time(&mut self, stream: &Stream, known: Option<Timestamp>) {
        if self.changed_at.is_some() || stream.updated_at.is_none() || known.is_none() {
            return;
        }
        self.changed_at = known;
        let stated_at = self.stated_at();
        if let Some(claim) = &mut self.claim {
            claim.time = stated_at;
        }
    }

    /// When the record last changed, where this version does not say so itself.
    pub fn known_time(&self) -> Option<i64> {
        let is_silent = self.canonical.updated_at.is_none();
        self.changed_at.filter(|_| is_silent).map(Timestamp::millis)
    }

    /// The time of what it says about its person.
    pub fn stated_at(&self) -> Timestamp {
        let made = self.canonical.created_at;
        self.changed_at.or(made).unwrap_or_default()
    }
}

/// What a line means as a record, and what did not fit.
pub fn mapped(
    stream: &StreamRef,
    plan: &Stream,
    context: &Context,
    key: &str,
    line: &[u8],
) -> (Option<Meaning>, Vec<Problem>) {
    let record = match canonical::read(plan, &stream.source, Some(key), line) {
        Ok(record) => record,
        Err(problem) => return (None, vec![problem]),
    };
    let mapped = canonical::map(plan, &stream.source, key, &record);
    let meaning = mapped.canonical.map(|mut canonical| Meaning {
        changed_at: canonical.updated_at,
        slots: canonical
            .identifiers
            .iter()
            .map(|identifier| slot_of_identifier(&identifier.kind.text(), &identifier.value))
            .collect(),
        claim: MappedClaim::of(&mut canonical, &record, stream, context),
        consents: spoken(&canonical),
        canonical: Canonical {
            consents: Vec::new(),
            ..canonical
        },
    });
    (meaning, mapped.problems)
}
