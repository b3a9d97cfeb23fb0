//! Worlds of words, small enough for brute force, and the way from their texts to families.
//!
//! Everything is drawn from seeds.

mod counts;
mod groups;
mod oracle;
mod runs;
mod scans;

use super::*;
use crate::store::prints::PrintRecord;
use crate::text::winnow::{GRAM, Printer};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::borrow::Cow;
use std::collections::BTreeSet;

fn printer() -> Printer {
    Printer::new(&[11; 32])
}

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// `n` words of three to nine letters, drawn anew each, so that no two texts share any by more than luck.
fn words(rng: &mut ChaCha8Rng, n: usize) -> String {
    let word = |rng: &mut ChaCha8Rng| -> String {
        (0..rng.random_range(3..=9)).map(|_| char::from(b'a' + rng.random_range(0..26u8))).collect()
    };
    (0..n).map(|_| word(rng)).collect::<Vec<_>>().join(" ")
}

/// Words of `low..=high` bytes together.
fn run_of(rng: &mut ChaCha8Rng, low: usize, high: usize) -> String {
    loop {
        let run = words(rng, high / 7);
        if (low..=high).contains(&run.len()) {
            return run;
        }
    }
}

/// Texts and the account that sent each.
struct World {
    texts: Vec<String>,
    accounts: Vec<u32>,
}

impl Texts for World {
    fn folded(&self, text: u32) -> Cow<'_, str> {
        Cow::Borrowed(self.texts.get(text as usize).map_or("", String::as_str))
    }
}

impl World {
    /// Each text of an account of its own.
    fn of(texts: impl IntoIterator<Item = String>) -> Self {
        let texts: Vec<String> = texts.into_iter().collect();
        Self { accounts: (0..texts.len() as u32).collect(), texts }
    }

    fn accounts_of(&self) -> AccountsOf {
        let pairs: Vec<_> = (0u32..).zip(&self.accounts).map(|(text, &account)| (text, account)).collect();
        let most = self.accounts.iter().max().map_or(0, |&most| most as usize + 1);
        AccountsOf::new(|| pairs.iter().copied(), 0..self.texts.len() as u32, most)
    }

    /// Sorted fingerprints of the texts `range`.
    fn prints(&self, range: std::ops::Range<u32>) -> Vec<PrintRecord> {
        let (printer, mut made, mut out) = (printer(), Vec::new(), Vec::new());
        for text in range {
            printer.prints(&self.texts[text as usize], &mut made);
            out.extend(made.iter().map(|print| PrintRecord { hash: print.hash, text, at: print.at }));
        }
        out.sort_unstable();
        out
    }

    /// Seeds where the first `older` texts came on earlier nights.
    fn seeds(&self, older: u32, least_accounts: u32) -> Vec<Seed> {
        let (old, new) = (self.prints(0..older), self.prints(older..self.texts.len() as u32));
        count(
            Printed { tonight: &[&new], older: &[&old], first: 0, first_new: older },
            &self.accounts_of(),
            least_accounts,
            &|text| text,
            &|_| false,
        )
    }

    /// The runs that an audit would grow from these seeds.
    fn grow(&self, seeds: &[Seed]) -> Vec<String> {
        grow(KeptRuns::new(&printer(), Vec::new()), seeds, self).0
    }

    /// The texts that hold each run.
    fn members(&self, runs: &[String]) -> Vec<BTreeSet<u32>> {
        let scanner = Scanner::new(&printer(), runs.iter().map(String::as_str));
        let mut out = vec![BTreeSet::new(); runs.len()];
        for (text, folded) in (0u32..).zip(&self.texts) {
            for found in scanner.scan(folded) {
                out[found.run as usize].insert(text);
            }
        }
        out
    }

    fn accounts(&self, texts: &BTreeSet<u32>) -> BTreeSet<u32> {
        texts.iter().map(|&text| self.accounts[text as usize]).collect()
    }

    /// Texts of each family.
    fn families(&self, least_accounts: u32) -> Vec<BTreeSet<u32>> {
        let runs = self.grow(&self.seeds(0, least_accounts));
        let mut held: Vec<(String, BTreeSet<u32>)> = runs.iter().cloned().zip(self.members(&runs)).collect();
        held.retain(|(_, texts)| self.accounts(texts).len() >= least_accounts as usize);
        held.sort_by_key(|(run, _)| (std::cmp::Reverse(run.len()), run.clone()));
        let holdings: Vec<Holding> = held
            .iter()
            .map(|(_, texts)| Holding {
                texts: texts.iter().copied().collect(),
                accounts: self.accounts(texts).into_iter().collect(),
                ..Holding::default()
            })
            .collect();
        let mut families: std::collections::BTreeMap<u32, BTreeSet<u32>> = std::collections::BTreeMap::new();
        for (head, (_, texts)) in gather(&holdings, 0, &groups::All(&holdings)).iter().zip(&held) {
            families.entry(*head).or_default().extend(texts);
        }
        families.into_values().collect()
    }
}
