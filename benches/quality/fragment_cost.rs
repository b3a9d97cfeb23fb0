//! What finding fragments costs, by stage, beside what embedding the same prompts costs: CPU-seconds of this process.
//!
//! `ROWS` is a file of JSON lines with `id`, `account` and `prompt`, as `benches/fragments_peers.py make` writes it; the same file
//! is what the peers are measured on. Where it holds `fragment`, the recall of the planted campaigns is printed too.

use crate::cpu;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use stillhunt::audit::audit;
use stillhunt::embed::Model;
use stillhunt::ids::{Level, Time};
use stillhunt::lookup::export_members;
use stillhunt::store::input::Input;
use stillhunt::stored::{AuditConfig, Progress};
use stillhunt::text::fold;
use stillhunt::text::winnow::{Print, Printer};

/// Peak memory of this process so far, in MB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// CPU-seconds and peak memory when each stage began.
#[derive(Default)]
struct Stages(Mutex<Vec<(String, f64, f64)>>);

impl Progress for Stages {
    fn stage(&self, name: &str, _: Option<u64>) {
        self.0.lock().expect("no panic").push((name.to_owned(), cpu(), peak()));
    }
    fn advance(&self, _: u64, _: u64) {}
    fn note(&self, _: &str) {}
}

/// The table of stages.
pub(crate) fn report(model: &Model, rows: &Path) -> String {
    if !rows.is_file() {
        return format!("skipped: fragment cost (no {})\n", rows.display());
    }
    let mut out = String::from("## Cost of finding fragments\n\n");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let key = crate::logs::key(dir.path());
    let stages = Stages::default();
    let mut config = AuditConfig::default();
    config.log.default_time = Time::new(1_741_000_000_000_000);
    let store = dir.path().join("store");
    let audited = audit(&[Input::File(rows.to_owned())], &store, &dir.path().join("q"), &key, model, &config, &stages)
        .expect("the audit");
    stages.stage("commit", None);
    let memory = peak();
    let _ = writeln!(
        out,
        "{} rows; {memory:.0} MB at most.\n\n| stage | CPU-seconds | peak memory when it ended, MB |\n|---|---|---|",
        audited.counts.rows_kept
    );
    let list = stages.0.into_inner().expect("no panic");
    let mut stages: Vec<(&str, f64, f64)> = Vec::new();
    for pair in list.windows(2) {
        let (name, took) = (pair[0].0.as_str(), pair[1].1 - pair[0].1);
        match stages.iter_mut().find(|stage| stage.0 == name) {
            Some(stage) => *stage = (name, stage.1 + took, pair[1].2),
            None => stages.push((name, took, pair[1].2)),
        }
    }
    for (name, took, memory) in &stages {
        let _ = writeln!(out, "| {name} | {took:.1} | {memory:.0} |");
    }
    // The two parts of reading that are compared, alone.
    let (mut prompts, mut planted): (Vec<String>, BTreeMap<u64, Vec<String>>) = (Vec::new(), BTreeMap::new());
    for line in std::fs::read_to_string(rows).expect("text").lines() {
        let row: serde_json::Value = serde_json::from_str(line).expect("a row");
        prompts.push(fold(row["prompt"].as_str().unwrap_or_default()).text);
        if let (Some(fragment), Some(id)) = (row["fragment"].as_u64(), row["id"].as_str()) {
            planted.entry(fragment).or_default().push(id.to_owned());
        }
    }
    let bytes: usize = prompts.iter().map(String::len).sum();
    let before = cpu();
    for part in prompts.chunks(8_192) {
        let texts: Vec<&str> = part.iter().map(String::as_str).collect();
        std::hint::black_box(model.embed_batch(&texts));
    }
    let embedding = cpu() - before;
    let (printer, mut prints, before) = (Printer::new(&[1; 32]), Vec::<Print>::new(), cpu());
    let mut n = 0;
    for prompt in &prompts {
        printer.prints(prompt, &mut prints);
        n += prints.len();
    }
    let printing = cpu() - before;
    let _ = writeln!(
        out,
        "\nOf `read`: embedding {embedding:.1} CPU-s, fingerprinting {printing:.1} CPU-s ({n} fingerprints of {:.0} MB of folded text).\n",
        bytes as f64 / 1e6
    );
    let took = |name: &str| stages.iter().find(|stage| stage.0 == name).map_or(0.0, |stage| stage.1);
    let total = printing + ["fingerprints", "runs", "members", "fragments"].map(took).iter().sum::<f64>();
    let _ = writeln!(out, "Fragments, all told: {total:.1} CPU-s, {:.2} × embedding.\n", total / embedding);
    recall(&store, &planted, &mut out);
    out
}

/// Recall of planted campaigns.
fn recall(store: &Path, planted: &BTreeMap<u64, Vec<String>>, out: &mut String) {
    if planted.is_empty() {
        return;
    }
    let mut csv = Vec::new();
    export_members(&stillhunt::store::Store::open(store).expect("a store"), &[Level::Fragment], &mut csv)
        .expect("the export");
    let text = String::from_utf8(csv).expect("text");
    let mut families: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut all: std::collections::BTreeSet<&str> = std::collections::BTreeSet::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        families.entry(fields[0]).or_default().push(fields[2]);
        all.insert(fields[2]);
    }
    let recalls: Vec<f64> = planted
        .values()
        .map(|ids| {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for family in ids.iter().filter_map(|id| families.get(id.as_str())).flatten() {
                *counts.entry(family).or_default() += 1;
            }
            counts.values().max().copied().unwrap_or(0) as f64 / ids.len() as f64
        })
        .collect();
    let mean = recalls.iter().sum::<f64>() / recalls.len() as f64;
    let least = recalls.iter().copied().fold(1.0, f64::min);
    let _ = writeln!(
        out,
        "{} planted campaigns: recall {mean:.3} in the mean, {least:.3} at least; {} fragment families in all.",
        planted.len(),
        all.len()
    );
}
