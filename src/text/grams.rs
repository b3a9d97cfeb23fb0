//! The lexical measure C4: how many of the character 4-grams of the smaller text the other text has too.
//!
//! Grams are sets, over folded text. One text is filed in a table and many are held against it; the table is stamped, not
//! cleared, so that filing costs as much as the text is long. A gram is one 64-bit key: four characters of 16 bits, exact in
//! the basic plane; the five bits more of an emoji are scattered over the key, so that two such grams meet with
//! probability 2⁻⁶⁴. Source: the measure and its thresholds, `models/README.md`. Weakness: only the first 32,768
//! characters count, and containment of a short text proves nothing.

use super::limits::JUDGED_CHARS;

const GRAM: usize = 4;

#[derive(Clone, Copy, Default)]
struct Slot {
    key: u64,
    /// The filing that wrote the key.
    filed: u32,
    /// The comparison that last met it.
    met: u32,
}

/// A set of keys that forgets everything at once.
struct Table {
    slots: Vec<Slot>,
    /// 64 less the binary logarithm of the slots in use.
    shift: u32,
    stamp: u32,
}

impl Table {
    fn new() -> Self {
        Self { slots: vec![Slot::default(); 256], shift: 64 - 8, stamp: 0 }
    }

    /// Empties the set and makes room for `n_keys`, at a load of at most an eighth, where first places are rarely taken.
    fn clear(&mut self, n_keys: usize) {
        let wanted = (8 * n_keys).next_power_of_two().max(256);
        if wanted > self.slots.len() || self.stamp == u32::MAX {
            self.slots = vec![Slot::default(); wanted.max(self.slots.len())];
            self.stamp = 0;
        }
        self.shift = 64 - wanted.trailing_zeros();
        self.stamp += 1;
    }

    /// The slots in use, what turns a key into its first place, and the stamp: locals, so that the loops over grams keep them in
    /// registers.
    fn parts(&mut self) -> (&mut [Slot], u32, u32) {
        (&mut self.slots[..1 << (64 - self.shift)], self.shift, self.stamp)
    }

    /// Adds the grams of `folded` and returns how many were new.
    fn add_all(&mut self, folded: &str) -> u32 {
        let (slots, shift, stamp) = self.parts();
        let mut n = 0;
        each_gram(folded, |key| {
            let slot = find(slots, shift, stamp, key);
            let new = slot.filed != stamp;
            if new {
                *slot = Slot { key, filed: stamp, met: 0 };
            }
            n += u32::from(new);
        });
        n
    }
}

/// The slot that holds `key`, or the free one where it belongs. The table is never more than an eighth full.
#[inline]
fn find(slots: &mut [Slot], shift: u32, stamp: u32, key: u64) -> &mut Slot {
    let mask = slots.len() - 1;
    let mut at = (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> shift) as usize;
    loop {
        let slot = &slots[at & mask];
        // One branch that is rarely taken, not two of which one is a coin.
        if !((slot.filed == stamp) & (slot.key != key)) {
            return &mut slots[at & mask];
        }
        at += 1;
    }
}

/// Calls `visit` with the key of every gram of the first 32,768 characters, in order, repeats included.
#[inline]
fn each_gram(folded: &str, mut visit: impl FnMut(u64)) {
    let bytes = &folded.as_bytes()[..folded.len().min(JUDGED_CHARS)];
    if bytes.len() >= GRAM && bytes.is_ascii() {
        let mut key = bytes[..GRAM - 1].iter().fold(0, |key, &byte| key << 16 | u64::from(byte));
        for &byte in &bytes[GRAM - 1..] {
            key = key << 16 | u64::from(byte);
            visit(key);
        }
        return;
    }
    let (mut key, mut high, mut n) = (0_u64, 0_u64, 0);
    let mut step = |c: u32| {
        key = key << 16 | u64::from(c & 0xFFFF);
        high = (high << 5 | u64::from(c >> 16)) & 0xF_FFFF;
        n += 1;
        if n >= GRAM {
            visit(key ^ high.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        }
    };
    let mut n_chars = 0;
    for c in folded.chars().take(JUDGED_CHARS) {
        step(c as u32);
        n_chars += 1;
    }
    // Shorter texts are one gram, padded with NUL, which folded text never holds.
    (n_chars..GRAM).for_each(|_| step(0));
}

/// Bits of a sketch, as words of 64.
const SKETCH_WORDS: usize = 16;

/// What is kept of a text's grams so that most pairs need not be read again: how many distinct ones there are, and a bit for each
/// by its hash. A bit that one text has and the other lacks is a gram that they do not share, whatever collides.
#[derive(Clone, Debug)]
pub struct Sketch {
    n: u32,
    bits: [u64; SKETCH_WORDS],
}

impl Sketch {
    /// How many distinct grams the text has.
    #[must_use]
    pub fn n_distinct(&self) -> u32 {
        self.n
    }

    /// An upper bound of C4 of the two texts, in [0, 1]: never less than what [`Grams::containment`] returns.
    #[must_use]
    pub fn most_contained(&self, other: &Self) -> f32 {
        let (mut only_here, mut only_there) = (0, 0);
        for (a, b) in self.bits.iter().zip(&other.bits) {
            only_here += (a & !b).count_ones();
            only_there += (b & !a).count_ones();
        }
        let shared = (self.n - only_here).min(other.n - only_there);
        shared as f32 / self.n.min(other.n).max(1) as f32
    }
}

/// The grams of one text, ready to be held against many others. Made once a thread and used again.
pub struct Grams {
    filed: Table,
    other: Table,
    n: u32,
    meeting: u32,
}

impl Default for Grams {
    fn default() -> Self {
        Self::new()
    }
}

impl Grams {
    /// Without a text yet; call [`set`](Self::set).
    #[must_use]
    pub fn new() -> Self {
        let mut grams = Self { filed: Table::new(), other: Table::new(), n: 0, meeting: 0 };
        grams.filed.clear(0);
        grams
    }

    /// Files the grams of `folded` in place of those before.
    pub fn set(&mut self, folded: &str) {
        self.filed.clear(folded.len().clamp(GRAM, JUDGED_CHARS));
        self.meeting = 0;
        self.n = self.filed.add_all(folded);
    }

    /// How many distinct grams the filed text has.
    #[must_use]
    pub fn n_distinct(&self) -> u32 {
        self.n
    }

    /// How many distinct grams `folded` has; the filed text stays.
    pub fn distinct(&mut self, folded: &str) -> u32 {
        self.other.clear(folded.len().clamp(GRAM, JUDGED_CHARS));
        self.other.add_all(folded)
    }

    /// The sketch of `folded`; the filed text stays.
    pub fn sketch(&mut self, folded: &str) -> Sketch {
        let n = self.distinct(folded);
        let mut bits = [0u64; SKETCH_WORDS];
        each_gram(folded, |key| {
            let bit = key.wrapping_mul(0xD1B5_4A32_D192_ED03) >> (64 - (64 * SKETCH_WORDS).trailing_zeros());
            bits[bit as usize / 64] |= 1 << (bit % 64);
        });
        Sketch { n, bits }
    }

    /// How many distinct grams `other` shares with the filed text, and how many it has.
    pub fn shared(&mut self, other: &str) -> (u32, u32) {
        (self.n_shared(other), self.distinct(other))
    }

    /// How many distinct grams `other` shares with the filed text.
    pub fn n_shared(&mut self, other: &str) -> u32 {
        if self.meeting == u32::MAX {
            self.filed.slots.iter_mut().for_each(|slot| slot.met = 0);
            self.meeting = 0;
        }
        self.meeting += 1;
        let meeting = self.meeting;
        let (slots, shift, stamp) = self.filed.parts();
        let mut n = 0;
        each_gram(other, |key| {
            let slot = find(slots, shift, stamp, key);
            // Without a branch: whether a gram is shared is what a processor cannot guess.
            let new = slot.filed == stamp && slot.met != meeting;
            slot.met = if new { meeting } else { slot.met };
            n += u32::from(new);
        });
        n
    }

    /// C4 of the filed text and `other`: shared grams over the grams of the text with fewer of them, in [0, 1].
    ///
    /// # Example
    /// ```
    /// let mut grams = stillhunt::text::Grams::new();
    /// grams.set("write a poem");
    /// assert_eq!(grams.containment("please write a poem now"), 1.0);
    /// assert_eq!(grams.containment("12345"), 0.0);
    /// ```
    pub fn containment(&mut self, other: &str) -> f32 {
        let n_other = self.distinct(other);
        self.containment_with(other, n_other)
    }

    /// [`containment`](Self::containment) where the distinct grams of `other` were counted before (by
    /// [`distinct`](Self::distinct)), which halves the work.
    pub fn containment_with(&mut self, other: &str, n_other: u32) -> f32 {
        self.n_shared(other) as f32 / self.n.min(n_other).max(1) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn plain(text: &str) -> HashSet<Vec<char>> {
        let mut chars: Vec<char> = text.chars().take(JUDGED_CHARS).collect();
        chars.resize(chars.len().max(GRAM), '\0');
        chars.windows(GRAM).map(<[char]>::to_vec).collect()
    }

    fn check(grams: &mut Grams, a: &str, b: &str) {
        let (of_a, of_b) = (plain(a), plain(b));
        grams.set(a);
        let shared = of_a.intersection(&of_b).count() as u32;
        assert_eq!(grams.n_distinct() as usize, of_a.len());
        assert_eq!(grams.shared(b), (shared, of_b.len() as u32), "{a:?} {b:?}");
        assert_eq!(grams.shared(b), (shared, of_b.len() as u32), "again");
        let exact = shared as f32 / of_a.len().min(of_b.len()) as f32;
        assert_eq!(grams.containment(b), exact);
        let (sketch_a, sketch_b) = (grams.sketch(a), grams.sketch(b));
        assert_eq!((sketch_a.n_distinct(), sketch_b.n_distinct()), (of_a.len() as u32, of_b.len() as u32));
        for bound in [sketch_a.most_contained(&sketch_b), sketch_b.most_contained(&sketch_a)] {
            assert!((exact..=1.0).contains(&bound), "{bound} bounds {exact}");
        }
    }

    #[test]
    fn sketches_of_unlike_texts_leave_little_to_judge() {
        let mut grams = Grams::new();
        let (a, b) =
            ("where can i buy a bicycle pump in the old town", "translate this letter to my landlord into polish");
        let (a, b) = (grams.sketch(a), grams.sketch(b));
        assert!(a.most_contained(&b) < 0.3, "{}", a.most_contained(&b));
    }

    #[test]
    fn short_long_and_mixed_texts_equal_the_plain_sets() {
        let mut grams = Grams::default();
        let long: String = (0..20_000_u32).map(|n| format!("{n} ")).collect();
        let emoji = long.replace('7', "🧭") + &long;
        let texts = [
            "",
            "a",
            "abc",
            "abcd",
            "abcdabcdabcd",
            "写一首诗",
            "写一首诗吧 please",
            "🧭🧭🧭🧭🧭",
            "\u{f9ed}🧭",
            &long,
            &emoji,
        ];
        for a in texts {
            texts.iter().for_each(|b| check(&mut grams, a, b));
        }
    }

    #[test]
    fn nothing_is_filed_at_first() {
        assert_eq!(Grams::new().shared("abcde"), (0, 2));
        assert_eq!(Grams::new().containment(""), 0.0);
    }

    #[test]
    fn characters_beyond_the_limit_do_not_count() {
        let mut grams = Grams::new();
        let base = "é".to_owned() + &"a".repeat(JUDGED_CHARS - 1);
        grams.set(&(base.clone() + "bcdefg"));
        assert_eq!(grams.shared(&base).0, grams.n_distinct());
        assert_eq!(grams.shared("bcdefg").0, 0);
    }

    #[test]
    fn stamps_that_run_out_start_again() {
        let mut grams = Grams::new();
        grams.set("abcdef");
        (grams.meeting, grams.filed.stamp) = (u32::MAX - 1, u32::MAX - 1);
        grams.set("abcdef");
        grams.meeting = u32::MAX - 1;
        for _ in 0..3 {
            assert_eq!(grams.shared("bcdefg"), (2, 3));
        }
        check(&mut grams, "uvwxyz", "abcuvwx");
    }

    proptest! {
        #[test]
        fn equal_the_plain_sets(a in "[a-c é🧭]{0,60}", b in "[a-c é🧭]{0,60}") {
            check(&mut Grams::new(), &a, &b);
        }
    }
}
