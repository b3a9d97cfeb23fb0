//! torch's random numbers on a CUDA device, from Philox: integers, permutations, and membership in the head of a permutation.
//!
//! # The idea
//! Number e of a call is drawn by thread e mod `stride` of the launch, so it follows from seed, e and the size of the launch alone.
//! `randperm(n)` draws a key for each entry, sorts by the low bits of the keys, and shuffles runs of equal keys (*islands*). Whether
//! a token is in the first k places is a matter of counting smaller keys, unless its island straddles place k: then that island
//! is shuffled.
//!
//! Source: ATen's `cuda/DistributionTemplates.h` and `cuda/Randperm.cu`; Salmon et al. 2011. Weakness: the launch grows with the
//! device, so lists depend on the device where n exceeds its resident threads. Guarantee: equal to an independent port of the same
//! source (`tests/golden/rng.json`, `cuda_predicted`); **never compared with a device**.

use super::philox::philox4x32_10;
use super::torch::Release;

/// Threads in a block of the kernels here.
const BLOCK: u32 = 256;

/// How many threads the device holds at once: multiprocessors × 256 × ⌊threads of one / 256⌋.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Device {
    /// A multiple of 256, at least 256.
    pub resident: u32,
    /// Of torch.
    pub release: Release,
}

/// One launch that fills n numbers.
#[derive(Clone, Copy)]
struct Launch {
    key: [u32; 2],
    stride: u32,
    unroll: u32,
}

impl Launch {
    fn new(device: Device, seed: u64, n: u32, wide: bool) -> Self {
        let blocks = n.div_ceil(BLOCK).clamp(1, device.resident / BLOCK);
        Self { key: [seed as u32, (seed >> 32) as u32], stride: BLOCK * blocks, unroll: if wide { 2 } else { 4 } }
    }

    /// The 32 or 64 bits of number e.
    fn word(&self, e: u32) -> u64 {
        let (thread, turn) = (e % self.stride, e / self.stride);
        let block = philox4x32_10([turn / self.unroll, 0, thread, 0], self.key);
        word_of(block, turn % self.unroll, self.unroll)
    }

    /// Calls `take` with the words of numbers 0..n, in another order: (e, word).
    fn each_word(&self, n: u32, mut take: impl FnMut(u32, u64)) {
        for thread in 0..self.stride.min(n) {
            let mut block = [0; 4];
            for (turn, e) in (thread..n).step_by(self.stride as usize).enumerate() {
                let (call, place) = (turn as u32 / self.unroll, turn as u32 % self.unroll);
                if place == 0 {
                    block = philox4x32_10([call, 0, thread, 0], self.key);
                }
                take(e, word_of(block, place, self.unroll));
            }
        }
    }

    /// Philox calls of a thread: where the next launch begins.
    fn calls(&self, n: u32) -> u32 {
        n.div_ceil(self.stride * self.unroll)
    }
}

fn word_of(block: [u32; 4], place: u32, unroll: u32) -> u64 {
    let place = place as usize;
    if unroll == 4 {
        return u64::from(block[place]);
    }
    u64::from(block[2 * place]) << 32 | u64::from(block[2 * place + 1])
}

/// The first n integers of `randint(low, high)` after `manual_seed(seed)`.
///
/// # Panics
/// Unless `low < high`.
#[must_use]
pub fn randint(device: Device, seed: u64, low: i64, high: i64, n: u32) -> Vec<i64> {
    assert!(low < high, "expected low < high");
    let range = high.wrapping_sub(low) as u64;
    let mut out = vec![0; n as usize];
    Launch::new(device, seed, n, device.release.is_wide(range))
        .each_word(n, |e, word| out[e as usize] = low.wrapping_add((word % range) as i64));
    out
}

/// Bits of the keys that `randperm(n)` sorts by: few enough to be quick, enough that islands are rare.
#[must_use]
pub fn key_bits(n: u32) -> u32 {
    let n = f64::from(n);
    let bits = libm::ceil(libm::log2(n - (6.0 * n * n + 1.0) / (12.0 * libm::log(0.9))));
    (bits as u32).min(64)
}

/// The keys of one `randperm(n)`.
struct Keys {
    launch: Launch,
    /// What a word is reduced by: the width of the integers that torch draws.
    modulus: u64,
    mask: u64,
    n: u32,
}

impl Keys {
    fn new(device: Device, seed: u64, n: u32) -> Self {
        let bits = key_bits(n);
        // random_(min, max) of int32 or int64: max itself never comes. Adding min and sorting as signed undo each other.
        let modulus = if bits <= 32 { u64::from(u32::MAX) } else { u64::MAX };
        let launch = Launch::new(device, seed, n, device.release.is_wide(modulus));
        Self { launch, modulus, mask: u64::MAX >> (64 - bits), n }
    }

    fn of(&self, token: u32) -> u64 {
        (self.launch.word(token) % self.modulus) & self.mask
    }

    fn all(&self) -> Vec<u64> {
        let mut keys = vec![0; self.n as usize];
        // Two loops, so that the division is by a constant.
        if self.modulus == u64::MAX {
            self.launch
                .each_word(self.n, |e, word| keys[e as usize] = if word == u64::MAX { 0 } else { word & self.mask });
        } else {
            let mask = self.mask;
            self.launch.each_word(self.n, |e, word| keys[e as usize] = (word % u64::from(u32::MAX)) & mask);
        }
        keys
    }

    /// Shuffles the entries of an island that begins at place `leader`.
    fn shuffle(&self, leader: u32, island: &mut [u32]) {
        let first = self.launch.calls(self.n);
        let mut words = (first..).flat_map(|call| philox4x32_10([call, 0, leader, 0], self.launch.key));
        for i in (1..island.len()).rev() {
            let r = words.next().unwrap_or_default() % (i as u32 + 1);
            island.swap(i, r as usize);
        }
    }
}

/// `randperm(n)` after `manual_seed(seed)`.
#[must_use]
pub fn randperm(device: Device, seed: u64, n: u32) -> Vec<u32> {
    if n == 0 {
        return Vec::new();
    }
    let keys = Keys::new(device, seed, n);
    let mut order: Vec<(u64, u32)> = keys.all().into_iter().zip(0..).collect();
    order.sort_unstable();
    let mut places = Vec::with_capacity(n as usize);
    for island in order.chunk_by(|a, b| a.0 == b.0) {
        let leader = places.len();
        places.extend(island.iter().map(|entry| entry.1));
        keys.shuffle(leader as u32, &mut places[leader..]);
    }
    places
}

/// Islands of equal keys in one `randperm(n)`.
#[must_use]
pub fn islands(device: Device, seed: u64, n: u32) -> usize {
    let mut keys = if n == 0 { Vec::new() } else { Keys::new(device, seed, n).all() };
    keys.sort_unstable();
    keys.chunk_by(|a, b| a == b).filter(|island| island.len() > 1).count()
}

/// The first k entries of one permutation, ready for any number of questions.
pub struct Head {
    keys: Vec<u64>,
    /// Keys below are in the head, keys above are not.
    border: u64,
    /// Entries of the border's island that are in, ascending.
    inside: Vec<u32>,
}

impl Head {
    /// Of `randperm(n)` after `manual_seed(seed)`. All keys are drawn and the k-th is selected; nothing is sorted.
    ///
    /// # Panics
    /// Unless `0 < k <= n`.
    #[must_use]
    pub fn new(device: Device, seed: u64, n: u32, k: u32) -> Self {
        assert!(k > 0 && k <= n, "expected 0 < k <= n, got {k} of {n}");
        let source = Keys::new(device, seed, n);
        let keys = source.all();
        let border = *keys.clone().select_nth_unstable(k as usize - 1).1;
        let leader = keys.iter().filter(|&&key| key < border).count();
        let mut inside: Vec<u32> = (0..n).filter(|&e| keys[e as usize] == border).collect();
        source.shuffle(leader as u32, &mut inside);
        inside.truncate(k as usize - leader);
        inside.sort_unstable();
        Self { keys, border, inside }
    }

    /// Whether `token` is one of them.
    #[must_use]
    pub fn has(&self, token: u32) -> bool {
        let key = self.keys[token as usize];
        key < self.border || (key == self.border && self.inside.binary_search(&token).is_ok())
    }
}

/// Whether `token` is among the first k entries of `randperm(n)` after `manual_seed(seed)`: smaller keys are counted.
///
/// # Panics
/// Unless `token < n` and `k <= n`.
#[must_use]
pub fn is_first(device: Device, seed: u64, n: u32, k: u32, token: u32) -> bool {
    assert!(token < n && k <= n, "expected token < n, k <= n, got token {token}, {k} of {n}");
    let source = Keys::new(device, seed, n);
    let own = source.of(token);
    let (keys, mut less, mut equal) = (source.all(), 0, 0);
    for &key in &keys {
        less += u32::from(key < own);
        equal += u32::from(key == own);
    }
    if less >= k || less + equal <= k {
        return less < k;
    }
    let mut island: Vec<u32> = (0..n).filter(|&e| keys[e as usize] == own).collect();
    source.shuffle(less, &mut island);
    island[..(k - less) as usize].contains(&token)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Device = Device { resident: 512, release: Release::Since27 };

    /// A source whose keys have so few bits that islands are everywhere.
    fn crowded(bits: u32, n: u32) -> (Vec<u32>, Keys) {
        let mut keys = Keys::new(SMALL, 5, n);
        keys.mask = u64::MAX >> (64 - bits);
        let mut order: Vec<(u64, u32)> = keys.all().into_iter().zip(0..).collect();
        order.sort_unstable();
        let mut places = Vec::new();
        for island in order.chunk_by(|a, b| a.0 == b.0) {
            let leader = places.len();
            places.extend(island.iter().map(|entry| entry.1));
            keys.shuffle(leader as u32, &mut places[leader..]);
        }
        (places, keys)
    }

    #[test]
    fn bits_of_common_vocabularies() {
        for (n, bits) in [(30_083, 32), (30_084, 33), (32_000, 33), (50_257, 34), (128_256, 37), (256_000, 39)] {
            assert_eq!(key_bits(n), bits, "{n}");
        }
    }

    #[test]
    fn head_is_the_permutation() {
        for release in [Release::Before27, Release::Since27] {
            for n in [1u32, 2, 255, 256, 257, 1500, 4000] {
                let device = Device { resident: 512, release };
                let whole = randperm(device, 77, n);
                let mut sorted = whole.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..n).collect::<Vec<_>>());
                for k in [1, n.div_ceil(4), n] {
                    let list = Head::new(device, 77, n, k);
                    for token in (0..n).step_by(7) {
                        let expected = whole[..k as usize].contains(&token);
                        assert_eq!(list.has(token), expected, "{token} in {k} of {n}");
                        assert_eq!(is_first(device, 77, n, k, token), expected, "{token} in {k} of {n}");
                    }
                }
            }
        }
    }

    #[test]
    fn single_words_are_those_of_the_launch() {
        for wide in [false, true] {
            let launch = Launch::new(SMALL, 1 << 40, 5000, wide);
            launch.each_word(5000, |e, word| assert_eq!(word, launch.word(e)));
        }
    }

    #[test]
    fn islands_are_shuffled_and_stay_in_place() {
        let (places, keys) = crowded(4, 600);
        let of: Vec<u64> = places.iter().map(|&e| keys.of(e)).collect();
        assert!(of.is_sorted());
        assert!(!places[..30].is_sorted(), "an island keeps no order");
        let mut all = places;
        all.sort_unstable();
        assert_eq!(all, (0..600).collect::<Vec<_>>());
    }

    #[test]
    fn the_release_decides_narrow_keys_only() {
        let old = Device { release: Release::Before27, ..SMALL };
        assert_ne!(randperm(old, 3, 2000), randperm(SMALL, 3, 2000));
        assert_eq!(randperm(old, 3, 31_000), randperm(SMALL, 3, 31_000));
    }
}
