//! Whether the mark was planted where it should be: a night's findings as values, a section of the report, and sentences for a monitor.
//!
//! Weakness: it tells of a sample. Guarantee: names of cells come from a log and are bounded and escaped; no key is here, only its name.

use super::escape::{Lines, clip, grouped, html, markdown, terminal};
use crate::detect::planting::State;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Characters of a cell's value that a report keeps.
pub const VALUE_CHARS: usize = 120;

/// What a night's sample says. Its JSON names are a format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planting {
    /// The night that was looked at.
    pub night: u32,
    /// Nights that were looked at until now.
    pub nights: u32,
    /// Chance of an alarm of the sequential tests, ever, in a service where nothing fails.
    pub alpha: f64,
    /// Evidence that makes such an alarm.
    pub threshold: f64,
    /// Names of the keys.
    pub keys: Vec<String>,
    /// Responses of the night.
    pub responses: u64,
    /// Those that were scored.
    pub sampled: u64,
    /// Those of the sample that were too short to be scored.
    pub too_short: u64,
    /// Those that no key is said to have marked.
    pub without_key: u64,
    /// What the sequential tests take for granted.
    pub null_hypothesis: String,
    /// Each cell.
    pub cells: Vec<Cell>,
    /// Marks under keys that were not expected there.
    pub other_keys: Vec<OtherKey>,
    /// Responses to whoever has opted out.
    pub opted_out: Vec<OptedOut>,
    /// One sentence for each alarm; none where all is as it should be.
    pub alarms: Vec<String>,
}

/// A cell: responses that have one value of something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// What responses are told apart by: `all`, `model`, `key`, or an attribute.
    pub by: String,
    /// Its value.
    pub value: String,
    /// Responses of the sample.
    pub responses: u64,
    /// Their tokens.
    pub tokens: u64,
    /// log10 p of all of them together.
    pub log10_p: f64,
    /// Tokens to p < 10⁻⁶ at tonight's rate.
    pub tokens_to_found: Option<u64>,
    /// The same before tonight.
    pub expected_tokens: Option<u64>,
    /// Responses that look unmarked, as a share.
    pub unmarked: f64,
    /// The same before tonight.
    pub unmarked_before: Option<f64>,
    /// Evidence that it is less marked than its peers or its past.
    pub evidence: f64,
    /// How it stands.
    pub state: State,
    /// In alarm since this night.
    pub since: Option<u32>,
}

/// A mark under a key that was not expected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OtherKey {
    /// What responses are told apart by.
    pub by: String,
    /// Its value.
    pub value: String,
    /// The key's name.
    pub key: String,
    /// Tokens that should not bear it.
    pub tokens: u64,
    /// log10 p, adjusted for all such tests of the night.
    pub log10_p: f64,
    /// Largest p that is an alarm tonight, such that all nights together have half of the chance of an alarm.
    pub alpha: f64,
    /// Whether it is one.
    pub alarm: bool,
}

/// Responses that should bear no mark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptedOut {
    /// The key's name.
    pub key: String,
    /// Responses.
    pub responses: u64,
    /// Their tokens.
    pub tokens: u64,
    /// log10 p, adjusted for the keys.
    pub log10_p: f64,
    /// As above.
    pub alpha: f64,
    /// Whether they bear the mark.
    pub alarm: bool,
}

impl State {
    /// In a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Planted => "planted",
            Self::Weak => "weak",
            Self::Missing => "missing",
            Self::TooLittle => "too little text",
        }
    }
}

impl Planting {
    /// Bounds what a log decides, and says the alarms.
    #[must_use]
    pub fn finish(mut self) -> Self {
        let short = |text: &mut String| *text = clip(text, VALUE_CHARS);
        self.cells.iter_mut().for_each(|cell| short(&mut cell.value));
        self.other_keys.iter_mut().for_each(|other| short(&mut other.value));
        let mut alarms = Vec::new();
        for cell in self.cells.iter().filter(|cell| matches!(cell.state, State::Weak | State::Missing)) {
            let tokens = |n: Option<u64>| n.map_or("no number of".to_owned(), grouped);
            let what = match cell.state {
                State::Missing => {
                    format!("the mark is missing (log10 p {:.1} on {} tokens)", cell.log10_p, grouped(cell.tokens))
                }
                _ => format!(
                    "the mark is weak: {:.1}% of responses look unmarked{}, and {} tokens give p < 1e-6{}",
                    100.0 * cell.unmarked,
                    cell.unmarked_before.map(|share| format!(", {:.1}% before", 100.0 * share)).unwrap_or_default(),
                    tokens(cell.tokens_to_found),
                    cell.expected_tokens.map(|n| format!(", {} before", grouped(n))).unwrap_or_default(),
                ),
            };
            let since = cell.since.map(|night| format!(", since night {night}")).unwrap_or_default();
            alarms.push(format!("{} {}: {what}{since}", cell.by, cell.value));
        }
        for other in self.other_keys.iter().filter(|other| other.alarm) {
            alarms.push(format!(
                "{} {}: planted under the key {}, which is not expected there (log10 p {:.1})",
                other.by, other.value, other.key, other.log10_p
            ));
        }
        for out in self.opted_out.iter().filter(|out| out.alarm) {
            alarms.push(format!(
                "planted where the account has opted out: {} responses bear the key {} (log10 p {:.1})",
                grouped(out.responses),
                out.key,
                out.log10_p
            ));
        }
        self.alarms = alarms;
        self
    }

    /// For a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let plain = |text: &str| terminal(text, Lines::Join);
        let (sampled, of) = (grouped(self.sampled), grouped(self.responses));
        let mut out = format!("planting: {sampled} of {of} responses scored, {} alarms\n", self.alarms.len());
        self.alarms.iter().for_each(|alarm| {
            let _ = writeln!(out, "  {}", plain(alarm));
        });
        out
    }

    fn rows(&self) -> Vec<[String; 9]> {
        let number = |n: Option<u64>| n.map_or_else(|| "–".into(), grouped);
        let of = |cell: &Cell| {
            [
                cell.by.clone(),
                cell.value.clone(),
                cell.state.word().into(),
                grouped(cell.responses),
                format!("{:.1}", cell.log10_p),
                number(cell.tokens_to_found),
                number(cell.expected_tokens),
                format!("{:.1}%", 100.0 * cell.unmarked),
                cell.unmarked_before.map_or_else(|| "–".into(), |share| format!("{:.1}%", 100.0 * share)),
            ]
        };
        self.cells.iter().map(of).collect()
    }

    fn head() -> [&'static str; 9] {
        ["by", "value", "mark", "responses", "log10 p", "tokens to p < 1e-6", "before", "look unmarked", "before"]
    }

    fn sentence(&self) -> String {
        format!(
            "{} of {} responses of night {} were scored, {} of the sample were too short, {} have no key. {} A share {} of services in which nothing \
             fails ever has an alarm of these tests.",
            grouped(self.sampled),
            grouped(self.responses),
            self.night,
            grouped(self.too_short),
            grouped(self.without_key),
            self.null_hypothesis,
            self.alpha
        )
    }

    /// A section of the report in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = format!("{}\n\n", self.sentence());
        self.alarms.iter().for_each(|alarm| {
            let _ = writeln!(out, "- **{}**", markdown(alarm));
        });
        let line =
            |cells: &[String]| format!("| {} |\n", cells.iter().map(|c| markdown(c)).collect::<Vec<_>>().join(" | "));
        let _ = write!(out, "\n| {} |\n|{}\n", Self::head().join(" | "), "---|".repeat(9));
        self.rows().iter().for_each(|row| out += &line(row));
        out
    }

    /// A section of the page.
    #[must_use]
    pub fn html(&self) -> String {
        let mut out = format!(
            "<section id=\"planting\"><h2>Is the mark planted?</h2><p class=\"soft\">{}</p>",
            html(&self.sentence())
        );
        if !self.alarms.is_empty() {
            out += "<ul>";
            self.alarms.iter().for_each(|alarm| {
                let _ = write!(out, "<li><strong>{}</strong></li>", html(alarm));
            });
            out += "</ul>";
        }
        out += "<div class=\"scroll\"><table><thead><tr>";
        Self::head().iter().for_each(|name| {
            let _ = write!(out, "<th scope=\"col\">{}</th>", html(name));
        });
        out += "</tr></thead><tbody>";
        for row in self.rows() {
            out += "<tr>";
            row.iter().for_each(|cell| {
                let _ = write!(out, "<td>{}</td>", html(cell));
            });
            out += "</tr>";
        }
        out + "</tbody></table></div></section>"
    }
}
