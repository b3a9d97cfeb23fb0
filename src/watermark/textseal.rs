//! TextSeal's four watermarks on one hash: `greenlist`, `gumbelmax`, `dual_key` and `synthid`.
//!
//! # Algorithm
//! A linear form of the `ngram` context tokens, the token and the key (wrapping 64-bit integers) is multiplied, folded once and reduced modulo
//! 8191; r is that number over 8191 in single precision. Green where r < `gamma`; the Gumbel score is −ln(1 − r); the dual key blends the
//! scores under `secret_key` and `secret_key` + 12345; a tournament's layer d is green-at-½ of token t + d (`layer_rule` 2025) or
//! t + 659101 d (2026).
//!
//! Source: TextSeal, arXiv 2605.12456; textseal 2c63fb8 (rule 2025) and 214407c (dual key). Detection equals it (`tests/golden/textseal.json`); planting
//! follows its description and was not compared.
//!
//! # Null
//! Given text that does not depend on the key, r of different linear forms are independent and uniform on the 8191 steps. Green is a coin of the
//! grid's own share (4096/8191 at ½). P(r ≥ j/8191) = 1 − j/8191 is the exponential's tail there, so a score is stochastically at most exponential
//! plus what single precision adds (computed below, some 10⁻⁴), and gamma tail and blended bound hold. Each linear form counts once.
//!
//! **Assumption that is weak here**: the hash is linear up to one fold and 13 bits wide, so values under one key are not those of a cryptographic
//! generator, and two keys are shifts of one another. The decoys show whether it matters on a text.
//!
//! # What a negative does not show
//! As for the native schemes.
//!
//! # Wrong on purpose
//! Scoring begins one place late (`ngram` + 1). Under rule 2025, layer d of token t is layer d − 1 of token t + 1, so neighbouring ids after one context
//! share nearly all their bits: the reference counts them all, here only the first layer is scored; under rule 2026 all layers are.
//! The reference's mid-p, its moment-matched gamma and its smaller of two p-values are no upper bounds and are not used. Keys 42 and 12387 share a
//! stream: a tenant's key must not be another's plus 12345.
//!
//! # When not to use it
//! For a new deployment: 13 bits and a linear hash can be learned from outputs. Use the native schemes.

use super::about::{About, Field, Opened, Secret};
use super::fields::Fields;
use super::native::tournament::tournament;
use super::sample::{Sampling, argmax, check_logits, softmax, warp};
use super::{Marked, Null, Once, Scheme, Shape, SoFar, Traits, Unit, Value, Windows, published};
use crate::error::Result;
use std::sync::OnceLock;

/// Factors of context tokens, the oldest first.
const PRIMES: [i64; 10] = [
    10_000_019, 10_000_247, 10_000_439, 10_000_643, 10_000_747, 10_000_867, 10_000_993, 10_001_213, 10_001_357,
    10_001_501,
];
const TOKEN: i64 = 100_000_007;
const KEY: i64 = 500_001_713;
/// Steps of the hash.
const STEPS: i64 = 8191;
/// Key B less key A.
const SECOND_KEY: i64 = 12_345;

/// Which of the four.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Green where r is below `gamma`; planting adds `delta` to their logits.
    GreenList {
        /// In (0, 1).
        gamma: f64,
        /// Added to logits.
        delta: f64,
    },
    /// One score.
    GumbelMax,
    /// `alpha` of key A's score and the rest of key B's.
    DualKey {
        /// In [0, 1].
        alpha: f64,
    },
    /// A tournament whose layers are `step` tokens apart.
    SynthId {
        /// Layers, 1 to 64.
        depth: u32,
        /// 1 (rule 2025) or 659101 (rule 2026).
        step: i64,
    },
}

/// One of the schemes under one key.
#[derive(Clone)]
pub struct TextSeal {
    kind: Kind,
    ngram: usize,
    secret_key: i64,
    vocab: u32,
}

const SECRET_KEY: Field = Field { name: "secret_key", default: None, about: "the key, a whole number of 63 bits" };
const NGRAM: Field = Field { name: "ngram", default: Some("1"), about: "context tokens, 1 to 10" };
const VOCAB: Field = Field { name: "vocab_size", default: None, about: "width of the model's logits" };
const SOURCE: &str = "TextSeal, arXiv 2605.12456; textseal 2c63fb8";
const DRAWN: &[(&str, Secret)] = &[("secret_key", Secret::Int(62))];

/// The green list.
pub const GREEN_LIST: About = About {
    scheme: "greenlist",
    dialect: "textseal",
    source: SOURCE,
    fields: &[
        SECRET_KEY,
        NGRAM,
        Field { name: "gamma", default: Some("0.5"), about: "share of green tokens, 0.001 to 0.999" },
        Field { name: "delta", default: Some("2.0"), about: "added to the logits of green tokens, -100 to 100" },
        VOCAB,
    ],
    secret: DRAWN,
    planted_by: "TextSeal's own generators; no serving engine in a release",
    faults: "greedy requests carry no mark; its hash has 8,191 values, so scores are coarse",
    open: |fields| {
        let gamma = fields.number("gamma", Some(0.5), 0.001, 0.999)?;
        let delta = fields.number("delta", Some(2.0), -100.0, 100.0)?;
        open(fields, Kind::GreenList { gamma, delta })
    },
};

/// Gumbel-max.
pub const GUMBEL_MAX: About = About {
    scheme: "gumbelmax",
    dialect: "textseal",
    source: SOURCE,
    fields: &[SECRET_KEY, NGRAM, VOCAB],
    secret: DRAWN,
    planted_by: "TextSeal's own generators; no serving engine in a release",
    faults: "greedy requests carry no mark; its hash has 8,191 values, so scores are coarse",
    open: |fields| open(fields, Kind::GumbelMax),
};

/// Gumbel-max with two keys.
pub const DUAL_KEY: About = About {
    scheme: "dual_key",
    dialect: "textseal",
    source: SOURCE,
    fields: &[
        SECRET_KEY,
        NGRAM,
        Field { name: "mixing_alpha", default: Some("0.5"), about: "share and weight of key A, 0 to 1" },
        VOCAB,
    ],
    secret: DRAWN,
    planted_by: "TextSeal's own generators; no serving engine in a release",
    faults: "greedy requests carry no mark; its hash has 8,191 values, so scores are coarse",
    open: |fields| {
        let alpha = fields.number("mixing_alpha", Some(0.5), 0.0, 1.0)?;
        open(fields, Kind::DualKey { alpha })
    },
};

/// The tournament.
pub const SYNTH_ID: About = About {
    scheme: "synthid",
    dialect: "textseal",
    source: SOURCE,
    fields: &[
        SECRET_KEY,
        NGRAM,
        Field { name: "depth", default: Some("30"), about: "layers, 1 to 64" },
        Field { name: "layer_rule", default: Some("2025"), about: "2025 or 2026: how far layers stand apart" },
        VOCAB,
    ],
    secret: DRAWN,
    planted_by: "TextSeal's own generators; no serving engine in a release",
    faults: "greedy requests carry no mark; its hash has 8,191 values, so scores are coarse",
    open: |fields| {
        let depth = fields.count("depth", Some(30), 1, 64)? as u32;
        let step = match fields.word("layer_rule", Some("2025"), &["2025", "2026"])? {
            "2026" => 659_101,
            _ => 1,
        };
        open(fields, Kind::SynthId { depth, step })
    },
};

fn open(fields: &Fields, kind: Kind) -> Result<Opened> {
    let ngram = fields.count("ngram", Some(1), 1, PRIMES.len())?;
    let key = fields.int("secret_key", None, i128::from(i64::MIN), i128::from(i64::MAX))? as i64;
    let scheme = TextSeal::new(kind, ngram, key, fields.vocab()?);
    Ok(Opened { published: published::known_from(i128::from(key)), ..Opened::native(Box::new(scheme)) })
}

/// The hash of a linear form, 0 to 8190.
#[must_use]
#[inline]
pub fn steps(form: i64) -> i64 {
    let hash = form.wrapping_mul(15_485_863).wrapping_mul(40_499);
    (hash ^ (hash >> 13)).rem_euclid(STEPS)
}

/// r of a hash, as the reference has it.
#[must_use]
pub fn uniform(steps: i64) -> f32 {
    steps as f32 / STEPS as f32
}

/// Scores of all hashes, and what single precision adds to −ln(1 − j/8191) at most.
fn scores() -> &'static (Vec<f64>, f64) {
    static SCORES: OnceLock<(Vec<f64>, f64)> = OnceLock::new();
    SCORES.get_or_init(|| {
        let score = |j: i64| f64::from(-libm::log(f64::from(1.0 - uniform(j))) as f32);
        let exact = |j: i64| -libm::log1p(-(j as f64 / STEPS as f64));
        let more = (0..STEPS).map(|j| score(j) - exact(j)).fold(0.0, f64::max);
        ((0..STEPS).map(score).collect(), more * (1.0 + 1e-9))
    })
}

fn score(form: i64) -> f64 {
    scores().0[steps(form) as usize]
}

impl TextSeal {
    /// Range: `ngram` 1 to 10.
    ///
    /// # Panics
    /// When `ngram` is beyond ten.
    #[must_use]
    pub fn new(kind: Kind, ngram: usize, secret_key: i64, vocab: u32) -> Self {
        assert!((1..=PRIMES.len()).contains(&ngram), "expected 1 to 10 context tokens, got {ngram}");
        Self { kind, ngram, secret_key, vocab }
    }

    /// The linear form of a window.
    #[must_use]
    pub fn form(&self, context: &[u32], token: u32) -> i64 {
        let start = KEY.wrapping_mul(self.secret_key).wrapping_add(TOKEN.wrapping_mul(i64::from(token)));
        let each = context.iter().zip(PRIMES).map(|(&token, prime)| prime.wrapping_mul(i64::from(token)));
        each.fold(start, i64::wrapping_add)
    }

    /// Whether a hash is green at `gamma`.
    fn green(form: i64, gamma: f64) -> bool {
        f64::from(uniform(steps(form))) < gamma
    }

    /// All layers of a window, the first lowest, as the reference counts them.
    #[must_use]
    pub fn layers(form: i64, depth: u32, step: i64) -> u64 {
        let bit = |layer: u32| {
            let ahead = TOKEN.wrapping_mul(step).wrapping_mul(i64::from(layer));
            u64::from(Self::green(form.wrapping_add(ahead), 0.5)) << layer
        };
        (0..depth).map(bit).sum()
    }

    /// `alpha` of key A's score and the rest of key B's.
    #[must_use]
    pub fn fused(form: i64, alpha: f64) -> f64 {
        let second = form.wrapping_add(KEY.wrapping_mul(SECOND_KEY));
        alpha * score(form) + (1.0 - alpha) * score(second)
    }

    /// Layers that are evidence of their own.
    fn scored_layers(depth: u32, step: i64) -> u32 {
        if step == 1 { 1 } else { depth }
    }

    fn share(gamma: f64) -> f64 {
        (0..STEPS).filter(|&j| f64::from(uniform(j)) < gamma).count() as f64 / STEPS as f64
    }
}

impl Scheme for TextSeal {
    fn traits(&self) -> Traits {
        let shift = scores().1;
        let null = match self.kind {
            Kind::GreenList { gamma, .. } => Null::Coin { share: Self::share(gamma) },
            Kind::GumbelMax => Null::Exponential { shift },
            Kind::DualKey { alpha } => Null::Pair { alpha: 1.0 - alpha, shift },
            Kind::SynthId { depth, step } => {
                Null::Layers { depth: Self::scored_layers(depth, step), share: Self::share(0.5), weights: None }
            }
        };
        Traits {
            shape: Shape {
                context: self.ngram,
                first: self.ngram + 1,
                pad: false,
                once: Once::Window,
                history: None,
                budget: None,
            },
            null,
            payloads: 1,
            collapses: true,
            cost: 1.0,
            vocab: self.vocab,
        }
    }

    /// A unit is the linear form: the token is in it already.
    fn reduce(&self, windows: Windows<'_>, units: &mut Vec<Unit>) {
        units.extend(
            windows
                .iter()
                .map(|(context, token)| Unit { seed: u128::from(self.form(context, token) as u64), token: 0 }),
        );
    }

    fn values(&self, units: &[Unit], values: &mut Vec<Value>) {
        values.extend(units.iter().map(|unit| {
            let form = unit.seed as u64 as i64;
            match self.kind {
                Kind::GreenList { gamma, .. } => Value::Green(Self::green(form, gamma)),
                Kind::GumbelMax => Value::Score(score(form)),
                Kind::DualKey { alpha } => Value::Score(Self::fused(form, alpha)),
                Kind::SynthId { depth, step } => {
                    Value::Layers(Self::layers(form, Self::scored_layers(depth, step), step))
                }
            }
        }));
    }

    fn with_key(&self, material: &[u8; 32]) -> Box<dyn Scheme> {
        let word = u64::from_le_bytes(material.first_chunk().copied().unwrap_or_default());
        Box::new(Self { secret_key: (word >> 2) as i64, ..self.clone() })
    }

    fn mark(
        &self,
        so_far: SoFar<'_>,
        logits: &[f32],
        sampling: &Sampling,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<Marked> {
        check_logits(logits, self.vocab)?;
        let all: Vec<u32> = so_far.prompt.iter().chain(so_far.response).copied().collect();
        let Some(begin) = all.len().checked_sub(self.ngram) else {
            return Ok(Marked::Scores(warp(logits, sampling)));
        };
        let form = |token: u32| self.form(&all[begin..], token);
        let pick = |second: i64| {
            let probabilities = softmax(&warp(logits, sampling));
            let power = |(token, p): (u32, &f64)| {
                let r = self::uniform(steps(form(token).wrapping_add(KEY.wrapping_mul(second))));
                if *p > 0.0 { libm::log(f64::from(r)) / p } else { f64::NEG_INFINITY }
            };
            argmax(&(0..).zip(&probabilities).map(power).collect::<Vec<f64>>())
        };
        Ok(match self.kind {
            Kind::GreenList { gamma, delta } => {
                let raised = |(token, &logit): (u32, &f32)| {
                    if Self::green(form(token), gamma) { logit + delta as f32 } else { logit }
                };
                let raised: Vec<f32> = (0..).zip(logits).map(raised).collect();
                Marked::Scores(warp(&raised, sampling))
            }
            Kind::GumbelMax => Marked::Token(pick(0)),
            Kind::DualKey { alpha } => Marked::Token(pick(if uniform() < alpha { 0 } else { SECOND_KEY })),
            Kind::SynthId { depth, step } => {
                let mut probabilities = softmax(&warp(logits, sampling));
                let bits: Vec<u64> = (0..self.vocab).map(|token| Self::layers(form(token), depth, step)).collect();
                tournament(&mut probabilities, &bits, depth);
                Marked::Probabilities(probabilities)
            }
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
mod tests {
    use super::*;
    use crate::watermark::score_text;

    #[test]
    fn a_score_is_at_most_exponential_but_for_rounding() {
        let (all, more) = scores();
        assert!(*more < 1e-3, "{more}");
        for (j, score) in all.iter().enumerate() {
            // P(score ≥ its value) = 1 − j/8191 must not exceed the tail of an exponential, shifted.
            assert!(libm::exp(-(score - more)) >= 1.0 - j as f64 / STEPS as f64 - 1e-12, "{j}");
        }
        assert!((TextSeal::share(0.5) - 4096.0 / 8191.0).abs() < 1e-12);
    }

    #[test]
    fn planting_is_found_by_its_key() {
        let kinds = [
            Kind::GreenList { gamma: 0.25, delta: 4.0 },
            Kind::GumbelMax,
            Kind::DualKey { alpha: 0.5 },
            Kind::SynthId { depth: 10, step: 659_101 },
        ];
        for kind in kinds {
            let own = TextSeal::new(kind, 2, 987_654_321, 300);
            let mut tokens = vec![1, 2];
            for step in 0..300u32 {
                let logits: Vec<f32> = (0..300).map(|t: u32| (t * 7 + step * 13).rem_euclid(23) as f32 / 9.0).collect();
                let mut next = step * 37 % 101;
                let mut uniform = || {
                    next = (next + 31) % 101;
                    f64::from(next) / 101.0
                };
                let so_far = SoFar { prompt: &[], response: &tokens };
                tokens.push(own.plant(so_far, &logits, &Sampling::default(), &mut uniform).expect("finite"));
            }
            let mean = |scheme: &TextSeal| {
                let values = score_text(scheme, &tokens).expect("a text");
                let each = values.iter().map(|value| match value {
                    Value::Green(green) => f64::from(u8::from(*green)),
                    Value::Score(score) => *score,
                    Value::Layers(bits) => f64::from(bits.count_ones()),
                });
                each.sum::<f64>() / values.len() as f64
            };
            let other = TextSeal::new(kind, 2, 123_456, 300);
            assert!(mean(&own) > 1.1 * mean(&other), "{kind:?}: {} {}", mean(&own), mean(&other));
        }
    }
}
