//! How often the rule accepts the labelled pairs of others: edits made by other people, and pairs that only mean the same.

use crate::data::Prompt;
use crate::edits::{judge, rule};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use stillhunt::embed::Model;
use stillhunt::family::calibrate::Calibration;
use stillhunt::family::judge::Rule;
use stillhunt::text;

/// (file, column that divides it or none, what an auditor of copies wants of each).
const FILES: [(&str, &str, &str); 6] = [
    ("prompt_edits", "attack", "high"),
    ("code_prompt_edits", "edit", "high"),
    ("prompt_history", "", "high"),
    ("prompt_principles", "", "high"),
    ("code_rephrase", "kind", "high where code is kept"),
    ("prompt_rephrase", "kind", "by kind"),
];
/// Files of texts with a group: neighbours of one group are pairs.
const GROUPS: [(&str, &str); 2] =
    [("intent_groups", "low: the same wish of other people"), ("paraphrase_groups", "low")];

struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(path: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path).ok()?;
        let mut lines = text.lines().map(|line| line.split('\t').map(unescape).collect::<Vec<_>>());
        Some(Self { header: lines.next()?, rows: lines.collect() })
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }
}

fn unescape(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            (c, false) => out.push(c),
        }
    }
    out
}

#[derive(Default)]
struct Row {
    n: u32,
    accepted: [u32; 3],
    trivial: u32,
}

/// The table of acceptance.
pub(crate) fn report(model: &Model, all: &[Prompt], dir: &Path, calibration: &Calibration) -> String {
    let sizes = crate::calibration::SIZES;
    let rules = sizes.map(|n| rule(calibration, all, n));
    let mut out = String::from(
        "## Labelled pairs of others\n\nShare that the rule accepts, %, at the threshold of a store of so many prompts; trivial texts count as not accepted.\n\n| pairs | n | 10,000 | 100,000 | 1,000,000 | either is trivial | should be |\n|---|---|---|---|---|---|---|\n",
    );
    let mut rows: Vec<(String, Row, &str)> = Vec::new();
    for (file, by, wanted) in FILES {
        let Some(table) = Table::read(&dir.join(format!("sts/{file}.tsv"))) else {
            let _ = writeln!(out, "skipped: {file} (absent)");
            continue;
        };
        let (a, b) = (table.column("a").expect("column a"), table.column("b").expect("column b"));
        let by = table.column(by);
        let mut kinds: BTreeMap<String, Row> = BTreeMap::new();
        for row in &table.rows {
            let kind = by.map_or(String::new(), |by| {
                format!(
                    ": {}",
                    row[by].split("-").next().unwrap_or_default().to_owned()
                        + if row[by] == "hard-negative" { "-negative" } else { "" }
                )
            });
            add(model, &row[a], &row[b], &rules, kinds.entry(kind).or_default());
        }
        let wish = |kind: &str| match kind {
            ": hard-negative" | ": translation" => "0",
            ": rephrase" => "high, if rewording is to be seen",
            _ => wanted,
        };
        rows.extend(kinds.into_iter().map(|(kind, row)| (format!("{file}{kind}"), row, wish(&kind))));
    }
    for (file, wanted) in GROUPS {
        let Some(table) = Table::read(&dir.join(format!("sts/{file}.tsv"))) else {
            let _ = writeln!(out, "skipped: {file} (absent)");
            continue;
        };
        let mut sum = Row::default();
        for pair in table.rows.windows(2).filter(|pair| pair[0][1] == pair[1][1]) {
            add(model, &pair[0][0], &pair[1][0], &rules, &mut sum);
        }
        rows.push((file.to_owned(), sum, wanted));
    }
    for (name, row, wanted) in rows {
        let percent = |part: u32| format!("{:.1}", 100.0 * f64::from(part) / f64::from(row.n.max(1)));
        let [a, b, c] = row.accepted.map(percent);
        let _ = writeln!(out, "| {name} | {} | {a} | {b} | {c} | {} | {wanted} |", row.n, percent(row.trivial));
    }
    out
}

fn add(model: &Model, a: &str, b: &str, rules: &[Rule; 3], row: &mut Row) {
    let (a, b) = (text::fold(a).text, text::fold(b).text);
    row.n += 1;
    if a != b && (text::is_trivial(&a) || text::is_trivial(&b)) {
        row.trivial += 1;
        return;
    }
    let judged = judge(model, &a, &b);
    for (accepted, rule) in row.accepted.iter_mut().zip(rules) {
        let fits = judged.is_some_and(|(similarity, score)| rule.accepts(similarity, score, (a.len(), b.len())));
        *accepted += u32::from(a == b || fits);
    }
}
