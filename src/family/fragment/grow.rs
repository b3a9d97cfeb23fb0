//! Seeds → runs: which of the runs that seeds grow to are kept?
//!
//! Seeds with most accounts come first, and a seed that lies inside a kept run is not grown. A seed that straddles the end of a
//! fragment and some popular text grows to a run of both; whoever holds it holds the fragment, so it tells nothing new. A run is
//! *explained* by the kept runs that its text holds, as a member would hold them, if fewer than [`LEAST_RUN`] of its bytes are left,
//! and by a kept run that is the same. What eight runs of earlier nights have in common is explained by them too: a gram stands for no
//! more runs when texts are searched, so another could not be told by it.
//! Weakness: of a phrase that eight longer known runs hold, who sends it alone is not told.

use super::LEAST_RUN;
use super::count::Seed;
use super::run::{Texts, extract, pieces};
use super::scan::enough;
use crate::store::sorted::from_hash;
use crate::text::winnow::{GRAM, Printer};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Bytes of a gram by which runs are compared: those of the shortest stretch that a member is measured by.
const STRETCH: usize = super::scan::STRETCH;

/// Seeds that are grown together.
const TOGETHER: usize = 512;
/// Runs that one call may add.
const MOST_RUNS: usize = 100_000;
/// Runs that one gram remembers: as many as it finds in a text.
const MOST_OWNERS: usize = super::scan::MOST_RUNS;

/// Grows `seeds`, which come most accounts first, to runs that the `kept` ones do not explain. Returns them, longest first, and
/// how many more were found and not kept.
#[must_use]
pub fn grow(mut kept: KeptRuns<'_>, seeds: &[Seed], texts: &dyn Texts) -> (Vec<String>, u64) {
    // Fingerprints that need not be grown again: of seeds, and of runs that are explained by others.
    let mut done: HashSet<u64> = HashSet::new();
    let (mut runs, mut cut): (Vec<String>, u64) = (Vec::new(), 0);
    for part in seeds.chunks(TOGETHER) {
        let open: Vec<&Seed> = part.iter().filter(|seed| !kept.has(seed.hash) && !done.contains(&seed.hash)).collect();
        let grown: Vec<Option<String>> = open.par_iter().map(|seed| extract(seed, texts)).collect();
        for (seed, text) in open.iter().zip(grown) {
            let Some(text) = text.filter(|_| !kept.has(seed.hash) && !done.contains(&seed.hash)) else { continue };
            done.insert(seed.hash);
            if kept.left(&text) < LEAST_RUN {
                done.extend(grams::<GRAM>(kept.printer, &text).iter().map(|gram| gram.0));
            } else if runs.len() >= MOST_RUNS {
                cut += 1;
            } else {
                kept.keep(&text);
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
pub struct KeptRuns<'a> {
    printer: &'a Printer,
    /// Those that were known, in order of hash, and how many.
    known: Grams<'a>,
    n_known: u32,
    /// Fingerprints of the runs that were added.
    prints: HashSet<u64>,
    /// (run, place in its fixed bytes) of each gram of those.
    owners: HashMap<u64, Vec<(u32, u32)>>,
    /// Bytes of each run that members are measured by.
    lengths: Vec<u32>,
    /// The added runs, for what no gram tells: others may own all of a run's.
    texts: HashSet<String>,
}

/// What is known of many runs at once; sorted, which costs a fraction of a map.
struct Grams<'a> {
    prints: Vec<u64>,
    /// (gram, run, place in its fixed bytes).
    owners: Vec<(u64, u32, u32)>,
    texts: HashSet<&'a str>,
}

impl<'a> KeptRuns<'a> {
    /// Those that are known already.
    #[must_use]
    pub fn new(printer: &'a Printer, known: Vec<&'a str>) -> Self {
        let numbered = || (0u32..known.len() as u32).into_par_iter().zip(&known);
        let mut prints: Vec<u64> =
            numbered().flat_map_iter(|(_, run)| grams::<GRAM>(printer, run)).map(|g| g.0).collect();
        prints.par_sort_unstable();
        prints.dedup();
        let of_run = |(number, run): (u32, &&str)| {
            grams::<STRETCH>(printer, run).into_iter().map(move |(hash, at)| (hash, number, at))
        };
        let mut owners: Vec<(u64, u32, u32)> = numbered().flat_map_iter(of_run).collect();
        owners.par_sort_unstable();
        let lengths = known.iter().map(|run| measured(run)).collect();
        let n_known = known.len() as u32;
        let known = Grams { prints, owners, texts: known.into_iter().collect() };
        Self { printer, known, n_known, prints: HashSet::new(), owners: HashMap::new(), lengths, texts: HashSet::new() }
    }

    /// Whether a kept run has this fingerprint.
    #[must_use]
    pub fn has(&self, hash: u64) -> bool {
        self.prints.contains(&hash)
            || self.known.prints.get(from_hash(&self.known.prints, hash, |&print| print)) == Some(&hash)
    }

    /// The first runs that have this gram, and where.
    fn owners(&self, hash: u64) -> impl Iterator<Item = (u32, u32)> {
        let known = &self.known.owners[from_hash(&self.known.owners, hash, |owner| owner.0)..];
        let known = known.iter().take_while(move |owner| owner.0 == hash).map(|&(_, run, at)| (run, at));
        known.chain(self.owners.get(&hash).into_iter().flatten().copied()).take(MOST_OWNERS)
    }

    /// Adds a run.
    fn keep(&mut self, run: &str) {
        let number = self.lengths.len() as u32;
        self.prints.extend(grams::<GRAM>(self.printer, run).iter().map(|gram| gram.0));
        for (hash, at) in grams::<STRETCH>(self.printer, run) {
            let owners = self.owners.entry(hash).or_default();
            if owners.len() < MOST_OWNERS {
                owners.push((number, at));
            }
        }
        self.lengths.push(measured(run));
        self.texts.insert(run.to_owned());
    }

    /// Bytes of a run that are left when the kept runs that it holds are taken away.
    fn left(&self, run: &str) -> usize {
        if self.texts.contains(run) || self.known.texts.contains(run) {
            return 0;
        }
        // Of each kept run: (place in it, place here) of the grams in common.
        let mut common: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
        let mut taken: Vec<u32> = Vec::new();
        for (hash, at) in grams::<STRETCH>(self.printer, run) {
            let mut n_known = 0;
            for (owner, offset) in self.owners(hash) {
                common.entry(owner).or_default().push((offset, at));
                n_known += usize::from(owner < self.n_known);
            }
            if n_known == MOST_OWNERS {
                taken.push(at);
            }
        }
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

/// The grams of a run's fixed bytes, and where they begin.
fn grams<const K: usize>(printer: &Printer, run: &str) -> Vec<(u64, u32)> {
    let (mut out, mut before) = (Vec::with_capacity(run.len()), 0);
    for piece in pieces(run) {
        printer.each_gram::<K>(piece.as_bytes(), |hash, at| out.push((hash, (before + at) as u32)));
        before += piece.len();
    }
    out
}

/// Bytes of a run that members are measured by.
fn measured(run: &str) -> u32 {
    pieces(run).map(str::len).filter(|&len| len >= STRETCH).sum::<usize>() as u32
}

/// Bytes that grams at these places, in order, cover together.
fn covered(places: impl Iterator<Item = u32>) -> u32 {
    super::scan::covered(places.map(|place| (place, STRETCH as u32)))
}
