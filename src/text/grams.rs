//! The lexical measure of the judge: how much of the shorter text stands in the longer one, in runs that unrelated texts of that
//! length do not share.
//!
//! Both texts are cut into grams, and the measure is the share of the distinct grams of the text with fewer of them that the other has
//! too. The longer a text, the more of another's grams it holds by chance: half of the 4-grams of an English text stand in any other of
//! 16,000 letters. So a gram is the longer, the longer the longer text is ([`gram_units`]): five letters, three more for each
//! eightfold length. Then unrelated prose shares less than a tenth at 200 letters and at 60,000, and a gram stays short enough that
//! an edit spoils few of them (`benches/record/quality-grams.md`). A gram has at least four characters; a Chinese, Japanese or
//! Korean one counts for three letters, since it tells about as much.
//!
//! One text is filed in a table and many are held against it; the table is stamped, not cleared, so that filing costs as much as the
//! text is long. Where both texts are long only the grams whose hash falls into a sample are filed, at least some [`SAMPLED`] of the
//! shorter text, so that the table stays in cache; the error of a share is then below 0.01. Weakness: hashes of grams are 64 bits
//! under no key, so somebody could craft two texts of his own that share more than they show; only the first
//! [`JUDGED_BYTES`] of a text count.

use super::limits::JUDGED_BYTES;
use super::words::{is_ideograph, mix};

/// Characters of a gram, at least.
const LEAST_CHARS: usize = 4;
/// Most units, and so most characters, of a gram.
const MOST_UNITS: usize = 14;
/// Grams of the shorter text from which on they are sampled.
const SAMPLED: usize = 4_096;

/// Units of a gram, by the bytes of the longer text; a letter is a unit, a Chinese, Japanese or Korean character three.
///
/// # Example
/// ```
/// use stillhunt::text::gram_units;
/// assert_eq!([60, 1_000, 2_000, 16_000, 100_000].map(gram_units), [5, 5, 8, 11, 14]);
/// ```
#[must_use]
pub fn gram_units(bytes: usize) -> usize {
    match bytes {
        0..1_024 => 5,
        1_024..8_192 => 8,
        8_192..65_536 => 11,
        _ => MOST_UNITS,
    }
}

/// How many of its grams are filed: one in 2^this, by the bytes of the shorter text.
fn sample_bits(bytes: usize) -> u32 {
    (bytes / SAMPLED).checked_ilog2().unwrap_or(0)
}

/// The part of a text that is read.
fn judged(folded: &str) -> &str {
    let mut end = folded.len().min(JUDGED_BYTES);
    while !folded.is_char_boundary(end) {
        end -= 1;
    }
    &folded[..end]
}

/// The factor between the characters of a gram: a gram's key is Σ letter(cᵢ) · BASE^(length − 1 − i) in 64 bits.
const BASE: u64 = 0x9E37_79B9_7F4A_7C15;

/// BASE to the powers that a gram needs.
const POWERS: [u64; MOST_UNITS + 1] = {
    let mut powers = [1; MOST_UNITS + 1];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = BASE.wrapping_mul(powers[i - 1]);
        i += 1;
    }
    powers
};

/// What a character adds to the key of a gram.
const fn letter(c: u32) -> u64 {
    mix(c as u64 ^ 0x5EED << 32)
}

/// The same of ASCII, looked up.
const LETTERS: [u64; 128] = {
    let mut letters = [0; 128];
    let mut c = 0;
    while c < 128 {
        letters[c] = letter(c as u32);
        c += 1;
    }
    letters
};

/// Calls `visit` with the key of every gram of `text`, in order, repeats included. A text of less than one gram is one.
#[inline]
fn each_gram(text: &str, units: usize, mut visit: impl FnMut(u64)) {
    let bytes = text.as_bytes();
    if bytes.len() >= units && text.is_ascii() {
        let of = |byte: u8| LETTERS[usize::from(byte & 127)];
        let oldest = POWERS[units - 1];
        let mut key = bytes[..units - 1].iter().fold(0u64, |key, &b| key.wrapping_mul(BASE).wrapping_add(of(b)));
        for (&new, &old) in bytes[units - 1..].iter().zip(bytes) {
            key = key.wrapping_mul(BASE).wrapping_add(of(new));
            visit(key);
            key = key.wrapping_sub(of(old).wrapping_mul(oldest));
        }
        return;
    }
    let weight = |c: char| if is_ideograph(c) { 3 } else { 1 };
    let (mut key, mut held, mut length, mut none) = (0u64, 0, 0, true);
    let mut first = text.chars();
    for c in text.chars() {
        key = key.wrapping_mul(BASE).wrapping_add(letter(c as u32));
        (held, length) = (held + weight(c), length + 1);
        while held >= units && length >= LEAST_CHARS {
            visit(key);
            none = false;
            let Some(old) = first.next() else { return };
            key = key.wrapping_sub(letter(old as u32).wrapping_mul(POWERS[length - 1]));
            (held, length) = (held - weight(old), length - 1);
        }
    }
    if none {
        visit(key);
    }
}

/// Whether a gram is among one in 2^`bits`.
#[inline]
fn is_sampled(key: u64, bits: u32) -> bool {
    bits == 0 || key.wrapping_mul(0xD1B5_4A32_D192_ED03) >> (64 - bits) == 0
}

/// How two texts are cut for comparison: the length of grams, and how many of them count.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Cut {
    units: usize,
    sample: u32,
}

impl Cut {
    /// For texts of so many bytes.
    fn of(a: usize, b: usize) -> Self {
        Self { units: gram_units(a.max(b)), sample: sample_bits(a.min(b)) }
    }

    /// Calls `visit` with the key of every gram that counts.
    #[inline]
    fn each(self, text: &str, mut visit: impl FnMut(u64)) {
        match self.sample {
            0 => each_gram(text, self.units, visit),
            bits => each_gram(text, self.units, |key| {
                if is_sampled(key, bits) {
                    visit(key);
                }
            }),
        }
    }
}

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

    /// Empties the set and makes room for some `n_keys`, at a load of about an eighth, where first places are rarely taken, or a
    /// half where the table would leave the cache.
    fn clear(&mut self, n_keys: usize) {
        let room = if n_keys <= 2 * SAMPLED { 8 } else { 2 };
        let wanted = (room * n_keys).next_power_of_two().max(256);
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

    /// Holds the grams of `folded` in place of those before, and returns how many there are.
    fn file(&mut self, folded: &str, cut: Cut) -> u32 {
        self.clear((folded.len() >> cut.sample).max(LEAST_CHARS));
        let (slots, shift, stamp) = self.parts();
        // Nobody's text fills the table, not even one that was written to have every gram in the sample.
        let most = slots.len() as u32 / 4 * 3;
        let mut n = 0;
        cut.each(folded, |key| {
            let slot = find(slots, shift, stamp, key);
            let new = slot.filed != stamp && n < most;
            if new {
                *slot = Slot { key, filed: stamp, met: 0 };
            }
            n += u32::from(new);
        });
        n
    }
}

/// The slot that holds `key`, or the free one where it belongs. At most three quarters of the table are full.
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

/// Bits of a sketch of a short text, as words of 64.
const SKETCH_WORDS: usize = 16;
/// Hashes of a sketch of a long text.
const SKETCH_HASHES: usize = 256;
/// −ln of the probability with which a pair of long texts is wrongly refused by its sketches: 10⁻⁹.
const REFUSAL: f64 = 20.7;

/// What is kept of a text's grams so that most pairs need not be read again.
///
/// Of a text under 1,024 bytes: how many distinct grams there are, and a bit for each by its hash. A bit that one text has and the
/// other lacks is a gram that they do not share, whatever collides, so a refusal is certain. Of a longer one: its 256 smallest
/// hashes, of which two texts keep the same ones where they share the gram (a bottom-k sketch: Cohen and Kaplan, PODC 2007); a
/// refusal is wrong with a probability below 10⁻⁹.
#[derive(Clone, Debug)]
pub struct Sketch {
    bytes: u32,
    units: u8,
    marks: Marks,
}

#[derive(Clone, Debug)]
enum Marks {
    /// Number of distinct grams, and their bits.
    Bits(u32, [u64; SKETCH_WORDS]),
    /// The smallest hashes, sorted.
    Least(Box<[u32]>),
}

impl Sketch {
    /// Bytes of the text that count.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes as usize
    }

    /// Units of the grams that it was made of.
    #[must_use]
    pub fn units(&self) -> usize {
        usize::from(self.units)
    }

    /// How many distinct grams the text has, where it was counted.
    fn n_distinct(&self) -> Option<u32> {
        match self.marks {
            Marks::Bits(n, _) => Some(n),
            Marks::Least(_) => None,
        }
    }

    /// Whether the containment of the two texts is below `least`, as far as two sketches of the same units can tell.
    #[must_use]
    pub fn refuses(&self, other: &Self, least: f32) -> bool {
        match (&self.marks, &other.marks) {
            (Marks::Bits(n, bits), Marks::Bits(n_other, bits_other)) => {
                let (mut only_here, mut only_there) = (0, 0);
                for (a, b) in bits.iter().zip(bits_other) {
                    only_here += (a & !b).count_ones();
                    only_there += (b & !a).count_ones();
                }
                let shared = (n - only_here).min(n_other - only_there);
                (shared as f32 / (*n).min(*n_other).max(1) as f32) < least
            }
            (Marks::Least(a), Marks::Least(b)) => refuses_by_hashes(a, b, f64::from(least)),
            _ => false,
        }
    }
}

/// Whether two texts with these smallest hashes are below `least`, but for one time in 10⁹: of the hashes up to the bound
/// to which both lists are complete, those of the smaller set are draws without replacement from its grams, and the tail of their
/// number is bounded by Chernoff's e^(−n · KL).
fn refuses_by_hashes(a: &[u32], b: &[u32], least: f64) -> bool {
    if least > 1.0 {
        return true;
    }
    let complete_to = |hashes: &[u32]| if hashes.len() < SKETCH_HASHES { u32::MAX } else { hashes[SKETCH_HASHES - 1] };
    let bound = complete_to(a).min(complete_to(b));
    let until = |hashes: &[u32]| hashes.partition_point(|&hash| hash <= bound);
    let (a, b) = (&a[..until(a)], &b[..until(b)]);
    let (mut i, mut j, mut shared) = (0, 0, 0u32);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        shared += u32::from(x == y);
        (i, j) = (i + usize::from(x <= y), j + usize::from(y <= x));
    }
    let n = a.len().min(b.len()) as f64;
    if n == 0.0 {
        return false;
    }
    let (share, rest) = (f64::from(shared) / n, 1.0 - f64::from(shared) / n);
    if share >= least {
        return false;
    }
    let part = |p: f64, q: f64| if p > 0.0 { p * libm::log(p / q) } else { 0.0 };
    n * (part(share, least) + part(rest, 1.0 - least)) >= REFUSAL
}

/// What two texts have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    /// The grams that they share over those of the text with fewer of them, in [0, 1].
    pub containment: f32,
    /// Bytes of the shorter one over those of the longer, in [0, 1].
    pub ratio: f32,
}

/// Bytes of the shorter text over those of the longer; 1 for two empty ones.
#[must_use]
pub fn ratio(a: usize, b: usize) -> f32 {
    if a.max(b) == 0 { 1.0 } else { a.min(b) as f32 / a.max(b) as f32 }
}

/// The text that others are held against, filed under one cut.
struct Filed {
    table: Table,
    /// The cut that the table holds; none where it is of a text before.
    cut: Option<Cut>,
    n: u32,
    meeting: u32,
}

impl Filed {
    fn new() -> Self {
        Self { table: Table::new(), cut: None, n: 0, meeting: 0 }
    }

    /// How many distinct grams `other` shares with the filed text.
    fn n_shared(&mut self, other: &str, cut: Cut) -> u32 {
        if self.meeting == u32::MAX {
            self.table.slots.iter_mut().for_each(|slot| slot.met = 0);
            self.meeting = 0;
        }
        self.meeting += 1;
        let meeting = self.meeting;
        let (slots, shift, stamp) = self.table.parts();
        let mut n = 0;
        cut.each(other, |key| {
            let slot = find(slots, shift, stamp, key);
            // Without a branch: whether a gram is shared is what a processor cannot guess.
            let new = slot.filed == stamp && slot.met != meeting;
            slot.met = if new { meeting } else { slot.met };
            n += u32::from(new);
        });
        n
    }
}

/// Holds one text against many others. Made once a thread and used again.
pub struct Grams {
    text: String,
    /// One for each cut that was asked for, so that candidates of different lengths do not file the text again and again.
    filed: Vec<Filed>,
    other: Table,
}

impl Default for Grams {
    fn default() -> Self {
        Self::new()
    }
}

impl Grams {
    /// With an empty text; call [`set`](Self::set).
    #[must_use]
    pub fn new() -> Self {
        Self { text: String::new(), filed: Vec::new(), other: Table::new() }
    }

    /// Takes `folded` in place of the text before.
    pub fn set(&mut self, folded: &str) {
        self.text.clear();
        self.text.push_str(judged(folded));
        self.filed.iter_mut().for_each(|filed| filed.cut = None);
    }

    /// What the text and `other` have in common.
    ///
    /// # Example
    /// ```
    /// let mut grams = stillhunt::text::Grams::new();
    /// grams.set("write a poem");
    /// let overlap = grams.overlap("please write a poem now!");
    /// assert_eq!((overlap.containment, overlap.ratio), (1.0, 0.5));
    /// assert_eq!(grams.overlap("12345").containment, 0.0);
    /// ```
    pub fn overlap(&mut self, other: &str) -> Overlap {
        self.compare(judged(other), None)
    }

    /// [`overlap`](Self::overlap) where a sketch of `other` is at hand, which may save half of the work.
    pub fn overlap_with(&mut self, other: &str, sketch: &Sketch) -> Overlap {
        self.compare(judged(other), Some(sketch))
    }

    fn compare(&mut self, other: &str, sketch: Option<&Sketch>) -> Overlap {
        let cut = Cut::of(self.text.len(), other.len());
        let place = self.filed.iter().position(|filed| filed.cut == Some(cut)).unwrap_or_else(|| {
            let free = self.filed.iter().position(|filed| filed.cut.is_none()).unwrap_or(self.filed.len());
            if free == self.filed.len() {
                self.filed.push(Filed::new());
            }
            let filed = &mut self.filed[free];
            (filed.n, filed.meeting, filed.cut) = (filed.table.file(&self.text, cut), 0, Some(cut));
            free
        });
        let filed = &mut self.filed[place];
        let counted =
            sketch.filter(|sketch| sketch.units() == cut.units && cut.sample == 0).and_then(Sketch::n_distinct);
        let n_other = counted.unwrap_or_else(|| self.other.file(other, cut));
        let containment = filed.n_shared(other, cut) as f32 / filed.n.min(n_other).max(1) as f32;
        Overlap { containment, ratio: ratio(self.text.len(), other.len()) }
    }

    /// The sketch of `folded` in grams of so many units (of [`gram_units`]); the text that is held stays.
    pub fn sketch(&mut self, folded: &str, units: usize) -> Sketch {
        let folded = judged(folded);
        let bytes = u32::try_from(folded.len()).unwrap_or(u32::MAX);
        let cut = Cut { units, sample: 0 };
        let marks = if units == gram_units(0) { self.bits(folded, cut) } else { least_hashes(folded, cut) };
        Sketch { bytes, units: units as u8, marks }
    }

    fn bits(&mut self, folded: &str, cut: Cut) -> Marks {
        let n = self.other.file(folded, cut);
        let mut bits = [0u64; SKETCH_WORDS];
        cut.each(folded, |key| {
            let bit = key.wrapping_mul(0xD1B5_4A32_D192_ED03) >> (64 - (64 * SKETCH_WORDS).trailing_zeros());
            bits[bit as usize / 64] |= 1 << (bit % 64);
        });
        Marks::Bits(n, bits)
    }
}

/// The smallest hashes of the grams of `folded`.
fn least_hashes(folded: &str, cut: Cut) -> Marks {
    // Four times as many as are kept lie below the first bound where few grams repeat; where many do, all are looked at.
    let share = (4 * SKETCH_HASHES) as f64 / folded.len().max(1) as f64;
    let first = if share < 1.0 { (share * f64::from(u32::MAX)) as u32 } else { u32::MAX };
    let below = |bound: u32| {
        let mut hashes: Vec<u32> = Vec::new();
        cut.each(folded, |key| {
            let hash = (key.wrapping_mul(0xA076_1D64_78BD_642F) >> 32) as u32;
            if hash <= bound {
                hashes.push(hash);
            }
        });
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    };
    let mut hashes = below(first);
    if hashes.len() < SKETCH_HASHES && first < u32::MAX {
        hashes = below(u32::MAX);
    }
    hashes.truncate(SKETCH_HASHES);
    Marks::Least(hashes.into())
}

#[cfg(test)]
mod tests;
