//! The reference sampler: logits → probabilities → a token, in double precision and in a fixed order.
//!
//! Weakness: a serving kernel in single or half precision can pick another token where two are almost alike; the page of a
//! dialect says in which precision it was compared. Guarantee: the same logits, setting and uniform numbers give the same token.

use crate::error::{Error, ErrorKind, Result};

/// How a token is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the logits; above 0.
    pub temperature: f64,
    /// Keeps the k largest; 0 keeps all. Ties at the border stay.
    pub top_k: usize,
    /// Keeps the fewest, largest first, whose probabilities reach this; in (0, 1], 1 keeps all.
    pub top_p: f64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: 0, top_p: 1.0 }
    }
}

/// Checks logits before they are used.
///
/// # Errors
/// `Input` when there are not `vocab` of them, one is NaN or +∞, or none is above −∞.
pub fn check_logits(logits: &[f32], vocab: u32) -> Result<()> {
    let wrong = |what: String| Err(Error::new(ErrorKind::Input, what));
    if logits.len() != vocab as usize {
        return wrong(format!("expected {vocab} logits, got {}", logits.len()));
    }
    if let Some(at) = logits.iter().position(|x| x.is_nan() || *x == f32::INFINITY) {
        return wrong(format!("expected finite logits or -inf, got {} for token {at}", logits[at]));
    }
    if logits.iter().all(|x| *x == f32::NEG_INFINITY) {
        return wrong("expected a logit above -inf, got none".into());
    }
    Ok(())
}

/// Divides by the temperature, then drops what top-k and top-p leave out (as −∞). Length is kept.
#[must_use]
pub fn warp(logits: &[f32], sampling: &Sampling) -> Vec<f64> {
    let mut scores: Vec<f64> = logits.iter().map(|&x| f64::from(x) / sampling.temperature).collect();
    if sampling.top_k > 0 && sampling.top_k < scores.len() {
        let mut sorted = scores.clone();
        sorted.sort_unstable_by(|a, b| b.total_cmp(a));
        let least = sorted[sampling.top_k - 1];
        scores.iter_mut().filter(|x| **x < least).for_each(|x| *x = f64::NEG_INFINITY);
    }
    if sampling.top_p < 1.0 {
        let probabilities = softmax(&scores);
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]).then(a.cmp(&b)));
        let mut sum = 0.0;
        for token in order {
            if sum >= sampling.top_p {
                scores[token] = f64::NEG_INFINITY;
            }
            sum += probabilities[token];
        }
    }
    scores
}

/// Probabilities of scores in natural log; −∞ gives 0.
#[must_use]
pub fn softmax(scores: &[f64]) -> Vec<f64> {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut out: Vec<f64> = scores.iter().map(|x| libm::exp(x - most)).collect();
    let sum: f64 = out.iter().sum();
    out.iter_mut().for_each(|p| *p /= sum);
    out
}

/// The token at `uniform` in [0, 1) of the cumulated probabilities, tokens in order of id.
#[must_use]
pub fn draw(probabilities: &[f64], uniform: f64) -> u32 {
    let total: f64 = probabilities.iter().sum();
    let mut left = uniform * total;
    let mut last = 0;
    for (token, &p) in probabilities.iter().enumerate() {
        if p > 0.0 {
            last = token;
            if left < p {
                break;
            }
            left -= p;
        }
    }
    last as u32
}

/// Most that Gumbel noise −ln(−ln u) of one word of a generator is, where u has the word's leading bits and `ones` of them are 1: u is then
/// below 1 − 2^−(ones + 1). From `known` ones on rounding decides, and nothing is promised.
#[must_use]
pub fn most_noise(ones: u32, known: u32) -> f64 {
    // A little more, for the rounding of two logarithms.
    if ones < known { f64::from(ones + 1) * std::f64::consts::LN_2 + 1e-9 } else { f64::INFINITY }
}

/// The token for which `value` is largest, the lowest id of equal ones, as [`argmax`] over all of them would say. `value` is only asked for where
/// `most`, which is never less, leaves room; the token of the largest score is asked first. Scores of −∞ are left out, unless there is no other.
pub fn argmax_within(scores: &[f64], most: impl Fn(usize) -> f64, value: impl Fn(usize) -> f64) -> u32 {
    let first = argmax(scores) as usize;
    let mut best = (value(first), first);
    for (at, &score) in scores.iter().enumerate() {
        if score > f64::NEG_INFINITY && most(at) >= best.0 {
            let value = value(at);
            if value > best.0 || (value == best.0 && at < best.1) {
                best = (value, at);
            }
        }
    }
    best.1 as u32
}

/// The token of the largest score; the lowest id of equal ones.
#[must_use]
pub fn argmax(scores: &[f64]) -> u32 {
    let mut best = 0;
    for (token, score) in scores.iter().enumerate() {
        if *score > scores[best] || scores[best].is_nan() {
            best = token;
        }
    }
    best as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_bounded_argmax_is_the_plain_one(
            pairs in proptest::collection::vec((-40.0..10.0f64, any::<u64>(), any::<bool>()), 1..400),
            equal in any::<bool>(),
        ) {
            let scores: Vec<f64> = pairs.iter().map(|&(score, _, out)| match (out, equal) {
                (true, _) => f64::NEG_INFINITY,
                (false, true) => 1.0,
                (false, false) => score,
            }).collect();
            let noise = |at: usize| -libm::log(-libm::log((pairs[at].1 >> 11) as f64 / (1u64 << 53) as f64));
            prop_assume!(scores.iter().any(|score| score.is_finite()));
            let all: Vec<f64> = (0..scores.len()).map(|at| scores[at] + noise(at)).collect();
            let most = |at: usize| scores[at] + most_noise(pairs[at].1.leading_ones(), 53);
            for (at, &sum) in all.iter().enumerate() {
                prop_assert!(most(at) >= sum);
            }
            prop_assert_eq!(argmax_within(&scores, most, |at| all[at]), argmax(&all));
        }
    }
}
