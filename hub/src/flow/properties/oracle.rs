//! The batch answer to everything at once, with no store in between.

use super::world::{Kind, World};
use crate::audience::{self, EventFact, Facts};
use crate::compute::{self, Event, Given};
use crate::flow;
use crate::flow::context::Context;
use crate::flow::upkeep::statements::Stating;
use crate::identity::{self, Evidence, Node, Statement};
use crate::manifest::IdentityRules;
use crate::model::{Canonical, ConsentStatus, Fact, Fields, Identifier, Timestamp};
use crate::profile::{self, Claim};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that a hub's answer follows from.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub records: BTreeMap<(Kind, String), String>,
    pub statements: Vec<Stating>,
    pub rules: IdentityRules,
}

/// The batch answer: the surviving records, mapped, resolved and built at once, with no store in between.
pub fn oracle(world: &World, name: &str, state: &State, now: Timestamp) -> BTreeSet<String> {
    let State {
        records,
        statements,
        rules,
    } = state;
    let rules = identity::Rules::new(rules, &world.context.plan.hub.name);
    let context = &world.context;
    let canonical: Vec<(Kind, String, Canonical)> = records
        .iter()
        .map(|((kind, id), line)| {
            let (source, _) = kind.names();
            let stream = world.stream(kind.names());
            let value: crate::model::Value = serde_json::from_str(line).unwrap();
            (
                *kind,
                id.clone(),
                crate::canonical::map(stream, source, id, &value.into())
                    .canonical
                    .unwrap(),
            )
        })
        .collect();
    let sets = sets(&canonical);
    let resolution = resolve(&sets, statements, &rules);
    let order: Vec<&(&str, BTreeSet<Identifier>)> = sets.keys().collect();
    let mut people = BTreeSet::new();
    for person in &resolution.people {
        let mine: Vec<&(Kind, String, Canonical)> = canonical
            .iter()
            .filter(|(kind, _, one)| {
                let set: BTreeSet<Identifier> = one.identifiers.iter().cloned().collect();
                let set = (kind.names().0, set);
                person
                    .evidence
                    .iter()
                    .any(|index| *order[*index as usize] == set)
            })
            .collect();
        let text = one_person(context, person.id.0.into_bytes(), &mine, now);
        // People known by charges alone have no traits to be found by.
        if text.contains(&format!("\"world\":\"{name}\"")) {
            people.insert(format!("{} {text}", person.id));
        }
    }
    people
}

/// The distinct sets of identifiers of each source, with their earliest record.
type Sets<'s> = BTreeMap<(&'s str, BTreeSet<Identifier>), (Timestamp, String)>;

fn sets(canonical: &[(Kind, String, Canonical)]) -> Sets<'static> {
    let mut sets = Sets::new();
    for (kind, id, one) in canonical {
        let first = one.created_at.unwrap_or(Timestamp::MAX);
        let (source, stream) = kind.names();
        let message = format!("{source}/{stream}/{id}");
        let best = sets
            .entry((source, one.identifiers.iter().cloned().collect()))
            .or_insert((first, message.clone()));
        *best = best.clone().min((first, message));
    }
    sets
}

fn resolve(
    sets: &Sets<'_>,
    statements: &[Stating],
    rules: &identity::Rules,
) -> identity::Resolution {
    let mut nodes: Vec<Identifier> = sets.keys().flat_map(|(_, set)| set).cloned().collect();
    nodes.sort();
    nodes.dedup();
    let node_of = |identifier: &Identifier| nodes.binary_search(identifier).unwrap() as u32;
    let evidence: Vec<Evidence> = sets
        .iter()
        .map(|((_, set), (first_seen, message))| Evidence {
            nodes: set.iter().map(node_of).collect(),
            first_seen: *first_seen,
            message: message.as_str().into(),
        })
        .collect();
    let mut graph_nodes: Vec<Node> = nodes
        .iter()
        .map(|identifier| Node {
            identifier: identifier.clone().into(),
            shared: false,
            blocked: rules.blocks(identifier),
        })
        .collect();
    let shared = identity::shared(&graph_nodes, &evidence, rules);
    for (node, shared) in graph_nodes.iter_mut().zip(shared) {
        node.shared = shared;
    }
    let statements = statements.iter().filter_map(|stated| {
        Some(Statement {
            kind: stated.kind,
            left: nodes.binary_search(&stated.left).ok()? as u32,
            right: nodes.binary_search(&stated.right).ok()? as u32,
        })
    });
    let graph = identity::Neighbourhood {
        nodes: graph_nodes,
        evidence,
        statements: statements.collect(),
    };
    identity::resolve(&graph, rules)
}

/// The computed traits.
fn worked_out(
    context: &Context,
    traits: &Fields,
    events: &[EventFact<'_>],
    now: Timestamp,
) -> Fields {
    let happened: Vec<Event<'_>> = events
        .iter()
        .map(|event| Event {
            name: event.name,
            time: event.time,
            properties: event.properties,
        })
        .collect();
    let given = Given {
        traits,
        events: &happened,
        judge: &|condition, traits| {
            let facts = Facts {
                id: [0; 16],
                traits: &|name| traits.get(name),
                granted: &|_| false,
                audiences: &|_| None,
                people: &|_| 0,
                events,
            };
            (audience::evaluate(condition, &facts, now).holds, None)
        },
    };
    compute::compute(&context.plan.traits, &given, now).values
}

/// What the records say of their person.
fn claims(records: &[&(Kind, String, Canonical)]) -> Vec<Claim> {
    let telling = records.iter().filter(|(kind, ..)| *kind != Kind::Charge);
    telling
        .map(|(kind, id, one)| Claim {
            source: kind.names().0.into(),
            record: format!("{}/{id}", kind.names().1),
            time: one.updated_at.unwrap(),
            traits: one.traits.clone(),
            consents: one.consents.clone(),
        })
        .collect()
}

fn one_person(
    context: &Context,
    person: [u8; 16],
    records: &[&(Kind, String, Canonical)],
    now: Timestamp,
) -> String {
    let claims = claims(records);
    let built = profile::build(&claims, &context.plan.survivorship);
    let mut traits: Fields = built
        .traits
        .into_iter()
        .map(|(name, won)| (name, won.value))
        .collect();
    let consents: BTreeMap<String, flow::ConsentEntry> = built
        .consents
        .into_iter()
        .map(|(purpose, won)| {
            let source = claims[won.claim as usize].source.to_string();
            (
                purpose,
                flow::ConsentEntry {
                    status: won.status,
                    time: won.time.0,
                    source,
                },
            )
        })
        .collect();
    let empty = Fields::new();
    let events: Vec<EventFact<'_>> = records
        .iter()
        .filter_map(|(_, _, one)| match &one.fact {
            Some(Fact::Event { name, time, .. }) => Some(EventFact {
                name,
                time: *time,
                properties: &empty,
            }),
            _ => None,
        })
        .collect();
    traits.extend(worked_out(context, &traits, &events, now));
    let mut audiences: BTreeSet<&str> = BTreeSet::new();
    for index in audience::order(&context.plan.audiences) {
        let one = &context.plan.audiences[index];
        let granted = |purpose: &str| {
            consents
                .get(purpose)
                .is_some_and(|entry| entry.status == ConsentStatus::Granted)
        };
        let within = |name: &str| audiences.contains(name).then_some(now);
        let facts = Facts {
            id: person,
            traits: &|name| traits.get(name),
            granted: &granted,
            audiences: &within,
            people: &|_| 0,
            events: &events,
        };
        if audience::evaluate(&one.who, &facts, now).holds {
            audiences.insert(&one.name);
        }
    }
    let json = |value: &dyn erased::Json| value.text();
    format!("{} {} {audiences:?}", json(&traits), json(&consents))
}

mod erased {
    /// JSON text of what a profile is made of.
    pub trait Json {
        fn text(&self) -> String;
    }
    impl<T: serde::Serialize> Json for T {
        fn text(&self) -> String {
            serde_json::to_string(self).unwrap()
        }
    }
}
