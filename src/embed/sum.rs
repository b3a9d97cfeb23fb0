//! Sums of rows: the whole text and its windows, in an order that does not depend on threads.
//!
//! The whole is summed row by row, in the order of the text, as the programs that made the golden vectors do. Windows are sums
//! of two neighbouring blocks of 64 tokens, so that each costs one addition. No number depends on who computes it. Weakness: over
//! 5,000 tokens the plain f32 sum is off by 3·10⁻⁶; being equal to the other programs is worth more.

use ndarray::ArrayView2;

/// Tokens of a window. Source of this and the stride: `models/README.md` (a template of 200 tokens inside 2,000 is seen by windows
/// of 128 and by no whole-text vector).
pub const WINDOW_TOKENS: usize = 128;
/// Tokens from one window to the next.
pub const WINDOW_STRIDE: usize = 64;
/// The most windows one text has. Windows of a longer text (over 4,160 tokens) are chosen evenly, the first and the last among them.
pub const MAX_WINDOWS: usize = 64;

/// How many windows `n_tokens` have, before the bound; the last may be shorter than the others, but longer than a stride.
pub(super) fn n_windows(n_tokens: usize) -> usize {
    if n_tokens > WINDOW_TOKENS { n_tokens.div_ceil(WINDOW_STRIDE) - 1 } else { 0 }
}

/// Whether the window `idx` of `n` is one of those that are kept.
fn is_kept(idx: usize, n: usize) -> bool {
    if n <= MAX_WINDOWS {
        return true;
    }
    // The k-th kept window is ⌊k·(n − 1)/(MAX − 1)⌋; `idx` is one of them if the first k at or beyond it meets it.
    let k = (idx * (MAX_WINDOWS - 1)).div_ceil(n - 1);
    k * (n - 1) / (MAX_WINDOWS - 1) == idx
}

/// Buffers of one thread.
#[derive(Default)]
pub(super) struct Sums {
    whole: Vec<f32>,
    block: Vec<f32>,
    before: Vec<f32>,
}

impl Sums {
    /// Appends the unit vector of all of `ids` to `out`, and says whether there is one; `window` is called with the unit vector
    /// of each kept window.
    pub(super) fn add(
        &mut self,
        rows: ArrayView2<'_, f32>,
        ids: &[u32],
        out: &mut Vec<f32>,
        mut window: impl FnMut(&[f32]),
    ) -> bool {
        let dim = rows.ncols();
        for buffer in [&mut self.whole, &mut self.block, &mut self.before] {
            buffer.clear();
            buffer.resize(dim, 0.0);
        }
        let n = n_windows(ids.len());
        for (block_idx, block) in ids.chunks(WINDOW_STRIDE).enumerate() {
            sum_rows(rows, block, &mut self.whole);
            if n == 0 {
                continue;
            }
            std::mem::swap(&mut self.block, &mut self.before);
            self.block.fill(0.0);
            sum_rows(rows, block, &mut self.block);
            if block_idx > 0 && is_kept(block_idx - 1, n) {
                add_to(&mut self.before, &self.block);
                if unit(&mut self.before) {
                    window(&self.before);
                }
            }
        }
        let found = unit(&mut self.whole);
        out.extend_from_slice(&self.whole);
        found
    }
}

fn add_to(sum: &mut [f32], row: &[f32]) {
    sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
}

/// Columns that are summed together: they stay in registers while the rows go by.
const TILE: usize = 32;

/// Adds the rows of `ids` to `out`, one after the other.
fn sum_rows(rows: ArrayView2<'_, f32>, ids: &[u32], out: &mut [f32]) {
    let dim = rows.ncols();
    let Some(table) = rows.to_slice() else { return };
    let row = |id: u32| table.get(id as usize * dim..(id as usize + 1) * dim).unwrap_or_default();
    let (tiles, rest) = out.as_chunks_mut::<TILE>();
    for (at, tile) in tiles.iter_mut().enumerate() {
        let mut sum = *tile;
        for &id in ids {
            if let Some(part) = row(id).get(at * TILE..).and_then(<[f32]>::first_chunk::<TILE>) {
                for lane in 0..TILE {
                    sum[lane] += part[lane];
                }
            }
        }
        *tile = sum;
    }
    let done = dim - rest.len();
    for &id in ids {
        add_to(rest, row(id).get(done..).unwrap_or_default());
    }
}

/// Scales to length 1. Without a length (no row, or rows that cancel out) the vector becomes zero and there is none.
fn unit(vector: &mut [f32]) -> bool {
    // Eight sums side by side: a fixed order that vectors can follow.
    let mut squares = [0.0_f32; 8];
    for part in vector.chunks(8) {
        squares.iter_mut().zip(part).for_each(|(sum, x)| *sum += x * x);
    }
    let length = squares.iter().sum::<f32>().sqrt();
    let found = length.is_finite() && length > f32::MIN_POSITIVE;
    let scale = if found { length.recip() } else { 0.0 };
    vector.iter_mut().for_each(|x| *x = if found { *x * scale } else { 0.0 });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_counted_and_chosen_evenly() {
        for (n_tokens, expected) in
            [(0, 0), (128, 0), (129, 2), (192, 2), (193, 3), (2_000, 31), (4_160, 64), (4_161, 65)]
        {
            assert_eq!(n_windows(n_tokens), expected, "{n_tokens}");
        }
        for n in 1..1_000 {
            let kept: Vec<usize> = (0..n).filter(|&idx| is_kept(idx, n)).collect();
            assert_eq!(kept.len(), n.min(MAX_WINDOWS));
            assert_eq!((kept[0], kept[kept.len() - 1]), (0, n - 1));
            let steps: Vec<usize> = kept.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(steps.iter().max() <= steps.iter().min().map(|step| step + 1).as_ref(), "{n}: {steps:?}");
        }
    }

    #[test]
    fn sums_equal_plain_sums_in_any_dimension() {
        for dim in [1, 7, 32, 33, 100] {
            let rows = ndarray::Array2::from_shape_fn((50, dim), |(row, at)| ((row * 31 + at * 17) % 23) as f32 - 11.0);
            let ids: Vec<u32> = (0..300).map(|n| n * 7 % 50).collect();
            let plain = |ids: &[u32]| -> Vec<f64> {
                let sum: Vec<f64> =
                    (0..dim).map(|at| ids.iter().map(|&id| f64::from(rows[(id as usize, at)])).sum()).collect();
                let length = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
                sum.iter().map(|x| x / length).collect()
            };
            let close = |a: &[f32], b: &[f64]| a.iter().zip(b).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6);
            let (mut whole, mut n) = (Vec::new(), 0);
            assert!(Sums::default().add(rows.view(), &ids, &mut whole, |window| {
                let start = n * WINDOW_STRIDE;
                assert!(close(window, &plain(&ids[start..(start + WINDOW_TOKENS).min(300)])), "window {n} of {dim}");
                n += 1;
            }));
            assert!(close(&whole, &plain(&ids)) && n == 4, "{dim}");
        }
    }

    #[test]
    fn nothing_and_rows_that_cancel_have_no_vector() {
        let rows = ndarray::array![[1.0, 2.0], [-1.0, -2.0]];
        for ids in [&[][..], &[0, 1]] {
            let mut out = Vec::new();
            assert!(!Sums::default().add(rows.view(), ids, &mut out, |_| ()));
            assert_eq!(out, [0.0, 0.0]);
        }
    }
}
