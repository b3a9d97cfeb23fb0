//! The rings at the head of the page: who acts together, with what was tested and which error that has.

use super::prose::count;
use crate::report::date_of as day_of;
use crate::report::escape::{grouped, html};
use crate::report::ring::{Ring, RingsMeta, verbal};
use std::fmt::Write as _;

/// Rings on the page.
const MOST_RINGS: usize = 50;
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
    for ring in rings.iter().take(MOST_RINGS) {
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
        out.push_str("</tbody></table></div><p>Streams, each by itself:</p><ul>");
        for (stream, log10_e) in ring.streams.iter().filter_map(|(stream, log10_e)| Some((stream, (*log10_e)?))) {
            let _ = write!(out, "<li>{stream}: log₁₀ E {log10_e:.1}, {}</li>", verbal(log10_e));
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

/// What stands behind the list.
fn behind(meta: &RingsMeta) -> String {
    html(&meta.words()).to_string()
}
