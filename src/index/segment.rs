//! One immutable segment of the index: its file ([`layout`](super::layout)) opened, and search in it.

use super::graph::{GRAPH_FROM, LeaderGraph};
use super::layout::{HEADER, MAGIC, Part};
use super::vectors::Block;
use super::{Best, Hit, Vectors, leaders};
use crate::error::{Error, ErrorKind, Result};
use crate::store::files::check_magic;
use crate::store::sorted::first_from;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::OnceLock;

/// Queries that a thread takes at a time: enough to share the reading of a list, few enough to spread over cores.
pub(super) const CHUNK: usize = 32768;

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
        let chosen = queries.gather(rows.iter().map(|&row| row as usize));
        let near = leaders::nearest(chosen.block(), self.leaders(), ask.probes.most);
        let lists: Vec<Vec<u32>> = near.iter().map(|near| ask.probes.of(near).map(|hit| hit.id).collect()).collect();
        self.near_listed(queries, rows, &lists, ask, keep)
    }

    /// The `n` leaders nearest to the first vector of `query`, nearest first; where they are very many, about those.
    pub(super) fn nearest_leaders(&self, query: &Vectors, n: usize) -> Vec<Hit> {
        if self.n_leaders() >= self.graph_from {
            return self.graph.get_or_init(|| LeaderGraph::of(self.leaders())).nearest(query, 0, n);
        }
        leaders::nearest(query.block().slice(0, 1), self.leaders(), n).pop().unwrap_or_default()
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

    /// Hits among the lists given for each of `rows`, in their order.
    pub(super) fn near_listed<L: AsRef<[u32]> + Sync>(
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
