//! BLAKE3 of many short messages at once: the seeds of contexts, and one word of each unit's stream.
//!
//! # The idea
//! A detector hashes one block for each window, and the crate `blake3` is made for one long message: it fills a processor's vectors with the
//! parts of one input. Here the vector's lanes are messages. [`compress`] says what one lane does, without a branch, in a loop over the lanes,
//! and the compiler turns that loop into vector instructions.
//!
//! Weakness: sixteen messages cost as much as one, so a single seed is hashed by the crate; without AVX2 the gain is small. Guarantee: equal to
//! the crate for every key, width of context and token (property tests); no `unsafe`.
//!
//! Source: O'Connor et al. 2020, BLAKE3, sections 2.1 to 2.4 (compression, chunks of several blocks) and 2.6 (extendable output).

use super::super::Unit;

/// Messages in step: one 512-bit vector, or two of 256.
const LANES: usize = 16;
/// Tokens of a block of 64 bytes.
const BLOCK: usize = 16;

/// One number of each lane.
type Lane = [u32; LANES];

/// The first words of SHA-256's initial state, which BLAKE3 takes over.
const IV: [u32; 4] = [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a];

const CHUNK_START: u32 = 1;
const CHUNK_END: u32 = 1 << 1;
const ROOT: u32 = 1 << 3;
const KEYED_HASH: u32 = 1 << 4;

/// The words of a message that asks for a seed's stream after those of the seed, and its length in bytes: as [`super::Generator`] writes it.
const STREAM: [u32; 3] = [u32::from_le_bytes(*b"\0str"), u32::from_le_bytes(*b"eam\0"), 0xff];
const STREAM_LEN: u32 = 25;

/// One step of a round: BLAKE3's function G on four words of the state.
#[inline(always)]
fn mix(v: &mut [u32; 16], [a, b, c, d]: [usize; 4], x: u32, y: u32) {
    v[a] = v[a].wrapping_add(v[b]).wrapping_add(x);
    v[d] = (v[d] ^ v[a]).rotate_right(16);
    v[c] = v[c].wrapping_add(v[d]);
    v[b] = (v[b] ^ v[c]).rotate_right(12);
    v[a] = v[a].wrapping_add(v[b]).wrapping_add(y);
    v[d] = (v[d] ^ v[a]).rotate_right(8);
    v[c] = v[c].wrapping_add(v[d]);
    v[b] = (v[b] ^ v[c]).rotate_right(7);
}

/// A round: columns, then diagonals. Gives the message in the order of the next round.
#[inline(always)]
fn round(v: &mut [u32; 16], m: [u32; 16]) -> [u32; 16] {
    mix(v, [0, 4, 8, 12], m[0], m[1]);
    mix(v, [1, 5, 9, 13], m[2], m[3]);
    mix(v, [2, 6, 10, 14], m[4], m[5]);
    mix(v, [3, 7, 11, 15], m[6], m[7]);
    mix(v, [0, 5, 10, 15], m[8], m[9]);
    mix(v, [1, 6, 11, 12], m[10], m[11]);
    mix(v, [2, 7, 8, 13], m[12], m[13]);
    mix(v, [3, 4, 9, 14], m[14], m[15]);
    [m[2], m[6], m[3], m[10], m[7], m[0], m[4], m[13], m[1], m[11], m[12], m[5], m[9], m[14], m[15], m[8]]
}

/// Compresses one block a lane. (Written out where a loop or a closure would do: what the compiler does not unroll it does not turn into vectors.)
///
/// * Shape: `chain` and `out` are words × lanes; `out` has the 16 words of extended output, of which the first 8 are the next chaining value.
/// * `counter` is the low half of the block counter; the high half is 0.
#[inline(always)]
fn compress(chain: &[Lane; 8], block: &[Lane; 16], counter: &Lane, len: u32, flags: u32, out: &mut [Lane; 16]) {
    for l in 0..LANES {
        let c =
            [chain[0][l], chain[1][l], chain[2][l], chain[3][l], chain[4][l], chain[5][l], chain[6][l], chain[7][l]];
        let m = [
            block[0][l],
            block[1][l],
            block[2][l],
            block[3][l],
            block[4][l],
            block[5][l],
            block[6][l],
            block[7][l],
            block[8][l],
            block[9][l],
            block[10][l],
            block[11][l],
            block[12][l],
            block[13][l],
            block[14][l],
            block[15][l],
        ];
        let mut v =
            [c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], IV[0], IV[1], IV[2], IV[3], counter[l], 0, len, flags];
        let m = round(&mut v, m);
        let m = round(&mut v, m);
        let m = round(&mut v, m);
        let m = round(&mut v, m);
        let m = round(&mut v, m);
        let m = round(&mut v, m);
        round(&mut v, m);
        out[0][l] = v[0] ^ v[8];
        out[1][l] = v[1] ^ v[9];
        out[2][l] = v[2] ^ v[10];
        out[3][l] = v[3] ^ v[11];
        out[4][l] = v[4] ^ v[12];
        out[5][l] = v[5] ^ v[13];
        out[6][l] = v[6] ^ v[14];
        out[7][l] = v[7] ^ v[15];
        out[8][l] = v[8] ^ c[0];
        out[9][l] = v[9] ^ c[1];
        out[10][l] = v[10] ^ c[2];
        out[11][l] = v[11] ^ c[3];
        out[12][l] = v[12] ^ c[4];
        out[13][l] = v[13] ^ c[5];
        out[14][l] = v[14] ^ c[6];
        out[15][l] = v[15] ^ c[7];
    }
}

/// The same chaining value in each lane.
#[inline(always)]
fn everywhere(key: &[u8; 32]) -> [Lane; 8] {
    let mut chain = [[0; LANES]; 8];
    for (word, bytes) in chain.iter_mut().zip(key.as_chunks().0) {
        *word = [u32::from_le_bytes(*bytes); LANES];
    }
    chain
}

/// The seed of each context under `key`: what [`super::Generator::seed`] says of it.
///
/// * Shape: n contexts of `width` tokens each, 0 to 64 → n seeds.
pub(super) fn seeds(key: &[u8; 32], width: usize, contexts: &[&[u32]]) -> Vec<u128> {
    pulp::Arch::new().dispatch(Seeds { key, width, contexts })
}

/// The word of each unit under `key`: what the token's place in [`super::Generator::words`] holds.
pub(super) fn words(key: &[u8; 32], units: &[Unit]) -> Vec<u64> {
    pulp::Arch::new().dispatch(Words { key, units })
}

struct Seeds<'a> {
    key: &'a [u8; 32],
    width: usize,
    contexts: &'a [&'a [u32]],
}

impl pulp::WithSimd for Seeds<'_> {
    type Output = Vec<u128>;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> Vec<u128> {
        let Self { key, width, contexts } = self;
        let key = everywhere(key);
        let mut seeds = Vec::with_capacity(contexts.len());
        let (mut block, mut out) = ([[0; LANES]; 16], [[0; LANES]; 16]);
        let n_blocks = width.div_ceil(BLOCK).max(1);
        for batch in contexts.chunks(LANES) {
            let mut chain = key;
            for number in 0..n_blocks {
                let begin = number * BLOCK;
                let n = (width - begin).min(BLOCK);
                for (l, context) in batch.iter().enumerate() {
                    for (word, token) in block.iter_mut().zip(&context[begin..begin + n]) {
                        word[l] = *token;
                    }
                }
                // What a block before left behind its end.
                block[n..].fill([0; LANES]);
                let mut flags = KEYED_HASH;
                if number == 0 {
                    flags |= CHUNK_START;
                }
                if number + 1 == n_blocks {
                    flags |= CHUNK_END | ROOT;
                }
                compress(&chain, &block, &[0; LANES], 4 * n as u32, flags, &mut out);
                chain.copy_from_slice(&out[..8]);
            }
            seeds.extend((0..batch.len()).map(|l| {
                let low = u64::from(out[0][l]) | u64::from(out[1][l]) << 32;
                let high = u64::from(out[2][l]) | u64::from(out[3][l]) << 32;
                u128::from(low) | u128::from(high) << 64
            }));
        }
        seeds
    }
}

struct Words<'a> {
    key: &'a [u8; 32],
    units: &'a [Unit],
}

impl pulp::WithSimd for Words<'_> {
    type Output = Vec<u64>;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> Vec<u64> {
        let Self { key, units } = self;
        let key = everywhere(key);
        let mut words = Vec::with_capacity(units.len());
        let (mut block, mut out, mut counter) = ([[0; LANES]; 16], [[0; LANES]; 16], [0; LANES]);
        for (word, same) in block[4..].iter_mut().zip(STREAM) {
            *word = [same; LANES];
        }
        for batch in units.chunks(LANES) {
            for (l, unit) in batch.iter().enumerate() {
                block[0][l] = unit.seed as u32;
                block[1][l] = (unit.seed >> 32) as u32;
                block[2][l] = (unit.seed >> 64) as u32;
                block[3][l] = (unit.seed >> 96) as u32;
                // Eight words of 8 bytes are one block of output.
                counter[l] = unit.token / 8;
            }
            compress(&key, &block, &counter, STREAM_LEN, KEYED_HASH | CHUNK_START | CHUNK_END | ROOT, &mut out);
            for (l, unit) in batch.iter().enumerate() {
                let at = 2 * (unit.token % 8) as usize;
                words.push(u64::from(out[at][l]) | u64::from(out[at + 1][l]) << 32);
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::super::Generator;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn seeds_equal_the_crate(key in any::<[u8; 32]>(), width in 0usize..=64, tokens in prop::collection::vec(any::<u32>(), 0..40 * 64)) {
            let generator = Generator { key, width };
            let contexts: Vec<&[u32]> = match width {
                0 => vec![&[][..]; 3],
                _ => tokens.chunks_exact(width).collect(),
            };
            let plain: Vec<u128> = contexts.iter().map(|context| generator.seed(context)).collect();
            prop_assert_eq!(seeds(&key, width, &contexts), plain);
        }

        #[test]
        fn words_equal_the_crate(key in any::<[u8; 32]>(), units in prop::collection::vec((any::<u128>(), any::<u32>()), 0..70)) {
            let generator = Generator { key, width: 4 };
            let units: Vec<Unit> = units.into_iter().map(|(seed, token)| Unit { seed, token }).collect();
            let plain: Vec<u64> = units
                .iter()
                .map(|unit| {
                    let (mut stream, mut word) = (generator.stream(unit.seed), [0; 8]);
                    stream.set_position(8 * u64::from(unit.token));
                    stream.fill(&mut word);
                    u64::from_le_bytes(word)
                })
                .collect();
            prop_assert_eq!(words(&key, &units), plain);
        }
    }

    #[test]
    fn every_token_of_a_vocabulary_has_its_word() {
        let generator = Generator { key: [7; 32], width: 4 };
        let units: Vec<Unit> = (0..20_000).map(|token| Unit { seed: 11, token }).collect();
        assert_eq!(words(&generator.key, &units), generator.words(11, 20_000));
    }

    /// The crate's own tests of lengths that fill a block, and one more and one less.
    #[test]
    fn every_width_of_context_has_its_seed() {
        for width in 0..=64 {
            let generator = Generator { key: [3; 32], width };
            let tokens: Vec<u32> = (0..64).map(|i| i * 0x0101_0101).collect();
            let contexts = [&tokens[..width], &tokens[64 - width..]];
            assert_eq!(
                seeds(&generator.key, width, &contexts),
                contexts.map(|context| generator.seed(context)),
                "{width}"
            );
        }
    }

    /// Machines differ in their vectors and not in what they say.
    #[test]
    fn every_width_of_vectors_gives_the_same() {
        let key = [9; 32];
        let tokens: Vec<u32> = (0..37 * 20u32).map(|i| i.wrapping_mul(0x9e37_79b9)).collect();
        let contexts: Vec<&[u32]> = tokens.chunks(20).collect();
        let expected = seeds(&key, 20, &contexts);
        let units: Vec<Unit> = expected.iter().zip(&tokens).map(|(&seed, &token)| Unit { seed, token }).collect();
        let mut archs = vec![pulp::Arch::Scalar];
        #[cfg(target_arch = "x86_64")]
        archs.extend(pulp::x86::V3::try_new().map(pulp::Arch::V3));
        for arch in archs {
            assert_eq!(arch.dispatch(Seeds { key: &key, width: 20, contexts: &contexts }), expected, "{arch:?}");
            assert_eq!(arch.dispatch(Words { key: &key, units: &units }), words(&key, &units), "{arch:?}");
        }
    }
}
