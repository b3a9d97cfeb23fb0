//! Whether texts of a public set came in the set's own order, over all accounts of a group together.
//!
//! The idea: whoever works a data set off hands its texts out in the order in which they stand there, to one account after the other, so that each account sees a few of them and the group as a
//! whole sees the set from its beginning. Kendall's τ between the place of each text in the set and the moment when the group first sent it is ranked among random orders (Kendall 1938; Besag and Clifford
//! 1991): an exact test of the hypothesis that the order in which they came has nothing to do with the set's. Weakness: a class that is given a course's exercises one after the other has their order too, and a
//! shuffled queue has none. So this describes and proves nothing about who is behind it. Guarantee: texts that came at one moment say nothing on either side; the same seed gives the same p.

use super::composition::DRAWS_OF_CHANGES;
use super::streams::ln_rank_of;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

/// In how far the order of a set was kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order {
    /// Texts that were looked at.
    pub texts: u32,
    /// Kendall's τ, −1 to 1: the share of pairs in the set's order less the share of those against it.
    pub tau: f64,
    /// ln p that a random order is as near to the set's.
    pub ln_p: f64,
}

/// Fewest texts of which this can be told.
const LEAST: usize = 8;
/// Texts that are looked at: of more, those that came first, which are a random choice where the order is.
const MOST: usize = 100;

/// Tests texts of one set, each once: the moment when it first came, in any unit, and its place in the set. None of fewer than eight.
#[must_use]
pub fn order(mut texts: Vec<(i64, u64)>, seed: u64) -> Option<Order> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Those of one moment at the cut are chosen by chance, not by their places.
    texts.sort_unstable();
    texts.shuffle(&mut rng);
    texts.sort_by_key(|(time, _)| *time);
    texts.truncate(MOST);
    if texts.len() < LEAST {
        return None;
    }
    let (times, mut places): (Vec<i64>, Vec<u64>) = texts.into_iter().unzip();
    let seen = concordance(&times, &places);
    let n = times.len() as f64;
    let ln_p = ln_rank_of(DRAWS_OF_CHANGES, || {
        places.shuffle(&mut rng);
        concordance(&times, &places) >= seen
    });
    Some(Order { texts: times.len() as u32, tau: seen as f64 / (0.5 * n * (n - 1.0)), ln_p })
}

/// Pairs in the set's order less those against it; times are sorted, and pairs of one time or place count on neither side.
fn concordance(times: &[i64], places: &[u64]) -> i64 {
    let mut sum = 0;
    for (j, (time, place)) in times.iter().zip(places).enumerate() {
        // All before it that came earlier.
        let earlier = times[..j].partition_point(|other| other < time);
        sum += places[..earlier].iter().map(|other| place.cmp(other) as i64).sum::<i64>();
    }
    sum
}
