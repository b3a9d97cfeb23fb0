//! `dual_key_gumbel`, as vLLM does it: two keys made of one, so that speculative decoding can be planted.
//!
//! # Algorithm
//! Keys A and B are the first 8 bytes of SHA-256 of `key_a` or `key_b` and the key. A token is picked with the noise of A, with
//! probability `alpha` with that of B (under speculative decoding drafts use A and what replaces them B). The score is
//! (1 − alpha) a + alpha b of the two scores of `gumbel`.
//!
//! Source: vLLM 0.33.0 `vllm/v1/watermarking`.
//!
//! # Null
//! Given text that does not depend on the key, a and b are independent and each at most, in distribution, an exponential of mean 1 plus
//! ln(1 + 2⁻²⁴), as in `gumbel`; each context counts once. The reference takes their weighted sum for a gamma of the
//! same mean and variance, which is not a bound; here the tail of the weighted sum itself is bounded. Assumes that Philox under a
//! random key is a pseudo-random function.
//!
//! # What a negative does not show
//! As for `gumbel`; the more is drawn with key B, the weaker the sum that weighs A.
//!
//! # Wrong on purpose
//! As for `gumbel`. A context is read from the unit in full, so `context_width` ends where 128 bits do: at 4 tokens of any id, at 7
//! below 2¹⁸ ids, at 8 below 2¹⁶, at 64 at most. Wider keys of the reference are refused here.
//!
//! # When not to use it
//! Without speculative decoding: `gumbel` has the stronger score.

use super::about::{About, Field, Opened, Secret};
use super::fields::Fields;
use super::gumbel_vllm::{LANES, Plan, Prf, SHIFT, in_lanes, key, pick, published};
use super::sample::{Sampling, check_logits, warp};
use super::{Marked, Null, PAD, Scheme, SoFar, Traits, Unit, Value, Windows};
use crate::error::{Error, ErrorKind, Result};

/// How `watermark schemes` shows it.
pub const ABOUT: About = About {
    scheme: "dual_key_gumbel",
    dialect: "vllm",
    source: "vLLM 0.33.0",
    fields: &[
        Field { name: "key", default: None, about: "whole number, 0 to 2^64 - 1 (in quotes from 2^63 on)" },
        Field { name: "alpha", default: Some("0.1"), about: "share and weight of key B, 0 to 1" },
        Field {
            name: "context_width",
            default: Some("4"),
            about: "context tokens, 1 to 4 (as many as fit 128 bits where ids are short)",
        },
        Field { name: "deduplicate_contexts", default: Some("single_turn"), about: "none, single_turn or all" },
        Field { name: "deduplicate_contexts_max_history", default: Some("8192"), about: "places searched, 1 to 2^32" },
        Field { name: "vocab_size", default: None, about: "width of the model's logits" },
    ],
    secret: &[("key", Secret::Int(64))],
    planted_by: "vLLM from 0.30 on",
    faults: "the detector's default of alpha differs from the planter's (vLLM 57879): name the server's; greedy \
        requests (temperature 0) carry no mark; a request can switch the mark off although the server enforces it \
        (vLLM 58191)",
    open,
};

/// The scheme under one master key.
#[derive(Clone)]
pub struct DualKey {
    a: Prf,
    b: Prf,
    keys: [u64; 2],
    alpha: f64,
    plan: Plan,
    vocab: u32,
    /// Bits of a context token in a unit.
    bits: u32,
}

/// The key of a domain: `key_a` or `key_b`.
#[must_use]
pub fn derive_key(key: u64, domain: &str) -> u64 {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::new().chain_update(domain).chain_update(key.to_be_bytes()).finalize();
    digest[..8].iter().fold(0, |key, byte| key << 8 | u64::from(*byte))
}

impl DualKey {
    /// Under a master key; `alpha` in [0, 1].
    ///
    /// # Errors
    /// `Config` when a context does not fit a unit.
    pub fn new(key: u64, alpha: f64, plan: Plan, vocab: u32) -> Result<Self> {
        let bits = if plan.width <= 4 { 32 } else { vocab.ilog2() + 1 };
        let most = 128 / bits;
        if plan.width > most as usize {
            let what = format!("expected context_width from 1 to {most} for {vocab} ids, got {}", plan.width);
            return Err(Error::new(ErrorKind::Config, what));
        }
        let keys = [derive_key(key, "key_a"), derive_key(key, "key_b")];
        let [a, b] = keys.map(Prf::new);
        Ok(Self { a, b, keys, alpha, plan, vocab, bits })
    }

    /// Keys A and B.
    #[must_use]
    pub fn keys(&self) -> [u64; 2] {
        self.keys
    }

    fn mask(&self) -> u32 {
        u32::MAX >> (32 - self.bits)
    }

    /// An id that is not of the vocabulary counts as [`PAD`]: its window is never scored.
    fn pack(&self, context: &[u32]) -> u128 {
        let mask = self.mask();
        let id = |token: u32| if token < self.vocab || self.bits == 32 { token } else { mask };
        context.iter().fold(0, |seed, &token| seed << (self.bits % 128) | u128::from(id(token)))
    }

    #[inline(always)]
    fn unpack(&self, seed: u128, context: &mut [u32]) {
        let mask = self.mask();
        for (place, token) in context.iter_mut().rev().enumerate() {
            let id = (seed >> (self.bits * place as u32)) as u32 & mask;
            *token = if id == mask { PAD } else { id };
        }
    }
}

fn open(fields: &Fields) -> Result<Opened> {
    let key = key(fields)?;
    let alpha = fields.number("alpha", Some(0.1), 0.0, 1.0)?;
    let scheme = DualKey::new(key, alpha, Plan::from_fields(fields)?, fields.vocab()?)?;
    Ok(Opened { published: published(key), ..Opened::native(Box::new(scheme)) })
}

impl Scheme for DualKey {
    fn traits(&self) -> Traits {
        Traits {
            shape: self.plan.shape(),
            null: Null::Pair { alpha: self.alpha, shift: SHIFT },
            payloads: 1,
            collapses: false,
            cost: 1.0,
            vocab: self.vocab,
        }
    }

    /// A unit is the context itself: two states would not fit.
    fn reduce(&self, windows: Windows<'_>, units: &mut Vec<Unit>) {
        units.extend(windows.iter().map(|(context, token)| Unit { seed: self.pack(context), token }));
    }

    fn values(&self, units: &[Unit], values: &mut Vec<Value>) {
        let width = self.plan.width;
        let mut contexts = [[0; 64]; LANES];
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                in_lanes(units, |group, n| {
                    let tokens = group.map(|unit| unit.token);
                    contexts.iter_mut().zip(group).for_each(|(to, unit)| self.unpack(unit.seed, &mut to[..width]));
                    let slices = std::array::from_fn(|lane| &contexts[lane][..width]);
                    let a = self.a.scores(self.a.states(slices), tokens);
                    let b = self.b.scores(self.b.states(slices), tokens);
                    let both: [Value; LANES] =
                        std::array::from_fn(|lane| Value::Score((1.0 - self.alpha) * a[lane] + self.alpha * b[lane]));
                    values.extend_from_slice(&both[..n]);
                });
            },
        );
    }

    fn with_key(&self, material: &[u8; 32]) -> Box<dyn Scheme> {
        let key = u64::from_le_bytes(std::array::from_fn(|i| material[i]));
        let keys = [derive_key(key, "key_a"), derive_key(key, "key_b")];
        let [a, b] = keys.map(Prf::new);
        Box::new(Self { a, b, keys, ..self.clone() })
    }

    fn mark(
        &self,
        so_far: SoFar<'_>,
        logits: &[f32],
        sampling: &Sampling,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<Marked> {
        check_logits(logits, self.vocab)?;
        let scores = warp(logits, sampling);
        let Some(context) = self.plan.context(so_far) else { return Ok(Marked::Scores(scores)) };
        let first = self.alpha == 0.0 || (self.alpha < 1.0 && uniform() < 1.0 - self.alpha);
        Ok(Marked::Token(pick(if first { self.a } else { self.b }, &context, &scores, self.vocab)))
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
