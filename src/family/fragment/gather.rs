//! Runs → families: what the same accounts put into the same texts is one family with several parts.
//!
//! A run becomes a part of an earlier head when four fifths of their accounts are common to both and half of the texts of the
//! smaller one hold both. It is held against heads only, so that no chain of runs drifts away. A run that is not a part, but
//! whose text holds all of a more common run, lies *within* that one. Which runs are compared is decided by the eight accounts
//! of each with the smallest hashes: two runs that share four fifths of their accounts share one of those with a
//! probability above 0.999. Weakness: a fragment that few of a ring's accounts send stays apart.

use crate::ids::Digest;
use std::collections::HashMap;

/// Accounts by which runs find each other.
const SKETCH: usize = 8;
/// Heads that one account may lead to.
const MOST_HEADS: usize = 64;
/// Share of the accounts of both that are common to both.
const SAME_ACCOUNTS: f64 = 0.8;
/// Share of the smaller run's texts that hold both.
const SAME_TEXTS: f64 = 0.5;

/// A run with those who hold it, both lists sorted.
#[derive(Clone, Debug, Default)]
pub struct Holding {
    /// Texts.
    pub texts: Vec<u32>,
    /// Accounts.
    pub accounts: Vec<u32>,
    /// The head that it is already known to be part of, by position: its own for a head.
    pub head: Option<u32>,
    /// Runs whose whole text its own text holds, by position.
    pub holds: Vec<u32>,
}

/// What a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    /// The head that it is part of, by position; its own for a head.
    pub head: u32,
    /// The more common head that its text lies within.
    pub within: Option<u32>,
}

/// Says of each run which family it is part of. Earlier runs become heads first, so the caller puts what has a name already,
/// and then what is longest, in front.
#[must_use]
pub fn gather(runs: &[Holding]) -> Vec<Gathered> {
    let mut heads_of: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut out = vec![Gathered::default(); runs.len()];
    for (i, run) in (0u32..).zip(runs) {
        let sketch = sketch(&run.accounts);
        let head = run.head.unwrap_or_else(|| {
            let mut near: Vec<u32> =
                sketch.iter().filter_map(|account| heads_of.get(account)).flatten().copied().collect();
            near.sort_unstable();
            near.dedup();
            near.into_iter().find(|&head| is_part(run, &runs[head as usize])).unwrap_or(i)
        });
        out[i as usize].head = head;
        if head == i {
            for account in sketch {
                let heads = heads_of.entry(account).or_default();
                if heads.len() < MOST_HEADS {
                    heads.push(i);
                }
            }
        }
    }
    for i in 0..runs.len() {
        let own = out[i].head;
        let common = runs[i].holds.iter().map(|&inner| out[inner as usize].head).filter(|&head| head != own);
        // Of several the one with the fewest accounts above its own: the nearest.
        let wider = common.filter(|&head| runs[head as usize].accounts.len() > runs[i].accounts.len());
        out[i].within = wider.min_by_key(|&head| (runs[head as usize].accounts.len(), head));
    }
    out
}

fn is_part(run: &Holding, head: &Holding) -> bool {
    let accounts = common(&run.accounts, &head.accounts);
    let all = run.accounts.len() + head.accounts.len() - accounts;
    if (accounts as f64) < SAME_ACCOUNTS * all as f64 {
        return false;
    }
    let texts = common(&run.texts, &head.texts);
    texts as f64 >= SAME_TEXTS * run.texts.len().min(head.texts.len()) as f64
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

/// The accounts with the smallest hashes.
fn sketch(accounts: &[u32]) -> Vec<u32> {
    let hash = |account: u32| Digest::of(&account.to_le_bytes()).short();
    let mut hashed: Vec<(u128, u32)> = accounts.iter().map(|&account| (hash(account), account)).collect();
    if hashed.len() > SKETCH {
        hashed.select_nth_unstable(SKETCH);
        hashed.truncate(SKETCH);
    }
    hashed.sort_unstable();
    hashed.into_iter().map(|(_, account)| account).collect()
}
