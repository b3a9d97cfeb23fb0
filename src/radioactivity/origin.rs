//! Who wrote the answers: the marked model itself, or somebody who learned the mark from what was served?
//!
//! Who has the key marks every context; who learned the mark, a student as well as a forger, knows it only in contexts that it has read. So
//! two numbers stand beside a small p, both over the suspect's windows by whether any given set holds their contexts:
//!
//! * *Outside the sets*: the test itself. Null hypothesis: the suspect knows of the key no more than those sets hold. A small p says that the mark
//!   was not learned from these sets alone: the answers are our own model's (a proxy), or other text of ours was learned, too. It does not say that the sets
//!   were not learned.
//! * *More inside than outside*, copied runs left out: is the mean statistic of windows inside larger? Null hypothesis: contexts in the sets are marked no more than
//!   others, as in text that was written under the key, where often used contexts are if anything marked less, since they leave less choice. A
//!   small p says that the mark was learned there, or that copies too short to be told stand there. Welch's statistic with a normal tail: a description, good from some hundred windows of either kind on.
//!
//! Weakness: a student and a forger of the same text cannot be told from each other by either; a forger that names a ring must have had that ring's
//! harvest. Nothing is said where several contexts share a seed, as then a mark that was learned in one shows in others; of several payloads the first
//! number is of the one that the test found, and there is no second. Source: Gloaguen et al. 2025, "Discovering spoofing attempts on language model watermarks" (learned
//! marks correlate with what the forger has read; there estimated from the frequency of n-grams in other text, here known, since it was served).

use super::attribute::values;
use super::evidence::Read;
use super::{Config, Tested};
use crate::detect::Test;
use crate::detect::decoys::LOG10_E;
use crate::detect::windows::Seen;
use crate::error::Result;
use crate::stats;
use serde::Serialize;

/// Fewest windows of either kind for the second number.
const LEAST: usize = 100;

/// What the windows outside of all given sets say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Origin {
    /// Distinct windows whose contexts no given set holds.
    pub windows: u64,
    /// Their statistic, a window.
    pub rate: f64,
    /// log10 p of the test over them alone.
    pub log10_p: f64,
    /// log10 p of "more inside than outside"; none where there are fewer than a hundred windows of either kind, where all of either have one
    /// value, or where there are several payloads.
    pub log10_p_learned: Option<f64>,
}

impl Origin {
    /// `held` says of each window whether a given set holds its context, `copied` whether it stands in a copied run; `payload` is the one that the
    /// test found.
    pub(super) fn new(
        test: &Test,
        suspect: &Read,
        (held, copied): (&[bool], Option<&[bool]>),
        payload: usize,
        config: &Config,
    ) -> Result<Option<Self>> {
        let traits = test.marker.traits();
        if traits.collapses {
            return Ok(None);
        }
        let seen = suspect.corpus.seen();
        let outside: Vec<Seen> = seen.iter().zip(held).filter(|(_, held)| !**held).map(|(seen, _)| *seen).collect();
        if outside.is_empty() {
            return Ok(None);
        }
        let scoring = suspect.scoring(config.bytes, &config.dir);
        let tested = Tested::new(test, &suspect.corpus, &outside, scoring, None)?;
        let tally = &tested.scored.tallies[payload];
        let (n, statistic) = (tally.scored(), tally.statistic());
        let learned = if traits.payloads == 1 {
            let mut values = values(test, suspect, scoring)?;
            values.iter_mut().zip(copied.into_iter().flatten()).filter(|of| *of.1).for_each(|of| *of.0 = f64::NAN);
            ln_more_inside(&values, held)
        } else {
            None
        };
        Ok(Some(Self {
            windows: n,
            rate: statistic / (n as f64).max(1.0),
            log10_p: tested.ln_ps[payload] * LOG10_E,
            log10_p_learned: learned.map(|ln_p| ln_p * LOG10_E),
        }))
    }

    /// In words.
    #[must_use]
    pub fn told(&self) -> String {
        let learned = self.log10_p_learned.map_or_else(
            || "inside and outside cannot be compared".to_owned(),
            |p| format!("that contexts in the sets are marked more than those outside has log10 p {p:.2}"),
        );
        format!(
            "outside of all given sets {} windows at rate {:.4}, log10 p {:.2}; {learned}",
            self.windows, self.rate, self.log10_p
        )
    }
}

/// ln p of a larger mean inside than outside; none where there are too few of either.
fn ln_more_inside(values: &[f64], held: &[bool]) -> Option<f64> {
    let of = |wanted: bool| {
        let of = || values.iter().zip(held).filter(move |(value, held)| **held == wanted && !value.is_nan());
        let n = of().count();
        let mean = of().map(|(value, _)| value).sum::<f64>() / n as f64;
        let square = of().map(|(value, _)| (value - mean) * (value - mean)).sum::<f64>() / (n as f64 - 1.0);
        (n >= LEAST).then_some((mean, square / n as f64))
    };
    let ((inside, inside_error), (outside, outside_error)) = (of(true)?, of(false)?);
    let error = libm::sqrt(inside_error + outside_error);
    (error > 0.0).then(|| stats::ln_normal_sf((inside - outside) / error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng as _, SeedableRng as _};

    #[test]
    fn the_comparison_is_welchs_and_uniform_under_the_null() {
        // SciPy 1.17: norm.sf of ttest_ind(inside, outside, equal_var=False).statistic, for values 0.5 + i·i mod 7 inside and i·i mod 5 outside.
        let values: Vec<f64> =
            (0..120).map(|i| 0.5 + f64::from(i * i % 7)).chain((0..150).map(|i| f64::from(i * i % 5))).collect();
        let held: Vec<bool> = (0..270).map(|i| i < 120).collect();
        let ln_p = ln_more_inside(&values, &held).expect("enough");
        assert!((ln_p.exp() - EXPECTED).abs() < 1e-12, "{}", ln_p.exp());
        assert_eq!(ln_more_inside(&values[..200], &held[..200]), None, "too few outside");
        assert_eq!(ln_more_inside(&[1.0; 270], &held), None, "nothing varies");
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        let small = (0..2000).filter(|_| {
            let values: Vec<f64> = (0..600).map(|_| f64::from(u8::from(rng.random::<f64>() < 0.25))).collect();
            let held: Vec<bool> = (0..600).map(|i| i % 3 == 0).collect();
            ln_more_inside(&values, &held).expect("enough") <= libm::log(0.05)
        });
        let small = small.count();
        assert!((70..=135).contains(&small), "{small} of 2000 at .05");
    }

    /// See the test.
    const EXPECTED: f64 = 0.005_282_475_404_937_55;
}
