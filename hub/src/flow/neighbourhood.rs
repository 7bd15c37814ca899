//! The part of the identity graph that a batch touches: loads it, lets `identity` resolve it, and keeps what changed.
//! An edge never leaves a component of live identifiers, so recomputing the touched components is exact (I2).

use crate::flow::change::StreamRef;
use crate::identity::{self, Evidence, Node};
use crate::landing::slot_of_identifier;
use crate::model::{Identifier, IdentifierKind, Timestamp};
use crate::store::{EvidenceRow, IdentifierRow, Result, Tx};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;

/// An identifier's row, and whether it must be written.
#[derive(Debug)]
struct Known {
    identifier: Identifier,
    component: Option<i64>,
    shared: bool,
    dirty: bool,
}

/// An evidence's row, and what is known about its writing.
#[derive(Debug)]
struct Seen {
    row: EvidenceRow,
    is_new: bool,
    dirty: bool,
    removed: bool,
}

#[derive(Debug, Default)]
pub struct Neighbourhood {
    identifiers: FxHashMap<i64, Known>,
    /// Slots that were looked for and are free.
    free: FxHashSet<i64>,
    evidence: FxHashMap<i64, Seen>,
    by_set: FxHashMap<Vec<i64>, i64>,
    components: FxHashSet<i64>,
    /// Components whose evidence changed.
    stale_components: FxHashSet<i64>,
    stale_evidence: BTreeSet<i64>,
    next_evidence: i64,
    /// Shared identifiers to be counted again, all of whose evidence is loaded.
    recount: FxHashSet<i64>,
    flipped_live: Vec<i64>,
    new_shared: Vec<(i64, i64)>,
}

/// A person after resolving, with the evidence that makes it.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The id of its earliest evidence.
    pub id: i64,
    pub uuid: [u8; 16],
    pub component: i64,
    pub evidence: Vec<i64>,
    /// False when it may have a row already.
    pub is_new: bool,
}

/// What resolving changed.
#[derive(Debug, Default)]
pub struct Reshaped {
    pub people: Vec<Resolved>,
    /// Persons that are no more, and who has their earliest evidence now.
    pub gone: Vec<(i64, Option<i64>)>,
}

impl Neighbourhood {
    /// `next_evidence` is the first of the ids reserved for new evidence.
    pub fn new(next_evidence: i64) -> Self {
        Self {
            next_evidence,
            ..Self::default()
        }
    }

    /// Finds or makes the rows of identifiers; gives their slots in the same order.
    pub async fn place(&mut self, tx: &mut Tx, sets: &[&[Identifier]]) -> Result<Vec<Vec<i64>>> {
        let bases: Vec<Vec<i64>> = sets
            .iter()
            .map(|set| {
                set.iter()
                    .map(|identifier| {
                        slot_of_identifier(&identifier.kind.to_string(), &identifier.value)
                    })
                    .collect()
            })
            .collect();
        self.load_identifiers(tx, bases.iter().flatten().copied())
            .await?;
        let mut placed = bases;
        for (set, slots) in sets.iter().zip(&mut placed) {
            for (identifier, slot) in set.iter().zip(slots) {
                *slot = self.place_one(tx, identifier, *slot).await?;
            }
        }
        Ok(placed)
    }

    /// Follows the chain from `slot` to the identifier or to a free place for it.
    async fn place_one(
        &mut self,
        tx: &mut Tx,
        identifier: &Identifier,
        mut slot: i64,
    ) -> Result<i64> {
        loop {
            match self.identifiers.get(&slot) {
                Some(known) if known.identifier == *identifier => return Ok(slot),
                Some(_) => {
                    slot = (slot + 1) & i64::MAX;
                    self.load_identifiers(tx, [slot]).await?;
                }
                None => {
                    self.free.remove(&slot);
                    self.identifiers.insert(
                        slot,
                        Known {
                            identifier: identifier.clone(),
                            component: None,
                            shared: false,
                            dirty: true,
                        },
                    );
                    return Ok(slot);
                }
            }
        }
    }

    async fn load_identifiers(
        &mut self,
        tx: &mut Tx,
        slots: impl IntoIterator<Item = i64>,
    ) -> Result<()> {
        let mut missing: Vec<i64> = slots
            .into_iter()
            .filter(|slot| !self.identifiers.contains_key(slot) && !self.free.contains(slot))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            return Ok(());
        }
        let rows = tx.identifiers_at(missing.iter().copied()).await?;
        self.free.extend(missing);
        for row in rows {
            self.free.remove(&row.slot);
            let kind = IdentifierKind::parse(&row.kind).unwrap_or(IdentifierKind::AnonymousId);
            self.identifiers.insert(
                row.slot,
                Known {
                    identifier: Identifier {
                        kind,
                        value: row.value,
                    },
                    component: row.component,
                    shared: row.shared,
                    dirty: false,
                },
            );
        }
        Ok(())
    }

    /// Loads whole components: those of the identifiers, and those of the evidence given by id.
    pub async fn load(&mut self, tx: &mut Tx, placed: &[Vec<i64>], evidence: &[i64]) -> Result<()> {
        let missing: Vec<i64> = evidence
            .iter()
            .copied()
            .filter(|id| !self.evidence.contains_key(id))
            .collect();
        let mut components: BTreeSet<i64> = BTreeSet::new();
        if !missing.is_empty() {
            components.extend(
                tx.evidence_by_id(missing)
                    .await?
                    .iter()
                    .map(|row| row.component),
            );
        }
        let mut all_shared: Vec<i64> = Vec::new();
        for set in placed {
            let mut live = 0;
            for slot in set {
                let Some(known) = self.identifiers.get(slot) else {
                    continue;
                };
                components.extend(known.component);
                live += usize::from(!known.shared);
            }
            if live == 0 {
                all_shared.extend(set.first());
            }
        }
        if !all_shared.is_empty() {
            // A set of shared identifiers only is a component of its own; it is found through one of them.
            let pairs = tx.evidence_of_shared(all_shared).await?;
            let rows = tx
                .evidence_by_id(pairs.into_iter().map(|pair| pair.1))
                .await?;
            components.extend(
                rows.iter()
                    .filter(|row| row.person_id.is_none())
                    .map(|row| row.component),
            );
        }
        self.load_components(tx, components).await
    }

    async fn load_components(
        &mut self,
        tx: &mut Tx,
        components: impl IntoIterator<Item = i64>,
    ) -> Result<()> {
        let wanted: Vec<i64> = components
            .into_iter()
            .filter(|id| self.components.insert(*id))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let rows = tx.evidence_of_components(wanted).await?;
        self.load_identifiers(tx, rows.iter().flat_map(|row| row.nodes.iter().copied()))
            .await?;
        for row in rows {
            self.by_set.insert(set_key(&row.nodes), row.id);
            self.evidence.insert(
                row.id,
                Seen {
                    row,
                    is_new: false,
                    dirty: false,
                    removed: false,
                },
            );
        }
        Ok(())
    }

    /// The evidence of a set of identifiers, supported by one more record.
    pub fn gain(
        &mut self,
        slots: Vec<i64>,
        first_seen: i64,
        message: impl FnOnce() -> String,
    ) -> i64 {
        let key = set_key(&slots);
        if let Some(id) = self.by_set.get(&key) {
            let seen = self
                .evidence
                .get_mut(id)
                .expect("`by_set` holds only ids of `evidence`");
            if first_seen <= seen.row.first_seen {
                let message = message();
                if (first_seen, &message) < (seen.row.first_seen, &seen.row.message) {
                    seen.row.first_seen = first_seen;
                    seen.row.message = message;
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
            message: message(),
        };
        self.by_set.insert(key, id);
        self.evidence.insert(
            id,
            Seen {
                row,
                is_new: true,
                dirty: true,
                removed: false,
            },
        );
        self.stale_evidence.insert(id);
        id
    }

    /// Counts the supporters of evidence that lost one, after the records' own rows were written.
    pub async fn settle_losses(&mut self, tx: &mut Tx, losers: &BTreeSet<i64>) -> Result<()> {
        let ids: Vec<i64> = losers
            .iter()
            .copied()
            .filter(|id| self.evidence.contains_key(id))
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let mut earliest: FxHashMap<i64, (i64, String)> = FxHashMap::default();
        for (id, first_seen, message) in tx.supporters(&ids).await? {
            let found = (first_seen, message);
            match earliest.get_mut(&id) {
                Some(best) if *best <= found => {}
                Some(best) => *best = found,
                None => {
                    earliest.insert(id, found);
                }
            }
        }
        for id in ids {
            let seen = self.evidence.get_mut(&id).expect("filtered above");
            match earliest.remove(&id) {
                Some((first_seen, message))
                    if (first_seen, &message) == (seen.row.first_seen, &seen.row.message) => {}
                Some((first_seen, message)) => {
                    seen.row.first_seen = first_seen;
                    seen.row.message = message;
                    seen.dirty = true;
                    self.stale_evidence.insert(id);
                }
                None => {
                    seen.removed = true;
                    self.stale_evidence.insert(id);
                }
            }
        }
        self.recount_shared(tx).await
    }

    /// A shared identifier that lost evidence may be live again: then all its evidence joins the neighbourhood.
    async fn recount_shared(&mut self, tx: &mut Tx) -> Result<()> {
        let mut slots: FxHashSet<i64> = FxHashSet::default();
        for id in &self.stale_evidence {
            let seen = &self.evidence[id];
            if seen.removed {
                slots.extend(
                    seen.row
                        .nodes
                        .iter()
                        .copied()
                        .filter(|slot| self.identifiers[slot].shared),
                );
            }
        }
        if slots.is_empty() {
            return Ok(());
        }
        let pairs = tx.evidence_of_shared(slots.iter().copied()).await?;
        let rows = tx
            .evidence_by_id(pairs.into_iter().map(|pair| pair.1))
            .await?;
        let components: Vec<i64> = rows.iter().map(|row| row.component).collect();
        self.load_components(tx, components).await?;
        self.stale_evidence.extend(
            rows.iter()
                .map(|row| row.id)
                .filter(|id| self.evidence.contains_key(id)),
        );
        self.recount = slots;
        Ok(())
    }

    /// The person that evidence belongs to now.
    pub fn person_of(&self, evidence: i64) -> Option<i64> {
        self.evidence
            .get(&evidence)
            .filter(|seen| !seen.removed)
            .and_then(|seen| seen.row.person_id)
    }

    pub fn is_new_evidence(&self, evidence: i64) -> bool {
        self.evidence.get(&evidence).is_some_and(|seen| seen.is_new)
    }

    /// The loaded evidence of persons whose shape did not change.
    pub fn evidence_of_persons(&self, persons: &FxHashSet<i64>) -> FxHashMap<i64, Vec<i64>> {
        let mut found: FxHashMap<i64, Vec<i64>> = FxHashMap::default();
        for seen in self.evidence.values().filter(|seen| !seen.removed) {
            if let Some(person) = seen.row.person_id.filter(|person| persons.contains(person)) {
                found.entry(person).or_default().push(seen.row.id);
            }
        }
        found
    }

    /// Persons whose shape stands: id, component, uuid, from their earliest evidence.
    pub fn heads(
        &self,
        persons: &FxHashSet<i64>,
        rules: &identity::Rules,
    ) -> Vec<(i64, i64, [u8; 16])> {
        let mut heads: Vec<_> = persons
            .iter()
            .filter_map(|id| {
                let row = &self.evidence.get(id)?.row;
                Some((
                    *id,
                    row.component,
                    rules.person_id(&row.message).0.into_bytes(),
                ))
            })
            .collect();
        heads.sort_unstable();
        heads
    }

    /// Resolves the components whose evidence changed.
    pub fn resolve(&mut self, rules: &identity::Rules) -> Reshaped {
        if self.stale_evidence.is_empty() {
            return Reshaped::default();
        }
        let members = self.stale_members();
        let old_persons: BTreeSet<i64> = members
            .iter()
            .filter_map(|id| self.evidence[id].row.person_id)
            .collect();
        let alive: Vec<i64> = members
            .iter()
            .copied()
            .filter(|id| !self.evidence[id].removed)
            .collect();
        let (mut graph, slots) = self.graph(&alive);
        self.share(&mut graph, &slots, rules);
        let components = self.relabel(&graph, &slots, &alive);
        let resolution = identity::resolve(&graph, rules);
        let mut people = Vec::with_capacity(resolution.people.len());
        for person in &resolution.people {
            let evidence: Vec<i64> = person
                .evidence
                .iter()
                .map(|index| alive[*index as usize])
                .collect();
            let Some(earliest) = evidence
                .iter()
                .min_by_key(|id| {
                    (
                        self.evidence[id].row.first_seen,
                        &self.evidence[id].row.message,
                    )
                })
                .copied()
            else {
                continue;
            };
            let is_new = self.evidence[&earliest].is_new;
            people.push(Resolved {
                id: earliest,
                uuid: person.id.0.into_bytes(),
                component: components[&earliest],
                evidence,
                is_new,
            });
        }
        let former: Vec<(i64, i64)> = alive
            .iter()
            .filter_map(|id| Some((self.evidence[id].row.person_id?, *id)))
            .collect();
        self.assign(&people, &alive);
        let gone = self.gone(&old_persons, &former, &people);
        Reshaped { people, gone }
    }

    /// Every loaded evidence in a component that changed, in order of id.
    fn stale_members(&mut self) -> Vec<i64> {
        for id in &self.stale_evidence {
            let seen = &self.evidence[id];
            self.stale_components.insert(seen.row.component);
            for slot in &seen.row.nodes {
                self.stale_components
                    .extend(self.identifiers[slot].component);
            }
        }
        let mut members: Vec<i64> = self
            .evidence
            .values()
            .filter(|seen| self.stale_components.contains(&seen.row.component))
            .map(|seen| seen.row.id)
            .collect();
        members.sort_unstable();
        members
    }

    fn graph(&self, alive: &[i64]) -> (identity::Neighbourhood, Vec<i64>) {
        let mut index: FxHashMap<i64, u32> = FxHashMap::default();
        let mut slots = Vec::new();
        let mut nodes = Vec::new();
        let mut evidence = Vec::with_capacity(alive.len());
        for id in alive {
            let row = &self.evidence[id].row;
            let members = row
                .nodes
                .iter()
                .map(|slot| {
                    *index.entry(*slot).or_insert_with(|| {
                        let known = &self.identifiers[slot];
                        nodes.push(Node {
                            identifier: known.identifier.clone(),
                            shared: known.shared,
                            blocked: false,
                        });
                        slots.push(*slot);
                        (slots.len() - 1) as u32
                    })
                })
                .collect();
            evidence.push(Evidence {
                nodes: members,
                first_seen: Timestamp(row.first_seen),
                message: row.message.clone(),
            });
        }
        (
            identity::Neighbourhood {
                nodes,
                evidence,
                ..Default::default()
            },
            slots,
        )
    }

    /// Decides anew which identifiers are shared. One that was shared stays so unless all its evidence is here.
    fn share(
        &mut self,
        graph: &mut identity::Neighbourhood,
        slots: &[i64],
        rules: &identity::Rules,
    ) {
        let counted = identity::shared(&graph.nodes, &graph.evidence, rules);
        for (index, slot) in slots.iter().enumerate() {
            let was = graph.nodes[index].shared;
            let now = counted[index] || (was && !self.recount.contains(slot));
            graph.nodes[index].shared = now;
            if now != was {
                let known = self.identifiers.get_mut(slot).expect("placed or loaded");
                known.shared = now;
                known.dirty = true;
                if !now {
                    self.flipped_live.push(*slot);
                }
            }
        }
    }

    /// Names each component by its smallest evidence id, and puts the name on its rows.
    fn relabel(
        &mut self,
        graph: &identity::Neighbourhood,
        slots: &[i64],
        alive: &[i64],
    ) -> FxHashMap<i64, i64> {
        let labels = identity::components(graph);
        let mut names: FxHashMap<u32, i64> = FxHashMap::default();
        let mut component_of: FxHashMap<i64, i64> = FxHashMap::default();
        for (evidence, id) in graph.evidence.iter().zip(alive) {
            let live = evidence
                .nodes
                .iter()
                .find(|node| !graph.nodes[**node as usize].shared);
            let name = match live {
                // `alive` ascends, so the first to come names the component.
                Some(node) => *names.entry(labels[*node as usize]).or_insert(*id),
                None => *id,
            };
            component_of.insert(*id, name);
            let seen = self.evidence.get_mut(id).expect("in `alive`");
            if seen.row.component != name {
                seen.row.component = name;
                seen.dirty = true;
            }
            for node in &evidence.nodes {
                if graph.nodes[*node as usize].shared {
                    self.new_shared.push((slots[*node as usize], *id));
                }
            }
        }
        for (index, slot) in slots.iter().enumerate() {
            let component = match graph.nodes[index].shared {
                true => None,
                false => names.get(&labels[index]).copied(),
            };
            self.put_component(*slot, component);
        }
        self.release_lost_identifiers(slots);
        component_of
    }

    fn put_component(&mut self, slot: i64, component: Option<i64>) {
        let known = self.identifiers.get_mut(&slot).expect("placed or loaded");
        if known.component != component {
            known.component = component;
            known.dirty = true;
        }
    }

    /// Identifiers that only removed evidence held belong to no component any more.
    fn release_lost_identifiers(&mut self, kept: &[i64]) {
        let kept: FxHashSet<i64> = kept.iter().copied().collect();
        let lost: Vec<i64> = self
            .stale_evidence
            .iter()
            .filter(|id| self.evidence[id].removed)
            .flat_map(|id| self.evidence[id].row.nodes.iter().copied())
            .filter(|slot| !kept.contains(slot))
            .collect();
        for slot in lost {
            self.put_component(slot, None);
            let known = self.identifiers.get_mut(&slot).expect("placed or loaded");
            if known.shared && self.recount.contains(&slot) {
                known.shared = false;
                known.dirty = true;
                self.flipped_live.push(slot);
            }
        }
    }

    fn assign(&mut self, people: &[Resolved], alive: &[i64]) {
        let mut person_of: FxHashMap<i64, i64> = FxHashMap::default();
        for person in people {
            for id in &person.evidence {
                person_of.insert(*id, person.id);
            }
        }
        for id in alive {
            let seen = self.evidence.get_mut(id).expect("in `alive`");
            let person = person_of.get(id).copied();
            if seen.row.person_id != person {
                seen.row.person_id = person;
                seen.dirty = true;
            }
        }
    }

    // I6: an id that is given up leads to whoever has its earliest evidence now, or what is left of it.
    // `former` holds the persons that evidence had before, ascending by evidence.
    fn gone(
        &self,
        old: &BTreeSet<i64>,
        former: &[(i64, i64)],
        people: &[Resolved],
    ) -> Vec<(i64, Option<i64>)> {
        let kept: FxHashSet<i64> = people.iter().map(|person| person.id).collect();
        let lost: FxHashSet<i64> = old
            .iter()
            .copied()
            .filter(|id| !kept.contains(id))
            .collect();
        if lost.is_empty() {
            return Vec::new();
        }
        let mut heir: FxHashMap<i64, i64> = FxHashMap::default();
        for (person, evidence) in former.iter().filter(|(person, _)| lost.contains(person)) {
            if let Some(now) = self.person_of(*evidence) {
                heir.entry(*person).or_insert(now);
            }
        }
        old.iter()
            .filter(|id| lost.contains(id))
            .map(|id| (*id, self.person_of(*id).or_else(|| heir.get(id).copied())))
            .collect()
    }

    /// Writes what changed, sorted by key.
    pub async fn save(&mut self, tx: &mut Tx) -> Result<()> {
        let mut identifiers: Vec<IdentifierRow> = self
            .identifiers
            .iter()
            .filter(|(_, known)| known.dirty)
            .map(|(slot, known)| IdentifierRow {
                slot: *slot,
                kind: known.identifier.kind.to_string(),
                value: known.identifier.value.clone(),
                component: known.component,
                shared: known.shared,
            })
            .collect();
        identifiers.sort_unstable_by_key(|row| row.slot);
        tx.save_identifiers(identifiers).await?;
        let removed: Vec<i64> = self
            .evidence
            .values()
            .filter(|seen| seen.removed && !seen.is_new)
            .map(|seen| seen.row.id)
            .collect();
        tx.remove_evidence(&removed).await?;
        let mut evidence: Vec<EvidenceRow> = self
            .evidence
            .values()
            .filter(|seen| seen.dirty && !seen.removed)
            .map(|seen| seen.row.clone())
            .collect();
        evidence.sort_unstable_by_key(|row| row.id);
        tx.save_evidence(evidence).await?;
        tx.remove_shared(&self.flipped_live).await?;
        self.new_shared.sort_unstable();
        self.new_shared.dedup();
        tx.add_shared_evidence(std::mem::take(&mut self.new_shared))
            .await
    }
}

/// `source/stream/key`: the id of the message that a record is.
pub fn message_id(stream: &StreamRef, key: &str) -> String {
    format!("{}/{}/{}", stream.source, stream.name, key)
}

fn set_key(slots: &[i64]) -> Vec<i64> {
    let mut key = slots.to_vec();
    key.sort_unstable();
    key.dedup();
    key
}
