//! The part of the identity graph that a batch touches: loads it, lets `identity` resolve it, and stores what changed.
//! An edge never leaves a component of live identifiers, so recomputing the touched components is exact (I2).

mod capped;
mod load;
mod naming;
mod reshape;
mod said;

pub use naming::Naming;
use said::Kept;
pub use said::said_in;

use crate::flow::commit::stream::StreamRef;
use crate::identity::{self, Rules, StatementKind};
use crate::model::Identifier;
use crate::store::{EvidenceRow, IdentifierRow, Result, Tx};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An identifier's row, and whether it must be written.
#[derive(Debug)]
struct Known {
    identifier: Arc<Identifier>,
    component: Option<i64>,
    shared: bool,
    /// By the hub's own list.
    blocked: bool,
    is_new: bool,
    dirty: bool,
    /// What was said of consent about it.
    said: Option<Box<Kept>>,
}

/// An evidence's row, and what is known about its writing.
#[derive(Debug)]
struct Seen {
    row: EvidenceRow,
    is_new: bool,
    /// Its earliest record changed, and with it the id of a person that it makes.
    renamed: bool,
    /// Columns other than its person changed.
    dirty: bool,
    /// Its person changed.
    given: bool,
    removed: bool,
}

/// A statement in force about two slots.
#[derive(Debug)]
struct Stated {
    kind: StatementKind,
    left: i64,
    right: i64,
}

#[derive(Debug)]
pub struct Neighbourhood {
    rules: Arc<Rules>,
    identifiers: FxHashMap<i64, Known>,
    /// Those about which anything was said.
    spoken: Vec<i64>,
    /// Whether any of that is an operator's word, and whether any was the hub's own doing, as it was loaded or kept.
    has_operators: bool,
    has_echoes: bool,
    /// Slots that were looked for and are free.
    free: FxHashSet<i64>,
    evidence: FxHashMap<i64, Seen>,
    by_set: FxHashMap<Vec<i64>, i64>,
    /// The sources that evidence comes from, by number.
    sources: FxHashMap<String, i64>,
    components: FxHashSet<i64>,
    /// Components whose evidence changed.
    stale_components: FxHashSet<i64>,
    stale_evidence: BTreeSet<i64>,
    /// The evidence that a record supports now, by what it supported before.
    successors: FxHashMap<i64, i64>,
    next_evidence: i64,
    /// Shared identifiers to be counted again, all of whose evidence is loaded.
    recount: FxHashSet<i64>,
    /// Which identifiers are shared under new rules, when that was counted over the whole graph.
    decided: Option<FxHashMap<i64, bool>>,
    flipped_live: Vec<i64>,
    new_shared: Vec<(i64, i64)>,
    /// Evidence whose name may make shared identifiers live again.
    recounted: Vec<i64>,
    has_shared: bool,
    /// Identifiers that joined people, and do so no more.
    parted: Vec<i64>,
    /// By id. Whether there are any is asked once.
    statements: BTreeMap<i64, Stated>,
    has_statements: Option<bool>,
    /// Resolved components above the cap, with how many identifiers each has.
    capped: Vec<(i64, i64)>,
}

/// A person after resolving, with the evidence that makes it.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The number of one piece of its evidence: of the earliest when the person was first seen.
    pub id: i64,
    pub uuid: [u8; 16],
    /// The evidence that the uuid follows from.
    pub earliest: i64,
    pub component: i64,
    pub evidence: Vec<i64>,
    /// It has a row already, and may have memberships and the like.
    pub stands: bool,
    /// The store already resolves its uuid to `earliest`.
    pub is_named: bool,
}

/// An identifier that somebody's evidence holds.
#[derive(Debug, Clone)]
pub struct Held {
    pub slot: i64,
    pub identifier: Arc<Identifier>,
    /// It says who the person is: neither shared nor blocked, and joined to the person by a source that is trusted.
    pub is_live: bool,
    /// It is shared or blocked.
    pub joins_nobody: bool,
}

/// A part of the graph, to be explained.
pub struct Around {
    pub graph: identity::Neighbourhood,
    /// Of each node.
    pub slots: Vec<i64>,
    /// Of each evidence.
    pub rows: Vec<EvidenceRow>,
    /// Of each statement.
    pub statements: Vec<i64>,
    pub resolution: identity::Resolution,
}

/// What resolving changed.
#[derive(Debug, Default)]
pub struct Reshaped {
    pub people: Vec<Resolved>,
    /// Persons that no longer exist.
    pub gone: Vec<i64>,
    /// Evidence that no longer exists, and the person that ids derived from it resolve to now.
    pub heirs: Vec<(i64, Option<i64>)>,
}

impl Neighbourhood {
    /// `next_evidence` is the first of the ids reserved for new evidence.
    pub fn new(next_evidence: i64, rules: Arc<Rules>) -> Self {
        Self {
            rules,
            identifiers: FxHashMap::default(),
            spoken: Vec::new(),
            has_operators: false,
            has_echoes: false,
            free: FxHashSet::default(),
            evidence: FxHashMap::default(),
            by_set: FxHashMap::default(),
            sources: FxHashMap::default(),
            components: FxHashSet::default(),
            stale_components: FxHashSet::default(),
            stale_evidence: BTreeSet::new(),
            successors: FxHashMap::default(),
            next_evidence,
            recount: FxHashSet::default(),
            decided: None,
            flipped_live: Vec::new(),
            new_shared: Vec::new(),
            recounted: Vec::new(),
            has_shared: false,
            parted: Vec::new(),
            statements: BTreeMap::new(),
            has_statements: None,
            capped: Vec::new(),
        }
    }

    /// The evidence of a set of identifiers, supported by one more record of a source. The name of stored evidence is left as it is: see
    /// `Naming`.
    pub fn gain(
        &mut self,
        slots: Vec<i64>,
        source: &str,
        first_seen: i64,
        name: Option<&str>,
        message: impl FnOnce() -> String,
    ) -> i64 {
        let key = self.set_key(&slots, source);
        if let Some(id) = self.by_set.get(&key) {
            let seen = self
                .evidence
                .get_mut(id)
                .expect("`by_set` holds only ids of `evidence`");
            if seen.is_new && seen.row.name.as_deref() != name {
                seen.row.name = identity::better(seen.row.name.as_deref(), name).map(Into::into);
            }
            if first_seen <= seen.row.first_seen {
                let message = message();
                if (first_seen, &*message) < (seen.row.first_seen, &*seen.row.message) {
                    seen.row.first_seen = first_seen;
                    seen.row.message = message.into();
                    seen.renamed = true;
                    seen.dirty = true;
                    self.stale_evidence.insert(*id);
                }
            }
            return *id;
        }
        let id = self.next_evidence;
        self.next_evidence += 1;
        let row = EvidenceRow {
            id,
            component: id,
            person_id: None,
            nodes: slots,
            first_seen,
            message: message().into(),
            name: name.map(Into::into),
        };
        self.by_set.insert(key, id);
        self.evidence.insert(
            id,
            Seen {
                row,
                is_new: true,
                renamed: false,
                dirty: true,
                given: false,
                removed: false,
            },
        );
        self.stale_evidence.insert(id);
        id
    }

    /// I6: when nothing else is left of the person whose evidence a record leaves, that person's ids keep resolving, with the
    /// record.
    pub fn follow(&mut self, left: i64, now: i64) {
        if left != now {
            self.successors.insert(left, now);
        }
    }

    /// The person that evidence belongs to now.
    pub fn person_of(&self, evidence: i64) -> Option<i64> {
        self.evidence
            .get(&evidence)
            .filter(|seen| !seen.removed)
            .and_then(|seen| seen.row.person_id)
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether all loaded evidence with an identifier is one person's.
    pub fn is_alone(&self, slot: i64, person: i64) -> bool {
        let holds = |seen: &&Seen| !seen.removed && seen.row.nodes.contains(&slot);
        let mut seen = self.evidence.values().filter(holds);
        seen.all(|seen| seen.row.person_id == Some(person))
    }

    pub fn is_new_evidence(&self, evidence: i64) -> bool {
        self.evidence.get(&evidence).is_some_and(|seen| seen.is_new)
    }

    /// The loaded evidence of persons whose evidence did not change.
    pub fn evidence_of_persons(&self, persons: &FxHashSet<i64>) -> FxHashMap<i64, Vec<i64>> {
        let mut found: FxHashMap<i64, Vec<i64>> = FxHashMap::default();
        for seen in self.evidence.values().filter(|seen| !seen.removed) {
            if let Some(person) = seen.row.person_id.filter(|person| persons.contains(person)) {
                found.entry(person).or_default().push(seen.row.id);
            }
        }
        found
    }

    /// The identifiers of a loaded piece of evidence.
    pub fn nodes_of(&self, evidence: i64) -> &[i64] {
        let seen = self.evidence.get(&evidence);
        seen.map(|seen| &*seen.row.nodes).unwrap_or_default()
    }

    /// The identifiers of pieces of evidence, without repeats.
    pub fn held_by(&self, evidence: &[i64]) -> Vec<Held> {
        self.held_where(evidence, |_| true)
    }

    /// The same, of what anything was said about.
    pub fn spoken_by(&self, evidence: &[i64]) -> Vec<Held> {
        self.held_where(evidence, |known| {
            known.said.as_deref().is_some_and(|kept| !kept.is_empty())
        })
    }

    fn held_where(&self, evidence: &[i64], is_wanted: impl Fn(&Known) -> bool) -> Vec<Held> {
        let pieces = evidence.iter().filter_map(|id| self.evidence.get(id));
        let pieces = pieces.map(|seen| (&*seen.row.message, &*seen.row.nodes));
        let node = |slot: i64, is_any: bool| {
            let known = &self.identifiers[&slot];
            let is_live = !known.shared && !known.blocked;
            (is_any || is_wanted(known)).then_some((slot, &known.identifier, is_live))
        };
        held(&self.rules, pieces, node)
    }

    /// The loaded evidence that holds one of these identifiers.
    pub fn evidence_with(&self, slots: &FxHashSet<i64>) -> Vec<i64> {
        let holds = |seen: &&Seen| seen.row.nodes.iter().any(|slot| slots.contains(slot));
        let seen = self.evidence.values().filter(holds);
        seen.map(|seen| seen.row.id).collect()
    }

    /// A person whose evidence did not change.
    pub fn standing(&self, id: i64, evidence: Vec<i64>) -> Option<Resolved> {
        let earliest = self.earliest(evidence.iter().copied())?;
        let row = &self.evidence[&earliest].row;
        Some(Resolved {
            id,
            uuid: self.rules.person_id(&row.message).0.into_bytes(),
            earliest,
            component: row.component,
            evidence,
            stands: true,
            is_named: true,
        })
    }

    /// A set of identifiers of one source, whatever their order.
    fn set_key(&mut self, slots: &[i64], source: &str) -> Vec<i64> {
        let next = self.sources.len() as i64;
        let source = match self.sources.get(source) {
            Some(number) => *number,
            None => *self.sources.entry(source.to_owned()).or_insert(next),
        };
        let mut key = Vec::with_capacity(slots.len() + 1);
        key.extend_from_slice(slots);
        key.sort_unstable();
        key.dedup();
        key.push(source);
        key
    }

    /// Writes what changed, sorted by key.
    pub async fn save(&self, tx: &mut Tx) -> Result<()> {
        let dirty = self.identifiers.iter().filter(|(_, known)| known.dirty);
        let (new, known): (Vec<_>, Vec<_>) = dirty.partition(|(_, known)| known.is_new);
        tx.add_identifiers(&rows(new)).await?;
        tx.update_identifiers(&rows(known)).await?;
        let evidence = self.evidence.values();
        let removed = evidence.clone().filter(|seen| seen.removed && !seen.is_new);
        tx.remove_evidence(&by_id(removed.collect())).await?;
        let alive = evidence.filter(|seen| !seen.removed);
        let (new, known): (Vec<&Seen>, Vec<&Seen>) = alive.partition(|seen| seen.is_new);
        let (changed, same): (Vec<&Seen>, Vec<&Seen>) =
            known.into_iter().partition(|seen| seen.dirty);
        let given = same.into_iter().filter(|seen| seen.given).collect();
        tx.add_evidence(&by_id(new)).await?;
        tx.update_evidence(&by_id(changed)).await?;
        tx.give_evidence(&by_id(given)).await?;
        tx.remove_shared(&self.flipped_live).await?;
        tx.add_shared_evidence(&self.new_shared).await
    }
}

/// What somebody is known by, from pieces of evidence: the message of each, and its nodes. `node` gives the slot of a node, its
/// identifier, and whether it joins people, if it is wanted or any is.
fn held<'a, N: Copy + PartialEq + 'a>(
    rules: &Rules,
    pieces: impl Iterator<Item = (&'a str, &'a [N])>,
    node: impl Fn(N, bool) -> Option<(i64, &'a Arc<Identifier>, bool)>,
) -> Vec<Held> {
    let mut held: Vec<Held> = Vec::new();
    for (message, nodes) in pieces {
        for (slot, identifier, is_live) in nodes.iter().filter_map(|at| node(*at, false)) {
            let all = nodes.iter().filter_map(|at| node(*at, true));
            let live = all.filter(|(.., is_live)| *is_live);
            let live = live.map(|(slot, identifier, _)| (slot, &**identifier));
            held.push(Held {
                slot,
                identifier: identifier.clone(),
                is_live: is_live && rules.joins(message, slot, live),
                joins_nobody: !is_live,
            });
        }
    }
    held.sort_by_key(|one| one.slot);
    held.dedup_by(|one, first| {
        let is_same = one.slot == first.slot;
        first.is_live |= is_same && one.is_live;
        is_same
    });
    held
}

/// What a resolved person is known by; `slot` gives that of each node.
pub fn held_in(
    graph: &identity::Neighbourhood,
    person: &identity::Person,
    rules: &Rules,
    slot: impl Fn(u32) -> i64,
) -> Vec<Held> {
    let pieces = person.evidence.iter().map(|index| {
        let piece = &graph.evidence[*index as usize];
        (&*piece.message, &*piece.nodes)
    });
    let node = |at: u32, _| {
        let node = &graph.nodes[at as usize];
        Some((slot(at), &node.identifier, node.is_live()))
    };
    held(rules, pieces, node)
}

fn by_id(seen: Vec<&Seen>) -> Vec<&EvidenceRow> {
    let mut rows: Vec<_> = seen.into_iter().map(|seen| &seen.row).collect();
    rows.sort_unstable_by_key(|row| row.id);
    rows
}

/// Identifiers as they are stored, sorted by slot.
fn rows<'k>(known: Vec<(&'k i64, &'k Known)>) -> Vec<IdentifierRow<'k>> {
    let rows = known.into_iter().map(|(slot, known)| IdentifierRow {
        slot: *slot,
        kind: known.identifier.kind.text(),
        value: known.identifier.value.as_str().into(),
        component: known.component,
        shared: known.shared,
        consents: known.said.as_deref().and_then(Kept::stored),
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort_unstable_by_key(|row| row.slot);
    rows
}

/// `source/stream/key` by their first names: the id of the message that a record is.
pub fn message_id(stream: &StreamRef, key: &str) -> String {
    [&stream.origin, "/", key].concat()
}

/// The source of a message.
fn source_of(message: &str) -> &str {
    message.split('/').next().unwrap_or_default()
}
