//! Which pairs are worth comparing: people who share a blocking key. Every pair is produced once, by the first key it shares.
//! Blocks above the cap are skipped and reported, since work grows with the square of their size.

use crate::likeness::people::{Field, People, mix};
use rustc_hash::FxHashSet;
use std::ops::Range;

/// A key that too many people share: its pairs were not compared unless they share another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// What the key is made of, in words.
    pub key: &'static str,
    pub people: u64,
}

/// What a key is made of, in any order: names and the lines of an address come in each other's place.
struct Rule {
    words: &'static str,
    all_of: &'static [Field],
}

const RULES: [Rule; 12] = [
    rule("national id", &[Field::NationalId]),
    rule("email", &[Field::Email]),
    rule("phone", &[Field::Phone]),
    rule(
        "given name and surname",
        &[Field::GivenName, Field::Surname],
    ),
    rule("date of birth", &[Field::BirthDate]),
    rule("surname and postcode", &[Field::Surname, Field::Postcode]),
    rule("surname and city", &[Field::Surname, Field::City]),
    rule(
        "given name and postcode",
        &[Field::GivenName, Field::Postcode],
    ),
    rule("given name and city", &[Field::GivenName, Field::City]),
    rule(
        "house number and street",
        &[Field::HouseNumber, Field::Street],
    ),
    rule(
        "street and second address line",
        &[Field::Street, Field::AddressLine],
    ),
    rule("street and postcode", &[Field::Street, Field::Postcode]),
];

const fn rule(words: &'static str, all_of: &'static [Field]) -> Rule {
    Rule { words, all_of }
}

impl Rule {
    fn key(&self, people: &People, index: u32) -> Option<u64> {
        let mut key = 0_u64;
        for &field in self.all_of {
            key = key.wrapping_add(mix(people.digest(index, field)?, 0));
        }
        // Zero means no key.
        Some(key.max(1))
    }
}

/// The keys of everybody.
pub(super) struct Blocks {
    keys: Vec<[u64; RULES.len()]>,
    too_large: [FxHashSet<u64>; RULES.len()],
    pub skipped: Vec<Skipped>,
    cap: usize,
}

impl Blocks {
    pub fn new(people: &People, cap: usize) -> Self {
        let everybody = 0..people.len() as u32;
        let keys = everybody.map(|index| {
            let keys = RULES.each_ref().map(|rule| rule.key(people, index));
            keys.map(Option::unwrap_or_default)
        });
        let mut blocks = Self {
            keys: keys.collect(),
            too_large: Default::default(),
            skipped: Vec::new(),
            cap,
        };
        for (index, rule) in RULES.iter().enumerate() {
            let members = blocks.members(index);
            for block in stretches(&members) {
                if block.len() > cap {
                    blocks.too_large[index].insert(members[block.start].0);
                    blocks.skipped.push(Skipped {
                        key: rule.words,
                        people: block.len() as u64,
                    });
                }
            }
        }
        blocks.skipped.sort_unstable();
        blocks
    }

    /// Keys of one rule with who has them, sorted.
    fn members(&self, rule: usize) -> Vec<(u64, u32)> {
        let keys = self
            .keys
            .iter()
            .zip(0..)
            .map(|(keys, index)| (keys[rule], index));
        let mut members: Vec<(u64, u32)> = keys.filter(|(key, _)| *key != 0).collect();
        members.sort_unstable();
        members
    }

    /// Every pair that shares a key and may be one person, once, in no order that means anything.
    pub fn for_each(&self, people: &People, mut meet: impl FnMut(u32, u32)) {
        for rule in 0..RULES.len() {
            let members = self.members(rule);
            for block in stretches(&members) {
                if block.len() > self.cap {
                    continue;
                }
                let block = &members[block];
                for (at, &(_, left)) in block.iter().enumerate() {
                    for &(_, right) in &block[at + 1..] {
                        if people.may_be_one(left, right) && !self.met_before(rule, left, right) {
                            meet(left, right);
                        }
                    }
                }
            }
        }
    }

    fn met_before(&self, rule: usize, left: u32, right: u32) -> bool {
        let (left, right) = (&self.keys[left as usize], &self.keys[right as usize]);
        (0..rule).any(|earlier| {
            let key = left[earlier];
            key != 0 && key == right[earlier] && !self.too_large[earlier].contains(&key)
        })
    }
}

/// Where each key begins and ends.
fn stretches(members: &[(u64, u32)]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    members
        .chunk_by(|(one, _), (other, _)| one == other)
        .map(move |block| {
            let range = start..start + block.len();
            start = range.end;
            range
        })
}
