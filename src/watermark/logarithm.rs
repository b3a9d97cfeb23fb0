//! Natural logarithms of several numbers at once.
//!
//! # The idea
//! The classical reduction to [√½, √2) and a polynomial of seven terms has no branch for ordinary numbers, so a compiler can lay it
//! over the lanes of a vector. Source: FreeBSD's `e_log.c` (Sun Microsystems 1993), as `libm::log` has it. Weakness: positive normal
//! numbers only. Guarantee: the same bits as `libm::log`, on every machine.

const LN2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
const LN2_LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);
const SERIES: [f64; 7] = [
    f64::from_bits(0x3fe5_5555_5555_5593),
    f64::from_bits(0x3fd9_9999_9997_fa04),
    f64::from_bits(0x3fd2_4924_9422_9359),
    f64::from_bits(0x3fcc_71c5_1d8e_78af),
    f64::from_bits(0x3fc7_4664_96cb_03de),
    f64::from_bits(0x3fc3_9a09_d078_c69f),
    f64::from_bits(0x3fc2_f112_df3e_5244),
];
/// High word of √½.
const HALF_ROOT: u64 = 0x3fe6_a09e;

/// Logarithms of positive normal numbers.
#[inline(always)]
#[must_use]
pub fn ln<const N: usize>(x: [f64; N]) -> [f64; N] {
    let mut out = x;
    for value in &mut out {
        let bits = value.to_bits();
        let high = (bits >> 32) + (0x3ff0_0000 - HALF_ROOT);
        // 2⁵² and the exponent in the low bits: a conversion without an instruction for it.
        let k = f64::from_bits(0x4330_0000_0000_0000 | (high >> 20)) - (4_503_599_627_370_496.0 + 1023.0);
        let high = (high & 0x000f_ffff) + HALF_ROOT;
        let f = f64::from_bits(high << 32 | bits & 0xffff_ffff) - 1.0;
        let s = f / (2.0 + f);
        let z = s * s;
        let w = z * z;
        let even = w * (SERIES[1] + w * (SERIES[3] + w * SERIES[5]));
        let odd = z * (SERIES[0] + w * (SERIES[2] + w * (SERIES[4] + w * SERIES[6])));
        let half = 0.5 * f * f;
        *value = s * (half + (odd + even)) + k * LN2_LOW - half + f + k * LN2_HIGH;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_libm() {
        let mut bits = 1u64;
        for _ in 0..200_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let near_one = f64::from_bits(0x3ff0_0000_0000_0000 - (bits >> 8) % (30 << 52));
            let any = f64::from_bits((bits >> 2).clamp(1 << 52, 0x7fef << 48));
            for (x, got) in [near_one, any, 1.0].into_iter().zip(ln([near_one, any, 1.0])) {
                assert_eq!(got.to_bits(), libm::log(x).to_bits(), "{x:e}");
            }
        }
    }
}
