//! Whether p is what it says: many keys on suspects that never saw marked text.

use crate::trial::{said, served, share};
use crate::world::{ANSWERS, Corpus, EACH, World, contexts_of, predictions, read, read_predictions, scheme};
use rayon::prelude::*;
use stillhunt::detect::decoys::material;
use stillhunt::detect::packing;
use stillhunt::detect::tally::{law, score};
use stillhunt::detect::windows::{Corpus as Windows, Seen};
use stillhunt::radioactivity::Served;
use stillhunt::radioactivity::evidence::Read;
use stillhunt::stats;
use stillhunt::watermark::Scheme;

/// Answers of the served text of one key.
const OF_A_KEY: usize = 20;

/// The suspect's windows whose context stands in the set.
fn held(suspect: &Read, Served { set, .. }: &Served) -> Windows {
    let seen = suspect.corpus.seen();
    let held = set.hold(&seen.iter().map(Seen::key).collect::<Vec<_>>());
    suspect.corpus.with(seen.iter().zip(held).filter(|(_, held)| *held).map(|(seen, _)| *seen).collect())
}

/// ln p under a key of these windows, randomised where p moves in steps so that it is exactly uniform, and whether it is a bound.
fn ln_p(marker: &dyn Scheme, suspect: &Read, windows: &Windows, u: f64) -> (f64, bool) {
    let dir = std::env::temp_dir();
    let scoring = suspect.scoring(1 << 29, &dir);
    let law = law(marker, windows, windows.seen(), scoring);
    let scored = score(marker, windows, windows.seen(), scoring, None).expect("scored");
    (law.ln_randomised(scored.tallies[0].scored(), scored.tallies[0].statistic(), u), law.one_sided())
}

/// Uniformity, and the shares below levels. Of bounds, only too many small values count against them.
fn told(found: &[(f64, bool)], levels: [f64; 2]) -> String {
    let ln_ps: Vec<f64> = found.iter().map(|(ln_p, _)| *ln_p).collect();
    let uniformity = if found.iter().any(|(_, bound)| *bound) {
        let small: Vec<f64> =
            ln_ps.iter().map(|ln_p| if *ln_p > -std::f64::consts::LN_2 { 0.0 } else { *ln_p }).collect();
        format!("{:.3} (too small)", stats::ln_too_small(&small).exp())
    } else {
        format!("{:.3}", stats::ln_uniformity(&ln_ps).exp())
    };
    let below = levels.map(|level| share(ln_ps.iter().filter(|ln_p| **ln_p <= level.ln()).count(), ln_ps.len()));
    format!("{uniformity} | {} | {}", below[0], below[1])
}

/// Evenly spread numbers, one for each key, that have nothing to do with it.
fn spread(key: u64, turn: f64) -> f64 {
    (key as f64 + turn).mul_add(0.618_033_988_7, 0.5).fract()
}

/// A student of the teacher's unmarked answers under keys that each served a text of their own.
pub(crate) fn served_by_each(corpus: &Corpus, schemes: &[String], keys: u64) {
    println!(
        "\n## p of a student of the teacher's unmarked answers, each key with {OF_A_KEY} served answers of its own\n"
    );
    println!(
        "| scheme | keys | windows, closed | uniformity p | p ≤ .05 | p ≤ .01 | windows, open | uniformity p | p ≤ .05 | p ≤ .01 |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    let student = corpus.learn(&corpus.teach(None, 4 * ANSWERS, EACH[0], 104));
    let answers = said(corpus, &student, 1);
    for name in schemes {
        let suspect = read(&answers, scheme(name, 0, corpus.vocab).as_ref());
        let found: Vec<[(f64, bool, usize); 2]> = (0..keys)
            .into_par_iter()
            .map(|key| {
                let marker = scheme(name, 1000 + key, corpus.vocab);
                let marker = marker.as_ref();
                let texts = corpus.teach(Some(marker), OF_A_KEY, EACH[0], 5000 + key);
                let windows = held(&suspect, &served(&texts, marker));
                let closed = ln_p(marker, &suspect, &windows, spread(key, 0.0));
                let contexts = contexts_of(&texts, packing(marker), usize::MAX);
                let predicted = read_predictions(&predictions(&student, &contexts), marker);
                let open = ln_p(marker, &predicted, &predicted.corpus, spread(key, 0.5));
                [(closed.0, closed.1, windows.seen().len()), (open.0, open.1, predicted.corpus.seen().len())]
            })
            .collect();
        let cells = [0, 1].map(|mode| {
            let mut windows: Vec<usize> = found.iter().map(|of| of[mode].2).collect();
            windows.sort_unstable();
            let ln_ps: Vec<(f64, bool)> = found.iter().map(|of| (of[mode].0, of[mode].1)).collect();
            format!("{} | {}", windows[windows.len() / 2], told(&ln_ps, [0.05, 0.01]))
        });
        println!("| {name} | {keys} | {} | {} |", cells[0], cells[1]);
    }
}

/// A student of human text alone, in contexts that one key served, under keys that served nothing.
pub(crate) fn decoys(corpus: &Corpus, schemes: &[String], keys: usize) {
    println!("\n## p of a student of human text alone, in contexts served to ring B, under decoy keys\n");
    println!(
        "| scheme | keys | windows, closed | uniformity p | p ≤ 10⁻² | p ≤ 10⁻³ | windows, open | uniformity p | p ≤ 10⁻² | p ≤ 10⁻³ |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    let student = corpus.learn(&corpus.human(0, f64::INFINITY));
    let answers = corpus.answers(&student, None, (ANSWERS, 1), 150);
    for name in schemes {
        let world = World::new(corpus, name, 1, ANSWERS / 2);
        let marker = world.of.marker.as_ref();
        let suspect = read(&answers, marker);
        let windows = held(&suspect, &served(&world.harvests[1], marker));
        let contexts = contexts_of(&world.harvests[1], packing(marker), usize::MAX);
        let predicted = read_predictions(&predictions(&student, &contexts), marker);
        let under = |suspect: &Read, windows: &Windows, turn: f64| -> Vec<(f64, bool)> {
            let one = |key: usize| {
                let decoy = marker.with_key(&material(77, key));
                ln_p(decoy.as_ref(), suspect, windows, spread(key as u64, turn))
            };
            (0..keys).into_par_iter().map(one).collect()
        };
        let closed = told(&under(&suspect, &windows, 0.0), [1e-2, 1e-3]);
        let open = told(&under(&predicted, &predicted.corpus, 0.5), [1e-2, 1e-3]);
        let n = [windows.seen().len(), predicted.corpus.seen().len()];
        println!("| {name} | {keys} | {} | {closed} | {} | {open} |", n[0], n[1]);
    }
}
