//! Changes of tests: the text that says most is the one that is left out, what rests on it falls with it, and the ranks of other tests stay uniform.

use super::super::composition::composition_of_any_plan;
use super::super::confirm::{AFFINITIES, Prepared};
use super::super::interests::Interests;
use super::super::null::Null;
use super::super::sensitivity::{CHANGES, Change, nulls};
use super::super::timing::{Use, timing_in_other_intervals};
use super::super::walk::{RingConfig, State};
use super::super::{Choice, Day, Requests, rings};
use super::streams::{ASKED, askers};
use super::{NONE, World};
use crate::stats::{ln_uniformity, proportion_interval};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

#[test]
fn the_text_that_is_left_out_is_the_one_that_says_most() {
    let mut rng = ChaCha8Rng::seed_from_u64(41);
    let mut seen = 0;
    for _ in 0..40 {
        let requests: Vec<Requests> =
            (0..60u32).map(|account| Requests { account, neighbourhood: 0, requests: 1 + account % 5 }).collect();
        let group: Vec<u32> = (10..16).collect();
        let mut new = Vec::new();
        for family in 0..6u64 {
            new.extend((0..60).filter(|_| rng.random_bool(0.05)).map(|account| Choice { family, account }));
            new.extend(group.iter().filter(|_| rng.random_bool(0.6)).map(|&account| Choice { family, account }));
        }
        let neighbourhoods = (0..6).map(|family| (family, 0)).collect();
        let day = Day { day: 1, new, neighbourhoods, requests, ..Day::default() }.in_order();
        let null = Null::fit(&day, Interests::default().of(&day));
        let (ln_e, without_top) = Prepared::new(&null).ln_e_and_without_top(&group, AFFINITIES.len());
        assert!(without_top <= ln_e[0] + 1e-9, "{without_top} of {}", ln_e[0]);
        assert!((Prepared::new(&null).ln_e_first(&group) - ln_e[0]).abs() < 1e-12);
        if ln_e[0] <= 0.0 {
            continue;
        }
        // With one family fewer each, which is worth 1 − ε = ½ where nobody chose it: the least of these is what is told.
        let left = (0..null.families.len()).map(|k| {
            let families = null.families.iter().enumerate().filter(|(i, _)| *i != k).map(|(_, f)| f.clone()).collect();
            Prepared::new(&Null { families, ..null.clone() }).ln_e_first(&group) - std::f64::consts::LN_2
        });
        let least = left.fold(f64::INFINITY, f64::min);
        // The account that shares most may be another one where a family is missing.
        assert!((without_top - least).abs() < 3.0, "{without_top} and {least}");
        seen += usize::from((without_top - least).abs() < 1e-9);
    }
    assert!(seen >= 10, "{seen} exactly so");
}

#[test]
fn a_null_without_interests_and_one_of_large_neighbourhoods_have_the_same_accounts() {
    let mut rng = ChaCha8Rng::seed_from_u64(42);
    let world = World::new(300, 40, &mut rng);
    let mut interests = Interests::default();
    for day in 0..3 {
        let mut today = world.day(day, &[], &mut rng);
        today.large = (0..40).map(|n| n / 10).collect();
        let own = Null::fit(&today, interests.of(&today));
        let [without, large] = nulls(&today, &interests);
        assert!(own.weights.accounts == without.weights.accounts && own.weights.accounts == large.weights.accounts);
        // Each fits as many accounts as there were, and no null is another.
        for null in [&own, &without, &large] {
            assert!(null.residual < 1e-9 && null.families.len() > 20, "{}", null.families.len());
        }
        assert!(large.families.iter().all(|family| family.neighbourhood < 4));
        if day > 0 {
            let odds = |null: &Null| null.families.iter().map(|f| null.odds(7, f)).sum::<f64>();
            assert!((odds(&own) - odds(&without)).abs() > 1e-9 && (odds(&own) - odds(&large)).abs() > 1e-9);
        }
        interests = interests.with(&today);
    }
}

#[test]
fn a_work_queue_stands_under_every_change_and_few_texts_fall_with_the_first() {
    let stands = |texts: u64, pool: std::ops::Range<u32>, seed: u64| -> Option<Vec<(Change, bool, f64)>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // In a small world the accounts of a ring are much of the activity, which a null without interests takes for their own.
        let world = World::new(3000, 30, &mut rng);
        let mut state = State::default();
        for day in 0..3 {
            let mut shared = Vec::new();
            for text in 0..texts {
                let family = 50_000_000 + day as u64 * 100_000 + text * 100 + 99;
                shared.extend(pool.clone().filter(|_| rng.random_bool(0.4)).map(|account| (family, account)));
            }
            let mut today = world.day(day, &shared, &mut rng);
            today.large = (0..30).map(|n| n / 6).collect();
            state = state.with(&today, &RingConfig::default(), NONE);
        }
        let found = rings(&state);
        let ring = found.first()?;
        assert_eq!(ring.changes.iter().map(|of| of.change).collect::<Vec<_>>(), CHANGES);
        Some(ring.changes.iter().map(|of| (of.change, of.stands, of.ln_e)).collect())
    };
    let many = stands(20, 100..140, 1).expect("a ring");
    assert!(many.iter().all(|(_, stands, _)| *stands), "{many:?}");
    // Of rings that share little, some are confirmed by one text of the day.
    let few: Vec<_> = (0..4).flat_map(|seed| [4, 5, 6].map(|texts| stands(texts, 100..112, seed))).flatten().collect();
    let falls = few.iter().filter(|all: &&Vec<(Change, bool, f64)>| !all[0].1).count();
    assert!(few.len() >= 3 && falls >= 1, "{few:?}");
}

#[test]
fn ranks_of_changed_tests_are_uniform_under_the_null() {
    let mut rng = ChaCha8Rng::seed_from_u64(43);
    const HOUR: i64 = 3_600_000_000;
    let askers = askers(600, &mut rng);
    let (mut composed, mut timed) = (Vec::new(), [Vec::new(), Vec::new()]);
    for seed in 0..200 {
        let group: BTreeSet<u32> = (0..20).map(|_| rng.random_range(0..600)).collect();
        let found = composition_of_any_plan(&askers, &group.into_iter().collect::<Vec<u32>>(), &ASKED, seed);
        let found = found.expect("enough is known");
        composed.push(found.attributes[1].ln_p);
        // Without the attribute that everybody has for himself, one is left.
        assert_eq!(found.ln_p_without(0), Some(found.attributes[1].ln_p));
        let one =
            |i: u32| Use { family: u64::from(i % 8), time: rng.random_range(8 * HOUR..16 * HOUR), account: i / 8 };
        let uses: Vec<Use> = (0..160).map(one).collect();
        let found = timing_in_other_intervals(&uses, seed);
        timed.iter_mut().zip(found).for_each(|(all, found)| all.push(found.expect("enough uses").ln_p));
    }
    for all in [&composed, &timed[0], &timed[1]] {
        let small = all.iter().filter(|ln_p| **ln_p <= 0.05f64.ln()).count() as u64;
        assert!(proportion_interval(small, 200, 0.999).0 <= 0.05, "{small} of 200 below 5%");
        assert!(ln_uniformity(all) > 1e-4f64.ln());
    }
}
