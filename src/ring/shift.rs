//! Days without coordination in which every account keeps its habits: its days change places among each other.
//!
//! The idea: dealing choices anew keeps interests and breaks what an account asks together on a day; this placebo keeps that too. Each account's active days are turned by a number of its own,
//! drawn at random: what it asked on its second active day comes on its fourth, the fourth's on its sixth, and so on around. So an account is as active, asks the same texts together
//! and is there on the same dates, but accounts that shared a day's new text do so on different days. What was new to an account is new to it on the day on which it now comes. Weakness: an account of a single
//! day stays where it is, and of a group whose accounts have k active days each one in k comes together by chance: with few days some coordination is left, so what is confirmed is an upper bound.
//! Guarantee: the same days and seed give the same placebo; no request and no choice is lost or made.

use super::day::{Choice, Day, EVERYWHERE};
use rand::Rng as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
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
