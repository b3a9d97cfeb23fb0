//! Fingerprints → seeds: which of them did enough accounts send, in texts that differ?
//!
//! Sorted runs of fingerprints are merged one part of the range of hashes at a time, so that memory does not grow with the
//! nights. Accounts are counted exactly, however many there are; of the texts that hold a fingerprint a sample is kept, spread
//! evenly over the accounts, so that one busy account is one voice. What earlier nights could have grown and did not is tried again when
//! a quarter more accounts have it: most of it is idiom, and the same every night. Weakness: only a fingerprint that a text of tonight has
//! is looked at.

use super::MOST_IN_ONE_FAMILY;
use crate::store::prints::PrintRecord;
use rayon::prelude::*;
use std::ops::Range;

/// Parts of the range of hashes, and how many are worked on together.
const PARTS: u64 = 256;
const PARTS_TOGETHER: u64 = 16;
/// Texts of a seed's sample: the stated sample of very common fingerprints.
pub(super) const SAMPLE: usize = 48;
/// A fingerprint of more texts than this makes no candidates for the judge of near-duplicates.
const MOST_PAIRED: usize = 256;
/// Earlier holders of a fingerprint that a text is paired with.
const PAIRS_EACH: usize = 8;

/// A text of tonight, an earlier one, and how many fingerprints they share.
pub type TextPair = (u32, u32, u32);

/// The accounts that sent each text, distinct and sorted.
pub struct AccountsOf {
    /// The first text that is looked at.
    first: u32,
    starts: Vec<u32>,
    accounts: Vec<u32>,
    n_accounts: usize,
}

impl AccountsOf {
    /// From (text, account) pairs in any order, told twice; those of other `texts`, and of accounts from `n_accounts` on, are left out.
    #[must_use]
    pub fn new<P: Iterator<Item = (u32, u32)>>(pairs: impl Fn() -> P, texts: Range<u32>, n_accounts: usize) -> Self {
        let Range { start: first, .. } = texts;
        let n_texts = texts.len();
        let known = |(text, account): (u32, u32)| {
            let is_known = texts.contains(&text) && (account as usize) < n_accounts;
            is_known.then(|| (text - first, account))
        };
        let mut starts = vec![0u32; n_texts + 1];
        pairs().filter_map(known).for_each(|(text, _)| starts[text as usize] += 1);
        let mut end = 0;
        for start in &mut starts {
            end += *start;
            *start = end;
        }
        let mut accounts = vec![0u32; end as usize];
        for (text, account) in pairs().filter_map(known) {
            let place = &mut starts[text as usize];
            *place -= 1;
            accounts[*place as usize] = account;
        }
        // Each text's accounts once, in order, moved to the front.
        let mut kept = 0;
        for text in 0..n_texts {
            let (from, to) = (starts[text] as usize, starts[text + 1] as usize);
            accounts[from..to].sort_unstable();
            starts[text] = kept as u32;
            for i in from..to {
                if i == from || accounts[i] != accounts[i - 1] {
                    accounts[kept] = accounts[i];
                    kept += 1;
                }
            }
        }
        starts[n_texts] = kept as u32;
        accounts.truncate(kept);
        accounts.shrink_to_fit();
        Self { first, starts, accounts, n_accounts }
    }

    /// Those of one text.
    #[must_use]
    pub fn of(&self, text: u32) -> &[u32] {
        let Some(text) = text.checked_sub(self.first) else { return &[] };
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

/// Fingerprints of tonight and of the trailing nights, sorted runs of each.
#[derive(Clone, Copy)]
pub struct Printed<'a> {
    /// Tonight's.
    pub tonight: &'a [&'a [PrintRecord]],
    /// Of the nights before.
    pub older: &'a [&'a [PrintRecord]],
    /// The first text of those that is looked at.
    pub first: u32,
    /// The first text of tonight.
    pub first_new: u32,
}

/// How many times the accounts that had it before must have a fingerprint for it to be tried again.
const GROWN: f64 = 1.25;

/// Seeds among tonight's fingerprints, most accounts first, ties by hash. `group` names the family that a text is in already: a
/// fingerprint of which one family has more than [`MOST_IN_ONE_FAMILY`] of the accounts is part of that family only. Those that are
/// `known` are none: they would be counted in every text that has them, every night, and not be grown.
#[must_use]
pub fn count(
    printed: Printed<'_>,
    accounts_of: &AccountsOf,
    least_accounts: u32,
    group: &(dyn Fn(u32) -> u32 + Sync),
    known: &(dyn Fn(u64) -> bool + Sync),
) -> Vec<Seed> {
    let mut seeds = Vec::new();
    let new = || Stamps { last: vec![0; accounts_of.n_accounts], now: 0, grouped: Vec::new() };
    each_part(
        printed,
        &new,
        &|hash, _| !known(hash),
        &|stamps, holders| stamps.seed(holders, accounts_of, (least_accounts, printed.first_new), group),
        &mut |part| {
            seeds.extend(part.into_iter().flatten());
        },
    );
    seeds.par_sort_unstable_by(|a, b| b.accounts.cmp(&a.accounts).then(a.hash.cmp(&b.hash)));
    seeds
}

/// Calls `take` with pairs that share a fingerprint of at most 256 texts, each once for every part of the range of hashes in which
/// they do.
pub fn pairs(printed: Printed<'_>, take: &mut dyn FnMut(&[TextPair])) {
    let few = |_, n| n <= MOST_PAIRED;
    each_part(printed, &|| (), &few, &|(), holders| pair_up(holders, printed.first_new), &mut |part: Vec<
        Vec<(u32, u32)>,
    >| {
        let mut pairs: Vec<(u32, u32)> = part.into_iter().flatten().collect();
        pairs.par_sort_unstable();
        let counted = pairs.chunk_by(|a, b| a == b).map(|same| (same[0].0, same[0].1, same.len() as u32));
        take(&counted.collect::<Vec<TextPair>>());
    });
}

/// Calls `work` with the holders of each fingerprint of tonight that two texts have and that is `wanted`, by its hash and the number of
/// holders, and `take` with what it gave, some parts of the range of hashes at a time.
fn each_part<'a, S, T: Send>(
    printed: Printed<'a>,
    new: &(dyn Fn() -> S + Sync),
    wanted: &(dyn Fn(u64, usize) -> bool + Sync),
    work: &(dyn Fn(&mut S, &mut [PrintRecord]) -> T + Sync),
    take: &mut dyn FnMut(Vec<T>),
) {
    for together in 0..PARTS / PARTS_TOGETHER {
        let parts: Vec<Vec<T>> = (together * PARTS_TOGETHER..(together + 1) * PARTS_TOGETHER)
            .into_par_iter()
            .map_init(new, |state, part| {
                let range = |records: &&[PrintRecord]| -> Vec<PrintRecord> { part_of(records, part).to_vec() };
                let mut new: Vec<PrintRecord> = printed.tonight.iter().flat_map(range).collect();
                new.sort_unstable();
                let mut old: Vec<&[PrintRecord]> = printed.older.iter().map(|records| part_of(records, part)).collect();
                let same = |records: &&'a [PrintRecord], hash| {
                    let same = records.iter().take_while(move |record| record.hash == hash);
                    same.filter(move |record| record.text >= printed.first)
                };
                let mut holders: Vec<PrintRecord> = Vec::new();
                let mut out = Vec::new();
                for group in new.chunk_by(|a, b| a.hash == b.hash) {
                    let hash = group[0].hash;
                    let mut n = group.len();
                    for records in &mut old {
                        advance(records, hash);
                        n += same(records, hash).count();
                    }
                    if n < 2 || !wanted(hash, n) {
                        continue;
                    }
                    holders.clear();
                    old.iter().for_each(|records| holders.extend(same(records, hash)));
                    holders.extend_from_slice(group);
                    if holders.len() > 1 {
                        out.push(work(state, &mut holders));
                    }
                }
                out
            })
            .collect();
        take(parts.into_iter().flatten().collect());
    }
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
fn pair_up(holders: &mut [PrintRecord], first_new: u32) -> Vec<(u32, u32)> {
    holders.sort_unstable_by_key(|record| record.text);
    let new = holders.iter().enumerate().filter(|(_, holder)| holder.text >= first_new);
    let before = |(i, holder): (usize, &PrintRecord)| {
        let text = holder.text;
        holders[i.saturating_sub(PAIRS_EACH)..i].iter().map(move |other| (text, other.text))
    };
    new.flat_map(before).collect()
}

/// When each account was last counted.
struct Stamps {
    last: Vec<u32>,
    now: u32,
    /// (group, account) of the holders, used again.
    grouped: Vec<(u32, u32)>,
}

impl Stamps {
    fn seed(
        &mut self,
        holders: &[PrintRecord],
        accounts_of: &AccountsOf,
        (least, first_new): (u32, u32),
        group: &dyn Fn(u32) -> u32,
    ) -> Option<Seed> {
        if holders.iter().map(|holder| accounts_of.of(holder.text).len()).sum::<usize>() < least as usize {
            return None;
        }
        if self.now == u32::MAX {
            self.last.fill(0);
            self.now = 0;
        }
        self.now += 1;
        // Those of earlier nights come first.
        let n_old = holders.iter().take_while(|holder| holder.text < first_new).count();
        let (mut accounts, mut old_accounts, mut firsts) = (0, 0, Vec::new());
        for (i, holder) in holders.iter().enumerate() {
            let before = accounts;
            if i == n_old {
                old_accounts = accounts;
            }
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
        let mut is_spread_over = |holders: &[PrintRecord], accounts: u32| {
            self.grouped.clear();
            for holder in holders {
                let group = group(holder.text);
                self.grouped.extend(accounts_of.of(holder.text).iter().map(|&account| (group, account)));
            }
            is_spread(&mut self.grouped, accounts as usize)
        };
        let tried_before = old_accounts >= least
            && f64::from(accounts) < GROWN * f64::from(old_accounts)
            && is_spread_over(&holders[..n_old], old_accounts);
        if tried_before || !is_spread_over(holders, accounts) {
            return None;
        }
        let n = firsts.len().min(SAMPLE);
        let sample = (0..n).map(|i| firsts[i * firsts.len() / n]).collect();
        Some(Seed { hash: holders[0].hash, accounts, texts: holders.len() as u32, sample })
    }
}

/// Whether no group has more than its share of the accounts; `grouped` are (group, account) pairs.
#[must_use]
pub fn is_spread(grouped: &mut Vec<(u32, u32)>, accounts: usize) -> bool {
    grouped.sort_unstable();
    grouped.dedup();
    let largest = grouped.chunk_by(|a, b| a.0 == b.0).map(<[_]>::len).max().unwrap_or(0);
    largest as f64 <= MOST_IN_ONE_FAMILY * accounts as f64
}
