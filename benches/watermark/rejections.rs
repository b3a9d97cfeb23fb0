//! How often a test under keys that were never used rejects, and whether that is the level it promises.

use stillhunt::stats;

/// Levels of all schemes; the last is for those with many keys.
pub(crate) const LEVELS: [f64; 3] = [0.05, 0.01, 0.001];

/// Rejections at one level.
pub(crate) struct Rejections {
    pub(crate) level: f64,
    pub(crate) hits: u64,
    pub(crate) keys: u64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// ln P(so many or more) where the level is kept exactly.
    pub(crate) ln_chance: f64,
}

impl Rejections {
    /// At one level.
    pub(crate) fn count(ln_p: &[f64], level: f64) -> Self {
        let (keys, ln_level) = (ln_p.len() as u64, libm::log(level));
        let hits = ln_p.iter().filter(|ln| **ln <= ln_level).count() as u64;
        let (low, high) = stats::proportion_interval(hits, keys, 0.95);
        Self { level, hits, keys, low, high, ln_chance: stats::ln_binomial_upper(hits, keys, level) }
    }

    /// The level is not below the interval of the rate.
    pub(crate) fn holds(&self) -> bool {
        self.level >= self.low
    }
}
