//! Two kinds of pairs, of one person and of two, and how often each kind agrees on each level: estimated from how often
//! all pairs agree, by expectation-maximisation (Winkler, "Using the EM Algorithm for Weight Computation in the
//! Fellegi-Sunter Model of Record Linkage", 1988). Knows patterns and counts, no people.
//!
//! Two people may be namesakes or a family, so that pairs of two people are a mixture themselves (after Larsen and Rubin,
//! "Iterative Automated Record Linkage Using Mixture Models", JASA 96, 2001).

use crate::likeness::compare::{COMPARISONS, Comparison, LEVELS, Level, Pattern};
use crate::likeness::kin::KINDS;

/// What was counted.
pub(super) struct Counted {
    /// All pairs that may be one person.
    pub pairs: f64,
    /// For each comparison: how many of them say something on both sides, and how many of those agree exactly.
    pub present: [f64; COMPARISONS],
    pub exact: [f64; COMPARISONS],
    /// Pairs that share a key, sorted.
    pub candidates: Vec<(Kind, u64)>,
    /// Some taken at random, sorted.
    pub random: Vec<(Kind, u64)>,
}

/// What pairs have in common that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Kind {
    pub pattern: Pattern,
    /// How much rarer the values are on which the two agree exactly than such values are on the average, in whole bits; and
    /// those of them that namesakes share, and a family.
    pub rarity: i16,
    pub shared: [i16; KINDS.len()],
}

/// By comparison and level: the share among the pairs that say something.
pub(super) type Shares = [[f64; LEVELS]; COMPARISONS];

#[derive(Debug, Clone)]
pub(super) struct Mixture {
    /// The share of the pairs that are one person.
    pub prior: f64,
    /// `m` and `u` of the literature.
    pub one: Shares,
    pub two: Shares,
}

const ROUNDS: usize = 300;
/// Estimation ends when no share of the pairs of one person moves by more.
const SETTLED: f64 = 1e-5;
/// How many pairs of one person the starting values weigh, so that a level that was hardly seen is not taken for certain; and
/// how large a share of those found they weigh in addition. Pairs of namesakes could as well be people whose date of birth
/// was always written wrongly: nothing in the counts speaks against it, only that mistakes are rare (after the priors of
/// Enamorado, Fifield and Imai, "Using a Probabilistic Model to Assist Merging of Large-Scale Administrative Records", 2019).
const BELIEF: f64 = 8.0;
const BELIEF_SHARE: f64 = 0.05;
/// How many more pairs are taken to have been seen on each level among pairs of two people.
const UNSEEN: f64 = 0.5;
/// No share is less: every field is filled in wrongly now and then, and with somebody else's value, however many
/// pairs were counted in which that did not happen.
const LEAST_OF_ONE: f64 = 0.000_5;
const LEAST_OF_TWO: f64 = 0.000_000_1;
/// The same of namesakes and families, whose share is multiplied with what they agree on.
const LEAST_KIN: f64 = 0.000_000_000_001;

impl Mixture {
    /// Pairs that share no key are assumed to be two people. How often two people agree exactly is then a count over all
    /// pairs, minus the pairs of one person among them; for the other levels it is estimated from randomly sampled pairs.
    pub fn fit(counted: &Counted, people: usize) -> Self {
        let start = start();
        let mut mixture = Self {
            // Every other person twice: too many is corrected by the first round, too few could find nothing.
            prior: (people as f64 / 2.0 / counted.pairs).min(0.5),
            one: start,
            two: start,
        };
        mixture.two = mixture.shares_of_two(counted, &[[0.0; LEVELS]; COMPARISONS], 0.0);
        for _ in 0..ROUNDS {
            let (found, matched) = mixture.expect(&counted.candidates);
            let mut next = mixture.clone();
            next.prior = (found / counted.pairs).max(f64::MIN_POSITIVE);
            next.one = shares_of_one(&matched, &start);
            next.two = mixture.shares_of_two(counted, &matched, found);
            let moved = largest_step(&mixture.one, &next.one);
            mixture = next;
            if moved < SETTLED {
                break;
            }
        }
        mixture
    }

    /// Bits for one person rather than two, without the prior.
    pub fn bits(&self, comparison: Comparison, level: Level) -> f64 {
        let (c, l) = (comparison as usize, level as usize);
        match level {
            Level::Missing => 0.0,
            _ => (self.one[c][l] / self.two[c][l]).log2(),
        }
    }

    fn probability(&self, bits: &Shares, kind: Kind) -> f64 {
        let of = |comparison: Comparison| {
            bits[comparison as usize][kind.pattern.level(comparison) as usize]
        };
        let agreement = Comparison::ALL.into_iter().map(of).sum::<f64>() + f64::from(kind.rarity);
        let mut two = 1.0;
        for (comparison, rarity) in KINDS.into_iter().zip(kind.shared) {
            let level = kind.pattern.level(comparison);
            if let Some(kin) = comparison.kin().filter(|kin| kin.may_be(level)) {
                let shared =
                    kin.share.iter().map(|&part| of(part)).sum::<f64>() + f64::from(rarity);
                two += self.two[comparison as usize][Level::Exact as usize] * shared.exp2();
            }
        }
        probability(agreement - two.log2() + prior_bits(self.prior))
    }

    fn all_bits(&self) -> Shares {
        let mut bits = [[0.0; LEVELS]; COMPARISONS];
        let alone = |comparison: &Comparison| comparison.kin().is_none();
        for comparison in Comparison::ALL.into_iter().filter(alone) {
            for &level in comparison.levels() {
                bits[comparison as usize][level as usize] = self.bits(comparison, level);
            }
        }
        bits
    }

    /// How many of these pairs are one person, and on which levels those agree.
    fn expect(&self, kinds: &[(Kind, u64)]) -> (f64, Shares) {
        let bits = self.all_bits();
        let mut found = 0.0;
        let mut matched = [[0.0; LEVELS]; COMPARISONS];
        for &(kind, count) in kinds {
            let expected = self.probability(&bits, kind) * count as f64;
            found += expected;
            for comparison in Comparison::ALL {
                matched[comparison as usize][kind.pattern.level(comparison) as usize] += expected;
            }
        }
        (found, matched)
    }

    fn shares_of_two(&self, counted: &Counted, matched: &Shares, found: f64) -> Shares {
        let (_, random_matched) = match found > 0.0 {
            true => self.expect(&counted.random),
            false => (0.0, [[0.0; LEVELS]; COMPARISONS]),
        };
        let mut random = [[0.0; LEVELS]; COMPARISONS];
        for &(kind, count) in &counted.random {
            for comparison in Comparison::ALL {
                random[comparison as usize][kind.pattern.level(comparison) as usize] +=
                    count as f64;
            }
        }
        let mut shares = [[0.0; LEVELS]; COMPARISONS];
        for comparison in Comparison::ALL {
            let c = comparison as usize;
            let matched_present: f64 = comparison
                .levels()
                .iter()
                .map(|&level| matched[c][level as usize])
                .sum();
            let present = (counted.present[c] - matched_present).max(1.0);
            let exact_of_two = counted.exact[c] - matched[c][Level::Exact as usize];
            let exact = (exact_of_two.max(UNSEEN) / present).clamp(LEAST_OF_TWO, 0.5);
            let others = || {
                comparison
                    .levels()
                    .iter()
                    .filter(|level| **level != Level::Exact)
            };
            let seen = |level: Level| {
                let l = level as usize;
                (random[c][l] - random_matched[c][l]).max(0.0) + UNSEEN
            };
            let total: f64 = others().map(|&level| seen(level)).sum();
            shares[c][Level::Exact as usize] = exact;
            for &level in others() {
                let share = seen(level) / total * (1.0 - exact);
                shares[c][level as usize] = share.max(LEAST_OF_TWO);
            }
        }
        self.count_kin(counted, &mut shares);
        shares
    }

    /// How many of the pairs of two people are namesakes or a family: how often they share two values, less how often that
    /// happens by chance. They are counted, so that they are not taken for one person for lack of any other explanation.
    fn count_kin(&self, counted: &Counted, two: &mut Shares) {
        for comparison in KINDS {
            let Some(kin) = comparison.kin() else {
                continue;
            };
            let exact =
                |shares: &Shares, part: Comparison| shares[part as usize][Level::Exact as usize];
            let both = |shares: &Shares| {
                kin.known_by
                    .map(|part| exact(shares, part))
                    .iter()
                    .product::<f64>()
            };
            let share = match counted.present[comparison as usize] > 0.0 {
                true => (exact(two, comparison) - both(two)) / both(&self.one),
                false => 0.0,
            };
            two[comparison as usize][Level::Exact as usize] = share.max(LEAST_KIN);
        }
    }
}

pub(super) fn prior_bits(prior: f64) -> f64 {
    (prior / (1.0 - prior)).log2()
}

pub(super) fn probability(bits: f64) -> f64 {
    1.0 / (1.0 + (-bits).exp2())
}

/// Four of five values of one person agree, and each further level is half as frequent as the one before.
fn start() -> Shares {
    let mut shares = [[0.0; LEVELS]; COMPARISONS];
    for comparison in Comparison::ALL {
        if comparison.kin().is_some() {
            shares[comparison as usize] = [1.0; LEVELS];
            continue;
        }
        let others = comparison.levels().len() - 1;
        let halves = |at: usize| 0.5_f64.powi(at as i32);
        let total: f64 = (1..=others).map(halves).sum();
        for (at, &level) in comparison.levels().iter().enumerate() {
            shares[comparison as usize][level as usize] = match at {
                0 => 0.8,
                at => 0.2 * halves(at) / total,
            };
        }
    }
    shares
}

fn shares_of_one(matched: &Shares, start: &Shares) -> Shares {
    let mut shares = *start;
    for comparison in Comparison::ALL {
        if comparison.kin().is_some() {
            continue;
        }
        let c = comparison as usize;
        let levels = || comparison.levels().iter().map(|&level| level as usize);
        let total: f64 = levels().map(|l| matched[c][l]).sum();
        let belief = BELIEF + BELIEF_SHARE * total;
        for l in levels() {
            let share = (matched[c][l] + belief * start[c][l]) / (total + belief);
            shares[c][l] = share.max(LEAST_OF_ONE);
        }
    }
    shares
}

fn largest_step(before: &Shares, after: &Shares) -> f64 {
    let steps = before.iter().flatten().zip(after.iter().flatten());
    steps
        .map(|(one, other)| (one - other).abs())
        .fold(0.0, f64::max)
}
