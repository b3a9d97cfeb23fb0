//! Unit vectors as scaled int8 rows.
//!
//! Each row is scaled so that its largest component is ±127, and its similarity to another is product / (norm · norm): exact
//! integers until the last step, so every machine and every thread count returns the same similarity. Weakness: rounding
//! moves a similarity by less than 0.005 (measured on unit vectors of 256 dimensions in `tests`); candidates are judged by
//! text as well, so it changes no verdict but those at the very threshold.

use super::kernel::{self, Isa, LANE, Targets};

/// Rows of int8 vectors with what the kernel wants beside them.
#[derive(Clone, Debug)]
pub struct Vectors {
    dim: usize,
    stride: usize,
    /// n rows of `stride` bytes.
    pub(crate) rows: Vec<i8>,
    /// 1 / norm of each row.
    pub(crate) inverse_norms: Vec<f32>,
    /// Sum of each row.
    pub(crate) sums: Vec<i32>,
}

impl Vectors {
    /// No vectors yet, of `dim` dimensions each.
    #[must_use]
    pub fn new(dim: usize) -> Self {
        let stride = dim.next_multiple_of(LANE).max(LANE);
        Self { dim, stride, rows: Vec::new(), inverse_norms: Vec::new(), sums: Vec::new() }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sums.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// Dimensions of a vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Bytes of a row: the dimensions padded with zeros.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Adds a vector, quantised.
    ///
    /// # Panics
    /// When it has other dimensions.
    pub fn push(&mut self, vector: &[f32]) {
        assert_eq!(vector.len(), self.dim, "dimensions of the vector");
        let largest = vector.iter().fold(0f32, |m, x| m.max(x.abs()));
        let scale = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        let start = self.rows.len();
        self.rows.extend(vector.iter().map(|x| (x * scale).round() as i8));
        self.rows.resize(start + self.stride, 0);
        self.finish_row(start);
    }

    /// Adds a row that is quantised already.
    pub(crate) fn push_row(&mut self, row: &[i8]) {
        let start = self.rows.len();
        self.rows.extend_from_slice(row);
        self.finish_row(start);
    }

    /// Appends the rows of a block.
    pub(crate) fn append_block(&mut self, block: Block<'_>) {
        self.rows.extend_from_slice(block.rows);
        self.inverse_norms.extend_from_slice(block.inverse_norms);
        self.sums.extend_from_slice(block.sums);
    }

    fn finish_row(&mut self, start: usize) {
        let row = &self.rows[start..];
        let (sum, squares) = row.iter().fold((0, 0), |(s, q), &x| (s + i32::from(x), q + i32::from(x) * i32::from(x)));
        self.sums.push(sum);
        self.inverse_norms.push(if squares > 0 { 1.0 / (squares as f32).sqrt() } else { 0.0 });
    }

    /// Appends all of `other`.
    pub fn append(&mut self, other: &Self) {
        assert_eq!(self.dim, other.dim, "dimensions of the vectors");
        self.append_block(other.block());
    }

    /// The chosen ones, in the order given.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn chosen(&self, rows: &[usize]) -> Self {
        self.gather(rows.iter().copied())
    }

    /// One row.
    pub(crate) fn row(&self, i: usize) -> &[i8] {
        &self.rows[i * self.stride..(i + 1) * self.stride]
    }

    /// The rows as a borrowed block.
    pub(crate) fn block(&self) -> Block<'_> {
        Block { stride: self.stride, rows: &self.rows, inverse_norms: &self.inverse_norms, sums: &self.sums }
    }

    /// The chosen rows, copied side by side.
    pub(crate) fn gather(&self, chosen: impl Iterator<Item = usize>) -> Self {
        let mut out = Self::new(self.dim);
        for i in chosen {
            out.rows.extend_from_slice(self.row(i));
            out.inverse_norms.push(self.inverse_norms[i]);
            out.sums.push(self.sums[i]);
        }
        out
    }

    /// Similarity of two rows.
    #[must_use]
    pub fn similarity(&self, a: usize, b: usize) -> f32 {
        self.similarity_of(a, self, b)
    }

    /// Similarity of row `a` to row `b` of `other`.
    ///
    /// # Panics
    /// When the dimensions differ.
    #[must_use]
    pub fn similarity_of(&self, a: usize, other: &Self, b: usize) -> f32 {
        assert_eq!(self.dim, other.dim, "dimensions of the vectors");
        self.similarity_to(a, other.block().slice(b, b + 1))
    }

    /// Similarity of one row to the first of a block.
    pub(super) fn similarity_to(&self, a: usize, other: Block<'_>) -> f32 {
        let mut out = [0];
        kernel::products(kernel::best_isa(), self.row(a), other.rows, other.sums, self.stride, &mut out);
        scaled(out[0], self.inverse_norms[a], other.inverse_norms[0])
    }
}

/// Product → similarity. One expression for all callers, so that the last bit is the same everywhere.
fn scaled(product: i32, left: f32, right: f32) -> f32 {
    (product as f32 * left * right).clamp(-1.0, 1.0)
}

/// Borrowed rows: of [`Vectors`] or of a mapped file.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    pub(crate) stride: usize,
    pub(crate) rows: &'a [i8],
    pub(crate) inverse_norms: &'a [f32],
    pub(crate) sums: &'a [i32],
}

/// Targets a tile: 256 rows of 256 bytes stay in the second-level cache beside the queries.
const TILE: usize = 256;
/// Queries a tile.
const QUERIES: usize = 64;

impl<'a> Block<'a> {
    pub(crate) fn len(&self) -> usize {
        self.sums.len()
    }

    pub(crate) fn slice(&self, from: usize, to: usize) -> Block<'a> {
        Block {
            stride: self.stride,
            rows: &self.rows[from * self.stride..to * self.stride],
            inverse_norms: &self.inverse_norms[from..to],
            sums: &self.sums[from..to],
        }
    }

    /// Calls `each(query, target, similarity)` for every pair at or above `floor`, targets in order for each query.
    pub(crate) fn pairs(&self, targets: Block<'_>, floor: f32, mut each: impl FnMut(usize, usize, f32)) {
        let picks: Vec<u32> = (0..self.len() as u32).collect();
        self.pairs_of(&picks, targets, &mut each, |_, _| floor, |each, q, t, similarity| each(q, t, similarity));
    }

    /// Calls `each(state, i, target, similarity)` for every pair of the picked rows, `i` counting the picks, at or above
    /// `floor(state, i)`, which may rise on the way. Targets come in order for each of them.
    pub(crate) fn pairs_of<S>(
        &self,
        picks: &[u32],
        targets: Block<'_>,
        state: &mut S,
        floor: impl Fn(&S, usize) -> f32,
        mut each: impl FnMut(&mut S, usize, usize, f32),
    ) {
        let isa: Isa = kernel::best_isa();
        let (mut out, mut buffer) = (Vec::new(), Vec::new());
        for t in (0..targets.len()).step_by(TILE) {
            let tile = targets.slice(t, (t + TILE).min(targets.len()));
            let right = Targets::new(isa, tile.rows, tile.sums, self.stride, picks.len(), buffer);
            let width = right.width();
            for (block, picks) in picks.chunks(QUERIES).enumerate() {
                out.resize(picks.len() * width, 0);
                right.products(self.rows, self.sums, picks, &mut out);
                for (k, row) in out.chunks_exact(width).enumerate() {
                    let (i, norm) = (block * QUERIES + k, self.inverse_norms[picks[k] as usize]);
                    let least = floor(state, i);
                    kernel::each_from(isa, &row[..tile.len()], norm, tile.inverse_norms, least, |j| {
                        let similarity = scaled(row[j], norm, tile.inverse_norms[j]);
                        if similarity >= floor(state, i) {
                            each(state, i, t + j, similarity);
                        }
                    });
                }
            }
            buffer = right.into_buffer();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    #[test]
    fn rounding_moves_a_similarity_by_less_than_its_bound() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut worst = 0f32;
        for _ in 0..500 {
            let a: Vec<f32> = (0..256).map(|_| rng.random::<f32>() - 0.5).collect();
            let b: Vec<f32> = a.iter().map(|x| x + 0.6 * (rng.random::<f32>() - 0.5)).collect();
            let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
            let exact = dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
            let mut vectors = Vectors::new(256);
            vectors.push(&a);
            vectors.push(&b);
            worst = worst.max((vectors.similarity(0, 1) - exact).abs());
        }
        assert!(worst < 0.005, "{worst}");
    }

    #[test]
    fn blocks_give_every_pair_once_at_any_size() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(2);
        let mut vectors = Vectors::new(70);
        for _ in 0..600 {
            vectors.push(&(0..70).map(|_| rng.random::<f32>() - 0.5).collect::<Vec<_>>());
        }
        let mut seen = vec![0u8; 600 * 600];
        vectors.block().pairs(vectors.block(), -1.0, |q, t, s| {
            seen[q * 600 + t] += 1;
            assert_eq!(s, vectors.similarity(q, t));
        });
        assert!(seen.iter().all(|&n| n == 1));
    }
}
