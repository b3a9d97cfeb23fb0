//! Statistics: numbers in, numbers out.
//!
//! Each function states what is exact and what is approximate; each is tested against values of SciPy or mpmath. Tails are natural
//! logs of probabilities, without a floor: a p-value of 1e-100000 is a number like any other, and so is one of 1 − 1e-16.

mod binomial;
mod gamma;
mod hypergeometric;
mod multiplicity;
mod normal;
mod special;

pub use binomial::{ln_binomial_lower, ln_binomial_mid, ln_binomial_point, ln_binomial_randomised, ln_binomial_upper};
pub use gamma::{ln_gamma_lower, ln_gamma_upper};
pub use hypergeometric::ln_hypergeometric_upper;
pub use multiplicity::{bonferroni, fisher_combination, holm, sidak, three_bricks_adjust};
pub use normal::ln_normal_sf;

use statrs::distribution::{Beta, ContinuousCDF, Gamma};

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
    let quantile = |shape: f64, p: f64| Gamma::new(shape, 1.0).map_or(f64::NAN, |gamma| gamma.inverse_cdf(p));
    let tail = (1.0 - level) / 2.0;
    let low = if count == 0 { 0.0 } else { quantile(count as f64, tail) };
    (low, quantile(count as f64 + 1.0, 1.0 - tail))
}

/// The exact (Clopper–Pearson) interval of a proportion, given `hits` of `n`.
///
/// * Null: none; an interval. Exact: its coverage is at least `level`.
/// * Range: `hits` ≤ n; both ends in [0, 1]; (0, 1) for n = 0.
/// * Source: Clopper and Pearson 1934; equals `scipy.stats.beta.ppf` 1.17.1 to 1e-8.
#[must_use]
pub fn proportion_interval(hits: u64, n: u64, level: f64) -> (f64, f64) {
    let quantile = |a: u64, b: u64, p: f64| Beta::new(a as f64, b as f64).map_or(f64::NAN, |beta| beta.inverse_cdf(p));
    let tail = (1.0 - level) / 2.0;
    let misses = n.saturating_sub(hits);
    let low = if hits == 0 { 0.0 } else { quantile(hits, misses + 1, tail) };
    let high = if misses == 0 { 1.0 } else { quantile(hits + 1, misses, 1.0 - tail) };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POISSON: [(u64, f64, f64); 5] = [
        (0, 0.0, 3.6888794541139354),
        (1, 0.025317807984289876, 5.571643390938898),
        (7, 2.8143630515198654, 14.422675361702376),
        (100, 81.36399125092314, 121.62679379242638),
        (2500, 2402.952365431124, 2599.9614843405425),
    ];
    const PROPORTION: [(u64, u64, f64, f64); 4] = [
        (0, 10, 0.0, 0.3084971078187607),
        (3, 20, 0.0320709371854637, 0.37892682654531396),
        (17, 17, 0.8049356770309067, 1.0),
        (250, 1000, 0.2234304062646804, 0.27805000622375553),
    ];

    #[test]
    fn intervals_equal_scipy() {
        // scipy.stats.chi2.ppf([.025, .975], [2k, 2k + 2]) / 2 and beta.ppf, SciPy 1.17.1.
        for (count, low, high) in POISSON {
            let (l, h) = poisson_interval(count, 0.95);
            assert!((l - low).abs() < 1e-8 * low.max(1.0) && (h - high).abs() < 1e-8 * high, "{count}: {l} {h}");
        }
        for (hits, n, low, high) in PROPORTION {
            let (l, h) = proportion_interval(hits, n, 0.95);
            assert!((l - low).abs() < 1e-8 && (h - high).abs() < 1e-8, "{hits} of {n}: {l} {h}");
        }
    }
}
