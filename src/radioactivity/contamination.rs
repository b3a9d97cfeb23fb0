//! What share of the training text was ours: the rate in served contexts, read off a stated calibration.
//!
//! The idea: in a distillation where the share is known, the rate at which a student says what the key preferred is measured for several shares, over
//! seeds. A suspect's rate with its interval is held against these bands. Weakness: a calibration is of one scheme, one kind of test and one kind of student; a larger
//! model, another temperature or another harvest have another curve, so the interval says "if the suspect learns as those students did". Guarantee: no
//! number without a calibration, and the calibration's own words beside it.

use crate::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// The rate at one share, from its lowest to its highest over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Share of the training text, 0 to 1.
    pub share: f64,
    /// Lowest and highest rate.
    pub rate: [f64; 2],
}

/// Rates by share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Number of this format.
    pub schema: u32,
    /// The scheme's name.
    pub scheme: String,
    /// `closed` or `open`.
    pub mode: String,
    /// What was measured: teacher, students, text, seeds.
    pub about: String,
    /// By share, ascending, from 0 to 1.
    pub points: Vec<Point>,
}

impl Calibration {
    /// Reads a calibration.
    /// # Errors
    /// `Input` when it is none, or its shares do not ascend from 0 to 1.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let wrong = |got: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Input, format!("expected a calibration of shares from 0 to 1, got {got}"))
        };
        let found: Self = serde_json::from_slice(bytes).map_err(|cause| wrong(&cause))?;
        let shares = found.points.windows(2).all(|pair| pair[0].share < pair[1].share);
        let ends =
            found.points.first().map(|p| p.share) == Some(0.0) && found.points.last().map(|p| p.share) == Some(1.0);
        let rates = found.points.iter().all(|p| p.rate[0] <= p.rate[1] && p.rate.iter().all(|rate| rate.is_finite()));
        if found.schema == 1 && shares && ends && rates { Ok(found) } else { Err(wrong(&"other numbers")) }
    }

    /// The lowest and the highest share with which a rate between `low` and `high` agrees, in [0, 1]: where the band of the calibration meets the
    /// interval. None where the rate lies outside of all bands.
    #[must_use]
    pub fn share(&self, [low, high]: [f64; 2]) -> Option<[f64; 2]> {
        let meets = |band: [f64; 2]| band[1] >= low && band[0] <= high;
        let mut found: Option<[f64; 2]> = None;
        for piece in 0..self.points.len().saturating_sub(1) {
            let [from, to] = [self.points[piece].share, self.points[piece + 1].share];
            // A thousand steps a piece: finer than any band is narrow.
            for step in 0..=1000 {
                let share = from + (to - from) * f64::from(step) / 1000.0;
                let band = match step {
                    0 => self.points[piece].rate,
                    1000 => self.points[piece + 1].rate,
                    _ => self.band(piece, share),
                };
                if meets(band) {
                    found = Some(found.map_or([share, share], |[least, most]| [least.min(share), most.max(share)]));
                }
            }
        }
        found
    }

    /// The lowest and the highest rate at a share between two measured ones. A student that has read more learns less from what is added, so between them the
    /// rate lies above the straight line, and below the steepest lines through the measured shares before and behind, drawn on; where there are none, below the higher rate.
    /// Weakness: where students learn nothing from a little the curve begins the other way round.
    fn band(&self, piece: usize, share: f64) -> [f64; 2] {
        let line = |(first, from): (&Point, usize), (second, to): (&Point, usize)| {
            let slope = (second.rate[to] - first.rate[from]) / (second.share - first.share);
            (first.share, first.rate[from], slope)
        };
        let at = |(from, rate, slope): (f64, f64, f64)| rate + slope * (share - from);
        let (a, b) = (&self.points[piece], &self.points[piece + 1]);
        let before = piece.checked_sub(1).map(|before| at(line((&self.points[before], 0), (a, 1))));
        let after = self.points.get(piece + 2).map(|after| at(line((b, 1), (after, 0))));
        let bent = before.into_iter().chain(after).reduce(f64::min).unwrap_or(b.rate[1]);
        [at(line((a, 0), (b, 0))), bent.max(at(line((a, 1), (b, 1))))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration(points: &str) -> Result<Calibration> {
        let json = format!(
            "{{\"schema\": 1, \"scheme\": \"green-list\", \"mode\": \"open\", \"about\": \"a test\", \"points\": [{points}]}}"
        );
        Calibration::from_json(json.as_bytes())
    }

    #[test]
    fn a_rate_is_read_off_the_bands_it_meets() {
        let points = r#"{"share": 0, "rate": [0.24, 0.26]}, {"share": 0.5, "rate": [0.44, 0.46]}, {"share": 1, "rate": [0.6, 0.6]}"#;
        let of = calibration(points).expect("a calibration");
        // The lower edge 0.24 + 0.4 s reaches 0.36 at .3; the upper one, 0.6 − 0.28 (1 − s) drawn on from the right, reaches 0.34 at .0714.
        let [low, high] = of.share([0.34, 0.36]).expect("within");
        assert!((low - 0.0714).abs() < 1e-3 && (high - 0.3).abs() < 1e-3, "{low} {high}");
        let [low, high] = of.share([0.0, 0.25]).expect("within");
        assert!(low == 0.0 && (high - 0.025).abs() < 1e-3, "{low} {high}");
        assert_eq!((of.share([0.7, 0.8]), of.share([0.59, 0.61]).map(|found| found[1])), (None, Some(1.0)));
    }

    #[test]
    fn a_share_that_was_not_measured_is_read_off_a_bent_curve() {
        for steepness in [2.0, 8.0, 30.0, 100.0] {
            let rate = |share: f64| 0.25 + 0.3 * (1.0 - (-steepness * share).exp());
            let point = |share: f64| {
                format!("{{\"share\": {share}, \"rate\": [{}, {}]}}", rate(share) - 0.001, rate(share) + 0.001)
            };
            let of = calibration(&[0.0, 0.01, 0.05, 0.2, 1.0].map(point).join(", ")).expect("a calibration");
            // With bands as uneven as few seeds make them, and with nothing between the ends.
            let uneven = [
                (0.0, -0.009, 0.001),
                (0.01, -0.001, 0.009),
                (0.05, -0.009, 0.001),
                (0.2, -0.001, 0.009),
                (1.0, -0.009, 0.001),
            ];
            let uneven = uneven.map(|(share, low, high)| {
                format!("{{\"share\": {share}, \"rate\": [{}, {}]}}", rate(share) + low, rate(share) + high)
            });
            let uneven = calibration(&uneven.join(", ")).expect("a calibration");
            let ends = calibration(&[0.0, 1.0].map(point).join(", ")).expect("a calibration");
            for share in [0.003, 0.01, 0.03, 0.1, 0.15, 0.5, 0.9] {
                for of in [&of, &uneven, &ends] {
                    let [low, high] = of.share([rate(share) - 0.001, rate(share) + 0.001]).expect("within");
                    assert!(low <= share && share <= high, "{share} of {steepness}: {low} to {high}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_calibration_is_refused() {
        for points in [
            "",
            r#"{"share": 0, "rate": [0.3, 0.2]}, {"share": 1, "rate": [0.6, 0.6]}"#,
            r#"{"share": 0.1, "rate": [0.2, 0.3]}, {"share": 1, "rate": [0.6, 0.6]}"#,
            r#"{"share": 0, "rate": [0.2, 0.3]}, {"share": 0, "rate": [0.6, 0.6]}, {"share": 1, "rate": [0.6, 0.6]}"#,
        ] {
            assert!(calibration(points).is_err(), "{points}");
        }
        assert!(Calibration::from_json(b"[]").is_err());
    }
}
