//! Seeds → runs: which of the runs that seeds grow to are kept?
//!
//! Seeds with most accounts come first, and a seed that lies inside a kept run is not grown. A seed that straddles the end of a
//! fragment and some popular text grows to a run of both; whoever holds it holds the fragment, so it tells nothing new. A run is
//! *explained* by the kept runs that its text holds, as a member would hold them, if fewer than [`LEAST_RUN`] of its bytes are left,
//! and by a kept run that is the same.
//! Weakness: a gram remembers the first four runs that have it.

use super::LEAST_RUN;
use super::count::Seed;
use super::run::{Texts, extract, pieces};
use super::scan::enough;
use crate::text::winnow::{GRAM, Printer};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Bytes of a gram by which runs are compared: those of the shortest stretch that a member is measured by.
const STRETCH: usize = super::scan::STRETCH;

/// Seeds that are grown together.
const TOGETHER: usize = 512;
/// Runs that one call may add.
const MOST_RUNS: usize = 100_000;
/// Runs that one gram remembers.
const MOST_OWNERS: usize = 4;

/// Grows `seeds`, which come most accounts first, to runs that the `known` ones do not explain. Returns them, longest first, and
/// how many more were found and not kept.
pub fn grow<'a>(
    known: impl Iterator<Item = &'a str>,
    seeds: &[Seed],
    printer: &Printer,
    texts: &dyn Texts,
) -> (Vec<String>, u64) {
    let mut explained = Explained::new(printer);
    known.for_each(|run| explained.keep(run));
    // Fingerprints that need not be grown again: of seeds, and of runs that are explained by others.
    let mut done: HashSet<u64> = HashSet::new();
    let (mut runs, mut cut): (Vec<String>, u64) = (Vec::new(), 0);
    for part in seeds.chunks(TOGETHER) {
        let open: Vec<&Seed> =
            part.iter().filter(|seed| !explained.has(seed.hash) && !done.contains(&seed.hash)).collect();
        let grown: Vec<Option<String>> = open.par_iter().map(|seed| extract(seed, texts)).collect();
        for (seed, text) in open.iter().zip(grown) {
            let Some(text) = text.filter(|_| !explained.has(seed.hash) && !done.contains(&seed.hash)) else { continue };
            done.insert(seed.hash);
            if explained.left(&text) < LEAST_RUN {
                explained.each_print(&text, |hash| {
                    done.insert(hash);
                });
            } else if runs.len() >= MOST_RUNS {
                cut += 1;
            } else {
                explained.keep(&text);
                runs.push(text);
            }
        }
    }
    // The longest first: it leads what its accounts send beside it.
    runs.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    runs.dedup();
    (runs, cut)
}

/// The runs that are kept, by their grams.
struct Explained<'a> {
    printer: &'a Printer,
    /// Fingerprints of the kept runs.
    prints: HashSet<u64>,
    /// (run, place in its fixed bytes) of each gram.
    owners: HashMap<u64, Vec<(u32, u32)>>,
    /// Bytes of each run that members are measured by.
    lengths: Vec<u32>,
    /// The runs, for what no gram tells: four others may own all of a run's.
    texts: HashSet<String>,
}

impl<'a> Explained<'a> {
    /// Without any run yet.
    fn new(printer: &'a Printer) -> Self {
        Self { printer, prints: HashSet::new(), owners: HashMap::new(), lengths: Vec::new(), texts: HashSet::new() }
    }

    /// Whether a kept run has this fingerprint.
    fn has(&self, hash: u64) -> bool {
        self.prints.contains(&hash)
    }

    /// Calls `visit(fingerprint)` for every gram of a run.
    fn each_print(&self, run: &str, mut visit: impl FnMut(u64)) {
        self.each_gram::<GRAM>(run, |hash, _| visit(hash));
    }

    fn each_gram<const K: usize>(&self, run: &str, mut visit: impl FnMut(u64, usize)) {
        let mut before = 0;
        for piece in pieces(run) {
            self.printer.each_gram::<K>(piece.as_bytes(), |hash, at| visit(hash, before + at));
            before += piece.len();
        }
    }

    /// Adds a run.
    fn keep(&mut self, run: &str) {
        let number = self.lengths.len() as u32;
        let mut grams: Vec<(u64, u32)> = Vec::with_capacity(run.len());
        self.each_gram::<STRETCH>(run, |hash, at| grams.push((hash, at as u32)));
        let mut prints = std::mem::take(&mut self.prints);
        self.each_print(run, |hash| {
            prints.insert(hash);
        });
        self.prints = prints;
        for (hash, at) in grams {
            let owners = self.owners.entry(hash).or_default();
            if owners.len() < MOST_OWNERS {
                owners.push((number, at));
            }
        }
        let measured = pieces(run).map(str::len).filter(|&len| len >= STRETCH);
        self.lengths.push(measured.sum::<usize>() as u32);
        self.texts.insert(run.to_owned());
    }

    /// Bytes of a run that are left when the kept runs that it holds are taken away.
    fn left(&self, run: &str) -> usize {
        if self.texts.contains(run) {
            return 0;
        }
        // Of each kept run: (place in it, place here) of the grams in common.
        let mut common: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
        self.each_gram::<STRETCH>(run, |hash, at| {
            for &(owner, offset) in self.owners.get(&hash).into_iter().flatten() {
                common.entry(owner).or_default().push((offset, at as u32));
            }
        });
        let mut taken: Vec<u32> = Vec::new();
        for (owner, mut places) in common {
            places.sort_unstable();
            let held = covered(places.iter().map(|place| place.0));
            if enough(held, self.lengths[owner as usize]) {
                taken.extend(places.iter().map(|place| place.1));
            }
        }
        taken.sort_unstable();
        let all: usize = pieces(run).map(str::len).sum();
        all - (covered(taken.into_iter()) as usize).min(all)
    }
}

/// Bytes that grams at these places, in order, cover together.
fn covered(places: impl Iterator<Item = u32>) -> u32 {
    super::scan::covered(places.map(|place| (place, STRETCH as u32)))
}
