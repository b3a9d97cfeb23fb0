//! `synthid`, as transformers and synthid-text up to 0.2 do it: bits looked up in one table that a seed made.
//!
//! # Algorithm
//! A window of `ngram_len` tokens is hashed, the scored token last; one more step with a layer's key gives a place in a table of
//! `sampling_table_size` bits, torch's `randint(0, 2)` after `manual_seed(sampling_table_seed)`. Planting multiplies probabilities
//! by 1 + g − mass, layer after layer, unless the context stood among the last `context_history_size`; contexts begin with zeros, the
//! prompt never enters. The statistic is the number of ones, or their sum weighted from 10 (first layer) down to 1 (last).
//!
//! Source: Dathathri et al. 2024, Nature 634, Methods; transformers 5.23.0 `SynthIDTextWatermarkLogitsProcessor` and synthid-text 0.2.
//!
//! # Null
//! Given text that does not depend on the keys, each layer of all windows is the table read from a place that the layer's key shifts, every
//! shift equally likely. A window's place is its hash modulo the size, so windows share places and their bits are not independent. The
//! ones of a layer are therefore computed for every shift, from the windows that the text itself has at each place; the p-value is the
//! Chernoff bound of the sum of layers under that law (keys that differ modulo the size are drawn without replacement, for which the
//! bound holds, too). The mean is the table's own share of ones, not ½ (32 743 of 65 536 for seed 0 on the CPU). Assumes keys that
//! were drawn at random. For a table whose size is no power of two the places depend on the whole hash, and bits are taken as
//! independent coins of the table's share.
//!
//! # What a negative does not show
//! As for `tournament`; also, 65 536 places serve all windows, so in large evidence p falls more slowly than with independent bits.
//!
//! # Wrong on purpose
//! Tokens that agree modulo the table's size share every bit (62 720 of 128 256 do); all layers are shifts of one table; the same seed
//! gives another table on a CUDA device; keys that agree modulo the size are one layer (scored as one, of the summed weight). Three
//! leaves are an extension to planting here: synthid-text had them, transformers has not.
//!
//! # When not to use it
//! For a new deployment: the hash is linear, and who sees enough marked text can find the keys. Prefer `tournament`.

use super::about::{About, Field, Opened, Secret};
use super::fields::Fields;
use super::profile::Profile;
use super::sample::{Sampling, check_logits, warp};
use super::synthid::{self, Plan, accumulate, hash};
use super::{Marked, Null, Once, Scheme, Shape, SoFar, Traits, Unit, Value, Windows};
use crate::error::{Error, ErrorKind, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// How `watermark schemes` shows it.
pub const ABOUT: About = About {
    scheme: "synthid",
    dialect: "transformers",
    source: "Dathathri et al. 2024; transformers 5.23.0, synthid-text 0.2",
    fields: &[
        Field { name: "keys", default: None, about: "1 to 64 whole numbers of 64 bits, one a layer" },
        Field { name: "ngram_len", default: Some("5"), about: "tokens of a window with the scored one, 2 to 65" },
        Field { name: "sampling_table_size", default: Some("65536"), about: "bits of the table, 2 to 2^24" },
        Field { name: "sampling_table_seed", default: Some("0"), about: "seed of the table, -2^63 to 2^64 - 1" },
        Field { name: "context_history_size", default: Some("1024"), about: "contexts remembered, 0 to 2^24" },
        Field {
            name: "skip_first_ngram_calls",
            default: Some("false"),
            about: "the first ngram_len - 1 tokens stay unmarked",
        },
        Field { name: "num_leaves", default: Some("2"), about: "leaves of the tournament when planting, 2 or 3" },
        Field { name: "statistic", default: Some("mean"), about: "mean or weighted_mean" },
        Field {
            name: "profile",
            default: Some("cpu"),
            about: "device that made the table: cpu, cuda:NAME or cuda:THREADS",
        },
        Field { name: "vocab_size", default: None, about: "width of the model's logits" },
    ],
    secret: &[("keys", Secret::Ints(30, 31))],
    planted_by: "transformers' generate with SynthIDTextWatermarkingConfig, from 4.46 on",
    faults: "greedy requests carry no mark; its table has 32,743 ones of 65,536 on the CPU and others on a GPU, so \
        a mean of one half is wrong there; other frameworks need their own keys, and examples share theirs",
    open,
};

/// From so many scored units on, the words of all places are tabulated: 65 536 words cost about as much.
const MANY: usize = 1 << 14;
/// Largest table whose words are tabulated.
const SMALL: usize = 1 << 16;

/// What the table variant is set to, beside its keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Tokens of a window, 2 to 65.
    pub ngram_len: usize,
    /// Contexts remembered.
    pub history: usize,
    /// Whether the first calls leave the scores alone.
    pub skip_first: bool,
    /// Leaves when planting, 2 or 3.
    pub leaves: u32,
    /// Whether layers weigh from 10 down to 1.
    pub weighted: bool,
    /// Width of the logits.
    pub vocab: u32,
}

/// The scheme under one set of keys.
pub struct Table {
    setting: Setting,
    keys: Vec<i64>,
    /// Layers that are scored, and their weights.
    scored: Vec<i64>,
    weights: Option<Vec<f64>>,
    /// One byte a bit.
    table: Vec<u8>,
    /// The table in the order of hash × multiplier + 1, where its size is a power of two.
    shifted: Option<Arc<[u8]>>,
    asked: AtomicUsize,
    words: OnceLock<Vec<u64>>,
}

/// The table's bits: `randint(0, 2, (size,))` after `manual_seed(seed)` on the profile's device.
#[must_use]
pub fn sampling_table(profile: Profile, seed: u64, size: u32) -> Vec<u8> {
    match profile {
        Profile::Cpu => {
            let mut generator = super::mt19937::Mt19937::new(seed);
            (0..size).map(|_| (generator.next_u32() & 1) as u8).collect()
        }
        Profile::Cuda(device, _) => {
            super::cuda::randint(device, seed, 0, 2, size).into_iter().map(|bit| bit as u8).collect()
        }
    }
}

impl Table {
    /// Over a table of bits as [`sampling_table`] gives it, with 1 to 64 keys.
    ///
    /// # Errors
    /// `Config` when the table has no one or no zero: then bits say nothing.
    pub fn new(setting: Setting, keys: Vec<i64>, table: Vec<u8>) -> Result<Self> {
        let ones = table.iter().filter(|bit| **bit == 1).count();
        if ones == 0 || ones == table.len() {
            let what = "expected ones and zeros in the sampling table, got one of them only";
            return Err(Error::new(ErrorKind::Config, what).hint("use a larger sampling_table_size"));
        }
        let weights = setting.weighted.then(|| synthid::weights(keys.len()));
        let (scored, weights) = synthid::distinct(&keys, Some(table.len() as u64), weights);
        let size = table.len() as u64;
        let place = |at: u64| (accumulate(at, 0) & (size - 1)) as usize;
        let shifted = size.is_power_of_two().then(|| (0..size).map(|at| table[place(at)]).collect());
        Ok(Self { setting, keys, scored, weights, table, shifted, asked: AtomicUsize::new(0), words: OnceLock::new() })
    }

    /// Bits of all layers, one word a scored token: what `compute_g_values` returns. The first layer lowest.
    ///
    /// * Shape: n tokens → n − ngram_len + 1 words.
    #[must_use]
    pub fn layers(&self, tokens: &[u32]) -> Vec<u64> {
        tokens.windows(self.setting.ngram_len).map(|window| self.word(hash(1, window), &self.keys)).collect()
    }

    /// For each scored token whether its context is new: [`synthid::context_mask`] with this scheme's setting.
    #[must_use]
    pub fn context_mask(&self, tokens: &[u32]) -> Vec<bool> {
        synthid::context_mask(tokens, self.setting.ngram_len, self.setting.history, 1)
    }

    /// What the logits processor returns for the next token of `response`: log probabilities in single precision, the least finite
    /// number for 0; the scores themselves where the context is not marked.
    #[must_use]
    pub fn process(&self, response: &[u32], scores: &[f32]) -> Vec<f32> {
        let Some(context) = self.plan().context(response) else { return scores.to_vec() };
        let word = |token: u32| self.word(accumulate(context, u64::from(token)), &self.keys);
        let bits: Vec<u64> = (0..scores.len() as u32).map(word).collect();
        synthid::update_scores(scores, &bits, self.keys.len() as u32, self.setting.leaves, f32::MIN)
    }

    fn plan(&self) -> Plan {
        let Setting { ngram_len, history, skip_first, .. } = self.setting;
        Plan { ngram_len, history, skip_first, start: 1 }
    }

    /// Floor modulo of the signed key.
    fn place(&self, key: u64) -> usize {
        let size = self.table.len() as u64;
        if size.is_power_of_two() {
            return (key & (size - 1)) as usize;
        }
        (key as i64).rem_euclid(size as i64) as usize
    }

    fn word(&self, hash: u64, keys: &[i64]) -> u64 {
        let bit = |key: i64| u64::from(self.table[self.place(accumulate(hash, key as u64))]);
        keys.iter().enumerate().fold(0, |word, (layer, key)| word | bit(*key) << layer)
    }

    /// The words of all hashes below the table's size: a layer is the table, shifted, read in the order of hash × multiplier.
    fn words(&self) -> &[u64] {
        self.words.get_or_init(|| {
            let twice = self.table.repeat(2);
            let mut shifted = vec![0u64; self.table.len()];
            for (layer, key) in self.scored.iter().enumerate() {
                let from = self.place(accumulate(0, *key as u64));
                for (word, bit) in shifted.iter_mut().zip(&twice[from..]) {
                    *word |= u64::from(*bit) << layer;
                }
            }
            // accumulate(h, key) = M h + accumulate(0, key), and accumulate(h, 0) = M h + 1.
            (0..self.table.len() as u64).map(|hash| shifted[self.place(accumulate(hash, 0).wrapping_sub(1))]).collect()
        })
    }

    fn tabulates(&self, n: usize) -> bool {
        let size = self.table.len();
        let many = || self.asked.fetch_add(n, Ordering::Relaxed) + n >= MANY;
        size <= SMALL && size.is_power_of_two() && (self.words.get().is_some() || many())
    }
}

fn open(fields: &Fields) -> Result<Opened> {
    let keys = keys(fields)?;
    let name = fields.text("profile")?.unwrap_or("cpu");
    let profile = Profile::parse(name).ok_or_else(|| {
        Error::new(ErrorKind::Config, "expected a device in the field profile, got something else")
            .hint(super::profile::NAMES)
    })?;
    let size = fields.count("sampling_table_size", Some(65_536), 2, 1 << 24)? as u32;
    let seed = fields.int("sampling_table_seed", Some(0), i128::from(i64::MIN), i128::from(u64::MAX))?;
    let setting = setting(fields)?;
    let published = published(&keys);
    let scheme = Table::new(setting, keys, sampling_table(profile, seed as u64, size))?;
    let (profile, predicted) = (profile.to_string(), profile.predicted());
    Ok(Opened { scheme: Box::new(scheme), published, profile, predicted })
}

/// The layer keys of a key file.
pub(super) fn keys(fields: &Fields) -> Result<Vec<i64>> {
    let wrong =
        |_| Error::new(ErrorKind::Config, "expected whole numbers of 64 bits in the field keys, got a larger one");
    fields.ints("keys", None, 1, 64)?.into_iter().map(|key| i64::try_from(key).map_err(wrong)).collect()
}

/// Where layer keys are known from.
pub(super) fn published(keys: &[i64]) -> Option<&'static str> {
    synthid::PUBLISHED_KEYS
        .starts_with(keys)
        .then_some("the keys are those in the documentation of transformers and synthid-text")
}

/// What both dialects are set to by the same fields.
pub(super) fn setting(fields: &Fields) -> Result<Setting> {
    Ok(Setting {
        ngram_len: fields.count("ngram_len", Some(5), 2, 65)?,
        history: fields.count("context_history_size", Some(1024), 0, 1 << 24)?,
        skip_first: fields.flag("skip_first_ngram_calls", false)?,
        leaves: fields.count("num_leaves", Some(2), 2, 3)? as u32,
        weighted: fields.word("statistic", Some("mean"), &["mean", "weighted_mean"])? == "weighted_mean",
        vocab: fields.vocab()?,
    })
}

impl Setting {
    pub(super) fn shape(&self) -> Shape {
        let context = self.ngram_len - 1;
        Shape { context, first: context, pad: false, once: Once::Window, history: Some(self.history), budget: None }
    }
}

impl Scheme for Table {
    fn traits(&self) -> Traits {
        let ones = self.table.iter().map(|bit| f64::from(*bit)).sum::<f64>();
        Traits {
            shape: self.setting.shape(),
            null: Null::Layers {
                depth: self.scored.len() as u32,
                share: ones / self.table.len() as f64,
                weights: self.weights.clone(),
            },
            payloads: 1,
            collapses: self.shifted.is_none(),
            cost: 1.0,
            vocab: self.setting.vocab,
        }
    }

    /// A unit is what the layers' keys are added to; the token is in it already.
    fn reduce(&self, windows: Windows<'_>, units: &mut Vec<Unit>) {
        let size = self.table.len() as u64;
        let mask = if size.is_power_of_two() { size - 1 } else { u64::MAX };
        units.extend(windows.iter().map(|(context, token)| {
            let seed = accumulate(hash(1, context), u64::from(token)) & mask;
            Unit { seed: u128::from(seed), token: 0 }
        }));
    }

    fn values(&self, units: &[Unit], values: &mut Vec<Value>) {
        if self.tabulates(units.len()) {
            let words = self.words();
            values.extend(units.iter().map(|unit| Value::Layers(words[self.place(unit.seed as u64)])));
        } else {
            values.extend(units.iter().map(|unit| Value::Layers(self.word(unit.seed as u64, &self.scored))));
        }
    }

    fn shifted(&self) -> Option<Arc<[u8]>> {
        self.shifted.clone()
    }

    /// As many random keys; the table stays, as it is part of the dialect.
    fn with_key(&self, material: &[u8; 32]) -> Box<dyn Scheme> {
        let size = self.table.len() as u64;
        let keys = synthid::random_keys(material, self.keys.len(), Some(size));
        let weights = self.setting.weighted.then(|| synthid::weights(keys.len()));
        let (scored, weights) = synthid::distinct(&keys, Some(size), weights);
        let (setting, table, shifted) = (self.setting.clone(), self.table.clone(), self.shifted.clone());
        let (asked, words) = (AtomicUsize::new(0), OnceLock::new());
        Box::new(Self { setting, keys, scored, weights, table, shifted, asked, words })
    }

    fn mark(
        &self,
        so_far: SoFar<'_>,
        logits: &[f32],
        sampling: &Sampling,
        _: &mut dyn FnMut() -> f64,
    ) -> Result<Marked> {
        check_logits(logits, self.setting.vocab)?;
        let scores: Vec<f32> = warp(logits, sampling).into_iter().map(|score| score as f32).collect();
        Ok(Marked::Scores(self.process(so_far.response, &scores).into_iter().map(f64::from).collect()))
    }

    fn plant(
        &self,
        so_far: SoFar<'_>,
        logits: &[f32],
        sampling: &Sampling,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<u32> {
        Ok(self.mark(so_far, logits, sampling, uniform)?.draw(uniform))
    }
}

#[cfg(test)]
#[path = "synthid_transformers_tests.rs"]
mod tests;
