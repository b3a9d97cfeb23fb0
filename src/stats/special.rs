//! The few special functions under the tails: each small, without cancellation, from `libm` and exact arithmetic only.
//!
//! The idea: a tail is a point (or density) times an integral, and both are written with ln(1 + x) − x, whose terms all have one
//! sign; what would cancel, the distance from the mean, is handed in exactly. Weakness: nothing here checks its arguments.
//! Guarantee: the same bits on every machine (addition, multiplication, division, roots and fused products are exact to rounding
//! by IEEE 754, transcendental functions come from `libm`).

use std::f64::consts::{LN_2, PI};

/// ln(1 + x) − x, to a few units in the last place; never positive. Range: x > −1.
pub(super) fn log1p_less(x: f64) -> f64 {
    if !(-0.5..=0.7).contains(&x) {
        return libm::log1p(x) - x;
    }
    // ln(1 + x) = 2 artanh(r) at r = x / (2 + x), and 2 r − x = −r x.
    let r = x / (2.0 + x);
    let square = r * r;
    let (mut power, mut odd, mut sum) = (1.0, 3.0, 1.0 / 3.0);
    loop {
        power *= square;
        odd += 2.0;
        let term = power / odd;
        sum += term;
        if term < 1e-17 {
            return r * (2.0 * square * sum - x);
        }
    }
}

/// eˣ − 1 − x, to a few units in the last place; never negative.
pub(super) fn expm1_less(x: f64) -> f64 {
    if x.abs() > 0.5 {
        return libm::expm1(x) - x;
    }
    let (mut term, mut k, mut sum) = (x * x / 2.0, 2.0, x * x / 2.0);
    while term.abs() > 1e-17 * sum {
        k += 1.0;
        term *= x / k;
        sum += term;
    }
    sum
}

/// ln(1 − eᵃ) for a ≤ 0, without cancellation at either end.
pub(super) fn ln_complement(a: f64) -> f64 {
    if a > -LN_2 { libm::log(-libm::expm1(a)) } else { libm::log1p(-libm::exp(a)) }
}

/// ln(eᵃ + eᵇ).
pub(super) fn ln_add(a: f64, b: f64) -> f64 {
    let (most, least) = if a >= b { (a, b) } else { (b, a) };
    if most == f64::NEG_INFINITY { most } else { most + libm::log1p(libm::exp(least - most)) }
}

/// ln Γ(x + 1) less its Stirling approximation (x + ½) ln x − x + ½ ln 2π, for x > 0; absolute error below 1e-14 for x ≥ 1e-3.
pub(super) fn stirling_error(x: f64) -> f64 {
    let mut shift = 0.0;
    let mut x = x;
    while x < 16.0 {
        shift += (x + 0.5) * libm::log1p(1.0 / x) - 1.0;
        x += 1.0;
    }
    const SERIES: [f64; 7] =
        [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0, 1.0 / 156.0];
    let inverse = 1.0 / (x * x);
    shift + SERIES.iter().rev().fold(0.0, |sum, term| sum * inverse + term) / x
}

/// x ln(x / mean) + mean − x, where `less` = mean − x is given exactly; never negative (Loader 2000 calls it the deviance).
pub(super) fn deviance(x: f64, mean: f64, less: f64) -> f64 {
    if x == 0.0 {
        return mean;
    }
    let y = less / x;
    if y < -0.5 { x * (y - libm::log(mean / x)) } else { -x * log1p_less(y) }
}

/// ln of xᵃ e⁻ˣ / Γ(a + 1): a Poisson point, for real a > 0 and x > 0.
pub(super) fn ln_poisson_point(a: f64, x: f64) -> f64 {
    -deviance(a, x, x - a) - stirling_error(a) - 0.5 * libm::log(2.0 * PI * a)
}

/// ∫ exp(−h(s)) ds over s ≥ 0 (to s = 1 where `falling` > 0), with
/// h(s) = slope s − falling (ln(1 − s) + s) − rising (ln(1 + ratio s) − ratio s), slope ≥ 0.
///
/// All terms of h have one sign. Exact to about 1e-15, given that falling + rising ratio² is 100 or more: then h leaves the
/// integral before a singularity is near, and forty Gauss–Legendre points between h = 0 and h = 42 are far more than it needs.
pub(super) fn tail_integral(slope: f64, falling: f64, rising: f64, ratio: f64) -> f64 {
    const END: f64 = 42.0;
    let h = |s: f64| {
        let left = if falling > 0.0 { falling * log1p_less(-s) } else { 0.0 };
        let right = if rising > 0.0 { rising * log1p_less(ratio * s) } else { 0.0 };
        slope * s - left - right
    };
    let curvature = falling + rising * ratio * ratio;
    let mut end = 2.0 * END / (slope + (slope * slope + 2.0 * curvature * END).sqrt());
    for _ in 0..8 {
        if falling > 0.0 {
            end = end.min(0.999);
        }
        let miss = h(end) - END;
        if miss.abs() < 2.0 {
            break;
        }
        let growth = slope + falling * end / (1.0 - end) + rising * ratio * ratio * end / (1.0 + ratio * end);
        end = (end - miss / growth).max(end / 4.0);
    }
    let half = end / 2.0;
    half * LEGENDRE.iter().fold(0.0, |sum, &(at, weight)| {
        sum + weight * (libm::exp(-h(half * (1.0 - at))) + libm::exp(-h(half * (1.0 + at))))
    })
}

/// Positive nodes and weights of the Gauss–Legendre rule of forty points, computed with forty digits.
const LEGENDRE: [(f64, f64); 20] = [
    (0.9982377097105593, 0.004521277098533191),
    (0.990726238699457, 0.010498284531152813),
    (0.9772599499837743, 0.01642105838190789),
    (0.9579168192137917, 0.02224584919416696),
    (0.9328128082786765, 0.0279370069800234),
    (0.9020988069688743, 0.033460195282547844),
    (0.8659595032122595, 0.038782167974472016),
    (0.8246122308333117, 0.04387090818567327),
    (0.7783056514265194, 0.04869580763507223),
    (0.7273182551899271, 0.05322784698393682),
    (0.6719566846141796, 0.05743976909939155),
    (0.6125538896679802, 0.06130624249292894),
    (0.5494671250951282, 0.06480401345660104),
    (0.4830758016861787, 0.0679120458152339),
    (0.413779204371605, 0.07061164739128678),
    (0.3419940908257585, 0.07288658239580406),
    (0.2681521850072537, 0.07472316905796826),
    (0.1926975807013711, 0.07611036190062624),
    (0.11608407067525521, 0.07703981816424797),
    (0.03877241750605082, 0.0775059479784248),
];
