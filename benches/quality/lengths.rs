//! Families of prompts by length, through the real pipeline: how many unrelated documents come into one family, and how many
//! edited copies are found, from 200 to 64,000 characters.
//!
//! Documents are pages and chapters of the test half, each one prompt of an account of its own, cut to a length. The threshold comes
//! from the dev half (`calibration`). *False*: a document in a near-duplicate family with another page; pages that share a fifth of
//! their runs of five words (versions of one page) are not asked to stay apart and are left out beforehand.

use crate::data::{Corpus, Prompt};
use crate::documents::{Document, cut, documents, pages};
use crate::logs::Audited;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::path::Path;
use stillhunt::embed::Model;
use stillhunt::ids::Level;
use stillhunt::index::exact;
use stillhunt::lookup::{ListQuery, export_families, export_members};
use stillhunt::report::{Family, Part};
use stillhunt::simulate::Edit;
use stillhunt::store::Store;
use stillhunt::stored::{AuditConfig, KnownSource, KnownWhat};
use stillhunt::text::{fold, run_share};

/// Documents of a log, at most.
const MOST: usize = 1_500;
/// Documents that are copied for each kind of edit.
const COPIED: usize = 100;

/// Every table.
pub(crate) fn report(model: &Model, all: &[Prompt], dir: &Path) -> String {
    let mut out = String::new();
    let test: Vec<Document> = pages(dir).into_iter().filter(|page| !page.dev()).collect();
    if test.is_empty() {
        return "skipped: lengths (no human_text in the directory)\n".into();
    }
    false_families(model, &test, &mut out);
    kinds(model, all, dir, &mut out);
    recall(model, dir, &test, &mut out);
    templates(model, &test, &mut out);
    fragments(model, dir, &test, &mut out);
    out
}

/// Documents of at least `n` characters, cut there, no two of which are versions of one another.
fn of_length(model: &Model, pages: &[Document], n: usize, most: usize) -> Vec<Document> {
    let mut chosen: Vec<Document> = pages
        .iter()
        .filter(|page| page.text.chars().count() >= n)
        .map(|page| Document { text: cut(&page.text, n).to_owned(), ..page.clone() })
        .collect();
    chosen.sort_by_key(Document::order);
    chosen.truncate(most);
    without_versions(model, chosen)
}

fn without_versions(model: &Model, chosen: Vec<Document>) -> Vec<Document> {
    let prompt = |d: &Document| Prompt {
        id: d.id.clone(),
        folded: fold(&d.text).text,
        text: String::new(),
        source: String::new(),
        kind: String::new(),
        group: String::new(),
    };
    let corpus = Corpus::of_all(model, chosen.iter().map(prompt).collect());
    let near = exact::search(&corpus.vectors, &corpus.vectors, 0.5);
    let mut dropped = HashSet::new();
    for (i, hits) in near.iter().enumerate() {
        for j in hits.iter().map(|hit| hit.id as usize).filter(|&j| j < i) {
            let (a, b) = (&corpus.prompts[i], &corpus.prompts[j]);
            if !dropped.contains(&b.id) && run_share(&a.folded, &b.folded, 5) > 0.2 {
                dropped.insert(a.id.clone());
            }
        }
    }
    chosen.into_iter().filter(|d| !dropped.contains(&d.id)).collect()
}

/// How many of these are in a family, and the largest one.
fn in_families(members: &HashMap<String, String>, counts: impl Fn(&str) -> bool) -> (usize, usize) {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    members.iter().filter(|(id, _)| counts(id)).for_each(|(_, family)| *sizes.entry(family).or_default() += 1);
    let several = sizes.values().filter(|&&n| n > 1);
    (several.clone().sum(), several.max().copied().unwrap_or(0))
}

fn false_families(model: &Model, test: &[Document], out: &mut String) {
    out.push_str(
        "## Unrelated documents, and copies of a tenth of them\n\nEach document a prompt of its own account; of a tenth of them four copies more, in one log: typos in \
         2% of the words, a sentence moved, 10% cut, boilerplate around.\n\n| characters | documents | in a family with another | largest family of different documents | copies | in their original's family, % | typos | moved | cut | boilerplate |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for n in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000] {
        let documents = of_length(model, test, n, MOST);
        let mut rows: Vec<(String, String)> = documents.iter().map(|d| (d.id.clone(), d.text.clone())).collect();
        let mut copies = Vec::new();
        for (i, d) in documents.iter().enumerate().filter(|(i, _)| i % 10 == 3) {
            for (kind, text) in four_copies(&d.text, i as u64).into_iter().enumerate() {
                let id = format!("copy-{kind}-{}", d.id);
                copies.push((kind, id.clone(), d.id.clone()));
                rows.push((id, text));
            }
        }
        let members = Audited::new(model, rows.iter().map(|(id, text)| (id.as_str(), text.as_str()))).members();
        let (false_ones, largest) = in_families(&members, |id| !id.starts_with("copy-"));
        let mut found = [0u32; 4];
        for (kind, id, original) in &copies {
            found[*kind] += u32::from(members.contains_key(id) && members.get(id) == members.get(original));
        }
        let each = (copies.len() / 4).max(1) as f64;
        let [typos, moved, cut, around] = found.map(|n| 100.0 * f64::from(n) / each);
        let all = 100.0 * f64::from(found.iter().sum::<u32>()) / copies.len().max(1) as f64;
        let _ = writeln!(
            out,
            "| {n} | {} | {false_ones} ({:.2}%) | {largest} | {} | {all:.1} | {typos:.1} | {moved:.1} | {cut:.1} | {around:.1} |",
            documents.len(),
            100.0 * false_ones as f64 / documents.len() as f64,
            copies.len()
        );
        eprintln!("{n} characters done");
    }
}

/// Typos in 2% of the words, a sentence moved to the end, a tenth cut from the middle, boilerplate around.
fn four_copies(text: &str, seed: u64) -> [String; 4] {
    let typos = Edit::Typo.apply(text, 0.1, "", seed).unwrap_or_else(|| format!("{text}x"));
    let sentences: Vec<&str> = text.split_inclusive(". ").collect();
    let at = seed as usize % sentences.len();
    let moved = format!("{}{} {}", sentences[..at].concat(), sentences[at + 1..].concat(), sentences[at]);
    let n = text.chars().count();
    let without: String = text.chars().take(n / 2).chain(text.chars().skip(n / 2 + n / 10)).collect();
    let around = Edit::Boiler.apply(text, 1.0, "", seed).unwrap_or_default();
    [typos, moved, without, around]
}

fn kinds(model: &Model, all: &[Prompt], dir: &Path, out: &mut String) {
    out.push_str("\n## Unrelated documents of every kind and length, in one log\n\n| kind | documents | in a family with another | largest |\n|---|---|---|---|\n");
    let chosen: Vec<Document> = documents(dir, all).into_iter().filter(|d| !d.dev()).collect();
    let mut pieces: HashSet<String> = HashSet::new();
    // The pieces of books hold the chapters again.
    let chosen: Vec<Document> =
        chosen.into_iter().filter(|d| !d.id.contains("-piece-") || pieces.insert(d.id.clone())).collect();
    let chapters = |d: &Document| d.kind == "prose" && d.group != d.id && !d.id.contains("-piece-");
    let chosen = without_versions(model, chosen.into_iter().filter(|d| !chapters(d)).collect());
    let members = Audited::new(model, chosen.iter().map(|d| (d.id.as_str(), d.text.as_str()))).members();
    let kind_of: HashMap<&str, &str> = chosen.iter().map(|d| (d.id.as_str(), d.kind)).collect();
    let kinds: std::collections::BTreeSet<&str> = chosen.iter().map(|d| d.kind).collect();
    for kind in kinds {
        let n = chosen.iter().filter(|d| d.kind == kind).count();
        let (joined, largest) = in_families(&members, |id| kind_of.get(id) == Some(&kind));
        let _ = writeln!(out, "| {kind} | {n} | {joined} ({:.2}%) | {largest} |", 100.0 * joined as f64 / n as f64);
    }
}

fn recall(model: &Model, dir: &Path, test: &[Document], out: &mut String) {
    const LENGTHS: [usize; 5] = [200, 1_000, 4_000, 16_000, 64_000];
    let _ = write!(
        out,
        "\n## Family recall of edited copies by length, %\n\n{COPIED} originals among up to {MOST} documents of that length (of 64,000 characters: pieces of \
         books); one kind of edit a log, at full strength.\n\n| edit | {} |\n|---|---|---|---|---|---|\n",
        LENGTHS.map(|n| n.to_string()).join(" | ")
    );
    let is_piece = |d: &Document| d.id.contains("-piece-");
    let pieces: Vec<Document> = documents(dir, &[]).into_iter().filter(|d| !d.dev() && is_piece(d)).collect();
    // What copies are padded with is not in the log, else they would be copies of that, too.
    let mut fillers: Vec<Document> = documents(dir, &[]).into_iter().filter(|d| d.dev() && is_piece(d)).collect();
    fillers.sort_by_key(Document::order);
    let logs: Vec<Vec<Document>> = LENGTHS
        .into_iter()
        .map(|n| of_length(model, if n < 64_000 { test } else { &pieces }, n, if n < 16_000 { MOST } else { 700 }))
        .collect();
    for (row, kind) in Edit::ALL.into_iter().enumerate() {
        let _ = write!(out, "| {} |", kind.word());
        for documents in &logs {
            let copy = |(i, d): (usize, &Document)| {
                let filler = &fillers[(7 * i + row) % fillers.len()].text;
                Some((format!("copy-{}", d.id), d.id.clone(), kind.apply(&d.text, 1.0, filler, i as u64)?))
            };
            let copies: Vec<(String, String, String)> =
                documents.iter().take(COPIED).enumerate().filter_map(copy).collect();
            let rows = documents.iter().map(|d| (d.id.as_str(), d.text.as_str()));
            let rows = rows.chain(copies.iter().map(|(id, _, text)| (id.as_str(), text.as_str())));
            let members = Audited::new(model, rows).members();
            let found = copies
                .iter()
                .filter(|(id, original, _)| members.contains_key(id) && members.get(id) == members.get(original));
            let _ =
                write!(out, " {:.0} ({}) |", 100.0 * found.count() as f64 / copies.len().max(1) as f64, copies.len());
        }
        out.push('\n');
        eprintln!("{} done", kind.word());
    }
}

/// Campaigns whose template stands in front of a document of each account's own.
fn templates(model: &Model, test: &[Document], out: &mut String) {
    const ACCOUNTS: usize = 10;
    const CAMPAIGNS: usize = 10;
    out.push_str(
        "\n## A template in front of a document of the user's own\n\nTen campaigns of ten accounts, each with one template and ten different documents, among 300 others of that length. Share of \
         the campaigns' requests in a family of which most are of that campaign: near-duplicate / fragment / either, %.\n\n| characters | 1% | 5% | 20% | 50% |\n|---|---|---|---|---|\n",
    );
    for n in [1_000, 4_000, 16_000, 64_000] {
        let mut documents: Vec<Document> = if n < 64_000 {
            of_length(model, test, n, 300 + CAMPAIGNS * ACCOUNTS)
        } else {
            // Neighbouring chapters joined: each in one document only.
            let mut joined: Vec<Document> = Vec::new();
            for page in test.iter().filter(|page| page.group != page.id) {
                match joined.last_mut() {
                    Some(last) if last.group == page.group && last.text.len() < 70_000 => {
                        last.text.push_str(&page.text)
                    }
                    _ => joined.push(page.clone()),
                }
            }
            of_length(model, &joined, n, 300 + CAMPAIGNS * ACCOUNTS)
        };
        let texts: Vec<String> =
            of_length(model, test, n.min(16_000) / 2 + 200, 60).into_iter().map(|d| d.text).collect();
        let used: HashSet<String> = texts.iter().map(|text| text.chars().take(100).collect()).collect();
        documents.retain(|d| !used.contains(&d.text.chars().take(100).collect::<String>()));
        let _ = write!(out, "| {n} |");
        for share in [0.01, 0.05, 0.20, 0.50] {
            let length = (share * n as f64) as usize;
            let mut rows: Vec<(String, String)> = Vec::new();
            for (i, d) in documents.iter().enumerate() {
                let campaign = i / ACCOUNTS;
                if campaign < CAMPAIGNS {
                    // Long templates are made of several texts.
                    let template: String = texts
                        .iter()
                        .cycle()
                        .skip(6 * campaign)
                        .flat_map(|t| t.chars().skip(100))
                        .take(length)
                        .collect();
                    rows.push((format!("c{campaign}-{i}"), format!("{template}\n\n{}", cut(&d.text, n - length))));
                } else {
                    rows.push((d.id.clone(), d.text.clone()));
                }
            }
            let audited = Audited::new(model, rows.iter().map(|(id, text)| (id.as_str(), text.as_str())));
            let near = found(&audited, Level::NearDuplicate);
            let fragment = found(&audited, Level::Fragment);
            let percent = |n: usize| 100.0 * n as f64 / (CAMPAIGNS * ACCOUNTS) as f64;
            let _ = write!(
                out,
                " {:.0} / {:.0} / {:.0} |",
                percent(near.len()),
                percent(fragment.len()),
                percent(near.union(&fragment).count())
            );
        }
        out.push('\n');
        eprintln!("templates of {n} done");
    }
}

/// Requests of campaigns that are in a family of this level most of whose members are of their campaign.
fn found(audited: &Audited, level: Level) -> HashSet<String> {
    let mut csv = Vec::new();
    let store = Store::open(&audited.store()).expect("a store");
    export_members(&store, &[level], &mut csv).expect("the export");
    let text = String::from_utf8(csv).expect("the export is text");
    let mut families: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        families.entry(fields[2]).or_default().push(fields[0]);
    }
    let mut out = HashSet::new();
    for ids in families.values() {
        let mut of: BTreeMap<&str, usize> = BTreeMap::new();
        let campaign = |id: &&&str| id.starts_with('c') && id.split_once('-').is_some_and(|(c, _)| c.len() == 2);
        ids.iter().filter(campaign).for_each(|id| *of.entry(&id[..2]).or_default() += 1);
        for (campaign, n) in of {
            if 2 * n > ids.len() && n > 1 {
                out.extend(ids.iter().filter(|id| id.starts_with(&format!("{campaign}-"))).map(|id| (*id).to_owned()));
            }
        }
    }
    out
}

/// Fragment families of unrelated documents, and how many of them the other half explains.
fn fragments(model: &Model, dir: &Path, test: &[Document], out: &mut String) {
    out.push_str(
        "\n## What long unrelated texts share\n\nFragment families (five accounts or more) of the documents of the first table, and the commonest run in each log. Known: \
         those that the fragment families of the other half's documents of that length explain.\n\n| characters | documents | fragment families | in as many documents | the commonest run | known from the other half |\n|---|---|---|---|---|---|\n",
    );
    let dev: Vec<Document> = pages(dir).into_iter().filter(Document::dev).collect();
    for n in [1_000, 4_000, 16_000, 32_000] {
        let run = |pages: &[Document], known: Vec<KnownSource>| {
            let documents = of_length(model, pages, n, MOST);
            let mut config = AuditConfig::default();
            config.fragments.known = known;
            let rows = documents.iter().map(|d| (d.id.as_str(), d.text.as_str()));
            let audited = Audited::with(model, rows, &config);
            let store = Store::open(&audited.store()).expect("a store");
            let query = ListQuery {
                most: usize::MAX,
                level: Some(Level::Fragment),
                least_accounts: 0,
                trivial: true,
                ..ListQuery::default()
            };
            (documents.len(), export_families(&store, &query).expect("the families"))
        };
        let text = |family: &Family| {
            let parts = family.template_parts.iter().map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Slot(_) => " ",
            });
            parts.collect::<String>()
        };
        let known = run(&dev, Vec::new()).1;
        let sources =
            known.iter().map(|f| KnownSource { name: "the other half".into(), what: KnownWhat::Text(text(f)) });
        let (n_documents, families) = run(test, sources.collect());
        let is_known = |f: &&Family| f.fragment.as_ref().is_some_and(|fragment| fragment.known.is_some());
        let holders: usize = families.iter().map(|f| f.accounts as usize).max().unwrap_or(0);
        let commonest = families.iter().max_by_key(|f| (f.accounts, &f.id)).map(text).unwrap_or_default();
        let _ = writeln!(
            out,
            "| {n} | {n_documents} | {} | at most {holders} | {} | {} |",
            families.len(),
            commonest.chars().take(80).collect::<String>().replace(['|', '\n'], " "),
            families.iter().filter(is_known).count()
        );
    }
}
