//! A graph over the leaders, for single searches where leaders are many: `hnsw_rs`, built on one thread so that the same
//! leaders give the same graph.
//!
//! The idea: a product with every leader costs their number, a walk hardly grows with it. Weakness: the walk reads memory at
//! random and each step calls back, so below some 10⁵ leaders the plain product is faster *and* exact (`benches/leaders.rs`);
//! the graph also misses a leader now and then. So it is asked only from [`GRAPH_FROM`] leaders on. It is made on the first
//! search that wants it and is no file of the store: a process that searches once is better served by the product.

use super::kernel::{Isa, best_isa, products};
use super::vectors::Block;
use super::{Hit, Vectors, best_first};
use hnsw_rs::prelude::{Distance, Hnsw};

/// Leaders from which a single search walks the graph.
pub(crate) const GRAPH_FROM: usize = 100_000;

/// Neighbours kept of a leader.
const DEGREE: usize = 16;
/// Leaders looked at for each one inserted.
const EF_BUILD: usize = 128;

/// Bytes of a point after its row: the inverse norm.
const TAIL: usize = 4;

/// 1 − similarity, never below zero: `hnsw_rs` asserts that.
struct Angular {
    isa: Isa,
    stride: usize,
}

impl Distance<i8> for Angular {
    fn eval(&self, a: &[i8], b: &[i8]) -> f32 {
        let (row_a, row_b) = (&a[..self.stride], &b[..self.stride]);
        let sum = row_b.iter().map(|&x| i32::from(x)).sum();
        let mut out = [0];
        products(self.isa, row_a, row_b, &[sum], self.stride, &mut out);
        (1.0 - out[0] as f32 * norm(&a[self.stride..]) * norm(&b[self.stride..])).max(0.0)
    }
}

fn norm(tail: &[i8]) -> f32 {
    let bytes: &[u8] = bytemuck::cast_slice(tail);
    f32::from_le_bytes(bytes.try_into().unwrap_or_default())
}

/// The graph.
pub struct LeaderGraph {
    graph: Hnsw<'static, i8, Angular>,
}

impl LeaderGraph {
    /// The graph of these leaders.
    #[must_use]
    pub fn new(leaders: &Vectors) -> Self {
        Self::of(leaders.block())
    }

    /// Inserts the leaders one after another.
    pub(crate) fn of(leaders: Block<'_>) -> Self {
        let distance = Angular { isa: best_isa(), stride: leaders.stride };
        let graph = Hnsw::new(DEGREE, leaders.len(), 16, EF_BUILD, distance);
        for leader in 0..leaders.len() {
            graph.insert((&point(leaders, leader), leader));
        }
        Self { graph }
    }

    /// About the `n` nearest leaders of row `query`, nearest first, ties by number.
    #[must_use]
    pub fn nearest(&self, queries: &Vectors, query: usize, n: usize) -> Vec<Hit> {
        let found = self.graph.search(&point(queries.block(), query), n, (4 * n).max(64));
        let mut hits: Vec<Hit> =
            found.iter().map(|near| Hit { id: near.d_id as u32, similarity: 1.0 - near.distance }).collect();
        hits.sort_unstable_by(best_first);
        hits
    }
}

/// A row with its inverse norm behind it.
fn point(block: Block<'_>, row: usize) -> Vec<i8> {
    let mut point = Vec::with_capacity(block.stride + TAIL);
    point.extend_from_slice(&block.rows[row * block.stride..(row + 1) * block.stride]);
    point.extend_from_slice(bytemuck::cast_slice(&block.inverse_norms[row].to_le_bytes()));
    point
}
