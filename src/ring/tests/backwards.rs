//! The first day, read backwards: what is used again says nothing, what is shared once is found, and nothing is where nobody acts together.

use super::super::backwards::backwards;
use super::super::member::at_level;
use super::super::walk::{RingConfig, State};
use super::super::{Choice, Day, Requests, rings};
use super::{NONE, World};
use crate::stats::proportion_interval;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

#[test]
fn a_day_and_its_reflection_say_the_same() {
    // Two days of random choices; read backwards, the first is what it would be had the days come the other way round.
    let mut rng = ChaCha8Rng::seed_from_u64(61);
    for _ in 0..50 {
        let uses = [(); 2].map(|()| {
            let all = (0..120).map(|_| Choice { family: rng.random_range(0..12), account: rng.random_range(0..30) });
            all.collect::<BTreeSet<Choice>>()
        });
        let day = |of: &BTreeSet<Choice>, past: &BTreeSet<Choice>, day: i32| {
            let mut out = Day { day, ..Day::default() };
            out.requests = of.iter().map(|c| Requests { account: c.account, neighbourhood: 0, requests: 1 }).collect();
            out.new = of.difference(past).copied().collect();
            out.again = of.intersection(past).copied().collect();
            let active: BTreeSet<u32> = of.iter().map(|choice| choice.account).collect();
            let of_today =
                |c: &&Choice| active.contains(&c.account) && out.new.iter().any(|new| new.family == c.family);
            out.before = past.iter().filter(of_today).copied().collect();
            out.in_order()
        };
        let none = BTreeSet::new();
        let back = backwards(&day(&uses[0], &none, 4), &day(&uses[1], &uses[0], 5)).expect("the days are near");
        let reflected = day(&uses[0], &uses[1], 4);
        assert_eq!((back.new, back.before, back.requests), (reflected.new, reflected.before, reflected.requests));
    }
    let (first, late) = (Day { day: 0, ..Day::default() }, Day { day: 8, ..Day::default() });
    assert_eq!(backwards(&first, &late), None);
}

/// Days in which what an account had before is told as used again.
fn as_read(mut days: Vec<Day>) -> Vec<Day> {
    let mut used: BTreeSet<Choice> = BTreeSet::new();
    for day in &mut days {
        let active = day.accounts();
        let is_active = |choice: &&Choice| active.binary_search(&choice.account).is_ok();
        day.before = used.iter().filter(is_active).copied().collect();
        (day.again, day.new) = day.new.iter().partition(|choice| used.contains(choice));
        used.extend(day.new.iter().copied());
    }
    days
}

#[test]
fn what_is_shared_on_the_first_day_is_found_on_the_second_unless_it_comes_back() {
    let mut rng = ChaCha8Rng::seed_from_u64(62);
    let world = World::new(600, 30, &mut rng);
    let pool: Vec<u32> = (100..112).collect();
    for comes_back in [false, true] {
        let mut days = Vec::new();
        let mut first: Vec<(u64, u32)> = Vec::new();
        for day in 0..3 {
            let mut shared = Vec::new();
            if day == 0 {
                for prompt in 0..20u64 {
                    let sent = pool.iter().filter(|_| rng.random_bool(0.5));
                    first.extend(sent.map(|&account| (50_000_000 + prompt * 100 + 80, account)));
                }
            }
            if day == 0 || comes_back {
                shared.clone_from(&first);
            }
            days.push(world.day(day, &shared, &mut rng));
        }
        let mut state = State::default();
        for (n, day) in as_read(days).iter().enumerate() {
            state = state.with(day, &RingConfig::default(), NONE);
            assert_eq!(state.first.is_some(), n == 0);
        }
        let found = rings(&state);
        assert_eq!(found.len(), usize::from(!comes_back));
        for ring in &found {
            assert_eq!((ring.proposed, ring.confirmed), (1, 1));
            let listed = &ring.members[..at_level(&ring.members, 0.01)];
            let listed: BTreeSet<u32> = listed.iter().map(|member| member.account).collect();
            assert_eq!(listed, pool.iter().copied().collect());
        }
    }
}

#[test]
fn nobody_who_acts_alone_is_found_on_the_first_day() {
    let (mut tested, mut confirmed, mut sum) = (0u64, 0u64, 0.0);
    for seed in 0..12 {
        let mut rng = ChaCha8Rng::seed_from_u64(630 + seed);
        let world = World::new(500, if seed % 2 == 0 { 12 } else { 60 }, &mut rng);
        // Families of one day come back on the next, so that some are used again.
        let days = (0..2).map(|_| world.day(0, &[], &mut rng)).collect::<Vec<Day>>();
        let days = (0..).zip(days).map(|(day, of)| Day { day, ..of }).collect();
        let mut state = State::default();
        for day in as_read(days) {
            state = state.with(&day, &RingConfig::default(), NONE);
        }
        for group in state.groups.iter().filter(|group| group.of == 0 && group.half.is_some()) {
            sum += group.ln_e[0].exp();
            tested += 1;
            confirmed += u64::from(group.confirmed.is_some());
        }
        assert!(rings(&state).is_empty());
    }
    assert!(tested > 300, "{tested} groups are no calibration");
    assert_eq!(confirmed, 0);
    assert!(sum / tested as f64 <= 1.0, "mean of e {}", sum / tested as f64);
    assert!(proportion_interval(confirmed, tested, 0.95).1 < 0.013);
}
