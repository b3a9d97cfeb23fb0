//! The scan against enumeration: every span by hand, and the probability of every p over all texts of few windows; and on draws of every null.

use super::*;
use crate::stats::ln_binomial_upper;
use crate::watermark::Null;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// All spans of a document of `m` windows, as the page says them.
fn every(m: usize) -> Vec<(usize, usize, usize, usize)> {
    let mut lens = vec![(m, m)];
    for k in 0..40 {
        let base = 16usize << k;
        lens.extend([base, 3 * base / 2].into_iter().filter(|len| *len < m).map(|len| (len, base / 8)));
        if base >= m {
            break;
        }
    }
    let n_lens = lens.len();
    let mut all = Vec::new();
    for (len, step) in lens {
        let mut firsts: Vec<usize> = (0..m).step_by(step).filter(|first| first + len <= m).collect();
        if firsts.last() != Some(&(m - len)) {
            firsts.push(m - len);
        }
        let n = firsts.len();
        all.extend(firsts.into_iter().map(|first| (first, first + len, n_lens, n)));
    }
    all
}

#[test]
fn the_first_span_is_the_least_of_all_that_the_page_says() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let law = Law::new(Null::Coin { share: 0.3 });
    for m in [1usize, 2, 15, 16, 17, 23, 24, 25, 31, 33, 47, 63, 64, 65, 100, 150, 333] {
        let listed: usize = lengths(m).iter().map(|length| length.places).sum();
        assert_eq!(listed, every(m).len(), "{m}");
        for _ in 0..20 {
            let share = rng.random_range(0.2..0.7);
            let values: Vec<f64> = (0..m).map(|_| f64::from(u8::from(rng.random::<f64>() < share))).collect();
            let bound = |&(first, past, lens, n): &(usize, usize, usize, usize)| {
                let hits = values[first..past].iter().filter(|value| **value == 1.0).count();
                let p = if hits as f64 <= 0.3 * (past - first) as f64 {
                    0.0
                } else {
                    ln_binomial_upper(hits as u64, (past - first) as u64, 0.3)
                };
                (p + ((lens * n) as f64).ln()).min(0.0)
            };
            let least = every(m).iter().map(bound).fold(0.0, f64::min);
            let found = spans(&values, &law, (0.05f64).ln());
            let got = found.first().map_or(0.0, Span::ln_bound);
            assert!((got - least).abs() < 1e-12, "{m}: {got} and not {least}");
            // Further spans meet none of those before, and each holds at the level.
            for (i, span) in found.iter().enumerate() {
                assert!(found[..i].iter().all(|other| span.past <= other.first || other.past <= span.first));
                assert!(i == 0 || span.ln_bound() <= (0.05f64).ln());
            }
        }
    }
    assert!(lengths(0).is_empty() && spans(&[], &law, 0.0).is_empty());
}

#[test]
fn over_all_texts_of_few_windows_p_is_a_bound() {
    // Every outcome of m coins with its probability: P(p ≤ t) is at most t at every p that can be.
    for (m, share) in [(17u32, 0.5), (17, 0.2), (10, 0.3)] {
        let law = Law::new(Null::Coin { share });
        let mut outcomes: Vec<(f64, f64)> = (0u32..1 << m)
            .map(|bits| {
                let values: Vec<f64> = (0..m).map(|at| f64::from(bits >> at & 1)).collect();
                let ones = bits.count_ones() as i32;
                let probability = f64::powi(share, ones) * f64::powi(1.0 - share, m as i32 - ones);
                (spans(&values, &law, -40.0).first().map_or(0.0, Span::ln_bound), probability)
            })
            .collect();
        outcomes.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut so_far = 0.0;
        for alike in outcomes.chunk_by(|a, b| (a.0 - b.0).abs() < 1e-12) {
            so_far += alike.iter().map(|(_, probability)| probability).sum::<f64>();
            let t = alike[alike.len() - 1].0.exp();
            assert!(so_far <= t * (1.0 + 1e-9), "{m} {share}: {so_far} at {t}");
        }
        assert!((so_far - 1.0).abs() < 1e-9);
    }
}

/// Values of `m` windows under a null.
fn draws(null: &Null, m: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let exponential = |rng: &mut ChaCha8Rng| -libm::log1p(-rng.random::<f64>());
    let mut left = (0u32, 0u32);
    (0..m)
        .map(|_| match null {
            Null::Coin { share } => f64::from(u8::from(rng.random::<f64>() < *share)),
            // Lists of one seed each are coins; windows of one list are drawn without replacement.
            Null::List { list, vocab } => f64::from(u8::from(rng.random_range(0..*vocab) < *list)),
            Null::OneList { list, vocab } => {
                let hit = rng.random_range(0..vocab - left.0) < list - left.1;
                left = (left.0 + 1, left.1 + u32::from(hit));
                f64::from(u8::from(hit))
            }
            Null::Exponential { .. } => exponential(rng),
            Null::Pair { alpha, .. } => (1.0 - alpha) * exponential(rng) + alpha * exponential(rng),
            Null::Layers { depth, share, weights } => (0..*depth as usize)
                .filter(|_| rng.random::<f64>() < *share)
                .map(|layer| weights.as_ref().map_or(1.0, |weights| weights[layer]))
                .sum(),
        })
        .collect()
}

#[test]
fn p_is_conservative_under_every_null_for_short_and_long_documents() {
    let nulls = [
        Null::Coin { share: 0.25 },
        Null::List { list: 50, vocab: 200 },
        Null::OneList { list: 600, vocab: 1200 },
        Null::Exponential { shift: 0.0 },
        Null::Pair { alpha: 0.1, shift: 0.0 },
        Null::Layers { depth: 5, share: 0.5, weights: None },
        Null::Layers { depth: 3, share: 0.5, weights: Some(vec![1.5, 1.0, 0.5]) },
    ];
    for (i, null) in nulls.iter().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(70 + i as u64);
        let law = Law::new(null.clone());
        for (m, n) in [(1usize, 4000u64), (7, 4000), (40, 2000), (300, 1000), (1000, 300)] {
            let each = (0..n).map(|_| {
                let values = draws(null, m, &mut rng);
                spans(&values, &law, -40.0).first().map_or(0.0, Span::ln_bound)
            });
            let each: Vec<f64> = each.collect();
            for alpha in [0.5f64, 0.1, 0.01] {
                let hits = each.iter().filter(|ln_p| **ln_p <= alpha.ln()).count() as u64;
                // So many or more would come once in a million such tests, were the rate alpha.
                assert!(ln_binomial_upper(hits, n, alpha) > (1e-6f64).ln(), "{null:?} {m}: {hits} of {n} at {alpha}");
            }
        }
    }
}

#[test]
fn any_run_shares_four_fifths_with_a_span_that_is_looked_at() {
    for m in [40usize, 100, 257, 400] {
        let every = every(m);
        for len in 16..=m {
            for first in 0..=m - len {
                let past = first + len;
                let shared = |of: &(usize, usize, usize, usize)| {
                    let both = past.min(of.1).saturating_sub(first.max(of.0)) as f64;
                    both / (len + of.1 - of.0) as f64 / (1.0 - both / (len + of.1 - of.0) as f64)
                };
                let best = every.iter().map(shared).fold(0.0, f64::max);
                assert!(best >= 0.8 - 1e-9, "{m}: {first} to {past} shares {best}");
            }
        }
    }
}

#[test]
fn two_runs_far_apart_are_two_spans_and_work_is_some_two_sums_a_window() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut values = draws(&Null::Coin { share: 0.25 }, 4000, &mut rng);
    values[500..700].fill(1.0);
    values[3000..3100].fill(1.0);
    let found = spans(&values, &Law::new(Null::Coin { share: 0.25 }), (0.01f64).ln());
    assert!(found.len() >= 2, "{found:?}");
    let near =
        |span: &Span, first: usize, past: usize| span.first.abs_diff(first) < 40 && span.past.abs_diff(past) < 40;
    assert!(near(&found[0], 500, 700) && near(&found[1], 3000, 3100), "{found:?}");
    let looked: usize = lengths(1 << 20).iter().map(|length| length.places).sum();
    assert!(looked < 5 << 19, "{looked}");
}
