//! Days without coordination in which every account keeps its habits: its days change places among each other.
//!
//! The idea: dealing choices anew keeps interests and breaks what an account asks together on a day; this placebo keeps that too. Each account's active days are turned by a number of its own,
//! drawn at random: what it asked on its second active day comes on its fourth, the fourth's on its sixth, and so on around. So an account is as active, asks the same texts together
//! and is there on the same dates, but accounts that shared a day's new text do so on different days. What was new to an account is new to it on the day on which it now comes. Weakness: an account of a single
//! day stays where it is, and of a group whose accounts have k active days each one in k comes together by chance: with few days some coordination is left, so what is confirmed is an upper bound.
//! Guarantee: the same days and seed give the same placebo; no request and no choice is lost or made.
//!
//! Turning needs all days at once. [`Late`] does the like day by day, with the last [`LATE`] days at hand: each account is late by a number of days of its own, so that what it did on one day comes
//! on another, a week later at most, and accounts with different numbers never meet on the day on which they acted together. One in [`LATE`] of the accounts of a group has the same number, so this is an
//! upper bound too.

use super::day::{Choice, Day, EVERYWHERE};
use super::interests::Interests;
use super::walk::{RingConfig, State};
use rand::Rng as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The days, oldest first, with each account's turned.
#[must_use]
pub fn shifted(days: &[Day], run: u64) -> Vec<Day> {
    let mut active: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (at, day) in days.iter().enumerate() {
        day.accounts().into_iter().for_each(|account| active.entry(account).or_default().push(at));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(run);
    let turned: BTreeMap<u32, (Vec<usize>, usize)> = active
        .into_iter()
        .map(|(account, own)| {
            let by = rng.random_range(0..own.len());
            (account, (own, by))
        })
        .collect();
    // The day to which what an account did on a day comes.
    let to = |account: u32, at: usize| -> usize {
        let Some((own, by)) = turned.get(&account) else { return at };
        own.binary_search(&at).map_or(at, |i| own[(i + by) % own.len()])
    };
    let mut out: Vec<Day> =
        days.iter().map(|day| Day { day: day.day, large: day.large.clone(), ..Day::default() }).collect();
    let mut places: BTreeMap<u64, u16> = BTreeMap::new();
    let mut first: BTreeMap<u64, Vec<(usize, u32)>> = BTreeMap::new();
    let mut new: HashSet<Choice> = HashSet::new();
    for (at, day) in days.iter().enumerate() {
        day.neighbourhoods.iter().for_each(|&(family, of)| *places.entry(family).or_insert(of) = of);
        day.requests.iter().for_each(|r| out[to(r.account, at)].requests.push(*r));
        day.again.iter().for_each(|choice| out[to(choice.account, at)].again.push(*choice));
        for &choice in &day.new {
            let comes = to(choice.account, at);
            out[comes].new.push(choice);
            first.entry(choice.family).or_default().push((comes, choice.account));
            new.insert(choice);
        }
    }
    // Whoever used a family before all of these days did so before any of them.
    let ever = days.iter().flat_map(|day| &day.before).filter(|choice| !new.contains(choice));
    let mut always: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
    for choice in ever {
        always.entry(choice.family).or_default().insert(choice.account);
    }
    for (at, day) in out.iter_mut().enumerate() {
        day.requests.sort_unstable();
        let accounts = day.accounts();
        let is_active = |account: &u32| accounts.binary_search(account).is_ok();
        let families: BTreeSet<u64> = day.new.iter().map(|choice| choice.family).collect();
        for family in families {
            let earlier =
                first.get(&family).into_iter().flatten().filter(|(of, _)| *of < at).map(|(_, account)| account);
            let own = earlier.chain(always.get(&family).into_iter().flatten()).filter(|account| is_active(account));
            day.before.extend(own.map(|&account| Choice { family, account }));
            day.neighbourhoods.push((family, places.get(&family).copied().unwrap_or(EVERYWHERE)));
        }
    }
    out.into_iter().map(Day::in_order).collect()
}

/// Numbers of days that accounts may be late: none to one less than a week.
pub const LATE: usize = 7;

/// A walk through days on which each account does what it did some days before, as many as its own number says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Late {
    /// The walk; unlike other placebos it has interests of its own, since what accounts asked comes later too.
    pub state: State,
    /// The last days, the newest last: what of them is still to come, and who had used what before them.
    days: Vec<Day>,
}

/// By how many days an account is late. Accounts are numbered as they come, so those of a pool, which come together, are spread evenly (Knuth, TAOCP 3, 6.4, multiplicative hashing).
pub(super) fn late_by(account: u32) -> usize {
    ((u64::from(account.wrapping_mul(2_654_435_769)) * LATE as u64) >> 32) as usize
}

impl Late {
    /// Reads the next day. Accounts of which `is_found` says so choose nothing new: they act together in whatever way their days are put.
    #[must_use]
    pub(super) fn with(mut self, day: &Day, is_found: &dyn Fn(u32) -> bool, config: &RingConfig) -> Self {
        let mut made = self.next(day);
        made.new.retain(|choice| !is_found(choice.account));
        self.state = self.state.plainly_with(&made, config, &|_, _| Vec::new());
        self
    }

    /// The next day as it is where accounts are late; what has come is not kept.
    pub(super) fn next(&mut self, day: &Day) -> Day {
        if self.days.len() == LATE {
            self.days.remove(0);
        }
        self.days.push(Day { wide: Vec::new(), sent: Vec::new(), kinds: Vec::new(), ..day.clone() });
        let made = self.made();
        for (age, day) in self.days.iter_mut().rev().enumerate() {
            day.requests.retain(|r| late_by(r.account) > age);
            day.new.retain(|choice| late_by(choice.account) > age);
        }
        made
    }

    fn made(&self) -> Day {
        let Some(newest) = self.days.last() else { return Day::default() };
        let mut out = Day { day: newest.day, large: newest.large.clone(), ..Day::default() };
        for (age, day) in self.days.iter().rev().enumerate() {
            out.requests.extend(day.requests.iter().filter(|r| late_by(r.account) == age));
            out.new.extend(day.new.iter().filter(|choice| late_by(choice.account) == age));
        }
        let seen: HashSet<Choice> = self.state.recent.iter().map(|(_, choice)| *choice).collect();
        out.new.retain(|choice| !seen.contains(choice));
        out.requests.sort_unstable();
        let accounts = out.accounts();
        let families: BTreeSet<u64> = out.new.iter().map(|choice| choice.family).collect();
        let of_day =
            |choice: &&Choice| families.contains(&choice.family) && accounts.binary_search(&choice.account).is_ok();
        // Whoever used a family before one of these days did so before the day that comes now, unless the first use is still to come, or comes now.
        let to_come: HashSet<Choice> = self.days.iter().flat_map(|day| &day.new).copied().collect();
        let used = self.days.iter().flat_map(|day| day.before.iter().chain(&day.again)).filter(of_day);
        out.before.extend(used.filter(|choice| !to_come.contains(choice)));
        out.before.extend(seen.iter().filter(of_day));
        for day in self.days.iter().rev() {
            out.neighbourhoods.extend(day.neighbourhoods.iter().filter(|(family, _)| families.contains(family)));
        }
        // The newest that is known of a family stands: of equal families the first stays.
        out.neighbourhoods.sort_by_key(|(family, _)| *family);
        out.neighbourhoods.dedup_by_key(|(family, _)| *family);
        out.in_order()
    }

    /// Leaves out accounts and days, as [`State::forget`].
    pub(super) fn forget(&mut self, is_gone: &dyn Fn(u32) -> bool, through: Option<i32>) {
        self.state.forget(is_gone, through);
        self.days.retain(|day| through.is_none_or(|through| day.day > through));
        self.days.iter_mut().for_each(|day| day.forget(is_gone));
    }

    /// Drops what was counted by neighbourhood, where neighbourhoods become others.
    pub(super) fn drop_neighbourhoods(&mut self) {
        self.days.clear();
        self.state.interests = Interests::default();
        self.state.first = None;
    }
}
