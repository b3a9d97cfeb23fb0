//! Where the threshold of the judge comes from: the scores of unrelated prompts of real traffic.
//!
//! A rate for each pair means nothing by itself; what a user meets is unrelated neighbours for each prompt, rate × n. So the
//! threshold is the score at which that number, at the store's size and at the upper end of its 95% interval, is what was
//! asked for. *Unrelated* pairs come from different groups (accounts, or the sources that the user names) and share no run of
//! five words. Beyond the scores that were seen the tail is taken as exponential, fitted by maximum likelihood to the highest
//! [`TAIL`] of them; scores are bounded by 2.5, so the true tail is lighter and the threshold errs to the strict side.
//!
//! Weakness: a log full of coordinated copies without a common run of five words raises its own threshold; the highest pairs
//! are returned to be read. Do not use it on fewer than some thousand prompts of mixed origin.

use super::judge::{Judge, LEAST_SIMILARITY, Material, score};
use crate::index::{Hit, Vectors, exact};
use crate::stats;
use crate::text;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Scores that the tail is fitted to.
pub const TAIL: usize = 200;
/// Words of a run that makes two prompts related.
pub const RELATED_RUN: usize = 5;
/// Confidence of the intervals.
const LEVEL: f64 = 0.95;

/// Scores of unrelated pairs, as far as thresholds need them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// What was measured.
    pub source: String,
    /// Digest of the model that made the vectors, hex.
    pub model: String,
    /// Distinct prompts that queries were compared with.
    pub prompts: u64,
    /// Queries.
    pub queries: u64,
    /// Pairs of different groups that were compared.
    pub pairs: u64,
    /// Pairs left out because they share a run of five words.
    pub related: u64,
    /// Every unrelated pair of similarity 0.40 or more at or above this score is among `scores`; of lower ones nothing is known.
    /// Pairs of less similarity are never accepted.
    #[serde(default = "judged_from")]
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

/// Most scores kept.
const KEPT: usize = 20_000;
/// Scores below this are not looked at.
const JUDGED_FROM: f32 = 1.0;

fn judged_from() -> f32 {
    JUDGED_FROM
}

/// Compares `queries` (rows of `vectors`) with every prompt of another group.
///
/// * `prompts[i]` is the prompt of row i, `group[i]` its group.
/// * Returns the calibration and the twenty highest unrelated pairs, to be read by a person.
#[must_use]
pub fn measure(
    source: &str,
    model: &str,
    vectors: &Vectors,
    prompts: &[u32],
    group: &[u64],
    queries: &[u32],
    material: &dyn Material,
) -> (Calibration, Vec<Pair>) {
    let mut is_query = vec![false; prompts.len()];
    queries.iter().for_each(|&q| is_query[q as usize] = true);
    let pairs = n_pairs(group, queries, &is_query);
    let mut judged: Vec<Pair> = Vec::new();
    let (mut related, mut floor) = (0, JUDGED_FROM);
    // A block of queries at a time, so that the hits of all of them are never held at once.
    for block in queries.chunks(512) {
        let near = exact::search(vectors, &vectors.gather(block.iter().map(|&q| q as usize)), LEAST_SIMILARITY);
        let parts: Vec<(u64, Vec<Pair>)> = block
            .par_iter()
            .zip(near)
            .map_init(
                || Judge::new(material),
                |judge, (&q, hits)| {
                    // Two queries meet twice; the pair is the lower one's.
                    let hits: Vec<Hit> = hits.into_iter().filter(|h| !is_query[h.id as usize] || q < h.id).collect();
                    judge_one(judge, q, &hits, prompts, group, material)
                },
            )
            .collect();
        for (related_here, scored) in parts {
            related += related_here;
            judged.extend(scored);
        }
        judged.sort_by(|a, b| b.2.total_cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
        if judged.len() > KEPT {
            judged.truncate(KEPT);
            floor = judged[KEPT - 1].2;
        }
    }
    let scores = judged.iter().map(|pair| pair.2).collect();
    judged.truncate(20);
    let calibration = Calibration {
        source: source.into(),
        model: model.into(),
        prompts: prompts.len() as u64,
        queries: queries.len() as u64,
        pairs,
        related,
        floor,
        scores,
    };
    (calibration, judged)
}

/// Pairs of a query and another prompt of another group, each once.
fn n_pairs(group: &[u64], queries: &[u32], is_query: &[bool]) -> u64 {
    let (mut all, mut asked) = (HashMap::new(), HashMap::new());
    for (&group, &query) in group.iter().zip(is_query) {
        *all.entry(group).or_insert(0u64) += 1;
        *asked.entry(group).or_insert(0u64) += u64::from(query);
    }
    let (n, n_queries) = (group.len() as u64, queries.len() as u64);
    let of = |q: &u32| group[*q as usize];
    let ordered: u64 = queries.iter().map(|q| n - all[&of(q)]).sum();
    let among_queries: u64 = queries.iter().map(|q| n_queries - asked[&of(q)]).sum();
    ordered - among_queries / 2
}

fn judge_one(
    judge: &mut Judge<'_>,
    q: u32,
    hits: &[Hit],
    prompts: &[u32],
    group: &[u64],
    material: &dyn Material,
) -> (u64, Vec<Pair>) {
    let (mut related, mut scored) = (0, Vec::new());
    let (mut a, mut b) = (String::new(), String::new());
    let query = prompts[q as usize];
    material.folded(query, &mut a);
    for hit in hits.iter().filter(|hit| group[hit.id as usize] != group[q as usize]) {
        let other = prompts[hit.id as usize];
        let score = score(hit.similarity, judge.containment(query, other));
        // Only pairs that matter to a tail are worth the look for common runs.
        if score < JUDGED_FROM {
            continue;
        }
        material.folded(other, &mut b);
        if text::shares_run(&a, &b, RELATED_RUN) {
            related += 1;
        } else {
            scored.push((query, other, score));
        }
    }
    (related, scored)
}

impl Calibration {
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

    /// The same with at most `n` scores, of four decimals each: what is shipped.
    #[must_use]
    pub fn shortened(mut self, n: usize) -> Self {
        self.scores.iter_mut().for_each(|score| *score = (*score * 1e4).round() / 1e4);
        if self.scores.len() > n {
            self.scores.truncate(n);
            self.floor = self.scores.last().copied().unwrap_or(self.floor);
        }
        self
    }

    /// Unrelated neighbours for each prompt at a threshold, in a store of `n` distinct prompts.
    #[must_use]
    pub fn neighbours(&self, threshold: f64, n: u64) -> Rate {
        let rate = self.rate(threshold);
        let n = n as f64;
        Rate { point: rate.point * n, low: rate.low * n, high: rate.high * n, ..rate }
    }

    /// The lowest threshold (in steps of 0.001, between 1.5 and 2.45) at which the upper end of the interval of unrelated
    /// neighbours is at most `expected`; 2.45 where none is.
    #[must_use]
    pub fn threshold(&self, expected: f64, n: u64) -> f64 {
        let (mut low, mut high) = (1500u32, 2450u32);
        while low < high {
            let middle = low.midpoint(high);
            if self.neighbours(f64::from(middle) / 1000.0, n).high <= expected {
                high = middle
            } else {
                low = middle + 1
            }
        }
        f64::from(low) / 1000.0
    }

    /// The score that one unrelated pair in `1 / rate` reaches, by the best estimate: the bound on a family's diameter is
    /// taken so. In steps of 0.001, between 1 and 2.45.
    #[must_use]
    pub fn score_at_rate(&self, rate: f64) -> f64 {
        let (mut low, mut high) = (1000u32, 2450u32);
        while low < high {
            let middle = low.midpoint(high);
            if self.rate(f64::from(middle) / 1000.0).point <= rate { high = middle } else { low = middle + 1 }
        }
        f64::from(low) / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    /// Scores whose tail is exponential by construction: rate(s) = 10⁻³ · e^(−(s − 1)/0.1).
    fn exponential(pairs: u64, seed: u64) -> Calibration {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let n = (pairs as f64 * 1e-3) as usize;
        let mut scores: Vec<f32> = (0..n).map(|_| (1.0 - 0.1 * rng.random::<f64>().ln()) as f32).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        let word = String::new();
        let (source, model) = (word.clone(), word);
        Calibration { source, model, prompts: 0, queries: 0, pairs, related: 0, floor: 1.0, scores }
    }

    fn truth(at: f64) -> f64 {
        1e-3 * (-(at - 1.0) / 0.1).exp()
    }

    #[test]
    fn intervals_cover_the_true_rate_inside_and_beyond_the_data() {
        let (mut inside, mut beyond) = (0, 0);
        let runs = 400;
        for seed in 0..runs {
            let calibration = exponential(2_000_000, seed);
            let holds = |at: f64| {
                let rate = calibration.rate(at);
                rate.low <= truth(at) && truth(at) <= rate.high
            };
            inside += u32::from(holds(1.1));
            beyond += u32::from(holds(1.9) && calibration.rate(1.9).extrapolated);
        }
        // 95% intervals: out of 400 runs at least 366 hold with probability 0.999 (binomial).
        assert!(inside >= 366, "{inside}");
        // The tail's interval takes both of its ends at their extremes at once, so it holds at least as often.
        assert!(beyond >= 366, "{beyond}");
    }

    #[test]
    fn a_threshold_bounds_the_neighbours_it_was_asked_for() {
        let calibration = exponential(2_000_000, 1);
        let mut last = 0.0;
        for n in [10_000, 100_000, 1_000_000] {
            let threshold = calibration.threshold(0.01, n);
            assert!(truth(threshold) * n as f64 <= 0.01 && threshold > last, "{threshold} at {n}");
            assert!(calibration.neighbours(threshold - 0.002, n).high > 0.01, "not stricter than needed");
            last = threshold;
        }
        assert!((calibration.score_at_rate(1e-4) - 1.23).abs() < 0.02);
    }

    #[test]
    fn a_shortened_list_answers_the_same_above_its_floor_and_nothing_below() {
        let whole = exponential(2_000_000, 2);
        let short = whole.clone().shortened(500);
        assert!(short.scores.len() == 500 && short.floor > 1.1);
        for at in [1.2, 1.5, 1.9] {
            let (a, b) = (whole.rate(at), short.rate(at));
            assert!((a.point / b.point - 1.0).abs() < 0.01, "{at}: {a:?} {b:?}");
        }
        assert!(short.rate(1.05).high >= 1.0, "no rate is claimed where scores were dropped");
        // Without the floor this would be the lowest score there is.
        assert!((short.score_at_rate(1e-3) - f64::from(short.floor)).abs() < 0.002);
        assert_eq!(short.threshold(0.01, 1_000_000), whole.clone().shortened(usize::MAX).threshold(0.01, 1_000_000));
    }

    #[test]
    fn a_pair_of_two_queries_counts_once() {
        // Groups of 2, 3 and 1; rows 0, 2 and 5 ask. Pairs between groups: 0 with 2..6 (4), 2 with 1 and 5 (0 had it) (2), 5
        // with the rest but 0 and 2 (3).
        let group = [0, 0, 1, 1, 1, 2];
        let queries = [0, 2, 5];
        let is_query = [true, false, true, false, false, true];
        assert_eq!(n_pairs(&group, &queries, &is_query), 9);
    }
}
