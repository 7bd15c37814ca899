//! The names that records give to evidence. Names part and join people, so they follow every edit.

use super::Neighbourhood;
use crate::flow::commit::claim::claim_of;
use crate::identity;
use crate::store::{Result, Tx};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;

/// What the records of a batch say of the names of evidence that is stored, while their rows are not written yet.
#[derive(Default)]
pub struct Naming {
    /// The evidence that a record supports from now on, the record's slot, and its name.
    given: Vec<(i64, i64, Option<String>)>,
    /// Evidence whose name may be another one now.
    doubtful: BTreeSet<i64>,
}

impl Naming {
    /// A record supports this evidence from now on; `had`: what it supported before.
    pub fn add(
        &mut self,
        neighbourhood: &mut Neighbourhood,
        evidence: i64,
        had: Option<i64>,
        slot: i64,
        name: Option<String>,
    ) {
        let Some(seen) = neighbourhood.evidence.get(&evidence) else {
            return;
        };
        if seen.is_new {
            if name.is_some() && neighbourhood.knows_shared_id(&seen.row.nodes) {
                neighbourhood.recounted.push(evidence);
            }
            return;
        }
        let known = seen.row.name.as_deref();
        let is_better = identity::better(known, name.as_deref()) != known;
        if known != name.as_deref() && (had == Some(evidence) || is_better) {
            self.doubtful.insert(evidence);
        }
        self.given.push((evidence, slot, name));
    }

    /// Names the evidence. Returns that whose shared identifiers have to be counted again.
    pub async fn end(self, tx: &mut Tx, neighbourhood: &mut Neighbourhood) -> Result<Vec<i64>> {
        if !self.doubtful.is_empty() {
            let given = self
                .given
                .iter()
                .map(|(evidence, slot, _)| (*evidence, *slot));
            let given: FxHashSet<(i64, i64)> = given.collect();
            let mut names = names_of(tx, &self.doubtful, |evidence, slot| {
                !given.contains(&(evidence, slot))
            })
            .await?;
            for (evidence, _, name) in self.given {
                if let Some(name) = name.filter(|_| self.doubtful.contains(&evidence)) {
                    add(&mut names, evidence, name);
                }
            }
            for evidence in self.doubtful {
                neighbourhood.name(evidence, names.remove(&evidence));
            }
        }
        Ok(neighbourhood.recounted.clone())
    }
}

/// The names of evidence, by what the wanted ones of its records claim in the store.
pub(super) async fn names_of(
    tx: &mut Tx,
    evidence: &BTreeSet<i64>,
    is_wanted: impl Fn(i64, i64) -> bool,
) -> Result<FxHashMap<i64, String>> {
    let mut names = FxHashMap::default();
    for row in tx.claims_of(evidence.iter().copied()).await? {
        let id = row.evidence_id;
        if is_wanted(id, row.slot)
            && let Some(name) = identity::name_of(&claim_of(row)?.traits)
        {
            add(&mut names, id, name);
        }
    }
    Ok(names)
}

fn add(names: &mut FxHashMap<i64, String>, evidence: i64, name: String) {
    let known = names.get(&evidence).map(String::as_str);
    if identity::better(known, Some(&name)) != known {
        names.insert(evidence, name);
    }
}

impl Neighbourhood {
    /// Gives evidence its name. Where it had another one, what follows from that is decided again.
    pub(super) fn name(&mut self, evidence: i64, name: Option<String>) {
        let Some(seen) = self.evidence.get_mut(&evidence) else {
            return;
        };
        if seen.row.name.as_deref() == name.as_deref() {
            return;
        }
        seen.row.name = name.map(Into::into);
        seen.dirty = true;
        self.stale_evidence.insert(evidence);
        let nodes = &self.evidence[&evidence].row.nodes;
        if nodes.iter().any(|slot| self.identifiers[slot].shared) {
            self.recounted.push(evidence);
        }
    }

    /// Whether an id that is known already is among these identifiers, and one that is shared: with its name it may count for less.
    fn knows_shared_id(&self, nodes: &[i64]) -> bool {
        let is_known = |slot: &i64| {
            let known = &self.identifiers[slot];
            !known.is_new && self.rules.is_strong(&known.identifier.kind)
        };
        let is_shared = |slot: &i64| self.identifiers[slot].shared;
        self.has_shared && nodes.iter().any(is_shared) && nodes.iter().any(is_known)
    }
}
