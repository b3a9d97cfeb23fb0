//! Fingerprints of a night beside those of the trailing nights: which texts share one, and who sent them.

use crate::error::Result;
use crate::family::fragment::{self, AccountsOf, KeptRuns, Seed, TextPair, pieces};
use crate::ids::Field;
use crate::store::postings::Postings;
use crate::store::prints::{PrintRecord, Prints, of_hash};
use crate::store::{Mapped, NewNight, Night, Store};
use crate::stored::FragmentConfig;
use crate::stored::fields::prints_kind;
use crate::stored::view::View;
use crate::text::winnow::{GRAM, Printer};
use rayon::prelude::*;

/// Fingerprints of a field over the trailing nights, with tonight's.
pub(crate) struct Printed {
    pub(crate) field: Field,
    pub(crate) tonight: Vec<Prints<Mapped>>,
    pub(crate) older: Vec<Prints<Mapped>>,
    /// The first text of the trailing nights.
    pub(crate) first_older: u32,
    pub(crate) accounts: AccountsOf,
    pub(crate) first_new: u32,
    pub(crate) least_accounts: u32,
    second_finder: bool,
}

impl Printed {
    /// Opens what the finished night wrote beside what the store has.
    pub(crate) fn open(
        field: Field,
        (store, view): (&Store, &View),
        night: &NewNight,
        numbers: (u32, u32),
        n_accounts: u32,
        config: &FragmentConfig,
    ) -> Result<Self> {
        let oldest = oldest_night(night.night, config);
        let kind = prints_kind(field);
        let open = |path: &std::path::Path| Prints::open(Mapped::open(path)?);
        let tonight = night.of_kind(kind).iter().map(|path| open(path)).collect::<Result<_>>()?;
        let trailing = store.of_kind(kind).filter(|file| file.night >= oldest);
        let older: Vec<Prints<Mapped>> = trailing.map(|file| store.read(file, Prints::open)).collect::<Result<_>>()?;
        // A merged file may reach back further.
        let first = |of: &Night| [of.first_prompt, of.first_system, of.first_turn][field as usize];
        let first_older = store.nights().iter().find(|of| of.night >= oldest).map_or(numbers.0, first);
        let n_texts = numbers.0 + numbers.1;
        let kind = if field == Field::Turn { "turn-postings" } else { "postings" };
        let own = night.of_kind(kind);
        let own: Vec<_> = own.iter().map(|path| Postings::open(Mapped::open(path)?)).collect::<Result<_>>()?;
        let trailing = store.nights().iter().zip(view.postings(field)).filter(|(known, _)| known.night >= oldest);
        let postings: Vec<&Postings<Mapped>> = trailing.map(|(_, postings)| postings).chain(&own).collect();
        let pairs = || {
            let all = postings.iter().flat_map(|postings| postings.all());
            // Who sent no system prompt has no number of one, which is none of the texts.
            all.map(|posting| (if field == Field::System { posting.system } else { posting.prompt }, posting.account))
        };
        let accounts = AccountsOf::new(pairs, first_older..n_texts, n_accounts as usize);
        Ok(Self {
            field,
            tonight,
            older,
            first_older,
            accounts,
            first_new: numbers.0,
            least_accounts: config.least_accounts,
            second_finder: config.second_finder,
        })
    }

    /// Calls `take` with (new text, earlier text) pairs that share a fingerprint.
    pub(crate) fn pairs(&self, take: &mut dyn FnMut(&[TextPair])) {
        if !self.second_finder {
            return;
        }
        let (tonight, older) = (all(&self.tonight), all(&self.older));
        fragment::pairs(self.printed(&tonight, &older), take);
    }

    fn printed<'a>(&self, tonight: &'a [&'a [PrintRecord]], older: &'a [&'a [PrintRecord]]) -> fragment::Printed<'a> {
        fragment::Printed { tonight, older, first: self.first_older, first_new: self.first_new }
    }

    /// Fingerprints that enough accounts sent, in texts of several groups.
    pub(crate) fn seeds(&self, group: &(dyn Fn(u32) -> u32 + Sync), kept: &KeptRuns<'_>) -> Vec<Seed> {
        let (tonight, older) = (all(&self.tonight), all(&self.older));
        fragment::count(self.printed(&tonight, &older), &self.accounts, self.least_accounts, group, &|hash| {
            kept.has(hash)
        })
    }

    /// Older texts, of the trailing nights, that have a fingerprint of one of these runs.
    pub(crate) fn older_holders<'a>(&self, printer: &Printer, runs: impl Iterator<Item = &'a str>) -> Vec<u32> {
        let mut hashes: Vec<u64> = Vec::new();
        for piece in runs.flat_map(pieces) {
            printer.each_gram::<GRAM>(piece.as_bytes(), |hash, _| hashes.push(hash));
        }
        hashes.par_sort_unstable();
        hashes.dedup();
        let of = |&hash: &u64| self.older.iter().flat_map(move |older| of_hash(older.all(), hash));
        let mut texts: Vec<u32> = hashes.par_iter().flat_map_iter(of).map(|record| record.text).collect();
        texts.retain(|text| (self.first_older..self.first_new).contains(text));
        texts.par_sort_unstable();
        texts.dedup();
        texts
    }
}

pub(crate) fn all(runs: &[Prints<Mapped>]) -> Vec<&[PrintRecord]> {
    runs.iter().map(Prints::all).collect()
}

/// The first of the nights that are looked at together.
pub(crate) fn oldest_night(tonight: u32, config: &FragmentConfig) -> u32 {
    (tonight + 1).saturating_sub(config.nights.max(1))
}
