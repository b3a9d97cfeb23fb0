//! Single precision as torch has it on the CPU: sums and softmax in torch's own order of additions.
//!
//! # The idea
//! Tournament sampling multiplies by 1 − mass, layer after layer. Where nearly all the mass has a one, that difference is made of
//! the last bits of a sum, so a planting kernel is reproduced only by adding in the same order, with the same exponential.
//!
//! Source: ATen's `cpu/SumKernel.cpp` (four rows of eight lanes, cascaded) and `cpu/SoftMaxKernel.cpp` (sixteen lanes, times the
//! reciprocal of the sum); Shibata and Petrogalli 2020, SLEEF, `expf` of 1.0 ulp. Weakness: this is the path of processors with
//! AVX-512 and of one thread; torch elsewhere differs in last bits. Guarantee: equal to torch 2.15.0 on such a processor for rows
//! below 32 768 (`tests/golden/plant.json` through SynthID).

/// Lanes of a vector in torch's sum.
const LANES: usize = 8;
/// Rows that are added side by side.
const ROWS: usize = 4;
/// Levels of the cascade.
const LEVELS: usize = 4;
/// Lanes of a vector in torch's softmax.
const WIDE: usize = 16;

type Block = [[f32; LANES]; ROWS];

fn add<const N: usize>(to: &mut [f32; N], from: &[f32]) {
    to.iter_mut().zip(from).for_each(|(sum, x)| *sum += x);
}

/// Adds blocks of four rows: after each `step` of them the sum moves up a level, so that no sum grows long.
fn cascade(blocks: &[f32]) -> Block {
    let n = blocks.len() / (ROWS * LANES);
    let power = ((n.max(1).next_power_of_two().trailing_zeros() as usize) / LEVELS).max(4);
    let (step, mask) = (1usize << power, (1usize << power) - 1);
    let mut levels = [Block::default(); LEVELS];
    for (i, block) in blocks.chunks_exact(ROWS * LANES).enumerate() {
        for (row, values) in levels[0].iter_mut().zip(block.chunks_exact(LANES)) {
            add(row, values);
        }
        let done = i + 1;
        if done.is_multiple_of(step) {
            for level in 1..LEVELS {
                let below = std::mem::take(&mut levels[level - 1]);
                levels[level].iter_mut().zip(&below).for_each(|(to, from)| add(to, from));
                if done & (mask << (level * power)) != 0 {
                    break;
                }
            }
        }
    }
    let mut sum = levels[0];
    for level in &levels[1..] {
        sum.iter_mut().zip(level).for_each(|(to, from)| add(to, from));
    }
    sum
}

/// `x.sum()` of one contiguous row.
#[must_use]
pub fn sum(x: &[f32]) -> f32 {
    let (vectors, rest) = x.split_at(x.len() / LANES * LANES);
    let (blocks, odd) = vectors.split_at(vectors.len() / (ROWS * LANES) * ROWS * LANES);
    let mut rows = cascade(blocks);
    odd.chunks_exact(LANES).for_each(|vector| add(&mut rows[0], vector));
    let [mut first, others @ ..] = rows;
    others.iter().for_each(|row| add(&mut first, row));
    rest.iter().chain(&first).fold(0.0, |sum, x| sum + x)
}

/// `expf` as SLEEF computes it within one unit in the last place, with fused multiply-adds.
fn exp(d: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    const LN_2: [f32; 2] = [0.693_145_75, 1.428_606_8e-6];
    const SERIES: [f32; 6] = [0.000_198_527_62, 0.001_393_043_6, 0.008_333_361, 0.041_666_485, 0.166_666_67, 0.5];
    if d < -104.0 {
        return 0.0;
    }
    let q = (d * LOG2_E).round_ties_even();
    let s = q.mul_add(-LN_2[1], q.mul_add(-LN_2[0], d));
    let u = SERIES[1..].iter().fold(SERIES[0], |u, c| u.mul_add(s, *c));
    let u = 1.0 + (s * s).mul_add(u, s);
    let half = (q as i32) >> 1;
    let power = |n: i32| f32::from_bits(((n + 127) as u32) << 23);
    u * power(half) * power(q as i32 - half)
}

/// `softmax` of one row. −∞ gives 0.
#[must_use]
pub fn softmax(scores: &[f32]) -> Vec<f32> {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut out: Vec<f32> = scores.iter().map(|x| exp(x - most)).collect();
    let reciprocal = 1.0 / wide_sum(&out);
    out.iter_mut().for_each(|p| *p *= reciprocal);
    out
}

fn wide_sum(x: &[f32]) -> f32 {
    if x.len() < WIDE {
        return x.iter().skip(1).fold(x.first().copied().unwrap_or_default(), |sum, x| sum + x);
    }
    let mut lanes = [0.0; WIDE];
    lanes.copy_from_slice(&x[..WIDE]);
    x[WIDE..].chunks(WIDE).for_each(|vector| add(&mut lanes, vector));
    let mut width = WIDE / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watermark::mt19937::Mt19937;
    use crate::watermark::torch::rand_f32;

    #[test]
    fn order_matters_and_sums_are_right() {
        let mut generator = Mt19937::new(1);
        for n in [1usize, 7, 8, 33, 64, 1000, 20_000] {
            let x: Vec<f32> = (0..n).map(|_| rand_f32(&mut generator)).collect();
            let exact: f64 = x.iter().map(|x| f64::from(*x)).sum();
            assert!((f64::from(sum(&x)) - exact).abs() < 1e-5 * exact, "{n}");
            let p = softmax(&x);
            assert!((p.iter().map(|p| f64::from(*p)).sum::<f64>() - 1.0).abs() < 1e-5);
        }
        // A large number after many small ones: a plain loop loses them.
        let mut x = vec![1e-8f32; 1 << 14];
        x[0] = 1.0;
        assert!(sum(&x) > 1.0001 && x.iter().fold(0.0, |sum, x| sum + x) < 1.0001);
    }

    #[test]
    fn values_of_torch() {
        // torch.softmax(torch.tensor([0.1, -3.7, 2.5, -90., float('-inf')]), 0), torch 2.15.0, as bits.
        let p = softmax(&[0.1, -3.7, 2.5, -90.0, f32::NEG_INFINITY]);
        let bits: Vec<u32> = p.iter().map(|p| p.to_bits()).collect();
        assert_eq!(bits, [0x3daa_0576, 0x3af3_6cb3, 0x3f6a_459c, 0xab95, 0]);
        // x = torch.rand(20000) after manual_seed(7): x.sum(), x[:997].sum() (each as one row), softmax(20 x)[19999].
        let mut generator = Mt19937::new(7);
        let x: Vec<f32> = (0..20_000).map(|_| rand_f32(&mut generator)).collect();
        assert_eq!((sum(&x).to_bits(), sum(&x[..997]).to_bits()), (0x461b_dc6e, 0x43fa_9177));
        let scaled: Vec<f32> = x.iter().map(|x| 20.0 * x).collect();
        assert_eq!(softmax(&scaled)[19_999].to_bits(), 0x326e_6cb7);
    }
}
