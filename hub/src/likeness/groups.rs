//! Which people the links merge into one, and which must not be merged: two user ids stay apart, and so do two people of one
//! list, also when they are only connected through others.

use crate::likeness::people::People;

/// Disjoint groups of people.
pub(super) struct Groups {
    parent: Vec<u32>,
    /// Of each root: what its people have.
    user: Vec<Option<u64>>,
    lists: Vec<Vec<u32>>,
}

impl Groups {
    pub fn new(people: &People) -> Self {
        let everybody = || 0..people.len() as u32;
        let lists = everybody().map(|index| people.row(index).list.into_iter().collect());
        Self {
            parent: everybody().collect(),
            user: everybody().map(|index| people.row(index).user).collect(),
            lists: lists.collect(),
        }
    }

    fn root(&mut self, mut index: u32) -> usize {
        while self.parent[index as usize] != index {
            let above = self.parent[index as usize];
            self.parent[index as usize] = self.parent[above as usize];
            index = above;
        }
        index as usize
    }

    /// Whether joining the two would put two user ids into one group.
    pub fn would_join_users(&mut self, left: u32, right: u32) -> bool {
        let (left, right) = (self.root(left), self.root(right));
        match (self.user[left], self.user[right]) {
            (Some(one), Some(other)) => one != other,
            _ => false,
        }
    }

    /// Whether joining the two would put two people of one list into one group.
    pub fn would_join_a_list(&mut self, left: u32, right: u32) -> bool {
        let (left, right) = (self.root(left), self.root(right));
        let of_left = &self.lists[left];
        left != right && self.lists[right].iter().any(|list| of_left.contains(list))
    }

    /// The group has one of the user ids, if there are any.
    pub fn join(&mut self, left: u32, right: u32) {
        let (left, right) = (self.root(left), self.root(right));
        if left == right {
            return;
        }
        let (root, child) = (left.min(right), left.max(right));
        self.parent[child] = root as u32;
        self.user[root] = self.user[root].or(self.user[child]);
        let moved = std::mem::take(&mut self.lists[child]);
        self.lists[root].extend(moved);
    }
}
