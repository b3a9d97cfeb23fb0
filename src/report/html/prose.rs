//! Text of a log inside the page: clipped, isolated, with what cannot be seen made visible.
//!
//! Every piece stands in a `bdi` or a block with `dir="auto"`, so that a right-to-left text is set as such and cannot reach
//! its neighbours. A character shown by its number is set apart from text that merely spells one.

use crate::ids::Time;
use crate::report::escape::{self, Shown, grouped, push_html, walk};
use crate::report::{Family, Part, Slot};
use std::fmt::Write as _;

/// Whether line feeds are kept or shown as spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    Keep,
    Join,
}

/// Adds `text` with marked escapes to `out`.
fn push(text: &str, lines: Lines, out: &mut String) {
    walk(text, |shown| match shown {
        Shown::Plain('\n' | '\t') if lines == Lines::Join => out.push(' '),
        Shown::Plain(c) => push_html(c, out),
        Shown::Number(c) => {
            let _ = write!(out, "<i>\\u{{{:x}}}</i>", c as u32);
        }
        Shown::Marks(n) => {
            let _ = write!(out, "<i>+{n} marks</i>");
        }
    });
}

/// A piece of text on one line, isolated.
pub(super) fn inline(text: &str, most: usize) -> String {
    let mut out = String::from("<bdi>");
    push(&escape::clip(text, most), Lines::Join, &mut out);
    out + "</bdi>"
}

/// The template with its slots as chips, up to `most` characters of its fixed text; what is left out is counted.
pub(super) fn template(family: &Family, most: usize, lines: Lines) -> String {
    // A block with `dir="auto"` finds its direction in its own text and would skip a `bdi`.
    let tag = if lines == Lines::Keep { "span" } else { "bdi" };
    let (mut out, mut left, mut cut) = (format!("<{tag}>"), most, 0);
    for (i, part) in family.template_parts.iter().enumerate() {
        // Slots alone have no characters, so their number needs a bound of its own.
        let full = left == 0 || i >= 60;
        match part {
            Part::Text(text) => {
                let length = text.chars().count();
                let shown: String = if full { String::new() } else { text.chars().take(left).collect() };
                let used = if full { 0 } else { length.min(left) };
                push(&shown, lines, &mut out);
                (left, cut) = (left - used, cut + length - used);
            }
            Part::Slot(n) if !full => out.push_str(&chip(*n, family.slots.iter().find(|s| s.slot == *n), lines)),
            Part::Slot(_) => {}
        }
    }
    if family.template_parts.is_empty() {
        out.push_str("<span class=\"more\">no text</span>");
    } else if cut > 0 && lines == Lines::Keep {
        let _ = write!(out, "<span class=\"more\"> … and {} characters more</span>", grouped(cut as u64));
    } else if cut > 0 {
        out.push('…');
    }
    out + &format!("</{tag}>")
}

/// A slot's mark: its number, and how much it varies where there is room to say so.
pub(super) fn chip(n: u32, slot: Option<&Slot>, lines: Lines) -> String {
    let values = slot.map_or_else(String::new, |slot| format!("{} values", grouped(slot.distinct_values)));
    let title: Vec<String> =
        slot.iter().flat_map(|slot| &slot.examples).take(3).map(|text| escape::html(&escape::clip(text, 48))).collect();
    let title = if title.is_empty() { values.clone() } else { format!("{values}, such as: {}", title.join(" · ")) };
    let words = if lines == Lines::Keep && !values.is_empty() { format!("<em>{values}</em>") } else { String::new() };
    let hue = n.wrapping_sub(1) % 6;
    format!(
        "<span class=\"slot s{hue}\" dir=\"ltr\" title=\"{title}\"><span class=\"hide\">slot </span><b>{n}</b>{words}</span>"
    )
}

/// A count with its noun.
pub(super) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { many })
}

/// A moment to the minute.
pub(super) fn moment(time: Time) -> String {
    let full = time.to_string();
    let short = full.get(..16).map_or_else(|| full.clone(), |start| start.replace('T', " "));
    format!("<time datetime=\"{full}\">{short}</time>")
}

/// A day.
pub(super) fn day(time: Time) -> String {
    let full = time.to_string();
    format!("<time datetime=\"{full}\">{}</time>", full.get(..10).unwrap_or(&full))
}

/// A share in percent: `4.8%`, and never a zero or a whole that it is not.
pub(super) fn percent(share: f64) -> String {
    match share {
        s if s > 0.0 && s < 0.001 => "&lt;0.1%".into(),
        s if s > 0.999 && s < 1.0 => "99.9%".into(),
        s if s == 0.0 || s == 1.0 => format!("{:.0}%", 100.0 * s),
        s => format!("{:.1}%", 100.0 * s),
    }
}
