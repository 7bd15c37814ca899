//! From people to a model: counts the pairs, fits the mixture, and finds the values that many people have.
//! Refuses if the records are not enough for an estimate, and says what is missing.

use crate::likeness::Options;
use crate::likeness::block::Blocks;
use crate::likeness::compare::{COMPARISONS, Comparison, Level, compare};
use crate::likeness::frequency::{Frequencies, Values, frequencies, pairs_of, rarity};
use crate::likeness::kin::KINDS;
use crate::likeness::mixture::{Counted, Kind, Mixture};
use crate::likeness::model::{Model, Odds, Weighed};
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
    let rarities = frequencies(people, &values, None, common_above);
    let lists = lists(people);
    let counted = Counted {
        pairs: pairs_of(people.len() as u64, lists.values()),
        present: values.each_ref().map(|values| values.pairs),
        exact: values.each_ref().map(|values| values.agreeing),
        candidates: candidates(people, &rarities, options),
        random: random(people, &rarities, options),
    };
    let known = known(&counted);
    let compared = Comparison::ALL
        .iter()
        .filter(|&&comparison| comparison.kin().is_none() && known[comparison as usize]);
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
    let frequencies = frequencies(people, &values, Some((&mixture, pairs)), common_above);
    let weighed = Comparison::ALL.into_iter().zip(frequencies);
    let weighed = weighed.filter(|(comparison, _)| known[*comparison as usize]);
    let weighed = weighed.map(|(comparison, frequencies)| weigh(comparison, frequencies, &mixture));
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

fn lists(people: &People) -> FxHashMap<u32, u64> {
    let mut lists = FxHashMap::default();
    for index in 0..people.len() as u32 {
        if let Some(list) = people.row(index).list {
            *lists.entry(list).or_default() += 1;
        }
    }
    lists
}

/// Pairs that share a key.
fn candidates(
    people: &People,
    rarities: &[Frequencies; COMPARISONS],
    options: &Options,
) -> Vec<(Kind, u64)> {
    let mut counts = FxHashMap::default();
    Blocks::new(people, options.block_cap).for_each(people, |left, right| {
        *counts
            .entry(kind(people, rarities, left, right))
            .or_default() += 1;
    });
    sorted(counts)
}

/// Pairs at random: everybody in an order that only the ids decide, each with the next, then with the next but one, and so on.
fn random(
    people: &People,
    rarities: &[Frequencies; COMPARISONS],
    options: &Options,
) -> Vec<(Kind, u64)> {
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
                *counts
                    .entry(kind(people, rarities, left, right))
                    .or_default() += 1;
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

fn kind(people: &People, rarities: &[Frequencies; COMPARISONS], left: u32, right: u32) -> Kind {
    let pattern = compare(people, left, right);
    let of = |comparison: Comparison| match pattern.level(comparison) {
        Level::Exact => rarity(rarities, comparison, people, left),
        _ => 0.0,
    };
    let bits = Comparison::ALL.map(|comparison| match comparison.kin() {
        Some(_) => 0.0,
        None => of(comparison),
    });
    let shared = KINDS.map(|comparison| {
        let share = comparison.kin().map_or(&[][..], |kin| kin.share);
        let shared = share.iter().map(|&part| bits[part as usize]).sum::<f64>();
        // More of them have a common name.
        (shared - of(comparison)).round() as i16
    });
    Kind {
        pattern,
        rarity: bits.iter().sum::<f64>().round() as i16,
        shared,
    }
}

fn weigh(comparison: Comparison, frequencies: Frequencies, mixture: &Mixture) -> Weighed {
    let c = comparison as usize;
    let levels = comparison.levels().iter().map(|&level| Odds {
        level,
        one: mixture.one[c][level as usize],
        two: mixture.two[c][level as usize],
    });
    Weighed {
        comparison,
        levels: levels.collect(),
        common: frequencies.common,
        rare: frequencies.rare,
    }
}
