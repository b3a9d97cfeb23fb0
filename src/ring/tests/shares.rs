//! Shares of requests and facts in common: uniform under the null, told where they are there, and never a p-value of a fact.

use super::super::links::{Link, Named, links};
use super::super::shares::{Counted, shares};
use crate::stats::{ln_uniformity, proportion_interval};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

/// Accounts of two plans, of which the one with odd numbers has the property three times as often, and of any activity.
fn counted(n: u32, rng: &mut ChaCha8Rng) -> Vec<Counted> {
    let one = |account: u32| {
        let requests = rng.random_range(1..40);
        let own = rng.random::<f64>() * if account % 2 == 1 { 0.6 } else { 0.2 };
        let having = (0..requests).filter(|_| rng.random_bool(own)).count() as u32;
        Counted { account, plan: Some(u64::from(account % 2)), requests, having }
    };
    (0..n).map(one).collect()
}

#[test]
fn ranks_of_shares_are_uniform_under_the_null_also_of_a_plan_with_more() {
    let mut rng = ChaCha8Rng::seed_from_u64(51);
    let all = counted(2_000, &mut rng);
    for odd in [false, true] {
        let mut ln_p = Vec::new();
        for seed in 0..400 {
            // Any accounts, or those of the plan that has the property more often.
            let any = |rng: &mut ChaCha8Rng| {
                if odd { 2 * rng.random_range(0..1_000) + 1 } else { rng.random_range(0..2_000) }
            };
            let group: BTreeSet<u32> = (0..20).map(|_| any(&mut rng)).collect();
            ln_p.push(shares(&all, &group.into_iter().collect::<Vec<u32>>(), seed).expect("enough accounts").ln_p);
        }
        let small = ln_p.iter().filter(|ln_p| **ln_p <= 0.05f64.ln()).count() as u64;
        assert!(proportion_interval(small, 400, 0.999).0 <= 0.05, "{small} of 400 below 5%");
        assert!(ln_uniformity(&ln_p) > 1e-4f64.ln());
    }
}

#[test]
fn a_group_with_a_focus_is_told_and_no_more_than_draws_allow() {
    let mut rng = ChaCha8Rng::seed_from_u64(52);
    let mut all = counted(2_000, &mut rng);
    let group: Vec<u32> = (100..130).collect();
    for &account in &group {
        all[account as usize].having = all[account as usize].requests;
    }
    let found = shares(&all, &group, 7).expect("enough accounts");
    assert!((found.ln_p - 1e-4f64.ln()).abs() < 1e-9 && (found.share - 1.0).abs() < 1e-9, "{found:?}");
    assert!(found.of_others > 0.1 && found.of_others < 0.3 && found.accounts == 30, "{found:?}");
    assert_eq!(found, shares(&all, &group, 7).expect("the same"));
    // What nobody does is no finding, and accounts without requests are none.
    all.iter_mut().for_each(|of| of.having = 0);
    assert_eq!(shares(&all, &group, 7).map(|of| of.ln_p), Some(0.0));
    all.iter_mut().filter(|of| of.account < 128).for_each(|of| of.requests = 0);
    assert!(shares(&all, &group, 7).is_none());
}

#[test]
fn a_fact_is_told_with_how_common_it_is() {
    let named = |kind, value, account| Named { kind, value, account };
    let mut all: Vec<Named> = (0..100).map(|account| named(0, 7, account)).collect();
    // All have one client; three of the group and one other account have a card, which two of them name twice.
    all.extend([10, 11, 12, 50, 10, 11].map(|account| named(1, 900, account)));
    all.extend((0..40).map(|account| named(1, 1_000 + u64::from(account), account)));
    let group = [10, 11, 12, 13, 14];
    let found = links(&all, &group);
    assert_eq!(
        found,
        [
            Link { kind: 0, accounts: 5, of: 5, having: 100, known: 100 },
            Link { kind: 1, accounts: 3, of: 5, having: 4, known: 41 }
        ]
    );
    // What two strangers share is no link of the group.
    assert!(links(&[named(3, 1, 1), named(3, 1, 2), named(3, 1, 10)], &group).is_empty());
}
