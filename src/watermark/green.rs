//! Green lists as torch makes them: the head (or tail) of a permutation of the vocabulary, seeded for each context.
//!
//! # The idea
//! A detector asks of few tokens whether they are on a list, a planter needs the list. Neither needs the permutation: see
//! [`super::torch`] and [`super::cuda`]. Many questions at once go through [`super::lanes`].
//!
//! Guarantee: [`Lists::values`] equals [`Lists::has`], unit for unit, in any order of units.

use super::cuda::Head;
use super::profile::Profile;
use super::{Unit, Value, lanes};
use crate::error::{Error, ErrorKind, Result};

/// Lists of one size over one vocabulary.
#[derive(Clone)]
pub struct Lists {
    profile: Profile,
    vocab: u32,
    size: u32,
    tail: bool,
    plan: std::sync::Arc<lanes::Plan>,
}

impl Lists {
    /// Lists of ⌊`vocab` · `ratio`⌋ tokens; the last ones of the permutation where `tail`.
    ///
    /// # Errors
    /// `Config` when that is none or all of the vocabulary.
    pub fn new(profile: Profile, vocab: u32, ratio: f64, tail: bool) -> Result<Self> {
        let size = (f64::from(vocab) * ratio) as u32;
        if size == 0 || size >= vocab {
            let expected = format!("expected a list of 1 to {} tokens, got one of {size}", vocab - 1);
            return Err(Error::new(ErrorKind::Config, expected));
        }
        let head = if tail { vocab - size } else { size };
        Ok(Self { profile, vocab, size, tail, plan: std::sync::Arc::new(lanes::Plan::new(vocab, head)) })
    }

    /// Tokens of a list.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Tokens in all.
    #[must_use]
    pub fn vocab(&self) -> u32 {
        self.vocab
    }

    /// Whose generator makes them.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// About how many draws decide one token.
    #[must_use]
    pub fn cost(&self) -> f64 {
        match self.profile {
            Profile::Cpu => f64::from(self.head()),
            Profile::Cuda(..) => f64::from(self.vocab),
        }
    }

    /// Places of the permutation that are followed.
    fn head(&self) -> u32 {
        if self.tail { self.vocab - self.size } else { self.size }
    }

    /// The list of a seed, in the order of the permutation.
    #[must_use]
    pub fn list(&self, seed: u64) -> Vec<u32> {
        if self.tail {
            return self.profile.randperm(seed, self.vocab).split_off(self.head() as usize);
        }
        self.profile.first(seed, self.vocab, self.size)
    }

    /// Whether `token` is on the list of a seed: plain, one at a time. No list has tokens outside the vocabulary.
    #[must_use]
    pub fn has(&self, seed: u64, token: u32) -> bool {
        token < self.vocab && self.profile.is_first(seed, self.vocab, self.head(), token) != self.tail
    }

    /// Appends whether each unit's token is on the list of its seed. Units of one seed are best in a row.
    pub fn values(&self, units: &[Unit], values: &mut Vec<Value>) {
        let mut hits = vec![false; units.len()];
        match self.profile {
            Profile::Cpu => self.plan.first(units, &mut hits),
            Profile::Cuda(device, _) => {
                let mut at = 0;
                for run in units.chunk_by(|a, b| a.seed == b.seed) {
                    let head = Head::new(device, run[0].seed as u64, self.vocab, self.head());
                    for (unit, hit) in run.iter().zip(&mut hits[at..]) {
                        *hit = unit.token < self.vocab && head.has(unit.token);
                    }
                    at += run.len();
                }
            }
        }
        values.extend(
            units.iter().zip(hits).map(|(unit, hit)| Value::Green(unit.token < self.vocab && hit != self.tail)),
        );
    }
}
