//! Is the watermark of a key in this text? Documents → distinct windows → statistic → p-value → verdict.
//!
//! # The test
//! *Null hypothesis*: the tokens were chosen without knowledge of the key. Each distinct window of the whole corpus counts once; repeated
//! windows, windows copied from a text's own prompt, and windows that planting leaves unmarked are masked, each with its reason. The
//! p-value is exact or a proven bound ([`p_value`]), Holm's correction covers every key, scheme, profile and payload that was tried, and
//! decoy keys show that the test holds on this very text ([`decoys`]).
//!
//! # The verdict
//! [`Verdict::Marked`]: the adjusted p is at most 10⁻⁶ and the decoys' p-values look uniform. [`Verdict::NotDetected`]: the test would
//! have found a mark of a stated strength with a chance of 95%, and did not. [`Verdict::Inconclusive`]: everything else, with the
//! reason. A mark shows that whoever made the text knew the key's mark or learned from text that bore it; it does not show who, and it
//! can be forged by whoever can query the marked model. No mark does not show that the text is free of it.
//!
//! Several keys and schemes are tested in one reading of the text. Weakness: one corpus holds at most 2⁴⁰ tokens.

pub mod decoys;
pub mod p_value;
pub mod places;
pub mod planting;
pub mod scan;
pub mod tally;
pub mod windows;

use crate::error::Result;
use crate::stats;
use crate::store::spill::{Distinct, Gather, Kept, records};
use crate::watermark::Scheme;
use decoys::{DecoyConfig, Decoys, LOG10_E};
use p_value::{Kind, Law};
use places::{Documents, Places, PlacesConfig};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;
use tally::{Scored, Scoring, Traced, law, score};
use windows::{Corpus, Echo, Gathered, Packing, Text};

/// One key of one scheme.
pub struct Test {
    /// The key's name.
    pub key_id: String,
    /// The scheme's name.
    pub scheme: &'static str,
    /// Whose way of doing it.
    pub dialect: &'static str,
    /// Whose generator: `any`, `cpu` or a device.
    pub profile: String,
    /// The profile was never checked on its device.
    pub predicted: bool,
    /// Where the key is public: what it is known from.
    pub published: Option<&'static str>,
    /// Parameters, without the key.
    pub parameters: BTreeMap<String, String>,
    /// The scheme with its key.
    pub marker: Box<dyn Scheme>,
}

/// How a corpus is tested.
#[derive(Clone, Debug)]
pub struct DetectConfig {
    /// Largest adjusted p of `Marked`.
    pub alpha: f64,
    /// Smallest p of the decoys' uniformity of `Marked`.
    pub least_uniformity: f64,
    /// Planned power of `NotDetected`.
    pub power: f64,
    /// Strength of the mark that the power is planned for, 0 to 1: see [`Law::power`].
    pub strength: f64,
    /// Level of intervals.
    pub level: f64,
    /// Decoys.
    pub decoys: DecoyConfig,
    /// Bytes of windows in memory, for all schemes together.
    pub bytes: usize,
    /// Where more of them go.
    pub dir: PathBuf,
    /// The tests are readings of one key, of which most are wrong: decoys are run for those only whose adjusted p is at most `alpha`.
    pub search: bool,
    /// Look for the documents that bear the mark, and where in them.
    pub places: Option<PlacesConfig>,
}

/// What a test found, in words that never say more than was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Verdict {
    /// The text knows the key.
    Marked,
    /// A mark of the stated strength would have been found.
    NotDetected,
    /// Neither.
    Inconclusive,
}

impl Verdict {
    /// The word of reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Marked => "Marked",
            Self::NotDetected => "NotDetected",
            Self::Inconclusive => "Inconclusive",
        }
    }
}

/// One point of the curve of evidence.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Point {
    /// Scored windows so far.
    pub scored: u64,
    /// log10 p so far: a curve to look at, not a test at each point.
    pub log10_p: f64,
}

/// The result of one test. Reports print it; its JSON names are a format.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Finding {
    /// The scheme.
    pub scheme: &'static str,
    /// Whose way of doing it.
    pub dialect: &'static str,
    /// Whose generator.
    pub profile: String,
    /// The profile was never checked on its device.
    pub predicted: bool,
    /// The key's name.
    pub key_id: String,
    /// The scheme's parameters, without the key.
    pub parameters: BTreeMap<String, String>,
    /// Documents read.
    pub documents: u64,
    /// Their tokens.
    pub tokens: u64,
    /// Distinct windows that were scored.
    pub scored: u64,
    /// Tokens left out, by reason; with `scored` they make `tokens`.
    pub masked: BTreeMap<&'static str, u64>,
    /// Payload of the smallest p, where the scheme carries one.
    pub payload: Option<usize>,
    /// Green windows, sum of scores, or (weighted) ones.
    pub statistic: f64,
    /// Its mean under the null.
    pub expected: f64,
    /// Green windows a window, mean score, or share of ones, with its interval.
    pub rate: f64,
    /// Interval of the rate.
    pub interval: Option<[f64; 2]>,
    /// ln p of this test alone.
    pub ln_p: f64,
    /// log10 p of this test alone.
    pub log10_p: f64,
    /// log10 of the p adjusted for all tests.
    pub adjusted_log10_p: f64,
    /// Tests that the adjustment covers.
    pub m_tests: usize,
    /// How p was made.
    pub method: &'static str,
    /// Whether p is exact.
    pub p_kind: Kind,
    /// Decoy keys.
    pub decoys: Decoys,
    /// Planned power at the stated strength.
    pub power: f64,
    /// The verdict.
    pub verdict: Verdict,
    /// The rule that gave it, with its numbers.
    pub rule: String,
    /// log10 p after each of 64 equal parts of the corpus: a curve to look at, no test at each point.
    pub curve: Vec<Point>,
    /// Which documents bear the mark, and where; none where nobody asked.
    #[serde(rename = "where")]
    pub places: Option<Places>,
}

/// A corpus while it is read for some tests.
pub struct Reading<'a> {
    tests: &'a [Test],
    config: DetectConfig,
    corpora: BTreeMap<Packing, Gathered>,
    /// Tokens of the corpus with gaps between texts, where somebody needs them.
    kept: Option<Kept>,
    gap: usize,
    starts: Vec<u64>,
    place: u64,
    documents: u64,
    tokens: u64,
}

/// A scored window with all that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceRow<'a> {
    /// Number of its document, from 0 in the order of reading.
    pub document: usize,
    /// Place of its token in the document, from 0.
    pub position: u64,
    /// The context, oldest first.
    pub context: &'a [u32],
    /// The token.
    pub token: u32,
    /// 0 or 1, the bits of a score, or the layers.
    pub bits: u64,
}

/// Receives, test by test, every scored window in the order of the text.
pub type RowSink<'a> = dyn FnMut(&Test, TraceRow<'_>) -> Result<()> + 'a;

impl<'a> Reading<'a> {
    /// For `tests`; `tracing` keeps the tokens, so that [`Reading::finish`] can tell where each window stood.
    ///
    /// # Errors
    /// `Io` when no file can be made in the directory for spilled windows.
    pub fn new(tests: &'a [Test], config: &DetectConfig, tracing: bool) -> Result<Self> {
        let mut packings: Vec<Packing> = tests.iter().map(|test| packing(test.marker.as_ref())).collect();
        packings.sort_unstable();
        packings.dedup();
        let bytes = config.bytes / packings.len().max(1);
        let wide = packings.iter().any(|packing| !packing.whole());
        let gap = packings.iter().map(|packing| packing.shape.context).max().unwrap_or(0);
        let kept = if wide || tracing || config.places.is_some() { Some(Kept::new(&config.dir)?) } else { None };
        let corpora =
            packings.into_iter().map(|packing| (packing, Gathered::new(packing, Echo::Window, bytes, &config.dir)));
        Ok(Self {
            tests,
            config: config.clone(),
            corpora: corpora.collect(),
            kept,
            gap,
            starts: Vec::new(),
            place: 0,
            documents: 0,
            tokens: 0,
        })
    }

    /// Adds texts.
    ///
    /// # Errors
    /// `Io` when windows must be spilled and cannot; `Input` beyond 2⁴⁰ tokens.
    pub fn add(&mut self, texts: &[Text]) -> Result<()> {
        let mut places = Vec::with_capacity(texts.len());
        for text in texts {
            self.place += self.gap as u64;
            places.push(self.place);
            self.place += text.tokens.len() as u64;
            self.tokens += text.tokens.len() as u64;
            if let Some(kept) = &mut self.kept {
                kept.add(&vec![crate::watermark::PAD; self.gap])?;
                kept.add(&text.tokens)?;
            }
        }
        if self.place >= windows::MOST_TOKENS {
            let message = format!("expected at most {} tokens in a corpus, got more", windows::MOST_TOKENS);
            return Err(crate::error::Error::new(crate::error::ErrorKind::Input, message));
        }
        self.documents += texts.len() as u64;
        if self.kept.is_some() {
            self.starts.extend(&places);
        }
        self.corpora.values_mut().try_for_each(|gathered| gathered.add(texts, &places))
    }

    /// Tests what was read. `trace` receives, test by test, every scored window in the order of the text.
    ///
    /// # Errors
    /// `Io` when something must be spilled and cannot, and those of `trace`.
    pub fn finish(self, mut trace: Option<&mut RowSink<'_>>, progress: &dyn Fn(&Test)) -> Result<Vec<Finding>> {
        let Self { tests, config, corpora, kept, gap, starts, place, documents, tokens } = self;
        let bytes = config.bytes / corpora.len().max(1);
        let corpora = corpora
            .into_iter()
            .map(|(packing, gathered)| Ok((packing, gathered.finish(bytes, &config.dir)?)))
            .collect::<Result<BTreeMap<Packing, Corpus>>>()?;
        let kept = kept.map(Kept::finish).transpose()?;
        let all: &[u32] = kept.as_ref().map_or(&[], records);
        let scoring = Scoring { tokens: all, places: place, bytes, dir: &config.dir };
        let texts = Documents { starts: &starts, gap: gap as u64, end: place, tokens: all };
        let (mut findings, mut ln_ps, mut scanned) = (Vec::new(), Vec::new(), Vec::new());
        for test in tests {
            progress(test);
            let traits = test.marker.traits();
            let corpus = &corpora[&packing(test.marker.as_ref())];
            let law = law(test.marker.as_ref(), corpus, corpus.seen(), scoring);
            let traced = |payload: usize| -> Result<(Scored, Distinct<Traced>)> {
                let mut traced = Gather::<Traced>::new(bytes, &config.dir);
                let mut add = |rows: &[Traced]| traced.add(rows);
                let scored = score(test.marker.as_ref(), corpus, corpus.seen(), scoring, Some((payload, &mut add)))?;
                Ok((scored, traced.finish()?))
            };
            let (scored, windows) = if trace.is_some() || config.places.is_some() {
                traced(0).map(|(scored, windows)| (scored, Some(windows)))?
            } else {
                (score(test.marker.as_ref(), corpus, corpus.seen(), scoring, None)?, None)
            };
            if let (Some(windows), Some(trace)) = (&windows, &mut trace) {
                tell(test, windows, all, &starts, traits.shape.context, *trace)?;
            }
            let each: Vec<f64> =
                scored.tallies.iter().map(|tally| law.ln_p(tally.scored(), tally.statistic())).collect();
            let best = (0..each.len()).min_by(|&a, &b| each[a].total_cmp(&each[b])).unwrap_or(0);
            if let (Some(windows), Some(places)) = (windows, &config.places) {
                // Where a scheme carries a payload, places are those of the one that the corpus says.
                let windows = if best == 0 { windows } else { traced(best)?.1 };
                scanned.push(places::scan(test, windows.records(), &law, texts, places));
            }
            let tally = &scored.tallies[best];
            let (n, statistic) = (tally.scored(), tally.statistic());
            let (rate, interval) = law.interval(n, statistic, config.level);
            let mut masked = corpus.masked();
            masked.same_seed = scored.same_seed;
            let curve = tally.curve().map(|(scored, sum)| Point { scored, log10_p: law.ln_p(scored, sum) * LOG10_E });
            findings.push(Finding {
                scheme: test.scheme,
                dialect: test.dialect,
                profile: test.profile.clone(),
                predicted: test.predicted,
                key_id: test.key_id.clone(),
                parameters: test.parameters.clone(),
                documents,
                tokens,
                scored: n,
                masked: masked.named().into_iter().collect(),
                payload: (traits.payloads > 1).then_some(best),
                statistic,
                expected: law.expected(n),
                rate,
                interval,
                ln_p: each[best],
                log10_p: each[best] * LOG10_E,
                adjusted_log10_p: 0.0,
                m_tests: 0,
                method: law.method(),
                p_kind: law.kind(),
                decoys: Decoys::none(),
                power: 0.0,
                verdict: Verdict::Inconclusive,
                rule: String::new(),
                curve: curve.collect(),
                places: None,
            });
            ln_ps.push((each, best, law));
        }
        adjust(&mut findings, &ln_ps, &config);
        let mut references = BTreeMap::new();
        for (finding, test) in findings.iter_mut().zip(tests) {
            let ln_adjusted = finding.adjusted_log10_p / LOG10_E;
            if !config.search || ln_adjusted <= libm::log(config.alpha) {
                let corpus = &corpora[&packing(test.marker.as_ref())];
                // Decoys do not know the key: tests that differ in nothing else share them.
                let alike = (test.scheme, test.dialect, &test.profile, &test.parameters);
                let reference = match references.entry(alike) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => {
                        new.insert(decoys::run(test.marker.as_ref(), corpus, scoring, config.decoys)?)
                    }
                };
                finding.decoys = reference.beside(test.marker.as_ref(), corpus, scoring)?;
            }
            (finding.verdict, finding.rule) = rule(finding, test, ln_adjusted, &config);
        }
        if let Some(places) = &config.places {
            let why =
                findings.iter().zip(tests).map(|(finding, test)| unsound(finding, &config).or_else(|| public(test)));
            let why = why.collect();
            places::settle(&mut findings, scanned, why, places, config.alpha);
            for (finding, test) in findings.iter_mut().zip(tests) {
                places::describe(finding, test, texts, places, &config.dir)?;
            }
        }
        Ok(findings)
    }
}

/// How a scheme's contexts are packed.
#[must_use]
pub fn packing(scheme: &dyn Scheme) -> Packing {
    let traits = scheme.traits();
    Packing { shape: traits.shape, vocab: traits.vocab }
}

/// Tells where each scored window stood.
fn tell(
    test: &Test,
    traced: &Distinct<Traced>,
    all: &[u32],
    starts: &[u64],
    context: usize,
    trace: &mut RowSink<'_>,
) -> Result<()> {
    for row in traced.records() {
        let document = starts.partition_point(|start| *start <= row.place) - 1;
        let at = row.place as usize;
        let row = TraceRow {
            document,
            position: row.place - starts[document],
            context: &all[at - context..at],
            token: all[at],
            bits: row.bits,
        };
        trace(test, row)?;
    }
    Ok(())
}

/// Adjusts all p-values together, and plans the power of each test.
fn adjust(findings: &mut [Finding], ln_ps: &[(Vec<f64>, usize, Law)], config: &DetectConfig) {
    let every: Vec<f64> = ln_ps.iter().flat_map(|(each, _, _)| each.iter().copied()).collect();
    let adjusted = stats::holm(&every);
    let mut first = 0;
    for (finding, (each, best, law)) in findings.iter_mut().zip(ln_ps) {
        finding.adjusted_log10_p = adjusted[first + best] * LOG10_E;
        first += each.len();
        finding.m_tests = every.len();
        let ln_alpha = libm::log(config.alpha / every.len() as f64);
        finding.power = law.power(finding.scored, config.strength, ln_alpha);
    }
}

/// Why the text says nothing of a key, whatever p is; none where it does.
fn unreadable(finding: &Finding) -> Option<String> {
    if finding.scored == 0 {
        return Some("no window was scored".into());
    }
    let beyond = finding.masked.get("out-of-vocabulary").copied().unwrap_or(0);
    (beyond * 100 > finding.tokens).then(|| {
        format!(
            "{beyond} of {} tokens stand with ids at or above the vocabulary: another tokenizer or vocabulary than the key's",
            finding.tokens
        )
    })
}

/// Why the test is not known to hold on this text; none where it is.
fn unsound(finding: &Finding, config: &DetectConfig) -> Option<String> {
    unreadable(finding).or_else(|| match finding.decoys.uniformity_p {
        None => Some("no decoys were run, so nothing shows that the test holds on this text".into()),
        Some(uniformity) => (uniformity < config.least_uniformity).then(|| {
            format!(
                "decoy keys' p-values are not uniform (p {uniformity:.2e}, below {}): the test does not hold on this text",
                config.least_uniformity
            )
        }),
    })
}

/// Why a mark under this key would say nothing of whose text it is; none where the key is not known to be public.
fn public(test: &Test) -> Option<String> {
    test.published.map(|published| format!("the key is public ({published}): it shows that somebody used it"))
}

fn rule(finding: &Finding, test: &Test, ln_adjusted: f64, config: &DetectConfig) -> (Verdict, String) {
    let (adjusted, m) = (format!("adjusted log10 p {:.2}", ln_adjusted * LOG10_E), finding.m_tests);
    let alpha = format!("{:e}", config.alpha);
    let inconclusive = |why: String| (Verdict::Inconclusive, why);
    if let Some(why) = unreadable(finding) {
        return inconclusive(why);
    }
    if config.search && ln_adjusted > libm::log(config.alpha) {
        return inconclusive(format!(
            "{adjusted} over {m} tests (every dialect and profile that the key allows) is above {alpha}: nothing was found with this \
             reading of the key, and a search shows no absence"
        ));
    }
    if let Some(why) = unsound(finding, config) {
        return inconclusive(why);
    }
    let uniformity = finding.decoys.uniformity_p.unwrap_or(0.0);
    let decoys = format!("decoy uniformity p {uniformity:.3} is at least {}", config.least_uniformity);
    if ln_adjusted <= libm::log(config.alpha) {
        if let Some(why) = public(test) {
            return inconclusive(format!("{adjusted} is at most {alpha} over {m} tests, but {why}"));
        }
        let searched = "; the tests are every dialect and profile that the key allows, under Holm's correction, the null of each that the \
                        text does not depend on the key";
        let searched = if config.search { searched } else { "" };
        return (
            Verdict::Marked,
            format!("Marked: {adjusted} over {m} tests is at most {alpha}, and {decoys}{searched}"),
        );
    }
    let planned = format!(
        "planned power {:.4} at strength {} and {} scored windows",
        finding.power, config.strength, finding.scored
    );
    if finding.power >= config.power {
        return (
            Verdict::NotDetected,
            format!("NotDetected: {adjusted} over {m} tests is above {alpha}, {planned} is at least {}", config.power),
        );
    }
    inconclusive(format!("{adjusted} over {m} tests is above {alpha}, and {planned} is below {}", config.power))
}

/// What one key says of some texts, apart from any verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Tokens of the texts.
    pub tokens: u64,
    /// Distinct windows that were scored.
    pub scored: u64,
    /// Their statistic.
    pub statistic: f64,
    /// ln p, the smallest of all payloads times their number.
    pub ln_p: f64,
}

/// Measures texts under a scheme: each window once over all of them, as in a test, in memory.
///
/// # Errors
/// `Io` when windows beyond `bytes` must be spilled to `dir` and cannot.
pub fn measure(scheme: &dyn Scheme, texts: &[Text], bytes: usize, dir: &std::path::Path) -> Result<Measured> {
    let packing = packing(scheme);
    let mut gathered = Gathered::new(packing, Echo::Window, bytes, dir);
    let (mut tokens, mut places) = (Vec::new(), Vec::with_capacity(texts.len()));
    for text in texts {
        tokens.extend(std::iter::repeat_n(crate::watermark::PAD, packing.shape.context));
        places.push(tokens.len() as u64);
        tokens.extend_from_slice(&text.tokens);
    }
    gathered.add(texts, &places)?;
    let corpus = gathered.finish(bytes, dir)?;
    let scoring = Scoring { tokens: &tokens, places: tokens.len() as u64, bytes, dir };
    let law = law(scheme, &corpus, corpus.seen(), scoring);
    let scored = score(scheme, &corpus, corpus.seen(), scoring, None)?;
    let each = scored.tallies.iter().map(|tally| (law.ln_p(tally.scored(), tally.statistic()), tally));
    let best = each.min_by(|a, b| a.0.total_cmp(&b.0));
    Ok(Measured {
        tokens: texts.iter().map(|text| text.tokens.len() as u64).sum(),
        scored: best.map_or(0, |(_, tally)| tally.scored()),
        statistic: best.map_or(0.0, |(_, tally)| tally.statistic()),
        ln_p: best.map_or(0.0, |(ln_p, _)| (ln_p + libm::log(scored.tallies.len() as f64)).min(0.0)),
    })
}

/// The fewest windows at which a statistic of `rate` a window gives p ≤ e^`ln_alpha`; none where no number of them does.
#[must_use]
pub fn windows_to(law: &Law, rate: f64, ln_alpha: f64) -> Option<u64> {
    // Counts are whole; of scores a part is left out.
    let enough = |n: u64| law.ln_p(n, (rate * n as f64).floor()) <= ln_alpha;
    let mut high = 1u64;
    while !enough(high) {
        high *= 2;
        if high > 1 << 32 {
            return None;
        }
    }
    let mut low = high / 2;
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if enough(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

#[cfg(test)]
mod tests;
