//! Calibrations on scores whose law is known.

use super::*;
use rand::{Rng, SeedableRng};

/// Scores whose tail is exponential by construction: rate(s) = 10⁻³ · e^(−(s − 1)/0.1).
fn exponential(pairs: u64, seed: u64) -> Scores {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let n = (pairs as f64 * 1e-3) as usize;
    let mut scores: Vec<f32> = (0..n).map(|_| (1.0 - 0.1 * rng.random::<f64>().ln()) as f32).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    Scores { shorter: 0, longer: 0, pairs, related: 0, floor: 1.0, scores }
}

fn truth(at: f64) -> f64 {
    1e-3 * (-(at - 1.0) / 0.1).exp()
}

#[test]
fn intervals_cover_the_true_rate_inside_and_beyond_the_data() {
    let (mut inside, mut beyond) = (0, 0);
    let runs = 400;
    for seed in 0..runs {
        let calibration = exponential(2_000_000, seed);
        let holds = |at: f64| {
            let rate = calibration.rate(at);
            rate.low <= truth(at) && truth(at) <= rate.high
        };
        inside += u32::from(holds(1.1));
        beyond += u32::from(holds(1.9) && calibration.rate(1.9).extrapolated);
    }
    // 95% intervals: out of 400 runs at least 366 hold with probability 0.999 (binomial).
    assert!(inside >= 366, "{inside}");
    // The tail's interval takes both of its ends at their extremes at once, so it holds at least as often.
    assert!(beyond >= 366, "{beyond}");
}

#[test]
fn a_threshold_bounds_the_neighbours_it_was_asked_for() {
    let calibration = exponential(2_000_000, 1);
    let mut last = 0.0;
    for n in [10_000, 100_000, 1_000_000] {
        let threshold = calibration.threshold(0.01, n);
        assert!(truth(threshold) * n as f64 <= 0.01 && threshold > last, "{threshold} at {n}");
        assert!(calibration.rate(threshold - 0.002).high * n as f64 > 0.01, "not stricter than needed");
        last = threshold;
    }
    assert!((calibration.score_at_rate(1e-4) - 1.23).abs() < 0.02);
}

#[test]
fn a_shortened_list_answers_the_same_above_its_floor_and_nothing_below() {
    let whole = exponential(2_000_000, 2);
    let short = of_classes(vec![whole.clone()]).shortened(500).classes.remove(0);
    assert!(short.scores.len() == 500 && short.floor > 1.1);
    for at in [1.2, 1.5, 1.9] {
        let (a, b) = (whole.rate(at), short.rate(at));
        assert!((a.point / b.point - 1.0).abs() < 0.01, "{at}: {a:?} {b:?}");
    }
    assert!(short.rate(1.05).high >= 1.0, "no rate is claimed where scores were dropped");
    // Without the floor this would be the lowest score there is.
    assert!((short.score_at_rate(1e-3) - f64::from(short.floor)).abs() < 0.002);
    let rounded = of_classes(vec![whole]).shortened(usize::MAX).classes.remove(0);
    assert_eq!(short.threshold(0.01, 1_000_000), rounded.threshold(0.01, 1_000_000));
}

/// A calibration of these classes.
fn of_classes(classes: Vec<Scores>) -> Calibration {
    Calibration { source: String::new(), model: String::new(), rule: RULE_VERSION, prompts: 0, queries: 0, classes }
}

#[test]
fn a_pair_of_two_queries_counts_once() {
    // Groups of 2, 3 and 1; rows 0, 2 and 5 ask. Pairs between groups: 0 with 2..6 (4), 2 with 1 and 5 (0 had it) (2), 5
    // with the rest but 0 and 2 (3).
    let group = [0, 0, 1, 1, 1, 2];
    let queries = [0, 2, 5];
    let is_query = [true, false, true, false, false, true];
    let of = |class: [usize; 6]| {
        let compared = Compared { prompts: &[0, 1, 2, 3, 4, 5], group: &group, class: &class };
        n_pairs(&compared, &queries, &is_query)
    };
    assert_eq!(of([0; 6])[class_pair(0, 0)], 9);
    let two = of([0, 0, 0, 2, 2, 2]);
    // Of the nine: 0-2, 2-1 among the first three; 0-3, 0-4, 0-5, 2-5, 5-1 between; 5-3, 5-4 among the last three.
    assert_eq!([two[class_pair(0, 0)], two[class_pair(2, 0)], two[class_pair(2, 2)]], [2, 5, 2]);
}

#[test]
fn the_strictest_class_decides_and_uncalibrated_ones_do_not() {
    let class = |longer: usize, pairs: u64, add: f32| {
        let mut scores = exponential(2_000_000, 3);
        scores.scores.iter_mut().for_each(|score| *score += add);
        Scores { longer, pairs, floor: 1.0 + add, ..scores }
    };
    let calibration =
        of_classes(vec![class(0, 2_000_000, 0.0), class(1, 2_000_000, 0.2), class(2, LEAST_PAIRS - 1, 0.9)]);
    let at = |i: usize| calibration.classes[i].threshold(0.01, 100_000);
    assert!(at(0) < at(1) && at(1) < at(2));
    let highest =
        |prompts: &Lengths| calibration.thresholds(0.01, prompts).as_flattened().iter().copied().fold(0.0, f32::max);
    // Prompts of the second class have neighbours of the first only, since none of their own were compared.
    assert_eq!(highest(&[0, 1_000, 0, 0, 0]), 1.8);
    let near = |a: f32, b: f64| assert!((f64::from(a) - b).abs() < 0.02, "{a} {b}");
    near(highest(&[100_000, 0, 5_000, 0, 0]), at(0));
    // One prompt of the first class among many of the second needs what they need.
    near(highest(&[1, 100_000, 0, 0, 0]), at(1));
    // No class of a mixture has more unrelated neighbours than were asked for, and not needlessly few.
    for mixture in [[60_000, 40_000, 0, 0, 0], [99_000, 1_000, 0, 0, 0], [10, 50_000, 0, 0, 0]] {
        let thresholds = calibration.thresholds(0.01, &mixture);
        let most = [0, 1]
            .map(|class| calibration.neighbours(&thresholds, class, &mixture).high)
            .into_iter()
            .fold(0.0, f64::max);
        assert!((0.008..=0.01).contains(&most), "{mixture:?}: {most}");
    }
    // Lengths whose unrelated pairs score little have a lower threshold than the others.
    let with_long = of_classes(vec![class(0, 2_000_000, 0.0), class(3, 2_000_000, -0.9)]);
    let thresholds = with_long.thresholds(0.01, &[90_000, 0, 0, 10_000, 0]);
    assert!(
        thresholds[0][0] > 1.8 && thresholds[0][3] == 1.8 && thresholds[0][3] == thresholds[3][0],
        "{thresholds:?}"
    );
}

#[test]
fn what_a_store_did_not_measure_is_taken_from_the_shipped_one() {
    let class = |longer: usize, pairs: u64, related: u64| Scores { longer, related, ..exponential(pairs, 4) };
    let own = of_classes(vec![class(0, 200_000, 1), class(1, 1_000, 1)]);
    let shipped = of_classes(vec![class(0, 300_000, 2), class(1, 300_000, 2), class(3, 40_000, 2)]);
    let both = own.completed_from(&shipped);
    let found: Vec<(usize, u64)> = both.classes.iter().map(|scores| (scores.longer, scores.related)).collect();
    assert_eq!(found, [(0, 1), (1, 2)]);
}
