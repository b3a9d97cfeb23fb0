//! The rings at the head of the page: who acts together, with what was tested and which error that has.

use super::prose::count;
use crate::report::date_of as day_of;
use crate::report::escape::{grouped, html};
use crate::report::ring::{Ring, RingsMeta, verbal, without_words};
use std::fmt::Write as _;

/// Rings on the page.
const MOST_RINGS: usize = 50;
/// Rings with a map of members by families, and the families that it has at most.
const MOST_DRAWN: usize = 12;
const DRAWN: usize = 60;
/// Families of a ring on the page.
const MOST_FAMILIES: usize = 12;

/// The section.
pub(super) fn section(rings: &[Ring], meta: &RingsMeta) -> String {
    let head = "<section id=\"rings\"><h2>Rings: accounts that act together</h2>";
    if rings.is_empty() {
        return format!("{head}<p class=\"soft\">No ring is confirmed. {}</p></section>", behind(meta));
    }
    let mut out = format!(
        "{head}<p class=\"soft\">{}</p><div class=\"scroll\"><table class=\"plain\"><thead><tr><th>Ring</th><th>Route</th><th>Rung</th><th>Accounts</th>\
         <th>Requests</th><th>Families</th><th>Γ*</th><th>log₁₀ E</th><th>Proposed</th><th>Confirmed</th></tr></thead><tbody>",
        behind(meta)
    );
    for ring in rings.iter().take(MOST_RINGS) {
        let _ = write!(
            out,
            "<tr><td class=\"mono\">{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{:.1}</td><td>{}</td><td>{}</td></tr>",
            ring.id,
            ring.route.word(),
            ring.rung.word(),
            grouped(ring.accounts),
            grouped(ring.requests),
            grouped(ring.families.len() as u64),
            ring.gamma_star,
            ring.log10_e,
            day_of(ring.first_proposed),
            day_of(ring.confirmed_night),
        );
    }
    out.push_str("</tbody></table></div>");
    for (n, ring) in rings.iter().take(MOST_RINGS).enumerate() {
        let _ = write!(
            out,
            "<details><summary><span class=\"mono\">{}</span> <span class=\"soft\">{} shared {}</span></summary><div class=\"scroll\"><table class=\"plain\">\
             <thead><tr><th>Day</th><th>Family</th><th>Accounts of the ring</th><th>All accounts</th></tr></thead><tbody>",
            ring.id,
            count(ring.accounts, "account", "accounts"),
            count(ring.families.len() as u64, "family", "families"),
        );
        for family in ring.families.iter().take(MOST_FAMILIES) {
            let _ = write!(
                out,
                "<tr><td>{}</td><td class=\"mono\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                day_of(family.day),
                family.family_id,
                grouped(family.accounts),
                grouped(family.of),
            );
        }
        out.push_str("</tbody></table></div>");
        if n < MOST_DRAWN {
            out.push_str(&who_used_what(ring));
        }
        out.push_str("<p>Streams, each by itself:</p><ul>");
        for (stream, log10_e) in ring.streams.iter().filter_map(|(stream, log10_e)| Some((stream, (*log10_e)?))) {
            let _ = write!(out, "<li>{stream}: log₁₀ E {log10_e:.1}, {}</li>", verbal(log10_e));
        }
        for shared in &ring.in_common {
            let (of, log10_p) = (grouped(ring.tested_accounts), shared.log10_p);
            let accounts = grouped(shared.accounts);
            let (attribute, aside) = (shared.attribute, shared.aside());
            let _ = write!(
                out,
                "<li>{attribute}: {accounts} of {of} accounts have one value; log₁₀ p {log10_p:.1}{aside}</li>"
            );
        }
        for fact in ring.facts() {
            let _ = write!(out, "<li>{}</li>", html(&fact));
        }
        let _ = write!(
            out,
            "</ul><p>Its rung {}. Where one thing is changed in a test:</p><ul>",
            without_words(&ring.without)
        );
        for of in ring.sensitivity.iter().filter(|of| of.stands.is_some()) {
            let _ = write!(out, "<li>{}</li>", html(&of.words()));
        }
        out.push_str("</ul><p>Innocent explanations:</p><ul>");
        for answer in &ring.provenance {
            let _ = write!(out, "<li>{}: {}; {}</li>", answer.explanation, answer.word(), html(&answer.found));
        }
        for note in &ring.notes {
            let _ = write!(out, "<li>{}, {}: {}</li>", note.time, html(&note.author), html(&note.text));
        }
        out.push_str("</ul></details>");
    }
    out.push_str("</section>");
    out
}

/// A map of members by families, day by day: a column is a text, a row an account, and a mark its first use.
fn who_used_what(ring: &Ring) -> String {
    let columns = ring.families.len().min(DRAWN);
    if ring.uses.is_empty() || columns == 0 {
        return String::new();
    }
    // Days side by side, and within a day the texts of most accounts first.
    let mut order: Vec<usize> = (0..columns).collect();
    order.sort_by_key(|&i| (ring.families[i].day, i));
    let mut column = vec![0; columns];
    order.iter().enumerate().for_each(|(x, &i)| column[i] = x);
    let rows = 1 + ring.uses.iter().map(|(member, _)| usize::from(*member)).max().unwrap_or(0);
    let mut path = String::new();
    for &(member, family) in &ring.uses {
        if let Some(x) = column.get(usize::from(family)) {
            let _ = write!(path, "M{x} {member}h.8v.8h-.8z");
        }
    }
    let mut days: Vec<(i64, usize)> = Vec::new();
    for &i in &order {
        match days.last_mut() {
            Some((day, n)) if *day == ring.families[i].day => *n += 1,
            _ => days.push((ring.families[i].day, 1)),
        }
    }
    let (mut rules, mut at) = (String::new(), 0);
    for (_, n) in &days[..days.len().saturating_sub(1)] {
        at += n;
        let _ = write!(rules, "M{}.9 0v{rows}", at - 1);
    }
    let words: Vec<String> = days.iter().map(|(day, n)| format!("{} ({n})", day_of(*day))).collect();
    format!(
        "<figure><figcaption><b>Who used which text first</b><span>{} by {}; days from the left, with texts: {}</span></figcaption>\
         <svg class=\"map\" viewBox=\"0 0 {DRAWN} {rows}\" role=\"img\" aria-label=\"Members by families\"><path class=\"rule\" d=\"{rules}\"/>\
         <path class=\"bar\" d=\"{path}\"/></svg></figure>",
        count(rows as u64, "member", "members"),
        count(columns as u64, "family", "families"),
        words.join(", ")
    )
}

/// What stands behind the list.
fn behind(meta: &RingsMeta) -> String {
    html(&meta.words()).to_string()
}
