//! Students of ring B's harvest by scheme and share, and the share read off a calibration that other seeds made.

use crate::model::Model;
use crate::trial::{Found, Trial, named, range};
use crate::world::{ANSWERS, Corpus, World};
use std::path::Path;
use stillhunt::detect::Verdict;
use stillhunt::radioactivity::Finding;
use stillhunt::radioactivity::contamination::{Calibration, Point};

/// Shares of the ring's answers in what a student reads, and whether they stand in calibrations.
const SHARES: [(f64, bool); 6] = [(0.0, true), (0.01, true), (0.05, true), (0.1, false), (0.2, true), (1.0, true)];
const MODES: [&str; 2] = ["closed", "open"];

/// A student under each seed.
struct Row {
    share: f64,
    calibrates: bool,
    about: String,
    found: Vec<Found>,
}

impl Row {
    fn finding(&self, mode: usize) -> impl Iterator<Item = &Finding> {
        self.found.iter().filter_map(move |found| found.of(mode))
    }
}

/// The calibration of the seeds other than number `without`.
fn calibration(rows: &[Row], scheme: &str, mode: usize, without: Option<usize>) -> Calibration {
    let point = |row: &Row| {
        let rates = row.finding(mode).enumerate().filter(|(seed, _)| Some(*seed) != without).map(|(_, of)| of.rate);
        let rate = rates.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], rate| [low.min(rate), high.max(rate)]);
        Point { share: row.share, rate }
    };
    let made = Calibration {
        schema: 1,
        scheme: scheme.into(),
        mode: MODES[mode].into(),
        about: format!("students of three tokens, {ANSWERS} answers a ring (benches/record/radioactivity.md)"),
        points: rows.iter().filter(|row| row.calibrates).map(point).collect(),
    };
    Calibration::from_json(&serde_json::to_vec(&made).expect("JSON")).expect("a calibration")
}

/// How often the truth lies in the interval, and the median interval.
fn read_off(rows: &[Row], row: &Row, scheme: &str, mode: usize) -> String {
    let of = |(seed, finding): (usize, &Finding)| {
        calibration(rows, scheme, mode, Some(seed)).share(finding.interval.expect("windows"))
    };
    let all: Vec<Option<[f64; 2]>> = row.finding(mode).enumerate().map(of).collect();
    let holds = all.iter().flatten().filter(|[low, high]| (*low..=*high).contains(&row.share)).count();
    let none = all.iter().filter(|of| of.is_none()).count();
    let middle = |end: usize| {
        let mut ends: Vec<f64> = all.iter().flatten().map(|of| of[end]).collect();
        ends.sort_unstable_by(f64::total_cmp);
        ends.get(ends.len() / 2).map_or("–".into(), |at| format!("{at:.3}"))
    };
    let without = if none > 0 { format!(", {none} without") } else { String::new() };
    format!("{} to {}; {holds} of {}{without}", middle(0), middle(1), all.len())
}

pub(crate) fn report(corpus: &Corpus, schemes: &[String], seeds: u64, out: Option<&Path>) {
    println!("\n## Students of ring B's harvest, {seeds} seeds, {ANSWERS} answers a ring and of the crowd\n");
    println!(
        "| scheme | share of B's answers | closed, log10 p | rate | Marked | share read off; holds the truth | open, log10 p | rate | Marked | share read off; holds the truth | B alone named, closed | open |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for scheme in schemes {
        let mut rows: Vec<Row> = SHARES
            .iter()
            .map(|&(share, calibrates)| Row { share, calibrates, about: format!("{share}"), found: Vec::new() })
            .collect();
        let about = "0, of the teacher's unmarked answers".into();
        rows.push(Row { share: 0.0, calibrates: false, about, found: Vec::new() });
        let (mut others, mut own): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        for seed in 1..=seeds {
            let world = World::new(corpus, scheme, seed, ANSWERS);
            let trial = Trial::new(corpus, &world);
            own.push(trial.exclusive() as f64);
            let last = rows.len() - 1;
            for (number, row) in rows.iter_mut().enumerate() {
                let lessons = if number == last { world.unmarked.clone() } else { world.lessons(corpus, row.share) };
                let student: Model = corpus.learn(&lessons);
                let found = trial.of_model(&student, seed);
                let innocent = |ring: &&str| *ring != "B" || row.share == 0.0;
                let wrong: Vec<&str> = found.rings.iter().flat_map(|rings| named(rings)).filter(innocent).collect();
                if !wrong.is_empty() {
                    println!("({scheme}, seed {seed}, share {}: {} named wrongly)", row.about, wrong.join(", "));
                }
                let tests = found.rings.iter().flatten().filter(|ring| ring.scored > 0 && innocent(&&ring.ring[..]));
                others.extend(tests.map(|ring| ring.log10_p));
                row.found.push(found);
            }
        }
        for row in &rows {
            let cells = [0, 1].map(|mode| {
                let log10_ps: Vec<f64> = row.finding(mode).map(|of| of.log10_p).collect();
                let rates: Vec<f64> = row.finding(mode).map(|of| of.rate).collect();
                let marked = row.finding(mode).filter(|of| of.verdict == Verdict::Marked).count();
                let share = read_off(&rows, row, scheme, mode);
                format!("{} | {} | {marked} | {share}", range(&log10_ps, 1), range(&rates, 4))
            });
            let right = [0, 1].map(|mode| row.found.iter().filter(|of| named(&of.rings[mode]) == ["B"]).count());
            println!("| {scheme} | {} | {} | {} | {} | {} |", row.about, cells[0], cells[1], right[0], right[1]);
        }
        println!(
            "({scheme}: contexts that B alone was served {}; log10 p of rings that were not trained on, smallest of {}: {:.2})",
            range(&own, 0),
            others.len(),
            others.iter().copied().fold(0.0, f64::min)
        );
        for (mode, name) in MODES.iter().enumerate() {
            if let Some(out) = out {
                let json = serde_json::to_vec(&calibration(&rows, scheme, mode, None)).expect("JSON");
                std::fs::write(out.join(format!("{scheme}.{name}.json")), json).expect("written");
            }
        }
    }
}
