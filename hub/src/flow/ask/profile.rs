//! Reads for people: one profile with the origin of each value, profiles found by a text.
//! Loads, and lets the pure stages explain; writes nothing.

use crate::flow::ask::consent::{ConsentView, consents_of};
use crate::flow::ask::shown::named;
use crate::flow::ask::thing::{Thing, divided};
use crate::flow::commit::claim::claim_of;
use crate::flow::commit::identifiers::find;
use crate::flow::commit::neighbourhood::{Around, Held, Neighbourhood, held_in};
use crate::flow::commit::suppressed::is_suppressed;
use crate::flow::commit::view::Consents;
use crate::flow::commit::view::read_consents;
use crate::flow::commit::views::traits_of;
use crate::flow::context::Context;
use crate::identity::{self, Node};
use crate::manifest::Survivorship;
use crate::model::{Fields, Identifier, Shown, Value};
use crate::profile;
use crate::store::{EvidenceRow, PersonRow, Result, Tx};
use serde::Serialize;
use std::collections::BTreeSet;
use uuid::Uuid;

/// The person asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Identifier(Identifier),
    /// A person's id, old ones included.
    Id(Uuid),
}

/// A profile as a surface shows it.
#[derive(Debug, Serialize)]
pub struct ProfileView {
    pub id: String,
    /// RFC 3339, when it is shown as it was at a past time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Shown>,
    pub traits: Fields,
    pub consents: Consents,
    /// An operator suppressed one of its identifiers: nothing is sent of it. Not known of a past time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suppressed: bool,
    /// What was said of consent, and what decides; none for a past time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub consent_why: Vec<ConsentView>,
    pub identifiers: Vec<Identifier>,
    pub sources: usize,
    pub records: usize,
    pub events: usize,
    /// RFC 3339.
    pub last_event_at: Option<Shown>,
    /// Its orders, subscriptions and products, the latest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub things: Vec<Thing>,
    /// Ids of its accounts, the main one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
    /// None for a past time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audiences: Option<Vec<InAudience>>,
    pub why: Vec<TraitWhy>,
    /// Edges that made it one person, as `RECORD — KIND VALUE — RECORD`.
    pub links: Vec<Link>,
}

#[derive(Debug, Serialize)]
pub struct InAudience {
    pub name: String,
    pub since: Shown,
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

/// The result of looking up a person.
#[derive(Debug)]
pub enum Lookup<P> {
    Person(P),
    /// The identifier is shared by several people and joins nobody.
    Shared,
    Nobody,
}

/// A profile, looked up for a surface.
pub type Found = Lookup<Box<ProfileView>>;

/// The person asked for, as it is now.
pub async fn profile(context: &Context, wanted: &Wanted) -> Result<Found> {
    let mut tx = context.store.read().await?;
    match locate(context, &mut tx, wanted).await? {
        Lookup::Person(located) => view(context, &mut tx, &located).await,
        Lookup::Shared => Ok(Found::Shared),
        Lookup::Nobody => Ok(Found::Nobody),
    }
}

/// A person in its component, resolved.
pub(super) struct Located {
    around: Around,
    person: usize,
}

impl Located {
    fn person(&self) -> &identity::Person {
        &self.around.resolution.people[self.person]
    }

    /// Its identifiers, those included that join nobody.
    pub fn held(&self, rules: &identity::Rules) -> Vec<Held> {
        let slot = |node: u32| self.around.slots[node as usize];
        held_in(&self.around.graph, self.person(), rules, slot)
    }

    /// Its evidence, by id.
    pub fn evidence(&self) -> Vec<i64> {
        let rows = self.person().evidence.iter();
        rows.map(|index| self.around.rows[*index as usize].id)
            .collect()
    }
}

/// The person asked for, in its component.
pub(super) async fn locate(
    context: &Context,
    tx: &mut Tx,
    wanted: &Wanted,
) -> Result<Lookup<Located>> {
    let (component, slot, id) = match wanted {
        Wanted::Identifier(identifier) => match find(tx, identifier).await? {
            Some(row) if row.shared => return Ok(Lookup::Shared),
            Some(row) => (row.component, Some(row.slot), None),
            None => return Ok(Lookup::Nobody),
        },
        Wanted::Id(id) => {
            let Some(person) = tx.alias(id.as_bytes()).await? else {
                return Ok(Lookup::Nobody);
            };
            let Some(row) = tx.persons([person]).await?.pop() else {
                return Ok(Lookup::Nobody);
            };
            let id = Uuid::from_bytes(row.uuid);
            (Some(row.component), None, Some(id))
        }
    };
    let Some(component) = component else {
        return Ok(Lookup::Nobody);
    };
    let mut neighbourhood = Neighbourhood::new(0, context.rules.clone());
    neighbourhood.load_components(tx, [component]).await?;
    let around = neighbourhood.around();
    let resolution = &around.resolution;
    let node = slot.and_then(|slot| around.slots.iter().position(|other| *other == slot));
    let person = match node {
        Some(node) => resolution.person_of_node[node].map(|index| index as usize),
        None => resolution
            .people
            .iter()
            .position(|person| Some(person.id.0) == id),
    };
    Ok(match person {
        Some(person) => Lookup::Person(Located { around, person }),
        None => Lookup::Nobody,
    })
}

async fn view(context: &Context, tx: &mut Tx, located: &Located) -> Result<Found> {
    let (person, around) = (located.person(), &located.around);
    let evidence = located.evidence();
    let Some(row_id) = evidence
        .iter()
        .find_map(|id| around.rows.iter().find(|row| row.id == *id)?.person_id)
    else {
        return Ok(Found::Nobody);
    };
    let Some(row) = tx.persons([row_id]).await?.pop() else {
        return Ok(Found::Nobody);
    };
    let claims: Vec<profile::Claim> = tx
        .claims_of(evidence.iter().copied())
        .await?
        .into_iter()
        .map(claim_of)
        .collect::<Result<_>>()?;
    let events = tx.events_of(evidence.iter().copied()).await?;
    let (events, things) = divided(tx, events).await?;
    let audiences = tx
        .memberships_of([row_id])
        .await?
        .into_iter()
        .map(|row| InAudience {
            name: row.audience,
            since: Shown::of(row.since),
        })
        .collect();
    let relations = tx.relations_of([row_id]).await?;
    let traits = traits_of(&row)?;
    let rows: Vec<&EvidenceRow> = around
        .rows
        .iter()
        .filter(|row| evidence.contains(&row.id))
        .collect();
    let suppressed = is_suppressed(tx, context, &traits, &rows).await?;
    let mut reasons = why(&context.plan.survivorship, &claims);
    reasons.extend(worked_out(context, &traits));
    let sources: BTreeSet<&str> = claims.iter().map(|claim| &*claim.source).collect();
    let view = ProfileView {
        id: person.id.to_string(),
        at: None,
        identifiers: person
            .nodes
            .iter()
            .map(|node| (*around.graph.nodes[*node as usize].identifier).clone())
            .collect(),
        sources: sources.len(),
        records: claims.len(),
        events: events.len(),
        last_event_at: events.into_iter().max().map(Shown),
        things,
        accounts: relations.into_iter().map(|row| row.account).collect(),
        audiences: Some(audiences),
        why: reasons,
        links: links(person, &around.graph.nodes, |index| {
            around.rows[index as usize].message.to_string()
        }),
        traits,
        suppressed,
        consents: read_consents(row.id, &row.consents)?,
        consent_why: consents_of(tx, context, &located.held(&context.rules), &evidence).await?,
    };
    let view = named(view, &context.plan.namespaces);
    Ok(Found::Person(Box::new(view)))
}

/// Computed and predicted values, which come from no record.
pub(super) fn worked_out(context: &Context, traits: &Fields) -> Vec<TraitWhy> {
    let is_of_model = |name: &String| {
        let plan = &context.plan;
        let traits = &mut plan.traits.iter();
        !traits.any(|one| *one.name == **name)
    };
    context
        .computed_names
        .iter()
        .filter_map(|name| {
            let rule = match is_of_model(name) {
                true => "from a fitted model",
                false => "computed",
            };
            Some(TraitWhy {
                name: name.clone(),
                value: Some(traits.get(name)?.clone()),
                source: String::new(),
                record: String::new(),
                time: 0,
                claims: 0,
                rule: rule.to_owned(),
            })
        })
        .collect()
}

/// The edges that made it one person; `message` names the record of a piece of evidence.
pub(super) fn links(
    person: &identity::Person,
    nodes: &[Node],
    message: impl Fn(u32) -> String,
) -> Vec<Link> {
    person
        .joined
        .iter()
        .map(|edge| Link {
            from: (*nodes[edge.high as usize].identifier).clone(),
            to: (*nodes[edge.low as usize].identifier).clone(),
            record: edge.evidence.map(&message).unwrap_or_default(),
        })
        .collect()
}

pub(super) fn why(rules: &Survivorship, claims: &[profile::Claim]) -> Vec<TraitWhy> {
    profile::explain(claims, rules)
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
                time: claim.map_or(0, |claim| claim.time_of(&why.name).0),
                name: why.name,
                rule: why.rule,
            }
        })
        .collect()
}

/// Profiles whose traits contain a text.
pub async fn search(context: &Context, text: &str, limit: i64) -> Result<Vec<PersonRow>> {
    context.store.read().await?.find_persons(text, limit).await
}
