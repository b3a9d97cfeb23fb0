//! Tails of the binomial distribution in natural-log space: the exact test of a count of hits.
//!
//! The idea: P(X ≥ k) is the point P(X = k) times a sum; the point by Loader's deviances, the sum term by term where the variance
//! is small, and else as the incomplete beta integral over its forty points. The smaller of the two tails is computed and the
//! other is its complement, so that a p-value of 1 − 1e-16 is as exact as one of 1e-100000. Weakness: assumes independent trials
//! of one share. Guarantee: no floor, no normal approximation, relative error of ln P below 1e-12 (measured below 1e-13 for n to 1e9),
//! the same bits on every machine, a few microseconds at any n.

use super::special::{deviance, ln_add, ln_complement, stirling_error, tail_integral};
use std::f64::consts::PI;

/// Variance from which the tail is an integral and no longer a sum.
const LARGE: f64 = 200.0;

/// ln P(X = k) for X binomial of `n` trials and share `p`.
///
/// * Exact: relative error of ln P, and absolute error where ln P is near 0, below 1e-12.
/// * Range: any k and n; −∞ where k > n; NaN unless `p` is in [0, 1].
/// * Source: Loader 2000, "Fast and accurate computation of binomial probabilities".
///
/// # Example
/// ```
/// assert!((stillhunt::stats::ln_binomial_point(5, 10, 0.5) - (252.0f64 / 1024.0).ln()).abs() < 1e-14);
/// ```
#[must_use]
pub fn ln_binomial_point(k: u64, n: u64, p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if k > n {
        return f64::NEG_INFINITY;
    }
    ln_point(k, n, p, 1.0 - p, beyond(k, n, p))
}

/// ln P(X ≥ k) for X binomial of `n` trials and share `p`: the p-value of `k` hits.
///
/// * Null: each of n trials hits on its own with probability p. Exact: relative error of ln P below 1e-12, also near P = 1.
/// * Range: any k and n (0 at k = 0, −∞ where k > n); NaN unless `p` is in [0, 1]. `p` is taken as the double it is.
/// * Source: the incomplete beta integral; equals mpmath at 60 digits (`tests/golden/pvalues.json`).
///
/// # Example
/// ```
/// // Far below what a double holds: 5000 hits of 10000 at a share of a quarter.
/// let ln_p = stillhunt::stats::ln_binomial_upper(5_000, 10_000, 0.25);
/// assert!((ln_p / std::f64::consts::LN_10 + 626.61574935).abs() < 1e-8);
/// ```
#[must_use]
pub fn ln_binomial_upper(k: u64, n: u64, p: f64) -> f64 {
    tails(k, n, p).0
}

/// ln P(X ≤ k) for X binomial of `n` trials and share `p`; the twin of [`ln_binomial_upper`], as exact.
#[must_use]
pub fn ln_binomial_lower(k: u64, n: u64, p: f64) -> f64 {
    if k >= n && (0.0..=1.0).contains(&p) { 0.0 } else { tails(k.saturating_add(1), n, p).1 }
}

/// ln of P(X > k) + ½ P(X = k), the mid-p. For comparison with references only: it is not a valid p-value (its level may exceed α).
#[must_use]
pub fn ln_binomial_mid(k: u64, n: u64, p: f64) -> f64 {
    ln_binomial_randomised(k, n, p, 0.5)
}

/// ln of P(X > k) + u P(X = k): uniform under the null where `u` is drawn uniformly in (0, 1], independent of the count.
///
/// * Exact: as [`ln_binomial_upper`]. It calibrates (a test of uniformity needs it); as evidence report the plain tail.
/// * Range: `u` in [0, 1].
#[must_use]
pub fn ln_binomial_randomised(k: u64, n: u64, p: f64, u: f64) -> f64 {
    let point = ln_binomial_point(k, n, p);
    let (_, below) = tails(k, n, p);
    let (above, _) = tails(k.saturating_add(1), n, p);
    if above < below {
        ln_add(above, libm::log(u) + point)
    } else {
        ln_complement(ln_add(below, libm::log1p(-u) + point).min(0.0))
    }
}

/// k − n p, rounded once.
fn beyond(k: u64, n: u64, p: f64) -> f64 {
    let product = n as f64 * p;
    (k as f64 - product) - (n as f64).mul_add(p, -product)
}

/// ln P(X = k) where `beyond` = k − n p is given exactly; k ≤ n.
pub(super) fn ln_point(k: u64, n: u64, p: f64, q: f64, beyond: f64) -> f64 {
    let (hits, misses, trials) = (k as f64, (n - k) as f64, n as f64);
    if n == 0 {
        return 0.0;
    }
    if k == 0 {
        return trials * if p < 0.5 { libm::log1p(-p) } else { libm::log(q) };
    }
    if k == n {
        return trials * if q < 0.5 { libm::log1p(-q) } else { libm::log(p) };
    }
    if p == 0.0 || q == 0.0 {
        return f64::NEG_INFINITY;
    }
    let far = deviance(hits, trials * p, -beyond) + deviance(misses, trials * q, beyond);
    let near = stirling_error(trials) - stirling_error(hits) - stirling_error(misses);
    near - far - 0.5 * libm::log(2.0 * PI * hits * (misses / trials))
}

/// ln P(X ≥ k) and ln P(X < k).
fn tails(k: u64, n: u64, p: f64) -> (f64, f64) {
    if !(0.0..=1.0).contains(&p) {
        return (f64::NAN, f64::NAN);
    }
    if k == 0 || (p == 1.0 && k <= n) {
        return (0.0, f64::NEG_INFINITY);
    }
    if k > n || p == 0.0 {
        return (f64::NEG_INFINITY, 0.0);
    }
    let q = 1.0 - p;
    let beyond = beyond(k, n, p);
    let upper = || side(k, n, p, q, beyond);
    let lower = || side(n - k + 1, n, q, p, 1.0 - beyond);
    if n as f64 * p * q >= LARGE {
        // Where the mode lies between k − 1 and k both are near a half, so either serves.
        return if beyond >= q { pair(upper(), true) } else { pair(lower(), false) };
    }
    let first = if beyond >= 0.0 { (upper(), true) } else { (lower(), false) };
    if first.0 < -0.6 {
        return pair(first.0, first.1);
    }
    if first.1 { pair(lower(), false) } else { pair(upper(), true) }
}

/// Both tails from one of them.
fn pair(ln: f64, upper: bool) -> (f64, f64) {
    let ln = ln.min(0.0);
    if upper { (ln, ln_complement(ln)) } else { (ln_complement(ln), ln) }
}

/// ln P(X ≥ k), summed or integrated upward from k, 1 ≤ k ≤ n.
fn side(k: u64, n: u64, p: f64, q: f64, beyond: f64) -> f64 {
    let point = ln_point(k, n, p, q, beyond);
    if n as f64 * p * q >= LARGE {
        let (hits, misses) = (k as f64, (n - k) as f64);
        return point + libm::log(hits * tail_integral((beyond - q) / q, hits - 1.0, misses, p / q));
    }
    let odds = p / q;
    let (mut term, mut sum, mut at) = (1.0, 1.0, k);
    while at < n && term > 1e-18 * sum {
        term *= (n - at) as f64 / (at + 1) as f64 * odds;
        sum += term;
        at += 1;
    }
    point + libm::log(sum)
}
