//! `gumbel` and `dual_key_gumbel`, as SGLang does them: the Gumbel-max trick with uniforms from MurmurHash3, under one key or two.
//!
//! # Algorithm
//! The last `context_window` tokens of prompt and answer are hashed to 32 bits (MurmurHash3 x86-32, seed 0, one word a token); so are the
//! two halves of the 64-bit key, that hash and a token, to H, and u = (H + ½) / 2³². Planting picks the largest ln u / p, p after temperature,
//! top-k and top-p, the lowest id of equal ones. A context is used once a request (by its 32 bits), and at most 4,096 of them; a
//! greedy token (`top_k` 1), and one whose largest p exceeds `max_probability`, are left alone. With two keys a third hash, of both and
//! of the context, says which one a context has: A where it is below ⌊`mixing_probability` · 2³²⌋.
//!
//! Source: SGLang, `srt/sampling/watermarking` (commit 519697e37, and the wheel 0.5.23); Aaronson 2022 (talk). Compared in
//! `tests/golden/sglang_gumbel.json`.
//!
//! # Null
//! Given text that does not depend on the key, each (context hash, token) counted once, u is uniform on 2³² steps. SGLang's own score is
//! −ln(1 − u), with u in the middle of its step; in the last steps that is above an exponential, by ln 2 in the very last. The
//! score here is −ln((2³² − H) / 2³²), the step's lower end, which is at most an exponential: −ln V ≥ it for V uniform in
//! the step. The two differ by 3 in 10⁹ of a score, in the mean, and p is an upper bound. Assumes that MurmurHash3 under a random
//! key is as good as random to the text; it is not cryptographic.
//!
//! # What a negative does not show
//! Certain tokens carry nothing, and neither do greedy or opted-out requests. A request may bring its own key and a smaller window; each is
//! another test. A server's window or keys differ from what it is started with, not from what a request says.
//!
//! # Wrong on purpose
//! The first `context_window` tokens of an answer have contexts that reach into the prompt; they are not scored, with prompts or without.
//! Planting here takes every earlier context for a used one, as SGLang does after a request was retracted; there, one that was passed
//! over because of `max_probability` can be used later. Two contexts with one hash share their uniforms, so that the (hash, token) counts once.
//!
//! # When not to use it
//! For a new deployment: the native `gumbel`, whose noise is that of a cryptographic function and whose contexts do not collide.

use super::about::{About, Field, Opened, Secret};
use super::fields::Fields;
use super::sample::{Sampling, argmax, check_logits, draw, softmax, warp};
use super::{Null, Once, PAD, Scheme, Shape, SoFar, Traits, Unit, Value, Windows};
use crate::error::{Error, ErrorKind, Result};
use std::collections::HashSet;

const KEY: Field = Field { name: "key", default: None, about: "1 to 16 hex digits in quotes, 0x before them or not" };
const WINDOW: Field = Field {
    name: "context_window",
    default: Some("4"),
    about: "context tokens, 1 to 64; a request may ask for fewer than its server",
};
const MAX_PROBABILITY: Field = Field {
    name: "max_probability",
    default: Some("1.0"),
    about: "a token whose largest probability is above this is left unmarked, above 0 to 1",
};
const VOCAB: Field = Field { name: "vocab_size", default: None, about: "width of the model's logits" };
const PLANTED_BY: &str = "SGLang from 0.5.23 with --enable-watermark and --watermark-config (CUDA)";
const FAULTS: &str = "greedy requests (temperature 0, top_k 1) carry no mark; unless enforce_all is set, a request can opt out with \
    enabled = false, and unless default_enabled is set it must opt in; a request can bring its own key and a smaller window; nothing \
    is marked after 4,096 contexts; its detector's window and keys have no default that follows the server's";

/// How `watermark schemes` shows it, under one key.
pub const SINGLE: About = About {
    scheme: "gumbel",
    dialect: "sglang",
    source: "Aaronson 2022; SGLang 0.5.23",
    fields: &[KEY, WINDOW, MAX_PROBABILITY, VOCAB],
    secret: &[("key", Secret::Hex)],
    planted_by: PLANTED_BY,
    faults: FAULTS,
    open: open_single,
};

/// How `watermark schemes` shows it, under two keys.
pub const DUAL: About = About {
    scheme: "dual_key_gumbel",
    dialect: "sglang",
    source: "Aaronson 2022; SGLang 0.5.23",
    fields: &[
        KEY,
        Field { name: "key_b", default: None, about: "the second key, as the first" },
        Field {
            name: "mixing_probability",
            default: Some("0.5"),
            about: "share of contexts that have the first key, between 0 and 1",
        },
        WINDOW,
        MAX_PROBABILITY,
        VOCAB,
    ],
    secret: &[("key", Secret::Hex), ("key_b", Secret::Hex)],
    planted_by: PLANTED_BY,
    faults: FAULTS,
    open: open_dual,
};

/// Contexts that are marked in one request, at most.
pub const MOST_CONTEXTS: usize = 4096;
const STEPS: f64 = 4_294_967_296.0;

/// MurmurHash3 x86-32 of whole words, seed 0.
#[must_use]
#[inline]
fn murmur(words: impl IntoIterator<Item = u32>) -> u32 {
    let (mut state, mut bytes) = (0u32, 0u32);
    for word in words {
        let mixed = word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
        state = (state ^ mixed).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
        bytes = bytes.wrapping_add(4);
    }
    state ^= bytes;
    state = (state ^ state >> 16).wrapping_mul(0x85eb_ca6b);
    state = (state ^ state >> 13).wrapping_mul(0xc2b2_ae35);
    state ^ state >> 16
}

fn halves(key: u64) -> [u32; 2] {
    [key as u32, (key >> 32) as u32]
}

/// The hash of a context, which may be shorter than the window.
///
/// # Example
/// ```
/// assert_eq!(stillhunt::watermark::gumbel_sglang::context_hash(&[2_812_351_632]), 750_770_329);
/// ```
#[must_use]
pub fn context_hash(context: &[u32]) -> u32 {
    murmur(context.iter().copied())
}

/// The 32 bits of a token in a context.
#[must_use]
#[inline]
pub fn token_hash(key: u64, context_hash: u32, token: u32) -> u32 {
    let [low, high] = halves(key);
    murmur([low, high, context_hash, token])
}

/// Which of two keys a context has: the first where it is below the share of it, in 2⁻³².
#[must_use]
#[inline]
pub fn coin(a: u64, b: u64, context_hash: u32) -> u32 {
    let ([a_low, a_high], [b_low, b_high]) = (halves(a), halves(b));
    murmur([a_low, a_high, b_low, b_high, context_hash])
}

/// The score of the reference's detector: −ln(1 − u), u in the middle of its step.
#[must_use]
pub fn reference_score(hash: u32) -> f64 {
    -libm::log1p(-(f64::from(hash) + 0.5) / STEPS)
}

/// The score here: at most an exponential of mean 1, in distribution.
#[must_use]
#[inline]
pub fn score(hash: u32) -> f64 {
    -libm::log((STEPS - f64::from(hash)) / STEPS)
}

/// ln u in single precision, exact near 1, where a direct logarithm would be 0.
fn log_uniform(hash: u32) -> f32 {
    let steps = STEPS as f32;
    if hash < 1 << 31 {
        return libm::logf((hash as f32 + 0.5) / steps);
    }
    libm::log1pf(-((u32::MAX - hash) as f32 + 0.5) / steps)
}

/// A key as SGLang writes it; none where it is not of that form.
///
/// # Example
/// ```
/// use stillhunt::watermark::gumbel_sglang::parse_key;
/// assert_eq!((parse_key("0xFf"), parse_key("ff"), parse_key("")), (Some(255), Some(255), None));
/// ```
#[must_use]
pub fn parse_key(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let fits = (1..=16).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    fits.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

/// The second key, and where its contexts begin.
#[derive(Clone, Copy)]
struct Second {
    key: u64,
    threshold: u64,
}

/// The scheme under one key or two.
#[derive(Clone)]
pub struct Gumbel {
    key: u64,
    second: Option<Second>,
    window: usize,
    max_probability: f64,
    vocab: u32,
}

impl Gumbel {
    /// Under one key; ranges: `window` 1 to 64, `max_probability` in (0, 1].
    #[must_use]
    pub fn single(key: u64, window: usize, max_probability: f64, vocab: u32) -> Self {
        Self { key, second: None, window, max_probability, vocab }
    }

    /// With a second key for a share 1 − `mixing` of contexts, `mixing` in (0, 1).
    #[must_use]
    pub fn dual(self, key_b: u64, mixing: f64) -> Self {
        Self { second: Some(Second { key: key_b, threshold: (mixing * STEPS) as u64 }), ..self }
    }

    /// The key of a context.
    #[must_use]
    pub fn key_of(&self, context_hash: u32) -> u64 {
        match self.second {
            Some(Second { key, threshold }) if u64::from(coin(self.key, key, context_hash)) >= threshold => key,
            _ => self.key,
        }
    }

    /// The hash of the next token's context; none where the token is left unmarked because the context was used before, there were
    /// [`MOST_CONTEXTS`], or there is none.
    #[must_use]
    pub fn context(&self, so_far: SoFar<'_>) -> Option<u32> {
        let tail = &so_far.prompt[so_far.prompt.len().saturating_sub(self.window)..];
        let tokens: Vec<u32> = tail.iter().chain(so_far.response).copied().collect();
        let hash = |at: usize| context_hash(&tokens[at.saturating_sub(self.window)..at]);
        let now = (!tokens.is_empty()).then(|| hash(tokens.len()))?;
        let mut used = HashSet::new();
        for at in tail.len().max(1)..tokens.len() {
            used.insert(hash(at));
        }
        (used.len() < MOST_CONTEXTS && !used.contains(&now)).then_some(now)
    }
}

fn key(fields: &Fields, name: &str) -> Result<u64> {
    let expected = || {
        let what = format!("expected 1 to 16 hex digits in quotes in the field {name}, got something else or nothing");
        Error::new(ErrorKind::Config, what)
    };
    fields.text(name)?.and_then(parse_key).ok_or_else(expected)
}

fn single(fields: &Fields) -> Result<Gumbel> {
    let window = fields.count("context_window", Some(4), 1, 64)?;
    let max_probability = fields.number("max_probability", Some(1.0), 1e-6, 1.0)?;
    Ok(Gumbel::single(key(fields, "key")?, window, max_probability, fields.vocab()?))
}

fn opened(scheme: Gumbel) -> Opened {
    let known = [0x0123_4567_89ab_cdef, 0x0123_4567, 0x42, 42, 0, 1].contains(&scheme.key);
    Opened {
        published: known.then_some("the key is that of SGLang's documentation or of many examples"),
        ..Opened::native(Box::new(scheme))
    }
}

fn open_single(fields: &Fields) -> Result<Opened> {
    Ok(opened(single(fields)?))
}

fn open_dual(fields: &Fields) -> Result<Opened> {
    let mixing = fields.number("mixing_probability", Some(0.5), 1e-9, 1.0 - 1e-9)?;
    Ok(opened(single(fields)?.dual(key(fields, "key_b")?, mixing)))
}

impl Scheme for Gumbel {
    fn traits(&self) -> Traits {
        let shape = Shape {
            context: self.window,
            first: self.window,
            pad: false,
            once: Once::Context,
            history: Some(usize::MAX),
            budget: Some(MOST_CONTEXTS),
        };
        let null = Null::Exponential { shift: 0.0 };
        Traits { shape, null, payloads: 1, collapses: true, cost: 1.0, vocab: self.vocab }
    }

    /// A context that begins before the text is shorter, not padded.
    fn reduce(&self, windows: Windows<'_>, units: &mut Vec<Unit>) {
        units.extend(windows.iter().map(|(context, token)| {
            let begin = context.iter().take_while(|id| **id == PAD).count();
            Unit { seed: u128::from(context_hash(&context[begin..])), token }
        }));
    }

    fn values(&self, units: &[Unit], values: &mut Vec<Value>) {
        values.extend(units.iter().map(|unit| {
            let context = unit.seed as u32;
            Value::Score(score(token_hash(self.key_of(context), context, unit.token)))
        }));
    }

    fn with_key(&self, material: &[u8; 32]) -> Box<dyn Scheme> {
        let word = |from: usize| u64::from_le_bytes(std::array::from_fn(|i| material[from + i]));
        let second = self.second.map(|second| Second { key: word(8), ..second });
        Box::new(Self { key: word(0), second, ..self.clone() })
    }

    fn plant(
        &self,
        so_far: SoFar<'_>,
        logits: &[f32],
        sampling: &Sampling,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<u32> {
        check_logits(logits, self.vocab)?;
        let scores = warp(logits, sampling);
        if sampling.top_k == 1 {
            return Ok(argmax(&scores));
        }
        let probabilities = softmax(&scores);
        let most = probabilities.iter().copied().fold(0.0, f64::max);
        let Some(context) = self.context(so_far).filter(|_| most <= self.max_probability) else {
            return Ok(draw(&probabilities, uniform()));
        };
        let key = self.key_of(context);
        let races: Vec<f64> = probabilities
            .iter()
            .zip(0..)
            .map(|(p, token)| match *p as f32 {
                0.0 => f64::NEG_INFINITY,
                p => f64::from(log_uniform(token_hash(key, context, token)) / p),
            })
            .collect();
        Ok(argmax(&races))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watermark::score_text;

    fn drawn() -> impl FnMut() -> f64 {
        let mut state = 1u64;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / 2f64.powi(53)
        }
    }

    fn planted(scheme: &Gumbel, prompt: &[u32], n: usize, sampling: &Sampling) -> Vec<u32> {
        let (mut uniform, mut response) = (drawn(), Vec::new());
        for step in 0..n {
            let logits: Vec<f32> =
                (0..scheme.vocab).map(|i| ((i * 37 + step as u32 * 11) % 101) as f32 / 25.0).collect();
            let so_far = SoFar { prompt, response: &response };
            response.push(scheme.plant(so_far, &logits, sampling, &mut uniform).unwrap());
        }
        response
    }

    fn mean(scheme: &Gumbel, tokens: &[u32]) -> f64 {
        let values = score_text(scheme, tokens).unwrap();
        let sum: f64 = values.iter().map(|v| if let Value::Score(score) = v { *score } else { 0.0 }).sum();
        sum / values.len() as f64
    }

    #[test]
    fn what_is_planted_scores_high_under_its_keys_only() {
        let single = Gumbel::single(7, 4, 1.0, 300);
        let dual = single.clone().dual(8, 0.3);
        for scheme in [single, dual] {
            let text = planted(&scheme, &[1, 2, 3], 300, &Sampling::default());
            let other = Gumbel { key: 9, second: scheme.second.map(|b| Second { key: 10, ..b }), ..scheme.clone() };
            assert!(mean(&scheme, &text) > 3.0 && mean(&other, &text) < 1.3);
        }
    }

    #[test]
    fn greedy_and_certain_tokens_are_left_alone() {
        let scheme = Gumbel::single(7, 4, 0.001, 300);
        assert!(mean(&scheme, &planted(&scheme, &[], 300, &Sampling::default())) < 1.3, "all above max_probability");
        let one = Sampling { top_k: 1, ..Sampling::default() };
        let logits = [0.0, 5.0, 5.0, 1.0];
        let scheme = Gumbel::single(7, 4, 1.0, 4);
        let so_far = SoFar { prompt: &[1], response: &[] };
        assert_eq!(scheme.plant(so_far, &logits, &one, &mut || 0.9).unwrap(), 1, "the lowest id of equal ones");
    }

    #[test]
    fn a_context_is_used_once_and_a_budget_ends() {
        let scheme = Gumbel::single(7, 2, 1.0, 10_000);
        let context = |prompt: &[u32], response: &[u32]| scheme.context(SoFar { prompt, response });
        assert_eq!(context(&[], &[]), None, "nothing to hash");
        assert_eq!(context(&[5], &[]), Some(context_hash(&[5])), "a short prompt");
        assert_eq!(context(&[4, 5, 6], &[]), Some(context_hash(&[5, 6])));
        assert_eq!(context(&[5, 6], &[5, 6]), None, "used by the first token");
        assert_eq!(
            context(&[9, 5, 6, 9], &[5, 6]),
            Some(context_hash(&[5, 6])),
            "the prompt's own contexts are not used"
        );
        let long: Vec<u32> = (0..MOST_CONTEXTS as u32 - 1).collect();
        assert!(context(&[8_000], &long).is_some());
        assert!(context(&[8_000], &(0..MOST_CONTEXTS as u32).collect::<Vec<_>>()).is_none());
    }

    #[test]
    fn scores_are_below_exponentials() {
        // P(score ≥ its value at H) = (2³² − H) / 2³² = e^−score, at both ends and in between.
        for hash in [0, 1, 5, 1 << 20, 1 << 31, u32::MAX - 128, u32::MAX - 1, u32::MAX] {
            let left = (STEPS - f64::from(hash)) / STEPS;
            assert!(left <= libm::exp(-score(hash)) * (1.0 + 1e-12), "{hash}");
            assert!(reference_score(hash) >= score(hash) && reference_score(hash) - score(hash) < 0.7, "{hash}");
            assert!(log_uniform(hash) < 0.0, "{hash}: u stays below 1");
        }
    }
}
