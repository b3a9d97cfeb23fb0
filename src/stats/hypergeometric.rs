//! The tail of the hypergeometric distribution in natural-log space: hits among draws without replacement.
//!
//! The idea: the point as a quotient of three binomial points (Loader), the tail by the ratio of neighbours. Weakness: the sum is
//! as long as a few standard deviations, so a population of 1e9 costs a millisecond. Guarantee: no floor, the same bits everywhere.

use super::binomial::ln_point;
use super::special::ln_complement;

/// ln P(X ≥ k) for X the marked among `draws` of a `population`, of which `marked` are marked.
///
/// * Null: the draws are a random subset. Exact: relative error of ln P below 1e-12 for a population to 1e9.
/// * Range: `marked` and `draws` at most `population`, else NaN; 0 where k is at most the least possible, −∞ beyond the most.
/// * Source: Loader 2000; equals `scipy.stats.hypergeom.logsf` and enumeration.
///
/// # Example
/// ```
/// // Three of the three marked in ten, drawing five: C(7, 2) / C(10, 5).
/// assert!((stillhunt::stats::ln_hypergeometric_upper(3, 10, 3, 5) - (21.0f64 / 252.0).ln()).abs() < 1e-14);
/// ```
#[must_use]
pub fn ln_hypergeometric_upper(k: u64, population: u64, marked: u64, draws: u64) -> f64 {
    if marked > population || draws > population {
        return f64::NAN;
    }
    let plain = population - marked;
    if k <= draws.saturating_sub(plain) {
        return 0.0;
    }
    if k > marked.min(draws) {
        return f64::NEG_INFINITY;
    }
    let urn = Urn { marked, plain, draws };
    let above = urn.beyond(k) >= 0.0;
    let first = if above { urn.upper(k) } else { urn.lower(k - 1) };
    let ln = match (above, first < -0.6) {
        (true, true) => first,
        (false, true) => ln_complement(first),
        (true, false) => ln_complement(urn.lower(k - 1)),
        (false, false) => urn.upper(k),
    };
    ln.min(0.0)
}

struct Urn {
    marked: u64,
    plain: u64,
    draws: u64,
}

impl Urn {
    /// k less its mean, rounded once: the numerator is a whole number.
    fn beyond(&self, k: u64) -> f64 {
        let population = i128::from(self.marked) + i128::from(self.plain);
        let over = i128::from(k) * population - i128::from(self.marked) * i128::from(self.draws);
        over as f64 / population as f64
    }

    /// ln P(X = k), for a possible k.
    fn point(&self, k: u64) -> f64 {
        let population = self.marked + self.plain;
        let (share, rest) =
            (self.draws as f64 / population as f64, (population - self.draws) as f64 / population as f64);
        let beyond = self.beyond(k);
        ln_point(k, self.marked, share, rest, beyond) + ln_point(self.draws - k, self.plain, share, rest, -beyond)
            - ln_point(self.draws, population, share, rest, 0.0)
    }

    /// ln P(X ≥ k).
    fn upper(&self, k: u64) -> f64 {
        let rest = |at: u64| (self.plain + at + 1 - self.draws) as f64;
        let ratio = |at: u64| (self.marked - at) as f64 / (at + 1) as f64 * ((self.draws - at) as f64 / rest(at));
        let (mut term, mut sum, mut at) = (1.0, 1.0, k);
        while at < self.marked.min(self.draws) && term > 1e-18 * sum {
            term *= ratio(at);
            sum += term;
            at += 1;
        }
        self.point(k) + libm::log(sum)
    }

    /// ln P(X ≤ k).
    fn lower(&self, k: u64) -> f64 {
        let rest = |at: u64| (self.plain + at - self.draws) as f64;
        let ratio = |at: u64| at as f64 / (self.marked - at + 1) as f64 * (rest(at) / (self.draws - at + 1) as f64);
        let (mut term, mut sum, mut at) = (1.0, 1.0, k);
        while at > self.draws.saturating_sub(self.plain) && term > 1e-18 * sum {
            term *= ratio(at);
            sum += term;
            at -= 1;
        }
        self.point(k) + libm::log(sum)
    }
}
