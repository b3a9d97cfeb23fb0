//! The flows of radioactivity: responses that were served → contexts; what the suspect said → evidence → findings.

use super::read_exchanges;
use crate::detect::windows::{Packing, Text};
use crate::detect::{Test, packing};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{AccountId, Digest};
use crate::log::{
    self, LogConfig, Prediction, Said, Tokens, begins_as_array, begins_as_lines, read_predictions, read_said, recognise,
};
use crate::radioactivity::attribute::{Case, Owners, Ring, attribute as test_rings};
use crate::radioactivity::evidence::{Evidence, Read};
use crate::radioactivity::{self, Config, Served};
use crate::report::radioactivity::{
    Attribution, BadRows, Input as Summary, Mode, Radioactivity, ServedSummary, SetSummary,
};
use crate::report::watermark::FileSummary;
use crate::store::Store;
use crate::store::contexts::{Builder, Facts};
use crate::store::input::{Input, is_parquet, open_file, open_stream};
use crate::stored::Progress;
use crate::stored::served::{Choice, Response, each_response, numbers};
use crate::token::Tokenizer;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::io::{BufRead as _, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What text is read with.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The served model's tokenizer; without it only rows with token ids are read.
    pub tokenizer: Option<&'a Tokenizer>,
    /// Bounds of reading.
    pub log: &'a LogConfig,
    /// Bytes of windows or contexts in memory.
    pub bytes: usize,
    /// Where more of them go.
    pub dir: &'a Path,
}

/// Responses that were served.
pub enum Harvest<'a> {
    /// Of a store.
    Stored(&'a Store, Choice),
    /// Of logs.
    Logs(Vec<Input>),
}

impl Reader<'_> {
    fn ids(&self, tokens: Tokens) -> Result<Vec<u32>> {
        match (tokens, self.tokenizer) {
            (Tokens::Ids(ids), _) => Ok(ids),
            (Tokens::Text(text), Some(tokenizer)) => Ok(tokenizer.every_id(&text)),
            (Tokens::Text(_), None) => Err(Error::new(ErrorKind::Input, "expected token ids, got text")
                .hint("--tokenizer FILE names the tokenizer.json of the model that was served")),
        }
    }

    pub(super) fn text(&self, text: String) -> Result<Vec<u32>> {
        self.ids(Tokens::Text(text))
    }

    /// Calls `take` with the tokens of each response of a harvest and the account that it was served to.
    fn each(
        &self,
        harvest: &Harvest<'_>,
        account: &mut dyn FnMut(&str) -> u32,
        take: &mut dyn FnMut(Vec<(u32, Vec<u32>)>) -> Result<()>,
        progress: &dyn Progress,
    ) -> Result<BadRows> {
        let mut tokenised = |batch: Vec<Response>| {
            let n = batch.len() as u64;
            let of_one = |response: Response| Ok((response.account, self.text(response.text)?));
            take(batch.into_par_iter().map(of_one).collect::<Result<_>>()?)?;
            progress.advance(n, 0);
            Ok(())
        };
        self.responses(harvest, account, false, &mut tokenised, progress)
    }

    /// Calls `take` with the responses of a harvest, with their prompts where `prompts` says so. Returns the rows of its logs that are no
    /// exchanges.
    pub(super) fn responses(
        &self,
        harvest: &Harvest<'_>,
        account: &mut dyn FnMut(&str) -> u32,
        prompts: bool,
        take: &mut dyn FnMut(Vec<Response>) -> Result<()>,
        progress: &dyn Progress,
    ) -> Result<BadRows> {
        let mut all_bad = BadRows::new();
        match harvest {
            Harvest::Stored(store, choice) => each_response(store, choice, prompts, take)?,
            Harvest::Logs(inputs) => {
                let position = Arc::new(AtomicU64::new(0));
                for input in inputs {
                    let (mut n, mut bad) = (0u64, BadRows::new());
                    let mut joiner = log::Joiner::new(self.log);
                    let mut each = |rows: Vec<(u32, log::Row)>| {
                        let mut batch = Vec::with_capacity(rows.len());
                        for (_, row) in rows {
                            let exchange = match row.result {
                                Ok(taken) => taken.exchange,
                                Err(other) if other.reason == log::Reason::NoExchange => continue,
                                // What is missing of a log may be what others were served.
                                Err(cut) if CUT.contains(&cut.reason) => {
                                    let name = input.name();
                                    let message = format!("{name}: expected a whole log, got: {}", cut.detail);
                                    return Err(Error::new(ErrorKind::Input, message));
                                }
                                Err(other) => {
                                    *bad.entry(other.reason.word().to_owned()).or_default() += 1;
                                    continue;
                                }
                            };
                            n += 1;
                            let Some(text) = exchange.response else { continue };
                            let prompt = if prompts { exchange.prompt } else { String::new() };
                            batch.push(Response { account: account(&exchange.account), prompt, text });
                        }
                        take(batch)
                    };
                    read_exchanges(input, self.log, &position, &mut |rows| each(joiner.join(0, rows)))?;
                    each(joiner.finish())?;
                    let n_bad: u64 = bad.values().sum();
                    if n_bad > 0 {
                        progress.note(&format!(
                            "{}: {n_bad} of {} rows are no exchanges and were left out",
                            input.name(),
                            n + n_bad
                        ));
                    }
                    bad.into_iter().for_each(|(reason, n)| *all_bad.entry(reason).or_default() += n);
                    if n == 0 {
                        return Err(Error::new(
                            ErrorKind::Input,
                            format!("{}: expected served exchanges, got none", input.name()),
                        )
                        .hint("a harvest is a log with account, time, prompt and response, as audit reads it"));
                    }
                }
            }
        }
        Ok(all_bad)
    }

    /// The contexts of a harvest.
    fn builder(
        &self,
        harvest: &Harvest<'_>,
        packing: Packing,
        mut facts: Facts,
        progress: &dyn Progress,
    ) -> Result<(Builder, Facts, BadRows)> {
        let mut builder = Builder::new(self.bytes, self.dir);
        let mut take = |batch: Vec<(u32, Vec<u32>)>| {
            facts.responses += batch.len() as u64;
            facts.tokens += batch.iter().map(|(_, tokens)| tokens.len() as u64).sum::<u64>();
            let contexts: Vec<Vec<u128>> =
                batch.par_iter().map(|(_, tokens)| packing.contexts(tokens).collect()).collect();
            contexts.into_iter().try_for_each(|contexts| builder.add(contexts))
        };
        let bad_rows = self.each(harvest, &mut |_| 0, &mut take, progress)?;
        Ok((builder, facts, bad_rows))
    }
}

/// What a set says of itself, before anything is read.
#[must_use]
pub fn facts(test: &Test, tokenizer: Option<&Tokenizer>, selection: String, chosen: &[u8]) -> Facts {
    let Packing { shape, vocab } = packing(test.marker.as_ref());
    let scheme = format!("{} ({})", test.scheme, test.dialect);
    let parameters: Vec<String> = test.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Facts {
        width: shape.context,
        vocab,
        scheme_digest: Digest::of(format!("{scheme}\n{}", parameters.join("\n")).as_bytes()).to_string(),
        scheme,
        tokenizer: tokenizer.map(|tokenizer| tokenizer.digest().to_string()),
        selection,
        selection_digest: Digest::of(chosen).to_string(),
        responses: 0,
        tokens: 0,
        contexts: 0,
    }
}

/// Writes the set of contexts of a harvest, as the scheme of `test` reads them.
/// # Errors
/// `Input` when nothing was served or text comes without a tokenizer; `Io`, `Store` when something cannot be read or written.
pub fn build(
    harvest: &Harvest<'_>,
    test: &Test,
    facts: Facts,
    reader: Reader<'_>,
    out: &mut dyn Write,
    progress: &dyn Progress,
) -> Result<Facts> {
    progress.stage("read", None);
    let (builder, facts, _) = reader.builder(harvest, packing(test.marker.as_ref()), facts, progress)?;
    if facts.responses == 0 {
        return Err(Error::new(ErrorKind::Input, "expected responses that were served, found none")
            .hint("the log must hold responses, and the selection at least one of them"));
    }
    builder.finish(facts, out)
}

/// A set of contexts that a test is restricted to.
pub enum Set {
    /// A file's.
    Ready(Served),
    /// Made for each key from logs.
    Harvest(String, Vec<Input>),
    /// None: every window counts.
    Everything,
}

/// Bad rows that mean that a log is not whole.
const CUT: [log::Reason; 3] = [log::Reason::TruncatedInput, log::Reason::UnreadableFile, log::Reason::DamagedRows];

/// What is asked about a suspect.
pub struct Question<'a> {
    /// The keys.
    pub tests: &'a [Test],
    /// What text is read with.
    pub reader: Reader<'a>,
    /// Texts of models that never saw ours.
    pub clean: &'a [Input],
    /// Of each prediction so many tokens.
    pub top: usize,
    /// The rules.
    pub config: &'a Config,
}

/// Reads all of what a model said, for each packing.
fn read_all(
    inputs: &[Input],
    mode: Option<Mode>,
    packings: &[Packing],
    question: &Question<'_>,
    summary: &mut Summary,
    progress: &dyn Progress,
) -> Result<(BTreeMap<Packing, Read>, Mode)> {
    let Reader { log, bytes, dir, .. } = question.reader;
    let each = bytes / packings.len().max(1);
    let mut all: BTreeMap<Packing, Evidence> =
        packings.iter().map(|packing| Ok((*packing, Evidence::new(*packing, each, dir)?))).collect::<Result<_>>()?;
    let mut found = mode;
    let position = Arc::new(AtomicU64::new(0));
    for input in inputs {
        let name = input.name();
        let digest = input.digest()?.map(|(digest, _)| digest.to_string());
        summary.files.push(FileSummary { name: name.clone(), blake3: digest });
        let mut is = |mode: Mode| {
            if *found.get_or_insert(mode) == mode {
                return Ok(());
            }
            let words = |mode| {
                if mode == Mode::Open { "predictions (context, predicted)" } else { "answers (prompt, response)" }
            };
            let (expected, got) = (words(found.unwrap_or(mode)), words(mode));
            Err(Error::new(ErrorKind::Input, format!("{name}: expected {expected}, got {got}"))
                .hint("answers are tested with: stillhunt radioactivity closed; predictions with: stillhunt radioactivity open"))
        };
        let mut take = |rows: Vec<log::Row<Said>>| -> Result<()> {
            let (mut texts, mut predictions) = (Vec::new(), Vec::new());
            for row in rows {
                match row.result {
                    Ok(Said::Answer(document)) => texts.push(document),
                    Ok(Said::Prediction(prediction)) => predictions.push(prediction),
                    Err(bad) => *summary.bad_rows.entry(bad.reason.word().to_owned()).or_default() += 1,
                }
            }
            if !texts.is_empty() {
                is(Mode::Closed)?;
            }
            if !predictions.is_empty() {
                is(Mode::Open)?;
            }
            let n = (texts.len() + predictions.len()) as u64;
            summary.with_prompt += texts.iter().filter(|document| document.prompt.is_some()).count() as u64;
            let reader = question.reader;
            let text = |document: log::Document| {
                Ok(Text {
                    tokens: reader.ids(document.body)?,
                    prompt: document.prompt.map(|p| reader.ids(p)).transpose()?,
                })
            };
            let texts: Vec<Text> = texts.into_par_iter().map(text).collect::<Result<_>>()?;
            summary.pieces += n;
            summary.tokens += texts.iter().map(|text| text.tokens.len() as u64).sum::<u64>();
            summary.tokens += predictions.iter().map(|row| row.predicted.len().min(question.top) as u64).sum::<u64>();
            progress.advance(n, position.load(Ordering::Relaxed));
            for evidence in all.values_mut() {
                evidence.answers(&texts)?;
                evidence.predictions(&predictions, question.top)?;
            }
            Ok(())
        };
        if is_parquet(input) {
            read_said(log::Source::Parquet(&open_file(input)?), log, &mut take)?;
            continue;
        }
        let mut stream = open_stream(input, &position)?;
        if stream.fill_buf().is_ok_and(begins_as_array) {
            let mut rows = |rows: Vec<log::Row<Prediction>>| {
                let said =
                    |row: log::Row<Prediction>| log::Row { place: row.place, result: row.result.map(Said::Prediction) };
                take(rows.into_iter().map(said).collect())
            };
            read_predictions(&mut stream, log, &mut rows).map_err(|error| error.at(&name))?;
            continue;
        }
        let named = recognise(&name).is_some_and(|(format, _)| format == log::Format::Jsonl);
        // A stream that cannot be read is told by its reader, as a bad row.
        let lines = named || stream.fill_buf().is_ok_and(begins_as_lines);
        let source = if lines { log::Source::Lines(&mut stream) } else { log::Source::Text(&mut stream) };
        read_said(source, log, &mut take)?;
    }
    if summary.pieces == 0 {
        let bad: u64 = summary.bad_rows.values().sum();
        let names: Vec<String> = inputs.iter().map(Input::name).collect();
        return Err(Error::new(
            ErrorKind::Input,
            format!("{}: expected what a model said, got none and {bad} bad rows", names.join(", ")),
        )
        .hint("a row has prompt and response, or context and predicted (lists of token ids)"));
    }
    let read =
        all.into_iter().map(|(packing, evidence)| Ok((packing, evidence.finish(each, dir)?))).collect::<Result<_>>()?;
    Ok((read, found.unwrap_or(Mode::Closed)))
}

/// Asks whether the suspect was trained on text that was served, for each set and key.
/// # Errors
/// `Input` when nothing can be read, or a set does not fit a key; `Io` when something must be spilled and cannot.
pub fn ask(
    mode: Mode,
    inputs: &[Input],
    sets: &[Set],
    question: &Question<'_>,
    progress: &dyn Progress,
) -> Result<Radioactivity> {
    let mut summary = Summary::default();
    let packings = packings(question.tests);
    progress.stage("read", crate::store::input::total_bytes(inputs));
    let (suspect, _) = read_all(inputs, Some(mode), &packings, question, &mut summary, progress)?;
    let (clean, controls) = read_clean(mode, &packings, question, progress)?;
    progress.stage("score", None);
    let mut told = Vec::new();
    // The contexts of each harvest, for each way of reading.
    let mut all_made: Vec<BTreeMap<Packing, Served>> = Vec::new();
    for set in sets {
        let mut made = BTreeMap::new();
        if let Set::Harvest(name, logs) = set {
            let harvest = Harvest::Logs(logs.clone());
            for packing in &packings {
                let test = question.tests.iter().find(|test| crate::detect::packing(test.marker.as_ref()) == *packing);
                let Some(test) = test else { continue };
                let chosen = log_digests(logs)?;
                let facts =
                    facts(test, question.reader.tokenizer, format!("all responses of {name}"), chosen.as_bytes());
                let (builder, facts, bad_rows) = question.reader.builder(&harvest, *packing, facts, progress)?;
                let set = builder.held(facts, question.reader.dir)?;
                told.push(SetSummary {
                    name: name.clone(),
                    digest: set.digest().to_string(),
                    facts: set.facts().clone(),
                    bad_rows,
                });
                made.insert(*packing, Served { name: name.clone(), set });
            }
        }
        if let Set::Ready(Served { name, set }) = set {
            let (digest, facts) = (set.digest().to_string(), set.facts().clone());
            told.push(SetSummary { name: name.clone(), digest, facts, bad_rows: BadRows::new() });
        }
        all_made.push(made);
    }
    let mut found = Vec::new();
    for number in 0..sets.len() {
        for test in question.tests {
            let packing = packing(test.marker.as_ref());
            let served = |number: usize| match &sets[number] {
                Set::Ready(served) => Some(served),
                Set::Harvest(..) => all_made[number].get(&packing),
                Set::Everything => None,
            };
            let beside: Vec<&Served> = (0..sets.len()).filter(|of| *of != number).filter_map(served).collect();
            let of_packing: Vec<(String, &Read)> =
                clean.iter().map(|(name, of)| (name.clone(), &of[&packing])).collect();
            let suspect = &suspect[&packing];
            found.push(radioactivity::test(test, suspect, served(number), &beside, &of_packing, question.config)?);
            progress.advance(1, 0);
        }
    }
    let tests = radioactivity::judge(found, question.config);
    Ok(Radioactivity::new(
        mode,
        summary,
        controls,
        told,
        question.config,
        question.reader.tokenizer.map(Tokenizer::digest),
        tests,
    ))
}

pub(super) fn packings(tests: &[Test]) -> Vec<Packing> {
    let mut out: Vec<Packing> = tests.iter().map(|test| packing(test.marker.as_ref())).collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// The clean texts, each for each packing.
type Clean = Vec<(String, BTreeMap<Packing, Read>)>;

fn read_clean(
    mode: Mode,
    packings: &[Packing],
    question: &Question<'_>,
    progress: &dyn Progress,
) -> Result<(Clean, Vec<Summary>)> {
    let one = |input: &Input| {
        let mut summary = Summary::default();
        let (read, _) = read_all(std::slice::from_ref(input), Some(mode), packings, question, &mut summary, progress)?;
        let bad: u64 = summary.bad_rows.values().sum();
        if bad > 0 {
            progress.note(&format!("{}: {bad} bad rows of the control were left out", input.name()));
        }
        // A control is told by the last part of its name: the directories are another machine's.
        let name = input.name();
        Ok(((name.rsplit('/').next().unwrap_or(&name).to_owned(), read), summary))
    };
    question.clean.iter().map(one).collect()
}

fn log_digests(logs: &[Input]) -> Result<String> {
    let digests = logs.iter().map(Input::digest).collect::<Result<Vec<_>>>()?;
    Ok(digests.into_iter().flatten().map(|(digest, _)| digest.to_string()).collect::<Vec<_>>().join("\n"))
}

/// Whose harvests are asked about.
pub enum Parties<'a> {
    /// Rings of a store; everybody else in it is honest.
    Stored(&'a Store, Vec<(String, Vec<AccountId>)>),
    /// Logs with names: each is asked about, and `served` are logs of everybody else.
    Logs(Vec<(String, Vec<Input>)>, Vec<Input>),
}

/// Asks on whose harvest the suspect was trained, with `decoys` decoy rings for each ring.
/// # Errors
/// As [`ask`].
pub fn attribute(
    inputs: &[Input],
    parties: &Parties<'_>,
    decoys: usize,
    question: &Question<'_>,
    progress: &dyn Progress,
) -> Result<Attribution> {
    let mut summary = Summary::default();
    let packings = packings(question.tests);
    progress.stage("read", crate::store::input::total_bytes(inputs));
    let (suspect, mode) = read_all(inputs, None, &packings, question, &mut summary, progress)?;
    let (clean, controls) = read_clean(mode, &packings, question, progress)?;
    progress.stage("served", None);
    let Reader { bytes, dir, .. } = question.reader;
    let mut owners: Vec<(Packing, Owners)> =
        packings.iter().map(|packing| (*packing, Owners::new(bytes / packings.len().max(1), dir))).collect();
    let mut of_served = ServedSummary::default();
    let mut take = |batch: Vec<(u32, Vec<u32>)>| {
        of_served.responses += batch.len() as u64;
        of_served.tokens += batch.iter().map(|(_, tokens)| tokens.len() as u64).sum::<u64>();
        for (packing, owners) in &mut owners {
            let contexts = |(account, tokens): &(u32, Vec<u32>)| (*account, packing.contexts(tokens).collect());
            let contexts: Vec<(u32, Vec<u128>)> = batch.par_iter().map(contexts).collect();
            contexts.into_iter().try_for_each(|(account, contexts)| owners.add(account, contexts))?;
        }
        Ok(())
    };
    let (mut rings, mut bad_rows) = (Vec::new(), BadRows::new());
    match parties {
        Parties::Stored(store, named) => {
            let known = numbers(store)?;
            for (name, members) in named {
                let mut members: Vec<u32> = members.iter().filter_map(|id| known.get(id).copied()).collect();
                members.sort_unstable();
                rings.push(Ring { name: name.clone(), members });
            }
            let all = Harvest::Stored(store, Choice::default());
            question.reader.each(&all, &mut |_| 0, &mut take, progress)?;
        }
        Parties::Logs(named, served) => {
            // An account of a harvest is a party of its own: one that stands in two harvests makes nothing exclusive to either.
            let mut next = 0u32;
            let others = (String::new(), served.clone());
            for (name, logs) in named.iter().chain((!served.is_empty()).then_some(&others)) {
                let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
                let mut number = |account: &str| {
                    *numbers.entry(account.to_owned()).or_insert_with(|| {
                        next += 1;
                        next - 1
                    })
                };
                let bad = question.reader.each(&Harvest::Logs(logs.clone()), &mut number, &mut take, progress)?;
                bad.into_iter().for_each(|(reason, n)| *bad_rows.entry(reason).or_default() += n);
                if !name.is_empty() {
                    let mut members: Vec<u32> = numbers.into_values().collect();
                    members.sort_unstable();
                    rings.push(Ring { name: name.clone(), members });
                }
            }
        }
    }
    of_served.bad_rows = bad_rows;
    if of_served.responses == 0 {
        return Err(Error::new(ErrorKind::Input, "expected responses that were served, found none")
            .hint("attribution needs what was served to each account: audit logs with responses"));
    }
    progress.stage("score", None);
    let served: BTreeMap<Packing, _> =
        owners.into_iter().map(|(packing, owners)| Ok((packing, owners.finish()?))).collect::<Result<_>>()?;
    let of: Vec<Vec<(String, &Read)>> = question
        .tests
        .iter()
        .map(|test| {
            let packing = packing(test.marker.as_ref());
            clean.iter().map(|(name, read)| (name.clone(), &read[&packing])).collect()
        })
        .collect();
    let cases: Vec<Case<'_>> = question
        .tests
        .iter()
        .zip(&of)
        .map(|(test, clean)| {
            let packing = packing(test.marker.as_ref());
            Case { test, suspect: &suspect[&packing], served: &served[&packing], clean }
        })
        .collect();
    let (findings, keys) = test_rings(&cases, &rings, decoys, question.config)?;
    let tokenizer = question.reader.tokenizer.map(Tokenizer::digest);
    Ok(Attribution::new(mode, (summary, controls, of_served), question.config, tokenizer, findings, keys))
}
