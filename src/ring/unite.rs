//! From confirmed groups to rings: groups that overlap are one ring, text that only ties rings to one another ties nothing.
//!
//! The idea: accounts of confirmed groups are joined by the families that they shared, where such accounts are most of those who
//! chose the family. Modularity cuts that graph into communities, each again by itself, also where it is one dense lump; so two communities are put together again where families mix
//! them at least half as much as if they were one. What is left are the rings: a greeting that two campaigns use mixes them, their
//! hundreds of tasks do not. A confirmed group belongs to the ring that holds four fifths of it; one that
//! spreads over several (a greeting that two campaigns use) belongs to none, and a community without a confirmed group of its own is no ring; what such a group
//! has beside the rings is one where its evidence is its own (`rest`).
//! Weakness: two campaigns of one operator with the same accounts are one ring. Guarantee: every ring has a group that was frozen before
//! the data that confirmed it.

use super::confirm::AFFINITIES;
use super::day::Choice;
use super::leiden::{Quality, communities};
use super::member::{Evidence, Member, Proposed, common, members};
use super::persistent::Persistent;
use super::propose::{LEAST_ACCOUNTS, Reason, joined, members as nodes_of};
use super::rest::{Rest, rests};
use super::sensitivity::{CHANGES, Changed};
use super::streams::Streams;
use super::walk::{Group, RingConfig, State};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// What brought a ring about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Route {
    /// New families, shared beside those that proposed it.
    CoUse,
    /// One text, day after day, from accounts that behave like one sender's.
    Persistent(Streams),
}

/// A ring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ring {
    /// What brought it about.
    pub route: Route,
    /// Digest of the accounts of the group that was confirmed first, and of the day that proposed it.
    pub name: [u8; 32],
    /// Name of the first ring of its campaign: its own, where it shares too few families with one that was confirmed before.
    pub campaign: [u8; 32],
    /// The day that proposed its first group.
    pub proposed: i32,
    /// The day that confirmed the first.
    pub confirmed: i32,
    /// The largest affinity that one of its groups survives.
    pub gamma_star: f64,
    /// ln of that group's e-value at the first affinity.
    pub ln_e: f64,
    /// Confirmed groups of it.
    pub groups: usize,
    /// Accounts of the group that was confirmed first, as they were frozen.
    pub frozen: Vec<u32>,
    /// Accounts that the groups and the graph put together, sorted.
    pub core: Vec<u32>,
    /// Whoever may belong to it, the likeliest first.
    pub members: Vec<Member>,
    /// What it shared: day, family, accounts of the ring that it was new to, all such accounts; most of the ring first.
    pub families: Vec<(i32, u64, u32, u32)>,
    /// Which of the first [`DRAWN`] members used which of the first [`DRAWN`] families first on its day: places of both.
    pub uses: Vec<(u8, u8)>,
    /// What becomes of it where the test is changed; empty on the second route.
    pub changes: Vec<Changed>,
}

impl Ring {
    /// Leaves out accounts.
    pub(super) fn forget(&mut self, is_gone: &dyn Fn(u32) -> bool) {
        self.frozen.retain(|account| !is_gone(*account));
        self.core.retain(|account| !is_gone(*account));
        if self.members.iter().any(|member| is_gone(member.account)) {
            self.members.retain(|member| !is_gone(member.account));
            self.uses = Vec::new();
        }
    }
}

/// Members and families of which a ring says who used what.
pub const DRAWN: usize = 60;

/// Share of a group's accounts that a ring must hold.
const MOST_OF: f64 = 0.8;

/// The rings of a state, the surest first.
#[must_use]
pub fn rings(state: &State) -> Vec<Ring> {
    let newest = state.through().unwrap_or_default();
    let confirmed: Vec<&Group> = state.groups.iter().filter(|group| group.confirmed.is_some()).collect();
    // A loose group holds whoever shared one text, so it joins nobody to a ring; what rings leave of it may be one.
    let is_close = |group: &&&Group| group.reason != Reason::Loose;
    let speak = confirmed.iter().filter(is_close).filter(|group| group.speaks(newest));
    let mut suspected: Vec<u32> = speak.flat_map(|group| group.accounts.iter().copied()).collect();
    suspected.sort_unstable();
    suspected.dedup();
    // Each day's family is one of its own: it was new on that day.
    let mut choices: Vec<Choice> = Vec::new();
    let mut number = 0;
    for witness in state.evidence.iter().flat_map(|day| &day.witnesses) {
        let own: Vec<u32> =
            witness.new.iter().copied().filter(|account| suspected.binary_search(account).is_ok()).collect();
        if own.len() >= 2 && 2 * own.len() >= witness.new.len() {
            choices.extend(own.into_iter().map(|account| Choice { family: number, account }));
            number += 1;
        }
    }
    let shared: Vec<&[Choice]> = choices.chunk_by(|a, b| a.family == b.family).collect();
    let n_accounts = state.evidence.iter().map(|day| day.n_accounts).max().unwrap_or(0);
    let (accounts, community) = parts(&shared, n_accounts as usize);
    let of_account = |account: &u32| accounts.binary_search(account).ok().map(|i| community[i]);
    let mut groups: BTreeMap<u32, Vec<&Group>> = BTreeMap::new();
    for group in confirmed.iter().filter(is_close) {
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        group.accounts.iter().filter_map(of_account).for_each(|c| *counts.entry(c).or_default() += 1);
        let known: usize = counts.values().sum();
        if let Some((&c, _)) = counts.iter().find(|(_, n)| **n as f64 >= MOST_OF * known as f64) {
            groups.entry(c).or_default().push(group);
        }
    }
    let mut out = Vec::new();
    for (community, nodes) in (0u32..).zip(nodes_of(&community)) {
        let Some(own) = groups.get(&community) else { continue };
        // Old groups name a ring and do not make one.
        if nodes.len() < LEAST_ACCOUNTS || !own.iter().any(|group| group.speaks(newest)) {
            continue;
        }
        let core: Vec<u32> = nodes.into_iter().map(|node| accounts[node as usize]).collect();
        out.push(ring(state, own, core));
    }
    let is_held = |group: &Group| groups.values().flatten().any(|held| std::ptr::eq(*held, group));
    let left = confirmed.iter().copied().filter(|group| group.speaks(newest) && !is_held(group)).collect();
    let taken = out.iter().flat_map(|ring| ring.core.iter().copied()).collect();
    let rests = rests(state, left, taken, (MOST_OF, RingConfig::default().q));
    out.extend(rests.into_iter().map(|Rest { groups, core, ln_e, gamma_star }| Ring {
        ln_e,
        gamma_star,
        // What else is asked is asked of these accounts, not of those that other rings have; and whether the whole group stands under changes says nothing of them.
        frozen: core.clone(),
        changes: Vec::new(),
        ..ring(state, &groups, core)
    }));
    out.extend(state.texts.under_test.iter().filter_map(persistent));
    name_campaigns(&mut out);
    out.sort_by(|a, b| b.gamma_star.total_cmp(&a.gamma_star).then(b.ln_e.total_cmp(&a.ln_e)).then(a.name.cmp(&b.name)));
    out
}

/// Families that two rings of one campaign share at least, and which share of those of the smaller.
const LEAST_COMMON: usize = 3;
const COMMON_SHARE: f64 = 0.2;

/// A pool that takes over the tasks of another belongs to its campaign, whatever its accounts are. A greeting that two campaigns
/// use is one family among many.
fn name_campaigns(rings: &mut [Ring]) {
    let mut order: Vec<usize> = (0..rings.len()).collect();
    order.sort_by_key(|&i| (rings[i].confirmed, rings[i].proposed, rings[i].name));
    let families: Vec<BTreeSet<u64>> =
        rings.iter().map(|ring| ring.families.iter().map(|family| family.1).collect()).collect();
    for (n, &i) in order.iter().enumerate() {
        let common = |&j: &usize| families[i].intersection(&families[j]).count();
        let enough = |&j: &usize| {
            let smaller = families[i].len().min(families[j].len()) as f64;
            common(&j) >= LEAST_COMMON && common(&j) as f64 >= COMMON_SHARE * smaller
        };
        let before = order[..n].iter().copied().filter(enough).max_by_key(|j| (common(j), std::cmp::Reverse(*j)));
        if let Some(j) = before {
            rings[i].campaign = rings[j].campaign;
        }
    }
}

/// The ring of a text that is confirmed. Whoever sent it twice since it was frozen is a member, with the chance that the ring is none.
fn persistent(text: &Persistent) -> Option<Ring> {
    let confirmed = text.confirmed?;
    let streams = text.at_horizons.iter().flatten().last()?;
    let n = text.accounts.len() as u32;
    let member = |&account: &u32| Member {
        account,
        ln_ratio: text.ln_decisive(),
        local_fdr: PERSISTENT_FDR,
        families: 1,
        top: vec![text.family],
    };
    let name = text.name();
    Some(Ring {
        route: Route::Persistent(*streams),
        name,
        campaign: name,
        proposed: text.day,
        confirmed,
        gamma_star: 1.0,
        ln_e: text.ln_decisive(),
        groups: 1,
        frozen: text.accounts.clone(),
        core: text.accounts.clone(),
        members: text.accounts.iter().map(member).collect(),
        families: vec![(confirmed, text.family, n, n)],
        uses: Vec::new(),
        changes: Vec::new(),
    })
}

/// Chance that a confirmed text's ring is none: the share of false ones that was asked for.
const PERSISTENT_FDR: f64 = 0.01;

/// Accounts that share families, sorted, and the community of each. In a large graph modularity takes a small community together with another for one
/// account in both (Fortunato and Barthelemy 2007), so each is cut again by itself until nothing is left to cut.
fn parts(shared: &[&[Choice]], n_accounts: usize) -> (Vec<u32>, Vec<u32>) {
    let (accounts, graph) = joined(shared, n_accounts, 1);
    let mut community = communities(&graph, &Quality::modularity(&graph, 1.0));
    put_together(shared, &accounts, &mut community);
    let whole = nodes_of(&community);
    let mut next = whole.len() as u32;
    if whole.len() < 2 {
        return (accounts, community);
    }
    let mut by_community: Vec<Vec<Vec<Choice>>> = vec![Vec::new(); whole.len()];
    for all in shared {
        let mut own: BTreeMap<u32, Vec<Choice>> = BTreeMap::new();
        for choice in *all {
            if let Ok(i) = accounts.binary_search(&choice.account) {
                own.entry(community[i]).or_default().push(*choice);
            }
        }
        own.into_iter().filter(|(_, own)| own.len() >= 2).for_each(|(c, own)| by_community[c as usize].push(own));
    }
    for own in by_community {
        let own: Vec<&[Choice]> = own.iter().map(Vec::as_slice).collect();
        let (of, part) = parts(&own, n_accounts);
        let n = part.iter().max().map_or(0, |most| most + 1);
        for (account, part) in of.iter().zip(part) {
            if let Ok(i) = accounts.binary_search(account) {
                community[i] = next + part;
            }
        }
        next += n;
    }
    (accounts, community)
}

/// How much families mix two communities, as a share of what they would if the two were one, from which on they are one.
const MIXED: f64 = 0.5;
/// Accounts of a family from which on chance does not keep it from mixing.
const MANY: i32 = 40;

/// How well `n` accounts, of which `a` are of a community that holds this share, mix two communities: `n` if they do as by chance, 0 if all are of one.
fn mixing(a: i32, n: i32, share: f64) -> f64 {
    (f64::from(a) / share).min(f64::from(n - a) / (1.0 - share))
}

/// The same as expected of `n` accounts drawn from both.
fn expected_mixing(n: i32, share: f64) -> f64 {
    if n > MANY {
        return f64::from(n);
    }
    let (mut chance, mut out) = (libm::pow(1.0 - share, f64::from(n)), 0.0);
    for a in 0..=n {
        out += chance * mixing(a, n, share);
        chance *= f64::from(n - a) / f64::from(a + 1) * share / (1.0 - share);
    }
    out
}

/// Puts communities together of which families say that they are one. `community` are those of `accounts`, which are sorted.
fn put_together(shared: &[&[Choice]], accounts: &[u32], community: &mut [u32]) {
    let place = |choice: &Choice| accounts.binary_search(&choice.account).ok();
    loop {
        let mut sizes: BTreeMap<u32, f64> = BTreeMap::new();
        community.iter().for_each(|&c| *sizes.entry(c).or_default() += 1.0);
        // Any two communities that a family lies across.
        let mut pairs: BTreeSet<(u32, u32)> = BTreeSet::new();
        let families: Vec<BTreeMap<u32, i32>> = shared
            .iter()
            .map(|own| {
                let mut counts = BTreeMap::new();
                own.iter().filter_map(place).for_each(|i| *counts.entry(community[i]).or_default() += 1);
                counts
            })
            .collect();
        for counts in &families {
            for a in counts.keys() {
                pairs.extend(counts.keys().filter(|b| a < b).map(|b| (*a, *b)));
            }
        }
        let mut of_one: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (i, counts) in families.iter().enumerate() {
            counts.keys().for_each(|&c| of_one.entry(c).or_default().push(i));
        }
        let mut best: Option<(f64, u32, u32)> = None;
        for (a, b) in pairs {
            let share = sizes[&a] / (sizes[&a] + sizes[&b]);
            let mut own: Vec<usize> = of_one[&a].iter().chain(&of_one[&b]).copied().collect();
            own.sort_unstable();
            own.dedup();
            let (mut seen, mut expected) = (0.0, 0.0);
            for i in own {
                let of_a = families[i].get(&a).copied().unwrap_or(0);
                let n = of_a + families[i].get(&b).copied().unwrap_or(0);
                seen += mixing(of_a, n, share);
                expected += expected_mixing(n, share);
            }
            let ratio = seen / f64::max(expected, 1e-9);
            if ratio >= MIXED && best.is_none_or(|best| ratio > best.0) {
                best = Some((ratio, a, b));
            }
        }
        let Some((_, a, b)) = best else { return };
        community.iter_mut().filter(|c| **c == b).for_each(|c| *c = a);
    }
}

fn ring(state: &State, groups: &[&Group], core: Vec<u32>) -> Ring {
    // Of what proposed an account: the earliest day, and halves of it rather than all.
    let mut proposed: BTreeMap<u32, Proposed> = BTreeMap::new();
    for group in groups {
        let halves = [0, 1].map(|half| group.half == Some(half));
        for &account in &group.accounts {
            let first = proposed.entry(account).or_insert((group.of, halves));
            match group.of.cmp(&first.0) {
                Ordering::Less => *first = (group.of, halves),
                Ordering::Equal => first.1.iter_mut().zip(halves).for_each(|(own, half)| *own |= half),
                Ordering::Greater => {}
            }
        }
    }
    // Whatever is confirmed later does not change the name.
    let first = groups.iter().min_by_key(|group| group.order());
    let best =
        groups.iter().max_by(|a, b| a.survives.cmp(&b.survives).then(a.ln_decisive(0).total_cmp(&b.ln_decisive(0))));
    let name = first.map_or([0; 32], |group| group.name());
    let members = members(&core, &state.evidence, &|account| proposed.get(&account).copied());
    let mut families: Vec<(i32, u64, u32, u32)> = Vec::new();
    for day in &state.evidence {
        for witness in &day.witnesses {
            let own = common(&witness.new, &core);
            if own >= 2 && 2 * own >= witness.new.len() {
                families.push((day.day, witness.family, own as u32, witness.new.len() as u32));
            }
        }
    }
    families.sort_by_key(|&(day, family, own, _)| (std::cmp::Reverse(own), day, family));
    let uses = uses(&state.evidence, &members, &families);
    let changed = |(place, &change): (usize, &_)| Changed {
        change,
        ln_e: groups.iter().map(|group| group.ln_changed(place)).fold(f64::NEG_INFINITY, f64::max),
        stands: groups.iter().any(|group| group.confirmed.is_some() && group.otherwise.stands[place]),
    };
    Ring {
        route: Route::CoUse,
        name,
        campaign: name,
        proposed: groups.iter().map(|group| group.day).min().unwrap_or(0),
        confirmed: groups.iter().filter_map(|group| group.confirmed).min().unwrap_or(0),
        gamma_star: best.and_then(|group| AFFINITIES.get(usize::from(group.survives?)).copied()).unwrap_or(0.0),
        ln_e: best.map_or(0.0, |group| group.ln_decisive(0)),
        groups: groups.len(),
        frozen: first.map(|group| group.accounts.clone()).unwrap_or_default(),
        core,
        members,
        families,
        uses,
        changes: CHANGES.iter().enumerate().map(changed).collect(),
    }
}

/// Who of the first members used which of the first families.
fn uses(evidence: &[Evidence], members: &[Member], families: &[(i32, u64, u32, u32)]) -> Vec<(u8, u8)> {
    let mut out = Vec::new();
    for (place, &(day, family, ..)) in (0u8..).zip(families.iter().take(DRAWN)) {
        let of_day = evidence.iter().filter(|evidence| evidence.day == day).flat_map(|evidence| &evidence.witnesses);
        for witness in of_day.filter(|witness| witness.family == family) {
            let used = |member: &&Member| witness.new.binary_search(&member.account).is_ok();
            let own = (0u8..).zip(members.iter().take(DRAWN)).filter(|(_, member)| used(member));
            out.extend(own.map(|(member, _)| (member, place)));
        }
    }
    out
}
