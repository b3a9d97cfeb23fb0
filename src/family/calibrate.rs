//! Where the threshold of the judge comes from: the scores of unrelated prompts of real traffic, for every two classes of length.
//!
//! A rate for each pair means nothing by itself; what a user meets is unrelated neighbours for each prompt, rate × n. So the
//! threshold is the score at which that number, at the store's size and at the upper end of its 95% interval, is what was
//! asked for: **for the prompts of each length class**, among all prompts that the store has of each class.
//! *Unrelated* pairs come from different groups (accounts, or the sources that the user names) and share less than
//! [`RELATED_SHARE`] of the runs of five words of the shorter text; of up to some fifty words that is no run at all. Beyond the
//! scores that were seen the tail is taken as exponential, fitted by maximum likelihood to the highest [`TAIL`] of them; scores are
//! bounded by 2.65, so the true tail is lighter and the threshold errs to the strict side.
//!
//! Weakness: a log full of coordinated copies without a common run of five words raises its own threshold; the highest pairs
//! are returned to be read. Classes of which fewer than [`LEAST_PAIRS`] pairs were compared are not calibrated. Do not use it on fewer
//! than some thousand prompts of mixed origin.

use super::judge::{Judge, LEAST_SIMILARITY, Material, RULE_VERSION, score};
use super::length::{LENGTHS, Lengths, Thresholds};
use crate::index::{Hit, Vectors, exact};
use crate::stats;
use crate::text;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Scores that the tail is fitted to.
pub const TAIL: usize = 200;
/// Words of a run that makes two short prompts related.
pub const RELATED_RUN: usize = 5;
/// Share of the shorter text's runs that makes two prompts related: a long text quotes and repeats phrases.
pub const RELATED_SHARE: f64 = 0.02;
/// Pairs from which on a pair of length classes is calibrated.
pub const LEAST_PAIRS: u64 = 50_000;
/// The lowest threshold of two texts of the shortest class.
const LEAST_OF_SHORT: f64 = 1.5;
/// The lowest threshold where one of two texts is longer. Unrelated ones score far less; what scores between is alike in task and
/// style, such as functions of one exercise set, and families would gather it (precision of the families of edited copies on the
/// development half, `benches/record/quality-edits-dev.md`).
pub const LEAST_OF_LONGER: f64 = 1.8;
/// Confidence of the intervals.
const LEVEL: f64 = 0.95;

/// Scores of unrelated pairs, as far as thresholds need them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// What was measured.
    pub source: String,
    /// Digest of the model that made the vectors, hex.
    pub model: String,
    /// Version of the judge's rule that scored them.
    #[serde(default)]
    pub rule: u32,
    /// Distinct prompts that queries were compared with.
    pub prompts: u64,
    /// Queries.
    pub queries: u64,
    /// Scores of every two length classes that pairs were compared of, the shorter class first.
    #[serde(default)]
    pub classes: Vec<Scores>,
}

/// Scores of the unrelated pairs of two length classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Class of the shorter text, an index into [`LENGTHS`].
    pub shorter: usize,
    /// Class of the longer one.
    pub longer: usize,
    /// Pairs of different groups that were compared.
    pub pairs: u64,
    /// Pairs among the highest that were left out because they are related.
    pub related: u64,
    /// Every unrelated pair of similarity 0.40 or more at or above this score is among `scores`; of lower ones nothing is known.
    /// Pairs of less similarity are never accepted.
    pub floor: f32,
    /// The highest scores of unrelated pairs, highest first: at most 20,000.
    pub scores: Vec<f32>,
}

/// A rate with the ends of its 95% interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// Best estimate.
    pub point: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Whether it lies beyond the scores that were seen.
    pub extrapolated: bool,
}

/// A pair to be read: (query, other, score).
pub type Pair = (u32, u32, f32);

/// Most scores kept of two classes.
const KEPT: usize = 20_000;
/// The highest pairs of two classes that are returned to be read.
const READ: usize = 20;
/// Pairs of classes, the shorter one first.
const CLASS_PAIRS: usize = LENGTHS.len() * LENGTHS.len();

fn class_pair(a: usize, b: usize) -> usize {
    a.min(b) * LENGTHS.len() + a.max(b)
}

/// What the prompts are that are compared: `prompts[i]` is the prompt of row i, `group[i]` its group, `class[i]` its length class.
#[derive(Clone, Copy)]
pub struct Compared<'a> {
    /// Prompts by row.
    pub prompts: &'a [u32],
    /// Their groups.
    pub group: &'a [u64],
    /// Their length classes.
    pub class: &'a [usize],
}

/// Compares `queries` (rows of `vectors`) with every prompt of another group.
///
/// Returns the calibration and the twenty highest unrelated pairs of each pair of classes, to be read by a person.
#[must_use]
pub fn measure(
    source: &str,
    model: &str,
    vectors: &Vectors,
    compared: &Compared<'_>,
    queries: &[u32],
    material: &dyn Material,
) -> (Calibration, Vec<Pair>) {
    let mut is_query = vec![false; compared.prompts.len()];
    queries.iter().for_each(|&q| is_query[q as usize] = true);
    let pairs = n_pairs(compared, queries, &is_query);
    let mut judged: Vec<Vec<Pair>> = vec![Vec::new(); CLASS_PAIRS];
    let (mut related, mut floors) = ([0; CLASS_PAIRS], [LEAST_SIMILARITY; CLASS_PAIRS]);
    // A block of queries at a time, so that the hits of all of them are never held at once.
    for block in queries.chunks(512) {
        let near = exact::search(vectors, &vectors.gather(block.iter().map(|&q| q as usize)), LEAST_SIMILARITY);
        let parts: Vec<Vec<(usize, Option<Pair>)>> = block
            .par_iter()
            .zip(near)
            .map_init(
                || Judge::new(material),
                |judge, (&q, hits)| {
                    // Two queries meet twice; the pair is the lower one's.
                    let hits: Vec<Hit> = hits.into_iter().filter(|h| !is_query[h.id as usize] || q < h.id).collect();
                    judge_one(judge, q, &hits, compared, &floors, material)
                },
            )
            .collect();
        for (classes, pair) in parts.into_iter().flatten() {
            match pair {
                Some(pair) => judged[classes].push(pair),
                None => related[classes] += 1,
            }
        }
        for (judged, floor) in judged.iter_mut().zip(&mut floors).filter(|(judged, _)| judged.len() > KEPT) {
            order(judged);
            judged.truncate(KEPT);
            *floor = judged[KEPT - 1].2;
        }
    }
    judged.iter_mut().for_each(|pairs| order(pairs));
    let scores = |classes: usize| Scores {
        shorter: classes / LENGTHS.len(),
        longer: classes % LENGTHS.len(),
        pairs: pairs[classes],
        related: related[classes],
        floor: floors[classes],
        scores: judged[classes].iter().map(|pair| pair.2).collect(),
    };
    let calibration = Calibration {
        source: source.into(),
        model: model.into(),
        rule: RULE_VERSION,
        prompts: compared.prompts.len() as u64,
        queries: queries.len() as u64,
        classes: (0..CLASS_PAIRS).filter(|&classes| pairs[classes] > 0).map(scores).collect(),
    };
    let mut highest: Vec<Pair> = judged.iter().flat_map(|judged| judged.iter().take(READ).copied()).collect();
    order(&mut highest);
    (calibration, highest)
}

fn order(pairs: &mut [Pair]) {
    pairs.sort_by(|a, b| b.2.total_cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
}

/// Pairs of a query and another prompt of another group, each once, by their classes.
fn n_pairs(compared: &Compared<'_>, queries: &[u32], is_query: &[bool]) -> [u64; CLASS_PAIRS] {
    let Compared { group, class, .. } = *compared;
    const N: usize = LENGTHS.len();
    // Prompts and queries of each class, in all and of each group.
    let mut all = [[0u64; N]; 2];
    let mut of_group: HashMap<u64, [[u64; N]; 2]> = HashMap::new();
    for ((&group, &class), &query) in group.iter().zip(class).zip(is_query) {
        for counts in [&mut all, of_group.entry(group).or_default()] {
            counts[0][class] += 1;
            counts[1][class] += u64::from(query);
        }
    }
    let (mut ordered, mut among_queries) = ([[0u64; N]; N], [[0u64; N]; N]);
    for &q in queries {
        let own = of_group[&group[q as usize]];
        for other in 0..N {
            ordered[class[q as usize]][other] += all[0][other] - own[0][other];
            among_queries[class[q as usize]][other] += all[1][other] - own[1][other];
        }
    }
    let mut out = [0; CLASS_PAIRS];
    for a in 0..N {
        out[class_pair(a, a)] = ordered[a][a] - among_queries[a][a] / 2;
        for b in a + 1..N {
            out[class_pair(a, b)] = ordered[a][b] + ordered[b][a] - among_queries[a][b];
        }
    }
    out
}

/// Pairs of one query that reach the floor of their classes; `None` in place of one that is related.
fn judge_one(
    judge: &mut Judge<'_>,
    q: u32,
    hits: &[Hit],
    compared: &Compared<'_>,
    floors: &[f32; CLASS_PAIRS],
    material: &dyn Material,
) -> Vec<(usize, Option<Pair>)> {
    let Compared { prompts, group, class } = *compared;
    let mut scored = Vec::new();
    let (mut a, mut b) = (String::new(), String::new());
    let query = prompts[q as usize];
    material.folded(query, &mut a);
    for hit in hits.iter().filter(|hit| group[hit.id as usize] != group[q as usize]) {
        let other = prompts[hit.id as usize];
        let classes = class_pair(class[q as usize], class[hit.id as usize]);
        let score = score(hit.similarity, judge.overlap(query, other));
        // Only pairs that matter to a tail are worth the look for common runs.
        if score < floors[classes] {
            continue;
        }
        material.folded(other, &mut b);
        let is_related = text::run_share(&a, &b, RELATED_RUN) >= RELATED_SHARE;
        scored.push((classes, (!is_related).then_some((query, other, score))));
    }
    scored
}

/// The lowest score (in steps of 0.001, from `from` to 2.45) of which `holds` is true, as it is of all higher ones; 2.45 where it is of
/// none.
fn lowest(from: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = ((from * 1e3).round() as u32, 2450u32);
    while low < high {
        let middle = low.midpoint(high);
        if holds(f64::from(middle) / 1000.0) { high = middle } else { low = middle + 1 }
    }
    f64::from(low) / 1000.0
}

impl Scores {
    /// Whether enough pairs were compared to say anything.
    #[must_use]
    pub fn is_calibrated(&self) -> bool {
        self.pairs >= LEAST_PAIRS
    }

    /// Share of unrelated pairs whose score reaches `at`.
    ///
    /// * Exact Poisson interval where at least [`TAIL`] scores lie above; else the exponential tail, its scale at the ends of
    ///   its own interval (a sum of exponentials is a gamma; the normal approximation to it at 200 terms errs by under 1%).
    /// * Below the floor only the lower end is known; the others are 1.
    #[must_use]
    pub fn rate(&self, at: f64) -> Rate {
        let share = |count: f64| count / self.pairs.max(1) as f64;
        let above = self.scores.partition_point(|&score| f64::from(score) >= at);
        if at < f64::from(self.floor) {
            let (low, _) = stats::poisson_interval(above as u64, LEVEL);
            return Rate { point: 1.0, low: share(low), high: 1.0, extrapolated: true };
        }
        let tail = TAIL.min(self.scores.len() / 2);
        if above > tail || tail == 0 {
            let (low, high) = stats::poisson_interval(above as u64, LEVEL);
            return Rate { point: share(above as f64), low: share(low), high: share(high), extrapolated: false };
        }
        let start = f64::from(self.scores[tail]);
        let excess = self.scores[..tail].iter().map(|&score| f64::from(score) - start).sum::<f64>() / tail as f64;
        let at = |scale: f64, count: f64| share(count) * libm::exp(-(at - start).max(0.0) / scale);
        let spread = 1.96 / libm::sqrt(tail as f64);
        let (low, high) = stats::poisson_interval(tail as u64, LEVEL);
        Rate {
            point: at(excess, tail as f64),
            low: at(excess * (1.0 - spread), low),
            high: at(excess * (1.0 + spread), high),
            extrapolated: true,
        }
    }

    /// The lowest threshold that these lengths may have.
    fn least(&self) -> f64 {
        if self.longer == 0 { LEAST_OF_SHORT } else { LEAST_OF_LONGER }
    }

    /// The lowest threshold, from the least of these lengths on, at which the upper end of the interval of unrelated neighbours is at most `expected` in a store
    /// of `n` distinct prompts of this class.
    #[must_use]
    pub fn threshold(&self, expected: f64, n: u64) -> f64 {
        lowest(self.least(), |at| self.rate(at).high * n as f64 <= expected)
    }

    /// The score, from 0.5 on, that one unrelated pair in `1 / rate` reaches, by the best estimate.
    #[must_use]
    pub fn score_at_rate(&self, rate: f64) -> f64 {
        lowest(0.5, |at| self.rate(at).point <= rate)
    }
}

impl Calibration {
    /// The scores of two length classes, where enough pairs of them were compared.
    #[must_use]
    pub fn of(&self, a: usize, b: usize) -> Option<&Scores> {
        self.calibrated().find(|scores| (scores.shorter, scores.longer) == (a.min(b), a.max(b)))
    }

    fn calibrated(&self) -> impl Iterator<Item = &Scores> {
        self.classes.iter().filter(|scores| scores.is_calibrated())
    }

    /// Takes from `other` the pairs of classes that are not calibrated here.
    #[must_use]
    pub fn completed_from(mut self, other: &Self) -> Self {
        self.classes.retain(Scores::is_calibrated);
        let lacking = other.calibrated().filter(|scores| self.of(scores.shorter, scores.longer).is_none());
        let lacking: Vec<Scores> = lacking.cloned().collect();
        self.classes.extend(lacking);
        self.classes.sort_by_key(|scores| (scores.shorter, scores.longer));
        self
    }

    /// The same with at most `n` scores of the shortest class with itself and a quarter of that of each other pair, of four decimals each:
    /// what is shipped.
    #[must_use]
    pub fn shortened(mut self, n: usize) -> Self {
        for class in &mut self.classes {
            let n = if class.longer == 0 { n } else { n / 4 };
            class.scores.iter_mut().for_each(|score| *score = (*score * 1e4).round() / 1e4);
            if class.scores.len() > n {
                class.scores.truncate(n);
                class.floor = class.scores.last().copied().unwrap_or(class.floor);
            }
        }
        self
    }

    /// Unrelated neighbours of a prompt of length class `class` in a store that has `prompts[c]` distinct prompts of each class c.
    /// Pairs of classes that are not calibrated count nothing; ask [`of`](Self::of) for those.
    #[must_use]
    pub fn neighbours(&self, thresholds: &Thresholds, class: usize, prompts: &Lengths) -> Rate {
        let mut sum = Rate { point: 0.0, low: 0.0, high: 0.0, extrapolated: false };
        for (other, &n) in prompts.iter().enumerate().filter(|(_, n)| **n > 0) {
            let Some(scores) = self.of(class, other) else { continue };
            // Thresholds have three decimals; without rounding the nearest float may lie below.
            let at = (f64::from(thresholds[class][other]) * 1e3).round() / 1e3;
            let (rate, n) = (scores.rate(at), n as f64);
            sum.point += rate.point * n;
            sum.low += rate.low * n;
            sum.high += rate.high * n;
            sum.extrapolated |= rate.extrapolated;
        }
        sum
    }

    /// Thresholds (in steps of 0.001, between 1.5 and 2.45) that keep the unrelated neighbours of a prompt at or below `expected`, at the
    /// upper end of the interval, for the prompts of every length class, in a store that has `prompts[c]` distinct prompts of each class
    /// c; 2.45 where nothing is calibrated.
    ///
    /// One threshold for all lengths takes 98% of what is allowed. Two classes of which it would let pass far fewer have the lowest
    /// one, from [`LEAST_OF_LONGER`] on, at which they take the other 2%, as if the whole store were of these lengths: so all of them
    /// together take no more.
    #[must_use]
    pub fn thresholds(&self, expected: f64, prompts: &Lengths) -> Thresholds {
        if self.calibrated().next().is_none() {
            return [[2.45; LENGTHS.len()]; LENGTHS.len()];
        }
        let present: Vec<usize> = (0..LENGTHS.len()).filter(|&class| prompts[class] > 0).collect();
        let all = lowest(LEAST_OF_SHORT, |at| {
            let uniform = [[at as f32; LENGTHS.len()]; LENGTHS.len()];
            present.iter().all(|&class| self.neighbours(&uniform, class, prompts).high <= 0.98 * expected)
        });
        let n = prompts.iter().sum();
        let mut out = [[all as f32; LENGTHS.len()]; LENGTHS.len()];
        for scores in self.calibrated() {
            let own = scores.threshold(0.02 * expected, n).min(all.max(scores.least()));
            let own = own as f32;
            (out[scores.shorter][scores.longer], out[scores.longer][scores.shorter]) = (own, own);
        }
        out
    }

    /// The score that at most one unrelated pair in `1 / rate` reaches in every pair of classes, by the best estimate: the bound on a
    /// family's diameter is taken so.
    #[must_use]
    pub fn score_at_rate(&self, rate: f64) -> f64 {
        self.calibrated().map(|scores| scores.score_at_rate(rate)).reduce(f64::max).unwrap_or(2.45)
    }
}

#[cfg(test)]
mod tests;
