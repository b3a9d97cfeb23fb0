//! `gumbel`, as vLLM does it: the Gumbel-max trick with uniforms from Philox under a 64-bit key.
//!
//! # Algorithm
//! The last `context_width` tokens of the answer (the prompt excluded, −1 before the first) are absorbed by Philox four at a time; one
//! more block, of the token, gives 24 bits j and u = (j + 1) / (2²⁴ + 1), rounded to single precision. Planting picks the largest
//! logit − ln(−ln u), after temperature, top-k and top-p; where the context stood among the last
//! `deduplicate_contexts_max_history` of the answer, the token is sampled ordinarily. The score is −ln(1 − u).
//!
//! Source: Aaronson 2022 (talk); vLLM 0.33.0 `vllm/v1/watermarking`; Salmon et al. 2011 for Philox.
//!
//! # Null
//! Given text that does not depend on the key, and each context counted once, scores are independent and at most, in distribution, an
//! exponential of mean 1 plus ln(1 + 2⁻²⁴): the p-value is an upper bound, exact to 6 in 10⁸ of the score a token. Assumes that Philox
//! under a random key is a pseudo-random function (it is not cryptographic).
//!
//! The bound: write N = 2²⁴ and k = N − j, which is 1 to N, each as likely. Without rounding 1 − u = k / (N + 1), so
//! −ln(1 − u) = ln(N / k) + ln(1 + 1/N). An exponential E = −ln V with V uniform has V ≤ k / N whenever ⌈N V⌉ = k, so
//! ln(N / k) ≤ E for k = ⌈N V⌉. With rounding: (j + 1) / (N + 1) lies below (j + 1) / N by (j + 1) / N² in the first two
//! orders, which for u in [2⁻ᵐ⁻¹, 2⁻ᵐ) is from half of a step of single precision to one step, so u is rounded down to
//! (j + 1) / N − 2⁻ᵐ / N; then 1 − u = (k − a) / N for a = 1 − 2⁻ᵐ, where k ≥ a N + 1, and k / (k − a) ≤ 1 + 1/N.
//! A test goes through all 2²⁴ values.
//!
//! # What a negative does not show
//! As for the native `gumbel`: certain tokens carry nothing. Greedy, beam-searched and opted-out requests carry no mark at all.
//!
//! # Wrong on purpose
//! The first token of every answer has one and the same context, so all answers to one prompt begin alike under a key; it counts once
//! in all the evidence. vLLM's own detector sums the tail in double precision and prints 0 below 10⁻³⁰⁸, and looks for repeated contexts
//! in one text only; neither is followed.
//!
//! # When not to use it
//! For a new deployment: the native `gumbel`, whose noise is that of a cryptographic function.

use super::about::{About, Field, Opened, Secret};
use super::fields::Fields;
use super::philox::{philox_lanes, philox4x32_10};
use super::sample::{Sampling, argmax_within, check_logits, most_noise, warp};
use super::{Marked, Null, Once, PAD, Scheme, Shape, SoFar, Traits, Unit, Value, Windows};
use crate::error::Result;

/// How `watermark schemes` shows it.
pub const ABOUT: About = About {
    scheme: "gumbel",
    dialect: "vllm",
    source: "Aaronson 2022; vLLM 0.33.0",
    fields: &[
        Field { name: "key", default: None, about: "whole number, 0 to 2^64 - 1 (in quotes from 2^63 on)" },
        Field { name: "context_width", default: Some("4"), about: "context tokens, 1 to 64" },
        Field { name: "deduplicate_contexts", default: Some("single_turn"), about: "none, single_turn or all" },
        Field { name: "deduplicate_contexts_max_history", default: Some("8192"), about: "places searched, 1 to 2^32" },
        Field { name: "vocab_size", default: None, about: "width of the model's logits" },
    ],
    secret: &[("key", Secret::Int(64))],
    planted_by: "vLLM from 0.30 on",
    faults: "greedy requests (temperature 0) carry no mark; a request can switch the mark off although the server \
        enforces it (vLLM 58191); the first token of every answer has one and the same context",
    open,
};

/// First word of the state that absorbs a context.
const CONTEXT: u32 = 0x574d_4358;
/// What the second half of the key differs by where a token is absorbed.
const TOKEN: u32 = 0x574d_544b;
/// Most that the grid of u adds to a score, in distribution: ln(1 + 2⁻²⁴).
pub const SHIFT: f64 = 5.960_464_299_903_388e-8;
/// Units that are hashed side by side.
pub(super) const LANES: usize = 16;

/// The keyed function.
#[derive(Clone, Copy)]
pub struct Prf {
    key: u64,
}

/// What is known of a context: four words.
pub type State = [u32; 4];

impl Prf {
    /// Under a key of 64 bits.
    #[must_use]
    pub fn new(key: u64) -> Self {
        Self { key }
    }

    fn halves(self) -> [u32; 2] {
        [self.key as u32, (self.key >> 32) as u32]
    }

    /// The state of a context; [`PAD`] stands for −1.
    #[must_use]
    pub fn state(self, context: &[u32]) -> State {
        let [low, high] = self.halves();
        let mut state = [CONTEXT, context.len() as u32, 0, 0];
        for offset in (0..context.len()).step_by(4) {
            let block: State = std::array::from_fn(|j| state[j] ^ absorbed(context, offset, j));
            state = philox4x32_10(block, [low ^ offset as u32, high]);
        }
        state
    }

    /// The 32 bits of a token in a context.
    #[must_use]
    pub fn word(self, state: State, token: u32) -> u32 {
        self.block(state, token / 4)[token as usize % 4]
    }

    fn block(self, [a, b, c, d]: State, quarter: u32) -> [u32; 4] {
        let [low, high] = self.halves();
        philox4x32_10([quarter, a, b, c], [low ^ d, high ^ TOKEN])
    }

    /// The words of tokens `0..n`.
    fn words(self, state: State, n: u32) -> impl Iterator<Item = u32> {
        (0..n.div_ceil(4)).flat_map(move |quarter| self.block(state, quarter)).take(n as usize)
    }

    /// States of `LANES` contexts.
    #[inline(always)]
    pub(super) fn states(self, contexts: [&[u32]; LANES]) -> [[u32; LANES]; 4] {
        let [low, high] = self.halves();
        let width = contexts[0].len();
        let mut state = [[CONTEXT; LANES], [width as u32; LANES], [0; LANES], [0; LANES]];
        for offset in (0..width).step_by(4) {
            for (j, words) in state.iter_mut().enumerate() {
                for (word, context) in words.iter_mut().zip(contexts) {
                    *word ^= absorbed(context, offset, j);
                }
            }
            state = philox_lanes(state, [[low ^ offset as u32; LANES], [high; LANES]]);
        }
        state
    }

    /// Scores of `LANES` tokens in contexts of these states.
    #[inline(always)]
    pub(super) fn scores(self, state: [[u32; LANES]; 4], tokens: [u32; LANES]) -> [f64; LANES] {
        let [low, high] = self.halves();
        let [a, b, c, d] = state;
        let block = philox_lanes([tokens.map(|t| t / 4), a, b, c], [d.map(|d| d ^ low), [high ^ TOKEN; LANES]]);
        let left = std::array::from_fn(|lane| 1.0 - f64::from(uniform(block[tokens[lane] as usize % 4][lane])));
        super::logarithm::ln(left).map(|ln| -ln)
    }
}

/// Word j of the block at `offset` of a context.
#[inline(always)]
fn absorbed(context: &[u32], offset: usize, j: usize) -> u32 {
    context.get(offset + j).copied().unwrap_or(u32::MAX - j as u32)
}

/// 24 bits as a number in (0, 1), in single precision.
#[must_use]
#[inline]
pub fn uniform(word: u32) -> f32 {
    (f64::from((word >> 8) + 1) / f64::from((1 << 24) + 1)) as f32
}

/// −ln(1 − u). The difference is exact in double precision.
#[must_use]
#[inline]
pub fn score(u: f32) -> f64 {
    -libm::log(1.0 - f64::from(u))
}

/// Which tokens are left unmarked because their context was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deduplicate {
    /// None.
    None,
    /// Those whose context stood before the answer's own tokens.
    SingleTurn,
    /// These, those whose context stood in the prompt, and the first `context_width` tokens.
    All,
}

/// How a request is planted.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Context tokens.
    pub width: usize,
    /// Whose contexts are searched.
    pub scope: Deduplicate,
    /// Places searched.
    pub history: usize,
}

impl Plan {
    pub(super) fn from_fields(fields: &Fields) -> Result<Self> {
        let width = fields.count("context_width", Some(4), 1, 64)?;
        let scope = fields.word("deduplicate_contexts", Some("single_turn"), &["none", "single_turn", "all"])?;
        let scope = match scope {
            "none" => Deduplicate::None,
            "all" => Deduplicate::All,
            _ => Deduplicate::SingleTurn,
        };
        Ok(Self { width, scope, history: fields.count("deduplicate_contexts_max_history", Some(8192), 1, 1 << 32)? })
    }

    pub(super) fn shape(&self) -> Shape {
        let history = (self.scope != Deduplicate::None).then_some(self.history);
        Shape { context: self.width, first: 0, pad: true, once: Once::Context, history, budget: None }
    }

    /// The context of the next token; none where it is to be sampled ordinarily.
    #[must_use]
    pub fn context(&self, so_far: SoFar<'_>) -> Option<Vec<u32>> {
        let padded = |tokens: &[u32], at: usize| -> Vec<u32> {
            let pads = (at..self.width).map(|_| PAD);
            pads.chain(tokens[at.saturating_sub(self.width)..at].iter().copied()).collect()
        };
        let at = so_far.response.len();
        let context = padded(so_far.response, at);
        let joined: Vec<u32>;
        let (tokens, first) = match self.scope {
            Deduplicate::None => return Some(context),
            Deduplicate::SingleTurn => (so_far.response, 0),
            Deduplicate::All if at < self.width => return None,
            Deduplicate::All => {
                joined = so_far.prompt.iter().chain(so_far.response).copied().collect();
                (joined.as_slice(), self.width)
            }
        };
        let from = tokens.len().saturating_sub(self.history).max(first);
        let seen = (from..tokens.len()).any(|place| padded(tokens, place) == context);
        (!seen).then_some(context)
    }
}

/// The scheme under one key.
#[derive(Clone)]
pub struct Gumbel {
    prf: Prf,
    plan: Plan,
    vocab: u32,
}

impl Gumbel {
    /// Under a key of 64 bits.
    #[must_use]
    pub fn new(key: u64, plan: Plan, vocab: u32) -> Self {
        Self { prf: Prf::new(key), plan, vocab }
    }
}

fn open(fields: &Fields) -> Result<Opened> {
    let key = key(fields)?;
    let scheme = Gumbel::new(key, Plan::from_fields(fields)?, fields.vocab()?);
    Ok(Opened { published: published(key), ..Opened::native(Box::new(scheme)) })
}

pub(super) fn key(fields: &Fields) -> Result<u64> {
    fields.int("key", None, 0, i128::from(u64::MAX)).map(|key| key as u64)
}

pub(super) fn published(key: u64) -> Option<&'static str> {
    (key == 42).then_some("the key is that of vLLM's examples")
}

/// The token that the noise of `prf` picks.
pub(super) fn pick(prf: Prf, context: &[u32], scores: &[f64], vocab: u32) -> u32 {
    let noise = |u: f32| -libm::logf(-libm::logf(u.max(f32::MIN_POSITIVE)));
    let words: Vec<u32> = prf.words(prf.state(context), vocab).collect();
    // One step of ln 2 more than the bits say, for what single precision rounds.
    let most = |at: usize| scores[at] + most_noise(words[at].leading_ones() + 1, 22);
    argmax_within(scores, most, |at| f64::from(scores[at] as f32 + noise(uniform(words[at]))))
}

/// Groups of `LANES` items and what is left over, filled up with its last; `take` gets each group and its length.
#[inline(always)]
pub(super) fn in_lanes<T: Copy>(items: &[T], mut take: impl FnMut([T; LANES], usize)) {
    let (groups, rest) = items.as_chunks::<LANES>();
    groups.iter().for_each(|group| take(*group, LANES));
    if let Some(&last) = rest.last() {
        take(std::array::from_fn(|lane| rest.get(lane).copied().unwrap_or(last)), rest.len());
    }
}

impl Scheme for Gumbel {
    fn traits(&self) -> Traits {
        Traits {
            shape: self.plan.shape(),
            null: Null::Exponential { shift: SHIFT },
            payloads: 1,
            collapses: false,
            cost: 1.0,
            vocab: self.vocab,
        }
    }

    fn reduce(&self, windows: Windows<'_>, units: &mut Vec<Unit>) {
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                for group in windows.tokens.chunks(LANES * windows.width) {
                    let n = group.len() / windows.width;
                    let at = |lane: usize| windows.width * lane.min(n - 1);
                    let context = |lane| &group[at(lane)..at(lane) + windows.width - 1];
                    let [a, b, c, d] = self.prf.states(std::array::from_fn(context));
                    let all: [Unit; LANES] = std::array::from_fn(|lane| {
                        let half = |low: u32, high: u32| u128::from(u64::from(high) << 32 | u64::from(low));
                        let seed = half(c[lane], d[lane]) << 64 | half(a[lane], b[lane]);
                        Unit { seed, token: group[at(lane) + windows.width - 1] }
                    });
                    units.extend_from_slice(&all[..n]);
                }
            },
        );
    }

    fn values(&self, units: &[Unit], values: &mut Vec<Value>) {
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                in_lanes(units, |group, n| {
                    let state = [0, 1, 2, 3].map(|i| group.map(|unit| (unit.seed >> (32 * i)) as u32));
                    let scores = self.prf.scores(state, group.map(|unit| unit.token));
                    values.extend_from_slice(&scores.map(Value::Score)[..n]);
                });
            },
        );
    }

    fn with_key(&self, material: &[u8; 32]) -> Box<dyn Scheme> {
        let key = u64::from_le_bytes(std::array::from_fn(|i| material[i]));
        Box::new(Self::new(key, self.plan, self.vocab))
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
        Ok(match self.plan.context(so_far) {
            Some(context) => Marked::Token(pick(self.prf, &context, &scores, self.vocab)),
            None => Marked::Scores(scores),
        })
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
#[path = "gumbel_vllm_tests.rs"]
mod tests;
