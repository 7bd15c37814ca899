//! Recency, frequency and monetary value as scores from 1 to 5, where 5 is the best.
//!
//! The rule: a score is one plus the number of whole fifths of all people that are strictly worse. So people with equal
//! values always get equal scores, the order of the people does not matter, and if all are equal, all get 1. Groups have the same
//! size only if there are no ties.

use serde::{Deserialize, Serialize};

/// What is known of one person.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shopper {
    /// Days since the last purchase: the fewer, the better.
    pub recency_days: f64,
    /// The number of purchases.
    pub frequency: f64,
    /// What they were worth together.
    pub monetary: f64,
}

/// For each measure four values: who is strictly better than the n-th has at least n fifths of the people below.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RfmBoundaries {
    pub recency_days: [f64; 4],
    pub frequency: [f64; 4],
    pub monetary: [f64; 4],
    /// How many people they were taken from.
    pub people: u64,
}

/// The boundaries between the scores of these people. `None` when there is nobody; people with a value that is not a finite number
/// are nobody.
pub fn boundaries(shoppers: &[Shopper]) -> Option<RfmBoundaries> {
    let finite = |one: &&Shopper| {
        [one.recency_days, one.frequency, one.monetary]
            .iter()
            .all(|value| value.is_finite())
    };
    let shoppers: Vec<&Shopper> = shoppers.iter().filter(finite).collect();
    if shoppers.is_empty() {
        return None;
    }
    // The best recency is the smallest, so its sign is turned, and the boundaries turned back.
    let recency = fifths(shoppers.iter().map(|one| -one.recency_days).collect());
    Some(RfmBoundaries {
        recency_days: recency.map(|value| -value),
        frequency: fifths(shoppers.iter().map(|one| one.frequency).collect()),
        monetary: fifths(shoppers.iter().map(|one| one.monetary).collect()),
        people: shoppers.len() as u64,
    })
}

/// Recency, frequency and monetary score. Values that nobody had when the boundaries were taken are scored by the same rule.
pub fn score(
    boundaries: &RfmBoundaries,
    recency_days: f64,
    frequency: f64,
    monetary: f64,
) -> (u8, u8, u8) {
    let passed = |limits: &[f64; 4], better: &dyn Fn(f64) -> bool| {
        limits
            .iter()
            .map(|limit| u8::from(better(*limit)))
            .sum::<u8>()
            + 1
    };
    (
        passed(&boundaries.recency_days, &|limit| recency_days < limit),
        passed(&boundaries.frequency, &|limit| frequency > limit),
        passed(&boundaries.monetary, &|limit| monetary > limit),
    )
}

/// The value of the person with whom one, two, three and four fifths of the people are complete, from the worst on.
fn fifths(mut values: Vec<f64>) -> [f64; 4] {
    values.sort_unstable_by(f64::total_cmp);
    let count = values.len();
    // Adding nothing turns a negative zero into zero.
    [1, 2, 3, 4].map(|fifth| values[(fifth * count).div_ceil(5) - 1] + 0.0)
}
