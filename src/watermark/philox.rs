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
