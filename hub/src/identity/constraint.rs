//! Disjoint sets that refuse a union that would exceed a limit or break a must-not-link. Knows numbers only, no identifiers.

use std::collections::HashMap;

/// No limit applies to the element.
pub(super) const UNLIMITED: u32 = u32::MAX;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The class whose limit would be broken.
    Limit(u32),
    /// The first of the forbidding statements, in the order in which they were given.
    Forbidden(u32),
}

pub(super) struct ConstrainedSets {
    parent: Vec<u32>,
    size: Vec<u32>,
    limits: Vec<u32>,
    /// How many elements of each limited class a root's set has: row by root, column by class.
    counts: Vec<u32>,
    /// For each root the roots that it must not join, with the first statement that says so. Empty when nothing is forbidden.
    foes: Vec<HashMap<u32, u32>>,
}

impl ConstrainedSets {
    /// `class` gives each element its index into `limits`, or `UNLIMITED`.
    pub(super) fn new(class: &[u32], limits: Vec<u32>) -> Self {
        let mut counts = vec![0; class.len() * limits.len()];
        for (element, &class) in class.iter().enumerate() {
            if class != UNLIMITED {
                counts[element * limits.len() + class as usize] = 1;
            }
        }
        Self {
            parent: (0..class.len() as u32).collect(),
            size: vec![1; class.len()],
            limits,
            counts,
            foes: Vec::new(),
        }
    }

    /// Only before the first `join`. The first statement given about a pair is the one that is reported.
    pub(super) fn forbid(&mut self, left: u32, right: u32, statement: u32) {
        if left == right {
            return;
        }
        if self.foes.is_empty() {
            self.foes = vec![HashMap::new(); self.parent.len()];
        }
        self.foes[left as usize].entry(right).or_insert(statement);
        self.foes[right as usize].entry(left).or_insert(statement);
    }

    pub(super) fn find(&mut self, element: u32) -> u32 {
        let mut root = element;
        while self.parent[root as usize] != root {
            let grandparent = self.parent[self.parent[root as usize] as usize];
            self.parent[root as usize] = grandparent;
            root = grandparent;
        }
        root
    }

    /// Whether the two sets became one; `Ok(false)` when they were one already. A refusal is final, because sets only grow.
    pub(super) fn join(&mut self, left: u32, right: u32) -> Result<bool, Refusal> {
        let (left, right) = (self.find(left), self.find(right));
        if left == right {
            return Ok(false);
        }
        if let Some(statement) = self
            .foes
            .get(left as usize)
            .and_then(|foes| foes.get(&right))
        {
            return Err(Refusal::Forbidden(*statement));
        }
        let width = self.limits.len();
        let (left_row, right_row) = (left as usize * width, right as usize * width);
        for class in 0..width {
            if self.counts[left_row + class] + self.counts[right_row + class] > self.limits[class] {
                return Err(Refusal::Limit(class as u32));
            }
        }
        // The set with more foes, then the larger one, keeps its name, so that every foe moves O(log n) times.
        let weight = |root: u32| {
            (
                self.foes.get(root as usize).map_or(0, HashMap::len),
                self.size[root as usize],
            )
        };
        let (kept, gone) = if weight(left) >= weight(right) {
            (left, right)
        } else {
            (right, left)
        };
        self.parent[gone as usize] = kept;
        self.size[kept as usize] += self.size[gone as usize];
        for class in 0..width {
            self.counts[kept as usize * width + class] +=
                self.counts[gone as usize * width + class];
        }
        self.move_foes(gone, kept);
        Ok(true)
    }

    fn move_foes(&mut self, gone: u32, kept: u32) {
        if self.foes.is_empty() {
            return;
        }
        for (foe, statement) in std::mem::take(&mut self.foes[gone as usize]) {
            self.foes[foe as usize].remove(&gone);
            let first = self.foes[kept as usize].entry(foe).or_insert(statement);
            *first = statement.min(*first);
            let first = *first;
            self.foes[foe as usize].insert(kept, first);
        }
    }
}
