//! Records as they stood at a past time, made into people and into one profile. Pure: it sees no store.

use super::Standing;
use crate::compute::models::Fitted;
use crate::flow::ask::profile::{Lookup, ProfileView, Wanted, links, why, worked_out};
use crate::flow::ask::thing::Thing;
use crate::flow::commit::agreed::{entries, said};
use crate::flow::commit::claim::{first_seen, name_given, traits_of};
use crate::flow::commit::computed;
use crate::flow::commit::consent::Speaker;
use crate::flow::commit::neighbourhood::{Held, held_in};
use crate::flow::commit::spoken::spoken;
use crate::flow::commit::view::{Consents, Happened, View};
use crate::flow::context::Context;
use crate::identity::{self, Evidence, Neighbourhood, Node, Resolution, Statement, StatementKind};
use crate::model::{ConsentStatement, EntityKind, Fact, Fields, Identifier, Shown, Timestamp};
use crate::profile::{ACCOUNT_FIELD, ACCOUNT_PREFIX, Claim, account_ids, accounts_of};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

/// An operator's statement about two identifiers.
pub struct Stated {
    pub kind: StatementKind,
    pub left: Identifier,
    pub right: Identifier,
}

/// What a profile then depended on, apart from the records of its person.
pub struct Background {
    /// The values of the person's main account.
    pub account: Fields,
    /// Versions of models, with the models' indexes in the plan.
    pub models: Vec<(usize, Fitted)>,
    pub consents: Consents,
}

/// What a record refused in an earlier version, in which it said nothing else, and since when it is silent of it.
pub struct Silent {
    pub said: Standing,
    pub gone: (Timestamp, Timestamp),
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
            let source = record.stream.namespace();
            sets.entry((source, set)).or_default().push(index);
        }
        let identifiers: BTreeSet<&Identifier> = sets.keys().flat_map(|(_, set)| set).collect();
        let nodes: Vec<Node> = identifiers
            .into_iter()
            .map(|identifier| Node {
                shared: false,
                blocked: rules.blocks(identifier),
                identifier: identifier.clone().into(),
            })
            .collect();
        let node_of = |identifier: &Identifier| {
            let found = nodes.binary_search_by(|node| (*node.identifier).cmp(identifier));
            found.ok().map(|index| index as u32)
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
                nodes: set.iter().filter_map(node_of).collect(),
                first_seen,
                message: message.into(),
                name: name_given(supporters.iter().map(|index| &records[*index].canonical)),
            });
        }
        // A statement waits for records at both of its ends.
        let statements = stated.iter().filter_map(|one| {
            Some(Statement {
                kind: one.kind,
                left: node_of(&one.left)?,
                right: node_of(&one.right)?,
            })
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

    /// The person asked for, by its index.
    pub fn find(&self, context: &Context, wanted: &Wanted) -> Lookup<u32> {
        let found = match wanted {
            Wanted::Identifier(identifier) => {
                let nodes = &self.graph.nodes;
                match nodes.binary_search_by(|node| (*node.identifier).cmp(identifier)) {
                    Ok(node) if nodes[node].shared => return Lookup::Shared,
                    Ok(node) => self.resolution.person_of_node[node],
                    Err(_) => None,
                }
            }
            Wanted::Id(id) => self.named(context, *id),
        };
        found.map_or(Lookup::Nobody, Lookup::Person)
    }

    /// The person with that id, or the person who had the record that the id is derived from.
    fn named(&self, context: &Context, id: uuid::Uuid) -> Option<u32> {
        let people = &self.resolution.people;
        if let Some(index) = people.iter().position(|person| person.id.0 == id) {
            return Some(index as u32);
        }
        let is_it = |record: &Standing| context.rules.person_id(&record.message()).0 == id;
        let record = self.records.iter().position(is_it)?;
        self.resolution.person_of_evidence[self.evidence[record] as usize]
    }

    fn said_of(&self, index: u32) -> Said {
        let person = &self.resolution.people[index as usize];
        let mine = (self.records.iter().zip(&self.evidence))
            .filter(|(_, evidence)| person.evidence.contains(evidence))
            .map(|(record, _)| record);
        let mut said = Said::default();
        for record in mine {
            said.claims.extend(claim(record));
            if let Some((name, time, properties)) = record.canonical.happened() {
                let named = properties.get(ACCOUNT_FIELD).map(account_ids);
                said.accounts.extend(named.unwrap_or_default());
                let happened = Happened {
                    name,
                    time,
                    properties: properties.clone(),
                };
                let source = record.stream.source.clone();
                let of = record.stream.record(&record.key);
                said.things.extend(Thing::of(&happened, &source, of));
                said.events.push(happened);
            }
        }
        said
    }

    /// The account that a person's traits and conditions read.
    pub fn main_account(&self, context: &Context, person: u32) -> Option<String> {
        let said = self.said_of(person);
        let traits = traits_of(said.claims, &context.plan.survivorship);
        accounts_of(&traits, said.accounts).into_iter().next()
    }

    /// The identifiers of a person; the slot of each is its place in the graph.
    pub fn held_by(&self, person: u32, rules: &identity::Rules) -> Vec<Held> {
        let person = &self.resolution.people[person as usize];
        held_in(&self.graph, person, rules, i64::from)
    }

    /// What held of consent for a person, who was known by `held`. `silent` is what records refused before they fell silent, and `standing`
    /// are statements that stood on their own, by the slots of
    /// `held`.
    pub fn consents(
        &self,
        context: &Context,
        person: u32,
        held: &[Held],
        standing: FxHashMap<i64, Vec<ConsentStatement>>,
        silent: &[Silent],
        at: Timestamp,
    ) -> Consents {
        let own = &self.resolution.people[person as usize].evidence;
        let number = |index: &u32| 1 + i64::from(*index);
        let mut kept = standing;
        let stood: FxHashMap<i64, &u32> = self
            .records
            .iter()
            .map(|record| record.slot)
            .zip(&self.evidence)
            .collect();
        let kept_now = kept.values_mut().flatten();
        for said in kept_now.filter(|said| !said.stands()) {
            let of = said.record.and_then(|record| stood.get(&record));
            said.evidence = of.map(|evidence| number(evidence));
        }
        for (record, evidence) in self.records.iter().zip(&self.evidence) {
            let silent = silent.iter().filter(|one| one.said.slot == record.slot);
            let silent = silent.map(|one| (&one.said, Some(one.gone)));
            for (said, gone) in silent.chain([(record, None)]) {
                for (slot, statement) in self.says(said, *evidence, at) {
                    let statement = match gone {
                        Some((since, learned_at)) => statement.gone(since, learned_at),
                        None => statement,
                    };
                    kept.entry(slot).or_default().push(ConsentStatement {
                        evidence: Some(number(evidence)),
                        ..statement
                    });
                }
            }
        }
        let kept = |one: &Held| kept.get(&one.slot).map_or(&[][..], |kept| kept);
        let own: Vec<i64> = own.iter().map(number).collect();
        let held = held.iter().map(|one| (one, kept(one)));
        entries(&said(&context.plan, held, &own))
    }

    /// What a version of a record said about the identifiers of this evidence, which are places in the graph.
    fn says(&self, said: &Standing, evidence: u32, at: Timestamp) -> Vec<(i64, ConsentStatement)> {
        let nodes = &self.graph.evidence[evidence as usize].nodes;
        let slot_of = |identifier: &Identifier| {
            let is_it = |at: &&u32| *self.graph.nodes[**at as usize].identifier == *identifier;
            nodes.iter().find(is_it).map_or(-1, |at| i64::from(*at))
        };
        let canonical = &said.canonical;
        let slots: Vec<i64> = canonical.identifiers.iter().map(slot_of).collect();
        let speaker = Speaker {
            stream: &said.stream,
            record: 0,
            key: &said.key,
            updated_at: canonical.updated_at,
        };
        let spoken = spoken(canonical);
        speaker.says(&spoken, &slots, at)
    }

    pub fn view(
        &self,
        context: &Context,
        index: u32,
        at: Timestamp,
        background: Background,
    ) -> ProfileView {
        let person = &self.resolution.people[index as usize];
        let said = self.said_of(index);
        let claims = said.claims;
        let sources: BTreeSet<&str> = claims.iter().map(|claim| &*claim.source).collect();
        let mut why = why(&context.plan.survivorship, &claims);
        let (sources, records) = (sources.len(), claims.len());
        let traits = traits_of(claims, &context.plan.survivorship);
        let accounts = accounts_of(&traits, said.accounts);
        let mut view = View {
            id: 0,
            uuid: person.id.0.into_bytes(),
            is_new: false,
            evidence: Vec::new(),
            traits,
            consents: background.consents,
            account_audiences: BTreeMap::new(),
        };
        let account = background.account.into_iter();
        let account = account.map(|(name, value)| (format!("{ACCOUNT_PREFIX}{name}"), value));
        view.traits.extend(account);
        computed::one(context, &background.models, &mut view, &said.events, at);
        view.traits
            .retain(|name, _| !name.starts_with(ACCOUNT_PREFIX));
        why.extend(worked_out(context, &view.traits));
        let mut things = said.things;
        things.sort_by(Thing::latest_first);
        let is_event = |event: &&Happened| EntityKind::of_thing(&event.name).is_none();
        let events = said.events.iter().filter(is_event);
        let times: Vec<Timestamp> = events.map(|event| event.time).collect();
        ProfileView {
            id: person.id.to_string(),
            at: Some(Shown(at)),
            suppressed: false,
            identifiers: person
                .nodes
                .iter()
                .map(|node| (*self.graph.nodes[*node as usize].identifier).clone())
                .collect(),
            sources,
            records,
            events: times.len(),
            last_event_at: times.into_iter().max().map(Shown),
            things,
            accounts,
            audiences: None,
            why,
            links: links(person, &self.graph.nodes, |index| {
                self.graph.evidence[index as usize].message.to_string()
            }),
            traits: view.traits,
            consents: view.consents,
            consent_why: Vec::new(),
        }
    }
}

/// What the records of one person say.
#[derive(Default)]
struct Said {
    claims: Vec<Claim>,
    events: Vec<Happened>,
    things: Vec<Thing>,
    /// The accounts that its events name.
    accounts: Vec<String>,
}

/// The account's id and what a record says of it; none when the record is about something else.
pub fn account_claim(record: Standing) -> Option<(String, Claim)> {
    let time = record.stated_at;
    let Some(Fact::Entity {
        kind: EntityKind::Account,
        fields,
    }) = record.canonical.fact
    else {
        return None;
    };
    let named = fields.get("id").map(account_ids).unwrap_or_default();
    let id = named.into_iter().next();
    let claim = Claim {
        source: record.stream.namespace().into(),
        record: record.stream.record(&record.key),
        time,
        traits: fields,
        since: BTreeMap::new(),
        is_aside: false,
    };
    Some((id.unwrap_or(record.key), claim))
}

/// What a record says of its person; none when it is about something else.
pub fn claim(record: &Standing) -> Option<Claim> {
    let canonical = &record.canonical;
    if !canonical.claims() {
        return None;
    }
    Some(Claim {
        source: record.stream.namespace().into(),
        record: record.stream.record(&record.key),
        time: record.stated_at,
        traits: canonical.traits.clone(),
        since: BTreeMap::new(),
        is_aside: canonical.is_aside(),
    })
}
