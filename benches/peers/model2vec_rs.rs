//! The crate model2vec-rs on one thread: `peer DIR ROWS MODEL_DIR`. The best of three rounds; whole texts.
//!
//! `run.py` makes a package around this file in a temporary directory; the project itself does not depend on the crate.

use model2vec_rs::model::StaticModel;
use std::io::{BufRead, BufReader, Write};
use std::time::Instant;

/// CPU-seconds of this process.
fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (dir, rows, model) = (&args[1], args[2].parse().expect("a number"), &args[3]);
    let lines = BufReader::new(std::fs::File::open(format!("{dir}/read.jsonl")).expect("the texts")).lines();
    let texts: Vec<String> =
        lines.take(rows).map(|line| serde_json::from_str(&line.expect("a line")).expect("a string")).collect();
    let model = StaticModel::from_pretrained(model, None, None, None).expect("the model");
    let mut best = (f64::MAX, f64::MAX);
    let mut vectors = Vec::new();
    for _ in 0..3 {
        drop(std::mem::take(&mut vectors));
        let (before, began) = (cpu(), Instant::now());
        vectors = model.encode_flat_with_args(&texts, None);
        let took = (cpu() - before, began.elapsed().as_secs_f64());
        best = if took.0 < best.0 { took } else { best };
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let peak = line.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * 1024;
    let bytes: Vec<u8> = vectors.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut out = std::fs::File::create(format!("{dir}/vectors.model2vec-rs.f32")).expect("the file");
    out.write_all(&bytes).expect("the vectors");
    println!(
        "{{\"engine\": \"model2vec-rs\", \"what\": \"embed\", \"rows\": {}, \"cpu_s\": {}, \"wall_s\": {}, \"peak\": {peak}, \"count\": 0}}",
        texts.len(),
        best.0,
        best.1
    );
}
