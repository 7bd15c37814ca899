//! The model: what each level of agreement is worth, and how frequent common values are. Plain data that can be stored;
//! contains no person's value, only the digests of values that many people have.

use crate::likeness::compare::{COMPARISONS, Comparison, LEVELS, Level, Pattern};
use crate::likeness::frequency::frequency_of;
use crate::likeness::kin::KINDS;
use crate::likeness::mixture::prior_bits;
use crate::likeness::people::People;
use serde::{Deserialize, Serialize};

/// An estimated model (Fellegi and Sunter, "A Theory for Record Linkage", JASA 64, 1969). Equal people and options give an equal model, digest included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Names the version: hexadecimal, from everything else in the model.
    pub digest: String,
    /// How many people it was estimated from.
    pub people: u64,
    /// The share of all pairs of people that are one person.
    pub prior: f64,
    /// Those for which there was enough to estimate from; the others are worth nothing. Of the two that stand for namesakes and
    /// families, `two` and the frequencies are the share of the pairs of two people that are such.
    pub comparisons: Vec<Weighed>,
}

/// What one comparison is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Weighed {
    pub comparison: Comparison,
    pub levels: Vec<Odds>,
    /// How often another person has the same value, for values that many have; sorted by value. After Winkler,
    /// "Frequency-Based Matching in Fellegi-Sunter Model of Record Linkage" (1989).
    pub common: Vec<Common>,
    /// The same for all other values together.
    pub rare: f64,
}

/// How often pairs of one person, and pairs of two, agree on a level: `m` and `u` of the literature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Odds {
    pub level: Level,
    pub one: f64,
    pub two: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Common {
    /// A digest.
    pub value: u64,
    pub frequency: f64,
}

impl Model {
    pub(super) fn new(people: u64, prior: f64, comparisons: Vec<Weighed>) -> Self {
        let content = format!("{people} {prior:?} {comparisons:?}");
        Self {
            digest: blake3::hash(content.as_bytes()).to_hex().as_str()[..32].to_owned(),
            people,
            prior,
            comparisons,
        }
    }

    /// How many things are compared, without what only counts namesakes and families.
    pub fn values(&self) -> usize {
        let compared = self.comparisons.iter();
        compared
            .filter(|weighed| weighed.comparison.kin().is_none())
            .count()
    }
}

/// The model in the form in which pairs are weighed.
pub(super) struct Scale<'a> {
    pub prior: f64,
    bits: [[f64; LEVELS]; COMPARISONS],
    weighed: [Option<&'a Weighed>; COMPARISONS],
}

impl<'a> Scale<'a> {
    pub fn new(model: &'a Model) -> Self {
        let mut scale = Self {
            prior: prior_bits(model.prior),
            bits: [[0.0; LEVELS]; COMPARISONS],
            weighed: [None; COMPARISONS],
        };
        for weighed in &model.comparisons {
            let c = weighed.comparison as usize;
            scale.weighed[c] = Some(weighed);
            for odds in &weighed.levels {
                scale.bits[c][odds.level as usize] = match odds.level {
                    // Divided by the frequency of the value, where that is known.
                    Level::Exact => odds.one.log2(),
                    _ => (odds.one / odds.two).log2(),
                };
            }
        }
        scale
    }

    /// What each comparison adds to the weight. `left` is the one whose value counts where both have the same.
    pub fn bits(&self, people: &People, left: u32, pattern: Pattern) -> [f64; COMPARISONS] {
        let frequency = |comparison: Comparison| {
            let weighed = self.weighed[comparison as usize]?;
            let value = match pattern.level(comparison) {
                Level::Exact => comparison.value(people, left),
                _ => None,
            };
            Some(value.map_or(weighed.rare, |value| weighed.frequency(value)))
        };
        let mut bits = Comparison::ALL.map(|comparison| {
            let level = pattern.level(comparison);
            let bits = self.bits[comparison as usize][level as usize];
            match (level, comparison.kin(), frequency(comparison)) {
                (Level::Exact, None, Some(frequency)) => bits - frequency.log2(),
                (_, None, _) => bits,
                (_, Some(_), _) => 0.0,
            }
        });
        // Two people are strangers, or namesakes, or a family.
        let mut two = 1.0;
        for comparison in KINDS {
            let level = pattern.level(comparison);
            let kin = comparison.kin().filter(|kin| kin.may_be(level));
            if let (Some(kin), Some(frequency)) = (kin, frequency(comparison)) {
                let shared: f64 = kin.share.iter().map(|&part| bits[part as usize]).sum();
                let before = two;
                two += frequency * shared.exp2();
                bits[comparison as usize] = (before / two).log2();
            }
        }
        bits
    }

    pub fn weight(&self, people: &People, left: u32, pattern: Pattern) -> f64 {
        self.bits(people, left, pattern).iter().sum::<f64>() + self.prior
    }
}

impl Weighed {
    fn frequency(&self, value: u64) -> f64 {
        frequency_of(value, &self.common, self.rare)
    }
}
