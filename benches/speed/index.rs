//! The index of all prompts: building, ten nearest, all neighbours at or above a cosine; ours (`lists`), and hnsw_rs as an index of
//! all prompts (`graph`) with our own int8 kernel as its distance, which is the fastest distance that it has been given.
//!
//! Every search starts from f32 queries. Hits go to files, which `benches/peers/run.py` scores against the exact answer. A graph
//! has no search by radius: `graph` asks for 16 neighbours, then four times as many as long as the last is within the radius,
//! as is done for the graphs among the peers. Before anything is timed, stored vectors must find themselves.

use crate::clock::{Clock, Took, peak, resident};
use crate::files;
use hnsw_rs::api::AnnT as _;
use hnsw_rs::prelude::{Distance, Hnsw};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stillhunt::index::{Ask, Built, Hit, Probes, Segment, Vectors};

/// Numbers in a vector.
const DIM: usize = 256;
/// Queries of the search by radius, at most.
const RANGED: usize = 2000;
/// The other radius.
const NEAR: f32 = 0.9;

/// What is measured.
pub(crate) struct Asked {
    pub(crate) n_rows: usize,
    pub(crate) n_queries: usize,
    /// The radius: the least similarity of a candidate in a store of this size.
    pub(crate) floor: f32,
}

/// Measures an engine on the first rows of `dir`, asked by the rows behind them.
pub(crate) fn run(dir: &Path, asked: &Asked, threads: usize, engine: &str) {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().expect("the threads");
    let path = dir.join("vectors.f32");
    let queries = files::vectors(&path, DIM, asked.n_rows, asked.n_rows + asked.n_queries);
    let base = files::vectors(&path, DIM, 0, asked.n_rows);
    let teller = Teller { dir: dir.to_owned(), engine: engine.to_owned(), threads };
    match engine {
        "lists" => lists(&base, &queries, asked, &teller),
        "graph" => graph(&base, &queries, asked, &teller),
        other => panic!("expected lists or graph, got {other}"),
    }
}

/// Prints what was measured and writes the hits beside it.
struct Teller {
    dir: PathBuf,
    engine: String,
    threads: usize,
}

impl Teller {
    fn built(&self, n: usize, took: Took, resident: u64, serialised: u64) {
        let line = serde_json::json!({"kind": "build", "engine": self.engine, "threads": self.threads, "rows": n, "cpu_s": took.cpu_s,
            "wall_s": took.wall_s, "resident": resident, "serialised": serialised, "peak": peak()});
        println!("{line}");
    }

    fn searched(&self, kind: &str, mode: &str, radius: f32, param: usize, took: Took, hits: &[Vec<u32>]) {
        let file =
            self.dir.join(format!("hits.{}.{}.{kind}.{mode}.{radius:.2}.{param}.u32", self.engine, self.threads));
        files::write_hits(&file, hits);
        let line = serde_json::json!({"kind": kind, "engine": self.engine, "threads": self.threads, "mode": mode, "radius": radius, "param": param,
            "queries": hits.len(), "cpu_s": took.cpu_s, "wall_s": took.wall_s, "file": file, "peak": peak()});
        println!("{line}");
    }
}

/// Stored vectors find themselves: `found[i]` is what the row `i · step` found.
fn assert_found(found: &[u32], step: usize) {
    let own = found.iter().enumerate().filter(|(i, id)| **id as usize == i * step).count();
    // Another row may have the same vector.
    assert!(own * 10 >= found.len() * 8, "{own} of {} stored vectors find themselves", found.len());
}

/// Hits and what they took: the best of three rounds, one where a round takes more than a CPU-second.
fn timed(search: &dyn Fn() -> Vec<Vec<u32>>) -> (Took, Vec<Vec<u32>>) {
    let mut best: Option<Took> = None;
    let mut hits = Vec::new();
    for _ in 0..3 {
        let clock = Clock::start();
        hits = search();
        let took = clock.took();
        best = Some(best.filter(|best| best.cpu_s <= took.cpu_s).unwrap_or(took));
        if took.cpu_s > 1.0 {
            break;
        }
    }
    (best.expect("a round"), hits)
}

fn quantised(rows: &[f32]) -> Vectors {
    let mut vectors = Vectors::new(DIM);
    rows.chunks_exact(DIM).for_each(|row| vectors.push(row));
    vectors
}

fn ids(hits: Vec<Vec<Hit>>) -> Vec<Vec<u32>> {
    hits.into_iter().map(|list| list.into_iter().map(|hit| hit.id).collect()).collect()
}

fn lists(base: &[f32], queries: &[f32], asked: &Asked, teller: &Teller) {
    let (n, n_queries) = (asked.n_rows, asked.n_queries);
    let (before, clock) = (resident(), Clock::start());
    let vectors = quantised(base);
    let numbers: Vec<u32> = (0..n as u32).collect();
    let bytes = Built::new(&vectors, 1).to_bytes(&vectors, &numbers, &vec![true; n]);
    drop(vectors);
    let serialised = bytes.len() as u64;
    let segment = Segment::open(bytes).expect("the segment");
    teller.built(n, clock.took(), resident().saturating_sub(before), serialised);

    let search = |rows: &[f32], n_probes: usize, floor: f32, cap: usize| {
        let asked = quantised(rows);
        let all: Vec<u32> = (0..asked.len() as u32).collect();
        let ask = Ask { probes: Probes::nearest(n_probes.min(segment.n_leaders())), active_only: false, floor, cap };
        ids(segment.near(&asked, &all, &ask, &|_, _| true))
    };
    let step = n.div_ceil(200);
    let own: Vec<u32> = base
        .chunks_exact(DIM)
        .step_by(step)
        .map(|row| search(row, 4, -1.0, 1)[0].first().copied().unwrap_or(0))
        .collect();
    assert_found(&own, step);
    let probes = [1, 2, 4, 8, 16, 32, 64, 128, 256, segment.n_leaders()];
    for n_probes in probes {
        let (took, hits) = timed(&|| search(queries, n_probes, -1.0, 10));
        teller.searched("top10", "batch", 0.0, n_probes, took, &hits);
    }
    let ranged = &queries[..RANGED.min(n_queries) * DIM];
    for radius in [asked.floor, NEAR] {
        for n_probes in probes {
            let (took, hits) = timed(&|| search(ranged, n_probes, radius, n));
            teller.searched("range", "batch", radius, n_probes, took, &hits);
        }
    }
    if teller.threads == 1 {
        for n_probes in probes {
            let one_by_one = || ranged.chunks_exact(DIM).flat_map(|row| search(row, n_probes, -1.0, 10)).collect();
            let (took, hits) = timed(&one_by_one);
            teller.searched("top10", "single", 0.0, n_probes, took, &hits);
        }
    }
}

/// 1 − similarity of two rows, never below zero: `hnsw_rs` asserts that.
struct ByRow(Arc<Vectors>);

impl Distance<u32> for ByRow {
    fn eval(&self, a: &[u32], b: &[u32]) -> f32 {
        (1.0 - self.0.similarity(a[0] as usize, b[0] as usize)).max(0.0)
    }
}

fn graph(base: &[f32], queries: &[f32], asked: &Asked, teller: &Teller) {
    let (n, n_queries) = (asked.n_rows, asked.n_queries);
    let (before, clock) = (resident(), Clock::start());
    let mut vectors = quantised(base);
    vectors.append(&quantised(queries));
    let vectors = Arc::new(vectors);
    let graph = Hnsw::<u32, ByRow>::new(16, n, 16, 128, ByRow(Arc::clone(&vectors)));
    if teller.threads == 1 {
        (0..n).for_each(|row| graph.insert((&[row as u32], row)));
    } else {
        (0..n).into_par_iter().for_each(|row| graph.insert((&[row as u32], row)));
    }
    let took = clock.took();
    let resident = resident().saturating_sub(before);
    let dir = tempfile::tempdir().expect("a directory");
    graph.file_dump(dir.path(), "graph").expect("the files");
    let files = std::fs::read_dir(dir.path()).expect("the directory");
    let dumped: u64 = files.map(|file| file.and_then(|file| file.metadata()).expect("a file").len()).sum();
    teller.built(n, took, resident, dumped + (n * (DIM + 8)) as u64);

    let search = |row: usize, k: usize, ef: usize| graph.search(&[row as u32], k, ef.max(k));
    let top = |row: usize, ef: usize| search(row, 10, ef).iter().map(|near| near.d_id as u32).collect::<Vec<_>>();
    let step = n.div_ceil(200);
    let own: Vec<u32> = (0..n).step_by(step).map(|row| top(row, 256)[0]).collect();
    assert_found(&own, step);
    for ef in [16, 32, 64, 128, 256, 512] {
        let (took, hits) = timed(&|| (n..n + n_queries).into_par_iter().map(|row| top(row, ef)).collect());
        teller.searched("top10", "batch", 0.0, ef, took, &hits);
        if teller.threads == 1 {
            // One thread takes the queries one by one anyway.
            teller.searched("top10", "single", 0.0, ef, took, &hits);
        }
    }
    for radius in [asked.floor, NEAR] {
        for wider in [1, 2] {
            let within = |row: usize| {
                let mut k = 16;
                loop {
                    let near = search(row, k, wider * k);
                    if near.len() < k || 1.0 - near[k - 1].distance < radius || k >= n / 8 {
                        return near
                            .iter()
                            .take_while(|near| 1.0 - near.distance >= radius)
                            .map(|near| near.d_id as u32)
                            .collect();
                    }
                    k *= 4;
                }
            };
            let (took, hits) = timed(&|| (n..n + RANGED.min(n_queries)).into_par_iter().map(within).collect());
            teller.searched("range", "batch", radius, wider, took, &hits);
        }
    }
}
