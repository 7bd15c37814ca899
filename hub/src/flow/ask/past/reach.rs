//! Which identifiers any record ever connected: disjoint sets over their hashes. Two identifiers of one hash count as one,
//! so that a set can be larger than what is connected, and never smaller.

use crate::landing::slot_of_identifier;
use crate::model::Identifier;
use rustc_hash::FxHashMap;

pub const NOBODY: u32 = u32::MAX;

#[derive(Default)]
pub struct Reach {
    nodes: FxHashMap<i64, u32>,
    parent: Vec<u32>,
}

impl Reach {
    /// Makes all of them one set; returns one of its nodes, or `NOBODY` when there are none.
    pub fn connect<'a>(&mut self, identifiers: impl IntoIterator<Item = &'a Identifier>) -> u32 {
        let mut first = NOBODY;
        for identifier in identifiers {
            let next = self.parent.len() as u32;
            let node = *self.nodes.entry(hash(identifier)).or_insert(next);
            if node == next {
                self.parent.push(node);
            }
            if first == NOBODY {
                first = node;
            } else {
                let (a, b) = (self.root(first), self.root(node));
                self.parent[a.max(b) as usize] = a.min(b);
            }
        }
        first
    }

    pub fn find(&self, identifier: &Identifier) -> Option<u32> {
        self.nodes.get(&hash(identifier)).copied()
    }

    pub fn root(&mut self, mut node: u32) -> u32 {
        while self.parent[node as usize] != node {
            let next = self.parent[self.parent[node as usize] as usize];
            self.parent[node as usize] = next;
            node = next;
        }
        node
    }
}

fn hash(identifier: &Identifier) -> i64 {
    slot_of_identifier(&identifier.kind.text(), &identifier.value)
}
