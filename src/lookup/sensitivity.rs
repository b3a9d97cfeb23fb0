//! How far a ring has come, and what is left of that where one stream is left out or one choice in a test is changed.
//!
//! The idea: a finding that hangs on one choice of whoever built the test is worth less than one that does not, so each choice is changed by itself and what comes of it
//! is printed beside the finding. Weakness: changes are told one at a time, not in pairs. Guarantee: every ring has the same rows, also those that could not be asked.

use crate::report::ring::{NOT_CONFIRMED, Rung, Sensitivity};
use crate::ring::sensitivity::Change;
use crate::ring::timing::OTHER_HOURS;
use crate::ring::{Ring, Route};
use crate::stats::ln_e_of_p;
use crate::stored::rings::{ATTRIBUTES, InCommon};
use std::collections::BTreeMap;

/// Decimal logarithm of the e-value of a stream that counts towards the rung: twenty.
pub(super) const LEAST_LOG10_E: f64 = 1.301_029_995_663_981;

/// The stream that counts towards no rung: what accounts ask for says what they want, not that they act together.
pub(super) const FOCUS: &str = "focus";

/// Decimal logarithm of the e-value of a p-value, given as its natural log.
pub(super) fn log10_e_of(ln_p: f64) -> f64 {
    ln_e_of_p(ln_p) / std::f64::consts::LN_10
}

/// What the rung of a ring is told by.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    /// Streams that were asked, each with the decimal logarithm of its e-value.
    pub(super) streams: &'a [(&'static str, Option<f64>)],
    /// Streams without which the ring is not confirmed.
    pub(super) confirming: &'a [&'static str],
    /// Whether an innocent explanation explains it.
    pub(super) explained: bool,
    /// Whether the registry has texts that could.
    pub(super) registry: bool,
}

impl Known<'_> {
    /// The rung, with all streams or without one; none where the ring would not be confirmed.
    pub(super) fn rung(&self, without: Option<&str>) -> Option<Rung> {
        if without.is_some_and(|without| self.confirming.contains(&without)) {
            return None;
        }
        // A stream beside those that confirmed it, which knows nothing of them, and each at e ≥ 20.
        let strong = self.streams.iter().filter(|(name, log10_e)| {
            *name != FOCUS && without != Some(*name) && log10_e.is_some_and(|log10_e| log10_e >= LEAST_LOG10_E)
        });
        Some(match (self.explained, self.registry) {
            (false, _) if strong.count() > self.confirming.len() => Rung::SecondStream,
            (false, true) => Rung::Provenance,
            _ => Rung::Chance,
        })
    }

    /// The rung without each of these streams, in a word; none of one that was not asked.
    pub(super) fn without_each(&self, all: &[&'static str]) -> BTreeMap<&'static str, Option<&'static str>> {
        let is_asked = |name: &str| self.streams.iter().any(|(of, log10_e)| *of == name && log10_e.is_some());
        let without = |name: &str| is_asked(name).then(|| self.rung(Some(name)).map_or(NOT_CONFIRMED, Rung::word));
        all.iter().map(|&name| (name, without(name))).collect()
    }
}

/// What is left of each stream where something in its test is changed.
pub(super) fn sensitivity(ring: &Ring, in_common: &InCommon) -> Vec<Sensitivity> {
    let mut out = Vec::new();
    if ring.route == Route::CoUse {
        let log10 = |ln_e: f64| ln_e.is_finite().then_some(ln_e / std::f64::consts::LN_10);
        out.extend(ring.changes.iter().map(|of| Sensitivity {
            stream: "co-use",
            change: match of.change {
                Change::TopText => "top-text-dropped",
                Change::NoInterests => "no-interests",
                Change::Coarser => "coarser-neighbourhoods",
                Change::WithinStrata => "within-strata",
            },
            log10_e: log10(of.ln_e),
            // Where a day knows no kinds of accounts this was not asked.
            stands: (of.change != Change::WithinStrata || of.ln_e.is_finite()).then_some(of.stands),
        }));
        // What is printed of a group is already the least of it with and without this account.
        let (change, log10_e) = ("busiest-account-dropped", log10(ring.ln_e));
        out.push(Sensitivity { stream: "co-use", change, log10_e, stands: Some(true) });
    }
    let of = |stream, change, ln_p: Option<f64>| {
        let log10_e = ln_p.map(log10_e_of);
        Sensitivity { stream, change, log10_e, stands: log10_e.map(|log10_e| log10_e >= LEAST_LOG10_E) }
    };
    let registered = ATTRIBUTES.iter().position(|(name, _)| *name == "registered").unwrap_or(0) as u8;
    let composition = in_common.composition.as_ref();
    let without = composition.and_then(|composition| composition.ln_p_without(registered));
    out.push(of("composition", "no-registration-day", without));
    out.push(of("composition", "any-plan", in_common.of_any_plan.as_ref().and_then(|of| of.ln_p)));
    for (hours, timing) in OTHER_HOURS.into_iter().zip(in_common.in_other_intervals) {
        let change = if hours == 1 { "bins-of-1-hour" } else { "bins-of-8-hours" };
        out.push(of("simultaneity", change, timing.map(|timing| timing.ln_p)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Known, Rung};

    /// Without a stream that confirms there is no ring; without another, the ring falls to what the rest says.
    #[test]
    fn leaving_a_stream_out_takes_away_what_it_said() {
        let streams =
            [("co-use", Some(40.0)), ("composition", Some(1.4)), ("simultaneity", Some(0.2)), ("pivot", None)];
        let known = Known { streams: &streams, confirming: &["co-use"], explained: false, registry: true };
        assert_eq!(known.rung(None), Some(Rung::SecondStream));
        let names = ["co-use", "composition", "simultaneity", "pivot", "load-evenness"];
        let without: Vec<Option<&str>> = names.map(|name| known.without_each(&names)[name]).to_vec();
        assert_eq!(without, [Some("not-confirmed"), Some("provenance"), Some("second-stream"), None, None]);
        // What confirms is no second stream, be it one number or two.
        let two = [("interchangeability", Some(2.2)), ("load-evenness", Some(2.2)), ("composition", Some(1.4))];
        let persistent = Known { streams: &two, confirming: &["interchangeability", "load-evenness"], ..known };
        assert_eq!(persistent.rung(None), Some(Rung::SecondStream));
        assert_eq!(persistent.rung(Some("composition")), Some(Rung::Provenance));
        // What accounts ask for raises no rung, however much it says.
        let focused = [("co-use", Some(40.0)), (super::FOCUS, Some(9.0))];
        assert_eq!(Known { streams: &focused, ..known }.rung(None), Some(Rung::Provenance));
        // An explanation holds whatever the streams say, and an empty registry excludes nothing.
        assert_eq!(Known { explained: true, ..known }.rung(None), Some(Rung::Chance));
        let known = Known { registry: false, explained: false, ..known };
        assert_eq!((known.rung(None), known.rung(Some("composition"))), (Some(Rung::SecondStream), Some(Rung::Chance)));
    }
}
