//! Folded text to unit vectors, by a table with one row a piece of a word (the model2vec format).
//!
//! The reading step of the model, then token ids, then the sum of their rows at length 1. Cheap (the price of reading a text), and a
//! finder of copies, not a judge: word order and meaning are not in a sum. So a long text has, beside the vector of
//! the whole, vectors of windows, in which a template of 200 tokens is still seen. Any directory in the format works; the
//! reading step is there only where the directory has a `romanise.json`.
//!
//! Weakness: see "Good at, bad at" in `models/README.md`. A text without any known piece has no vector, and so never
//! resembles anything. Guarantees: the same text and files give the same bits on any number of threads and in any batch;
//! the digest covers every file that takes part.

mod read;
mod sum;
mod table;

use crate::error::Result;
use crate::ids::Digest;
use crate::token::Tokenizer;
use ndarray::Array2;
use rayon::prelude::*;
use read::Reading;
use std::borrow::Cow;
use sum::Sums;
pub use sum::{MAX_WINDOWS, WINDOW_STRIDE, WINDOW_TOKENS};

/// A model, ready to embed.
pub struct Model {
    tokenizer: Tokenizer,
    reading: Option<Reading>,
    rows: Array2<f32>,
    digest: Digest,
}

/// Vectors of many texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// One unit vector a text, shape (n, d); zero where the text has none.
    pub whole: Array2<f32>,
    /// Whether the text has a vector.
    pub readable: Vec<bool>,
    /// How many known pieces the text has.
    pub n_tokens: Vec<u32>,
    /// One unit vector a window, shape (m, d), in order of text and place. Texts of at most 128 tokens have none.
    pub windows: Array2<f32>,
    /// Which text a window belongs to.
    pub window_text: Vec<u32>,
    /// How many windows were left out because their texts have more than 64.
    pub n_windows_cut: u64,
}

/// Texts that one task takes: enough to outweigh its start, few enough to spread.
const TEXTS_PER_TASK: usize = 256;

/// What one task hands back; parts are joined in the order of the texts.
#[derive(Default)]
struct Part {
    whole: Vec<f32>,
    readable: Vec<bool>,
    n_tokens: Vec<u32>,
    windows: Vec<f32>,
    window_text: Vec<u32>,
    n_windows_cut: u64,
}

impl Model {
    /// A model of the bytes of `config.json`, `tokenizer.json`, `model.safetensors` and, where there is one, `romanise.json`.
    ///
    /// # Errors
    /// `Model`, with what was expected and what came, when a file cannot be read or they do not fit together.
    pub fn from_parts(config: &[u8], tokenizer: &[u8], safetensors: &[u8], romanise: Option<&[u8]>) -> Result<Self> {
        let mut digest = blake3::Hasher::new();
        for part in [Some(config), Some(tokenizer), Some(safetensors), romanise] {
            let bytes = part.unwrap_or_default();
            digest.update(&[u8::from(part.is_some())]).update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
        }
        let tokenizer = Tokenizer::from_bytes(tokenizer)?;
        let rows = table::read(config, safetensors, tokenizer.n_ids())?;
        let reading = romanise.map(Reading::from_json).transpose()?;
        Ok(Self { tokenizer, reading, rows, digest: Digest(*digest.finalize().as_bytes()) })
    }

    /// Numbers in a vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.rows.ncols()
    }

    /// Digest of all files.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The tokenizer of the model.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// What the tokenizer is given for `text`: the model's reading step, or the text itself where the model has none.
    #[must_use]
    pub fn read<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.reading.as_ref().map_or(Cow::Borrowed(text), |reading| reading.read(text))
    }

    /// The unit vector of one folded text; `None` when the model knows no piece of it.
    #[must_use]
    pub fn vector(&self, folded: &str) -> Option<Vec<f32>> {
        let ids = self.tokenizer.ids(&self.read(folded));
        let mut vector = Vec::with_capacity(self.dim());
        Sums::default().add(self.rows.view(), &ids, &mut vector, |_| ()).then_some(vector)
    }

    /// The vectors of folded texts and of the windows of the long ones, in parallel.
    ///
    /// * Shape: n texts → (n, d) and (m, d).
    /// * Range: length 1, or all zero and not `readable`.
    #[must_use]
    pub fn embed_batch(&self, folded: &[&str]) -> Embedded {
        let tasks = folded.par_chunks(TEXTS_PER_TASK).enumerate();
        let parts: Vec<Part> = tasks.map(|(task, texts)| self.embed_part(task * TEXTS_PER_TASK, texts)).collect();
        let dim = self.dim();
        let join = |numbers: fn(&Part) -> &[f32]| {
            let all = parts.iter().map(numbers).collect::<Vec<_>>().concat();
            // Every part holds full rows, so the shape always fits.
            Array2::from_shape_vec((all.len() / dim, dim), all).unwrap_or_default()
        };
        Embedded {
            whole: join(|part| &part.whole),
            readable: parts.iter().flat_map(|part| &part.readable).copied().collect(),
            n_tokens: parts.iter().flat_map(|part| &part.n_tokens).copied().collect(),
            windows: join(|part| &part.windows),
            window_text: parts.iter().flat_map(|part| &part.window_text).copied().collect(),
            n_windows_cut: parts.iter().map(|part| part.n_windows_cut).sum(),
        }
    }

    /// Embeds `texts`, the first of which is the batch's `first`-th.
    fn embed_part(&self, first: usize, texts: &[&str]) -> Part {
        let mut reader = self.tokenizer.reader();
        let (mut ids, mut sums) = (Vec::new(), Sums::default());
        let mut part = Part::default();
        for (at, text) in texts.iter().enumerate() {
            reader.ids_into(&self.read(text), &mut ids);
            let Part { whole, windows, window_text, .. } = &mut part;
            let before = window_text.len();
            let found = sums.add(self.rows.view(), &ids, whole, |window| {
                windows.extend_from_slice(window);
                window_text.push((first + at) as u32);
            });
            let n_kept = window_text.len() - before;
            part.n_windows_cut += sum::n_windows(ids.len()).saturating_sub(n_kept.max(MAX_WINDOWS)) as u64;
            part.readable.push(found);
            part.n_tokens.push(u32::try_from(ids.len()).unwrap_or(u32::MAX));
        }
        part
    }
}

#[cfg(test)]
mod tests;
