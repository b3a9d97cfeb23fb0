//! Whether the finding of a group stands where something in its test is changed.
//!
//! The idea: every evidence rests on choices that somebody made when the test was built. So the whole test is done again with one of them changed: without the
//! text that says most on each day, with a null that knows no interests, with a null whose neighbourhoods are sixteen in place of hundreds. All groups
//! of a day are chosen again among each other by the same rule, and a group stands under a change if it is confirmed under it too. Weakness: groups are not proposed
//! again, and one without evidence in the true test counts as one without under a change as well, which makes it a little harder to stand. Guarantee: the same data,
//! the same rule and the same error rate as the true test; a change never makes or unmakes a ring, it is only told.

use super::day::{Day, EVERYWHERE};
use super::interests::Interests;
use super::null::Null;
use crate::stats::ln_mean;
use serde::{Deserialize, Serialize};

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Change {
    /// On each day the text that says most counts as one that nobody of the group chose.
    TopText,
    /// The null knows how active accounts are and nothing of what they asked before.
    NoInterests,
    /// Neighbourhoods of text are sixteen large ones.
    Coarser,
}

/// All changes, in the order in which their numbers are kept.
pub const CHANGES: [Change; 3] = [Change::TopText, Change::NoInterests, Change::Coarser];

/// A number for each of [`CHANGES`].
pub type OfEach = [f64; CHANGES.len()];

/// The evidence of a group under each change, at the first affinity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Otherwise {
    /// ln E of the days since it was frozen.
    pub ln_e: OfEach,
    /// The same at each horizon that is reached.
    pub at_horizons: Vec<OfEach>,
    /// Whether it was confirmed.
    pub stands: [bool; CHANGES.len()],
}

impl Otherwise {
    /// Adds a day.
    pub(super) fn add(&mut self, of_day: OfEach) {
        self.ln_e.iter_mut().zip(of_day).for_each(|(all, of_day)| *all += of_day);
    }

    /// ln of the e-value that decides under a change, given by its place: the mean over so many horizons, those ahead as zero.
    #[must_use]
    pub fn ln_decisive(&self, change: usize, horizons: usize) -> f64 {
        let mut at: Vec<f64> = self.at_horizons.iter().map(|ln_e| ln_e[change]).collect();
        at.resize(horizons, f64::NEG_INFINITY);
        ln_mean(&at)
    }
}

/// What became of a ring's evidence under a change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// What was changed.
    pub change: Change,
    /// ln of the largest e-value of its groups.
    pub ln_e: f64,
    /// Whether one of its groups is confirmed.
    pub stands: bool,
}

/// The null of a day without interests, and that with large neighbourhoods, in the order of [`CHANGES`] from the second on.
#[must_use]
pub(super) fn nulls(day: &Day, interests: &Interests) -> [Null; 2] {
    let without = || {
        let day = day.moved(&|_| EVERYWHERE);
        Null::fit(&day, Interests::default().of(&day))
    };
    let coarser = || {
        let large = |neighbourhood: u16| day.large.get(usize::from(neighbourhood)).copied().unwrap_or(EVERYWHERE);
        let moved = day.moved(&large);
        Null::fit(&moved, interests.moved(&large).of(&moved))
    };
    let (without, coarser) = rayon::join(without, coarser);
    [without, coarser]
}
