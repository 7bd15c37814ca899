//! The special functions that the models need, for positive arguments only.
//! The gamma function and its logarithmic derivative use Stirling's series (NIST Digital Library of Mathematical Functions,
//! 5.11); small arguments are shifted up by the recurrence.

/// Above this Stirling's series, cut after eight terms, is exact to the last digit.
const STIRLING_FROM: f64 = 10.0;

/// Where `gauss_excess` gives up; reached only when `z` is within a few millionths of one.
const MAX_TERMS: u32 = 2_000_000;

/// A sum larger than this is scaled down, so that a series may grow past what a number can hold.
const LARGE: f64 = 1e200;

/// The Bernoulli numbers B2, B4, … B16.
const BERNOULLI: [f64; 8] = [
    1.0 / 6.0,
    -1.0 / 30.0,
    1.0 / 42.0,
    -1.0 / 30.0,
    5.0 / 66.0,
    -691.0 / 2730.0,
    7.0 / 6.0,
    -3617.0 / 510.0,
];

/// The natural logarithm of the gamma function.
pub fn ln_gamma(argument: f64) -> f64 {
    let (mut x, mut product) = (argument, 1.0);
    while x < STIRLING_FROM {
        product *= x;
        x += 1.0;
    }
    let square = x * x;
    let (mut sum, mut power) = (0.0, x);
    for (index, number) in (1_u32..).zip(BERNOULLI) {
        let double = f64::from(2 * index);
        sum += number / (double * (double - 1.0) * power);
        power *= square;
    }
    let half_ln_two_pi = 0.5 * (2.0 * std::f64::consts::PI).ln();
    (x - 0.5) * x.ln() - x + half_ln_two_pi + sum - f64::ln(product)
}

/// The derivative of `ln_gamma`.
pub fn digamma(argument: f64) -> f64 {
    let (mut x, mut below) = (argument, 0.0);
    while x < STIRLING_FROM {
        below += 1.0 / x;
        x += 1.0;
    }
    let square = x * x;
    let (mut sum, mut power) = (0.0, square);
    for (index, number) in (1_u32..).zip(BERNOULLI) {
        sum += number / (f64::from(2 * index) * power);
        power *= square;
    }
    x.ln() - 0.5 / x - sum - below
}

/// The natural logarithm of the beta function.
pub fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// What Gauss's hypergeometric function has above one, freed of the factor that can vanish:
/// `c (2F1(a, b; c; z) - 1) / b`, for `0 <= z < 1` and `c > -1`.
///
/// In this form it has no hole at `b = 0` nor at `c = 0`. The answer is a number and the natural logarithm of what it
/// has to be multiplied by. The series converges like `z^n`, so the caller should bring it to small `a` and `b` first.
pub fn gauss_excess(a: f64, b: f64, c: f64, z: f64) -> (f64, f64) {
    let mut term = a * z;
    let (mut sum, mut ln_scale) = (term, 0.0);
    for index in 1..MAX_TERMS {
        let n = f64::from(index);
        let ratio = (a + n) * (b + n) / ((c + n) * (n + 1.0)) * z;
        term *= ratio;
        sum += term;
        if sum.abs() > LARGE {
            (sum, term) = (sum / LARGE, term / LARGE);
            ln_scale += LARGE.ln();
        }
        // What is left is less than a geometric series once the terms shrink.
        let shrinks = ratio.abs().max(z);
        if shrinks < 1.0 && term.abs() <= sum.abs() * (1.0 - shrinks) * (f64::EPSILON / 8.0) {
            break;
        }
    }
    (sum, ln_scale)
}
