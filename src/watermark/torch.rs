//! torch's random numbers on the CPU: seeds, integers, floats, permutations, and membership in the head of a permutation.
//!
//! # The idea
//! `randperm(n)` swaps place i with a place at or above i, for i from 0 on. Whether a token lands in the first k places is seen by
//! following that one token through the swaps: no permutation is built, and most followed tokens are decided long before k swaps.
//!
//! Source: ATen's `CPUGeneratorImpl.cpp`, `TransformationHelper.h` and `TensorFactories.cpp`. Weakness: only the low 32 bits of a
//! seed matter, and a Mersenne Twister is not cryptographic. Guarantee: equal to torch 2.15.0, value for value, for each kind of
//! number here (`tests/golden/rng.json`), except permutations of more than 2·10⁸, which follow the source and were not run.

use super::mt19937::Mt19937;
use crate::error::{Error, ErrorKind, Result};

/// From this length on, `randperm` takes 64 bits a step and works from the inside out: (2³² − 1) / 20.
const LONG: u32 = u32::MAX / 20;

/// Entries of the table that the Kirchenbauer et al. programs hash token ids with.
pub const TABLE: u32 = 1_000_003;

/// Which numbers `random_` and `randint` give: the range from which they take 64 bits changed in torch 2.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Release {
    /// Before torch 2.7: 64 bits for ranges of 2³² and more.
    Before27,
    /// Since torch 2.7: 64 bits for ranges of 2²⁸ and more.
    Since27,
}

impl Release {
    /// Whether a range takes 64 bits a number.
    #[must_use]
    pub fn is_wide(self, range: u64) -> bool {
        match self {
            Self::Before27 => range >= 1 << 32,
            Self::Since27 => range >= 1 << 28,
        }
    }
}

/// The 64 bits that `manual_seed` keeps of a Python integer: negative numbers count from 2⁶⁴ down.
///
/// # Errors
/// `Config` outside −2⁶³ to 2⁶⁴ − 1, which torch refuses.
///
/// # Example
/// ```
/// use stillhunt::watermark::torch::manual_seed;
/// assert_eq!(manual_seed(-1).unwrap(), u64::MAX);
/// assert!(manual_seed(1 << 64).is_err());
/// ```
pub fn manual_seed(seed: i128) -> Result<u64> {
    let range = i128::from(i64::MIN)..=i128::from(u64::MAX);
    let refused = || Error::new(ErrorKind::Config, "expected a seed from -2^63 to 2^64 - 1, got one outside");
    range.contains(&seed).then_some(seed as u64).ok_or_else(refused)
}

/// One float32 of `rand`, in [0, 1): 24 bits.
pub fn rand_f32(generator: &mut Mt19937) -> f32 {
    (generator.next_u32() & 0x00ff_ffff) as f32 * (1.0 / (1u32 << 24) as f32)
}

/// One float64 of `rand`, in [0, 1): 53 bits.
pub fn rand_f64(generator: &mut Mt19937) -> f64 {
    (generator.next_u64() & ((1 << 53) - 1)) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// One integer of `randint(low, high)`.
///
/// # Panics
/// Unless `low < high`.
pub fn randint(generator: &mut Mt19937, low: i64, high: i64, release: Release) -> i64 {
    assert!(low < high, "expected low < high");
    let range = high.wrapping_sub(low) as u64;
    let word = if release.is_wide(range) { generator.next_u64() } else { u64::from(generator.next_u32()) };
    low.wrapping_add((word % range) as i64)
}

/// `randperm(n)`. Uses n − 1 draws of 32 bits (n of 64 bits from 214 748 364 on).
#[must_use]
pub fn randperm(generator: &mut Mt19937, n: u32) -> Vec<u32> {
    if n < LONG {
        let mut places: Vec<u32> = (0..n).collect();
        shuffle_head(generator, &mut places, n.saturating_sub(1));
        return places;
    }
    inside_out(generator, n)
}

fn inside_out(generator: &mut Mt19937, n: u32) -> Vec<u32> {
    let mut places = vec![0; n as usize];
    for i in 0..n as usize {
        let z = (generator.next_u64() % (i as u64 + 1)) as usize;
        places[i] = places[z];
        places[z] = i as u32;
    }
    places
}

/// The first `steps` swaps of the shuffle.
fn shuffle_head(generator: &mut Mt19937, places: &mut [u32], steps: u32) {
    let n = places.len() as u32;
    for i in 0..steps {
        let z = i + generator.next_u32() % (n - i);
        places.swap(i as usize, z as usize);
    }
}

/// The first k entries of `randperm(n)` after `manual_seed(seed)`, in their order.
///
/// # Panics
/// When `k > n` or n is 214 748 364 or more.
#[must_use]
pub fn first(seed: u64, n: u32, k: u32) -> Vec<u32> {
    assert!(k <= n && n < LONG, "expected k <= n < {LONG}, got {k} of {n}");
    let mut places: Vec<u32> = (0..n).collect();
    shuffle_head(&mut Mt19937::new(seed), &mut places, k.min(n.saturating_sub(1)));
    places.truncate(k as usize);
    places
}

/// Whether `token` is among the first k entries of `randperm(n)` after `manual_seed(seed)`. Up to k draws, no memory.
///
/// # Panics
/// When `token >= n`, `k > n` or n is 214 748 364 or more.
///
/// # Example
/// ```
/// use stillhunt::watermark::torch::{first, is_first};
/// let list = first(42, 1000, 250);
/// assert!((0..1000).all(|token| list.contains(&token) == is_first(42, 1000, 250, token)));
/// ```
#[must_use]
pub fn is_first(seed: u64, n: u32, k: u32, token: u32) -> bool {
    assert!(token < n && k <= n && n < LONG, "expected token < n, k <= n < {LONG}, got token {token}, {k} of {n}");
    if k == n {
        return true;
    }
    let mut generator = Mt19937::new(seed);
    let mut place = token;
    for i in 0..k {
        let z = i + generator.next_u32() % (n - i);
        if place == z {
            return true;
        }
        if place == i {
            place = z;
        }
    }
    false
}

/// `randperm(1000003)` after `manual_seed(seed)`: the fixed table that token ids are hashed with.
#[must_use]
pub fn fixed_table(seed: u64) -> Vec<u32> {
    randperm(&mut Mt19937::new(seed), TABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_is_the_permutation() {
        for n in [1u32, 2, 3, 17, 700] {
            let whole = randperm(&mut Mt19937::new(9), n);
            for k in [0, 1, n / 4, n - 1, n] {
                let head = &whole[..k as usize];
                assert_eq!(first(9, n, k), head);
                assert!((0..n).all(|token| is_first(9, n, k, token) == head.contains(&token)), "{k} of {n}");
            }
        }
    }

    #[test]
    fn long_permutations_are_permutations() {
        let mut places = inside_out(&mut Mt19937::new(3), 1000);
        assert_ne!(places, (0..1000).collect::<Vec<u32>>());
        places.sort_unstable();
        assert_eq!(places, (0..1000).collect::<Vec<u32>>());
    }

    #[test]
    fn a_range_decides_the_width() {
        for (range, before, since) in
            [((1i64 << 28) - 1, 1, 1), (1 << 28, 1, 2), ((1 << 32) - 1, 1, 2), (1 << 32, 2, 2)]
        {
            for (release, words) in [(Release::Before27, before), (Release::Since27, since)] {
                let mut generator = Mt19937::new(5);
                let mut other = generator.clone();
                let _ = randint(&mut generator, 0, range, release);
                (0..words).for_each(|_| _ = other.next_u32());
                assert_eq!(generator.next_u32(), other.next_u32(), "{range} {release:?}");
            }
        }
        let mut generator = Mt19937::new(5);
        assert!(randint(&mut generator, i64::MIN, i64::MAX, Release::Since27) < i64::MAX);
    }

    #[test]
    fn seeds_are_python_integers() {
        assert_eq!(manual_seed(i128::from(i64::MIN)).unwrap(), 1 << 63);
        assert_eq!(manual_seed(i128::from(u64::MAX)).unwrap(), u64::MAX);
        assert!(manual_seed(i128::from(i64::MIN) - 1).is_err() && manual_seed(1 << 64).is_err());
    }
}
