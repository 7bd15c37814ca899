//! Records as they stood at a past time, made into people and into one profile. Pure: it sees no store.

use super::Standing;
use crate::flow::Context;
use crate::flow::apply::first_seen;
use crate::flow::settle::profile_of;
use crate::flow::show::{Found, ProfileView, Wanted, links, why};
use crate::identity::{self, Evidence, Neighbourhood, Node, Resolution, Statement, StatementKind};
use crate::model::{Fact, Identifier, Timestamp};
use crate::profile::{ACCOUNT_FIELD, Claim, account_ids, accounts_of};
use std::collections::{BTreeMap, BTreeSet};

/// An operator's statement about two identifiers.
pub struct Stated {
    pub kind: StatementKind,
    pub left: Identifier,
    pub right: Identifier,
}

pub struct Then {
    records: Vec<Standing>,
    /// The piece of evidence that each record supports.
    evidence: Vec<u32>,
    graph: Neighbourhood,
    resolution: Resolution,
}

impl Then {
    /// `records` must hold every record that is connected with one of them, through shared identifiers too. Each has identifiers.
    pub fn new(records: Vec<Standing>, stated: &[Stated], rules: &identity::Rules) -> Self {
        let mut sets: BTreeMap<(&str, Vec<Identifier>), Vec<usize>> = BTreeMap::new();
        for (index, record) in records.iter().enumerate() {
            let mut set = record.canonical.identifiers.clone();
            set.sort();
            let source = &*record.stream.source;
            sets.entry((source, set)).or_default().push(index);
        }
        let ends = stated.iter().flat_map(|one| [&one.left, &one.right]);
        let identifiers: BTreeSet<&Identifier> =
            sets.keys().flat_map(|(_, set)| set).chain(ends).collect();
        let nodes: Vec<Node> = identifiers
            .into_iter()
            .map(|identifier| Node {
                shared: false,
                blocked: rules.blocks(identifier),
                identifier: identifier.clone(),
            })
            .collect();
        let place = |identifier: &Identifier| {
            nodes.partition_point(|node| node.identifier < *identifier) as u32
        };
        let mut evidence_of = vec![0; records.len()];
        let mut evidence = Vec::with_capacity(sets.len());
        for ((_, set), supporters) in &sets {
            let first = supporters
                .iter()
                .map(|index| {
                    (
                        first_seen(&records[*index].canonical),
                        records[*index].message(),
                    )
                })
                .min();
            let (first_seen, message) = first.unwrap_or((Timestamp::MAX, String::new()));
            for index in supporters {
                evidence_of[*index] = evidence.len() as u32;
            }
            evidence.push(Evidence {
                nodes: set.iter().map(place).collect(),
                first_seen,
                message,
            });
        }
        let statements = stated.iter().map(|one| Statement {
            kind: one.kind,
            left: place(&one.left),
            right: place(&one.right),
        });
        let mut graph = Neighbourhood {
            statements: statements.collect(),
            nodes,
            evidence,
        };
        let shared = identity::shared(&graph.nodes, &graph.evidence, rules);
        for (node, shared) in graph.nodes.iter_mut().zip(shared) {
            node.shared = shared;
        }
        drop(sets);
        Self {
            resolution: identity::resolve(&graph, rules),
            records,
            evidence: evidence_of,
            graph,
        }
    }

    pub fn show(&self, context: &Context, wanted: &Wanted, at: Timestamp) -> Found {
        let place = match wanted {
            Wanted::Identifier(identifier) => {
                let nodes = &self.graph.nodes;
                match nodes.binary_search_by(|node| node.identifier.cmp(identifier)) {
                    Ok(node) if nodes[node].shared => return Found::Shared,
                    Ok(node) => self.resolution.person_of_node[node],
                    Err(_) => None,
                }
            }
            Wanted::Id(id) => self.named(context, *id),
        };
        match place {
            Some(person) => Found::Person(Box::new(self.view(context, person, at))),
            None => Found::Nobody,
        }
    }

    /// The person of that id, or whoever had the record that the id is named after.
    fn named(&self, context: &Context, id: uuid::Uuid) -> Option<u32> {
        let people = &self.resolution.people;
        if let Some(index) = people.iter().position(|person| person.id.0 == id) {
            return Some(index as u32);
        }
        let is_it = |record: &Standing| context.rules.person_id(&record.message()).0 == id;
        let record = self.records.iter().position(is_it)?;
        self.resolution.person_of_evidence[self.evidence[record] as usize]
    }

    fn view(&self, context: &Context, index: u32, at: Timestamp) -> ProfileView {
        let person = &self.resolution.people[index as usize];
        let mine = (self.records.iter().zip(&self.evidence))
            .filter(|(_, evidence)| person.evidence.contains(evidence))
            .map(|(record, _)| record);
        let mine: Vec<&Standing> = mine.collect();
        let claims: Vec<Claim> = mine.iter().filter_map(|record| claim(record)).collect();
        let events: Vec<Timestamp> = mine
            .iter()
            .filter_map(|record| match &record.canonical.fact {
                Some(Fact::Event { time, .. }) => Some(*time),
                _ => None,
            })
            .collect();
        let named = mine
            .iter()
            .filter_map(|record| match &record.canonical.fact {
                Some(Fact::Event { properties, .. }) => properties.get(ACCOUNT_FIELD),
                _ => None,
            });
        let named: Vec<String> = named.flat_map(account_ids).collect();
        let sources: BTreeSet<&str> = claims.iter().map(|claim| &*claim.source).collect();
        let why = why(&context.plan.survivorship, &claims);
        let (sources, records) = (sources.len(), claims.len());
        let (traits, consents) = profile_of(claims, &context.plan.survivorship);
        ProfileView {
            id: person.id.to_string(),
            at: Some(at.to_rfc3339()),
            identifiers: person
                .nodes
                .iter()
                .map(|node| self.graph.nodes[*node as usize].identifier.clone())
                .collect(),
            sources,
            records,
            last_event_at: events.iter().max().map(|time| time.to_rfc3339()),
            events: events.len(),
            accounts: accounts_of(&traits, named),
            audiences: None,
            why,
            links: links(person, &self.graph.nodes, |index| {
                self.graph.evidence[index as usize].message.clone()
            }),
            traits,
            consents,
        }
    }
}

/// What a record says of its person; nothing when it is about something else.
pub fn claim(record: &Standing) -> Option<Claim> {
    let canonical = &record.canonical;
    if canonical.fact.is_some() && canonical.consents.is_empty() {
        return None;
    }
    Some(Claim {
        source: record.stream.source.clone(),
        record: format!("{}/{}", record.stream.name, record.key),
        time: canonical.told_at(),
        traits: canonical.traits.clone(),
        consents: canonical.consents.clone(),
    })
}
