//! Which accounts belong to a ring, each with the chance that it does not.
//!
//! The idea: an account joins by what it chose together with the others, judged without itself: a family counts for it where at least two other
//! accounts of the ring were new to it and make up most of those to whom it was new. Its likelihood ratio is the one of [`super::confirm`] for a group of one.
//! What proposed the account does not count: the day, or the half of it whose texts did. What share of the accounts in confirmed groups are members is estimated from their
//! ratios (Efron 2004, local false discovery rate); of all others as many are thought to be as the ring is large. An account may be in several rings. Weakness: an account that sent one or two prompts of a campaign stays
//! outside. Guarantee: the expected share of false ones in a list of level α is at most α as far as the odds of the null hold.

use super::day::half;
use super::null::Null;
use crate::stats::ln_mean;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How busy a member may be, as a factor on the share of the other members that chose a family.
const BUSY: [f64; 5] = [0.1, 0.3, 1.0, 2.0, 4.0];
/// How much likelier than the null says an innocent account is thought to choose the families of a ring, over all of them.
const AFFINITY: f64 = 2.0;

/// A family that suspected accounts shared on a day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Witness {
    /// The family.
    pub family: u64,
    /// Its neighbourhood.
    pub neighbourhood: u16,
    /// Its popularity in the null.
    pub popularity: f64,
    /// Accounts that it was new to, sorted.
    pub new: Vec<u32>,
}

/// How active an account was on a day: its weights in the null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The account.
    pub account: u32,
    activity: f64,
    base: f64,
    extra: Vec<(u16, f64)>,
}

impl Asked {
    fn weight(&self, neighbourhood: u16) -> f64 {
        if neighbourhood == super::day::EVERYWHERE {
            return self.activity;
        }
        let found = self.extra.binary_search_by_key(&neighbourhood, |(n, _)| *n);
        self.base + found.map_or(0.0, |i| self.extra[i].1)
    }
}

/// What suspected accounts shared on a day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The day.
    pub day: i32,
    /// Active accounts of the day.
    pub n_accounts: u32,
    /// Families that two suspected accounts or more chose.
    pub witnesses: Vec<Witness>,
    /// Whoever chose one of them, and suspected accounts that were active and chose none, by account.
    pub asked: Vec<Asked>,
}

impl Evidence {
    /// The odds that an account chooses a family of the day; none where it shared nothing.
    pub(super) fn odds(&self, account: u32, witness: &Witness) -> Option<f64> {
        let i = self.asked.binary_search_by_key(&account, |asked| asked.account).ok()?;
        Some(self.asked[i].weight(witness.neighbourhood) * witness.popularity)
    }

    /// Leaves out accounts.
    pub(super) fn forget(&mut self, is_gone: &dyn Fn(u32) -> bool) {
        self.witnesses.iter_mut().for_each(|witness| witness.new.retain(|account| !is_gone(*account)));
        self.asked.retain(|asked| !is_gone(asked.account));
    }
}

/// Keeps what suspected accounts shared on a day; nothing where they shared nothing.
#[must_use]
pub fn evidence(day: i32, null: &Null, is_suspected: &dyn Fn(u32) -> bool) -> Option<Evidence> {
    let account = |place: &u32| null.weights.accounts[*place as usize];
    let mut witnesses = Vec::new();
    let n_accounts = null.weights.accounts.len() as u32;
    let mut places: Vec<u32> = (0..n_accounts).filter(|place| is_suspected(account(place))).collect();
    let mut neighbourhoods: Vec<u16> = Vec::new();
    for family in &null.families {
        if family.new.iter().filter(|place| is_suspected(account(place))).count() < 2 {
            continue;
        }
        places.extend(&family.new);
        neighbourhoods.push(family.neighbourhood);
        witnesses.push(Witness {
            family: family.family,
            neighbourhood: family.neighbourhood,
            popularity: family.popularity[0],
            new: family.new.iter().map(account).collect(),
        });
    }
    places.sort_unstable();
    places.dedup();
    neighbourhoods.sort_unstable();
    let asked = places.iter().map(|&place| {
        let row = null.weights.row(place as usize).iter();
        Asked {
            account: account(&place),
            activity: null.weights.activity(place as usize),
            base: null.weights.base(place as usize),
            extra: row.filter(|(n, _)| neighbourhoods.binary_search(n).is_ok()).copied().collect(),
        }
    });
    let asked: Vec<Asked> = asked.collect();
    (!witnesses.is_empty()).then_some(Evidence { day, n_accounts, witnesses, asked })
}

/// A member of a ring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The account.
    pub account: u32,
    /// ln of the likelihood ratio for its joining.
    pub ln_ratio: f64,
    /// The chance that it does not belong, in [0, 1].
    pub local_fdr: f64,
    /// Families of the ring that it chose: how many.
    pub families: u32,
    /// The three of them that say most.
    pub top: Vec<u64>,
}

/// How many of the witnesses' new accounts are in a sorted list.
pub(super) fn common(new: &[u32], sorted: &[u32]) -> usize {
    new.iter().filter(|account| sorted.binary_search(account).is_ok()).count()
}

/// What is known of one account.
#[derive(Default)]
struct Clues {
    /// Sum of the ln likelihood ratios for each of [`BUSY`].
    ln_ratios: [[f64; BUSY.len()]; 2],
    /// Families of the ring that it chose, each with what it says.
    chosen: Vec<(f64, u64)>,
}

/// What proposed an account: the day, and which halves of its texts did; neither where all of them did together.
pub(super) type Proposed = (i32, [bool; 2]);

/// Whoever may belong to the ring with this core, the likeliest first; `proposed` says what proposed an account.
#[must_use]
pub(super) fn members<'a>(
    core: &[u32],
    evidence: &'a [Evidence],
    proposed: &dyn Fn(u32) -> Option<Proposed>,
) -> Vec<Member> {
    let mut clues: BTreeMap<u32, Clues> = BTreeMap::new();
    let most_accounts = evidence.iter().map(|day| day.n_accounts).max().unwrap_or(0).max(1);
    let of_day = |day: &'a Evidence| -> Vec<(&'a Witness, usize)> {
        let shared = day.witnesses.iter().map(|witness| (witness, common(&witness.new, core)));
        shared.filter(|(witness, n)| *n >= 2 && 2 * n >= witness.new.len()).collect()
    };
    let own: Vec<Vec<(&Witness, usize)>> = evidence.iter().map(of_day).collect();
    // Of whoever chose nothing of the ring and was not proposed nothing is asked.
    let mut choosers: Vec<u32> = own.iter().flatten().flat_map(|(witness, _)| witness.new.iter().copied()).collect();
    choosers.sort_unstable();
    choosers.dedup();
    for (day, own) in evidence.iter().zip(&own) {
        for asked in &day.asked {
            let proposed = proposed(asked.account);
            if proposed.is_none() && choosers.binary_search(&asked.account).is_err() {
                continue;
            }
            // What is left of the day that proposed it: the other half, or nothing.
            let left = proposed.filter(|proposed| proposed.0 == day.day).map(|proposed| proposed.1);
            if left == Some([false; 2]) {
                continue;
            }
            // Where both halves proposed it, each is judged by the other, and the mean of the two ratios counts.
            let without = left.map_or([None; 2], |halves| match halves {
                [true, true] => [Some(0), Some(1)],
                [true, false] => [Some(0); 2],
                _ => [Some(1); 2],
            });
            let in_core = core.binary_search(&asked.account).is_ok();
            let of_account = clues.entry(asked.account).or_default();
            for (witness, n) in own {
                let half = without[0].is_some().then(|| half(day.day, witness.family, witness.neighbourhood));
                let counts = without.map(|without| without.is_none() || without != half);
                if counts == [false; 2] {
                    continue;
                }
                let chosen = witness.new.binary_search(&asked.account).is_ok();
                // Without the account itself.
                let others = n - usize::from(chosen && in_core);
                let all = witness.new.len() - usize::from(chosen);
                if others < 2 || 2 * others < all {
                    continue;
                }
                let rate = (others as f64 + 0.5) / (core.len() - usize::from(in_core) + 1) as f64;
                let odds = AFFINITY * asked.weight(witness.neighbourhood) * witness.popularity;
                let innocent = odds / (1.0 + odds);
                let ratio = |busy: f64| {
                    let member = (busy * rate).min(0.9);
                    if chosen { libm::log(member / innocent) } else { libm::log((1.0 - member) / (1.0 - innocent)) }
                };
                let all = BUSY.map(ratio);
                for (sums, _) in of_account.ln_ratios.iter_mut().zip(counts).filter(|(_, counts)| *counts) {
                    sums.iter_mut().zip(all).for_each(|(sum, ratio)| *sum += ratio);
                }
                if chosen {
                    of_account.chosen.push((all[2], witness.family));
                }
            }
        }
    }
    let share = core.len() as f64 / f64::from(most_accounts).max(core.len() as f64 + 1.0);
    let of_groups: Vec<f64> = clues
        .iter()
        .filter(|(account, _)| proposed(**account).is_some())
        .map(|(_, clues)| ln_mean(clues.ln_ratios.as_flattened()))
        .collect();
    let (of_groups, of_others) = (estimated_share(&of_groups), share);
    clues.retain(|_, clues| !clues.chosen.is_empty());
    let mut out: Vec<Member> = clues
        .into_iter()
        .map(|(account, Clues { ln_ratios, mut chosen })| {
            let share = if proposed(account).is_some() { of_groups } else { of_others };
            let prior = libm::log(share / (1.0 - share));
            let ln_ratio = ln_mean(ln_ratios.as_flattened());
            chosen.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let families = chosen.len() as u32;
            let top = chosen.iter().take(3).map(|(_, family)| *family).collect();
            Member { account, ln_ratio, local_fdr: 1.0 / (1.0 + libm::exp(prior + ln_ratio)), families, top }
        })
        .collect();
    out.sort_by(|a, b| a.local_fdr.total_cmp(&b.local_fdr).then(a.account.cmp(&b.account)));
    out
}

/// Largest share of members that is believed of any list, and the least.
const SHARES: [f64; 2] = [0.01, 0.95];

/// The share of members among accounts with these likelihood ratios, by expectation and maximisation.
fn estimated_share(ln_ratios: &[f64]) -> f64 {
    let mut share: f64 = 0.5;
    for _ in 0..100 {
        let odds = libm::log(share / (1.0 - share));
        let sum: f64 = ln_ratios.iter().map(|ln_ratio| 1.0 / (1.0 + libm::exp(-odds - ln_ratio))).sum();
        share = (sum / (ln_ratios.len() as f64).max(1.0)).clamp(SHARES[0], SHARES[1]);
    }
    share
}

/// An account's own chance to be none may be so many times the level of a list that it stands on: the mean alone would let sure members pay for doubtful ones.
const MOST_OWN: f64 = 10.0;

/// How many of these members, in order, a list of level `alpha` has: the mean of their local rates is at most that, and none is above ten times as much.
#[must_use]
pub fn at_level(members: &[Member], alpha: f64) -> usize {
    let mut sum = 0.0;
    let within = |(n, member): (usize, &Member)| {
        sum += member.local_fdr;
        // Equal rates that add up to the level are within it, whatever rounding does.
        let is_within = sum <= alpha * (n + 1) as f64 * (1.0 + 1e-9) && member.local_fdr <= MOST_OWN * alpha;
        is_within.then_some(n + 1)
    };
    members.iter().enumerate().map_while(within).last().unwrap_or(0)
}
