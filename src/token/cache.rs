//! A cache from short words to their pieces, one for each thread at work.
//!
//! Two slots of one cache line each for a hash; a third word pushes one of the two out. Nothing grows, nothing is shared, and what is
//! found equals what would be computed, so that neither order nor threads can change a result. Weakness: words of more than
//! 23 bytes or 9 pieces are computed each time.

/// The longest word that is kept.
pub(super) const WORD_BYTES: usize = 23;
/// The most pieces that are kept.
const PIECES: usize = 9;
/// Slots: 2 MiB, about what a core's own cache holds. The 10⁴ most frequent words are nine tenths of running text.
const SLOTS: usize = 1 << 15;

/// A word and its pieces; a length of 0 is a free slot.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(align(64))]
struct Slot {
    word: [u8; WORD_BYTES],
    n_bytes: u8,
    pieces: [u32; PIECES],
    n_pieces: u8,
}

pub(super) struct Cache {
    slots: Vec<Slot>,
}

impl Cache {
    pub(super) fn new() -> Self {
        let free = Slot { word: [0; WORD_BYTES], n_bytes: 0, pieces: [0; PIECES], n_pieces: 0 };
        Self { slots: vec![free; SLOTS] }
    }

    /// Appends the pieces of `word` to `out`, by `compute` where they are not known. `word` is not empty.
    #[inline]
    pub(super) fn pieces(&mut self, word: &[u8], out: &mut Vec<u32>, compute: impl FnOnce(&mut Vec<u32>)) {
        let n = word.len();
        if n > WORD_BYTES {
            return compute(out);
        }
        let mut padded = [0; WORD_BYTES];
        padded[..n].copy_from_slice(word);
        let at = hash(&padded, n);
        for slot in [at, at ^ 1] {
            let slot = &self.slots[slot];
            if usize::from(slot.n_bytes) == n && slot.word == padded {
                out.extend_from_slice(&slot.pieces[..usize::from(slot.n_pieces)]);
                return;
            }
        }
        let before = out.len();
        compute(out);
        let found = &out[before..];
        if found.len() <= PIECES {
            let mut pieces = [0; PIECES];
            pieces[..found.len()].copy_from_slice(found);
            // The older word moves to the neighbour, so that a frequent word survives one newcomer.
            self.slots[at ^ 1] = self.slots[at];
            self.slots[at] = Slot { word: padded, n_bytes: n as u8, pieces, n_pieces: found.len() as u8 };
        }
    }
}

/// The slot of a word: three words of eight bytes, mixed.
#[inline]
fn hash(padded: &[u8; WORD_BYTES], n: usize) -> usize {
    let eight = |at: usize| padded[at..at + 8].iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    let mut mixed = eight(0) ^ (n as u64) << 56;
    for part in [eight(8), eight(15)] {
        mixed = (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ part;
    }
    (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - SLOTS.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_out_is_what_was_computed() {
        let mut cache = Cache::new();
        // More words than slots, each three times, so that hits, misses and evictions all happen.
        let mut n_computed = 0;
        for round in 0..3 {
            for n in 0..40_000_u32 {
                let word = format!("{}{n}", ["w", "a rather longer word "][n as usize % 2]);
                let expected: Vec<u32> = (0..n % 12).map(|at| n + at).collect();
                let mut out = vec![7];
                cache.pieces(word.as_bytes(), &mut out, |out| {
                    n_computed += 1;
                    out.extend(&expected);
                });
                assert_eq!(out[1..], expected, "{word} in round {round}");
            }
        }
        assert!(n_computed > 40_000);
        let mut warm = Cache::new();
        warm.pieces(b"word", &mut Vec::new(), |out| out.push(5));
        let mut out = Vec::new();
        warm.pieces(b"word", &mut out, |_| unreachable!("it is known"));
        assert_eq!(out, [5]);
        assert_eq!(size_of::<Slot>(), 64);
    }
}
