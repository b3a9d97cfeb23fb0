//! What watermark tests found: text, JSON, Markdown, and a chart of the evidence.
//!
//! Every form states the null hypothesis, the number of tests, the rule of the verdict, and what a negative and a positive do not
//! show. Names of keys and files are escaped for each medium. Guarantee: no form holds a key.

use super::escape::{Lines, grouped, html, markdown, terminal};
use super::places;
use super::recipe::Recipe;
use crate::detect::{Finding, Verdict};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Tests of one corpus. Its JSON names are a format.
#[derive(Clone, Debug, serde::Serialize)]
pub struct WatermarkReport {
    /// Number of this format.
    pub schema: u32,
    /// Version of the program.
    pub stillhunt: &'static str,
    /// What was read.
    pub input: InputSummary,
    /// What the tests were run with.
    pub parameters: Parameters,
    /// One for each key.
    pub results: Vec<Finding>,
    /// What holds for all of them.
    pub statements: Statements,
    /// How it was made; none where it cannot be made again.
    pub recipe: Option<Recipe>,
}

/// What was read.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct InputSummary {
    /// Files with the digests of their bytes.
    pub files: Vec<FileSummary>,
    /// Documents.
    pub documents: u64,
    /// Documents that had a prompt.
    pub with_prompt: u64,
    /// Their tokens, without the prompts'.
    pub tokens: u64,
    /// Rows that gave no document, by reason.
    pub bad_rows: BTreeMap<String, u64>,
    /// Windows went to the disk.
    pub spilled: bool,
}

/// A file.
#[derive(Clone, Debug, serde::Serialize)]
pub struct FileSummary {
    /// As it was named.
    pub name: String,
    /// BLAKE3 of its bytes; none for standard input.
    pub blake3: Option<String>,
}

/// What the tests were run with.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Parameters {
    /// Largest adjusted p of `Marked`.
    pub alpha: f64,
    /// How p-values are adjusted.
    pub adjustment: &'static str,
    /// Smallest uniformity p of `Marked`.
    pub least_uniformity_p: f64,
    /// Power of `NotDetected`.
    pub power: f64,
    /// Strength that it is planned for.
    pub strength: f64,
    /// Level of intervals.
    pub interval_level: f64,
    /// Decoys asked for.
    pub decoys: usize,
    /// Most windows of a decoy.
    pub decoy_windows: usize,
    /// Seed of decoys.
    pub seed: u64,
    /// Digest of the tokenizer's file; none where token ids were given.
    pub tokenizer: Option<String>,
}

/// What holds for every result.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Statements {
    /// What is tested.
    pub null_hypothesis: &'static str,
    /// What a `Marked` does not show.
    pub positive: &'static str,
    /// What anything else does not show.
    pub negative: &'static str,
    /// What decoys are for.
    pub decoys: &'static str,
}

impl Default for Statements {
    fn default() -> Self {
        Self {
            null_hypothesis: "the tokens were chosen without knowledge of the key or of text marked with it; probabilities are over the draw of the key",
            positive: "Marked shows that the text depends on the key's mark; it does not show who made it or how, and whoever can query the marked model can forge a mark",
            negative: "a verdict other than Marked does not show that the text is free of the mark: paraphrase, translation, dilution, text of low entropy and other keys hide it",
            decoys: "a rank among n decoys is at least 1/(n + 1): it calibrates the test on this text and proves nothing",
        }
    }
}

/// The report as indented JSON, with a line feed at its end.
#[must_use]
pub fn json(report: &WatermarkReport) -> String {
    serde_json::to_string_pretty(report).unwrap_or_default() + "\n"
}

/// A count, or a number with three digits behind the point.
pub(super) fn number(x: f64) -> String {
    if x.fract() == 0.0 && x.abs() < 1e15 { grouped(x.abs() as u64) } else { format!("{x:.3}") }
}

fn what(finding: &Finding) -> String {
    let predicted = if finding.predicted { ", predicted" } else { "" };
    let payload = finding.payload.map(|payload| format!(", payload {payload}")).unwrap_or_default();
    format!("{} ({}, {}{predicted}{payload})", finding.scheme, finding.dialect, finding.profile)
}

fn masked(finding: &Finding) -> String {
    let parts: Vec<String> = finding.masked.iter().map(|(reason, n)| format!("{reason} {}", grouped(*n))).collect();
    if parts.is_empty() { "none".into() } else { parts.join(", ") }
}

fn decoys(finding: &Finding) -> String {
    let decoys = &finding.decoys;
    match (decoys.rank_p, decoys.uniformity_p) {
        (Some(rank), Some(uniformity)) => format!(
            "{} on {} windows: rank p {rank:.4}, uniformity p {uniformity:.3}",
            decoys.n,
            grouped(decoys.windows as u64)
        ),
        _ => "none".into(),
    }
}

/// An interval in words.
pub(super) fn interval(of: Option<[f64; 2]>) -> String {
    of.map_or_else(|| "none".to_owned(), |[low, high]| format!("{low:.5} to {high:.5}"))
}

/// The report for a terminal.
#[must_use]
pub fn text(report: &WatermarkReport) -> String {
    let plain = |text: &str| terminal(text, Lines::Join).to_string();
    let mut out = String::new();
    let input = &report.input;
    let _ = writeln!(out, "{} documents, {} tokens", grouped(input.documents), grouped(input.tokens));
    for (reason, n) in &input.bad_rows {
        let _ = writeln!(out, "{} bad rows left out: {reason}", grouped(*n));
    }
    for finding in &report.results {
        let _ = write!(
            out,
            "\n{}  {}  key {}\n  scored     {} distinct windows; masked: {}\n  statistic  {} (expected {}), rate {:.5}, {:.0}% interval {}\n  log10 p    {:.3} ({}, {}); adjusted for {} tests {:.3}\n  decoys     {}\n  {}\n",
            finding.verdict.word(),
            plain(&what(finding)),
            plain(&finding.key_id),
            grouped(finding.scored),
            masked(finding),
            number(finding.statistic),
            number(finding.expected),
            finding.rate,
            100.0 * report.parameters.interval_level,
            interval(finding.interval),
            finding.log10_p,
            if finding.p_kind == crate::detect::p_value::Kind::Exact { "exact" } else { "upper bound" },
            finding.method,
            finding.m_tests,
            finding.adjusted_log10_p,
            decoys(finding),
            finding.rule,
        );
        out += &places::text(finding);
    }
    let s = &report.statements;
    let _ = write!(out, "\nnull hypothesis: {}\n{}\n{}\n{}\n", s.null_hypothesis, s.positive, s.negative, s.decoys);
    out
}

/// The report as Markdown.
#[must_use]
pub fn write_markdown(report: &WatermarkReport) -> String {
    let mut out = String::from("# Watermark tests\n\n");
    let input = &report.input;
    let _ = writeln!(out, "{} documents, {} tokens.\n", grouped(input.documents), grouped(input.tokens));
    if !input.bad_rows.is_empty() {
        let rows: Vec<String> = input.bad_rows.iter().map(|(reason, n)| format!("{reason} {n}")).collect();
        let _ = writeln!(out, "Bad rows left out: {}.\n", rows.join(", "));
    }
    out += "| verdict | scheme | key | scored | statistic | expected | log10 p | adjusted | decoys |\n|---|---|---|---:|---:|---:|---:|---:|---|\n";
    for finding in &report.results {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {:.3} | {:.3} | {} |",
            finding.verdict.word(),
            markdown(&what(finding)),
            markdown(&finding.key_id),
            grouped(finding.scored),
            number(finding.statistic),
            number(finding.expected),
            finding.log10_p,
            finding.adjusted_log10_p,
            decoys(finding)
        );
    }
    out += "\n";
    for finding in &report.results {
        let _ = writeln!(
            out,
            "- **{}**: {}. The p-value is {} ({}). Masked: {}.",
            markdown(&finding.key_id),
            finding.rule,
            if finding.p_kind == crate::detect::p_value::Kind::Exact { "exact" } else { "an upper bound" },
            finding.method,
            masked(finding)
        );
    }
    report.results.iter().for_each(|finding| out += &places::write_markdown(finding));
    let s = &report.statements;
    let _ = write!(
        out,
        "\nNull hypothesis: {}. The adjusted p covers {} tests (Holm); `Marked` at {:e} or below.\n\n{}. {}. {}.\n",
        s.null_hypothesis,
        report.results.first().map_or(0, |finding| finding.m_tests),
        report.parameters.alpha,
        s.positive,
        s.negative,
        s.decoys
    );
    out
}

/// log10 p along the corpus, one line a key, with the band of its decoys: a page-wide SVG.
#[must_use]
pub fn chart(report: &WatermarkReport) -> String {
    let (width, height, left, top) = (760.0, 320.0, 70.0, 20.0);
    const COLOURS: [&str; 6] = ["#0b6e99", "#b5442c", "#3c7a3c", "#7a4fa3", "#8a6d1b", "#444444"];
    const MOST_LINES: usize = 12;
    let shown = &report.results[..report.results.len().min(MOST_LINES)];
    let most = shown.iter().map(|finding| finding.scored).max().unwrap_or(0).max(1) as f64;
    let line = libm::log10(report.parameters.alpha);
    let lowest = shown.iter().flat_map(|f| f.curve.iter().map(|point| point.log10_p)).fold(line * 1.5, f64::min);
    let x = |scored: f64| left + scored / most * width;
    let y = |log10_p: f64| top + (log10_p.max(lowest) / lowest) * height;
    let (total_width, legend) = (left + width + 20.0, top + height + 60.0);
    let below = legend + 18.0 * shown.len() as f64;
    let strips = places::shown(shown);
    let total_height = below + 34.0 * strips.len() as f64 + 10.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {total_width} {total_height}\" font-family=\"sans-serif\" font-size=\"12\">\n<title>log10 p against scored windows</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for tick in 0..=4 {
        let (value, scored) = (0.0 - (-lowest) * f64::from(tick) / 4.0, most * f64::from(tick) / 4.0);
        let _ = write!(
            out,
            "<line x1=\"{left}\" x2=\"{:.1}\" y1=\"{1:.1}\" y2=\"{1:.1}\" stroke=\"#ddd\"/>\n<text x=\"{2:.1}\" y=\"{3:.1}\" text-anchor=\"end\">{value:.1}</text>\n<text x=\"{4:.1}\" y=\"{5:.1}\" text-anchor=\"middle\">{6}</text>\n",
            left + width,
            y(value),
            left - 8.0,
            y(value) + 4.0,
            x(scored),
            top + height + 18.0,
            grouped(scored as u64)
        );
    }
    for (finding, colour) in shown.iter().zip(COLOURS.iter().cycle()) {
        if finding.decoys.band.len() == finding.curve.len() {
            let at = |point: &crate::detect::Point| x(point.scored as f64);
            let over = finding.curve.iter().zip(&finding.decoys.band).map(|(p, (_, high))| (at(p), y(*high)));
            let under = finding.curve.iter().zip(&finding.decoys.band).rev().map(|(p, (low, _))| (at(p), y(*low)));
            let points: Vec<String> = over.chain(under).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ = writeln!(out, "<polygon points=\"{}\" fill=\"{colour}\" opacity=\".15\"/>", points.join(" "));
        }
        let points: Vec<String> =
            finding.curve.iter().map(|p| format!("{:.1},{:.1}", x(p.scored as f64), y(p.log10_p))).collect();
        let _ = writeln!(
            out,
            "<polyline points=\"{left:.1},{:.1} {}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>",
            y(0.0),
            points.join(" ")
        );
    }
    let _ = write!(
        out,
        "<line x1=\"{left}\" x2=\"{:.1}\" y1=\"{1:.1}\" y2=\"{1:.1}\" stroke=\"#000\" stroke-dasharray=\"4 3\"/>\n<text x=\"{2:.1}\" y=\"{3:.1}\" text-anchor=\"middle\">distinct windows scored; log10 p before adjustment, dashed: {4:e}; shaded: 5% to 95% of the decoys at the same part of the text</text>\n",
        left + width,
        y(line),
        left + width / 2.0,
        top + height + 40.0,
        report.parameters.alpha
    );
    for (i, (finding, colour)) in shown.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let at = legend + 18.0 * i as f64;
        let label = format!("{}: {}, key {}", finding.verdict.word(), what(finding), finding.key_id);
        let _ = write!(
            out,
            "<rect x=\"{left}\" y=\"{:.1}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\n<text x=\"{:.1}\" y=\"{at:.1}\">{}</text>\n",
            at - 10.0,
            left + 18.0,
            html(&label)
        );
    }
    for (i, (finding, document)) in strips.into_iter().enumerate() {
        let colour = shown.iter().zip(COLOURS.iter().cycle()).find(|(of, _)| std::ptr::eq(*of, finding));
        let colour = colour.map_or(COLOURS[0], |(_, colour)| colour);
        out += &places::strip(finding, document, left, width, below + 34.0 * i as f64 - 8.0, colour);
    }
    if report.results.len() > MOST_LINES {
        let _ =
            writeln!(out, "<text x=\"{left}\" y=\"14\">the first {MOST_LINES} of {} keys</text>", report.results.len());
    }
    out + "</svg>\n"
}

/// How many results have each verdict, in words.
#[must_use]
pub fn tally(report: &WatermarkReport) -> String {
    let count = |verdict: Verdict| report.results.iter().filter(|finding| finding.verdict == verdict).count();
    format!(
        "{} Marked, {} NotDetected, {} Inconclusive",
        count(Verdict::Marked),
        count(Verdict::NotDetected),
        count(Verdict::Inconclusive)
    )
}
