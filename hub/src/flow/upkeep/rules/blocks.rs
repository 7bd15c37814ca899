//! The whole identity graph in a few bytes per identifier and piece of evidence, and which parts new rules could change.
//!
//! A block is a set of evidence that no tie leaves, neither under the rules in force nor under the new ones. Each block is
//! resolved by itself. Memory: about 20 bytes per identifier, 60 per piece of evidence, and each name once.

use crate::flow::commit::identifiers::identifier_of;
use crate::identity::{Piece, Rules, shared_of};
use crate::manifest::Trust;
use crate::model::IdentifierKind;
use crate::store::{Result, Tx};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

pub struct Blocks {
    /// The slot of each node, ascending.
    slots: Vec<i64>,
    /// Whether each node is shared under the new rules.
    shared: Vec<bool>,
    /// Whether each node is live under one set of rules and not under the other.
    turned: Vec<bool>,
    /// Of each piece of evidence: whether at least one set of rules does not trust its source, its stored component, and where
    /// its nodes begin.
    untrusted: Vec<bool>,
    components: Vec<i64>,
    starts: Vec<u32>,
    nodes: Vec<u32>,
    /// Of each piece of evidence.
    names: Vec<Option<Arc<str>>>,
    /// Pieces of evidence by block, in order.
    members: Vec<u32>,
    /// Where each block that could change begins and ends in `members`.
    open: Vec<(u32, u32)>,
}

impl Blocks {
    pub async fn load(tx: &mut Tx, old: &Rules, new: &Rules) -> Result<Self> {
        let mut blocks = Self {
            slots: Vec::new(),
            shared: Vec::new(),
            turned: Vec::new(),
            untrusted: Vec::new(),
            components: Vec::new(),
            starts: vec![0],
            nodes: Vec::new(),
            names: Vec::new(),
            members: Vec::new(),
            open: Vec::new(),
        };
        let nodes = blocks.load_nodes(tx, old, new).await?;
        let trusted = blocks.load_evidence(tx, old, new).await?;
        blocks.shared = shared_of(
            blocks.slots.len(),
            |node| &nodes.kinds[usize::from(nodes.kind[node as usize])],
            |node| nodes.blocked[node as usize],
            trusted.iter().map(|piece| Piece {
                nodes: blocks.of(*piece),
                name: blocks.names[*piece as usize].as_deref(),
            }),
            new,
        );
        let live: Vec<bool> = blocks
            .shared
            .iter()
            .zip(&nodes.blocked)
            .map(|(shared, blocked)| !shared && !blocked)
            .collect();
        blocks.turned = live
            .iter()
            .zip(&nodes.was_live)
            .map(|(is, was)| is != was)
            .collect();
        let statements = tx.statements().await?;
        let links = statements.iter().filter(|row| row.revoked.is_none());
        blocks.divide(&live, links.map(|row| (row.left, row.right)));
        Ok(blocks)
    }

    async fn load_nodes(&mut self, tx: &mut Tx, old: &Rules, new: &Rules) -> Result<Nodes> {
        let mut nodes = Nodes::default();
        let mut after = i64::MIN;
        loop {
            let rows = tx.identifiers_after(after).await?;
            let Some(last) = rows.last() else {
                return Ok(nodes);
            };
            after = last.slot;
            for row in &rows {
                let identifier = identifier_of(row)?;
                self.slots.push(row.slot);
                nodes.was_live.push(!row.shared && !old.blocks(&identifier));
                nodes.blocked.push(new.blocks(&identifier));
                nodes.add_kind(&identifier.kind);
            }
        }
    }

    /// Returns the pieces of evidence whose source the new rules trust.
    async fn load_evidence(&mut self, tx: &mut Tx, old: &Rules, new: &Rules) -> Result<Vec<u32>> {
        let mut trusted = Vec::new();
        let mut names: FxHashSet<Arc<str>> = FxHashSet::default();
        let mut after = i64::MIN;
        loop {
            let rows = tx.evidence_after(after).await?;
            let Some(last) = rows.last() else {
                return Ok(trusted);
            };
            after = last.id;
            for row in &rows {
                let trust = [old, new].map(|rules| rules.trust(&row.message));
                self.untrusted.push(trust.contains(&Trust::None));
                if trust[1] != Trust::None {
                    trusted.push(self.components.len() as u32);
                }
                self.components.push(row.component);
                self.names
                    .push(row.name.as_ref().map(|name| match names.get(name) {
                        Some(known) => known.clone(),
                        None => {
                            names.insert(name.clone());
                            name.clone()
                        }
                    }));
                let nodes = row.nodes.iter().filter_map(|slot| self.node_of(*slot));
                let nodes: Vec<u32> = nodes.collect();
                self.nodes.extend(nodes);
                self.starts.push(self.nodes.len() as u32);
            }
        }
    }

    fn node_of(&self, slot: i64) -> Option<u32> {
        self.slots.binary_search(&slot).ok().map(|at| at as u32)
    }

    fn of(&self, piece: u32) -> &[u32] {
        let piece = piece as usize;
        &self.nodes[self.starts[piece] as usize..self.starts[piece + 1] as usize]
    }

    /// Unites evidence that is connected by stored components, by live identifiers or by statements.
    fn divide(&mut self, live: &[bool], links: impl Iterator<Item = (i64, i64)>) {
        let count = self.components.len() as u32;
        let mut parent: Vec<u32> = (0..count).collect();
        let mut by_component: FxHashMap<i64, u32> = FxHashMap::default();
        let mut by_node: Vec<u32> = vec![u32::MAX; self.slots.len()];
        for piece in 0..count {
            let first = *by_component
                .entry(self.components[piece as usize])
                .or_insert(piece);
            unite(&mut parent, first, piece);
            for index in self.starts[piece as usize]..self.starts[piece as usize + 1] {
                let node = self.nodes[index as usize] as usize;
                let first = &mut by_node[node];
                if *first == u32::MAX {
                    *first = piece;
                } else if live[node] {
                    unite(&mut parent, *first, piece);
                }
            }
        }
        for (left, right) in links {
            let first = |slot: i64| {
                let piece = by_node[self.node_of(slot)? as usize];
                (piece != u32::MAX).then_some(piece)
            };
            if let (Some(left), Some(right)) = (first(left), first(right)) {
                unite(&mut parent, left, right);
            }
        }
        let mut members: Vec<u32> = (0..count).collect();
        let roots: Vec<u32> = members
            .iter()
            .map(|piece| root(&mut parent, *piece))
            .collect();
        members.sort_unstable_by_key(|piece| (roots[*piece as usize], *piece));
        let mut start = 0;
        for block in members.chunk_by(|a, b| roots[*a as usize] == roots[*b as usize]) {
            let end = start + block.len() as u32;
            // One piece of evidence is one person under any rules, as long as one of its identifiers is live, and that person
            // has all its identifiers, as long as its source is trusted.
            let turned = |piece: &u32| {
                self.of(*piece)
                    .iter()
                    .any(|node| self.turned[*node as usize])
            };
            let untrusted = |piece: &u32| self.untrusted[*piece as usize];
            if block.len() > 1 || block.iter().any(turned) || block.iter().any(untrusted) {
                self.open.push((start, end));
            }
            start = end;
        }
        self.members = members;
    }

    pub fn evidence(&self) -> usize {
        self.components.len()
    }

    /// Stored components of blocks that could change, about `size` pieces of evidence at a time; no block is divided.
    pub fn batches(&self, size: usize) -> Vec<Vec<i64>> {
        let mut batches = Vec::new();
        let mut batch: Vec<i64> = Vec::new();
        for (start, end) in &self.open {
            let members = &self.members[*start as usize..*end as usize];
            batch.extend(members.iter().map(|piece| self.components[*piece as usize]));
            if batch.len() >= size {
                batches.push(std::mem::take(&mut batch));
            }
        }
        if !batch.is_empty() {
            batches.push(batch);
        }
        for batch in &mut batches {
            batch.sort_unstable();
            batch.dedup();
        }
        batches
    }

    /// Whether identifiers are shared under the new rules.
    pub fn shared(&self, slots: impl Iterator<Item = i64>) -> FxHashMap<i64, bool> {
        slots
            .filter_map(|slot| Some((slot, self.shared[self.node_of(slot)? as usize])))
            .collect()
    }
}

#[derive(Default)]
struct Nodes {
    kinds: Vec<IdentifierKind>,
    /// Index into `kinds`.
    kind: Vec<u16>,
    was_live: Vec<bool>,
    blocked: Vec<bool>,
}

impl Nodes {
    fn add_kind(&mut self, kind: &IdentifierKind) {
        let known = self.kinds.iter().position(|known| known == kind);
        let index = known.unwrap_or_else(|| {
            self.kinds.push(kind.clone());
            self.kinds.len() - 1
        });
        self.kind.push(index as u16);
    }
}

fn root(parent: &mut [u32], mut node: u32) -> u32 {
    while parent[node as usize] != node {
        parent[node as usize] = parent[parent[node as usize] as usize];
        node = parent[node as usize];
    }
    node
}

fn unite(parent: &mut [u32], left: u32, right: u32) {
    let (left, right) = (root(parent, left), root(parent, right));
    parent[left.max(right) as usize] = left.min(right);
}
