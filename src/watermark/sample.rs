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
