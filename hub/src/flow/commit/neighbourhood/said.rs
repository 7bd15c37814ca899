//! What is kept of consent with the loaded identifiers.

use super::Neighbourhood;
use crate::flow::stored_json::{read, to_json};
use crate::model::ConsentStatement;
use crate::profile::consent::deciding;
use crate::store::Result;
use rustc_hash::FxHashSet;
use std::collections::BTreeSet;

impl Neighbourhood {
    /// Whether anything was said about any identifier that is loaded.
    pub fn speaks(&self) -> bool {
        self.speaks
    }

    /// Everything that was said about an identifier.
    pub fn said(&self, slot: i64) -> &[ConsentStatement] {
        let known = self.identifiers.get(&slot);
        known.map(|known| &*known.said).unwrap_or_default()
    }

    /// The same, to be changed.
    pub fn said_mut(&mut self, slot: i64) -> &mut Vec<ConsentStatement> {
        let known = self.identifiers.get_mut(&slot).expect("loaded or made");
        self.speaks = true;
        known.retold = true;
        &mut known.said
    }

    /// Ends the changes; returns the identifiers about which other statements count now for everybody who has them.
    pub fn keep_said(&mut self) -> Result<FxHashSet<i64>> {
        let mut changed = FxHashSet::default();
        if !self.speaks {
            return Ok(changed);
        }
        for (slot, known) in &mut self.identifiers {
            if !std::mem::take(&mut known.retold) {
                continue;
            }
            known.said.sort_by(|a, b| {
                let key = |one: &ConsentStatement| (one.record, one.gone_at, one.time);
                a.purpose.cmp(&b.purpose).then_with(|| key(a).cmp(&key(b)))
            });
            let text = (!known.said.is_empty()).then(|| to_json(&known.said));
            if text != known.consents {
                let before = said_in(*slot, known.consents.as_deref())?;
                if counting(&before) != counting(&known.said) {
                    changed.insert(*slot);
                }
                known.consents = text;
                known.dirty = true;
            }
        }
        Ok(changed)
    }

    /// The loaded evidence with an identifier about which anything was said.
    pub fn spoken_of(&self) -> Vec<i64> {
        let seen = self.evidence.values();
        let is_spoken_of = |slot: &i64| !self.said(*slot).is_empty();
        let seen = seen.filter(|seen| seen.row.nodes.iter().any(is_spoken_of));
        seen.map(|seen| seen.row.id).collect()
    }
}

/// What counts for others than the person whose record says it: what decides for the address, and what stands.
fn counting(said: &[ConsentStatement]) -> (Vec<&ConsentStatement>, Vec<&ConsentStatement>) {
    let purposes: BTreeSet<&str> = said.iter().map(|one| &*one.purpose).collect();
    let deciding = purposes.into_iter().filter_map(|purpose| {
        let of = said.iter().filter(|one| &*one.purpose == purpose);
        deciding(&of.collect::<Vec<_>>())
    });
    let standing = said.iter().filter(|one| one.stands());
    (deciding.collect(), standing.collect())
}

/// The stored form, read.
pub fn said_in(slot: i64, text: Option<&str>) -> Result<Vec<ConsentStatement>> {
    match text {
        Some(text) => read("identifier.consents", slot, text),
        None => Ok(Vec::new()),
    }
}
