//! A segment's file: how it is laid out, and how it is written.
//!
//! ```text
//! "SHINDEX1" dim stride n_leaders n_entries (u32 each)                          64 bytes, zero padded
//! leaders: rows i8 · inverse norms f32 · sums i32                               each section padded to 64 bytes
//! lists:   first entry of each list u32 (n_leaders + 1) · active entries u32
//! entries: ids u32 · inverse norms f32 · sums i32 · rows i8
//! places:  entries in order of their ids u32; older files end before them
//! ```
//! Little-endian, as every machine this runs on. Entries of a list stand together, active ones first, then by id. *Active*
//! entries are those that new vectors are joined with; the others are near-copies that a representative stands for.

use super::Vectors;
use super::vectors::Block;
use rayon::prelude::*;
use std::io::{self, Write};

/// Its first bytes.
pub(super) const MAGIC: &[u8; 8] = b"SHINDEX1";
/// Bytes before the first section, which begin at multiples of it.
pub(super) const HEADER: usize = 64;

/// Entries of a segment that is or will be: vectors, whose each is, whether later vectors are joined with it.
pub struct Part<'a> {
    pub(super) dim: usize,
    pub(super) block: Block<'a>,
    pub(super) ids: &'a [u32],
    active: Vec<bool>,
}

impl<'a> Part<'a> {
    pub(super) fn new(dim: usize, block: Block<'a>, ids: &'a [u32], active: Vec<bool>) -> Self {
        assert!(ids.len() == block.len() && active.len() == block.len(), "one id and one flag a vector");
        Self { dim, block, ids, active }
    }

    /// The same, with only those active still that `keep` names by their ids.
    #[must_use]
    pub fn only_active(mut self, keep: &dyn Fn(u32) -> bool) -> Self {
        self.active.iter_mut().zip(self.ids).for_each(|(active, &id)| *active &= keep(id));
        self
    }

    /// Of vectors in memory: `ids[i]` names vector i (several vectors may share one).
    ///
    /// # Panics
    /// When the lengths differ.
    #[must_use]
    pub fn of(vectors: &'a Vectors, ids: &'a [u32], active: &[bool]) -> Self {
        Self::new(vectors.dim(), vectors.block(), ids, active.to_vec())
    }
}

/// Writes the entries of `parts` under `leaders`, each in the list that `homes` says.
pub(super) fn write(leaders: &Vectors, homes: Vec<u32>, parts: &[Part<'_>], out: &mut dyn Write) -> io::Result<()> {
    let n: usize = parts.iter().map(|part| part.ids.len()).sum();
    assert_eq!(homes.len(), n, "one home a vector");
    let n_leaders = leaders.len();
    let (mut starts, mut n_active) = (vec![0u32; n_leaders + 1], vec![0u32; n_leaders]);
    // List and inactivity, id, number over all parts.
    let mut order: Vec<(u32, u32, u32)> = Vec::with_capacity(n);
    let entries = parts.iter().flat_map(|part| part.ids.iter().zip(&part.active));
    for ((&home, (&id, &active)), i) in homes.iter().zip(entries).zip(0..) {
        starts[home as usize + 1] += 1;
        n_active[home as usize] += u32::from(active);
        order.push((home << 1 | u32::from(!active), id, i));
    }
    drop(homes);
    for l in 0..n_leaders {
        starts[l + 1] += starts[l];
    }
    order.par_sort_unstable();
    let firsts: Vec<usize> =
        parts.iter().scan(0, |first, part| Some(std::mem::replace(first, *first + part.ids.len()))).collect();
    let of = |&(.., i): &(u32, u32, u32)| {
        let part = firsts.partition_point(|&first| first <= i as usize) - 1;
        (&parts[part].block, i as usize - firsts[part])
    };
    let mut out = Padded { out, len: 0 };
    out.all(MAGIC)?;
    let stride = leaders.stride();
    for number in [leaders.dim(), stride, n_leaders, n] {
        out.all(&(number as u32).to_le_bytes())?;
    }
    out.pad()?;
    out.section(bytemuck::cast_slice(&leaders.rows))?;
    out.section(bytemuck::cast_slice(&leaders.inverse_norms))?;
    out.section(bytemuck::cast_slice(&leaders.sums))?;
    out.section(bytemuck::cast_slice(&starts))?;
    out.section(bytemuck::cast_slice(&n_active))?;
    order.iter().try_for_each(|(_, id, _)| out.all(&id.to_le_bytes()))?;
    out.pad()?;
    for entry in &order {
        let (block, i) = of(entry);
        out.all(&block.inverse_norms[i].to_le_bytes())?;
    }
    out.pad()?;
    for entry in &order {
        let (block, i) = of(entry);
        out.all(&block.sums[i].to_le_bytes())?;
    }
    out.pad()?;
    for entry in &order {
        let (block, i) = of(entry);
        out.all(bytemuck::cast_slice(&block.rows[i * stride..(i + 1) * stride]))?;
    }
    out.pad()?;
    let mut places: Vec<(u32, u32)> = order.iter().map(|&(_, id, _)| id).zip(0..).collect();
    drop(order);
    places.par_sort_unstable();
    places.iter().try_for_each(|(_, place)| out.all(&place.to_le_bytes()))?;
    out.out.flush()
}

/// A writer that counts, so that sections can begin at multiples of the header's length.
struct Padded<'a> {
    out: &'a mut dyn Write,
    len: usize,
}

impl Padded<'_> {
    fn all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.len += bytes.len();
        self.out.write_all(bytes)
    }

    fn pad(&mut self) -> io::Result<()> {
        self.all(&[0; HEADER][..self.len.next_multiple_of(HEADER) - self.len])
    }

    fn section(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.all(bytes)?;
        self.pad()
    }
}
