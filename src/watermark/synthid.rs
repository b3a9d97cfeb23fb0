//! What the SynthID dialects share: the rolling hash, masks, scores and the tournament, as the references compute them.
//!
//! # The idea
//! A window is hashed token by token with one step of a linear congruential generator each; a further step with the key of a layer
//! gives the key that the layer's bit is made of. Planting reweights probabilities layer by layer (a tournament in distribution),
//! scoring averages bits.
//!
//! Source: Dathathri et al. 2024, Nature 634, Methods and supplement C; transformers 5.23.0, synthid-text 0.2 and 0.2.1. Weakness: the
//! hash is linear and not cryptographic. Guarantee: equal to the references' numbers (`tests/golden/synthid_*.json`, `plant.json`).

use super::single;
use crate::error::{Error, ErrorKind, Result};
use safetensors::tensor::{Dtype, SafeTensors};
use std::collections::{BTreeMap, VecDeque};

/// The layer keys in the documentation of transformers and of synthid-text: no secret.
pub const PUBLISHED_KEYS: [i64; 30] = [
    654, 400, 836, 123, 340, 443, 597, 160, 57, 29, 590, 639, 13, 715, 468, 990, 966, 226, 324, 585, 118, 504, 421,
    521, 129, 669, 732, 225, 90, 960,
];

pub(super) const MULTIPLIER: u64 = 6_364_136_223_846_793_005;

/// One step of the hash: 64 bits, wrapping.
#[must_use]
#[inline]
pub fn accumulate(hash: u64, data: u64) -> u64 {
    hash.wrapping_add(data).wrapping_mul(MULTIPLIER).wrapping_add(1)
}

/// The hash of tokens, from `start` on.
#[must_use]
#[inline]
pub fn hash(start: u64, tokens: &[u32]) -> u64 {
    tokens.iter().fold(start, |hash, &token| accumulate(hash, u64::from(token)))
}

/// The last hashes of contexts; filled with zeros at first, so a context of hash 0 counts as seen, as in the reference.
struct Ring {
    places: VecDeque<u64>,
    counts: BTreeMap<u64, u32>,
}

impl Ring {
    fn new(size: usize) -> Self {
        Self { places: VecDeque::from(vec![0; size]), counts: BTreeMap::from([(0, size as u32)]) }
    }

    /// Whether it was there; it is pushed either way.
    fn push(&mut self, hash: u64) -> bool {
        let seen = self.counts.get(&hash).is_some_and(|n| *n > 0);
        if let Some(oldest) = self.places.pop_front() {
            if let Some(n) = self.counts.get_mut(&oldest) {
                *n -= 1;
                if *n == 0 {
                    self.counts.remove(&oldest);
                }
            }
            self.places.push_back(hash);
            *self.counts.entry(hash).or_default() += 1;
        }
        seen
    }
}

/// For each scored token whether its context is none of the last `history`: as `compute_context_repetition_mask`.
///
/// * Shape: n tokens → n − ngram_len + 1 places, in text order.
/// * Range: `ngram_len` ≥ 2; `start` is the hash of nothing.
#[must_use]
pub fn context_mask(tokens: &[u32], ngram_len: usize, history: usize, start: u64) -> Vec<bool> {
    let mut ring = Ring::new(history);
    tokens.windows(ngram_len).map(|window| !ring.push(hash(start, &window[..ngram_len - 1]))).collect()
}

/// For each scored token whether no end-of-text token stands at or before it: as `compute_eos_token_mask`, from place ngram_len − 1.
#[must_use]
pub fn eos_mask(tokens: &[u32], ngram_len: usize, eos: u32) -> Vec<bool> {
    let end = tokens.iter().position(|token| *token == eos).unwrap_or(tokens.len());
    (ngram_len - 1..tokens.len()).map(|at| at < end).collect()
}

/// The references' layer weights: from 10 down to 1 in even steps, made to sum to `depth`.
#[must_use]
pub fn weights(depth: usize) -> Vec<f64> {
    let steps = depth.saturating_sub(1).max(1) as f64;
    let raw: Vec<f64> = (0..depth).map(|layer| 10.0 - 9.0 * layer as f64 / steps).collect();
    let sum: f64 = raw.iter().sum();
    raw.iter().map(|weight| weight * depth as f64 / sum).collect()
}

/// Weighted share of ones over the unmasked places: Σ w g / (depth · n). All weights 1: the mean score. NaN where all is masked.
///
/// * Shape: one word and one flag a place; the first layer lowest; as many weights as layers.
/// * Null: none; a score. Its p-value is `detect`'s affair.
#[must_use]
pub fn mean_score(bits: &[u64], mask: &[bool], weights: &[f64]) -> f64 {
    let kept = || bits.iter().zip(mask).filter(|(_, keep)| **keep).map(|(word, _)| *word);
    let n = kept().count() as f64;
    let ones = (0..weights.len()).map(|layer| kept().filter(|word| word >> layer & 1 == 1).count() as f64);
    ones.zip(weights).map(|(ones, weight)| ones * weight).sum::<f64>() / (weights.len() as f64 * n)
}

/// The same in single precision, as the references' jax code has it; equal to 2e-6.
#[must_use]
pub fn mean_score_f32(bits: &[u64], mask: &[bool], weights: &[f64]) -> f32 {
    let (mut sum, mut n) = (0f32, 0f32);
    for (word, _) in bits.iter().zip(mask).filter(|(_, keep)| **keep) {
        let place = weights.iter().enumerate().filter(|(layer, _)| word >> layer & 1 == 1);
        sum += place.map(|(_, weight)| *weight as f32).sum::<f32>();
        n += 1.0;
    }
    sum / (weights.len() as f32 * n)
}

/// The trained detector's posterior that text is watermarked. **A score, not a p-value**: it holds for the training's own mixture of
/// texts and its prior, and says nothing of how rare such a value is in text without the mark.
///
/// * Shape: `beta` one number a layer; `delta[l]` one number for each layer before l.
/// * Source: transformers 5.23.0, `BayesianDetectorModel`; Dathathri et al. 2024, supplement B.
#[must_use]
pub fn bayesian_posterior(bits: &[u64], mask: &[bool], beta: &[f64], delta: &[Vec<f64>], prior: f64) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + libm::exp(-x));
    let mut evidence = 0.0;
    for (word, _) in bits.iter().zip(mask).filter(|(_, keep)| **keep) {
        let bit = |layer: usize| (word >> layer & 1) as f64;
        for (layer, start) in beta.iter().enumerate() {
            let before = delta.get(layer).map_or(&[][..], Vec::as_slice);
            let logit = start + before.iter().enumerate().map(|(k, d)| d * bit(k)).sum::<f64>();
            // Two unique leaves with probability q: then three of four pairs have a one.
            let unique = sigmoid(logit);
            let marked = 0.5 * ((bit(layer) + 0.5) * unique + (1.0 - unique));
            evidence += libm::log(marked.max(1e-30)) - libm::log(0.5);
        }
    }
    let prior = prior.clamp(1e-5, 1.0 - 1e-5);
    sigmoid(evidence + libm::log(prior) - libm::log1p(-prior))
}

/// A trained detector's parameters, as transformers' `BayesianDetectorModel` saves them. What it says is a description: see
/// [`bayesian_posterior`].
#[derive(Clone, Debug, PartialEq)]
pub struct TrainedDetector {
    beta: Vec<f64>,
    delta: Vec<Vec<f64>>,
    prior: f64,
}

impl TrainedDetector {
    /// Reads `model.safetensors` with `likelihood_model_watermarked.beta` (1, 1, layers), `likelihood_model_watermarked.delta`
    /// (1, 1, layers, layers) and `prior` (1), 32-bit floats. Of `delta` what stands below the diagonal counts, as there.
    ///
    /// # Errors
    /// `Model` when the file is another, has no layer or more than 64, or holds what is no finite number.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self> {
        let refused = |what: String| {
            Error::new(ErrorKind::Model, format!("expected the parameters of a SynthID detector, got {what}"))
                .hint("model.safetensors as transformers' BayesianDetectorModel saves it")
        };
        let file =
            SafeTensors::deserialize(bytes).map_err(|cause| refused(format!("a file that cannot be read: {cause}")))?;
        let numbers = |name: &str| -> Result<Vec<f64>> {
            let tensor = file.tensor(name).map_err(|_| refused(format!("none of the name {name}")))?;
            if tensor.dtype() != Dtype::F32 {
                return Err(refused(format!("{name} of another type than 32-bit floats")));
            }
            let each = tensor.data().as_chunks::<4>().0.iter().map(|four| f64::from(f32::from_le_bytes(*four)));
            let each: Vec<f64> = each.collect();
            if each.iter().all(|x| x.is_finite()) {
                Ok(each)
            } else {
                Err(refused(format!("{name} that is not finite")))
            }
        };
        let (beta, delta) =
            (numbers("likelihood_model_watermarked.beta")?, numbers("likelihood_model_watermarked.delta")?);
        let (prior, depth) = (numbers("prior")?, beta.len());
        if !(1..=64).contains(&depth) || delta.len() != depth * depth || prior.len() != 1 {
            let shapes = [depth, delta.len(), prior.len()];
            return Err(refused(format!("{shapes:?} numbers of beta, delta and prior")));
        }
        let delta = delta.chunks(depth).enumerate().map(|(layer, row)| row[..layer].to_vec()).collect();
        Ok(Self { beta, delta, prior: prior[0] })
    }

    /// How many layers it was trained for.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.beta.len()
    }

    /// The posterior of the layers of some windows, one word a window.
    #[must_use]
    pub fn posterior(&self, bits: &[u64]) -> f64 {
        bayesian_posterior(bits, &vec![true; bits.len()], &self.beta, &self.delta, self.prior)
    }
}

/// Runs the tournament over log scores in single precision and returns log probabilities; what is not finite becomes `floor`.
///
/// * Shape: one word of `depth` bits a token, in the tokens' order.
/// * Range: `leaves` 2 (the expected distribution stays) or more (it shifts towards ones).
#[must_use]
pub fn update_scores(scores: &[f32], bits: &[u64], depth: u32, leaves: u32, floor: f32) -> Vec<f32> {
    let mut p = single::softmax(scores);
    let mut marked = vec![0.0; p.len()];
    for layer in 0..depth {
        let one = |word: u64| word >> layer & 1 == 1;
        for ((marked, p), word) in marked.iter_mut().zip(&p).zip(bits) {
            *marked = if one(*word) { *p } else { 0.0 };
        }
        let mass = single::sum(&marked);
        for (p, word) in p.iter_mut().zip(bits) {
            *p *= factor(one(*word) && (leaves == 2 || *p > 0.0), mass, leaves);
        }
    }
    p.iter().map(|p| if *p > 0.0 && p.is_finite() { libm::logf(*p) } else { floor }).collect()
}

/// What a layer multiplies a token's probability by.
fn factor(one: bool, mass: f32, leaves: u32) -> f32 {
    if leaves == 2 {
        return (1.0 + f32::from(u8::from(one))) - mass;
    }
    let miss = 1.0 - mass;
    let power = |n: u32| libm::powf(miss, n as f32);
    if one { (1.0 - power(leaves)) / mass } else { power(leaves - 1) }
}

/// How a response is planted: the context of the next token, and whether it is left unmarked.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Tokens of a window, the scored one among them.
    pub ngram_len: usize,
    /// How many contexts are remembered.
    pub history: usize,
    /// Whether the first ngram_len − 1 calls leave the scores alone and remember nothing.
    pub skip_first: bool,
    /// Hash of no token.
    pub start: u64,
}

impl Plan {
    /// Hash of the next token's context; none where it is to be sampled unmarked. The prompt never enters: before the response stand
    /// zeros, as in the references.
    #[must_use]
    pub fn context(&self, response: &[u32]) -> Option<u64> {
        let width = self.ngram_len - 1;
        let mut all = vec![0; width];
        all.extend_from_slice(response);
        let skipped = if self.skip_first { width } else { 0 };
        let (mut ring, mut last) = (Ring::new(self.history), None);
        for call in skipped..=response.len() {
            let context = hash(self.start, &all[call..call + width]);
            last = (!ring.push(context)).then_some(context);
        }
        last
    }
}

/// Layers that are evidence of their own: the places of keys that differ modulo `modulus` (none: all 64 bits), and the weights of
/// these layers, none where all are 1. Layers of equal keys have equal bits, so their weights add up.
pub(super) fn distinct(keys: &[i64], modulus: Option<u64>, weights: Option<Vec<f64>>) -> (Vec<i64>, Option<Vec<f64>>) {
    let reduced = |key: i64| modulus.map_or(i128::from(key), |size| i128::from(key).rem_euclid(i128::from(size)));
    let mut kept: Vec<(i128, i64, f64)> = Vec::new();
    for (at, &key) in keys.iter().enumerate() {
        let weight = weights.as_ref().map_or(1.0, |weights| weights[at]);
        match kept.iter_mut().find(|layer| layer.0 == reduced(key)) {
            Some(layer) => layer.2 += weight,
            None => kept.push((reduced(key), key, weight)),
        }
    }
    let plain = weights.is_none() && kept.len() == keys.len();
    let weights = (!plain).then(|| kept.iter().map(|layer| layer.2).collect());
    (kept.iter().map(|layer| layer.1).collect(), weights)
}

/// As many keys of 64 random bits, none alike modulo `modulus` where there is room.
pub(super) fn random_keys(material: &[u8; 32], n: usize, modulus: Option<u64>) -> Vec<i64> {
    let mut hasher = blake3::Hasher::new_derive_key("stillhunt 2026 synthid layer keys");
    hasher.update(material);
    let mut stream = hasher.finalize_xof();
    let mut keys: Vec<i64> = Vec::with_capacity(n);
    let roomy = modulus.is_none_or(|size| size > 2 * n as u64);
    while keys.len() < n {
        let mut bytes = [0; 8];
        stream.fill(&mut bytes);
        keys.push(i64::from_le_bytes(bytes));
        if roomy && distinct(&keys, modulus, None).0.len() < keys.len() {
            keys.pop();
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trained_detector_is_read_by_the_reference_s_names_and_anything_else_is_refused() {
        use safetensors::tensor::{TensorView, serialize};
        let file = |beta: &[f32], delta: &[f32], prior: &[f32], kind: Dtype| {
            let bytes = |of: &[f32]| of.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
            let (beta, delta, prior) = (bytes(beta), bytes(delta), bytes(prior));
            fn view(kind: Dtype, bytes: &[u8]) -> TensorView<'_> {
                TensorView::new(kind, vec![bytes.len() / 4], bytes).expect("a tensor")
            }
            let named = [
                ("likelihood_model_watermarked.beta", view(kind, &beta)),
                ("likelihood_model_watermarked.delta", view(kind, &delta)),
                ("prior", view(kind, &prior)),
            ];
            serialize(named, None).expect("a file")
        };
        let detector =
            TrainedDetector::from_safetensors(&file(&[0.5, -1.0], &[9.0, 9.0, 2.0, 9.0], &[0.25], Dtype::F32));
        let detector = detector.expect("a detector");
        let expected = bayesian_posterior(&[1, 2], &[true, true], &[0.5, -1.0], &[vec![], vec![2.0]], 0.25);
        assert_eq!((detector.layers(), detector.posterior(&[1, 2])), (2, expected));
        for (bytes, word) in [
            (Vec::new(), "cannot be read"),
            (file(&[0.5, -1.0], &[9.0], &[0.25], Dtype::F32), "[2, 1, 1] numbers"),
            (file(&[0.5], &[f32::NAN], &[0.25], Dtype::F32), "not finite"),
            (file(&[0.5], &[1.0], &[0.25], Dtype::U32), "another type"),
            (
                serialize([("prior", TensorView::new(Dtype::F32, vec![1], &[0; 4]).expect("one"))], None)
                    .expect("a file"),
                "none of the name",
            ),
        ] {
            let told = TrainedDetector::from_safetensors(&bytes).expect_err("refused").to_string();
            assert!(told.contains(word), "{told}");
        }
    }

    #[test]
    fn rings_forget() {
        // The context of place 4 was last seen two places before: remembered by a ring of two, not of one.
        let tokens = [5, 6, 5, 6, 5, 6];
        let flags = |history| context_mask(&tokens, 2, history, 1);
        assert_eq!(flags(8), [true, true, false, false, false]);
        assert_eq!(flags(2), [true, true, false, false, false]);
        assert_eq!(flags(1), [true; 5]);
        assert_eq!(flags(0), [true; 5]);
        assert_eq!(eos_mask(&[9, 9, 3, 9], 2, 3), [true, false, false]);
        assert_eq!(eos_mask(&[9, 9], 2, 3), [true]);
    }

    #[test]
    fn scores_by_hand() {
        let (bits, mask) = ([0b01, 0b11, 0b10], [true, true, false]);
        assert_eq!(mean_score(&bits, &mask, &[1.0, 1.0]), 0.75);
        let w = weights(2);
        assert!((w[0] - 20.0 / 11.0).abs() < 1e-15 && (w[1] - 2.0 / 11.0).abs() < 1e-15);
        assert!((mean_score(&bits, &mask, &w) - (2.0 * w[0] + w[1]) / 4.0).abs() < 1e-15);
        assert!(mean_score(&bits, &[false; 3], &w).is_nan());
        assert!((bayesian_posterior(&bits, &[false; 3], &[0.0], &[vec![]], 0.25) - 0.25).abs() < 1e-15);
        // One bit, q = 1/2: P(1 | marked) = .5 · (1.5 · .5 + .5) = .625 against .5.
        let posterior = bayesian_posterior(&[1], &[true], &[0.0], &[vec![]], 0.5);
        assert!((posterior - 0.625 / 1.125).abs() < 1e-12);
    }

    #[test]
    fn tournaments_keep_the_mass_and_leaves_push() {
        let scores: Vec<f32> = (0..50).map(|i| (i * 7 % 11) as f32 / 3.0).collect();
        let bits: Vec<u64> = (0..50u64).map(|i| i.wrapping_mul(MULTIPLIER) >> 50).collect();
        let ones = |leaves| {
            let p: Vec<f64> =
                update_scores(&scores, &bits, 1, leaves, -1e12).iter().map(|x| libm::exp(f64::from(*x))).collect();
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{leaves}");
            p.iter().zip(&bits).filter(|(_, word)| *word & 1 == 1).map(|(p, _)| p).sum::<f64>()
        };
        let plain = single::softmax(&scores);
        let mass: f64 = plain.iter().zip(&bits).filter(|(_, word)| *word & 1 == 1).map(|(p, _)| f64::from(*p)).sum();
        assert!((ones(2) - (1.0 - (1.0 - mass).powi(2))).abs() < 1e-5);
        assert!((ones(3) - (1.0 - (1.0 - mass).powi(3))).abs() < 1e-5);
    }

    #[test]
    fn contexts_begin_with_zeros() {
        let mut plan = Plan { ngram_len: 3, history: 4, skip_first: false, start: 1 };
        assert_eq!(plan.context(&[]), Some(hash(1, &[0, 0])));
        assert_eq!(plan.context(&[7]), Some(hash(1, &[0, 7])));
        assert_eq!(plan.context(&[7, 8, 7, 8]), None, "7 8 stood before");
        assert_eq!(plan.context(&[0]), None, "0 0 stood before");
        plan.skip_first = true;
        assert_eq!((plan.context(&[]), plan.context(&[7])), (None, None));
        assert_eq!(plan.context(&[0, 0]), Some(hash(1, &[0, 0])), "what was skipped is not remembered");
    }

    #[test]
    fn equal_layers_are_one() {
        assert_eq!(distinct(&[1, 2, 3], Some(65_536), None), (vec![1, 2, 3], None));
        assert_eq!(distinct(&[1, 2, 65_537], Some(65_536), None), (vec![1, 2], Some(vec![2.0, 1.0])));
        assert_eq!(distinct(&[-1, 65_535], Some(65_536), Some(vec![3.0, 4.0])), (vec![-1], Some(vec![7.0])));
        assert_eq!(distinct(&[1, 65_537], None, None), (vec![1, 65_537], None));
        let keys = random_keys(&[7; 32], 64, Some(4096));
        assert_eq!(distinct(&keys, Some(4096), None).0.len(), 64);
        assert_ne!(keys, random_keys(&[8; 32], 64, Some(4096)));
    }
}
