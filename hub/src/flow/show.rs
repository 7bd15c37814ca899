//! Reads for people: one profile with the origin of each value, profiles found by a text.
//! Loads, and lets the pure stages explain; writes nothing.

use crate::flow::Context;
use crate::flow::settle::{ConsentEntry, claim_of};
use crate::identity::{self, Evidence, Node};
use crate::landing::{next_slot, slot_of_identifier};
use crate::model::{Fields, Identifier, IdentifierKind, Timestamp, Value};
use crate::profile;
use crate::store::{EvidenceRow, IdentifierRow, PersonRow, Result, Tx};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A profile as a surface shows it.
#[derive(Debug, Serialize)]
pub struct ProfileView {
    pub id: String,
    pub traits: Fields,
    pub consents: BTreeMap<String, ConsentEntry>,
    pub identifiers: Vec<Identifier>,
    pub sources: usize,
    pub records: usize,
    pub events: usize,
    /// RFC 3339.
    pub last_event_at: Option<String>,
    pub audiences: Vec<InAudience>,
    pub why: Vec<TraitWhy>,
    /// Edges that made it one person, as `RECORD — KIND VALUE — RECORD`.
    pub links: Vec<Link>,
}

#[derive(Debug, Serialize)]
pub struct InAudience {
    pub name: String,
    pub since: String,
}

/// Where a trait's value comes from.
#[derive(Debug, Serialize)]
pub struct TraitWhy {
    pub name: String,
    pub value: Option<Value>,
    pub source: String,
    pub record: String,
    pub time: i64,
    pub claims: usize,
    pub rule: String,
}

/// Two identifiers that one record holds together.
#[derive(Debug, Serialize)]
pub struct Link {
    pub from: Identifier,
    pub to: Identifier,
    pub record: String,
}

/// What a lookup found.
#[derive(Debug)]
pub enum Found {
    Person(Box<ProfileView>),
    /// The identifier is shared by several people and joins nobody.
    Shared,
    Nobody,
}

/// The person behind an identifier.
pub async fn by_identifier(context: &Context, identifier: &Identifier) -> Result<Found> {
    let mut tx = context.store.read().await?;
    let Some(row) = find_identifier(&mut tx, identifier).await? else {
        return Ok(Found::Nobody);
    };
    if row.shared {
        return Ok(Found::Shared);
    }
    let Some(component) = row.component else {
        return Ok(Found::Nobody);
    };
    let neighbourhood = Around::load(&mut tx, component).await?;
    let graph = neighbourhood.graph();
    let resolution = identity::resolve(&graph, &context.rules);
    let node = neighbourhood
        .slots
        .iter()
        .position(|slot| *slot == row.slot);
    let person = node
        .and_then(|node| resolution.person_of_node[node])
        .and_then(|index| resolution.people.get(index as usize));
    match person {
        Some(person) => view(context, &mut tx, person.id.0, &neighbourhood, &resolution).await,
        None => Ok(Found::Nobody),
    }
}

/// The person behind an id, old ids included.
pub async fn by_id(context: &Context, id: Uuid) -> Result<Found> {
    let mut tx = context.store.read().await?;
    let Some(person) = tx.alias(id.as_bytes()).await? else {
        return Ok(Found::Nobody);
    };
    let Some(row) = tx.persons([person]).await?.pop() else {
        return Ok(Found::Nobody);
    };
    let neighbourhood = Around::load(&mut tx, row.component).await?;
    let resolution = identity::resolve(&neighbourhood.graph(), &context.rules);
    view(
        context,
        &mut tx,
        Uuid::from_bytes(row.uuid),
        &neighbourhood,
        &resolution,
    )
    .await
}

async fn find_identifier(
    tx: &mut Tx,
    identifier: &Identifier,
) -> Result<Option<IdentifierRow<'static>>> {
    let kind = identifier.kind.to_string();
    let mut slot = slot_of_identifier(&kind, &identifier.value);
    loop {
        match tx.identifiers_at(&[slot]).await?.pop() {
            None => return Ok(None),
            Some(row) if row.kind == kind && row.value == identifier.value => return Ok(Some(row)),
            Some(_) => slot = next_slot(slot),
        }
    }
}

/// One component, loaded to be explained.
struct Around {
    evidence: Vec<EvidenceRow>,
    slots: Vec<i64>,
    nodes: Vec<Node>,
}

impl Around {
    async fn load(tx: &mut Tx, component: i64) -> Result<Self> {
        let mut evidence = tx.evidence_of_components([component]).await?;
        evidence.sort_unstable_by_key(|row| row.id);
        let slots: BTreeSet<i64> = evidence
            .iter()
            .flat_map(|row| row.nodes.iter().copied())
            .collect();
        let slots: Vec<i64> = slots.into_iter().collect();
        let mut rows = tx.identifiers_at(&slots).await?;
        rows.sort_unstable_by_key(|row| row.slot);
        let slots = rows.iter().map(|row| row.slot).collect();
        let nodes = rows
            .into_iter()
            .map(|row| Node {
                identifier: Identifier {
                    kind: IdentifierKind::parse(&row.kind).unwrap_or(IdentifierKind::AnonymousId),
                    value: row.value.into_owned(),
                },
                shared: row.shared,
                blocked: false,
            })
            .collect();
        Ok(Self {
            evidence,
            slots,
            nodes,
        })
    }

    fn graph(&self) -> identity::Neighbourhood {
        let place = |slot: &i64| {
            self.slots
                .binary_search(slot)
                .ok()
                .map(|index| index as u32)
        };
        let evidence = self
            .evidence
            .iter()
            .map(|row| Evidence {
                nodes: row.nodes.iter().filter_map(place).collect(),
                first_seen: Timestamp(row.first_seen),
                message: row.message.clone(),
            })
            .collect();
        identity::Neighbourhood {
            nodes: self.nodes.clone(),
            evidence,
            ..Default::default()
        }
    }
}

async fn view(
    context: &Context,
    tx: &mut Tx,
    id: Uuid,
    around: &Around,
    resolution: &identity::Resolution,
) -> Result<Found> {
    let Some(person) = resolution.people.iter().find(|person| person.id.0 == id) else {
        return Ok(Found::Nobody);
    };
    let evidence: Vec<i64> = person
        .evidence
        .iter()
        .map(|index| around.evidence[*index as usize].id)
        .collect();
    let Some(row_id) = evidence
        .iter()
        .find_map(|id| around.evidence.iter().find(|row| row.id == *id)?.person_id)
    else {
        return Ok(Found::Nobody);
    };
    let Some(row) = tx.persons([row_id]).await?.pop() else {
        return Ok(Found::Nobody);
    };
    let claims: Vec<profile::Claim> = tx
        .claims_of(evidence.iter().copied())
        .await?
        .iter()
        .map(claim_of)
        .collect();
    let events = tx.events_of(evidence.iter().copied()).await?;
    let audiences = tx
        .memberships_of([row_id])
        .await?
        .into_iter()
        .map(|row| InAudience {
            name: row.audience,
            since: Timestamp(row.since).to_rfc3339(),
        })
        .collect();
    let sources: BTreeSet<&str> = claims.iter().map(|claim| &*claim.source).collect();
    Ok(Found::Person(Box::new(ProfileView {
        id: id.to_string(),
        identifiers: person
            .nodes
            .iter()
            .map(|node| around.nodes[*node as usize].identifier.clone())
            .collect(),
        sources: sources.len(),
        records: claims.len(),
        last_event_at: events
            .iter()
            .map(|event| event.time)
            .max()
            .map(|time| Timestamp(time).to_rfc3339()),
        events: events.len(),
        audiences,
        why: why(context, &claims),
        links: links(person, around),
        traits: serde_json::from_str(&row.traits).unwrap_or_default(),
        consents: serde_json::from_str(&row.consents).unwrap_or_default(),
    })))
}

/// The edges that made it one person.
fn links(person: &identity::Person, around: &Around) -> Vec<Link> {
    let message = |index: u32| around.evidence[index as usize].message.clone();
    person
        .joined
        .iter()
        .map(|edge| Link {
            from: around.nodes[edge.high as usize].identifier.clone(),
            to: around.nodes[edge.low as usize].identifier.clone(),
            record: edge.evidence.map(message).unwrap_or_default(),
        })
        .collect()
}

fn why(context: &Context, claims: &[profile::Claim]) -> Vec<TraitWhy> {
    profile::explain(claims, &context.plan.survivorship)
        .into_iter()
        .map(|why| {
            let claim = why.winner.as_ref().map(|won| &claims[won.claim as usize]);
            TraitWhy {
                claims: why.losers.len() + usize::from(claim.is_some()),
                value: why.winner.as_ref().map(|won| won.value.clone()),
                source: claim
                    .map(|claim| claim.source.to_string())
                    .unwrap_or_default(),
                record: claim.map(|claim| claim.record.clone()).unwrap_or_default(),
                time: claim.map_or(0, |claim| claim.time.0),
                name: why.name,
                rule: why.rule,
            }
        })
        .collect()
}

/// Profiles whose traits contain a text.
pub async fn find(context: &Context, text: &str, limit: i64) -> Result<Vec<PersonRow>> {
    context.store.read().await?.find_persons(text, limit).await
}
