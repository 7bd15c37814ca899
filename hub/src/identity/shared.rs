//! Which weak values are shared by several people: a family's landline, a shop's phone, a kiosk's device. What shows that is that those
//! who have the value contradict each other. More evidence can only show it more clearly.

use crate::identity::name::{are_others, given};
use crate::identity::{Evidence, Node, Rules};
use crate::manifest::Trust;
use crate::model::IdentifierKind;
use rustc_hash::FxHashSet;

/// What is looked at of a piece of evidence.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'e> {
    pub nodes: &'e [u32],
    /// See `Evidence::name`.
    pub name: Option<&'e str>,
}

/// For each node, whether it is a weak value of several people. `evidence` must hold all evidence of a node whose answer is used. The
/// `shared` marks on `nodes` are not read; blocked ids do not count, and neither does what sources say that are not believed.
pub fn shared(nodes: &[Node], evidence: &[Evidence], rules: &Rules) -> Vec<bool> {
    let believed = evidence
        .iter()
        .filter(|piece| rules.trust(&piece.message) != Trust::None);
    let pieces = believed.map(|piece| Piece {
        nodes: &piece.nodes,
        name: piece.name.as_deref(),
    });
    shared_of(
        nodes.len(),
        |node| &nodes[node as usize].identifier.kind,
        |node| nodes[node as usize].blocked,
        pieces,
        rules,
    )
}

/// The same over any form of nodes; the pieces are those of sources that are believed.
pub fn shared_of<'a, 'e>(
    count: usize,
    kind: impl Fn(u32) -> &'a IdentifierKind,
    is_blocked: impl Fn(u32) -> bool,
    pieces: impl Iterator<Item = Piece<'e>>,
    rules: &Rules,
) -> Vec<bool> {
    let graph = Graph {
        kind,
        is_blocked,
        pieces: pieces.collect(),
        rules,
    };
    let (mut ids, mut named) = (Vec::new(), Vec::new());
    for (index, piece) in (0..).zip(&graph.pieces) {
        let has_given = piece.name.is_some_and(|name| !given(name).is_empty());
        for &weak in piece.nodes {
            if rules.is_strong((graph.kind)(weak)) {
                continue;
            }
            let strong =
                piece.nodes.iter().copied().filter(|&node| {
                    rules.is_strong((graph.kind)(node)) && !(graph.is_blocked)(node)
                });
            ids.extend(strong.map(|strong| (weak, strong, index)));
            if has_given && *(graph.kind)(weak) != IdentifierKind::Email {
                named.push((weak, index));
            }
        }
    }
    ids.sort_unstable();
    named.sort_unstable();
    let mut answer = vec![false; count];
    for group in ids.chunk_by_mut(|a, b| a.0 == b.0) {
        answer[group[0].0 as usize] = graph.has_too_many_ids(group);
    }
    for group in named.chunk_by(|a, b| a.0 == b.0) {
        answer[group[0].0 as usize] |= graph.have_other_names(group);
    }
    answer
}

struct Graph<'e, 'r, K, B> {
    kind: K,
    is_blocked: B,
    pieces: Vec<Piece<'e>>,
    rules: &'r Rules,
}

/// A weak node, a strong one, and the piece that has both.
type Seen = (u32, u32, u32);

/// How an id counts: several of one name are one person's.
#[derive(PartialEq, Eq, Hash)]
enum Label<'e> {
    Name(&'e str),
    Id(u32),
}

impl<'a, 'e, K: Fn(u32) -> &'a IdentifierKind, B: Fn(u32) -> bool> Graph<'e, '_, K, B> {
    /// Whether a weak value was seen with more distinct values of one strong kind than the rules allow, whose records do not agree in the
    /// name. Of an id of a system that only events show nothing is known.
    fn has_too_many_ids(&self, group: &mut [Seen]) -> bool {
        let above = self.rules.shared_above((self.kind)(group[0].0)) as usize;
        if group.len() <= above {
            return false;
        }
        group.sort_unstable_by(|a, b| (self.kind)(a.1).cmp((self.kind)(b.1)).then(a.1.cmp(&b.1)));
        let mut of_kinds = group.chunk_by(|a, b| (self.kind)(a.1) == (self.kind)(b.1));
        of_kinds.any(|ids| {
            if ids.chunk_by(|a, b| a.1 == b.1).take(above + 1).count() <= above {
                return false;
            }
            let is_external = matches!((self.kind)(ids[0].1), IdentifierKind::External(_));
            let labels =
                ids.iter()
                    .filter_map(|(_, id, piece)| match self.pieces[*piece as usize].name {
                        Some(name) if !name.is_empty() => Some(Label::Name(name)),
                        None if is_external => None,
                        _ => Some(Label::Id(*id)),
                    });
            let labels: FxHashSet<Label<'_>> = labels.collect();
            labels.len() > above
        })
    }

    /// Whether two of these pieces give other names and have no e-mail address in common.
    fn have_other_names(&self, group: &[(u32, u32)]) -> bool {
        if group.len() < 2 {
            return false;
        }
        let known = group.iter().map(|(_, piece)| {
            let piece = &self.pieces[*piece as usize];
            let emails = piece.nodes.iter().copied();
            let emails = emails.filter(|node| {
                *(self.kind)(*node) == IdentifierKind::Email && !(self.is_blocked)(*node)
            });
            let mut emails: Vec<u32> = emails.collect();
            emails.sort_unstable();
            (given(piece.name.unwrap_or_default()), emails)
        });
        let mut known: Vec<(&str, Vec<u32>)> = known.collect();
        known.sort_unstable();
        known.dedup();
        known.iter().enumerate().any(|(index, (name, emails))| {
            known[index + 1..].iter().any(|(other, others)| {
                name != other
                    && !emails.iter().any(|email| others.contains(email))
                    && are_others(name, other)
            })
        })
    }
}
