//! Days turned: nothing is lost, habits stay together, what is new stays new once, and a work queue falls apart.

use super::super::placebo::{Dealing, realised};
use super::super::shift::shifted;
use super::super::walk::{RingConfig, State};
use super::super::{Choice, Day};
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
