//! Tails of the gamma distribution in natural-log space: the exact test of a sum of exponential scores.
//!
//! The idea: Q(shape, x) is the density at x times an integral, taken by the power series or the continued fraction where the
//! shape is small, and over forty points (see [`super`]) where it is large. Weakness: assumes independent Exp(1) scores.
//! Guarantee: no floor, no normal approximation, relative error of ln Q below 1e-12, the same bits on every machine, a few
//! microseconds at any shape.

use super::special::{ln_complement, ln_poisson_point, tail_integral};

/// Shape from which the tail is an integral over fixed points.
const LARGE: f64 = 200.0;

/// ln Q(shape, x) = ln P(S ≥ x) for S gamma of `shape` and scale 1: the p-value of a sum of `shape` exponential scores.
///
/// * Null: S is a sum of independent Exp(1) scores (or has the gamma distribution for another reason).
///   Exact: relative error of ln Q below 1e-12, also near Q = 1.
/// * Range: shape ≥ 0.5 and finite, x any number (0 at x ≤ 0); for a smaller shape and x < 1 only the absolute error is bounded.
///   NaN for a negative or NaN argument.
/// * Source: DLMF 8.6.7, 8.7.1, 8.9.2; equals mpmath at 60 digits (`tests/golden/pvalues.json`).
///
/// # Example
/// ```
/// assert!((stillhunt::stats::ln_gamma_upper(1.0, 1000.0) + 1000.0).abs() < 1e-10);
/// ```
#[must_use]
pub fn ln_gamma_upper(shape: f64, x: f64) -> f64 {
    tails(shape, x).0
}

/// ln P(shape, x) = ln P(S ≤ x); the twin of [`ln_gamma_upper`], as exact.
#[must_use]
pub fn ln_gamma_lower(shape: f64, x: f64) -> f64 {
    tails(shape, x).1
}

/// ln Q and ln P.
fn tails(shape: f64, x: f64) -> (f64, f64) {
    if shape.is_nan() || x.is_nan() || shape < 0.0 {
        return (f64::NAN, f64::NAN);
    }
    if x <= 0.0 {
        return (0.0, f64::NEG_INFINITY);
    }
    if x == f64::INFINITY || shape == 0.0 {
        return (f64::NEG_INFINITY, 0.0);
    }
    let ahead = x - shape;
    let point = ln_poisson_point(shape, x);
    let (ln, upper) = if shape >= LARGE {
        if ahead >= -1.0 {
            (libm::log(shape * tail_integral(ahead + 1.0, 0.0, shape - 1.0, 1.0)), true)
        } else {
            (libm::log(shape * tail_integral(-1.0 - ahead, shape - 1.0, 0.0, 0.0)), false)
        }
    } else if ahead < 1.0 {
        (libm::log(series(shape, x)), false)
    } else {
        (libm::log(shape * fraction(shape, x)), true)
    };
    let ln = (ln + point).min(0.0);
    if upper { (ln, ln_complement(ln)) } else { (ln_complement(ln), ln) }
}

/// P over x^shape e⁻ˣ / Γ(shape + 1): 1 + x / (shape + 1) + …
fn series(shape: f64, x: f64) -> f64 {
    let (mut term, mut sum, mut at) = (1.0, 1.0, shape);
    while term > 1e-17 * sum {
        at += 1.0;
        term *= x / at;
        sum += term;
    }
    sum
}

/// Q over x^shape e⁻ˣ / Γ(shape): 1 / (x + 1 − shape − 1 (1 − shape) / (x + 3 − shape − …)), by Lentz's method; x ≥ shape + 1.
fn fraction(shape: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let mut b = x + 1.0 - shape;
    let mut d = 1.0 / b;
    let (mut c, mut value) = (1.0 / TINY, d);
    for i in 1..10_000 {
        let i = f64::from(i);
        let a = i * (shape - i);
        b += 2.0;
        let (low, high) = (a.mul_add(d, b), b + a / c);
        d = 1.0 / if low.abs() < TINY { TINY } else { low };
        c = if high.abs() < TINY { TINY } else { high };
        let step = c * d;
        value *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    value
}
