//! Who goes to a new model: of each model that appears in the store, which share of an account's requests it gets in its first days.
//!
//! The idea: a campaign that harvests answers goes to the newest model at once, with all of its accounts. The first group of a ring is compared with accounts of the same plan that ask as much.
//! Models of the first day are not new. Weakness: customers of one app go to a new model when their app does, and a rare model may look new when it is first asked. Guarantee: a launch is
//! asked once, when its days are over; over all launches the smallest p counts, times their number.

use crate::ring::shares::{Counted, Shares, shares};
use crate::store::postings::{NONE, Posting};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Days from a model's first on that are looked at.
pub(super) const DAYS: i32 = 3;

/// How a ring's first group took a model up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pivot {
    /// Number of the model.
    pub(crate) model: u32,
    /// Its first day.
    pub(crate) day: i32,
    /// Shares of requests that it got; none where too few accounts asked.
    pub(crate) shares: Option<Shares>,
}

/// Models that are new on a later day than the store's first, of which the days are over: number and day. `first` are the days on which models were first asked.
pub(super) fn launches(first: &BTreeMap<u32, i32>, oldest: i32, newest: i32) -> Vec<(u32, i32)> {
    let is_over = |day: i32| day > oldest && day + DAYS <= newest;
    first.iter().filter(|(_, day)| is_over(**day)).map(|(model, day)| (*model, *day)).collect()
}

/// Requests by account of the first days of a model; requests without a model do not count.
pub(super) fn counts(postings: &[Posting], model: u32, plans: &BTreeMap<u32, u64>) -> Vec<Counted> {
    let mut out: BTreeMap<u32, Counted> = BTreeMap::new();
    for posting in postings.iter().filter(|posting| posting.model != NONE) {
        let (account, plan) = (posting.account, plans.get(&posting.account).copied());
        let of = out.entry(account).or_insert(Counted { account, plan, ..Counted::default() });
        of.requests += 1;
        of.having += u32::from(posting.model == model);
    }
    out.into_values().collect()
}

/// The pivot of a group whose accounts are sorted.
pub(super) fn pivot((model, day): (u32, i32), counts: &[Counted], group: &[u32], seed: u64) -> Pivot {
    Pivot { model, day, shares: shares(counts, group, seed ^ u64::from(model)) }
}

/// The day on which a pivot was first known.
pub(crate) fn known_on(pivot: &Pivot) -> i32 {
    pivot.day + DAYS
}

/// ln p over all launches: the smallest, times their number; none where none could be asked.
pub(crate) fn ln_p(pivots: &[Pivot]) -> Option<f64> {
    let all: Vec<f64> = pivots.iter().filter_map(|pivot| Some(pivot.shares?.ln_p)).collect();
    let least = all.iter().copied().reduce(f64::min)?;
    Some((least + libm::log(all.len() as f64)).min(0.0))
}

#[cfg(test)]
mod tests {
    use super::{counts, launches, ln_p, pivot};
    use crate::store::postings::{NONE, Posting};
    use std::collections::BTreeMap;

    #[test]
    fn a_model_is_new_after_the_first_day_and_asked_when_its_days_are_over() {
        let first = BTreeMap::from([(0, 10), (1, 10), (2, 12), (3, 14)]);
        assert_eq!(launches(&first, 10, 15), [(2, 12)]);
        assert_eq!(launches(&first, 10, 17), [(2, 12), (3, 14)]);
    }

    #[test]
    fn a_pool_that_moves_at_once_is_told() {
        let posting =
            |account: u32, model| Posting { prompt: 0, row: 0, time: 0, account, system: NONE, model, zero: 0 };
        // Each account asks ten times; of most one request goes to the new model, of the pool nine, and one names no model.
        let mut all = Vec::new();
        for account in 0..400 {
            let moved = if account < 12 { 9 } else { 1 };
            all.extend((0..10).map(|n| posting(account, if n < moved { 7 } else { 1 })));
            all.push(posting(account, NONE));
        }
        let counted = counts(&all, 7, &BTreeMap::new());
        assert_eq!((counted.len(), counted[0].requests, counted[0].having), (400, 10, 9));
        let found = pivot((7, 3), &counted, &(0..12).collect::<Vec<u32>>(), 1);
        let shares = found.shares.expect("enough accounts");
        assert!(shares.ln_p < 1e-3f64.ln() && (shares.share - 0.9).abs() < 1e-9, "{shares:?}");
        // Two launches: the smaller p counts twice. Of accounts that did not move more than others nothing is said.
        let innocent = pivot((7, 3), &counted, &(20..32).collect::<Vec<u32>>(), 1);
        assert_eq!(innocent.shares.map(|of| of.ln_p), Some(0.0));
        let both = ln_p(&[found, innocent]).expect("a number");
        assert!((both - shares.ln_p - 2f64.ln()).abs() < 1e-12 && ln_p(&[]).is_none());
    }
}
