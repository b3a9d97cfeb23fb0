//! Watermarks on real text: `cargo bench --bench watermark -- DATA_DIR PART [OUT_DIR]`.
//!
//! Parts: `null` (are p-values what they say under keys that were never used, and on echoes of marked prompts), `dedup` (what counting
//! a repeated window twice does to a corpus), `power` (how short a marked text is still found), `where` (is a marked run in human text found, and where), `speed` (tokens a CPU-second, beside the references). Tables are printed as Markdown; with
//! OUT_DIR they are also written there as `watermark-PART.md`. Without a part it says so and does nothing.
//!
//! Weakness: one tokenizer (the shipped model's) and English text. Guarantee: every draw is seeded, so the same data gives the same
//! counts on every machine; only the times differ.

// A measurement prints, opens its data and looks at the clock.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

mod cases;
mod dedup;
mod echo;
#[allow(dead_code)]
mod model;
mod null;
mod places;
mod power;
mod rejections;
mod speed;
#[allow(dead_code)]
mod text;

use std::path::{Path, PathBuf};
use text::Human;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let (data, part, out) = match words[..] {
        [data, part] => (Path::new(data), part, None),
        [data, part, out] => (Path::new(data), part, Some(PathBuf::from(out))),
        _ => return println!("skipped: watermark (expected DATA_DIR PART [OUT_DIR])"),
    };
    let Some(human) = Human::open(data) else {
        return println!("skipped: watermark (no human_text in {})", data.display());
    };
    // The commit that is measured, should another come meanwhile.
    let (began, machine) = (cpu(), machine());
    let table = match part {
        "null" => null::report(&human),
        "dedup" => dedup::report(&human),
        "power" => power::report(&human),
        "where" => places::report(&human),
        "speed" => speed::report(&human, out.as_deref()),
        _ => return println!("skipped: watermark (expected null, dedup, power, where or speed, got {part})"),
    };
    let head = format!(
        "<!-- cargo bench --bench watermark -- DATA_DIR {part} OUT_DIR · {machine} · {:.0} CPU-seconds -->\n\nText: {}.\n\n",
        cpu() - began,
        human.digests()
    );
    println!("{head}{table}");
    if let Some(out) = out {
        std::fs::write(out.join(format!("watermark-{part}.md")), head + &table).expect("the record");
    }
}

/// CPU-seconds of this process and its threads so far.
fn cpu() -> f64 {
    cpu_time::ProcessTime::now().as_duration().as_secs_f64()
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
