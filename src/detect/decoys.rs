//! Decoy keys: what the same test says of keys that were never used, on the same text.
//!
//! A decoy is the scheme with its parameters and a key drawn from a seed. If the test is right, decoys' p-values are uniform, whatever
//! the text; if they are not, something the test does not know of is in the text or in the generator, and no verdict is given. Decoys
//! run on a part of the distinct windows, chosen by the digest of their contexts, because each costs as much as a key.
//!
//! Null: the decoys' keys are independent of the text. Weakness: a rank among n decoys is never below 1/(n + 1): it calibrates, it
//! proves nothing.

use super::p_value::Law;
use super::tally::{self, Scored, Scoring, score};
use super::windows::{Corpus, Seen};
use crate::error::Result;
use crate::stats;
use crate::watermark::Scheme;
use rayon::prelude::*;

/// How decoys are run.
#[derive(Clone, Copy, Debug)]
pub struct DecoyConfig {
    /// How many.
    pub n: usize,
    /// Most distinct windows they are run on.
    pub windows: usize,
    /// Generator steps that all decoys of one test may take together: for schemes whose lists must be followed it lowers `windows`.
    pub steps: f64,
    /// Their keys are drawn from it.
    pub seed: u64,
}

/// What the decoys of one test said.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Decoys {
    /// How many.
    pub n: usize,
    /// Distinct windows they were run on.
    pub windows: usize,
    /// (1 + decoys whose p is at most the key's on these windows) / (n + 1); none without decoys.
    pub rank_p: Option<f64>,
    /// Exact Kolmogorov–Smirnov p of the decoys' p-values against uniform: two-sided, or where the test is a bound, against too many
    /// small ones; none without decoys.
    pub uniformity_p: Option<f64>,
    /// The sorted log10 p of the decoys, 5%, 50% and 95%.
    pub quantiles: Option<[f64; 3]>,
    /// For each part of the corpus, the 5% and 95% quantiles of the decoys' log10 p so far; empty without decoys.
    pub band: Vec<(f64, f64)>,
}

impl Decoys {
    /// None were run.
    #[must_use]
    pub fn none() -> Self {
        Self { n: 0, windows: 0, rank_p: None, uniformity_p: None, quantiles: None, band: Vec::new() }
    }
}

/// Windows for decoys: whole contexts in the order of their digests, until there are enough.
#[must_use]
pub fn sample(corpus: &Corpus, most: usize, seed: u64) -> Vec<Seen> {
    let seen = corpus.seen();
    if seen.len() <= most {
        return seen.to_vec();
    }
    // Where one context has more windows than asked, windows are chosen alone.
    let alone = corpus.packing().shape.context == 0;
    let same = |a: &Seen, b: &Seen| !alone && a.key() == b.key();
    let mut groups: Vec<(u64, usize, usize)> = Vec::new();
    let share = (4.0 * most as f64 / seen.len() as f64).min(1.0);
    let limit = (share * 2f64.powi(64)) as u64;
    let mut at = 0;
    for group in seen.chunk_by(same) {
        let digest = mix(group[0].key(), if alone { group[0].token() } else { 0 }, seed);
        if digest <= limit {
            groups.push((digest, at, group.len()));
        }
        at += group.len();
    }
    groups.sort_unstable();
    let mut chosen = Vec::with_capacity(most);
    for (_, at, n) in groups {
        if chosen.len() + n <= most {
            chosen.extend_from_slice(&seen[at..at + n]);
        }
    }
    chosen.sort_unstable();
    chosen
}

/// A number that a context (and token) decides and that follows neither their ids nor any key.
fn mix(key: u128, token: u32, seed: u64) -> u64 {
    // The finaliser of SplitMix64 (Steele et al. 2014), over each word in turn.
    let step = |state: u64, word: u64| {
        let mut x = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    [(key >> 64) as u64, key as u64, u64::from(token)].into_iter().fold(seed, step)
}

/// 32 bytes for decoy number `number`.
#[must_use]
pub fn material(seed: u64, number: usize) -> [u8; 32] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..].copy_from_slice(&(number as u64).to_le_bytes());
    blake3::derive_key("stillhunt 2026 decoy watermark key", &bytes)
}

/// What the decoys of one scheme and its parameters say of a corpus, whichever key is tested.
pub struct Reference {
    seen: Vec<Seen>,
    /// The law of the statistic over those windows.
    law: Law,
    /// The smallest ln p over the payloads, of each decoy.
    smallest: Vec<f64>,
    decoys: Decoys,
}

/// ln p-values of one decoy.
struct One {
    smallest: f64,
    plain: f64,
    randomised: f64,
    curve: Vec<f64>,
}

/// The smallest ln p over the payloads.
fn smallest(scored: &Scored, law: &Law) -> f64 {
    scored.tallies.iter().map(|tally| law.ln_p(tally.scored(), tally.statistic())).fold(0.0, f64::min)
}

/// Runs the decoys of a scheme: its own key is not used.
///
/// # Errors
/// Those of [`score`].
pub fn run(scheme: &dyn Scheme, corpus: &Corpus, scoring: Scoring<'_>, config: DecoyConfig) -> Result<Reference> {
    let by_cost = config.steps / (config.n.max(1) as f64 * scheme.traits().cost.max(1.0));
    let most = if config.n == 0 { 0 } else { config.windows.min((by_cost as usize).max(LEAST_WINDOWS)) };
    let seen = if most == 0 { Vec::new() } else { sample(corpus, most, config.seed) };
    let law = tally::law(scheme, corpus, &seen, scoring);
    if config.n == 0 || seen.is_empty() {
        return Ok(Reference { seen, law, smallest: Vec::new(), decoys: Decoys::none() });
    }
    let one = |number: usize| -> Result<One> {
        let decoy = scheme.with_key(&material(config.seed, number));
        let scored = score(decoy.as_ref(), corpus, &seen, scoring, None)?;
        let first = &scored.tallies[0];
        let (n, statistic) = (first.scored(), first.statistic());
        let u = mix(number as u128, u32::MAX, config.seed) as f64 / 2f64.powi(64);
        Ok(One {
            smallest: smallest(&scored, &law),
            plain: law.ln_p(n, statistic),
            randomised: law.ln_randomised(n, statistic, u),
            curve: first.curve().map(|(n, statistic)| law.ln_p(n, statistic)).collect(),
        })
    };
    let all: Vec<One> = (0..config.n).into_par_iter().map(one).collect::<Result<_>>()?;
    let mut plain: Vec<f64> = all.iter().map(|decoy| decoy.plain).collect();
    plain.sort_unstable_by(f64::total_cmp);
    let quantile = |sorted: &[f64], q: f64| sorted[(q * (sorted.len() - 1) as f64).round() as usize] * LOG10_E;
    let band = (0..super::tally::PARTS).map(|part| {
        let mut column: Vec<f64> = all.iter().map(|decoy| decoy.curve[part]).collect();
        column.sort_unstable_by(f64::total_cmp);
        (quantile(&column, 0.05), quantile(&column, 0.95))
    });
    let uniform: Vec<f64> = all.iter().map(|decoy| decoy.randomised).collect();
    // Of bounds, only too many small p-values count; those above one half say nothing (lists with few tokens left pile up there).
    let small: Vec<f64> = uniform.iter().map(|ln_p| if *ln_p > HALF { 0.0 } else { *ln_p }).collect();
    let uniformity = if law.one_sided() { stats::ln_too_small(&small) } else { stats::ln_uniformity(&uniform) };
    let decoys = Decoys {
        n: config.n,
        windows: seen.len(),
        rank_p: None,
        uniformity_p: Some(libm::exp(uniformity)),
        quantiles: Some([quantile(&plain, 0.05), quantile(&plain, 0.5), quantile(&plain, 0.95)]),
        band: band.collect(),
    };
    Ok(Reference { seen, law, smallest: all.iter().map(|decoy| decoy.smallest).collect(), decoys })
}

impl Reference {
    /// The decoys beside a key: its rank on the same windows.
    ///
    /// # Errors
    /// Those of [`score`].
    pub fn beside(&self, scheme: &dyn Scheme, corpus: &Corpus, scoring: Scoring<'_>) -> Result<Decoys> {
        let mut decoys = self.decoys.clone();
        if !self.smallest.is_empty() {
            let own = smallest(&score(scheme, corpus, &self.seen, scoring, None)?, &self.law);
            let at_most = self.smallest.iter().filter(|ln_p| **ln_p <= own).count();
            decoys.rank_p = Some((1 + at_most) as f64 / (self.smallest.len() + 1) as f64);
        }
        Ok(decoys)
    }
}

/// Fewest windows that decoys are run on, where there are so many.
const LEAST_WINDOWS: usize = 1000;
/// ln ½.
const HALF: f64 = -std::f64::consts::LN_2;
/// log10 e.
pub const LOG10_E: f64 = std::f64::consts::LOG10_E;
