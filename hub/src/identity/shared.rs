//! Which weak values are shared by several people: a family's address, a shop's phone, a kiosk's device.

use crate::identity::{Evidence, Node, Rules};
use crate::manifest::Trust;
use crate::model::IdentifierKind;

/// For each node, whether it is a weak value that evidence shows with more distinct values of one strong kind than the rules
/// allow. `evidence` must hold all evidence of a node whose answer is used. The `shared` marks on `nodes` are not read; blocked
/// ids do not count, and neither does what sources say that are not believed.
pub fn shared(nodes: &[Node], evidence: &[Evidence], rules: &Rules) -> Vec<bool> {
    let believed = evidence
        .iter()
        .filter(|piece| rules.trust(&piece.message) != Trust::None);
    shared_of(
        nodes.len(),
        |node| &nodes[node as usize].identifier.kind,
        |node| nodes[node as usize].blocked,
        believed.map(|piece| piece.nodes.as_slice()),
        rules,
    )
}

/// The same over any form of nodes; `evidence` is what sources say that are believed.
pub fn shared_of<'a, 'e>(
    count: usize,
    kind: impl Fn(u32) -> &'a IdentifierKind,
    is_blocked: impl Fn(u32) -> bool,
    evidence: impl Iterator<Item = &'e [u32]>,
    rules: &Rules,
) -> Vec<bool> {
    let mut pairs = Vec::new();
    for piece in evidence {
        for &weak in piece {
            if rules.is_strong(kind(weak)) {
                continue;
            }
            let strong = piece
                .iter()
                .copied()
                .filter(|&node| rules.is_strong(kind(node)) && !is_blocked(node));
            pairs.extend(strong.map(|strong| (weak, strong)));
        }
    }
    pairs.sort_unstable();
    pairs.dedup();

    let mut answer = vec![false; count];
    for group in pairs.chunk_by_mut(|a, b| a.0 == b.0) {
        let above = rules.shared_above(kind(group[0].0)) as usize;
        if group.len() <= above {
            continue;
        }
        group.sort_unstable_by(|a, b| kind(a.1).cmp(kind(b.1)));
        if group
            .chunk_by(|a, b| kind(a.1) == kind(b.1))
            .any(|ids| ids.len() > above)
        {
            answer[group[0].0 as usize] = true;
        }
    }
    answer
}
