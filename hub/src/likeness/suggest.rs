//! Which pairs are probably one person, what may be done about each without asking, and why a pair has its weight.

use crate::likeness::Options;
use crate::likeness::block::{Blocks, Skipped};
use crate::likeness::compare::{Comparison, Level, Pattern, compare};
use crate::likeness::groups::Groups;
use crate::likeness::mixture::probability;
use crate::likeness::model::{Model, Scale};
use crate::likeness::people::People;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Suggestions {
    /// In the order of their ids.
    pub pairs: Vec<Pair>,
    /// How many pairs were likely by themselves, but one of the two is likelier to be somebody else of the same list.
    pub outdone: u64,
    /// Blocks above the cap, by what their key is made of.
    pub skipped: Vec<Skipped>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The smaller id.
    pub left: u64,
    pub right: u64,
    /// Bits for one person, the prior included: the steps added up.
    pub weight: f64,
    pub probability: f64,
    pub standing: Standing,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Certain enough to be linked without asking.
    Automatic,
    /// A person should look, because of this.
    Review(Doubt),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Less probable than automatic links have to be.
    Probability,
    /// Linking them would make two user ids one person, directly or through others.
    TwoUsers,
    /// What agrees is what a household shares; nothing of the person's own does, or the given name or the date of birth
    /// differs.
    Household,
}

impl Doubt {
    pub fn words(self) -> &'static str {
        match self {
            Self::Probability => "not probable enough to be linked without asking",
            Self::TwoUsers => "would make two user ids one person",
            Self::Household => {
                "only what a household shares agrees, or given name or date of birth differs"
            }
        }
    }
}

/// What one comparison adds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    pub comparison: Comparison,
    pub level: Level,
    pub bits: f64,
}

/// How the weight of a pair comes together, without anything that the two said.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Bits before anything is compared: how rarely two people are one.
    pub prior: f64,
    pub steps: Vec<Step>,
    pub weight: f64,
    pub probability: f64,
}

/// A pair by the places of its people, `left` having the smaller id.
struct Likely {
    left: u32,
    right: u32,
    ids: (u64, u64),
    pattern: Pattern,
    weight: f64,
}

/// Every pair that is at least as probable as `options.review`.
pub fn suggest(people: &People, model: &Model, options: &Options) -> Suggestions {
    let scale = Scale::new(model);
    let blocks = Blocks::new(people, options.block_cap);
    let mut likely = Vec::new();
    blocks.for_each(people, |one, other| {
        let pair = Likely::of(people, &scale, one, other);
        if probability(pair.weight) >= options.review {
            likely.push(pair);
        }
    });
    // The likeliest first, ids decide between equals (I1).
    likely.sort_unstable_by(|one, other| {
        let by_weight = other.weight.total_cmp(&one.weight);
        by_weight.then_with(|| one.ids.cmp(&other.ids))
    });
    let (pairs, outdone) = judge(people, &scale, &likely, options.automatic);
    Suggestions {
        pairs,
        outdone,
        skipped: blocks.skipped,
    }
}

/// Why two people weigh what they weigh; nothing when one of them is not there.
pub fn explain(people: &People, model: &Model, one: u64, other: u64) -> Option<Explanation> {
    let scale = Scale::new(model);
    let pair = Likely::of(people, &scale, people.index(one)?, people.index(other)?);
    Some(Explanation {
        prior: scale.prior,
        steps: pair.steps(people, &scale),
        weight: pair.weight,
        probability: probability(pair.weight),
    })
}

impl Likely {
    fn of(people: &People, scale: &Scale<'_>, one: u32, other: u32) -> Self {
        let id = |index| people.row(index).id;
        let (left, right) = match id(one) <= id(other) {
            true => (one, other),
            false => (other, one),
        };
        let pattern = compare(people, left, right);
        Self {
            left,
            right,
            ids: (id(left), id(right)),
            pattern,
            weight: scale.weight(people, left, pattern),
        }
    }

    fn steps(&self, people: &People, scale: &Scale<'_>) -> Vec<Step> {
        let bits = scale.bits(people, self.left, self.pattern);
        let steps = Comparison::ALL.into_iter().zip(bits);
        let steps = steps.map(|(comparison, bits)| Step {
            comparison,
            level: self.pattern.level(comparison),
            bits,
        });
        steps.collect()
    }

    /// Whether something agrees that is a person's own and not a household's. A given name or a date of birth that differs
    /// outweighs all but a national id: there are twins, fathers and sons of one name, and couples with one address for mail.
    fn is_about_a_person(&self) -> bool {
        let is = |comparison, levels: &[Level]| levels.contains(&self.pattern.level(comparison));
        let national_id = is(Comparison::NationalId, &[Level::Exact]);
        let email = is(Comparison::Email, &[Level::Exact]);
        let named = is(
            Comparison::GivenName,
            &[Level::Exact, Level::Form, Level::Swapped, Level::Close],
        );
        // A mother's and a daughter's, too, who may have one address.
        let half_named = is(Comparison::GivenName, &[Level::Part]);
        let otherwise_named = is(Comparison::GivenName, &[Level::Similar, Level::Different]);
        let born = is(
            Comparison::BirthDate,
            &[Level::Exact, Level::Swapped, Level::Close],
        );
        let otherwise_born = is(Comparison::BirthDate, &[Level::Different]);
        national_id
            || ((named || born || email && !half_named) && !otherwise_named && !otherwise_born)
    }
}

/// The decision on each pair, the likeliest first. An automatic pair makes its two one, for every pair that follows.
fn judge(
    people: &People,
    scale: &Scale<'_>,
    likely: &[Likely],
    automatic: f64,
) -> (Vec<Pair>, u64) {
    let mut linked = Groups::new(people);
    // As if every pair that is suggested was right: somebody of a list has one counterpart there, and the likeliest wins.
    let mut suggested = Groups::new(people);
    let mut pairs = Vec::with_capacity(likely.len());
    let mut outdone = 0;
    for pair in likely {
        let (left, right) = (pair.left, pair.right);
        if suggested.would_join_a_list(left, right) {
            outdone += 1;
            continue;
        }
        suggested.join(left, right);
        let probability = probability(pair.weight);
        let standing = if linked.would_join_users(left, right) {
            Standing::Review(Doubt::TwoUsers)
        } else if probability < automatic {
            Standing::Review(Doubt::Probability)
        } else if !pair.is_about_a_person() {
            Standing::Review(Doubt::Household)
        } else {
            linked.join(left, right);
            Standing::Automatic
        };
        pairs.push(Pair {
            left: pair.ids.0,
            right: pair.ids.1,
            weight: pair.weight,
            probability,
            standing,
            steps: pair.steps(people, scale),
        });
    }
    pairs.sort_unstable_by_key(|pair| (pair.left, pair.right));
    (pairs, outdone)
}
