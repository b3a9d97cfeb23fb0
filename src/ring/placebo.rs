//! Placebo runs: the whole walk on days without coordination, so that its real error is known and not believed.
//!
//! The idea: within a neighbourhood of text, who chose what is dealt anew: as many families for each account, as many accounts for each
//! family, all else left as it was. Interests, activity and popularity stay; what accounts did together goes. Whatever such a walk confirms is
//! false. Choices of accounts that the true walk has found are left out from then on: each of them makes more choices than its activity explains, and keeps doing so
//! however they are dealt. Source: the curveball of Strona et al. 2014, uniform over such tables (Carstens 2015). Weakness: coordination inside one small
//! neighbourhood can survive in part. Guarantee: the same day and seed give the same placebo.

use super::day::{Choice, Day, EVERYWHERE, Requests, Subjects, half};
use super::interests::Interests;
use super::member::at_level;
use super::shift::{Late, shifted};
use super::unite::{Ring, rings};
use super::walk::{RingConfig, State};
use crate::ids::Digest;
use rand::Rng as _;
use rand::SeedableRng as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Placebo walks beside the true one.
pub const RUNS: u64 = 3;
/// Days whose placebos say whether a list is valid: what the null did last year says nothing of today's traffic.
pub const JUDGED: i32 = 28;
/// The true walk and its placebos.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Walks {
    /// What the days say.
    pub real: State,
    /// What they say where nobody acts together.
    pub placebo: Vec<State>,
    /// What they say where each account is late by a number of days of its own.
    pub late: Late,
    /// What they say where a campaign is planted.
    pub planted: Planted,
    /// The rings of the newest day.
    pub rings: Vec<Ring>,
    /// Rings of earlier days that are none any more.
    pub past: Vec<Past>,
}

/// A ring that was listed once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// The ring as it was on its last day.
    pub ring: Ring,
    /// That day.
    pub last: i32,
    /// The ring that has most of its accounts since; none where nothing was heard of them for [`super::walk::KEPT`] days.
    pub became: Option<[u8; 32]>,
}

/// A walk through the true days with a campaign planted in them, so that it is known what would be found: some accounts of the first day, who
/// send some of so many new texts every day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Planted {
    /// The walk.
    pub state: State,
    /// The accounts, sorted.
    pub accounts: Vec<u32>,
}

/// Accounts of a planted campaign, its new texts of a day, and the chance that an account sends one.
pub const PLANTED: (usize, u64, f64) = (30, 20, 0.25);

impl Planted {
    /// Reads a day of which the true walk has these interests before.
    fn with(mut self, day: &Day, interests: &Interests, config: &RingConfig) -> Self {
        if self.accounts.is_empty() {
            let mut all = day.accounts();
            all.sort_by_key(|account| Digest::of(&account.to_le_bytes()));
            all.truncate(PLANTED.0);
            all.sort_unstable();
            self.accounts = all;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(day.day as u64);
        let mut planted = Day { wide: Vec::new(), sent: Vec::new(), ..day.clone() };
        for task in 0..PLANTED.1 {
            // Numbers that no family has.
            let family = u64::MAX - (day.day as u32 as u64 * PLANTED.1 + task);
            let neighbourhood = day.requests.choose(&mut rng).map_or(EVERYWHERE, |requests| requests.neighbourhood);
            planted.neighbourhoods.push((family, neighbourhood));
            for &account in &self.accounts {
                if rng.random_bool(PLANTED.2) {
                    planted.new.push(Choice { family, account });
                    planted.requests.push(Requests { account, neighbourhood, requests: 1 });
                }
            }
        }
        self.state.interests.clone_from(interests);
        let state = self.state.plainly_with(&planted.in_order(), config, &|_, _| Vec::new());
        self.state = State { interests: Interests::default(), ..state };
        self
    }

    /// How many of the accounts are listed as members of a ring, at a level.
    #[must_use]
    pub fn found(&self, level: f64) -> usize {
        let rings = rings(&self.state);
        let listed = rings.iter().flat_map(|ring| &ring.members[..at_level(&ring.members, level)]);
        let listed: BTreeSet<u32> = listed.map(|member| member.account).collect();
        self.accounts.iter().filter(|account| listed.contains(account)).count()
    }
}

impl Walks {
    /// Reads a day, as [`State::with`].
    #[must_use]
    pub fn with(self, day: &Day, config: &RingConfig, subjects: &Subjects<'_>) -> Self {
        // Interests are of what accounts asked, which no placebo changes: kept once.
        let interests = self.real.interests.clone();
        let real = self.real.with(day, config, subjects);
        let mut placebo = self.placebo;
        placebo.resize(RUNS as usize, State::default());
        let innocent = without_found(day, &real);
        let dealt = |(run, mut state): (u64, State)| {
            state.interests.clone_from(&interests);
            let seen: HashSet<Choice> = state.recent.iter().map(|(_, choice)| *choice).collect();
            let day = self::placebo(&innocent, run, &seen);
            if let Some(first) = &mut state.first {
                leave_found_out(first, &real);
            }
            State { interests: Interests::default(), ..state.plainly_with(&day, config, subjects) }
        };
        // Where a day proposes many groups, one walk tells the error.
        let runs = if real.days.last().is_some_and(|day| day.proposed > MANY) { 1 } else { RUNS };
        let placebo = (1..).zip(placebo).map(|(run, state)| if run <= runs { dealt((run, state)) } else { state });
        let placebo: Vec<State> = placebo.collect();
        let planted = self.planted.with(day, &interests, config);
        // On the first day everything is new, and would come as new on later days.
        let late = if real.days.len() == 1 { self.late } else { self.late.with(day, &found_by(&real), config) };
        Self { real, placebo, late, planted, rings: self.rings, past: self.past }.listed()
    }

    /// The same with the rings of its newest day, and those that left the list with it.
    fn listed(mut self) -> Self {
        let before = std::mem::replace(&mut self.rings, rings(&self.real));
        let newest = self.real.days.iter().rev().map(|day| day.day);
        let last = newest.clone().nth(1).or(newest.clone().next()).unwrap_or_default();
        let is_listed = |ring: &Ring| self.rings.iter().any(|other| other.name == ring.name);
        self.past.retain(|past| !is_listed(&past.ring));
        for ring in before.into_iter().filter(|ring| !is_listed(ring)) {
            let common = |other: &Ring| ring.core.iter().filter(|a| other.core.binary_search(a).is_ok()).count();
            let heir = self.rings.iter().map(|other| (common(other), other.name)).max();
            let became = heir.filter(|(n, _)| 2 * n > ring.core.len()).map(|(_, name)| name);
            self.past.push(Past { ring, last, became });
        }
        self
    }

    /// Leaves choices out of the first day, while it waits for the second.
    pub fn leave_out_of_first(&mut self, is_gone: &dyn Fn(&Choice) -> bool) {
        let states = self.placebo.iter_mut().chain([&mut self.real, &mut self.planted.state]);
        for first in states.filter_map(|state| state.first.as_mut()) {
            for choices in [&mut first.new, &mut first.before, &mut first.again] {
                choices.retain(|choice| !is_gone(choice));
            }
        }
    }

    /// Drops what was counted by neighbourhood, where neighbourhoods become others.
    pub fn drop_neighbourhoods(&mut self) {
        self.real.interests = Interests::default();
        self.real.texts.drop_requests();
        self.real.first = None;
        self.planted.state.first = None;
        self.placebo.iter_mut().for_each(|state| state.first = None);
        self.late.drop_neighbourhoods();
    }

    /// Leaves out accounts and days, as [`State::forget`].
    pub fn forget(&mut self, is_gone: &dyn Fn(u32) -> bool, through: Option<i32>) {
        self.planted.accounts.retain(|account| !is_gone(*account));
        self.planted.state.forget(is_gone, through);
        self.late.forget(is_gone, through);
        for state in self.placebo.iter_mut().chain([&mut self.real]) {
            state.forget(is_gone, through);
        }
        self.rings = rings(&self.real);
        self.past.iter_mut().for_each(|past| past.ring.forget(is_gone));
    }

    /// What the walks whose choices are dealt anew did in the last [`JUDGED`] days.
    #[must_use]
    pub fn of_dealt(&self) -> Judged {
        self.judged(&self.placebo)
    }

    /// The same of the walk in which accounts are late.
    #[must_use]
    pub fn of_late(&self) -> Judged {
        self.judged(std::slice::from_ref(&self.late.state))
    }

    fn judged(&self, states: &[State]) -> Judged {
        let since = self.real.through().unwrap_or_default().saturating_sub(JUDGED);
        let groups = states.iter().flat_map(|state| &state.groups).filter(|group| group.day > since);
        let rejected = groups.filter(|group| group.confirmed.is_some()).count() as u64;
        let (mut tested, mut sum, mut tests) = (0, 0.0, 0);
        for state in states {
            for day in state.days.iter().filter(|day| day.day > since) {
                tested += if Some(day.day) == state.through() { 0 } else { day.proposed };
                (sum, tests) = (sum + day.sum_e, tests + day.tests);
            }
        }
        Judged { rejected, tested, mean_e: (tests > 0).then(|| (sum / tests as f64).min(f64::MAX)) }
    }
}

/// What walks without coordination did in the last [`JUDGED`] days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Groups that they confirmed.
    pub rejected: u64,
    /// Groups that they tested for a day at least.
    pub tested: u64,
    /// The mean of the e-values of their tests, which is one at most under the null; none without a test.
    pub mean_e: Option<f64>,
}

/// How a day without coordination is made of a true one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dealing {
    /// Who chose what is dealt anew within each neighbourhood; accounts of confirmed groups are left out.
    Choices,
    /// Accounts change names among each other, on each day and in each half of its texts anew: what is asked and chosen together stays, who does
    /// so does not last. Accounts of confirmed groups are left out.
    Names,
    /// Each account's days change places among each other, by a number of its own ([`super::shift`]): habits stay, and who is there on which date; what accounts do on the same day
    /// goes. Accounts of confirmed groups are left out.
    Dates,
}

/// What many walks through days without coordination confirmed. Coordination that the true walk does not find, as that of two accounts, stays in these days in part,
/// so what is told is an upper bound.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Realised {
    /// How the days were made.
    pub dealing: Dealing,
    /// Walks.
    pub walks: u64,
    /// Walks in which a group was confirmed.
    pub walks_with: u64,
    /// Lists of groups that a day proposed and something tested.
    pub lists: u64,
    /// Those in which a group was confirmed: all that they confirm is false, so this is the realised false discovery proportion, summed over lists.
    pub lists_with: u64,
    /// Groups that such lists held.
    pub groups: u64,
    /// Groups that were confirmed.
    pub confirmed: u64,
    /// Tests of a group on a day.
    pub tests: u64,
    /// Mean of their e-values at φ0: at most one under the null.
    pub mean_e: f64,
}

/// Walks through these days, in order, made without coordination again and again. The same seed gives the same walks.
#[must_use]
pub fn realised(days: &[Day], config: &RingConfig, dealing: Dealing, walks: u64, seed: u64) -> Realised {
    let mut real = State::default();
    let mut made = Vec::with_capacity(days.len());
    for day in days {
        real = real.plainly_with(day, config, &|_, _| Vec::new());
        made.push(without_found(day, &real));
        // The first day is tested on the second.
        if let [first, _] = &mut made[..] {
            leave_found_out(first, &real);
        }
    }
    if dealing == Dealing::Dates {
        // A ring's first days come on later ones, so whoever is found on any day is left out of all.
        made = days.iter().map(|day| without_found(day, &real)).collect();
    }
    let walk = |run: u64| {
        let mut state = State::default();
        if dealing == Dealing::Dates {
            let days = shifted(&made, seed.wrapping_mul(1 << 20).wrapping_add(run));
            return days.iter().fold(state, |state, day| state.plainly_with(day, config, &|_, _| Vec::new()));
        }
        for day in &made {
            let seen: HashSet<Choice> = state.recent.iter().map(|(_, choice)| *choice).collect();
            let run = seed.wrapping_mul(1 << 20).wrapping_add(run);
            let dealt = match dealing {
                Dealing::Choices => placebo(day, run, &seen),
                // Dates are no matter of one day.
                Dealing::Names | Dealing::Dates => renamed(day, run, &seen),
            };
            state = state.plainly_with(&dealt, config, &|_, _| Vec::new());
        }
        state
    };
    let mut out = Realised {
        dealing,
        walks,
        walks_with: 0,
        lists: 0,
        lists_with: 0,
        groups: 0,
        confirmed: 0,
        tests: 0,
        mean_e: 0.0,
    };
    let mut sum_e = 0.0;
    let states: Vec<State> = (0..walks).into_par_iter().map(walk).collect();
    for state in &states {
        let confirmed: Vec<i32> =
            state.groups.iter().filter(|group| group.confirmed.is_some()).map(|group| group.of).collect();
        // Of the newest day only halves were tested.
        let lists: BTreeSet<i32> = confirmed.iter().copied().collect();
        let tested = state.days.iter().filter(|day| Some(day.day) != state.through() || day.tests > day.tested);
        out.lists += tested.clone().filter(|day| day.proposed > 0).count() as u64;
        out.groups += tested.map(|day| day.proposed).sum::<u64>();
        out.lists_with += lists.len() as u64;
        out.walks_with += u64::from(!lists.is_empty());
        out.confirmed += confirmed.len() as u64;
        out.tests += state.days.iter().map(|day| day.tests).sum::<u64>();
        sum_e += state.days.iter().map(|day| day.sum_e).sum::<f64>();
    }
    out.mean_e = sum_e / (out.tests as f64).max(1.0);
    out
}

/// A day without the choices of accounts that were found by it: they act together in whatever way their choices are dealt.
fn without_found(day: &Day, real: &State) -> Day {
    let mut innocent = day.clone();
    leave_found_out(&mut innocent, real);
    innocent
}

/// Takes the choices of accounts that were found out of a day.
fn leave_found_out(day: &mut Day, real: &State) {
    let is_found = found_by(real);
    day.new.retain(|choice| !is_found(choice.account));
}

/// Whether an account was found by a walk.
fn found_by(real: &State) -> impl Fn(u32) -> bool + use<> {
    let confirmed = real.groups.iter().filter(|group| group.confirmed.is_some());
    let found: HashSet<u32> = confirmed.flat_map(|group| group.accounts.iter().copied()).collect();
    move |account| found.contains(&account)
}

/// The day with other names on it, in each half of its texts; `seen` are choices of the days before.
fn renamed(day: &Day, run: u64, seen: &HashSet<Choice>) -> Day {
    let mut rng = ChaCha8Rng::seed_from_u64(run << 32 ^ u64::from(day.day as u32));
    let accounts = day.accounts();
    let names = [(); 2].map(|()| {
        let mut names = accounts.clone();
        names.shuffle(&mut rng);
        names
    });
    let name =
        |half: u8, account: u32| accounts.binary_search(&account).map_or(account, |i| names[usize::from(half)][i]);
    let mut out = Day { wide: Vec::new(), sent: Vec::new(), ..day.clone() };
    out.new.iter_mut().for_each(|choice| choice.account = name(day.half(choice.family), choice.account));
    out.new.retain(|choice| !seen.contains(choice));
    out.requests.iter_mut().for_each(|r| r.account = name(half(day.day, 0, r.neighbourhood), r.account));
    out.in_order()
}

/// Groups proposed on a day, from which on one placebo walk reads it.
const MANY: u64 = 3_000;
/// Trades for each account of a neighbourhood.
const TRADES: usize = 5;

/// The day dealt anew; `seen` are choices of the placebo's days before.
#[must_use]
pub fn placebo(day: &Day, run: u64, seen: &HashSet<Choice>) -> Day {
    let mut rng = ChaCha8Rng::seed_from_u64(run << 32 ^ u64::from(day.day as u32));
    let mut tables: BTreeMap<u16, BTreeMap<u32, Vec<u64>>> = BTreeMap::new();
    for choice in &day.new {
        let own = tables.entry(day.neighbourhood(choice.family)).or_default();
        own.entry(choice.account).or_default().push(choice.family);
    }
    let mut new = Vec::with_capacity(day.new.len());
    for table in tables.into_values() {
        let (accounts, mut families): (Vec<u32>, Vec<Vec<u64>>) = table.into_iter().unzip();
        let n = accounts.len();
        for _ in 0..if n < 2 { 0 } else { TRADES * n } {
            let (a, b) = (rng.random_range(0..n), rng.random_range(0..n - 1));
            trade(&mut families, a, if b >= a { b + 1 } else { b }, &mut rng);
        }
        for (account, own) in accounts.into_iter().zip(families) {
            new.extend(own.into_iter().map(|family| Choice { family, account }));
        }
    }
    // What the placebo's account has had on an earlier day is not new to it.
    new.retain(|choice| !seen.contains(choice));
    Day { new, wide: Vec::new(), sent: Vec::new(), ..day.clone() }.in_order()
}

/// Two accounts put what only one of them has into one heap and deal it out again, as many to each as before.
fn trade(families: &mut [Vec<u64>], a: usize, b: usize, rng: &mut ChaCha8Rng) {
    let of = |i: usize| families[i].iter().copied().collect::<BTreeSet<u64>>();
    let (of_a, of_b) = (of(a), of(b));
    let common: Vec<u64> = of_a.intersection(&of_b).copied().collect();
    let mut heap: Vec<u64> = of_a.symmetric_difference(&of_b).copied().collect();
    heap.shuffle(rng);
    let of_heap = families[a].len() - common.len();
    let rest = heap.split_off(of_heap);
    families[a] = [common.as_slice(), &heap].concat();
    families[b] = [common, rest].concat();
}
