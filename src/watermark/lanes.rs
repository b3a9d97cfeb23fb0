//! Many questions at once: is a token among the first k entries of its seed's permutation?
//!
//! # The idea
//! [`super::torch::is_first`] follows one token through k swaps. Here sixteen Mersenne Twisters advance in step, one a SIMD lane,
//! each following one token of its own seed. At swap i all lanes have the divisor d = n − i in common, and the whole question is
//! whether the draw u puts the followed place p there: u mod d = p − i. So nothing is divided: u − (p − i) is a multiple of d exactly
//! when its product with the inverse of d's odd part modulo 2³², rotated right by d's power of two, is at most ⌊(2³² − 1) / d⌋ (Hacker's
//! Delight, 10-17). Only at swap i = p, once a lane, is a remainder taken.
//!
//! Of a seed with many tokens, one generator is run and its swaps are looked up in a bitset of followed places.
//!
//! Guarantee: equal to `torch::is_first` for every unit, in any order (a property test); no `unsafe`, the compiler vectorises.

use super::Unit;
use super::mt19937::Mt19937;

/// Generators in step: one 512-bit vector, or two of 256.
const LANES: usize = 16;
/// Words of a generator.
const N: usize = 624;
/// Distance in the recurrence.
const M: usize = 397;
/// From so many tokens of one seed on, one generator with a bitset is quicker than a lane for each.
const MANY: usize = 6;

type Lane = [u32; LANES];

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Row(Lane);

/// What is needed to divide by one d.
#[derive(Clone, Copy)]
struct Divisor {
    /// Inverse of the odd part, modulo 2³².
    inverse: u32,
    /// Power of two in d.
    shift: u32,
    /// The largest quotient of 32 bits.
    limit: u32,
}

impl Divisor {
    fn new(d: u32) -> Self {
        let shift = d.trailing_zeros();
        let odd = d >> shift;
        // Newton: each step doubles the number of right bits; 3 are right at first.
        let inverse = (0..4).fold(odd, |x, _| x.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(x))));
        Self { inverse, shift, limit: u32::MAX / d }
    }
}

/// What is made once for a size of vocabulary and of list.
pub struct Plan {
    n: u32,
    k: u32,
    divisors: Vec<Divisor>,
}

impl Plan {
    /// For the first k places of permutations of n.
    ///
    /// # Panics
    /// When `k >= n`.
    #[must_use]
    pub fn new(n: u32, k: u32) -> Self {
        assert!(k < n, "expected k < n, got {k} of {n}");
        Self { n, k, divisors: (0..k).map(|i| Divisor::new(n - i)).collect() }
    }

    /// Sets whether each unit's token is among the first k entries of its seed's permutation. Units of one seed are best in a row.
    ///
    /// # Panics
    /// Unless `units` and `hits` are alike in length.
    pub fn first(&self, units: &[Unit], hits: &mut [bool]) {
        assert_eq!(units.len(), hits.len(), "expected one answer a unit");
        let mut batch = Batch::new();
        let mut at = 0;
        for run in units.chunk_by(|a, b| a.seed == b.seed) {
            if run.len() >= MANY {
                self.follow_many(run, &mut hits[at..at + run.len()]);
            } else {
                for (unit, place) in run.iter().zip(at..).filter(|(unit, _)| unit.token < self.n) {
                    if batch.push(unit, place) {
                        self.answer(&mut batch, hits);
                    }
                }
            }
            at += run.len();
        }
        self.answer(&mut batch, hits);
    }

    fn answer(&self, batch: &mut Batch, hits: &mut [bool]) {
        if batch.len > 0 {
            pulp::Arch::new().dispatch(Run { batch, plan: self });
            batch.hits.iter().zip(&batch.places[..batch.len]).for_each(|(&hit, &place)| hits[place] = hit);
            batch.len = 0;
        }
    }

    /// One generator for many tokens.
    fn follow_many(&self, run: &[Unit], hits: &mut [bool]) {
        let mut generator = Mt19937::new(run[0].seed as u64);
        let mut followed = vec![0u64; self.n as usize / 64 + 1];
        let mut owners: std::collections::HashMap<u32, Vec<usize>> = std::collections::HashMap::new();
        for (at, unit) in run.iter().enumerate().filter(|(_, unit)| unit.token < self.n) {
            followed[unit.token as usize / 64] |= 1 << (unit.token % 64);
            owners.entry(unit.token).or_default().push(at);
        }
        let is_set = |set: &[u64], place: u32| set[place as usize / 64] >> (place % 64) & 1 == 1;
        for i in 0..self.k {
            let z = i + generator.next_u32() % (self.n - i);
            if is_set(&followed, z) {
                followed[z as usize / 64] &= !(1 << (z % 64));
                owners.remove(&z).into_iter().flatten().for_each(|at| hits[at] = true);
            }
            // The other entry of the swap goes from place i to place z.
            if is_set(&followed, i) {
                followed[i as usize / 64] &= !(1 << (i % 64));
                followed[z as usize / 64] |= 1 << (z % 64);
                if let Some(owner) = owners.remove(&i) {
                    owners.insert(z, owner);
                }
            }
        }
    }
}

/// Up to sixteen questions.
struct Batch {
    state: Box<[Row; N]>,
    seeds: Lane,
    tokens: Lane,
    places: [usize; LANES],
    hits: [bool; LANES],
    len: usize,
}

impl Batch {
    fn new() -> Self {
        let state = Box::new([Row([0; LANES]); N]);
        Self { state, seeds: [0; LANES], tokens: [0; LANES], places: [0; LANES], hits: [false; LANES], len: 0 }
    }

    /// Adds a question; true when there is room for no other.
    fn push(&mut self, unit: &Unit, place: usize) -> bool {
        (self.seeds[self.len], self.tokens[self.len]) = (unit.seed as u32, unit.token);
        self.places[self.len] = place;
        self.len += 1;
        self.len == LANES
    }

    #[inline(always)]
    fn run(&mut self, plan: &Plan) {
        let (n, k) = (plan.n, plan.k as usize);
        seed(&mut self.state, &self.seeds);
        let mut places = self.tokens;
        let mut hit = [0u32; LANES];
        let mut i = 0;
        while i < k {
            // Up to the end of the block, or to where a followed place is swapped away.
            let waiting = (0..self.len).filter(|&l| hit[l] == 0 && places[l] as usize >= i);
            let event = waiting.map(|l| places[l] as usize).min().unwrap_or(usize::MAX);
            let end = (event.saturating_add(1)).min(k).min((i / N + 1) * N);
            let mut rest: Lane = std::array::from_fn(|l| places[l].wrapping_sub(i as u32));
            steps(&mut self.state, i % N, &plan.divisors[i..end], &mut rest, &mut hit);
            if end == event + 1 {
                for l in 0..self.len {
                    if hit[l] == 0 && places[l] as usize == event {
                        places[l] = event as u32 + temper(self.state[event % N].0[l]) % (n - event as u32);
                    }
                }
            }
            i = end;
            if hit[..self.len].iter().all(|&hit| hit != 0) {
                break;
            }
        }
        self.hits = std::array::from_fn(|l| hit[l] != 0);
    }
}

/// A batch, to be run with the widest vectors of the machine. A closure would be compiled apart from them.
struct Run<'a> {
    batch: &'a mut Batch,
    plan: &'a Plan,
}

impl pulp::WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        self.batch.run(self.plan);
    }
}

/// As `init_genrand` of each lane.
#[inline(always)]
fn seed(state: &mut [Row; N], seeds: &Lane) {
    let mut last = *seeds;
    state[0] = Row(last);
    for i in 1..N {
        for l in 0..LANES {
            last[l] = 1_812_433_253u32.wrapping_mul(last[l] ^ (last[l] >> 30)).wrapping_add(i as u32);
        }
        state[i] = Row(last);
    }
}

#[inline(always)]
fn temper(mut y: u32) -> u32 {
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c_5680;
    y ^= (y << 15) & 0xefc6_0000;
    y ^ (y >> 18)
}

/// Twists words `at..` in place, one for each divisor, and marks the lanes whose draw is `rest` modulo it; `rest` falls by one a step.
#[inline(always)]
fn steps(state: &mut [Row; N], at: usize, divisors: &[Divisor], rest: &mut Lane, hit: &mut Lane) {
    let (mut r, mut h) = (*rest, *hit);
    for (i, divisor) in (at..).zip(divisors) {
        let next = state[if i + 1 < N { i + 1 } else { 0 }].0;
        let far = state[if i + M < N { i + M } else { i + M - N }].0;
        let row = &mut state[i].0;
        for l in 0..LANES {
            let y = (row[l] & 0x8000_0000) | (next[l] & 0x7fff_ffff);
            let odd = (next[l] & 1).wrapping_neg() & 0x9908_b0df;
            row[l] = far[l] ^ (y >> 1) ^ odd;
            let u = temper(row[l]);
            let quotient = u.wrapping_sub(r[l]).wrapping_mul(divisor.inverse).rotate_right(divisor.shift);
            h[l] |= u32::from(quotient <= divisor.limit) & u32::from(u >= r[l]);
            r[l] = r[l].wrapping_sub(1);
        }
    }
    (*rest, *hit) = (r, h);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watermark::torch;
    use proptest::prelude::*;

    fn plain(n: u32, k: u32, units: &[Unit]) -> Vec<bool> {
        units.iter().map(|unit| unit.token < n && torch::is_first(unit.seed as u64, n, k, unit.token)).collect()
    }

    #[test]
    fn divisors_divide() {
        for d in (1..200).chain([1 << 16, 3 << 20, u32::MAX]) {
            let divisor = Divisor::new(d);
            for x in (0..300).chain([u32::MAX, u32::MAX - 1, u32::MAX / d * d, 1 << 31]) {
                let quotient = x.wrapping_mul(divisor.inverse).rotate_right(divisor.shift);
                assert_eq!(quotient <= divisor.limit, x % d == 0, "{x} by {d}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn fast_equals_plain(
            n in 2u32..3000,
            share in 0.0..1.0,
            seeds in prop::collection::vec((any::<u32>(), 1usize..12), 1..20),
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
            let mut hits = vec![false; units.len()];
            Plan::new(n, k).first(&units, &mut hits);
            prop_assert_eq!(hits, plain(n, k, &units));
        }
    }
}
