//! What a customer will do: published models of repeat buying, fitted and evaluated. Owns the summary of a customer's purchases
//! that the models work on, and the predictions for a customer. Knows no person, no clock, and not where fitted parameters
//! are stored.

pub mod bgnbd;
pub mod gamma_gamma;
pub mod optimise;
pub mod rfm;
pub mod special;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

/// From this probability of being alive on, the risk of losing the customer is low.
pub const LOW_RISK_FROM: f64 = 0.8;
/// From this probability of being alive on, the risk is no longer high.
pub const MEDIUM_RISK_FROM: f64 = 0.5;

const DAY_MS: i64 = 86_400_000;
const DAYS_A_WEEK: f64 = 7.0;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Purchase {
    /// Milliseconds since 1970.
    pub time_ms: i64,
    /// In any unit, as long as it is the same for all.
    pub value: f64,
}

/// One customer's purchases as the models see them, as in the summary of CDNOW that the models were published with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Days with a purchase, without the first such day.
    pub repeats: u32,
    /// Weeks from the first day with a purchase to the last one.
    pub recency: f64,
    /// Weeks from the first day with a purchase to the day of asking.
    pub age: f64,
    /// What a repeat day was worth in the mean; 0 when there was none.
    pub mean_value: f64,
}

/// What the models say about one customer. "Orders" are days with a purchase, and nothing is discounted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Predictions {
    /// 1 for everybody who has bought once; see `bgnbd::probability_alive`.
    pub probability_alive: f64,
    pub expected_orders_30d: f64,
    pub expected_orders_90d: f64,
    pub expected_orders_365d: f64,
    /// The expected orders of a year times the value expected of each. None without a model of values.
    pub predicted_value_365d: Option<f64>,
}

/// How likely a customer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    Low,
    Medium,
    High,
}

/// Why nothing was fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{need} customers are needed, and there are {have}")]
    TooFewCustomers { have: u64, need: u64 },
    #[error("{need} customers with a second purchase are needed, and there are {have}")]
    TooFewRepeating { have: u64, need: u64 },
    #[error(
        "{need} customers with a second purchase that had a value are needed, and there are {have}"
    )]
    TooFewSpenders { have: u64, need: u64 },
    #[error("all purchases have the same value, so there is nothing to tell customers apart by")]
    OneValue,
    #[error(
        "{histories} histories cannot be: a last purchase before the first or after today, or a number that is none"
    )]
    Impossible { histories: usize },
    #[error(
        "the purchases are explained the better the further parameter `{parameter}` goes to its limit, so they do not tell what it is"
    )]
    NoBestValue { parameter: &'static str },
    #[error("the values differ so much between customers that they have no mean")]
    NoMean,
    #[error("no best parameters were found in {iterations} steps")]
    NotConverged { iterations: u32 },
}

/// One customer's purchases until `as_of_ms`. `None` when there are none. Purchases of one calendar day (UTC) count as one,
/// and the first of these days is not counted: it made the customer. The order of the purchases changes nothing.
pub fn summarise(purchases: &[Purchase], as_of_ms: i64) -> Option<Summary> {
    let mut purchases: Vec<Purchase> = purchases
        .iter()
        .filter(|purchase| purchase.time_ms <= as_of_ms)
        .copied()
        .collect();
    // By value too, because sums of numbers depend on their order.
    purchases.sort_unstable_by(|left, right| {
        let day = day(left.time_ms).cmp(&day(right.time_ms));
        day.then(left.value.total_cmp(&right.value))
    });
    let first = day(purchases.first()?.time_ms);
    let last = day(purchases.last()?.time_ms);
    let days = purchases.chunk_by(|left, right| day(left.time_ms) == day(right.time_ms));
    let mut repeats = 0;
    let mut total = 0.0;
    for one_day in days.skip(1) {
        repeats += 1;
        total += one_day.iter().map(|purchase| purchase.value).sum::<f64>();
    }
    Some(Summary {
        repeats,
        recency: weeks(last - first),
        age: weeks(day(as_of_ms) - first),
        mean_value: if repeats == 0 {
            0.0
        } else {
            total / f64::from(repeats)
        },
    })
}

/// What is to be expected of this customer.
pub fn predict(
    buying: &bgnbd::Parameters,
    value: Option<&gamma_gamma::Parameters>,
    customer: &Summary,
) -> Predictions {
    let Summary {
        repeats,
        recency,
        age,
        mean_value,
    } = *customer;
    let orders =
        |days: f64| bgnbd::expected_future(buying, repeats, recency, age, days / DAYS_A_WEEK);
    let year = orders(365.0);
    Predictions {
        probability_alive: bgnbd::probability_alive(buying, repeats, recency, age),
        expected_orders_30d: orders(30.0),
        expected_orders_90d: orders(90.0),
        expected_orders_365d: year,
        predicted_value_365d: value
            .map(|value| year * gamma_gamma::expected_value(value, repeats, mean_value)),
    }
}

impl Summary {
    pub fn buyer(&self) -> bgnbd::Buyer {
        bgnbd::Buyer {
            repeats: self.repeats,
            recency: self.recency,
            age: self.age,
            count: 1,
        }
    }

    pub fn spender(&self) -> gamma_gamma::Spender {
        gamma_gamma::Spender {
            repeats: self.repeats,
            mean_value: self.mean_value,
            count: 1,
        }
    }
}

impl Risk {
    /// A customer who has bought once always has a low risk, because the model cannot tell.
    pub fn of(probability_alive: f64) -> Self {
        match probability_alive {
            alive if alive >= LOW_RISK_FROM => Self::Low,
            alive if alive >= MEDIUM_RISK_FROM => Self::Medium,
            _ => Self::High,
        }
    }
}

fn day(time_ms: i64) -> i64 {
    time_ms.div_euclid(DAY_MS)
}

fn weeks(days: i64) -> f64 {
    days as f64 / DAYS_A_WEEK
}
