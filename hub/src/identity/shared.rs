//! Which weak values are shared by several people: a family's address, a shop's phone, a kiosk's device.

use crate::identity::{Evidence, Node, Rules};

/// For each node, whether it is a weak value that evidence shows with more than `shared_above` distinct values of one strong kind.
/// `evidence` must hold all evidence of a node whose answer is used. The `shared` marks on `nodes` are not read; blocked ids do not count.
pub fn shared(nodes: &[Node], evidence: &[Evidence], rules: &Rules) -> Vec<bool> {
    let mut pairs = Vec::new();
    for piece in evidence {
        for &weak in &piece.nodes {
            if nodes[weak as usize].identifier.kind.is_strong() {
                continue;
            }
            let strong = piece.nodes.iter().copied().filter(|&node| {
                let node = &nodes[node as usize];
                node.identifier.kind.is_strong() && !node.blocked
            });
            pairs.extend(strong.map(|strong| (weak, strong)));
        }
    }
    pairs.sort_unstable();
    pairs.dedup();

    let mut answer = vec![false; nodes.len()];
    let above = rules.shared_above as usize;
    for group in pairs.chunk_by_mut(|a, b| a.0 == b.0) {
        if group.len() <= above {
            continue;
        }
        let kind = |pair: &(u32, u32)| &nodes[pair.1 as usize].identifier.kind;
        group.sort_unstable_by(|a, b| kind(a).cmp(kind(b)));
        if group
            .chunk_by(|a, b| kind(a) == kind(b))
            .any(|ids| ids.len() > above)
        {
            answer[group[0].0 as usize] = true;
        }
    }
    answer
}
