//! Days turned: nothing is lost, habits stay together, what is new stays new once, and a work queue falls apart.

use super::super::placebo::{Dealing, Walks, realised};
use super::super::shift::{LATE, Late, late_by, shifted};
use super::super::walk::{RingConfig, State};
use super::super::{Choice, Day, Requests};
use super::{NONE, World};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

/// Ten days on which 40 accounts share twelve new texts a day.
fn days(rng: &mut ChaCha8Rng) -> Vec<Day> {
    let world = World::new(600, 30, rng);
    let mut used: BTreeSet<Choice> = BTreeSet::new();
    let day = |day| {
        let mut shared = Vec::new();
        for text in 0..12u64 {
            let family = 50_000_000 + day as u64 * 100_000 + text * 100 + 99;
            shared.extend((100..140).filter(|_| rng.random_bool(0.3)).map(|account| (family, account)));
        }
        let mut today = world.day(day, &shared, rng);
        // Some accounts have days off.
        let is_off = |account: u32| (account + day as u32).is_multiple_of(5);
        today.requests.retain(|r| !is_off(r.account));
        today.new.retain(|choice| !is_off(choice.account));
        used.extend(today.new.iter().copied());
        today.in_order()
    };
    (0..10).map(day).collect()
}

#[test]
fn nothing_is_lost_and_what_an_account_asked_together_stays_together() {
    let mut rng = ChaCha8Rng::seed_from_u64(61);
    let days = days(&mut rng);
    let turned = shifted(&days, 3);
    assert_eq!(turned, shifted(&days, 3));
    assert_ne!(turned, shifted(&days, 4));
    let all = |days: &[Day]| -> BTreeSet<Choice> { days.iter().flat_map(|day| day.new.clone()).collect() };
    assert_eq!(all(&days), all(&turned));
    let mut moved = 0;
    for account in [3u32, 100, 101, 222] {
        let of = |days: &[Day]| -> Vec<(i32, BTreeSet<u64>, u32)> {
            let own = |day: &Day| {
                let texts = day.new.iter().filter(|c| c.account == account).map(|c| c.family).collect();
                let requests = day.requests.iter().filter(|r| r.account == account).map(|r| r.requests).sum();
                (day.day, texts, requests)
            };
            days.iter().map(own).filter(|of| of.2 > 0).collect()
        };
        let (before, after) = (of(&days), of(&turned));
        let dates = |of: &[(i32, BTreeSet<u64>, u32)]| of.iter().map(|of| of.0).collect::<Vec<i32>>();
        assert_eq!(dates(&before), dates(&after), "on the same dates");
        let k = before.len();
        let by = (0..k)
            .find(|by| (0..k).all(|i| (&before[i].1, before[i].2) == (&after[(i + by) % k].1, after[(i + by) % k].2)));
        moved += usize::from(by.expect("turned as a whole") > 0);
    }
    assert!(moved >= 2, "{moved} of 4 turned");
    // Oracle of what was used before.
    let mut first: BTreeMap<Choice, i32> = BTreeMap::new();
    for day in &turned {
        first.extend(day.new.iter().map(|&choice| (choice, day.day)));
    }
    for day in &turned {
        let (accounts, families) = (day.accounts(), day.new.iter().map(|c| c.family).collect::<BTreeSet<u64>>());
        let before = first.iter().filter(|(choice, of)| {
            **of < day.day && families.contains(&choice.family) && accounts.binary_search(&choice.account).is_ok()
        });
        assert_eq!(before.map(|(choice, _)| *choice).collect::<Vec<_>>(), day.before);
    }
}

#[test]
fn a_work_queue_falls_apart_and_no_more_is_confirmed() {
    let mut rng = ChaCha8Rng::seed_from_u64(62);
    let days = days(&mut rng);
    let confirmed = |days: &[Day]| {
        let walk = |state: State, day: &Day| state.with(day, &RingConfig::default(), NONE);
        days.iter().fold(State::default(), walk).groups.iter().filter(|group| group.confirmed.is_some()).count()
    };
    let (together, apart) = (confirmed(&days), confirmed(&shifted(&days, 1)));
    // One in eight or so of the queue's accounts come together still.
    assert!(together > 20 && 4 * apart < together, "{apart} of {together}");
    // Without the accounts that were found nothing is left.
    let found = realised(&days, &RingConfig::default(), Dealing::Dates, 6, 1);
    assert_eq!(found, realised(&days, &RingConfig::default(), Dealing::Dates, 6, 1));
    assert!(found.lists_with == 0 && found.lists > 50 && found.mean_e < 1.0, "{found:?}");
}

/// Fourteen days of 90 accounts that use old and new families, as a store tells them; and the day of each first use.
fn with_a_past(rng: &mut ChaCha8Rng) -> (Vec<Day>, BTreeMap<Choice, i32>) {
    let mut first: BTreeMap<Choice, i32> = BTreeMap::new();
    let mut day = |day: i32| {
        let mut uses: BTreeSet<Choice> = BTreeSet::new();
        let mut today = Day { day, ..Day::default() };
        for account in 0..90 {
            if rng.random_bool(0.3) {
                continue;
            }
            today.requests.push(Requests { account, neighbourhood: 0, requests: 4 });
            uses.extend((0..4).map(|_| Choice { family: rng.random_range(0..60u64), account }));
        }
        (today.again, today.new) = uses.into_iter().partition(|choice| first.contains_key(choice));
        let accounts = today.accounts();
        let new = |family: u64| today.new.iter().filter(|choice| choice.family == family).count();
        let used = first.keys().filter(|c| accounts.binary_search(&c.account).is_ok() && new(c.family) >= 2);
        today.before = used.copied().collect();
        today.neighbourhoods = (0..60).map(|family| (family, 0)).collect();
        first.extend(today.new.iter().map(|&choice| (choice, day)));
        today.in_order()
    };
    ((0..14).map(&mut day).collect(), first)
}

#[test]
fn accounts_are_late_by_a_number_of_their_own_and_what_was_used_before_is_known() {
    let (days, first) = with_a_past(&mut ChaCha8Rng::seed_from_u64(63));
    let mut counts = [0; LATE];
    (0..90).for_each(|account| counts[late_by(account)] += 1);
    assert!(counts.iter().all(|n| (8..=18).contains(n)), "{counts:?}");
    let (mut late, mut known, mut wanted) = (Late::default(), 0, 0);
    for (at, day) in days.iter().enumerate() {
        let made = late.clone().next(day);
        late = late.with(day, &|_| false, &RingConfig::default());
        let then = |account: u32| at.checked_sub(late_by(account)).map(|at| &days[at]);
        let of = |account: u32| {
            then(account)
                .into_iter()
                .flat_map(move |day| day.new.iter().copied().filter(move |choice| choice.account == account))
        };
        assert_eq!(made.new, (0..90).flat_map(of).collect::<BTreeSet<Choice>>().into_iter().collect::<Vec<_>>());
        let is_active =
            |account: u32| then(account).is_some_and(|day| day.requests.iter().any(|r| r.account == account));
        assert_eq!(made.accounts(), (0..90).filter(|&account| is_active(account)).collect::<Vec<_>>());
        // Whoever used a family of the day before his own day, and nobody else, as far as a week remembers.
        let families: BTreeSet<u64> = made.new.iter().map(|choice| choice.family).collect();
        let truth: Vec<Choice> = first
            .iter()
            .filter(|(choice, day)| {
                families.contains(&choice.family)
                    && is_active(choice.account)
                    && then(choice.account).is_some_and(|own| **day < own.day)
            })
            .map(|(choice, _)| *choice)
            .collect();
        assert!(made.before.iter().all(|choice| truth.binary_search(choice).is_ok()));
        (known, wanted) = (known + made.before.len(), wanted + truth.len());
    }
    assert!(wanted > 5_000 && known as f64 >= 0.97 * wanted as f64, "{known} of {wanted}");
}

#[test]
fn a_queue_whose_accounts_are_late_falls_apart_and_habits_alone_confirm_nothing() {
    let config = RingConfig::default();
    let walk = |days: &[Day]| days.iter().fold(Late::default(), |late, day| late.with(day, &|_| false, &config));
    let confirmed = |state: &State| state.groups.iter().filter(|group| group.confirmed.is_some()).count();
    let days = days(&mut ChaCha8Rng::seed_from_u64(62));
    let real = days.iter().fold(State::default(), |state, day| state.with(day, &config, NONE));
    let (together, apart) = (confirmed(&real), confirmed(&walk(&days).state));
    // One in seven of the queue's accounts are late by the same number.
    assert!(together > 20 && 4 * apart < together, "{apart} of {together}");
    // The same through the walks: what the true walk has found is left out from then on.
    let mut walks = days.iter().fold(Walks::default(), |walks, day| walks.with(day, &config, NONE));
    let of_late = walks.of_late();
    assert!(of_late.rejected == 0 && of_late.tested > 100, "{of_late:?}");
    walks.forget(&|account| account == 3, Some(5));
    assert!(walks.late != Late::default());
    walks.drop_neighbourhoods();
    // Without coordination, worlds with narrow and wide neighbourhoods: nothing, and the mean of the e-values is one at most.
    let (mut tests, mut sum) = (0, 0.0);
    for seed in 0..6 {
        let mut rng = ChaCha8Rng::seed_from_u64(640 + seed);
        let world = World::new(400, if seed % 2 == 0 { 12 } else { 60 }, &mut rng);
        let days: Vec<Day> = (0..10).map(|day| world.day(day, &[], &mut rng)).collect();
        let state = walk(&days).state;
        assert_eq!(confirmed(&state), 0, "seed {seed}");
        tests += state.days.iter().map(|day| day.tests).sum::<u64>();
        sum += state.days.iter().map(|day| day.sum_e).sum::<f64>();
    }
    assert!(tests > 1_000 && sum / tests as f64 <= 1.0, "{tests} tests, mean of e {}", sum / tests as f64);
}
