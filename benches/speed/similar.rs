//! `similar` in a process of its own: opening a store, the first answer, then many of them, each timed, one after another.
//!
//! The queries are real prompts drawn by a seed. Whether the store is in the page cache is the caller's affair: he drops it, or
//! runs this twice.

use crate::clock::{Clock, peak};
use crate::{data, files};
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use std::path::Path;
use stillhunt::lookup::{Opened, SimilarQuery};
use stillhunt::store::Store;
use stillhunt::stored::AuditConfig;

/// Asks the store for the ten nearest of `n_queries` of the first `n` texts of `dir`.
pub(crate) fn run(store: &Path, dir: &Path, n: usize, n_queries: usize, seed: u64) {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("one thread");
    let texts = files::texts(&dir.join("raw.jsonl"), n);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let chosen = sample(&mut rng, texts.len(), n_queries.min(texts.len()));
    let model = data::model();
    let clock = Clock::start();
    let store = Store::open(store).expect("the store");
    let opened = Opened::open(store, &model, &AuditConfig::default()).expect("the store");
    let opening = clock.took();
    let (mut millis, mut of_cpu, mut same) = (Vec::new(), Vec::new(), 0);
    for row in chosen {
        let query = SimilarQuery { text: texts[row].clone(), k: 10, ..SimilarQuery::default() };
        let clock = Clock::start();
        let found = opened.similar(&query).expect("an answer");
        let took = clock.took();
        millis.push(1e3 * took.wall_s);
        of_cpu.push(1e3 * took.cpu_s);
        assert!(!found.hits.is_empty(), "every prompt has a nearest");
        assert!(found.hits.is_sorted_by(|a, b| a.similarity >= b.similarity), "nearest first");
        same += usize::from(found.hits[0].similarity > 0.999);
    }
    let first = millis[0];
    millis.sort_by(f64::total_cmp);
    of_cpu.sort_by(f64::total_cmp);
    let rank = |share: f64| ((millis.len() as f64 * share).ceil() as usize).clamp(1, millis.len()) - 1;
    let at = |share: f64| [millis[rank(share)], of_cpu[rank(share)]];
    let line = serde_json::json!({"queries": millis.len(), "open_ms": 1e3 * opening.wall_s, "open_cpu_ms": 1e3 * opening.cpu_s, "first_ms": first,
        "p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99), "max_ms": at(1.0),
        "mean_ms": millis.iter().sum::<f64>() / millis.len() as f64, "stored": same, "peak": peak()});
    println!("{line}");
}
