//! The order of a set: equal to enumeration where that is possible, uniform under the null, told where a queue keeps it.

use super::super::order::order;
use crate::stats::{ln_uniformity, proportion_interval};
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Kendall's numerator as it is defined, over all pairs.
fn concordance(texts: &[(i64, u64)]) -> i64 {
    let of = |i: usize, j: usize| (texts[i].0.cmp(&texts[j].0) as i64) * (texts[i].1.cmp(&texts[j].1) as i64);
    (0..texts.len()).flat_map(|j| (0..j).map(move |i| (i, j))).map(|(i, j)| of(i, j)).sum()
}

#[test]
fn tau_and_its_rank_equal_enumeration() {
    let mut rng = ChaCha8Rng::seed_from_u64(71);
    // Chances of every order of eight texts, by the number of pairs against the order (Mahonian numbers).
    let mut against = vec![1.0f64];
    for n in 2..=8usize {
        let mut next = vec![0.0; against.len() + n - 1];
        against.iter().enumerate().for_each(|(k, ways)| (0..n).for_each(|more| next[k + more] += ways));
        against = next;
    }
    let all: f64 = against.iter().sum();
    assert!((all - 40_320.0).abs() < 1e-9);
    for seed in 0..40 {
        let mut places: Vec<u64> = (0..8).map(|i| 10 * i).collect();
        // Near the order, so that draws are many and the rank exact to its last digits.
        (0..rng.random_range(0..4)).for_each(|_| places.swap(rng.random_range(0..8), rng.random_range(0..8)));
        let texts: Vec<(i64, u64)> = (0..8).zip(places).collect();
        let found = order(texts.clone(), seed).expect("enough texts");
        let seen = concordance(&texts);
        assert!((found.tau - seen as f64 / 28.0).abs() < 1e-12);
        let p = against[..=((28 - seen) / 2) as usize].iter().sum::<f64>() / all;
        assert!((found.ln_p.exp() - p).abs() <= 0.01 + 0.7 * p, "{} for {p}", found.ln_p.exp());
    }
    assert!(order((0..7).map(|i| (i, i as u64)).collect(), 0).is_none());
    // What came at one moment says nothing, and everything at one moment nothing at all.
    let mut tied: Vec<(i64, u64)> = (0..30).map(|i| (i / 3, (i * 7 % 30) as u64)).collect();
    tied.shuffle(&mut rng);
    let found = order(tied.clone(), 1).expect("enough texts");
    assert!((found.tau - concordance(&tied) as f64 / 435.0).abs() < 1e-12);
    // Of more than a hundred the cut goes through those of one moment, whose places say nothing of which are kept.
    let cut: Vec<(i64, u64)> = (0..500u64).map(|i| (i64::from(i % 10 > 0), i * 7 % 500)).collect();
    assert!(order(cut, 1).expect("enough texts").tau.abs() < 0.2);
    let at_once = order((0..30).map(|i| (5, i)).collect(), 1).expect("enough texts");
    assert_eq!((at_once.tau, at_once.ln_p), (0.0, 0.0));
}

#[test]
fn ranks_are_uniform_where_the_order_has_nothing_to_do_with_the_set() {
    let mut rng = ChaCha8Rng::seed_from_u64(72);
    let mut ln_p = Vec::new();
    for seed in 0..400 {
        // Some of a set of 500, at any time, a few at one moment; of more than a hundred the first are looked at.
        let n = rng.random_range(12..160);
        let one = |_| (rng.random_range(0..100_000), rng.random_range(0..500));
        ln_p.push(order((0..n).map(one).collect(), seed).expect("enough texts").ln_p);
    }
    let small = ln_p.iter().filter(|ln_p| **ln_p <= 0.05f64.ln()).count() as u64;
    assert!(proportion_interval(small, 400, 0.999).0 <= 0.05, "{small} of 400 below 5%");
    assert!(ln_uniformity(&ln_p) > 1e-4f64.ln());
}

#[test]
fn a_queue_over_several_accounts_keeps_the_order_and_a_shuffled_one_does_not() {
    let mut rng = ChaCha8Rng::seed_from_u64(73);
    // Forty texts dealt to accounts of which each answers within some minutes.
    let dealt: Vec<(i64, u64)> = (0..40u64).map(|i| (60 * i as i64 + rng.random_range(0..600), i)).collect();
    let found = order(dealt.clone(), 1).expect("enough texts");
    assert!(found.tau > 0.6 && found.ln_p < 1e-3f64.ln() && found.texts == 40, "{found:?}");
    assert_eq!(Some(found), order(dealt, 1));
    let mut places: Vec<u64> = (0..40).collect();
    places.shuffle(&mut rng);
    let shuffled = order((0..40).zip(places).collect(), 1).expect("enough texts");
    assert!(shuffled.tau.abs() < 0.3 && shuffled.ln_p > 0.01f64.ln(), "{shuffled:?}");
    // Against the order is no sign of a queue.
    let backwards = order((0..40).map(|i| (i, 100 - i as u64)).collect(), 1).expect("enough texts");
    assert!((backwards.tau + 1.0).abs() < 1e-12 && backwards.ln_p > -0.1, "{backwards:?}");
}
