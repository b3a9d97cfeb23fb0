//! Keys that anyone can know: defaults of libraries, and numbers that examples use.
//!
//! Weakness: a list of what is common, not of what is known to an adversary. Guarantee: what it names is public.

/// What a key is known from; none where it is not one of the common ones.
#[must_use]
pub fn known_from(key: i128) -> Option<&'static str> {
    match key {
        15_485_863 => Some("the default hash key of transformers and lm-watermarking"),
        2_971_215_073 => Some("the seed of the hash table of lm-watermarking"),
        35_317 => Some("the salt key of three_bricks"),
        0 => Some("the default key of Unigram-Watermark, and the seed of many examples"),
        1 | 2 | 3 | 7 | 10 | 11 | 42 | 100 | 123 | 1234 | 12_345 | 123_456 | 1_234_567 | 123_456_789 | 1337 => {
            Some("the number of many examples")
        }
        1_000_003 => Some("the size of the hash table of transformers and lm-watermarking"),
        32_452_843 | 49_979_687 | 67_867_967 | 86_028_121 | 982_451_653 => {
            Some("a round-numbered entry of tables of primes")
        }
        _ => None,
    }
}

/// A whole-number key, made of 32 random bytes: odd and below 2³⁸, so that its products with tokens do not wrap and no two contexts
/// share a seed by construction.
#[must_use]
pub fn drawn(material: &[u8; 32]) -> i128 {
    let word = u64::from_le_bytes(material.first_chunk().copied().unwrap_or_default());
    i128::from(word >> 26 | 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_keys_are_odd_and_differ() {
        let (a, b) = (drawn(&[1; 32]), drawn(&[2; 32]));
        assert!(a % 2 == 1 && a < 1 << 38 && a != b);
        assert!(known_from(a).is_none() && known_from(15_485_863).is_some());
    }
}
