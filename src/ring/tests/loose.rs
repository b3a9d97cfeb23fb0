//! Pools of which no two accounts share many texts, and what must not be taken for one.

use super::super::member::at_level;
use super::super::propose::Reason;
use super::super::rings;
use super::super::walk::{RingConfig, State};
use super::{NONE, World};
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

/// A text of a day that nobody has sent before, in one of thirty neighbourhoods.
fn text(day: i32, n: u64) -> u64 {
    50_000_000 + day as u64 * 100_000 + n * 100 + 99
}

#[test]
fn a_pool_of_one_day_of_which_no_two_share_many_texts_is_a_ring() {
    let mut rng = ChaCha8Rng::seed_from_u64(41);
    let world = World::new(6000, 30, &mut rng);
    let pool: Vec<u32> = (100..140).collect();
    let mut state = State::default();
    for day in 0..3 {
        // On one day eighty texts, each sent by four of forty accounts: any two share about one in two.
        let mut shared: Vec<(u64, u32)> = Vec::new();
        for text in (0..80).map(|n| text(day, n)).filter(|_| day == 1) {
            let senders: [u32; 4] = pool.choose_multiple_array(&mut rng).expect("enough accounts");
            shared.extend(senders.map(|account| (text, account)));
        }
        state = state.with(&world.day(day, &shared, &mut rng), &RingConfig::default(), NONE);
    }
    let found = rings(&state);
    let listed: BTreeSet<u32> =
        found.iter().flat_map(|r| &r.members[..at_level(&r.members, 0.01)]).map(|member| member.account).collect();
    let right = listed.iter().filter(|account| pool.contains(account)).count();
    assert!(right >= 36 && listed.len() <= right + 2, "{right} of {}", listed.len());
}

#[test]
fn who_stands_beside_a_pool_with_one_common_text_a_day_is_no_ring() {
    for seed in 50..53 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let world = World::new(1000, 30, &mut rng);
        let (pool, class): (Vec<u32>, Vec<u32>) = ((100..120).collect(), (300..330).collect());
        let mut state = State::default();
        for day in 0..6 {
            let mut shared = Vec::new();
            for task in (0..14).map(|n| text(day, n)) {
                shared.extend(pool.iter().filter(|_| rng.random_bool(0.5)).map(|&account| (task, account)));
            }
            // A class with one exercise a day, some of whom also send a task of the pool: they are in loose groups with it.
            shared.extend(class.iter().filter(|_| rng.random_bool(0.8)).map(|&account| (text(day, 20), account)));
            let task = text(day, rng.random_range(0..14));
            let two: [u32; 2] = class.choose_multiple_array(&mut rng).expect("enough accounts");
            shared.extend(two.map(|account| (task, account)));
            shared.sort_unstable();
            shared.dedup();
            state = state.with(&world.day(day, &shared, &mut rng), &RingConfig::default(), NONE);
        }
        let mixed = |group: &&super::super::Group| {
            let of_class = group.accounts.iter().filter(|account| class.contains(account)).count();
            group.reason == Reason::Loose && group.confirmed.is_some() && of_class >= 20
        };
        assert!(
            state.groups.iter().any(|group| mixed(&group)),
            "{seed}: no confirmed group holds the class, so nothing is tested"
        );
        let found = rings(&state);
        let listed: BTreeSet<u32> =
            found.iter().flat_map(|r| &r.members[..at_level(&r.members, 0.01)]).map(|member| member.account).collect();
        let wrong = listed.iter().filter(|account| class.contains(account)).count();
        assert!(pool.iter().all(|account| listed.contains(account)), "{seed}: {listed:?}");
        assert!(wrong <= 2, "{seed}: {wrong} of the class are listed");
    }
}
