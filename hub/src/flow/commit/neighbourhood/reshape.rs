//! Resolving: the components whose evidence changed are divided into people again, and the rows are updated.

use super::{Around, Neighbourhood, Reshaped, Resolved};
use crate::flow::context::{LONG, both};
use crate::identity::{self, Evidence, Node, Statement, StatementKind};
use crate::model::Timestamp;
use rustc_hash::{FxHashMap, FxHashSet};

/// A person as it was before.
struct Former {
    /// The evidence that its uuid follows from, unless its evidence was renamed.
    earliest: i64,
    is_renamed: bool,
}

impl Neighbourhood {
    /// Resolves the components whose evidence changed.
    pub fn resolve(&mut self) -> Reshaped {
        let members = self.stale_members();
        self.resolve_members(&members)
    }

    /// The same; `members` is what `stale_members` returned.
    pub fn resolve_members(&mut self, members: &[i64]) -> Reshaped {
        let rules = self.rules.clone();
        // Every record has its slots and evidence by now.
        self.by_set = FxHashMap::default();
        self.free = FxHashSet::default();
        if members.is_empty() {
            return Reshaped::default();
        }
        let former = self.former(members);
        let lost = self.lost(members);
        let alive: Vec<i64> = members
            .iter()
            .copied()
            .filter(|id| !self.evidence[id].removed)
            .collect();
        let (mut graph, slots) = self.graph(&alive);
        self.share(&mut graph, &slots, &alive);
        let labels = identity::components(&graph, &rules);
        let (resolution, components) = both(
            alive.len() >= LONG,
            || identity::resolve_among(&graph, &labels, &rules),
            || {
                let components = self.relabel(&graph, &labels, &slots, &alive);
                self.measure(&graph, &labels, &slots, &components);
                self.write_said();
                components
            },
        );
        // The previous owners, in the order of `alive`: everything below uses indexes into it.
        let owners: Vec<Option<i64>> = alive
            .iter()
            .map(|id| self.evidence[id].row.person_id)
            .collect();
        let people = self.resolved(&resolution, &alive, &owners, &components, &former);
        let kept: FxHashSet<i64> = people.iter().map(|person| person.id).collect();
        let given = resolution.person_of_evidence;
        self.assign(
            &alive,
            given
                .iter()
                .map(|person| Some(people[(*person)? as usize].id)),
        );
        let heir = |(id, person, other): (i64, i64, Option<i64>)| match kept.contains(&person) {
            true => (id, Some(person)),
            false => (id, other.and_then(|other| self.person_of(other))),
        };
        let heirs = lost.into_iter().map(heir).collect();
        let gone = former.into_keys().filter(|id| !kept.contains(id));
        Reshaped {
            gone: gone.collect(),
            people,
            heirs,
        }
    }

    /// The people of a resolution over the evidence `alive`, each piece with its previous owner and its component.
    fn resolved(
        &self,
        resolution: &identity::Resolution,
        alive: &[i64],
        owners: &[Option<i64>],
        components: &[i64],
        former: &FxHashMap<i64, Former>,
    ) -> Vec<Resolved> {
        let mut people = Vec::with_capacity(resolution.people.len());
        for person in &resolution.people {
            let indexes = person.evidence.iter().map(|index| *index as usize);
            let evidence: Vec<i64> = indexes.clone().map(|index| alive[index]).collect();
            // Evidence is ordered from the earliest on, and there is at least one piece.
            let (first, earliest) = (person.evidence[0] as usize, evidence[0]);
            let numbers = indexes.filter(|index| owners[*index] == Some(alive[*index]));
            let id = number(&evidence, owners[first], numbers.map(|index| alive[index]));
            people.push(Resolved {
                id,
                uuid: person.id.0.into_bytes(),
                earliest,
                component: components[first],
                stands: self.is_number(id),
                is_named: owners[first].is_some_and(|owner| {
                    let owner = &former[&owner];
                    owner.earliest == earliest && !owner.is_renamed
                }),
                evidence,
            });
        }
        people
    }

    /// The piece of evidence whose record came first; a person's uuid is derived from it.
    pub(super) fn earliest(&self, evidence: impl Iterator<Item = i64>) -> Option<i64> {
        evidence.reduce(|first, id| if self.is_before(id, first) { id } else { first })
    }

    /// Whether there is a person with this number who still has the evidence with that number.
    fn is_number(&self, evidence: i64) -> bool {
        self.evidence[&evidence].row.person_id == Some(evidence)
    }

    /// The people that this evidence made until now.
    fn former(&self, members: &[i64]) -> FxHashMap<i64, Former> {
        let mut former: FxHashMap<i64, Former> = FxHashMap::default();
        for id in members {
            let seen = &self.evidence[id];
            let Some(person) = seen.row.person_id else {
                continue;
            };
            let one = former.entry(person).or_insert(Former {
                earliest: *id,
                is_renamed: false,
            });
            one.is_renamed |= seen.renamed;
            if self.is_before(*id, one.earliest) {
                one.earliest = *id;
            }
        }
        former
    }

    fn is_before(&self, one: i64, other: i64) -> bool {
        let came = |id: i64| {
            let row = &self.evidence[&id].row;
            (row.first_seen, &row.message)
        };
        came(one) < came(other)
    }

    /// Everything that is loaded, divided into people as it stands; nothing is changed.
    pub fn around(&self) -> Around {
        let mut evidence: Vec<i64> = self.evidence.keys().copied().collect();
        evidence.sort_unstable();
        let (mut graph, slots) = self.graph(&evidence);
        if let Some(decided) = &self.decided {
            for (node, slot) in graph.nodes.iter_mut().zip(&slots) {
                node.shared = decided.get(slot).copied().unwrap_or(node.shared);
            }
        }
        Around {
            resolution: identity::resolve(&graph, &self.rules),
            rows: evidence
                .iter()
                .map(|id| self.evidence[id].row.clone())
                .collect(),
            statements: self
                .statements
                .iter()
                .filter(|(_, stated)| slots.contains(&stated.left) && slots.contains(&stated.right))
                .map(|(id, _)| *id)
                .collect(),
            graph,
            slots,
        }
    }

    /// Already stored evidence in stale components and in those of `claimed`. Everyone who may be rebuilt has stored claims only
    /// on this evidence.
    pub fn stored_among(&self, members: &[i64], claimed: &FxHashSet<i64>) -> Vec<i64> {
        let members = members.iter().copied();
        let mut stored: Vec<i64> = members.filter(|id| !self.is_new_evidence(*id)).collect();
        let claimed = claimed.iter().filter_map(|id| self.evidence.get(id));
        let components = claimed.map(|seen| seen.row.component);
        let others: FxHashSet<i64> = components
            .filter(|component| !self.stale_components.contains(component))
            .collect();
        if !others.is_empty() {
            let seen = self.evidence.values();
            let seen = seen.filter(|seen| others.contains(&seen.row.component));
            stored.extend(seen.map(|seen| seen.row.id));
        }
        stored
    }

    /// Every loaded evidence in a component that changed, in order of id.
    pub fn stale_members(&mut self) -> Vec<i64> {
        for id in &self.stale_evidence {
            let seen = &self.evidence[id];
            self.stale_components.insert(seen.row.component);
            for slot in &seen.row.nodes {
                self.stale_components
                    .extend(self.identifiers[slot].component);
            }
        }
        self.follow_statements();
        let mut members: Vec<i64> = self
            .evidence
            .values()
            .filter(|seen| self.stale_components.contains(&seen.row.component))
            .map(|seen| seen.row.id)
            .collect();
        members.sort_unstable();
        members
    }

    /// A component that a statement links with a stale one is stale, too.
    fn follow_statements(&mut self) {
        let links: Vec<(i64, i64)> = self
            .statements
            .values()
            .filter(|stated| stated.kind == StatementKind::MustLink)
            .map(|stated| (stated.left, stated.right))
            .collect();
        let mut slots: FxHashSet<i64> = FxHashSet::default();
        let mut before = usize::MAX;
        while !links.is_empty() && before != self.stale_components.len() {
            before = self.stale_components.len();
            let stale = &self.stale_components;
            let seen = self.evidence.values();
            let members = seen.filter(|seen| stale.contains(&seen.row.component));
            slots.extend(members.flat_map(|seen| &seen.row.nodes));
            for (left, right) in &links {
                for (here, there) in [(left, right), (right, left)] {
                    if slots.contains(here) {
                        let there = self.identifiers.get(there);
                        self.stale_components
                            .extend(there.and_then(|known| known.component));
                    }
                }
            }
        }
    }

    fn graph(&self, alive: &[i64]) -> (identity::Neighbourhood, Vec<i64>) {
        let most = alive.iter().map(|id| self.evidence[id].row.nodes.len());
        let most = most.sum::<usize>().min(self.identifiers.len());
        let mut index: FxHashMap<i64, u32> = FxHashMap::default();
        index.reserve(most);
        let mut slots = Vec::with_capacity(most);
        let mut nodes = Vec::with_capacity(most);
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
                            blocked: known.blocked,
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
                name: row.name.clone(),
            });
        }
        let statements = self.statements.values().filter_map(|stated| {
            Some(Statement {
                kind: stated.kind,
                left: *index.get(&stated.left)?,
                right: *index.get(&stated.right)?,
            })
        });
        let statements = statements.collect();
        let graph = identity::Neighbourhood {
            nodes,
            evidence,
            statements,
        };
        (graph, slots)
    }

    /// Decides again which identifiers are shared. One that was shared stays so unless all its evidence is loaded.
    fn share(&mut self, graph: &mut identity::Neighbourhood, slots: &[i64], alive: &[i64]) {
        let counted = identity::shared(&graph.nodes, &graph.evidence, &self.rules);
        for (index, slot) in slots.iter().enumerate() {
            let was = graph.nodes[index].shared;
            let now = match &self.decided {
                Some(decided) => {
                    let now = decided.get(slot).copied().unwrap_or(was);
                    if !now && !graph.nodes[index].blocked {
                        self.flipped_live.push(*slot);
                    }
                    now
                }
                None => counted[index] || (was && !self.recount.contains(slot)),
            };
            graph.nodes[index].shared = now;
            if now != was {
                let parts = now && self.joined(*slot, alive);
                let known = self.identifiers.get_mut(slot).expect("loaded or made");
                known.shared = now;
                known.dirty = true;
                match now {
                    false => self.flipped_live.push(*slot),
                    true if parts => self.parted.push(*slot),
                    true => {}
                }
            }
        }
    }

    /// Whether one person had an identifier by several pieces of evidence until now.
    fn joined(&self, slot: i64, alive: &[i64]) -> bool {
        let seen = alive.iter().map(|id| &self.evidence[id].row);
        let having = seen.filter(|row| row.nodes.contains(&slot));
        let mut people = having.filter_map(|row| row.person_id);
        let mut known = FxHashSet::default();
        people.any(|person| !known.insert(person))
    }

    /// Names each component by its smallest evidence id, and puts the name on its rows. Returns the name for each evidence.
    fn relabel(
        &mut self,
        graph: &identity::Neighbourhood,
        labels: &[u32],
        slots: &[i64],
        alive: &[i64],
    ) -> Vec<i64> {
        let mut names: Vec<Option<i64>> = vec![None; labels.len()];
        let mut component_of = Vec::with_capacity(alive.len());
        for (evidence, id) in graph.evidence.iter().zip(alive) {
            let name = match identity::anchor(&graph.nodes, evidence, &self.rules) {
                // `alive` ascends, so the first piece of evidence names the component.
                Some(node) => *names[labels[node as usize] as usize].get_or_insert(*id),
                None => *id,
            };
            component_of.push(name);
            let seen = self.evidence.get_mut(id).expect("in `alive`");
            if seen.row.component != name {
                seen.row.component = name;
                seen.dirty = true;
            }
            for node in &evidence.nodes {
                if !graph.nodes[*node as usize].is_live() {
                    self.new_shared.push((slots[*node as usize], *id));
                }
            }
        }
        self.new_shared.sort_unstable();
        self.new_shared.dedup();
        for (index, slot) in slots.iter().enumerate() {
            let component = match graph.nodes[index].is_live() {
                true => names[labels[index] as usize].or_else(|| self.elsewhere(*slot)),
                false => None,
            };
            self.put_component(*slot, component);
        }
        self.release_lost_identifiers(slots);
        component_of
    }

    /// An identifier's component, if it is not loaded: evidence of a source that is not trusted holds identifiers of other
    /// components.
    fn elsewhere(&self, slot: i64) -> Option<i64> {
        let component = self.identifiers.get(&slot)?.component?;
        (!self.components.contains(&component)).then_some(component)
    }

    fn put_component(&mut self, slot: i64, component: Option<i64>) {
        let known = self.identifiers.get_mut(&slot).expect("loaded or made");
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
            self.put_component(slot, self.elsewhere(slot));
            let known = self.identifiers.get_mut(&slot).expect("loaded or made");
            if known.shared && self.recount.contains(&slot) {
                known.shared = false;
                known.dirty = true;
                self.flipped_live.push(slot);
            }
        }
    }

    fn assign(&mut self, alive: &[i64], given: impl Iterator<Item = Option<i64>>) {
        for (id, person) in alive.iter().zip(given) {
            let seen = self.evidence.get_mut(id).expect("in `alive`");
            if seen.row.person_id != person {
                seen.row.person_id = person;
                seen.given = true;
            }
        }
    }

    // I6: an id resolves to the person with the evidence that it is derived from; once that is removed, to the person with the
    // rest of that person's evidence. Returns each removed evidence with its person and with other evidence of that person, or
    // else the evidence that its record supports now, or that came with one of its identifiers in this transaction: what takes the
    // place of records that were merged.
    fn lost(&self, members: &[i64]) -> Vec<(i64, i64, Option<i64>)> {
        let removed = members.iter().filter(|id| self.evidence[id].removed);
        let mut lost: Vec<(i64, i64, Option<i64>)> = removed
            .filter_map(|id| Some((*id, self.evidence[id].row.person_id?, None)))
            .collect();
        if lost.is_empty() {
            return lost;
        }
        let mut rest: FxHashMap<i64, i64> = FxHashMap::default();
        for id in members {
            let seen = &self.evidence[id];
            if let Some(person) = seen.row.person_id.filter(|_| !seen.removed) {
                rest.entry(person).or_insert(*id);
            }
        }
        let new = self.new_by_slot(members);
        for (id, person, other) in &mut lost {
            let next = rest.get(person).or_else(|| self.successors.get(id));
            let its = self.evidence[id].row.nodes.iter();
            let with_its = || self.earliest(its.filter_map(|slot| new.get(slot).copied()));
            *other = next.copied().or_else(with_its);
        }
        lost
    }

    /// The earliest new evidence of each identifier that joins people.
    fn new_by_slot(&self, members: &[i64]) -> FxHashMap<i64, i64> {
        let mut new: FxHashMap<i64, i64> = FxHashMap::default();
        for id in members {
            let seen = &self.evidence[id];
            if seen.row.person_id.is_some() || seen.removed {
                continue;
            }
            let slots = seen.row.nodes.iter();
            let joins = |slot: &&i64| {
                let known = &self.identifiers[*slot];
                !(known.shared || known.blocked)
            };
            for slot in slots.filter(joins) {
                let known = new.entry(*slot).or_insert(*id);
                if self.is_before(*id, *known) {
                    *known = *id;
                }
            }
        }
        new
    }
}

/// A person keeps its number for as long as it has the evidence with that number. When several people become one, the one with
/// the earliest evidence keeps its number; `numbers` are in the order of the evidence, from the earliest.
fn number(evidence: &[i64], owner: Option<i64>, mut numbers: impl Iterator<Item = i64>) -> i64 {
    let owner = owner.filter(|owner| evidence.contains(owner));
    owner.or_else(|| numbers.next()).unwrap_or(evidence[0])
}
