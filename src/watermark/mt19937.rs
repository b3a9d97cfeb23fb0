//! The Mersenne Twister as torch's CPU generator seeds and reads it.
//!
//! Source: Matsumoto and Nishimura 1998 (`init_genrand`); torch keeps the low 32 bits of a seed only. Weakness: not a
//! cryptographic generator; 624 words of output give its state. Guarantee: equal to torch 2.15.0 (`tests/golden/rng.json`).

const N: usize = 624;
const M: usize = 397;

/// The generator's state.
#[derive(Clone)]
pub struct Mt19937 {
    state: [u32; N],
    next: usize,
}

impl Mt19937 {
    /// As `torch.Generator().manual_seed(seed)` on the CPU: the low 32 bits decide.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut state = [seed as u32; N];
        for i in 1..N {
            let before = state[i - 1];
            state[i] = 1_812_433_253u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(i as u32);
        }
        Self { state, next: N }
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.next == N {
            self.twist();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// The next 64 bits; the first draw is the high word.
    pub fn next_u64(&mut self) -> u64 {
        let high = u64::from(self.next_u32());
        (high << 32) | u64::from(self.next_u32())
    }

    /// Passes over `n` words of 32 bits.
    pub fn skip(&mut self, mut n: usize) {
        while n > N - self.next {
            n -= N - self.next;
            self.twist();
        }
        self.next += n;
    }

    fn twist(&mut self) {
        let mixed = |here: u32, after: u32| {
            let y = (here & 0x8000_0000) | (after & 0x7fff_ffff);
            (y >> 1) ^ (0x9908_b0df & (y & 1).wrapping_neg())
        };
        // Three loops without a modulus: the words that each reads were written long before.
        for i in 0..N - M {
            self.state[i] = self.state[i + M] ^ mixed(self.state[i], self.state[i + 1]);
        }
        for i in N - M..N - 1 {
            self.state[i] = self.state[i + M - N] ^ mixed(self.state[i], self.state[i + 1]);
        }
        self.state[N - 1] = self.state[M - 1] ^ mixed(self.state[N - 1], self.state[0]);
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipping_is_drawing() {
        for n in [0, 1, 623, 624, 625, 1247, 1248, 5000] {
            let (mut skipped, mut drawn) = (Mt19937::new(7), Mt19937::new(7));
            skipped.next_u32();
            drawn.next_u32();
            skipped.skip(n);
            (0..n).for_each(|_| _ = drawn.next_u32());
            assert_eq!(skipped.next_u32(), drawn.next_u32(), "{n}");
        }
    }
}
