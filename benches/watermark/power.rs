//! Power: how short a marked text is still found.
//!
//! # The measurement
//! Each text has its own random key and its own prompt; the reference sampler plants it over a language model of three tokens
//! (`model`), temperature as stated, nothing cut off. The test reads the first 25, 50, … tokens of the response, prompt windows masked,
//! and counts as found where p is at most the level: the level is the false-positive rate that calibration confirms. The rate has its
//! exact (Clopper–Pearson) 95% interval.
//!
//! Weakness: power follows the entropy of the text, so the entropy stands beside it; the model is not a real one. Points of one curve
//! share texts, those of one length do not.

use crate::cases::{self, Evidence};
use crate::model::Model;
use crate::text::Human;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::fmt::Write as _;
use stillhunt::detect::decoys::material;
use stillhunt::detect::windows::Text;
use stillhunt::stats;
use stillhunt::watermark::sample::{Sampling, draw, softmax};
use stillhunt::watermark::{Scheme, SoFar};

/// Lengths of a response, in tokens.
pub(crate) const LENGTHS: [usize; 7] = [25, 50, 100, 200, 400, 800, 1600];
/// False-positive rates.
pub(crate) const LEVELS: [f64; 2] = [1e-2, 1e-6];
/// Temperatures, and the longest response at each: at the lower ones nothing is left to find beyond.
const RUNS: [(f64, usize); 3] = [(1.0, 1600), (0.5, 400), (0.3, 400)];
/// Texts of a point.
const TEXTS: usize = 200;
/// Seed of keys, prompts and draws.
const SEED: u64 = 20_251_127;
/// Tokens of a prompt.
const PROMPT: usize = 8;

/// Plants a response of `n` tokens after `prompt`.
pub(crate) fn plant(
    marker: &dyn Scheme,
    logits: &dyn Fn(&[u32], &mut Vec<f32>),
    prompt: &[u32],
    n: usize,
    temperature: f64,
    rng: &mut ChaCha8Rng,
) -> Vec<u32> {
    let sampling = Sampling { temperature, ..Sampling::default() };
    let (mut all, mut row) = (prompt.to_vec(), Vec::new());
    for _ in 0..n {
        logits(&all, &mut row);
        let so_far = SoFar { prompt, response: &all[prompt.len()..] };
        all.push(marker.plant(so_far, &row, &sampling, &mut || rng.random()).expect("finite logits"));
    }
    all.split_off(prompt.len())
}

/// An unmarked response.
pub(crate) fn unmarked(model: &Model, prompt: &[u32], n: usize, temperature: f64, rng: &mut ChaCha8Rng) -> Vec<u32> {
    let (mut all, mut row) = (prompt.to_vec(), Vec::new());
    for _ in 0..n {
        model.logits(&all, &mut row);
        let scores: Vec<f64> = row.iter().map(|ln| f64::from(*ln) / temperature).collect();
        all.push(draw(&softmax(&scores), rng.random()));
    }
    all
}

/// ln p of each text at each length up to the longest asked for.
pub(crate) fn measure(
    marker: &dyn Scheme,
    model: &Model,
    prompts: &[Vec<u32>],
    n_texts: usize,
    longest: usize,
    temperature: f64,
) -> Vec<Vec<f64>> {
    let of_text = |number: usize| {
        let marker = marker.with_key(&material(SEED, number));
        let mut rng = ChaCha8Rng::seed_from_u64(SEED + number as u64);
        let prompt = &prompts[number % prompts.len()];
        let logits = |so_far: &[u32], row: &mut Vec<f32>| model.logits(so_far, row);
        let tokens = plant(marker.as_ref(), &logits, prompt, longest, temperature, &mut rng);
        let lengths = LENGTHS.iter().filter(|length| **length <= longest);
        let read = |length: &usize| {
            let text = Text { tokens: tokens[..*length].to_vec(), prompt: Some(prompt.clone()) };
            Evidence::new(marker.as_ref(), &[text]).ln_p(marker.as_ref()).1
        };
        lengths.map(read).collect()
    };
    (0..n_texts).into_par_iter().map(of_text).collect()
}

/// Prompts, each the beginning of another text.
pub(crate) fn prompts(human: &Human) -> Vec<Vec<u32>> {
    let long = human.texts("wikitext2", 200_000).into_iter().filter(|text| text.tokens.len() > 4 * PROMPT);
    long.map(|text| text.tokens[..PROMPT].to_vec()).collect()
}

/// Share found at a level: hits of n.
pub(crate) fn found(ln_p: &[Vec<f64>], at: usize, level: f64) -> (u64, u64) {
    let n = ln_p.iter().filter(|text| text.len() > at);
    (n.clone().filter(|text| text[at] <= libm::log(level)).count() as u64, n.count() as u64)
}

/// Entropy of unmarked text of the model in nats.
pub(crate) fn entropy(model: &Model, prompts: &[Vec<u32>], temperature: f64) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let texts: Vec<Vec<u32>> =
        prompts.iter().take(20).map(|prompt| unmarked(model, prompt, 100, temperature, &mut rng)).collect();
    model.entropy(&texts, temperature)
}

/// The tables.
pub(crate) fn report(human: &Human) -> String {
    let (model, prompts) = (Model::fitted(human), prompts(human));
    let mut out = format!(
        "## Power\n\nA language model of three tokens fitted on {} tokens of `standard_ebooks` and `openstax`, {} ids; prompts are \
         beginnings of `wikitext2`. Share of texts found, in percent, with its exact 95% interval.\n",
        model.tokens,
        human.vocab()
    );
    for (temperature, longest) in RUNS {
        let _ = writeln!(
            out,
            "\n### Temperature {temperature}: entropy {:.2} nats a token\n\n| scheme | tokens | texts | found at 1% | found at 1e-6 | median \
             log10 p |\n|---|---|---|---|---|---|",
            entropy(&model, &prompts, temperature)
        );
        for case in cases::native(human.vocab()) {
            let began = std::time::Instant::now();
            let ln_p = measure(case.marker.as_ref(), &model, &prompts, TEXTS, longest, temperature);
            for (at, length) in LENGTHS.iter().enumerate().filter(|(_, length)| **length <= longest) {
                let mut column: Vec<f64> = ln_p.iter().map(|text| text[at]).collect();
                column.sort_by(f64::total_cmp);
                let share = |level: f64| {
                    let (hits, n) = found(&ln_p, at, level);
                    let (low, high) = stats::proportion_interval(hits, n, 0.95);
                    format!("{:.1} ({:.1}–{:.1})", 100.0 * hits as f64 / n as f64, 100.0 * low, 100.0 * high)
                };
                let _ = writeln!(
                    out,
                    "| {} | {length} | {} | {} | {} | {:.1} |",
                    case.name,
                    column.len(),
                    share(LEVELS[0]),
                    share(LEVELS[1]),
                    column[column.len() / 2] / std::f64::consts::LN_10
                );
            }
            eprintln!("{} at {temperature}: {:.0} s", case.name, began.elapsed().as_secs_f64());
        }
    }
    out
}
