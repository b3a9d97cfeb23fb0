//! Power: how likely a mark of a stated strength would have been found, so that a negative can say what it rules out.
//!
//! The idea: the critical value at a level from the exact null tail, then the tail at it under the planted distribution.
//! Weakness: a power holds for the strength stated and for unaltered text, nothing else. Guarantee: exact for counts.

use super::binomial::ln_binomial_upper;
use super::gamma::ln_gamma_upper;
use super::interval::gamma_upper_quantile;

/// The least count k of `n` with ln P(X ≥ k) ≤ `ln_alpha` at share `null`; n + 1 where no count reaches the level. Exact.
#[must_use]
pub fn binomial_critical(n: u64, null: f64, ln_alpha: f64) -> u64 {
    let (mut low, mut high) = (0, n.saturating_add(1));
    if ln_alpha >= 0.0 {
        return 0;
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if ln_binomial_upper(middle, n, null) <= ln_alpha {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// The chance that a count of `n` at share `planted` is significant at `ln_alpha` against share `null`. Exact.
///
/// # Example
/// ```
/// let power = stillhunt::stats::binomial_power(200, 0.25, 0.5, 1e-6f64.ln());
/// assert!(power > 0.95 && power < 1.0);
/// ```
#[must_use]
pub fn binomial_power(n: u64, null: f64, planted: f64, ln_alpha: f64) -> f64 {
    libm::exp(ln_binomial_upper(binomial_critical(n, null, ln_alpha), n, planted))
}

/// The least sum of `n` Exp(1) scores with ln P(S ≥ sum) ≤ `ln_alpha`. Exact.
#[must_use]
pub fn gamma_critical(n: u64, ln_alpha: f64) -> f64 {
    if n == 0 || ln_alpha >= 0.0 { 0.0 } else { gamma_upper_quantile(n as f64, ln_alpha) }
}

/// The chance that a sum of `n` scores of `mean` and `variance` each is significant at `ln_alpha` against Exp(1) scores.
///
/// * An approximation: the planted sum is taken as the gamma distribution of its mean and variance (exact where the scores are
///   exponential, variance = mean²; else wrong by a skewness of order 1/√n). The critical value is exact.
/// * Range: `mean` and `variance` > 0.
#[must_use]
pub fn gamma_power(n: u64, mean: f64, variance: f64, ln_alpha: f64) -> f64 {
    let shape = n as f64 * mean * mean / variance;
    libm::exp(ln_gamma_upper(shape, gamma_critical(n, ln_alpha) * mean / variance))
}
