//! Which weak values are shared by several people: a family's landline, a shop's phone, a kiosk's device. What shows that is that its holders
//! contradict each other. More evidence can only show it more clearly, but for evidence that gives an id its name.

use crate::identity::name::{are_other_people, are_others, given};
use crate::identity::{Evidence, Node, Rules};
use crate::manifest::Trust;
use crate::model::IdentifierKind;
use std::collections::BTreeSet;

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
    let (is_strong, most) = graph.most(count);
    let (mut ids, mut named) = (Vec::new(), Vec::new());
    for (index, piece) in (0..).zip(&graph.pieces) {
        for &weak in piece.nodes {
            let most = most[weak as usize];
            if most.ids > rules.shared_above((graph.kind)(weak)) {
                let strong = piece.nodes.iter().copied();
                let strong = strong.filter(|&node| is_strong[node as usize]);
                ids.extend(strong.map(|strong| (weak, strong, index)));
            }
            if most.names > 1 && piece.name.is_some() {
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

/// How often a weak node was seen with strong ones, and with names that count; nothing for a strong one. With so few that nothing can
/// follow, which most nodes are, it is not looked at closely.
#[derive(Debug, Clone, Copy, Default)]
struct Most {
    ids: u32,
    names: u32,
}

impl<'a, 'e, K: Fn(u32) -> &'a IdentifierKind, B: Fn(u32) -> bool> Graph<'e, '_, K, B> {
    /// Which nodes are strong and not blocked, and the most that can follow for each.
    fn most(&self, count: usize) -> (Vec<bool>, Vec<Most>) {
        let nodes = 0..count as u32;
        let is_weak: Vec<bool> = nodes
            .clone()
            .map(|node| !self.rules.is_strong((self.kind)(node)))
            .collect();
        let is_strong: Vec<bool> = nodes
            .map(|node| !is_weak[node as usize] && !(self.is_blocked)(node))
            .collect();
        let mut most = vec![Most::default(); count];
        for piece in &self.pieces {
            let strong = piece.nodes.iter().filter(|node| is_strong[**node as usize]);
            let ids = strong.count() as u32;
            for &weak in piece.nodes.iter().filter(|node| is_weak[**node as usize]) {
                let is_named = piece.name.is_some() && *(self.kind)(weak) != IdentifierKind::Email;
                let seen = &mut most[weak as usize];
                seen.ids += ids;
                seen.names += u32::from(is_named);
            }
        }
        (is_strong, most)
    }

    /// Whether a weak value was seen with more distinct values of one strong kind than the rules allow. Those count once for which records
    /// give names that may be one person's.
    fn has_too_many_ids(&self, group: &mut [Seen]) -> bool {
        let above = self.rules.shared_above((self.kind)(group[0].0)) as usize;
        if group.len() <= above {
            return false;
        }
        group.sort_unstable_by(|a, b| (self.kind)(a.1).cmp((self.kind)(b.1)).then(a.1.cmp(&b.1)));
        let mut of_kinds = group.chunk_by(|a, b| (self.kind)(a.1) == (self.kind)(b.1));
        of_kinds.any(|ids| {
            let by_id = || ids.chunk_by(|a, b| a.1 == b.1);
            if by_id().take(above + 1).count() <= above {
                return false;
            }
            let (mut names, mut unnamed) = (BTreeSet::new(), 0);
            for pieces in by_id() {
                let given = pieces
                    .iter()
                    .filter_map(|seen| self.pieces[seen.2 as usize].name);
                let mut is_named = false;
                names.extend(given.inspect(|_| is_named = true));
                unnamed += usize::from(!is_named);
            }
            unnamed > above
                || are_so_many_people(&names.into_iter().collect::<Vec<_>>(), above + 1 - unnamed)
        })
    }

    /// Whether two of these pieces give other names and have no e-mail address in common.
    fn have_other_names(&self, group: &[(u32, u32)]) -> bool {
        let name = |seen: &(u32, u32)| self.pieces[seen.1 as usize].name;
        if group[1..].iter().all(|seen| name(seen) == name(&group[0])) {
            return false;
        }
        let named = group.iter().map(|(_, piece)| {
            let piece = &self.pieces[*piece as usize];
            (given(piece.name.unwrap_or_default()), piece)
        });
        let mut named: Vec<(&str, &Piece<'_>)> = named.collect();
        named.sort_by_key(|(name, _)| *name);
        let by_name: Vec<_> = named.chunk_by(|a, b| a.0 == b.0).collect();
        by_name.iter().enumerate().any(|(index, these)| {
            by_name[index + 1..].iter().any(|those| {
                are_others(these[0].0, those[0].0)
                    && these.iter().any(|(_, this)| {
                        those
                            .iter()
                            .any(|(_, that)| !self.have_an_email_in_common(this, that))
                    })
            })
        })
    }

    fn have_an_email_in_common(&self, this: &Piece<'_>, that: &Piece<'_>) -> bool {
        let is_email = |node: &&u32| {
            *(self.kind)(**node) == IdentifierKind::Email && !(self.is_blocked)(**node)
        };
        let mut emails = this.nodes.iter().filter(is_email);
        emails.any(|email| that.nodes.contains(email))
    }
}

/// More different names than that are of many people, whatever they are.
const NAMES: usize = 64;

/// Whether at least so many people have these names, no two of which may be one person's. A name more never makes it fewer.
fn are_so_many_people(names: &[&str], least: usize) -> bool {
    if least > names.len() {
        return false;
    }
    if names.len() > NAMES {
        return true;
    }
    let others = |one: &&str| {
        let bits = names
            .iter()
            .enumerate()
            .map(|(at, other)| u64::from(are_other_people(one, other)) << at);
        bits.fold(0, |all, bit| all | bit)
    };
    let others: Vec<u64> = names.iter().map(others).collect();
    are_apart(&others, u64::MAX, least)
}

/// Whether so many of the `open` ones are all each other's others.
fn are_apart(others: &[u64], open: u64, least: usize) -> bool {
    if least == 0 {
        return true;
    }
    let mut open = open & (u64::MAX >> (64 - others.len()));
    while colours(others, open) >= least {
        let first = open.trailing_zeros() as usize;
        open &= !(1 << first);
        if are_apart(others, open & others[first], least - 1) {
            return true;
        }
    }
    false
}

/// No more of the `open` ones than this are all each other's others: so many sets hold them all, in none of which are two of those. Names that
/// may be one person's are in one set, so that people who are each written in many ways are told apart at once (Tomita and Seki, 2003).
fn colours(others: &[u64], mut open: u64) -> usize {
    let mut colours = 0;
    while open != 0 {
        colours += 1;
        let mut alike = open;
        while alike != 0 {
            let one = alike.trailing_zeros() as usize;
            open &= !(1 << one);
            alike &= !(1 << one) & !others[one];
        }
    }
    colours
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each of so many people, so many spellings that may all be one's.
    fn spelled(people: usize, spellings: usize) -> Vec<u64> {
        let of = |at: usize| {
            (0..people * spellings).filter(move |other| other / spellings != at / spellings)
        };
        (0..people * spellings)
            .map(|at| of(at).fold(0, |all, other| all | 1 << other))
            .collect()
    }

    #[test]
    fn people_who_are_written_in_many_ways_are_counted_at_once() {
        for (people, spellings) in [(1, 1), (1, 64), (8, 8), (12, 5), (32, 2), (64, 1)] {
            let others = spelled(people, spellings);
            assert!(are_apart(&others, u64::MAX, people), "{people} {spellings}");
            assert!(
                !are_apart(&others, u64::MAX, people + 1),
                "{people} {spellings}"
            );
        }
    }
}
