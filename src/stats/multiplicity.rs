//! Corrections for many tests, on natural logs of p-values.
//!
//! The idea: the verdict uses Holm, which holds under any dependence; Šidák and the rule of three_bricks are here to equal a
//! reference. Weakness: a correction counts only the tests it is told of. Guarantee: no floor; an adjusted p is at most 1.

use super::gamma::ln_gamma_upper;
use super::special::ln_complement;

/// Holm's adjusted p-values (natural logs), in the order given: step-down, valid under any dependence.
///
/// * Exact. Range: ln p ≤ 0; NaN stays NaN and counts as a test. Source: Holm 1979; equals R's `p.adjust(p, "holm")`.
///
/// # Example
/// ```
/// let adjusted = stillhunt::stats::holm(&[0.03f64.ln(), 0.01f64.ln(), 0.02f64.ln()]);
/// assert!((adjusted[1].exp() - 0.03).abs() < 1e-15 && (adjusted[0].exp() - 0.04).abs() < 1e-15);
/// ```
#[must_use]
pub fn holm(ln_p: &[f64]) -> Vec<f64> {
    holm_smallest(ln_p, ln_p.len() as u64)
}

/// Holm's adjusted p-values (natural logs) where only the smallest of `m` are at hand, in the order given: no other is smaller than these.
///
/// * Exact, as [`holm`] over all of them. Where a smaller one is missing, what is given is adjusted too much and never too little.
#[must_use]
pub fn holm_smallest(ln_p: &[f64], m: u64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..ln_p.len()).collect();
    order.sort_by(|&a, &b| ln_p[a].total_cmp(&ln_p[b]));
    let mut adjusted = vec![f64::NAN; ln_p.len()];
    let mut most = f64::NEG_INFINITY;
    for (rank, &at) in order.iter().enumerate() {
        if !ln_p[at].is_nan() {
            most = bonferroni(ln_p[at], m.saturating_sub(rank as u64).max(1)).max(most);
            adjusted[at] = most;
        }
    }
    adjusted
}

/// ln of min(1, m p): Bonferroni, valid under any dependence.
#[must_use]
pub fn bonferroni(ln_p: f64, m: u64) -> f64 {
    (ln_p + libm::log(m as f64)).min(0.0)
}

/// ln of 1 − (1 − p)ᵐ: Šidák, valid for independent tests (and some others); to equal a reference only.
#[must_use]
pub fn sidak(ln_p: f64, m: u64) -> f64 {
    let none = m as f64 * ln_complement(ln_p);
    // Below the smallest double 1 − (1 − p)ᵐ = m p, to every digit.
    if none > -1e-300 { bonferroni(ln_p, m) } else { ln_complement(none) }
}

/// The adjustment three_bricks makes over the payloads it tries: Šidák where p > min(1 / m, 1e-5), else m p.
///
/// * To equal that program; its Šidák branch assumes independent payloads.
#[must_use]
pub fn three_bricks_adjust(ln_p: f64, m: u64) -> f64 {
    let bound = (1.0 / m as f64).min(1e-5);
    if libm::exp(ln_p) > bound { sidak(ln_p, m) } else { bonferroni(ln_p, m) }
}

/// ln p of Fisher's combination of p-values (given as natural logs): P(gamma(n) ≥ −Σ ln p).
///
/// * Valid only for independent p-values, each uniform or larger under its null; windows shared between tests break it.
/// * Exact otherwise. Range: ln p ≤ 0; 0 for none. Source: Fisher 1932; equals mpmath (`tests/golden/pvalues.json`).
#[must_use]
pub fn fisher_combination(ln_p: &[f64]) -> f64 {
    if ln_p.is_empty() { 0.0 } else { ln_gamma_upper(ln_p.len() as f64, -ln_p.iter().sum::<f64>()) }
}
