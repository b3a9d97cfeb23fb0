//! Which runs does a text hold? One pass over the text, whatever the number of runs.
//!
//! Every fourth 13-byte gram of all runs is in one table behind a bit filter, so that any 16 bytes in common hold one of them; the
//! text's rolling hash asks the table at every byte, and each answer is extended to the whole stretch that text and run have in
//! common, for the runs of which it holds enough grams. What a text holds of a run is the number of the run's bytes in stretches of at least 16, so a changed word costs
//! its own surroundings only, and no byte of the text counts twice. Weakness: the order of the stretches is not asked, so sentences may be shuffled. Bounds: the first
//! [`PRINTED_BYTES`] of a text; a gram stands for at most eight runs, and a run is measured on what is left of it; comparing stops at
//! 256 times the text's length and 16 KiB.

use super::run::pieces;
use crate::text::limits::PRINTED_BYTES;
use crate::text::winnow::Printer;

/// Bytes of a gram, and how far apart those of a run begin.
const GRAM: usize = 13;
const STEP: usize = 4;
/// Bytes of a stretch that counts.
pub(super) const STRETCH: usize = GRAM + STEP - 1;
/// Runs that one gram may stand for.
pub(super) const MOST_RUNS: usize = 8;
/// Bytes compared for one text: a multiple of its length, and some.
const MOST_COMPARED: usize = 256;
const ALWAYS_COMPARED: usize = 16 << 10;
/// Grams of runs that are looked at in one text.
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

/// A gram of a run, or a free place.
#[derive(Clone, Copy)]
struct Slot {
    hash: u64,
    run: u32,
    /// Place in the run's fixed bytes.
    offset: u32,
}

/// A free place.
const FREE: Slot = Slot { hash: 0, run: u32::MAX, offset: 0 };

/// Bytes that a text has in common with a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stretch {
    run: u32,
    offset: u32,
    at: u32,
    len: u32,
}

/// A run as it is searched for.
struct Run {
    /// Its fixed pieces, one after another, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// Bytes that its grams in the table stand for.
    countable: u32,
    /// Grams of it that a text which holds it has at least: a stretch has one for every [`STRETCH`] bytes of it, or more.
    least: u32,
}

/// A gram of a run in a text.
#[derive(Clone, Copy)]
struct GramHit {
    run: u32,
    offset: u32,
    at: u32,
}

/// What a scan works in, used again from text to text.
#[derive(Default)]
pub struct Scratch {
    passed: Vec<(u64, u32)>,
    hits: Vec<GramHit>,
    /// Of each run, its grams in the text, and the diagonal and end of its last stretch; all zero between scans.
    of_run: Vec<(u32, i64, u32)>,
}

/// The runs that texts are searched for.
pub struct Scanner {
    printer: Printer,
    filter: Vec<u64>,
    filter_shift: u32,
    /// Open addressing by hash; a hash stands as often as it has runs.
    table: Vec<Slot>,
    table_shift: u32,
    runs: Vec<Run>,
}

impl Scanner {
    /// For these runs, numbered from 0.
    #[must_use]
    pub fn new<'a>(printer: &Printer, runs: impl IntoIterator<Item = &'a str>) -> Self {
        let mut grams: Vec<Slot> = Vec::new();
        let mut all = Vec::new();
        for (number, text) in (0u32..).zip(runs) {
            let (bytes, ends) = (Vec::with_capacity(text.len()), Vec::new());
            let mut run = Run { bytes, ends, countable: 0, least: 1 };
            for piece in pieces(text).filter(|piece| piece.len() >= STRETCH) {
                let before = run.bytes.len();
                printer.each_gram::<GRAM>(piece.as_bytes(), |hash, at| {
                    if at % STEP == 0 {
                        grams.push(Slot { hash, run: number, offset: (before + at) as u32 });
                    }
                });
                run.bytes.extend_from_slice(piece.as_bytes());
                run.ends.push(run.bytes.len() as u32);
            }
            all.push(run);
        }
        grams.sort_unstable_by_key(|gram| (gram.hash, gram.run, gram.offset));
        // A run that repeats a gram is found by its first.
        grams.dedup_by_key(|gram| (gram.hash, gram.run));
        let bits = (32 * grams.len()).next_power_of_two().max(1 << 12);
        let places = (2 * grams.len()).next_power_of_two().max(64);
        let (filter_shift, table_shift) = (64 - bits.trailing_zeros(), 64 - places.trailing_zeros());
        let mut scanner = Self {
            printer: printer.clone(),
            filter: vec![0; bits / 64],
            filter_shift,
            table: vec![FREE; places],
            table_shift,
            runs: all,
        };
        let mut offsets: Vec<(u32, u32, u32)> = Vec::with_capacity(grams.len());
        for same in grams.chunk_by(|a, b| a.hash == b.hash) {
            let bit = (same[0].hash >> filter_shift) as usize;
            scanner.filter[bit / 64] |= 1 << (bit % 64);
            for gram in same.iter().take(MOST_RUNS) {
                let mut place = (gram.hash >> table_shift) as usize;
                while scanner.table[place].run != u32::MAX {
                    place = (place + 1) % places;
                }
                scanner.table[place] = *gram;
                let end = (gram.offset + STRETCH as u32).min(scanner.runs[gram.run as usize].piece(gram.offset).1);
                offsets.push((gram.run, gram.offset, end - gram.offset));
            }
        }
        // A run whose grams are all in the table is found whole; of another, what those that are stand for.
        offsets.sort_unstable();
        for of_run in offsets.chunk_by(|a, b| a.0 == b.0) {
            let run = &mut scanner.runs[of_run[0].0 as usize];
            run.countable = covered(of_run.iter().map(|&(_, offset, len)| (offset, len)));
            if of_run.len() == run.n_grams() {
                run.least = least_held(run.countable).div_ceil(STRETCH as u32);
            }
        }
        scanner
    }

    /// How many runs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Runs of which too little is left to measure, because others share all of their grams.
    #[must_use]
    pub fn n_unmeasured(&self) -> u64 {
        self.runs.iter().filter(|run| (run.countable as usize) < LEAST_HELD / 2).count() as u64
    }

    /// The runs that `folded` holds, by number.
    #[must_use]
    pub fn scan(&self, folded: &str) -> Vec<Found> {
        self.scan_in(folded, &mut Scratch::default())
    }

    /// The same, in what an earlier scan worked in.
    #[must_use]
    pub fn scan_in(&self, folded: &str, scratch: &mut Scratch) -> Vec<Found> {
        let bytes = folded.as_bytes();
        let bytes = &bytes[..bytes.len().min(PRINTED_BYTES)];
        let stretches = self.stretches(bytes, scratch);
        let (mut out, mut places) = (Vec::new(), Vec::new());
        for of_run in stretches.chunk_by(|a, b| a.run == b.run) {
            let run = of_run[0].run;
            let of_the_run = covered(of_run.iter().map(|stretch| (stretch.offset, stretch.len)));
            // A run that repeats itself is found twice in a text that has what it repeats once.
            places.clear();
            places.extend(of_run.iter().map(|stretch| (stretch.at, stretch.len)));
            places.sort_unstable();
            let held = of_the_run.min(covered(places.iter().copied()));
            let Run { bytes, countable, .. } = &self.runs[run as usize];
            if *countable as usize >= LEAST_HELD / 2 && enough(held, *countable) {
                let (first, end) = densest(of_run, 2 * bytes.len() as u32 + 64);
                out.push(Found { run, first, end, held });
            }
        }
        out
    }

    /// What a text has in common with the runs that it may hold, each stretch once, in order.
    fn stretches(&self, bytes: &[u8], scratch: &mut Scratch) -> Vec<Stretch> {
        let Scratch { passed, hits, of_run } = scratch;
        passed.clear();
        hits.clear();
        of_run.resize(self.runs.len(), (0, 0, 0));
        // First all places that pass the filter, then the table: its loads then do not wait for each other.
        self.printer.each_gram::<GRAM>(bytes, |hash, at| {
            let bit = (hash >> self.filter_shift) as usize;
            if self.filter[bit / 64] >> (bit % 64) & 1 == 1 {
                passed.push((hash, at as u32));
            }
        });
        for &(hash, at) in passed.iter() {
            let mut place = (hash >> self.table_shift) as usize;
            while self.table[place].run != u32::MAX {
                let Slot { hash: other, run, offset } = self.table[place];
                place = (place + 1) % self.table.len();
                if other == hash && hits.len() < MOST_HITS {
                    hits.push(GramHit { run, offset, at });
                    of_run[run as usize].0 += 1;
                }
            }
        }
        let mut out: Vec<Stretch> = Vec::new();
        let mut left = MOST_COMPARED * bytes.len() + ALWAYS_COMPARED;
        for hit in hits.iter() {
            let (count, diagonal, end) = &mut of_run[hit.run as usize];
            let own = i64::from(hit.at) - i64::from(hit.offset);
            if *count < self.runs[hit.run as usize].least || left == 0 || own == *diagonal && hit.at < *end {
                continue;
            }
            if let Some(stretch) = self.stretch(bytes, *hit, &mut left) {
                (*diagonal, *end) = (own, stretch.at + stretch.len);
                out.push(stretch);
            }
        }
        hits.iter().for_each(|hit| of_run[hit.run as usize] = (0, 0, 0));
        out.sort_unstable();
        out.dedup();
        out
    }

    /// The whole stretch that text and run have in common around a gram, if it is long enough.
    fn stretch(&self, bytes: &[u8], hit: GramHit, left: &mut usize) -> Option<Stretch> {
        let run = &self.runs[hit.run as usize];
        let (from, to) = run.piece(hit.offset);
        let (from, to, offset, at) = (from as usize, to as usize, hit.offset as usize, hit.at as usize);
        let ahead = run.bytes[offset..to].iter().zip(&bytes[at..]).take(*left).take_while(|(a, b)| a == b).count();
        let behind = run.bytes[from..offset].iter().rev().zip(bytes[..at].iter().rev());
        let behind = behind.take(*left - ahead).take_while(|(a, b)| a == b).count();
        *left = left.saturating_sub(ahead + behind + 1);
        (ahead >= GRAM && ahead + behind >= STRETCH).then(|| Stretch {
            run: hit.run,
            offset: (offset - behind) as u32,
            at: (at - behind) as u32,
            len: (ahead + behind) as u32,
        })
    }
}

impl Run {
    /// Grams of its pieces that could be in the table.
    fn n_grams(&self) -> usize {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let grams = |(from, to): (u32, &u32)| ((to - from) as usize - GRAM) / STEP + 1;
        starts.zip(&self.ends).map(grams).sum()
    }

    /// Where the piece begins and ends that has this byte.
    fn piece(&self, offset: u32) -> (u32, u32) {
        let i = self.ends.partition_point(|&end| end <= offset);
        (if i == 0 { 0 } else { self.ends[i - 1] }, self.ends.get(i).copied().unwrap_or(offset))
    }
}

/// Whether a text that holds so many bytes of a run of this length holds the run.
pub(super) fn enough(held: u32, length: u32) -> bool {
    held >= least_held(length)
}

/// Bytes of a run of this length that a text which holds it has at least.
fn least_held(length: u32) -> u32 {
    (LEAST_SHARE * f64::from(length)).max(f64::from(length.min(LEAST_HELD as u32))).ceil() as u32
}

/// Bytes that stretches (first, length), in order, cover together.
pub(super) fn covered(stretches: impl Iterator<Item = (u32, u32)>) -> u32 {
    let (mut total, mut end) = (0, 0);
    for (first, len) in stretches {
        let to = first + len;
        total += to - first.max(end).min(to);
        end = end.max(to);
    }
    total
}

/// The place, at most `span` bytes long unless one stretch is longer, that holds most of what is in common.
fn densest(stretches: &[Stretch], span: u32) -> (u32, u32) {
    let mut places: Vec<(u32, u32)> = stretches.iter().map(|stretch| (stretch.at, stretch.len)).collect();
    places.sort_unstable();
    let (mut from, mut held, mut best) = (0, 0u64, (0, 0, 0));
    for to in 0..places.len() {
        held += u64::from(places[to].1);
        while from < to && places[to].0 + places[to].1 - places[from].0 > span {
            held -= u64::from(places[from].1);
            from += 1;
        }
        if held > best.0 {
            best = (held, places[from].0, places[to].0 + places[to].1);
        }
    }
    (best.1, best.2)
}
