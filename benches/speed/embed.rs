//! Folding, tokenising and embedding, each alone, on one thread: the best of three rounds, in CPU-seconds.

use crate::clock::{Clock, Took, peak};
use crate::{data, files};
use std::hint::black_box;
use std::path::Path;
use stillhunt::text::fold;

const ROUNDS: usize = 3;

/// Measures the first `n` texts of `dir` and writes their vectors to `vectors.ours.f32`.
pub(crate) fn run(dir: &Path, n: usize) {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("one thread");
    let (model, raw, read) =
        (data::model(), files::texts(&dir.join("raw.jsonl"), n), files::texts(&dir.join("read.jsonl"), n));
    let texts: Vec<&str> = read.iter().map(String::as_str).collect();
    let known = files::vectors(&dir.join("vectors.f32"), model.dim(), 0, n.min(1000));
    let made = model.embed_batch(&texts[..n.min(1000)]).whole;
    assert!(made.iter().zip(&known).all(|(a, b)| (a - b).abs() < 1e-6), "the vectors are those of the export");
    let tell = |what: &str, took: Took, extra: u64| {
        let line = serde_json::json!({"engine": "stillhunt", "what": what, "rows": n, "cpu_s": took.cpu_s, "wall_s": took.wall_s,
            "peak": peak(), "count": extra});
        println!("{line}");
    };
    let best = |work: &mut dyn FnMut() -> u64| {
        let rounds = (0..ROUNDS).map(|_| {
            let clock = Clock::start();
            let count = black_box(work());
            (clock.took(), count)
        });
        rounds.min_by(|a, b| a.0.cpu_s.total_cmp(&b.0.cpu_s)).expect("rounds")
    };
    let (took, bytes) = best(&mut || raw.iter().map(|text| fold(text).text.len() as u64).sum());
    tell("fold", took, bytes);
    let (took, tokens) = best(&mut || {
        let (mut reader, mut ids) = (model.tokenizer().reader(), Vec::new());
        texts.iter().fold(0, |sum, text| {
            reader.ids_into(text, &mut ids);
            sum + ids.len() as u64
        })
    });
    tell("tokenise", took, tokens);
    let mut vectors: Vec<f32> = Vec::new();
    let (took, windows) = best(&mut || {
        vectors.clear();
        let parts = texts.chunks(8192).map(|part| {
            let embedded = model.embed_batch(part);
            vectors.extend(embedded.whole.iter());
            embedded.window_text.len() as u64
        });
        parts.sum()
    });
    tell("embed", took, windows);
    files::write(&dir.join("vectors.ours.f32"), &vectors);
}
