//! What searching a night's texts for known runs costs, by the number of runs: CPU-seconds of this process.
//!
//! `LOG` is JSON lines with `prompt`, a night as `audit` reads it. *Of the same kind*: runs are cut out of the second half of the
//! log, each word of them as common in the texts as in the runs, but for a few none stands in them; so a gram of 13 bytes is met by chance as
//! often as in a store of such nights. *Strange*: runs of words that no text has, so only the filter is asked. The texts are always the same,
//! the first half of the log. Weakness: no run holds another, as a store's may; it shows the search, not the naming of what is found.

use std::fmt::Write as _;
use std::path::Path;
use stillhunt::family::fragment::{Scanner, Scratch};
use stillhunt::text::fold;
use stillhunt::text::winnow::Printer;

/// Bytes of a run, about: the median of the runs of a store of such nights.
const RUN: usize = 80;

/// The table by number of runs.
pub(crate) fn report(log: &Path) -> String {
    let read = std::fs::read_to_string(log).expect("a log");
    let folded = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).expect("a row");
        fold(row["prompt"].as_str().unwrap_or_default()).text
    };
    let mut texts: Vec<String> = read.lines().map(folded).collect();
    let others = texts.split_off(texts.len() / 2);
    let same = cut(&others);
    let strange: Vec<String> = same.iter().map(|run| run.bytes().map(turned).collect()).collect();
    let bytes: usize = texts.iter().map(String::len).sum();
    let mut out = format!(
        "{} texts, {:.1} MB folded\n\n| runs | CPU-s to build, of the same kind | to search | texts that hold one | to build, strange | to search |\n|---|---|---|---|---|---|\n",
        texts.len(),
        bytes as f64 / 1e6
    );
    for n in [1_000, 10_000, 100_000] {
        if same.len() < n {
            let _ = writeln!(out, "| {n} | only {} runs could be cut | | | | |", same.len());
            break;
        }
        let (a, b) = (search(&same, n, &texts), search(&strange, n, &texts));
        let _ = writeln!(out, "| {n} | {:.2} | {:.2} | {} | {:.2} | {:.2} |", a.0, a.1, a.2, b.0, b.1);
    }
    out
}

/// A letter that no text of the log has in such a row.
fn turned(byte: u8) -> char {
    if byte.is_ascii_lowercase() { char::from(b'a' + (byte - b'a') * 5 % 26) } else { '7' }
}

/// Whole words of some texts, about [`RUN`] bytes from the middle of each that is long enough.
fn cut(texts: &[String]) -> Vec<String> {
    let piece = |text: &String| {
        let from =
            text.char_indices().map(|(at, _)| at).find(|&at| at >= text.len() / 3 && text[at..].starts_with(' '))?;
        let to = text.char_indices().map(|(at, _)| at).find(|&at| at >= from + RUN && text[at..].starts_with(' '))?;
        Some(text[from + 1..to].to_owned())
    };
    texts.iter().filter_map(piece).collect()
}

/// CPU-seconds to build and to search, and how many texts hold one of the first `n` runs, spread over all.
fn search(runs: &[String], n: usize, texts: &[String]) -> (f64, f64, usize) {
    let printer = Printer::new(&[7; 32]);
    let start = crate::cpu();
    let scanner = Scanner::new(&printer, (0..n).map(|i| runs[i * (runs.len() / n)].as_str()));
    let built = crate::cpu() - start;
    let mut scratch = Scratch::default();
    let found = texts.iter().filter(|text| !scanner.scan_in(text, &mut scratch).is_empty()).count();
    (built, crate::cpu() - start - built, found)
}
