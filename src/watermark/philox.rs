//! Philox4x32-10: a counter in, four words out.
//!
//! Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". Guarantee: the known answers in
//! `tests/golden/rng.json`.

/// The block of `counter` under `key`.
///
/// # Example
/// ```
/// assert_eq!(stillhunt::watermark::philox::philox4x32_10([0; 4], [0; 2])[0], 0x6627_e8d5);
/// ```
#[must_use]
#[inline]
pub fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let (mut c, mut k) = (counter, key);
    for _ in 0..10 {
        let a = u64::from(c[0]) * 0xd251_1f53;
        let b = u64::from(c[2]) * 0xcd9e_8d57;
        c = [(b >> 32) as u32 ^ c[1] ^ k[0], b as u32, (a >> 32) as u32 ^ c[3] ^ k[1], a as u32];
        k = [k[0].wrapping_add(0x9e37_79b9), k[1].wrapping_add(0xbb67_ae85)];
    }
    c
}

/// [`philox4x32_10`] of `N` counters and keys at once, one a lane: made for a closure that `pulp` compiles for wide vectors.
#[inline(always)]
#[must_use]
pub fn philox_lanes<const N: usize>(counter: [[u32; N]; 4], key: [[u32; N]; 2]) -> [[u32; N]; 4] {
    let (mut c, mut k) = (counter, key);
    for _ in 0..10 {
        for lane in 0..N {
            let a = u64::from(c[0][lane]) * 0xd251_1f53;
            let b = u64::from(c[2][lane]) * 0xcd9e_8d57;
            c[0][lane] = (b >> 32) as u32 ^ c[1][lane] ^ k[0][lane];
            c[1][lane] = b as u32;
            c[2][lane] = (a >> 32) as u32 ^ c[3][lane] ^ k[1][lane];
            c[3][lane] = a as u32;
            k[0][lane] = k[0][lane].wrapping_add(0x9e37_79b9);
            k[1][lane] = k[1][lane].wrapping_add(0xbb67_ae85);
        }
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_equal_blocks() {
        let word = |i: usize, lane: usize| (i as u32 * 97 + lane as u32).wrapping_mul(0x9e37_79b1);
        let counter = [0, 1, 2, 3].map(|i| std::array::from_fn::<u32, 16, _>(|lane| word(i, lane)));
        let key = [4, 5].map(|i| std::array::from_fn::<u32, 16, _>(|lane| word(i, lane)));
        let lanes = philox_lanes(counter, key);
        for lane in 0..16 {
            assert_eq!(lanes.map(|c| c[lane]), philox4x32_10(counter.map(|c| c[lane]), key.map(|k| k[lane])));
        }
    }
}
