//! Brute force over all vectors: the oracle that the lists are measured against.

use super::{Hit, Vectors, best_first};
use rayon::prelude::*;

/// Every vector of `vectors` at or above `floor` for each of `queries`, best first, ties by row.
///
/// Exact up to the int8 rounding that every part of the index shares. Cost: n products a query.
#[must_use]
pub fn search(vectors: &Vectors, queries: &Vectors, floor: f32) -> Vec<Vec<Hit>> {
    let chunk = 64;
    let starts: Vec<usize> = (0..queries.len()).step_by(chunk).collect();
    let parts: Vec<Vec<Vec<Hit>>> = starts
        .par_iter()
        .map(|&start| {
            let block = queries.block().slice(start, (start + chunk).min(queries.len()));
            let mut hits = vec![Vec::new(); block.len()];
            block.pairs(vectors.block(), floor, |q, t, similarity| hits[q].push(Hit { id: t as u32, similarity }));
            hits.iter_mut().for_each(|list| list.sort_by(best_first));
            hits
        })
        .collect();
    parts.into_iter().flatten().collect()
}
