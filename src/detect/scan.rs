//! Where in one document is the evidence? The values of its scored windows → the spans that tell most, each with a bound for having looked.
//!
//! # The test
//! *Null hypothesis*: the tokens of the span were chosen without knowledge of the key. A *span* is a run of scored windows. Looked at are the
//! whole document, and runs of 16, 24, 32, 48, 64, 96 … windows, one beginning every eighth or twelfth part of the length
//! ([`lengths`]), so that any run of 16 windows or more shares four fifths with one of them: windows of both, over windows of either.
//!
//! The statistic of a span is the scheme's own over its windows, and its p the tail of the scheme's own law ([`Law`]): each window of a
//! corpus is scored once, so a span of n windows has the law of n windows, whichever they are. Each length has the same share of the error, and each place
//! of a length the same share of that (a union bound with weights): the p of a span, times the lengths, times the places of its length, is at
//! least the probability that any span of a text without the mark comes to as little. The least of them is the p of the document.
//!
//! Weakness: spans overlap, so the bound is some ten times the probability itself; ends are known to about a tenth of the
//! length. Source: weights by length as in Dümbgen and Spokoiny 2001 ("Multiscale testing of qualitative hypotheses") and Walther 2010
//! ("Optimal and fast detection of spatial clusters with scan statistics"), whose sparse grids of intervals these are. Guarantee: some
//! two sums a window, whatever the length of the document, and a tail for each length; one order of sums on every machine.

use super::p_value::Law;

/// Windows of the shortest span that is looked at, where the document has more.
pub const SHORTEST: usize = 16;
/// Most spans that are told of one document.
pub const MOST_SPANS: usize = 16;

/// The spans of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// Windows of a span.
    pub len: usize,
    /// How far apart spans begin; the last one ends where the document ends.
    pub step: usize,
    /// How many there are.
    pub places: usize,
}

impl Length {
    /// Where span number `at` begins in a document of `m` windows.
    fn begin(&self, at: usize, m: usize) -> usize {
        (at * self.step).min(m - self.len)
    }
}

/// The lengths that are looked at in a document of `m` windows, the whole document first; none where it has no window.
#[must_use]
pub fn lengths(m: usize) -> Vec<Length> {
    if m == 0 {
        return Vec::new();
    }
    let mut all = vec![Length { len: m, step: m, places: 1 }];
    let mut base = SHORTEST;
    while base < m {
        for len in [base, base + base / 2].into_iter().filter(|len| *len < m) {
            let step = base / 8;
            all.push(Length { len, step, places: (m - len).div_ceil(step) + 1 });
        }
        base *= 2;
    }
    all
}

/// A span that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Its first scored window, by its number in the document.
    pub first: usize,
    /// The one after its last.
    pub past: usize,
    /// Statistic of its windows.
    pub statistic: f64,
    /// ln p of the span alone.
    pub ln_p: f64,
    /// ln of what the p is multiplied by, for all spans of the document that were looked at.
    pub ln_looked: f64,
}

impl Span {
    /// ln p with the bound for having looked, at most 0.
    #[must_use]
    pub fn ln_bound(&self) -> f64 {
        (self.ln_p + self.ln_looked).min(0.0)
    }
}

/// The span of least bound among those that meet none of `taken`; where several are alike, the longest and then the first. None where
/// no span has more than its law expects.
fn best(values: &[f64], sums: &[f64], law: &Law, lengths: &[Length], taken: &[Span]) -> Option<Span> {
    let m = values.len();
    let mut found: Option<Span> = None;
    for length in lengths {
        let mut most: Option<(f64, usize)> = None;
        for at in 0..length.places {
            let first = length.begin(at, m);
            let past = first + length.len;
            if taken.iter().any(|span| first < span.past && span.first < past) {
                continue;
            }
            let sum = sums[past] - sums[first];
            if most.is_none_or(|(most, _)| sum > most) {
                most = Some((sum, first));
            }
        }
        let Some((_, first)) = most else { continue };
        let past = first + length.len;
        // All spans of a length have one law, so the largest sum has the least p. It is added up again on its own, so that nothing
        // outside the span moves its last digits.
        let statistic: f64 = values[first..past].iter().sum();
        if statistic <= law.expected(length.len as u64) {
            continue;
        }
        let ln_looked = libm::log(lengths.len() as f64) + libm::log(length.places as f64);
        let ln_p = law.ln_p(length.len as u64, statistic);
        let span = Span { first, past, statistic, ln_p, ln_looked };
        if found.is_none_or(|found| span.ln_bound() < found.ln_bound()) {
            found = Some(span);
        }
    }
    found
}

/// The spans of one document: the one of least bound first, then, while bounds are at most e^`ln_level`, the next that meets none of
/// those before. At most [`MOST_SPANS`]; none where nothing lies above what the law expects.
///
/// * Shape: `values` has the statistic of each scored window, in the order of the text.
/// * Null: see this page. The first bound is the p of the document.
#[must_use]
pub fn spans(values: &[f64], law: &Law, ln_level: f64) -> Vec<Span> {
    let lengths = lengths(values.len());
    let mut sums = Vec::with_capacity(values.len() + 1);
    let mut sum = 0.0;
    sums.push(sum);
    sums.extend(values.iter().map(|value| {
        sum += value;
        sum
    }));
    let mut found: Vec<Span> = Vec::new();
    while found.len() < MOST_SPANS {
        let Some(span) = best(values, &sums, law, &lengths, &found) else { break };
        let promising = span.ln_bound() <= ln_level;
        if found.is_empty() || promising {
            found.push(span);
        }
        if !promising {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests;
