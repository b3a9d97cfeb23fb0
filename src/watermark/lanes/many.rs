//! One lane for all tokens of a seed.
//!
//! The places z = i + u mod (n − i) of all swaps are made lane-wise, a few at a time; then each lane looks its own up in a bitset of the
//! places where its tokens are. Almost all are not there, so a swap costs a bit test.

use super::{LANES, Lane, N, Plan, Row, Twisters};
use crate::watermark::Unit;
use std::collections::HashMap;

/// Swaps at a time: their places stay in the first cache.
const STEPS: usize = 156;

/// A set of tokens or places.
#[derive(Clone, Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn clear(&mut self, n: u32) {
        self.0.clear();
        self.0.resize(n as usize / 64 + 1, 0);
    }

    #[inline(always)]
    fn has(&self, at: u32) -> bool {
        self.0[at as usize / 64] >> (at % 64) & 1 == 1
    }

    fn set(&mut self, at: u32) {
        self.0[at as usize / 64] |= 1 << (at % 64);
    }

    fn unset(&mut self, at: u32) {
        self.0[at as usize / 64] &= !(1 << (at % 64));
    }

    /// The first of them from `at` on and below `end`.
    fn next(&self, at: u32, end: u32) -> Option<u32> {
        let mut word = at as usize / 64;
        let mut bits = self.0[word] & (u64::MAX << (at % 64));
        while bits == 0 {
            word += 1;
            if word * 64 >= end as usize {
                return None;
            }
            bits = self.0[word];
        }
        Some(word as u32 * 64 + bits.trailing_zeros()).filter(|&found| found < end)
    }
}

/// The tokens of one seed.
#[derive(Clone, Default)]
struct Followed {
    /// Places of tokens that are not in the head yet.
    places: Bits,
    /// Tokens that are.
    head: Bits,
    /// Token at a place, where it is not the token of that number.
    moved: HashMap<u32, u32>,
    /// Its units.
    begin: usize,
    end: usize,
}

impl Followed {
    fn token_at(&mut self, place: u32) -> u32 {
        self.moved.remove(&place).unwrap_or(place)
    }

    /// Swaps of `draws.len()` steps from i on: `draws` are the places z of all lanes, this is lane l.
    fn follow(&mut self, i: u32, draws: &[Row], l: usize) {
        let last = i + draws.len() as u32;
        let mut from = i;
        while from < last {
            let event = self.places.next(from, last);
            let until = event.unwrap_or(last);
            for row in &draws[(from - i) as usize..(until - i) as usize] {
                let z = row.0[l];
                if self.places.has(z) {
                    self.take(z);
                }
            }
            let Some(event) = event else { return };
            from = event + 1;
            // A token leaves place `event`, if it was not taken meanwhile: for z, or into the head.
            let z = draws[(event - i) as usize].0[l];
            if self.places.has(z) {
                self.take(z);
            }
            if z != event && self.places.has(event) {
                let token = self.token_at(event);
                self.places.unset(event);
                self.places.set(z);
                self.moved.insert(z, token);
            }
        }
    }

    fn take(&mut self, z: u32) {
        let token = self.token_at(z);
        self.places.unset(z);
        self.head.set(token);
    }
}

/// Up to sixteen seeds.
pub(super) struct Batch {
    twisters: Twisters,
    seeds: Lane,
    followed: Vec<Followed>,
    len: usize,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self { twisters: Twisters::new(), seeds: [0; LANES], followed: Vec::new(), len: 0 }
    }

    /// Adds the units of one seed, which begin at `begin` among all.
    pub(super) fn push(&mut self, plan: &Plan, run: &[Unit], begin: usize) {
        self.seeds[self.len] = run[0].seed as u32;
        if self.followed.len() == self.len {
            self.followed.push(Followed::default());
        }
        let followed = &mut self.followed[self.len];
        followed.places.clear(plan.n);
        followed.head.clear(plan.n);
        followed.moved.clear();
        (followed.begin, followed.end) = (begin, begin + run.len());
        run.iter().filter(|unit| unit.token < plan.n).for_each(|unit| followed.places.set(unit.token));
        self.len += 1;
    }

    /// Answers all when there is room for no other.
    pub(super) fn flush_full(&mut self, plan: &Plan, units: &[Unit], hits: &mut [bool]) {
        if self.len == LANES {
            self.flush(plan, units, hits);
        }
    }

    /// Answers all.
    pub(super) fn flush(&mut self, plan: &Plan, units: &[Unit], hits: &mut [bool]) {
        if self.len == 0 {
            return;
        }
        pulp::Arch::new().dispatch(Seed { batch: self });
        let mut draws = [Row([0; LANES]); STEPS];
        let mut i = 0;
        while i < plan.k {
            let n = STEPS.min((plan.k - i) as usize);
            pulp::Arch::new().dispatch(Places { batch: self, n: plan.n, i, draws: &mut draws[..n] });
            for (l, followed) in self.followed[..self.len].iter_mut().enumerate() {
                followed.follow(i, &draws[..n], l);
            }
            i += n as u32;
        }
        for followed in &self.followed[..self.len] {
            for (unit, hit) in units[followed.begin..followed.end].iter().zip(&mut hits[followed.begin..]) {
                *hit = unit.token < plan.n && followed.head.has(unit.token);
            }
        }
        self.len = 0;
    }
}

struct Seed<'a> {
    batch: &'a mut Batch,
}

impl pulp::WithSimd for Seed<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        self.batch.twisters.seed(&self.batch.seeds);
    }
}

/// The places z of the swaps from i on.
struct Places<'a> {
    batch: &'a mut Batch,
    n: u32,
    i: u32,
    draws: &'a mut [Row],
}

impl pulp::WithSimd for Places<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        // A block of the generator is a whole number of these steps.
        const { assert!(N.is_multiple_of(STEPS)) };
        let Self { batch, n, i, draws } = self;
        for (i, places) in (i..).zip(draws) {
            let words = batch.twisters.draw(i as usize % N);
            let d = n - i;
            let reciprocal = ((1u64 << 32) / u64::from(d)).min(u64::from(u32::MAX)) as u32;
            for (place, word) in places.0.iter_mut().zip(words) {
                // The quotient is right or one too small.
                let quotient = ((u64::from(word) * u64::from(reciprocal)) >> 32) as u32;
                let rest = word.wrapping_sub(quotient.wrapping_mul(d));
                *place = i + rest.min(rest.wrapping_sub(d));
            }
        }
    }
}
