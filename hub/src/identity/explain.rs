//! Why two identifiers are one person's or not: the path from one to the other over accepted and refused edges.

use crate::identity::{Edge, Neighbourhood, Reason, Resolution};
use std::collections::{BTreeSet, HashMap, VecDeque};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub edge: Edge,
    /// Why the edge was refused; none for one that joined.
    pub refused: Option<Reason>,
}

/// Refused edges and edges on the way to a node, and the last of them with the node before.
type Found = (usize, usize, Option<(u32, Step)>);

/// The way with the fewest refused edges, and of those the shortest, from one node to the other; nothing when no evidence leads
/// there. They are one person exactly when no step of it is refused.
pub fn way(resolution: &Resolution, from: u32, to: u32) -> Option<Vec<Step>> {
    let mut ways: HashMap<u32, Vec<(u32, Step)>> = HashMap::new();
    let joined = resolution.people.iter().flat_map(|person| &person.joined);
    let joined = joined.map(|edge| Step {
        edge: *edge,
        refused: None,
    });
    let refused = resolution.rejected.iter().map(|rejection| Step {
        edge: rejection.edge,
        refused: Some(rejection.reason.clone()),
    });
    for step in joined.chain(refused) {
        let (high, low) = (step.edge.high, step.edge.low);
        ways.entry(high).or_default().push((low, step.clone()));
        ways.entry(low).or_default().push((high, step));
    }
    // Nodes by their number of refused edges, then by their number of edges.
    let mut found: HashMap<u32, Found> = HashMap::new();
    found.insert(from, (0, 0, None));
    let mut queue = VecDeque::from([from]);
    while let Some(node) = queue.pop_front() {
        let (refusals, length, _) = found[&node];
        for (next, step) in ways.get(&node).map(Vec::as_slice).unwrap_or_default() {
            let cost = (refusals + usize::from(step.refused.is_some()), length + 1);
            let better = found
                .get(next)
                .is_none_or(|(refusals, length, _)| cost < (*refusals, *length));
            if better {
                found.insert(*next, (cost.0, cost.1, Some((node, step.clone()))));
                queue.push_back(*next);
            }
        }
    }
    let mut steps = Vec::new();
    let mut node = to;
    while let (_, _, Some((before, step))) = found.get(&node)? {
        steps.push(step.clone());
        node = *before;
    }
    steps.reverse();
    Some(steps)
}

/// Identifiers that both people were seen with and that join nobody: shared or blocked ones.
pub fn in_common(
    neighbourhood: &Neighbourhood,
    resolution: &Resolution,
    left: u32,
    right: u32,
) -> Vec<u32> {
    let dead_of = |node: u32| -> BTreeSet<u32> {
        let person = resolution.person_of_node[node as usize];
        neighbourhood
            .evidence
            .iter()
            .zip(&resolution.person_of_evidence)
            .filter(|(piece, of)| match person {
                Some(_) => **of == person,
                None => piece.nodes.contains(&node),
            })
            .flat_map(|(piece, _)| piece.nodes.iter().copied())
            .filter(|node| !neighbourhood.nodes[*node as usize].is_live())
            .collect()
    };
    dead_of(left)
        .intersection(&dead_of(right))
        .copied()
        .collect()
}
