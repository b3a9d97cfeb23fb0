//! Near-duplicates end to end by the library: raw texts in; neighbours at or above a cosine, at most a thousand a prompt, and a
//! selection without duplicates out. The counterpart of SemHash's `from_records` and `self_deduplicate`.
//!
//! It folds, tells texts apart by digest, embeds, trains the lists, joins and selects. The selection is SemHash's: in order, a
//! prompt is a duplicate of the first selected one that is its neighbour. What it does not do is the audit's: no store, no judge.

use crate::clock::{Clock, peak};
use crate::{data, files};
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::Path;
use stillhunt::audit::join_probes;
use stillhunt::ids::Digest;
use stillhunt::index::{Ask, Built, Segment, Vectors};
use stillhunt::text::fold;

/// Neighbours of a prompt at most, as many as SemHash asks for.
const MOST: usize = 1000;
/// Prompts whose pairs are written out, so that their recall can be told.
const SAMPLED: usize = 10_000;

/// Measures the first `n` texts of `dir`.
pub(crate) fn run(dir: &Path, n: usize, threshold: f32) {
    let (model, raw) = (data::model(), files::texts(&dir.join("raw.jsonl"), n));
    let n = raw.len();
    let mut stages = Vec::new();
    let (all, mut stage) = (Clock::start(), Clock::start());
    let mut ended = |name: &str| {
        stages.push((name.to_owned(), stage.took().json()));
        stage = Clock::start();
    };
    let folded: Vec<String> = raw.par_iter().map(|text| fold(text).text).collect();
    let digests: Vec<Digest> = folded.par_iter().map(|text| Digest::of(text.as_bytes())).collect();
    let mut first: HashMap<Digest, u32> = HashMap::with_capacity(n);
    let distinct: Vec<u32> =
        (0..n as u32).filter(|&row| *first.entry(digests[row as usize]).or_insert(row) == row).collect();
    ended("fold");
    let mut vectors = Vectors::new(model.dim());
    for part in distinct.chunks(8192) {
        let texts: Vec<&str> = part.iter().map(|&row| folded[row as usize].as_str()).collect();
        model.embed_batch(&texts).whole.rows().into_iter().for_each(|row| vectors.push(row.as_slice().expect("a row")));
    }
    ended("embed");
    let probes = join_probes(threshold);
    let built = Built::to_join(&vectors, &probes, 1);
    let ids: Vec<u32> = (0..vectors.len() as u32).collect();
    let segment = Segment::open(built.to_bytes(&vectors, &ids, &vec![true; vectors.len()])).expect("the segment");
    ended("index");
    let ask = Ask { probes, active_only: false, floor: threshold, cap: MOST };
    let mut near: Vec<Box<[u32]>> = vec![Box::default(); vectors.len()];
    for part in built.by_list().chunks(1 << 16) {
        let hits = segment.near_itself(&vectors, &built, part, &ask, &|row, id| row != id);
        part.iter().zip(hits).for_each(|(&row, hits)| near[row as usize] = hits.iter().map(|hit| hit.id).collect());
    }
    ended("join");
    let mut duplicate_of: Vec<u32> = ids.clone();
    for row in 0..near.len() {
        let selected = |&other: &u32| (other as usize) < row && duplicate_of[other as usize] == other;
        if duplicate_of[row] == row as u32
            && let Some(other) = near[row].iter().copied().filter(selected).min()
        {
            duplicate_of[row] = other;
        }
        if duplicate_of[row] == row as u32 {
            for &other in near[row].iter().filter(|&&other| other as usize > row) {
                let known = &mut duplicate_of[other as usize];
                *known = if *known == other { row as u32 } else { *known };
            }
        }
    }
    ended("select");
    let took = all.took();
    let n_selected = duplicate_of.iter().zip(&ids).filter(|(of, own)| of == own).count();
    assert_eq!(distinct.len(), n, "the texts are distinct");
    let step = n.div_ceil(SAMPLED);
    let mut pairs: Vec<u32> = Vec::new();
    for (row, list) in near.iter().enumerate() {
        for &other in list.iter().filter(|&&other| row.is_multiple_of(step) || (other as usize).is_multiple_of(step)) {
            pairs.extend([row as u32, other]);
        }
    }
    files::write(&dir.join("pairs.stillhunt.u32"), &pairs);
    let line = serde_json::json!({"engine": "stillhunt", "rows": n, "cpu_s": took.cpu_s, "wall_s": took.wall_s, "stages": stages,
        "neighbours": near.iter().map(|list| list.len()).sum::<usize>(), "selected": n_selected, "peak": peak(), "step": step});
    println!("{line}");
}
