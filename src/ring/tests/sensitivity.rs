//! Changes of tests: the text that says most is the one that is left out, what rests on it falls with it, and the ranks of other tests stay uniform.

use super::super::composition::Reference;
use super::super::confirm::{AFFINITIES, Prepared};
use super::super::interests::Interests;
use super::super::null::Null;
use super::super::sensitivity::{CHANGES, Change, nulls, strata};
use super::super::timing::{Use, timing_in_other_intervals};
use super::super::walk::{RingConfig, State};
use super::super::{Choice, Day, Requests, rings};
use super::streams::{ASKED, askers};
use super::{NONE, World};
use crate::stats::{ln_uniformity, proportion_interval};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

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
        let [without, large, within] = nulls(&today, &interests);
        assert!(within.is_none(), "no kind is known");
        let (without, large) = (without.expect("asked always"), large.expect("asked always"));
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
    // Where no kinds of accounts are known the last change is not asked.
    assert!(many[..3].iter().all(|(_, stands, _)| *stands), "{many:?}");
    assert_eq!(many[3], (Change::WithinStrata, false, f64::NEG_INFINITY));
    // Of rings that share little, some are confirmed by one text of the day.
    let few: Vec<_> = (0..4).flat_map(|seed| [4, 5, 6].map(|texts| stands(texts, 100..112, seed))).flatten().collect();
    let falls = few.iter().filter(|all: &&Vec<(Change, bool, f64)>| !all[0].1).count();
    assert!(few.len() >= 3 && falls >= 1, "{few:?}");
}

#[test]
fn ranks_of_changed_tests_are_uniform_under_the_null() {
    let mut rng = ChaCha8Rng::seed_from_u64(43);
    const HOUR: i64 = 3_600_000_000;
    let reference = Reference::new(askers(600, &mut rng), &ASKED);
    let (mut composed, mut timed) = (Vec::new(), [Vec::new(), Vec::new()]);
    for seed in 0..200 {
        let group: BTreeSet<u32> = (0..20).map(|_| rng.random_range(0..600)).collect();
        let found = reference.composition_of_any_plan(&group.into_iter().collect::<Vec<u32>>(), seed);
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

/// A day of three kinds of accounts, one of them rare; of some accounts nothing is known.
fn of_kinds(day: &Day, kind: impl Fn(u32) -> Option<u64>) -> Day {
    let of = |account: u32| Some((account, [kind(account)? / 1000, kind(account)?]));
    let kinds = day.accounts().into_iter().filter_map(of).collect();
    Day { kinds, ..day.clone() }
}

#[test]
fn popularity_within_strata_expects_as_many_of_each_stratum_as_there_were() {
    let mut rng = ChaCha8Rng::seed_from_u64(44);
    let world = World::new(600, 20, &mut rng);
    let mut interests = Interests::default();
    for number in 0..3 {
        let plain = world.day(number, &[], &mut rng);
        // Three fine kinds have 80 accounts and more, the others 20, too few for a stratum of their own; 120 of these are of one coarse kind, and 40 of another.
        let kind = |account: u32| match account {
            0..120 => Some(3_000 + u64::from(account / 20)),
            120..160 => Some(4_000 + u64::from(account / 20)),
            160..400 => Some(u64::from(account % 3)),
            _ => None,
        };
        let day = of_kinds(&plain, kind);
        let of_each = strata(&day).expect("kinds are known");
        let sizes = of_each.iter().fold(BTreeMap::new(), |mut sizes: BTreeMap<u8, u32>, &stratum| {
            *sizes.entry(stratum).or_default() += 1;
            sizes
        });
        assert_eq!(sizes, BTreeMap::from([(0, 240), (1, 80), (2, 80), (3, 80), (4, 120)]));
        assert!(strata(&plain).is_none());
        assert_eq!(strata(&of_kinds(&plain, |account| Some(u64::from(account) * 1000))), Some(vec![0; 600]));
        let null = Null::within(&day, interests.of(&day), of_each.clone());
        assert!(null.families.len() > 20 && null.residual < 1e-9);
        for family in &null.families {
            for stratum in 0..5u8 {
                let own = |place: &usize| of_each[*place] == stratum;
                let chance = |place: usize| null.odds(place, family) / (1.0 + null.odds(place, family));
                let expected: f64 = (0..of_each.len())
                    .filter(own)
                    .filter(|place| family.before.binary_search(&(*place as u32)).is_err())
                    .map(chance)
                    .sum();
                let seen = family.new.iter().filter(|place| own(&(**place as usize))).count() as f64;
                assert!((expected - seen).abs() <= 1e-3 * seen, "{expected} of {seen}");
            }
        }
        // One stratum for all is the null that knows none.
        let (one, own) = (Null::within(&day, interests.of(&day), vec![0; 600]), Null::fit(&day, interests.of(&day)));
        let y = |null: &Null| null.families.iter().map(|family| family.popularity.clone()).collect::<Vec<_>>();
        assert_eq!(y(&one), y(&own));
        interests = interests.with(&day);
    }
}

#[test]
fn an_e_value_within_strata_has_mean_one_at_most() {
    // As without strata, by enumeration: a group of four accounts of three strata, two families, every outcome with its chance.
    let requests =
        (0..240u32).map(|account| Requests { account, neighbourhood: 0, requests: 1 + account % 5 }).collect();
    let new = [(0, 10), (0, 61), (0, 62), (1, 12), (1, 63), (1, 14), (1, 130)];
    let new = new.into_iter().map(|(family, account)| Choice { family, account }).collect();
    let day = Day { day: 1, new, neighbourhoods: vec![(0, 0), (1, 0)], requests, ..Day::default() }.in_order();
    let day = of_kinds(&day, |account| Some(u64::from(account / 60)));
    let null = Null::within(&day, Interests::default().of(&day), strata(&day).expect("kinds are known"));
    assert_eq!((null.families.len(), null.families[0].popularity.len()), (2, 5));
    let group = [0u32, 7, 66, 121];
    for (place, phi) in AFFINITIES.into_iter().enumerate() {
        for affinity in [0.2, 1.0, phi / 2.0, phi] {
            let mut mean = 0.0;
            for outcome in 0..256u32 {
                let mut families = null.families.clone();
                let mut chance = 1.0;
                for (k, family) in families.iter_mut().enumerate() {
                    family.new.clear();
                    for (i, &account) in group.iter().enumerate() {
                        let odds = affinity * null.odds(account as usize, family);
                        let chosen = outcome >> (4 * k + i) & 1 == 1;
                        chance *= if chosen { odds / (1.0 + odds) } else { 1.0 / (1.0 + odds) };
                        if chosen {
                            family.new.push(account);
                        }
                    }
                }
                let seen = Null { families, ..null.clone() };
                mean += chance * Prepared::new(&seen).ln_e(&group)[place].exp();
            }
            assert!(mean <= 1.0 + 1e-12, "phi {phi}, affinity {affinity}: {mean}");
            assert!(place > 0 || affinity < phi || mean > 0.05, "phi {phi}: {mean} is hardly a test");
        }
    }
}

#[test]
fn a_queue_of_all_kinds_of_accounts_stands_within_strata_and_a_fashion_among_one_kind_falls() {
    let walked = |pool: &[u32], kind: &dyn Fn(u32) -> Option<u64>, seed: u64| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let world = World::new(3000, 30, &mut rng);
        let (mut state, mut plain) = (State::default(), State::default());
        for day in 0..3 {
            let mut shared = Vec::new();
            for text in 0..12u64 {
                let family = 50_000_000 + day as u64 * 100_000 + text * 100 + 99;
                shared.extend(pool.iter().filter(|_| rng.random_bool(0.4)).map(|&account| (family, account)));
            }
            let today = world.day(day, &shared, &mut rng);
            state = state.with(&of_kinds(&today, kind), &RingConfig::default(), NONE);
            plain = plain.with(&today, &RingConfig::default(), NONE);
        }
        // What is told beside changes no finding.
        let finding = |state: &State| -> Vec<_> {
            rings(state)
                .into_iter()
                .map(|ring| (ring.name, ring.core, ring.ln_e.to_bits(), ring.changes[..3].to_vec()))
                .collect()
        };
        assert_eq!(finding(&state), finding(&plain));
        let found = rings(&state);
        let ring =
            found.into_iter().find(|ring| ring.core.iter().any(|account| pool.contains(account))).expect("a ring");
        (ring.changes[3], ring.ln_e)
    };
    let pool: Vec<u32> = (0..40).map(|i| 100 + 70 * i).collect();
    let (of_all, _) = walked(&pool, &|account| Some(u64::from(account % 6)), 45);
    assert!(of_all.change == Change::WithinStrata && of_all.stands, "{of_all:?}");
    // Forty of the sixty accounts of a kind: within it, what they share is popular.
    let own: Vec<u32> = (100..140).collect();
    let (of_one, ln_e) =
        walked(&own, &|account| Some(if (100..160).contains(&account) { 9 } else { u64::from(account % 6) }), 46);
    assert!(!of_one.stands && of_one.ln_e < ln_e, "{of_one:?} of {ln_e}");
}
