//! How near a prompt must lie to a leader for that leader's list to hold neighbours of it.
//!
//! For every pair that the judge accepts, by brute force: the similarity of one prompt to the leader of the other. A bound on it
//! leaves out the lists below; the table says which share of the pairs a bound keeps, seen from one side (a search) and from either
//! (the join), and which share of all entries is read. Chosen on the development half, reported on the other.

use crate::data::{Corpus, Prompt};
use crate::edits::{N_LOG, rule};
use rayon::prelude::*;
use std::fmt::Write as _;
use stillhunt::embed::Model;
use stillhunt::family::calibrate::Calibration;
use stillhunt::family::judge::Judge;
use stillhunt::index::{Built, exact, nearest_leaders};

/// The tables of both halves.
pub(crate) fn report(model: &Model, all: &[Prompt], calibration: &Calibration) -> String {
    let mut out = String::from("## Lists that a bound on the leader's similarity leaves\n");
    for (name, dev) in [("development", true), ("test", false)] {
        let mut prompts: Vec<&Prompt> = all.iter().filter(|p| p.dev() == dev && p.kind != "probe").collect();
        prompts.sort_by(|a, b| a.id.cmp(&b.id));
        prompts.truncate(N_LOG);
        let corpus = Corpus::of_all(model, prompts.into_iter().cloned().collect());
        let rule = rule(calibration, all, N_LOG as u64);
        let n = corpus.prompts.len();
        let joined: Vec<bool> = corpus.prompts.iter().map(|p| !stillhunt::text::is_trivial(&p.folded)).collect();
        let rows: Vec<u32> = (0..n as u32).filter(|&row| joined[row as usize]).collect();
        let built = Built::new(&corpus.vectors, 1);
        let of = |a: u32, b: u32| {
            corpus.vectors.similarity_of(a as usize, built.leaders(), built.homes()[b as usize] as usize)
        };
        // (similarity of the pair, one side, the other side)
        let pairs: Vec<(f32, f32, f32)> = rows
            .par_chunks(1024)
            .flat_map_iter(|block| {
                let asked = corpus.vectors.chosen(&block.iter().map(|&row| row as usize).collect::<Vec<_>>());
                let near = exact::search(&corpus.vectors, &asked, rule.least_similarity());
                let mut judge = Judge::new(&corpus);
                let mut pairs = Vec::new();
                for (&a, hits) in block.iter().zip(&near) {
                    for hit in hits.iter().filter(|hit| hit.id < a && joined[hit.id as usize]) {
                        if judge.accepted(a, hit.id, hit.similarity, &rule).is_some() {
                            pairs.push((hit.similarity, of(a, hit.id), of(hit.id, a)));
                        }
                    }
                }
                pairs
            })
            .collect();
        let mut sizes = vec![0u64; built.leaders().len()];
        built.homes().iter().for_each(|&home| sizes[home as usize] += 1);
        let sample: Vec<usize> = (0..2000).map(|i| i * (n / 2000)).collect();
        let near = nearest_leaders(&corpus.vectors.chosen(&sample), built.leaders(), built.leaders().len());
        let _ = writeln!(
            out,
            "\n{n} prompts of the {name} half, {} lists, {} accepted pairs, {} of them at the floor {:.2} or above\n\n| bound | one side % | either side % | one, at the floor | either, at the floor | entries read % | lists |\n|---|---|---|---|---|---|---|",
            built.leaders().len(),
            pairs.len(),
            pairs.iter().filter(|p| p.0 >= rule.floor).count(),
            rule.floor
        );
        for step in 0..=12 {
            let bound = 0.05 * step as f32;
            let share = |from: f32, met: &dyn Fn(&(f32, f32, f32)) -> bool| {
                let here: Vec<_> = pairs.iter().filter(|p| p.0 >= from).collect();
                100.0 * here.iter().filter(|p| met(p)).count() as f64 / here.len().max(1) as f64
            };
            let one = |p: &(f32, f32, f32)| p.1 >= bound;
            let either = |p: &(f32, f32, f32)| p.1.max(p.2) >= bound;
            let asked: Vec<_> = near.iter().flatten().filter(|hit| hit.similarity >= bound).collect();
            let read: u64 = asked.iter().map(|hit| sizes[hit.id as usize]).sum();
            let _ = writeln!(
                out,
                "| {bound:.2} | {:.3} | {:.3} | {:.3} | {:.3} | {:.2} | {:.1} |",
                share(-1.0, &one),
                share(-1.0, &either),
                share(rule.floor, &one),
                share(rule.floor, &either),
                100.0 * read as f64 / (sample.len() * n) as f64,
                asked.len() as f64 / sample.len() as f64,
            );
        }
    }
    out
}
