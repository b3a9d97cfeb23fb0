//! `synthid`, as synthid-text 0.2.1 does it: a start value hashed from the keys, and bits from the hash itself.
//!
//! # Algorithm
//! The hash of a window starts from SHA-256 of all layer keys in place of 1. A layer's bit is bit 30 of what twelve further steps, each
//! followed by a shift of five, leave of its key. Temperature and top-k are applied first, then the tournament over the tokens
//! that are left, largest score first, with two leaves, or with three (distortionary). Contexts, their memory and the scores
//! are those of the `transformers` dialect.
//!
//! Source: Dathathri et al. 2024, Nature 634, Methods and supplement G; synthid-text 0.2.1 `SynthIDLogitsProcessor`.
//!
//! # Null
//! Given text that does not depend on the keys, each bit is 1 with probability ½ on its own: ones are binomial over layers × n; for the
//! weighted mean the bound of the weighted sum. Each window counts once. Assumes that the twelve rounds behave like a random
//! function of 64 bits; decoy keys check it.
//!
//! # What a negative does not show
//! As for `tournament`. Texts of transformers' SynthID, and of the Gemini app, carry another mark: this key does not find them.
//!
//! # Wrong on purpose
//! The first ngram_len − 1 tokens are planted from contexts that begin with zeros and are never scored; the prompt never enters, so
//! every response starts from one context. Equal keys are equal layers (scored as one, of the summed weight).
//!
//! # When not to use it
//! For a new deployment: prefer `tournament`, whose bits are those of a cryptographic function.

use super::about::{About, Field, Opened, Secret};
use super::fields::Fields;
use super::sample::{Sampling, check_logits, warp};
use super::synthid::{self, MULTIPLIER, Plan, accumulate, hash};
use super::synthid_transformers::{Setting, keys, published, setting};
use super::{Marked, Null, Scheme, SoFar, Traits, Unit, Value, Windows};
use crate::error::Result;

/// How `watermark schemes` shows it.
pub const ABOUT: About = About {
    scheme: "synthid",
    dialect: "synthid-text",
    source: "Dathathri et al. 2024; synthid-text 0.2.1",
    fields: &[
        Field { name: "keys", default: None, about: "1 to 64 whole numbers of 64 bits, one a layer" },
        Field { name: "ngram_len", default: Some("5"), about: "tokens of a window with the scored one, 2 to 65" },
        Field { name: "context_history_size", default: Some("1024"), about: "contexts remembered, 0 to 2^24" },
        Field {
            name: "skip_first_ngram_calls",
            default: Some("false"),
            about: "the first ngram_len - 1 tokens stay unmarked",
        },
        Field { name: "num_leaves", default: Some("2"), about: "leaves of the tournament when planting, 2 or 3" },
        Field { name: "statistic", default: Some("mean"), about: "mean or weighted_mean" },
        Field { name: "vocab_size", default: None, about: "width of the model's logits" },
    ],
    secret: &[("keys", Secret::Ints(30, 31))],
    planted_by: "the package synthid-text from 0.2.1 on (CPU)",
    faults: "not compatible with transformers' SynthID nor with synthid-text up to 0.2; the planter applies \
        temperature and top-k itself, which a second sampler then applies again",
    open,
};

/// What the reference puts for the logarithm of 0.
const FLOOR: f32 = -1e12;

/// The scheme under one set of keys.
#[derive(Clone)]
pub struct Hashed {
    setting: Setting,
    keys: Vec<i64>,
    start: u64,
    scored: Vec<i64>,
    weights: Option<Vec<f64>>,
}

/// The start value of keys: SHA-256 of their little-endian bytes as a number, modulo 2⁶³ − 1.
#[must_use]
pub fn hash_iv(keys: &[i64]) -> u64 {
    use sha2::{Digest as _, Sha256};
    let bytes: Vec<u8> = keys.iter().flat_map(|key| key.to_le_bytes()).collect();
    let modulus = u128::from(i64::MAX.unsigned_abs());
    let digest = Sha256::digest(bytes);
    digest.iter().fold(0u128, |rest, byte| (rest << 8 | u128::from(*byte)) % modulus) as u64
}

/// The bit of a layer's key.
#[inline]
fn bit(key: u64) -> u64 {
    let mut x = key;
    for _ in 0..12 {
        x = (accumulate(x, 1) as i64 >> 5) as u64;
    }
    x >> 30 & 1
}

/// Layers that are hashed side by side.
const LANES: usize = 16;

/// [`word`], layers in lanes. A signed shift is an unsigned one of a number that is 2⁶³ larger, less 2⁵⁸, and both differences are
/// added where the hash adds its constants anyway.
#[inline(always)]
fn word_in_lanes(hash: u64, keys: &[[u64; LANES]]) -> u64 {
    const BIAS: u64 = 1 << 63;
    const STEP: u64 = 1u64.wrapping_sub(1 << 58).wrapping_mul(MULTIPLIER).wrapping_add(1).wrapping_add(BIAS);
    let first = MULTIPLIER.wrapping_add(1).wrapping_add(BIAS);
    let mut word = 0;
    for (chunk, keys) in keys.iter().enumerate() {
        let mut x = *keys;
        x.iter_mut().for_each(|x| *x = accumulate(hash, *x));
        x.iter_mut().for_each(|x| *x = x.wrapping_mul(MULTIPLIER).wrapping_add(first) >> 5);
        for _ in 1..12 {
            x.iter_mut().for_each(|x| *x = x.wrapping_mul(MULTIPLIER).wrapping_add(STEP) >> 5);
        }
        // Less 2⁵⁸, which bit 30 does not see.
        let bits = x.iter().enumerate().fold(0, |bits, (lane, x)| bits | (x >> 30 & 1) << lane);
        word |= bits << (chunk * LANES);
    }
    word
}

impl Hashed {
    /// With 1 to 64 keys.
    #[must_use]
    pub fn new(setting: Setting, keys: Vec<i64>) -> Self {
        let weights = setting.weighted.then(|| synthid::weights(keys.len()));
        let (scored, weights) = synthid::distinct(&keys, None, weights);
        Self { start: hash_iv(&keys), setting, keys, scored, weights }
    }

    /// Bits of all layers, one word a scored token: what `compute_g_values` returns. The first layer lowest.
    ///
    /// * Shape: n tokens → n − ngram_len + 1 words.
    #[must_use]
    pub fn layers(&self, tokens: &[u32]) -> Vec<u64> {
        tokens.windows(self.setting.ngram_len).map(|window| word(hash(self.start, window), &self.keys)).collect()
    }

    /// For each scored token whether its context is new.
    #[must_use]
    pub fn context_mask(&self, tokens: &[u32]) -> Vec<bool> {
        synthid::context_mask(tokens, self.setting.ngram_len, self.setting.history, self.start)
    }

    /// What the processor makes of scores after temperature and top-k (−∞: left out) for the next token of `response`: log
    /// probabilities in single precision; the scores themselves where the context is not marked. −∞ stays.
    #[must_use]
    pub fn process(&self, response: &[u32], scores: &[f32]) -> Vec<f32> {
        let Setting { ngram_len, history, skip_first, leaves, .. } = self.setting;
        let plan = Plan { ngram_len, history, skip_first, start: self.start };
        let Some(context) = plan.context(response) else { return scores.to_vec() };
        let mut left: Vec<usize> = (0..scores.len()).filter(|token| scores[*token] > f32::NEG_INFINITY).collect();
        left.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let bits: Vec<u64> = left.iter().map(|&token| word(accumulate(context, token as u64), &self.keys)).collect();
        let compact: Vec<f32> = left.iter().map(|&token| scores[token]).collect();
        let mut out = vec![f32::NEG_INFINITY; scores.len()];
        let updated = synthid::update_scores(&compact, &bits, self.keys.len() as u32, leaves, FLOOR);
        left.iter().zip(updated).for_each(|(&token, score)| out[token] = score);
        out
    }
}

/// The bits of layers for the hash of a window.
#[inline]
fn word(hash: u64, keys: &[i64]) -> u64 {
    keys.iter().enumerate().fold(0, |word, (layer, key)| word | bit(accumulate(hash, *key as u64)) << layer)
}

fn open(fields: &Fields) -> Result<Opened> {
    let keys = keys(fields)?;
    let published = published(&keys);
    Ok(Opened { published, ..Opened::native(Box::new(Hashed::new(setting(fields)?, keys))) })
}

impl Scheme for Hashed {
    fn traits(&self) -> Traits {
        Traits {
            shape: self.setting.shape(),
            null: Null::Layers { depth: self.scored.len() as u32, share: 0.5, weights: self.weights.clone() },
            payloads: 1,
            collapses: false,
            cost: 1.0,
            vocab: self.setting.vocab,
        }
    }

    fn reduce(&self, windows: Windows<'_>, units: &mut Vec<Unit>) {
        units.extend(windows.iter().map(|(context, token)| {
            let seed = accumulate(hash(self.start, context), u64::from(token));
            Unit { seed: u128::from(seed), token }
        }));
    }

    fn values(&self, units: &[Unit], values: &mut Vec<Value>) {
        let mut keys = vec![[0; LANES]; self.scored.len().div_ceil(LANES)];
        keys.as_flattened_mut().iter_mut().zip(&self.scored).for_each(|(lane, key)| *lane = *key as u64);
        let mask = u64::MAX >> (64 - self.scored.len());
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || values.extend(units.iter().map(|unit| Value::Layers(word_in_lanes(unit.seed as u64, &keys) & mask))),
        );
    }

    fn with_key(&self, material: &[u8; 32]) -> Box<dyn Scheme> {
        Box::new(Self::new(self.setting.clone(), synthid::random_keys(material, self.keys.len(), None)))
    }

    fn mark(
        &self,
        so_far: SoFar<'_>,
        logits: &[f32],
        sampling: &Sampling,
        _: &mut dyn FnMut() -> f64,
    ) -> Result<Marked> {
        check_logits(logits, self.setting.vocab)?;
        let scores: Vec<f32> = warp(logits, sampling).into_iter().map(|score| score as f32).collect();
        Ok(Marked::Scores(self.process(so_far.response, &scores).into_iter().map(f64::from).collect()))
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

    fn scheme(keys: Vec<i64>) -> Hashed {
        let setting = Setting { ngram_len: 3, history: 64, skip_first: false, leaves: 3, weighted: false, vocab: 64 };
        Hashed::new(setting, keys)
    }

    #[test]
    fn values_are_the_layers() {
        let tokens: Vec<u32> = (0..500).map(|i| i * 131 % 64).collect();
        for depth in [1, 3, 16, 17, 30, 64] {
            let scheme = scheme(synthid::random_keys(&[9; 32], depth, None));
            let values: Vec<Value> = scheme.layers(&tokens).into_iter().map(Value::Layers).collect();
            assert_eq!(score_text(&scheme, &tokens).unwrap(), values, "{depth}");
        }
        assert_eq!(hash_iv(&synthid::PUBLISHED_KEYS), 1_614_033_703_599_872_695);
    }

    #[test]
    fn equal_keys_are_one_layer() {
        let scheme = scheme(vec![5, 6, 5]);
        let Null::Layers { depth, weights, .. } = scheme.traits().null else { panic!("layers") };
        assert_eq!((depth, weights), (2, Some(vec![2.0, 1.0])));
        assert!(scheme.layers(&[3, 1, 4, 1, 5]).iter().all(|word| word & 1 == word >> 2 & 1));
    }

    #[test]
    fn planting_is_found_and_keeps_what_top_k_drops() {
        let scheme = scheme(synthid::random_keys(&[1; 32], 20, None));
        let sampling = Sampling { temperature: 0.9, top_k: 40, top_p: 1.0 };
        let logits: Vec<f32> = (0..64).map(|i| (i % 13) as f32 / 8.0).collect();
        let (mut response, mut state) = (Vec::new(), 0.3);
        let mut uniform = || {
            state = (state * 997.0 + 0.123_456_7) % 1.0;
            state
        };
        for _ in 0..200 {
            let so_far = SoFar { prompt: &[1, 2], response: &response };
            let token = scheme.plant(so_far, &logits, &sampling, &mut uniform).unwrap();
            assert!(warp(&logits, &sampling)[token as usize] > f64::NEG_INFINITY);
            response.push(token);
        }
        let mean = |scheme: &Hashed| {
            synthid::mean_score(&scheme.layers(&response), &scheme.context_mask(&response), &[1.0; 20])
        };
        assert!(mean(&scheme) > 0.6, "{}", mean(&scheme));
        let other = Hashed::new(scheme.setting.clone(), synthid::random_keys(&[2; 32], 20, None));
        assert!((mean(&other) - 0.5).abs() < 0.05, "{}", mean(&other));
    }
}
