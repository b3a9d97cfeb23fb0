//! Many questions at once: is a token among the first k entries of its seed's permutation?
//!
//! # The idea
//! [`super::torch::is_first`] follows one token through k swaps. Here sixteen Mersenne Twisters advance in step, one a SIMD lane, so that
//! all lanes have the divisor d = n − i of swap i in common. Seeds with few tokens take a lane for each token (`one`), seeds with many
//! one lane for all of them (`many`).
//!
//! Weakness: the gain is that of the machine's vectors; without AVX2 it is small. Guarantee: equal to `torch::is_first` for every unit, in
//! any order (a property test); no `unsafe`, the compiler vectorises.

mod many;
mod one;

use super::Unit;

/// Generators in step: one 512-bit vector, or two of 256.
const LANES: usize = 16;
/// Words of a generator.
const N: usize = 624;
/// Distance in the recurrence.
const M: usize = 397;
/// From so many tokens of one seed on, one lane for all of them is quicker than a lane for each.
const MANY: usize = 5;

type Lane = [u32; LANES];

/// One number of each lane.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Row(Lane);

/// What is made once for a size of vocabulary and of list.
pub struct Plan {
    n: u32,
    k: u32,
    divisors: Vec<one::Divisor>,
}

impl Plan {
    /// For the first k places of permutations of n.
    ///
    /// # Panics
    /// When `k >= n`.
    #[must_use]
    pub fn new(n: u32, k: u32) -> Self {
        assert!(k < n, "expected k < n, got {k} of {n}");
        Self { n, k, divisors: (0..k).map(|i| one::Divisor::new(n - i)).collect() }
    }

    /// Sets whether each unit's token is among the first k entries of its seed's permutation. Units of one seed are best in a row.
    ///
    /// # Panics
    /// Unless `units` and `hits` are alike in length.
    pub fn first(&self, units: &[Unit], hits: &mut [bool]) {
        assert_eq!(units.len(), hits.len(), "expected one answer a unit");
        let (mut few, mut many) = (one::Batch::new(), many::Batch::new());
        let mut at = 0;
        for run in units.chunk_by(|a, b| a.seed == b.seed) {
            if run.len() >= MANY {
                many.push(self, run, at);
                many.flush_full(self, units, hits);
            } else {
                for (unit, place) in run.iter().zip(at..).filter(|(unit, _)| unit.token < self.n) {
                    few.push(unit, place);
                    few.flush_full(self, hits);
                }
            }
            at += run.len();
        }
        few.flush(self, hits);
        many.flush(self, units, hits);
    }
}

/// Sixteen generators.
struct Twisters(Box<[Row; N]>);

impl Twisters {
    fn new() -> Self {
        Self(Box::new([Row([0; LANES]); N]))
    }

    /// As `init_genrand` of each lane.
    #[inline(always)]
    fn seed(&mut self, seeds: &Lane) {
        let mut last = *seeds;
        self.0[0] = Row(last);
        for i in 1..N {
            for word in &mut last {
                *word = 1_812_433_253u32.wrapping_mul(*word ^ (*word >> 30)).wrapping_add(i as u32);
            }
            self.0[i] = Row(last);
        }
    }

    /// Draw i of each lane, i below 624 within its block; the draws before must have been taken. (A function with a closure for its
    /// draws would be compiled apart from the widest vectors.)
    #[inline(always)]
    fn draw(&mut self, i: usize) -> Lane {
        let state = &mut self.0;
        let next = state[if i + 1 < N { i + 1 } else { 0 }].0;
        let far = state[if i + M < N { i + M } else { i + M - N }].0;
        let row = &mut state[i].0;
        let mut draws = [0; LANES];
        for l in 0..LANES {
            let y = (row[l] & 0x8000_0000) | (next[l] & 0x7fff_ffff);
            let odd = (next[l] & 1).wrapping_neg() & 0x9908_b0df;
            row[l] = far[l] ^ (y >> 1) ^ odd;
            draws[l] = temper(row[l]);
        }
        draws
    }

    /// The draw that lane l had last at `at`.
    fn drawn(&self, at: usize, l: usize) -> u32 {
        temper(self.0[at % N].0[l])
    }
}

#[inline(always)]
fn temper(mut y: u32) -> u32 {
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c_5680;
    y ^= (y << 15) & 0xefc6_0000;
    y ^ (y >> 18)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watermark::torch;
    use proptest::prelude::*;

    fn plain(n: u32, k: u32, units: &[Unit]) -> Vec<bool> {
        units.iter().map(|unit| unit.token < n && torch::is_first(unit.seed as u64, n, k, unit.token)).collect()
    }

    fn fast(n: u32, k: u32, units: &[Unit]) -> Vec<bool> {
        let mut hits = vec![false; units.len()];
        Plan::new(n, k).first(units, &mut hits);
        hits
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn fast_equals_plain(
            n in 2u32..3000,
            share in 0.0..1.0,
            seeds in prop::collection::vec((any::<u32>(), 1usize..12), 1..40),
            picks in prop::collection::vec(0.0..1.01, 12),
        ) {
            let k = ((f64::from(n) * share) as u32).clamp(1, n - 1);
            let units: Vec<Unit> = seeds
                .iter()
                .flat_map(|&(seed, tokens)| {
                    let token = move |pick: &f64| Unit { seed: u128::from(seed), token: (pick * f64::from(n)) as u32 };
                    picks[..tokens].iter().map(token).collect::<Vec<_>>()
                })
                .collect();
            prop_assert_eq!(fast(n, k, &units), plain(n, k, &units));
        }
    }

    #[test]
    fn whole_vocabularies_are_answered() {
        for (n, k) in [(5, 2), (1300, 650), (2000, 1999)] {
            let units: Vec<Unit> = (0..20u128).flat_map(|seed| (0..n).map(move |token| Unit { seed, token })).collect();
            let hits = fast(n, k, &units);
            assert_eq!(hits, plain(n, k, &units), "{k} of {n}");
            assert_eq!(hits.iter().filter(|hit| **hit).count(), 20 * k as usize);
        }
    }
}
