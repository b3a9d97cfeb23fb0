//! `gumbel`, native: the Gumbel-max trick with keyed noise; the distribution of a single answer does not change.
//!
//! # Algorithm
//! Each token has a keyed u in [0, 1): 53 bits of its word. Planting picks the token with the largest u^(1/p), p being its probability
//! after temperature, top-k and top-p; a context that the response has used before is sampled ordinarily. The score is −ln(1 − u).
//!
//! Source: Aaronson 2022 (talk); Fernandez et al. 2023, "Three bricks to consolidate watermarks for LLMs", section III.
//!
//! # Null
//! Given text that does not depend on the key, scores of distinct (context, token) pairs are independent and exponential of mean 1,
//! so their sum over n is Gamma(n, 1). u steps by 2⁻⁵³ from 0, which makes a score stochastically smaller than exponential, never
//! larger: the p-value is an upper bound, exact to 1 in 10¹⁵. Assumes that BLAKE3 is a pseudo-random function.
//!
//! # What a negative does not show
//! A token of probability near 1 has an expected score near 1, marked or not: code, quotations and low temperatures carry little.
//!
//! # When not to use it
//! Where the same prompt must give different answers: under one key and context, sampling is no longer random.

use super::{Generator, unit_interval};
use crate::error::Result;
use crate::watermark::about::{About, Field, Opened, Secret};
use crate::watermark::fields::Fields;
use crate::watermark::sample::{Sampling, argmax_within, check_logits, most_noise, warp};
use crate::watermark::{Marked, Null, Scheme, SoFar, Traits, Unit, Value, Windows};

const PURPOSE: &str = "stillhunt 2026 watermark gumbel";

/// How `watermark schemes` shows it.
pub const ABOUT: About = About {
    scheme: "gumbel",
    dialect: "native",
    source: "Aaronson 2022; Fernandez et al. 2023; with keyed BLAKE3",
    fields: &[
        Field { name: "key", default: None, about: "32 secret bytes as 64 hex digits, or root and path" },
        Field { name: "context_width", default: Some("4"), about: "context tokens, 1 to 64" },
        Field { name: "vocab_size", default: None, about: "width of the model's logits" },
    ],
    secret: &[("key", Secret::Bytes)],
    planted_by: "nothing but this program's reference (watermark plant) and kernels that are checked against it",
    faults: "text whose tokens are certain carries nothing; a server that leaves a request out says so nowhere: \
        audit --planted looks",
    open,
};

/// The scheme under one key.
#[derive(Clone)]
pub struct Gumbel {
    generator: Generator,
    vocab: u32,
}

impl Gumbel {
    /// Range: `context_width` 1 to 64.
    #[must_use]
    pub fn new(secret: &[u8; 32], context_width: usize, vocab: u32) -> Self {
        Self { generator: Generator::new(secret, PURPOSE, context_width), vocab }
    }
}

fn open(fields: &Fields) -> Result<Opened> {
    let scheme = Gumbel { generator: Generator::from_fields(fields, PURPOSE)?, vocab: fields.vocab()? };
    Ok(Opened::native(Box::new(scheme)))
}

impl Scheme for Gumbel {
    fn traits(&self) -> Traits {
        Traits {
            shape: self.generator.shape(),
            null: Null::Exponential { shift: 0.0 },
            payloads: 1,
            collapses: false,
            cost: 1.0,
            vocab: self.vocab,
        }
    }

    fn reduce(&self, windows: Windows<'_>, units: &mut Vec<Unit>) {
        self.generator.reduce(windows, units);
    }

    fn values(&self, units: &[Unit], values: &mut Vec<Value>) {
        values.extend(self.generator.each_word(units).map(|word| Value::Score(-libm::log1p(-unit_interval(word)))));
    }

    fn with_key(&self, material: &[u8; 32]) -> Box<dyn Scheme> {
        Box::new(Self::new(material, self.generator.width, self.vocab))
    }

    fn mark(
        &self,
        so_far: SoFar<'_>,
        logits: &[f32],
        sampling: &Sampling,
        _: &mut dyn FnMut() -> f64,
    ) -> Result<Marked> {
        check_logits(logits, self.vocab)?;
        let scores = warp(logits, sampling);
        let Some(seed) = self.generator.planting_seed(so_far) else { return Ok(Marked::Scores(scores)) };
        let words = self.generator.words(seed, self.vocab);
        // Half a step up, so that no u is 0; the order of tokens is the same.
        let noise = |word| -libm::log(-libm::log(unit_interval(word) + 0.5 / (1u64 << 53) as f64));
        let most = |at: usize| scores[at] + most_noise(words[at].leading_ones(), 53);
        Ok(Marked::Token(argmax_within(&scores, most, |at| scores[at] + noise(words[at]))))
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
