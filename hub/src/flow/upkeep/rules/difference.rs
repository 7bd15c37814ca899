//! What a change of rules does to people, counted, with some examples. Names people by their ids, never by their values.

use super::Block;
use crate::store::{Result, Tx};
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Examples that are kept.
const EXAMPLES: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Pieces of evidence in the hub.
    pub evidence: usize,
    pub people_before: i64,
    pub people_after: i64,
    /// People who consist of evidence of more than one person of before.
    pub merges: i64,
    /// People who are divided among more than one.
    pub splits: i64,
    /// Existing people whose evidence changes.
    pub touched: i64,
    pub examples: Vec<Example>,
    /// Rows that destinations hold or should hold of the people touched.
    pub destinations: BTreeMap<String, i64>,
}

/// People who exchange evidence among themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    pub before: Vec<String>,
    pub after: Vec<String>,
}

impl Difference {
    pub(super) fn new(people: i64, evidence: usize) -> Self {
        Self {
            evidence,
            people_before: people,
            people_after: people,
            merges: 0,
            splits: 0,
            touched: 0,
            examples: Vec::new(),
            destinations: BTreeMap::new(),
        }
    }

    pub fn is_none(&self) -> bool {
        self.touched == 0 && self.people_before == self.people_after
    }

    /// Must be called before the block is saved.
    pub(super) async fn add(&mut self, tx: &mut Tx, block: &Block) -> Result<()> {
        let mut heirs: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
        let mut origins: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
        let mut touched: BTreeSet<i64> = BTreeSet::new();
        let mut old: BTreeSet<i64> = BTreeSet::new();
        let mut new: BTreeSet<i64> = BTreeSet::new();
        for (before, after) in &block.persons {
            old.extend(before);
            new.extend(after);
            if before != after {
                touched.extend(before);
                // People who gain evidence change, too.
                touched.extend(after);
            }
            if let (Some(before), Some(after)) = (before, after) {
                heirs.entry(*before).or_default().insert(*after);
                origins.entry(*after).or_default().insert(*before);
            }
        }
        touched.retain(|person| old.contains(person));
        self.people_after += new.len() as i64 - old.len() as i64;
        self.merges += origins.values().filter(|before| before.len() > 1).count() as i64;
        self.splits += heirs.values().filter(|after| after.len() > 1).count() as i64;
        self.touched += touched.len() as i64;
        if touched.is_empty() {
            return Ok(());
        }
        for row in tx.wanted_of(touched.iter().copied()).await? {
            *self.destinations.entry(row.destination).or_default() += 1;
        }
        if self.examples.len() < EXAMPLES {
            let rows = tx.persons(touched.iter().copied()).await?;
            let names: FxHashMap<i64, [u8; 16]> =
                rows.into_iter().map(|row| (row.id, row.uuid)).collect();
            self.show(&touched, &heirs, &origins, &names, &block.uuids);
        }
        Ok(())
    }

    /// One example for each group of people that share evidence before and after.
    fn show(
        &mut self,
        touched: &BTreeSet<i64>,
        heirs: &BTreeMap<i64, BTreeSet<i64>>,
        origins: &BTreeMap<i64, BTreeSet<i64>>,
        names: &FxHashMap<i64, [u8; 16]>,
        new_names: &FxHashMap<i64, [u8; 16]>,
    ) {
        let mut done: BTreeSet<i64> = BTreeSet::new();
        for start in touched {
            if self.examples.len() >= EXAMPLES {
                return;
            }
            if done.contains(start) {
                continue;
            }
            let (mut before, mut after) = (BTreeSet::from([*start]), BTreeSet::new());
            loop {
                let size = before.len() + after.len();
                after.extend(before.iter().filter_map(|id| heirs.get(id)).flatten());
                before.extend(after.iter().filter_map(|id| origins.get(id)).flatten());
                if before.len() + after.len() == size {
                    break;
                }
            }
            done.extend(&before);
            let named = |ids: &BTreeSet<i64>, names: &FxHashMap<i64, [u8; 16]>| {
                let uuids = ids.iter().filter_map(|id| names.get(id));
                uuids
                    .map(|uuid| Uuid::from_bytes(*uuid).to_string())
                    .collect()
            };
            self.examples.push(Example {
                before: named(&before, names),
                after: named(&after, new_names),
            });
        }
    }
}
