//! Was this model trained on text that we served? What it says in contexts that we served → statistic → p-value → verdict.
//!
//! # The test
//! *Null hypothesis*: given a context, what the suspect says next does not depend on the key. A model that was trained on marked text has
//! learned, context by context, which tokens the key preferred; a model that was not cannot know. The evidence is every distinct window of
//! what the suspect said, once over all of it, whose **context** stands in a set of served contexts ([`Contexts`]): a context stood in the
//! set before the key's row for it was looked at, so the choice of windows tells nothing of their values.
//!
//! *Never ask whether the window was served.* Which token follows a context in served text was chosen by the key, so served windows are
//! mostly green, and any model of the same language says many of the same windows: that test convicts the innocent at p = 10⁻²³¹ (measured).
//! A set holds contexts and nothing else, so that the mistake cannot be made with one.
//!
//! # Controls
//! Decoy keys show that the test holds on this very text ([`crate::detect::decoys`]), but they cannot see a filter that knows the key: under a decoy nothing is
//! enriched. So there are *controls under the true key*: the suspect's own tokens dealt to other contexts of the evidence ([`control`]), and,
//! where the analyst gives them, texts of a model that never saw ours, or of people. A control that is marked, or too small to have shown
//! what the suspect shows, leaves the result `Inconclusive`.
//!
//! # What a `Marked` does not show
//! That the suspect's maker queried us: it may have read text of ours that others published. [`attribute`] asks whose harvest it was.
//!
//! Source: Sander et al. 2024, "Watermarking makes language models radioactive", sections 3 and 4 (closed and open model, filter, one count
//! a window); the choice of contexts instead of windows and the controls are ours.

pub mod attribute;
pub mod contamination;
pub mod control;
pub mod copies;
pub mod evidence;
pub mod origin;
pub mod plan;

use crate::detect::decoys::{self, DecoyConfig, Decoys, LOG10_E};
use crate::detect::p_value::{Kind, Law};
use crate::detect::tally::{self, Scored, Scoring, TraceSink, Traced, law, score};
use crate::detect::windows::{Corpus, Seen};
use crate::detect::{Point, Test, Verdict};
use crate::error::{Error, ErrorKind, Result};
use crate::stats;
use crate::store::Mapped;
use crate::store::contexts::Contexts;
use crate::watermark::Scheme;
use control::{Control, ControlKind};
use copies::{Copies, LEAST_WIDTH, copied};
use evidence::Read;
use origin::Origin;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How evidence is tested.
#[derive(Clone, Debug)]
pub struct Config {
    /// Largest adjusted p of `Marked`.
    pub alpha: f64,
    /// Smallest p of the decoys' uniformity of `Marked`.
    pub least_uniformity: f64,
    /// A control whose p is below it, divided by the number of controls, is marked.
    pub least_control: f64,
    /// Planned power of `NotDetected`.
    pub power: f64,
    /// Strength of the mark that the power is planned for: see [`Law::power`].
    pub strength: f64,
    /// Level of intervals.
    pub level: f64,
    /// Decoy keys; their seed also deals the tokens of the control.
    pub decoys: DecoyConfig,
    /// Bytes of windows in memory.
    pub bytes: usize,
    /// Where more of them go.
    pub dir: PathBuf,
}

/// A set of served contexts with its name.
pub struct Served {
    /// What reports call it.
    pub name: String,
    /// The contexts.
    pub set: Contexts<Mapped>,
}

/// Decoy keys, as results tell of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecoyKeys {
    /// How many.
    pub n: usize,
    /// Kolmogorov–Smirnov p of their p-values against uniform; none without decoys.
    pub ks_p: Option<f64>,
    /// Rank of the key among them: at least 1/(n + 1).
    pub rank_p: Option<f64>,
    /// Windows that they were run on.
    pub windows: usize,
}

impl From<Decoys> for DecoyKeys {
    fn from(of: Decoys) -> Self {
        Self { n: of.n, ks_p: of.uniformity_p, rank_p: of.rank_p, windows: of.windows }
    }
}

/// The result of one test. Reports print it; its JSON names are a format.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The key's name.
    pub key: String,
    /// The scheme.
    pub scheme: &'static str,
    /// Whose way of doing it.
    pub dialect: &'static str,
    /// Whose generator.
    pub profile: String,
    /// The scheme's parameters, without the key.
    pub parameters: BTreeMap<String, String>,
    /// The set of served contexts; none where every window of the suspect was scored.
    pub set: Option<String>,
    /// Contexts of the set, or distinct contexts of the suspect.
    pub contexts: u64,
    /// Distinct windows that were scored.
    pub scored: u64,
    /// Distinct windows whose context is not in the set.
    pub outside: u64,
    /// Tokens left out before that, by reason.
    pub masked: BTreeMap<&'static str, u64>,
    /// Payload of the smallest p, where the scheme carries one.
    pub payload: Option<usize>,
    /// Green windows, sum of scores, or (weighted) ones.
    pub statistic: f64,
    /// Its mean under the null.
    pub expected: f64,
    /// Green windows a window, mean score, or share of ones.
    pub rate: f64,
    /// Its interval; none where nothing was scored.
    pub interval: Option<[f64; 2]>,
    /// log10 p of this test alone.
    pub log10_p: f64,
    /// How p was made.
    pub method: &'static str,
    /// Whether p is exact.
    pub p_kind: Kind,
    /// log10 of the p adjusted for all tests.
    pub adjusted_log10_p: f64,
    /// Tests that the adjustment covers.
    pub m_tests: usize,
    /// log10 of an e-value of the same evidence, one window a context: it may be looked at while evidence comes in. None where the scheme has none.
    pub log10_e: Option<f64>,
    /// Chance that a mark of the stated strength would have been found.
    pub power: f64,
    /// The verdict.
    pub verdict: Verdict,
    /// The rule that gave it, with its numbers.
    pub rule: String,
    /// What to look at before the verdict is believed.
    pub notes: Vec<String>,
    /// What looks copied from served text, and the p without it; none where nothing does, or where p alone is above the level.
    pub copies: Option<Copies>,
    /// What windows outside of all given sets say: a description beside a small p, none where nothing is to be told apart or no set was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Decoy keys.
    pub decoys: DecoyKeys,
    /// Controls under the true key.
    pub controls: Vec<Control>,
    /// Share of the training text that was ours: an interval from a stated calibration, where one was given.
    pub contamination: Option<[f64; 2]>,
    /// log10 p after each of 64 equal parts of the evidence: a curve to look at, no test at each point.
    pub curve: Vec<Point>,
}

/// What a test found before all are adjusted together.
pub struct Unadjusted {
    /// The finding, without verdict.
    pub finding: Finding,
    /// ln p of each payload, and which is smallest.
    ln_ps: Vec<f64>,
    best: usize,
    law: Law,
    published: Option<&'static str>,
}

/// Tests `suspect` for one key. `served` restricts it to contexts that were served; without it every window counts. `beside` are sets of
/// what others were served: they restrict nothing, but answers that were copied from them are told, too. `clean` are texts of models that
/// never saw ours, with names.
///
/// * Null: see the module. Exact or an upper bound, as the scheme's law says.
/// # Errors
/// `Input` when the set was made for other contexts; `Io` when something must be spilled and cannot.
pub fn test(
    test: &Test,
    suspect: &Read,
    served: Option<&Served>,
    beside: &[&Served],
    clean: &[(String, &Read)],
    config: &Config,
) -> Result<Unadjusted> {
    let packing = suspect.corpus.packing();
    for Served { name, set } in served.iter().chain(beside) {
        let (facts, width) = (set.facts(), packing.shape.context);
        if (facts.width, facts.vocab) != (width, packing.vocab) {
            let message = format!(
                "expected contexts of {width} tokens of a vocabulary of {} in {name}, got contexts of {} of {}",
                packing.vocab, facts.width, facts.vocab
            );
            return Err(Error::new(ErrorKind::Input, message).hint("build the set with the key file that is tested"));
        }
    }
    let held = |of: &Served, seen: &[Seen]| of.set.hold(&seen.iter().map(Seen::key).collect::<Vec<_>>());
    let of = |seen: &[Seen]| served.map_or_else(|| vec![true; seen.len()], |served| held(served, seen));
    let filter = Filter { of: &of, of_contexts: true };
    let contexts = served.map(|served| served.set.facts().contexts);
    let mut found = on(test, suspect, &filter, clean, config)?;
    found.finding.set = served.map(|served| served.name.clone());
    found.finding.contexts = contexts.unwrap_or_else(|| contexts_of(suspect.corpus.seen()));
    if served.is_some() && suspect.answers {
        let by_others = |seen: &[Seen]| {
            let mut any = vec![false; seen.len()];
            beside.iter().for_each(|set| any.iter_mut().zip(held(set, seen)).for_each(|(any, held)| *any |= held));
            any
        };
        look_behind(&mut found.finding, test, suspect, (&of, &by_others), found.best, config)?;
    }
    Ok(found)
}

/// Says of windows in order which of them stand in some contexts.
type Stand<'a> = &'a (dyn Fn(&[Seen]) -> Vec<bool> + Sync);

/// Where there is a small p, looks for what else may have made it: copies, and who wrote the answers. `tested` says which windows stand in the contexts of the test, `beside` which in
/// those that others were served.
fn look_behind(
    finding: &mut Finding,
    test: &Test,
    suspect: &Read,
    (tested, beside): (Stand<'_>, Stand<'_>),
    payload: usize,
    config: &Config,
) -> Result<()> {
    if finding.log10_p > libm::log10(config.alpha) {
        return Ok(());
    }
    let seen = suspect.corpus.seen();
    let tested: Vec<bool> = seen.par_chunks(FILTERED).flat_map_iter(tested).collect();
    let mut served: Vec<bool> = seen.par_chunks(FILTERED).flat_map_iter(beside).collect();
    served.iter_mut().zip(&tested).for_each(|(served, tested)| *served |= tested);
    let runs = copied_runs(suspect, &served);
    let copied = runs.as_ref().map(|(copied, _)| &copied[..]);
    finding.origin = Origin::new(test, suspect, (&served, copied), payload, config)?;
    if finding.origin.is_some_and(|of| of.log10_p <= libm::log10(config.alpha)) {
        finding.notes.push("the mark also stands in contexts that no given set holds: the answers may be our own model's (a proxy, answers that are in no set), or learned from other text of ours as well; training on these sets alone does not do that".into());
    }
    finding.copies = without_copies(test, suspect, runs, &tested, config)?;
    if suspect.corpus.packing().shape.context < LEAST_WIDTH {
        finding.notes.push("contexts of one token are served whatever is said: whether the answers are our own text, copied, which is no training, cannot be told by them".into());
    }
    Ok(())
}

/// Which windows stand in copied runs, see [`copied`]; none where there are none, or contexts are too short to tell. `served` says which windows stand in
/// served contexts.
fn copied_runs(suspect: &Read, served: &[bool]) -> Option<(Vec<bool>, usize)> {
    if suspect.corpus.packing().shape.context < LEAST_WIDTH {
        return None;
    }
    copied(suspect.corpus.seen(), served)
}

/// What looks copied among the windows that are `tested`, with the p of those that do not.
fn without_copies(
    test: &Test,
    suspect: &Read,
    runs: Option<(Vec<bool>, usize)>,
    tested: &[bool],
    config: &Config,
) -> Result<Option<Copies>> {
    let Some((copied, shortest_run)) = runs else { return Ok(None) };
    let seen = suspect.corpus.seen();
    let of = |wanted: bool| {
        seen.iter().zip(tested.iter().zip(&copied)).filter(move |(_, (tested, copied))| **tested && **copied == wanted)
    };
    let windows = of(true).count() as u64;
    if windows == 0 {
        return Ok(None);
    }
    let rest: Vec<Seen> = of(false).map(|(seen, _)| *seen).collect();
    let rest = Tested::new(test, &suspect.corpus, &rest, suspect.scoring(config.bytes, &config.dir), None)?;
    let log10_p_without = rest.ln_ps[rest.best] * LOG10_E;
    Ok(Some(Copies { windows, shortest_run, log10_p_without }))
}

/// Why a mark that stands in copies alone forbids a verdict; `log10_level` is that of one test.
fn only_copies(copies: Option<&Copies>, log10_level: f64) -> Option<String> {
    copies.filter(|copies| copies.log10_p_without > log10_level).map(Copies::told)
}

/// Fewest decoy keys that say anything.
const LEAST_DECOYS: usize = 20;
/// Windows that one thread asks a filter about at a time.
const FILTERED: usize = 1 << 14;

/// Distinct contexts of windows in order.
fn contexts_of(seen: &[Seen]) -> u64 {
    seen.chunk_by(|a, b| a.key() == b.key()).count() as u64
}

/// Says of windows in order which of them count.
struct Filter<'a> {
    of: Stand<'a>,
    /// Whether it looks at contexts alone, so that it passes every window in the contexts that it passed.
    of_contexts: bool,
}

/// The windows that a filter passes.
fn passed(seen: &[Seen], filter: &(dyn Fn(&[Seen]) -> Vec<bool> + Sync)) -> Vec<Seen> {
    let of_chunk = |chunk: &[Seen]| -> Vec<Seen> {
        chunk.iter().zip(filter(chunk)).filter(|(_, held)| *held).map(|(seen, _)| *seen).collect()
    };
    seen.par_chunks(FILTERED).flat_map_iter(of_chunk).collect()
}

/// The smallest ln p over the payloads, all of them, and the law.
struct Tested {
    scored: Scored,
    law: Law,
    ln_ps: Vec<f64>,
    best: usize,
}

impl Tested {
    fn new(
        test: &Test,
        corpus: &Corpus,
        seen: &[Seen],
        scoring: Scoring<'_>,
        trace: Option<&mut TraceSink<'_>>,
    ) -> Result<Self> {
        let marker = test.marker.as_ref();
        let law = law(marker, corpus, seen, scoring);
        let scored = score(marker, corpus, seen, scoring, trace.map(|trace| (0, trace)))?;
        let ln_ps: Vec<f64> = scored.tallies.iter().map(|tally| law.ln_p(tally.scored(), tally.statistic())).collect();
        let best = (0..ln_ps.len()).min_by(|&a, &b| ln_ps[a].total_cmp(&ln_ps[b])).unwrap_or(0);
        Ok(Self { scored, law, ln_ps, best })
    }

    fn best(&self) -> &tally::Tally {
        &self.scored.tallies[self.best]
    }
}

/// Tests the windows that `filter` passes. A filter may look at contexts alone; [`test`] sees to it.
fn on(
    test: &Test,
    suspect: &Read,
    filter: &Filter<'_>,
    clean: &[(String, &Read)],
    config: &Config,
) -> Result<Unadjusted> {
    let marker = test.marker.as_ref();
    let all = suspect.corpus.seen().len();
    let corpus = suspect.corpus.with(passed(suspect.corpus.seen(), filter.of));
    let scoring = suspect.scoring(config.bytes, &config.dir);
    // What each window said is kept for the e-value, where windows are what is scored.
    let traits = marker.traits();
    let mut statistics = Vec::new();
    let mut keep = |rows: &[Traced]| -> Result<()> {
        statistics.extend(rows.iter().map(|row| row.statistic(&traits.null)));
        Ok(())
    };
    let kept = has_e(marker) && !traits.collapses;
    let trace: Option<&mut TraceSink<'_>> = if kept { Some(&mut keep) } else { None };
    let tested = Tested::new(test, &corpus, corpus.seen(), scoring, trace)?;
    let (n, statistic) = (tested.best().scored(), tested.best().statistic());
    let rate = statistic / (n as f64).max(1.0);
    let mut controls = Vec::new();
    let mut beside = |kind, name: &str, read: &Read, windows: Vec<Seen>| -> Result<()> {
        let corpus = read.corpus.with(windows);
        let tested = Tested::new(test, &corpus, corpus.seen(), read.scoring(config.bytes, &config.dir), None)?;
        controls.push(Control::new(kind, name, &tested.law, tested.best(), tested.ln_ps[tested.best], rate));
        Ok(())
    };
    if corpus.packing().shape.context > 0 {
        let dealt = control::dealt(marker, &corpus, scoring.tokens, config.decoys.seed);
        let dealt = if filter.of_contexts { dealt } else { passed(&dealt, filter.of) };
        beside(ControlKind::Dealt, "the suspect's tokens in other contexts", suspect, dealt)?;
    }
    for (name, read) in clean {
        beside(ControlKind::Clean, name, read, passed(read.corpus.seen(), filter.of))?;
    }
    let decoys = decoys::run(marker, &corpus, scoring, config.decoys)?.beside(marker, &corpus, scoring)?;
    let log10_e = one_a_context(marker, &corpus, scoring, kept.then_some(&statistics[..]))?;
    let Tested { law, ln_ps, best, ref scored } = tested;
    let tally = &scored.tallies[best];
    let (rate, interval) = law.interval(n, statistic, config.level);
    let mut masked = corpus.masked();
    masked.same_seed = scored.same_seed;
    let curve = tally.curve().map(|(scored, sum)| Point { scored, log10_p: law.ln_p(scored, sum) * LOG10_E }).collect();
    let finding = Finding {
        key: test.key_id.clone(),
        scheme: test.scheme,
        dialect: test.dialect,
        profile: test.profile.clone(),
        parameters: test.parameters.clone(),
        set: None,
        contexts: 0,
        scored: n,
        outside: (all - corpus.seen().len()) as u64,
        masked: masked.named().into_iter().collect(),
        payload: (ln_ps.len() > 1).then_some(best),
        statistic,
        expected: law.expected(n),
        rate,
        interval,
        log10_p: ln_ps[best] * LOG10_E,
        method: law.method(),
        p_kind: law.kind(),
        adjusted_log10_p: 0.0,
        m_tests: 0,
        log10_e,
        power: 0.0,
        verdict: Verdict::Inconclusive,
        rule: String::new(),
        notes: Vec::new(),
        copies: None,
        origin: None,
        decoys: decoys.into(),
        controls,
        contamination: None,
        curve,
    };
    Ok(Unadjusted { finding, ln_ps, best, law, published: test.published })
}

/// Whether a scheme has an e-value: its windows are independent, one a context.
fn has_e(marker: &dyn Scheme) -> bool {
    let traits = marker.traits();
    traits.shape.context > 0 && traits.payloads == 1 && marker.shifted().is_none()
}

/// log10 of the e-value over the window of each context that stood first. `statistics` are those of all windows, where they are known.
fn one_a_context(
    marker: &dyn Scheme,
    corpus: &Corpus,
    scoring: Scoring<'_>,
    statistics: Option<&[f64]>,
) -> Result<Option<f64>> {
    if !has_e(marker) {
        return Ok(None);
    }
    let seen = corpus.seen();
    let mut end = 0;
    let firsts = seen.chunk_by(|a, b| a.key() == b.key()).filter_map(|group| {
        end += group.len();
        (end - group.len()..end).min_by_key(|&at| seen[at].place())
    });
    let (n, statistic) = if let Some(statistics) = statistics {
        tally::added(firsts.map(|at| statistics[at]))
    } else {
        let firsts: Vec<Seen> = firsts.map(|at| seen[at]).collect();
        let scored = score(marker, corpus, &firsts, scoring, None)?;
        (scored.tallies[0].scored(), scored.tallies[0].statistic())
    };
    Ok(Law::new(marker.traits().null).ln_e(n, statistic).map(|ln_e| ln_e * LOG10_E))
}

/// Adjusts all p-values together (Holm over keys, sets and payloads), and gives each test its verdict.
#[must_use]
pub fn judge(found: Vec<Unadjusted>, config: &Config) -> Vec<Finding> {
    let every: Vec<f64> = found.iter().flat_map(|found| found.ln_ps.iter().copied()).collect();
    let adjusted = stats::holm(&every);
    let mut first = 0;
    let one = |found: Unadjusted| {
        let Unadjusted { mut finding, ln_ps, best, law, published } = found;
        let ln_adjusted = adjusted[first + best];
        first += ln_ps.len();
        finding.adjusted_log10_p = ln_adjusted * LOG10_E;
        finding.m_tests = every.len();
        finding.power = law.power(finding.scored, config.strength, libm::log(config.alpha / every.len() as f64));
        (finding.verdict, finding.rule) = rule(&finding, ln_adjusted, published, config);
        if finding.verdict == Verdict::Marked {
            let small = control::too_small(&finding.controls, config.least_control);
            let notes: Vec<String> =
                small.map(|name| format!("the control {name} is too small to show anything")).collect();
            finding.notes.extend(notes);
        }
        finding
    };
    found.into_iter().map(one).collect()
}

fn rule(finding: &Finding, ln_adjusted: f64, published: Option<&str>, config: &Config) -> (Verdict, String) {
    let inconclusive = |why: String| (Verdict::Inconclusive, why);
    let (m, alpha) = (finding.m_tests, format!("{:e}", config.alpha));
    let adjusted = format!("adjusted log10 p {:.2}", ln_adjusted * LOG10_E);
    if finding.scored == 0 {
        return inconclusive("no window was scored: nothing that the suspect said stands in a served context".into());
    }
    let Some(uniformity) = finding.decoys.ks_p else {
        return inconclusive("no decoy keys were run, so nothing shows that the test holds on this text".into());
    };
    if finding.decoys.n < LEAST_DECOYS {
        return inconclusive(format!("fewer than {LEAST_DECOYS} decoy keys say nothing of the test on this text"));
    }
    if uniformity < config.least_uniformity {
        return inconclusive(format!(
            "decoy keys' p-values are not uniform (p {uniformity:.2e}, below {}): the test does not hold on this text",
            config.least_uniformity
        ));
    }
    if let Some(why) = control::against(&finding.controls, config.least_control, ln_adjusted <= libm::log(config.alpha))
    {
        return inconclusive(why);
    }
    let held =
        format!("decoy uniformity p {uniformity:.3} is at least {}, no control is marked", config.least_uniformity);
    if ln_adjusted <= libm::log(config.alpha) {
        if let Some(published) = published {
            return inconclusive(format!(
                "{adjusted} is at most {alpha} over {m} tests, but the key is public ({published}): it shows that somebody used it"
            ));
        }
        if let Some(why) = only_copies(finding.copies.as_ref(), libm::log10(config.alpha / m as f64)) {
            return inconclusive(format!("{adjusted} over {m} tests is at most {alpha}, but {why}"));
        }
        let copies = finding.copies.as_ref().map(Copies::beside).unwrap_or_default();
        return (Verdict::Marked, format!("Marked: {adjusted} over {m} tests is at most {alpha}, {held}{copies}"));
    }
    let planned =
        format!("planned power {:.4} at strength {} and {} windows", finding.power, config.strength, finding.scored);
    if finding.power >= config.power {
        let rule =
            format!("NotDetected: {adjusted} over {m} tests is above {alpha}, {planned} is at least {}", config.power);
        return (Verdict::NotDetected, rule);
    }
    inconclusive(format!("{adjusted} over {m} tests is above {alpha}, and {planned} is below {}", config.power))
}

#[cfg(test)]
mod tests;
