//! What the accounts of a group have in common beside their texts: means of payment, networks, clients.
//!
//! The idea: operators buy accounts in bulk. For each attribute the pairs of accounts with the same value are counted, each weighing the logarithm of how rare
//! the value is, so that a client that everybody has says little; the p-value is the rank of that sum among sets of other accounts, each drawn from those
//! of the same plan that ask about as much. Over the attributes the smallest p counts, times their number (Holm 1979). It knows nothing of texts, and is
//! asked once, of the accounts of the first confirmed group, which were frozen before. Weakness: what the log does not say is not seen, and an operator who buys
//! apart looks like anybody; people of one company share a card honestly. Guarantee: the same seed gives the same p.

use super::streams::{MOST_DRAWS, ln_rank_of};
use rand::Rng as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of an account on a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asker {
    /// The account.
    pub account: u32,
    /// Its requests.
    pub requests: u32,
    /// Its plan, which says with whom it is compared.
    pub plan: Option<u64>,
    /// The value of each attribute, by a digest.
    pub values: Vec<Option<u64>>,
}

/// What a group has in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Composition {
    /// Accounts of the group that were active.
    pub accounts: u32,
    /// ln p of the attribute that is shared most, times the number of attributes.
    pub ln_p: f64,
    /// For each attribute that most accounts have: its place, ln p, and how many accounts of the group have its commonest value there.
    pub attributes: Vec<(u8, f64, u32)>,
}

/// Fewest accounts of which this can be told.
const LEAST: usize = 3;
/// Draws where the test is changed: enough to reach an e-value of 20.
pub(super) const DRAWS_OF_CHANGES: u32 = 1_999;
/// Others, nearest in requests, that may stand in the place of an account.
const NEAREST: usize = 200;
/// How often an account that is drawn already is drawn again.
const AGAIN: usize = 8;

/// Tests a group, whose accounts are sorted, among all askers of a day; none where too little is known.
#[must_use]
pub fn composition(askers: &[Asker], group: &[u32], seed: u64) -> Option<Composition> {
    among(askers, group, seed, MOST_DRAWS)
}

/// The same where accounts of any plan stand in for each other: what is left of the finding without the strata.
#[must_use]
pub fn composition_of_any_plan(askers: &[Asker], group: &[u32], seed: u64) -> Option<Composition> {
    let of_any: Vec<Asker> = askers.iter().map(|asker| Asker { plan: None, ..asker.clone() }).collect();
    among(&of_any, group, seed, DRAWS_OF_CHANGES)
}

fn among(askers: &[Asker], group: &[u32], seed: u64, most_draws: u32) -> Option<Composition> {
    let is_own = |asker: &&Asker| group.binary_search(&asker.account).is_ok();
    let own: Vec<&Asker> = askers.iter().filter(is_own).collect();
    let mut others: Vec<&Asker> = askers.iter().filter(|asker| !is_own(asker)).collect();
    if own.len() < LEAST || others.len() < 2 * own.len() {
        return None;
    }
    others.sort_by_key(|asker| (asker.requests, asker.account));
    let mut by_plan = others.clone();
    by_plan.sort_by_key(|asker| asker.plan);
    let nearest: Vec<&[&Asker]> = own.iter().map(|asker| near(&by_plan, &others, asker, own.len())).collect();
    let attributes = own.iter().map(|asker| asker.values.len()).max().unwrap_or(0);
    let of_attribute = |place: usize| {
        let value = |asker: &Asker| asker.values.get(place).copied().flatten();
        let known = own.iter().filter(|asker| value(asker).is_some()).count();
        let known_of_others = others.iter().filter(|asker| value(asker).is_some()).count();
        if known < LEAST || 2 * known < own.len() || 2 * known_of_others < others.len() {
            return None;
        }
        let mut having: BTreeMap<u64, f64> = BTreeMap::new();
        askers.iter().filter_map(value).for_each(|value| *having.entry(value).or_default() += 1.0);
        let all = (known + known_of_others) as f64;
        let shared = |values: &mut Vec<u64>| -> (f64, u32) {
            values.sort_unstable();
            values.chunk_by(|a, b| a == b).fold((0.0, 0), |(sum, most), same| {
                let n = same.len() as f64;
                let rarity = libm::log(all / having.get(&same[0]).copied().unwrap_or(1.0));
                (sum + 0.5 * n * (n - 1.0) * rarity, most.max(same.len() as u32))
            })
        };
        let (seen, most) = shared(&mut own.iter().filter_map(|asker| value(asker)).collect());
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ place as u64);
        let (mut values, mut drawn) = (Vec::with_capacity(own.len()), BTreeSet::new());
        let ln_p = ln_rank_of(most_draws, || {
            values.clear();
            drawn.clear();
            for near in &nearest {
                let mut other = near[rng.random_range(0..near.len())];
                for _ in 0..AGAIN {
                    if drawn.insert(other.account) {
                        break;
                    }
                    other = near[rng.random_range(0..near.len())];
                }
                values.extend(value(other));
            }
            shared(&mut values).0 >= seen
        });
        Some((place as u8, ln_p, most))
    };
    let attributes: Vec<(u8, f64, u32)> = (0..attributes).filter_map(of_attribute).collect();
    let ln_p = of_all(&attributes)?;
    Some(Composition { accounts: own.len() as u32, ln_p, attributes })
}

/// ln p of the attribute that is shared most, times the number of attributes.
fn of_all(attributes: &[(u8, f64, u32)]) -> Option<f64> {
    let least = attributes.iter().map(|(_, ln_p, _)| *ln_p).reduce(f64::min)?;
    Some((least + libm::log(attributes.len() as f64)).min(0.0))
}

impl Composition {
    /// ln p without one of the attributes, given by its place; none where no other is known.
    #[must_use]
    pub fn ln_p_without(&self, place: u8) -> Option<f64> {
        let others: Vec<(u8, f64, u32)> = self.attributes.iter().copied().filter(|of| of.0 != place).collect();
        of_all(&others)
    }
}

/// The others of an account's plan that ask as much: those with the very number of requests, and where they are few the nearest below and
/// above, as many of each (a lopsided window would hold accounts of other habits). Any others where its plan has few; `by_plan` is sorted by plan and
/// requests, `of_any` by requests.
fn near<'a, 'b>(by_plan: &'b [&'a Asker], of_any: &'b [&'a Asker], asker: &Asker, group: usize) -> &'b [&'a Asker] {
    let wanted = NEAREST.max(4 * group);
    let of_plan = &by_plan[by_plan.partition_point(|other| other.plan < asker.plan)..];
    let of_plan = &of_plan[..of_plan.partition_point(|other| other.plan == asker.plan)];
    let from = if of_plan.len() >= 2 * group { of_plan } else { of_any };
    let low = from.partition_point(|other| other.requests < asker.requests);
    let high = from.partition_point(|other| other.requests <= asker.requests);
    let more = wanted.saturating_sub(high - low).div_ceil(2);
    &from[low.saturating_sub(more)..(high + more).min(from.len())]
}
