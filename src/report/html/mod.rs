//! The report as one page that a person would rather look at than read: no script, nothing fetched, light and dark.
//!
//! The order of the page is the order of an investigator's questions: how much was read, what it can and cannot show, who
//! sends alike (an overview, then a card for each leading family, then a table), what was set aside, and under which
//! parameters. Text from logs goes through `prose` only, which escapes, isolates and bounds it; the page's policy forbids
//! scripts and requests besides, should that ever fail.
//!
//! Weakness: the page is a summary; at most [`MOST_CARDS`] families have a card and [`MOST_FAMILIES`] are on it at all, and
//! it says how many more are in `report.json`. Guaranteed: the same report gives the same bytes.

mod chart;
mod family;
mod prose;
mod rings;

use super::escape::{grouped, html};
use super::{Family, Length, Report};
use crate::ids::{FamilyId, Time};
use chart::Span;
use prose::{count, inline, percent};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Families that have a card.
pub const MOST_CARDS: usize = 24;
/// Families on the page, in cards and in the table.
pub const MOST_FAMILIES: usize = 200;
/// Lines of the overview.
const MOST_GLANCES: usize = 12;
/// Rows of the tables of trivial texts and of system prompts.
const MOST_ASIDE: usize = 50;
/// Characters of a note, and of a reason for setting a row aside.
const NOTE_CHARS: usize = 400;

const STYLE: &str = include_str!("style.css");

/// The page. `report` is expected to be finished ([`Report::finish`]).
#[must_use]
pub fn write(report: &Report) -> String {
    let days = |time: Option<Time>| time.map_or(0, Time::day);
    let span = Span::new(days(report.store.first_seen), days(report.store.last_seen));
    let mut out = head(report);
    out.push_str("<main id=\"main\">");
    out.push_str(&rings::section(&report.rings, &report.rings_meta));
    out.push_str(&report.planting.as_ref().map(super::planting::Planting::html).unwrap_or_default());
    out.push_str(&nights(report));
    out.push_str(&families(report, span));
    out.push_str(&aside(
        "Trivial texts",
        "Too short to mean anything when they recur. They are counted, and never ranked with the others.",
        &report.trivial_families,
        span,
    ));
    out.push_str(&aside(
        "System prompts",
        "Requests that carry the same system prompt: most often the customers of one application.",
        &report.system_families,
        span,
    ));
    out.push_str(&aside(
        "Known shared text",
        "Fragments that a known text explains: licences, public prompts, templates of apps. They are counted, and never ranked with the others.",
        &report.known_families,
        span,
    ));
    out.push_str(&rows(report));
    out.push_str(&parameters(report));
    let _ = writeln!(
        out,
        "</main><footer>Drawn by stillhunt {} from <span class=\"mono\">report.json</span>, schema {}, which holds all of it for \
         programs. The same logs and parameters give the same page.</footer></body></html>",
        html(&report.parameters.version),
        report.schema,
    );
    out
}

/// Everything above the first chart.
fn head(report: &Report) -> String {
    let (store, counts) = (&report.store, &report.counts);
    let period = match (store.first_seen, store.last_seen) {
        (Some(first), Some(last)) => format!("{} to {}", prose::day(first), prose::day(last)),
        _ => "nothing yet".into(),
    };
    let largest = report.families.first().map_or(0, |family| family.accounts);
    let strip = [
        (report.families_total, "families of similar prompts"),
        (largest, "accounts in the largest family"),
        (counts.rows_kept, "exchanges added by this run"),
        (counts.rows_quarantined, "rows set aside"),
        (report.removed.prompts_with_any, "prompts with characters that folding removed"),
    ];
    let strip = strip.iter().fold(String::new(), |mut out, (number, name)| {
        let _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", grouped(*number));
        out
    });
    let notes = match report.notes.as_slice() {
        [] => String::new(),
        notes => {
            let items: String = notes.iter().map(|note| format!("<li>{}</li>", inline(note, NOTE_CHARS))).collect();
            format!("<ul class=\"notes\" aria-label=\"Notes on this run\">{items}</ul>")
        }
    };
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"referrer\" content=\"no-referrer\">\
         <meta name=\"robots\" content=\"noindex\"><title>stillhunt: families of similar prompts</title><style>{STYLE}</style></head><body>\
         <a class=\"skip\" href=\"#main\">Skip to the findings</a><header class=\"top\">\
         <p class=\"brand\"><b>stillhunt</b><span>nightly audit · version {}</span></p>\
         <h1>Who sends similar prompts, and how far they spread</h1>\
         <p class=\"lead\">{period} · {} · {} · {}</p><dl class=\"strip\">{strip}</dl>\
         <div class=\"read\"><div><h2>What this page shows</h2><p>Prompts that resemble each other by text alone, in families, \
         ordered by how many accounts sent them. The order describes; it does not accuse. The customers of one app share its \
         template, students share an exercise, readers share a prompt from a blog. A large family is a place to look, not a finding.</p></div>\
         <div><h2>What it cannot show</h2><p>Similar text reveals a campaign that reuses a template or a fixed fragment. Real users \
         rerouted through other accounts show only in client strings, infrastructure and timing; bought transcripts show only in \
         what the suspect model writes. A short list is no evidence that nothing happened.</p></div></div>{notes}</header>",
        html(&report.parameters.version),
        count(store.exchanges, "exchange", "exchanges"),
        count(store.accounts, "account", "accounts"),
        count(store.nights, "night", "nights"),
    )
}

/// Three numbers of every night.
fn nights(report: &Report) -> String {
    let most = family::MOST_NIGHTS as usize;
    let shown = &report.nights[report.nights.len().saturating_sub(most)..];
    let (Some(first), Some(newest)) = (shown.first(), shown.last()) else { return String::new() };
    let series = |title: &str, of: fn(&super::Night) -> u64| {
        let note = format!("{} in the newest", grouped(of(newest)));
        chart::nights(title, &note, first.night, &shown.iter().map(of).collect::<Vec<_>>(), &[])
    };
    format!(
        "<section><h2>Night by night</h2><div class=\"trio\">{}{}{}</div></section>",
        series("Exchanges", |night| night.exchanges),
        series("New accounts", |night| night.new_accounts),
        series("New families", |night| night.new_families),
    )
}

/// Overview, cards and table. Exact families inside a near-duplicate family that is on the page are shown there, not apart.
fn families(report: &Report, span: Span) -> String {
    if report.families.is_empty() {
        return "<section><h2>Families</h2><p class=\"soft\">No two exchanges in the store are alike at the stated threshold.</p></section>".into();
    }
    let listed: BTreeSet<FamilyId> = report.families.iter().map(|family| family.id).collect();
    let mut copies: BTreeMap<FamilyId, Vec<&Family>> = BTreeMap::new();
    let mut own: Vec<&Family> = Vec::new();
    for family in &report.families {
        match family.within.filter(|outer| listed.contains(outer) && *outer != family.id) {
            Some(outer) => copies.entry(outer).or_default().push(family),
            None => own.push(family),
        }
    }
    let newest = report.nights.last().map_or(1, |night| night.night);
    let most = own.first().map_or(0, |family| family.accounts);
    let mut out = String::from(
        "<section><h2>Leading families at a glance</h2><p class=\"soft\">By distinct accounts; the strong part of a bar is accounts \
         first seen in the newest night.</p><div class=\"heads\" aria-hidden=\"true\"><span></span><span>Template</span><span>Per day</span>\
         <span>Accounts</span><span class=\"right\">Requests</span></div><ol class=\"glance\">",
    );
    for (rank, family) in (1..).zip(own.iter().take(MOST_GLANCES)) {
        out.push_str(&family::glance(rank, family, most, span));
    }
    out.push_str("</ol></section><section><h2>Leading families</h2><p class=\"soft\">The text that the members have in common, with the parts that vary as numbered slots.</p>");
    for (rank, family) in (1..).zip(own.iter().take(MOST_CARDS)) {
        let inside = copies.get(&family.id).map_or(&[][..], Vec::as_slice);
        out.push_str(&family::card(rank, family, inside, span, newest));
    }
    out.push_str("</section>");
    let rest = &own[own.len().min(MOST_CARDS)..own.len().min(MOST_FAMILIES)];
    if !rest.is_empty() {
        out.push_str("<section><h2>Other families</h2>");
        out.push_str(&family::table(rest, MOST_CARDS + 1, span));
        out.push_str("</section>");
    }
    let shown = own.len().min(MOST_FAMILIES) + report.families.len() - own.len();
    let in_json = (report.families.len() - shown) as u64;
    let in_store = report.families_total.saturating_sub(report.families.len() as u64);
    if in_json + in_store > 0 {
        let also = if in_json > 0 { format!("; report.json has {} of them", grouped(in_json)) } else { String::new() };
        let families = count(in_json + in_store, "family", "families");
        let _ = write!(out, "<p class=\"soft left\">Not on this page: {families}, kept in the store{also}.</p>");
    }
    out
}

/// A folded list of families that are not ranked with the others.
fn aside(title: &str, what: &str, families: &[Family], span: Span) -> String {
    if families.is_empty() {
        return String::new();
    }
    let shown: Vec<&Family> = families.iter().take(MOST_ASIDE).collect();
    format!(
        "<details><summary><h2>{title}</h2> <span class=\"soft\">{}</span></summary><p class=\"soft\">{what}</p>{}</details>",
        count(families.len() as u64, "family", "families"),
        family::table(&shown, 1, span),
    )
}

/// Rows of the run, and what folding removed.
fn rows(report: &Report) -> String {
    let (counts, removed) = (&report.counts, &report.removed);
    let mut reasons: Vec<(&str, u64)> =
        counts.quarantined_by_reason.iter().map(|(why, &n)| (why.as_str(), n)).collect();
    reasons.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let most = reasons.first().map_or(0, |reason| reason.1);
    let aside = if reasons.is_empty() {
        "<p class=\"soft\">No row was set aside.</p>".to_owned()
    } else {
        let rows = reasons.iter().take(MOST_ASIDE).fold(String::new(), |mut out, (why, n)| {
            let _ = write!(
                out,
                "<tr><td>{}</td><td class=\"s\">{}</td><td class=\"n\">{}</td></tr>",
                inline(why, NOTE_CHARS),
                chart::line(*n, *n, most),
                grouped(*n),
            );
            out
        });
        format!(
            "<table class=\"plain\"><thead class=\"hide\"><tr><th>Reason</th><th>Share</th><th>Rows</th></tr></thead><tbody>{rows}</tbody></table>"
        )
    };
    let kinds = [
        ("Invisible characters", removed.invisible, "characters"),
        ("Controls of writing direction", removed.bidi, "characters"),
        ("Tag characters, which carry hidden text", removed.tags, "characters"),
        ("Letters of other scripts that look Latin", removed.lookalikes, "characters"),
        ("Compatibility forms, such as full-width letters", removed.compatibility, "characters"),
        ("Runs of base64 that decode to text", removed.base64_prompts, "prompts"),
    ];
    let kinds = kinds.iter().fold(String::new(), |mut out, (name, n, unit)| {
        let _ = write!(
            out,
            "<tr><td>{name}</td><td class=\"n\">{} <span class=\"soft\">{unit}</span></td></tr>",
            grouped(*n)
        );
        out
    });
    let share = report.store.distinct_prompts.max(1) as f64;
    let told = counts.read_as.told();
    let told = if told.is_empty() { told } else { format!(" Exchanges: {}.", inline(&told, NOTE_CHARS)) };
    let unchanged = match counts.inputs_unchanged {
        0 => String::new(),
        n => format!(" ({} by length and ETag, without being read again)", grouped(n)),
    };
    format!(
        "<section class=\"pair\"><div><h2>Rows of this run</h2><p class=\"soft\">{} read from {}, {} of them known before{unchanged}: {} added, {} known, {} set aside.{told}</p>\
         <div class=\"scroll\">{aside}</div></div><div><h2>What folding removed or decoded</h2><p class=\"soft\">Characters were removed from {} ({} of all): traces of \
         evasion, or of a careless copy from a web page.</p><div class=\"scroll\"><table class=\"plain\"><tbody>{kinds}</tbody></table></div></div></section>",
        count(counts.rows_read, "row", "rows"),
        count(counts.inputs, "log", "logs"),
        grouped(counts.inputs_known),
        grouped(counts.rows_kept),
        grouped(counts.rows_known),
        grouped(counts.rows_quarantined),
        count(removed.prompts_with_any, "distinct prompt", "distinct prompts"),
        percent((removed.prompts_with_any as f64 / share).min(1.0)),
    )
}

/// The parameters, and how the threshold is to be read.
fn parameters(report: &Report) -> String {
    let (p, s) = (&report.parameters, &report.store);
    let expected = p.expected_unrelated_neighbours;
    let total = expected * s.distinct_prompts as f64;
    let total = if total.is_finite() && total >= 0.0 { grouped(total.round() as u64) } else { "?".into() };
    let items = [
        ("Rule of near-duplicates", format!("version {}", p.rule)),
        ("Threshold", format!("{:.3}", p.threshold)),
        ("Diameter", format!("{:.3}", p.diameter)),
        ("Floor of candidates", format!("{:.3}", p.candidate_floor)),
        ("Unrelated neighbours expected", format!("{expected:.4} per prompt")),
        ("Calibration", inline(&p.calibration, NOTE_CHARS)),
        ("Model", format!("{}, {} dimensions", inline(&p.model_name, NOTE_CHARS), p.dimension)),
        ("Digest of the model", format!("<span class=\"mono\">{}</span>", p.model_digest)),
        ("Commitment to the account key", format!("<span class=\"mono\">{}</span>", p.account_key_commitment)),
        (
            "Fragments",
            format!(
                "{} accounts or more within {}; a shared run of {} bytes is certain to be found",
                grouped(p.fragment_accounts),
                count(p.fragment_nights, "night", "nights"),
                grouped(p.fragment_run)
            ),
        ),
        ("Nights whose prompts in no family were compared with", p.compared()),
        ("Seed", p.seed.to_string()),
        ("Rows in memory at a time", grouped(p.batch_rows)),
        (
            "In the store",
            format!(
                "{} ({} trivial, {} unread by the model, {} long, in {} windows, {} windows left out); {} near-duplicate, {} exact, {} fragment ({} known, {} cut) and {} system families; {} bytes of very long texts not read for fragments",
                count(s.distinct_prompts, "distinct prompt", "distinct prompts"),
                grouped(s.trivial_prompts),
                grouped(s.without_vector),
                grouped(s.long_prompts),
                grouped(s.windows),
                grouped(s.windows_cut),
                grouped(s.near_families),
                grouped(s.exact_families),
                grouped(s.fragment_families),
                grouped(s.known_families),
                grouped(s.fragments_cut),
                grouped(s.system_families),
                grouped(s.fragment_bytes_cut),
            ),
        ),
    ];
    let items = items.iter().fold(String::new(), |mut out, (name, value)| {
        let _ = write!(out, "<dt>{name}</dt><dd>{value}</dd>");
        out
    });
    let lengths = p.lengths.iter().fold(String::new(), |mut out, length| {
        let Length { bytes, unrelated_neighbours: n, low, high, .. } = length;
        let (prompts, outside) = (grouped(length.prompts), grouped(length.uncalibrated));
        let bytes = inline(bytes, NOTE_CHARS);
        let _ = write!(
            out,
            "<tr><td>{bytes}</td><td>{prompts}</td><td>{:.3}</td><td>{n:.2e}</td><td>{low:.2e} to {high:.2e}</td><td>{outside}</td></tr>",
            length.threshold
        );
        out
    });
    format!(
        "<section><h2>Parameters</h2><p class=\"soft\">Two prompts are near-duplicates when most of the shorter one stands in the other, in runs of \
         characters that unrelated texts of their length do not share: when their score, the similarity of their embeddings plus a part for those \
         runs, reaches the threshold. In a store of this size that rule is expected to join a prompt with at most \
         {expected:.4} unrelated ones, about {total} over all of them: a single member can be a stranger, and a family of two an accident.</p><dl class=\"params\">{items}</dl>\
         <table><caption>Unrelated neighbours to expect, by the length of the prompt</caption><thead><tr><th>Bytes</th><th>Prompts</th><th>Threshold</th><th>Neighbours of one</th>\
         <th>95% interval</th><th>Not calibrated against</th></tr></thead><tbody>{lengths}</tbody></table></section>"
    )
}

#[cfg(test)]
mod tests;
