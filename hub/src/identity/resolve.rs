//! The clustering itself: processes the edges inside each component of live nodes in their total order.
//!
//! A component with one piece of evidence and no statement, which most are, takes a fast path to the same answer.

use crate::identity::component::{Groups, NOBODY, are_live, components, unite};
use crate::identity::constraint::{ConstrainedSets, Refusal, UNLIMITED};
use crate::identity::{
    Edge, Evidence, Neighbourhood, Node, Person, Reason, Rejection, Resolution, Rules, Statement,
    StatementKind,
};
use crate::manifest::Trust;
use crate::model::{IdentifierKind, PersonId, Timestamp};
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

/// Decides who is one person (DESIGN section 6). The answer's content is a function of the content of `neighbourhood` alone (I1).
pub fn resolve(neighbourhood: &Neighbourhood, rules: &Rules) -> Resolution {
    resolve_among(neighbourhood, &components(neighbourhood, rules), rules)
}

/// The same; `component` is what `components` returned.
pub fn resolve_among(
    neighbourhood: &Neighbourhood,
    component: &[u32],
    rules: &Rules,
) -> Resolution {
    let mut resolver = Resolver::new(neighbourhood, rules);
    let nodes = Groups::new(
        neighbourhood.nodes.len(),
        (0..component.len() as u32).map(|node| {
            let live = neighbourhood.nodes[node as usize].is_live();
            (
                if live {
                    component[node as usize]
                } else {
                    NOBODY
                },
                node,
            )
        }),
    );
    let evidence = Groups::new(
        neighbourhood.nodes.len(),
        resolver.anchor.iter().zip(0..).map(|(&anchor, piece)| {
            (
                if anchor == NOBODY {
                    NOBODY
                } else {
                    component[anchor as usize]
                },
                piece,
            )
        }),
    );
    let statements = Groups::new(
        if neighbourhood.statements.is_empty() {
            0
        } else {
            component.len()
        },
        neighbourhood
            .statements
            .iter()
            .zip(0..)
            .map(|(statement, index)| {
                let (left, right) = (
                    component[statement.left as usize],
                    component[statement.right as usize],
                );
                let inside = left == right && are_live(&neighbourhood.nodes, statement);
                (if inside { left } else { NOBODY }, index)
            }),
    );
    for root in 0..component.len() as u32 {
        let (evidence, statements) = (evidence.of(root), statements.of(root));
        match evidence {
            // Without evidence there is nobody, whatever operators stated.
            [] => {}
            [only] if statements.is_empty() && resolver.fits_one(nodes.of(root)) => {
                resolver.add_simple(*only, nodes.of(root));
            }
            _ => resolver.add_component(nodes.of(root), evidence, statements),
        }
    }
    resolver.finish()
}

/// The live node of highest priority: the evidence belongs to its person.
pub fn anchor(nodes: &[Node], piece: &Evidence, rules: &Rules) -> Option<u32> {
    let live = piece
        .nodes
        .iter()
        .copied()
        .filter(|&node| nodes[node as usize].is_live());
    live.min_by(|&a, &b| compare(nodes, rules, a, b))
}

struct Resolver<'a> {
    nodes: &'a [Node],
    evidence: &'a [Evidence],
    statements: &'a [Statement],
    rules: &'a Rules,
    /// Of each piece of evidence: its highest-priority live node, or `NOBODY`.
    anchor: Vec<u32>,
    /// Of each node of the component at hand: its place in the order of content.
    position: Vec<u32>,
    people: Vec<Person>,
    rejected: Vec<(Rank, Rejection)>,
}

/// An edge's place in the total order: statements first, then sources that are fully trusted, then the class of its weaker
/// end, then the earliest time, then content.
#[derive(Debug, Clone, Copy)]
struct Rank {
    is_late: bool,
    class: u8,
    time: Timestamp,
    edge: Edge,
}

const STATED: u8 = 0;

impl<'a> Resolver<'a> {
    fn new(neighbourhood: &'a Neighbourhood, rules: &'a Rules) -> Self {
        let nodes = &neighbourhood.nodes;
        let anchor = neighbourhood
            .evidence
            .iter()
            .map(|piece| anchor(nodes, piece, rules).unwrap_or(NOBODY));
        Self {
            nodes,
            evidence: &neighbourhood.evidence,
            statements: &neighbourhood.statements,
            rules,
            anchor: anchor.collect(),
            position: vec![0; nodes.len()],
            people: Vec::new(),
            rejected: Vec::new(),
        }
    }

    /// Whether no limit is broken when all these nodes are one person's.
    fn fits_one(&self, nodes: &[u32]) -> bool {
        nodes.len() <= self.rules.component_cap.max(1)
            && nodes.iter().all(|&node| {
                let kind = &self.nodes[node as usize].identifier.kind;
                self.rules.limit(kind).is_none_or(|limit| {
                    nodes.len() <= limit as usize
                        || nodes
                            .iter()
                            .filter(|&&other| self.nodes[other as usize].identifier.kind == *kind)
                            .count()
                            <= limit as usize
                })
            })
    }

    /// One piece of evidence with nothing against it: its live nodes are one person.
    fn add_simple(&mut self, piece: u32, nodes: &[u32]) {
        let mut nodes = nodes.to_vec();
        nodes.sort_unstable_by(|&a, &b| compare(self.nodes, self.rules, a, b));
        let anchor = nodes[0];
        let joined = nodes[1..].iter().map(|&low| Edge {
            high: anchor,
            low,
            evidence: Some(piece),
        });
        self.people.push(Person {
            id: self.person_id(piece),
            joined: joined.collect(),
            nodes,
            evidence: vec![piece],
        });
    }

    fn add_component(&mut self, nodes: &[u32], evidence: &[u32], statements: &[u32]) {
        let mut nodes = nodes.to_vec();
        nodes.sort_unstable_by(|&a, &b| compare(self.nodes, self.rules, a, b));
        for (position, &node) in nodes.iter().enumerate() {
            self.position[node as usize] = position as u32;
        }
        let mut statements = statements.to_vec();
        statements.sort_unstable_by_key(|&index| self.ends(&self.statements[index as usize]));
        let (mut sets, limited) = self.sets(&nodes, &statements);
        let mut joined = Vec::new();
        let mut refused = HashSet::new();
        let mut ranked = self.ranked(evidence, &statements);
        let unused = self.cap(nodes.len(), &mut ranked);
        for rank in ranked {
            let (high, low) = self.positions(&rank);
            match sets.join(high, low) {
                Ok(true) => joined.push(rank.edge),
                Ok(false) => {}
                // The same pair may come again with later evidence: it is refused again, and the first is the one to tell.
                Err(refusal) => {
                    if refused.insert((high, low)) {
                        let reason = match refusal {
                            Refusal::Limit(class) => {
                                let (kind, limit) = limited[class as usize];
                                Reason::Limit {
                                    kind: kind.clone(),
                                    limit,
                                }
                            }
                            Refusal::Forbidden(order) => Reason::MustNotLink {
                                statement: statements[order as usize],
                            },
                        };
                        self.reject(rank, reason);
                    }
                }
            }
        }
        for (rank, size) in unused {
            let (high, low) = self.positions(&rank);
            if sets.find(high) != sets.find(low) && refused.insert((high, low)) {
                self.reject(rank, Reason::ComponentCap { size });
            }
        }
        self.add_people(&nodes, evidence, &joined, &mut sets);
    }

    fn positions(&self, rank: &Rank) -> (u32, u32) {
        (
            self.position[rank.edge.high as usize],
            self.position[rank.edge.low as usize],
        )
    }

    fn reject(&mut self, rank: Rank, reason: Reason) {
        let edge = rank.edge;
        self.rejected.push((rank, Rejection { edge, reason }));
    }

    /// While a component has more nodes than the cap, its weakest edges are not used, and what is left of it is looked at in
    /// the same way. Takes those edges out of `ranked`, which stays in its order; returns them with the size that was too much.
    fn cap(&self, nodes: usize, ranked: &mut Vec<Rank>) -> Vec<(Rank, u32)> {
        let cap = self.rules.component_cap.max(1);
        let mut unused = Vec::new();
        if nodes <= cap {
            return unused;
        }
        let mut open = vec![std::mem::take(ranked)];
        while let Some(edges) = open.pop() {
            let mut parent: Vec<u32> = (0..nodes as u32).collect();
            for rank in &edges {
                let (high, low) = self.positions(rank);
                unite(&mut parent, high, low);
            }
            for node in 0..nodes {
                parent[node] = parent[parent[node] as usize];
            }
            let mut size = vec![0; nodes];
            for root in &parent {
                size[*root as usize] += 1;
            }
            let mut parts: BTreeMap<u32, Vec<Rank>> = BTreeMap::new();
            for rank in edges {
                let root = parent[self.positions(&rank).0 as usize];
                parts.entry(root).or_default().push(rank);
            }
            for (root, mut edges) in parts {
                let size = size[root as usize];
                let strength = |rank: &Rank| (rank.is_late, rank.class);
                let weakest = edges
                    .iter()
                    .map(strength)
                    .filter(|(_, class)| *class != STATED)
                    .max();
                match weakest.filter(|_| size as usize > cap) {
                    None => ranked.append(&mut edges),
                    Some(weakest) => {
                        let (gone, kept): (Vec<Rank>, Vec<Rank>) = edges
                            .into_iter()
                            .partition(|rank| strength(rank) == weakest);
                        unused.extend(gone.into_iter().map(|rank| (rank, size)));
                        open.push(kept);
                    }
                }
            }
        }
        self.sort(ranked);
        unused
    }

    /// The two ends by content.
    fn ends(&self, statement: &Statement) -> (u32, u32) {
        let (left, right) = (
            self.position[statement.left as usize],
            self.position[statement.right as usize],
        );
        (left.min(right), left.max(right))
    }

    /// The nodes as disjoint sets, by their places, with limits and must-not-links (I4).
    fn sets(
        &self,
        nodes: &[u32],
        statements: &[u32],
    ) -> (ConstrainedSets, Vec<(&'a IdentifierKind, u32)>) {
        let mut limited = Vec::new();
        let mut class = Vec::with_capacity(nodes.len());
        let mut current = None;
        let all = self.nodes;
        for &node in nodes {
            // Sorted by content, so that each kind is one stretch.
            let kind = &all[node as usize].identifier.kind;
            if current.is_none_or(|(last, _)| last != kind) {
                let index = self.rules.limit(kind).map_or(UNLIMITED, |limit| {
                    limited.push((kind, limit));
                    limited.len() as u32 - 1
                });
                current = Some((kind, index));
            }
            class.push(current.map_or(UNLIMITED, |(_, index)| index));
        }
        let mut sets =
            ConstrainedSets::new(&class, limited.iter().map(|(_, limit)| *limit).collect());
        for (order, &index) in statements.iter().enumerate() {
            let statement = &self.statements[index as usize];
            if statement.kind == StatementKind::MustNotLink {
                let (left, right) = self.ends(statement);
                sets.forbid(left, right, order as u32);
            }
        }
        (sets, limited)
    }

    /// Every edge of the component in the order in which it is visited.
    fn ranked(&self, evidence: &[u32], statements: &[u32]) -> Vec<Rank> {
        let mut edges = Vec::new();
        for &index in statements {
            let statement = &self.statements[index as usize];
            if statement.kind == StatementKind::MustLink && statement.left != statement.right {
                edges.push(self.rank(statement.left, statement.right, None));
            }
        }
        for &piece in evidence {
            let anchor = self.anchor[piece as usize];
            if self.rules.trust(&self.evidence[piece as usize].message) == Trust::None {
                continue;
            }
            for &node in &self.evidence[piece as usize].nodes {
                if node != anchor && self.nodes[node as usize].is_live() {
                    edges.push(self.rank(anchor, node, Some(piece)));
                }
            }
        }
        self.sort(&mut edges);
        edges
    }

    fn sort(&self, edges: &mut [Rank]) {
        edges.sort_unstable_by(|a, b| {
            let key = |rank: &Rank| (rank.is_late, rank.class, rank.time, self.positions(rank));
            key(a)
                .cmp(&key(b))
                .then_with(|| self.message(a).cmp(self.message(b)))
        });
    }

    fn rank(&self, left: u32, right: u32, evidence: Option<u32>) -> Rank {
        let in_order = self.position[left as usize] <= self.position[right as usize];
        let (high, low) = if in_order {
            (left, right)
        } else {
            (right, left)
        };
        let (is_late, class, time) = match evidence {
            None => (false, STATED, Timestamp(i64::MIN)),
            Some(piece) => {
                let piece = &self.evidence[piece as usize];
                let kind = &self.nodes[low as usize].identifier.kind;
                (
                    self.rules.trust(&piece.message) == Trust::Late,
                    self.rules.rank(kind).saturating_add(1),
                    piece.first_seen,
                )
            }
        };
        Rank {
            is_late,
            class,
            time,
            edge: Edge {
                high,
                low,
                evidence,
            },
        }
    }

    fn message(&self, rank: &Rank) -> &str {
        rank.edge
            .evidence
            .map_or("", |piece| &self.evidence[piece as usize].message)
    }

    /// Groups nodes and evidence by set. A set that anchors no evidence is not a person (see `Resolution::person_of_node`).
    fn add_people(
        &mut self,
        nodes: &[u32],
        evidence: &[u32],
        joined: &[Edge],
        sets: &mut ConstrainedSets,
    ) {
        let mut evidence = evidence.to_vec();
        evidence.sort_unstable_by(|&a, &b| self.compare_evidence(a, b));
        let mut person_of_set = vec![NOBODY; nodes.len()];
        for &piece in &evidence {
            let set = sets.find(self.position[self.anchor[piece as usize] as usize]);
            let slot = &mut person_of_set[set as usize];
            if *slot == NOBODY {
                *slot = self.people.len() as u32;
                // The first piece of the set is its earliest. Each piece has one anchor and so one set: people of one component
                // share no evidence, no two pieces share a message, and so no two people get one id.
                let person = Person {
                    id: self.person_id(piece),
                    nodes: Vec::new(),
                    evidence: Vec::new(),
                    joined: Vec::new(),
                };
                self.people.push(person);
            }
            self.people[*slot as usize].evidence.push(piece);
        }
        for (position, &node) in nodes.iter().enumerate() {
            let person = person_of_set[sets.find(position as u32) as usize];
            if person != NOBODY {
                self.people[person as usize].nodes.push(node);
            }
        }
        for edge in joined {
            let person = person_of_set[sets.find(self.position[edge.high as usize]) as usize];
            if person != NOBODY {
                self.people[person as usize].joined.push(*edge);
            }
        }
    }

    fn compare_evidence(&self, a: u32, b: u32) -> Ordering {
        let (a, b) = (&self.evidence[a as usize], &self.evidence[b as usize]);
        a.first_seen
            .cmp(&b.first_seen)
            .then_with(|| a.message.cmp(&b.message))
    }

    fn person_id(&self, earliest: u32) -> PersonId {
        let message = self.evidence[earliest as usize].message.as_bytes();
        PersonId(Uuid::new_v5(&self.rules.namespace, message))
    }

    fn finish(mut self) -> Resolution {
        let (nodes, rules) = (self.nodes, self.rules);
        self.people.sort_unstable_by(|a, b| {
            a.id.cmp(&b.id)
                .then_with(|| compare(nodes, rules, a.nodes[0], b.nodes[0]))
        });
        let mut person_of_node = vec![None; nodes.len()];
        let mut person_of_evidence = vec![None; self.evidence.len()];
        for (person, index) in self.people.iter().zip(0..) {
            for &node in &person.nodes {
                person_of_node[node as usize] = Some(index);
            }
            for &piece in &person.evidence {
                person_of_evidence[piece as usize] = Some(index);
            }
        }
        let mut rejected = std::mem::take(&mut self.rejected);
        rejected.sort_by(|(a, _), (b, _)| {
            (a.is_late, a.class, a.time)
                .cmp(&(b.is_late, b.class, b.time))
                .then_with(|| compare(nodes, rules, a.edge.high, b.edge.high))
                .then_with(|| compare(nodes, rules, a.edge.low, b.edge.low))
        });
        Resolution {
            people: self.people,
            person_of_node,
            person_of_evidence,
            rejected: rejected
                .into_iter()
                .map(|(_, rejection)| rejection)
                .collect(),
        }
    }
}

/// By priority, then by content.
fn compare(nodes: &[Node], rules: &Rules, a: u32, b: u32) -> Ordering {
    let (a, b) = (&nodes[a as usize].identifier, &nodes[b as usize].identifier);
    (rules.rank(&a.kind), a).cmp(&(rules.rank(&b.kind), b))
}
