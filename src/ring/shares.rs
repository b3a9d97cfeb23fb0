//! Which share of an account's requests has some property, in a group as against other accounts.
//!
//! The idea: two streams ask the same question of different properties: whether requests want reasoning written out or answers graded (focus), and whether they go to a model that has
//! just appeared (pivot). The statistic is the mean over accounts of the share of their requests; the p-value is its rank among sets of other accounts, each drawn from those of the same plan
//! that ask about as much (Besag and Clifford 1991). Whoever calls this sees to it that the requests are none of those that proposed the group. Weakness: people of one trade have one focus,
//! and the customers of an app go to a new model when their app does, so either says what accounts do and not why. Guarantee: the same seed gives the same p.

use super::streams::ln_rank_of;
use rand::Rng as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Requests of an account, and how many of them have the property.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// The account.
    pub account: u32,
    /// Its plan, which says with whom it is compared.
    pub plan: Option<u64>,
    /// Its requests that count, one at least.
    pub requests: u32,
    /// Those with the property.
    pub having: u32,
}

impl Counted {
    fn share(&self) -> f64 {
        f64::from(self.having) / f64::from(self.requests.max(1))
    }
}

/// How the shares of a group's accounts compare.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    /// Accounts of the group that have requests.
    pub accounts: u32,
    /// Mean of their shares.
    pub share: f64,
    /// Mean of the shares of all others.
    pub of_others: f64,
    /// ln p that the mean is so large.
    pub ln_p: f64,
}

/// Fewest accounts of which this can be told.
const LEAST: usize = 3;
/// Accounts of a group that are looked at; of more, those with the smallest numbers.
const MOST: usize = 1_000;
/// Draws, where few are as extreme as what was seen.
const MOST_DRAWS: u32 = 9_999;
/// Others that may stand in the place of an account, at least; and for each account of the group that is like it.
const ALIKE: usize = 100;
const ALIKE_EACH: usize = 4;
/// How often an account that is drawn already is drawn again.
const AGAIN: usize = 8;

/// Compares the accounts of a group, which are sorted, with all others; none where there are too few of either.
#[must_use]
pub fn shares(all: &[Counted], group: &[u32], seed: u64) -> Option<Shares> {
    let is_own = |of: &Counted| group.binary_search(&of.account).is_ok();
    let (mut own, mut others): (Vec<Counted>, Vec<Counted>) =
        all.iter().copied().filter(|of| of.requests > 0).partition(is_own);
    own.sort_unstable_by_key(|of| of.account);
    own.truncate(MOST);
    if own.len() < LEAST || others.len() < 2 * own.len() {
        return None;
    }
    others.sort_unstable_by_key(|of| (of.plan, of.requests, of.account));
    let mut of_any: Vec<Counted> = others.clone();
    of_any.sort_unstable_by_key(|of| (of.requests, of.account));
    let nearest: Vec<&[Counted]> = own.iter().map(|of| alike(&others, &of_any, of, &own)).collect();
    let mean = |sum: f64, n: usize| sum / n as f64;
    let seen: f64 = own.iter().map(Counted::share).sum();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn = BTreeSet::new();
    let ln_p = ln_rank_of(MOST_DRAWS, || {
        drawn.clear();
        let mut sum = 0.0;
        for near in &nearest {
            let mut other = &near[rng.random_range(0..near.len())];
            for _ in 0..AGAIN {
                if drawn.insert(other.account) {
                    break;
                }
                other = &near[rng.random_range(0..near.len())];
            }
            sum += other.share();
        }
        // Sums of the same shares in another order are the same.
        sum >= seen - 1e-9
    });
    let of_others = mean(others.iter().map(Counted::share).sum(), others.len());
    Some(Shares { accounts: own.len() as u32, share: mean(seen, own.len()), of_others, ln_p })
}

/// Others of an account's plan with as many requests: those with the very number, and where they are few the nearest below and above, as many of each. Of any plan where its own
/// has few. A window that is not even would draw accounts whose shares scatter less, or more.
fn alike<'a>(by_plan: &'a [Counted], of_any: &'a [Counted], one: &Counted, own: &[Counted]) -> &'a [Counted] {
    let of_plan = &by_plan[by_plan.partition_point(|of| of.plan < one.plan)..];
    let of_plan = &of_plan[..of_plan.partition_point(|of| of.plan == one.plan)];
    let like = own.iter().filter(|of| (of.plan, of.requests) == (one.plan, one.requests)).count();
    let wanted = ALIKE.max(ALIKE_EACH * like);
    let from = if of_plan.len() >= wanted { of_plan } else { of_any };
    let mut low = from.partition_point(|of| of.requests < one.requests);
    let mut high = from.partition_point(|of| of.requests <= one.requests);
    let more = wanted.saturating_sub(high - low).div_ceil(2);
    (low, high) = (low.saturating_sub(more), (high + more).min(from.len()));
    &from[low..high]
}
