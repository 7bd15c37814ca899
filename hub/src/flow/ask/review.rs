//! What an operator should look at: values that several people share, ties that were refused, components that grew large,
//! people whose records give them different names. Reads only.

use crate::flow::ask::explain::{Step, named_rejections};
use crate::flow::commit::claim::claim_of;
use crate::flow::commit::identifiers::identifier_of;
use crate::flow::commit::neighbourhood::Neighbourhood;
use crate::flow::context::Context;
use crate::model::{Fields, Identifier, Shown};
use crate::store::{Result, Tx};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// From this number of pieces of evidence on, a component is called large.
const LARGE: i64 = 20;

#[derive(Debug, Default, Serialize)]
pub struct Review {
    /// With the number of sets in which they were seen, most first.
    pub shared: Vec<(Identifier, i64)>,
    pub refused: Vec<Step>,
    /// Components above the cap, whose weakest ties are not used.
    pub capped: Vec<Capped>,
    pub large: Vec<Large>,
    pub names: Vec<Named>,
}

#[derive(Debug, Serialize)]
pub struct Capped {
    /// One of its people.
    pub person: String,
    pub identifiers: i64,
    /// RFC 3339.
    pub since: Shown,
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
            && self.capped.is_empty()
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
            review.shared.push((identifier_of(&row)?, count));
        }
    }
    for row in tx.capped().await?.into_iter().take(limit as usize) {
        review.capped.push(Capped {
            person: somebody(&mut tx, row.component).await?,
            identifiers: row.identifiers,
            since: Shown::of(row.since),
        });
    }
    for (component, people, evidence) in tx.large_components(LARGE, limit).await? {
        let person = somebody(&mut tx, component).await?;
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

/// The id of one of a component's people.
async fn somebody(tx: &mut Tx, component: i64) -> Result<String> {
    let first = tx.person_of_component(component).await?;
    let rows = tx.persons(first).await?;
    let id = rows.first().map(|row| Uuid::from_bytes(row.uuid));
    Ok(id.map_or_else(String::new, |id| id.to_string()))
}

/// People whose records give them full names that are not similar.
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
            of.extend(full_name(&claim_of(claim)?.traits));
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test shows its failure by panicking")]

    use super::*;
    use crate::flow::harness::World;
    use crate::flow::upkeep::alarm::alarm;
    use serde_json::{Value, json};

    const MANIFEST: &str = r#"
[hub]
name = "test"
store = "sqlite:unused.db"
[identity]
component_cap = 4
[[source]]
name = "crm"
connector = "any"
[[source.stream]]
name = "contacts"
to = "person"
key = "id"
map.email = "email | email"
map.phone = "phone | phone"
"#;
    const CONTACTS: (&str, &str) = ("crm", "contacts");

    fn contact(id: u8, email: u8, phone: u8) -> Value {
        json!({ "id": format!("{id}"), "email": format!("e{email}@example.com"), "phone": format!("+4860010000{phone}") })
    }

    async fn reported(world: &World) -> Option<String> {
        let warnings = alarm(&world.context).await.unwrap();
        warnings.into_iter().next().map(|problem| problem.message)
    }

    async fn capped(world: &World) -> Vec<i64> {
        let review = review(&world.context, 10).await.unwrap();
        let capped = review.capped.iter();
        assert!(capped.clone().all(|one| !one.person.is_empty()));
        capped.map(|one| one.identifiers).collect()
    }

    #[tokio::test]
    async fn crossing_the_cap_is_reported_once_for_as_long_as_it_is_crossed() {
        let world = World::new(MANIFEST, &[CONTACTS], 1_000).await;
        // Two records with one e-mail address are as many identifiers as the cap allows.
        let first = [contact(1, 1, 1), contact(2, 1, 1)];
        world.apply(CONTACTS, &first, &[]).await;
        assert_eq!(reported(&world).await, None);
        world.apply(CONTACTS, &[contact(2, 1, 2)], &[]).await;
        let message = "5 identifiers hang together, more than `component_cap` allows (4): the weakest ties between them are no longer used";
        assert_eq!(reported(&world).await.as_deref(), Some(message));
        assert_eq!(reported(&world).await, None);
        // It grows, and has been reported already.
        world.apply(CONTACTS, &[contact(3, 3, 2)], &[]).await;
        assert_eq!(
            (capped(&world).await, reported(&world).await),
            (vec![7], None)
        );
        // Another one is new.
        let others = [contact(5, 5, 5), contact(6, 5, 6)];
        world.apply(CONTACTS, &others, &[]).await;
        assert!(reported(&world).await.is_some());
        assert_eq!(capped(&world).await, [7, 5]);
        // Once below, crossing is news again.
        let gone = [json!({ "id": "6" }), json!({ "id": "3" })];
        world.apply(CONTACTS, &[], &gone).await;
        assert_eq!(
            (capped(&world).await, reported(&world).await),
            (vec![5], None)
        );
        world.apply(CONTACTS, &[contact(6, 5, 6)], &[]).await;
        assert!(reported(&world).await.is_some());
        assert_eq!(capped(&world).await, [5, 5]);
    }
}
