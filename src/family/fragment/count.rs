//! Fingerprints → seeds: which of them did enough accounts send, in texts that differ?
//!
//! Sorted runs of fingerprints are merged one part of the range of hashes at a time, so that memory does not grow with the
//! nights. Accounts are counted exactly, however many there are; of the texts that hold a fingerprint a sample is kept, spread
//! evenly over the accounts, so that one busy account is one voice. Weakness: only a fingerprint that a text of tonight has is
//! looked at.

use crate::store::prints::PrintRecord;
use rayon::prelude::*;

/// Parts of the range of hashes, and how many are worked on together.
const PARTS: u64 = 256;
const PARTS_TOGETHER: u64 = 16;
/// Texts of a seed's sample: the stated sample of very common fingerprints.
pub(super) const SAMPLE: usize = 48;
/// A fingerprint of more texts than this makes no candidates for the judge of near-duplicates.
const MOST_PAIRED: usize = 256;
/// Earlier holders of a fingerprint that a text is paired with.
const PAIRS_EACH: usize = 8;

/// The accounts that sent each text, distinct and sorted.
pub struct AccountsOf {
    starts: Vec<u32>,
    accounts: Vec<u32>,
    n_accounts: usize,
}

impl AccountsOf {
    /// From (text, account) pairs in any order; texts are below `n_texts`, accounts below `n_accounts`.
    #[must_use]
    pub fn new(mut pairs: Vec<(u32, u32)>, n_texts: usize, n_accounts: usize) -> Self {
        pairs.retain(|&(text, account)| (text as usize) < n_texts && (account as usize) < n_accounts);
        pairs.par_sort_unstable();
        pairs.dedup();
        let mut starts = vec![0u32; n_texts + 1];
        pairs.iter().for_each(|&(text, _)| starts[text as usize + 1] += 1);
        (0..n_texts).for_each(|text| starts[text + 1] += starts[text]);
        Self { starts, accounts: pairs.into_iter().map(|(_, account)| account).collect(), n_accounts }
    }

    /// Those of one text.
    #[must_use]
    pub fn of(&self, text: u32) -> &[u32] {
        let place = |i: usize| self.starts.get(i).map_or(self.accounts.len(), |&start| start as usize);
        &self.accounts[place(text as usize)..place(text as usize + 1)]
    }

    /// Distinct accounts of several texts, sorted.
    #[must_use]
    pub fn of_all(&self, texts: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut all: Vec<u32> = texts.flat_map(|text| self.of(text).iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// What is asked of a fingerprint.
#[derive(Clone, Copy, Debug)]
pub struct CountConfig {
    /// Distinct accounts that make a seed.
    pub least_accounts: u32,
    /// Texts from this number on are tonight's.
    pub first_new: u32,
    /// Whether texts that share fingerprints are to be paired.
    pub pairs: bool,
}

/// A fingerprint that enough accounts sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The fingerprint.
    pub hash: u64,
    /// Distinct accounts, exactly.
    pub accounts: u32,
    /// Texts that hold it, exactly.
    pub texts: u32,
    /// (text, first byte of the gram) of some of them, at most 48, each of accounts that the ones before it are not of.
    pub sample: Vec<(u32, u32)>,
}

/// Seeds among `tonight`'s fingerprints, most accounts first, ties by hash. `older` are runs of the trailing nights. Calls `pair` with
/// (new text, earlier text) pairs that share a fingerprint of at most 256 texts, each pair once or more.
pub fn count(
    tonight: &[&[PrintRecord]],
    older: &[&[PrintRecord]],
    accounts_of: &AccountsOf,
    config: &CountConfig,
    pair: &mut dyn FnMut(&[(u32, u32)]),
) -> Vec<Seed> {
    let mut seeds = Vec::new();
    for together in 0..PARTS / PARTS_TOGETHER {
        let parts: Vec<(Vec<Seed>, Vec<(u32, u32)>)> = (together * PARTS_TOGETHER..(together + 1) * PARTS_TOGETHER)
            .into_par_iter()
            .map_init(
                || Stamps { last: vec![0; accounts_of.n_accounts], now: 0 },
                |stamps, part| {
                    let range = |records: &&[PrintRecord]| -> Vec<PrintRecord> { part_of(records, part).to_vec() };
                    let mut new: Vec<PrintRecord> = tonight.iter().flat_map(range).collect();
                    new.sort_unstable();
                    let mut old: Vec<&[PrintRecord]> = older.iter().map(|records| part_of(records, part)).collect();
                    let (mut seeds, mut pairs) = (Vec::new(), Vec::new());
                    let mut holders: Vec<PrintRecord> = Vec::new();
                    for group in new.chunk_by(|a, b| a.hash == b.hash) {
                        holders.clear();
                        for records in &mut old {
                            advance(records, group[0].hash);
                            holders.extend(records.iter().take_while(|record| record.hash == group[0].hash));
                        }
                        holders.extend_from_slice(group);
                        if holders.len() < 2 {
                            continue;
                        }
                        if config.pairs {
                            pair_up(&mut holders, config.first_new, &mut pairs);
                        }
                        seeds.extend(stamps.seed(&holders, accounts_of, config.least_accounts));
                    }
                    pairs.sort_unstable();
                    pairs.dedup();
                    (seeds, pairs)
                },
            )
            .collect();
        for (more, pairs) in parts {
            seeds.extend(more);
            pair(&pairs);
        }
    }
    seeds.par_sort_unstable_by(|a, b| b.accounts.cmp(&a.accounts).then(a.hash.cmp(&b.hash)));
    seeds
}

/// Records whose hash lies in one part of the range.
fn part_of(records: &[PrintRecord], part: u64) -> &[PrintRecord] {
    let width = u64::MAX / PARTS + 1;
    let from = records.partition_point(|record| record.hash < part * width);
    let to = records[from..].partition_point(|record| record.hash / width == part);
    &records[from..from + to]
}

/// Drops records before `hash`: doubling steps, since most of a large run is skipped.
fn advance(records: &mut &[PrintRecord], hash: u64) {
    let mut step = 1;
    while step < records.len() && records[step].hash < hash {
        step *= 2;
    }
    let within = records[..(step + 1).min(records.len())].partition_point(|record| record.hash < hash);
    *records = &records[within..];
}

/// Pairs each new holder with the holders next before it.
fn pair_up(holders: &mut [PrintRecord], first_new: u32, pairs: &mut Vec<(u32, u32)>) {
    if holders.len() > MOST_PAIRED {
        return;
    }
    holders.sort_unstable_by_key(|record| record.text);
    for (i, holder) in holders.iter().enumerate().filter(|(_, holder)| holder.text >= first_new) {
        pairs.extend(holders[i.saturating_sub(PAIRS_EACH)..i].iter().map(|other| (holder.text, other.text)));
    }
}

/// When each account was last counted.
struct Stamps {
    last: Vec<u32>,
    now: u32,
}

impl Stamps {
    fn seed(&mut self, holders: &[PrintRecord], accounts_of: &AccountsOf, least: u32) -> Option<Seed> {
        if holders.iter().map(|holder| accounts_of.of(holder.text).len()).sum::<usize>() < least as usize {
            return None;
        }
        if self.now == u32::MAX {
            self.last.fill(0);
            self.now = 0;
        }
        self.now += 1;
        let (mut accounts, mut firsts) = (0, Vec::new());
        for holder in holders {
            let before = accounts;
            for &account in accounts_of.of(holder.text) {
                let last = &mut self.last[account as usize];
                accounts += u32::from(*last != self.now);
                *last = self.now;
            }
            if accounts > before {
                firsts.push((holder.text, holder.at));
            }
        }
        if accounts < least || firsts.len() < 2 {
            return None;
        }
        let n = firsts.len().min(SAMPLE);
        let sample = (0..n).map(|i| firsts[i * firsts.len() / n]).collect();
        Some(Seed { hash: holders[0].hash, accounts, texts: holders.len() as u32, sample })
    }
}
