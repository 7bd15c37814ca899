//! BG/NBD: how often a customer buys and whether the customer is still active. From Fader, Hardie and Lee, "Counting your
//! customers the easy way", Marketing Science 24(2), 2005.
//! An active customer buys at random times at an individual rate, and after each purchase may leave for good with an
//! individual probability. Rates follow a gamma distribution with shape `r` and rate `alpha`, probabilities a beta
//! distribution with `a` and `b`. Time is in weeks. Does not know what a purchase is worth.

use super::Refusal;
use super::optimise::{Bounds, minimise};
use super::special::{digamma, gauss_excess, ln_gamma};
use serde::{Deserialize, Serialize};

/// With fewer customers than this nothing is fitted.
pub const MIN_CUSTOMERS: u64 = 100;
/// With fewer customers than this who came back nothing is fitted.
pub const MIN_REPEATING: u64 = 50;

/// How far the search goes for `r`, `a` and `b`. Beyond, the customers are as good as equal, or nobody ever leaves.
const SMALLEST: f64 = 1e-4;
const LARGEST: f64 = 1e3;
/// The same for `alpha`, in mean ages of a customer.
const SMALLEST_ALPHA: f64 = 1e-6;
const LARGEST_ALPHA: f64 = 1e5;

/// One customer, or `count` of them who are alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Buyer {
    /// Purchases after the first one.
    pub repeats: u32,
    /// Weeks from the first purchase to the last one.
    pub recency: f64,
    /// Weeks from the first purchase until now.
    pub age: f64,
    pub count: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    pub r: f64,
    pub alpha: f64,
    pub a: f64,
    pub b: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    pub parameters: Parameters,
    pub log_likelihood: f64,
    pub customers: u64,
    /// Those with a purchase after the first.
    pub repeating: u64,
    pub iterations: u32,
    pub converged: bool,
}

/// The parameters under which the customers are the most likely. The order of the customers, and whether equal ones are
/// counted or repeated, changes no bit of the answer.
pub fn fit(buyers: &[Buyer]) -> Result<Fitted, Refusal> {
    let buyers = grouped(buyers)?;
    let count = |buyers: &[Buyer]| buyers.iter().map(|one| u64::from(one.count)).sum::<u64>();
    // Sorted by repeats, so those without come first.
    let first_repeating = buyers.partition_point(|one| one.repeats == 0);
    let (customers, repeating) = (count(&buyers), count(&buyers[first_repeating..]));
    enough(customers, repeating)?;

    let weighted = buyers.iter().map(|one| one.age * f64::from(one.count));
    let mean_age = weighted.sum::<f64>() / customers as f64;
    let (low, high) = (SMALLEST.ln(), LARGEST.ln());
    let bounds = Bounds {
        low: [low, (mean_age * SMALLEST_ALPHA).ln(), low, low],
        high: [high, (mean_age * LARGEST_ALPHA).ln(), high, high],
    };
    let starts = [
        [1.0, mean_age, 1.0, 1.0],
        [0.25, mean_age * 0.1, 0.5, 2.0],
        [3.0, mean_age, 0.5, 5.0],
    ];
    let found = minimise(&starts.map(|start| start.map(f64::ln)), &bounds, |at| {
        let (sum, slope) = likelihood(&Parameters::from_ln(at), &buyers);
        let mean = -1.0 / customers as f64;
        (sum * mean, slope.map(|one| one * mean))
    });
    if let Some(index) = found.on_bound {
        return Err(Refusal::NoBestValue {
            parameter: ["r", "alpha", "a", "b"][index],
        });
    }
    if !found.converged {
        return Err(Refusal::NotConverged {
            iterations: found.iterations,
        });
    }
    let parameters = Parameters::from_ln(&found.at);
    Ok(Fitted {
        parameters,
        log_likelihood: likelihood(&parameters, &buyers).0,
        customers,
        repeating,
        iterations: found.iterations,
        converged: found.converged,
    })
}

/// How likely the customer has not left yet, from 0 to 1.
///
/// The model lets customers leave only after a repeat purchase, so the answer is 1 for everybody who has bought once, however
/// long ago that was.
pub fn probability_alive(parameters: &Parameters, repeats: u32, recency: f64, age: f64) -> f64 {
    if repeats == 0 {
        return 1.0;
    }
    1.0 / (1.0 + ln_odds_left(parameters, repeats, recency, age).exp())
}

/// How many repeat purchases a new customer makes in the first `weeks`.
pub fn expected_purchases(parameters: &Parameters, weeks: f64) -> f64 {
    expected_future(parameters, 0, 0.0, 0.0, weeks)
}

/// How many purchases a customer with this history makes in the next `weeks`: equation 10 of the paper.
///
/// The paper's `2F1(r + x, b + x; a + b + x - 1; z)` grows without bound with `x`. By Euler's transformation it is a power of
/// `1 - z` times a `2F1` of numbers that do not depend on `x`, and with the factor `a - 1` divided out, which the paper has
/// below the line, nothing special happens at `a = 1`.
pub fn expected_future(
    parameters: &Parameters,
    repeats: u32,
    recency: f64,
    age: f64,
    weeks: f64,
) -> f64 {
    let Parameters { r, alpha, a, b } = *parameters;
    if weeks <= 0.0 {
        return 0.0;
    }
    // 1 - z is the part of the time that has passed; its logarithm keeps its digits when `weeks` is short.
    let z = weeks / (alpha + age + weeks);
    let ln_rest = -(weeks / (alpha + age)).ln_1p();
    let c = a + b + f64::from(repeats) - 1.0;
    let power = match a == 1.0 {
        true => ln_rest,
        false => ((a - 1.0) * ln_rest).exp_m1() / (a - 1.0),
    };
    let (excess, ln_scale) = gauss_excess(a + b - 1.0 - r, a - 1.0, c, z);
    let excess = excess * ((a - 1.0) * ln_rest + ln_scale).exp();
    let while_alive = (-(c * power + excess)).max(0.0);
    while_alive * probability_alive(parameters, repeats, recency, age)
}

/// The logarithm of how likely this customer's history is, equation 6 of the paper; `count` is not looked at.
pub fn log_likelihood(parameters: &Parameters, buyer: &Buyer) -> f64 {
    likelihood(parameters, &[Buyer { count: 1, ..*buyer }]).0
}

impl Parameters {
    fn from_ln(ln: &[f64; 4]) -> Self {
        let [r, alpha, a, b] = ln.map(f64::exp);
        Self { r, alpha, a, b }
    }
}

fn enough(customers: u64, repeating: u64) -> Result<(), Refusal> {
    if customers < MIN_CUSTOMERS {
        return Err(Refusal::TooFewCustomers {
            have: customers,
            need: MIN_CUSTOMERS,
        });
    }
    if repeating < MIN_REPEATING {
        return Err(Refusal::TooFewRepeating {
            have: repeating,
            need: MIN_REPEATING,
        });
    }
    Ok(())
}

/// Sorted, with equal histories as one. Who bought once has no recency.
fn grouped(buyers: &[Buyer]) -> Result<Vec<Buyer>, Refusal> {
    let possible = |one: &Buyer| {
        one.age.is_finite() && (one.repeats == 0 || (0.0..=one.age).contains(&one.recency))
    };
    let impossible = buyers
        .iter()
        .filter(|one| !possible(one) || one.age < 0.0)
        .count();
    if impossible > 0 {
        return Err(Refusal::Impossible {
            histories: impossible,
        });
    }
    let mut sorted: Vec<Buyer> = buyers
        .iter()
        .map(|one| Buyer {
            // Adding nothing turns a negative zero into zero.
            recency: if one.repeats == 0 {
                0.0
            } else {
                one.recency + 0.0
            },
            age: one.age + 0.0,
            ..*one
        })
        .collect();
    sorted.sort_unstable_by(|left, right| {
        let repeats = left.repeats.cmp(&right.repeats);
        let recency = left.recency.total_cmp(&right.recency);
        repeats.then(recency).then(left.age.total_cmp(&right.age))
    });
    sorted.dedup_by(|next, kept| {
        let same = (next.repeats, next.recency, next.age) == (kept.repeats, kept.recency, kept.age);
        let sum = kept.count.checked_add(next.count).filter(|_| same);
        kept.count = sum.unwrap_or(kept.count);
        sum.is_some()
    });
    Ok(sorted)
}

/// The logarithm of (1 - P(alive)) / P(alive) of a customer who came back.
fn ln_odds_left(parameters: &Parameters, repeats: u32, recency: f64, age: f64) -> f64 {
    let Parameters { r, alpha, a, b } = *parameters;
    let waited = ((age - recency) / (alpha + recency)).ln_1p();
    (a / (b + f64::from(repeats - 1))).ln() + (r + f64::from(repeats)) * waited
}

/// The logarithm of the likelihood of all `buyers`, who are sorted by `repeats`, and its slope in the logarithms of the
/// parameters.
fn likelihood(parameters: &Parameters, buyers: &[Buyer]) -> (f64, [f64; 4]) {
    let Parameters { r, alpha, a, b } = *parameters;
    let (mut sum, mut slope) = (0.0, [0.0; 4]);
    for alike in buyers.chunk_by(|left, right| left.repeats == right.repeats) {
        let repeats = alike[0].repeats;
        let x = f64::from(repeats);
        let (mut count, mut waits) = (0.0, [0.0; 4]);
        for one in alike {
            let weight = f64::from(one.count);
            let ln_age = (alpha + one.age).ln();
            // How likely the customer has left, given the history.
            let (left, ln_either) = match repeats {
                0 => (0.0, 0.0),
                _ => left(ln_odds_left(parameters, repeats, one.recency, one.age)),
            };
            let ln_recency = if left > 0.0 {
                (alpha + one.recency).ln()
            } else {
                0.0
            };
            count += weight;
            sum += weight * (ln_either - (r + x) * ln_age);
            waits[0] += weight * ((1.0 - left) * ln_age + left * ln_recency);
            waits[1] += weight * ((1.0 - left) / (alpha + one.age) + left / (alpha + one.recency));
            waits[2] += weight * left;
        }
        sum += count * (ln_gamma(r + x) - ln_gamma(r) + r * alpha.ln());
        sum += count * (ln_gamma(a + b) + ln_gamma(b + x) - ln_gamma(b) - ln_gamma(a + b + x));
        let together = digamma(a + b) - digamma(a + b + x);
        slope[0] += count * (digamma(r + x) - digamma(r) + alpha.ln()) - waits[0];
        slope[1] += count * r / alpha - (r + x) * waits[1];
        slope[2] += count * together + waits[2] / a;
        slope[3] += count * (together + digamma(b + x) - digamma(b));
        if repeats > 0 {
            slope[3] -= waits[2] / (b + f64::from(repeats - 1));
        }
    }
    let scale = [r, alpha, a, b];
    (
        sum,
        std::array::from_fn(|index| slope[index] * scale[index]),
    )
}

/// From the logarithm of the odds: the probability, and the logarithm of one plus the odds.
fn left(ln_odds: f64) -> (f64, f64) {
    let small = (-ln_odds.abs()).exp();
    match ln_odds > 0.0 {
        true => (1.0 / (1.0 + small), ln_odds + small.ln_1p()),
        false => (small / (1.0 + small), small.ln_1p()),
    }
}
