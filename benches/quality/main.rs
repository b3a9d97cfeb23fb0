//! Quality of families and searches on open prompts: `cargo bench --bench quality -- DATA_DIR [part…]`.
//!
//! Parts: `calibration` (writes `models/calibration.json` where the argument `--ship` is given), `grams`, `lengths`, `long`,
//! `long-cost:PROMPTSxCHARACTERS` (one a run, since it tells the peak of memory), `edits`, `sts`, `index`, `join`, `lists`,
//! `clumps` (with `clumps:NxSIZE` for so many smaller clumps, and `flood:PROMPTS` and `ordinary:PROMPTS`, one a run, for one template and
//! for as many prompts without), `chains`, `runs:LOG` (what texts are searched for), `cost:ROWS` (a file that `fragments_peers.py make` wrote), `fragments` (of which `fragments:accounts`, `:lengths`, `:evasions`, `:published`, `:clean` and `:hostile` are parts), `finders`; all of them
//! without a name. `join:PROMPTS` and `finders:PROMPTS` print one size and write no record. Tables are printed as Markdown, and with `--record WHERE` they are also
//! written there, a file a part.

// A measurement prints, opens its data and looks at the clock.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

mod calibration;
mod chains;
mod clumps;
mod data;
mod documents;
mod edits;
mod fragment_cost;
mod fragments;
mod grams;
mod index;
mod lengths;
mod lists;
mod logs;
mod long;
mod runs;
mod sts;

use std::path::PathBuf;
use stillhunt::family::calibrate::Calibration;
use stillhunt::simulate::Edit;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let (flags, words): (Vec<String>, Vec<String>) = args.into_iter().partition(|arg| arg.starts_with("--"));
    let dir = words.first().map_or_else(|| PathBuf::from("data"), PathBuf::from);
    let Some(all) = data::prompts(&dir) else {
        println!("skipped: quality (no prompts.parquet in {})", dir.display());
        return;
    };
    let model = data::model();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let has = |flag: &str| flags.iter().any(|given| given == flag);
    let wants = |part: &str| words.len() < 2 || words[1..].iter().any(|word| word == part);
    let tell = |part: &str, table: String| {
        println!("{table}");
        if has("--record") {
            let head = format!("<!-- cargo bench --bench quality -- DATA_DIR {part} --record · {} -->\n\n", machine());
            std::fs::write(root.join(format!("benches/record/quality-{part}.md")), head + &table).expect("the record");
        }
    };
    if wants("calibration") {
        let (table, shipped) = calibration::report(&model, &all, &dir);
        tell("calibration", table);
        if has("--ship") {
            let json = serde_json::to_string(&shipped).expect("numbers");
            std::fs::write(root.join("models/calibration.json"), json + "\n").expect("the file");
        }
    }
    let shipped = std::fs::read_to_string(root.join("models/calibration.json")).expect("the shipped calibration");
    let shipped: Calibration = serde_json::from_str(&shipped).expect("the shipped calibration");
    if wants("edits") {
        let part = if has("--dev") { "edits-dev" } else { "edits" };
        tell(part, edits::report(&model, &all, &shipped, &Edit::ALL, has("--dev")));
    }
    let of_fragments: Vec<String> =
        words.iter().filter_map(|word| word.strip_prefix("fragments:")).map(str::to_owned).collect();
    if wants("fragments") || !of_fragments.is_empty() {
        tell("fragments", fragments::report(&model, &all, has("--dev"), &of_fragments));
    }
    if let Some(rows) = words.iter().find_map(|word| word.strip_prefix("cost:")) {
        tell("fragment-cost", fragment_cost::report(&model, std::path::Path::new(rows)));
    }
    if wants("grams") {
        tell("grams", grams::report(&dir));
    }
    if wants("lengths") {
        tell("lengths", lengths::report(&model, &all, &dir));
    }
    if wants("long") {
        tell("long", long::families(&model, &all, &dir));
    }
    for word in words.iter().filter_map(|word| word.strip_prefix("long-cost:")) {
        let (n, length) = word.split_once('x').expect("long-cost:PROMPTSxCHARACTERS");
        let (n, length) = (n.parse().expect("a number"), length.parse().expect("a number"));
        println!("{}", long::cost(&model, &dir, n, length));
    }
    if words.iter().any(|word| word == "finders") {
        tell("finders", edits::finders(&model, &all, &[10_000, 100_000, 400_000]));
    }
    for n in words.iter().filter_map(|word| word.strip_prefix("finders:")) {
        println!("{}", edits::finders(&model, &all, &[n.parse().expect("a number")]));
    }
    if wants("sts") {
        tell("sts", sts::report(&model, &all, &dir, &shipped));
    }
    if wants("index") {
        tell("index", index::report(&model, &all, &shipped));
    }
    if wants("join") {
        tell("join", index::join(&model, &all, &shipped));
    }
    for n in words.iter().filter_map(|word| word.strip_prefix("join:")) {
        println!("{}", index::join_of(&model, &all, &shipped, n.parse().expect("a number")));
    }
    if wants("lists") {
        tell("lists", lists::report(&model, &all, &shipped));
    }
    if wants("clumps") {
        tell("clumps", clumps::report(&model, &all));
    }
    for word in words.iter().filter_map(|word| word.strip_prefix("clumps:")) {
        let (n, size) = word.split_once('x').expect("clumps:NxSIZE");
        println!("{}", clumps::small(&model, &all, n.parse().expect("a number"), size.parse().expect("a number")));
    }
    for n in words.iter().filter_map(|word| word.strip_prefix("flood:")) {
        println!("{}", clumps::flood(&model, &all, n.parse().expect("a number")));
    }
    for n in words.iter().filter_map(|word| word.strip_prefix("ordinary:")) {
        println!("{}", clumps::ordinary(&model, &all, n.parse().expect("a number")));
    }
    for log in words.iter().filter_map(|word| word.strip_prefix("runs:")) {
        println!("{}", runs::report(std::path::Path::new(log)));
    }
    if wants("chains") {
        let families = chains::largest(&model, &all);
        tell("chains", chains::report(&model, &all, &families));
        if has("--record") {
            std::fs::write(root.join("benches/record/largest-families.csv"), chains::csv(&families)).expect("the file");
        }
    }
}

/// CPU-seconds of this process and its threads so far.
pub(crate) fn cpu() -> f64 {
    cpu_time::ProcessTime::now().as_duration().as_secs_f64()
}

/// The most memory that this process has held so far, as the system tells it.
pub(crate) fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?").trim().to_owned()
}

/// Commit, date and machine, as git and the system tell them.
fn machine() -> String {
    let run = |program: &str, args: &[&str]| {
        let out = std::process::Command::new(program).args(args).output();
        out.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default()
    };
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("another machine");
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (commit, date) = (run("git", &["rev-parse", "--short", "HEAD"]), run("date", &["-u", "+%Y-%m-%d"]));
    format!("commit {commit} · {date} · {} · {threads} threads", cpu.trim_start_matches(['\t', ' ', ':']))
}
