//! Streams of evidence beside co-use: ranks are uniform under the null, and a dispatcher is told.

use super::super::composition::{Asked, Asker, Composition, Reference};
use super::super::streams::{LEAST_ACCOUNTS, Population, Sender, Streams, correlation, excess};
use super::super::timing::{Use, timing};
use super::World;
use crate::ring::Requests;
use crate::stats::{ln_uniformity, proportion_interval};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

/// The streams of a text whose accounts asked about these subjects; a prompt is named by its subject.
fn tested(population: &Population, accounts: &[(u32, Vec<u16>)], seed: u64) -> Streams {
    let sender = |(account, subjects): &(u32, Vec<u16>)| Sender {
        account: *account,
        requests: subjects.len() as u32,
        prompts: subjects.iter().map(|&subject| subject.into()).collect(),
    };
    let senders: Vec<Sender> = accounts.iter().map(sender).collect();
    let subjects = |_, prompts: &[u32]| prompts.iter().map(|&prompt| prompt as u16).collect();
    population.test(seed, &senders, &subjects, seed).expect("enough accounts")
}

#[test]
fn ranks_among_draws_are_uniform_under_the_null() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let world = World::new(400, 20, &mut rng);
    let requests = world.day(0, &[], &mut rng).requests;
    let population = Population::new(&requests);
    let mut all: BTreeMap<u32, Vec<u16>> = BTreeMap::new();
    for r in &requests {
        all.entry(r.account).or_default().extend(std::iter::repeat_n(r.neighbourhood, r.requests as usize));
    }
    let mut topics = Vec::new();
    for seed in 0..150 {
        let mut accounts: Vec<(u32, Vec<u16>)> = Vec::new();
        let mut chosen = BTreeSet::new();
        while accounts.len() < 40 {
            let account = rng.random_range(0..400);
            if all[&account].len() >= 2 && chosen.insert(account) {
                // Two requests each, so that loads are even and subjects are asked for.
                let own = &all[&account];
                let (i, j) = (rng.random_range(0..own.len()), rng.random_range(0..own.len() - 1));
                accounts.push((account, vec![own[i], own[if j >= i { j + 1 } else { j }]]));
            }
        }
        accounts.sort();
        let found = tested(&population, &accounts, seed);
        topics.push(found.ln_p_interchangeable);
    }
    // Ranks that end early are rounded up, so uniform or larger.
    let small = topics.iter().filter(|ln_p| **ln_p <= 0.05f64.ln()).count() as u64;
    assert!(proportion_interval(small, 150, 0.999).0 <= 0.05, "{small} of 150 below 5%");
    assert!(ln_uniformity(&topics) > 1e-4f64.ln());
}

/// All three count, wherever they are.
pub(super) const ASKED: [Asked; 3] = [Asked { counts: true, within: None }; 3];

/// Accounts with a plan of two, a card of their own, and a client of five of which one is had by half.
pub(super) fn askers(n: u32, rng: &mut ChaCha8Rng) -> Vec<Asker> {
    let asker = |account| Asker {
        account,
        requests: rng.random_range(1..50),
        plan: Some(u64::from(account % 2)),
        values: vec![Some(1_000 + u64::from(account)), Some(rng.random_range(0..8u64).saturating_sub(3)), None],
    };
    (0..n).map(asker).collect()
}

fn composition(askers: &[Asker], group: &[u32], asked: &[Asked]) -> Option<Composition> {
    Reference::new(askers.to_vec(), asked).composition(group, 1)
}

#[test]
fn ranks_of_what_accounts_have_in_common_are_uniform_under_the_null() {
    let mut rng = ChaCha8Rng::seed_from_u64(15);
    let reference = Reference::new(askers(600, &mut rng), &ASKED);
    let mut all = Vec::new();
    for seed in 0..200 {
        let group: BTreeSet<u32> = (0..20).map(|_| rng.random_range(0..600)).collect();
        let found = reference.composition(&group.into_iter().collect::<Vec<u32>>(), seed).expect("enough is known");
        // Nobody says anything of the third attribute, and every card is one of its own.
        assert_eq!(found.attributes.iter().map(|of| of.place).collect::<Vec<u8>>(), [0, 1]);
        assert_eq!((found.attributes[0].ln_p, found.attributes[0].sharing), (0.0, 1));
        all.push(found.attributes[1].ln_p);
    }
    let small = all.iter().filter(|ln_p| **ln_p <= 0.05f64.ln()).count() as u64;
    assert!(proportion_interval(small, 200, 0.999).0 <= 0.05, "{small} of 200 below 5%");
    assert!(ln_uniformity(&all) > 1e-4f64.ln());
}

#[test]
fn accounts_bought_together_are_told_and_those_with_a_common_client_are_not() {
    let mut rng = ChaCha8Rng::seed_from_u64(16);
    let mut askers = askers(600, &mut rng);
    let group: Vec<u32> = (100..130).collect();
    // All have the client that half of all accounts have, or nearly so.
    group.iter().for_each(|&account| askers[account as usize].values[1] = Some(0));
    let common = composition(&askers, &group, &ASKED).expect("enough is known");
    assert_eq!(common.attributes[1].sharing, 30);
    // Ten of thirty share three cards.
    (0..10u32).for_each(|n| askers[100 + n as usize].values[0] = Some(u64::from(n % 3)));
    let bought = composition(&askers, &group, &ASKED).expect("enough is known");
    assert_eq!((bought.attributes[0].ln_p, bought.attributes[0].sharing), (1e-5f64.ln(), 4));
    let ln_p = bought.ln_p.expect("two count");
    assert!((ln_p - (2.0 * 1e-5f64).ln()).abs() < 1e-9 && bought.accounts == 30);
    // What counts for nothing is told, and no number of tests.
    let none = composition(&askers, &group, &[Asked { counts: false, ..ASKED[0] }; 3]).expect("enough is known");
    assert!(none.ln_p.is_none() && none.attributes[0].ln_p == bought.attributes[0].ln_p);
    // Too few accounts, or nobody to compare them with.
    assert!(
        composition(&askers, &[1, 2], &ASKED).is_none()
            && composition(&askers[..40], &(0..30).collect::<Vec<u32>>(), &ASKED).is_none()
    );
}

#[test]
fn networks_are_compared_within_a_country() {
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    // Three countries with two networks each; an app of one of them has customers in both networks.
    let mut askers: Vec<Asker> = (0..900)
        .map(|account| {
            let country = u64::from(account % 3);
            let network = 10 * country + rng.random_range(0..2u64);
            Asker { account, requests: rng.random_range(1..50), plan: None, values: vec![Some(country), Some(network)] }
        })
        .collect();
    let group: Vec<u32> = (0..300).step_by(9).collect();
    let within = [Asked { counts: false, within: None }, Asked { counts: true, within: Some(0) }];
    let anywhere = [within[0], Asked { within: None, ..within[1] }];
    let ln_p = |askers: &[Asker], asked| composition(askers, &group, asked).expect("enough is known").ln_p;
    assert!(ln_p(&askers, &anywhere) < Some(1e-3f64.ln()));
    assert!(ln_p(&askers, &within) > Some(0.05f64.ln()));
    // Behind one proxy they are told all the same.
    group.iter().for_each(|&account| askers[account as usize].values[1] = Some(1));
    assert!(ln_p(&askers, &within) < Some(1e-3f64.ln()));
    // Of a country of its own nothing can be said.
    group.iter().for_each(|&account| askers[account as usize].values[0] = Some(9));
    assert_eq!(ln_p(&askers, &within), None);
}

#[test]
fn what_is_used_at_the_same_time_is_told_from_the_rhythm_of_a_day() {
    let mut rng = ChaCha8Rng::seed_from_u64(18);
    const HOUR: i64 = 3_600_000_000;
    // Everybody asks in the same eight hours, each text at any time of them.
    let at_random = |rng: &mut ChaCha8Rng| -> Vec<Use> {
        let one =
            |i: u32| Use { family: u64::from(i % 8), time: rng.random_range(8 * HOUR..16 * HOUR), account: i / 8 };
        (0..160).map(one).collect()
    };
    let all: Vec<f64> = (0..200).map(|seed| timing(at_random(&mut rng), seed).expect("enough uses").ln_p).collect();
    let small = all.iter().filter(|ln_p| **ln_p <= 0.05f64.ln()).count() as u64;
    assert!(proportion_interval(small, 200, 0.999).0 <= 0.05, "{small} of 200 below 5%");
    assert!(ln_uniformity(&all) > 1e-4f64.ln());
    // A dispatcher hands every text out within a quarter of an hour.
    let mut uses = at_random(&mut rng);
    uses.iter_mut().for_each(|one| one.time = (9 + one.family as i64 / 2) * HOUR + rng.random_range(0..HOUR / 4));
    let found = timing(uses, 1).expect("enough uses");
    assert!((found.ln_p - 1e-4f64.ln()).abs() < 1e-9 && found.uses == 160, "{found:?}");
    // Two requests of one account are no pair, and pairs are counted once.
    let at = |time, account| Use { family: 1, time, account };
    let few: Vec<Use> =
        (0..10).map(|i| at(i64::from(i) * HOUR, 1)).chain([at(60_000_000, 2), at(90_000_000, 3)]).collect();
    assert_eq!(timing(few, 1).map(|found| found.pairs), Some(3));
    assert!(timing(vec![at(0, 1); 9], 1).is_none());
}

#[test]
fn a_dispatcher_is_told_from_an_app() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let world = World::new(800, 40, &mut rng);
    let population = Population::new(&world.day(0, &[], &mut rng).requests);
    let pool: Vec<(u32, Vec<u16>)> =
        (1000..1060).map(|account| (account, (0..10).map(|_| rng.random_range(0..40)).collect())).collect();
    let app: Vec<(u32, Vec<u16>)> = (1000..1060)
        .map(|account| {
            let own: Vec<u16> = (0..3).map(|_| rng.random_range(0..40)).collect();
            (account, (0..10).map(|_| own[rng.random_range(0..3)]).collect())
        })
        .collect();
    assert!(pool.len() >= LEAST_ACCOUNTS);
    let (pool, app) = (tested(&population, &pool, 1), tested(&population, &app, 1));
    assert!(pool.correlation.abs() < 0.02 && app.correlation > 0.2, "{pool:?} {app:?}");
    assert!(pool.ln_p_interchangeable < 1e-4f64.ln() && pool.ln_p_even < 1e-3f64.ln(), "{pool:?}");
    assert!(app.ln_p_interchangeable > 0.05f64.ln() && app.ln_p_even < 1e-3f64.ln(), "{app:?}");
}

/// Loads of people in a store with programs: people are never more even than a random choice of such accounts may be, and are no dispatcher for that.
#[test]
fn loads_like_those_of_people_are_no_dispatcher_where_programs_are_about() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let normal = |rng: &mut ChaCha8Rng| (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
    // One account in ten asks a hundred times as much.
    let requests: Vec<Requests> = (0..600)
        .map(|account| {
            let rate = 5.0 * libm::exp(normal(&mut rng)) * if account % 10 == 0 { 100.0 } else { 1.0 };
            Requests { account, neighbourhood: rng.random_range(0..20), requests: 1 + rate as u32 }
        })
        .collect();
    let population = Population::new(&requests);
    let mut loads = |deviation: f64, seed: u64| {
        let of = |account: u32, rng: &mut ChaCha8Rng| {
            let rate = 6.0 * libm::exp(deviation * normal(rng) - deviation * deviation / 2.0);
            let n = (0..200).filter(|_| rng.random_bool((rate / 200.0).min(1.0))).count();
            (account, (0..n.max(2)).map(|_| rng.random_range(0..20)).collect::<Vec<u16>>())
        };
        let accounts: Vec<(u32, Vec<u16>)> = (1000..1080).map(|account| of(account, &mut rng)).collect();
        tested(&population, &accounts, seed).ln_p_even
    };
    // At the edge of what innocents may be, p is as large as a p-value is, or larger.
    let edge = (0..100).filter(|&seed| loads(0.5, seed) <= 0.05f64.ln()).count() as u64;
    assert!(proportion_interval(edge, 100, 0.999).0 <= 0.05, "{edge} of 100 below 5%");
    assert!((0..20).all(|seed| loads(1.0, seed) > 0.2f64.ln()));
    assert!(loads(0.0, 1) < 1e-4f64.ln());
}

#[test]
fn correlation_and_excess_are_as_defined() {
    // Two accounts that never agree with each other and always with themselves.
    assert!((correlation(&[vec![1, 1], vec![2, 2]]) - 1.0).abs() < 1e-12);
    // Everybody asks everything once.
    assert!(correlation(&[vec![1, 2], vec![1, 2]]) < 0.0);
    assert!((excess(&[2.0, 4.0]) - (2.0 - 3.0) / 9.0).abs() < 1e-12);
}
