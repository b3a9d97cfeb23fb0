//! `tournament`, native: SynthID-Text's tournament sampling with keyed BLAKE3 bits.
//!
//! # Algorithm
//! A token has `depth` keyed bits g₁…g_depth. Planting runs a tournament in distribution: layer by layer the probability of each token
//! is multiplied by 1 + g − Σ g p, which leaves the expected distribution as it was (two leaves: non-distortionary). A context that the
//! response has used before is sampled ordinarily. The statistic is the number of ones among all bits of the scored windows.
//!
//! Source: Dathathri et al. 2024, "Scalable watermarking for identifying large language model outputs", Nature 634, Methods.
//!
//! # Null
//! Given text that does not depend on the key, each bit is 1 with probability ½ on its own: ones are binomial over `depth` × n.
//! Exact, each window counted once. Assumes that BLAKE3 is a pseudo-random function.
//!
//! # What a negative does not show
//! Later layers carry less the fewer tokens are likely; text of low entropy carries little.
//!
//! # When not to use it
//! Where n is small and power matters most: `gumbel` is stronger for one answer; the tournament keeps more variety between answers.

use super::Generator;
use crate::error::Result;
use crate::watermark::about::{About, Field, Opened, Secret};
use crate::watermark::fields::Fields;
use crate::watermark::sample::{Sampling, check_logits, softmax, warp};
use crate::watermark::{Marked, Null, Scheme, SoFar, Traits, Unit, Value, Windows};

const PURPOSE: &str = "stillhunt 2026 watermark tournament";

/// How `watermark schemes` shows it.
pub const ABOUT: About = About {
    scheme: "tournament",
    dialect: "native",
    source: "Dathathri et al. 2024, with keyed BLAKE3",
    fields: &[
        Field { name: "key", default: None, about: "32 secret bytes as 64 hex digits, or root and path" },
        Field { name: "depth", default: Some("30"), about: "layers, 1 to 64" },
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
pub struct Tournament {
    generator: Generator,
    depth: u32,
    vocab: u32,
}

impl Tournament {
    /// Ranges: `depth` 1 to 64, `context_width` 1 to 64.
    #[must_use]
    pub fn new(secret: &[u8; 32], depth: u32, context_width: usize, vocab: u32) -> Self {
        Self { generator: Generator::new(secret, PURPOSE, context_width), depth, vocab }
    }
}

fn open(fields: &Fields) -> Result<Opened> {
    let depth = fields.count("depth", Some(30), 1, 64)? as u32;
    let scheme = Tournament { generator: Generator::from_fields(fields, PURPOSE)?, depth, vocab: fields.vocab()? };
    Ok(Opened::native(Box::new(scheme)))
}

/// Runs a tournament of two leaves over `probabilities`, in distribution: `bits` has one word for each token.
pub(crate) fn tournament(probabilities: &mut [f64], bits: &[u64], depth: u32) {
    for layer in 0..depth {
        let one = |word: u64| (word >> layer & 1) as f64;
        let mass: f64 = probabilities.iter().zip(bits).map(|(p, &word)| one(word) * p).sum();
        probabilities.iter_mut().zip(bits).for_each(|(p, &word)| *p *= 1.0 + one(word) - mass);
    }
}

impl Scheme for Tournament {
    fn traits(&self) -> Traits {
        Traits {
            shape: self.generator.shape(),
            null: Null::Layers { depth: self.depth, share: 0.5, weights: None },
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
        let mask = u64::MAX >> (64 - self.depth);
        values.extend(self.generator.each_word(units).map(|word| Value::Layers(word & mask)));
    }

    fn with_key(&self, material: &[u8; 32]) -> Box<dyn Scheme> {
        Box::new(Self::new(material, self.depth, self.generator.width, self.vocab))
    }

    fn mark(
        &self,
        so_far: SoFar<'_>,
        logits: &[f32],
        sampling: &Sampling,
        _: &mut dyn FnMut() -> f64,
    ) -> Result<Marked> {
        check_logits(logits, self.vocab)?;
        let mut probabilities = softmax(&warp(logits, sampling));
        if let Some(seed) = self.generator.planting_seed(so_far) {
            tournament(&mut probabilities, &self.generator.words(seed, self.vocab), self.depth);
        }
        Ok(Marked::Probabilities(probabilities))
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
