//! The native watermarks: one keyed BLAKE3 generator, three ways to use it.
//!
//! # Generator
//! `seed` = the first 16 bytes of keyed BLAKE3 of the context tokens (4 bytes each, little endian). `word(seed, token)` = 8 bytes,
//! little endian, at 8 × token of the keyed BLAKE3 output stream of the seed. Each scheme has a key of its own, made with
//! `derive_key`, so that one secret may serve several. A serving kernel reads the words of the whole vocabulary as one stream;
//! a detector reads the block that holds one token.
//!
//! Source: O'Connor et al. 2020, BLAKE3, section 2.6 (extendable output). Null: words are uniform and independent, given that
//! the text was made without the key.

mod blocks;
pub mod green_list;
pub mod gumbel;
pub mod tournament;

use super::{Once, Shape, SoFar, Unit, Windows};
use crate::error::Result;
use crate::watermark::fields::Fields;

/// The keyed generator.
#[derive(Clone)]
pub struct Generator {
    key: [u8; 32],
    width: usize,
}

impl Generator {
    /// Under 32 secret bytes; `purpose` keeps the schemes apart.
    #[must_use]
    pub fn new(secret: &[u8; 32], purpose: &str, context_width: usize) -> Self {
        Self { key: blake3::derive_key(purpose, secret), width: context_width }
    }

    fn from_fields(fields: &Fields, purpose: &str) -> Result<Self> {
        let width = fields.count("context_width", Some(DEFAULT_WIDTH), 1, 64)?;
        Ok(Self::new(&fields.bytes32("key")?, purpose, width))
    }

    /// The seed of a context.
    #[must_use]
    pub fn seed(&self, context: &[u32]) -> u128 {
        let mut bytes = [0; 4 * 64];
        for (place, token) in bytes.chunks_exact_mut(4).zip(context) {
            place.copy_from_slice(&token.to_le_bytes());
        }
        let digest = blake3::keyed_hash(&self.key, &bytes[..4 * context.len()]);
        let mut seed = [0; 16];
        seed.copy_from_slice(&digest.as_bytes()[..16]);
        u128::from_le_bytes(seed)
    }

    fn stream(&self, seed: u128) -> blake3::OutputReader {
        // 25 bytes are no whole number of tokens, so what is hashed here is never a context.
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&seed.to_le_bytes()).update(b"\0stream\0\xff");
        hasher.finalize_xof()
    }

    /// The words of tokens `0..n`.
    #[must_use]
    pub fn words(&self, seed: u128, n: u32) -> Vec<u64> {
        let mut bytes = vec![0; 8 * n as usize];
        self.stream(seed).fill(&mut bytes);
        bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default())).collect()
    }

    /// The word of each unit.
    fn each_word(&self, units: &[Unit]) -> impl Iterator<Item = u64> {
        blocks::words(&self.key, units).into_iter()
    }

    fn reduce(&self, windows: Windows<'_>, units: &mut Vec<Unit>) {
        let begin = units.len();
        let mut contexts: Vec<&[u32]> = Vec::with_capacity(windows.len());
        for (context, token) in windows.iter() {
            if contexts.last() != Some(&context) {
                contexts.push(context);
            }
            // The number of the context, until its seed is known.
            units.push(Unit { seed: contexts.len() as u128 - 1, token });
        }
        let seeds = blocks::seeds(&self.key, self.width, &contexts);
        units[begin..].iter_mut().for_each(|unit| unit.seed = seeds[unit.seed as usize]);
    }

    fn shape(&self) -> Shape {
        Shape {
            context: self.width,
            first: self.width,
            pad: false,
            once: Once::Window,
            history: Some(usize::MAX),
            budget: None,
        }
    }

    /// The seed to plant with; none where the response is too young, or has used this context already.
    fn planting_seed(&self, so_far: SoFar<'_>) -> Option<u128> {
        let all: Vec<u32> = so_far.prompt.iter().chain(so_far.response).copied().collect();
        let begin = all.len().checked_sub(self.width)?;
        let context = &all[begin..];
        // Contexts that chose a token of the response before: those that end at or after the end of the prompt.
        let first = so_far.prompt.len().saturating_sub(self.width);
        let used = all[first..all.len() - 1].windows(self.width).any(|earlier| earlier == context);
        (!used || so_far.response.is_empty()).then(|| self.seed(context))
    }
}

/// Context tokens, unless a key file says otherwise: the width that SynthID-Text and vLLM deploy.
pub const DEFAULT_WIDTH: usize = 4;

/// 53 bits of a word as a number in [0, 1): multiples of 2⁻⁵³.
fn unit_interval(word: u64) -> f64 {
    (word >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}
