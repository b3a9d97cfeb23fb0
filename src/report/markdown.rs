//! The report as Markdown, to paste into a ticket or a chat: the same order as the page, as tables.
//!
//! Weakness: dialects differ, so it keeps to headings, lists and pipe tables, and text from logs is escaped more than any one
//! of them needs. It shows [`MOST_FAMILIES`] families with one line each. Guaranteed: no text of a log can end a cell, make a
//! link or become markup.

use super::escape::{clip, grouped, markdown};
use super::ring::{Ring, without_words};
use super::{Family, Length, Report};
use crate::ids::Time;
use std::fmt::Write as _;

/// Families in the main table.
pub const MOST_FAMILIES: usize = 50;
/// Rows of each other table.
const MOST_ROWS: usize = 20;
/// Characters of a template in a table.
const TEMPLATE_CHARS: usize = 160;
/// Characters of a note.
const NOTE_CHARS: usize = 400;

/// The document.
#[must_use]
pub fn write(report: &Report) -> String {
    let (store, counts) = (&report.store, &report.counts);
    let mut out = String::from("# Families of similar prompts\n\n");
    let day = |time: Option<Time>| time.map_or_else(|| "–".into(), |time| super::date_of(time.day()));
    let _ = writeln!(
        out,
        "{} to {}: {} exchanges, {} accounts, {} nights, {} families. This run read {} rows: {} added, {} known, {} set aside.\n",
        day(store.first_seen),
        day(store.last_seen),
        grouped(store.exchanges),
        grouped(store.accounts),
        grouped(store.nights),
        grouped(report.families_total),
        grouped(counts.rows_read),
        grouped(counts.rows_kept),
        grouped(counts.rows_known),
        grouped(counts.rows_quarantined),
    );
    let told = counts.read_as.told();
    if !told.is_empty() {
        let _ = writeln!(out, "Exchanges of this run: {}.\n", markdown(&clip(&told, NOTE_CHARS)));
    }
    out.push_str(
        "The order below describes, it does not accuse: the customers of one app share its template. Rerouted traffic and bought \
         transcripts do not show in similar text, so a short list is no evidence that nothing happened.\n",
    );
    let row = |ring: &Ring| {
        format!(
            "| {} | {} | {} | {} | {} | {} | {:.1} | {} |\n",
            ring.id,
            ring.route.word(),
            ring.rung.word(),
            grouped(ring.accounts),
            grouped(ring.requests),
            ring.gamma_star,
            ring.log10_e,
            super::date_of(ring.confirmed_night)
        )
    };
    let head = "| ring | route | rung | accounts | requests | Γ* | log10 E | confirmed |\n|---|---|---|---:|---:|---:|---:|---|\n";
    let table = (!report.rings.is_empty()).then(|| head.to_owned()).into_iter();
    let rings = table.chain(report.rings.iter().take(MOST_FAMILIES).map(row));
    section(&mut out, "Rings", rings.chain([format!("\n{}\n", report.rings_meta.words())]));
    let hangs = |ring: &Ring| {
        let falls = ring.sensitivity.iter().filter(|of| of.stream == "co-use" && of.stands == Some(false));
        let falls: Vec<String> = falls.map(|of| of.words()).collect();
        let falls = if falls.is_empty() { String::new() } else { format!("; {}", falls.join("; ")) };
        let facts: String =
            ring.facts().iter().map(|fact| format!("  - {}\n", markdown(&clip(fact, NOTE_CHARS)))).collect();
        format!("- {} {}{falls}\n{facts}", ring.id, without_words(&ring.without))
    };
    section(&mut out, "What the rings hang on", report.rings.iter().take(MOST_FAMILIES).map(hangs));
    section(&mut out, "Notes", report.notes.iter().map(|note| format!("- {}\n", markdown(&clip(note, NOTE_CHARS)))));
    families(&mut out, "Leading families", &report.families, MOST_FAMILIES);
    let left = report.families_total.saturating_sub(report.families.len().min(MOST_FAMILIES) as u64);
    if left > 0 {
        let _ = writeln!(out, "\n{} more in the store.", grouped(left));
    }
    families(&mut out, "Trivial texts", &report.trivial_families, MOST_ROWS);
    families(&mut out, "System prompts", &report.system_families, MOST_ROWS);
    families(&mut out, "Known shared text", &report.known_families, MOST_ROWS);
    let mut reasons: Vec<_> = counts.quarantined_by_reason.iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let reasons = reasons.iter().take(MOST_ROWS).map(|(why, n)| (markdown(&clip(why, NOTE_CHARS)), grouped(**n)));
    pairs(&mut out, "Rows set aside", ["reason", "rows"], reasons);
    let removed = &report.removed;
    let kinds = [
        ("invisible characters", removed.invisible),
        ("controls of writing direction", removed.bidi),
        ("tag characters", removed.tags),
        ("look-alike letters", removed.lookalikes),
        ("compatibility forms", removed.compatibility),
        ("prompts with any of these", removed.prompts_with_any),
        ("prompts with base64 of a text", removed.base64_prompts),
    ];
    pairs(
        &mut out,
        "What folding removed or decoded",
        ["kind", "count"],
        kinds.map(|(kind, n)| (kind.into(), grouped(n))),
    );
    section(&mut out, "Is the mark planted?", report.planting.iter().map(super::planting::Planting::markdown));
    let p = &report.parameters;
    let parameters = [
        ("version", markdown(&p.version)),
        ("model", markdown(&clip(&p.model_name, NOTE_CHARS))),
        ("model digest", p.model_digest.to_string()),
        ("rule of near-duplicates", format!("version {}", p.rule)),
        ("threshold", format!("{:.3}", p.threshold)),
        ("diameter", format!("{:.3}", p.diameter)),
        ("floor of candidates", format!("{:.3}", p.candidate_floor)),
        ("unrelated neighbours expected per prompt", format!("{:.4}", p.expected_unrelated_neighbours)),
        ("calibration", markdown(&clip(&p.calibration, NOTE_CHARS))),
        ("accounts of a fragment family, at least", grouped(p.fragment_accounts)),
        ("nights over which fragments are counted", grouped(p.fragment_nights)),
        ("nights whose prompts in no family were compared with", p.compared()),
        ("bytes of a shared run that are certain to be found", grouped(p.fragment_run)),
        ("seed", p.seed.to_string()),
    ];
    pairs(&mut out, "Parameters", ["name", "value"], parameters.map(|(name, value)| (name.into(), value)));
    let head = "| bytes of a prompt | prompts | threshold | unrelated neighbours of one | 95% interval | prompts it was not calibrated against |\n|---|---:|---:|---:|---:|---:|\n";
    let row = |length: &Length| {
        let Length { bytes, unrelated_neighbours: n, low, high, .. } = length;
        let (prompts, outside) = (grouped(length.prompts), grouped(length.uncalibrated));
        format!(
            "| {} | {prompts} | {:.3} | {n:.2e} | {low:.2e} to {high:.2e} | {outside} |\n",
            markdown(bytes),
            length.threshold
        )
    };
    let title = "Unrelated neighbours to expect, by length";
    section(&mut out, title, std::iter::once(head.to_owned()).chain(p.lengths.iter().map(row)));
    out
}

/// A headed block of lines; nothing where there are none.
fn section(out: &mut String, title: &str, lines: impl IntoIterator<Item = String>) {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_some() {
        let _ = write!(out, "\n## {title}\n\n");
        out.extend(lines);
    }
}

/// A table of two columns.
fn pairs(out: &mut String, title: &str, head: [&str; 2], rows: impl IntoIterator<Item = (String, String)>) {
    let mut rows = rows.into_iter().map(|(name, value)| format!("| {name} | {value} |\n")).peekable();
    if rows.peek().is_some() {
        let head = format!("| {} | {} |\n|---|---:|\n", head[0], head[1]);
        section(out, title, std::iter::once(head).chain(rows));
    }
}

/// A table of families.
fn families(out: &mut String, title: &str, families: &[Family], most: usize) {
    if families.is_empty() {
        return;
    }
    let head = "| # | family | level | accounts | new | requests | distinct prompts | first seen | last seen | template |\n\
                |--:|---|---|--:|--:|--:|--:|---|---|---|\n";
    let rows = (1..).zip(families.iter().take(most)).map(|(rank, family)| {
        format!(
            "| {rank} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
            family.id,
            family.level.word(),
            grouped(family.accounts),
            grouped(family.new_accounts),
            grouped(family.requests),
            grouped(family.distinct_prompts),
            super::date_of(family.first_seen.day()),
            super::date_of(family.last_seen.day()),
            markdown(&clip(&family.template, TEMPLATE_CHARS)),
        )
    });
    section(out, title, std::iter::once(head.to_owned()).chain(rows));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    /// Cells of a line, told apart by the bars that are not escaped.
    fn cells(line: &str) -> usize {
        let mut escaped = false;
        let bars = line.chars().filter(|&c| {
            let bar = c == '|' && !escaped;
            escaped = c == '\\' && !escaped;
            bar
        });
        bars.count() - 1
    }

    #[test]
    fn every_row_of_a_table_has_the_cells_of_its_head() {
        let mut report = sample();
        report.families[0].template = "a | b \\| c \\\\| d\n| e ``` <b> [x](http://y)".into();
        report.counts.quarantined_by_reason.insert("odd | reason\n".into(), 3);
        let text = write(&report.finish());
        let mut width = None;
        for line in text.lines() {
            if line.starts_with('|') {
                assert_eq!(cells(line), *width.get_or_insert(cells(line)), "{line}");
            } else {
                width = None;
            }
        }
        assert!(text.contains("odd \\| reason⏎") && text.matches("\n## ").count() >= 6);
        assert!(!text.contains("<script") && !text.contains("<b>") && !text.contains("](http:"));
    }

    #[test]
    fn it_says_how_many_families_it_leaves_out() {
        let report = sample().finish();
        let listed = report.families.len().min(MOST_FAMILIES) as u64;
        assert!(write(&report).contains(&format!("{} more in the store", grouped(report.families_total - listed))));
    }
}
