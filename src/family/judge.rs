//! The judge of near-duplicates: **two prompts are near-duplicates when most of the shorter one stands in the other, in runs so long
//! that unrelated texts of their length do not share them.**
//!
//! The similarity of vectors finds; the text decides: similarity + 1.5 × containment + 0.15 × ratio of the lengths against a threshold.
//! Containment is the share of the shorter text's grams that the other has too, and a gram is the longer, the longer the texts are
//! ([`crate::text::gram_units`]), so that unrelated texts score no more at 60,000 characters than at 60. The threshold is calibrated for
//! every two classes of length. The similarity alone would keep 67% of edited copies at one
//! false pair in a million, the sum some 96%, on held-out prompts; neither Jaccard nor weighting by document frequency does better.
//!
//! Weakness: a short text inside a longer one is contained, whatever the longer one asks; trivial texts are therefore kept
//! out of near-duplicate families, and every member is also held against its family's leader.

use super::length::{LENGTHS, Thresholds, length_class};
use crate::text::{Grams, Overlap, Sketch, gram_units, ratio};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Version of the rule, recorded with each family that it makes. 1 counted grams of four characters at every length, which
/// any two long texts of a language share; 2 lets grams grow with the texts.
pub const RULE_VERSION: u32 = 2;

/// Weight of containment in the score.
pub const CONTAINMENT_WEIGHT: f32 = 1.5;

/// Least similarity of a pair that is accepted: thresholds are measured on pairs from here on, so nothing is known below.
pub const LEAST_SIMILARITY: f32 = 0.40;

/// Weight of the ratio of lengths: of two short texts a stock phrase inside a longer one is contained as much as an edited copy is, and
/// the copy is as long as its original (`benches/record/quality-grams.md`).
pub const RATIO_WEIGHT: f32 = 0.15;

/// What a pair's score can be above its similarity.
pub const MOST_BY_TEXT: f32 = CONTAINMENT_WEIGHT + RATIO_WEIGHT;

/// Score of a pair, in [−1, 2.65]: higher is nearer.
#[must_use]
pub fn score(similarity: f32, overlap: Overlap) -> f32 {
    similarity + CONTAINMENT_WEIGHT * overlap.containment + RATIO_WEIGHT * overlap.ratio
}

/// When two prompts are near-duplicates, and when a family stays together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// A pair is accepted when its score is at least that of the length classes of its texts.
    pub thresholds: Thresholds,
    /// A member's score with the leader of its family is at least this, so that no chain of pairs drifts away.
    pub diameter: f32,
    /// Least similarity of a candidate.
    pub floor: f32,
    /// Least similarity of two windows of long prompts that makes a candidate.
    pub window_floor: f32,
}

/// Most candidates of a prompt that are judged: the nearest ones.
pub const MAX_CANDIDATES: usize = 64;

impl Rule {
    /// The rule with these thresholds for a store of `n` distinct prompts.
    ///
    /// The floor rises with n, so that the candidates of a prompt stay few: it is the lowest at which unrelated prompts give
    /// at most 40 of them, by the share of unrelated pairs of held-out prompts that pass each floor. It is never so high that
    /// full containment could not reach the threshold.
    #[must_use]
    pub fn new(thresholds: Thresholds, diameter: f32, n: u64) -> Self {
        /// (floor, share of unrelated pairs that pass).
        const PASS: [(f32, f64); 7] = [
            (LEAST_SIMILARITY, 2.0e-3),
            (0.45, 1.2e-3),
            (0.50, 6.8e-4),
            (0.55, 3.7e-4),
            (0.60, 1.9e-4),
            (0.65, 9.1e-5),
            (0.70, 3.8e-5),
        ];
        let at_scale = PASS.iter().find(|(_, share)| share * n as f64 <= 40.0).map_or(0.65, |(floor, _)| *floor);
        let needed = (lowest(&thresholds) - MOST_BY_TEXT).max(PASS[0].0);
        Self { thresholds, diameter, floor: at_scale.min(0.65).max(needed), window_floor: 0.80 }
    }
}

/// The lowest of the thresholds.
fn lowest(thresholds: &Thresholds) -> f32 {
    thresholds.iter().flatten().copied().fold(f32::INFINITY, f32::min)
}

impl Rule {
    /// One threshold for every length.
    #[must_use]
    pub fn uniform(threshold: f32) -> Thresholds {
        [[threshold; LENGTHS.len()]; LENGTHS.len()]
    }

    /// The threshold of two folded texts of so many bytes.
    #[must_use]
    pub fn threshold(&self, a: usize, b: usize) -> f32 {
        self.thresholds[length_class(a)][length_class(b)]
    }

    /// The highest threshold: that of two short texts.
    #[must_use]
    pub fn highest(&self) -> f32 {
        self.thresholds.iter().flatten().copied().fold(0.0, f32::max)
    }

    /// Least similarity of a pair that some threshold accepts: below it not even full containment reaches one, or nothing is accepted at
    /// all.
    #[must_use]
    pub fn least_similarity(&self) -> f32 {
        (lowest(&self.thresholds) - MOST_BY_TEXT).max(LEAST_SIMILARITY)
    }

    /// Whether a pair of this similarity and score, of texts of so many bytes, is one of near-duplicates.
    #[must_use]
    pub fn accepts(&self, similarity: f32, score: f32, (a, b): (usize, usize)) -> bool {
        similarity >= LEAST_SIMILARITY && score >= self.threshold(a, b)
    }
}

/// What the judge reads.
pub trait Material: Sync {
    /// Writes the folded text of a prompt into `out`, which is cleared first.
    fn folded(&self, prompt: u32, out: &mut String);
    /// Similarity of two prompts by their whole-text vectors; `None` where one has no vector.
    fn similarity(&self, a: u32, b: u32) -> Option<f32>;
    /// Members of a family of earlier nights.
    fn members(&self, family: u32) -> Vec<u32>;
}

/// Sketches of the prompts that are judged, made when first asked for and shared by the judges of all threads: a pair whose sketches
/// differ too much is refused without reading a text.
pub struct Sketches([Mutex<HashMap<u32, Arc<Sketch>>>; SHARDS]);

/// Parts of the sketches, so that threads seldom wait for each other.
const SHARDS: usize = 64;

impl Default for Sketches {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Sketches {
    /// The sketch of a prompt, which `make` makes where it is not there yet.
    fn of(&self, prompt: u32, make: impl FnOnce() -> Sketch) -> Arc<Sketch> {
        let shard = || self.0[prompt as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sketch) = shard().get(&prompt) {
            return Arc::clone(sketch);
        }
        // Not under the lock: two threads may make the same one, and one of the two stays.
        let made = Arc::new(make());
        Arc::clone(shard().entry(prompt).or_insert(made))
    }
}

/// Units of grams from which on the shorter text's sketch is made again to fit a longer one: below, reading both costs no more.
const SKETCHED_AGAIN: usize = 11;

/// Judges one prompt against others: the table of its grams is made once.
pub struct Judge<'a> {
    material: &'a dyn Material,
    sketches: Option<&'a Sketches>,
    grams: Grams,
    of: Option<u32>,
    /// A prompt's sketch in longer grams than its own, used again while longer texts are held against it.
    again: Option<(u32, Sketch)>,
    text: String,
}

impl<'a> Judge<'a> {
    /// A judge over this material.
    #[must_use]
    pub fn new(material: &'a dyn Material) -> Self {
        Self { material, sketches: None, grams: Grams::new(), of: None, again: None, text: String::new() }
    }

    /// A judge that refuses by sketches first. What it accepts, and how it scores, is the same, but for a pair of long texts in
    /// 10⁹.
    #[must_use]
    pub fn with_sketches(material: &'a dyn Material, sketches: &'a Sketches) -> Self {
        Self { sketches: Some(sketches), ..Self::new(material) }
    }

    /// What the texts of two prompts have in common.
    pub fn overlap(&mut self, a: u32, b: u32) -> Overlap {
        if self.of != Some(a) {
            self.material.folded(a, &mut self.text);
            self.grams.set(&self.text);
            self.of = Some(a);
        }
        let sketch = self.sketch(b);
        self.material.folded(b, &mut self.text);
        match sketch {
            Some(sketch) => self.grams.overlap_with(&self.text, &sketch),
            None => self.grams.overlap(&self.text),
        }
    }

    fn sketch(&mut self, prompt: u32) -> Option<Arc<Sketch>> {
        let Self { sketches, material, grams, text, .. } = self;
        let make = || {
            material.folded(prompt, text);
            grams.sketch(text, gram_units(text.len()))
        };
        Some((*sketches)?.of(prompt, make))
    }

    /// Whether the sketches of two prompts show that a pair of this similarity scores below `least`.
    fn refuses(&mut self, a: u32, b: u32, similarity: f32, least: f32) -> bool {
        let (Some(of_a), Some(of_b)) = (self.sketch(a), self.sketch(b)) else { return false };
        // A little less than is needed, so that rounding refuses nothing.
        let by_text = least - similarity - RATIO_WEIGHT * ratio(of_a.bytes(), of_b.bytes());
        let least = by_text / CONTAINMENT_WEIGHT - 1e-4;
        let (short, of_short, of_long) =
            if of_a.units() <= of_b.units() { (a, &of_a, &of_b) } else { (b, &of_b, &of_a) };
        if of_short.units() == of_long.units() {
            return of_short.refuses(of_long, least);
        }
        if of_long.units() < SKETCHED_AGAIN {
            return false;
        }
        let fits = |(prompt, sketch): &(u32, Sketch)| *prompt == short && sketch.units() == of_long.units();
        if !self.again.as_ref().is_some_and(fits) {
            self.material.folded(short, &mut self.text);
            self.again = Some((short, self.grams.sketch(&self.text, of_long.units())));
        }
        self.again.as_ref().is_some_and(|(_, sketch)| sketch.refuses(of_long, least))
    }

    /// Score of a pair of this similarity, where the rule accepts it.
    pub fn accepted(&mut self, a: u32, b: u32, similarity: f32, rule: &Rule) -> Option<f32> {
        if similarity < LEAST_SIMILARITY {
            return None;
        }
        let bytes = |judge: &mut Self, prompt| match judge.sketch(prompt) {
            Some(sketch) => sketch.bytes(),
            None => {
                judge.material.folded(prompt, &mut judge.text);
                judge.text.len()
            }
        };
        let least = rule.threshold(bytes(self, a), bytes(self, b));
        self.score_from(a, b, similarity, least)
    }

    /// Score of a pair of this similarity, where it is at least `least`.
    pub fn score_from(&mut self, a: u32, b: u32, similarity: f32, least: f32) -> Option<f32> {
        if self.refuses(a, b, similarity, least) {
            return None;
        }
        Some(score(similarity, self.overlap(a, b))).filter(|score| *score >= least)
    }

    /// Score of the pair; `None` where one has no vector, for such a text resembles nothing.
    pub fn score(&mut self, a: u32, b: u32) -> Option<f32> {
        let similarity = self.material.similarity(a, b)?;
        Some(score(similarity, self.overlap(a, b)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_rises_with_the_store_and_never_excludes_what_could_pass() {
        let floor = |n| Rule::new(Rule::uniform(1.9), 1.3, n).floor;
        assert_eq!((floor(1_000), floor(20_000), floor(50_000), floor(1_000_000)), (0.40, 0.40, 0.50, 0.65));
        assert!(Rule::new(Rule::uniform(2.4), 1.3, 1_000).floor > 0.69, "a pair below it cannot reach the threshold");
    }
}
