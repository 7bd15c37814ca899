//! From people to a model: counts the pairs, fits the mixture, and finds the values that many people have.
//! Refuses if the records are not enough for an estimate, and says what is missing.

use crate::likeness::Options;
use crate::likeness::block::Blocks;
use crate::likeness::compare::{COMPARISONS, Comparison, Level, compare};
use crate::likeness::mixture::{Counted, Kind, Mixture};
use crate::likeness::model::{Common, Model, Odds, Weighed};
use crate::likeness::people::{People, mix};
use rustc_hash::FxHashMap;

/// Why there is no model.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("{found} people are too few to learn from: at least {needed} are needed")]
    TooFewPeople { found: u64, needed: u64 },
    #[error(
        "only {found} of the things that are compared are known of enough pairs of people: at least {needed} are needed"
    )]
    TooFewComparisons { found: u64, needed: u64 },
    #[error("about {found} pairs look like one person: at least {needed} are needed")]
    TooFewPairs { found: u64, needed: u64 },
}

const LEAST_PEOPLE: u64 = 200;
const LEAST_COMPARISONS: u64 = 3;
const LEAST_PAIRS: u64 = 30;
/// How many values of one comparison can have a frequency of their own.
const MOST_COMMON: u64 = 10_000;
/// A comparison that says something for a smaller share of the pairs is left out.
const LEAST_PRESENT: f64 = 0.0001;

/// # Errors
/// When there are too few people, too little is known of them, or hardly anybody is there twice.
pub fn estimate(people: &People, options: &Options) -> Result<Model, Refusal> {
    let found = people.len() as u64;
    if found < LEAST_PEOPLE {
        return Err(Refusal::TooFewPeople {
            found,
            needed: LEAST_PEOPLE,
        });
    }
    let common_above = u64::from(options.common_above).max(people.len() as u64 / MOST_COMMON);
    let values = Comparison::ALL.map(|comparison| Values::count(people, comparison));
    let rarities = Comparison::ALL
        .map(|comparison| values[comparison as usize].rarities(comparison, common_above));
    let lists = lists(people);
    let counted = Counted {
        pairs: pairs_of(people.len() as u64, lists.values()),
        present: values.each_ref().map(|values| values.pairs),
        exact: values.each_ref().map(|values| values.agreeing),
        candidates: candidates(people, &rarities, options),
        random: random(people, &rarities, options),
    };
    let known = known(&counted);
    let compared = Comparison::ALL.iter().filter(|&&comparison| {
        comparison != Comparison::FullName && known[comparison as usize]
    });
    let found = compared.count() as u64;
    if found < LEAST_COMPARISONS {
        return Err(Refusal::TooFewComparisons {
            found,
            needed: LEAST_COMPARISONS,
        });
    }
    let mixture = Mixture::fit(&counted, people.len());
    let pairs = mixture.prior * counted.pairs;
    if pairs < LEAST_PAIRS as f64 {
        return Err(Refusal::TooFewPairs {
            found: pairs as u64,
            needed: LEAST_PAIRS,
        });
    }
    let sizes = (people.len() as f64, pairs);
    let weighed = Comparison::ALL
        .into_iter()
        .filter(|comparison| known[*comparison as usize]);
    let weighed = weighed.map(|comparison| {
        let values = &values[comparison as usize];
        weigh(comparison, values, &mixture, sizes, common_above)
    });
    Ok(Model::new(
        people.len() as u64,
        mixture.prior,
        weighed.collect(),
    ))
}

fn known(counted: &Counted) -> [bool; COMPARISONS] {
    counted
        .present
        .map(|present| present > 0.0 && present >= LEAST_PRESENT * counted.pairs)
}

/// Who has which value of one comparison.
struct Values {
    /// By value: how many people have it, and how many pairs that may be one person.
    people: FxHashMap<u64, (u64, f64)>,
    having: u64,
    /// Pairs that have a value on both sides, and pairs with the same value.
    pairs: f64,
    agreeing: f64,
}

impl Values {
    fn count(people: &People, comparison: Comparison) -> Self {
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

fn lists(people: &People) -> FxHashMap<u32, u64> {
    let mut lists = FxHashMap::default();
    for index in 0..people.len() as u32 {
        if let Some(list) = people.row(index).list {
            *lists.entry(list).or_default() += 1;
        }
    }
    lists
}

/// The number of pairs among this many people, without pairs inside a list.
fn pairs_of<'a>(people: u64, lists: impl Iterator<Item = &'a u64>) -> f64 {
    let pairs = |count: u64| count as f64 * (count as f64 - 1.0) / 2.0;
    pairs(people) - lists.map(|&count| pairs(count)).sum::<f64>()
}

type Rarities = [Frequencies; COMPARISONS];

/// Pairs that share a key.
fn candidates(people: &People, rarities: &Rarities, options: &Options) -> Vec<(Kind, u64)> {
    let mut counts = FxHashMap::default();
    Blocks::new(people, options.block_cap).for_each(people, |left, right| {
        *counts.entry(kind(people, rarities, left, right)).or_default() += 1;
    });
    sorted(counts)
}

/// Pairs at random: everybody in an order that only the ids decide, each with the next, then with the next but one, and so on.
fn random(people: &People, rarities: &Rarities, options: &Options) -> Vec<(Kind, u64)> {
    let mut order: Vec<u32> = (0..people.len() as u32).collect();
    order.sort_unstable_by_key(|&index| {
        let id = people.row(index).id;
        (mix(id, 1), id)
    });
    let count = order.len();
    let mut counts = FxHashMap::default();
    let mut taken = 0;
    for step in 1..=count / 2 {
        for at in 0..count {
            let (left, right) = (order[at], order[(at + step) % count]);
            if people.may_be_one(left, right) {
                *counts.entry(kind(people, rarities, left, right)).or_default() += 1;
                taken += 1;
            }
        }
        if taken >= options.sample_pairs {
            break;
        }
    }
    sorted(counts)
}

fn sorted(counts: FxHashMap<Kind, u64>) -> Vec<(Kind, u64)> {
    let mut counts: Vec<(Kind, u64)> = counts.into_iter().collect();
    counts.sort_unstable();
    counts
}

fn kind(people: &People, rarities: &Rarities, left: u32, right: u32) -> Kind {
    let pattern = compare(people, left, right);
    let exact = Comparison::ALL
        .into_iter()
        .filter(|&comparison| pattern.level(comparison) == Level::Exact);
    let bits = exact.map(|comparison| {
        let value = comparison.value(people, left);
        value.map_or(0.0, |value| rarities[comparison as usize].rarity(value))
    });
    Kind {
        pattern,
        rarity: bits.sum::<f64>().round() as i16,
    }
}

/// How often another person has the same value.
struct Frequencies {
    /// Of each value that is common, sorted by value.
    common: Vec<Common>,
    /// Of all the others together.
    rare: f64,
    /// Of a value that two people share.
    mean: f64,
}

impl Frequencies {
    /// How much rarer a value is than the average, in bits.
    fn rarity(&self, value: u64) -> f64 {
        let found = self.common.binary_search_by_key(&value, |common| common.value);
        let frequency = found.map_or(self.rare, |at| self.common[at].frequency);
        (self.mean / frequency).log2()
    }
}

impl Values {
    /// `itself` is how many more pairs with the same value a person is in for being there twice, `mean` how often two
    /// people agree.
    fn frequencies(&self, itself: f64, mean: f64, common_above: u64) -> Frequencies {
        let having = (self.having as f64).max(1.0);
        // Pairs that a person with a value is in.
        let met = 2.0 * self.pairs / having;
        let least = mean.min(1.0 / having);
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

    /// Before anything is known of who is there twice. Of both names together only the average is known.
    fn rarities(&self, comparison: Comparison, common_above: u64) -> Frequencies {
        let mean = (self.agreeing / self.pairs.max(1.0)).max(f64::MIN_POSITIVE);
        match comparison {
            Comparison::FullName => Frequencies {
                common: Vec::new(),
                rare: mean,
                mean,
            },
            _ => self.frequencies(0.0, mean, common_above),
        }
    }
}

/// A comparison with its levels, and the frequency of its values among other people: of each that is common, and of all
/// the others together. `sizes` are everybody, and the pairs of one person.
fn weigh(
    comparison: Comparison,
    values: &Values,
    mixture: &Mixture,
    sizes: (f64, f64),
    common_above: u64,
) -> Weighed {
    let c = comparison as usize;
    let share = |shares: &[f64], level: Level| shares[level as usize];
    let levels = comparison.levels().iter().map(|&level| Odds {
        level,
        one: share(&mixture.one[c], level),
        two: share(&mixture.two[c], level),
    });
    let exact_one = mixture.one[c][Level::Exact as usize];
    let exact_two = mixture.two[c][Level::Exact as usize];
    let (everybody, pairs) = sizes;
    let itself = 2.0 * pairs / everybody * (values.having as f64 / everybody) * exact_one;
    let Frequencies { common, rare, .. } = match comparison {
        Comparison::FullName => Frequencies {
            common: Vec::new(),
            rare: exact_two,
            mean: exact_two,
        },
        _ => values.frequencies(itself, exact_two, common_above),
    };
    Weighed {
        comparison,
        levels: levels.collect(),
        common,
        rare,
    }
}
