//! Many questions of membership at once.

use super::{Unit, torch};

/// What is made once for a size of vocabulary and of list.
pub struct Plan {
    n: u32,
    k: u32,
}

impl Plan {
    /// For the first k places of permutations of n.
    #[must_use]
    pub fn new(n: u32, k: u32) -> Self {
        Self { n, k }
    }

    /// Sets whether each unit's token is among the first k entries of its seed's permutation.
    pub fn first(&self, units: &[Unit], hits: &mut [bool]) {
        for (unit, hit) in units.iter().zip(hits) {
            *hit = unit.token < self.n && torch::is_first(unit.seed as u64, self.n, self.k, unit.token);
        }
    }
}
