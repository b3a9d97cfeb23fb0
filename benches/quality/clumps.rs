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
    let of = |prefix: &str, n: usize| sizes(&members, (0..n).map(|i| format!("{prefix}-{i}")));
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

/// Of each family that holds some of these exchanges, how many; the largest first.
fn sizes(members: &HashMap<String, String>, ids: impl Iterator<Item = String>) -> Vec<usize> {
    let mut families: HashMap<&str, usize> = HashMap::new();
    ids.filter_map(|id| members.get(&id)).for_each(|family| *families.entry(family).or_default() += 1);
    let mut sizes: Vec<usize> = families.into_values().collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes
}

/// Words of prompts, by a seeded draw.
struct Words<'a>(Vec<&'a str>, u64);

impl<'a> Words<'a> {
    fn of(all: &'a [Prompt]) -> Self {
        let words = all.iter().step_by(7).flat_map(|p| p.text.split_whitespace());
        Self(words.filter(|word| word.len() > 3 && word.chars().all(char::is_alphabetic)).collect(), 1)
    }

    fn draw(&mut self, n: usize) -> String {
        let word = |_| {
            self.1 = self.1.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            self.0[(self.1 >> 33) as usize % self.0.len()]
        };
        (0..n).map(word).collect::<Vec<_>>().join(" ")
    }
}

/// A hundred thousand prompts with `n` clumps of `size` among them, against as many ordinary prompts.
pub(crate) fn small(model: &Model, all: &[Prompt], n: usize, size: usize) -> String {
    let mut prompts: Vec<&Prompt> = all.iter().filter(|p| p.kind != "probe").collect();
    prompts.sort_by(|a, b| a.id[1..].cmp(&b.id[1..]));
    let (base, more) = prompts.split_at(N_LOG);
    let mut words = Words::of(all);
    let mut rows: Vec<(String, String)> = base.iter().map(|p| (p.id.clone(), p.text.clone())).collect();
    for clump in 0..n {
        let template = words.draw(24);
        rows.extend((0..size).map(|i| (format!("c{clump}-{i}"), format!("{template} {} {}", words.draw(2), i))));
    }
    let spread: Vec<&(String, String)> = (0..rows.len()).map(|i| &rows[(i * 70_001) % rows.len()]).collect();
    assert_eq!(spread.iter().map(|row| &row.0).collect::<HashSet<_>>().len(), rows.len(), "each row once");
    let clumped: Vec<(&str, &str)> = spread.iter().map(|row| (row.0.as_str(), row.1.as_str())).collect();
    let plain: Vec<(&str, &str)> =
        base.iter().chain(&more[..n * size]).map(|p| (p.id.as_str(), p.text.as_str())).collect();
    let timed = |rows: &[(&str, &str)]| {
        let before = crate::cpu();
        let audited = Audited::new(model, rows.iter().copied());
        (crate::cpu() - before, audited)
    };
    // In turn, so that what else runs on the machine meets both.
    let rounds: Vec<(f64, (f64, Audited))> = (0..2).map(|_| (timed(&plain).0, timed(&clumped))).collect();
    let calm = rounds.iter().map(|round| round.0).fold(f64::INFINITY, f64::min);
    let took = rounds.iter().map(|round| round.1.0).fold(f64::INFINITY, f64::min);
    let members = rounds[0].1.1.members();
    let whole = (0..n).filter(|clump| sizes(&members, (0..size).map(|i| format!("c{clump}-{i}"))) == [size]).count();
    format!(
        "| log | CPU-s, better of two |\n|---|---|\n| 100,000 prompts and {n} clumps of {size} | {took:.2} |\n| as many ordinary prompts | {calm:.2} |\n\n\
         {:.2} times the CPU. {whole} of {n} clumps are one family each, whole.\n",
        took / calm
    )
}

/// One template with `n` fillings and nothing else, one size a run.
pub(crate) fn flood(model: &Model, all: &[Prompt], n: usize) -> String {
    let mut words = Words::of(all);
    let row = |i| {
        let text = format!(
            "You are a careful tutor. Explain {} to a student who knows nothing of it, show every step of your reasoning inside trace \
             tags, one step a line, and give the final answer behind them (request {i}).",
            words.draw(3)
        );
        (format!("r{i}"), text)
    };
    let rows: Vec<(String, String)> = (0..n).map(row).collect();
    let before = crate::cpu();
    let audited = Audited::new(model, rows.iter().map(|(id, text)| (id.as_str(), text.as_str())));
    let (took, peak) = (crate::cpu() - before, crate::peak_memory());
    let families = sizes(&audited.members(), rows.iter().map(|(id, _)| id.clone()));
    let few = &families[..families.len().min(5)];
    format!(
        "{n} fillings of one template: {took:.1} CPU-s, {:.1} µs a prompt; peak resident {peak}; {} in {} families, the largest {few:?}\n",
        1e6 * took / n as f64,
        families.iter().sum::<usize>(),
        families.len()
    )
}

/// As many ordinary prompts.
pub(crate) fn ordinary(model: &Model, all: &[Prompt], n: usize) -> String {
    let rows: Vec<&Prompt> = all.iter().filter(|p| p.kind != "probe").take(n).collect();
    let before = crate::cpu();
    drop(Audited::new(model, rows.iter().map(|p| (p.id.as_str(), p.text.as_str()))));
    let took = crate::cpu() - before;
    let (n, peak) = (rows.len(), crate::peak_memory());
    format!("{n} ordinary prompts: {took:.1} CPU-s, {:.1} µs a prompt; peak resident {peak}\n", 1e6 * took / n as f64)
}
