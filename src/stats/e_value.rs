//! E-values: evidence that may be multiplied over fresh data, and the choice among many of them.
//!
//! The idea: an e-value is a statistic that is never negative and whose mean is at most one when the null hypothesis is true. It reaches
//! 1 / α with probability at most α (Markov), and the product of e-values of successive data is one again. Weakness: less power than an
//! exact p-value of the same data. Guarantee: everything here holds whatever the e-values have to do with each other.

/// Which of these hypotheses e-BH rejects, in the order given: at most a share `q` of them is expected to be true.
///
/// * Null: each hypothesis its own; m = all of `ln_e`, those without evidence (0 or −∞) included.
/// * Valid under any dependence. Exact. Range: 0 < q < 1; NaN counts as no evidence.
/// * Source: Wang and Ramdas 2022, False discovery rate control with e-values, definition 1.
///
/// # Example
/// ```
/// // Of three hypotheses at 10%: the second best needs 3 / (0.1 × 2) = 15.
/// let ln_e = [100f64.ln(), 16f64.ln(), 2f64.ln()];
/// assert_eq!(stillhunt::stats::e_bh(&ln_e, 0.1), [true, true, false]);
/// ```
#[must_use]
pub fn e_bh(ln_e: &[f64], q: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..ln_e.len()).filter(|&i| !ln_e[i].is_nan()).collect();
    order.sort_by(|&a, &b| ln_e[b].total_cmp(&ln_e[a]));
    let m = ln_e.len() as f64;
    let enough = |&rank: &usize| ln_e[order[rank - 1]] >= libm::log(m / (q * rank as f64));
    let rejected = (1..=order.len()).rev().find(enough).unwrap_or(0);
    let mut out = vec![false; ln_e.len()];
    order[..rejected].iter().for_each(|&i| out[i] = true);
    out
}

/// ln of the e-value ½ p^(−½) of a p-value, given as its natural log.
///
/// * Mean 1 for a uniform p, less for a larger one. Exact. Range: ln p ≤ 0.
/// * Source: Vovk and Wang 2021, E-values: calibration, combination and applications, κ p^(κ − 1) with κ = ½.
#[must_use]
pub fn ln_e_of_p(ln_p: f64) -> f64 {
    -0.5 * ln_p - std::f64::consts::LN_2
}

/// ln of the mean of e-values given as natural logs; the mean of e-values is one again, whatever they have to do with each other.
#[must_use]
pub fn ln_mean(ln_e: &[f64]) -> f64 {
    let most = ln_e.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY || ln_e.is_empty() {
        return f64::NEG_INFINITY;
    }
    most + libm::log(ln_e.iter().map(|ln_e| libm::exp(ln_e - most)).sum::<f64>() / ln_e.len() as f64)
}
