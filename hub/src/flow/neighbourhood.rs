//! The part of the identity graph that a batch touches: loads it, lets `identity` resolve it, and keeps what changed.
//! An edge never leaves a component of live identifiers, so recomputing the touched components is exact (I2).

mod load;
mod reshape;

use crate::flow::change::StreamRef;
use crate::identity;
use crate::model::Identifier;
use crate::store::{EvidenceRow, IdentifierRow, Result, Tx};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;

/// An identifier's row, and whether it must be written.
#[derive(Debug)]
struct Known {
    identifier: Identifier,
    component: Option<i64>,
    shared: bool,
    dirty: bool,
}

/// An evidence's row, and what is known about its writing.
#[derive(Debug)]
struct Seen {
    row: EvidenceRow,
    is_new: bool,
    dirty: bool,
    removed: bool,
}

#[derive(Debug, Default)]
pub struct Neighbourhood {
    identifiers: FxHashMap<i64, Known>,
    /// Slots that were looked for and are free.
    free: FxHashSet<i64>,
    evidence: FxHashMap<i64, Seen>,
    by_set: FxHashMap<Vec<i64>, i64>,
    components: FxHashSet<i64>,
    /// Components whose evidence changed.
    stale_components: FxHashSet<i64>,
    stale_evidence: BTreeSet<i64>,
    next_evidence: i64,
    /// Shared identifiers to be counted again, all of whose evidence is loaded.
    recount: FxHashSet<i64>,
    flipped_live: Vec<i64>,
    new_shared: Vec<(i64, i64)>,
}

/// A person after resolving, with the evidence that makes it.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The id of its earliest evidence.
    pub id: i64,
    pub uuid: [u8; 16],
    pub component: i64,
    pub evidence: Vec<i64>,
    /// False when it may have a row already.
    pub is_new: bool,
}

/// What resolving changed.
#[derive(Debug, Default)]
pub struct Reshaped {
    pub people: Vec<Resolved>,
    /// Persons that are no more, and who has their earliest evidence now.
    pub gone: Vec<(i64, Option<i64>)>,
}

impl Neighbourhood {
    /// `next_evidence` is the first of the ids reserved for new evidence.
    pub fn new(next_evidence: i64) -> Self {
        Self {
            next_evidence,
            ..Self::default()
        }
    }

    /// The evidence of a set of identifiers, supported by one more record.
    pub fn gain(
        &mut self,
        slots: Vec<i64>,
        first_seen: i64,
        message: impl FnOnce() -> String,
    ) -> i64 {
        let key = set_key(&slots);
        if let Some(id) = self.by_set.get(&key) {
            let seen = self
                .evidence
                .get_mut(id)
                .expect("`by_set` holds only ids of `evidence`");
            if first_seen <= seen.row.first_seen {
                let message = message();
                if (first_seen, &message) < (seen.row.first_seen, &seen.row.message) {
                    seen.row.first_seen = first_seen;
                    seen.row.message = message;
                    seen.dirty = true;
                    self.stale_evidence.insert(*id);
                }
            }
            return *id;
        }
        let id = self.next_evidence;
        self.next_evidence += 1;
        let row = EvidenceRow {
            id,
            component: id,
            person_id: None,
            nodes: slots,
            first_seen,
            message: message(),
        };
        self.by_set.insert(key, id);
        self.evidence.insert(
            id,
            Seen {
                row,
                is_new: true,
                dirty: true,
                removed: false,
            },
        );
        self.stale_evidence.insert(id);
        id
    }

    /// The person that evidence belongs to now.
    pub fn person_of(&self, evidence: i64) -> Option<i64> {
        self.evidence
            .get(&evidence)
            .filter(|seen| !seen.removed)
            .and_then(|seen| seen.row.person_id)
    }

    pub fn is_new_evidence(&self, evidence: i64) -> bool {
        self.evidence.get(&evidence).is_some_and(|seen| seen.is_new)
    }

    /// The loaded evidence of persons whose shape did not change.
    pub fn evidence_of_persons(&self, persons: &FxHashSet<i64>) -> FxHashMap<i64, Vec<i64>> {
        let mut found: FxHashMap<i64, Vec<i64>> = FxHashMap::default();
        for seen in self.evidence.values().filter(|seen| !seen.removed) {
            if let Some(person) = seen.row.person_id.filter(|person| persons.contains(person)) {
                found.entry(person).or_default().push(seen.row.id);
            }
        }
        found
    }

    /// Persons whose shape stands: id, component, uuid, from their earliest evidence.
    pub fn heads(
        &self,
        persons: &FxHashSet<i64>,
        rules: &identity::Rules,
    ) -> Vec<(i64, i64, [u8; 16])> {
        let mut heads: Vec<_> = persons
            .iter()
            .filter_map(|id| {
                let row = &self.evidence.get(id)?.row;
                Some((
                    *id,
                    row.component,
                    rules.person_id(&row.message).0.into_bytes(),
                ))
            })
            .collect();
        heads.sort_unstable();
        heads
    }

    /// Writes what changed, sorted by key.
    pub async fn save(&mut self, tx: &mut Tx) -> Result<()> {
        let mut identifiers: Vec<IdentifierRow<'_>> = self
            .identifiers
            .iter()
            .filter(|(_, known)| known.dirty)
            .map(|(slot, known)| IdentifierRow {
                slot: *slot,
                kind: known.identifier.kind.text(),
                value: known.identifier.value.as_str().into(),
                component: known.component,
                shared: known.shared,
            })
            .collect();
        identifiers.sort_unstable_by_key(|row| row.slot);
        tx.save_identifiers(&identifiers).await?;
        let removed: Vec<i64> = self
            .evidence
            .values()
            .filter(|seen| seen.removed && !seen.is_new)
            .map(|seen| seen.row.id)
            .collect();
        tx.remove_evidence(&removed).await?;
        let mut evidence: Vec<&EvidenceRow> = self
            .evidence
            .values()
            .filter(|seen| seen.dirty && !seen.removed)
            .map(|seen| &seen.row)
            .collect();
        evidence.sort_unstable_by_key(|row| row.id);
        tx.save_evidence(&evidence).await?;
        tx.remove_shared(&self.flipped_live).await?;
        self.new_shared.sort_unstable();
        self.new_shared.dedup();
        tx.add_shared_evidence(&self.new_shared).await
    }
}

/// `source/stream/key`: the id of the message that a record is.
pub fn message_id(stream: &StreamRef, key: &str) -> String {
    format!("{}/{}/{}", stream.source, stream.name, key)
}

fn set_key(slots: &[i64]) -> Vec<i64> {
    let mut key = slots.to_vec();
    key.sort_unstable();
    key.dedup();
    key
}
