//! Where a mark stands, for people: lines for a terminal, a table in Markdown, and a strip for each of the first documents in the chart.
//!
//! Every form states the null hypothesis, how many documents and spans were looked at, the number of tests and the level. No text of a document is
//! shown: a span is told by its tokens, and by its characters where the text was at hand. Names of documents come from the suspect and are
//! escaped for each medium. Weakness: the first ten documents only; the JSON lists more.

use super::escape::{Lines, clip, grouped, html, markdown, terminal};
use super::watermark::number;
use crate::detect::Finding;
use crate::detect::places::{DocumentPlaces, Place, Places};
use std::fmt::Write as _;

/// Documents that are shown for one key.
const SHOWN: usize = 10;
/// Spans that are shown of one document.
const SPANS: usize = 4;
/// Strips of a chart.
pub(super) const STRIPS: usize = 8;
/// Characters of a name.
const NAME: usize = 60;

fn name(document: &DocumentPlaces) -> String {
    clip(document.name.as_deref().unwrap_or("no name"), NAME)
}

fn word(document: &DocumentPlaces) -> &'static str {
    if document.named { "named" } else { "not named" }
}

fn summary(places: &Places) -> String {
    let more = if places.named_not_listed > 0 {
        format!(", {} of them not listed", grouped(places.named_not_listed))
    } else {
        String::new()
    };
    format!(
        "{} of {} documents named{more} ({}); {} spans looked at; adjusted for {} tests",
        grouped(places.named),
        grouped(places.documents),
        places.rule,
        grouped(places.spans),
        grouped(places.m_tests)
    )
}

fn range([first, past]: [u64; 2]) -> String {
    format!("{} to {}", grouped(first), grouped(past))
}

fn span(place: &Place) -> String {
    let characters = place.characters.map(|of| format!(", characters {}", range(of))).unwrap_or_default();
    format!(
        "tokens {}{characters}: {} scored, statistic {} (expected {}), log10 p {:.3}, adjusted {:.3}",
        range(place.tokens),
        grouped(place.scored),
        number(place.statistic),
        number(place.expected),
        place.log10_p,
        place.adjusted_log10_p
    )
}

fn posterior(document: &DocumentPlaces) -> String {
    document.posterior.map(|of| format!("; posterior {of:.4}, a description")).unwrap_or_default()
}

/// Lines for a terminal; nothing where nobody asked.
#[must_use]
pub fn text(finding: &Finding) -> String {
    let Some(places) = &finding.places else { return String::new() };
    let mut out = format!("  where      {}\n", summary(places));
    for document in places.list.iter().take(SHOWN) {
        let _ = writeln!(
            out,
            "    {}, {}: {} tokens, log10 p {:.3}, adjusted {:.3}{}",
            terminal(&name(document), Lines::Join),
            word(document),
            grouped(document.tokens),
            document.log10_p,
            document.adjusted_log10_p,
            posterior(document)
        );
        document.spans.iter().take(SPANS).for_each(|place| {
            let _ = writeln!(out, "      {}", span(place));
        });
    }
    let _ = writeln!(out, "    null of each document: {}; p: {}", places.null_hypothesis, places.method);
    if let Some(what) = places.posterior_is {
        let _ = writeln!(out, "    posterior: {what}");
    }
    out
}

/// A section in Markdown; nothing where nobody asked.
#[must_use]
pub fn write_markdown(finding: &Finding) -> String {
    let Some(places) = &finding.places else { return String::new() };
    let mut out = format!("\n## Where, under {}\n\n{}.\n\n", markdown(&finding.key_id), summary(places));
    if !places.list.is_empty() {
        out += "| document | named | tokens | log10 p | adjusted | spans |\n|---|---|---:|---:|---:|---|\n";
    }
    for document in places.list.iter().take(SHOWN) {
        let spans: Vec<String> = document.spans.iter().take(SPANS).map(span).collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {:.3} | {:.3} | {}{} |",
            markdown(&name(document)),
            word(document),
            grouped(document.tokens),
            document.log10_p,
            document.adjusted_log10_p,
            spans.join("<br>"),
            posterior(document)
        );
    }
    let _ = writeln!(
        out,
        "\nNull hypothesis of each document: {}. The p-value is {}.",
        places.null_hypothesis, places.method
    );
    if let Some(what) = places.posterior_is {
        let _ = writeln!(out, "Posterior: {what}.");
    }
    out
}

/// The named documents that a chart has strips for: those of most evidence under each key, keys in their order.
pub(super) fn shown(findings: &[Finding]) -> Vec<(&Finding, &DocumentPlaces)> {
    let of = findings.iter().filter_map(|finding| Some((finding, finding.places.as_ref()?)));
    let named = of.flat_map(|(finding, places)| {
        places.list.iter().filter(|document| document.named).map(move |document| (finding, document))
    });
    named.take(STRIPS).collect()
}

/// One strip: a document from its first token to its last, its spans marked. Its height is 34.
pub(super) fn strip(
    finding: &Finding,
    document: &DocumentPlaces,
    left: f64,
    width: f64,
    top: f64,
    colour: &str,
) -> String {
    let x = |token: u64| left + token as f64 / document.tokens.max(1) as f64 * width;
    let label = format!(
        "{}: {} tokens, adjusted log10 p {:.2}, key {}",
        name(document),
        grouped(document.tokens),
        document.adjusted_log10_p,
        clip(&finding.key_id, NAME)
    );
    let mut out = format!(
        "<text x=\"{left:.1}\" y=\"{:.1}\">{}</text>\n<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"10\" fill=\"#ddd\"/>\n",
        top + 12.0,
        html(&label),
        top + 17.0
    );
    for place in &document.spans {
        let _ = writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"10\" fill=\"{colour}\"><title>{}</title></rect>",
            x(place.tokens[0]),
            top + 17.0,
            (x(place.tokens[1]) - x(place.tokens[0])).max(1.0),
            html(&span(place))
        );
    }
    out
}
