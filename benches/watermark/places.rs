//! Where: a marked run between human text, in one document of ten. Is the document found, how well does its span lie, and is another one named?
//!
//! # The measurement
//! Ten documents of 2,000 tokens of `wikitext2`; in one of them a run of 50 to 400 tokens, at a place of its own, is planted by the language model
//! of three tokens (`model`), which goes on from the human tokens before it, and stands in place of as many human tokens. Each corpus has its own key. Found: the document's adjusted p (all
//! documents) is at most the level. Overlap: tokens of both the best span and the run, over tokens of either, of the documents that are found at 1%. False
//! alarm: another document of the same corpus has an adjusted p of at most 1%; under the null at most one corpus in a hundred has one.
//!
//! Weakness: text of a small model is not text of a real one; its entropy stands beside it.

use crate::cases;
use crate::model::Model;
use crate::power::{entropy, plant, prompts};
use crate::text::Human;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use stillhunt::detect::decoys::{DecoyConfig, material};
use stillhunt::detect::places::{Places, PlacesConfig};
use stillhunt::detect::windows::Text;
use stillhunt::detect::{DetectConfig, Reading, Test};
use stillhunt::stats;
use stillhunt::watermark::Scheme;

/// Tokens of a marked run.
const RUNS: [usize; 4] = [50, 100, 200, 400];
/// Tokens of a document.
const LEN: usize = 2000;
/// Documents of a corpus.
const DOCUMENTS: usize = 10;
/// Corpora of a point.
const CORPORA: usize = 20;
/// Temperatures of planting.
const TEMPERATURES: [f64; 2] = [1.0, 0.5];
/// Tokens before the run that the model goes on from.
const PROMPT: usize = 8;
/// Seed of keys, places and draws.
const SEED: u64 = 20_261_130;

/// Ten documents for each corpus, of one stream of human text.
fn documents(human: &Human) -> Vec<Vec<u32>> {
    let stream: Vec<u32> = human.texts("wikitext2", 1_500_000).into_iter().flat_map(|text| text.tokens).collect();
    stream.chunks_exact(LEN).map(<[u32]>::to_vec).collect()
}

/// Where `marker`'s mark stands in some documents.
fn places(marker: Box<dyn Scheme>, texts: &[Vec<u32>]) -> Places {
    let tests = [Test {
        key_id: "key".into(),
        scheme: "any",
        dialect: "any",
        profile: "any".into(),
        predicted: false,
        published: None,
        parameters: BTreeMap::new(),
        marker,
    }];
    let config = DetectConfig {
        alpha: 1e-6,
        least_uniformity: 0.01,
        power: 0.95,
        strength: 0.1,
        level: 0.95,
        decoys: DecoyConfig { n: 0, windows: 0, steps: 0.0, seed: 1 },
        bytes: 1 << 26,
        dir: std::env::temp_dir(),
        search: false,
        places: Some(PlacesConfig { alpha: 0.01, detector: None }),
    };
    let mut reading = Reading::new(&tests, &config, false).expect("a directory");
    let texts: Vec<Text> = texts.iter().map(|tokens| Text { tokens: tokens.clone(), prompt: None }).collect();
    reading.add(&texts).expect("memory");
    reading.finish(None, &|_| ()).expect("memory").remove(0).places.expect("asked for")
}

/// What one corpus gave: adjusted log10 p of the marked document, overlap of its best span, and the least adjusted log10 p of another.
struct One {
    log10_p: f64,
    overlap: f64,
    other: f64,
}

fn one(marker: &dyn Scheme, model: &Model, texts: &[Vec<u32>], run: usize, temperature: f64, number: usize) -> One {
    let marker = marker.with_key(&material(SEED, number));
    let mut rng = ChaCha8Rng::seed_from_u64(SEED + number as u64);
    let mut texts = texts.to_vec();
    let (which, first) = (rng.random_range(0..DOCUMENTS), rng.random_range(PROMPT..LEN - run));
    let logits = |so_far: &[u32], row: &mut Vec<f32>| model.logits(so_far, row);
    let prompt = texts[which][first - PROMPT..first].to_vec();
    let planted = plant(marker.as_ref(), &logits, &prompt, run, temperature, &mut rng);
    texts[which][first..first + run].copy_from_slice(&planted);
    let found = places(marker, &texts);
    let of = |document: usize| found.list.iter().find(|of| of.document == document as u64);
    let (from, past) = (first as f64, (first + run) as f64);
    let overlap = of(which).and_then(|document| document.spans.first()).map_or(0.0, |span| {
        let [a, b] = span.tokens.map(|at| at as f64);
        (b.min(past) - a.max(from)).max(0.0) / (b.max(past) - a.min(from))
    });
    let others = found.list.iter().filter(|of| of.document != which as u64);
    One {
        log10_p: of(which).map_or(0.0, |document| document.adjusted_log10_p),
        overlap,
        other: others.map(|of| of.adjusted_log10_p).fold(0.0, f64::min),
    }
}

/// The table.
pub(crate) fn report(human: &Human) -> String {
    let (model, prompts, documents) = (Model::fitted(human), prompts(human), documents(human));
    let mut out = format!(
        "## Where\n\n{CORPORA} corpora a point, each of {DOCUMENTS} documents of {LEN} tokens of `wikitext2`, one with a planted run; {} documents in \
         all. The language model of three tokens is fitted on {} tokens of `standard_ebooks` and `openstax`, {} ids. Found: adjusted p of the document, over all documents, at most 1%, and at \
         most 1e-6, in percent with the exact 95% interval. Overlap: tokens of both best span and run over tokens of either, median (and the tenth from below), where found at 1%. False alarms: \
         corpora in which another document has an adjusted p of at most 1%.\n",
        documents.len(),
        model.tokens,
        human.vocab()
    );
    for temperature in TEMPERATURES {
        let _ = writeln!(
            out,
            "\n### Temperature {temperature}: entropy {:.2} nats a token\n\n| scheme | planted tokens | found at 1% | found at 1e-6 | overlap | false alarms |\n|---|---|---|---|---|---|",
            entropy(&model, &prompts, temperature)
        );
        for case in cases::native(human.vocab()) {
            let began = std::time::Instant::now();
            for run in RUNS {
                let of = |number: usize| {
                    let first = number * DOCUMENTS % (documents.len() - DOCUMENTS);
                    one(case.marker.as_ref(), &model, &documents[first..first + DOCUMENTS], run, temperature, number)
                };
                let all: Vec<One> = (0..CORPORA).into_par_iter().map(of).collect();
                let share = |level: f64| {
                    let hits = all.iter().filter(|one| one.log10_p <= level.log10()).count() as u64;
                    let (low, high) = stats::proportion_interval(hits, CORPORA as u64, 0.95);
                    format!("{:.1} ({:.1}–{:.1})", 100.0 * hits as f64 / CORPORA as f64, 100.0 * low, 100.0 * high)
                };
                let mut overlaps: Vec<f64> =
                    all.iter().filter(|one| one.log10_p <= -2.0).map(|one| one.overlap).collect();
                overlaps.sort_by(f64::total_cmp);
                let overlap = match overlaps.len() {
                    0 => "none".to_owned(),
                    n => format!("{:.2} ({:.2})", overlaps[n / 2], overlaps[n / 10]),
                };
                let alarms = all.iter().filter(|one| one.other <= -2.0).count();
                let _ = writeln!(
                    out,
                    "| {} | {run} | {} | {} | {overlap} | {alarms} of {CORPORA} |",
                    case.name,
                    share(1e-2),
                    share(1e-6)
                );
            }
            eprintln!("{} at {temperature}: {:.0} s", case.name, began.elapsed().as_secs_f64());
        }
    }
    out
}
