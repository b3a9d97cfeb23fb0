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
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
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
    write_in_order(records, out)
}

/// Writes a table of `records`, which are in order.
/// # Errors
/// When `out` fails.
pub fn write_in_order<R: Record>(records: &[R], out: &mut dyn Write) -> io::Result<()> {
    out.write_all(R::MAGIC)?;
    out.write_all(&(records.len() as u64).to_le_bytes())?;
    out.write_all(bytemuck::cast_slice(records))?;
    out.flush()
}

/// Writes one table with the records of all `tables`, in a stream.
/// # Errors
/// When `out` fails.
pub fn merge<B: AsRef<[u8]>, R: Record>(tables: &[Sorted<B, R>], out: &mut dyn Write) -> io::Result<()> {
    out.write_all(R::MAGIC)?;
    out.write_all(&tables.iter().map(|table| table.all().len() as u64).sum::<u64>().to_le_bytes())?;
    let all = merged(tables.iter().map(|table| table.all().iter()).collect());
    all.map(|(_, record)| record).try_for_each(|record| out.write_all(bytemuck::bytes_of(record)))?;
    out.flush()
}

/// What several sources give in order, in order: each with the number of its source, of equals the one of the first source first.
pub fn merged<T: Ord>(mut sources: Vec<impl Iterator<Item = T>>) -> impl Iterator<Item = (usize, T)> {
    let first = |(i, source): (usize, &mut _)| Some(Reverse((Iterator::next(source)?, i)));
    let mut least: BinaryHeap<Reverse<(T, usize)>> = sources.iter_mut().enumerate().filter_map(first).collect();
    std::iter::from_fn(move || {
        // The least is taken off and the next of its source put in its place: one way through the heap, not two.
        let mut top = least.peek_mut()?;
        let i = top.0.1;
        Some(match sources[i].next() {
            Some(next) => (i, std::mem::replace(&mut top.0.0, next)),
            None => (i, PeekMut::pop(top).0.0),
        })
    })
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

/// The first of `records`, in order of a hash, that is not before this one.
pub fn from_hash<R>(records: &[R], hash: u64, of: impl Fn(&R) -> u64) -> usize {
    let guess = place_of_hash(records.len(), hash, |i| of(&records[i]));
    first_from(records.len(), guess, |i| of(&records[i]) < hash)
}

/// About where a hash stands among `n` in order. Hashes are spread evenly, so one stands where its share of the range does, give or take
/// the root of n; what stands there says how far off that was.
pub fn place_of_hash(n: usize, hash: u64, of: impl Fn(usize) -> u64) -> usize {
    let mut place = ((u128::from(hash) * n as u128) >> 64) as usize;
    for _ in 0..2 {
        if n == 0 {
            break;
        }
        let off = ((i128::from(hash) - i128::from(of(place))) * n as i128) >> 64;
        place = (place as i128 + off).clamp(0, n as i128 - 1) as usize;
    }
    place
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
        fn a_merge_is_the_table_of_all(list in proptest::collection::vec((0u64..20, 0u32..9, 0usize..4), 0..60)) {
            let of = |part: Option<usize>| {
                let of_part = list.iter().filter(|row| part.is_none_or(|part| row.2 == part));
                let mut records: Vec<PrintRecord> =
                    of_part.map(|&(hash, text, _)| PrintRecord { hash, text, at: 1 }).collect();
                let mut bytes = Vec::new();
                write(&mut records, &mut bytes).expect("a vector");
                let mut aligned = vec![0u64; bytes.len().div_ceil(8)];
                bytemuck::cast_slice_mut::<u64, u8>(&mut aligned).copy_from_slice(&bytes);
                aligned
            };
            let parts: Vec<Vec<u64>> = (0..4).map(|part| of(Some(part))).collect();
            let tables: Vec<Table<'_>> =
                parts.iter().map(|words| Table::open(bytemuck::cast_slice(words)).expect("a whole table")).collect();
            let mut bytes = Vec::new();
            merge(&tables, &mut bytes).expect("a vector");
            let whole = of(None);
            prop_assert_eq!(bytes.as_slice(), bytemuck::cast_slice::<u64, u8>(&whole));
        }

        #[test]
        fn a_hash_is_found_wherever_it_stands(list in proptest::collection::vec(any::<u64>(), 0..200), narrow in any::<bool>(), other in any::<u64>()) {
            let mut list: Vec<u64> = list.iter().map(|hash| if narrow { hash >> 50 } else { *hash }).collect();
            list.sort_unstable();
            for &hash in list.iter().chain(&[other, 0, u64::MAX]) {
                prop_assert_eq!(from_hash(&list, hash, |&hash| hash), list.partition_point(|&other| other < hash));
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
