//! Confirmed groups that no ring holds: whether what is left of them is a ring of its own.
//!
//! The idea: a confirmed group says that some of its accounts act together, not which. Where communities cut it up, a part of it can be left without a group of its own: the rest of a pool of
//! which many accounts share little with each other, or the bystanders of a campaign. So the evidence of the rest alone is computed, on the days that tested the group, from what is kept of them.
//! It is a ring where that e-value is the number of all that are asked over the error rate q, or more, and more than one without the account that shares most. Weakness: what is left was not frozen, so this is no test
//! of its own: it only takes away from what the group's test has confirmed; and who shared nothing on a day counts as absent on it.
//! Guarantee: what shares one text a day does not stand, on however many days.

use super::confirm::{AFFINITIES, EXPECTED_SHARED, LIFTS, LnE, MOST, ratios};
use super::day::half;
use super::member::{Evidence, Witness};
use super::propose::LEAST_ACCOUNTS;
use super::walk::{Group, State};
use std::collections::{BTreeMap, BTreeSet};

/// Families that a day is thought to have at least.
const FEWEST: u64 = 20;
/// Odds of accounts for families that are looked at one by one; a rest with more does not stand.
const MOST_ODDS: usize = 2_000_000;

/// What is left of a group, with evidence of its own.
pub(super) struct Rest<'a> {
    /// The group, and others of which it is as large a part as a ring must be.
    pub groups: Vec<&'a Group>,
    /// The accounts that are left, sorted.
    pub core: Vec<u32>,
    /// ln of their e-value, which is not above the group's.
    pub ln_e: f64,
    /// The largest affinity at which the evidence is enough.
    pub gamma_star: f64,
}

/// What is left of these groups beside the accounts that rings have `taken`, of which a ring must hold the share `most_of`.
pub(super) fn rests<'a>(
    state: &State,
    mut groups: Vec<&'a Group>,
    mut taken: BTreeSet<u32>,
    (most_of, q): (f64, f64),
) -> Vec<Rest<'a>> {
    // As many are asked, and each may be told, so each must be as strong as the surest of them.
    let ln_enough = libm::log(groups.len().max(1) as f64 / q);
    let chose: BTreeSet<u32> =
        state.evidence.iter().flat_map(|day| &day.witnesses).flat_map(|witness| witness.new.iter().copied()).collect();
    groups.sort_by(|a, b| b.ln_decisive(0).total_cmp(&a.ln_decisive(0)).then_with(|| a.order().cmp(&b.order())));
    let mut out = Vec::new();
    while !groups.is_empty() {
        let group = groups.remove(0);
        let known = |group: &Group| group.accounts.iter().copied().filter(|account| chose.contains(account)).collect();
        let mut core: Vec<u32> = known(group);
        core.retain(|account| !taken.contains(account));
        if core.len() < LEAST_ACCOUNTS {
            continue;
        }
        let Some((ln_e, gamma_star)) = stands(state, group, &core, ln_enough) else { continue };
        let is_held = |other: &mut &Group| {
            let known: Vec<u32> = known(other);
            let held = known.iter().filter(|account| core.binary_search(account).is_ok()).count();
            !known.is_empty() && held as f64 >= most_of * known.len() as f64
        };
        let mut own = vec![group];
        own.extend(groups.extract_if(.., is_held));
        taken.extend(&core);
        out.push(Rest { groups: own, core, ln_e, gamma_star });
    }
    out
}

/// ln of the e-value of the rest at the first affinity, and the largest affinity at which it is enough; none where it never is.
fn stands(state: &State, group: &Group, rest: &[u32], ln_enough: f64) -> Option<(f64, f64)> {
    if tests(state, group, rest).map(|(.., shared)| shared.len() * rest.len()).sum::<usize>() > MOST_ODDS {
        return None;
    }
    let busiest = busiest(state, group, rest)?;
    let others: Vec<u32> = rest.iter().copied().filter(|account| *account != busiest).collect();
    let (own, without) = (decisive(state, group, rest), decisive(state, group, &others));
    let survives = group.survives.map_or(0, |last| usize::from(last) + 1);
    let is_enough = |place: &usize| own[*place] >= ln_enough && without[*place] > 0.0;
    let last = (0..survives).take_while(is_enough).last()?;
    Some((own[0].min(group.ln_decisive(0)), AFFINITIES[last]))
}

/// Of each day that tested the group: the day on which that was known, the evidence, and the families that tested it and that two of these accounts chose or more, with those accounts.
fn tests<'a>(
    state: &'a State,
    group: &'a Group,
    rest: &'a [u32],
) -> impl Iterator<Item = (i32, &'a Evidence, Vec<(&'a Witness, Vec<u32>)>)> {
    state.evidence.iter().filter_map(|day| {
        let without = group.half.filter(|_| day.day == group.of);
        if without.is_none() && day.day <= group.day {
            return None;
        }
        let counts = |witness: &&Witness| {
            without.is_none_or(|without| without != half(day.day, witness.family, witness.neighbourhood))
        };
        let of_rest = |witness: &'a Witness| {
            let chosen = witness.new.iter().copied().filter(|account| rest.binary_search(account).is_ok());
            (witness, chosen.collect::<Vec<u32>>())
        };
        let shared = day.witnesses.iter().filter(counts).map(of_rest).filter(|(_, chosen)| chosen.len() >= 2);
        Some((day.day.max(group.day), day, shared.collect()))
    })
}

/// The account of the rest that shares most.
fn busiest(state: &State, group: &Group, rest: &[u32]) -> Option<u32> {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for chosen in tests(state, group, rest).flat_map(|(.., shared)| shared).map(|(_, chosen)| chosen) {
        chosen.iter().for_each(|&account| *counts.entry(account).or_default() += 1);
    }
    counts.into_iter().max_by_key(|&(account, n)| (n, std::cmp::Reverse(account))).map(|(account, _)| account)
}

/// ln of the e-value that decides, for each affinity, as [`Group::ln_decisive`], of these accounts. Families that no two of them chose count as in
/// [`super::confirm`], at the least that they can.
fn decisive(state: &State, group: &Group, rest: &[u32]) -> LnE {
    let of_day = |(known, day, shared): (i32, &Evidence, Vec<(&Witness, Vec<u32>)>)| {
        // Of a day with few families as many are thought to be, so that one text never says more than the day costs.
        let record = state.days.iter().find(|record| record.day == day.day);
        let families = record.map_or(FEWEST, |record| record.families.max(FEWEST)) as f64;
        let epsilon = EXPECTED_SHARED / families;
        let mut ln_e = [families * libm::log1p(-epsilon); AFFINITIES.len()];
        for (witness, chosen) in shared {
            let odds: Vec<f64> = rest.iter().filter_map(|&account| day.odds(account, witness)).collect();
            for (sum, phi) in ln_e.iter_mut().zip(AFFINITIES) {
                let mean = ratios(&odds, chosen.len() as u32, phi).iter().sum::<f64>() / LIFTS.len() as f64;
                *sum += libm::log((1.0 - epsilon + epsilon * mean).min(MOST)) - libm::log1p(-epsilon);
            }
        }
        (known, ln_e)
    };
    let days: Vec<(i32, LnE)> = tests(state, group, rest).map(of_day).collect();
    group.mean_over_horizons(state.through().unwrap_or_default(), &days)
}
