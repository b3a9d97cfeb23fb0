//! The flows of watermarks: files → documents → tokens → distinct windows → findings, and logits → a planted response.

use crate::detect::places::DocumentPlaces;
use crate::detect::{DetectConfig, Finding, Reading, Test, TraceRow, windows::Text};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Document, LogConfig, Row, Source, Tokens, begins_as_lines, read_documents, recognise};
use crate::report::watermark::{FileSummary, InputSummary, Parameters, Statements, WatermarkReport};
use crate::store::input::{Input, is_parquet, open_file, open_stream};
use crate::stored::Progress;
use crate::token::Tokenizer;
use crate::watermark::keys::Key;
use crate::watermark::sample::Sampling;
use crate::watermark::{Scheme, SoFar};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A test of each key.
#[must_use]
pub fn tests(keys: Vec<Key>) -> Vec<Test> {
    let test = |key: Key| Test {
        key_id: key.id,
        scheme: key.about.scheme,
        dialect: key.about.dialect,
        profile: key.opened.profile,
        predicted: key.opened.predicted,
        published: key.opened.published,
        parameters: key.parameters,
        marker: key.opened.scheme,
    };
    keys.into_iter().map(test).collect()
}

/// A scored window, with the name of its document.
pub type NamedTrace<'a> = dyn FnMut(&Test, &str, TraceRow<'_>) -> Result<()> + 'a;

/// What a corpus is tested with.
pub struct DetectSettings<'a> {
    /// The tests.
    pub tests: &'a [Test],
    /// Reads text; without it rows must hold token ids.
    pub tokenizer: Option<&'a Tokenizer>,
    /// One such token at the beginning of a document is dropped, as transformers' detector does.
    pub bos_token_id: Option<u32>,
    /// A document ends before its first such token, as SynthID's detectors have it.
    pub eos_token_id: Option<u32>,
    /// The rules.
    pub config: DetectConfig,
    /// Bounds of reading.
    pub log: LogConfig,
}

/// Tests all documents of `inputs` for every key. `trace` receives each scored window.
///
/// # Errors
/// `Input` when text comes without a tokenizer, or nothing could be read; `Io` when a file cannot be read or windows must be spilled
/// and cannot; and those of `trace`.
pub fn detect(
    inputs: &[Input],
    settings: &DetectSettings<'_>,
    trace: Option<&mut NamedTrace<'_>>,
    progress: &dyn Progress,
) -> Result<WatermarkReport> {
    detect_with(inputs, settings, trace, &mut |_| (), progress)
}

/// As [`detect`]; `each` sees the texts of each batch as they are read.
///
/// # Errors
/// As there.
pub fn detect_with(
    inputs: &[Input],
    settings: &DetectSettings<'_>,
    mut trace: Option<&mut NamedTrace<'_>>,
    each: &mut dyn FnMut(&[Text]),
    progress: &dyn Progress,
) -> Result<WatermarkReport> {
    let config = &settings.config;
    let mut reading = Reading::new(settings.tests, config, trace.is_some())?;
    let mut summary = InputSummary::default();
    let mut names: Vec<String> = Vec::new();
    // A result says nothing of directories: whoever makes it again has others.
    let mut plain_names: Vec<String> = Vec::new();
    let position = Arc::new(AtomicU64::new(0));
    progress.stage("read", crate::store::input::total_bytes(inputs));
    for input in inputs {
        let name = input.name();
        let digest = input.digest()?.map(|(digest, _)| digest.to_string());
        summary.files.push(FileSummary { name: name.clone(), blake3: digest });
        let mut take = |rows: Vec<Row<Document>>| -> Result<()> {
            let n = rows.len() as u64;
            let mut documents = Vec::with_capacity(rows.len());
            for row in rows {
                match row.result {
                    Ok(document) => {
                        let of =
                            |file: &str| document.id.clone().unwrap_or_else(|| format!("{file}:{}", row.place.row));
                        if trace.is_some() {
                            names.push(of(&name));
                        }
                        if config.places.is_some() {
                            plain_names.push(of(name.rsplit(['/', '\\']).next().unwrap_or_default()));
                        }
                        documents.push(document);
                    }
                    Err(bad) => *summary.bad_rows.entry(bad.reason.word().to_owned()).or_default() += 1,
                }
            }
            summary.with_prompt += documents.iter().filter(|document| document.prompt.is_some()).count() as u64;
            let texts: Result<Vec<Text>> = documents.into_par_iter().map(|document| text(document, settings)).collect();
            let texts = texts?;
            summary.documents += texts.len() as u64;
            summary.tokens += texts.iter().map(|text| text.tokens.len() as u64).sum::<u64>();
            progress.advance(n, position.load(Ordering::Relaxed));
            each(&texts);
            reading.add(&texts)
        };
        read(input, settings, &position, &mut take)?;
    }
    if summary.documents == 0 {
        let bad: u64 = summary.bad_rows.values().sum();
        let reasons: Vec<&str> = summary.bad_rows.keys().map(String::as_str).collect();
        let got = if bad == 0 { "none".to_owned() } else { format!("{bad} bad rows ({})", reasons.join(", ")) };
        return Err(Error::new(ErrorKind::Input, format!("expected documents, got {got}"))
            .hint("a row has text or tokens; any file that is not JSON lines or Parquet is read as one text"));
    }
    progress.stage("score", None);
    let say = |_: &Test| progress.advance(1, 0);
    let mut results = match &mut trace {
        None => reading.finish(None, &say)?,
        Some(trace) => {
            let mut named = |test: &Test, row: TraceRow<'_>| trace(test, &names[row.document], row);
            reading.finish(Some(&mut named), &say)?
        }
    };
    for document in results.iter_mut().filter_map(|finding| finding.places.as_mut()).flat_map(|of| &mut of.list) {
        document.name = plain_names.get(document.document as usize).cloned();
    }
    characters(inputs, settings, &mut results)?;
    Ok(WatermarkReport {
        schema: 1,
        stillhunt: env!("CARGO_PKG_VERSION"),
        input: summary,
        parameters: Parameters {
            alpha: config.alpha,
            adjustment: "Holm over keys, schemes, profiles and payloads",
            least_uniformity_p: config.least_uniformity,
            power: config.power,
            strength: config.strength,
            interval_level: config.level,
            decoys: config.decoys.n,
            decoy_windows: config.decoys.windows,
            seed: config.decoys.seed,
            tokenizer: settings.tokenizer.map(|tokenizer| tokenizer.digest().to_string()),
        },
        results,
        statements: Statements::default(),
        recipe: None,
    })
}

/// Gives the documents of one input to `take`.
fn read(
    input: &Input,
    settings: &DetectSettings<'_>,
    position: &Arc<AtomicU64>,
    take: &mut dyn FnMut(Vec<Row<Document>>) -> Result<()>,
) -> Result<()> {
    if is_parquet(input) {
        read_documents(Source::Parquet(&open_file(input)?), &settings.log, take)?;
        return Ok(());
    }
    let mut stream = open_stream(input, position)?;
    let named = recognise(&input.name()).is_some_and(|(format, _)| format == crate::log::Format::Jsonl);
    // A stream that cannot be read is told by its reader, as a bad row.
    let lines = named || stream.fill_buf().is_ok_and(begins_as_lines);
    let source = if lines { Source::Lines(&mut stream) } else { Source::Text(&mut stream) };
    read_documents(source, &settings.log, take)?;
    Ok(())
}

/// Says of the spans that were found where they stand in their texts. The inputs are read once more for it, and only the texts of documents that
/// are listed are read by the tokenizer; of standard input, which cannot be read again, nothing is said.
fn characters(inputs: &[Input], settings: &DetectSettings<'_>, results: &mut [Finding]) -> Result<()> {
    let Some(tokenizer) = settings.tokenizer else { return Ok(()) };
    let mut listed: BTreeMap<u64, Vec<&mut DocumentPlaces>> = BTreeMap::new();
    for document in results.iter_mut().filter_map(|finding| finding.places.as_mut()).flat_map(|of| &mut of.list) {
        listed.entry(document.document).or_default().push(document);
    }
    if listed.is_empty() || inputs.iter().any(|input| matches!(input, Input::Stdin)) {
        return Ok(());
    }
    let mut number = 0;
    for input in inputs {
        let mut take = |rows: Vec<Row<Document>>| -> Result<()> {
            for document in rows.into_iter().filter_map(|row| row.result.ok()) {
                let places = listed.remove(&number);
                number += 1;
                let (Some(places), Tokens::Text(text)) = (places, document.body) else { continue };
                let offsets = tokenizer.offsets(&text);
                // A first token that was dropped stands before all others.
                let ids = tokenizer.every_id(&text);
                let dropped =
                    usize::from(settings.bos_token_id.is_some() && ids.first().copied() == settings.bos_token_id);
                for span in places.into_iter().flat_map(|document| &mut document.spans) {
                    let [first, past] = span.tokens.map(|at| at as usize + dropped);
                    span.characters = match (offsets.get(first), offsets.get(past - 1)) {
                        (Some(begin), Some(end)) => Some([begin[0], end[1]]),
                        _ => None,
                    };
                }
            }
            Ok(())
        };
        read(input, settings, &Arc::new(AtomicU64::new(0)), &mut take)?;
    }
    Ok(())
}

fn text(document: Document, settings: &DetectSettings<'_>) -> Result<Text> {
    let ids = |tokens: Tokens| match (tokens, settings.tokenizer) {
        (Tokens::Ids(ids), _) => Ok(ids),
        (Tokens::Text(text), Some(tokenizer)) => Ok(tokenizer.every_id(&text)),
        (Tokens::Text(_), None) => Err(Error::new(ErrorKind::Input, "expected token ids, got text")
            .hint("--tokenizer FILE names the tokenizer.json of the model that was served")),
    };
    let mut tokens = ids(document.body)?;
    if settings.bos_token_id.is_some() && tokens.first().copied() == settings.bos_token_id {
        tokens.remove(0);
    }
    if let Some(end) = tokens.iter().position(|token| Some(*token) == settings.eos_token_id) {
        tokens.truncate(end);
    }
    Ok(Text { tokens, prompt: document.prompt.map(ids).transpose()? })
}

/// Samples one response: row i of `logits`, shape (steps, vocabulary), is what the model says after `prompt` and the first i sampled
/// tokens. What the key does not decide is drawn from `seed`
/// and the number of the step.
///
/// # Errors
/// `Input` when a row is not as wide as the vocabulary, or holds NaN, +∞ or nothing above −∞; it is named by its number.
pub fn plant(
    scheme: &dyn Scheme,
    logits: ndarray::ArrayView2<'_, f32>,
    prompt: &[u32],
    sampling: &Sampling,
    seed: u64,
) -> Result<Vec<u32>> {
    let mut response = Vec::with_capacity(logits.nrows());
    for (step, row) in logits.outer_iter().enumerate() {
        let so_far = SoFar { prompt, response: &response };
        let token = scheme.plant(so_far, &row.to_vec(), sampling, &mut super::serving::uniforms(seed, step));
        response.push(token.map_err(|error| error.at(format!("step {step}")))?);
    }
    Ok(response)
}

#[cfg(test)]
mod tests;
