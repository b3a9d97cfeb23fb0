//! Sorted runs of fingerprints: which texts hold this hash, and where?
//!
//! A night writes one run or more for each field, each sorted by hash, then text: what does not fit into memory is spilled as a
//! run of its own, and readers merge.

use super::sorted::{Record, Sorted, from_hash};

/// Records of a run at most: 128 MiB.
pub const RUN: usize = 1 << 23;

/// One fingerprint of one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct PrintRecord {
    /// Keyed hash of the gram.
    pub hash: u64,
    /// Number of the text.
    pub text: u32,
    /// First byte of the gram in the folded text.
    pub at: u32,
}

impl Record for PrintRecord {
    const MAGIC: &'static [u8; 8] = b"SHPRINT1";
    const WHAT: &'static str = "fingerprints";
}

/// A run over its bytes.
pub type Prints<B> = Sorted<B, PrintRecord>;

/// Those of `records`, which are sorted, with this hash.
#[must_use]
pub fn of_hash(records: &[PrintRecord], hash: u64) -> &[PrintRecord] {
    let from = from_hash(records, hash, |record| record.hash);
    let count = records[from..].iter().take_while(|record| record.hash == hash).count();
    &records[from..from + count]
}
