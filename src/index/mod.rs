//! The similarity index: leaders over posting lists of int8 vectors, one immutable segment for each append.
//!
//! A prompt is filed once, under its nearest leader, as a contiguous row; a search asks the lists of the nearest leaders; a
//! join asks them for a whole night as blocked products. No graph over all prompts: near-duplicates are the normal case of
//! this data, and clumps larger than a graph's degree break its recall. Opening is reading a header of a mapped file.
//!
//! Weakness: recall is that of the probed lists, so it is measured against [`exact`], never assumed. Guarantees: results are
//! ordered by similarity, then id; the same vectors, ids and seed give the same bytes on any number of threads.

pub mod exact;
mod graph;
mod kernel;
mod layout;
mod leaders;
mod merge;
mod router;
mod segment;
mod segments;
mod vectors;

pub use graph::LeaderGraph;
pub use layout::Part;
pub use merge::merge;
pub use router::Built;
pub use segment::{Ask, Probes, Segment};
pub use segments::{Segments, search};
pub use vectors::Vectors;

/// One neighbour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Whose vector it is.
    pub id: u32,
    /// Cosine, in [−1, 1], higher nearer.
    pub similarity: f32,
}

/// The `n` nearest of `leaders` for each query by the plain product, nearest first, ties by number: exact.
#[must_use]
pub fn nearest_leaders(queries: &Vectors, leaders: &Vectors, n: usize) -> Vec<Vec<Hit>> {
    leaders::nearest(queries.block(), leaders.block(), n)
}

/// Trains `k` leaders on vectors: centres of spherical k-means.
#[must_use]
pub fn train_leaders(vectors: &Vectors, k: usize, seed: u64) -> Vectors {
    leaders::train(vectors, k, seed)
}

/// The order of results: higher similarity first, ties by id.
pub fn best_first(a: &Hit, b: &Hit) -> std::cmp::Ordering {
    b.similarity.total_cmp(&a.similarity).then(a.id.cmp(&b.id))
}

/// The best `cap` hits offered so far. Which hits stay does not depend on the order in which they were offered.
#[derive(Clone, Debug)]
pub struct Best {
    cap: usize,
    /// Each as one number, the better the greater.
    hits: Vec<u64>,
    /// Nothing below this can enter.
    floor: f32,
}

impl Best {
    /// Keeps `cap` hits.
    #[must_use]
    pub fn new(cap: usize) -> Self {
        Self { cap, hits: Vec::new(), floor: f32::NEG_INFINITY }
    }

    /// Whether the hit may be among the best so far.
    #[inline]
    #[must_use]
    pub fn would_take(&self, hit: Hit) -> bool {
        hit.similarity >= self.floor
    }

    /// Nothing below this can be among the best any more.
    #[inline]
    #[must_use]
    pub fn floor(&self) -> f32 {
        self.floor
    }

    /// Takes the hit if it is among the best so far.
    #[inline]
    pub fn offer(&mut self, hit: Hit) {
        if !self.would_take(hit) {
            return;
        }
        self.hits.push(packed(hit));
        if self.hits.len() >= 2 * self.cap.max(4) {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        if self.hits.len() > self.cap {
            let Some(last) = self.cap.checked_sub(1) else {
                self.hits.clear();
                return;
            };
            let (.., worst, _) = self.hits.select_nth_unstable_by(last, |a, b| b.cmp(a));
            self.floor = unpacked(*worst).similarity;
            self.hits.truncate(self.cap);
        }
    }

    /// The best, in no order.
    fn into_hits(mut self) -> Vec<Hit> {
        self.shrink();
        self.hits.into_iter().map(unpacked).collect()
    }

    /// The best, in order.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Hit> {
        self.shrink();
        self.hits.sort_unstable_by(|a, b| b.cmp(a));
        self.hits.into_iter().map(unpacked).collect()
    }
}

const SIGN: u32 = 1 << 31;

/// A hit as a number that is the greater the earlier [`best_first`] puts it: whole numbers are compared faster than hits.
#[inline]
fn packed(hit: Hit) -> u64 {
    let bits = hit.similarity.to_bits();
    // Bits of negative numbers grow as the numbers fall.
    let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    u64::from(ordered) << 32 | u64::from(!hit.id)
}

#[inline]
fn unpacked(packed: u64) -> Hit {
    let ordered = (packed >> 32) as u32;
    let bits = if ordered & SIGN == 0 { !ordered } else { ordered & !SIGN };
    Hit { id: !(packed as u32), similarity: f32::from_bits(bits) }
}

#[cfg(test)]
mod tests;
