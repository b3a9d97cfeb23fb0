//! A lane for each token.
//!
//! At swap i the whole question is whether the draw u puts the followed place p there: u mod d = p − i, d = n − i. So nothing is divided:
//! u − (p − i) is a multiple of d exactly when its product with the inverse of d's odd part modulo 2³², rotated right by d's power of
//! two, is at most ⌊(2³² − 1) / d⌋ (Warren, Hacker's Delight, section 10-17). Only at swap i = p, once a lane, is a remainder taken.

use super::{LANES, Lane, N, Plan, Twisters};
use crate::watermark::Unit;

/// What is needed to divide by one d.
#[derive(Clone, Copy)]
pub(super) struct Divisor {
    /// Inverse of the odd part, modulo 2³².
    inverse: u32,
    /// Power of two in d.
    shift: u32,
    /// The largest quotient of 32 bits.
    limit: u32,
}

impl Divisor {
    pub(super) fn new(d: u32) -> Self {
        let shift = d.trailing_zeros();
        let odd = d >> shift;
        // Newton: each step doubles the number of right bits; 3 are right at first.
        let inverse = (0..4).fold(odd, |x, _| x.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(x))));
        Self { inverse, shift, limit: u32::MAX / d }
    }
}

/// Up to sixteen questions.
pub(super) struct Batch {
    twisters: Twisters,
    seeds: Lane,
    tokens: Lane,
    places: [usize; LANES],
    len: usize,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self { twisters: Twisters::new(), seeds: [0; LANES], tokens: [0; LANES], places: [0; LANES], len: 0 }
    }

    /// Adds a question, whose answer goes to `place`.
    pub(super) fn push(&mut self, unit: &Unit, place: usize) {
        (self.seeds[self.len], self.tokens[self.len]) = (unit.seed as u32, unit.token);
        self.places[self.len] = place;
        self.len += 1;
    }

    /// Answers all questions when there is room for no other.
    pub(super) fn flush_full(&mut self, plan: &Plan, hits: &mut [bool]) {
        if self.len == LANES {
            self.flush(plan, hits);
        }
    }

    /// Answers all questions.
    pub(super) fn flush(&mut self, plan: &Plan, hits: &mut [bool]) {
        if self.len > 0 {
            let marks = pulp::Arch::new().dispatch(Run { batch: self, plan });
            marks.iter().zip(&self.places[..self.len]).for_each(|(&mark, &place)| hits[place] = mark != 0);
            self.len = 0;
        }
    }
}

/// A batch, to be run with the widest vectors of the machine. A closure would be compiled apart from them.
struct Run<'a> {
    batch: &'a mut Batch,
    plan: &'a Plan,
}

impl pulp::WithSimd for Run<'_> {
    type Output = Lane;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> Lane {
        let (n, k) = (self.plan.n, self.plan.k as usize);
        let Batch { twisters, seeds, tokens, len, .. } = self.batch;
        let (mut places, used) = (*tokens, 0..*len);
        twisters.seed(seeds);
        let mut hit = [0; LANES];
        let mut i = 0;
        while i < k && !hit[used.clone()].iter().all(|&hit| hit != 0) {
            // Up to the end of the block, or to where a followed place is swapped away.
            let waiting = used.clone().filter(|&l| hit[l] == 0 && places[l] as usize >= i);
            let event = waiting.map(|l| places[l] as usize).min().unwrap_or(usize::MAX);
            let end = event.saturating_add(1).min(k).min((i / N + 1) * N);
            follow(twisters, i, &self.plan.divisors[i..end], &places, &mut hit);
            if end == event.saturating_add(1) {
                for l in used.clone() {
                    if hit[l] == 0 && places[l] as usize == event {
                        places[l] = event as u32 + twisters.drawn(event, l) % (n - event as u32);
                    }
                }
            }
            i = end;
        }
        hit
    }
}

/// Draws once for each divisor from swap i on, and marks the lanes whose place is drawn.
#[inline(always)]
fn follow(twisters: &mut Twisters, i: usize, divisors: &[Divisor], places: &Lane, hit: &mut Lane) {
    let mut rest: Lane = std::array::from_fn(|l| places[l].wrapping_sub(i as u32));
    let mut marks = *hit;
    for (i, divisor) in (i % N..).zip(divisors) {
        let draws = twisters.draw(i);
        for l in 0..LANES {
            let quotient = draws[l].wrapping_sub(rest[l]).wrapping_mul(divisor.inverse).rotate_right(divisor.shift);
            marks[l] = if (quotient <= divisor.limit) & (draws[l] >= rest[l]) { 1 } else { marks[l] };
            rest[l] = rest[l].wrapping_sub(1);
        }
    }
    *hit = marks;
}

#[cfg(test)]
mod tests {
    use super::Divisor;

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
}
