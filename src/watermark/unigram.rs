//! `unigram`, dialect `unigram-watermark`: one green list for all text.
//!
//! # Algorithm
//! A mask of ⌊`fraction` · `vocab_size`⌋ ones, shuffled by numpy's `default_rng` seeded with the first 4 bytes of the SHA-256 of the key. Planting
//! adds `strength` to the logits of the ones.
//!
//! Source: Zhao et al. 2023, "Provable robust watermarking for AI-generated text"; Unigram-Watermark b96cdb4 with numpy 2.4.6
//! (`tests/golden/unigram.json`).
//!
//! # Wrong on purpose
//! As the reference: 32 bits decide the list, whatever the key.
//!
//! # Null
//! Given text that does not depend on the key, the list is a uniform choice of its size; each distinct token counts once, so hits are
//! hypergeometric. Exact. Assumes that numpy's shuffle is as good as random to the text.
//!
//! # What a negative does not show
//! That another key was not used. A text has few distinct tokens, and counted once they say little: a whole corpus has at most as many
//! units as the vocabulary.
//!
//! # When not to use it
//! Where anyone may study the output: the list shows in token frequencies, and 32 bits can be searched. It survives editing and
//! reordering better than any scheme with context; that is its only use.

use super::about::{About, Field, Opened, Secret};
use super::fields::Fields;
use super::numpy::Pcg64;
use super::sample::{Sampling, check_logits, warp};
use super::{Marked, Null, Once, Scheme, Shape, SoFar, Traits, Unit, Value, Windows, published};
use crate::error::{Error, ErrorKind, Result};
use sha2::{Digest as _, Sha256};
use statrs::distribution::{ContinuousCDF as _, Normal};

/// How `watermark schemes` shows it.
pub const ABOUT: About = About {
    scheme: "unigram",
    dialect: "unigram-watermark",
    source: "Zhao et al. 2023; Unigram-Watermark b96cdb4",
    fields: &[
        Field { name: "watermark_key", default: None, about: "the key, a whole number from -2^63 to 2^63 - 1" },
        Field { name: "fraction", default: Some("0.5"), about: "share of green tokens, 0.001 to 0.999" },
        Field { name: "strength", default: Some("2.0"), about: "added to the logits of green tokens, -100 to 100" },
        Field { name: "vocab_size", default: None, about: "width of the model's logits" },
    ],
    secret: &[("watermark_key", Secret::Int(63))],
    planted_by: "Unigram-Watermark's logits processor",
    faults: "one list for all text: it is learned from a few thousand tokens",
    open,
};

/// The scheme under one key.
#[derive(Clone)]
pub struct Unigram {
    mask: Vec<bool>,
    size: u32,
    fraction: f64,
    strength: f64,
}

/// The 32 bits that decide a list.
#[must_use]
pub fn seed(key: i64) -> u32 {
    let digest = Sha256::digest(key.to_le_bytes());
    u32::from_le_bytes(digest.first_chunk().copied().unwrap_or_default())
}

impl Unigram {
    /// The list of a key.
    ///
    /// # Errors
    /// `Config` when the list is none or all of the vocabulary.
    pub fn new(key: i64, fraction: f64, strength: f64, vocab: u32) -> Result<Self> {
        let size = (fraction * f64::from(vocab)) as u32;
        if size == 0 || size >= vocab {
            let expected = format!("expected a list of 1 to {} tokens, got one of {size}", vocab - 1);
            return Err(Error::new(ErrorKind::Config, expected));
        }
        let mut mask: Vec<bool> = (0..vocab).map(|token| token < size).collect();
        Pcg64::new(seed(key)).shuffle(&mut mask);
        Ok(Self { mask, size, fraction, strength })
    }

    /// Which tokens are green.
    #[must_use]
    pub fn mask(&self) -> &[bool] {
        &self.mask
    }
}

/// The reference's threshold for z of `distinct` different tokens: the deviation of draws without replacement, times the normal quantile.
#[must_use]
pub fn dynamic_threshold(distinct: usize, vocab: u32, alpha: f64) -> f64 {
    let quantile = Normal::standard().inverse_cdf(1.0 - alpha);
    (1.0 - (distinct as f64 - 1.0) / (f64::from(vocab) - 1.0)).sqrt() * quantile
}

fn open(fields: &Fields) -> Result<Opened> {
    let key = fields.int("watermark_key", None, i128::from(i64::MIN), i128::from(i64::MAX))?;
    let fraction = fields.number("fraction", Some(0.5), 0.001, 0.999)?;
    let strength = fields.number("strength", Some(2.0), -100.0, 100.0)?;
    let scheme = Unigram::new(key as i64, fraction, strength, fields.vocab()?)?;
    Ok(Opened { published: published::known_from(key), ..Opened::native(Box::new(scheme)) })
}

impl Scheme for Unigram {
    fn traits(&self) -> Traits {
        let vocab = self.mask.len() as u32;
        Traits {
            shape: Shape { context: 0, first: 0, pad: false, once: Once::Window, history: None, budget: None },
            null: Null::OneList { list: self.size, vocab },
            payloads: 1,
            collapses: false,
            cost: 1.0,
            vocab,
        }
    }

    fn reduce(&self, windows: Windows<'_>, units: &mut Vec<Unit>) {
        units.extend(windows.iter().map(|(_, token)| Unit { seed: 0, token }));
    }

    fn values(&self, units: &[Unit], values: &mut Vec<Value>) {
        let green = |token: u32| self.mask.get(token as usize).copied().unwrap_or(false);
        values.extend(units.iter().map(|unit| Value::Green(green(unit.token))));
    }

    fn with_key(&self, material: &[u8; 32]) -> Box<dyn Scheme> {
        let key = published::drawn(material) as i64;
        let drawn = Self::new(key, self.fraction, self.strength, self.mask.len() as u32);
        // The size of the list was accepted before.
        Box::new(drawn.unwrap_or_else(|_| self.clone()))
    }

    fn mark(&self, _: SoFar<'_>, logits: &[f32], sampling: &Sampling, _: &mut dyn FnMut() -> f64) -> Result<Marked> {
        check_logits(logits, self.mask.len() as u32)?;
        let mut scores = warp(logits, sampling);
        let green = scores.iter_mut().zip(&self.mask).filter(|(_, green)| **green);
        green.for_each(|(score, _)| *score += self.strength);
        Ok(Marked::Scores(scores))
    }

    fn plant(
        &self,
        so_far: SoFar<'_>,
        logits: &[f32],
        sampling: &Sampling,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<u32> {
        Ok(self.mark(so_far, logits, sampling, uniform)?.draw(uniform))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watermark::score_text;

    #[test]
    fn planted_tokens_are_green() {
        let scheme = Unigram::new(77, 0.5, 50.0, 200).unwrap();
        let so_far = SoFar { prompt: &[], response: &[] };
        let tokens: Vec<u32> = (0..40)
            .map(|i| {
                let mut uniform = || f64::from(i) / 40.0;
                scheme.plant(so_far, &[0.0; 200], &Sampling::default(), &mut uniform).unwrap()
            })
            .collect();
        let green = |scheme: &dyn Scheme| {
            score_text(scheme, &tokens).unwrap().iter().filter(|value| **value == Value::Green(true)).count()
        };
        assert_eq!(green(&scheme), 40);
        assert!(green(&*scheme.with_key(&[9; 32])) < 35);
    }

    #[test]
    fn lists_have_their_size() {
        assert_eq!(Unigram::new(0, 0.3, 2.0, 101).unwrap().mask().iter().filter(|green| **green).count(), 30);
        assert!(Unigram::new(0, 0.001, 2.0, 101).is_err());
    }
}
