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
pub(crate) const SAMPLE_PER_LEADER: usize = 50;
/// Leaders from which they are trained, and looked for, in two steps.
pub(crate) const TWO_STEPS_FROM: usize = 1024;
/// Queries that a thread takes at a time.
const CHUNK: usize = 1024;

/// How many leaders n vectors get: 8 √n, but lists of some 32 vectors where there are few, and one list where there are very few.
/// Against 2 √n, the same pairs are found with two fifths of the products (`benches/record/speed-nights.md`).
#[must_use]
pub(crate) fn n_leaders(n: usize) -> usize {
    let root = (n as f64).sqrt();
    if n < 256 { n.min(1) } else { (8.0 * root).min((2.0 * root).max(n as f64 / 32.0)).round() as usize }
}

/// How many leaders n vectors of several nights get: those of [`n_leaders`], or lists of 64 vectors, which up to a million is more. A
/// night that joins them asks the same number of lists as of its own, so shorter lists are what keeps that cost from growing.
#[must_use]
pub(crate) fn n_merged_leaders(n: usize) -> usize {
    let most = 16.0 * (n as f64).sqrt();
    n_leaders(n).max((n as f64 / 64.0).min(most).round() as usize)
}

/// Trains `k` leaders on a seeded sample of `vectors`; the same bytes on any number of threads. Many are trained in two steps: √k coarse
/// ones, and under each of them its share of the leaders, which costs k^1.5 products and not k².
pub(crate) fn train(vectors: &Vectors, k: usize, seed: u64) -> Vectors {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut chosen = sample(&mut rng, vectors.len(), vectors.len().min(SAMPLE_PER_LEADER * k)).into_vec();
    if k < TWO_STEPS_FROM {
        let first = vectors.gather(chosen.iter().copied().take(k));
        chosen.sort_unstable();
        return k_means(&vectors.gather(chosen.into_iter()), first);
    }
    let n_coarse = (k as f64).sqrt().round() as usize;
    let some = vectors.gather(chosen.iter().copied().take(SAMPLE_PER_LEADER * n_coarse));
    let coarse = k_means(&some, vectors.gather(chosen.iter().copied().take(n_coarse)));
    chosen.sort_unstable();
    let sampled = vectors.gather(chosen.into_iter());
    let mut groups: Vec<Vec<usize>> = vec![Vec::new(); n_coarse];
    for (i, home) in nearest(sampled.block(), coarse.block(), 1).iter().enumerate() {
        groups[home[0].id as usize].push(i);
    }
    // Leaders by share of the vectors: the g-th group has those between its first and its last vector on a scale of k.
    let mut before = 0;
    let share = |group: &Vec<usize>| {
        let from = before * k / sampled.len();
        before += group.len();
        before * k / sampled.len() - from
    };
    let shares: Vec<usize> = groups.iter().map(share).collect();
    let of_group = |(group, &k): (&Vec<usize>, &usize)| {
        let first = sampled.gather((0..k).map(|i| group[i * group.len() / k]));
        k_means(&sampled.gather(group.iter().copied()), first)
    };
    let trained: Vec<Vectors> = groups.par_iter().zip(&shares).map(of_group).collect();
    let mut leaders = Vectors::new(vectors.dim());
    trained.iter().for_each(|of_group| leaders.append(of_group));
    leaders
}

/// Spherical k-means from these centres.
fn k_means(vectors: &Vectors, mut leaders: Vectors) -> Vectors {
    let k = leaders.len();
    if k <= 1 {
        return leaders;
    }
    for _ in 0..ROUNDS {
        let homes = nearest(vectors.block(), leaders.block(), 1);
        let mut sums = vec![0f32; k * vectors.dim()];
        for (i, home) in homes.iter().enumerate() {
            let centre = &mut sums[home[0].id as usize * vectors.dim()..][..vectors.dim()];
            let scale = vectors.inverse_norms[i];
            centre.iter_mut().zip(vectors.row(i)).for_each(|(c, &x)| *c += scale * f32::from(x));
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
