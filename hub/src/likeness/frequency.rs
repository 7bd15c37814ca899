//! How often another person has the same value: of each value that many people have, and of all the others together.
//! Two people there twice make a value look more frequent than it is; that is taken off once it is known how many there are.

use crate::likeness::compare::{COMPARISONS, Comparison, Level};
use crate::likeness::mixture::{Mixture, Shares};
use crate::likeness::model::Common;
use crate::likeness::people::People;
use rustc_hash::FxHashMap;
use std::slice;

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

/// How often another person has the same value.
pub(super) struct Frequencies {
    /// Of each value that is common, sorted by value.
    pub common: Vec<Common>,
    /// Of all the others together.
    pub rare: f64,
    /// Of all pairs of people that share a value.
    mean: f64,
}

/// The frequency of a value among the common ones, which are sorted by value, or else that of the rare ones.
pub(super) fn frequency_of(value: u64, common: &[Common], rare: f64) -> f64 {
    let found = common.binary_search_by_key(&value, |common| common.value);
    found.map_or(rare, |at| common[at].frequency)
}

/// How much rarer somebody's value is than on the average, in bits.
pub(super) fn rarity(
    frequencies: &[Frequencies; COMPARISONS],
    comparison: Comparison,
    people: &People,
    index: u32,
) -> f64 {
    let frequencies = &frequencies[comparison as usize];
    let value = comparison.value(people, index);
    value.map_or(0.0, |value| {
        let own = frequency_of(value, &frequencies.common, frequencies.rare);
        (frequencies.mean / own).log2()
    })
}

/// By comparison. `found` is the mixture and the pairs of one person; without it nothing is known yet of who is there twice.
pub(super) fn frequencies(
    people: &People,
    values: &[Values; COMPARISONS],
    found: Option<(&Mixture, f64)>,
    common_above: u64,
) -> [Frequencies; COMPARISONS] {
    let everybody = people.len() as f64;
    let exact = |shares: &Shares, part: Comparison| shares[part as usize][Level::Exact as usize];
    Comparison::ALL.map(|comparison| {
        let values = &values[comparison as usize];
        let mean = (values.agreeing / values.pairs.max(1.0)).max(f64::MIN_POSITIVE);
        let Some((mixture, pairs)) = found else {
            return values.frequencies(0.0, mean, common_above);
        };
        let kin = comparison.kin();
        let parts = kin
            .as_ref()
            .map_or(slice::from_ref(&comparison), |kin| &kin.known_by);
        let agree: f64 = parts
            .iter()
            .map(|part| exact(&mixture.one, *part))
            .product();
        let itself = 2.0 * pairs / everybody * (values.having as f64 / everybody) * agree;
        let mean = exact(&mixture.two, comparison);
        let frequencies = values.frequencies(itself, mean, common_above);
        match kin {
            // Of most, only how many there are altogether is known.
            Some(_) => Frequencies {
                rare: mean,
                ..frequencies
            },
            None => frequencies,
        }
    })
}

impl Values {
    /// `itself` is in how many pairs more with the same value a person is for being there twice.
    fn frequencies(&self, itself: f64, mean: f64, common_above: u64) -> Frequencies {
        let having = (self.having as f64).max(1.0);
        // Pairs that a person with a value is in.
        let met = 2.0 * self.pairs / having;
        let least = (1.0 / having).min(mean);
        let frequency = |people: f64, agreeing: f64| {
            let others = 2.0 * agreeing - people * itself;
            (others / (people * met)).max(least).min(1.0)
        };
        let mut common = Vec::new();
        let (mut rare_people, mut rare_agreeing) = (0.0, 0.0);
        for (&value, &(people, agreeing)) in &self.people {
            if people > common_above {
                common.push(Common {
                    value,
                    frequency: frequency(people as f64, agreeing),
                });
            } else {
                rare_people += people as f64;
                rare_agreeing += agreeing;
            }
        }
        common.sort_unstable_by_key(|common| common.value);
        Frequencies {
            common,
            rare: match rare_people > 0.0 {
                true => frequency(rare_people, rare_agreeing),
                false => mean,
            },
            mean,
        }
    }
}
