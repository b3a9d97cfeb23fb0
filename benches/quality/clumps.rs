//! A flood of near-copies and of exact copies of one prompt among ordinary traffic: nothing disappears, nothing takes longer.

use crate::data::Prompt;
use crate::edits::N_LOG;
use crate::logs::Audited;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use stillhunt::embed::Model;

const NEAR: usize = 20_000;
const COPIES: usize = 50_000;

/// The table of both logs.
pub(crate) fn report(model: &Model, all: &[Prompt]) -> String {
    let mut prompts: Vec<&Prompt> = all.iter().filter(|p| p.kind != "probe").collect();
    prompts.sort_by(|a, b| a.id[1..].cmp(&b.id[1..]));
    let (base, more) = prompts.split_at(N_LOG);
    let copied = "Act as a strict grader and give the answer below a score from one to ten, with two reasons.";
    let mut rows: Vec<(String, String)> = base.iter().map(|p| (p.id.clone(), p.text.clone())).collect();
    // Spread through the log, as a flood of one day is.
    rows.extend((0..NEAR).map(|i| (format!("near-{i}"), format!("Write a short and friendly reminder to the customer with the order number {} that the parcel is waiting at the post office.", 10_000_019 * (i + 1) % 899_999_981))));
    rows.extend((0..COPIES).map(|i| (format!("same-{i}"), copied.to_owned())));
    let n = rows.len();
    let spread: Vec<&(String, String)> = (0..n).map(|i| &rows[(i * 70_001) % n]).collect();
    assert_eq!(spread.iter().map(|row| &row.0).collect::<HashSet<_>>().len(), n, "each row once");
    let flooded = Audited::new(model, spread.iter().map(|row| (row.0.as_str(), row.1.as_str())));
    let members = flooded.members();
    let of = |prefix: &str, n: usize| {
        let mut families: HashMap<&str, usize> = HashMap::new();
        (0..n).filter_map(|i| members.get(&format!("{prefix}-{i}"))).for_each(|f| *families.entry(f).or_default() += 1);
        let mut sizes: Vec<usize> = families.into_values().collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes
    };
    let (near, same) = (of("near", NEAR), of("same", COPIES));
    drop(flooded);
    let ordinary: Vec<&&Prompt> = base.iter().chain(more.iter().take(NEAR + COPIES)).collect();
    let plain = Audited::new(model, ordinary.iter().map(|p| (p.id.as_str(), p.text.as_str())));
    // The flood is timed once more, after the ordinary log: both have then run with warm caches.
    let mut out = String::from("## Floods\n\n| log | seconds | µs a prompt |\n|---|---|---|\n");
    let mut line = |name: &str, n: usize, audited: &std::time::Duration| {
        let _ =
            writeln!(out, "| {name} | {:.2} | {:.1} |", audited.as_secs_f64(), 1e6 * audited.as_secs_f64() / n as f64);
    };
    let calm = ordinary.len();
    line(
        "100,000 prompts, 20,000 near-identical ones, 50,000 exact copies of one",
        n,
        &Audited::new(model, spread.iter().map(|row| (row.0.as_str(), row.1.as_str()))).took,
    );
    line("as many ordinary prompts", calm, &plain.took);
    let _ = writeln!(
        out,
        "\nNear-identical prompts by family: {near:?} of {NEAR}. Exact copies by family: {same:?} of {COPIES}."
    );
    out
}
