//! Records that must be distinct and do not fit into memory: sorted, spilled, merged.
//!
//! Records gather in a buffer of a stated size; a full one is sorted and made distinct, and written as a sorted run when that freed
//! less than half of it. In the end there is one sorted list, in memory or mapped from one file. Files have no name from the moment
//! they are made, so whatever ends the process leaves nothing behind. Weakness: while runs are merged the disk holds them twice.
//! Guarantee: the list is exact, the same for every size of the buffer, and of equal records the smallest stays.

use super::files::Mapped;
use crate::error::{Error, ErrorKind, Result};
use rayon::slice::ParallelSliceMut as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A record of fixed size, in the order in which the list will stand.
pub trait Record: bytemuck::Pod + Ord + Send + Sync {
    /// Whether it and a record next to it, in order, count as one.
    fn same(&self, other: &Self) -> bool;
}

/// Distinct records while they gather.
pub struct Gather<R> {
    buffer: Vec<R>,
    most: usize,
    dir: PathBuf,
    runs: Vec<Mapped>,
}

/// Sorted and distinct.
pub enum Distinct<R> {
    /// In memory.
    Held(Vec<R>),
    /// On the disk.
    Spilled(Mapped),
}

impl<R: Record> Distinct<R> {
    /// All of them.
    #[must_use]
    pub fn records(&self) -> &[R] {
        match self {
            Self::Held(records) => records,
            Self::Spilled(map) => records(map),
        }
    }

    /// Whether they went to the disk.
    #[must_use]
    pub fn spilled(&self) -> bool {
        matches!(self, Self::Spilled(_))
    }
}

/// The records of a mapped file; an empty map has no alignment.
#[must_use]
pub fn records<R: bytemuck::Pod>(map: &Mapped) -> &[R] {
    if map.as_ref().is_empty() { &[] } else { bytemuck::cast_slice(map.as_ref()) }
}

impl<R: Record> Gather<R> {
    /// At most `bytes` of records in memory; more go to files without a name in `dir`.
    #[must_use]
    pub fn new(bytes: usize, dir: &Path) -> Self {
        let most = (bytes / size_of::<R>()).max(2);
        Self { buffer: Vec::new(), most, dir: dir.to_owned(), runs: Vec::new() }
    }

    /// Adds records.
    ///
    /// # Errors
    /// `Io` when a run cannot be written.
    pub fn add(&mut self, mut records: &[R]) -> Result<()> {
        while !records.is_empty() {
            let room = self.most - self.buffer.len();
            let (now, later) = records.split_at(room.min(records.len()));
            self.buffer.extend_from_slice(now);
            records = later;
            if self.buffer.len() == self.most {
                self.settle();
                if self.buffer.len() > self.most / 2 {
                    self.runs.push(self.spill(&[&self.buffer])?);
                    self.buffer.clear();
                }
            }
        }
        Ok(())
    }

    /// The list.
    ///
    /// # Errors
    /// `Io` when a run cannot be written.
    pub fn finish(mut self) -> Result<Distinct<R>> {
        self.settle();
        if self.runs.is_empty() {
            return Ok(Distinct::Held(self.buffer));
        }
        let mut runs: Vec<&[R]> = self.runs.iter().map(records).collect();
        runs.push(&self.buffer);
        Ok(Distinct::Spilled(self.spill(&runs)?))
    }

    fn settle(&mut self) {
        self.buffer.par_sort_unstable();
        self.buffer.dedup_by(|later, earlier| later.same(earlier));
    }

    /// Merges sorted runs into a file.
    fn spill(&self, runs: &[&[R]]) -> Result<Mapped> {
        merge(runs, &self.dir).map_err(|cause| {
            Error::io("spill to a file in", &self.dir, &cause).hint("give more memory, or a directory with more room")
        })
    }
}

fn merge<R: Record>(runs: &[&[R]], dir: &Path) -> io::Result<Mapped> {
    let file = tempfile::tempfile_in(dir)?;
    let mut out = io::BufWriter::with_capacity(1 << 20, &file);
    if let [run] = runs {
        out.write_all(bytemuck::cast_slice(run))?;
    } else {
        let mut heads: std::collections::BinaryHeap<std::cmp::Reverse<(R, usize)>> =
            std::collections::BinaryHeap::new();
        let mut rest: Vec<&[R]> = runs.to_vec();
        let next = |rest: &mut Vec<&[R]>, run: usize| {
            rest[run].split_first().map(|(first, others)| (*first, others)).map(|(first, others)| {
                rest[run] = others;
                std::cmp::Reverse((first, run))
            })
        };
        heads.extend((0..rest.len()).filter_map(|run| next(&mut rest, run)).collect::<Vec<_>>());
        let mut last: Option<R> = None;
        while let Some(std::cmp::Reverse((record, run))) = heads.pop() {
            if !last.is_some_and(|last| record.same(&last)) {
                out.write_all(bytemuck::bytes_of(&record))?;
                last = Some(record);
            }
            heads.extend(next(&mut rest, run));
        }
    }
    out.flush()?;
    drop(out);
    Mapped::of(&file)
}

/// Numbers that are kept in the order in which they come, in a file without a name.
pub struct Kept {
    out: io::BufWriter<std::fs::File>,
    dir: PathBuf,
}

impl Kept {
    /// An empty file in `dir`.
    ///
    /// # Errors
    /// `Io` when it cannot be made.
    pub fn new(dir: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(dir).map_err(|cause| Error::io("make a file in", dir, &cause))?;
        Ok(Self { out: io::BufWriter::with_capacity(1 << 18, file), dir: dir.to_owned() })
    }

    /// Adds some.
    ///
    /// # Errors
    /// `Io` when they cannot be written.
    pub fn add(&mut self, numbers: &[u32]) -> Result<()> {
        let written = self.out.write_all(bytemuck::cast_slice(numbers));
        written.map_err(|cause| Error::io("spill to a file in", &self.dir, &cause))
    }

    /// All of them, 4 bytes each.
    ///
    /// # Errors
    /// `Io` when they cannot be written.
    pub fn finish(mut self) -> Result<Mapped> {
        let mapped = self.out.flush().and_then(|()| Mapped::of(self.out.get_ref()));
        mapped.map_err(|cause| Error::io("spill to a file in", &self.dir, &cause))
    }
}

/// A directory for spilled files that can be written to.
///
/// # Errors
/// `Io` when no file can be made there.
pub fn check_dir(dir: &Path) -> Result<()> {
    tempfile::tempfile_in(dir).map(drop).map_err(|cause| {
        Error::new(ErrorKind::Io, format!("cannot make a file in {}: {cause}", dir.display()))
            .hint("name another directory for spilled windows")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
    #[repr(C)]
    struct Pair {
        key: u32,
        place: u32,
    }

    impl Record for Pair {
        fn same(&self, other: &Self) -> bool {
            self.key == other.key
        }
    }

    proptest! {
        #[test]
        fn the_list_is_the_same_for_every_size_of_the_buffer(keys in prop::collection::vec(0u32..60, 0..300), most in 2usize..90, step in 1usize..40) {
            let records: Vec<Pair> = (0..).zip(&keys).map(|(place, &key)| Pair { key, place }).collect();
            let mut expected = records.clone();
            expected.sort_unstable();
            expected.dedup_by_key(|pair| pair.key);
            let dir = tempfile::tempdir().expect("a directory");
            let mut gather = Gather::new(most * 8, dir.path());
            records.chunks(step).for_each(|part| gather.add(part).expect("added"));
            let list = gather.finish().expect("finished");
            prop_assert_eq!(list.records(), &expected[..]);
            prop_assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 0);
        }
    }
}
