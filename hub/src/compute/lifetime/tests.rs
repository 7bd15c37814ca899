//! The formulas against direct numerical integration of the models' definitions, fits against customers drawn from a model, and
//! the rules of the scores. Results on the published data are in `tests/tests/lifetime.rs`.

use super::optimise::{Bounds, minimise};
use super::rfm::{RfmBoundaries, Shopper, boundaries, score};
use super::*;
use proptest::prelude::*;
use std::f64::consts::PI;

/// The published parameters of the CDNOW sample.
const CDNOW: bgnbd::Parameters = bgnbd::Parameters {
    r: 0.243,
    alpha: 4.414,
    a: 0.793,
    b: 2.426,
};
const CDNOW_VALUE: gamma_gamma::Parameters = gamma_gamma::Parameters {
    p: 6.25,
    q: 3.74,
    v: 15.44,
};

fn close(left: f64, right: f64, relative: f64) -> bool {
    (left - right).abs() <= relative * left.abs().max(right.abs()).max(1e-12)
}

/// The points and weights of the double exponential rule, which takes no notice of an endpoint where a function grows
/// without bound: each point as its distance from 0 and, between 0 and 1, from 1.
fn unit_rule() -> Vec<(f64, f64, f64)> {
    let points = (-350..=350).map(|index| f64::from(index) * 0.02);
    let rule = points.map(|u| {
        let wide = PI * u.sinh();
        let (low, high) = (1.0 / (1.0 + (-wide).exp()), 1.0 / (1.0 + wide.exp()));
        (low, high, 0.02 * PI * u.cosh() * low * high)
    });
    rule.filter(|(low, high, weight)| *low > 1e-300 && *high > 1e-300 && *weight > 0.0)
        .collect()
}

/// The same from 0 to infinity.
fn half_line_rule() -> Vec<(f64, f64)> {
    let points = (-320..=320).map(|index| f64::from(index) * 0.02);
    let rule = points.map(|u| {
        let at = (PI / 2.0 * u.sinh()).exp();
        (at, 0.02 * PI / 2.0 * u.cosh() * at)
    });
    rule.filter(|(at, weight)| *at > 1e-250 && *at < 1e250 && weight.is_finite())
        .collect()
}

/// What the model says in words, added up over all rates and all probabilities of leaving: the likelihood of the history,
/// that of the history with the customer still there, and the purchases to come times the latter.
fn integrated(
    parameters: &bgnbd::Parameters,
    repeats: u32,
    recency: f64,
    age: f64,
    weeks: f64,
) -> [f64; 3] {
    let bgnbd::Parameters { r, alpha, a, b } = *parameters;
    let x = f64::from(repeats);
    let chances = unit_rule();
    let mut sums = [0.0; 3];
    for (rate, rate_weight) in half_line_rule() {
        let ln_rate = r * alpha.ln() + (r - 1.0) * rate.ln() - alpha * rate - special::ln_gamma(r);
        let bought = ln_rate + x * rate.ln();
        if bought - rate * age.min(recency) < -700.0 {
            continue;
        }
        for &(leaves, stays, weight) in &chances {
            // Together, because each alone may be past what a number holds.
            let weight = weight.ln() + rate_weight.ln();
            let prior = (a - 1.0) * leaves.ln() + (b - 1.0) * stays.ln() - special::ln_beta(a, b);
            let there = (weight + bought - rate * age + x * stays.ln() + prior).exp();
            let gone = match repeats {
                0 => 0.0,
                _ => {
                    let until = (x - 1.0) * stays.ln() + leaves.ln();
                    (weight + bought - rate * recency + until + prior).exp()
                }
            };
            let to_come = -(-rate * leaves * weeks).exp_m1() / leaves;
            sums[0] += there + gone;
            sums[1] += there;
            sums[2] += there * to_come;
        }
    }
    sums
}

fn check_integrated(
    parameters: &bgnbd::Parameters,
    repeats: u32,
    recency: f64,
    age: f64,
    weeks: f64,
) {
    let [all, there, to_come] = integrated(parameters, repeats, recency, age, weeks);
    let buyer = bgnbd::Buyer {
        repeats,
        recency,
        age,
        count: 1,
    };
    let shown = format!("{parameters:?} {buyer:?} {weeks}");
    let likelihood = bgnbd::log_likelihood(parameters, &buyer).exp();
    assert!(close(likelihood, all, 1e-8), "{likelihood} {all} {shown}");
    let alive = bgnbd::probability_alive(parameters, repeats, recency, age);
    assert!(
        close(alive, there / all, 1e-8),
        "{alive} {} {shown}",
        there / all
    );
    let future = bgnbd::expected_future(parameters, repeats, recency, age, weeks);
    let wanted = to_come / all;
    assert!(close(future, wanted, 1e-7), "{future} {wanted} {shown}");
}

#[test]
fn the_logarithm_of_gamma_is_exact_where_gamma_is_known() {
    let mut factorial = 0.0;
    for n in 1..=170_u32 {
        // The gamma function of n + 1 is n factorial.
        factorial += f64::from(n).ln();
        let found = special::ln_gamma(f64::from(n) + 1.0);
        assert!(
            close(found, factorial, 1e-13) || (found - factorial).abs() < 1e-14,
            "{n}"
        );
    }
    for x in [1e-4, 0.01, 0.243, 0.5, 0.9, 3.3, 9.99, 10.01, 40.5] {
        // Legendre's doubling of the argument.
        let half = special::ln_gamma(x) + special::ln_gamma(x + 0.5);
        let whole = (1.0 - 2.0 * x) * 2_f64.ln() + 0.5 * PI.ln() + special::ln_gamma(2.0 * x);
        assert!(
            (half - whole).abs() <= 1e-13 * whole.abs().max(1.0),
            "{x}: {half} {whole}"
        );
    }
    assert!((special::ln_gamma(0.5) - 0.5 * PI.ln()).abs() < 1e-14);
    assert!(special::ln_gamma(1.0).abs() < 1e-14 && special::ln_gamma(2.0).abs() < 1e-14);
}

#[test]
fn digamma_is_exact_where_it_is_known() {
    let euler = 0.577_215_664_901_532_9;
    assert!(close(special::digamma(1.0), -euler, 1e-14));
    assert!(close(
        special::digamma(0.5),
        -euler - 2.0 * 2_f64.ln(),
        1e-14
    ));
    let mut harmonic = -euler;
    for n in 1..500 {
        harmonic += 1.0 / f64::from(n);
        assert!(
            close(special::digamma(f64::from(n) + 1.0), harmonic, 1e-13),
            "{n}"
        );
    }
}

#[test]
fn the_hypergeometric_series_is_exact_where_it_is_known() {
    let gauss = |a: f64, b: f64, c: f64, z: f64| {
        let (excess, ln_scale) = special::gauss_excess(a, b, c, z);
        1.0 + b / c * excess * ln_scale.exp()
    };
    for z in [0.01_f64, 0.3, 0.9, 0.99, 0.999] {
        let ln_rest = (-z).ln_1p();
        assert!(close(gauss(1.0, 1.0, 2.0, z), -ln_rest / z, 1e-12), "{z}");
        assert!(
            close(gauss(2.5, 0.7, 0.7, z), (-2.5 * ln_rest).exp(), 1e-11),
            "{z}"
        );
        // Euler's own transformation.
        let (a, b, c) = (0.3, 1.7, 4.4);
        let turned = ((c - a - b) * ln_rest).exp() * gauss(c - a, c - b, c, z);
        assert!(close(gauss(a, b, c, z), turned, 1e-11), "{z}");
    }
    // Past what a number holds: (1 - z)^-a for a = 2000 and z = 1/2 is two to the power of 2000.
    let (excess, ln_scale) = special::gauss_excess(2000.0, 1.0, 1.0, 0.5);
    assert!(close(excess.ln() + ln_scale, 2000.0 * 2_f64.ln(), 1e-12));
}

#[test]
fn the_published_customer_buys_as_published() {
    // Fader, Hardie and Lee 2005, section 4.1 and the authors' worked example.
    let future = bgnbd::expected_future(&CDNOW, 2, 30.43, 38.86, 39.0);
    assert!((future - 1.226).abs() < 0.001, "{future}");
}

#[test]
fn the_formulas_are_the_integrals_of_the_model() {
    for (repeats, recency, age) in [
        (0, 0.0, 38.86),
        (0, 0.0, 0.0),
        (1, 1.71, 38.86),
        (2, 30.43, 38.86),
        (7, 30.0, 31.0),
        (60, 51.0, 52.0),
        (60, 20.0, 52.0),
    ] {
        for weeks in [0.5, 52.0] {
            check_integrated(&CDNOW, repeats, recency, age, weeks);
        }
    }
}

#[test]
fn nothing_special_happens_where_the_published_formula_divides_by_zero() {
    let at = |a: f64, b: f64| {
        let parameters = bgnbd::Parameters { a, b, ..CDNOW };
        bgnbd::expected_future(&parameters, 0, 0.0, 10.0, 20.0)
    };
    check_integrated(&bgnbd::Parameters { a: 1.0, ..CDNOW }, 2, 3.0, 10.0, 20.0);
    for (a, b) in [(1.0, 2.426), (0.25, 0.75)] {
        let numeric = 0.5 * (at(a + 1e-5, b) + at(a - 1e-5, b));
        assert!(
            close(at(a, b), numeric, 1e-8),
            "{a} {b}: {} {numeric}",
            at(a, b)
        );
    }
    check_integrated(
        &bgnbd::Parameters {
            a: 0.25,
            b: 0.75,
            ..CDNOW
        },
        0,
        0.0,
        10.0,
        20.0,
    );
    check_integrated(
        &bgnbd::Parameters {
            a: 0.2,
            b: 0.3,
            ..CDNOW
        },
        0,
        0.0,
        10.0,
        20.0,
    );
}

#[test]
fn a_customer_of_a_thousand_purchases_is_no_difficulty() {
    // Nearly certain of its rate, so the model has to say: the rate times the time, and a little less for leaving.
    let future = bgnbd::expected_future(&CDNOW, 1000, 100.0, 100.0, 1.0);
    assert!((9.5..9.7).contains(&future), "{future}");
    assert_eq!(bgnbd::probability_alive(&CDNOW, 1000, 1.0, 100.0), 0.0);
    let extreme = bgnbd::Parameters {
        r: 900.0,
        alpha: 900.0,
        a: 900.0,
        b: 900.0,
    };
    // Everybody buys once a week and leaves with a chance of one half: so one purchase is to come, and then a half, …
    let future = bgnbd::expected_purchases(&extreme, 10_000.0);
    assert!((future - 2.0).abs() < 0.01, "{future}");
}

#[test]
fn who_bought_once_is_alive_and_expects_fewer_purchases_the_longer_nothing_comes() {
    assert_eq!(bgnbd::probability_alive(&CDNOW, 0, 0.0, 500.0), 1.0);
    let after = |age: f64| bgnbd::expected_future(&CDNOW, 0, 0.0, age, 52.0);
    assert!(after(0.0) > after(4.0) && after(4.0) > after(40.0) && after(40.0) > 0.0);
    assert_eq!(after(0.0), bgnbd::expected_purchases(&CDNOW, 52.0));
    assert_eq!(bgnbd::expected_purchases(&CDNOW, 0.0), 0.0);
}

#[test]
fn the_value_of_a_purchase_is_the_integral_of_the_model() {
    let gamma_gamma::Parameters { p, q, v } = CDNOW_VALUE;
    for (repeats, mean) in [(1, 3.0_f64), (2, 22.35), (10, 100.0), (0, 0.0)] {
        let x = f64::from(repeats);
        let (mut all, mut value) = (0.0, 0.0);
        for (scale, weight) in half_line_rule() {
            let prior = q * v.ln() + (q - 1.0) * scale.ln() - v * scale - special::ln_gamma(q);
            let seen = match repeats {
                0 => 0.0,
                _ => {
                    let rate = x * scale;
                    p * x * rate.ln() + (p * x - 1.0) * mean.ln()
                        - rate * mean
                        - special::ln_gamma(p * x)
                }
            };
            let density = weight * (prior + seen).exp();
            all += density;
            value += density * p / scale;
        }
        let spender = gamma_gamma::Spender {
            repeats,
            mean_value: mean,
            count: 1,
        };
        if repeats > 0 {
            let likelihood = gamma_gamma::log_likelihood(&CDNOW_VALUE, &spender).exp();
            assert!(close(likelihood, all, 1e-9), "{likelihood} {all}");
        }
        let expected = gamma_gamma::expected_value(&CDNOW_VALUE, repeats, mean);
        assert!(
            close(expected, value / all, 1e-9),
            "{expected} {}",
            value / all
        );
    }
}

#[test]
fn the_search_finds_the_bottom_of_a_bent_valley_and_says_when_there_is_none() {
    let bounds = Bounds {
        low: [-5.0, -5.0],
        high: [5.0, 5.0],
    };
    let valley = |at: &[f64; 2]| {
        let [x, y] = *at;
        let bend = y - x * x;
        let value = (1.0 - x).powi(2) + 100.0 * bend * bend;
        (value, [-2.0 * (1.0 - x) - 400.0 * x * bend, 200.0 * bend])
    };
    let found = minimise(&[[-1.2, 1.0], [4.0, -4.0]], &bounds, valley);
    assert!(found.converged && found.on_bound.is_none(), "{found:?}");
    assert!(
        found.at.iter().all(|one| (one - 1.0).abs() < 1e-7),
        "{found:?}"
    );

    let slide = |at: &[f64; 2]| (-at[1] + at[0] * at[0], [2.0 * at[0], -1.0]);
    let found = minimise(&[[1.0, 1.0]], &bounds, slide);
    assert_eq!((found.on_bound, found.at[1]), (Some(1), 5.0));
    assert!(found.at[0].abs() < 1e-8, "{found:?}");

    // A slope that does not belong to its value leads nowhere, and that is said.
    let wrong = |at: &[f64; 2]| (at[0] * at[0], [-2.0 * at[0], 0.0]);
    let found = minimise(&[[1.0, 1.0]], &bounds, wrong);
    assert!(!found.converged, "{found:?}");
}

/// Random numbers that are the same each time.
struct Draw(u64);

impl Draw {
    /// Above 0 and below 1.
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn waiting(&mut self, rate: f64) -> f64 {
        -self.unit().ln() / rate
    }

    /// A gamma variable of rate 1: Marsaglia and Tsang 2000, with their way to shapes below one.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * self.unit().powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        loop {
            let (radius, angle) = ((-2.0 * self.unit().ln()).sqrt(), 2.0 * PI * self.unit());
            let normal = radius * angle.cos();
            let cube = (1.0 + normal / (9.0 * d).sqrt()).powi(3);
            if cube <= 0.0 {
                continue;
            }
            if self.unit().ln() < 0.5 * normal * normal + d - d * cube + d * cube.ln() {
                return d * cube;
            }
        }
    }

    /// A customer's life as the model tells it, seen for `age` weeks.
    fn buyer(&mut self, parameters: &bgnbd::Parameters, age: f64) -> bgnbd::Buyer {
        let rate = self.gamma(parameters.r) / parameters.alpha;
        let (left, right) = (self.gamma(parameters.a), self.gamma(parameters.b));
        let leaves = left / (left + right);
        let (mut repeats, mut recency) = (0, 0.0);
        loop {
            let next = recency + self.waiting(rate);
            if next > age {
                break;
            }
            (repeats, recency) = (repeats + 1, next);
            if self.unit() < leaves {
                break;
            }
        }
        bgnbd::Buyer {
            repeats,
            recency,
            age,
            count: 1,
        }
    }

    fn buyers(&mut self, count: u32, parameters: &bgnbd::Parameters) -> Vec<bgnbd::Buyer> {
        let ages = (0..count).map(|index| 20.0 + f64::from(index % 60));
        ages.map(|age| self.buyer(parameters, age)).collect()
    }

    fn spender(
        &mut self,
        parameters: &gamma_gamma::Parameters,
        repeats: u32,
    ) -> gamma_gamma::Spender {
        let scale = self.gamma(parameters.q) / parameters.v;
        let total: f64 = (0..repeats).map(|_| self.gamma(parameters.p) / scale).sum();
        gamma_gamma::Spender {
            repeats,
            mean_value: total / f64::from(repeats.max(1)),
            count: 1,
        }
    }
}

#[test]
fn customers_drawn_from_a_model_lead_back_to_it() {
    let wanted = bgnbd::Parameters {
        r: 0.8,
        alpha: 6.0,
        a: 0.9,
        b: 3.0,
    };
    let buyers = Draw(1).buyers(20_000, &wanted);
    let fitted = bgnbd::fit(&buyers).unwrap();
    let found = fitted.parameters;
    for (found, wanted) in [
        (found.r, wanted.r),
        (found.alpha, wanted.alpha),
        (found.a, wanted.a),
        (found.b, wanted.b),
    ] {
        assert!(close(found, wanted, 0.12), "{fitted:?}");
    }
    let of_wanted: f64 = buyers
        .iter()
        .map(|one| bgnbd::log_likelihood(&wanted, one))
        .sum();
    // Twice what four free parameters gain is a chi-squared of four degrees: above 25 in one of 20,000 draws.
    let gain = fitted.log_likelihood - of_wanted;
    assert!((0.0..12.5).contains(&gain), "{gain}");

    let mut draw = Draw(2);
    let spenders: Vec<_> = (0..5000)
        .map(|index| draw.spender(&CDNOW_VALUE, 1 + index % 7))
        .collect();
    let fitted = gamma_gamma::fit(&spenders).unwrap();
    let found = fitted.parameters;
    assert!(
        close(found.p, 6.25, 0.1) && close(found.q, 3.74, 0.1) && close(found.v, 15.44, 0.15),
        "{fitted:?}"
    );
    assert!(fitted.correlation.abs() < 0.05, "{fitted:?}");
}

#[test]
fn what_a_model_expects_is_what_happens_to_customers_drawn_from_it() {
    let parameters = bgnbd::Parameters {
        r: 0.8,
        alpha: 6.0,
        a: 0.9,
        b: 3.0,
    };
    let mut draw = Draw(3);
    let count = 40_000;
    let bought: u32 = (0..count)
        .map(|_| draw.buyer(&parameters, 30.0).repeats)
        .sum();
    let mean = f64::from(bought) / f64::from(count);
    let expected = bgnbd::expected_purchases(&parameters, 30.0);
    assert!(close(mean, expected, 0.03), "{mean} {expected}");
}

#[test]
fn the_unit_of_time_and_of_money_only_scales() {
    let buyers = Draw(4).buyers(2_000, &CDNOW);
    let weeks = bgnbd::fit(&buyers).unwrap().parameters;
    let in_days = |one: &bgnbd::Buyer| bgnbd::Buyer {
        recency: one.recency * 7.0,
        age: one.age * 7.0,
        ..*one
    };
    let days = bgnbd::fit(&buyers.iter().map(in_days).collect::<Vec<_>>())
        .unwrap()
        .parameters;
    assert!(
        close(days.alpha, weeks.alpha * 7.0, 1e-6) && close(days.b, weeks.b, 1e-6),
        "{days:?} {weeks:?}"
    );

    let mut draw = Draw(5);
    let spenders: Vec<_> = (0..500)
        .map(|index| draw.spender(&CDNOW_VALUE, 1 + index % 7))
        .collect();
    let units = gamma_gamma::fit(&spenders).unwrap().parameters;
    let in_cents = |one: &gamma_gamma::Spender| gamma_gamma::Spender {
        mean_value: one.mean_value * 100.0,
        ..*one
    };
    let cents = gamma_gamma::fit(&spenders.iter().map(in_cents).collect::<Vec<_>>())
        .unwrap()
        .parameters;
    assert!(
        close(cents.v, units.v * 100.0, 1e-6) && close(cents.p, units.p, 1e-6),
        "{cents:?} {units:?}"
    );
}

fn buyer(repeats: u32, recency: f64, age: f64, count: u32) -> bgnbd::Buyer {
    bgnbd::Buyer {
        repeats,
        recency,
        age,
        count,
    }
}

#[test]
fn too_few_customers_are_refused_with_what_is_missing() {
    let message = |buyers: &[bgnbd::Buyer]| bgnbd::fit(buyers).unwrap_err().to_string();
    assert_eq!(message(&[]), "100 customers are needed, and there are 0");
    assert_eq!(
        message(&[buyer(0, 0.0, 9.0, 49), buyer(1, 3.0, 9.0, 50)]),
        "100 customers are needed, and there are 99"
    );
    assert_eq!(
        message(&[buyer(0, 0.0, 9.0, 5000)]),
        "50 customers with a second purchase are needed, and there are 0"
    );
    assert_eq!(
        message(&[buyer(0, 0.0, 9.0, 5000), buyer(2, 3.0, 9.0, 49)]),
        "50 customers with a second purchase are needed, and there are 49"
    );
    let spender = |repeats, mean_value, count| gamma_gamma::Spender {
        repeats,
        mean_value,
        count,
    };
    let refused = |spenders: &[gamma_gamma::Spender]| gamma_gamma::fit(spenders).unwrap_err();
    // Who bought once, or got everything for nothing, does not count.
    assert_eq!(
        refused(&[
            spender(0, 5.0, 90),
            spender(3, 0.0, 90),
            spender(1, -2.0, 9),
            spender(1, 5.0, 49)
        ]),
        Refusal::TooFewSpenders { have: 49, need: 50 }
    );
    assert_eq!(
        refused(&[spender(1, 5.0, 90), spender(2, 5.0, 90)]),
        Refusal::OneValue
    );
}

#[test]
fn histories_that_cannot_be_are_refused() {
    let good = Draw(6).buyers(500, &CDNOW);
    for bad in [
        buyer(1, 9.1, 9.0, 1),
        buyer(1, -0.1, 9.0, 1),
        buyer(1, f64::NAN, 9.0, 1),
        buyer(0, 0.0, f64::INFINITY, 1),
        buyer(0, 0.0, -1.0, 1),
    ] {
        let mut buyers = good.clone();
        buyers.push(bad);
        assert_eq!(
            bgnbd::fit(&buyers),
            Err(Refusal::Impossible { histories: 1 }),
            "{bad:?}"
        );
    }
    let bad = gamma_gamma::Spender {
        repeats: 1,
        mean_value: f64::NAN,
        count: 1,
    };
    assert_eq!(
        gamma_gamma::fit(&[bad]),
        Err(Refusal::Impossible { histories: 1 })
    );
}

#[test]
fn customers_who_do_not_tell_the_parameters_are_refused() {
    // Everybody buys once a week and nobody ever leaves.
    let steady: Vec<_> = (10..60)
        .map(|weeks| buyer(weeks, f64::from(weeks), f64::from(weeks), 10))
        .collect();
    let refusal = bgnbd::fit(&steady).unwrap_err();
    assert!(
        matches!(refusal, Refusal::NoBestValue { .. }),
        "{refusal:?}"
    );
    // Each customer pays nearly one sum, and the sums have no bound.
    let wild: Vec<_> = (0..200)
        .map(|index| gamma_gamma::Spender {
            repeats: 3,
            mean_value: f64::from(index).exp2(),
            count: 1,
        })
        .collect();
    let refusal = gamma_gamma::fit(&wild).unwrap_err();
    assert!(
        matches!(refusal, Refusal::NoMean | Refusal::NoBestValue { .. }),
        "{refusal:?}"
    );
}

#[test]
fn correlation_is_that_of_frequency_and_value() {
    let of = |rows: &[(u32, f64, u32)]| {
        let spender = |&(repeats, mean_value, count): &(u32, f64, u32)| gamma_gamma::Spender {
            repeats,
            mean_value,
            count,
        };
        gamma_gamma::correlation(&rows.iter().map(spender).collect::<Vec<_>>())
    };
    assert!(close(
        of(&[(1, 10.0, 1), (2, 20.0, 7), (4, 40.0, 2)]),
        1.0,
        1e-12
    ));
    assert!(close(
        of(&[(1, 40.0, 1), (2, 30.0, 1), (4, 10.0, 9)]),
        -1.0,
        1e-12
    ));
    // Deviations -1, 0, 1 and -1, 2, -1: they have nothing to do with each other.
    assert_eq!(of(&[(1, 1.0, 1), (2, 4.0, 1), (3, 1.0, 1)]), 0.0);
    // Deviations -1, -1, 2 and -1, 2, -1, by hand: -3 / 6.
    assert!(close(
        of(&[(1, 1.0, 1), (1, 4.0, 1), (4, 1.0, 1)]),
        -0.5,
        1e-12
    ));
    assert_eq!(of(&[(1, 1.0, 4), (1, 4.0, 5)]), 0.0);
}

const NOON: i64 = 43_200_000;

fn purchase(day: i64, hour: i64, value: f64) -> Purchase {
    Purchase {
        time_ms: day * 86_400_000 + hour * 3_600_000,
        value,
    }
}

#[test]
fn purchases_of_a_day_count_once_and_the_first_day_not_at_all() {
    let as_of = 272 * 86_400_000 + NOON;
    let purchases = [
        purchase(17, 0, 20.0),
        purchase(0, 9, 29.33),
        purchase(0, 23, 1000.0),
        purchase(17, 23, 9.73),
        purchase(213, 1, 14.96),
        // After the moment of asking, on its day and later.
        purchase(272, 13, 50.0),
        purchase(345, 0, 26.48),
    ];
    let summary = summarise(&purchases, as_of).unwrap();
    assert_eq!(
        (summary.repeats, summary.recency, summary.age),
        (2, 213.0 / 7.0, 272.0 / 7.0)
    );
    assert!(close(summary.mean_value, 22.345, 1e-12), "{summary:?}");
    assert_eq!(summarise(&purchases[5..], as_of), None);
    let once = summarise(&purchases[1..3], as_of).unwrap();
    assert_eq!(
        once,
        Summary {
            repeats: 0,
            recency: 0.0,
            age: 272.0 / 7.0,
            mean_value: 0.0
        }
    );
    // Days begin at midnight before 1970 as well.
    let early = summarise(&[purchase(-1, 23, 1.0), purchase(0, 1, 2.0)], as_of).unwrap();
    assert_eq!((early.repeats, early.recency), (1, 1.0 / 7.0));
}

#[test]
fn predictions_follow_from_the_models() {
    let customer = Summary {
        repeats: 2,
        recency: 30.43,
        age: 38.86,
        mean_value: 22.35,
    };
    let said = predict(&CDNOW, Some(&CDNOW_VALUE), &customer);
    let orders = |days: f64| bgnbd::expected_future(&CDNOW, 2, 30.43, 38.86, days / 7.0);
    assert_eq!(
        (
            said.expected_orders_30d,
            said.expected_orders_90d,
            said.expected_orders_365d
        ),
        (orders(30.0), orders(90.0), orders(365.0))
    );
    let worth = gamma_gamma::expected_value(&CDNOW_VALUE, 2, 22.35);
    // Between the customer's own mean and everybody's, which is 6.25 * 15.44 / 2.74 = 35.22.
    assert!((22.35..35.22).contains(&worth), "{worth}");
    assert_eq!(said.predicted_value_365d, Some(orders(365.0) * worth));
    assert_eq!(predict(&CDNOW, None, &customer).predicted_value_365d, None);
    // More was refunded than bought: worth little, never less than nothing.
    let refunded = Summary {
        mean_value: -50.0,
        ..customer
    };
    let said = predict(&CDNOW, Some(&CDNOW_VALUE), &refunded);
    assert!(
        said.predicted_value_365d.is_some_and(|value| value > 0.0),
        "{said:?}"
    );
}

#[test]
fn risk_falls_as_the_probability_of_being_alive_rises() {
    let risks = [1.0, 0.8, 0.799, 0.5, 0.499, 0.0].map(Risk::of);
    use Risk::{High, Low, Medium};
    assert_eq!(risks, [Low, Low, Medium, Medium, High, High]);
    assert_eq!(serde_json::to_string(&Medium).unwrap(), r#""medium""#);
}

#[test]
fn parameters_survive_being_stored() {
    let fitted = bgnbd::fit(&Draw(8).buyers(1_000, &CDNOW)).unwrap();
    let text = serde_json::to_string(&fitted).unwrap();
    assert_eq!(
        serde_json::from_str::<bgnbd::Fitted>(&text).unwrap(),
        fitted
    );
    let limits = boundaries(&[shopper(1.5, 2.0, 0.1)]).unwrap();
    let text = serde_json::to_string(&limits).unwrap();
    assert_eq!(
        serde_json::from_str::<RfmBoundaries>(&text).unwrap(),
        limits
    );
}

fn shopper(recency_days: f64, frequency: f64, monetary: f64) -> Shopper {
    Shopper {
        recency_days,
        frequency,
        monetary,
    }
}

fn scores(shoppers: &[Shopper]) -> Vec<(u8, u8, u8)> {
    let limits = boundaries(shoppers).unwrap();
    let of = |one: &Shopper| score(&limits, one.recency_days, one.frequency, one.monetary);
    shoppers.iter().map(of).collect()
}

#[test]
fn ten_different_people_make_five_groups_of_two() {
    let people: Vec<_> = (1..=10)
        .map(f64::from)
        .map(|n| shopper(n, n, n * 10.0))
        .collect();
    let found: Vec<_> = scores(&people)
        .into_iter()
        .map(|(r, f, m)| format!("{r}{f}{m}"))
        .collect();
    assert_eq!(found.join(" "), "511 511 422 422 333 333 244 244 155 155");
}

#[test]
fn equal_values_have_equal_scores_counted_from_those_who_are_worse() {
    // Six bought once, two twice, one five times, one nine times. Below twice are six of ten, which is three whole fifths.
    let counts = [1, 1, 1, 1, 1, 1, 2, 2, 5, 9].map(f64::from);
    let people = counts.map(|count| shopper(-count, count, 0.0));
    let found = scores(&people);
    assert_eq!(
        found.iter().map(|one| one.1).collect::<Vec<_>>(),
        [1, 1, 1, 1, 1, 1, 4, 4, 5, 5]
    );
    // Recency has the same rule with the sign turned, and a measure that is the same for all tells nobody apart.
    assert!(
        found.iter().all(|one| (one.0, one.2) == (one.1, 1)),
        "{found:?}"
    );
    // Values in between that nobody had.
    let limits = boundaries(&people).unwrap();
    assert_eq!(score(&limits, -1.5, 3.0, 0.1), (4, 5, 5));
    assert_eq!(score(&limits, 0.0, 0.0, -0.1), (1, 1, 1));
}

#[test]
fn nobody_has_no_boundaries_and_what_is_no_number_is_nobody() {
    assert_eq!(boundaries(&[]), None);
    assert_eq!(
        boundaries(&[
            shopper(f64::NAN, 1.0, 1.0),
            shopper(1.0, f64::INFINITY, 1.0)
        ]),
        None
    );
    let limits = boundaries(&[shopper(1.0, 1.0, 1.0), shopper(1.0, f64::NAN, 9.0)]).unwrap();
    assert_eq!((limits.people, limits.monetary), (1, [1.0; 4]));
}

mod properties {
    use super::*;

    fn histories() -> impl Strategy<Value = (u64, Vec<u32>)> {
        (1..u64::MAX, prop::collection::vec(any::<u32>(), 300))
    }

    /// By whole days, so that some are alike.
    fn by_days(seed: u64) -> Vec<bgnbd::Buyer> {
        let mut buyers = Draw(seed).buyers(300, &bgnbd::Parameters { r: 1.0, ..CDNOW });
        for one in &mut buyers {
            one.recency = one.recency.floor();
        }
        buyers
    }

    fn shuffled<T: Clone>(items: &[T], keys: &[u32]) -> Vec<T> {
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by_key(|&index| keys[index]);
        order.iter().map(|&index| items[index].clone()).collect()
    }

    fn parameters() -> impl Strategy<Value = bgnbd::Parameters> {
        (0.1..4.0, 0.3..20.0, 0.1..4.0, 0.1..6.0).prop_map(|(r, alpha, a, b)| bgnbd::Parameters {
            r,
            alpha,
            a,
            b,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn formulas_are_integrals(parameters in parameters(), repeats in 0_u32..40, age in 0.1..150.0, part in 0.0..1.0, weeks in 0.05..150.0) {
            let recency = if repeats == 0 { 0.0 } else { age * part };
            check_integrated(&parameters, repeats, recency, age, weeks);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn the_order_of_customers_changes_no_bit((seed, keys) in histories()) {
            let buyers = by_days(seed);
            let fitted = bgnbd::fit(&buyers);
            prop_assert_eq!(bgnbd::fit(&shuffled(&buyers, &keys)), fitted);
            // A weight on identical customers gives the same result as repeating them.
            let mut counted: Vec<bgnbd::Buyer> = Vec::new();
            for one in shuffled(&buyers, &keys) {
                let alike = counted.iter_mut().find(|other| bgnbd::Buyer { count: 1, ..**other } == one);
                match alike {
                    Some(other) => other.count += 1,
                    None => counted.push(one),
                }
            }
            prop_assert!(counted.len() < buyers.len());
            prop_assert_eq!(bgnbd::fit(&counted), fitted);

            let mut draw = Draw(seed);
            let spenders: Vec<_> = buyers.iter().map(|one| draw.spender(&CDNOW_VALUE, one.repeats)).collect();
            prop_assert_eq!(gamma_gamma::fit(&shuffled(&spenders, &keys)), gamma_gamma::fit(&spenders));
        }

        #[test]
        fn a_fit_is_a_top_of_the_likelihood(seed in 1..u64::MAX, steps in prop::array::uniform4(-0.02..0.02_f64)) {
            let buyers = by_days(seed);
            let Ok(fitted) = bgnbd::fit(&buyers) else { return Ok(()) };
            let bgnbd::Parameters { r, alpha, a, b } = fitted.parameters;
            let [one, two, three, four] = steps.map(f64::exp);
            let beside = bgnbd::Parameters { r: r * one, alpha: alpha * two, a: a * three, b: b * four };
            let there: f64 = buyers.iter().map(|one| bgnbd::log_likelihood(&beside, one)).sum();
            prop_assert!(there <= fitted.log_likelihood + 1e-9, "{} {}", there, fitted.log_likelihood);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn predictions_are_numbers_that_grow_with_time(parameters in parameters(), repeats in 0_u32..3000, age in 0.0..500.0, part in 0.0..1.0, mean_value in -10.0..1e5) {
            let recency = if repeats == 0 { 0.0 } else { age * part };
            let customer = Summary { repeats, recency, age, mean_value };
            let said = predict(&parameters, Some(&CDNOW_VALUE), &customer);
            prop_assert!((0.0..=1.0).contains(&said.probability_alive));
            let orders = [0.0, said.expected_orders_30d, said.expected_orders_90d, said.expected_orders_365d];
            prop_assert!(orders.is_sorted() && orders[3].is_finite(), "{said:?}");
            prop_assert!(said.predicted_value_365d.is_some_and(|value| value.is_finite() && value >= 0.0));
        }

        #[test]
        fn the_order_of_purchases_changes_no_bit(rows in prop::collection::vec((0_i64..40, 0_i64..24, 0.0..100.0), 1..30), keys in prop::collection::vec(any::<u32>(), 30)) {
            let purchases: Vec<_> = rows.iter().map(|&(day, hour, value)| purchase(day, hour, value)).collect();
            let summary = summarise(&purchases, 30 * 86_400_000);
            prop_assert_eq!(summarise(&shuffled(&purchases, &keys), 30 * 86_400_000), summary);
            if let Some(summary) = summary {
                let days: std::collections::BTreeSet<_> = rows.iter().filter(|row| row.0 * 24 + row.1 <= 720).map(|row| row.0).collect();
                prop_assert_eq!(summary.repeats as usize, days.len() - 1);
                prop_assert!(summary.recency <= summary.age);
            }
        }

        #[test]
        fn scores_are_what_counting_the_worse_says(rows in prop::collection::vec((0_i32..12, 0_i32..6, -50_i32..50), 1..60), other in (0_i32..12, 0_i32..6, -50_i32..50), keys in prop::collection::vec(any::<u32>(), 60)) {
            let of = |&(recency, frequency, monetary): &(i32, i32, i32)| shopper(recency.into(), frequency.into(), f64::from(monetary) / 4.0);
            let people: Vec<_> = rows.iter().map(of).collect();
            let limits = boundaries(&people).unwrap();
            prop_assert_eq!(boundaries(&shuffled(&people, &keys)), Some(limits));
            // By counting, with whole numbers only; somebody who was not among the people as well.
            let fifths = |worse: usize| u8::try_from(5 * worse / rows.len() + 1).unwrap().min(5);
            let count = |is_worse: &dyn Fn(&(i32, i32, i32)) -> bool| fifths(rows.iter().filter(|row| is_worse(row)).count());
            for one in rows.iter().chain([&other]) {
                let wanted = (count(&|row| row.0 > one.0), count(&|row| row.1 < one.1), count(&|row| row.2 < one.2));
                let one = of(one);
                prop_assert_eq!(score(&limits, one.recency_days, one.frequency, one.monetary), wanted);
            }
        }
    }
}
