//! Members: bystanders who share by chance what proposed them are none, at the rate that a list states.

use super::super::member::{Member, at_level};
use super::super::rings;
use super::super::walk::{RingConfig, State};
use super::{NONE, World};
use crate::stats::proportion_interval;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Worlds with a pool, and bystanders who each send one of its texts on one day, the very text that proposes them with it. Returns pool accounts listed, all of
/// them, others listed, bystanders.
fn listed(seeds: std::ops::Range<u64>, days_each: usize) -> [u64; 4] {
    let mut out = [0; 4];
    for seed in seeds {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let world = World::new(1000, 30, &mut rng);
        let (pool, bystanders): (Vec<u32>, Vec<u32>) = ((100..140).collect(), (300..330).collect());
        let mut days_of = || {
            let mut days = vec![1, 2, 3];
            days.shuffle(&mut rng);
            days.truncate(days_each);
            days
        };
        let active: Vec<Vec<i32>> = pool.iter().map(|_| days_of()).collect();
        let mut state = State::default();
        for day in 0..4 {
            let mut shared = Vec::new();
            let tasks: Vec<u64> = (0..20).map(|n| 50_000_000 + day as u64 * 100_000 + n * 100 + 99).collect();
            for (account, _) in pool.iter().zip(&active).filter(|(_, on)| on.contains(&day)) {
                shared.extend(tasks.iter().filter(|_| rng.random_bool(0.4)).map(|&family| (family, *account)));
            }
            // Each bystander on one day, one text.
            for bystander in bystanders.iter().filter(|bystander| **bystander as i32 % 3 + 1 == day) {
                shared.extend(tasks.choose(&mut rng).map(|&family| (family, *bystander)));
            }
            state = state.with(&world.day(day, &shared, &mut rng), &RingConfig::default(), NONE);
        }
        let found = rings(&state);
        let mut all: Vec<u32> =
            found.iter().flat_map(|r| &r.members[..at_level(&r.members, 0.01)]).map(|m| m.account).collect();
        all.sort_unstable();
        all.dedup();
        let own = |of: &[u32]| of.iter().filter(|account| all.binary_search(account).is_ok()).count() as u64;
        out[0] += own(&pool);
        out[1] += pool.len() as u64;
        out[2] += all.len() as u64 - own(&pool);
        out[3] += bystanders.len() as u64;
    }
    out
}

#[test]
fn who_shares_only_the_text_that_proposed_him_is_no_member() {
    let [right, pool, wrong, bystanders] = listed(700..706, 2);
    assert!(20 * right >= 19 * pool, "{right} of {pool}");
    // A list of level 1%: the share of false ones is not shown to be larger.
    assert!(proportion_interval(wrong, right + wrong, 0.99).0 <= 0.01, "{wrong} of {} listed", right + wrong);
    assert!(10 * wrong <= bystanders, "{wrong} of {bystanders} bystanders");
}

#[test]
fn sure_members_do_not_pay_for_a_doubtful_one() {
    let member = |local_fdr| Member { account: 0, ln_ratio: 0.0, local_fdr, families: 1, top: Vec::new() };
    let mut members = vec![member(0.0); 99];
    members.push(member(0.09));
    // The mean is below 1% with either, and one in five is too doubtful for any list of that level.
    assert_eq!(at_level(&members, 0.01), 100);
    members[99] = member(0.2);
    assert_eq!((at_level(&members, 0.01), at_level(&members, 0.05)), (99, 100));
}
