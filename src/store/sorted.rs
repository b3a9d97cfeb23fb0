//! Sorted tables of fixed records: written once, mapped, searched by halving.
//!
//! ```text
//! magic (8 bytes) · number of records u64 · the records, in order
//! ```
//! Little-endian, as every machine this runs on. Guarantee: any bytes open or fail with an error; look-ups never panic, but what a
//! damaged table says may name things that do not exist, so callers bound what they read. `verify` finds the damage.

use super::files;
use crate::error::{Error, ErrorKind, Result};
use rayon::slice::ParallelSliceMut as _;
use std::cmp::Ordering;
use std::io::{self, Write};
use std::marker::PhantomData;

const HEADER: usize = 16;

/// A record of a sorted table; its order is that of the table.
pub trait Record: bytemuck::Pod + Ord + Send {
    /// What a table of them begins with.
    const MAGIC: &'static [u8; 8];
    /// What they are called in errors.
    const WHAT: &'static str;
}

/// Sorts `records` and writes a table of them.
/// # Errors
/// When `out` fails.
pub fn write<R: Record>(records: &mut [R], out: &mut dyn Write) -> io::Result<()> {
    records.par_sort_unstable();
    out.write_all(R::MAGIC)?;
    out.write_all(&(records.len() as u64).to_le_bytes())?;
    out.write_all(bytemuck::cast_slice(records))?;
    out.flush()
}

/// A table over its bytes, aligned to 8.
pub struct Sorted<B, R>(B, PhantomData<R>);

impl<B: AsRef<[u8]>, R: Record> Sorted<B, R> {
    /// Checks the header.
    /// # Errors
    /// `Store` when the bytes are not a whole table.
    pub fn open(bytes: B) -> Result<Self> {
        let raw = bytes.as_ref();
        files::check_magic(raw, R::MAGIC, R::WHAT)?;
        let count = raw.get(8..HEADER).map(|b| u64::from_le_bytes(b.try_into().unwrap_or_default()));
        let whole = count.and_then(|n| n.checked_mul(size_of::<R>() as u64))
            == Some((raw.len() as u64).saturating_sub(HEADER as u64))
            && bytemuck::try_cast_slice::<u8, R>(&raw[HEADER..]).is_ok();
        if !whole {
            let message = format!("expected whole {}, got {} other bytes", R::WHAT, raw.len());
            return Err(Error::new(ErrorKind::Store, message));
        }
        Ok(Self(bytes, PhantomData))
    }

    /// All of them, in order.
    #[must_use]
    pub fn all(&self) -> &[R] {
        bytemuck::cast_slice(&self.0.as_ref()[HEADER..])
    }
}

/// Those of `records`, which are in order, that `compare` finds equal to what is looked for.
pub fn equal<R>(records: &[R], compare: impl Fn(&R) -> Ordering) -> &[R] {
    let first = records.partition_point(|record| compare(record).is_lt());
    let count = records[first..].partition_point(|record| compare(record).is_eq());
    &records[first..first + count]
}

/// The first of `n` places in order that is not before what is looked for, found outwards from where it probably is.
pub fn first_from(n: usize, guess: usize, is_before: impl Fn(usize) -> bool) -> usize {
    let guess = guess.min(n);
    let (mut low, mut high, mut step) = (guess, guess, 16);
    while low > 0 && !is_before(low - 1) {
        (low, high) = (low.saturating_sub(step), low - 1);
        step *= 2;
    }
    step = 16;
    while high < n && is_before(high) {
        (low, high) = (high + 1, (high + step).min(n));
        step *= 2;
    }
    while low < high {
        let middle = low.midpoint(high);
        if is_before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::super::prints::PrintRecord;
    use super::*;
    use proptest::prelude::*;

    type Table<'a> = Sorted<&'a [u8], PrintRecord>;

    proptest! {
        #[test]
        fn finds_what_a_scan_finds(list in proptest::collection::vec((0u64..20, 0u32..9, 0u32..9), 0..60)) {
            let mut records: Vec<PrintRecord> =
                list.iter().map(|&(hash, text, at)| PrintRecord { hash, text, at }).collect();
            let mut bytes = Vec::new();
            write(&mut records, &mut bytes).expect("a vector");
            let mut aligned = vec![0u64; bytes.len().div_ceil(8)];
            bytemuck::cast_slice_mut::<u64, u8>(&mut aligned).copy_from_slice(&bytes);
            let table = Table::open(bytemuck::cast_slice::<u64, u8>(&aligned)).expect("a whole table");
            for hash in 0..20 {
                let wanted: Vec<_> = records.iter().filter(|record| record.hash == hash).copied().collect();
                prop_assert_eq!(equal(table.all(), |record| record.hash.cmp(&hash)), wanted);
            }
        }

        #[test]
        fn any_guess_finds_the_same(list in proptest::collection::vec(0u32..40, 0..200), guess in 0usize..300, wanted in 0u32..45) {
            let mut list = list;
            list.sort_unstable();
            prop_assert_eq!(first_from(list.len(), guess, |i| list[i] < wanted), list.partition_point(|&x| x < wanted));
        }

        #[test]
        fn any_bytes_open_or_fail(words in proptest::collection::vec(any::<u64>(), 0..10)) {
            let mut bytes = bytemuck::cast_slice::<u64, u8>(&words).to_vec();
            bytes.splice(0..0, *PrintRecord::MAGIC);
            if let Ok(table) = Table::open(bytes.as_slice()) {
                let _ = equal(table.all(), |record| record.hash.cmp(&1));
            }
        }
    }
}
