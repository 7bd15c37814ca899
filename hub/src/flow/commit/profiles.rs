//! The profiles of people who changed, from their stored claims and the claims of this batch.

use crate::flow::commit::agreed::consents_of;
use crate::flow::commit::claim::{Alone, Built, FreshClaim, claim_of};
use crate::flow::commit::neighbourhood::{Neighbourhood, Resolved};
use crate::flow::commit::view::View;
use crate::flow::commit::view::stored_consents;
use crate::flow::context::{Context, LONG, both};
use crate::store::{ClaimRow, PersonRow, Result};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Claims sorted by evidence, to be taken one piece of evidence at a time.
struct ByEvidence<T> {
    claims: Vec<T>,
    evidence_of: fn(&T) -> i64,
    /// Where the claims of each piece of evidence begin.
    starts: FxHashMap<i64, usize>,
}

impl<T: Default> ByEvidence<T> {
    fn new(claims: Vec<T>, evidence_of: fn(&T) -> i64) -> Self {
        let mut starts = FxHashMap::default();
        for (index, claim) in claims.iter().enumerate() {
            starts.entry(evidence_of(claim)).or_insert(index);
        }
        Self {
            claims,
            evidence_of,
            starts,
        }
    }

    /// The claims on these pieces of evidence.
    fn take(&mut self, evidence: &[i64]) -> Vec<T> {
        let mut taken = Vec::new();
        for id in evidence {
            let start = self.starts.get(id).copied().unwrap_or(self.claims.len());
            let claims = self.claims[start..].iter_mut();
            let of = claims.take_while(|claim| (self.evidence_of)(claim) == *id);
            taken.extend(of.map(std::mem::take));
        }
        taken
    }
}

/// Builds the profiles of people from claims on their evidence, with what holds of consent by their loaded neighbourhood. Both lists of claims are sorted by evidence; extra claims are ignored.
pub fn build(
    people: Vec<Resolved>,
    stored: Vec<ClaimRow>,
    fresh: Vec<FreshClaim>,
    neighbourhood: &Neighbourhood,
    context: &Context,
) -> Result<Profiles> {
    let mut fresh = ByEvidence::new(fresh, |(row, _)| row.evidence_id);
    let mut stored = ByEvidence::new(stored, |row| row.evidence_id);
    let people = people.into_iter().map(|person| Material {
        fresh: fresh.take(&person.evidence),
        stored: stored.take(&person.evidence),
        person,
    });
    let mut people: Vec<Material> = people.collect();
    let others = people.split_off(people.len() / 2);
    let (these, those) = both(
        others.len() >= LONG,
        || profiles(people, neighbourhood, context),
        || profiles(others, neighbourhood, context),
    );
    let (mut profiles, those) = (these?, those?);
    profiles.new.extend(those.new);
    profiles.known.extend(those.known);
    profiles.views.extend(those.views);
    profiles.new.sort_unstable_by_key(|row| row.id);
    profiles.known.sort_unstable_by_key(|row| row.id);
    Ok(profiles)
}

/// What a person's profile is built from.
struct Material {
    person: Resolved,
    fresh: Vec<FreshClaim>,
    stored: Vec<ClaimRow>,
}

fn profiles(
    people: Vec<Material>,
    neighbourhood: &Neighbourhood,
    context: &Context,
) -> Result<Profiles> {
    let now = context.clock.now().0;
    let mut profiles = Profiles::default();
    for Material {
        person,
        fresh,
        stored,
    } in people
    {
        let built = built(fresh, stored, context)?;
        let consents = consents_of(neighbourhood, &context.plan, &person.evidence);
        let rows = match person.stands {
            true => &mut profiles.known,
            false => &mut profiles.new,
        };
        rows.push(PersonRow {
            id: person.id,
            uuid: person.uuid,
            component: person.component,
            traits: built.traits,
            consents: stored_consents(&consents),
            updated_at: now,
        });
        profiles.views.extend(built.read.map(|traits| View {
            id: person.id,
            uuid: person.uuid,
            is_new: !person.stands,
            evidence: person.evidence,
            traits,
            consents,
            account_audiences: BTreeMap::new(),
        }));
    }
    Ok(profiles)
}

fn built(mut fresh: Vec<FreshClaim>, known: Vec<ClaimRow>, context: &Context) -> Result<Built> {
    match fresh.pop() {
        Some((_, Alone(built))) if fresh.is_empty() && known.is_empty() => Ok(built),
        last => {
            let fresh = fresh.into_iter().chain(last).map(|(row, _)| row);
            let claims = known.into_iter().chain(fresh).map(claim_of);
            Ok(Built::from(claims.collect::<Result<_>>()?, context))
        }
    }
}

#[derive(Default)]
pub struct Profiles {
    /// The rows of people who had none, and of the others, each by id.
    pub new: Vec<PersonRow>,
    pub known: Vec<PersonRow>,
    /// Empty where nothing depends on profiles.
    pub views: Vec<View>,
}
