//! What is in a window at one moment, updated as events enter and leave it. Knows nothing about time.

use crate::compute::FaultKind;
use crate::compute::value::Key;
use crate::manifest::Aggregate;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What one event says: its value, or why it has none that can be used.
pub(super) type Reading = Result<Key, FaultKind>;

/// Only what the aggregate asks for is kept.
#[derive(Default)]
pub(super) struct Tally {
    faults: BTreeMap<FaultKind, usize>,
    /// Ten-thousandths.
    pub total: i128,
    /// Each value and how often it is there.
    pub seen: BTreeMap<Key, usize>,
    /// The same with the most frequent first.
    ranks: BTreeSet<(Reverse<usize>, Key)>,
}

impl Tally {
    pub fn enter(&mut self, reading: &Reading, aggregate: &Aggregate) {
        match reading {
            Err(fault) => *self.faults.entry(*fault).or_default() += 1,
            Ok(key) if adds(aggregate) => self.total += parts(key),
            Ok(key) if counts_values(aggregate) => {
                let count = self.seen.get(key).copied().unwrap_or_default();
                self.set(key, count, count + 1, aggregate);
            }
            Ok(_) => {}
        }
    }

    pub fn leave(&mut self, reading: &Reading, aggregate: &Aggregate) {
        match reading {
            Err(fault) => {
                if let Some(count) = self.faults.get_mut(fault) {
                    *count -= 1;
                    self.faults.retain(|_, count| *count > 0);
                }
            }
            Ok(key) if adds(aggregate) => self.total -= parts(key),
            Ok(key) if counts_values(aggregate) => {
                let count = self.seen.get(key).copied().unwrap_or_default();
                self.set(key, count, count.saturating_sub(1), aggregate);
            }
            Ok(_) => {}
        }
    }

    fn set(&mut self, key: &Key, from: usize, to: usize, aggregate: &Aggregate) {
        if to == 0 {
            self.seen.remove(key);
        } else {
            self.seen.insert(key.clone(), to);
        }
        if matches!(aggregate, Aggregate::MostFrequent { .. }) {
            self.ranks.remove(&(Reverse(from), key.clone()));
            if to > 0 {
                self.ranks.insert((Reverse(to), key.clone()));
            }
        }
    }

    /// The same one whatever the order of events.
    pub fn fault(&self) -> Option<FaultKind> {
        self.faults.keys().next().copied()
    }

    /// The value that is there most often, and how often.
    pub fn most_frequent(&self) -> Option<(&Key, usize)> {
        self.ranks
            .first()
            .map(|(Reverse(count), key)| (key, *count))
    }
}

fn adds(aggregate: &Aggregate) -> bool {
    matches!(aggregate, Aggregate::Sum { .. } | Aggregate::Avg { .. })
}

fn counts_values(aggregate: &Aggregate) -> bool {
    matches!(
        aggregate,
        Aggregate::Min { .. }
            | Aggregate::Max { .. }
            | Aggregate::MostFrequent { .. }
            | Aggregate::UniqueList { .. }
            | Aggregate::UniqueCount { .. }
    )
}

/// Readings of what is added are numbers of a good size.
fn parts(key: &Key) -> i128 {
    key.size()
        .and_then(|size| size.parts().ok())
        .unwrap_or_default()
}
