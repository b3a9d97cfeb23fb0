//! Long prompts in number: the largest families among some 20,000 real ones, and what 10,000 prompts of 64,000 characters and 1,000 of a
//! megabyte cost.

use crate::data::Prompt;
use crate::documents::{documents, pages};
use crate::logs::Audited;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use stillhunt::embed::Model;

/// The twenty largest near-duplicate families of real prompts of 1,000 characters or more, to be read.
pub(crate) fn families(model: &Model, all: &[Prompt], dir: &Path) -> String {
    let mut rows: Vec<(String, &str, String)> = Vec::new();
    let long = |text: &str| text.chars().count() >= 1_000;
    rows.extend(all.iter().filter(|p| long(&p.text)).map(|p| (p.id.clone(), p.source.as_str(), p.text.clone())));
    let pages = pages(dir);
    rows.extend(pages.iter().filter(|p| long(&p.text)).map(|p| (p.id.clone(), "page", p.text.clone())));
    let joined = documents(dir, all);
    let joined = joined.iter().filter(|d| d.kind != "prose");
    rows.extend(joined.map(|d| (d.id.clone(), d.kind, d.text.clone())));
    rows.sort_by(|a, b| {
        stillhunt::ids::Digest::of(a.0.as_bytes()).short().cmp(&stillhunt::ids::Digest::of(b.0.as_bytes()).short())
    });
    rows.truncate(20_000);
    let members = Audited::new(model, rows.iter().map(|(id, _, text)| (id.as_str(), text.as_str()))).members();
    let mut families: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, (id, ..)) in rows.iter().enumerate() {
        if let Some(family) = members.get(id) {
            families.entry(family).or_default().push(i);
        }
    }
    let mut largest: Vec<Vec<usize>> = families.into_values().collect();
    let joined: usize = largest.iter().map(Vec::len).sum();
    let mut out = format!(
        "## Largest near-duplicate families of {} long prompts\n\n{joined} are in {} families.\n\n| | members | sources | least share of common five-word runs, of ten pairs |\n|---|---|---|---|\n",
        rows.len(),
        largest.len()
    );
    largest.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
    let folded = |i: usize| stillhunt::text::fold(&rows[i].2).text;
    let least_share = |family: &[usize]| {
        let pair = |k: usize| (family[k * (family.len() - 1) / 11], family[(k + 1) * (family.len() - 1) / 11]);
        let share = |k| stillhunt::text::run_share(&folded(pair(k).0), &folded(pair(k).1), 5);
        (0..10).map(share).fold(1.0, f64::min)
    };
    for (number, family) in largest.iter().take(20).enumerate() {
        let mut sources: BTreeMap<&str, usize> = BTreeMap::new();
        family.iter().for_each(|&i| *sources.entry(rows[i].1).or_default() += 1);
        let sources: Vec<String> = sources.iter().map(|(source, n)| format!("{source} {n}")).collect();
        let start = |i: usize| rows[i].2.chars().take(90).collect::<String>().replace(['\n', '|'], " ");
        let _ = writeln!(
            out,
            "| {} | {} | {} | {:.2} |",
            number + 1,
            family.len(),
            sources.join(", "),
            least_share(family),
        );
        // To be read on the screen: texts of others do not go into a record.
        eprintln!("{}: {} … / {} …", number + 1, start(family[0]), start(family[family.len() - 1]));
    }
    out
}

/// CPU and peak memory of an audit of `n` distinct prompts of `length` characters, in this process: one size a run.
pub(crate) fn cost(model: &Model, dir: &Path, n: usize, length: usize) -> String {
    let pages = pages(dir);
    let words: Vec<Vec<&str>> = pages.iter().map(|page| page.text.split(' ').collect()).collect();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = directory.path().join("log.jsonl");
    let mut out = std::io::BufWriter::new(std::fs::File::create(&log).expect("the log"));
    let mut state = 1u64;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    for i in 0..n {
        // Runs of some words of some pages: natural words, hardly a run of sixty characters that two prompts share.
        let mut text = String::with_capacity(length + 100);
        while text.len() < length {
            let page = &words[draw(words.len())];
            let at = draw(page.len());
            for word in &page[at..(at + 3 + draw(6)).min(page.len())] {
                text.push_str(word);
                text.push(' ');
            }
        }
        let row = serde_json::json!({"id": format!("r{i}"), "account": format!("a{}", i / 2), "time": 1_740_960_000 + i, "prompt": text});
        writeln!(out, "{row}").expect("a row");
    }
    out.flush().expect("the log");
    drop(out);
    drop(words);
    drop(pages);
    let before = crate::cpu();
    let audited = Audited::of_log(model, directory, log);
    let joined = audited.members().len();
    format!(
        "{n} distinct prompts of {length} characters: {:.1} s wall, {:.1} CPU-s; peak resident {} (pages of mapped files and of the texts that \
         the log was made of included), {joined} prompts in near-duplicate families\n",
        audited.took.as_secs_f64(),
        crate::cpu() - before,
        crate::peak_memory()
    )
}
