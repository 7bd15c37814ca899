//! How often another person has the same value: of each value that many people have, and of all the others together.
//! Two people there twice make a value look more frequent than it is; that is taken off once it is known how many there are.

use crate::likeness::compare::{COMPARISONS, Comparison, Level};
use crate::likeness::mixture::Mixture;
use crate::likeness::model::Common;
use crate::likeness::people::People;
use rustc_hash::FxHashMap;

/// Who has which value of one comparison.
pub(super) struct Values {
    /// By value: how many people have it, and how many pairs that may be one person.
    people: FxHashMap<u64, (u64, f64)>,
    having: u64,
    /// Pairs that have a value on both sides, and pairs with the same value.
    pub pairs: f64,
    pub agreeing: f64,
}

impl Values {
    pub fn count(people: &People, comparison: Comparison) -> Self {
        let mut having = 0;
        let mut by_value: FxHashMap<u64, u64> = FxHashMap::default();
        let mut by_list: FxHashMap<u32, u64> = FxHashMap::default();
        let mut by_both: FxHashMap<(u64, u32), u64> = FxHashMap::default();
        for index in 0..people.len() as u32 {
            let Some(value) = comparison.value(people, index) else {
                continue;
            };
            having += 1;
            *by_value.entry(value).or_default() += 1;
            if let Some(list) = people.row(index).list {
                *by_list.entry(list).or_default() += 1;
                *by_both.entry((value, list)).or_default() += 1;
            }
        }
        let mut counted: FxHashMap<u64, (u64, f64)> = FxHashMap::default();
        for (value, count) in by_value {
            counted.insert(value, (count, pairs_of(count, [].iter())));
        }
        for ((value, _), count) in by_both {
            if let Some((_, pairs)) = counted.get_mut(&value) {
                *pairs -= pairs_of(count, [].iter());
            }
        }
        Self {
            having,
            pairs: pairs_of(having, by_list.values()),
            // Whole numbers below 2^53, so that their order changes nothing (I1).
            agreeing: counted.values().map(|(_, pairs)| pairs).sum(),
            people: counted,
        }
    }
}

/// The number of pairs among this many people, without pairs inside a list.
pub(super) fn pairs_of<'a>(people: u64, lists: impl Iterator<Item = &'a u64>) -> f64 {
    let pairs = |count: u64| count as f64 * (count as f64 - 1.0) / 2.0;
    pairs(people) - lists.map(|&count| pairs(count)).sum::<f64>()
}

/// How often another person has the same value. Of both names together: how many times as often as if names did not go
/// together.
pub(super) struct Frequencies {
    /// Of each value that is common, sorted by value.
    pub common: Vec<Common>,
    /// Of all the others together.
    pub rare: f64,
    /// Of all pairs of people that share a value.
    mean: f64,
}

impl Frequencies {
    /// How much rarer a value is than on the average, in bits.
    pub fn rarity(&self, value: u64) -> f64 {
        (self.mean / self.of(value)).log2()
    }

    fn of(&self, value: u64) -> f64 {
        let found = self
            .common
            .binary_search_by_key(&value, |common| common.value);
        found.map_or(self.rare, |at| self.common[at].frequency)
    }
}

/// By comparison. `found` is the mixture and the pairs of one person; without it nothing is known yet of who is there twice.
pub(super) fn frequencies(
    people: &People,
    values: &[Values; COMPARISONS],
    found: Option<(&Mixture, f64)>,
    common_above: u64,
) -> [Frequencies; COMPARISONS] {
    let everybody = people.len() as f64;
    let counting = |comparison: Comparison| {
        let (c, exact) = (comparison as usize, Level::Exact as usize);
        let values = &values[c];
        let having = values.having as f64 / everybody;
        let (itself, mean) = match found {
            Some((mixture, pairs)) => (
                2.0 * pairs / everybody * having * mixture.one[c][exact],
                mixture.two[c][exact],
            ),
            None => (
                0.0,
                (values.agreeing / values.pairs.max(1.0)).max(f64::MIN_POSITIVE),
            ),
        };
        Counting {
            values,
            itself,
            mean,
            common_above,
        }
    };
    let mut all = Comparison::ALL.map(|comparison| counting(comparison).alone());
    let [given, surname] =
        [Comparison::GivenName, Comparison::Surname].map(|name| &all[name as usize]);
    let mut expected: FxHashMap<u64, f64> = FxHashMap::default();
    for index in 0..people.len() as u32 {
        let of = |comparison: Comparison| comparison.value(people, index);
        if let (Some(full), Some(one), Some(other)) = (
            of(Comparison::FullName),
            of(Comparison::GivenName),
            of(Comparison::Surname),
        ) {
            expected.insert(full, given.of(one) * surname.of(other));
        }
    }
    let mean = given.mean * surname.mean;
    let counting = counting(Comparison::FullName);
    let mut together = counting.frequencies(1.0, f64::MAX, |value| {
        expected.get(&value).copied().unwrap_or(mean)
    });
    together.mean = match found {
        Some(_) => counting.mean,
        None => (counting.mean / mean).max(1.0),
    };
    all[Comparison::FullName as usize] = together;
    all
}

struct Counting<'a> {
    values: &'a Values,
    /// In how many pairs more with the same value a person is for being there twice.
    itself: f64,
    mean: f64,
    common_above: u64,
}

impl Counting<'_> {
    fn alone(&self) -> Frequencies {
        let least = self.mean.min(1.0 / (self.values.having as f64).max(1.0));
        self.frequencies(least, 1.0, |_| 1.0)
    }

    /// In units of what is expected for a value.
    fn frequencies(&self, least: f64, most: f64, expected: impl Fn(u64) -> f64) -> Frequencies {
        // Pairs that a person with a value is in.
        let met = 2.0 * self.values.pairs / (self.values.having as f64).max(1.0);
        let frequency =
            |others: f64, expected: f64| (others / (expected * met)).max(least).min(most);
        let mut common = Vec::new();
        let mut rare = (0.0, 0.0);
        // In the order of the values, since sums of fractions depend on it (I1).
        let mut values: Vec<_> = self.values.people.iter().collect();
        values.sort_unstable_by_key(|(value, _)| **value);
        for (&value, &(people, agreeing)) in values {
            let others = 2.0 * agreeing - people as f64 * self.itself;
            let expected = people as f64 * expected(value);
            if people > self.common_above {
                common.push(Common {
                    value,
                    frequency: frequency(others, expected),
                });
            } else {
                rare = (rare.0 + others, rare.1 + expected);
            }
        }
        Frequencies {
            common,
            rare: match rare.1 > 0.0 {
                true => frequency(rare.0, rare.1),
                false => self.mean.max(least),
            },
            mean: self.mean,
        }
    }
}
