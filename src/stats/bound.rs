//! Chernoff bounds by exponential tilting, for sums whose exact tail has no closed form: weighted bits, mixed exponentials.
//!
//! Why it is a bound: for every θ ≥ 0 the indicator of S ≥ s is at most e^(θ (S − s)), so P(S ≥ s) ≤ E e^(θ (S − s)) =
//! e^(K(θ) − θ s), with K the cumulant function of S. It holds at *any* tilt: the solver only chooses how close the bound is, and
//! the bound is evaluated at the tilt found. The rounding of that evaluation is bounded and added. Weakness: larger than the exact
//! tail by about θ σ √2π (three to thirty times at usual p). Guarantee: reported as p it is conservative; the same bits everywhere.

use super::special::{expm1_less, log1p_less};

/// A sum of independent bits of one weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layer {
    /// How many bits.
    pub windows: u64,
    /// What each adds when it is one; of either sign.
    pub weight: f64,
    /// The chance of a one.
    pub share: f64,
}

/// An upper bound of ln P(S ≥ sum) for S = Σ weight · (ones of `windows` independent bits of `share`), over all `layers`.
///
/// * Null: independent bits with the shares given. A proven upper bound, not exact; where all weights are equal use
///   [`super::ln_binomial_upper`].
/// * Range: 0 at or below the mean, −∞ above the greatest possible sum; NaN for a NaN, or a share outside [0, 1].
/// * Source: Chernoff 1952; cumulant n ln(1 + share (e^(θ weight) − 1)) a layer.
///
/// # Example
/// ```
/// use stillhunt::stats::{Layer, ln_binomial_upper, ln_layers_upper};
/// let layer = Layer { windows: 1000, weight: 1.0, share: 0.5 };
/// let (bound, exact) = (ln_layers_upper(600.0, &[layer]), ln_binomial_upper(600, 1000, 0.5));
/// assert!(exact < bound && bound < exact + 3.0);
/// ```
#[must_use]
pub fn ln_layers_upper(sum: f64, layers: &[Layer]) -> f64 {
    let valid = |layer: &Layer| (0.0..=1.0).contains(&layer.share) && layer.weight.is_finite();
    if sum.is_nan() || !layers.iter().all(valid) {
        return f64::NAN;
    }
    let total =
        |each: &dyn Fn(&Layer) -> f64| layers.iter().map(|layer| layer.windows as f64 * each(layer)).sum::<f64>();
    let mean = total(&|layer| layer.weight * layer.share);
    let most = total(&|layer| layer.weight.max(0.0));
    let size = total(&|layer| layer.weight.abs());
    // Sums on either side were rounded; a sum on the border counts as inside.
    let unit = (layers.len() as f64 + 8.0) * f64::EPSILON;
    if sum <= mean {
        return 0.0;
    }
    if sum > most + unit * size {
        return f64::NEG_INFINITY;
    }
    let tilted = |layer: &Layer, tilt: f64| {
        let odds = (1.0 - layer.share) / layer.share * libm::exp(-tilt * layer.weight);
        (1.0 / (1.0 + odds), 1.0 / (1.0 + 1.0 / odds))
    };
    let slope = |tilt: f64| {
        let mean = total(&|layer| layer.weight * tilted(layer, tilt).0);
        let (hit, miss) = (|layer: &Layer| tilted(layer, tilt).0, |layer: &Layer| tilted(layer, tilt).1);
        (mean - sum, total(&|layer| layer.weight * layer.weight * hit(layer) * miss(layer)))
    };
    let tilt = solve(slope, f64::INFINITY);
    let widest = layers.iter().map(|layer| (tilt * layer.weight).abs()).fold(0.0, f64::max);
    let (cumulant, rest, reach) = if widest <= 0.5 {
        // Around the mean, so that nothing of the size of the sum cancels.
        let centred = |layer: &Layer| {
            let x = tilt * layer.weight;
            (log1p_less(layer.share * libm::expm1(x)), layer.share * expm1_less(x))
        };
        let part = |layer: &Layer| centred(layer).0 + centred(layer).1;
        let size = total(&|layer| centred(layer).1 - centred(layer).0);
        (total(&part), sum - mean, size)
    } else {
        // Around the greatest sum: every term is negative.
        let part = |layer: &Layer| {
            let (share, x) =
                (if layer.weight < 0.0 { 1.0 - layer.share } else { layer.share }, (tilt * layer.weight).abs());
            libm::log(share + (1.0 - share) * libm::exp(-x))
        };
        (total(&part), sum - most, layers.iter().map(|layer| layer.windows as f64).sum::<f64>() - total(&part))
    };
    let rounding = unit * (reach + tilt * (sum.abs() + size));
    (cumulant - tilt * rest + rounding).min(0.0)
}

/// An upper bound of ln P(S ≥ sum) for S = Σ weight · X over `weights` ≥ 0, the X independent copies of a variable on a finite set, given as
/// `law`: (value, how often), in any order.
///
/// * Null: the law as given. A proven upper bound, not exact. It holds also where the copies are negatively associated (drawn without
///   replacement), since their product moments are then at most those of independent ones (Joag-Dev and Proschan 1983).
/// * Range: 0 at or below the mean; NaN for an empty law. Costs `weights` × `law` exponentials a step of the solver, once where all
///   weights are equal.
/// * Source: Chernoff 1952.
///
/// # Example
/// ```
/// use stillhunt::stats::{ln_binomial_upper, ln_copies_upper};
/// let bound = ln_copies_upper(600.0, &[(0.0, 1.0), (1.0, 1.0)], &[1.0; 1000]);
/// let exact = ln_binomial_upper(600, 1000, 0.5);
/// assert!(exact < bound && bound < exact + 3.0);
/// ```
#[must_use]
pub fn ln_copies_upper(sum: f64, law: &[(f64, f64)], weights: &[f64]) -> f64 {
    let total: f64 = law.iter().map(|(_, often)| often).sum();
    if total.is_nan() || total <= 0.0 || sum.is_nan() {
        return f64::NAN;
    }
    let mean = law.iter().map(|(value, often)| value * often).sum::<f64>() / total;
    let size: f64 = weights.iter().sum();
    let over = (-size).mul_add(mean, sum);
    if over <= 0.0 {
        return 0.0;
    }
    // Layers of one weight share their terms.
    let mut each: Vec<(f64, f64)> = Vec::new();
    for weight in weights {
        match each.iter_mut().find(|(other, _)| other == weight) {
            Some((_, n)) => *n += 1.0,
            None => each.push((*weight, 1.0)),
        }
    }
    // ln E e^(θ w (X − mean)), with its first two derivatives in θ.
    let cumulant = |tilt: f64, weight: f64| {
        let most = law.iter().map(|(value, _)| tilt * weight * (value - mean)).fold(f64::NEG_INFINITY, f64::max);
        let (mut zeroth, mut first, mut second) = (0.0, 0.0, 0.0);
        for (value, often) in law {
            let x = weight * (value - mean);
            let part = often * libm::exp(tilt * x - most);
            zeroth += part;
            first += part * x;
            second += part * x * x;
        }
        let slope = first / zeroth;
        (most + libm::log(zeroth / total), slope, second / zeroth - slope * slope)
    };
    let slope = |tilt: f64| {
        let parts = each.iter().map(|&(weight, n)| (cumulant(tilt, weight), n));
        parts.fold((-over, 0.0), |(slope, curve), ((_, one, two), n)| (slope + n * one, curve + n * two))
    };
    let tilt = solve(slope, f64::INFINITY);
    let sum: f64 = each.iter().map(|&(weight, n)| n * cumulant(tilt, weight).0).sum();
    // What rounding can have taken from the terms is given back.
    let rounding = 1e-12 * (1.0 + sum.abs() + (tilt * over).abs());
    (sum - tilt * over + rounding).min(0.0)
}

/// An upper bound of ln P(S ≥ sum) for S a sum over `n` windows of (1 − a) E + a E′ + shift, E and E′ independent Exp(1):
/// two Gumbel scores fused.
///
/// * Null: all 2 n scores independent Exp(1). A proven upper bound, not exact; at a = 0 and 1 use [`super::ln_gamma_upper`].
/// * Range: `a` in [0, 1] and finite arguments, else NaN; 0 at or below the mean n (1 + shift).
/// * Source: Chernoff 1952; cumulant −n (ln(1 − (1 − a) θ) + ln(1 − a θ)) at shift 0.
#[must_use]
pub fn ln_pair_upper(sum: f64, n: u64, a: f64, shift: f64) -> f64 {
    if !(0.0..=1.0).contains(&a) || !sum.is_finite() || !shift.is_finite() {
        return f64::NAN;
    }
    let windows = n as f64;
    let over = libm::fma(-windows, shift, sum) - windows;
    if over <= 0.0 {
        return 0.0;
    }
    if n == 0 {
        return f64::NEG_INFINITY;
    }
    let parts = [1.0 - a, a];
    let slope = |tilt: f64| {
        let grown = parts.map(|part| part / (1.0 - part * tilt));
        (windows * (grown[0] + grown[1] - 1.0) - over, windows * (grown[0] * grown[0] + grown[1] * grown[1]))
    };
    let tilt = solve(slope, 1.0 / a.max(1.0 - a));
    let cumulant = -windows * parts.iter().map(|part| log1p_less(-part * tilt)).sum::<f64>();
    let near = 1.0 - tilt * a.max(1.0 - a);
    let rounding =
        16.0 * f64::EPSILON * (cumulant + windows / near + tilt * (sum.abs() + windows * (1.0 + shift.abs())));
    (cumulant - tilt * over + rounding).min(0.0)
}

/// A tilt in (0, cap) where `slope`, the derivative of K(θ) − θ s and the derivative of that, is about zero: Newton's steps, kept
/// inside a bracket. An inexact answer is an answer: see the head of this file.
fn solve(slope: impl Fn(f64) -> (f64, f64), cap: f64) -> f64 {
    let (mut low, mut high) = (0.0, cap);
    let (gap, curvature) = slope(0.0);
    let mut tilt = inside(-gap / curvature, low, high);
    for _ in 0..80 {
        let (gap, curvature) = slope(tilt);
        if gap < 0.0 {
            low = tilt;
        } else {
            high = tilt;
        }
        let step = -gap / curvature;
        // What a further step could still lower the bound by.
        if gap == 0.0 || (step * gap).abs() < 1e-12 {
            break;
        }
        let next = inside(tilt + step, low, high);
        if next == tilt {
            break;
        }
        tilt = next;
    }
    tilt
}

/// `tilt` if it is between, else a point that is; never more than eight times the lower end where there is no upper one.
fn inside(tilt: f64, low: f64, high: f64) -> f64 {
    let limit = if high == f64::INFINITY && low > 0.0 { 8.0 * low } else { high };
    if tilt > low && tilt < limit {
        tilt
    } else if limit.is_finite() {
        low + (limit - low) / 2.0
    } else {
        1.0
    }
}
