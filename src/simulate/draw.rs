//! The few random draws that a world needs: streams, picks, Gamma, log-normal, geometric, Zipf.
//!
//! Every stream is named by the seed, a label and two numbers, so that one part of the world can be drawn again (the text
//! of exchange 812, say) without drawing what comes before it. Logarithms and powers come from the pure-Rust `libm`, so a
//! seed gives the same world on every machine. Weakness: the Zipf draw inverts the continuous curve, which gives rank 1 a
//! little less than the exact law does.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The stream that belongs to `label`, `a` and `b` under `seed`.
pub(super) fn stream(seed: u64, label: &str, a: u64, b: u64) -> ChaCha8Rng {
    let mut hash = blake3::Hasher::new_derive_key("stillhunt simulate stream v1");
    for number in [seed, a, b] {
        hash.update(&number.to_le_bytes());
    }
    hash.update(label.as_bytes());
    ChaCha8Rng::from_seed(*hash.finalize().as_bytes())
}

/// A name that tells nothing about its owner: `digits` hex digits that belong to `label` and `number` under `seed`.
pub(super) fn opaque(seed: u64, label: &str, number: u64, digits: usize) -> String {
    let mut hash = blake3::Hasher::new_derive_key("stillhunt simulate name v1");
    hash.update(&seed.to_le_bytes());
    hash.update(&number.to_le_bytes());
    hash.update(label.as_bytes());
    let mut name = hash.finalize().to_hex().to_string();
    name.truncate(digits);
    name
}

/// A number in [0, 1).
pub(super) fn unit(rng: &mut ChaCha8Rng) -> f64 {
    rng.random::<f64>()
}

/// True with probability `p`.
pub(super) fn chance(rng: &mut ChaCha8Rng, p: f64) -> bool {
    unit(rng) < p
}

/// A number in [low, high).
pub(super) fn between(rng: &mut ChaCha8Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * unit(rng)
}

/// A position in a list of `n` > 0 things.
pub(super) fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    rng.random_range(0..n as u64) as usize
}

/// One of `list`, which must not be empty.
pub(super) fn pick<T: Copy>(rng: &mut ChaCha8Rng, list: &[T]) -> T {
    list[below(rng, list.len())]
}

/// Puts `list` into a random order.
pub(super) fn shuffle<T>(rng: &mut ChaCha8Rng, list: &mut [T]) {
    for last in (1..list.len()).rev() {
        list.swap(last, below(rng, last + 1));
    }
}

/// The position whose weight was hit; `cumulative` is the running sum of the weights.
pub(super) fn weighted(rng: &mut ChaCha8Rng, cumulative: &[f64]) -> usize {
    let total = cumulative.last().copied().unwrap_or(0.0);
    let at = unit(rng) * total;
    cumulative.partition_point(|&sum| sum <= at).min(cumulative.len().saturating_sub(1))
}

/// Running sum.
pub(super) fn cumulate(weights: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut sum = 0.0;
    weights
        .into_iter()
        .map(|weight| {
            sum += weight;
            sum
        })
        .collect()
}

/// Standard normal (Box and Muller, one of the pair).
pub(super) fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(1.0 - unit(rng)));
    radius * libm::cos(std::f64::consts::TAU * unit(rng))
}

/// Log-normal with this median and this standard deviation of the logarithm.
pub(super) fn log_normal(rng: &mut ChaCha8Rng, median: f64, sigma: f64) -> f64 {
    median * libm::exp(sigma * normal(rng))
}

/// Gamma with mean 1 and this coefficient of variation (Marsaglia and Tsang 2000; below shape 1 by their boost).
pub(super) fn gamma_cv(rng: &mut ChaCha8Rng, cv: f64) -> f64 {
    let shape = 1.0 / (cv * cv);
    let (boosted, boost) =
        if shape < 1.0 { (shape + 1.0, libm::pow(1.0 - unit(rng), 1.0 / shape)) } else { (shape, 1.0) };
    let d = boosted - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        let x = normal(rng);
        let v = 1.0 + c * x;
        if v <= 0.0 {
            continue;
        }
        let v = v * v * v;
        if libm::log(1.0 - unit(rng)) < 0.5 * x * x + d - d * v + d * libm::log(v) {
            return d * v * boost / shape;
        }
    }
}

/// 1, 2, 3 … with this mean.
pub(super) fn geometric(rng: &mut ChaCha8Rng, mean: f64) -> u32 {
    let stop = 1.0 / mean;
    let tail = libm::log(1.0 - unit(rng)) / libm::log(1.0 - stop);
    1 + tail.min(10_000.0) as u32
}

/// A rank in 0 … n − 1 with weight (rank + 1)^−s, s ≠ 1.
pub(super) fn zipf(rng: &mut ChaCha8Rng, n: u32, s: f64) -> u32 {
    let power = 1.0 - s;
    let top = libm::pow(f64::from(n) + 1.0, power) - 1.0;
    let rank = libm::pow(1.0 + top * unit(rng), 1.0 / power) - 1.0;
    (rank as u32).min(n.saturating_sub(1))
}

/// Splits `total` by `weights`: one for each weight above 0 first (where there is enough for all), then by largest
/// remainder, ties to the lower position.
pub(super) fn split(total: u64, weights: &[f64]) -> Vec<u64> {
    let takers = weights.iter().filter(|&&weight| weight > 0.0).count() as u64;
    let each = u64::from(total >= takers);
    let rest = total - each * takers;
    let sum: f64 = weights.iter().sum();
    let ideal: Vec<f64> = weights.iter().map(|weight| rest as f64 * weight / sum).collect();
    let mut parts: Vec<u64> =
        ideal.iter().zip(weights).map(|(part, &weight)| if weight > 0.0 { each + *part as u64 } else { 0 }).collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|&a, &b| ideal[b].fract().total_cmp(&ideal[a].fract()).then(a.cmp(&b)));
    let missing = total.saturating_sub(parts.iter().sum());
    for position in order.into_iter().take(missing as usize) {
        parts[position] += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(draws: &[f64]) -> (f64, f64) {
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / draws.len() as f64;
        (mean, libm::sqrt(variance))
    }

    #[test]
    fn gamma_has_the_named_spread() {
        for (cv, slack) in [(0.5, 0.03), (1.2, 0.05), (5.0, 0.6)] {
            let mut rng = stream(1, "gamma", 0, 0);
            let draws: Vec<f64> = (0..60_000).map(|_| gamma_cv(&mut rng, cv)).collect();
            let (mean, sd) = moments(&draws);
            assert!((mean - 1.0).abs() < 0.03 * cv.max(1.0), "{cv}: mean {mean}");
            assert!((sd / mean - cv).abs() < slack, "{cv}: {}", sd / mean);
        }
    }

    #[test]
    fn ranks_fall_as_the_power_says() {
        let mut rng = stream(1, "zipf", 0, 0);
        let mut count = [0_u32; 400];
        for _ in 0..200_000 {
            count[zipf(&mut rng, 400, 0.85) as usize] += 1;
        }
        let ratio = f64::from(count[9]) / f64::from(count[99]);
        assert!((ratio - libm::pow(101.0 / 10.5, 0.85)).abs() < 1.5, "{ratio}");
        assert!(count.iter().all(|&n| n > 0));
    }

    #[test]
    fn parts_add_up_and_nobody_is_left_out() {
        let weights: Vec<f64> = (1..=50).map(|rank| libm::pow(f64::from(rank), -1.2)).collect();
        for total in [0, 7, 50, 51, 9_999] {
            let parts = split(total, &weights);
            assert_eq!(parts.iter().sum::<u64>(), total);
            assert!(total < 50 || parts.iter().all(|&n| n > 0));
        }
    }

    #[test]
    fn streams_differ_by_every_part_of_their_name() {
        let first = |seed, label, a, b| stream(seed, label, a, b).random::<u64>();
        let all =
            [first(1, "x", 0, 0), first(2, "x", 0, 0), first(1, "y", 0, 0), first(1, "x", 1, 0), first(1, "x", 0, 1)];
        let distinct: std::collections::BTreeSet<u64> = all.into_iter().collect();
        assert_eq!(distinct.len(), 5);
        assert_eq!(all[0], first(1, "x", 0, 0));
    }
}
