//! One immutable segment of the index: its file format, and search in it.
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

use super::graph::{GRAPH_FROM, LeaderGraph};
use super::merge::{self, Part};
use super::router::{Aligned, Router};
use super::vectors::Block;
use super::{Best, Hit, Vectors, leaders};
use crate::error::{Error, ErrorKind, Result};
use crate::store::files::check_magic;
use crate::store::sorted::first_from;
use rayon::prelude::*;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::OnceLock;

pub(super) const MAGIC: &[u8; 8] = b"SHINDEX1";
pub(super) const HEADER: usize = 64;
/// Queries that a thread takes at a time: enough to share the reading of a list, few enough to spread over cores.
pub(super) const CHUNK: usize = 32768;
/// Lists up to this length are joined in full: 16 million products at most, 50 ms of one core.
const LONG_LIST: usize = 4096;
/// Similarity of vectors that k-means cannot tell apart.
const NEAR_IDENTICAL: f32 = 0.98;
/// Near-identical vectors that stand for the others of a long list.
const REPRESENTED: usize = 16;

/// Vectors filed under trained leaders, not yet written.
#[derive(Debug)]
pub struct Built {
    leaders: Vectors,
    homes: Vec<u32>,
    /// The lists that each vector asks in a join, nearest first, one vector's after the other's, and where each begins.
    lists: Vec<u32>,
    starts: Vec<usize>,
}

impl Built {
    /// Trains leaders on `vectors` and files every vector under its nearest.
    #[must_use]
    pub fn new(vectors: &Vectors, seed: u64) -> Self {
        Self::to_join(vectors, &Probes::nearest(1), seed)
    }

    /// The same, and remembers which lists each vector asks, for [`Segment::near_itself`].
    #[must_use]
    pub fn to_join(vectors: &Vectors, probes: &Probes, seed: u64) -> Self {
        Self::under(vectors, leaders::n_leaders(vectors.len()), probes, seed)
    }

    /// The same under `k` leaders.
    pub(super) fn under(vectors: &Vectors, k: usize, probes: &Probes, seed: u64) -> Self {
        let router = Router::new(leaders::train(vectors, k, seed));
        let (mut homes, mut lists, mut starts) = (Vec::with_capacity(vectors.len()), Vec::new(), vec![0]);
        let rows: Vec<u32> = (0..vectors.len() as u32).collect();
        for part in rows.chunks(1 << 16) {
            for near in router.nearest(vectors, part, probes) {
                homes.push(merge::nearest(&near));
                lists.extend(near.iter().map(|hit| hit.id));
                starts.push(lists.len());
            }
        }
        Self { leaders: router.leaders, homes, lists, starts }
    }

    /// Which of the `joined` vectors stand for themselves in a join: all of them in ordinary lists; in a list longer than
    /// 4,096, those without sixteen near-identical ones before them. A clump of copies that no k-means can
    /// divide then costs its length times a constant.
    #[must_use]
    pub fn thin(&self, vectors: &Vectors, joined: &[bool]) -> Vec<bool> {
        let mut active = joined.to_vec();
        let mut lists: Vec<Vec<u32>> = vec![Vec::new(); self.leaders.len()];
        for (i, &home) in self.homes.iter().enumerate() {
            if joined[i] {
                lists[home as usize].push(i as u32);
            }
        }
        let dropped: Vec<u32> = lists
            .par_iter()
            .filter(|list| list.len() > LONG_LIST)
            .flat_map_iter(|list| {
                let mut kept = Vectors::new(vectors.dim());
                let mut dropped = Vec::new();
                for block in list.chunks(64) {
                    let rows = vectors.gather(block.iter().map(|&i| i as usize));
                    let mut near = vec![0; rows.len()];
                    rows.block().pairs(kept.block(), NEAR_IDENTICAL, |q, _, _| near[q] += 1);
                    for (q, &i) in block.iter().enumerate() {
                        if near[q] >= REPRESENTED {
                            dropped.push(i);
                        } else {
                            kept.push_row(vectors.row(i as usize));
                        }
                    }
                }
                dropped
            })
            .collect();
        dropped.iter().for_each(|&i| active[i as usize] = false);
        active
    }

    /// The list of each vector.
    #[must_use]
    pub fn homes(&self) -> &[u32] {
        &self.homes
    }

    /// The leaders, a list each.
    #[must_use]
    pub fn leaders(&self) -> &Vectors {
        &self.leaders
    }

    /// Vectors in order of their lists, so that neighbours stand together.
    #[must_use]
    pub fn by_list(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.homes.len() as u32).collect();
        order.sort_by_key(|&i| self.homes[i as usize]);
        order
    }

    /// Writes the segment. `ids[i]` names vector i (several vectors may share one), `active[i]` says whether later vectors are
    /// joined with it.
    /// # Errors
    /// When `out` fails.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn write(&self, vectors: &Vectors, ids: &[u32], active: &[bool], out: &mut dyn Write) -> io::Result<()> {
        merge::write(&self.leaders, self.homes.clone(), &[Part::of(vectors, ids, active)], out)
    }

    /// The segment's bytes, as [`Self::write`].
    ///
    /// # Panics
    /// When the lengths differ.
    #[must_use]
    pub fn to_bytes(&self, vectors: &Vectors, ids: &[u32], active: &[bool]) -> Vec<u8> {
        let mut out = Vec::with_capacity(
            vectors.len() * (vectors.stride() + 16) + self.leaders.len() * (vectors.stride() + 20) + 1024,
        );
        match self.write(vectors, ids, active, &mut out) {
            Ok(()) => out,
            Err(error) => unreachable!("a vector takes all bytes: {error}"),
        }
    }
}

/// Which rows of a chunk ask which lists.
#[derive(Default)]
pub(super) struct Asked {
    /// (list, row of the chunk), in order of the row.
    pairs: Vec<(u32, u32)>,
    /// Where the rows of each list begin, and the rows.
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl Asked {
    /// A row asks a list; rows come in order.
    pub(super) fn push(&mut self, list: u32, row: u32) {
        self.pairs.push((list, row));
    }

    /// The rows of each list that is asked, by counting.
    fn by_list(&mut self, n_lists: usize) -> impl Iterator<Item = (usize, &[u32])> {
        self.starts.clear();
        self.starts.resize(n_lists + 1, 0);
        self.pairs.iter().for_each(|&(list, _)| self.starts[list as usize] += 1);
        let mut end = 0;
        for start in &mut self.starts {
            end += *start;
            *start = end;
        }
        self.rows.clear();
        self.rows.resize(self.pairs.len(), 0);
        for &(list, row) in self.pairs.iter().rev() {
            let place = &mut self.starts[list as usize];
            *place -= 1;
            self.rows[*place as usize] = row;
        }
        let Self { starts, rows, .. } = self;
        let lists = starts.windows(2).enumerate().filter(|(_, ends)| ends[0] < ends[1]);
        lists.map(|(list, ends)| (list, &rows[ends[0] as usize..ends[1] as usize]))
    }
}

/// A segment over its bytes: a mapped file or a buffer, aligned to 4 bytes.
pub struct Segment<B> {
    bytes: B,
    dim: usize,
    stride: usize,
    leader_rows: Range<usize>,
    leader_norms: Range<usize>,
    leader_sums: Range<usize>,
    starts: Range<usize>,
    n_active: Range<usize>,
    ids: Range<usize>,
    norms: Range<usize>,
    sums: Range<usize>,
    rows: Range<usize>,
    places: Range<usize>,
    /// Leaders from which single searches walk the graph.
    graph_from: usize,
    graph: OnceLock<LeaderGraph>,
}

impl Segment<Aligned> {
    /// The segment of these vectors, in memory; as [`Built::to_bytes`].
    #[must_use]
    pub fn of(built: &Built, vectors: &Vectors, ids: &[u32], active: &[bool]) -> Self {
        let bytes = Aligned::new(&built.to_bytes(vectors, ids, active));
        Self::open(bytes).unwrap_or_else(|error| unreachable!("what was just made is whole: {error}"))
    }
}

impl<B: AsRef<[u8]>> Segment<B> {
    /// Reads the header and checks that the lists cover the entries; the entries themselves are not touched.
    /// # Errors
    /// `Store` when the bytes are not a whole segment.
    pub fn open(bytes: B) -> Result<Self> {
        let raw = bytes.as_ref();
        let bad = |what: String| Error::new(ErrorKind::Store, format!("index segment: {what}"));
        check_magic(raw, MAGIC, "an index segment")?;
        if raw.len() < HEADER {
            return Err(bad(format!("expected at least {HEADER} bytes, got {}", raw.len())));
        }
        let number = |at: usize| u32::from_le_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]) as usize;
        let (dim, stride, n_leaders, n) = (number(8), number(12), number(16), number(20));
        if dim == 0 || dim > 1 << 16 || stride != dim.next_multiple_of(super::kernel::LANE) {
            return Err(bad(format!("{dim} dimensions in rows of {stride} bytes")));
        }
        let mut end = HEADER;
        let mut section = |bytes: usize| {
            let range = end..end + bytes;
            end = range.end.next_multiple_of(HEADER);
            range
        };
        let (leader_rows, leader_norms, leader_sums) =
            (section(n_leaders * stride), section(4 * n_leaders), section(4 * n_leaders));
        let (starts, n_active) = (section(4 * (n_leaders + 1)), section(4 * n_leaders));
        let (ids, norms, sums, rows) = (section(4 * n), section(4 * n), section(4 * n), section(n * stride));
        let end = rows.end.next_multiple_of(HEADER);
        let mut places = end..end + 4 * n;
        if raw.len() == rows.end {
            places = 0..0;
        } else if raw.len() != places.end {
            return Err(bad(format!("expected {} bytes, got {}", places.end, raw.len())));
        }
        if bytemuck::try_cast_slice::<u8, u32>(&raw[starts.clone()]).is_err() {
            return Err(bad("the bytes are not aligned to 4".into()));
        }
        let segment = Self {
            bytes,
            dim,
            stride,
            leader_rows,
            leader_norms,
            leader_sums,
            starts,
            n_active,
            ids,
            norms,
            sums,
            rows,
            places,
            graph_from: GRAPH_FROM,
            graph: OnceLock::new(),
        };
        let (starts, active) = (segment.starts(), segment.n_active());
        let whole = starts.first() == Some(&0) && starts.last() == Some(&(n as u32));
        if !whole || starts.windows(2).zip(active).any(|(w, &a)| w[0] > w[1] || a > w[1] - w[0]) {
            return Err(segment.bad("its lists do not cover its entries"));
        }
        Ok(segment)
    }

    fn bad(&self, what: &str) -> Error {
        Error::new(ErrorKind::Store, format!("index segment: {what}"))
    }

    fn cast<T: bytemuck::AnyBitPattern>(&self, range: &Range<usize>) -> &[T] {
        bytemuck::cast_slice(&self.bytes.as_ref()[range.clone()])
    }

    fn starts(&self) -> &[u32] {
        self.cast(&self.starts)
    }

    fn n_active(&self) -> &[u32] {
        self.cast(&self.n_active)
    }

    /// Ids of the entries, in the order of the file.
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        self.cast(&self.ids)
    }

    /// The vector of an id, where the segment has it, and knows where.
    #[must_use]
    pub fn vector(&self, id: u32) -> Option<Vectors> {
        let mut out = Vectors::new(self.dim);
        out.append_block(self.entry(id)?);
        Some(out)
    }

    /// Similarity of a row to the vector of an id, as [`Self::vector`].
    #[must_use]
    pub fn similarity(&self, vectors: &Vectors, row: usize, id: u32) -> Option<f32> {
        assert_eq!(vectors.dim(), self.dim, "dimensions of the vectors");
        Some(vectors.similarity_to(row, self.entry(id)?))
    }

    fn entry(&self, id: u32) -> Option<Block<'_>> {
        let (ids, places) = (self.ids(), self.cast::<u32>(&self.places));
        let of = |i: usize| ids.get(places[i] as usize).copied().unwrap_or(u32::MAX);
        let (&first, last) = (places.first()?, of(places.len() - 1));
        let first = ids.get(first as usize).copied().filter(|first| (*first..=last).contains(&id))?;
        // Ids follow each other with few gaps.
        let guess = u64::from(id - first) * (places.len() as u64 - 1) / u64::from(last - first).max(1);
        let at = first_from(places.len(), guess as usize, |i| of(i) < id);
        if at == places.len() || of(at) != id {
            return None;
        }
        let place = places[at] as usize;
        Some(self.entries(place..place + 1))
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids().len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many leaders it has.
    #[must_use]
    pub fn n_leaders(&self) -> usize {
        self.n_active().len()
    }

    /// Dimensions of a vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Lets single searches walk the leaders' graph from so many leaders on, in place of the measured default.
    #[must_use]
    pub fn graph_from(mut self, n_leaders: usize) -> Self {
        self.graph_from = n_leaders;
        self
    }

    pub(super) fn leaders(&self) -> Block<'_> {
        Block {
            stride: self.stride,
            rows: self.cast(&self.leader_rows),
            inverse_norms: self.cast(&self.leader_norms),
            sums: self.cast(&self.leader_sums),
        }
    }

    fn entries(&self, range: Range<usize>) -> Block<'_> {
        Block {
            stride: self.stride,
            rows: &self.cast(&self.rows)[range.start * self.stride..range.end * self.stride],
            inverse_norms: &self.cast(&self.norms)[range.clone()],
            sums: &self.cast(&self.sums)[range],
        }
    }

    /// Entries of a list, all of them or the active ones.
    fn list(&self, list: usize, active_only: bool) -> Range<usize> {
        let first = self.starts()[list] as usize;
        let last = if active_only { first + self.n_active()[list] as usize } else { self.starts()[list + 1] as usize };
        first..last
    }

    /// Entries at or above the floor for each of the chosen `rows` of `queries`, among the lists of its nearest leaders: the
    /// best of them, in order. Rows that are near each other and stand together in `rows` share the reading of the lists.
    ///
    /// `keep(row, id)` says which ids may be returned for a row; it is asked only about entries that would be among the best.
    ///
    /// # Panics
    /// When the dimensions differ.
    #[must_use]
    pub fn near(
        &self,
        queries: &Vectors,
        rows: &[u32],
        ask: &Ask,
        keep: &(dyn Fn(u32, u32) -> bool + Sync),
    ) -> Vec<Vec<Hit>>
    where
        B: Sync,
    {
        assert_eq!(queries.dim(), self.dim, "dimensions of the queries");
        let near = match rows {
            [row] if self.n_leaders() >= self.graph_from => {
                let graph = self.graph.get_or_init(|| LeaderGraph::of(self.leaders()));
                vec![graph.nearest(queries, *row as usize, ask.probes.most)]
            }
            _ => {
                let chosen = queries.gather(rows.iter().map(|&row| row as usize));
                leaders::nearest(chosen.block(), self.leaders(), ask.probes.most)
            }
        };
        let lists: Vec<Vec<u32>> = near.iter().map(|near| ask.probes.of(near).map(|hit| hit.id).collect()).collect();
        self.near_listed(queries, rows, &lists, ask, keep)
    }

    /// The best `ask.cap` for each of the `rows`, in no order.
    pub(super) fn best(&self, queries: &Vectors, rows: &[u32], ask: &Ask) -> Vec<Best>
    where
        B: Sync,
    {
        let of_chunk = |rows: &[u32]| {
            let chunk = queries.gather(rows.iter().map(|&row| row as usize));
            let mut asked = Asked::default();
            for (near, q) in leaders::nearest(chunk.block(), self.leaders(), ask.probes.most).iter().zip(0..) {
                ask.probes.of(near).for_each(|hit| asked.push(hit.id, q));
            }
            self.near_chunk(&chunk, rows, &mut asked, ask, &|_, _| true)
        };
        let parts: Vec<Vec<Best>> = rows.par_chunks(CHUNK).map(of_chunk).collect();
        parts.into_iter().flatten().collect()
    }

    /// The same for vectors that this segment was made of, as `built` filed them: which lists they ask is known since then.
    ///
    /// # Panics
    /// When the dimensions differ, or `rows` are none of `built`.
    #[must_use]
    pub fn near_itself(
        &self,
        queries: &Vectors,
        built: &Built,
        rows: &[u32],
        ask: &Ask,
        keep: &(dyn Fn(u32, u32) -> bool + Sync),
    ) -> Vec<Vec<Hit>>
    where
        B: Sync,
    {
        assert_eq!((queries.dim(), built.leaders.len()), (self.dim, self.n_leaders()), "what the segment was made of");
        let lists = |&row: &u32| &built.lists[built.starts[row as usize]..built.starts[row as usize + 1]];
        let lists: Vec<&[u32]> = rows.iter().map(lists).collect();
        self.near_listed(queries, rows, &lists, ask, keep)
    }

    /// Hits among the lists given for each of `rows`, in their order.
    fn near_listed<L: AsRef<[u32]> + Sync>(
        &self,
        queries: &Vectors,
        rows: &[u32],
        lists: &[L],
        ask: &Ask,
        keep: &(dyn Fn(u32, u32) -> bool + Sync),
    ) -> Vec<Vec<Hit>>
    where
        B: Sync,
    {
        let of_chunk = |(rows, lists): (&[u32], &[L])| {
            let chunk = queries.gather(rows.iter().map(|&row| row as usize));
            let mut asked = Asked::default();
            (0..).zip(lists).for_each(|(q, lists)| lists.as_ref().iter().for_each(|&list| asked.push(list, q)));
            let best = self.near_chunk(&chunk, rows, &mut asked, ask, keep);
            best.into_iter().map(Best::into_sorted).collect()
        };
        let parts: Vec<Vec<Vec<Hit>>> = rows.par_chunks(CHUNK).zip(lists.par_chunks(CHUNK)).map(of_chunk).collect();
        parts.into_iter().flatten().collect()
    }

    /// Hits of a chunk of rows among the lists that `asked` has; it is left sorted.
    pub(super) fn near_chunk(
        &self,
        chunk: &Vectors,
        rows: &[u32],
        asked: &mut Asked,
        ask: &Ask,
        keep: &(dyn Fn(u32, u32) -> bool + Sync),
    ) -> Vec<Best> {
        let mut best: Vec<Best> = rows.iter().map(|_| Best::new(ask.cap)).collect();
        let ids = self.ids();
        for (list, picks) in asked.by_list(self.n_leaders()) {
            let entries = self.list(list, ask.active_only);
            let block = self.entries(entries.clone());
            let floor = |best: &Vec<Best>, q: usize| best[picks[q] as usize].floor().max(ask.floor);
            chunk.block().pairs_of(picks, block, &mut best, floor, |best, q, t, similarity| {
                let query = picks[q] as usize;
                let hit = Hit { id: ids[entries.start + t], similarity };
                if best[query].would_take(hit) && keep(rows[query], hit.id) {
                    best[query].offer(hit);
                }
            });
        }
        best
    }

    /// All entries with their activity: what a merge of segments is written from.
    #[must_use]
    pub fn part(&self) -> Part<'_> {
        let mut active = vec![false; self.len()];
        for list in 0..self.n_leaders() {
            active[self.list(list, true)].fill(true);
        }
        Part::new(self.dim, self.entries(0..self.len()), self.ids(), active)
    }

    /// All entries again, with their activity: what a merge of segments starts from.
    #[must_use]
    pub fn to_vectors(&self) -> (Vectors, Vec<u32>, Vec<bool>) {
        let block = self.entries(0..self.len());
        let mut vectors = Vectors::new(self.dim);
        vectors.rows.extend_from_slice(block.rows);
        vectors.inverse_norms.extend_from_slice(block.inverse_norms);
        vectors.sums.extend_from_slice(block.sums);
        let mut active = vec![false; self.len()];
        for list in 0..self.n_leaders() {
            active[self.list(list, true)].fill(true);
        }
        (vectors, self.ids().to_vec(), active)
    }
}

/// Which lists are asked: the nearest, by the similarity of their leaders.
#[derive(Clone, Copy, Debug)]
pub struct Probes {
    /// So many of them at least, as far as there are.
    pub least: usize,
    /// So many of them at most.
    pub most: usize,
    /// Beyond the least, none whose leader is less similar than this, in [−1, 1].
    pub bound: f32,
}

impl Probes {
    /// The `n` nearest lists.
    #[must_use]
    pub fn nearest(n: usize) -> Self {
        Self { least: n, most: n, bound: -1.0 }
    }

    /// Those of `near` that are asked.
    pub(super) fn of<'a>(&self, near: &'a [Hit]) -> impl Iterator<Item = &'a Hit> + use<'a> {
        let Self { least, most, bound } = *self;
        let asked = move |(i, hit): &(usize, &Hit)| *i < least || hit.similarity >= bound;
        near.iter().take(most).enumerate().take_while(asked).map(|(_, hit)| hit)
    }
}

/// What a search asks for.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Lists asked for each query.
    pub probes: Probes,
    /// Only entries that stand for themselves.
    pub active_only: bool,
    /// Least similarity.
    pub floor: f32,
    /// Most hits a query.
    pub cap: usize,
}
