//! A statistic → its p-value under the scheme's null, the expected value, an interval of the rate, the power of the test.
//!
//! | null | p | exact? |
//! |---|---|---|
//! | coin of share s | P(Bin(n, s) ≥ k) | exact |
//! | one list of `list` of `vocab` tokens | hypergeometric tail | exact |
//! | a list for each seed | P(Bin(n, list/vocab) ≥ k) | upper bound where k ≥ np + 1 |
//! | exponential scores | Q(n, S − n·shift) | upper bound, exact to the generator's step |
//! | two scores blended | Chernoff bound | upper bound |
//! | layers, all alike | P(Bin(n·depth, share) ≥ ones) | exact |
//! | layers, weighted | Chernoff bound | upper bound |
//! | layers that are shifts of one table | Chernoff bound over every shift | upper bound |
//!
//! Why the binomial bounds the lists: tokens of one list are drawn without replacement, so the hits of one seed are hypergeometric,
//! which is the law of a sum of independent coins of unequal chances (Vatutin and Mikhailov 1982); the sum over seeds is such a sum
//! again, of mean np, and its tail at k ≥ np + 1 is at most the binomial's (Hoeffding 1956, theorem 5). Below np + 1 the value is near
//! one half or above, and no verdict rests on it.

use crate::stats;
use crate::watermark::Null;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Shifts whose sums are kept in the fastest memory.
const BLOCK: usize = 1 << 12;

/// Whether a p-value is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The probability itself.
    Exact,
    /// Proven to be at least the probability.
    UpperBound,
}

/// The law of a statistic under a scheme's null.
#[derive(Clone, Debug)]
pub struct Law {
    null: Null,
    shifts: Option<Arc<Shifts>>,
}

/// The law of one layer's ones over some windows, where each layer is one table, shifted by its key.
#[derive(Debug)]
struct Shifts {
    windows: u64,
    /// (ones, shifts that give so many), each shift equally likely.
    ones: Vec<(f64, f64)>,
    variance: f64,
}

impl Law {
    /// The law of a scheme's statistic.
    #[must_use]
    pub fn new(null: Null) -> Self {
        Self { null, shifts: None }
    }

    /// The law of windows whose bits stand in one `table`, shifted by each layer's key; `counts` has the windows of each unit. Every shift is
    /// tried, so the law of a layer is exact; layers are drawn without replacement, which [`stats::ln_copies_upper`] allows.
    ///
    /// # Panics
    /// When there are not as many counts as entries.
    #[must_use]
    pub fn shifted(null: Null, table: &[u8], counts: &[u32]) -> Self {
        assert_eq!(table.len(), counts.len(), "expected a count for each entry");
        let size = table.len();
        let twice = table.repeat(2);
        let units: Vec<(usize, u32)> = counts.iter().copied().enumerate().filter(|(_, n)| *n > 0).collect();
        // A block of shifts at a time, so that its sums stay in the fastest memory.
        let block = |first: usize| {
            let last = (first + BLOCK).min(size);
            let mut sums = vec![0u32; last - first];
            pulp::Arch::new().dispatch(|| {
                for &(unit, n) in &units {
                    let bits = &twice[unit + first..unit + last];
                    sums.iter_mut().zip(bits).for_each(|(sum, bit)| *sum += n * u32::from(*bit));
                }
            });
            sums
        };
        let starts: Vec<usize> = (0..size).step_by(BLOCK).collect();
        let sums: Vec<Vec<u32>> = starts.into_par_iter().map(block).collect();
        let mut often: BTreeMap<u32, u32> = BTreeMap::new();
        sums.into_iter().flatten().for_each(|ones| *often.entry(ones).or_default() += 1);
        let ones: Vec<(f64, f64)> = often.into_iter().map(|(ones, n)| (f64::from(ones), f64::from(n))).collect();
        let mean = ones.iter().map(|(ones, n)| ones * n).sum::<f64>() / size as f64;
        let variance = ones.iter().map(|(ones, n)| (ones - mean).powi(2) * n).sum::<f64>() / size as f64;
        let windows = counts.iter().map(|n| u64::from(*n)).sum();
        Self { null, shifts: Some(Arc::new(Shifts { windows, ones, variance })) }
    }

    /// The weights of the layers.
    fn weights(&self) -> Vec<f64> {
        match &self.null {
            Null::Layers { weights: Some(weights), .. } => weights.clone(),
            Null::Layers { depth, .. } => vec![1.0; *depth as usize],
            _ => Vec::new(),
        }
    }

    /// How the p-value is made, in words.
    #[must_use]
    pub fn method(&self) -> &'static str {
        if self.shifts.is_some() {
            return "Chernoff bound over all shifts of the table";
        }
        match &self.null {
            Null::Coin { .. } => "binomial tail",
            Null::OneList { .. } => "hypergeometric tail",
            Null::List { .. } => {
                "binomial tail with the list's true share (Hoeffding 1956 bounds the draws without replacement)"
            }
            Null::Exponential { .. } => "gamma tail",
            Null::Pair { .. } => "Chernoff bound of two blended exponential scores",
            Null::Layers { weights: None, .. } => "binomial tail over all layers",
            Null::Layers { .. } => "Chernoff bound of weighted layers",
        }
    }

    /// Whether it is exact.
    #[must_use]
    pub fn kind(&self) -> Kind {
        if self.shifts.is_some() {
            return Kind::UpperBound;
        }
        match &self.null {
            Null::Coin { .. } | Null::OneList { .. } | Null::Layers { weights: None, .. } => Kind::Exact,
            _ => Kind::UpperBound,
        }
    }

    /// Whether p-values of decoys may lie above uniform ones by construction, so that only too many small ones count against them.
    #[must_use]
    pub fn one_sided(&self) -> bool {
        let bound = match &self.null {
            Null::List { .. } | Null::Pair { .. } | Null::Layers { weights: Some(_), .. } => true,
            // A generator of few steps stays below the exponential, which many windows show.
            Null::Exponential { shift } => *shift > 0.0,
            _ => false,
        };
        bound || self.shifts.is_some()
    }

    /// ln p of a statistic over `n` windows. (Over fewer windows than [`Law::shifted`] counted, as along a curve, bits are taken as
    /// independent: a curve is looked at, no verdict rests on it.)
    #[must_use]
    pub fn ln_p(&self, n: u64, statistic: f64) -> f64 {
        if n == 0 {
            return 0.0;
        }
        if let Some(shifts) = self.shifts.as_ref().filter(|shifts| shifts.windows == n) {
            return stats::ln_copies_upper(statistic, &shifts.ones, &self.weights());
        }
        match &self.null {
            Null::Coin { share } => stats::ln_binomial_upper(statistic as u64, n, *share),
            Null::OneList { list, vocab } => {
                stats::ln_hypergeometric_upper(statistic as u64, u64::from(*vocab), u64::from(*list), n)
            }
            Null::List { list, vocab } => {
                stats::ln_binomial_upper(statistic as u64, n, f64::from(*list) / f64::from(*vocab))
            }
            Null::Exponential { shift } => stats::ln_gamma_upper(n as f64, (statistic - n as f64 * shift).max(0.0)),
            Null::Pair { alpha, shift } => stats::ln_pair_upper(statistic, n, *alpha, *shift),
            Null::Layers { depth, share, weights: None } => {
                stats::ln_binomial_upper(statistic as u64, n * u64::from(*depth), *share)
            }
            Null::Layers { share, weights: Some(weights), .. } => {
                let layer = |&weight: &f64| stats::Layer { windows: n, weight, share: *share };
                stats::ln_layers_upper(statistic, &weights.iter().map(layer).collect::<Vec<_>>())
            }
        }
    }

    /// ln of an e-value of the same statistic: a mixture of likelihood ratios against marks of a thousandth to half the full strength.
    ///
    /// * Null: values of windows are independent, so there is at most one window for each seed. Under it the mean is at most 1, whenever one
    ///   stops looking, so evidence may be looked at while it comes in.
    /// * None where the law is not one of independent windows ([`Null::OneList`]).
    /// * Source: Grünwald et al. 2024, "Safe testing", section 1.3 (mixtures); Ville's inequality for stopping.
    #[must_use]
    pub fn ln_e(&self, n: u64, statistic: f64) -> Option<f64> {
        if self.shifts.is_some() {
            return None;
        }
        // ln e = λ S − n K(λ), with K the logarithm of the mean of e^(λ value) under the null, or more.
        let coin = |share: f64, raised: f64| {
            let lambda = libm::log(raised * (1.0 - share) / (share * (1.0 - raised)));
            (lambda, libm::log1p(share * libm::expm1(lambda)))
        };
        let tilted = |strength: f64| -> Option<(f64, f64)> {
            Some(match &self.null {
                Null::Coin { share } => coin(*share, share + strength * (1.0 - share)),
                Null::List { list, vocab } => {
                    let share = f64::from(*list) / f64::from(*vocab);
                    coin(share, share + strength * (1.0 - share))
                }
                Null::Exponential { shift } => {
                    let lambda = strength / (1.0 + strength);
                    (lambda, lambda * shift - libm::log1p(-lambda))
                }
                Null::Pair { alpha, shift } => {
                    let lambda = strength / (1.0 + strength);
                    let one = |weight: f64| -libm::log1p(-lambda * weight);
                    (lambda, lambda * shift + one(1.0 - alpha) + one(*alpha))
                }
                Null::Layers { depth, share, weights: None } => {
                    let (lambda, k) = coin(*share, share + strength * (1.0 - share) / 2.0);
                    (lambda, k * f64::from(*depth))
                }
                Null::Layers { share, weights: Some(weights), .. } => {
                    let lambda = coin(*share, share + strength * (1.0 - share) / 2.0).0;
                    (lambda, weights.iter().map(|w| libm::log1p(share * libm::expm1(lambda * w))).sum())
                }
                Null::OneList { .. } => return None,
            })
        };
        let strengths = (1..=10).map(|power| libm::exp2(-f64::from(power)));
        let each: Option<Vec<f64>> =
            strengths.map(|s| tilted(s).map(|(lambda, k)| lambda * statistic - n as f64 * k)).collect();
        each.map(|each| stats::ln_mean(&each))
    }

    /// ln p with the statistic's own probability taken by a share `u` in [0, 1): uniform under the null where the law is discrete.
    #[must_use]
    pub fn ln_randomised(&self, n: u64, statistic: f64, u: f64) -> f64 {
        let whole = matches!(
            &self.null,
            Null::Coin { .. } | Null::List { .. } | Null::OneList { .. } | Null::Layers { weights: None, .. }
        );
        let at = self.ln_p(n, statistic);
        if !whole || n == 0 || self.shifts.is_some() {
            return at;
        }
        // P(X > k) + u P(X = k) = (1 − u) P(X > k) + u P(X ≥ k).
        stats::ln_randomised(self.ln_p(n, statistic + 1.0) + libm::log1p(-u), at, u)
    }

    /// The statistic's mean under the null.
    #[must_use]
    pub fn expected(&self, n: u64) -> f64 {
        let n = n as f64;
        match &self.null {
            Null::Coin { share } => n * share,
            Null::List { list, vocab } | Null::OneList { list, vocab } => n * f64::from(*list) / f64::from(*vocab),
            Null::Exponential { .. } | Null::Pair { .. } => n,
            Null::Layers { depth, share, weights: None } => n * share * f64::from(*depth),
            Null::Layers { share, weights: Some(weights), .. } => n * share * weights.iter().sum::<f64>(),
        }
    }

    /// An interval of the rate (hits a window, mean score, share of ones) at `level`, and the rate itself. For weighted layers and
    /// blended scores it rests on the normal law; elsewhere it is exact.
    #[must_use]
    pub fn interval(&self, n: u64, statistic: f64, level: f64) -> (f64, Option<[f64; 2]>) {
        if n == 0 {
            return (0.0, None);
        }
        let rate = statistic / n as f64;
        let normal = |rate: f64, variance: f64| {
            let z = 1.959_963_984_540_054 * (variance / n as f64).sqrt();
            (rate, Some([rate - z, rate + z]))
        };
        match &self.null {
            Null::Coin { .. } | Null::List { .. } | Null::OneList { .. } => {
                let (low, high) = stats::proportion_interval(statistic as u64, n, level);
                (rate, Some([low, high]))
            }
            Null::Exponential { .. } => {
                let (low, high) = stats::exponential_mean_interval(statistic, n, level);
                (rate, Some([low, high]))
            }
            Null::Pair { alpha, .. } => normal(rate, (1.0 - alpha).powi(2) + alpha.powi(2)),
            Null::Layers { depth, weights: None, .. } => {
                let bits = n * u64::from(*depth);
                let (low, high) = stats::proportion_interval(statistic as u64, bits, level);
                (statistic / bits as f64, Some([low, high]))
            }
            Null::Layers { share, weights: Some(weights), .. } => {
                let total: f64 = weights.iter().sum();
                let squares: f64 = weights.iter().map(|w| w * w).sum();
                normal(rate / total, share * (1.0 - share) * squares / (total * total))
            }
        }
    }

    /// Chance that a mark of this `strength` gives p ≤ e^`ln_alpha` over `n` windows. Strength s raises the chance of green by s of the
    /// way to 1, a mean score by s, the share of ones by s/4 (a tournament of two leaves between many equal tokens raises it by ¼).
    #[must_use]
    pub fn power(&self, n: u64, strength: f64, ln_alpha: f64) -> f64 {
        if n == 0 {
            return 0.0;
        }
        if let Some(shifts) = &self.shifts {
            // By the normal law: the Chernoff bound asks for √(2 ln 1/α) standard deviations.
            let weights = self.weights();
            let raised = n as f64 * strength / 4.0 * weights.iter().sum::<f64>();
            let deviation = (shifts.variance * weights.iter().map(|w| w * w).sum::<f64>()).sqrt().max(1e-9);
            return libm::exp(stats::ln_normal_sf((-2.0 * ln_alpha).sqrt() - raised / deviation));
        }
        match &self.null {
            Null::Coin { share } => stats::binomial_power(n, *share, share + strength * (1.0 - share), ln_alpha),
            Null::List { list, vocab } | Null::OneList { list, vocab } => {
                let share = f64::from(*list) / f64::from(*vocab);
                stats::binomial_power(n, share, share + strength * (1.0 - share), ln_alpha)
            }
            Null::Layers { depth, share, .. } => {
                stats::binomial_power(n * u64::from(*depth), *share, share + strength / 4.0, ln_alpha)
            }
            Null::Exponential { .. } => stats::gamma_power(n, 1.0 + strength, 1.0, ln_alpha),
            Null::Pair { alpha, .. } => {
                // The blend is taken as fewer scores of its own spread.
                let effective = n as f64 / ((1.0 - alpha).powi(2) + alpha.powi(2));
                stats::gamma_power(effective as u64, 1.0 + strength, 1.0, ln_alpha)
            }
        }
    }

    /// What one window of a mark of this `strength` tells on average, in bits: the divergence of its value's law under the mark from the null
    /// (Kullback and Leibler 1951). Strength is that of [`Law::power`]; a blend of two scores counts as one, and weights of layers as alike.
    #[must_use]
    pub fn bits(&self, strength: f64) -> f64 {
        let part = |p: f64, q: f64| if p > 0.0 { p * libm::log2(p / q) } else { 0.0 };
        let coin = |share: f64, raised: f64| part(raised, share) + part(1.0 - raised, 1.0 - share);
        let green = |share: f64| coin(share, share + strength * (1.0 - share));
        match &self.null {
            Null::Coin { share } => green(*share),
            Null::List { list, vocab } | Null::OneList { list, vocab } => green(f64::from(*list) / f64::from(*vocab)),
            Null::Layers { depth, share, .. } => f64::from(*depth) * coin(*share, share + strength / 4.0),
            Null::Exponential { .. } | Null::Pair { .. } => (strength - libm::log1p(strength)) / std::f64::consts::LN_2,
        }
    }
}
