//! `gumbel`, as three_bricks does it: torch's uniform numbers, one for each token, from a generator seeded by the context.
//!
//! # Algorithm
//! r = `rand(V)` in single precision from the seeded generator. Planting keeps the most likely tokens up to top-p and picks the largest r^(1/p).
//! The score of a token is −ln(1 − r).
//!
//! Source: Aaronson 2022; Fernandez et al. 2023, section III; three_bricks ee9c7a2, `OpenaiGenerator`, `OpenaiDetector`.
//!
//! # Null
//! Given text that does not depend on the key, scores of distinct (seed, token) pairs are independent. r steps by 2⁻²⁴ from 0, and P(r ≥ j/2²⁴) =
//! 1 − j/2²⁴ is the exponential's own tail there, so a score is stochastically at most exponential of mean 1, plus what rounding to single
//! precision adds (below 10⁻⁶), and the gamma tail of the sum less that is an upper bound. Assumes that the Mersenne Twister's words under 32-bit seeds behave as random ones.
//!
//! # What a negative does not show
//! As for the native `gumbel`: likely tokens carry little.
//!
//! # Wrong on purpose
//! See [`super`]. The reference's test with the standard deviation of a Gumbel variable (π/√6 in place of 1) and its clamp at 10⁻²⁰⁰ are not used.
//!
//! # When not to use it
//! For a new deployment: 32 bits of seed can be searched. Use `gumbel`, native.

use super::{HASH, NGRAM, PAYLOAD, PAYLOAD_MAX, SALT, SEED, Seeding};
use crate::error::Result;
use crate::watermark::about::{About, Field, Opened, Secret};
use crate::watermark::fields::Fields;
use crate::watermark::mt19937::Mt19937;
use crate::watermark::sample::{Sampling, check_logits, softmax, warp};
use crate::watermark::torch::rand_f32;
use crate::watermark::{Marked, Null, Scheme, SoFar, Traits, Unit, Value, Windows};

/// How `watermark schemes` shows it.
pub const ABOUT: About = About {
    scheme: "gumbel",
    dialect: "three_bricks",
    source: "Aaronson 2022; three_bricks ee9c7a2",
    fields: &[
        SEED,
        SALT,
        HASH,
        NGRAM,
        PAYLOAD,
        PAYLOAD_MAX,
        Field { name: "vocab_size", default: None, about: "width of the model's logits" },
    ],
    secret: &[("seed", Secret::Int(63)), ("salt_key", Secret::Int(63))],
    planted_by: "three_bricks' own generator",
    faults: "greedy requests carry no mark; only 32 bits of the seed matter",
    open,
};

/// What rounding to single precision can add to a score of at most ln 2²⁴ = 16.7.
const ROUNDING: f64 = 1e-6;

/// The scheme under one key.
#[derive(Clone)]
pub struct Openai {
    seeding: Seeding,
    vocab: u32,
}

impl Openai {
    /// Over `vocab` tokens.
    #[must_use]
    pub fn new(seeding: Seeding, vocab: u32) -> Self {
        Self { seeding, vocab }
    }

    /// r of the tokens of one seed, shifted by `payload`.
    #[must_use]
    pub fn uniforms(&self, seed: u64, payload: u32) -> Vec<f32> {
        let mut generator = Mt19937::new(seed);
        let mut r: Vec<f32> = (0..self.vocab).map(|_| rand_f32(&mut generator)).collect();
        r.rotate_left((payload % self.vocab) as usize);
        r
    }
}

fn open(fields: &Fields) -> Result<Opened> {
    let seeding = Seeding::from_fields(fields)?;
    let scheme = Openai { seeding, vocab: fields.vocab()? };
    Ok(Opened { published: seeding.published(), ..Opened::native(Box::new(scheme)) })
}

impl Scheme for Openai {
    fn traits(&self) -> Traits {
        Traits {
            shape: self.seeding.shape(),
            null: Null::Exponential { shift: ROUNDING },
            payloads: self.seeding.payload_max as usize + 1,
            collapses: true,
            cost: f64::from(self.vocab) / 4.0,
            vocab: self.vocab,
        }
    }

    fn reduce(&self, windows: Windows<'_>, units: &mut Vec<Unit>) {
        self.seeding.reduce(windows, units);
    }

    fn values(&self, units: &[Unit], values: &mut Vec<Value>) {
        let payloads = self.seeding.payload_max + 1;
        let first = values.len();
        values.resize(first + units.len() * payloads as usize, Value::Score(0.0));
        let mut at = first;
        let mut asked: Vec<(u32, usize)> = Vec::new();
        for of_one_seed in units.chunk_by(|a, b| a.seed == b.seed) {
            asked.clear();
            for unit in of_one_seed {
                for payload in 0..payloads {
                    asked.push((((u64::from(unit.token) + u64::from(payload)) % u64::from(self.vocab)) as u32, at));
                    at += 1;
                }
            }
            asked.sort_unstable();
            let mut generator = Mt19937::new(of_one_seed[0].seed as u64);
            let (mut next, mut score) = (0, 0.0);
            for &(token, place) in &asked {
                if token >= next {
                    generator.skip((token - next) as usize);
                    // In single precision, as the reference has it: where a window repeats, its rounding repeats, too.
                    score = f64::from(-libm::log1p(-f64::from(rand_f32(&mut generator))) as f32);
                    next = token + 1;
                }
                values[place] = Value::Score(score);
            }
        }
    }

    fn with_key(&self, material: &[u8; 32]) -> Box<dyn Scheme> {
        Box::new(Self { seeding: self.seeding.with_key(material), ..self.clone() })
    }

    fn mark(
        &self,
        so_far: SoFar<'_>,
        logits: &[f32],
        sampling: &Sampling,
        _: &mut dyn FnMut() -> f64,
    ) -> Result<Marked> {
        check_logits(logits, self.vocab)?;
        let probabilities = softmax(&warp(logits, sampling));
        let Some(seed) = self.seeding.planting_seed(so_far) else { return Ok(Marked::Probabilities(probabilities)) };
        let r = self.uniforms(seed, self.seeding.payload);
        // r^(1/p) in logarithms; tokens that were left out have p = 0.
        let power = |(token, p): (usize, &f64)| (*p > 0.0).then(|| (libm::log(f64::from(r[token])) / p, token));
        let all = probabilities.iter().enumerate().filter_map(power);
        let best = all.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        Ok(Marked::Token(best.map_or(0, |(_, token)| token as u32)))
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
