//! Which runs does a text hold? One pass over the text, whatever the number of runs.
//!
//! All 16-byte grams of all runs are in one table behind a bit filter; the text's rolling hash asks it at every byte, and each
//! answer is compared with the run's own bytes. What a text holds of a run is the number of the run's bytes that such grams
//! cover, so a changed word costs its own surroundings only. Weakness: the order of the stretches is not asked, so sentences
//! may be shuffled. Bounds: the first [`PRINTED_BYTES`] of a text; a gram stands for at most eight runs, and a run is
//! measured on what is left of it.

use super::run::pieces;
use crate::text::limits::PRINTED_BYTES;
use crate::text::winnow::Printer;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Bytes of a gram.
const GRAM: usize = 16;
/// Runs that one gram may stand for.
const MOST_RUNS: usize = 8;
/// Answers that one text may give.
const MOST_HITS: usize = 1 << 20;
/// Bytes of a run that a member holds at least, and the least share of the run.
const LEAST_HELD: usize = 40;
const LEAST_SHARE: f64 = 0.6;

/// A run found in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Number of the run.
    pub run: u32,
    /// First byte, in the folded text, of where most of it stands.
    pub first: u32,
    /// Behind its last byte.
    pub end: u32,
    /// Bytes of the run that the text holds.
    pub held: u32,
}

/// A hash that is one already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {}
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// A gram of a run.
#[derive(Clone, Copy)]
struct Entry {
    run: u32,
    /// Place in the run's fixed bytes.
    offset: u32,
}

/// The runs that texts are searched for.
pub struct Scanner {
    printer: Printer,
    filter: Vec<u64>,
    shift: u32,
    places: HashMap<u64, (u32, u32), BuildHasherDefault<AsIs>>,
    entries: Vec<Entry>,
    /// Fixed pieces of each run, one after another.
    bytes: Vec<Vec<u8>>,
    /// Bytes of each run that its grams in the table cover.
    countable: Vec<u32>,
}

impl Scanner {
    /// For these runs, numbered from 0.
    #[must_use]
    pub fn new<'a>(printer: &Printer, runs: impl IntoIterator<Item = &'a str>) -> Self {
        let mut grams: Vec<(u64, u32, u32)> = Vec::new();
        let mut bytes = Vec::new();
        for (run, text) in (0u32..).zip(runs) {
            let mut all = Vec::with_capacity(text.len());
            for piece in pieces(text) {
                let before = all.len();
                printer.each_gram::<GRAM>(piece.as_bytes(), |hash, at| grams.push((hash, run, (before + at) as u32)));
                all.extend_from_slice(piece.as_bytes());
            }
            bytes.push(all);
        }
        grams.sort_unstable();
        // A run that repeats a gram is found by its first.
        grams.dedup_by_key(|gram| (gram.0, gram.1));
        let bits = (32 * grams.len()).next_power_of_two().max(1 << 12);
        let shift = 64 - bits.trailing_zeros();
        let mut scanner = Self {
            printer: printer.clone(),
            filter: vec![0; bits / 64],
            shift,
            places: HashMap::default(),
            entries: Vec::with_capacity(grams.len()),
            countable: vec![0; bytes.len()],
            bytes,
        };
        for same in grams.chunk_by(|a, b| a.0 == b.0) {
            let bit = (same[0].0 >> shift) as usize;
            scanner.filter[bit / 64] |= 1 << (bit % 64);
            let from = scanner.entries.len() as u32;
            scanner.entries.extend(same.iter().take(MOST_RUNS).map(|&(_, run, offset)| Entry { run, offset }));
            scanner.places.insert(same[0].0, (from, scanner.entries.len() as u32));
        }
        let mut offsets: Vec<(u32, u32)> = scanner.entries.iter().map(|entry| (entry.run, entry.offset)).collect();
        offsets.sort_unstable();
        for of_run in offsets.chunk_by(|a, b| a.0 == b.0) {
            scanner.countable[of_run[0].0 as usize] = covered(of_run.iter().map(|offset| offset.1), GRAM as u32);
        }
        scanner
    }

    /// How many runs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Runs of which too little is left to measure, because others share all of their grams.
    #[must_use]
    pub fn n_unmeasured(&self) -> u64 {
        self.countable.iter().filter(|&&bytes| (bytes as usize) < LEAST_HELD / 2).count() as u64
    }

    /// Whether the scanner holds this gram of [`crate::text::winnow::GRAM`] bytes in one of its runs, whole.
    #[must_use]
    pub fn covers(&self, gram: &[u8]) -> bool {
        let mut whole = !gram.is_empty();
        self.printer.each_gram::<GRAM>(gram, |hash, _| whole &= self.places.contains_key(&hash));
        whole && gram.len() >= GRAM
    }

    /// The runs that `folded` holds, by number.
    #[must_use]
    pub fn scan(&self, folded: &str) -> Vec<Found> {
        let bytes = folded.as_bytes();
        let bytes = &bytes[..bytes.len().min(PRINTED_BYTES)];
        // (run, offset in the run, place in the text)
        let mut hits: Vec<(u32, u32, u32)> = Vec::new();
        if self.entries.is_empty() {
            return Vec::new();
        }
        self.printer.each_gram::<GRAM>(bytes, |hash, at| {
            let bit = (hash >> self.shift) as usize;
            if self.filter[bit / 64] >> (bit % 64) & 1 == 0 {
                return;
            }
            let Some(&(from, to)) = self.places.get(&hash) else { return };
            for entry in &self.entries[from as usize..to as usize] {
                let offset = entry.offset as usize;
                let own = &self.bytes[entry.run as usize][offset..offset + GRAM];
                if hits.len() < MOST_HITS && own == &bytes[at..at + GRAM] {
                    hits.push((entry.run, entry.offset, at as u32));
                }
            }
        });
        hits.sort_unstable();
        let mut out = Vec::new();
        for of_run in hits.chunk_by(|a, b| a.0 == b.0) {
            let run = of_run[0].0;
            let held = covered(of_run.iter().map(|hit| hit.1), GRAM as u32);
            let countable = self.countable[run as usize] as usize;
            if countable >= LEAST_HELD / 2 && enough(held, countable as u32) {
                let (first, end) = densest(of_run, 2 * self.bytes[run as usize].len() as u32 + 64);
                out.push(Found { run, first, end, held });
            }
        }
        out
    }
}

/// Whether a text that holds so many bytes of a run of this length holds the run.
pub(super) fn enough(held: u32, length: u32) -> bool {
    f64::from(held) >= (LEAST_SHARE * f64::from(length)).max(f64::from(length.min(LEAST_HELD as u32)))
}

/// Bytes that grams of this length at these places, in order, cover together.
pub(super) fn covered(offsets: impl Iterator<Item = u32>, gram: u32) -> u32 {
    let (mut total, mut end) = (0, 0);
    for offset in offsets {
        let to = offset + gram;
        total += to - offset.max(end).min(to);
        end = end.max(to);
    }
    total
}

/// The stretch of at most `span` bytes that holds most hits, cut to them.
fn densest(hits: &[(u32, u32, u32)], span: u32) -> (u32, u32) {
    let mut places: Vec<u32> = hits.iter().map(|hit| hit.2).collect();
    places.sort_unstable();
    let (mut from, mut best) = (0, (0, 0, 0));
    for to in 0..places.len() {
        while places[to] - places[from] > span {
            from += 1;
        }
        if to - from + 1 > best.0 {
            best = (to - from + 1, places[from], places[to] + GRAM as u32);
        }
    }
    (best.1, best.2)
}
