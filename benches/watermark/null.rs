//! Null calibration: text that knows no key, under keys that were never used.
//!
//! # The measurement
//! The text is fixed, the keys are random: the p-value's promise is over the key. Each scheme reads as many texts as give at least
//! [`WINDOWS`] scored windows; each key gives one p-value; the share of keys with p ≤ α is compared with α by its exact
//! (Clopper–Pearson) 95% interval. *Holds* means that α is not below the interval. Below-α rates are expected where p is a bound.
//!
//! Null of uniformity: p-values of exact laws, randomised where the statistic is discrete, are uniform (Kolmogorov–Smirnov, two-sided,
//! exact); those of bounds, and of schemes in which windows share seeds, are at least uniform in the tail that matters, so
//! only too many small ones count against them.
//!
//! Weakness: a correct test fails one comparison in forty by chance, so the exact probability of as many rejections stands beside
//! each count, and the table ends with the smallest of them after Holm's correction.

use crate::cases::{self, Case, Evidence};
use crate::echo;
use crate::model::{FITTED, Model};
use crate::rejections::{LEVELS, Rejections};
use crate::text::Human;
use rayon::prelude::*;
use std::fmt::Write as _;
use stillhunt::detect::decoys::material;
use stillhunt::detect::p_value::{Kind, Law};
use stillhunt::detect::windows::Text;
use stillhunt::stats;
use stillhunt::watermark::Scheme;

/// Fewest scored windows a key.
pub(crate) const WINDOWS: u64 = 20_000;
/// Seed of the keys.
pub(crate) const SEED: u64 = 20_251_125;

/// Tokens of further books.
const BOOKS: usize = 6_000_000;

/// Keys of a scheme, and how many levels they are enough for.
#[derive(Clone, Copy)]
pub(crate) struct Budget {
    /// Of schemes whose generator costs a hash or two.
    pub(crate) cheap: usize,
    /// Of others.
    pub(crate) costly: usize,
}

/// p-values of one scheme under many keys.
pub(crate) struct Outcome {
    law: Law,
    /// Fewer small p-values than uniform are no fault: the law bounds, or windows share seeds and are drawn without replacement.
    bound: bool,
    /// Fewest scored windows of a key.
    pub(crate) scored: u64,
    /// Texts read.
    pub(crate) texts: usize,
    ln_p: Vec<f64>,
    randomised: Vec<f64>,
}

impl Outcome {
    /// At the levels that the keys are enough for.
    pub(crate) fn rejections(&self) -> Vec<Rejections> {
        let enough = |level: &&f64| **level >= 0.01 || **level * self.ln_p.len() as f64 >= 1.0;
        LEVELS.iter().filter(enough).map(|&level| Rejections::count(&self.ln_p, level)).collect()
    }

    /// p of uniformity; of a bound, whose p-values gather about one half, only those below it count.
    pub(crate) fn uniformity(&self) -> f64 {
        if !self.bound {
            return libm::exp(stats::ln_uniformity(&self.randomised));
        }
        let below = |ln_p: &f64| if *ln_p <= -std::f64::consts::LN_2 { *ln_p } else { 0.0 };
        libm::exp(stats::ln_too_small(&self.randomised.iter().map(below).collect::<Vec<f64>>()))
    }

    /// Whether p is exact, in a word.
    fn law(&self) -> &'static str {
        if self.law.kind() == Kind::Exact && !self.bound { "exact" } else { "bound" }
    }
}

/// Draws keys and tests each on the same evidence.
pub(crate) fn measure(marker: &dyn Scheme, evidence: &Evidence, keys: usize, seed: u64) -> Outcome {
    let traits = marker.traits();
    let law = evidence.law(marker);
    let each: Vec<(u64, f64, f64)> = (0..keys)
        .into_par_iter()
        .map(|number| {
            let scored = evidence.score(marker.with_key(&material(seed, number)).as_ref());
            let (n, statistic) = (scored.tallies[0].scored(), scored.tallies[0].statistic());
            let u = uniform(seed, number);
            (n, law.ln_p(n, statistic), law.ln_randomised(n, statistic, u))
        })
        .collect();
    Outcome {
        bound: law.one_sided() || traits.collapses,
        law,
        scored: each.iter().map(|(n, ..)| *n).min().unwrap_or(0),
        texts: evidence.texts,
        ln_p: each.iter().map(|(_, ln_p, _)| *ln_p).collect(),
        randomised: each.iter().map(|(.., randomised)| *randomised).collect(),
    }
}

/// A number in [0, 1) of its own for each key, which does not depend on the key's text.
fn uniform(seed: u64, number: usize) -> f64 {
    let drawn = material(seed ^ 0x5555_5555, number);
    u64::from_le_bytes(drawn[..8].try_into().expect("eight bytes")) as f64 / 2f64.powi(64)
}

/// Keys of a scheme.
pub(crate) fn keys(case: &Case, budget: Budget) -> usize {
    if case.marker.traits().cost <= 2.0 { budget.cheap } else { budget.costly }
}

/// Texts of the null, of several kinds in turn: none that a language model here is fitted on.
pub(crate) fn texts(human: &Human, most: usize) -> Vec<Text> {
    let files = ["oasst1_replies", "ms_docs", "wikitext2"].map(|name| human.texts(name, most / 3));
    let longest = files.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest).flat_map(|i| files.iter().filter_map(move |texts| texts.get(i).cloned())).collect()
}

/// The table.
pub(crate) fn report(human: &Human) -> String {
    let mut all = texts(human, usize::MAX);
    // Single tokens are so few that they need more: those books of the model's file that it was not fitted on.
    let mut tokens = 0;
    let books = human.texts("standard_ebooks", FITTED + BOOKS).into_iter();
    all.extend(books.skip_while(|text| {
        tokens += text.tokens.len();
        tokens < FITTED + text.tokens.len()
    }));
    let budget = Budget { cheap: 10_000, costly: 200 };
    let mut out = format!(
        "## Null calibration\n\nKeys drawn at random, the same human text for all; at least {WINDOWS} scored windows a key. Rejections at each \
         level, their rate with its exact 95% interval, and whether the level is not below that interval. Uniformity: Kolmogorov–Smirnov \
         p of the (randomised) p-values, two-sided where p is exact, else against too many below one half.\n\n\
         | scheme | p | texts | scored windows | keys | α | rejected | rate (95%) | chance of as many | holds | uniformity p |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n"
    );
    let (mut chances, mut failed) = (Vec::new(), Vec::new());
    for case in cases::all(human.vocab()) {
        let began = std::time::Instant::now();
        let evidence = Evidence::with_windows(case.marker.as_ref(), &all, WINDOWS + WINDOWS / 50);
        let outcome = measure(case.marker.as_ref(), &evidence, keys(&case, budget), SEED);
        for at in outcome.rejections() {
            let holds = at.holds();
            if !holds {
                failed.push(format!("{} at {}", case.name, at.level));
            }
            chances.push(at.ln_chance);
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} | {:.5} ({:.5}–{:.5}) | {:.3} | {} | {:.3} |",
                case.name,
                outcome.law(),
                outcome.texts,
                outcome.scored,
                at.keys,
                at.level,
                at.hits,
                at.hits as f64 / at.keys as f64,
                at.low,
                at.high,
                libm::exp(at.ln_chance),
                if holds { "yes" } else { "**no**" },
                outcome.uniformity()
            );
        }
        eprintln!("{} {:.1} s", case.name, began.elapsed().as_secs_f64());
    }
    let smallest = stats::holm(&chances).into_iter().fold(0.0, f64::min);
    let _ = writeln!(
        out,
        "\n{} of {} comparisons do not hold{}{}; by chance one in forty would not. The smallest chance of as many rejections, adjusted for \
         all of them (Holm): {:.3}.\n",
        failed.len(),
        chances.len(),
        if failed.is_empty() { "" } else { ": " },
        failed.join(", "),
        libm::exp(smallest)
    );
    let model = Model::fitted(human);
    out + &echo::report(human, &model, &all)
}
