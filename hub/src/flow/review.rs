//! What an operator should look at: values that several people share, ties that were refused, components that grew large,
//! people whose records give them different names. Reads only.

use crate::flow::Context;
use crate::flow::explain::{Step, named_rejections};
use crate::flow::neighbourhood::{Neighbourhood, identifier_of};
use crate::flow::settle::claim_of;
use crate::model::{Fields, Identifier};
use crate::store::{Result, Tx};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Pieces of evidence from which on a component is called large.
const LARGE: i64 = 20;

#[derive(Debug, Default, Serialize)]
pub struct Review {
    /// With the number of sets in which they were seen, most first.
    pub shared: Vec<(Identifier, i64)>,
    pub refused: Vec<Step>,
    pub large: Vec<Large>,
    pub names: Vec<Named>,
}

#[derive(Debug, Serialize)]
pub struct Large {
    /// One of its people.
    pub person: String,
    pub people: i64,
    pub evidence: i64,
}

#[derive(Debug, Serialize)]
pub struct Named {
    pub person: String,
    pub names: Vec<String>,
}

impl Review {
    pub fn is_empty(&self) -> bool {
        self.shared.is_empty()
            && self.refused.is_empty()
            && self.large.is_empty()
            && self.names.is_empty()
    }
}

/// At most `limit` of each kind.
pub async fn review(context: &Context, limit: i64) -> Result<Review> {
    let mut tx = context.store.read().await?;
    let mut review = Review::default();
    for (slot, count) in tx.most_shared(limit).await? {
        for row in tx.identifiers_at(&[slot]).await? {
            review.shared.push((identifier_of(&row), count));
        }
    }
    for (component, people, evidence) in tx.large_components(LARGE, limit).await? {
        let rows = tx.evidence_of_components([component]).await?;
        let first = rows.iter().find_map(|row| row.person_id);
        let person = tx
            .persons(first)
            .await?
            .first()
            .map_or_else(String::new, |row| Uuid::from_bytes(row.uuid).to_string());
        review.large.push(Large {
            person,
            people,
            evidence,
        });
    }
    let divided = tx.divided_components(limit).await?;
    let mut neighbourhood = Neighbourhood::new(0, context.rules.clone());
    neighbourhood.load_components(&mut tx, divided).await?;
    review.refused = named_rejections(&mut tx, &neighbourhood.around(), limit as usize).await?;
    review.names = names(&mut tx, limit as usize).await?;
    Ok(review)
}

/// People whose records give them first names of which none begins like the other, or other last names.
async fn names(tx: &mut Tx, limit: usize) -> Result<Vec<Named>> {
    let mut found = Vec::new();
    for chunk in tx.persons_of_several_sets().await?.chunks(500) {
        let people = tx.persons(chunk.iter().copied()).await?;
        let components: BTreeSet<i64> = people.iter().map(|row| row.component).collect();
        let evidence = tx.evidence_of_components(components).await?;
        let owner: BTreeMap<i64, i64> = evidence
            .iter()
            .filter_map(|row| Some((row.id, row.person_id?)))
            .collect();
        let mut names: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
        for claim in tx.claims_of(owner.keys().copied()).await? {
            let of = names.entry(owner[&claim.evidence_id]).or_default();
            of.extend(full_name(&claim_of(&claim).traits));
        }
        for row in &people {
            let names = names.remove(&row.id).unwrap_or_default();
            let mut pairs = names
                .iter()
                .flat_map(|one| names.iter().map(move |other| (one, other)));
            if pairs.any(|(one, other)| differ(one, other)) {
                found.push(Named {
                    person: Uuid::from_bytes(row.uuid).to_string(),
                    names: names.into_iter().collect(),
                });
            }
        }
        if found.len() >= limit {
            found.truncate(limit);
            break;
        }
    }
    Ok(found)
}

fn full_name(traits: &Fields) -> Option<String> {
    let text = |name: &str| {
        let text = traits.get(name)?.as_str()?.trim().to_lowercase();
        (!text.is_empty()).then_some(text)
    };
    Some(format!("{} {}", text("first_name")?, text("last_name")?))
}

/// One name is not a shorter or differently accented form of the other.
fn differ(one: &str, other: &str) -> bool {
    strsim::jaro_winkler(one, other) < 0.85
}
