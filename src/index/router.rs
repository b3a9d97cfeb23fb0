//! Which lists does a vector ask? Ranked over the leaders of all segments together, in two steps where there are many, so that the
//! cost of asking does not grow with the number of nights.
//!
//! The idea: leaders are vectors too, so many of them are filed under coarse leaders as prompts are under leaders, and only those under
//! the nearest coarse ones are ranked. Weakness: a leader under a coarse one that is not asked is missed, and its list with it; how often
//! is measured (`benches/record/speed-nights.md`). Guarantee: the same answer on any number of threads.

use super::leaders::{self, TWO_STEPS_FROM};
use super::segment::{Ask, Asked, Built, CHUNK, Probes, Segment};
use super::{Best, Hit, Vectors};
use rayon::prelude::*;

/// Coarse lists that are ranked for a vector.
const COARSE: usize = 24;
/// Seed of the coarse leaders, which no file keeps.
const SEED: u64 = 1;

/// Leaders, made ready to be ranked.
pub(super) struct Router {
    pub(super) leaders: Vectors,
    /// The leaders under coarse ones, where there are many.
    coarse: Option<Box<Segment<Aligned>>>,
}

impl Router {
    pub(super) fn new(leaders: Vectors) -> Self {
        let coarse = (leaders.len() >= TWO_STEPS_FROM).then(|| {
            let ids: Vec<u32> = (0..leaders.len() as u32).collect();
            // With fewer coarse leaders, each of more leaders, the same number of them holds more of what is near, and they train sooner.
            let k = (2.0 * (leaders.len() as f64).sqrt()).round() as usize;
            let built = Built::under(&leaders, k, &Probes::nearest(1), SEED);
            Box::new(Segment::of(&built, &leaders, &ids, &vec![true; leaders.len()]))
        });
        Self { leaders, coarse }
    }

    /// About the lists that each of the `rows` of `queries` asks, in no order.
    pub(super) fn nearest(&self, queries: &Vectors, rows: &[u32], probes: &Probes) -> Vec<Vec<Hit>> {
        let Some(coarse) = &self.coarse else {
            let chosen = queries.gather(rows.iter().map(|&row| row as usize));
            let near = leaders::nearest(chosen.block(), self.leaders.block(), probes.most);
            return near.iter().map(|near| probes.of(near).copied().collect()).collect();
        };
        let ask = |rows: &[u32], floor: f32, cap: usize| {
            let ask = Ask { probes: Probes::nearest(COARSE), active_only: true, floor, cap };
            coarse.best(queries, rows, &ask).into_iter().map(Best::into_hits).collect::<Vec<_>>()
        };
        let mut near = ask(rows, probes.bound, probes.most);
        // Few vectors have fewer leaders above the bound than are asked at least.
        let few: Vec<usize> = (0..rows.len()).filter(|&i| near[i].len() < probes.least.min(probes.most)).collect();
        let again: Vec<u32> = few.iter().map(|&i| rows[i]).collect();
        for (i, nearest) in few.into_iter().zip(ask(&again, -1.0, probes.least.min(probes.most))) {
            near[i] = nearest;
        }
        near
    }
}

/// Several segments, searched as one.
pub struct Segments<B> {
    segments: Vec<Segment<B>>,
    /// Number of the first list of each, over all of them.
    firsts: Vec<u32>,
    router: Router,
}

impl<B: AsRef<[u8]> + Sync> Segments<B> {
    /// Makes the leaders of `segments`, whose vectors have `dim` dimensions, ready to be ranked together.
    #[must_use]
    pub fn new(segments: Vec<Segment<B>>, dim: usize) -> Self {
        let (mut leaders, mut firsts) = (Vectors::new(dim), Vec::with_capacity(segments.len()));
        for segment in &segments {
            firsts.push(leaders.len() as u32);
            leaders.append_block(segment.leaders());
        }
        Self { segments, firsts, router: Router::new(leaders) }
    }

    /// The best `ask.cap` entries of each segment for each of `rows`, among the lists of the leaders nearest over all segments, in no order. Rows that are near each other and stand together share the work.
    pub fn near(
        &self,
        queries: &Vectors,
        rows: &[u32],
        ask: &Ask,
        keep: &(dyn Fn(u32, u32) -> bool + Sync),
    ) -> Vec<Vec<Hit>> {
        let of_chunk = |rows: &[u32]| {
            let mut asked: Vec<Asked> = self.segments.iter().map(|_| Asked::default()).collect();
            for (near, q) in self.router.nearest(queries, rows, &ask.probes).iter().zip(0..) {
                for hit in near {
                    let segment = self.firsts.partition_point(|&first| first <= hit.id) - 1;
                    asked[segment].push(hit.id - self.firsts[segment], q);
                }
            }
            let chunk = queries.gather(rows.iter().map(|&row| row as usize));
            let mut out: Vec<Vec<Hit>> = vec![Vec::new(); rows.len()];
            for (segment, asked) in self.segments.iter().zip(&mut asked) {
                let found = segment.near_chunk(&chunk, rows, asked, ask, keep);
                out.iter_mut().zip(found).for_each(|(out, best)| out.extend(best.into_hits()));
            }
            out
        };
        let parts: Vec<Vec<Vec<Hit>>> = rows.par_chunks(CHUNK).map(of_chunk).collect();
        parts.into_iter().flatten().collect()
    }
}

/// Bytes at an address that numbers can be read from.
pub struct Aligned(Vec<u64>, usize);

impl Aligned {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Self(words, bytes.len())
    }
}

impl AsRef<[u8]> for Aligned {
    fn as_ref(&self) -> &[u8] {
        &bytemuck::cast_slice::<u64, u8>(&self.0)[..self.1]
    }
}
