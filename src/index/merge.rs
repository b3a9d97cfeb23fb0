//! Writing a segment's file, from one batch of vectors or from the entries of several segments.
//!
//! A merge reads its entries where they are mapped: leaders are trained on a sample, every entry is filed under its nearest, and the
//! rows are copied in the order of the lists. Memory: the sample (at most 2^18 vectors, 70 MB), twelve bytes an entry for their order,
//! and one for their activity. Weakness: rows are gathered from all over the maps, so a machine whose memory does not hold them reads
//! them page by page. Guarantee: the same entries and seed give the same bytes on any number of threads.

use super::router::Router;
use super::segment::{HEADER, MAGIC, Probes};
use super::vectors::Block;
use super::{Vectors, best_first, leaders};
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;
use std::io::{self, Write};

/// Vectors that leaders are trained on, at most.
const MOST_SAMPLED: usize = 1 << 18;
/// Entries that are filed at a time.
const CHUNK: usize = 1 << 16;

/// Entries of a segment that is or will be: vectors, whose each is, whether later vectors are joined with it.
pub struct Part<'a> {
    dim: usize,
    block: Block<'a>,
    ids: &'a [u32],
    active: Vec<bool>,
}

impl<'a> Part<'a> {
    pub(super) fn new(dim: usize, block: Block<'a>, ids: &'a [u32], active: Vec<bool>) -> Self {
        assert!(ids.len() == block.len() && active.len() == block.len(), "one id and one flag a vector");
        Self { dim, block, ids, active }
    }

    /// The same, with only those active still that `keep` names by their ids.
    #[must_use]
    pub fn only_active(mut self, keep: &dyn Fn(u32) -> bool) -> Self {
        self.active.iter_mut().zip(self.ids).for_each(|(active, &id)| *active &= keep(id));
        self
    }

    /// Of vectors in memory: `ids[i]` names vector i (several vectors may share one).
    ///
    /// # Panics
    /// When the lengths differ.
    #[must_use]
    pub fn of(vectors: &'a Vectors, ids: &'a [u32], active: &[bool]) -> Self {
        Self::new(vectors.dim(), vectors.block(), ids, active.to_vec())
    }
}

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

/// The nearest of some hits, in whatever order they are.
pub(super) fn nearest(hits: &[super::Hit]) -> u32 {
    hits.iter().min_by(|a, b| best_first(a, b)).map_or(0, |hit| hit.id)
}

/// Writes the entries of `parts` under `leaders`, each in the list that `homes` says.
pub(super) fn write(leaders: &Vectors, homes: Vec<u32>, parts: &[Part<'_>], out: &mut dyn Write) -> io::Result<()> {
    let n: usize = parts.iter().map(|part| part.ids.len()).sum();
    assert_eq!(homes.len(), n, "one home a vector");
    let n_leaders = leaders.len();
    let (mut starts, mut n_active) = (vec![0u32; n_leaders + 1], vec![0u32; n_leaders]);
    // List and inactivity, id, number over all parts.
    let mut order: Vec<(u32, u32, u32)> = Vec::with_capacity(n);
    let entries = parts.iter().flat_map(|part| part.ids.iter().zip(&part.active));
    for ((&home, (&id, &active)), i) in homes.iter().zip(entries).zip(0..) {
        starts[home as usize + 1] += 1;
        n_active[home as usize] += u32::from(active);
        order.push((home << 1 | u32::from(!active), id, i));
    }
    drop(homes);
    for l in 0..n_leaders {
        starts[l + 1] += starts[l];
    }
    order.par_sort_unstable();
    let firsts: Vec<usize> =
        parts.iter().scan(0, |first, part| Some(std::mem::replace(first, *first + part.ids.len()))).collect();
    let of = |&(.., i): &(u32, u32, u32)| {
        let part = firsts.partition_point(|&first| first <= i as usize) - 1;
        (&parts[part].block, i as usize - firsts[part])
    };
    let mut out = Padded { out, len: 0 };
    out.all(MAGIC)?;
    let stride = leaders.stride();
    for number in [leaders.dim(), stride, n_leaders, n] {
        out.all(&(number as u32).to_le_bytes())?;
    }
    out.pad()?;
    out.section(bytemuck::cast_slice(&leaders.rows))?;
    out.section(bytemuck::cast_slice(&leaders.inverse_norms))?;
    out.section(bytemuck::cast_slice(&leaders.sums))?;
    out.section(bytemuck::cast_slice(&starts))?;
    out.section(bytemuck::cast_slice(&n_active))?;
    order.iter().try_for_each(|(_, id, _)| out.all(&id.to_le_bytes()))?;
    out.pad()?;
    for entry in &order {
        let (block, i) = of(entry);
        out.all(&block.inverse_norms[i].to_le_bytes())?;
    }
    out.pad()?;
    for entry in &order {
        let (block, i) = of(entry);
        out.all(&block.sums[i].to_le_bytes())?;
    }
    out.pad()?;
    for entry in &order {
        let (block, i) = of(entry);
        out.all(bytemuck::cast_slice(&block.rows[i * stride..(i + 1) * stride]))?;
    }
    out.pad()?;
    let mut places: Vec<(u32, u32)> = order.iter().map(|&(_, id, _)| id).zip(0..).collect();
    drop(order);
    places.par_sort_unstable();
    places.iter().try_for_each(|(_, place)| out.all(&place.to_le_bytes()))?;
    out.out.flush()
}

/// A writer that counts, so that sections can begin at multiples of the header's length.
struct Padded<'a> {
    out: &'a mut dyn Write,
    len: usize,
}

impl Padded<'_> {
    fn all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.len += bytes.len();
        self.out.write_all(bytes)
    }

    fn pad(&mut self) -> io::Result<()> {
        self.all(&[0; HEADER][..self.len.next_multiple_of(HEADER) - self.len])
    }

    fn section(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.all(bytes)?;
        self.pad()
    }
}
