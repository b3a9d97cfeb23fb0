//! Sorted runs of fingerprints: which texts hold this hash, and where?
//!
//! A night writes one run or more for each field, each sorted by hash, then text: what does not fit into memory is spilled as a
//! run of its own, and readers merge. Guarantee: any bytes open or fail with an error; look-ups never panic.

use super::files;
use crate::error::{Error, ErrorKind, Result};
use rayon::slice::ParallelSliceMut as _;
use std::io::{self, Write};

const MAGIC: &[u8; 8] = b"SHPRINT1";
const HEADER: usize = 16;

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

/// Sorts `records` and writes a run of them.
/// # Errors
/// When `out` fails.
pub fn write(records: &mut [PrintRecord], out: &mut dyn Write) -> io::Result<()> {
    records.par_sort_unstable();
    out.write_all(MAGIC)?;
    out.write_all(&(records.len() as u64).to_le_bytes())?;
    out.write_all(bytemuck::cast_slice(records))?;
    out.flush()
}

/// A run over its bytes, aligned to 8.
pub struct Prints<B>(B);

impl<B: AsRef<[u8]>> Prints<B> {
    /// Checks the header.
    /// # Errors
    /// `Store` when the bytes are not a whole run.
    pub fn open(bytes: B) -> Result<Self> {
        let raw = bytes.as_ref();
        files::check_magic(raw, MAGIC, "fingerprints")?;
        let count = raw.get(8..HEADER).map(|b| u64::from_le_bytes(b.try_into().unwrap_or_default()));
        let whole = count.and_then(|n| n.checked_mul(size_of::<PrintRecord>() as u64))
            == Some((raw.len() as u64).saturating_sub(HEADER as u64))
            && bytemuck::try_cast_slice::<u8, PrintRecord>(&raw[HEADER..]).is_ok();
        if !whole {
            let got = raw.len();
            return Err(Error::new(ErrorKind::Store, format!("expected whole fingerprints, got {got} other bytes")));
        }
        Ok(Self(bytes))
    }

    /// All of them, by hash, then text.
    #[must_use]
    pub fn all(&self) -> &[PrintRecord] {
        bytemuck::cast_slice(&self.0.as_ref()[HEADER..])
    }
}

/// Those of `records`, which are sorted, with this hash.
#[must_use]
pub fn of_hash(records: &[PrintRecord], hash: u64) -> &[PrintRecord] {
    let first = records.partition_point(|record| record.hash < hash);
    let count = records[first..].partition_point(|record| record.hash == hash);
    &records[first..first + count]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_scan_finds(list in proptest::collection::vec((0u64..20, 0u32..9, 0u32..9), 0..60)) {
            let mut records: Vec<PrintRecord> =
                list.iter().map(|&(hash, text, at)| PrintRecord { hash, text, at }).collect();
            let mut bytes = Vec::new();
            write(&mut records, &mut bytes).expect("a vector");
            let mut aligned = vec![0u64; bytes.len().div_ceil(8)];
            bytemuck::cast_slice_mut::<u64, u8>(&mut aligned).copy_from_slice(&bytes);
            let run = Prints::open(bytemuck::cast_slice::<u64, u8>(&aligned)).expect("a whole run");
            for hash in 0..20 {
                let wanted: Vec<_> = records.iter().filter(|record| record.hash == hash).copied().collect();
                prop_assert_eq!(of_hash(run.all(), hash), wanted);
            }
        }

        #[test]
        fn any_bytes_open_or_fail(words in proptest::collection::vec(any::<u64>(), 0..10)) {
            let mut bytes = bytemuck::cast_slice::<u64, u8>(&words).to_vec();
            bytes.splice(0..0, *MAGIC);
            if let Ok(run) = Prints::open(bytes.as_slice()) {
                let _ = of_hash(run.all(), 1);
            }
        }
    }
}
