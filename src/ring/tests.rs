//! Oracles and calibration: exact enumeration, known graphs, seeded worlds without and with a campaign.

use super::confirm::{AFFINITIES, Prepared};
use super::interests::Interests;
use super::leiden::{Graph, Quality, communities};
use super::member::at_level;
use super::null::Null;
use super::placebo::{Dealing, PLANTED, Walks, placebo, realised};
use super::walk::{RingConfig, State};
use super::{Choice, Day, Requests, Subjects, rings};
use crate::stats::proportion_interval;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

mod backwards;
mod loose;
mod member;
mod order;
mod sensitivity;
mod shares;
mod shift;
mod streams;

/// For days without a text under test.
const NONE: &Subjects<'_> = &|_, _| Vec::new();

/// Zachary's karate club (1977), members from 1.
const KARATE: &str = "1-2 1-3 1-4 1-5 1-6 1-7 1-8 1-9 1-11 1-12 1-13 1-14 1-18 1-20 1-22 1-32 2-3 2-4 2-8 2-14 2-18 2-20 2-22 2-31 \
    3-4 3-8 3-9 3-10 3-14 3-28 3-29 3-33 4-8 4-13 4-14 5-7 5-11 6-7 6-11 6-17 7-17 9-31 9-33 9-34 10-34 14-34 15-33 15-34 16-33 \
    16-34 19-33 19-34 20-34 21-33 21-34 23-33 23-34 24-26 24-28 24-30 24-33 24-34 25-26 25-28 25-32 26-32 27-30 27-34 28-34 29-32 \
    29-34 30-33 30-34 31-33 31-34 32-33 32-34 33-34";

fn karate() -> Graph {
    let edges: Vec<(u32, u32, f64)> = KARATE
        .split_whitespace()
        .map(|edge| {
            let (a, b) = edge.split_once('-').expect("a pair");
            (a.parse::<u32>().expect("a number") - 1, b.parse::<u32>().expect("a number") - 1, 1.0)
        })
        .collect();
    assert_eq!(edges.len(), 78);
    Graph::new(34, &edges)
}

#[test]
fn leiden_finds_the_best_known_modularity_of_the_karate_club() {
    let graph = karate();
    let quality = Quality::modularity(&graph, 1.0);
    let found = communities(&graph, &quality);
    // The optimum, proven by integer programming, is 0.419790 with four communities (Brandes et al. 2008).
    let modularity = quality.of(&graph, &found) / 78.0;
    assert!((modularity - 0.419_790).abs() < 1e-6, "{modularity}, {found:?}");
    assert_eq!(found.iter().max(), Some(&3));
}

#[test]
fn leiden_equals_enumeration_on_small_graphs_almost_always() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut best_of = 0;
    for _ in 0..200 {
        let n = rng.random_range(2..6u32);
        let pairs = (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b)));
        let edges: Vec<(u32, u32, f64)> = pairs
            .map(|(a, b)| (a, b, f64::from(rng.random_range(0..5u8))))
            .filter(|(.., weight)| *weight > 0.0)
            .collect();
        let graph = Graph::new(n as usize, &edges);
        let quality =
            if rng.random_bool(0.5) { Quality::modularity(&graph, 1.0) } else { Quality::constant_potts(&graph, 0.7) };
        let found = quality.of(&graph, &communities(&graph, &quality));
        let mut partition = vec![0u32; n as usize];
        let mut best = f64::NEG_INFINITY;
        // Every assignment of n names to n nodes holds every partition.
        for mut code in 0..u64::from(n).pow(n) {
            for place in &mut partition {
                *place = (code % u64::from(n)) as u32;
                code /= u64::from(n);
            }
            best = best.max(quality.of(&graph, &partition));
        }
        assert!(found <= best + 1e-9 && found >= best - 0.1 * (1.0 + best.abs()), "{found} of {best}");
        best_of += usize::from(found >= best - 1e-9);
    }
    assert!(best_of >= 170, "{best_of} of 200");
}

/// A day of two families and four accounts, of which three are a group, with unequal activity.
fn small(choices: &[(u64, u32)]) -> Day {
    let requests =
        (0..40u32).map(|account| Requests { account, neighbourhood: 0, requests: 1 + account % 5 }).collect();
    let new = choices.iter().map(|&(family, account)| Choice { family, account }).collect();
    Day { day: 1, new, neighbourhoods: vec![(0, 0), (1, 0)], requests, ..Day::default() }.in_order()
}

#[test]
fn an_e_value_has_mean_one_at_most_for_every_affinity_up_to_its_own() {
    // The null is fitted once and then taken for true; every outcome of a group of three on two families is weighed with its chance.
    let null = Null::fit(&small(&[(0, 10), (0, 11), (1, 12), (1, 13), (1, 14)]), Interests::default().of(&small(&[])));
    assert_eq!(null.families.len(), 2);
    let group = [0u32, 7, 19];
    for (place, phi) in AFFINITIES.into_iter().enumerate() {
        for affinity in [0.2, 1.0, phi / 2.0, phi] {
            let mut mean = 0.0;
            for outcome in 0..64u32 {
                let mut families = null.families.clone();
                let mut chance = 1.0;
                for (k, family) in families.iter_mut().enumerate() {
                    family.new.clear();
                    for (i, &account) in group.iter().enumerate() {
                        let odds = affinity * null.odds(account as usize, family);
                        let chosen = outcome >> (3 * k + i) & 1 == 1;
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
            assert!(place > 0 || affinity < phi || mean > 0.3, "phi {phi}: {mean} is hardly a test");
        }
    }
}

#[test]
fn the_fit_expects_as_many_accounts_as_there_were() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let world = World::new(400, 20, &mut rng);
    let mut state = State::default();
    for day in 0..3 {
        let today = world.day(day, &[], &mut rng);
        let null = Null::fit(&today, state.interests.of(&today));
        assert!(null.residual < 1e-9 && null.left_out == 0 && null.families.len() > 20);
        for family in &null.families {
            let expected: f64 = (0..null.weights.accounts.len())
                .filter(|place| family.before.binary_search(&(*place as u32)).is_err())
                .map(|place| null.odds(place, family) / (1.0 + null.odds(place, family)))
                .sum();
            // Weights are summed by classes.
            assert!((expected / family.new.len() as f64 - 1.0).abs() < 1e-3, "{expected} of {}", family.new.len());
        }
        state = state.with(&today, &RingConfig::default(), NONE);
    }
}

/// Accounts with interests of their own who ask in families of their neighbourhoods.
struct World {
    /// (neighbourhood, cumulative weight) of each account, and its requests a day.
    accounts: Vec<(Vec<u16>, u32)>,
    neighbourhoods: u16,
}

impl World {
    fn new(accounts: u32, neighbourhoods: u16, rng: &mut ChaCha8Rng) -> Self {
        let account = |_| {
            let own: Vec<u16> = (0..3).map(|_| rng.random_range(0..neighbourhoods)).collect();
            // Few ask much.
            (own, (2.0 / (1.0 - rng.random::<f64>()).powf(0.7)).min(60.0) as u32)
        };
        Self { accounts: (0..accounts).map(account).collect(), neighbourhoods }
    }

    /// A day on which these accounts share these new families besides.
    fn day(&self, day: i32, campaign: &[(u64, u32)], rng: &mut ChaCha8Rng) -> Day {
        let mut out = Day { day, ..Day::default() };
        let mut seen: BTreeSet<(u64, u32)> = BTreeSet::new();
        for (account, (own, requests)) in (0u32..).zip(&self.accounts) {
            for _ in 0..*requests {
                let strong = rng.random_bool(0.8);
                let n =
                    if strong { own[rng.random_range(0..own.len())] } else { rng.random_range(0..self.neighbourhoods) };
                out.requests.push(Requests { account, neighbourhood: n, requests: 1 });
                // Thirty families of a neighbourhood each day, some much more common; a tenth of requests is in one.
                if rng.random_bool(0.3) {
                    let rank = (30.0 * rng.random::<f64>().powi(2)) as u64;
                    seen.insert((day as u64 * 100_000 + u64::from(n) * 100 + rank, account));
                }
            }
        }
        for &(family, account) in campaign {
            out.requests.push(Requests { account, neighbourhood: 0, requests: 1 });
            seen.insert((family, account));
        }
        let families: BTreeSet<u64> = seen.iter().map(|(family, _)| *family).collect();
        out.neighbourhoods = families.iter().map(|&family| (family, (family % 100_000 / 100) as u16)).collect();
        out.new = seen.into_iter().map(|(family, account)| Choice { family, account }).collect();
        out.in_order()
    }
}

#[test]
fn accounts_with_interests_of_their_own_are_no_ring() {
    let (mut tested, mut confirmed, mut sum) = (0u64, 0u64, 0.0);
    for seed in 0..12 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let world = World::new(500, if seed % 2 == 0 { 12 } else { 60 }, &mut rng);
        let mut state = State::default();
        for day in 0..5 {
            let today = world.day(day, &[], &mut rng);
            let null = Null::fit(&today, state.interests.of(&today));
            let prepared = Prepared::new(&null);
            for group in state.groups.iter().filter(|group| group.day == day - 1) {
                let places = group.accounts.iter().filter_map(|&account| null.weights.place(account));
                sum += prepared.ln_e(&places.map(|place| place as u32).collect::<Vec<u32>>())[0].exp();
                tested += 1;
            }
            state = state.with(&today, &RingConfig::default(), NONE);
            for group in state.groups.iter().filter(|group| group.day == day && group.half.is_some()) {
                sum += group.ln_e[0].exp();
                tested += 1;
            }
        }
        confirmed += state.groups.iter().filter(|group| group.confirmed.is_some()).count() as u64;
        assert!(rings(&state).is_empty());
    }
    assert!(tested > 1000, "{tested} groups are no calibration");
    assert_eq!(confirmed, 0);
    assert!(sum / tested as f64 <= 1.0, "mean of e {}", sum / tested as f64);
    assert!(proportion_interval(confirmed, tested, 0.95).1 < 0.01);
}

#[test]
fn a_work_queue_is_a_ring_and_its_members_are_told() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let world = World::new(600, 30, &mut rng);
    let pool: Vec<u32> = (100..140).collect();
    let mut state = State::default();
    for day in 0..4 {
        let mut shared = Vec::new();
        for prompt in 0..20u64 {
            let family = 50_000_000 + day as u64 * 100_000 + prompt % 30 * 100 + 99;
            shared.extend(pool.iter().filter(|_| rng.random_bool(0.3)).map(|&account| (family, account)));
        }
        state = state.with(&world.day(day, &shared, &mut rng), &RingConfig::default(), NONE);
    }
    let found = rings(&state);
    assert_eq!(found.len(), 1, "{found:?}");
    let ring = &found[0];
    assert_eq!((ring.proposed, ring.confirmed), (0, 1));
    assert!(ring.gamma_star >= 10.0);
    let members = &ring.members[..at_level(&ring.members, 0.01)];
    let right = members.iter().filter(|member| pool.contains(&member.account)).count();
    assert!(right >= 38, "{right} of 40");
    assert!(members.len() - right <= 1, "{} strangers", members.len() - right);
}

#[test]
fn what_is_shared_on_one_day_only_is_found_that_day() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let world = World::new(600, 30, &mut rng);
    let pool: Vec<u32> = (100..112).collect();
    // Twenty texts on one day, in twenty neighbourhoods or all in one.
    for (spread, first, of_day) in [(100, 1, true), (0, 1, false), (100, 0, true), (0, 0, false)] {
        let mut state = State::default();
        for day in 0..3 {
            let mut shared = Vec::new();
            for prompt in 0..20u64 {
                let family = 50_000_000 + prompt * spread + 80 + if spread == 0 { prompt } else { 0 };
                let sent = pool.iter().filter(|_| day == first && rng.random_bool(0.5));
                shared.extend(sent.map(|&account| (family, account)));
            }
            state = state.with(&world.day(day, &shared, &mut rng), &RingConfig::default(), NONE);
        }
        let found = rings(&state);
        assert_eq!(found.len(), usize::from(of_day), "{spread} {first}");
        for ring in &found {
            assert_eq!((ring.proposed, ring.confirmed), (1, 1));
            let listed = &ring.members[..at_level(&ring.members, 0.01)];
            assert_eq!(
                listed.iter().map(|member| member.account).collect::<BTreeSet<u32>>(),
                pool.iter().copied().collect()
            );
            // Each account is judged by the half that did not propose it.
            assert!(listed.iter().all(|member| member.families < 18), "{listed:?}");
        }
    }
}

#[test]
fn two_accounts_who_act_together_confirm_no_group() {
    let mut rng = ChaCha8Rng::seed_from_u64(14);
    let world = World::new(600, 30, &mut rng);
    let mut state = State::default();
    for day in 0..4 {
        // Forty texts of two accounts; a third sends one of them on the first day, so that groups of three are proposed.
        let family = |n: u64| 50_000_000 + day as u64 * 100_000 + n % 30 * 100 + 80 + n / 30;
        let mut shared: Vec<(u64, u32)> = (0..40).flat_map(|n| [(family(n), 100), (family(n), 101)]).collect();
        shared.extend((day == 0).then_some((family(0), 200)));
        state = state.with(&world.day(day, &shared, &mut rng), &RingConfig::default(), NONE);
        assert!(day > 0 || state.groups.iter().any(|group| group.accounts == [100, 101, 200]));
    }
    assert!(state.days.iter().any(|day| day.proposed > 10));
    assert!(state.groups.iter().all(|group| group.confirmed.is_none()), "{:?}", state.groups);
}

#[test]
fn what_a_group_had_on_a_day_is_told_afterwards() {
    let mut rng = ChaCha8Rng::seed_from_u64(31);
    let world = World::new(500, 30, &mut rng);
    let (mut state, mut seen) = (State::default(), BTreeMap::new());
    for day in 0..10 {
        let mut shared = Vec::new();
        for task in 0..20u64 {
            let family = 50_000_000 + day as u64 * 100_000 + task * 100 + 99;
            shared.extend((100..130).filter(|_| rng.random_bool(0.3)).map(|account| (family, account)));
        }
        state = state.with(&world.day(day, &shared, &mut rng), &RingConfig::default(), NONE);
        let of_day = state.groups.iter().map(|group| ((group.name(), group.half, day), group.ln_decisive(0)));
        seen.extend(of_day);
    }
    let (mut compared, mut changed) = (0, 0);
    for group in state.groups.iter().filter(|group| group.confirmed.is_some()) {
        let history = group.history();
        for day in 0..10 {
            let Some(then) = seen.get(&(group.name(), group.half, day)) else { continue };
            let told = history.iter().take_while(|(of, _)| *of <= day).last();
            assert_eq!(told.map_or(f64::NEG_INFINITY, |(_, ln_e)| *ln_e), *then, "day {day}: {history:?}");
            compared += 1;
        }
        changed += history.len();
    }
    assert!(compared > 20 && changed > 10, "{compared} {changed}");
}

#[test]
fn walks_without_coordination_tell_the_error() {
    let mut rng = ChaCha8Rng::seed_from_u64(22);
    let world = World::new(500, 30, &mut rng);
    let mut days = Vec::new();
    for day in 0..4 {
        let mut shared = Vec::new();
        for task in 0..20u64 {
            let family = 50_000_000 + day as u64 * 100_000 + task * 100 + 99;
            shared.extend((100..130).filter(|_| rng.random_bool(0.3)).map(|account| (family, account)));
        }
        days.push(world.day(day, &shared, &mut rng));
    }
    let config = RingConfig::default();
    for dealing in [Dealing::Choices, Dealing::Names] {
        let found = realised(&days, &config, dealing, 12, 3);
        assert_eq!(found, realised(&days, &config, dealing, 12, 3));
        assert_eq!((found.walks, found.walks_with, found.lists_with, found.confirmed), (12, 0, 0, 0), "{found:?}");
        // Four days, of which the newest tests halves only.
        assert!(found.lists == 48 && found.tests > 1000 && found.mean_e < 1.0, "{found:?}");
    }
}

#[test]
fn a_planted_campaign_is_found_and_stays_out_of_the_true_walk() {
    let mut rng = ChaCha8Rng::seed_from_u64(23);
    let world = World::new(800, 30, &mut rng);
    let (mut walks, mut state) = (Walks::default(), State::default());
    for day in 0..4 {
        let today = world.day(day, &[], &mut rng);
        walks = walks.with(&today, &RingConfig::default(), NONE);
        state = state.with(&today, &RingConfig::default(), NONE);
        if day == 0 {
            assert_eq!((walks.planted.accounts.len(), walks.planted.found(0.01)), (PLANTED.0, 0));
        }
    }
    assert_eq!(walks.real, state);
    assert!(rings(&state).is_empty() && walks.planted.found(0.01) >= 27, "{}", walks.planted.found(0.01));
    let gone = walks.planted.accounts[0];
    walks.forget(&|account| account == gone, None);
    assert_eq!(walks.planted.accounts.len(), PLANTED.0 - 1);
}

#[test]
fn a_ring_that_falls_silent_leaves_the_list_and_is_not_lost() {
    let mut rng = ChaCha8Rng::seed_from_u64(24);
    let world = World::new(300, 30, &mut rng);
    let mut walks = Walks::default();
    let mut groups = Vec::new();
    let mut names = Vec::new();
    let of = |ring: &super::Ring, pool: u32| ring.core.iter().filter(|a| (pool..pool + 20).contains(a)).count() >= 15;
    for day in 0..70 {
        let mut shared = Vec::new();
        // One pool works for six days; another from the eighth day on and without an end.
        for (pool, days) in [(100..120u32, 0..6), (200..220, 8..70)] {
            for task in (0..12u64).filter(|_| days.contains(&day)) {
                let family =
                    50_000_000 + u64::from(pool.start) * 1_000_000_000 + day as u64 * 100_000 + task * 100 + 99;
                shared.extend(pool.clone().filter(|_| rng.random_bool(0.4)).map(|account| (family, account)));
            }
        }
        walks = walks.with(&world.day(day, &shared, &mut rng), &RingConfig::default(), NONE);
        groups.push(walks.real.groups.len());
        let listed = walks.rings.iter().find(|ring| of(ring, 200));
        names.extend(listed.map(|ring| (day, ring.name, ring.proposed, ring.confirmed)));
    }
    let said: Vec<_> =
        walks.rings.iter().map(|r| (r.proposed, r.confirmed, r.groups, r.core.clone(), r.families.len())).collect();
    assert!(walks.rings.len() == 1 && of(&walks.rings[0], 200), "{said:?} {:?} {groups:?}", walks.past.len());
    // The one that never stops keeps the name of its first group, long after the evidence of that day is gone.
    let changes: Vec<_> = names.chunk_by(|a, b| a.1 == b.1).map(|same| (same[0].0, same[0].2, same[0].3)).collect();
    assert!(changes.len() == 1 && changes[0].0 <= 10, "{changes:?}");
    let silent: Vec<_> = walks.past.iter().filter(|past| of(&past.ring, 100)).collect();
    assert_eq!(silent.len(), 1, "{:?}", walks.past);
    // Groups of the sixth day speak for five weeks.
    assert!(silent[0].ring.confirmed <= 3 && silent[0].became.is_none(), "{:?}", silent[0].ring.confirmed);
    assert!((5..=40).contains(&silent[0].last), "{}", silent[0].last);
    // What is kept does not grow with the days.
    assert!(groups[69] <= groups[50] + groups[50] / 5, "{groups:?}");
    walks.forget(&|account| account == 105, None);
    assert!(walks.past.iter().all(|past| past.ring.members.iter().all(|member| member.account != 105)));
}

#[test]
fn new_customers_of_an_app_with_many_templates_are_no_ring() {
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let world = World::new(600, 30, &mut rng);
    let mut state = State::default();
    let mut used: BTreeSet<Choice> = BTreeSet::new();
    for day in 0..4 {
        // Twenty templates in twenty neighbourhoods; twenty customers since day 0, and twelve who come on day 2 and use most of them at once.
        let customers = (200..220u32).chain(if day == 2 { 300..312u32 } else { 0..0 });
        let mut all = Vec::new();
        for account in customers {
            all.extend((0..20u64).filter(|_| rng.random_bool(0.5)).map(|n| (50_000_000 + n * 100 + 80, account)));
        }
        let mut today = world.day(day, &all, &mut rng);
        let is_active = |choice: &&Choice| today.new.iter().any(|new| new.account == choice.account);
        today.before = used.iter().filter(is_active).copied().collect();
        (today.again, today.new) = today.new.iter().partition(|choice| used.contains(choice));
        used.extend(today.new.iter().copied());
        state = state.with(&today, &RingConfig::default(), NONE);
    }
    assert!(rings(&state).is_empty());
}

#[test]
fn a_pool_that_takes_over_the_tasks_is_of_the_campaign() {
    let mut rng = ChaCha8Rng::seed_from_u64(31);
    let world = World::new(800, 30, &mut rng);
    // (accounts, first day, last day): the second goes on where the first stops, the third has tasks of its own.
    let pools: [(std::ops::Range<u32>, i32, i32); 3] = [(100..140, 0, 3), (300..340, 4, 7), (500..540, 0, 7)];
    let mut state = State::default();
    for day in 0..8 {
        let mut shared = Vec::new();
        for (n, (accounts, first, last)) in pools.iter().enumerate() {
            if !(*first..=*last).contains(&day) {
                continue;
            }
            for task in 0..20u64 {
                // Every second task of the second pool is one that the first had four days before.
                let of_day = if n == 1 && task % 2 == 0 { day - 4 } else { day };
                let list = if n == 2 { 60_000_000 } else { 50_000_000 };
                let family = list + of_day as u64 * 100_000 + task * 100 + 99;
                shared.extend(accounts.clone().filter(|_| rng.random_bool(0.3)).map(|account| (family, account)));
            }
        }
        state = state.with(&world.day(day, &shared, &mut rng), &RingConfig::default(), NONE);
    }
    let found = rings(&state);
    let of = |pool: usize| {
        let is_own = |ring: &&super::Ring| {
            2 * ring.core.iter().filter(|account| pools[pool].0.contains(account)).count() > ring.core.len()
        };
        found.iter().find(is_own).unwrap_or_else(|| panic!("pool {pool} is not found"))
    };
    assert_eq!(found.len(), 3);
    assert_eq!((of(0).campaign, of(2).campaign), (of(0).name, of(2).name));
    assert_eq!(of(1).campaign, of(0).name);
}

#[test]
fn a_placebo_keeps_how_much_and_how_popular_and_confirms_nothing() {
    let mut rng = ChaCha8Rng::seed_from_u64(21);
    let world = World::new(600, 30, &mut rng);
    let (mut state, mut seen) = (State::default(), std::collections::HashSet::new());
    let mut proposed = 0;
    for day in 0..4 {
        let mut shared = Vec::new();
        for prompt in 0..20u64 {
            let family = 50_000_000 + day as u64 * 100_000 + prompt * 100 + 99;
            shared.extend((100..140).filter(|_| rng.random_bool(0.3)).map(|account| (family, account)));
        }
        let true_day = world.day(day, &shared, &mut rng);
        let dealt = placebo(&true_day, 1, &seen);
        assert_eq!(placebo(&true_day, 1, &seen), dealt);
        let count = |day: &Day, of: &dyn Fn(&Choice) -> u64| {
            day.new.iter().fold(BTreeMap::new(), |mut counts: BTreeMap<u64, u32>, choice| {
                *counts.entry(of(choice)).or_default() += 1;
                counts
            })
        };
        assert_eq!(count(&dealt, &|c| c.family), count(&true_day, &|c| c.family));
        assert_eq!(count(&dealt, &|c| u64::from(c.account)), count(&true_day, &|c| u64::from(c.account)));
        assert_ne!(dealt.new, true_day.new);
        seen.extend(dealt.new.iter().copied());
        state = state.with(&dealt, &RingConfig::default(), NONE);
        proposed += state.days.last().expect("a day").proposed;
    }
    assert!(proposed > 50);
    // Each neighbourhood has one new family of the campaign a day, so dealing inside it breaks the campaign up.
    assert!(state.groups.iter().all(|group| group.confirmed.is_none()));
}

#[test]
fn an_app_is_no_ring_since_its_template_is_new_once() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let world = World::new(600, 30, &mut rng);
    let customers: Vec<(u64, u32)> = (200..260).map(|account| (77, account)).collect();
    let mut state = State::default();
    let mut used: BTreeSet<Choice> = BTreeSet::new();
    for day in 0..5 {
        let mut today = world.day(day, &customers, &mut rng);
        today.before = today.new.iter().filter(|choice| used.contains(choice)).copied().collect();
        (today.again, today.new) = today.new.iter().partition(|choice| used.contains(choice));
        used.extend(today.new.iter().copied());
        state = state.with(&today, &RingConfig::default(), NONE);
    }
    assert!(rings(&state).is_empty());
}
