//! The one SIMD kernel: integer products of rows of int8 vectors.
//!
//! The idea: integer products are exact, so every instruction set gives the same bits and the scalar twin below is an oracle,
//! not an approximation. AVX-512 VNNI multiplies unsigned by signed bytes, so the left side is shifted by 128 and the shift is
//! taken back with the row sums of the right side, which are stored beside the vectors. Weakness: rows must be padded to a
//! multiple of [`LANE`]. Where many rows meet the same ones, those are packed sixteen side by side first, so that no sum has to be
//! taken across a register. Guarantee: all kernels return the same integers (`tests` below).
#![allow(unsafe_code)]

/// Rows are padded with zeros to a multiple of this many bytes, one AVX-512 register.
pub(crate) const LANE: usize = 64;

/// Instruction sets that the kernel is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isa {
    /// AVX-512 with VNNI.
    Vnni,
    /// AVX2.
    Avx2,
    /// Plain Rust.
    Scalar,
}

/// The best instruction set of this machine.
pub(crate) fn best_isa() -> Isa {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512bw") {
            return Isa::Vnni;
        }
        if is_x86_feature_detected!("avx2") {
            return Isa::Avx2;
        }
    }
    Isa::Scalar
}

/// Products of every row of `left` with every row of `right`, both `stride` bytes a row; `sums` are the row sums of `right`.
///
/// * Shape: `out[l * n_right + r]`, n_left × n_right.
/// * Range: |product| ≤ stride · 127², so strides up to 2¹⁷ fit. Sums that are not those of `right` give other numbers, and no panic.
/// # Panics
/// When the lengths do not agree.
pub(crate) fn products(isa: Isa, left: &[i8], right: &[i8], sums: &[i32], stride: usize, out: &mut [i32]) {
    assert!(stride > 0 && stride.is_multiple_of(LANE), "rows are padded to {LANE} bytes");
    let (n_left, n_right) = (left.len() / stride, right.len() / stride);
    assert!(left.len() == n_left * stride && right.len() == n_right * stride, "whole rows");
    assert!(sums.len() == n_right && out.len() == n_left * n_right, "one sum a row, one product a pair");
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Vnni if n_left == 1 => {
            // One row alone takes the other side, so that four of the many are read at a time.
            let sum = left.iter().map(|&x| i32::from(x)).sum();
            // SAFETY: the lengths were checked above, and the caller got the instruction set from `best_isa`.
            unsafe { vnni::<1>(right, left, &[sum], stride, out) }
        }
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Vnni => unsafe { vnni::<2>(left, right, sums, stride, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2(left, right, stride, out) },
        _ => scalar(left, right, stride, out),
    }
}

/// Rows that stand side by side in a register of the packed kernel, and registers of them that it holds at a time.
const SIDE: usize = 16;
const WIDE: usize = 4;
/// Rows of the left that it holds at a time: 6 × 4 sums, 4 rows of targets and one broadcast fill the 32 registers.
const TALL: usize = 6;
/// Left rows from which packing pays.
const PACKED_FROM: usize = 16;

/// Rows of the right, made ready to meet many rows of the left.
pub(crate) struct Targets<'a> {
    isa: Isa,
    rows: &'a [i8],
    sums: &'a [i32],
    stride: usize,
    /// For each 64 rows, for each four dimensions: four bytes of each row, shifted by 128. Empty where that does not pay.
    packed: Vec<u8>,
}

impl<'a> Targets<'a> {
    /// `rows` of `stride` bytes with their sums, for about `n_left` rows of the left; `buffer` is used again.
    pub(crate) fn new(
        isa: Isa,
        rows: &'a [i8],
        sums: &'a [i32],
        stride: usize,
        n_left: usize,
        mut buffer: Vec<u8>,
    ) -> Self {
        assert!(stride > 0 && stride.is_multiple_of(LANE), "rows are padded to {LANE} bytes");
        assert_eq!(rows.len(), sums.len() * stride, "one sum a row");
        buffer.clear();
        if isa == Isa::Vnni && n_left >= PACKED_FROM {
            pack(rows, stride, &mut buffer);
        }
        Self { isa, rows, sums, stride, packed: buffer }
    }

    /// Numbers from one row of products to the next.
    pub(crate) fn width(&self) -> usize {
        if self.packed.is_empty() { self.sums.len() } else { self.sums.len().next_multiple_of(SIDE * WIDE) }
    }

    /// Products of the picked rows of `left`, which has the sums `left_sums`, with every row: `out[p * width + r]`; what stands
    /// behind the last row is not defined.
    /// # Panics
    /// When the lengths do not agree, or there is no such row.
    pub(crate) fn products(&self, left: &[i8], left_sums: &[i32], picks: &[u32], out: &mut [i32]) {
        let stride = self.stride;
        assert_eq!(out.len(), picks.len() * self.width(), "a number a pair");
        #[cfg(target_arch = "x86_64")]
        if !self.packed.is_empty() {
            assert_eq!(left.len(), left_sums.len() * stride, "whole rows");
            assert_eq!(self.packed.len(), self.width() * stride, "whole packed rows");
            assert!(picks.iter().all(|&row| (row as usize) < left_sums.len()), "rows of the left");
            // SAFETY: all of this was checked above, and packing was chosen for a machine that has VNNI.
            unsafe { vnni_packed(left, left_sums, picks, &self.packed, stride, out) };
            return;
        }
        let rows = picks.iter().flat_map(|&row| &left[row as usize * stride..(row as usize + 1) * stride]);
        let left: Vec<i8> = rows.copied().collect();
        products(self.isa, &left, self.rows, self.sums, stride, out);
    }

    /// Gives the buffer back.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.packed
    }
}

/// Calls `visit(i)` for each product whose similarity, product · norm · its own norm, is at least `floor`, in order; a few more
/// may come where rounding puts a similarity beyond 1.
/// # Panics
/// When there are not as many products as norms.
#[inline]
pub(crate) fn each_from(
    isa: Isa,
    products: &[i32],
    norm: f32,
    norms: &[f32],
    floor: f32,
    mut visit: impl FnMut(usize),
) {
    assert_eq!(products.len(), norms.len(), "one norm a product");
    let chunks = products.chunks(64).zip(norms.chunks(64)).enumerate();
    for (at, (products, norms)) in chunks {
        let mut mask = match isa {
            // SAFETY: the lengths agree and are at most 64, and the caller got the instruction set from `best_isa`.
            #[cfg(target_arch = "x86_64")]
            Isa::Vnni => unsafe { mask_avx512(products, norm, norms, floor) },
            _ => mask_scalar(products, norm, norms, floor),
        };
        while mask != 0 {
            visit(64 * at + mask.trailing_zeros() as usize);
            mask &= mask - 1;
        }
    }
}

fn mask_scalar(products: &[i32], norm: f32, norms: &[f32], floor: f32) -> u64 {
    let bits = products.iter().zip(norms).map(|(&product, other)| u64::from(product as f32 * norm * other >= floor));
    bits.enumerate().fold(0, |mask, (i, bit)| mask | bit << i)
}

/// # Safety
/// The machine has AVX-512; there are as many norms as products, at most 64.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn mask_avx512(products: &[i32], norm: f32, norms: &[f32], floor: f32) -> u64 {
    let (norm, floor) = (_mm512_set1_ps(norm), _mm512_set1_ps(floor));
    let mut mask = 0;
    for at in (0..products.len()).step_by(16) {
        let lanes = (1u32 << (products.len() - at).min(16)).wrapping_sub(1) as u16;
        // SAFETY: only lanes below the end of both slices are read.
        let (product, other) = unsafe {
            (
                _mm512_maskz_loadu_epi32(lanes, products.as_ptr().add(at)),
                _mm512_maskz_loadu_ps(lanes, norms.as_ptr().add(at)),
            )
        };
        let similarity = _mm512_mul_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(product), norm), other);
        let reached = _mm512_mask_cmp_ps_mask::<_CMP_GE_OQ>(lanes, similarity, floor);
        mask |= u64::from(reached) << at;
    }
    mask
}

/// Puts rows sixteen side by side, four bytes at a time, shifted by 128; zeros stand for rows that are missing.
fn pack(rows: &[i8], stride: usize, out: &mut Vec<u8>) {
    let n = rows.len() / stride;
    out.resize(n.next_multiple_of(SIDE * WIDE) * stride, 0);
    for (side, group) in out.chunks_exact_mut(SIDE * stride).zip(rows.chunks(SIDE * stride)) {
        for (r, row) in group.chunks_exact(stride).enumerate() {
            for (four, to) in row.chunks_exact(4).zip(side.chunks_exact_mut(4 * SIDE)) {
                let word = u32::from_le_bytes([four[0] as u8, four[1] as u8, four[2] as u8, four[3] as u8]);
                to[4 * r..4 * r + 4].copy_from_slice(&(word ^ 0x8080_8080).to_le_bytes());
            }
        }
    }
}

/// The plain twin: what the others must equal.
fn scalar(left: &[i8], right: &[i8], stride: usize, out: &mut [i32]) {
    let n_right = right.len() / stride;
    for (row, l) in out.chunks_exact_mut(n_right.max(1)).zip(left.chunks_exact(stride)) {
        for (product, r) in row.iter_mut().zip(right.chunks_exact(stride)) {
            *product = l.iter().zip(r).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
        }
    }
}

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// # Safety
/// The machine has AVX-512 VNNI and BW, and the lengths agree as `products` checks.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn vnni<const WIDTH: usize>(left: &[i8], right: &[i8], sums: &[i32], stride: usize, out: &mut [i32]) {
    let n_right = sums.len();
    let n_left = left.len() / stride;
    let flip = _mm512_set1_epi8(-128);
    let mut l = 0;
    while l < n_left {
        // The last rows are taken twice rather than handled apart: four at a time, the surplus written over itself.
        let rows = [l, (l + 1).min(n_left - 1), (l + 2).min(n_left - 1), (l + 3).min(n_left - 1)];
        let mut r = 0;
        while r < n_right {
            let rights: [usize; WIDTH] = std::array::from_fn(|k| (r + k).min(n_right - 1));
            let mut sum = [[_mm512_setzero_si512(); 4]; WIDTH];
            for c in (0..stride).step_by(LANE) {
                // SAFETY: both rows of `right` are whole, so every 64-byte read lies inside the slice.
                let b = rights.map(|r| unsafe { _mm512_loadu_si512(right.as_ptr().add(r * stride + c).cast()) });
                for (k, row) in rows.into_iter().enumerate() {
                    // SAFETY: as above, of `left`.
                    let a = unsafe { _mm512_loadu_si512(left.as_ptr().add(row * stride + c).cast()) };
                    let a = _mm512_xor_si512(a, flip);
                    for (sum, b) in sum.iter_mut().zip(b) {
                        sum[k] = _mm512_dpbusd_epi32(sum[k], a, b);
                    }
                }
            }
            for (sum, r) in sum.iter().zip(rights) {
                let four = add_across(sum);
                for (product, row) in four.into_iter().zip(rows) {
                    out[row * n_right + r] = product.wrapping_sub(sums[r].wrapping_mul(128));
                }
            }
            r += WIDTH;
        }
        l += 4;
    }
}

/// # Safety
/// The machine has AVX-512 VNNI and BW; `packed` holds whole groups of 64 rows, `left` a whole row for each of its sums,
/// `picks` are rows of it, and `out` has a number for each pair.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn vnni_packed(left: &[i8], left_sums: &[i32], picks: &[u32], packed: &[u8], stride: usize, out: &mut [i32]) {
    let width = packed.len() / stride;
    let group = SIDE * WIDE * stride;
    for p in (0..picks.len()).step_by(TALL) {
        // The last rows are taken again rather than handled apart.
        let places: [usize; TALL] = std::array::from_fn(|k| (p + k).min(picks.len() - 1));
        let rows = places.map(|place| picks[place] as usize);
        // The right is shifted by 128, so 128 times the sum of the left row comes off.
        let shifts = rows.map(|row| left_sums[row].wrapping_mul(128));
        for (g, targets) in packed.chunks_exact(group).enumerate() {
            let mut sum = [[_mm512_setzero_si512(); WIDE]; TALL];
            for c in (0..stride).step_by(4) {
                let b: [__m512i; WIDE] = std::array::from_fn(|w| {
                    // SAFETY: each of the four sides of a group has 64 bytes for every four dimensions.
                    unsafe { _mm512_loadu_si512(targets.as_ptr().add((w * stride + c) * SIDE).cast()) }
                });
                for (sum, row) in sum.iter_mut().zip(rows) {
                    // SAFETY: the row is whole and a multiple of 64 bytes, so these four lie inside the slice.
                    let four = unsafe { left.as_ptr().add(row * stride + c).cast::<i32>().read_unaligned() };
                    let a = _mm512_set1_epi32(four);
                    for (sum, b) in sum.iter_mut().zip(b) {
                        *sum = _mm512_dpbusd_epi32(*sum, b, a);
                    }
                }
            }
            for ((sum, place), shift) in sum.iter().zip(places).zip(shifts) {
                let at = place * width + g * SIDE * WIDE;
                let out = &mut out[at..at + SIDE * WIDE];
                for (sum, out) in sum.iter().zip(out.chunks_exact_mut(SIDE)) {
                    let product = _mm512_sub_epi32(*sum, _mm512_set1_epi32(shift));
                    // SAFETY: the chunk has sixteen numbers.
                    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), product) };
                }
            }
        }
    }
}

/// The four sums of the sixteen numbers in each of four registers: transposed and added, a third of the work of four sums.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn add_across(sum: &[__m512i; 4]) -> [i32; 4] {
    let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(sum[0], sum[1]), _mm512_unpackhi_epi32(sum[0], sum[1]));
    let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(sum[2], sum[3]), _mm512_unpackhi_epi32(sum[2], sum[3]));
    let abcd = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    let half = _mm256_add_epi32(_mm512_castsi512_si256(abcd), _mm512_extracti64x4_epi64::<1>(abcd));
    let four = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half));
    [
        _mm_extract_epi32::<0>(four),
        _mm_extract_epi32::<1>(four),
        _mm_extract_epi32::<2>(four),
        _mm_extract_epi32::<3>(four),
    ]
}

/// # Safety
/// The machine has AVX2, and the lengths agree as `products` checks.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2(left: &[i8], right: &[i8], stride: usize, out: &mut [i32]) {
    let n_right = right.len() / stride;
    for l in 0..left.len() / stride {
        for r in 0..n_right {
            let mut sum = _mm256_setzero_si256();
            for c in (0..stride).step_by(16) {
                // SAFETY: both rows are whole and a multiple of 16 bytes, so the 16-byte reads lie inside their slices.
                let (a, b) = unsafe {
                    (
                        _mm_loadu_si128(left.as_ptr().add(l * stride + c).cast()),
                        _mm_loadu_si128(right.as_ptr().add(r * stride + c).cast()),
                    )
                };
                let product = _mm256_madd_epi16(_mm256_cvtepi8_epi16(a), _mm256_cvtepi8_epi16(b));
                sum = _mm256_add_epi32(sum, product);
            }
            let half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
            let quarter = _mm_add_epi32(half, _mm_shuffle_epi32::<0b00_00_11_10>(half));
            let whole = _mm_add_epi32(quarter, _mm_shuffle_epi32::<0b00_00_00_01>(quarter));
            out[l * n_right + r] = _mm_cvtsi128_si32(whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Instruction sets of this machine; the scalar twin is always there.
    fn available() -> Vec<Isa> {
        let mut all = vec![Isa::Scalar];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                all.push(Isa::Avx2);
            }
            if best_isa() == Isa::Vnni {
                all.push(Isa::Vnni);
            }
        }
        all
    }

    /// All kernels against the scalar twin: plain, with targets that are packed and that are not, and what reaches a floor.
    fn check(left: &[i8], right: &[i8], stride: usize) {
        let sums = |rows: &[i8]| -> Vec<i32> {
            rows.chunks(stride).map(|row| row.iter().map(|&x| i32::from(x)).sum()).collect()
        };
        let (left_sums, sums) = (sums(left), sums(right));
        let (n_left, n_right) = (left_sums.len(), sums.len());
        let mut plain = vec![0; n_left * n_right];
        scalar(left, right, stride, &mut plain);
        let norms: Vec<f32> = (0..plain.len()).map(|i| 1e-6 * (i % 7) as f32).collect();
        for isa in available() {
            let mut above = Vec::new();
            each_from(isa, &plain, 0.5, &norms, 0.01, |i| above.push(i));
            let reached = |&i: &usize| plain[i] as f32 * 0.5 * norms[i] >= 0.01;
            assert_eq!(above, (0..plain.len()).filter(reached).collect::<Vec<_>>(), "{isa:?}");
            let mut fast = vec![i32::MIN; plain.len()];
            products(isa, left, right, &sums, stride, &mut fast);
            assert_eq!(fast, plain, "{isa:?}");
            for n in [0, usize::MAX] {
                let targets = Targets::new(isa, right, &sums, stride, n, vec![7; 99]);
                let mut wide = vec![1; n_left * targets.width()];
                // Backwards, to see that picks are followed.
                let picks: Vec<u32> = (0..n_left as u32).rev().collect();
                targets.products(left, &left_sums, &picks, &mut wide);
                for l in 0..n_left {
                    let (wide, plain) = (&wide[(n_left - 1 - l) * targets.width()..], &plain[l * n_right..]);
                    assert_eq!(&wide[..n_right], &plain[..n_right], "{isa:?} {n}");
                }
            }
        }
    }

    /// A row of one kind: random bytes, or nothing but an extreme.
    fn row(stride: usize, kind: u8, seed: u64) -> impl Iterator<Item = i8> {
        let mut state = seed | 1;
        (0..stride).map(move |i| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            match kind {
                // −128 never occurs in a quantised vector, but the kernels take it all the same.
                0 => -128,
                1 => 127,
                2 => 0,
                3 => [-128, 127][i % 2],
                4 => [0, 0, 0, -128][i % 4],
                5 => -127,
                _ => (state >> 56) as u8 as i8,
            }
        })
    }

    proptest! {
        #[test]
        fn every_instruction_set_gives_the_scalar_integers(
            chunks in 1usize..20, left in proptest::collection::vec((0u8..9, any::<u64>()), 0..20),
            right in proptest::collection::vec((0u8..9, any::<u64>()), 0..90),
        ) {
            let stride = chunks * LANE;
            let rows = |kinds: &[(u8, u64)]| -> Vec<i8> { kinds.iter().flat_map(|&(kind, seed)| row(stride, kind, seed)).collect() };
            check(&rows(&left), &rows(&right), stride);
        }
    }

    #[test]
    fn the_longest_rows_reach_the_limits_and_do_not_pass_them() {
        let stride = 1 << 17;
        let rows = |kinds: &[u8]| -> Vec<i8> { kinds.iter().flat_map(|&kind| row(stride, kind, 1)).collect() };
        let (left, right) = (rows(&[1, 5, 2]), rows(&[5, 1]));
        check(&left, &right, stride);
        let (mut out, sums) = (vec![0; 6], [-127 << 17, 127 << 17]);
        products(best_isa(), &left, &right, &sums, stride, &mut out);
        let most = 127 * 127 * (1 << 17);
        assert_eq!(out, [-most, most, most, -most, 0, 0]);
        // Half of it holds −128 as well.
        let stride = 1 << 16;
        let rows = |kinds: &[u8]| -> Vec<i8> { kinds.iter().flat_map(|&kind| row(stride, kind, 1)).collect() };
        check(&rows(&[0, 1, 3, 9]), &rows(&[0, 1, 3, 9, 4]), stride);
    }

    #[test]
    fn wrong_sums_do_not_panic() {
        let row = [127; LANE];
        for isa in available() {
            products(isa, &row, &row, &[i32::MIN], LANE, &mut [0]);
            let targets = Targets::new(isa, &row, &[i32::MAX], LANE, usize::MAX, Vec::new());
            targets.products(&row, &[i32::MIN], &[0], &mut vec![0; targets.width()]);
        }
    }

    #[test]
    fn rows_that_do_not_fit_are_refused_before_anything_is_read() {
        let refused = |left: usize, right: usize, sums: usize, stride: usize, out: usize| {
            let (left, right, sums) = (vec![1; left], vec![1; right], vec![0; sums]);
            std::panic::catch_unwind(|| products(best_isa(), &left, &right, &sums, stride, &mut vec![0; out])).is_err()
        };
        assert!(!refused(128, 192, 3, 64, 6));
        for (left, right, sums, stride, out) in [
            (64, 64, 1, 0, 1),
            (64, 64, 1, 32, 4),
            (63, 64, 1, 64, 1),
            (64, 65, 1, 64, 1),
            (64, 64, 2, 64, 1),
            (64, 64, 1, 64, 0),
        ] {
            assert!(refused(left, right, sums, stride, out), "{left} {right} {sums} {stride} {out}");
        }
        // Picks of rows that are not there.
        let rows = [1; 2 * LANE];
        for (n, picks) in [(0, [2u32]), (usize::MAX, [2]), (usize::MAX, [u32::MAX])] {
            let picked = std::panic::catch_unwind(|| {
                let targets = Targets::new(best_isa(), &rows, &[64, 64], LANE, n, Vec::new());
                targets.products(&rows, &[64, 64], &picks, &mut vec![0; targets.width()]);
            });
            assert!(picked.is_err(), "{n} {picks:?}");
        }
    }
}
