//! numpy's `default_rng(seed)` for seeds of 32 bits: SeedSequence, PCG64 and `shuffle`.
//!
//! Source: numpy's `bit_generator.pyx`, `pcg64.h` and `_generator.pyx`; O'Neill 2014 (PCG XSL-RR 128/64). Weakness: 32 bits of seed
//! can be searched. Guarantee: shuffles equal numpy 2.4.6 (`tests/golden/unigram.json`).

const MULTIPLIER: u128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645;

/// Eight words of `SeedSequence(seed)`.
fn seed_sequence(seed: u32) -> [u32; 8] {
    let mut hash: u32 = 0x43b0_d7e5;
    let mut mixed = |value: u32| {
        let value = value ^ hash;
        hash = hash.wrapping_mul(0x931e_8875);
        let value = value.wrapping_mul(hash);
        value ^ (value >> 16)
    };
    let mut pool = [mixed(seed), mixed(0), mixed(0), mixed(0)];
    for from in 0..4 {
        for to in (0..4).filter(|&to| to != from) {
            let x = pool[to].wrapping_mul(0xca01_f9dd);
            let y = mixed(pool[from]).wrapping_mul(0x4973_f715);
            let value = x.wrapping_sub(y);
            pool[to] = value ^ (value >> 16);
        }
    }
    let mut hash: u32 = 0x8b51_f9dd;
    std::array::from_fn(|i| {
        let value = pool[i % 4] ^ hash;
        hash = hash.wrapping_mul(0x58f3_8ded);
        let value = value.wrapping_mul(hash);
        value ^ (value >> 16)
    })
}

/// `numpy.random.default_rng(seed)`.
#[derive(Clone)]
pub struct Pcg64 {
    state: u128,
    increment: u128,
    half: Option<u32>,
}

impl Pcg64 {
    /// Seeded with one unsigned 32-bit integer.
    #[must_use]
    pub fn new(seed: u32) -> Self {
        let words = seed_sequence(seed);
        let pair = |i: usize| u128::from(words[i]) | u128::from(words[i + 1]) << 32;
        let (state, stream) = (pair(0) << 64 | pair(2), pair(4) << 64 | pair(6));
        let mut generator = Self { state: 0, increment: stream << 1 | 1, half: None };
        generator.step();
        generator.state = generator.state.wrapping_add(state);
        generator.step();
        generator
    }

    fn step(&mut self) {
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.step();
        ((self.state >> 64) as u64 ^ self.state as u64).rotate_right((self.state >> 122) as u32)
    }

    /// The next 32 bits: the low half of 64, then the high half.
    pub fn next_u32(&mut self) -> u32 {
        if let Some(half) = self.half.take() {
            return half;
        }
        let word = self.next_u64();
        self.half = Some((word >> 32) as u32);
        word as u32
    }

    /// Shuffles as `Generator.shuffle` does an array of one dimension.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let mask = u32::MAX >> (i as u32).leading_zeros();
            let j = loop {
                let j = (self.next_u32() & mask) as usize;
                if j <= i {
                    break j;
                }
            };
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_first_words() {
        // numpy.random.SeedSequence(42).generate_state(8) and default_rng(42).bit_generator.random_raw(2).
        assert_eq!(seed_sequence(42)[..2], [3_444_837_047, 2_669_555_309]);
        let mut generator = Pcg64::new(42);
        assert_eq!(generator.next_u64(), 14_276_969_152_011_380_360);
    }

    #[test]
    fn shuffles_as_numpy_does() {
        let mut items: Vec<u32> = (0..20).collect();
        Pcg64::new(7).shuffle(&mut items);
        assert_eq!(items, [3, 8, 12, 13, 14, 16, 10, 15, 1, 6, 0, 7, 4, 18, 5, 19, 17, 2, 9, 11]);
    }

    #[test]
    fn halves_come_low_first() {
        let (mut a, mut b) = (Pcg64::new(1), Pcg64::new(1));
        let word = a.next_u64();
        assert_eq!((b.next_u32(), b.next_u32()), (word as u32, (word >> 32) as u32));
        assert_eq!(a.next_u64(), b.next_u64());
    }
}
