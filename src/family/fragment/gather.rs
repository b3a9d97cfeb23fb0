//! Runs → families: what the same accounts put into the same texts is one family with several parts.
//!
//! A new run becomes a part of an earlier head when four fifths of their accounts are common to both and half of the texts of the
//! smaller one hold both. It is held against heads only, so that no chain of runs drifts away: against those that stand in the 32 of its
//! texts with the smallest hashes, of which it reads no more accounts than it could have in common with them. So a night pays for its own
//! runs, however many are known and whoever sends them. A run whose text holds all of a more common run lies *within* that one.
//! Weakness: a fragment that few of a ring's accounts send stays apart, and so may one of which a head stands in a tenth of the texts.

use std::collections::{BTreeMap, HashMap};

/// Share of the accounts of both that are common to both.
const SAME_ACCOUNTS: f64 = 0.8;
/// Share of the smaller run's texts that hold both.
const SAME_TEXTS: f64 = 0.5;

/// Texts by which a run finds heads.
const SKETCH: usize = 32;

/// A new run with those who hold it, both lists sorted.
#[derive(Clone, Debug, Default)]
pub struct Holding {
    /// Its head, where that is decided already.
    pub head: Option<u32>,
    /// Texts.
    pub texts: Vec<u32>,
    /// Accounts.
    pub accounts: Vec<u32>,
}

/// Who holds which run, by number: heads of earlier nights, and all new runs.
pub trait Holders {
    /// Those that a text holds.
    fn of_text(&self, text: u32) -> Vec<u32>;

    /// How many texts hold this one.
    fn n_texts(&self, run: u32) -> usize;

    /// How many of these texts hold it.
    fn n_shared(&self, run: u32, texts: &[u32]) -> usize;

    /// Its accounts, sorted, where they are at most so many.
    fn accounts(&self, run: u32, most: usize) -> Option<Vec<u32>>;
}

/// The head of each new run, by number, its own where it is one; the new runs are numbered from `first` on. Earlier ones become heads
/// first, so the caller puts the longest in front.
#[must_use]
pub fn gather(new: &[Holding], first: u32, holders: &dyn Holders) -> Vec<u32> {
    let mut out: Vec<u32> = Vec::with_capacity(new.len());
    let mut asked: HashMap<u32, Asked> = HashMap::new();
    for (run, own) in new.iter().zip(first..) {
        let find = || {
            let sketch = sketch(&run.texts);
            let mut near: BTreeMap<u32, usize> = BTreeMap::new();
            for head in sketch.iter().flat_map(|&text| holders.of_text(text)) {
                let is_head = |i: u32| out.get(i as usize) == Some(&head);
                if head.checked_sub(first).is_none_or(is_head) {
                    *near.entry(head).or_default() += 1;
                }
            }
            let mut is_part = |&(head, in_sketch): &(u32, usize)| {
                let other =
                    asked.entry(head).or_insert_with(|| Asked { n_texts: holders.n_texts(head), accounts: Err(0) });
                let smaller = other.n_texts.min(run.texts.len()) as f64;
                // Half of what is expected in the sketch: what half of the texts hold has less in one of a thousand sketches.
                let may_be = (in_sketch * run.texts.len()) as f64 >= SAME_TEXTS / 2.0 * smaller * sketch.len() as f64;
                may_be
                    && other.has_accounts_of(run, head, holders)
                    && holders.n_shared(head, &run.texts) as f64 >= SAME_TEXTS * smaller
            };
            near.into_iter().find(|near| is_part(near)).map(|(head, _)| head)
        };
        // What was decided by less may lead to a run that turns out to be a part itself.
        let of = |head: u32| head.checked_sub(first).and_then(|i| out.get(i as usize)).copied().unwrap_or(head);
        let head = run.head.map(of).or_else(find).unwrap_or(own);
        out.push(head);
    }
    out
}

/// The head that a run of so many accounts lies within, of those that its text holds with their accounts: of several more common ones
/// that with the fewest, the nearest.
#[must_use]
pub fn nearest_wider(accounts: u64, held: impl Iterator<Item = (u32, u64)>) -> Option<u32> {
    held.filter(|(_, of_head)| *of_head > accounts).min_by_key(|&(head, of_head)| (of_head, head)).map(|(head, _)| head)
}

/// What has been asked of a head.
struct Asked {
    n_texts: usize,
    /// Its accounts, or that it has more than so many.
    accounts: Result<Vec<u32>, usize>,
}

impl Asked {
    /// Whether the accounts of this head and of a run are the same, by their share.
    fn has_accounts_of(&mut self, run: &Holding, head: u32, holders: &dyn Holders) -> bool {
        // With more, too few of them would be the run's.
        let most = (run.accounts.len() as f64 / SAME_ACCOUNTS) as usize;
        if matches!(self.accounts, Err(more_than) if more_than < most) {
            self.accounts = holders.accounts(head, most).ok_or(most);
        }
        self.accounts.as_ref().is_ok_and(|accounts| {
            let common = common(&run.accounts, accounts);
            common as f64 >= SAME_ACCOUNTS * (run.accounts.len() + accounts.len() - common) as f64
        })
    }
}

/// The texts with the smallest hashes.
fn sketch(texts: &[u32]) -> Vec<u32> {
    let mut hashed: Vec<(u64, u32)> = texts.iter().map(|&text| (hash(text), text)).collect();
    if hashed.len() > SKETCH {
        hashed.select_nth_unstable(SKETCH);
        hashed.truncate(SKETCH);
    }
    hashed.into_iter().map(|(_, text)| text).collect()
}

/// A hash of a number (the finaliser of SplitMix64, Steele, Lea and Flood 2014).
fn hash(text: u32) -> u64 {
    let mut z = u64::from(text).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// How many numbers two sorted lists have in common.
fn common(a: &[u32], b: &[u32]) -> usize {
    let (mut i, mut j, mut n) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, n) = (i + 1, j + 1, n + 1),
        }
    }
    n
}
