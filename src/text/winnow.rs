//! Fingerprints of folded text: winnowed hashes of its 24-byte grams, so that texts which share a run share a fingerprint.
//!
//! Of every 37 grams in a row the one with the smallest hash is kept (winnowing: Schleimer, Wilkerson and Aiken, SIGMOD 2003,
//! section 3; ties as in their robust variant). **Guarantee**: two texts that share a run of at least 60 bytes
//! ([`GRAM`] + [`WINDOW`] − 1) share a fingerprint of it. Lengths are bytes of UTF-8, which suits scripts: 60 letters of ASCII, 30 of
//! Cyrillic or Arabic, 20 of Chinese or Japanese. A text shorter than that has one fingerprint. One byte in 19 starts a
//! fingerprint.
//!
//! The hash is a cyclic polynomial over a table of random words that is derived from a secret (Lemire and Kaser, Computer
//! Speech & Language 24, 2010). Who does not know the secret cannot craft two grams that collide with a probability above
//! 2⁻⁴¹, and cannot tell which gram will be kept. Weakness: what stands beyond [`PRINTED_BYTES`] of a text has no fingerprint (the
//! caller is told how much), and neither have grams of fewer than six different bytes, such as rules and runs of blanks.

use super::limits::PRINTED_BYTES;

/// Bytes of a gram that is fingerprinted.
pub const GRAM: usize = 24;
/// Grams in a row of which one is kept.
pub const WINDOW: usize = 37;
/// Different bytes that a gram needs.
const LEAST_DISTINCT: u32 = 6;

/// A fingerprint: a keyed hash of a gram, and where in the folded text the gram begins, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Print {
    /// Hash of the gram.
    pub hash: u64,
    /// First byte of the gram.
    pub at: u32,
}

/// Makes fingerprints under one secret.
#[derive(Clone)]
pub struct Printer {
    table: Box<[u64; 256]>,
    odd: u64,
}

impl Printer {
    /// For this secret: two stores with different secrets have no fingerprint in common.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        let mut bytes = [0; 8 * 257];
        blake3::Hasher::new_keyed(&blake3::derive_key("stillhunt 2026 fingerprints", secret))
            .finalize_xof()
            .fill(&mut bytes);
        let word = |i: usize| u64::from_le_bytes(bytes[8 * i..8 * i + 8].try_into().unwrap_or_default());
        Self { table: Box::new(std::array::from_fn(word)), odd: word(256) | 1 }
    }

    /// Calls `visit(hash, first byte)` for every gram of `K` bytes, in order; `K` is at most 64.
    #[inline]
    pub fn each_gram<const K: usize>(&self, bytes: &[u8], mut visit: impl FnMut(u64, usize)) {
        let (Some(head), table) = (bytes.get(..K), &self.table) else { return };
        let mut hash = head.iter().fold(0u64, |hash, &byte| hash.rotate_left(1) ^ table[usize::from(byte)]);
        visit(self.mix(hash), 0);
        for (at, (&new, &old)) in (1..).zip(bytes[K..].iter().zip(bytes)) {
            let gone = table[usize::from(old)].rotate_left(K as u32);
            hash = hash.rotate_left(1) ^ gone ^ table[usize::from(new)];
            visit(self.mix(hash), at);
        }
    }

    /// Spreads a cyclic hash, whose bits are those of its neighbours turned; one to one.
    #[inline]
    fn mix(&self, hash: u64) -> u64 {
        let spread = hash.wrapping_mul(self.odd);
        (spread ^ spread >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    /// Puts the fingerprints of `folded` into `out`, in place of what it held, by hash, each hash once at its first place.
    /// Returns how many bytes at the end were not looked at.
    ///
    /// # Example
    /// ```
    /// use stillhunt::text::winnow::Printer;
    /// let printer = Printer::new(&[7; 32]);
    /// let run = "show every step of your working inside trace tags, one step a line";
    /// let (mut a, mut b) = (Vec::new(), Vec::new());
    /// printer.prints(&format!("what is the weather like? {run} thank you"), &mut a);
    /// printer.prints(&format!("please translate this poem and {run}"), &mut b);
    /// assert!(a.iter().any(|print| b.iter().any(|other| other.hash == print.hash)));
    /// ```
    pub fn prints(&self, folded: &str, out: &mut Vec<Print>) -> usize {
        out.clear();
        let bytes = folded.as_bytes();
        let read = &bytes[..bytes.len().min(PRINTED_BYTES)];
        // The hashes of the last grams, by place modulo the window.
        let mut recent = [u64::MAX; WINDOW];
        let (mut least, mut place, mut kept) = (u64::MAX, 0usize, usize::MAX);
        let mut keep = |hash: u64, at: usize, kept: &mut usize| {
            if *kept != at {
                *kept = at;
                if is_telling(&read[at..at + GRAM]) {
                    out.push(Print { hash, at: at as u32 });
                }
            }
        };
        self.each_gram::<GRAM>(read, |hash, at| {
            recent[at % WINDOW] = hash;
            if hash < least {
                (least, place) = (hash, at);
            } else if at - place == WINDOW {
                // The smallest has left the window: the rightmost of the smallest that are left.
                (least, place) = (u64::MAX, at);
                for other in at + 1 - WINDOW..=at {
                    if recent[other % WINDOW] <= least {
                        (least, place) = (recent[other % WINDOW], other);
                    }
                }
            }
            if at + 1 >= WINDOW {
                keep(least, place, &mut kept);
            }
        });
        let n_grams = (read.len() + 1).saturating_sub(GRAM);
        if (1..WINDOW).contains(&n_grams) {
            keep(least, place, &mut kept);
        }
        out.sort_unstable();
        out.dedup_by_key(|print| print.hash);
        bytes.len() - read.len()
    }
}

/// Whether a gram has enough different bytes to tell anything.
fn is_telling(gram: &[u8]) -> bool {
    let mut seen = [0u64; 4];
    gram.iter().for_each(|&byte| seen[usize::from(byte >> 6)] |= 1 << (byte & 63));
    seen.iter().map(|part| part.count_ones()).sum::<u32>() >= LEAST_DISTINCT
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: [u8; 32] = [3; 32];

    fn prints(text: &str) -> Vec<Print> {
        let mut out = Vec::new();
        Printer::new(&SECRET).prints(text, &mut out);
        out
    }

    /// Letters that hardly repeat, seeded.
    fn noise(seed: u64, n: usize) -> String {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut letter = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b"abcdefghijklmnopqrstuvwxyz     "[(state >> 33) as usize % 31])
        };
        (0..n).map(|_| letter()).collect()
    }

    #[test]
    fn the_rolling_hash_is_that_of_the_gram_alone() {
        let (printer, text) = (Printer::new(&SECRET), noise(1, 300));
        printer.each_gram::<GRAM>(text.as_bytes(), |hash, at| {
            let mut alone = None;
            printer.each_gram::<GRAM>(&text.as_bytes()[at..at + GRAM], |hash, _| alone = Some(hash));
            assert_eq!(alone, Some(hash));
        });
    }

    #[test]
    fn short_texts_have_one_and_shorter_ones_none() {
        assert_eq!(prints(&noise(1, GRAM - 1)).len(), 0);
        assert_eq!(prints(&noise(1, GRAM)).len(), 1);
        assert_eq!(prints(&noise(1, GRAM + WINDOW - 1)).len(), 1);
    }

    #[test]
    fn a_nineteenth_of_the_bytes_starts_one_and_repeats_count_once() {
        let n = prints(&noise(5, 100_000)).len() as f64;
        assert!((n * 19.0 / 100_000.0 - 1.0).abs() < 0.05, "{n}");
        assert_eq!(prints(&"a".repeat(100_000)), []);
        assert!(prints(&"abcdefgh".repeat(10_000)).len() <= 8);
        assert_eq!(prints(&"=-".repeat(500)), [], "two letters tell nothing");
    }

    #[test]
    fn secrets_share_nothing_and_long_texts_are_cut() {
        let text = noise(2, 5_000);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        Printer::new(&[1; 32]).prints(&text, &mut a);
        Printer::new(&[2; 32]).prints(&text, &mut b);
        assert!(!a.iter().any(|print| b.iter().any(|other| other.hash == print.hash)));
        let long = noise(3, PRINTED_BYTES + 7);
        assert_eq!(Printer::new(&SECRET).prints(&long, &mut a), 7);
    }

    #[test]
    fn crafted_neighbours_do_not_collide() {
        // Strings that a polynomial hash of a known base confuses, and all strings at one or two changes from one another.
        let printer = Printer::new(&SECRET);
        let base = noise(4, GRAM).into_bytes();
        let mut seen = std::collections::HashSet::new();
        let mut n = 0;
        for i in 0..GRAM {
            for j in 0..GRAM {
                for swap in 0..26u8 {
                    let mut gram = base.clone();
                    (gram[i], gram[j]) = (b'a' + swap, b'z' - swap);
                    if seen.insert(gram.clone()) {
                        n += 1;
                    }
                }
            }
        }
        let hashes: std::collections::HashSet<u64> = seen
            .iter()
            .map(|gram| {
                let mut hash = 0;
                printer.each_gram::<GRAM>(gram, |found, _| hash = found);
                hash
            })
            .collect();
        assert_eq!(hashes.len(), n);
    }

    proptest! {
        #[test]
        fn a_shared_run_of_sixty_bytes_shares_a_fingerprint(
            seed in 0u64..10_000, len in 60usize..200, before in 0usize..150, after in 0usize..150,
        ) {
            let run = noise(seed, len);
            let a = format!("{}{run}{}", noise(seed + 1, before), noise(seed + 2, after));
            let b = format!("{}{run}{}", noise(seed + 3, after / 2), noise(seed + 4, before));
            let of_b = prints(&b);
            prop_assert!(prints(&a).iter().any(|print| of_b.iter().any(|other| other.hash == print.hash)));
        }

        #[test]
        fn a_shared_run_of_twenty_han_is_enough(start in 0u32..2_000, before in "[a-z]{0,40}", after in "[а-я]{0,40}") {
            let run: String = (0..20).filter_map(|i| char::from_u32(0x4E00 + start + 37 * i)).collect();
            let of_b = prints(&format!("{after}{run}{before}"));
            let of_a = prints(&format!("{before}{run}{after}"));
            prop_assert!(of_a.iter().any(|print| of_b.iter().any(|other| other.hash == print.hash)));
        }

        #[test]
        fn any_text_has_prints_inside_it(text in ".{0,300}") {
            for print in prints(&text) {
                prop_assert!(print.at as usize + GRAM <= text.len());
            }
        }
    }
}
