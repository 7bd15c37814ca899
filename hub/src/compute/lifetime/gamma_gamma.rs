//! Gamma-Gamma: what a customer's purchase is worth. From Fader and Hardie, "The Gamma-Gamma model of monetary
//! value", a note of 2013.
//! The values of a customer's purchases vary around the customer's own mean with shape `p`; the means vary between customers
//! with shape `q` and scale `v`. The model assumes that how often somebody buys is independent of how much they spend:
//! `correlation` measures whether that holds. Knows nothing about time.

use super::Refusal;
use super::optimise::{Bounds, minimise};
use super::special::{digamma, ln_gamma};
use serde::{Deserialize, Serialize};

/// With fewer customers than this who came back and paid nothing is fitted.
pub const MIN_SPENDERS: u64 = 50;

const SMALLEST: f64 = 1e-4;
const LARGEST: f64 = 1e4;

/// One customer, or `count` of them who are alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spender {
    /// Purchases after the first one.
    pub repeats: u32,
    /// The mean value of these purchases.
    pub mean_value: f64,
    pub count: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    pub p: f64,
    pub q: f64,
    /// In the unit of the values.
    pub v: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    pub parameters: Parameters,
    pub log_likelihood: f64,
    /// Customers that the fit uses: with a repeat purchase and a mean value above zero.
    pub customers: u64,
    /// Customers that it does not use.
    pub left_out: u64,
    /// Pearson's, of the number of repeat purchases and their mean value; 0 when all numbers are the same.
    pub correlation: f64,
    pub iterations: u32,
    pub converged: bool,
}

/// The parameters under which the values are the most likely. The order of the customers changes no bit of the answer.
pub fn fit(spenders: &[Spender]) -> Result<Fitted, Refusal> {
    let everybody: u64 = spenders.iter().map(|one| u64::from(one.count)).sum();
    let spenders = grouped(spenders)?;
    let customers = spenders.iter().map(|one| u64::from(one.count)).sum();
    if customers < MIN_SPENDERS {
        return Err(Refusal::TooFewSpenders {
            have: customers,
            need: MIN_SPENDERS,
        });
    }
    let value = spenders[0].mean_value;
    if spenders.iter().all(|one| one.mean_value == value) {
        return Err(Refusal::OneValue);
    }

    let weighted = spenders
        .iter()
        .map(|one| one.mean_value * f64::from(one.count));
    let mean = weighted.sum::<f64>() / customers as f64;
    let (low, high) = (SMALLEST.ln(), LARGEST.ln());
    let bounds = Bounds {
        low: [low, low, (mean * SMALLEST).ln()],
        high: [high, high, (mean * LARGEST).ln()],
    };
    let starts = [
        [2.0, 3.0, mean],
        [6.0, 4.0, mean * 0.5],
        [1.0, 10.0, mean * 10.0],
    ];
    let found = minimise(&starts.map(|start| start.map(f64::ln)), &bounds, |at| {
        let (sum, slope) = likelihood(&Parameters::from_ln(at), &spenders);
        let mean = -1.0 / customers as f64;
        (sum * mean, slope.map(|one| one * mean))
    });
    if let Some(index) = found.on_bound {
        return Err(Refusal::NoBestValue {
            parameter: ["p", "q", "v"][index],
        });
    }
    if !found.converged {
        return Err(Refusal::NotConverged {
            iterations: found.iterations,
        });
    }
    let parameters = Parameters::from_ln(&found.at);
    if parameters.q <= 1.0 {
        return Err(Refusal::NoMean);
    }
    Ok(Fitted {
        parameters,
        log_likelihood: likelihood(&parameters, &spenders).0,
        customers,
        left_out: everybody - customers,
        correlation: correlation(&spenders),
        iterations: found.iterations,
        converged: found.converged,
    })
}

/// The mean value of the purchases to come, equation 5 of the note: the customer's own mean and everybody's, weighted by how much
/// is known of the customer. Without a repeat purchase it is everybody's.
pub fn expected_value(parameters: &Parameters, repeats: u32, mean_value: f64) -> f64 {
    let Parameters { p, q, v } = *parameters;
    let x = f64::from(repeats);
    // A refund counts as zero, not less: the model has no values below zero.
    let paid = if repeats == 0 {
        0.0
    } else {
        mean_value.max(0.0) * x
    };
    p * (v + paid) / (p * x + q - 1.0)
}

/// The logarithm of the density of this customer's mean value, equation 1a of the note; `count` is not looked at.
pub fn log_likelihood(parameters: &Parameters, spender: &Spender) -> f64 {
    likelihood(
        parameters,
        &[Spender {
            count: 1,
            ..*spender
        }],
    )
    .0
}

impl Parameters {
    fn from_ln(ln: &[f64; 3]) -> Self {
        let [p, q, v] = ln.map(f64::exp);
        Self { p, q, v }
    }
}

/// The customers that the model covers, sorted, with equal ones as one.
fn grouped(spenders: &[Spender]) -> Result<Vec<Spender>, Refusal> {
    let impossible = spenders
        .iter()
        .filter(|one| !one.mean_value.is_finite())
        .count();
    if impossible > 0 {
        return Err(Refusal::Impossible {
            histories: impossible,
        });
    }
    let paid = |one: &&Spender| one.repeats > 0 && one.mean_value > 0.0;
    let mut sorted: Vec<Spender> = spenders.iter().filter(paid).copied().collect();
    sorted.sort_unstable_by(|left, right| {
        let value = left.mean_value.total_cmp(&right.mean_value);
        left.repeats.cmp(&right.repeats).then(value)
    });
    sorted.dedup_by(|next, kept| {
        let same = (next.repeats, next.mean_value) == (kept.repeats, kept.mean_value);
        let sum = kept.count.checked_add(next.count).filter(|_| same);
        kept.count = sum.unwrap_or(kept.count);
        sum.is_some()
    });
    Ok(sorted)
}

/// The logarithm of the likelihood of all `spenders`, and its slope in the logarithms of the parameters.
fn likelihood(parameters: &Parameters, spenders: &[Spender]) -> (f64, [f64; 3]) {
    let Parameters { p, q, v } = *parameters;
    let (mut sum, mut slope) = (0.0, [0.0; 3]);
    for alike in spenders.chunk_by(|left, right| left.repeats == right.repeats) {
        let x = f64::from(alike[0].repeats);
        let shape = p * x;
        let gammas = ln_gamma(shape + q) - ln_gamma(shape) - ln_gamma(q) + q * v.ln();
        let (all, own, between) = (digamma(shape + q), digamma(shape), digamma(q));
        for one in alike {
            let weight = f64::from(one.count);
            let paid = one.mean_value * x;
            // The share of the customer's own purchases in what is known.
            let share = paid / (v + paid);
            let (ln_share, ln_all) = (share.ln(), (v + paid).ln());
            sum += weight * (gammas + shape * ln_share - one.mean_value.ln() - q * ln_all);
            slope[0] += weight * x * (all - own + ln_share);
            slope[1] += weight * (all - between + v.ln() - ln_all);
            slope[2] += weight * (q / v - (shape + q) / (v + paid));
        }
    }
    let scale = [p, q, v];
    (
        sum,
        std::array::from_fn(|index| slope[index] * scale[index]),
    )
}

pub(super) fn correlation(spenders: &[Spender]) -> f64 {
    let mean = |of: &dyn Fn(&Spender) -> f64| {
        let weights: f64 = spenders.iter().map(|one| f64::from(one.count)).sum();
        let sum: f64 = spenders
            .iter()
            .map(|one| of(one) * f64::from(one.count))
            .sum();
        sum / weights
    };
    let repeats = mean(&|one| f64::from(one.repeats));
    let value = mean(&|one| one.mean_value);
    let both = mean(&|one| (f64::from(one.repeats) - repeats) * (one.mean_value - value));
    let of_repeats = mean(&|one| (f64::from(one.repeats) - repeats).powi(2));
    let of_value = mean(&|one| (one.mean_value - value).powi(2));
    match of_repeats > 0.0 && of_value > 0.0 {
        true => both / (of_repeats * of_value).sqrt(),
        false => 0.0,
    }
}
