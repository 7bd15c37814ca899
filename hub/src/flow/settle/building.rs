//! The profiles of people who changed, from their claims: those that are stored and those that this batch brought.

use super::{Alone, Built, FreshClaim, View, claim_of};
use crate::flow::Context;
use crate::flow::neighbourhood::{Neighbourhood, Resolved};
use crate::store::{ClaimRow, PersonRow, Result, Tx};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Everything that makes the profiles of some people.
pub(super) struct Building {
    people: Vec<Resolved>,
    /// Evidence whose claims are stored.
    evidence: Vec<i64>,
    /// Of that evidence.
    known: FxHashMap<i64, Vec<ClaimRow>>,
    /// Those that are not among the stored ones, by evidence.
    fresh: FxHashMap<i64, Vec<FreshClaim>>,
}

impl Building {
    /// `is_before`: what is going to be loaded are claims without the fresh ones.
    pub fn new(
        neighbourhood: &Neighbourhood,
        people: Vec<Resolved>,
        fresh: Vec<FreshClaim>,
        is_before: bool,
    ) -> Self {
        let evidence = people.iter().flat_map(|person| &person.evidence);
        let known = evidence.filter(|id| !neighbourhood.is_new_evidence(**id));
        let mut building = Self {
            evidence: known.copied().collect(),
            people,
            known: FxHashMap::default(),
            fresh: FxHashMap::default(),
        };
        for claim in fresh {
            if is_before || neighbourhood.is_new_evidence(claim.0.evidence_id) {
                let of = building.fresh.entry(claim.0.evidence_id);
                of.or_default().push(claim);
            }
        }
        building
    }

    pub async fn load(&mut self, tx: &mut Tx) -> Result<()> {
        if self.evidence.is_empty() {
            return Ok(());
        }
        let evidence = std::mem::take(&mut self.evidence);
        for row in tx.claims_of(evidence).await? {
            self.known.entry(row.evidence_id).or_default().push(row);
        }
        Ok(())
    }

    fn build_one(&mut self, person: &Resolved, context: &Context) -> Built {
        let mut fresh: Vec<FreshClaim> = Vec::new();
        let mut known: Vec<ClaimRow> = Vec::new();
        for id in &person.evidence {
            fresh.extend(self.fresh.remove(id).unwrap_or_default());
            known.extend(self.known.remove(id).unwrap_or_default());
        }
        match fresh.pop() {
            Some((_, Alone(built))) if fresh.is_empty() && known.is_empty() => built,
            last => {
                let fresh = fresh.iter().chain(&last).map(|(row, _)| row);
                Built::from(known.iter().chain(fresh).map(claim_of).collect(), context)
            }
        }
    }

    pub fn build(mut self, context: &Context) -> Profiles {
        let now = context.clock.now().0;
        let mut profiles = Profiles::default();
        let (mut new, mut known) = (Vec::new(), Vec::new());
        for person in std::mem::take(&mut self.people) {
            let built = self.build_one(&person, context);
            let rows = if person.stands { &mut known } else { &mut new };
            rows.push(PersonRow {
                id: person.id,
                uuid: person.uuid,
                component: person.component,
                traits: built.traits,
                consents: built.consents,
                updated_at: now,
            });
            profiles
                .views
                .extend(built.read.map(|(traits, consents)| View {
                    id: person.id,
                    uuid: person.uuid,
                    is_new: !person.stands,
                    evidence: person.evidence,
                    traits,
                    consents,
                    account_audiences: BTreeMap::new(),
                }));
        }
        new.sort_unstable_by_key(|row| row.id);
        known.sort_unstable_by_key(|row| row.id);
        profiles.new_rows = new.len();
        new.append(&mut known);
        profiles.rows = new;
        profiles
    }
}

#[derive(Default)]
pub(super) struct Profiles {
    /// Those of people without a row, then the others, each by id.
    pub rows: Vec<PersonRow>,
    pub new_rows: usize,
    /// Empty where nobody watches people.
    pub views: Vec<View>,
}
