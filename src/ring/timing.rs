//! Whether accounts use the same texts at the same time, beyond the rhythm of the day.
//!
//! The idea: pairs of different accounts that used one text within ten minutes of each other are counted, and the p-value is the rank of that number among draws
//! in which every use is moved to a random moment of its own four hours (interval jitter, Amarasingham et al. 2012). What who used is left as it is, so this
//! knows only when. Weakness: a lesson, a broadcast or a breaking event makes innocent people simultaneous too; a queue that waits at random is not seen.
//! Guarantee: the same seed gives the same p.

use super::composition::DRAWS_OF_CHANGES;
use super::streams::ln_rank_of;
use rand::Rng as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The first use of a text by an account on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// The family.
    pub family: u64,
    /// When, microseconds.
    pub time: i64,
    /// The account.
    pub account: u32,
}

/// How simultaneous uses are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Uses that were looked at.
    pub uses: u32,
    /// Pairs of different accounts with one text within ten minutes.
    pub pairs: u32,
    /// ln p.
    pub ln_p: f64,
}

/// Microseconds between two uses that are at the same time, at most.
const TOGETHER: i64 = 600_000_000;
/// Microseconds of the interval in which a use may lie anywhere.
const INTERVAL: i64 = 4 * 3_600_000_000;
/// Uses that are looked at; of more, those of the texts with the smallest numbers.
const MOST_USES: usize = 2_000;
/// Fewest uses of which this can be told.
const LEAST_USES: usize = 10;
/// Draws, where few are as extreme as what was seen.
const MOST_DRAWS: u32 = 9_999;

/// Tests first uses of texts by the accounts of a group on a day, each text and account once; none where they are too few.
#[must_use]
pub fn timing(uses: Vec<Use>, seed: u64) -> Option<Timing> {
    within(uses, seed, INTERVAL, MOST_DRAWS)
}

/// Hours of the intervals of [`timing_in_other_intervals`]: shorter ones leave less to chance, longer ones more to the rhythm of the day.
pub const OTHER_HOURS: [u8; 2] = [1, 8];

/// The same where uses are moved within other intervals.
#[must_use]
pub fn timing_in_other_intervals(uses: &[Use], seed: u64) -> [Option<Timing>; OTHER_HOURS.len()] {
    OTHER_HOURS.map(|hours| within(uses.to_vec(), seed, i64::from(hours) * 3_600_000_000, DRAWS_OF_CHANGES))
}

fn within(mut uses: Vec<Use>, seed: u64, interval: i64, most_draws: u32) -> Option<Timing> {
    uses.sort_unstable();
    uses.truncate(MOST_USES);
    if uses.len() < LEAST_USES {
        return None;
    }
    let n = uses.len() as u32;
    let seen = pairs(&uses);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut moved = uses.clone();
    let ln_p = ln_rank_of(most_draws, || {
        moved.copy_from_slice(&uses);
        for (moved, own) in moved.iter_mut().zip(&uses) {
            moved.time = own.time.div_euclid(interval) * interval + rng.random_range(0..interval);
        }
        moved.chunk_by_mut(|a, b| a.family == b.family).for_each(<[Use]>::sort_unstable);
        pairs(&moved) >= seen
    });
    Some(Timing { uses: n, pairs: seen, ln_p })
}

/// Pairs of uses, sorted, of one family by different accounts within [`TOGETHER`].
fn pairs(uses: &[Use]) -> u32 {
    let mut n = 0;
    for (i, first) in uses.iter().enumerate() {
        let later = uses[i + 1..].iter();
        let near = later.take_while(|use_| use_.family == first.family && use_.time - first.time <= TOGETHER);
        n += near.filter(|use_| use_.account != first.account).count() as u32;
    }
    n
}
