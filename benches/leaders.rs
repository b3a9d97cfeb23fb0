//! Where a walk of the leaders' graph overtakes the plain product, for single searches: `cargo bench --bench leaders`.
//!
//! Seeded vectors around seeded centres; prints a Markdown table of time for one search on one thread and the share of the
//! sixteen nearest leaders that the walk finds.
#![allow(clippy::print_stdout, clippy::disallowed_methods, missing_docs)]

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Instant;
use stillhunt::index::{LeaderGraph, Vectors, nearest_leaders};

const DIM: usize = 256;
const N: usize = 16;
const QUERIES: usize = 200;

fn clustered(n: usize, seed: u64) -> Vectors {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let centres: Vec<f32> = (0..300 * DIM).map(|_| rng.random::<f32>() - 0.5).collect();
    let mut vectors = Vectors::new(DIM);
    for i in 0..n {
        let centre = &centres[(i % 300) * DIM..][..DIM];
        vectors.push(&centre.iter().map(|c| c + 1.2 * (rng.random::<f32>() - 0.5)).collect::<Vec<_>>());
    }
    vectors
}

fn main() {
    println!("| leaders | graph built | product, one search | walk, one search | nearest found by the walk |");
    println!("|---|---|---|---|---|");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    for n in [1_000, 4_000, 16_000, 64_000] {
        let leaders = clustered(n, 1);
        let queries: Vec<Vectors> = (0..QUERIES).map(|i| clustered(300, 2).chosen(&[i])).collect();
        let began = Instant::now();
        let graph = LeaderGraph::new(&leaders);
        let built = began.elapsed();
        let began = Instant::now();
        let truth: Vec<_> =
            pool.install(|| queries.iter().map(|q| nearest_leaders(q, &leaders, N).remove(0)).collect());
        let product = began.elapsed() / QUERIES as u32;
        let began = Instant::now();
        let walked: Vec<_> = queries.iter().map(|q| graph.nearest(q, 0, N)).collect();
        let walk = began.elapsed() / QUERIES as u32;
        let found: usize = truth
            .iter()
            .zip(&walked)
            .map(|(truth, walked)| walked.iter().filter(|hit| truth.iter().any(|t| t.id == hit.id)).count())
            .sum();
        let share = found as f64 / (N * QUERIES) as f64;
        println!(
            "| {n} | {:.1} s | {:.0} µs | {:.0} µs | {share:.3} |",
            built.as_secs_f64(),
            product.as_secs_f64() * 1e6,
            walk.as_secs_f64() * 1e6
        );
    }
}
