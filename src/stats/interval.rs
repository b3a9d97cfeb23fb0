//! Exact intervals of a rate, a share and a mean, by bisection on the exact tails.
//!
//! The idea: the ends of an interval are where a tail equals half of what is left out; the tails are exact, so a bisection over
//! doubles gives the ends to the last few digits, at any n. Weakness: conservative for counts (a discrete statistic).
//! Guarantee: coverage at least `level`; the same bits everywhere.

use super::binomial::{ln_binomial_lower, ln_binomial_upper};
use super::gamma::{ln_gamma_lower, ln_gamma_upper};

/// The exact (Garwood) interval of a Poisson mean, given a count.
///
/// * Null: none; an interval. Exact: its coverage is at least `level`.
/// * Range: `level` in (0, 1); the lower end is 0 at count 0.
/// * Source: Garwood 1936; equals `scipy.stats.chi2.ppf` 1.17.1 to 1e-8.
///
/// # Example
/// ```
/// let (low, high) = stillhunt::stats::poisson_interval(0, 0.95);
/// assert!(low == 0.0 && (high - 3.6889).abs() < 1e-4);
/// ```
#[must_use]
pub fn poisson_interval(count: u64, level: f64) -> (f64, f64) {
    let tail = (1.0 - level) / 2.0;
    let low = if count == 0 { 0.0 } else { gamma_lower_quantile(count as f64, libm::log(tail)) };
    (low, gamma_upper_quantile(count as f64 + 1.0, libm::log(tail)))
}

/// The exact (Clopper–Pearson) interval of a proportion, given `hits` of `n`.
///
/// * Null: none; an interval. Exact: its coverage is at least `level`.
/// * Range: `hits` ≤ n; both ends in [0, 1]; (0, 1) for n = 0. A fraction of a millisecond at any n.
/// * Source: Clopper and Pearson 1934; equals `scipy.stats.beta.ppf` 1.17.1 to 1e-8.
#[must_use]
pub fn proportion_interval(hits: u64, n: u64, level: f64) -> (f64, f64) {
    let ln_tail = libm::log((1.0 - level) / 2.0);
    let low = if hits == 0 { 0.0 } else { bisect(1.0, |p| ln_binomial_upper(hits, n, p) >= ln_tail) };
    let high = if hits >= n { 1.0 } else { bisect(1.0, |p| ln_binomial_lower(hits, n, p) <= ln_tail) };
    (low, high)
}

/// The exact interval of the mean score, given the `sum` of `n` scores that are exponential with that mean.
///
/// * Null: none; an interval. Exact where the scores are independent and exponential, as under the null (mean 1); planted scores are
///   less spread, so for them it is wide.
/// * Range: (0, ∞) for n = 0.
/// * Source: sum / mean is gamma of shape n; equals `scipy.stats.gamma.ppf` 1.17.1.
#[must_use]
pub fn exponential_mean_interval(sum: f64, n: u64, level: f64) -> (f64, f64) {
    if n == 0 {
        return (0.0, f64::INFINITY);
    }
    let ln_tail = libm::log((1.0 - level) / 2.0);
    (sum / gamma_upper_quantile(n as f64, ln_tail), sum / gamma_lower_quantile(n as f64, ln_tail))
}

/// The least x with ln P(S ≥ x) ≤ `ln_tail`, S gamma of `shape`.
pub(super) fn gamma_upper_quantile(shape: f64, ln_tail: f64) -> f64 {
    bisect(f64::MAX, |x| ln_gamma_upper(shape, x) <= ln_tail)
}

/// The least x with ln P(S ≤ x) ≥ `ln_tail`.
fn gamma_lower_quantile(shape: f64, ln_tail: f64) -> f64 {
    bisect(f64::MAX, |x| ln_gamma_lower(shape, x) >= ln_tail)
}

/// The least double in (0, most] from which `reached` holds (it holds from there on); `most` if none below does. Halves the bits of
/// positive doubles, which are ordered as the doubles are, so it takes 63 steps whatever the scale.
fn bisect(most: f64, reached: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0, most.to_bits());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if reached(f64::from_bits(middle)) {
            high = middle;
        } else {
            low = middle;
        }
    }
    f64::from_bits(high)
}
