//! What tests for radioactivity found: text, JSON and Markdown.
//!
//! Every form states the null hypothesis, the number of tests, the controls, the rule of the verdict, and what it does not show.
//! Names of keys, rings and files are escaped for each medium. Guarantee: no form holds a key or a served text.

use super::escape::{Lines, grouped, markdown, terminal};
use super::recipe::Recipe;
use super::watermark::{FileSummary, interval};
use crate::detect::p_value::Kind;
use crate::ids::Digest;
use crate::radioactivity::attribute::{KeyControls, RingFinding};
use crate::radioactivity::contamination::Calibration;
use crate::radioactivity::control::Control;
use crate::radioactivity::{Config, Finding};
use crate::store::contexts::Facts;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What was asked of the suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Its answers.
    Closed,
    /// Its predictions of served text.
    Open,
}

/// Rows that gave nothing, by reason.
pub type BadRows = BTreeMap<String, u64>;

/// What was read of the suspect, or of a control.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Input {
    /// Files with the digests of their bytes.
    pub files: Vec<FileSummary>,
    /// Answers, or predictions.
    pub pieces: u64,
    /// Answers that came with their prompt.
    pub with_prompt: u64,
    /// Their tokens.
    pub tokens: u64,
    /// Rows that gave nothing, by reason.
    pub bad_rows: BadRows,
}

/// A set of served contexts.
#[derive(Clone, Debug, Serialize)]
pub struct SetSummary {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub digest: String,
    /// What it says of itself.
    pub facts: Facts,
    /// Rows of its logs that were no exchanges; empty where a file was given.
    pub bad_rows: BadRows,
}

/// What the tests were run with.
#[derive(Clone, Debug, Serialize)]
pub struct Parameters {
    /// Largest adjusted p of `Marked`.
    pub alpha: f64,
    /// How p-values are adjusted.
    pub adjustment: &'static str,
    /// Smallest uniformity p of decoy keys.
    pub least_uniformity_p: f64,
    /// Smallest p of a control, divided by their number.
    pub least_control_p: f64,
    /// Power of `NotDetected`.
    pub power: f64,
    /// Strength that it is planned for.
    pub strength: f64,
    /// Level of intervals.
    pub interval_level: f64,
    /// Decoy keys asked for.
    pub decoys: usize,
    /// Most windows of a decoy key.
    pub decoy_windows: usize,
    /// Seed of decoys and of the dealt control.
    pub seed: u64,
    /// Digest of the tokenizer's file.
    pub tokenizer: Option<String>,
}

impl Parameters {
    fn new(config: &Config, tokenizer: Option<Digest>, adjustment: &'static str) -> Self {
        Self {
            alpha: config.alpha,
            adjustment,
            least_uniformity_p: config.least_uniformity,
            least_control_p: config.least_control,
            power: config.power,
            strength: config.strength,
            interval_level: config.level,
            decoys: config.decoys.n,
            decoy_windows: config.decoys.windows,
            seed: config.decoys.seed,
            tokenizer: tokenizer.map(|digest| digest.to_string()),
        }
    }
}

/// What holds for every result.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Statements {
    /// What is tested.
    pub null_hypothesis: &'static str,
    /// What a `Marked` does not show.
    pub positive: &'static str,
    /// What anything else does not show.
    pub negative: &'static str,
    /// What controls are for.
    pub controls: &'static str,
}

const STATEMENTS: Statements = Statements {
    null_hypothesis: "given a served context, what the suspect says next does not depend on the key; probabilities are over the draw of the key",
    positive: "Marked shows that the suspect learned from text that bore the key's mark; it does not show who gave it that text: a shared teacher, text of ours that others published, and forged text mark it as well, and answers that are copies of served text are marked without any training. It is no probability of guilt",
    negative: "a verdict other than Marked does not show that our text was not trained on: paraphrase, translation, dilution and training on clean text afterwards hide it",
    controls: "decoy keys show that the test holds on this text; controls under the true key show that the choice of windows knows nothing of the key",
};

/// A calibration, by its digest and in its own words.
#[derive(Clone, Debug, Serialize)]
pub struct CalibrationSummary {
    /// BLAKE3 of its file.
    pub digest: String,
    /// What was measured.
    pub about: String,
}

/// Tests of one suspect. Its JSON names are a format.
#[derive(Clone, Debug, Serialize)]
pub struct Radioactivity {
    /// Number of this format.
    pub schema: u32,
    /// Version of the program.
    pub stillhunt: &'static str,
    /// What was asked.
    pub mode: Mode,
    /// What was read.
    pub input: Input,
    /// Of each control.
    pub controls: Vec<Input>,
    /// The sets of served contexts.
    pub sets: Vec<SetSummary>,
    /// What the tests were run with.
    pub parameters: Parameters,
    /// What shares of the training text were read off; none where no calibration was given.
    pub calibration: Option<CalibrationSummary>,
    /// One for each set and key.
    pub tests: Vec<Finding>,
    /// What holds for all of them.
    pub statements: Statements,
    /// How it was made; none where it cannot be made again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
}

impl Radioactivity {
    /// Reads shares of the training text off a calibration whose file has this digest, for the tests that it is of.
    #[must_use]
    pub fn calibrated(mut self, by: &Calibration, digest: Digest) -> Self {
        let mode = if self.mode == Mode::Closed { "closed" } else { "open" };
        for finding in &mut self.tests {
            let is_of = by.scheme == finding.scheme && by.mode == mode && finding.set.is_some();
            if is_of {
                finding.contamination = finding.interval.and_then(|interval| by.share(interval));
            }
        }
        self.calibration = Some(CalibrationSummary { digest: digest.to_string(), about: by.about.clone() });
        self
    }

    /// All of it together.
    #[must_use]
    pub fn new(
        mode: Mode,
        input: Input,
        controls: Vec<Input>,
        sets: Vec<SetSummary>,
        config: &Config,
        tokenizer: Option<Digest>,
        tests: Vec<Finding>,
    ) -> Self {
        Self {
            schema: 1,
            stillhunt: env!("CARGO_PKG_VERSION"),
            mode,
            input,
            controls,
            sets,
            parameters: Parameters::new(config, tokenizer, "Holm over keys, sets and payloads"),
            calibration: None,
            tests,
            statements: STATEMENTS,
            recipe: None,
        }
    }
}

/// Decoy rings of all results together.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct AllDecoys {
    /// Fewest that a ring had.
    pub n: usize,
    /// Rank of the surest ring among its own.
    pub rank_p: Option<f64>,
}

/// Responses that were served.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ServedSummary {
    /// How many.
    pub responses: u64,
    /// Their tokens.
    pub tokens: u64,
    /// Rows of the logs that were no exchanges.
    pub bad_rows: BadRows,
}

/// Tests of one suspect on the harvests of rings. Its JSON names are a format.
#[derive(Clone, Debug, Serialize)]
pub struct Attribution {
    /// Number of this format.
    pub schema: u32,
    /// Version of the program.
    pub stillhunt: &'static str,
    /// What was asked.
    pub mode: Mode,
    /// What was read of the suspect.
    pub input: Input,
    /// Of each control.
    pub controls: Vec<Input>,
    /// What was served, to rings and to all others.
    pub served: ServedSummary,
    /// What the tests were run with.
    pub parameters: Parameters,
    /// One for each key and ring.
    pub rings: Vec<RingFinding>,
    /// Decoy rings.
    pub decoys: AllDecoys,
    /// Controls of each key.
    pub keys: Vec<KeyControls>,
    /// What to look at before a ring is named.
    pub notes: Vec<String>,
    /// What holds for all of them.
    pub statements: Statements,
    /// How it was made; none where it cannot be made again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
}

impl Attribution {
    /// All of it together.
    #[must_use]
    pub fn new(
        mode: Mode,
        (input, controls, served): (Input, Vec<Input>, ServedSummary),
        config: &Config,
        tokenizer: Option<Digest>,
        rings: Vec<RingFinding>,
        keys: Vec<KeyControls>,
    ) -> Self {
        let surest = rings.iter().min_by(|a, b| a.log10_p.total_cmp(&b.log10_p));
        let decoys = AllDecoys {
            n: rings.iter().filter(|ring| ring.scored > 0).map(|ring| ring.decoys.n).min().unwrap_or(0),
            rank_p: surest.and_then(|ring| ring.decoys.rank_p),
        };
        Self {
            schema: 1,
            stillhunt: env!("CARGO_PKG_VERSION"),
            mode,
            input,
            controls,
            served,
            parameters: Parameters::new(config, tokenizer, "Holm over rings, keys and payloads"),
            rings,
            decoys,
            keys,
            notes: Vec::new(),
            statements: STATEMENTS,
            recipe: None,
        }
    }
}

pub(super) fn plain(text: &str) -> String {
    terminal(text, Lines::Join).to_string()
}

fn exactness(kind: Kind) -> &'static str {
    if kind == Kind::Exact { "exact" } else { "upper bound" }
}

fn read_line(mode: Mode, input: &Input) -> String {
    let what = if mode == Mode::Closed { "answers" } else { "predictions" };
    let mut out = format!("{} {what}, {} tokens", grouped(input.pieces), grouped(input.tokens));
    if mode == Mode::Closed && input.with_prompt < input.pieces {
        out += &format!(
            "; {} came without a prompt, so echoes in them cannot be masked",
            grouped(input.pieces - input.with_prompt)
        );
    }
    out + &left_out(&input.bad_rows)
}

/// What follows a count where rows were left out.
fn left_out(bad: &BadRows) -> String {
    let n: u64 = bad.values().sum();
    if n == 0 { String::new() } else { format!("; {} bad rows left out", grouped(n)) }
}

/// The controls of which rows were left out.
fn short_controls(controls: &[Input]) -> String {
    let name = |of: &Input| of.files.iter().map(|file| plain(&file.name)).collect::<Vec<_>>().join(", ");
    let short = controls.iter().filter(|of| !of.bad_rows.is_empty());
    short.map(|of| format!("control {}: {} read{}\n", name(of), grouped(of.pieces), left_out(&of.bad_rows))).collect()
}

fn control(control: &Control) -> String {
    format!(
        "{}: {} windows, rate {:.5}, log10 p {:.2}",
        plain(&control.name),
        grouped(control.scored),
        control.rate,
        control.log10_p
    )
}

/// A report as indented JSON, with a line feed at its end.
#[must_use]
pub fn json(report: &impl Serialize) -> String {
    serde_json::to_string_pretty(report).unwrap_or_default() + "\n"
}

/// The tests for a terminal.
#[must_use]
pub fn text(report: &Radioactivity) -> String {
    let mut out = read_line(report.mode, &report.input) + "\n" + &short_controls(&report.controls);
    for set in &report.sets {
        let (contexts, selection) = (grouped(set.facts.contexts), plain(&set.facts.selection));
        let _ = writeln!(
            out,
            "{}: {contexts} served contexts of {} tokens ({selection}){}",
            plain(&set.name),
            set.facts.width,
            left_out(&set.bad_rows)
        );
    }
    for finding in &report.tests {
        let masked: Vec<String> =
            finding.masked.iter().map(|(reason, n)| format!("{reason} {}", grouped(*n))).collect();
        let within = finding
            .set
            .as_deref()
            .map_or_else(|| "all windows".to_owned(), |set| format!("contexts of {}", plain(set)));
        let _ = write!(
            out,
            "\n{}  {} ({})  key {}  {within}\n  scored     {} distinct windows; {} outside the contexts; masked: {}\n  statistic  {:.3} (expected {:.3}), rate {:.5}, interval {}\n  log10 p    {:.3} ({}, {}); adjusted for {} tests {:.3}\n",
            finding.verdict.word(),
            finding.scheme,
            finding.dialect,
            plain(&finding.key),
            grouped(finding.scored),
            grouped(finding.outside),
            if masked.is_empty() { "none".to_owned() } else { masked.join(", ") },
            finding.statistic,
            finding.expected,
            finding.rate,
            interval(finding.interval),
            finding.log10_p,
            exactness(finding.p_kind),
            finding.method,
            finding.m_tests,
            finding.adjusted_log10_p,
        );
        if let Some(log10_e) = finding.log10_e {
            let _ = writeln!(
                out,
                "  log10 e    {log10_e:.2} over one window a context: it stays valid however often one looks"
            );
        }
        let ks = finding
            .decoys
            .ks_p
            .map_or_else(|| "none".to_owned(), |p| format!("{} keys, uniformity p {p:.3}", finding.decoys.n));
        let _ = writeln!(out, "  decoys     {ks}");
        finding.controls.iter().for_each(|of| {
            let _ = writeln!(out, "  control    {}", control(of));
        });
        if let Some(origin) = &finding.origin {
            let _ = writeln!(out, "  origin     {}", origin.told());
        }
        if let Some([low, high]) = finding.contamination {
            let _ = writeln!(out, "  share of the training text: {low:.4} to {high:.4}, by the calibration given");
        }
        let _ = writeln!(out, "  {}", finding.rule);
        finding.notes.iter().for_each(|note| {
            let _ = writeln!(out, "  note: {}", plain(note));
        });
    }
    if let Some(by) = &report.calibration {
        let _ = writeln!(out, "\ncalibration: {}; a suspect that learns otherwise has another share", plain(&by.about));
    }
    out + &ends(&report.statements)
}

fn ends(s: &Statements) -> String {
    format!("\nnull hypothesis: {}\n{}\n{}\n{}\n", s.null_hypothesis, s.positive, s.negative, s.controls)
}

/// The attribution for a terminal.
#[must_use]
pub fn attribution_text(report: &Attribution) -> String {
    let mut out = read_line(report.mode, &report.input) + "\n" + &short_controls(&report.controls);
    let _ = writeln!(
        out,
        "{} responses were served, {} tokens{}",
        grouped(report.served.responses),
        grouped(report.served.tokens),
        left_out(&report.served.bad_rows)
    );
    for ring in &report.rings {
        let rank = ring.decoys.rank_p.map_or_else(
            || "none".to_owned(),
            |rank| {
                format!(
                    "{}, rank p {rank:.5}, each {} windows of {}",
                    grouped(ring.decoys.n as u64),
                    grouped(ring.decoys.windows),
                    ring.decoys.of
                )
            },
        );
        let _ = write!(
            out,
            "\n{}  {}  key {}\n  exclusive  {} contexts that only its {} accounts were served\n  scored     {} distinct windows, rate {:.5}, interval {}\n  log10 p    {:.3} ({}, {}); adjusted for {} tests {:.3}\n  decoys     {rank}\n  {}\n",
            ring.verdict.word(),
            plain(&ring.ring),
            plain(&ring.key),
            grouped(ring.exclusive_contexts),
            grouped(ring.accounts as u64),
            grouped(ring.scored),
            ring.rate,
            interval(ring.interval),
            ring.log10_p,
            exactness(ring.p_kind),
            ring.method,
            ring.m_tests,
            ring.adjusted_log10_p,
            ring.rule,
        );
    }
    for key in &report.keys {
        key.controls.iter().for_each(|of| {
            let _ = writeln!(out, "\ncontrol of key {}: {}", plain(&key.key), control(of));
        });
    }
    report.notes.iter().for_each(|note| {
        let _ = writeln!(out, "\nnote: {}", plain(note));
    });
    out + &ends(&report.statements)
}

/// The tests as Markdown.
#[must_use]
pub fn write_markdown(report: &Radioactivity) -> String {
    let mut out = format!("# Was it trained on our text?\n\n{}.\n\n", read_line(report.mode, &report.input));
    out += "| verdict | contexts | scheme | key | scored | rate | log10 p | adjusted | tests | decoy keys | controls |\n|---|---|---|---|---:|---:|---:|---:|---:|---|---|\n";
    for finding in &report.tests {
        let controls: Vec<String> = finding.controls.iter().map(|of| markdown(&control(of))).collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {:.5} | {:.3} | {:.3} | {} | {} | {} |",
            finding.verdict.word(),
            markdown(finding.set.as_deref().unwrap_or("all windows")),
            finding.scheme,
            markdown(&finding.key),
            grouped(finding.scored),
            finding.rate,
            finding.log10_p,
            finding.adjusted_log10_p,
            finding.m_tests,
            finding.decoys.ks_p.map_or_else(|| "none".to_owned(), |p| format!("{} (p {p:.3})", finding.decoys.n)),
            controls.join("; ")
        );
    }
    out.push('\n');
    for finding in &report.tests {
        let set = finding.set.as_deref().unwrap_or("all windows");
        let _ = write!(out, "* {}, key {}: {}.", markdown(set), markdown(&finding.key), markdown(&finding.rule));
        if let Some(origin) = &finding.origin {
            let _ = write!(out, " Origin: {}.", origin.told());
        }
        finding.notes.iter().for_each(|note| {
            let _ = write!(out, " Note: {}.", markdown(note));
        });
        out.push('\n');
    }
    out + &markdown_ends(&report.statements)
}

/// The attribution as Markdown.
#[must_use]
pub fn attribution_markdown(report: &Attribution) -> String {
    let mut out = format!("# On whose harvest was it trained?\n\n{}.\n\n", read_line(report.mode, &report.input));
    out += "| verdict | ring | key | accounts | exclusive contexts | scored | rate | log10 p | adjusted | tests | decoy rings |\n|---|---|---|---:|---:|---:|---:|---:|---:|---:|---|\n";
    for ring in &report.rings {
        let rank = ring
            .decoys
            .rank_p
            .map_or_else(|| "none".to_owned(), |rank| format!("{} (rank p {rank:.5})", ring.decoys.n));
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {:.5} | {:.3} | {:.3} | {} | {rank} |",
            ring.verdict.word(),
            markdown(&ring.ring),
            markdown(&ring.key),
            ring.accounts,
            grouped(ring.exclusive_contexts),
            grouped(ring.scored),
            ring.rate,
            ring.log10_p,
            ring.adjusted_log10_p,
            ring.m_tests,
        );
    }
    out + &markdown_ends(&report.statements)
}

fn markdown_ends(s: &Statements) -> String {
    format!("\n* Null hypothesis: {}.\n* {}.\n* {}.\n* {}.\n", s.null_hypothesis, s.positive, s.negative, s.controls)
}
