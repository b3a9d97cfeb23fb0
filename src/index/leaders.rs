//! Leaders: centres that stand for their neighbourhoods, trained by seeded spherical k-means.
//!
//! Centres of a sample beat sampled vectors at equal work and keep lists even. Every segment trains its own, so a flood of
//! one night gets its share of the leaders, and nothing trained on last year's traffic goes stale. Weakness: identical
//! vectors cannot be told apart, so a clump of them stays in one list however long it is; the join thins such lists.

use super::vectors::Block;
use super::{Best, Hit, Vectors};
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

/// Rounds of k-means; the fifth still moves 1% of the assignments, a tenth would not pay.
const ROUNDS: usize = 5;
/// Vectors of the sample for each leader.
const SAMPLE_PER_LEADER: usize = 50;
/// Queries that a thread takes at a time.
const CHUNK: usize = 1024;

/// How many leaders n vectors get: 2 √n, one list where there are few.
#[must_use]
pub(crate) fn n_leaders(n: usize) -> usize {
    if n < 256 { n.min(1) } else { (2.0 * (n as f64).sqrt()).round() as usize }
}

/// Trains `k` leaders on a seeded sample of `vectors`; the same bytes on any number of threads.
pub(crate) fn train(vectors: &Vectors, k: usize, seed: u64) -> Vectors {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let n_sample = vectors.len().min(SAMPLE_PER_LEADER * k);
    let mut chosen = sample(&mut rng, vectors.len(), n_sample).into_vec();
    let mut leaders = vectors.gather(chosen.iter().copied().take(k));
    if k <= 1 {
        return leaders;
    }
    chosen.sort_unstable();
    let sampled = vectors.gather(chosen.into_iter());
    for _ in 0..ROUNDS {
        let homes = nearest(sampled.block(), leaders.block(), 1);
        let mut sums = vec![0f32; k * vectors.dim()];
        for (i, home) in homes.iter().enumerate() {
            let centre = &mut sums[home[0].id as usize * vectors.dim()..][..vectors.dim()];
            let scale = sampled.inverse_norms[i];
            centre.iter_mut().zip(sampled.row(i)).for_each(|(c, &x)| *c += scale * f32::from(x));
        }
        let mut next = Vectors::new(vectors.dim());
        for (leader, centre) in sums.chunks_exact(vectors.dim()).enumerate() {
            // A leader that nobody chose stays where it was.
            if centre.iter().all(|&x| x == 0.0) {
                next.push_row(leaders.row(leader));
            } else {
                next.push(centre);
            }
        }
        leaders = next;
    }
    leaders
}

/// The `n` nearest leaders of each query, nearest first, ties by number.
pub(crate) fn nearest(queries: Block<'_>, leaders: Block<'_>, n: usize) -> Vec<Vec<Hit>> {
    let starts: Vec<usize> = (0..queries.len()).step_by(CHUNK).collect();
    let parts: Vec<Vec<Vec<Hit>>> = starts
        .par_iter()
        .map(|&start| {
            let block = queries.slice(start, (start + CHUNK).min(queries.len()));
            let mut best: Vec<Best> = (0..block.len()).map(|_| Best::new(n)).collect();
            let offer = |best: &mut Vec<Best>, q: usize, l, similarity| best[q].offer(Hit { id: l as u32, similarity });
            let all: Vec<u32> = (0..block.len() as u32).collect();
            block.pairs_of(&all, leaders, &mut best, |best, q| best[q].floor(), offer);
            best.into_iter().map(Best::into_sorted).collect()
        })
        .collect();
    parts.into_iter().flatten().collect()
}
