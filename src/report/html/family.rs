//! One family on the page: as a line of the overview, as a card, as a row of a table.

use super::chart::{self, Span};
use super::prose::{self, Lines, count, day, inline, moment, percent};
use crate::ids::{Field, Level};
use crate::report::Family;
use crate::report::escape::grouped;
use std::fmt::Write as _;

/// Characters of a template that a card shows.
const CARD_CHARS: usize = 1_200;
/// Characters of a template in a list.
const LINE_CHARS: usize = 160;
/// Slots and values of a slot that a card shows.
const CARD_SLOTS: usize = 8;
const CARD_VALUES: usize = 4;
const VALUE_CHARS: usize = 90;
/// Exact copies listed inside the family they lie in.
const CARD_COPIES: usize = 5;
/// Nights of growth that a chart shows, the newest.
pub(super) const MOST_NIGHTS: u32 = 60;

/// A line of the overview, with a link to the card.
pub(super) fn glance(rank: usize, family: &Family, most_accounts: u64, span: Span) -> String {
    format!(
        "<li><a href=\"#{id}\"><span class=\"rank\">{rank}</span><span class=\"one\">{}</span>{}\
         <span class=\"level\">{}<b>{}<span class=\"hide\"> accounts,</span></b></span><span class=\"right soft\">{}\
         <span class=\"hide\"> requests</span></span></a></li>",
        prose::template(family, LINE_CHARS, Lines::Join),
        chart::spark(&family.days, span),
        chart::line(family.accounts, family.new_accounts, most_accounts),
        grouped(family.accounts),
        grouped(family.requests),
        id = family.id,
    )
}

/// A card. `copies` are the exact families inside it, most accounts first; `newest` is the store's newest night.
pub(super) fn card(rank: usize, family: &Family, copies: &[&Family], span: Span, newest: u32) -> String {
    let mut out = format!(
        "<article class=\"card\" id=\"{id}\" aria-labelledby=\"h-{id}\"><header><h3 id=\"h-{id}\"><span class=\"rank\">{rank}</span>\
         {} <span class=\"soft\">sent</span> {}</h3><span class=\"soft mono\">{id}</span></header>",
        count(family.accounts, "account", "accounts"),
        count(family.requests, "request", "requests"),
        id = family.id,
    );
    out.push_str(&facts(family));
    let _ = write!(
        out,
        "<div class=\"text\" dir=\"auto\" tabindex=\"0\" role=\"group\" aria-label=\"Template\">{}</div>",
        prose::template(family, CARD_CHARS, Lines::Keep)
    );
    let _ = write!(out, "<div class=\"duo\">{}{}</div>", chart::timeline(&family.days, span), growth(family, newest));
    out.push_str(&slots(family));
    let (longer, copies): (Vec<&Family>, Vec<&Family>) = copies.iter().partition(|f| f.level == Level::Fragment);
    out.push_str(&inside("Exact copies inside", "texts sent more than once", &copies));
    out.push_str(&inside("Longer fragments that hold it", "fragments", &longer));
    out.push_str(&foot(family));
    out + "</article>"
}

/// The line of facts below the headline.
fn facts(family: &Family) -> String {
    let mut facts = Vec::new();
    if let Some(fragment) = &family.fragment {
        let place = fragment.place;
        let name = match fragment.field {
            Field::Prompt => "Prompts around it",
            Field::System => "System prompts around it",
            Field::Turn => "Earlier turns around it",
        };
        facts.push((name, format!("{} distinct", grouped(fragment.texts))));
        facts.push(("Share of their length", percent(fragment.share)));
        let [start, middle, end] = [place.start, place.middle, place.end].map(grouped);
        facts.push(("Place", format!("{start} at the start, {middle} inside, {end} at the end")));
        facts.push(("Cuts across", count(fragment.near_families, "near-duplicate family", "near-duplicate families")));
        if let Some(known) = &fragment.known {
            facts.push(("Known text", inline(known, 80)));
        }
        if fragment.registry_candidate {
            facts.push(("To decide", "old and common: a known text?".into()));
        }
    } else if family.level == Level::NearDuplicate {
        facts.push(("Distinct prompts", grouped(family.distinct_prompts)));
    } else {
        facts.push(("Distinct prompts", "1, the same each time".into()));
    }
    facts.push(("New accounts", format!("{} ({})", grouped(family.new_accounts), percent(family.new_account_share))));
    facts.push(("First seen", moment(family.first_seen)));
    facts.push(("Last seen", moment(family.last_seen)));
    let total = family.requests.max(1) as f64;
    let models: Vec<String> = family
        .models
        .iter()
        .take(2)
        .map(|m| format!("{} {}", inline(&m.model, 40), percent((m.requests as f64 / total).min(1.0))))
        .collect();
    if !models.is_empty() {
        facts.push(("Models", models.join(", ")));
    }
    let facts = facts.into_iter().fold(String::new(), |mut out, (name, value)| {
        let _ = write!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
        out
    });
    format!("<dl class=\"facts\">{facts}</dl>")
}

/// Accounts a night, those new to the family in front.
fn growth(family: &Family, newest: u32) -> String {
    let newest = family.nights.iter().map(|night| night.night).fold(newest.max(1), u32::max);
    let first = newest.saturating_sub(MOST_NIGHTS - 1).max(1);
    let (mut all, mut new) = (vec![0; (newest - first + 1) as usize], vec![0; (newest - first + 1) as usize]);
    for night in family.nights.iter().filter(|night| night.night >= first) {
        let at = (night.night - first) as usize;
        (all[at], new[at]) = (night.accounts, night.new_accounts.min(night.accounts));
    }
    let key = "<span class=\"key\"></span>new to it<span class=\"key f\"></span>seen before";
    chart::nights("Accounts per night", key, first, &all, &new)
}

/// The slots with some of their values.
fn slots(family: &Family) -> String {
    if family.slots.is_empty() {
        return String::new();
    }
    let mut out = String::from("<div class=\"slots\" role=\"list\" aria-label=\"Slots\">");
    for slot in family.slots.iter().take(CARD_SLOTS) {
        let absent = if slot.absent > 0 { format!(", empty in {}", grouped(slot.absent)) } else { String::new() };
        let values: String = slot.examples.iter().take(CARD_VALUES).map(|value| inline(value, VALUE_CHARS)).collect();
        let _ = write!(
            out,
            "<div role=\"listitem\"><span>{}</span><span class=\"soft\">{}{absent}</span><span class=\"values\">{values}</span></div>",
            prose::chip(slot.slot, Some(slot), Lines::Join),
            count(slot.distinct_values, "value", "values"),
        );
    }
    out.push_str("</div>");
    if family.slots.len() > CARD_SLOTS {
        let _ = write!(out, "<p class=\"more\">{} slots more</p>", grouped((family.slots.len() - CARD_SLOTS) as u64));
    }
    out
}

/// Families that lie within this one.
fn inside(title: &str, what: &str, copies: &[&Family]) -> String {
    let mut out = String::new();
    if !copies.is_empty() {
        let _ = write!(out, "<div class=\"sub\"><h4>{title}</h4><ul>");
        for copy in copies.iter().take(CARD_COPIES) {
            let _ = write!(
                out,
                "<li id=\"{}\"><span class=\"one\">{}</span><span class=\"soft\">{} · {}</span></li>",
                copy.id,
                prose::template(copy, LINE_CHARS, Lines::Join),
                count(copy.accounts, "account", "accounts"),
                count(copy.requests, "request", "requests"),
            );
        }
        out.push_str("</ul>");
        if copies.len() > CARD_COPIES {
            let _ = write!(out, "<p class=\"soft\">and {} more {what}</p>", copies.len() - CARD_COPIES);
        }
        out.push_str("</div>");
    }
    out
}

/// What an investigator may need next, in small print.
fn foot(family: &Family) -> String {
    let mut facts = vec![format!("Template read from {}", count(family.template_members, "prompt", "prompts"))];
    if let Some(similarity) = family.smallest_similarity {
        facts.push(format!("similarity to the leader at least {similarity:.2}"));
    }
    if let Some(rule) = family.rule {
        facts.push(format!("made by rule {rule}"));
    }
    if let Some(example) = &family.example {
        facts.push(format!("one exchange <span class=\"mono\">{}</span>", inline(example, 64)));
    }
    if !family.merged.is_empty() {
        let names: Vec<String> = family.merged.iter().take(12).map(ToString::to_string).collect();
        let more = family.merged.len() - names.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        facts.push(format!("merged into it: <span class=\"mono\">{}</span>{more}", names.join(" ")));
    }
    format!("<p class=\"foot\">{}</p>", facts.join(" · "))
}

/// A table of families with ranks from `first`.
pub(super) fn table(families: &[&Family], first: usize, span: Span) -> String {
    let mut out = String::from(
        "<div class=\"scroll\"><table class=\"families\"><thead><tr><th class=\"n\" scope=\"col\">#</th><th scope=\"col\">Template</th>\
         <th scope=\"col\">Per day</th><th class=\"n\" scope=\"col\">Accounts</th><th class=\"n\" scope=\"col\">New</th>\
         <th class=\"n\" scope=\"col\">Requests</th><th scope=\"col\">Seen</th></tr></thead><tbody>",
    );
    for (rank, family) in (first..).zip(families) {
        let _ = write!(
            out,
            "<tr id=\"{}\"><td class=\"n soft\">{rank}</td><td class=\"t\"><span class=\"clamp\">{}</span></td><td class=\"s\">{}</td>\
             <td class=\"n\" data-of=\"accounts\">{}</td><td class=\"n\" data-of=\"new\">{}</td><td class=\"n\" data-of=\"requests\">{}</td>\
             <td class=\"d\">{} – {}</td></tr>",
            family.id,
            prose::template(family, LINE_CHARS, Lines::Join),
            chart::spark(&family.days, span),
            grouped(family.accounts),
            percent(family.new_account_share),
            grouped(family.requests),
            day(family.first_seen),
            day(family.last_seen),
        );
    }
    out + "</tbody></table></div>"
}
