//! Null of echoes: text that repeats its own prompt, where the prompt bears the mark.
//!
//! # The measurement
//! For each key four prompts are planted under it (a user pastes marked text). Each is answered by human text with two runs of the
//! prompt in it, which is what an answer that quotes its question looks like. With the prompts given, the copied windows are masked and
//! the rest knows no key; without them, the same text rejects, rightly: marked tokens are in it, only the answer's author did not make
//! them.
//!
//! Weakness: a paraphrased echo is no copy and is not masked.

use crate::cases::{self, Evidence};
use crate::model::Model;
use crate::power::plant;
use crate::rejections::{LEVELS, Rejections};
use crate::text::Human;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::fmt::Write as _;
use stillhunt::detect::decoys::material;
use stillhunt::detect::windows::Text;
use stillhunt::watermark::Scheme;

/// Seed of keys and draws.
const SEED: u64 = 20_251_128;
/// Prompts of a key, tokens of a prompt, and where its runs begin and end.
const PROMPTS: usize = 4;
const PROMPT: usize = 60;
const RUNS: [(usize, usize); 2] = [(3, 28), (32, 57)];
/// Tokens of human text before each run, and after the last.
const OWN: usize = 50;

/// ln p with the prompts given, and without, a key each; and windows that were masked in all.
pub(crate) struct Echoes {
    pub(crate) given: Vec<f64>,
    pub(crate) hidden: Vec<f64>,
    pub(crate) copied: u64,
}

/// Plants prompts and echoes them, under `keys` keys.
pub(crate) fn measure(
    marker: &dyn Scheme,
    logits: &(dyn Fn(&[u32], &mut Vec<f32>) + Sync),
    human: &[u32],
    keys: usize,
) -> Echoes {
    let of_key = |number: usize| {
        let marker = marker.with_key(&material(SEED, number));
        let mut rng = ChaCha8Rng::seed_from_u64(SEED + number as u64);
        let text = |i: usize| {
            let prompt = plant(marker.as_ref(), logits, &[], PROMPT, 1.0, &mut rng);
            let mut own = human.chunks_exact(OWN).cycle().skip((number * PROMPTS + i) * 3);
            let mut tokens = Vec::new();
            for (begin, end) in RUNS {
                tokens.extend_from_slice(own.next().expect("it goes round"));
                tokens.extend_from_slice(&prompt[begin..end]);
            }
            tokens.extend_from_slice(own.next().expect("it goes round"));
            Text { tokens, prompt: Some(prompt) }
        };
        let given: Vec<Text> = (0..PROMPTS).map(text).collect();
        let hidden: Vec<Text> = given.iter().map(|text| Text { prompt: None, ..text.clone() }).collect();
        let evidence = Evidence::new(marker.as_ref(), &given);
        let copied = evidence.copied();
        (evidence.ln_p(marker.as_ref()).1, Evidence::new(marker.as_ref(), &hidden).ln_p(marker.as_ref()).1, copied)
    };
    let each: Vec<(f64, f64, u64)> = (0..keys).into_par_iter().map(of_key).collect();
    Echoes {
        given: each.iter().map(|key| key.0).collect(),
        hidden: each.iter().map(|key| key.1).collect(),
        copied: each.iter().map(|key| key.2).sum(),
    }
}

/// The table.
pub(crate) fn report(human: &Human, model: &Model, texts: &[Text]) -> String {
    let own: Vec<u32> = texts.iter().flat_map(|text| &text.tokens).copied().take(400_000).collect();
    let mut out = format!(
        "## Null on echoes\n\nFor each key {PROMPTS} prompts of {PROMPT} planted tokens, each echoed in runs of 25 within human text. The \
         prompts are given to the test, or not.\n\n| scheme | prompts | keys | masked windows a key | α | rejected | rate (95%) | | \
         median log10 p |\n|---|---|---|---|---|---|---|---|---|\n"
    );
    for case in cases::native(human.vocab()) {
        let logits = |so_far: &[u32], row: &mut Vec<f32>| model.logits(so_far, row);
        let echoes = measure(case.marker.as_ref(), &logits, &own, 200);
        for (word, ln_p, copied) in [("given", &echoes.given, echoes.copied), ("hidden", &echoes.hidden, 0)] {
            let mut sorted = ln_p.clone();
            sorted.sort_by(f64::total_cmp);
            for level in &LEVELS[..2] {
                let at = Rejections::count(ln_p, *level);
                let verdict = match (at.holds(), copied > 0) {
                    (true, true) => "null holds",
                    (false, true) => "**null does not hold**",
                    (true, false) => "not seen",
                    (false, false) => "rejects, as it should",
                };
                let _ = writeln!(
                    out,
                    "| {} | {word} | {} | {:.0} | {} | {} | {:.3} ({:.3}–{:.3}) | {} | {:.2} |",
                    case.name,
                    at.keys,
                    copied as f64 / at.keys as f64,
                    at.level,
                    at.hits,
                    at.hits as f64 / at.keys as f64,
                    at.low,
                    at.high,
                    verdict,
                    sorted[sorted.len() / 2] / std::f64::consts::LN_10
                );
            }
        }
    }
    out
}
