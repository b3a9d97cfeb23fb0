//! The open prompts that everything here is measured on, and how they are divided.
//!
//! *Held* sources are those that the shipped model was not trained on; figures of detection come from them alone. Every prompt
//! is in one of two halves by the first hex digit of its id, which is a digest of its text: 0–7 is for choosing thresholds,
//! 8–f for reporting.

use arrow_array::cast::AsArray as _;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use stillhunt::embed::Model;
use stillhunt::family::judge::Material;
use stillhunt::index::Vectors;
use stillhunt::text;

/// Sources that the shipped model never saw (`models/train/common.py`).
pub(crate) const HELD: [&str; 21] = [
    "arena-hard-v2",
    "mt-bench",
    "fabric",
    "humaneval",
    "mxeval",
    "self-instruct",
    "oasst1-en",
    "eq-bench",
    "awesome-chatgpt-prompts",
    "awesome-chatgpt-prompts-zh",
    "zh-questions",
    "mgsm",
    "math-test",
    "gsm8k",
    "advising",
    "mbpp",
    "svamp",
    "webquestions",
    "cqadupstack",
    "pubmedqa",
    "arguana",
];

/// One prompt.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) folded: String,
    pub(crate) source: String,
    pub(crate) kind: String,
    pub(crate) group: String,
}

impl Prompt {
    /// Whether the model was not trained on its source.
    pub(crate) fn held(&self) -> bool {
        HELD.contains(&self.source.as_str())
    }

    /// Whether it is for choosing thresholds, not for reporting.
    pub(crate) fn dev(&self) -> bool {
        matches!(self.id.as_bytes().get(1), Some(b'0'..=b'7'))
    }

    /// The length band: under 8 words, under 64, the rest.
    pub(crate) fn band(&self) -> usize {
        match text::n_words(&self.folded) {
            0..8 => 0,
            8..64 => 1,
            _ => 2,
        }
    }
}

/// Names of the length bands.
pub(crate) const BANDS: [&str; 3] = ["short", "medium", "long"];

/// The prompts of `dir`, those with the same folded text once; `None` where the file is absent.
pub(crate) fn prompts(dir: &Path) -> Option<Vec<Prompt>> {
    let file = std::fs::File::open(dir.join("prompts.parquet")).ok()?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file").build().expect("its rows");
    let (mut out, mut seen) = (Vec::new(), HashSet::new());
    for batch in reader {
        let batch = batch.expect("a batch");
        let column = |name: &str| {
            let column = batch.column_by_name(name).expect("the column");
            arrow_cast::cast(column, &arrow_schema::DataType::Utf8).expect("text")
        };
        let names = ["id", "text", "source", "kind", "group"];
        let columns: Vec<_> = names.map(column).into_iter().collect();
        for row in 0..batch.num_rows() {
            let [id, text, source, kind, group] = std::array::from_fn(|i| {
                let column = columns[i].as_string::<i32>();
                column.value(row).to_owned()
            });
            let folded = text::fold(&text).text;
            if seen.insert(stillhunt::ids::Digest::of(folded.as_bytes())) {
                out.push(Prompt { id, text, folded, source, kind, group });
            }
        }
    }
    Some(out)
}

/// The model that ships with the project.
pub(crate) fn model() -> Model {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models");
    let read = |name: &str| std::fs::read(dir.join(name)).expect("a file of the shipped model");
    let (config, tokenizer) = (read("config.json"), read("tokenizer.json"));
    let romanise = read("romanise.json");
    Model::from_parts(&config, &tokenizer, &read("model.safetensors"), Some(&romanise)).expect("the shipped model")
}

/// Prompts with their vectors, as the judge reads them.
pub(crate) struct Corpus {
    pub(crate) prompts: Vec<Prompt>,
    pub(crate) vectors: Vectors,
}

impl Corpus {
    /// Those of the prompts that take part in near-duplicate families.
    pub(crate) fn new(model: &Model, prompts: Vec<Prompt>) -> Self {
        Self::of_all(model, prompts.into_iter().filter(|prompt| !text::is_trivial(&prompt.folded)).collect())
    }

    /// All that have a vector.
    pub(crate) fn of_all(model: &Model, prompts: Vec<Prompt>) -> Self {
        let mut kept = Vec::with_capacity(prompts.len());
        let mut vectors = Vectors::new(model.dim());
        for part in prompts.chunks(8192) {
            let folded: Vec<&str> = part.iter().map(|prompt| prompt.folded.as_str()).collect();
            let embedded = model.embed_batch(&folded);
            for (i, prompt) in part.iter().enumerate().filter(|(i, _)| embedded.readable[*i]) {
                vectors.push(embedded.whole.row(i).as_slice().expect("rows are contiguous"));
                kept.push(prompt.clone());
            }
        }
        Self { prompts: kept, vectors }
    }
}

impl Material for Corpus {
    fn folded(&self, prompt: u32, out: &mut String) {
        out.clear();
        out.push_str(&self.prompts[prompt as usize].folded);
    }

    fn similarity(&self, a: u32, b: u32) -> Option<f32> {
        Some(self.vectors.similarity(a as usize, b as usize))
    }

    fn members(&self, _: u32) -> Vec<u32> {
        Vec::new()
    }
}
