//! What everyone is measured on: distinct real prompts as they came (`raw.jsonl`), as the model reads them (`read.jsonl`:
//! folded, then spelt for the tokenizer), their vectors (`vectors.f32`), and what a reader must know of them (`meta.json`).
//!
//! Prompts that are hostile on purpose and those that the model knows no piece of are left out; the order is that of the
//! digests of the texts, which is a shuffle that never changes.

use crate::{data, files};
use std::path::Path;
use stillhunt::family::calibrate::Calibration;
use stillhunt::family::judge::Rule;

/// Writes at most `n` prompts into `dir`.
pub(crate) fn run(data: &Path, dir: &Path, n: usize) {
    let Some(mut prompts) = data::prompts(data) else {
        println!("skipped: speed (no prompts.parquet in {})", data.display());
        return;
    };
    prompts.retain(|prompt| prompt.kind != "probe");
    prompts.sort_by(|a, b| a.id[1..].cmp(&b.id[1..]));
    prompts.truncate(n + n / 20);
    let model = data::model();
    let (mut kept, mut vectors) = (Vec::new(), Vec::<f32>::new());
    for part in prompts.chunks(8192) {
        let folded: Vec<&str> = part.iter().map(|prompt| prompt.folded.as_str()).collect();
        let embedded = model.embed_batch(&folded);
        for (i, prompt) in part.iter().enumerate().filter(|(i, _)| embedded.readable[*i]) {
            if kept.len() < n {
                vectors.extend(embedded.whole.row(i).iter());
                kept.push(prompt);
            }
        }
    }
    files::write_texts(&dir.join("raw.jsonl"), kept.iter().map(|prompt| prompt.text.as_str()));
    let read: Vec<_> = kept.iter().map(|prompt| model.read(&prompt.folded)).collect();
    files::write_texts(&dir.join("read.jsonl"), read.iter().map(AsRef::as_ref));
    files::write(&dir.join("vectors.f32"), &vectors);
    let shipped = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/calibration.json"));
    let shipped: Calibration = serde_json::from_slice(&shipped.expect("the shipped calibration")).expect("its numbers");
    // The floor of the rule in a store of 100,000 prompts, whatever the size of this measurement.
    let floor = Rule::new(shipped.thresholds(0.01, &[60_000, 40_000, 0, 0, 0]), 0.0, 100_000).floor;
    let bytes: usize = kept.iter().map(|prompt| prompt.text.len()).sum();
    let meta = serde_json::json!({"rows": kept.len(), "dim": model.dim(), "floor": floor, "bytes": bytes, "model": model.digest().to_string()});
    std::fs::write(dir.join("meta.json"), meta.to_string()).expect("the file");
    println!("{meta}");
}
