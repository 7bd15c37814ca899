//! The batch answer to everything at once, with no store in between.

use super::world::{Kind, World};
use crate::audience::{self, EventFact, Facts};
use crate::compute::{self, Event, Given};
use crate::flow;
use crate::flow::commit::claim::name_given;
use crate::flow::commit::view::stored_consents;
use crate::flow::context::Context;
use crate::flow::upkeep::statements::Stating;
use crate::identity::{self, Evidence, Node, Statement};
use crate::manifest::{IdentityRules, Trust};
use crate::model::{Canonical, ConsentStatus, Fact, Fields, Identifier, IdentifierKind, Timestamp};
use crate::profile::{self, Claim};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Everything that a hub's answer follows from.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub records: BTreeMap<(Kind, String), String>,
    pub statements: Vec<Stating>,
    pub rules: IdentityRules,
    /// Every version and deletion of a record, in order, with the time at which it came.
    pub history: Vec<(Kind, String, Option<String>, i64)>,
}

/// The batch answer: the surviving records, mapped, resolved and built at once, with no store in between.
pub fn oracle(world: &World, name: &str, state: &State, now: Timestamp) -> BTreeSet<String> {
    let State {
        records,
        statements,
        rules,
        history,
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
    let (graph, resolution) = resolve(&sets, statements, &rules);
    let spoken = spoken(world, history);
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
        // Of a source that is not trusted only the strongest identifier says who it is.
        let mut nodes: BTreeMap<u32, bool> = BTreeMap::new();
        for index in &person.evidence {
            let piece = &graph.evidence[*index as usize];
            let strongest = identity::anchor(&graph.nodes, piece, &rules);
            let is_trusted = rules.trust(&piece.message) != Trust::None;
            for node in &piece.nodes {
                let is_live = graph.nodes[*node as usize].is_live();
                *nodes.entry(*node).or_default() |=
                    is_live && (is_trusted || strongest == Some(*node));
            }
        }
        let nodes = nodes.iter();
        let nodes =
            nodes.map(|(node, is_live)| (&*graph.nodes[*node as usize].identifier, *is_live));
        let own: BTreeSet<String> = mine
            .iter()
            .map(|(kind, id, _)| message(*kind, id))
            .collect();
        let consents = consents(&spoken, &nodes.collect::<Vec<_>>(), &own);
        let text = one_person(context, person.id.0.into_bytes(), &mine, &consents, now);
        if text.contains(&format!("\"world\":\"{name}\"")) {
            people.insert(format!("{} {text}", person.id));
        }
    }
    people
}

/// The distinct sets of identifiers of each source, with their earliest record.
type Sets<'s> = BTreeMap<(&'s str, BTreeSet<Identifier>), (Timestamp, String, Option<Arc<str>>)>;

fn sets(canonical: &[(Kind, String, Canonical)]) -> Sets<'static> {
    let mut sets = Sets::new();
    for (kind, id, one) in canonical {
        let first = one.created_at.unwrap_or(Timestamp::MAX);
        let (source, stream) = kind.names();
        let message = format!("{source}/{stream}/{id}");
        let name = name_given([one].into_iter());
        let best = sets
            .entry((source, one.identifiers.iter().cloned().collect()))
            .or_insert((first, message.clone(), None));
        let name = [best.2.take(), name].into_iter().flatten().min();
        let (time, message) = (best.0, best.1.clone()).min((first, message));
        *best = (time, message, name);
    }
    sets
}

fn resolve(
    sets: &Sets<'_>,
    statements: &[Stating],
    rules: &identity::Rules,
) -> (identity::Neighbourhood, identity::Resolution) {
    let mut nodes: Vec<Identifier> = sets.keys().flat_map(|(_, set)| set).cloned().collect();
    nodes.sort();
    nodes.dedup();
    let node_of = |identifier: &Identifier| nodes.binary_search(identifier).unwrap() as u32;
    let evidence: Vec<Evidence> = sets
        .iter()
        .map(|((_, set), (first_seen, message, name))| Evidence {
            nodes: set.iter().map(node_of).collect(),
            first_seen: *first_seen,
            message: message.as_str().into(),
            name: name.clone(),
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
    let resolution = identity::resolve(&graph, rules);
    (graph, resolution)
}

/// What a record says, or said until it ceased to.
#[derive(Clone)]
struct Spoken {
    about: Identifier,
    granted: bool,
    time: i64,
    is_stated: bool,
    /// Since when its record is silent.
    gone_at: Option<i64>,
    /// Its record is gone, or is not known by that any more.
    stands: bool,
    source: String,
    record: String,
}

/// All that was said: by records, whose refusals hold until they say something else, and by records that are gone.
fn spoken(world: &World, history: &[(Kind, String, Option<String>, i64)]) -> Vec<Spoken> {
    let mut living: BTreeMap<(Kind, &String), Vec<Spoken>> = BTreeMap::new();
    let mut gone = Vec::new();
    for (kind, id, line, at) in history {
        let canonical = line.as_ref().map(|line| meaning(world, *kind, id, line));
        let updated = canonical
            .as_ref()
            .map_or(*at, |one| one.updated_at.unwrap().0);
        let since = updated.min(*at);
        let mut next = match (&canonical, line) {
            (Some(one), Some(line)) => says(*kind, id, one, line),
            _ => Vec::new(),
        };
        let new = next.len();
        for before in living.remove(&(*kind, id)).into_iter().flatten() {
            let mut outlives = before.clone();
            outlives.gone_at.get_or_insert(since);
            let has = |one: &Canonical| one.identifiers.contains(&before.about);
            outlives.stands = !canonical.as_ref().is_some_and(has);
            let again = next[..new].iter_mut();
            match again.min_by_key(|one| one.about != before.about) {
                _ if outlives.stands => gone.extend((!before.granted).then_some(outlives)),
                Some(again)
                    if again.about == before.about
                        && again.granted == before.granted
                        && !again.is_stated =>
                {
                    again.time = before.time;
                    again.is_stated = before.is_stated;
                }
                // It states an earlier time than the refusal.
                Some(again)
                    if again.granted
                        && !before.granted
                        && again.is_stated
                        && before.is_stated
                        && again.time <= before.time =>
                {
                    outlives.stands = true;
                    gone.push(outlives);
                }
                None if before.granted => {}
                None => next.push(outlives),
                Some(_) => {}
            }
        }
        living.insert((*kind, id), next);
    }
    gone.into_iter()
        .chain(living.into_values().flatten())
        .collect()
}

fn meaning(world: &World, kind: Kind, id: &str, line: &str) -> Canonical {
    let value: crate::model::Value = serde_json::from_str(line).unwrap();
    let (stream, source) = (world.stream(kind.names()), kind.names().0);
    let mapped = crate::canonical::map(stream, source, id, &value.into());
    mapped.canonical.unwrap()
}

/// What one version says: about its addresses, or about everything it is known by when it refuses without one.
fn says(kind: Kind, id: &str, one: &Canonical, line: &str) -> Vec<Spoken> {
    let (source, name) = kind.names();
    let value: crate::model::Value = serde_json::from_str(line).unwrap();
    let granted = match value["consent"].as_str() {
        Some(word) => word == "granted",
        None => return Vec::new(),
    };
    let is_email = |one: &&Identifier| one.kind == IdentifierKind::Email;
    let has_address = one.identifiers.iter().any(|one| is_email(&one));
    if granted && !has_address {
        return Vec::new();
    }
    let about = one.identifiers.iter();
    let about = about.filter(|one| !has_address || is_email(one));
    let stated = value["agreed"].as_i64();
    let spoken = about.map(|identifier| Spoken {
        about: identifier.clone(),
        granted,
        time: stated.unwrap_or(one.updated_at.unwrap().0),
        is_stated: stated.is_some(),
        gone_at: None,
        stands: false,
        source: source.to_owned(),
        record: format!("{name}/{id}"),
    });
    spoken.collect()
}

fn message(kind: Kind, id: &str) -> String {
    let (source, name) = kind.names();
    format!("{source}/{name}/{id}")
}

/// What holds for a person who is known by these identifiers. One that joins nobody is an address of who speaks of it in `own`
/// records.
fn consents(
    spoken: &[Spoken],
    nodes: &[(&Identifier, bool)],
    own: &BTreeSet<String>,
) -> BTreeMap<String, flow::ConsentEntry> {
    let is_email = |one: &Identifier| one.kind == IdentifierKind::Email;
    let about = |identifier: &Identifier| {
        let identifier = identifier.clone();
        spoken.iter().filter(move |one| one.about == identifier)
    };
    let is_own =
        |one: &Spoken| !one.stands && own.contains(&format!("{}/{}", one.source, one.record));
    // Refusals without an address, which hold for each address: of this person's records, or of records that are gone.
    let others = nodes.iter().filter(|(one, _)| !is_email(one));
    let general = others.flat_map(|(one, is_live)| {
        let stands = |one: &Spoken| one.stands && *is_live;
        let about = about(one).filter(|one| !one.granted);
        about.filter(move |one| stands(one) || is_own(one))
    });
    let general: Vec<&Spoken> = general.collect();
    let mut addresses = BTreeMap::new();
    for (identifier, is_live) in nodes.iter().filter(|(one, _)| is_email(one)) {
        let mut of: Vec<&Spoken> = about(identifier).collect();
        if of.iter().any(|one| *is_live || is_own(one)) {
            of.extend(&general);
            addresses.insert(identifier.value.clone(), deciding(&of));
        }
    }
    let latest = |granted: bool| {
        let of = addresses.values().copied();
        of.filter(|one: &&Spoken| one.granted == granted)
            .max_by(|a, b| later(a, b))
    };
    let all = latest(true).or_else(|| latest(false));
    let Some(by) = all.or_else(|| (!general.is_empty()).then(|| deciding(&general))) else {
        return BTreeMap::new();
    };
    let status = |one: &Spoken| match one.granted {
        true => ConsentStatus::Granted,
        false => ConsentStatus::Withdrawn,
    };
    let addresses = addresses.into_iter().map(|(address, one)| {
        let consent = flow::AddressConsent {
            status: status(one),
            time: one.time,
        };
        (address, consent)
    });
    let entry = flow::ConsentEntry {
        status: status(by),
        time: by.time,
        source: by.source.clone(),
        addresses: addresses.collect(),
    };
    BTreeMap::from([("marketing_email".to_owned(), entry)])
}

/// A refusal that no grant came after, or the latest grant. Times are compared where both are known.
fn deciding<'s>(spoken: &[&'s Spoken]) -> &'s Spoken {
    let is_lifted = |refusal: &Spoken| {
        spoken.iter().any(|grant| {
            let is_known = refusal.is_stated || refusal.gone_at.is_some();
            let at = match refusal.gone_at {
                Some(gone_at) if !refusal.is_stated => gone_at.max(refusal.time),
                _ => refusal.time,
            };
            grant.granted && grant.is_stated && is_known && grant.time > at
        })
    };
    let refusals = spoken.iter().filter(|one| !one.granted && !is_lifted(one));
    let grants = spoken.iter().filter(|one| one.granted);
    let best = refusals.max_by(|a, b| later(a, b));
    best.or_else(|| grants.max_by(|a, b| later(a, b))).unwrap()
}

fn later(a: &Spoken, b: &Spoken) -> std::cmp::Ordering {
    let key = |one: &Spoken| (one.time, !one.granted, one.is_stated);
    let names = |one: &Spoken| (one.source.clone(), one.record.clone());
    key(a).cmp(&key(b)).then_with(|| names(b).cmp(&names(a)))
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
    let telling = records.iter().filter(|(.., one)| one.claims());
    telling
        .map(|(kind, id, one)| Claim {
            source: kind.names().0.into(),
            record: format!("{}/{id}", kind.names().1),
            time: one.updated_at.unwrap(),
            traits: one.traits.clone(),
            since: BTreeMap::new(),
            is_aside: one.is_aside(),
        })
        .collect()
}

fn one_person(
    context: &Context,
    person: [u8; 16],
    records: &[&(Kind, String, Canonical)],
    consents: &BTreeMap<String, flow::ConsentEntry>,
    now: Timestamp,
) -> String {
    let claims = claims(records);
    let built = profile::build(&claims, &context.plan.survivorship);
    let mut traits: Fields = built
        .traits
        .into_iter()
        .map(|(name, won)| (name, won.value))
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
    let consents = consents.clone().into_iter().collect();
    format!(
        "{} {} {audiences:?}",
        json(&traits),
        stored_consents(&consents)
    )
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
