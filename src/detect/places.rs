//! Which documents of a corpus bear the mark, and where in them: the scan of each document ([`scan`]), corrected for all of them.
//!
//! # The test
//! *Null hypothesis*, of each document and key: the document's tokens were chosen without knowledge of the key. Windows are the corpus test's own,
//! each scored once where it stood first, so no evidence is a repeat of other evidence. That takes windows away from documents that come later; a
//! marked document that comes before takes away those whose tokens the key preferred, so what it leaves of an unmarked one
//! looks less marked than chance. Holm's correction covers every document with a scored window, under every key and payload.
//!
//! # What is named
//! A document is *named* where its adjusted p is at most the level: the stated one where the text as a whole is `Marked`, else that of the
//! verdict. So the chance that any document is named of a text without any mark is at most twice the verdict's level; and the chance that a named
//! document is free of the mark, in a text of which others bear it, at most the stated one. Where no verdict would be given, because decoys were
//! not run or were not uniform, ids lay beyond the vocabulary or the key is public, nothing is named. A further span of a document is told where its own p holds
//! after Bonferroni's correction for all spans of all documents.
//!
//! # A description
//! Where a trained detector of SynthID is given ([`TrainedDetector`]), its posterior stands beside each listed document of a key with as many
//! layers: of the document's own windows, contexts that planting leaves unmarked left out, whether or not they stand elsewhere, too. It is no p-value
//! and nothing above depends on it.
//!
//! Weakness: a name says that the document depends on the key, in the span as a whole; it does not say that each token of it does. Where the bits of a
//! scheme are shifts of one table, each span has a law of its own, which costs as much as a hundred keys: it is computed for the
//! spans whose p would pass if bits were independent, and other documents have p 1. Guarantee: memory for [`MOST_LISTED`]
//! documents a key, and 8 bytes for each document whose p alone is at most the level.

use super::decoys::LOG10_E;
use super::p_value::Law;
use super::scan::{self, Span};
use super::tally::{Scoring, Traced, score};
use super::windows::{Echo, Gathered, Text};
use super::{Finding, Test, Verdict};
use crate::error::Result;
use crate::stats;
use crate::watermark::synthid::TrainedDetector;
use crate::watermark::{Null, PAD, Scheme, Unit, Windows};
use rayon::prelude::*;
use std::path::Path;
use std::sync::Arc;

/// Most documents that are listed for one key.
pub const MOST_LISTED: usize = 1000;
/// Documents that are listed where fewer are named, those of least p.
pub const LEAST_LISTED: usize = 5;
/// Documents that are scanned together.
const TOGETHER: usize = 1 << 14;

/// How places are looked for.
#[derive(Clone, Debug)]
pub struct PlacesConfig {
    /// Largest adjusted p of a named document, where the text as a whole is `Marked`.
    pub alpha: f64,
    /// A trained detector, whose posterior stands beside each listed document.
    pub detector: Option<Arc<TrainedDetector>>,
}

/// A span of a document.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Place {
    /// Its first token in the document, from 0 (after a token that begins the document, where that was dropped), and the one after its last.
    pub tokens: [u64; 2],
    /// The same in characters of the text; none where only token ids were at hand.
    pub characters: Option<[u64; 2]>,
    /// Scored windows.
    pub scored: u64,
    /// Their statistic.
    pub statistic: f64,
    /// Its mean under the null.
    pub expected: f64,
    /// log10 p of the span alone.
    pub log10_p: f64,
    /// log10 p with the bound for all spans of all documents and keys that were looked at (Bonferroni).
    pub adjusted_log10_p: f64,
}

/// A document, with its spans.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct DocumentPlaces {
    /// Its number, from 0 in the order of reading.
    pub document: u64,
    /// Its name.
    pub name: Option<String>,
    /// Its tokens.
    pub tokens: u64,
    /// Windows of it that were scored.
    pub scored: u64,
    /// log10 p of the document alone: of its best span, with the bound for all its spans.
    pub log10_p: f64,
    /// The same, adjusted for all documents and keys (Holm).
    pub adjusted_log10_p: f64,
    /// Whether it is named.
    pub named: bool,
    /// What a trained detector of SynthID says of it: a description, see [`Places::posterior_is`]; none where none was given.
    pub posterior: Option<f64>,
    /// Of an unnamed document the best span; of a named one also those whose own adjusted p is at most the level, in the order of evidence.
    pub spans: Vec<Place>,
}

/// Where the mark of one key stands. Its JSON names are a format.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Places {
    /// What is tested of each document.
    pub null_hypothesis: &'static str,
    /// How p-values are made.
    pub method: &'static str,
    /// Documents with a scored window.
    pub documents: u64,
    /// Spans of them that were looked at.
    pub spans: u64,
    /// Tests that the adjustment covers: documents, under every key and payload.
    pub m_tests: u64,
    /// Largest adjusted p of a named document; none where nothing may be named.
    pub level: Option<f64>,
    /// The rule that set it.
    pub rule: String,
    /// Documents that are named.
    pub named: u64,
    /// Of the named, those that are not listed.
    pub named_not_listed: u64,
    /// What `posterior` is; none where no trained detector took part.
    pub posterior_is: Option<&'static str>,
    /// Documents, in the order of evidence.
    pub list: Vec<DocumentPlaces>,
}

/// What is tested, in words.
const NULL: &str = "the document's tokens were chosen without knowledge of the key or of text marked with it";
/// How, in words.
const METHOD: &str = "the least p of any span, times the lengths that were looked at, times the places of its length (a union bound); Holm over documents and keys";
/// The same where bits are shifts of one table.
const METHOD_SHIFTED: &str = "the least p of any span, times the lengths that were looked at, times the places of its length (a union bound; p is 1 where independent bits would not pass); Holm over documents and keys";

/// What a posterior is, in words.
const POSTERIOR: &str = "the posterior of a trained detector: a description under that training's own texts and prior, not a p-value; no verdict and no name depends on it";

/// Where documents stand among the places of a corpus.
#[derive(Clone, Copy)]
pub(super) struct Documents<'a> {
    /// First place of each.
    pub(super) starts: &'a [u64],
    /// Places between two.
    pub(super) gap: u64,
    /// One more than the last place.
    pub(super) end: u64,
    /// Tokens of all places.
    pub(super) tokens: &'a [u32],
}

impl Documents<'_> {
    /// Tokens of a document.
    fn of(&self, document: usize) -> &[u32] {
        let start = self.starts[document] as usize;
        &self.tokens[start..start + self.len_of(document) as usize]
    }

    fn len_of(&self, document: usize) -> u64 {
        let end = self.starts.get(document + 1).map_or(self.end, |next| next - self.gap);
        end - self.starts[document]
    }
}

/// What the scan of one key found, before it is known how many tests there are.
pub(super) struct Scanned {
    documents: u64,
    spans: u64,
    payloads: u64,
    shifted: bool,
    /// ln p of the documents that may be named.
    small: Vec<f64>,
    /// Documents of least p.
    best: Vec<Candidate>,
}

struct Candidate {
    document: usize,
    tokens: u64,
    scored: u64,
    ln_p: f64,
    spans: Vec<(Span, Place)>,
}

/// Scans every document; `windows` come in the order of the text, `law` is that of one payload over the whole corpus.
pub(super) fn scan(
    test: &Test,
    windows: &[Traced],
    law: &Law,
    documents: Documents<'_>,
    config: &PlacesConfig,
) -> Scanned {
    let traits = test.marker.traits();
    let table = test.marker.shifted();
    let flat = if table.is_some() { Law::new(traits.null.clone()) } else { law.clone() };
    let ln_level = libm::log(config.alpha);
    let one = |&(document, first, past): &(usize, usize, usize)| {
        let windows = &windows[first..past];
        let values: Vec<f64> = windows.iter().map(|window| window.statistic(&traits.null)).collect();
        let mut spans = scan::spans(&values, &flat, ln_level);
        if let Some(table) = &table {
            for span in &mut spans {
                span.ln_p = if span.ln_bound() <= ln_level {
                    let law = own_law(test, table, &windows[span.first..span.past], documents.tokens);
                    law.ln_p((span.past - span.first) as u64, span.statistic)
                } else {
                    0.0
                };
            }
            spans.sort_by(|a, b| a.ln_bound().total_cmp(&b.ln_bound()));
        }
        let start = documents.starts[document];
        let place = |span: &Span| {
            let scored = (span.past - span.first) as u64;
            Place {
                tokens: [windows[span.first].place - start, windows[span.past - 1].place - start + 1],
                characters: None,
                scored,
                statistic: span.statistic,
                expected: flat.expected(scored),
                log10_p: span.ln_p * LOG10_E,
                adjusted_log10_p: 0.0,
            }
        };
        let looked: usize = scan::lengths(windows.len()).iter().map(|length| length.places).sum();
        let candidate = Candidate {
            document,
            tokens: documents.len_of(document),
            scored: windows.len() as u64,
            ln_p: spans.first().map_or(0.0, Span::ln_bound),
            spans: spans.iter().map(|span| (*span, place(span))).collect(),
        };
        (candidate, looked as u64)
    };
    let mut scanned = Scanned {
        documents: 0,
        spans: 0,
        payloads: traits.payloads as u64,
        shifted: table.is_some(),
        small: Vec::new(),
        best: Vec::new(),
    };
    let mut at = 0;
    let mut document = 0;
    while at < windows.len() {
        let mut together = Vec::new();
        while at < windows.len() && together.len() < TOGETHER {
            document += documents.starts[document..].partition_point(|start| *start <= windows[at].place) - 1;
            let next = documents.starts.get(document + 1).copied().unwrap_or(u64::MAX);
            let n = windows[at..].partition_point(|window| window.place < next);
            together.push((document, at, at + n));
            at += n;
        }
        scanned.documents += together.len() as u64;
        let found: Vec<(Candidate, u64)> = together.par_iter().map(one).collect();
        for (candidate, looked) in found {
            scanned.spans += looked;
            if candidate.ln_p <= ln_level {
                scanned.small.push(candidate.ln_p);
            }
            scanned.best.push(candidate);
        }
        scanned.best.sort_by(|a, b| a.ln_p.total_cmp(&b.ln_p).then(a.document.cmp(&b.document)));
        scanned.best.truncate(MOST_LISTED);
    }
    scanned.small.sort_unstable_by(f64::total_cmp);
    scanned
}

/// The law of the windows of one span, where bits are shifts of one table.
fn own_law(test: &Test, table: &[u8], windows: &[Traced], tokens: &[u32]) -> Law {
    let traits = test.marker.traits();
    let context = traits.shape.context;
    let (mut flat, mut units): (Vec<u32>, Vec<Unit>) = (Vec::new(), Vec::new());
    for window in windows {
        let at = window.place as usize;
        flat.extend_from_slice(&tokens[at - context..=at]);
    }
    test.marker.reduce(Windows::new(&flat, context), &mut units);
    let mut counts = vec![0u32; table.len()];
    units.iter().for_each(|unit| counts[unit.seed as usize % table.len()] += 1);
    Law::shifted(traits.null, table, &counts)
}

/// What may be named of one finding: the level and the rule, or why nothing may.
fn level(finding: &Finding, unsound: Option<String>, config: &PlacesConfig, alpha: f64) -> (Option<f64>, String) {
    match unsound {
        Some(why) => (None, format!("nothing is named: {why}")),
        None if finding.verdict == Verdict::Marked => {
            let level = config.alpha.max(alpha);
            (Some(level), format!("named: adjusted p at most {level}, where the text as a whole is Marked"))
        }
        None => (Some(alpha), format!("named: adjusted p at most {alpha:e}, where the text as a whole is not Marked")),
    }
}

/// The layers of a document's windows, however often they stand in other documents.
fn layers(scheme: &dyn Scheme, tokens: &[u32], dir: &Path) -> Result<Vec<u64>> {
    let packing = super::packing(scheme);
    let mut all = vec![PAD; packing.shape.context];
    let first = all.len() as u64;
    all.extend_from_slice(tokens);
    // In memory: the tokens of one document are.
    let bytes = 256 + 64 * all.len();
    let mut gathered = Gathered::new(packing, Echo::Window, bytes, dir);
    gathered.add(&[Text { tokens: tokens.to_vec(), prompt: None }], &[first])?;
    let corpus = gathered.finish(bytes, dir)?;
    let mut bits = Vec::new();
    let mut take = |rows: &[Traced]| {
        bits.extend(rows.iter().map(|row| row.bits));
        Ok(())
    };
    let scoring = Scoring { tokens: &all, places: all.len() as u64, bytes, dir };
    score(scheme, &corpus, corpus.seen(), scoring, Some((0, &mut take)))?;
    Ok(bits)
}

/// Whether a trained detector speaks of a scheme.
#[must_use]
pub fn describes(detector: &TrainedDetector, test: &Test) -> bool {
    let layers = match test.marker.traits().null {
        Null::Layers { depth, .. } => depth as usize,
        _ => 0,
    };
    // Another program's synthid has other bits, and nobody trains this detector on them.
    let kind = test.scheme == "tournament" || test.scheme == "synthid" && test.dialect != "textseal";
    kind && layers == detector.layers()
}

/// Puts the posterior of a trained detector beside each listed document.
///
/// # Errors
/// Those of [`score`].
pub(super) fn describe(
    finding: &mut Finding,
    test: &Test,
    documents: Documents<'_>,
    config: &PlacesConfig,
    dir: &Path,
) -> Result<()> {
    let Some(detector) = config.detector.as_ref().filter(|detector| describes(detector, test)) else { return Ok(()) };
    let Some(places) = &mut finding.places else { return Ok(()) };
    places.posterior_is = Some(POSTERIOR);
    for document in &mut places.list {
        let tokens = documents.of(document.document as usize);
        document.posterior = Some(detector.posterior(&layers(test.marker.as_ref(), tokens, dir)?));
    }
    Ok(())
}

/// Puts the places of all keys into their findings. `unsound` says of each finding why nothing may be named.
pub(super) fn settle(
    findings: &mut [Finding],
    scanned: Vec<Scanned>,
    unsound: Vec<Option<String>>,
    config: &PlacesConfig,
    alpha: f64,
) {
    let m_tests: u64 = scanned.iter().map(|of| of.documents * of.payloads).sum();
    let ln_tests = libm::log(m_tests.max(1) as f64);
    let mut small: Vec<f64> = scanned.iter().flat_map(|of| of.small.iter().copied()).collect();
    small.sort_unstable_by(f64::total_cmp);
    let adjusted = stats::holm_smallest(&small, m_tests);
    // Of equal ones the first has the largest factor, which the others share; one that is not among the smallest has at least theirs.
    let adjust = |ln_p: f64| {
        let rank = small.partition_point(|other| *other < ln_p);
        let known = adjusted.get(rank).copied().filter(|_| small.get(rank) == Some(&ln_p));
        known.unwrap_or_else(|| {
            let before = rank.checked_sub(1).map_or(f64::NEG_INFINITY, |before| adjusted[before]);
            stats::bonferroni(ln_p, m_tests - rank as u64).max(before)
        })
    };
    for ((finding, of), unsound) in findings.iter_mut().zip(scanned).zip(unsound) {
        let (level, rule) = level(finding, unsound, config, alpha);
        let ln_level = level.map_or(f64::NEG_INFINITY, libm::log);
        let passes = |ln_p: f64| adjust(ln_p) <= ln_level;
        let named = of.small.partition_point(|ln_p| passes(*ln_p)) as u64;
        let mut list = Vec::new();
        for candidate in of.best {
            let named = passes(candidate.ln_p);
            if !named && list.len() >= LEAST_LISTED {
                break;
            }
            let mut spans = Vec::new();
            for (i, (span, mut place)) in candidate.spans.into_iter().enumerate() {
                let ln_adjusted = (span.ln_bound() + ln_tests).min(0.0);
                place.adjusted_log10_p = ln_adjusted * LOG10_E;
                if i == 0 || (named && ln_adjusted <= ln_level) {
                    spans.push(place);
                }
            }
            list.push(DocumentPlaces {
                document: candidate.document as u64,
                name: None,
                tokens: candidate.tokens,
                scored: candidate.scored,
                log10_p: candidate.ln_p * LOG10_E,
                adjusted_log10_p: adjust(candidate.ln_p) * LOG10_E,
                named,
                posterior: None,
                spans,
            });
        }
        let listed = list.iter().filter(|document| document.named).count() as u64;
        finding.places = Some(Places {
            null_hypothesis: NULL,
            method: if of.shifted { METHOD_SHIFTED } else { METHOD },
            documents: of.documents,
            spans: of.spans,
            m_tests,
            level,
            rule,
            named,
            named_not_listed: named - listed,
            posterior_is: None,
            list,
        });
    }
}

#[cfg(test)]
mod tests;
