//! Connected components: which nodes belong together, with the members of each in one contiguous list.

use crate::identity::{Neighbourhood, Node, Rules, Statement, StatementKind};
use crate::manifest::Trust;

/// No group.
pub(super) const NOBODY: u32 = u32::MAX;

/// A number for each node, equal for two nodes if and only if live nodes connect them through evidence or must-links.
/// The number is the component's smallest node index; a node that is not live is alone in its component.
///
/// Every edge that `resolve` visits has both ends in one component, so resolving components one by one, in any
/// grouping, returns the same people as resolving everything at once (I2).
///
/// Evidence of a source that is not believed connects nothing; it is in the component of its anchor.
pub fn components(neighbourhood: &Neighbourhood, rules: &Rules) -> Vec<u32> {
    let nodes = &neighbourhood.nodes;
    let mut parent: Vec<u32> = (0..nodes.len() as u32).collect();
    for piece in &neighbourhood.evidence {
        if rules.trust(&piece.message) == Trust::None {
            continue;
        }
        let mut first = None;
        for &node in &piece.nodes {
            if nodes[node as usize].is_live() {
                unite(&mut parent, *first.get_or_insert(node), node);
            }
        }
    }
    for statement in &neighbourhood.statements {
        if statement.kind == StatementKind::MustLink && are_live(nodes, statement) {
            unite(&mut parent, statement.left, statement.right);
        }
    }
    for node in 0..parent.len() {
        parent[node] = parent[parent[node] as usize];
    }
    parent
}

pub(super) fn are_live(nodes: &[Node], statement: &Statement) -> bool {
    nodes[statement.left as usize].is_live() && nodes[statement.right as usize].is_live()
}

/// The smaller root stays root, so a parent is never larger than its child.
pub(super) fn unite(parent: &mut [u32], left: u32, right: u32) {
    let root = |parent: &mut [u32], mut node: u32| {
        while parent[node as usize] != node {
            parent[node as usize] = parent[parent[node as usize] as usize];
            node = parent[node as usize];
        }
        node
    };
    let (left, right) = (root(parent, left), root(parent, right));
    parent[left.max(right) as usize] = left.min(right);
}

/// Members by group, in one allocation each: a counting sort.
pub(super) struct Groups {
    start: Vec<u32>,
    members: Vec<u32>,
}

impl Groups {
    /// Takes (group, member); members of group `NOBODY` are dropped.
    pub(super) fn new(groups: usize, members: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        let mut start = vec![0; groups + 1];
        for (group, _) in members.clone().filter(|(group, _)| *group != NOBODY) {
            start[group as usize] += 1;
        }
        let mut total = 0;
        for slot in &mut start {
            total += *slot;
            *slot = total;
        }
        let mut sorted = vec![0; total as usize];
        for (group, member) in members.filter(|(group, _)| *group != NOBODY) {
            start[group as usize] -= 1;
            sorted[start[group as usize] as usize] = member;
        }
        Self {
            start,
            members: sorted,
        }
    }

    pub(super) fn of(&self, group: u32) -> &[u32] {
        match self.start.get(group as usize..group as usize + 2) {
            Some(ends) => &self.members[ends[0] as usize..ends[1] as usize],
            None => &[],
        }
    }
}
