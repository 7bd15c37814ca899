//! What a record means, ready to be written.

use crate::canonical;
use crate::flow::commit::claim::MappedClaim;
use crate::flow::commit::spoken::{Spoken, spoken};
use crate::flow::commit::stream::StreamRef;
use crate::flow::context::Context;
use crate::landing::slot_of_identifier;
use crate::manifest::Stream;
use crate::model::Canonical;
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
        slots: canonical
            .identifiers
            .iter()
            .map(|identifier| slot_of_identifier(&identifier.kind.text(), &identifier.value))
            .collect(),
        claim: MappedClaim::of(&mut canonical, stream, context),
        consents: spoken(&mut canonical),
        canonical,
    });
    (meaning, mapped.problems)
}
