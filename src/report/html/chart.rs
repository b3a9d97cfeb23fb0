//! Small bar charts as inline SVG: one path a series, stretched to the width it is given.
//!
//! Every family is drawn over the same days, those of the whole store, so that charts can be compared down the page. A store
//! with a stray date a thousand years off makes that span long; the days are then put into bins, and the caption says so.
//! Guaranteed: at most [`MOST_BARS`] bars, whatever the log says.

use crate::report::escape::{grouped, html};
use crate::report::{DayCount, date_of};
use std::fmt::Write as _;

/// Bars of one chart at most.
pub(super) const MOST_BARS: usize = 120;

/// The days that a page spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    first: i64,
    days: u64,
}

impl Span {
    /// From `first` to `last`, both included.
    pub(super) fn new(first: i64, last: i64) -> Self {
        Self { first, days: last.saturating_sub(first).max(0).unsigned_abs().saturating_add(1) }
    }

    /// The days' requests in at most `most` bins of equal length, and the length in days. Days outside the span are put into
    /// its first or last bin rather than lost.
    fn bins(self, days: &[DayCount], most: usize) -> (Vec<u64>, u64) {
        let length = self.days.div_ceil(most as u64).max(1);
        let mut bins = vec![0_u64; usize::try_from(self.days.div_ceil(length)).unwrap_or(most).clamp(1, most)];
        let last = bins.len() - 1;
        for day in days {
            let offset = day.day.saturating_sub(self.first).max(0).unsigned_abs() / length;
            let bin = &mut bins[usize::try_from(offset).map_or(last, |bin| bin.min(last))];
            *bin = bin.saturating_add(day.requests);
        }
        (bins, length)
    }
}

/// Bars of `values` from the bottom up, as the data of a path in a box of `values.len()` × 100.
fn bars(values: &[u64], most: u64) -> String {
    let mut path = String::new();
    for (i, &value) in values.iter().enumerate().filter(|(_, value)| **value > 0) {
        // One request on a day beside a day of a million must still be seen.
        let height = (100.0 * value as f64 / most.max(1) as f64).clamp(3.0, 100.0);
        let _ = write!(path, "M{:.2} 100v-{height:.1}h.8v{height:.1}z", i as f64 + 0.1);
    }
    path
}

/// An SVG of the class with one or two series, the second in front.
fn svg(class: &str, label: &str, back: &[u64], front: &[u64]) -> String {
    let most = back.iter().chain(front).copied().max().unwrap_or(0);
    let (width, hidden) = (back.len().max(front.len()).max(1), label.is_empty());
    let role =
        if hidden { "aria-hidden=\"true\"".into() } else { format!("role=\"img\" aria-label=\"{}\"", html(label)) };
    let mut out = format!("<svg class=\"{class}\" viewBox=\"0 0 {width} 100\" preserveAspectRatio=\"none\" {role}>");
    for (series, class) in [(back, if front.is_empty() { "bar" } else { "faint" }), (front, "bar")] {
        if series.iter().any(|&value| value > 0) {
            let _ = write!(out, "<path class=\"{class}\" d=\"{}\"/>", bars(series, most));
        }
    }
    out + "</svg>"
}

/// Requests over the days of `span`, with its peak in words.
pub(super) fn timeline(days: &[DayCount], span: Span) -> String {
    let (bins, length) = span.bins(days, MOST_BARS);
    let (at, most) = bins.iter().enumerate().fold((0, 0), |best, (i, &n)| if n > best.1 { (i, n) } else { best });
    let peak_day = date_of(span.first.saturating_add_unsigned((at as u64).saturating_mul(length)));
    let per = if length == 1 { "day".to_owned() } else { format!("{length} days") };
    let last = date_of(span.first.saturating_add_unsigned(span.days - 1));
    format!(
        "<figure><figcaption><b>Requests per {per}</b><span>most {} on {peak_day}</span></figcaption>{}\
         <div class=\"axis\"><span>{}</span><span>{last}</span></div></figure>",
        grouped(most),
        svg("chart", &format!("Requests per {per}: most {most}, on {peak_day}"), &bins, &[]),
        date_of(span.first),
    )
}

/// The same, small and without words.
pub(super) fn spark(days: &[DayCount], span: Span) -> String {
    svg("spark", "", &span.bins(days, 40).0, &[])
}

/// One number a night. Of two series the second is a part of the first.
pub(super) fn nights(title: &str, note: &str, first: u32, back: &[u64], front: &[u64]) -> String {
    let most = back.iter().copied().max().unwrap_or(0);
    let last = u64::from(first) + (back.len().max(1) as u64 - 1);
    let end = if last == u64::from(first) { String::new() } else { format!("<span>night {last}</span>") };
    format!(
        "<figure><figcaption><b>{}</b><span>{note}</span></figcaption>{}\
         <div class=\"axis\"><span>night {first}</span>{end}</div></figure>",
        html(title),
        svg("chart", &format!("{title} from night {first} to {last}: most {most}"), back, front),
    )
}

/// A horizontal bar: `whole` of `most`, of which `part` is drawn stronger.
pub(super) fn line(whole: u64, part: u64, most: u64) -> String {
    let bar = |class: &str, n: u64| {
        let width = 100.0 * n as f64 / most.max(1) as f64;
        if n > 0 { format!("<rect class=\"{class}\" width=\"{width:.2}\" height=\"8\"/>") } else { String::new() }
    };
    format!(
        "<svg class=\"line\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">{}{}</svg>",
        bar("faint", whole),
        bar("bar", part),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64, requests: u64) -> DayCount {
        DayCount { day, requests }
    }

    #[test]
    fn bins_lose_no_request() {
        for (first, last) in [(0, 0), (0, 29), (-5, 400), (-719_162, 2_932_896), (9, 3)] {
            let days: Vec<_> = [first, last, i64::MIN, i64::MAX, 3].map(|d| day(d, 7)).into();
            let (bins, length) = Span::new(first, last).bins(&days, MOST_BARS);
            assert!(bins.len() <= MOST_BARS && length >= 1);
            assert_eq!(bins.iter().sum::<u64>(), 35, "{first}..{last}");
        }
    }

    #[test]
    fn a_day_has_its_own_bar_where_there_is_room() {
        let (bins, length) = Span::new(10, 13).bins(&[day(10, 1), day(12, 5)], MOST_BARS);
        assert_eq!((bins, length), (vec![1, 0, 5, 0], 1));
        assert_eq!(bars(&[5, 0, 10], 10), "M0.10 100v-50.0h.8v50.0zM2.10 100v-100.0h.8v100.0z");
    }
}
