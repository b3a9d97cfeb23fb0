//! Watermarks as three_bricks plants and detects them: seeds by a linear hash, payloads by a cyclic shift of the vocabulary.
//!
//! # Seeds
//! From `seed` on, each of the `ngram` context tokens, oldest first, makes seed · `salt_key` + token modulo 2⁶⁴ − 1; a torch generator on the
//! CPU is seeded with it, of which the low 32 bits matter.
//!
//! # Payloads
//! Payload m shifts what belongs to token t by m: planting with m uses the value of token (t + m) mod V, and a detector that tries all payloads
//! up to `payload_max` takes the one of the smallest p. Each payload is a test of its own, and all of them are in `m_tests`.
//!
//! # Wrong on purpose
//! Detection begins one place later than it could (at `ngram` + 1). The hash is linear, so contexts can be made to collide; seeds of 32 bits
//! collide by chance among 10⁵ contexts. Windows of one seed and token count once here, which the reference does not see. The additive,
//! skip and minimum seedings of the reference draw their table from a global generator and cannot be reproduced: only `hash` is here.
//!
//! Source: Fernandez et al. 2023, "Three bricks to consolidate watermarks for LLMs"; three_bricks ee9c7a2.

pub mod maryland;
pub mod openai;

use super::about::Field;
use super::fields::Fields;
use super::{Once, Shape, SoFar, Unit, Windows, published};
use crate::error::Result;

/// Seeds and payloads.
#[derive(Clone, Copy)]
pub struct Seeding {
    seed: u64,
    salt_key: u64,
    ngram: usize,
    payload: u32,
    payload_max: u32,
}

const SEED: Field = Field { name: "seed", default: None, about: "the key, a whole number from 0 to 2^63 - 1" };
const SALT: Field = Field { name: "salt_key", default: Some("35317"), about: "factor of the hash, 0 to 2^63 - 1" };
const NGRAM: Field = Field { name: "ngram", default: Some("1"), about: "context tokens, 1 to 64" };
const PAYLOAD: Field = Field { name: "payload", default: Some("0"), about: "planted payload, 0 to payload_max" };
const PAYLOAD_MAX: Field = Field {
    name: "payload_max",
    default: Some("0"),
    about: "payloads from 0 to this are tried, each a test; below 4096",
};
const HASH: Field = Field { name: "seeding", default: Some("hash"), about: "hash" };

impl Seeding {
    /// Ranges: `ngram` 1 to 64, `payload` at most `payload_max`.
    #[must_use]
    pub fn new(seed: u64, salt_key: u64, ngram: usize, payload: u32, payload_max: u32) -> Self {
        Self { seed, salt_key, ngram, payload, payload_max }
    }

    fn from_fields(fields: &Fields) -> Result<Self> {
        fields.word("seeding", Some("hash"), &["hash"])?;
        let most = i128::from(i64::MAX);
        let payload_max = fields.count("payload_max", Some(0), 0, 4095)?;
        Ok(Self {
            seed: fields.int("seed", None, 0, most)? as u64,
            salt_key: fields.int("salt_key", Some(35_317), 0, most)? as u64,
            ngram: fields.count("ngram", Some(1), 1, 64)?,
            payload: fields.count("payload", Some(0), 0, payload_max)? as u32,
            payload_max: payload_max as u32,
        })
    }

    fn published(&self) -> Option<&'static str> {
        published::known_from(i128::from(self.seed))
    }

    fn with_key(&self, material: &[u8; 32]) -> Self {
        let word = u64::from_le_bytes(material.first_chunk().copied().unwrap_or_default());
        Self { seed: word >> 1, ..*self }
    }

    /// What the generator is seeded with, modulo 2⁶⁴ − 1.
    #[must_use]
    pub fn seed(&self, context: &[u32]) -> u64 {
        let modulus = u128::from(u64::MAX);
        let step = |seed: u64, &token: &u32| {
            ((u128::from(seed) * u128::from(self.salt_key) + u128::from(token)) % modulus) as u64
        };
        context.iter().fold(self.seed, step)
    }

    fn shape(&self) -> Shape {
        Shape {
            context: self.ngram,
            first: self.ngram + 1,
            pad: false,
            once: Once::Window,
            history: None,
            budget: None,
        }
    }

    fn reduce(&self, windows: Windows<'_>, units: &mut Vec<Unit>) {
        units.extend(windows.iter().map(|(context, token)| Unit { seed: self.seed(context).into(), token }).map(low));
    }

    /// The seed of the next token, prompt included; none while there are fewer than `ngram` tokens.
    fn planting_seed(&self, so_far: SoFar<'_>) -> Option<u64> {
        let all: Vec<u32> = so_far.prompt.iter().chain(so_far.response).copied().collect();
        let begin = all.len().checked_sub(self.ngram)?;
        Some(self.seed(&all[begin..]))
    }
}

/// What a generator on the CPU keeps of a seed.
fn low(unit: Unit) -> Unit {
    Unit { seed: unit.seed & u128::from(u32::MAX), ..unit }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watermark::sample::Sampling;
    use crate::watermark::{Scheme, Value, score_text};

    const VOCAB: u32 = 211;

    fn score(value: Value) -> f64 {
        match value {
            Value::Green(green) => f64::from(u8::from(green)),
            Value::Score(score) => score,
            Value::Layers(_) => f64::NAN,
        }
    }

    #[test]
    fn values_are_those_of_the_whole_vocabulary_and_the_planted_payload_stands_out() {
        let seeding = Seeding::new(987_654_321, 35_317, 2, 3, 6);
        let openai = openai::Openai::new(seeding, VOCAB);
        let maryland = maryland::Maryland::new(seeding, 0.25, 4.0, VOCAB).expect("a list");
        let schemes: [&dyn Scheme; 2] = [&openai, &maryland];
        for (which, scheme) in schemes.into_iter().enumerate() {
            let mut tokens = vec![5, 6];
            for step in 0..150 {
                let logits: Vec<f32> =
                    (0..VOCAB).map(|t| (t * 7 + step * 13 % 31).rem_euclid(17) as f32 / 6.0).collect();
                let so_far = SoFar { prompt: &[], response: &tokens };
                let mut uniform = || f64::from(step * 37 % 101) / 101.0;
                tokens.push(scheme.plant(so_far, &logits, &Sampling::default(), &mut uniform).expect("finite"));
            }
            let values = score_text(scheme, &tokens).expect("a text");
            let sums: Vec<f64> = (0..7).map(|m| values[m..].iter().step_by(7).map(|v| score(*v)).sum()).collect();
            let best = (0..7).max_by(|&a, &b| sums[a].total_cmp(&sums[b]));
            assert_eq!(best, Some(3), "{which}: {sums:?}");
            for (at, value) in values.iter().enumerate() {
                let (window, payload) = (&tokens[at / 7 + 1..at / 7 + 4], (at % 7) as u32);
                let seed = seeding.seed(&window[..2]) & u64::from(u32::MAX);
                let plain = if which == 0 {
                    f64::from(-libm::log1p(-f64::from(openai.uniforms(seed, payload)[window[2] as usize])) as f32)
                } else {
                    let shifted = maryland::Maryland::new(Seeding { payload, ..seeding }, 0.25, 4.0, VOCAB);
                    f64::from(u8::from(shifted.expect("a list").biased(seed).contains(&window[2])))
                };
                assert_eq!(score(*value), plain, "{which}: window {}, payload {payload}", at / 7);
            }
        }
    }
}
