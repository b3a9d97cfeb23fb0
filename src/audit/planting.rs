//! The flow of planting health: a night's rows → a seeded sample of each cell → tokens → scores under the expected keys → sequences → findings.
//!
//! Everything is read from the committed night, so a row counts once however often its log comes. Rows are chosen by a digest of seed, night and
//! row, before a response is read; each response is cut to its first [`TOKENS`] tokens, so that long ones do not look more marked than short ones,
//! and those below [`LEAST_TOKENS`] are left out. Windows that stand in the response's own prompt say nothing and are masked.
//!
//! Weakness: text is tokenised again, and a tokenizer that splits it in another way than the model did costs evidence; earlier turns of a
//! conversation are not masked. Guarantee: the same store, keys and seed give the same findings, on any number of threads; keys never enter the store.

use crate::detect::p_value::Law;
use crate::detect::planting::{EXPECTED_STRENGTH, FOUND, Sample, Scored, Watch};
use crate::detect::windows::Text;
use crate::detect::{Measured, Test, measure, windows_to};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::AccountId;
use crate::report::planting::{Cell, OptedOut, OtherKey, Planting, VALUE_CHARS};
use crate::store::{Store, Writer, tables};
use crate::stored::planting::{keep, kept};
use crate::stored::{Progress, served};
use crate::token::Tokenizer;
use arrow_array::Array as _;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Tokens of a response that are scored.
pub const TOKENS: usize = 128;
/// Fewest tokens of a response that is scored.
pub const LEAST_TOKENS: usize = 48;
/// Bytes of a text that are tokenised: enough for [`TOKENS`] of any usual tokenizer, and for a long prompt.
const MOST_BYTES: usize = 1 << 15;
/// Bytes of windows in memory.
const BYTES: usize = 1 << 28;
/// Most keys that are tried where they are not expected.
const MOST_OTHERS: usize = 32;
/// The value of a response that has none.
const NONE: &str = "(none)";

/// An attribute, or `model`, with the value that it must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The attribute's name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A key that marks responses.
pub struct Expected {
    /// The key.
    pub test: Test,
    /// Which responses it marks; none: all that no key before it marks.
    pub condition: Option<Condition>,
}

/// What should be planted where, and how it is looked for.
pub struct Settings<'a> {
    /// Keys, of which the first whose condition holds is a response's.
    pub keys: &'a [Expected],
    /// Keys that should mark nothing.
    pub strays: &'a [Test],
    /// The served models' tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// What responses are told apart by, besides `all` and `key`: `model`, or attributes.
    pub by: &'a [String],
    /// Responses of a cell that are scored in a night, at most.
    pub sample: usize,
    /// Accounts whose responses should bear no mark.
    pub opted_out: &'a BTreeSet<AccountId>,
    /// Other responses that should bear none.
    pub opted_out_where: Option<&'a Condition>,
    /// Chance of an alarm, ever, where nothing fails; in (0, 1).
    pub alpha: f64,
    /// Seed of the sample.
    pub seed: u64,
    /// Names this writer to a second one.
    pub holder: &'a str,
}

/// A row before its response is read.
struct Seen {
    row: u32,
    digest: u64,
    /// Number of the expected key; none for a response that should bear no mark.
    key: Option<usize>,
    /// Its values, in the order of the kinds.
    values: Vec<u32>,
    /// Number of key and model.
    stratum: u32,
}

/// Numbers for texts, in the order of their coming.
#[derive(Default)]
struct Numbers(BTreeMap<String, u32>);

impl Numbers {
    fn of(&mut self, text: &str) -> u32 {
        let next = self.0.len() as u32;
        let short: String = text.chars().take(VALUE_CHARS).collect();
        *self.0.entry(short).or_insert(next)
    }
}

/// A scored response.
struct Response {
    text: Text,
    own: Option<Scored>,
}

fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

/// The value of an attribute, or of `model`.
fn value(name: &str, model: Option<&str>, attributes: &serde_json::Value) -> String {
    let found = if name == "model" { model.map(str::to_owned) } else { None };
    let of = &attributes[name];
    let other = || match of {
        serde_json::Value::Null => NONE.to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    found.unwrap_or_else(other)
}

/// Looks at one night of the store at `dir`, keeps what it says and returns it. A night that was looked at before is told again.
///
/// # Errors
/// `Store` or `Io` when the store cannot be read or written; `Config` without a key.
pub fn planting(dir: &Path, night: u32, settings: &Settings<'_>, progress: &dyn Progress) -> Result<Planting> {
    progress.stage("planting", None);
    if settings.keys.is_empty() {
        return Err(Error::new(ErrorKind::Config, "expected a key that should be planted, got none"));
    }
    let (mut writer, _) = Writer::open(dir, settings.holder, &[])?;
    let mut state = kept(&writer.store)?;
    if let Some(last) = state.last.as_ref().filter(|last| last.night >= night) {
        return Ok(last.clone());
    }
    let mut kinds: Vec<&str> = vec!["all", "key"];
    for by in settings.by {
        if !kinds.contains(&by.as_str()) {
            kinds.push(by);
        }
    }
    let mut names: Vec<Numbers> = kinds.iter().map(|_| Numbers::default()).collect();
    let read = rows(&writer.store, night, settings, &kinds, &mut names)?;
    let labels: Vec<BTreeMap<u32, String>> = names
        .iter()
        .zip(&kinds)
        .map(|(numbers, kind)| {
            let values: BTreeSet<&str> = numbers.0.keys().map(String::as_str).collect();
            let cells = Watch::cells(&state.watched, kind, &values);
            numbers.0.iter().map(|(value, number)| (*number, cells[value.as_str()].clone())).collect()
        })
        .collect();
    // Of each cell the rows of the smallest digests, and as many of those that should bear no mark.
    let mut of_cell: BTreeMap<(usize, &str), Vec<&Seen>> = BTreeMap::new();
    let mut out: Vec<&Seen> = Vec::new();
    for seen in &read.rows {
        if seen.key.is_none() {
            out.push(seen);
            continue;
        }
        for (kind, number) in seen.values.iter().enumerate() {
            of_cell.entry((kind, labels[kind][number].as_str())).or_default().push(seen);
        }
    }
    let first = |rows: &mut Vec<&Seen>| {
        rows.sort_unstable_by_key(|seen| (seen.digest, seen.row));
        rows.truncate(settings.sample);
    };
    of_cell.values_mut().for_each(first);
    first(&mut out);
    let chosen: BTreeMap<u32, &Seen> = of_cell.values().flatten().chain(&out).map(|seen| (seen.row, *seen)).collect();
    let responses = responses(&writer.store, night, &chosen, settings, dir)?;
    state.watched.nights += 1;
    let watch = Watch { alpha: settings.alpha, kinds: kinds.len(), seed: settings.seed };
    // Half of the chance of an alarm, spread over all nights.
    let t = f64::from(state.watched.nights);
    let spent = settings.alpha / 2.0 / (t * (t + 1.0));
    let mut cells = Vec::new();
    for (number, kind) in kinds.iter().enumerate() {
        let mut samples = BTreeMap::new();
        for ((_, label), rows) in of_cell.iter().filter(|((of, _), _)| *of == number) {
            samples.insert((*label).to_owned(), sample(rows, &responses, settings, dir)?);
        }
        let standings = watch.night(&mut state.watched, kind, night, &samples);
        for (label, standing) in standings {
            let sample = &samples[&label];
            let n = sample.responses.len() as u64;
            cells.push(Cell {
                by: (*kind).to_owned(),
                value: label,
                responses: n,
                tokens: sample.tokens,
                log10_p: sample.ln_p / std::f64::consts::LN_10,
                tokens_to_found: sample.tokens_to,
                expected_tokens: standing.expected_tokens,
                unmarked: standing.unmarked as f64 / (n as f64).max(1.0),
                unmarked_before: standing.unmarked_before,
                evidence: standing.evidence,
                state: standing.state,
                since: standing.since,
            });
        }
    }
    let other_keys = others(&kinds, &of_cell, &responses, settings, spent, dir)?;
    let opted_out = opted_out(&out, &responses, settings, spent, dir)?;
    let found = Planting {
        night,
        nights: state.watched.nights,
        alpha: settings.alpha,
        threshold: watch.threshold(),
        keys: settings.keys.iter().map(|key| key.test.key_id.clone()).collect(),
        responses: read.rows.len() as u64 + read.without_key,
        sampled: responses.len() as u64,
        too_short: (chosen.len() - responses.len()) as u64,
        without_key: read.without_key,
        null_hypothesis: "The responses of a cell look unmarked as often as those of its peers of the same key and model, and as often as \
                          before tonight."
            .into(),
        cells,
        other_keys,
        opted_out,
        alarms: Vec::new(),
    }
    .finish();
    state.last = Some(found.clone());
    keep(&mut writer, &state)?;
    Ok(found)
}

struct Rows {
    rows: Vec<Seen>,
    without_key: u64,
}

/// The night's rows that have a response.
fn rows(store: &Store, night: u32, settings: &Settings<'_>, kinds: &[&str], names: &mut [Numbers]) -> Result<Rows> {
    let out_accounts: BTreeSet<u32> = if settings.opted_out.is_empty() {
        BTreeSet::new()
    } else {
        let all = served::numbers(store)?;
        settings.opted_out.iter().filter_map(|id| all.get(id).copied()).collect()
    };
    let mut read = Rows { rows: Vec::new(), without_key: 0 };
    let mut strata = Numbers::default();
    let mut row = 0u32;
    let path = rows_file(store, night)?;
    for batch in tables::read(&path, &["account", "model", "response", "attributes"], None)? {
        let batch = batch?;
        let accounts = batch.column(0).as_primitive::<UInt32Type>();
        let (models, served, attributes) =
            (batch.column(1).as_string::<i32>(), batch.column(2), batch.column(3).as_string::<i32>());
        for i in 0..batch.num_rows() {
            let here = row;
            row += 1;
            if served.is_null(i) {
                continue;
            }
            let model = models.is_valid(i).then(|| models.value(i));
            let of: serde_json::Value = match attributes.is_valid(i) {
                true => serde_json::from_str(attributes.value(i)).unwrap_or_default(),
                false => serde_json::Value::Null,
            };
            let holds = |condition: &Condition| value(&condition.name, model, &of) == condition.value;
            let out = out_accounts.contains(&accounts.value(i)) || settings.opted_out_where.is_some_and(holds);
            let key = settings.keys.iter().position(|key| key.condition.as_ref().is_none_or(holds));
            if key.is_none() && !out {
                read.without_key += 1;
                continue;
            }
            let key = key.filter(|_| !out);
            let mut digest = blake3::Hasher::new_derive_key("stillhunt 2026 planting sample");
            digest.update(&settings.seed.to_le_bytes()).update(&night.to_le_bytes()).update(&here.to_le_bytes());
            let digest = u64::from_le_bytes(*digest.finalize().as_bytes().first_chunk().unwrap_or(&[0; 8]));
            let id = key.map_or(NONE, |key| settings.keys[key].test.key_id.as_str());
            let values = kinds.iter().zip(names.iter_mut()).map(|(kind, numbers)| match *kind {
                "all" => numbers.of("all"),
                "key" => numbers.of(id),
                name => numbers.of(&value(name, model, &of)),
            });
            let values = if key.is_some() { values.collect() } else { Vec::new() };
            let stratum = strata.of(&format!("{key:?} {}", model.unwrap_or_default()));
            read.rows.push(Seen { row: here, digest, key, values, stratum });
        }
    }
    Ok(read)
}

fn rows_file(store: &Store, night: u32) -> Result<std::path::PathBuf> {
    let place = store.nights().iter().position(|of| of.night == night);
    place.and_then(|place| store.of_kind("rows").nth(place)).map(|file| store.path(file)).ok_or_else(|| {
        Error::new(ErrorKind::Store, format!("expected the rows of night {night}, found none"))
            .hint("run: stillhunt store verify")
    })
}

/// The chosen responses that are long enough, scored under the keys that they should bear.
fn responses(
    store: &Store,
    night: u32,
    chosen: &BTreeMap<u32, &Seen>,
    settings: &Settings<'_>,
    dir: &Path,
) -> Result<BTreeMap<u32, Response>> {
    let wanted: Vec<u32> = chosen.keys().copied().collect();
    let mut out = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(out);
    }
    let mut at = 0;
    for batch in tables::read(&rows_file(store, night)?, &["prompt_text", "response"], Some(&wanted))? {
        let batch = batch?;
        let (prompts, texts) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        let one = |i: usize| -> Result<Option<(u32, Response)>> {
            let row = wanted[at + i];
            let seen = chosen[&row];
            let ids = |text: &str| settings.tokenizer.every_id(cut(text, MOST_BYTES));
            let mut tokens = ids(texts.value(i));
            tokens.truncate(TOKENS);
            if tokens.len() < LEAST_TOKENS {
                return Ok(None);
            }
            let text = Text { tokens, prompt: Some(ids(prompts.value(i))) };
            let own = match seen.key {
                None => None,
                Some(key) => {
                    let scheme = settings.keys[key].test.marker.as_ref();
                    let found = measure(scheme, std::slice::from_ref(&text), BYTES, dir)?;
                    let strength = found.statistic / found.scored.max(1) as f64;
                    Some(Scored { stratum: seen.stratum, ln_p: found.ln_p, strength })
                }
            };
            Ok(Some((row, Response { text, own })))
        };
        let scored: Vec<Option<(u32, Response)>> =
            (0..batch.num_rows()).into_par_iter().map(one).collect::<Result<_>>()?;
        at += batch.num_rows();
        out.extend(scored.into_iter().flatten());
    }
    Ok(out)
}

/// Texts under one key.
fn together(texts: &[&Text], test: &Test, dir: &Path) -> Result<Measured> {
    let texts: Vec<Text> = texts.iter().map(|text| (*text).clone()).collect();
    measure(test.marker.as_ref(), &texts, BYTES, dir)
}

/// What the sample of a cell says.
fn sample(rows: &[&Seen], responses: &BTreeMap<u32, Response>, settings: &Settings<'_>, dir: &Path) -> Result<Sample> {
    let mut out = Sample::default();
    let mut by_key: BTreeMap<usize, Vec<&Text>> = BTreeMap::new();
    for seen in rows {
        let Some(response) = responses.get(&seen.row) else { continue };
        let (Some(own), Some(key)) = (response.own, seen.key) else { continue };
        out.responses.push(own);
        by_key.entry(key).or_default().push(&response.text);
    }
    let n_keys = by_key.len() as f64;
    let mut most = 0;
    for (key, texts) in &by_key {
        let test = &settings.keys[*key].test;
        let found = together(texts, test, dir)?;
        out.tokens += found.tokens;
        out.scored += found.scored;
        out.ln_p = out.ln_p.min(found.ln_p + libm::log(n_keys));
        if found.scored > most {
            most = found.scored;
            let law = Law::new(test.marker.traits().null);
            let ln_found = libm::log(FOUND);
            out.power = law.power(found.scored, EXPECTED_STRENGTH, ln_found);
            let windows = windows_to(&law, found.statistic / found.scored as f64, ln_found);
            let a_window = found.tokens as f64 / found.scored as f64;
            out.tokens_to = windows.map(|windows| (windows as f64 * a_window).ceil() as u64);
        }
    }
    Ok(out)
}

/// Marks under keys that a cell should not bear.
fn others(
    kinds: &[&str],
    of_cell: &BTreeMap<(usize, &str), Vec<&Seen>>,
    responses: &BTreeMap<u32, Response>,
    settings: &Settings<'_>,
    alpha: f64,
    dir: &Path,
) -> Result<Vec<OtherKey>> {
    let mine = settings.keys.iter().enumerate().map(|(number, key)| (Some(number), &key.test));
    let all: Vec<(Option<usize>, &Test)> =
        mine.chain(settings.strays.iter().map(|test| (None, test))).take(MOST_OTHERS).collect();
    let mut found = Vec::new();
    for ((kind, label), rows) in of_cell {
        for (number, test) in &all {
            let wrong = rows.iter().filter(|seen| seen.key != *number).filter_map(|seen| responses.get(&seen.row));
            let texts: Vec<&Text> = wrong.map(|response| &response.text).collect();
            if !texts.is_empty() {
                found.push((*kind, *label, test.key_id.clone(), together(&texts, test, dir)?));
            }
        }
    }
    let m = libm::log(found.len() as f64);
    let of = |(kind, label, key, found): (usize, &str, String, Measured)| {
        let ln_p = (found.ln_p + m).min(0.0);
        OtherKey {
            by: kinds[kind].to_owned(),
            value: label.to_owned(),
            key,
            tokens: found.tokens,
            log10_p: ln_p / std::f64::consts::LN_10,
            alpha,
            alarm: ln_p <= libm::log(alpha),
        }
    };
    Ok(found.into_iter().map(of).collect())
}

/// Marks on responses that should bear none.
fn opted_out(
    rows: &[&Seen],
    responses: &BTreeMap<u32, Response>,
    settings: &Settings<'_>,
    alpha: f64,
    dir: &Path,
) -> Result<Vec<OptedOut>> {
    let texts: Vec<&Text> =
        rows.iter().filter_map(|seen| responses.get(&seen.row)).map(|response| &response.text).collect();
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let m = libm::log(settings.keys.len() as f64);
    let of = |key: &Expected| {
        let found = together(&texts, &key.test, dir)?;
        let ln_p = (found.ln_p + m).min(0.0);
        Ok(OptedOut {
            key: key.test.key_id.clone(),
            responses: texts.len() as u64,
            tokens: found.tokens,
            log10_p: ln_p / std::f64::consts::LN_10,
            alpha,
            alarm: ln_p <= libm::log(alpha),
        })
    };
    settings.keys.iter().map(of).collect()
}
