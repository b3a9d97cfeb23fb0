//! Where the shipped threshold comes from: scores of unrelated prompts of the dev half, checked on the test half, for every two
//! classes of length.
//!
//! Queries are prompts of held sources, so that no query was trained on, and documents of every kind and length (`documents`); they are
//! compared with everything of another origin of the same half, held or not, because the tail needs billions of pairs and
//! held sources alone give 4 × 10⁸ of a narrow mix. Data sets that were made from one another are one origin: MBPP and HumanEval
//! live on in MXEval, the Chinese prompt collection is a translation. The embedding model saw eleven of twelve documents in training; the
//! similarity of unlike long texts does not depend on that, since it is that of their style.

use crate::data::{Corpus, Prompt};
use crate::documents::{self, Document};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use stillhunt::embed::Model;
use stillhunt::family::calibrate::{self, Calibration, Compared, Pair, Scores};
use stillhunt::family::length::{Lengths, Thresholds, in_proportion, length_class, length_words};

/// Scores of the two shortest classes that are shipped: they reach down to one unrelated pair in a million. Of the others, whose pairs
/// score less, a quarter.
const SHIPPED_SCORES: usize = 4000;
/// Store sizes of the table.
pub(crate) const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];
/// Unrelated neighbours of a prompt that the default threshold allows.
pub(crate) const EXPECTED: f64 = 0.01;

/// Data sets that share texts by design have one origin.
fn origin(source: &str) -> &str {
    match source {
        "mbpp" | "humaneval" => "mxeval",
        "awesome-chatgpt-prompts-zh" => "awesome-chatgpt-prompts",
        other => other,
    }
}

/// Prompts and documents of one half, with what stands for their origin.
struct Half {
    corpus: Corpus,
    group: Vec<u64>,
    class: Vec<usize>,
    queries: Vec<u32>,
}

impl Half {
    /// `step`: every so-manieth query. `kind`: only documents of this kind, and no prompts.
    fn new(model: &Model, all: &[Prompt], documents: &[Document], dev: bool, step: usize, kind: Option<&str>) -> Self {
        let mut chosen: Vec<Prompt> = Vec::new();
        if kind.is_none() {
            chosen.extend(all.iter().filter(|p| p.dev() == dev && p.kind != "probe").cloned());
        }
        let n_prompts = chosen.len();
        let of_kind = |d: &&Document| d.dev() == dev && kind.is_none_or(|kind| kind == d.kind);
        chosen.extend(documents.iter().filter(of_kind).map(as_prompt));
        let is_document: std::collections::HashSet<String> = chosen[n_prompts..].iter().map(|p| p.id.clone()).collect();
        let corpus = Corpus::new(model, chosen);
        let mut numbers = HashMap::new();
        let mut number = |group: &str| {
            let next = numbers.len() as u64;
            *numbers.entry(group.to_owned()).or_insert(next)
        };
        // Joined documents of one kind are unrelated to one another, though not to the single prompts that they were joined from.
        let joined = kind.is_some_and(|kind| kind != "prose");
        let group = corpus.prompts.iter().map(|p| number(if joined { &p.id } else { origin(&p.source) })).collect();
        let class = corpus.prompts.iter().map(|p| length_class(p.folded.len())).collect();
        let asks = |p: &Prompt| p.held() || is_document.contains(&p.id);
        let rows = (0..).zip(&corpus.prompts).filter(|(_, p)| asks(p)).map(|(row, _)| row);
        let queries = rows.step_by(step).collect();
        Self { corpus, group, class, queries }
    }

    fn measure(&self, model: &Model, source: &str) -> (Calibration, Vec<Pair>) {
        let rows: Vec<u32> = (0..self.group.len() as u32).collect();
        let compared = Compared { prompts: &rows, group: &self.group, class: &self.class };
        let digest = model.digest().to_string();
        calibrate::measure(source, &digest, &self.corpus.vectors, &compared, &self.queries, &self.corpus)
    }
}

/// How the lengths of the open prompts are mixed.
pub(crate) fn mixture(all: &[Prompt]) -> Lengths {
    let mut out = Lengths::default();
    all.iter().for_each(|p| out[length_class(p.folded.len())] += 1);
    out
}

fn as_prompt(document: &Document) -> Prompt {
    let folded = stillhunt::text::fold(&document.text).text;
    let (id, source) = (format!("document-{}", document.id), document.group.clone());
    Prompt { id, text: document.text.clone(), folded, source, kind: document.kind.into(), group: String::new() }
}

/// The calibration of one half.
pub(crate) fn measure(
    model: &Model,
    all: &[Prompt],
    documents: &[Document],
    dev: bool,
    step: usize,
) -> (Calibration, Vec<Pair>, Corpus) {
    let half = Half::new(model, all, documents, dev, step, None);
    let source = format!(
        "open prompts whose id begins with {} and documents of that half: {} of sources that the model was not trained on, and all \
         documents, each against the {} of other origin",
        if dev { "0–7" } else { "8–f" },
        half.queries.len(),
        half.group.len()
    );
    let (calibration, pairs) = half.measure(model, &source);
    (calibration, pairs, half.corpus)
}

/// The table of thresholds and rates, and the calibration of the dev half as it is shipped.
pub(crate) fn report(model: &Model, all: &[Prompt], dir: &Path) -> (String, Calibration) {
    let documents = documents::documents(dir, all);
    let (dev, pairs, corpus) = measure(model, all, &documents, true, 1);
    let (test, ..) = measure(model, all, &documents, false, 1);
    let dev = dev.shortened(SHIPPED_SCORES);
    // A twentieth of the queries reaches down to scores that the highest twenty thousand of all do not.
    let coarse = |dev: bool| measure(model, all, &documents, dev, 20).0;
    let (coarse_dev, coarse_test) = (coarse(true), coarse(false));
    let mut out = String::from("## Threshold\n\n");
    let _ = writeln!(
        out,
        "{}.\n\n| prompts in the store, lengths mixed as here | threshold of two short ones (dev) |\n|---|---|",
        dev.source
    );
    for n in SIZES {
        let _ = writeln!(out, "| {n} | {:.3} |", at(&dev, all, n)[0][0]);
    }
    let _ = writeln!(
        out,
        "\nThe bound on a family's diameter: in every pair of classes at most one unrelated pair in ten thousand reaches {:.3} (dev; test {:.3}), one in a \
         hundred thousand {:.3} (test {:.3}).\n\n## By length\n\n\
         Unrelated neighbours of a prompt of the one class in a store of 100,000 and of 1,000,000 prompts that are *all* of the other, at the \
         thresholds above; 95% intervals; * from the fitted tail. \n\n\
         | bytes | against | pairs, dev | related | thresholds (dev) at 100,000 and 1,000,000 | 100,000, test | 1,000,000, dev | 1,000,000, test |\n|---|---|---|---|---|---|---|---|",
        coarse_dev.score_at_rate(1e-4),
        coarse_test.score_at_rate(1e-4),
        coarse_dev.score_at_rate(1e-5),
        coarse_test.score_at_rate(1e-5),
    );
    for scores in &dev.classes {
        let other = test.classes.iter().find(|s| (s.shorter, s.longer) == (scores.shorter, scores.longer));
        let threshold = |n| three(at(&dev, all, n)[scores.shorter][scores.longer]);
        let cell = |scores: Option<&Scores>, n: u64| scores.map_or("–".into(), |s| rate(s, threshold(n), n));
        let _ = writeln!(
            out,
            "| {} | {} | {:.2e} | {} | {:.3}, {:.3} | {} | {} | {} |",
            length_words(scores.shorter),
            length_words(scores.longer),
            scores.pairs as f64,
            scores.related,
            threshold(100_000),
            threshold(1_000_000),
            cell(other, 100_000),
            cell(Some(scores), 1_000_000),
            cell(other, 1_000_000),
        );
    }
    out.push_str(
        "\n## For a prompt of each length\n\nUnrelated neighbours of one prompt in a store whose lengths are mixed as in the open prompts; what was asked for is 0.01 \
         at the upper end of the dev half.\n\n| bytes | 100,000, dev | 100,000, test | 1,000,000, dev | 1,000,000, test |\n|---|---|---|---|---|\n",
    );
    for class in 0..dev.classes.iter().map(|s| s.longer).max().map_or(0, |class| class + 1) {
        let cell = |c: &Calibration, n| {
            let found = c.neighbours(&at(&dev, all, n), class, &in_proportion(&mixture(all), n));
            format!("{:.1e} ({:.1e}–{:.1e})", found.point, found.low, found.high)
        };
        let cells = [(&dev, 100_000), (&test, 100_000), (&dev, 1_000_000), (&test, 1_000_000)].map(|(c, n)| cell(c, n));
        let _ = writeln!(out, "| {} | {} |", length_words(class), cells.join(" | "));
    }
    out.push_str(
        "\n## By kind\n\nDocuments of one kind among themselves, test half, at the threshold of a store of 100,000: unrelated neighbours in 100,000 of that kind, worst \
         pair of classes with 10,000 pairs or more.\n\n| kind | documents | pairs | highest score | neighbours |\n|---|---|---|---|---|\n",
    );
    for kind in ["prose", "code", "Chinese", "rows of JSON", "chat"] {
        let half = Half::new(model, all, &documents, false, 1, Some(kind));
        let (found, _) = half.measure(model, kind);
        let highest = found.classes.iter().filter_map(|s| s.scores.first()).copied().fold(0f32, f32::max);
        let thresholds = at(&dev, all, 100_000);
        let of = |s: &Scores| s.rate(three(thresholds[s.shorter][s.longer])).point;
        let many = found.classes.iter().filter(|s| s.pairs >= 10_000);
        let worst = many.max_by(|a, b| of(a).total_cmp(&of(b)));
        let _ = writeln!(
            out,
            "| {kind} | {} | {:.2e} | {highest:.3} | {} |",
            half.group.len(),
            found.classes.iter().map(|s| s.pairs).sum::<u64>() as f64,
            worst.map_or("–".into(), |s| rate(s, three(thresholds[s.shorter][s.longer]), 100_000))
        );
    }
    out.push_str("| Arabic | – | | | the open texts hold none |\n");
    let _ = writeln!(
        out,
        "\nThe highest unrelated pairs of the dev half, by id, to be read:\n\n| score | bytes | a | b |\n|---|---|---|---|"
    );
    let mut shown: HashMap<(usize, usize), u32> = HashMap::new();
    for (a, b, score) in &pairs {
        let (a, b) = (&corpus.prompts[*a as usize], &corpus.prompts[*b as usize]);
        let (x, y) = (a.folded.len(), b.folded.len());
        let classes = (length_class(x).min(length_class(y)), length_class(x).max(length_class(y)));
        let n = shown.entry(classes).or_default();
        *n += 1;
        if *n <= 3 {
            let _ = writeln!(out, "| {score:.3} | {x}, {y} | {} {} | {} {} |", a.source, a.id, b.source, b.id);
        }
    }
    (out, dev)
}

/// The shipped thresholds for a store of `n` prompts, of all lengths as in the open prompts.
fn at(calibration: &Calibration, all: &[Prompt], n: u64) -> Thresholds {
    calibration.thresholds(EXPECTED, &in_proportion(&mixture(all), n))
}

/// A threshold as it was chosen, of three decimals.
fn three(threshold: f32) -> f64 {
    (f64::from(threshold) * 1e3).round() / 1e3
}

fn rate(scores: &Scores, at: f64, n: u64) -> String {
    let (rate, n) = (scores.rate(at), n as f64);
    let mark = if rate.extrapolated { " *" } else { "" };
    format!("{:.1e} ({:.1e}–{:.1e}){mark}", rate.point * n, rate.low * n, rate.high * n)
}
