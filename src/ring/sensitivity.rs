//! Whether the finding of a group stands where something in its test is changed.
//!
//! The idea: every evidence rests on choices that somebody made when the test was built. So the whole test is done again with one of them changed: without the
//! text that says most on each day, with a null that knows no interests, with a null whose neighbourhoods are sixteen in place of hundreds, with one in which what is popular depends on
//! the kind of account (plan, whether it pays, month of registration). All groups
//! of a day are chosen again among each other by the same rule, and a group stands under a change if it is confirmed under it too. Weakness: groups are not proposed
//! again, and one without evidence in the true test counts as one without under a change as well, which makes it a little harder to stand. Guarantee: the same data,
//! the same rule and the same error rate as the true test; a change never makes or unmakes a ring, it is only told.

use super::day::{Day, EVERYWHERE};
use super::interests::Interests;
use super::null::Null;
use crate::stats::ln_mean;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Change {
    /// On each day the text that says most counts as one that nobody of the group chose.
    TopText,
    /// The null knows how active accounts are and nothing of what they asked before.
    NoInterests,
    /// Neighbourhoods of text are sixteen large ones.
    Coarser,
    /// A family has a popularity of its own among accounts of each kind, as far as the provider knows kinds; asked where it does on every day.
    WithinStrata,
}

/// All changes, in the order in which their numbers are kept.
pub const CHANGES: [Change; 4] = [Change::TopText, Change::NoInterests, Change::Coarser, Change::WithinStrata];

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

    /// ln of the e-value that decides under a change, given by its place: the mean over so many horizons, those ahead as zero; −∞ where a day did not know what is asked.
    #[must_use]
    pub fn ln_decisive(&self, change: usize, horizons: usize) -> f64 {
        if self.ln_e[change] == f64::NEG_INFINITY {
            return f64::NEG_INFINITY;
        }
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

/// The nulls of a day under the changes of [`CHANGES`] from the second on; none where a day does not know what is asked.
pub(super) type Others = [Option<Null>; CHANGES.len() - 1];

/// Accounts of a kind, of which a stratum has at least so many; and strata of coarse and of fine kinds, at most.
const LEAST_OF_KIND: usize = 50;
const MOST_STRATA: [usize; 2] = [8, 24];

/// The stratum of each account of a day, in order: the commonest fine kinds are one each, then the commonest coarse kinds of those that are left, and whoever is left then, or of no known
/// kind, is in one together. None where no kind is known.
#[must_use]
pub fn strata(day: &Day) -> Option<Vec<u8>> {
    let kind = |account: u32| {
        let found = day.kinds.binary_search_by_key(&account, |(account, _)| *account);
        found.ok().map(|i| day.kinds[i].1)
    };
    let kinds: Vec<Option<[u64; 2]>> = day.accounts().into_iter().map(kind).collect();
    let mut of_each = vec![0u8; kinds.len()];
    let mut strata = 0;
    for level in [1, 0] {
        let mut having: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        let left = kinds.iter().enumerate().filter(|(place, _)| of_each[*place] == 0);
        for (place, kind) in left.filter_map(|(place, kind)| Some((place, (*kind)?[level]))) {
            having.entry(kind).or_default().push(place);
        }
        let mut common: Vec<Vec<usize>> = having.into_values().filter(|own| own.len() >= LEAST_OF_KIND).collect();
        common.sort_by_key(|own| (std::cmp::Reverse(own.len()), own[0]));
        for own in common.into_iter().take(MOST_STRATA[level]) {
            strata += 1;
            own.into_iter().for_each(|place| of_each[place] = strata);
        }
    }
    kinds.iter().any(Option::is_some).then_some(of_each)
}

/// The nulls of a day under each change.
#[must_use]
pub(super) fn nulls(day: &Day, interests: &Interests) -> Others {
    let without = || {
        let day = day.moved(&|_| EVERYWHERE);
        Null::fit(&day, Interests::default().of(&day))
    };
    let coarser = || {
        let large = |neighbourhood: u16| day.large.get(usize::from(neighbourhood)).copied().unwrap_or(EVERYWHERE);
        let moved = day.moved(&large);
        Null::fit(&moved, interests.moved(&large).of(&moved))
    };
    let within = || Some(Null::within(day, interests.of(day), strata(day)?));
    let ((without, coarser), within) = rayon::join(|| rayon::join(without, coarser), within);
    [Some(without), Some(coarser), within]
}
