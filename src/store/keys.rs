//! Sorted tables of 128-bit keys: is this id, prompt, turn or system prompt known, and where?
//!
//! One immutable table for each append, merged when many; a look-up is a binary search in a memory map. Weakness: a look-up
//! of a missing key touches every table, so their number is kept small. Guarantee: a key is found with the value that it was
//! first added with.

use super::files;
use super::sorted::{first_from, merged, place_of_hash};
use crate::error::{Error, ErrorKind, Result};
use std::io::{self, Write};

const MAGIC: &[u8; 8] = b"SHKEYS01";
const HEADER: usize = 16;
const RECORD: usize = 32;

/// One key with two numbers, whose meaning is the table's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// First 16 bytes of a digest.
    pub key: u128,
    /// First number.
    pub a: u64,
    /// Second number.
    pub b: u64,
}

/// The bytes of a table of `records`, sorted here.
#[must_use]
pub fn to_bytes(mut records: Vec<Record>) -> Vec<u8> {
    records.sort_unstable();
    let mut out = Vec::with_capacity(HEADER + RECORD * records.len());
    match write(records.len(), records.into_iter(), &mut out) {
        Ok(()) => out,
        Err(error) => unreachable!("a vector takes all bytes: {error}"),
    }
}

/// Writes one table with the records of all `tables`, in a stream.
/// # Errors
/// When `out` fails.
pub fn merge<B: AsRef<[u8]>>(tables: &[KeyTable<B>], out: &mut dyn Write) -> io::Result<()> {
    let records = merged(tables.iter().map(KeyTable::records).collect()).map(|(_, record)| record);
    write(tables.iter().map(KeyTable::len).sum(), records, out)
}

/// Writes `n` records that come in order.
fn write(n: usize, records: impl Iterator<Item = Record>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(MAGIC)?;
    out.write_all(&(n as u64).to_le_bytes())?;
    for record in records {
        let mut bytes = [0; RECORD];
        bytes[..16].copy_from_slice(&record.key.to_le_bytes());
        bytes[16..24].copy_from_slice(&record.a.to_le_bytes());
        bytes[24..].copy_from_slice(&record.b.to_le_bytes());
        out.write_all(&bytes)?;
    }
    out.flush()
}

/// A table over its bytes.
pub struct KeyTable<B>(B);

impl<B: AsRef<[u8]>> KeyTable<B> {
    /// Checks the header.
    /// # Errors
    /// `Store` when the bytes are not a whole table.
    pub fn open(bytes: B) -> Result<Self> {
        let raw = bytes.as_ref();
        files::check_magic(raw, MAGIC, "a key table")?;
        let count = raw.get(8..HEADER).map(|b| u64::from_le_bytes(b.try_into().unwrap_or_default()));
        let whole = count.and_then(|n| n.checked_mul(RECORD as u64)) == Some(raw.len().saturating_sub(HEADER) as u64);
        if !whole {
            let got = raw.len();
            return Err(Error::new(ErrorKind::Store, format!("expected a whole key table, got {got} other bytes")));
        }
        Ok(Self(bytes))
    }

    /// The same table, borrowed.
    #[must_use]
    pub fn borrowed(&self) -> KeyTable<&[u8]> {
        KeyTable(self.0.as_ref())
    }

    /// How many keys it has.
    #[must_use]
    pub fn len(&self) -> usize {
        (self.0.as_ref().len() - HEADER) / RECORD
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn record(&self, i: usize) -> Record {
        let bytes = &self.0.as_ref()[HEADER + i * RECORD..][..RECORD];
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default());
        Record { key: u128::from(number(0)) | u128::from(number(8)) << 64, a: number(16), b: number(24) }
    }

    /// The record of `key`, where there is one.
    #[must_use]
    pub fn get(&self, key: u128) -> Option<Record> {
        // Keys are digests.
        let guess = place_of_hash(self.len(), (key >> 64) as u64, |i| (self.record(i).key >> 64) as u64);
        let place = first_from(self.len(), guess, |i| self.record(i).key < key);
        (place < self.len()).then(|| self.record(place)).filter(|record| record.key == key)
    }

    /// All records, in order of key.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        (0..self.len()).map(|i| self.record(i))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_map_finds(keys in proptest::collection::btree_map(0u128..500, any::<(u64, u64)>(), 0..60)) {
            let records = keys.iter().rev().map(|(&key, &(a, b))| Record { key: key << 70, a, b }).collect();
            let table = KeyTable::open(to_bytes(records)).expect("a whole table");
            for key in 0..500u128 {
                let found = table.get(key << 70).map(|r| (r.a, r.b));
                prop_assert_eq!(found, keys.get(&key).copied());
            }
            prop_assert_eq!(table.records().count(), keys.len());
        }

        #[test]
        fn a_merge_is_the_table_of_all(keys in proptest::collection::vec((any::<u128>(), any::<u64>(), 0usize..4), 0..60)) {
            let of = |part: usize| keys.iter().filter(|row| row.2 == part).map(|&(key, a, _)| Record { key, a, b: 1 }).collect();
            let tables: Vec<_> = (0..4).map(|part| KeyTable::open(to_bytes(of(part))).expect("a whole table")).collect();
            let mut merged = Vec::new();
            merge(&tables, &mut merged).expect("a vector");
            prop_assert_eq!(merged, to_bytes(keys.iter().map(|&(key, a, _)| Record { key, a, b: 1 }).collect()));
        }

        #[test]
        fn any_bytes_open_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(table) = KeyTable::open(bytes) {
                let _ = table.get(1);
            }
        }
    }
}
