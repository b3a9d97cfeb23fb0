//! `green-list`, native: a keyed coin for each (context, token); planting adds `bias` to the logits of green tokens.
//!
//! # Algorithm
//! A token is green under a seed when its word is below `greenlist_ratio` · 2⁶⁴. Planting adds `bias` to the logits of green tokens
//! after temperature, top-k and top-p, so the mark does not depend on the temperature, and leaves a token unmarked whose context
//! the response has used before.
//!
//! Source: Kirchenbauer et al. 2023, "A watermark for large language models", Algorithm 2, with a coin for each token in place of a
//! list of fixed size: membership then costs one block of BLAKE3 instead of a permutation of the vocabulary.
//!
//! # Null
//! Given text that does not depend on the key, each distinct (context, token) is green on its own with probability
//! `greenlist_ratio`; hits are binomial. Exact, each window counted once. Assumes that BLAKE3 is a pseudo-random function.
//!
//! # What a negative does not show
//! Text of low entropy carries little (the bias cannot move a certain token); paraphrase, translation and dilution remove windows.
//! A negative says nothing of other keys.
//!
//! # When not to use it
//! Where answers must not shift at all in distribution: prefer `gumbel` or `tournament`. Where a public detector is wanted: whoever
//! can test can forge.

use super::Generator;
use crate::error::Result;
use crate::watermark::about::{About, Field, Opened, Secret};
use crate::watermark::fields::Fields;
use crate::watermark::sample::{Sampling, check_logits, warp};
use crate::watermark::{Marked, Null, Scheme, SoFar, Traits, Unit, Value, Windows};

const PURPOSE: &str = "stillhunt 2026 watermark green-list";

/// How `watermark schemes` shows it.
pub const ABOUT: About = About {
    scheme: "green-list",
    dialect: "native",
    source: "Kirchenbauer et al. 2023, with keyed BLAKE3",
    fields: &[
        Field { name: "key", default: None, about: "32 secret bytes as 64 hex digits, or root and path" },
        Field { name: "greenlist_ratio", default: Some("0.25"), about: "share of green tokens, 0.01 to 0.99" },
        Field { name: "bias", default: Some("2.0"), about: "added to the logits of green tokens, 0 to 100" },
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
pub struct GreenList {
    generator: Generator,
    threshold: u64,
    ratio: f64,
    bias: f64,
    vocab: u32,
}

impl GreenList {
    /// Ranges: `ratio` in (0, 1), `context_width` 1 to 64.
    #[must_use]
    pub fn new(secret: &[u8; 32], ratio: f64, bias: f64, context_width: usize, vocab: u32) -> Self {
        Self::over(Generator::new(secret, PURPOSE, context_width), ratio, bias, vocab)
    }

    fn over(generator: Generator, ratio: f64, bias: f64, vocab: u32) -> Self {
        let threshold = (ratio * 2f64.powi(64)) as u64;
        Self { generator, threshold, ratio, bias, vocab }
    }
}

fn open(fields: &Fields) -> Result<Opened> {
    let ratio = fields.number("greenlist_ratio", Some(0.25), 0.01, 0.99)?;
    let bias = fields.number("bias", Some(2.0), 0.0, 100.0)?;
    let scheme = GreenList::over(Generator::from_fields(fields, PURPOSE)?, ratio, bias, fields.vocab()?);
    Ok(Opened::native(Box::new(scheme)))
}

impl Scheme for GreenList {
    fn traits(&self) -> Traits {
        Traits {
            shape: self.generator.shape(),
            null: Null::Coin { share: self.threshold as f64 / 2f64.powi(64) },
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
        values.extend(self.generator.each_word(units).map(|word| Value::Green(word < self.threshold)));
    }

    fn with_key(&self, material: &[u8; 32]) -> Box<dyn Scheme> {
        Box::new(Self::new(material, self.ratio, self.bias, self.generator.width, self.vocab))
    }

    fn mark(
        &self,
        so_far: SoFar<'_>,
        logits: &[f32],
        sampling: &Sampling,
        _: &mut dyn FnMut() -> f64,
    ) -> Result<Marked> {
        check_logits(logits, self.vocab)?;
        let mut scores = warp(logits, sampling);
        if let Some(seed) = self.generator.planting_seed(so_far) {
            for (score, word) in scores.iter_mut().zip(self.generator.words(seed, self.vocab)) {
                *score += if word < self.threshold { self.bias } else { 0.0 };
            }
        }
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
