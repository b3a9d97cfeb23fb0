//! Under which leaders does a vector lie? [`Router`] ranks them, those of all segments together and in two steps where there are
//! many, so that the cost of asking does not grow with the number of nights; [`Built`] files vectors under them.
//!
//! The idea: leaders are vectors too, so many of them are filed under coarse leaders as prompts are under leaders, and only those under
//! the nearest coarse ones are ranked. So the two types need each other, and stand in one file. Weakness: a leader under a coarse one that is not asked is missed, and its list with it; how often
//! is measured (`benches/record/speed-nights.md`). Guarantee: the same answer on any number of threads.

use super::layout::{self, Part};
use super::leaders;
use super::segment::{Ask, Probes, Segment};
use super::{Best, Hit, Vectors, best_first};
use rayon::prelude::*;
use std::io::{self, Write};

/// Leaders up to which all of them are ranked. Under coarse ones some are missed, and with them bridges of families: the closure of a
/// join of 100,000 prompts falls from 0.9991 to 0.9962, that of 400,000 from 0.9970 to 0.9926 (`benches/record/quality-join.md`).
const RANKED_ALL: usize = 8192;
/// Coarse lists that are ranked for a vector.
const COARSE: usize = 24;
/// Seed of the coarse leaders, which no file keeps.
const SEED: u64 = 1;
/// Lists up to this length are joined in full: 16 million products at most, 50 ms of one core.
const LONG_LIST: usize = 4096;
/// Similarity of vectors that k-means cannot tell apart.
const NEAR_IDENTICAL: f32 = 0.98;
/// Near-identical vectors that stand for the others of a long list.
const REPRESENTED: usize = 16;

/// Leaders, made ready to be ranked.
pub(super) struct Router {
    pub(super) leaders: Vectors,
    /// The leaders under coarse ones, where there are many.
    coarse: Option<Box<Segment<Aligned>>>,
}

impl Router {
    pub(super) fn new(leaders: Vectors) -> Self {
        let coarse = (leaders.len() > RANKED_ALL).then(|| {
            let ids: Vec<u32> = (0..leaders.len() as u32).collect();
            // With fewer coarse leaders, each of more leaders, the same number of them holds more of what is near, and they train sooner.
            let k = (2.0 * (leaders.len() as f64).sqrt()).round() as usize;
            let built = Built::under(&leaders, k, &Probes::nearest(1), SEED);
            Box::new(Segment::of(&built, &leaders, &ids, &vec![true; leaders.len()]))
        });
        Self { leaders, coarse }
    }

    /// About the lists that each of the `rows` of `queries` asks, in no order.
    pub(super) fn nearest(&self, queries: &Vectors, rows: &[u32], probes: &Probes) -> Vec<Vec<Hit>> {
        let Some(coarse) = &self.coarse else {
            let chosen = queries.gather(rows.iter().map(|&row| row as usize));
            let near = leaders::nearest(chosen.block(), self.leaders.block(), probes.most);
            return near.iter().map(|near| probes.of(near).copied().collect()).collect();
        };
        let ask = |rows: &[u32], floor: f32, cap: usize| {
            let ask = Ask { probes: Probes::nearest(COARSE), active_only: true, floor, cap };
            coarse.best(queries, rows, &ask).into_iter().map(Best::into_hits).collect::<Vec<_>>()
        };
        let mut near = ask(rows, probes.bound, probes.most);
        // Few vectors have fewer leaders above the bound than are asked at least.
        let few: Vec<usize> = (0..rows.len()).filter(|&i| near[i].len() < probes.least.min(probes.most)).collect();
        let again: Vec<u32> = few.iter().map(|&i| rows[i]).collect();
        for (i, nearest) in few.into_iter().zip(ask(&again, -1.0, probes.least.min(probes.most))) {
            near[i] = nearest;
        }
        near
    }
}

/// The nearest of some hits, in whatever order they are.
pub(super) fn nearest(hits: &[Hit]) -> u32 {
    hits.iter().min_by(|a, b| best_first(a, b)).map_or(0, |hit| hit.id)
}

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
                homes.push(nearest(&near));
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
        layout::write(&self.leaders, self.homes.clone(), &[Part::of(vectors, ids, active)], out)
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

impl Segment<Aligned> {
    /// The segment of these vectors, in memory; as [`Built::to_bytes`].
    #[must_use]
    pub fn of(built: &Built, vectors: &Vectors, ids: &[u32], active: &[bool]) -> Self {
        let bytes = Aligned::new(&built.to_bytes(vectors, ids, active));
        Self::open(bytes).unwrap_or_else(|error| unreachable!("what was just made is whole: {error}"))
    }
}

impl<B: AsRef<[u8]>> Segment<B> {
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
        assert_eq!(
            (queries.dim(), built.leaders.len()),
            (self.dim(), self.n_leaders()),
            "what the segment was made of"
        );
        let lists = |&row: &u32| &built.lists[built.starts[row as usize]..built.starts[row as usize + 1]];
        let lists: Vec<&[u32]> = rows.iter().map(lists).collect();
        self.near_listed(queries, rows, &lists, ask, keep)
    }
}

/// Bytes at an address that numbers can be read from.
pub struct Aligned(Vec<u64>, usize);

impl Aligned {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Self(words, bytes.len())
    }
}

impl AsRef<[u8]> for Aligned {
    fn as_ref(&self) -> &[u8] {
        &bytemuck::cast_slice::<u64, u8>(&self.0)[..self.1]
    }
}
