//! What counting a repeated window more than once does: the corpus z of unmarked text under three ways of counting.
//!
//! # The measurement
//! z = (hits − n s) / √(n s (1 − s)) of a list of width 1, over all windows, over each window once a text (what the references do), and
//! over each window once in the corpus. Human text repeats itself ("of the"), and a repeated window repeats its colour, so the first two
//! are far wider than a standard normal although nothing is planted.
//!
//! Null: as in `null`. Weakness: z is the references' statistic and stands here for comparison; verdicts rest on exact tails.

use crate::cases::{self, Case};
use crate::text::Human;
use rayon::prelude::*;
use std::fmt::Write as _;
use stillhunt::detect::decoys::material;
use stillhunt::detect::windows::Text;
use stillhunt::watermark::catalogue::ALL;
use stillhunt::watermark::{Null, Scheme, Unit, Value, Windows};

/// Keys.
pub(crate) const KEYS: usize = 20;
/// Seed of the keys.
const SEED: u64 = 20_251_126;

/// A distinct window and how often it counts.
struct Counted {
    window: [u32; 2],
    all: u32,
    texts: u32,
}

/// The z of one key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Zs {
    pub(crate) plain: f64,
    pub(crate) by_text: f64,
    pub(crate) by_corpus: f64,
}

/// What one scheme gives.
pub(crate) struct Measured {
    pub(crate) zs: Vec<Zs>,
    /// Windows under the three ways of counting.
    pub(crate) n: [u64; 3],
}

impl Measured {
    /// The z farthest from 0 under each way of counting.
    pub(crate) fn widest(&self) -> [f64; 3] {
        let widest = |z: fn(&Zs) -> f64| self.zs.iter().map(|zs| z(zs).abs()).fold(0.0, f64::max);
        [widest(|zs| zs.plain), widest(|zs| zs.by_text), widest(|zs| zs.by_corpus)]
    }
}

/// Schemes of width 1 that are measured, as far as they are there: the reference's own lists, and the native coins.
pub(crate) fn schemes(vocab: u32) -> Vec<Case> {
    let wanted = [("kgw", "transformers", ""), ("green-list", "native", "context_width = 1")];
    let find = |scheme: &str, dialect: &str| ALL.iter().find(|a| a.scheme == scheme && a.dialect == dialect);
    wanted
        .iter()
        .filter_map(|(scheme, dialect, extra)| Some(cases::case(find(scheme, dialect)?, vocab, extra)))
        .collect()
}

/// Scores `texts` under [`KEYS`] keys.
pub(crate) fn measure(marker: &dyn Scheme, texts: &[Text]) -> Measured {
    let traits = marker.traits();
    assert_eq!(traits.shape.context, 1, "a list of width 1");
    let share = match traits.null {
        Null::Coin { share } => share,
        Null::List { list, vocab } => f64::from(list) / f64::from(vocab),
        _ => panic!("expected a green list"),
    };
    let mut windows: Vec<([u32; 2], u32)> = Vec::new();
    for (text, number) in texts.iter().zip(0..) {
        windows.extend(text.tokens.windows(2).map(|pair| ([pair[0], pair[1]], number)));
    }
    windows.par_sort_unstable();
    let count = |same: &[([u32; 2], u32)]| Counted {
        window: same[0].0,
        all: same.len() as u32,
        texts: same.chunk_by(|a, b| a.1 == b.1).count() as u32,
    };
    let distinct: Vec<Counted> = windows.chunk_by(|a, b| a.0 == b.0).map(count).collect();
    let flat: Vec<u32> = distinct.iter().flat_map(|counted| counted.window).collect();
    let weights: [fn(&Counted) -> u64; 3] = [|c| c.all.into(), |c| c.texts.into(), |_| 1];
    let n = weights.map(|weight| distinct.iter().map(weight).sum::<u64>());
    let of_key = |number: usize| {
        let marker = marker.with_key(&material(SEED, number));
        let (mut units, mut values): (Vec<Unit>, Vec<Value>) = (Vec::new(), Vec::with_capacity(distinct.len()));
        marker.reduce(Windows::new(&flat, 1), &mut units);
        marker.values(&units, &mut values);
        let mut zs = weights.iter().zip(n).map(|(weight, n)| {
            let green = distinct.iter().zip(&values).filter(|(_, value)| **value == Value::Green(true));
            let hits: u64 = green.map(|(counted, _)| weight(counted)).sum();
            (hits as f64 - n as f64 * share) / (n as f64 * share * (1.0 - share)).sqrt()
        });
        let mut next = || zs.next().expect("three");
        Zs { plain: next(), by_text: next(), by_corpus: next() }
    };
    Measured { zs: (0..KEYS).into_par_iter().map(of_key).collect(), n }
}

/// The table.
pub(crate) fn report(human: &Human) -> String {
    let texts = human.texts("oasst1_replies", usize::MAX);
    let mut out =
        format!("## Counting each window once\n\n{} replies, {KEYS} random keys; nothing is planted.\n", texts.len());
    for case in schemes(human.vocab()) {
        let measured = measure(case.marker.as_ref(), &texts);
        let _ = writeln!(
            out,
            "\n### {}\n\n| key | z, every window ({}) | z, once a text ({}) | z, once in the corpus ({}) |\n|---|---|---|---|",
            case.name, measured.n[0], measured.n[1], measured.n[2]
        );
        for (number, zs) in measured.zs.iter().enumerate() {
            let _ = writeln!(out, "| {number} | {:+.2} | {:+.2} | {:+.2} |", zs.plain, zs.by_text, zs.by_corpus);
        }
        let [plain, by_text, by_corpus] = measured.widest();
        let _ = writeln!(out, "| widest | {plain:.2} | {by_text:.2} | {by_corpus:.2} |");
        let beyond = |z: fn(&Zs) -> f64| measured.zs.iter().filter(|zs| z(zs).abs() > 4.0).count();
        let beyond = [beyond(|zs| zs.plain), beyond(|zs| zs.by_text), beyond(|zs| zs.by_corpus)];
        let _ = writeln!(out, "| keys beyond ±4 | {} | {} | {} |", beyond[0], beyond[1], beyond[2]);
    }
    out
}
