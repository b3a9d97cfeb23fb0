//! How many edited copies come into their original's family, through the real pipeline.
//!
//! For each kind of edit one log of 100,000 distinct prompts: those of held sources of the test half (`--dev`: of the development half), filled up with other
//! prompts of that half, and one edited copy of each chosen original, at full strength. One kind a log, so that copies of one
//! original cannot bridge each other. Originals are not trivial (trivial texts are kept out of near-duplicate families by
//! rule), at most 400 a length band, drawn by the order of their ids; of sources whose rows are variations of one another
//! (translations, paraphrases, one exercise in many programming languages) only one row of each group is in the log.

use crate::calibration::mixture;
use crate::data::{BANDS, Prompt};
use crate::logs::Audited;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use stillhunt::embed::Model;
use stillhunt::family::calibrate::Calibration;
use stillhunt::family::judge::{Rule, score};
use stillhunt::family::length::in_proportion;
use stillhunt::index::Vectors;
use stillhunt::simulate::Edit;
use stillhunt::stored::AuditConfig;
use stillhunt::text::{self, Grams};

/// Prompts of a log, copies left out.
pub(crate) const N_LOG: usize = 100_000;
/// Originals of a length band.
const PER_BAND: usize = 400;
/// Sources whose rows vary one another.
const VARIED: [&str; 6] = ["mgsm", "mxeval", "advising", "awesome-chatgpt-prompts", "svamp", "humaneval"];
const FILLER_SOURCES: [&str; 2] = ["cqadupstack", "pubmedqa"];

/// The prompts of a log in order of their ids: all of the held sources of a half, then others of that half.
pub(crate) fn log(all: &[Prompt], n: usize, dev: bool) -> Vec<&Prompt> {
    let mut seen = HashSet::new();
    let varied = |p: &Prompt| VARIED.contains(&p.source.as_str()) && !p.group.is_empty();
    let mut chosen: Vec<&Prompt> = all.iter().filter(|p| p.dev() == dev && p.kind != "probe").collect();
    chosen.sort_by(|a, b| (!a.held(), &a.id).cmp(&(!b.held(), &b.id)));
    chosen.retain(|p| !varied(p) || seen.insert((p.source.clone(), p.group.clone())));
    chosen.truncate(n);
    chosen.sort_by(|a, b| a.id.cmp(&b.id));
    chosen
}

/// What kind of text a row of the table is about.
fn classes(p: &Prompt) -> Vec<&'static str> {
    let of = |ranges: &dyn Fn(char) -> bool| {
        let letters = p.folded.chars().filter(|c| c.is_alphabetic()).count();
        10 * p.folded.chars().filter(|&c| ranges(c)).count() > 3 * letters.max(1)
    };
    let mut out = vec![BANDS[p.band()]];
    if of(&|c| ('\u{4e00}'..='\u{9fff}').contains(&c)) {
        out.push("Chinese");
    }
    if of(&|c| ('\u{600}'..='\u{6ff}').contains(&c)) {
        out.push("Arabic");
    }
    if matches!(p.source.as_str(), "humaneval" | "mxeval") || p.kind == "code" {
        out.push("code");
    }
    out
}

/// Originals: up to the bound in each band, and beside them up to 100 each of Chinese, Arabic and code.
fn originals<'a>(log: &[&'a Prompt]) -> Vec<&'a Prompt> {
    let mut taken: HashMap<&str, usize> = HashMap::new();
    let mut out = Vec::new();
    for p in log.iter().filter(|p| !text::is_trivial(&p.folded)) {
        let classes = classes(p);
        let bound = |class: &str| if BANDS.contains(&class) { PER_BAND } else { 100 };
        // The open data holds hardly any Arabic of held sources, so there other sources stand in.
        let eligible = p.held() || classes.contains(&"Arabic");
        let wanted = classes.iter().any(|class| taken.get(class).copied().unwrap_or(0) < bound(class));
        if eligible && wanted {
            classes.iter().for_each(|class| *taken.entry(class).or_default() += 1);
            out.push(*p);
        }
    }
    out
}

#[derive(Clone, Copy, Default)]
struct Cell {
    n: u32,
    family: u32,
    pair: u32,
    candidate: u32,
    /// Copies that the edit made trivial: they belong to exact families only, by rule.
    trivial: u32,
}

/// Members of families that hold an edited copy.
#[derive(Clone, Copy, Default)]
struct Purity {
    members: u32,
    belong: u32,
    planted: u32,
    planted_belong: u32,
}

/// The rule of a store of `n` prompts, of all lengths as in the open prompts, under the shipped calibration.
pub(crate) fn rule(calibration: &Calibration, all: &[Prompt], n: u64) -> Rule {
    let config = AuditConfig::default();
    let thresholds = calibration.thresholds(config.expected_neighbours, &in_proportion(&mixture(all), n));
    // The diameter plays no part in judging a pair.
    Rule::new(thresholds, 0.0, n)
}

/// Similarity and score of two folded texts.
pub(crate) fn judge(model: &Model, a: &str, b: &str) -> Option<(f32, f32)> {
    let mut vectors = Vectors::new(model.dim());
    vectors.push(&model.vector(a)?);
    vectors.push(&model.vector(b)?);
    let similarity = vectors.similarity(0, 1);
    let mut grams = Grams::new();
    grams.set(a);
    Some((similarity, score(similarity, grams.overlap(b))))
}

/// Family recall with the index alone and with shared fingerprints beside it, for the edits that similarity loses.
pub(crate) fn finders(model: &Model, all: &[Prompt], sizes: &[usize]) -> String {
    const KINDS: [Edit; 5] = [Edit::Slot, Edit::Boiler, Edit::Pad15, Edit::Pad3, Edit::Trunc70];
    let mut out = String::from(
        "## One finder and two\n\nFamily recall of edited copies, %: the index alone, and the index with shared fingerprints. Same threshold, so the \
         same unrelated neighbours per prompt. The log of 400,000 is filled up with prompts of the other half.\n\n| edit | prompts | index | both |\n|---|---|---|---|\n",
    );
    for &n in sizes {
        let mut log = log(all, n, false);
        let originals = originals(&log);
        let other = all.iter().filter(|p| p.dev() && p.kind != "probe").take(n - log.len());
        log.extend(other);
        let fillers: Vec<&Prompt> = all
            .iter()
            .filter(|p| p.dev() && FILLER_SOURCES.contains(&p.source.as_str()) && p.text.chars().count() > 200)
            .collect();
        for (row, &kind) in KINDS.iter().enumerate() {
            let copies: Vec<(String, &Prompt, String)> = copies(&originals, &fillers, kind, row);
            let recall = |second_finder: bool| {
                let mut config = AuditConfig::default();
                config.fragments.second_finder = second_finder;
                let middle = log.len() / 2;
                let members = Audited::with(model, in_the_middle(&log, middle, &copies), &config).members();
                let found = copies.iter().filter(|(id, original, _)| {
                    members.contains_key(id) && members.get(id) == members.get(&original.id)
                });
                100.0 * found.count() as f64 / copies.len() as f64
            };
            let (one, both) = (recall(false), recall(true));
            let _ = writeln!(out, "| {} | {} | {one:.1} | {both:.1} |", kind.word(), log.len());
            eprintln!("{} {} {one:.1} {both:.1}", kind.word(), log.len());
        }
    }
    out
}

/// An edited copy of each original that the edit can act on.
fn copies<'a>(
    originals: &[&'a Prompt],
    fillers: &[&Prompt],
    kind: Edit,
    row: usize,
) -> Vec<(String, &'a Prompt, String)> {
    let copy = |(i, p): (usize, &&'a Prompt)| {
        let filler = &fillers[(7 * i + row) % fillers.len()].text;
        Some((format!("copy-{}", p.id), *p, kind.apply(&p.text, 1.0, filler, i as u64)?))
    };
    originals.iter().enumerate().filter_map(copy).collect()
}

/// A log in which copies follow its first part, so that their originals may come before or after them.
fn in_the_middle<'a>(
    log: &'a [&Prompt],
    middle: usize,
    copies: &'a [(String, &Prompt, String)],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let of = |p: &&'a Prompt| (p.id.as_str(), p.text.as_str());
    let first = log[..middle].iter().map(of);
    first.chain(copies.iter().map(|(id, _, text)| (id.as_str(), text.as_str()))).chain(log[middle..].iter().map(of))
}

/// The tables of recall and precision.
pub(crate) fn report(model: &Model, all: &[Prompt], calibration: &Calibration, kinds: &[Edit], dev: bool) -> String {
    let log = log(all, N_LOG, dev);
    let originals = originals(&log);
    let rule = rule(calibration, all, (log.len() + originals.len()) as u64);
    let fillers: Vec<&Prompt> = all
        .iter()
        .filter(|p| p.dev() != dev && FILLER_SOURCES.contains(&p.source.as_str()) && p.text.chars().count() > 200)
        .collect();
    let mut cells: BTreeMap<(usize, &str), Cell> = BTreeMap::new();
    let mut purity: Vec<(&str, Purity)> = Vec::new();
    for (row, &kind) in kinds.iter().enumerate() {
        let copies = copies(&originals, &fillers, kind, row);
        let members = Audited::new(model, in_the_middle(&log, log.len() / 2, &copies)).members();
        for (id, original, text) in &copies {
            let together = members.contains_key(id) && members.get(id) == members.get(&original.id);
            let folded = text::fold(text).text;
            let trivial = text::is_trivial(&folded);
            let judged = judge(model, &original.folded, &folded);
            for class in classes(original) {
                let cell = cells.entry((row, class)).or_default();
                cell.n += 1;
                cell.family += u32::from(together);
                cell.trivial += u32::from(trivial);
                let lengths = (original.folded.len(), folded.len());
                let accepted = judged.filter(|&(s, score)| rule.accepts(s, score, lengths));
                cell.pair += u32::from(accepted.is_some());
                cell.candidate += u32::from(accepted.is_some_and(|(s, _)| s >= rule.floor));
            }
        }
        purity.push((kind.word(), measure_purity(&members, &copies)));
        eprintln!("{} done", kind.word());
    }
    write(&cells, &purity, kinds, &rule, originals.len(), if dev { "development" } else { "test" })
}

fn measure_purity(members: &HashMap<String, String>, copies: &[(String, &Prompt, String)]) -> Purity {
    let mut seeds: HashMap<&str, &str> = HashMap::new();
    for (id, original, _) in copies {
        seeds.insert(id, &original.id);
        seeds.insert(&original.id, &original.id);
    }
    let mut families: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    members
        .iter()
        .map(|(id, family)| (family.as_str(), id.as_str()))
        .for_each(|(f, id)| families.entry(f).or_default().push(id));
    let mut out = Purity::default();
    for ids in families.values().filter(|ids| ids.iter().any(|id| id.starts_with("copy-"))) {
        let mut by_seed: BTreeMap<&str, u32> = BTreeMap::new();
        ids.iter().filter_map(|id| seeds.get(id)).for_each(|seed| *by_seed.entry(seed).or_default() += 1);
        let most = by_seed.values().copied().max().unwrap_or(0);
        out.members += ids.len() as u32;
        out.planted += by_seed.values().sum::<u32>();
        out.belong += most;
        out.planted_belong += most;
    }
    out
}

fn write(
    cells: &BTreeMap<(usize, &str), Cell>,
    purity: &[(&str, Purity)],
    kinds: &[Edit],
    rule: &Rule,
    n_originals: usize,
    half: &str,
) -> String {
    let percent = |part: u32, whole: u32| match whole {
        0 => "–".to_owned(),
        _ => format!("{:.1}", 100.0 * f64::from(part) / f64::from(whole)),
    };
    let mut out = format!(
        "## Edited copies\n\n{n_originals} originals of held sources among {N_LOG} distinct prompts of the {half} half; threshold of two short ones \
         {:.3}, floor of candidates {:.2}.\n\n### Family recall, % (n)\n\n",
        rule.highest(),
        rule.floor
    );
    let classes = ["short", "medium", "long", "Chinese", "Arabic", "code"];
    let table = |out: &mut String, value: &dyn Fn(Cell) -> u32| {
        let _ = writeln!(out, "| edit | all | {} |\n|---|---|{}", classes.join(" | "), "---|".repeat(classes.len()));
        let mut sums = [Cell::default(); 6];
        for (row, kind) in kinds.iter().enumerate() {
            let cell = |class: &str| cells.get(&(row, class)).copied().unwrap_or_default();
            let bands = BANDS.map(cell);
            let (n, hits) = (bands.iter().map(|c| c.n).sum(), bands.iter().map(|&c| value(c)).sum());
            let _ = write!(out, "| {} | {} |", kind.word(), percent(hits, n));
            for (class, sum) in classes.iter().zip(&mut sums) {
                let c = cell(class);
                (sum.n, sum.family) = (sum.n + c.n, sum.family + value(c));
                let _ = write!(out, " {} ({}) |", percent(value(c), c.n), c.n);
            }
            out.push('\n');
        }
        let (n, hits) = (sums[..3].iter().map(|c| c.n).sum(), sums[..3].iter().map(|c| c.family).sum());
        let _ = write!(out, "| all | {} |", percent(hits, n));
        for c in sums {
            let _ = write!(out, " {} ({}) |", percent(c.family, c.n), c.n);
        }
        out.push_str("\n\n");
    };
    table(&mut out, &|c| c.family);
    out.push_str("### Pairs that the rule accepts, % (n)\n\n");
    table(&mut out, &|c| c.pair);
    out.push_str("### Pairs that it accepts and whose vectors pass the floor, % (n)\n\n");
    table(&mut out, &|c| c.candidate);
    out.push_str(
        "### Copies that the edit made trivial, so that by rule they are in no near-duplicate family, % (n)\n\n",
    );
    table(&mut out, &|c| c.trivial);
    out.push_str(
        "### Precision of families that hold a copy, %\n\n*Planted*: members that are an original or its copy. *All* counts every \
         other prompt of the log as not belonging, also those that people wrote alike.\n\n| edit | planted | all | members |\n|---|---|---|---|\n",
    );
    for (kind, p) in purity {
        let _ = writeln!(
            out,
            "| {kind} | {} | {} | {} |",
            percent(p.planted_belong, p.planted),
            percent(p.belong, p.members),
            p.members
        );
    }
    out
}
