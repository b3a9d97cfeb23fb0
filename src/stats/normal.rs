//! The tail of the normal distribution in natural-log space, for comparison with references that report z.
//!
//! Weakness: a z-score of a count is itself an approximation; report the exact tail. Guarantee: no floor, the same bits everywhere.

use super::special::ln_complement;
use std::f64::consts::{PI, SQRT_2};

/// ln P(Z ≥ z) for Z standard normal.
///
/// * Exact: relative error below 1e-13, at either end. Range: any z; NaN for NaN.
/// * Source: `libm` erfc to z = 5, then Laplace's continued fraction (DLMF 7.9.1).
///
/// # Example
/// ```
/// assert!((stillhunt::stats::ln_normal_sf(1000.0) / std::f64::consts::LN_10 + 217150.64004199438).abs() < 1e-7);
/// ```
#[must_use]
pub fn ln_normal_sf(z: f64) -> f64 {
    if z < 0.0 {
        return ln_complement(ln_normal_sf(-z));
    }
    if z < 5.0 {
        return libm::log(libm::erfc(z / SQRT_2) / 2.0);
    }
    if z == f64::INFINITY {
        return f64::NEG_INFINITY;
    }
    // P(Z ≥ z) over the density at z: 1 / (z + 1 / (z + 2 / (z + 3 / (z + …)))).
    let mills = (1..=80).rev().fold(z, |rest, k| z + f64::from(k) / rest);
    -0.5 * z * z - 0.5 * libm::log(2.0 * PI) - libm::log(mills)
}
