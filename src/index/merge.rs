//! One segment from the entries of several.
//!
//! A merge reads its entries where they are mapped: leaders are trained on a sample, every entry is filed under its nearest, and the
//! rows are copied in the order of the lists. Memory: the sample (at most 2^18 vectors, 70 MB), twelve bytes an entry for their order,
//! and one for their activity. Weakness: rows are gathered from all over the maps, so a machine whose memory does not hold them reads
//! them page by page. Guarantee: the same entries and seed give the same bytes on any number of threads.

use super::layout::{Part, write};
use super::router::{Router, nearest};
use super::segment::Probes;
use super::{Vectors, leaders};
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::io::{self, Write};

/// Vectors that leaders are trained on, at most.
const MOST_SAMPLED: usize = 1 << 18;
/// Entries that are filed at a time.
const CHUNK: usize = 1 << 16;

/// Writes one segment with the entries of all `parts`, which have the same dimensions, under leaders of its own.
/// # Errors
/// When `out` fails.
pub fn merge(parts: &[Part<'_>], seed: u64, out: &mut dyn Write) -> io::Result<()> {
    let dim = parts.first().map_or(1, |part| part.dim);
    let n: usize = parts.iter().map(|part| part.ids.len()).sum();
    let k = leaders::n_merged_leaders(n);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut chosen = sample(&mut rng, n, n.min(leaders::SAMPLE_PER_LEADER * k).min(MOST_SAMPLED)).into_vec();
    chosen.sort_unstable();
    let mut sampled = Vectors::new(dim);
    let (mut chosen, mut first) = (chosen.into_iter().peekable(), 0);
    for part in parts {
        while let Some(i) = chosen.next_if(|&i| i < first + part.ids.len()) {
            sampled.append_block(part.block.slice(i - first, i - first + 1));
        }
        first += part.ids.len();
    }
    let router = Router::new(leaders::train(&sampled, k, seed));
    drop(sampled);
    let mut homes: Vec<u32> = Vec::with_capacity(n);
    for part in parts {
        for from in (0..part.ids.len()).step_by(CHUNK) {
            let mut chunk = Vectors::new(dim);
            chunk.append_block(part.block.slice(from, (from + CHUNK).min(part.ids.len())));
            let rows: Vec<u32> = (0..chunk.len() as u32).collect();
            homes.extend(router.nearest(&chunk, &rows, &Probes::nearest(1)).iter().map(|near| nearest(near)));
        }
    }
    write(&router.leaders, homes, parts, out)
}
