//! A language model of three tokens: counts of human text, smoothed by Witten and Bell's rule.
//!
//! Source: Witten and Bell 1991, "The zero-frequency problem", method C. P(w | u v) = (c(u v w) + T(u v) P(w | v)) / (c(u v) + T(u v)),
//! T being the number of different tokens that followed; likewise down to single tokens, of which each has half a count more. So every
//! token is possible everywhere, as under a real model. Weakness: it has no memory beyond two tokens, so its text repeats itself less
//! than a real model's. Guarantee: the same texts give the same logits.

use crate::text::Human;
use stillhunt::detect::windows::Text;
use stillhunt::watermark::sample::softmax;

/// Counts, as sorted lists.
pub(crate) struct Model {
    /// ln of the share of each token.
    single: Vec<f32>,
    /// The shares of it and of all tokens before it.
    up_to: Vec<f64>,
    pairs: Vec<(u64, u32)>,
    triples: Vec<(u64, u32)>,
    /// Tokens that it was fitted on.
    pub(crate) tokens: usize,
}

/// Bits of a token in a key.
const BITS: u32 = 20;
/// Tokens of each file that the model is fitted on.
pub(crate) const FITTED: usize = 1_000_000;

/// What may follow, in (token, count), and the sum of counts.
fn followers(counts: &[(u64, u32)], context: u64) -> (&[(u64, u32)], f64) {
    let begin = counts.partition_point(|(key, _)| key >> BITS < context);
    let end = begin + counts[begin..].partition_point(|(key, _)| key >> BITS == context);
    let found = &counts[begin..end];
    (found, found.iter().map(|(_, n)| f64::from(*n)).sum())
}

fn counted(mut keys: Vec<u64>) -> Vec<(u64, u32)> {
    keys.sort_unstable();
    keys.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u32)).collect()
}

impl Model {
    /// On files that no null is measured on.
    pub(crate) fn fitted(human: &Human) -> Self {
        let texts: Vec<Text> =
            ["standard_ebooks", "openstax"].iter().flat_map(|name| human.texts(name, FITTED)).collect();
        Self::new(&texts, human.vocab())
    }

    /// On `texts`.
    pub(crate) fn new(texts: &[Text], vocab: u32) -> Self {
        let key = |tokens: &[u32]| tokens.iter().fold(0, |key, &token| key << BITS | u64::from(token));
        let grams = |n: usize| counted(texts.iter().flat_map(|text| text.tokens.windows(n).map(key)).collect());
        let tokens: usize = texts.iter().map(|text| text.tokens.len()).sum();
        let mut single = vec![0.5; vocab as usize];
        texts.iter().flat_map(|text| &text.tokens).for_each(|&token| single[token as usize] += 1.0);
        let total = tokens as f64 + 0.5 * f64::from(vocab);
        let mut sum = 0.0;
        let mut add = |n: &f64| {
            sum += n / total;
            sum
        };
        let up_to = single.iter().map(&mut add).collect();
        let single = single.iter().map(|n| libm::log(n / total) as f32).collect();
        Self { single, up_to, pairs: grams(2), triples: grams(3), tokens }
    }

    /// Log-probabilities of the next token after `so_far`, over the whole vocabulary.
    pub(crate) fn logits(&self, so_far: &[u32], row: &mut Vec<f32>) {
        let last = |back: usize| so_far.len().checked_sub(back).map(|at| u64::from(so_far[at]));
        let mut levels = Vec::new();
        if let Some(v) = last(1) {
            levels.push(followers(&self.pairs, v));
            if let Some(u) = last(2) {
                levels.push(followers(&self.triples, u << BITS | v));
            }
        }
        // What each level leaves to the one below it.
        let left = |(found, n): &(&[(u64, u32)], f64)| {
            if found.is_empty() { 1.0 } else { found.len() as f64 / (n + found.len() as f64) }
        };
        let base = levels.iter().map(left).product::<f64>();
        let ln_base = libm::log(base) as f32;
        row.clear();
        row.extend(self.single.iter().map(|ln| ln + ln_base));
        // From pairs up: sums are kept as probabilities only for tokens that some level knows.
        let mut known: Vec<(usize, f64)> = Vec::new();
        for (i, (found, n)) in levels.iter().enumerate() {
            let above: f64 = levels[i + 1..].iter().map(left).product();
            let scale = above / (n + found.len() as f64);
            known.extend(
                found.iter().map(|(key, count)| ((key & ((1 << BITS) - 1)) as usize, f64::from(*count) * scale)),
            );
        }
        known.sort_unstable_by_key(|(token, _)| *token);
        for same in known.chunk_by(|a, b| a.0 == b.0) {
            let token = same[0].0;
            let p: f64 = same.iter().map(|(_, p)| p).sum::<f64>() + base * libm::exp(f64::from(self.single[token]));
            row[token] = libm::log(p) as f32;
        }
    }

    /// A next token with the chances of [`Self::logits`], which are not written: first which level says it, then which of its tokens.
    pub(crate) fn draw(&self, so_far: &[u32], uniform: &mut dyn FnMut() -> f64) -> u32 {
        for (back, counts) in [(2, &self.triples), (1, &self.pairs)] {
            let Some(begin) = so_far.len().checked_sub(back) else { continue };
            let context = so_far[begin..].iter().fold(0, |key, &token| key << BITS | u64::from(token));
            let (found, n) = followers(counts, context);
            let mut left = uniform() * (n + found.len() as f64);
            for (key, count) in found {
                if left < f64::from(*count) {
                    return (key & ((1 << BITS) - 1)) as u32;
                }
                left -= f64::from(*count);
            }
        }
        let at = uniform() * self.up_to[self.up_to.len() - 1];
        self.up_to.partition_point(|sum| *sum <= at).min(self.up_to.len() - 1) as u32
    }

    /// Mean entropy of the next token in nats at a temperature, over the places of `texts`.
    pub(crate) fn entropy(&self, texts: &[Vec<u32>], temperature: f64) -> f64 {
        let (mut sum, mut n, mut row) = (0.0, 0.0, Vec::new());
        for text in texts {
            for at in 2..text.len() {
                self.logits(&text[..at], &mut row);
                let scores: Vec<f64> = row.iter().map(|ln| f64::from(*ln) / temperature).collect();
                sum -= softmax(&scores).iter().filter(|p| **p > 0.0).map(|p| p * libm::log(*p)).sum::<f64>();
                n += 1.0;
            }
        }
        sum / n
    }
}
