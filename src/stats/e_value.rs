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

/// Some draws without replacement from one urn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Hits among the drawn.
    pub hits: u64,
    /// Drawn, at most `all`.
    pub drawn: u64,
    /// Hits in the urn, these among them.
    pub all_hits: u64,
    /// All that is in the urn.
    pub all: u64,
}

/// Odds at which hits are drawn under the alternatives that [`ln_e_more_hits`] is a mean of.
const ODDS: [f64; 5] = [1.5, 2.5, 6.0, 30.0, 1000.0];

/// ln of an e-value against the null that what was drawn from each urn was drawn blindly: large where there are more hits among it than that
/// gives.
///
/// * Likelihood ratio of Fisher's noncentral hypergeometric law to the central one over all urns together, its odds mixed over five values.
/// * Mean exactly one under the null, given what is in the urns. 0 where nothing, or all, was drawn.
/// * Source: Fisher 1935, The logic of inductive inference; mixtures of likelihood ratios are e-values (Wald 1945).
///
/// # Panics
/// When an urn has fewer than was drawn of it.
///
/// # Example
/// ```
/// use stillhunt::stats::{Draw, ln_e_more_hits};
/// assert_eq!(ln_e_more_hits(&[Draw { hits: 3, drawn: 10, all_hits: 3, all: 10 }]), 0.0);
/// assert!(ln_e_more_hits(&[Draw { hits: 20, drawn: 100, all_hits: 22, all: 1000 }]) > 15.0);
/// ```
#[must_use]
pub fn ln_e_more_hits(draws: &[Draw]) -> f64 {
    let mut each = [0.0; ODDS.len()];
    for draw in draws {
        assert!(draw.drawn <= draw.all && draw.hits <= draw.all_hits && draw.all_hits <= draw.all, "{draw:?}");
        let plain = draw.all - draw.all_hits;
        let (low, high) = (draw.drawn.saturating_sub(plain), draw.drawn.min(draw.all_hits));
        // ln of the chance of each number of hits, but for a constant; then the mean of odds to that power.
        let mut ln_chance = vec![0.0];
        for k in low..high {
            let last = ln_chance[ln_chance.len() - 1];
            let up = (draw.all_hits - k) as f64 * (draw.drawn - k) as f64;
            let down = (k + 1) as f64 * (plain + k + 1 - draw.drawn) as f64;
            ln_chance.push(last + libm::log(up / down));
        }
        let sum = |ln: &dyn Fn(usize) -> f64| {
            let most = (0..ln_chance.len()).map(ln).fold(f64::NEG_INFINITY, f64::max);
            most + libm::log((0..ln_chance.len()).map(|i| libm::exp(ln(i) - most)).sum())
        };
        let plainly = sum(&|i| ln_chance[i]);
        for (ln_e, odds) in each.iter_mut().zip(ODDS) {
            let ln_odds = libm::log(odds);
            let above = |i: usize| ln_chance[i] + (low as f64 + i as f64) * ln_odds;
            *ln_e += draw.hits as f64 * ln_odds - (sum(&above) - plainly);
        }
    }
    ln_mean(&each)
}

/// Evidence over time against a null that may begin to be false at any time, and may never be.
///
/// The unit of wealth is spread over all possible beginnings, 1 / (t (t + 1)) on the t-th, and what lies on a beginning is multiplied by every e-value
/// from then on. What is not yet on any is kept.
///
/// * Null: each e-value has mean at most one, given those before it. Then [`Sequence::evidence`] *ever* exceeds x with probability at most 1 / x
///   (Ville).
/// * Source: Shin, Ramdas and Rinaldo 2024, E-detectors, with the weights of a mixture in place of a sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Sequence {
    steps: u32,
    running: f64,
}

impl Sequence {
    /// Adds an e-value, given as its natural log. What runs is cut at `most`, so that it can fall again when the null is true again; less wealth
    /// than allowed keeps the guarantee.
    pub fn add(&mut self, ln_e: f64, most: f64) {
        self.steps = self.steps.saturating_add(1);
        let t = f64::from(self.steps);
        let begun = self.running + 1.0 / (t * (t + 1.0));
        self.running = (libm::exp(ln_e.min(600.0)) * begun).min(most);
    }

    /// The wealth now: 1 before anything was added.
    #[must_use]
    pub fn evidence(&self) -> f64 {
        self.running + 1.0 / (f64::from(self.steps) + 1.0)
    }
}
