//! What accounts asked about before: a share of each neighbourhood of text, from trailing days.
//!
//! The idea: two people with one trade ask alike without knowing of each other, so an account's own past says how likely it is to choose a
//! family there. Past requests fade by half in a week, and five requests of the average account are added, so a new account has the interests
//! of all. Weakness: a campaign that always stays in its neighbourhood becomes part of its accounts' interests; the smoothing bounds that.
//! Guarantee: memory follows the accounts of the last weeks, not the age of the store.

use super::day::{Day, EVERYWHERE, Requests};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Days in which a past request loses half of its weight.
const HALF_LIFE: f64 = 7.0;
/// Requests of the average account that are added to the past of each.
const SMOOTHING: f64 = 5.0;
/// Weight below which a past request is forgotten.
const LEAST: f32 = 0.05;

/// Weights of past requests by account and neighbourhood.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interests {
    /// (account, neighbourhood, weight), sorted.
    past: Vec<(u32, u16, f32)>,
    /// The last day that is in it.
    day: i32,
}

impl Interests {
    /// Adds a day, and lets what came before fade.
    #[must_use]
    pub fn with(&self, day: &Day) -> Self {
        let faded = libm::exp2(-f64::from(day.day.saturating_sub(self.day).max(0)) / HALF_LIFE) as f32;
        let mut past: Vec<(u32, u16, f32)> = self.past.iter().map(|&(a, n, w)| (a, n, w * faded)).collect();
        past.extend(day.requests.iter().map(|r| (r.account, r.neighbourhood, r.requests as f32)));
        past.sort_by_key(|&(account, neighbourhood, _)| (account, neighbourhood));
        let past = past
            .chunk_by(|a, b| (a.0, a.1) == (b.0, b.1))
            .map(|same| (same[0].0, same[0].1, same.iter().map(|(.., weight)| weight).sum::<f32>()));
        Self { past: past.filter(|(.., weight)| *weight >= LEAST).collect(), day: day.day }
    }

    /// The same past under other neighbourhoods in place of these.
    #[must_use]
    pub(super) fn moved(&self, to: &dyn Fn(u16) -> u16) -> Self {
        let mut past: Vec<(u32, u16, f32)> = self.past.iter().map(|&(a, n, w)| (a, to(n), w)).collect();
        past.sort_by_key(|&(account, neighbourhood, _)| (account, neighbourhood));
        let past = past
            .chunk_by(|a, b| (a.0, a.1) == (b.0, b.1))
            .map(|same| (same[0].0, same[0].1, same.iter().map(|(.., weight)| weight).sum::<f32>()));
        Self { past: past.collect(), day: self.day }
    }

    /// Leaves out accounts.
    pub fn retain(&mut self, keep: &dyn Fn(u32) -> bool) {
        self.past.retain(|(account, ..)| keep(*account));
    }

    /// Relative weights of the accounts of a day.
    #[must_use]
    pub fn of(&self, day: &Day) -> Weights {
        let mut all: BTreeMap<u16, f64> = BTreeMap::new();
        self.past.iter().for_each(|&(_, n, weight)| *all.entry(n).or_default() += f64::from(weight));
        let total: f64 = all.values().sum();
        let accounts = day.accounts();
        let (mut activity, mut base) = (Vec::new(), Vec::new());
        let (mut rows, mut starts) = (Vec::new(), vec![0]);
        let same = |a: &Requests, b: &Requests| a.account == b.account;
        for requests in day.requests.chunk_by(same) {
            let account = requests[0].account;
            let from = self.past.partition_point(|(other, ..)| *other < account);
            let own = self.past[from..].iter().take_while(|(other, ..)| *other == account);
            let sum: f64 = own.clone().map(|(.., weight)| f64::from(*weight)).sum();
            let active = requests.iter().map(|r| f64::from(r.requests)).sum::<f64>();
            activity.push(active);
            base.push(active * SMOOTHING / (sum + SMOOTHING));
            // (h + κ g) / (h₊ + κ) over g: what is asked beyond the average comes on top of the base.
            rows.extend(own.map(|&(_, n, weight)| {
                let share = all[&n] / total;
                (n, active * f64::from(weight) / share / (sum + SMOOTHING))
            }));
            starts.push(rows.len());
        }
        Weights { accounts, activity, base, rows, starts }
    }
}

/// How likely each account of a day is to choose a family of a neighbourhood, relative to the others: its activity times the smoothed share of
/// its past in that neighbourhood, over the share of all.
#[derive(Clone, Debug)]
pub struct Weights {
    /// The accounts, in order; below they are meant by their place here.
    pub accounts: Vec<u32>,
    activity: Vec<f64>,
    /// Weight where the account has no past in a neighbourhood.
    base: Vec<f64>,
    /// (neighbourhood, weight on top of the base), account after account.
    rows: Vec<(u16, f64)>,
    starts: Vec<usize>,
}

impl Weights {
    /// The weight of the account at a place.
    #[must_use]
    pub fn of(&self, place: usize, neighbourhood: u16) -> f64 {
        if neighbourhood == EVERYWHERE {
            return self.activity[place];
        }
        let own = self.row(place);
        let extra = own.binary_search_by_key(&neighbourhood, |(n, _)| *n).map_or(0.0, |i| own[i].1);
        self.base[place] + extra
    }

    /// Those of some accounts, by their places.
    pub(super) fn of_group(&self, group: &[u32], neighbourhood: u16) -> Vec<f64> {
        group.iter().map(|&place| self.of(place as usize, neighbourhood)).collect()
    }

    /// Weights on top of the base, by neighbourhood.
    pub(super) fn row(&self, place: usize) -> &[(u16, f64)] {
        &self.rows[self.starts[place]..self.starts[place + 1]]
    }

    pub(super) fn base(&self, place: usize) -> f64 {
        self.base[place]
    }

    pub(super) fn activity(&self, place: usize) -> f64 {
        self.activity[place]
    }

    /// The place of an account, where it is active.
    #[must_use]
    pub fn place(&self, account: u32) -> Option<usize> {
        self.accounts.binary_search(&account).ok()
    }
}
