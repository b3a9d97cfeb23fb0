//! `calibrate`: unrelated neighbours of a prompt on the prompts of a store, by length.

use super::args::Calibrate;
use super::format::Format;
use super::{config, print, threads};
use crate::error::{Error, ErrorKind, Result};
use crate::family::calibrate::{Rate, Scores};
use crate::family::length::{Thresholds, in_proportion, length_words};
use crate::store::Store;
use crate::store::files::write_private;
use crate::stored::AuditConfig;
use crate::upkeep;

/// What a calibration says of two length classes at one threshold.
#[derive(serde::Serialize)]
struct LengthPair<'a> {
    shorter: &'a str,
    longer: &'a str,
    pairs: u64,
    related: u64,
    calibrated: bool,
    threshold: f64,
    unrelated_neighbours: Rate,
}

impl LengthPair<'_> {
    fn new(scores: &Scores, thresholds: &Thresholds, n: u64) -> Self {
        let threshold = (f64::from(thresholds[scores.shorter][scores.longer]) * 1e3).round() / 1e3;
        let (rate, n) = (scores.rate(threshold), n as f64);
        Self {
            shorter: length_words(scores.shorter),
            longer: length_words(scores.longer),
            pairs: scores.pairs,
            related: scores.related,
            calibrated: scores.is_calibrated(),
            threshold,
            unrelated_neighbours: Rate { point: rate.point * n, low: rate.low * n, high: rate.high * n, ..rate },
        }
    }
}

/// The highest of the thresholds.
fn highest(thresholds: &Thresholds) -> f64 {
    let highest = thresholds.as_flattened().iter().copied().fold(0.0, f32::max);
    (f64::from(highest) * 1e3).round() / 1e3
}

pub(crate) fn calibrate(args: &Calibrate) -> Result<()> {
    threads(args.common.threads)?;
    let model = config::model(&args.common)?;
    let source = match &args.group {
        Some(group) => format!("prompts of the store, different {group}"),
        None => "prompts of the store, different accounts".to_owned(),
    };
    let measured =
        upkeep::calibrate_store(&args.common.store, &model, args.queries, args.group.as_deref(), args.seed, &source)?;
    let calibration = &measured.calibration;
    let json = serde_json::to_string(calibration)
        .map_err(|cause| Error::new(ErrorKind::Io, format!("cannot write JSON: {cause}")))?;
    if let Some(path) = &args.out {
        write_private(path, (json.clone() + "\n").as_bytes())?;
    }
    if args.record {
        upkeep::record_calibration(&args.common.store, &format!("process {}", std::process::id()), calibration)?;
    }
    let store = Store::open(&args.common.store)?;
    let lengths = upkeep::lengths(&store)?;
    let sizes = [10_000u64, 100_000, 1_000_000, 10_000_000];
    let expected = AuditConfig::default().expected_neighbours;
    let rows: Vec<(u64, f64, Vec<LengthPair<'_>>)> = sizes
        .iter()
        .map(|&n| {
            let thresholds = calibration.thresholds(expected, &in_proportion(&lengths, n));
            let pairs = calibration.classes.iter().map(|scores| LengthPair::new(scores, &thresholds, n)).collect();
            (n, highest(&thresholds), pairs)
        })
        .collect();
    let total = |of: fn(&Scores) -> u64| calibration.classes.iter().map(of).sum::<u64>();
    if args.format == Format::Json {
        let threshold = |(n, threshold, classes): &(u64, f64, Vec<LengthPair<'_>>)| {
            let rates = classes.iter().filter(|pair| pair.calibrated).map(|pair| pair.unrelated_neighbours);
            let worst = rates.max_by(|a, b| a.high.total_cmp(&b.high));
            serde_json::json!({ "prompts": n, "threshold": threshold, "unrelated_neighbours": worst, "classes": classes })
        };
        let thresholds: Vec<serde_json::Value> = rows.iter().map(threshold).collect();
        return print::json(&serde_json::json!({
            "schema": 1, "rule": calibration.rule, "prompts": calibration.prompts, "queries": calibration.queries, "pairs": total(|s| s.pairs),
            "related": total(|s| s.related), "thresholds": thresholds,
            "highest": measured.highest.iter().map(|(s, a, b)| serde_json::json!({ "score": s, "a": a, "b": b })).collect::<Vec<_>>(),
        }));
    }
    let mut out = format!(
        "{} prompts compared with {}: {} pairs, {} of the highest related by shared runs of five words\n\n",
        calibration.queries,
        calibration.prompts,
        total(|s| s.pairs),
        total(|s| s.related)
    );
    out += "prompts in store   threshold\n";
    rows.iter().for_each(|(n, threshold, _)| out += &format!("{n:>16}   {threshold:>9.3}\n"));
    let n = lengths.iter().sum::<u64>();
    let thresholds = calibration.thresholds(expected, &lengths);
    out += &format!(
        "\nfor the {n} prompts of this store, as if all were of the other length: unrelated neighbours of a prompt (95% interval)\n\
         {:>16} {:>16} {:>13} {:>8} {:>10}\n",
        "bytes", "against", "pairs", "related", "threshold"
    );
    for scores in &calibration.classes {
        let pair = LengthPair::new(scores, &thresholds, n);
        let rate = pair.unrelated_neighbours;
        let said = match (pair.calibrated, rate.extrapolated) {
            (false, _) => "too few pairs: the shipped calibration stands for these lengths".to_owned(),
            (true, beyond) => format!(
                "{:.2e} ({:.2e} to {:.2e}{})",
                rate.point,
                rate.low,
                rate.high,
                if beyond { ", beyond the scores seen" } else { "" }
            ),
        };
        let (pairs, related) = (pair.pairs, pair.related);
        out += &format!(
            "{:>16} {:>16} {pairs:>13} {related:>8} {:>10.3}   {said}\n",
            pair.shorter, pair.longer, pair.threshold
        );
    }
    out += "\nhighest unrelated pairs, to be read\n";
    for (score, a, b) in measured.highest.iter().take(10) {
        out += &format!("  {score:.3}\n    {}\n    {}\n", print::line(a, 150), print::line(b, 150));
    }
    print::out(&out)
}
