use super::*;
use proptest::prelude::*;

const POISSON: [(u64, f64, f64); 7] = [
    (0, 0.0, 3.6888794541139354),
    (1, 0.025317807984289876, 5.571643390938898),
    (7, 2.8143630515198654, 14.422675361702376),
    (100, 81.36399125092314, 121.62679379242638),
    (2500, 2402.952365431124, 2599.9614843405425),
    (1_000_000, 998040.9833402939, 1001961.9119454322),
    (1_000_000_000, 999938021.4439279, 1000061981.4504089),
];
const PROPORTION: [(u64, u64, f64, f64); 8] = [
    (0, 10, 0.0, 0.3084971078187607),
    (3, 20, 0.0320709371854637, 0.37892682654531396),
    (17, 17, 0.8049356770309067, 1.0),
    (250, 1000, 0.2234304062646804, 0.27805000622375553),
    (0, 1_000_000_000, 0.0, 3.6888794473100194e-9),
    (250_000_123, 1_000_000_000, 0.2499732853070635, 0.2500269621401245),
    (999_999_999, 1_000_000_000, 0.9999999944283565, 0.9999999999746821),
    (1_000_000_000, 1_000_000_000, 0.9999999963111206, 1.0),
];

#[track_caller]
fn near(got: f64, expected: f64, relative: f64) {
    assert!((got - expected).abs() <= relative * expected.abs(), "{got} and not {expected}");
}

/// A small generator of the tests' own: SplitMix64, as a value in (0, 1].
fn uniforms(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((word ^ (word >> 31)) >> 11) + 1) as f64 / (1u64 << 53) as f64
    }
}

/// n over k, exactly.
fn choose(n: u64, k: u64) -> u128 {
    (0..k).fold(1, |product, i| product * u128::from(n - i) / u128::from(i + 1))
}

#[test]
fn intervals_equal_scipy() {
    // scipy.stats.gamma.ppf(.025, k) and isf(.025, k + 1), beta.ppf and beta.isf, SciPy 1.17.1.
    for (count, low, high) in POISSON {
        let (l, h) = poisson_interval(count, 0.95);
        near(l, low, 1e-13);
        near(h, high, 1e-13);
    }
    for (hits, n, low, high) in PROPORTION {
        let (l, h) = proportion_interval(hits, n, 0.95);
        near(l, low, 1e-13);
        near(h, high, 1e-13);
    }
    assert_eq!(proportion_interval(0, 0, 0.95), (0.0, 1.0));
    for (sum, n, low, high) in [
        (1.5, 1, 0.2831087487266322, 299.24937343253447),
        (1200.0, 1000, 1.107693517434276, 1.303746903399589),
        (1e6, 1_000_000, 0.9974289199165179, 1.002580593299408),
    ] {
        let (l, h) = exponential_mean_interval(sum, n, 0.99);
        near(l, low, 1e-13);
        near(h, high, 1e-13);
    }
    assert_eq!(exponential_mean_interval(0.0, 0, 0.99), (0.0, f64::INFINITY));
}

#[test]
fn binomial_equals_enumeration() {
    for n in 0..=24 {
        for p in [1e-9, 0.1, 0.25, 0.5, 0.9, 1.0 - 1e-9] {
            let point = |k: u64| choose(n, k) as f64 * f64::powi(p, k as i32) * f64::powi(1.0 - p, (n - k) as i32);
            for k in 0..=n {
                near(ln_binomial_point(k, n, p).exp(), point(k), 1e-13);
                let (above, below): (f64, f64) = ((k..=n).map(point).sum(), (0..k).map(point).sum());
                let expected = if above < 0.5 { above.ln() } else { (-below).ln_1p() };
                near(ln_binomial_upper(k, n, p), expected, 1e-13);
                near(
                    ln_binomial_lower(n - k, n, 1.0 - p),
                    ln_binomial_upper(k, n, p),
                    if p < 1e-6 { 1e-6 } else { 1e-13 },
                );
            }
        }
    }
    assert_eq!(ln_binomial_upper(0, 0, 0.5), 0.0);
    assert_eq!(ln_binomial_upper(11, 10, 0.5), f64::NEG_INFINITY);
    assert_eq!((ln_binomial_upper(3, 10, 0.0), ln_binomial_upper(10, 10, 1.0)), (f64::NEG_INFINITY, 0.0));
    assert!(ln_binomial_upper(3, 10, 1.5).is_nan() && ln_binomial_upper(3, 10, f64::NAN).is_nan());
}

#[test]
fn binomial_equals_sixty_digits() {
    // mpmath: the log of the point by loggamma, times the sum of ratios, at 45 digits.
    for (k, n, p, expected) in [
        (1, 3, 0.1, -1.305636458102436),
        (300, 1000, 0.25, -8.549766374303779),
        (250, 1000, 0.25, -0.6691620182031796),
        (1000, 1000, 0.999, -1.0005003335835343),
        (80, 1000000000, 1e-08, -99.33479014266945),
        (10, 1000000000, 1e-08, -0.6123596066997526),
        (250000000, 1000000000, 0.25, -0.6931229020006625),
        (250030000, 1000000000, 0.25, -4.252260432617864),
        (249900000, 1000000000, 0.25, -1.4037357426859107e-13),
        (333333333, 1000000000, 0.3333333333333333, -0.6931055518647271),
        (400000000, 1000000000, 0.3333333333333333, -9712322.503605034),
        (999999995, 1000000000, 0.999999999, -0.0005943613224489962),
        (999999, 1000000, 0.5, -693133.3650483873),
        (20000, 1000000, 0.001, -41102.29292186727),
    ] {
        near(ln_binomial_upper(k, n, p), expected, 1e-12);
    }
}

#[test]
fn gamma_equals_sixty_digits() {
    // mpmath: series and continued fraction at 45 digits.
    for (shape, x, expected) in [
        (0.5, 0.1, -0.4235463234759657),
        (0.5, 30.0, -32.28898703270474),
        (1.0, 1e-12, -1e-12),
        (2.5, 2.5, -0.8773580722343328),
        (150.0, 120.0, -0.004573885589120024),
        (199.5, 260.0, -10.095221868771445),
        (200.0, 150.0, -5.709851583131214e-05),
        (200.0, 199.5, -0.6837709690748102),
        (10000.0, 9000.0, -2.073299202433928e-25),
        (10000.0, 100000.0, -66981.87042403485),
        (1000000.0, 1000000.0, -0.6934131774557283),
        (100000000.0, 100010000.0, -1.8410216475509749),
        (100000000.0, 99950000.0, -2.854642547407791e-07),
        (100000000.0, 120000000.0, -1767852.840445831),
    ] {
        near(ln_gamma_upper(shape, x), expected, 1e-12);
    }
}

#[test]
fn hypergeometric_equals_enumeration() {
    for population in 1..=12u64 {
        for marked in 0..=population {
            for draws in 0..=population {
                let ways = |k: u64| {
                    choose(marked, k)
                        * if draws - k > population - marked { 0 } else { choose(population - marked, draws - k) }
                };
                for k in 0..=draws + 1 {
                    let above: u128 = (k..=draws.min(marked)).map(ways).sum();
                    let expected = above as f64 / choose(population, draws) as f64;
                    let got = ln_hypergeometric_upper(k, population, marked, draws);
                    assert!(
                        (got.exp() - expected).abs() <= 1e-13 * expected,
                        "{k} {population} {marked} {draws}: {got}"
                    );
                }
            }
        }
    }
    assert!(ln_hypergeometric_upper(1, 10, 11, 5).is_nan());
    // mpmath at 45 digits.
    for (k, population, marked, draws, expected) in [
        (300, 1000, 500, 500, -22.509258476753786),
        (2600, 100000, 25000, 10000, -4.843433665307148),
        (2500, 100000, 25000, 10000, -0.6847658839679571),
        (12600000, 100000000, 25000000, 50000000, -1071.416971676085),
        (12500001, 100000000, 25000000, 50000000, -0.6933314610829464),
        (9000, 100000000, 10000, 90000000, -0.6764452264374624),
    ] {
        near(ln_hypergeometric_upper(k, population, marked, draws), expected, 1e-12);
    }
}

/// P(D⁺ < d) by the recursion of Bolshev on the first value that is too small.
fn one_sided_within(n: u64, d: f64) -> f64 {
    let border = |i: u64| ((i - 1) as f64 / n as f64 + d).min(1.0);
    let mut within = vec![1.0];
    for size in 1..=n {
        let first = |i: u64| {
            choose(size, i - 1) as f64 * f64::powi(1.0 - border(i), (size - i + 1) as i32) * within[i as usize - 1]
        };
        within.push(1.0 - (1..=size).map(first).sum::<f64>());
    }
    within[n as usize]
}

#[test]
fn kolmogorov_smirnov_is_exact() {
    for n in 1..=12 {
        for d in [0.01, 0.1, 0.3, 0.5, 0.77, 0.95] {
            let expected = 1.0 - one_sided_within(n, d);
            assert!((ln_ks_one_sided(n, d).exp() - expected).abs() < 1e-12, "{n} {d}");
        }
    }
    for d in [0.26, 0.3, 0.4, 0.49, 0.5, 0.7, 0.99] {
        let within = if d < 0.5 { 2.0 * (2.0 * d - 0.5f64).powi(2) } else { 1.0 - 2.0 * (1.0 - d) * (1.0 - d) };
        assert!((ln_ks_two_sided(2, d).exp() - (1.0 - within)).abs() < 1e-15, "{d}");
    }
    // scipy.stats.ksone.logsf and kstwo.logsf, SciPy 1.17.1 (which approximates kstwo above n = 140: mpmath there).
    for (n, d, one, two) in [
        (5, 0.2, -0.5356649137796361, -0.03915671520119394),
        (5, 0.6, -4.197041960460443, -3.503894779900498),
        (50, 0.08, -0.6913602604916657, -0.12687961972458636),
        (50, 0.17, -3.009900604568145, -2.316848779500164),
        (50, 0.3, -9.35229224885211, -8.659145068292165),
        (140, 0.05, -0.7326066201791509, -0.15356148537652364),
        (140, 0.2, -11.418453668228961, -10.725306487669016),
        (200, 0.0636, -1.6600680368933045, -0.9737081842460034),
        (200, 0.1131, -5.201223059560332, -4.508076019657983),
        (1000, 0.045, -4.080939171857661, -3.3877967125837953),
    ] {
        near(ln_ks_one_sided(n, d), one, 1e-12);
        near(ln_ks_two_sided(n, d), two, 1e-12);
    }
    assert_eq!((ln_ks_two_sided(10, 0.05), ln_ks_two_sided(10, 1.0)), (0.0, f64::NEG_INFINITY));
    assert_eq!((ln_ks_one_sided(10, 0.0), ln_ks_two_sided(0, 0.3)), (0.0, 0.0));
    // On both sides of the border between the matrix and twice the one-sided tail, at the greatest n promised.
    let (below, above) = (ln_ks_two_sided(10_000, 0.022_360), ln_ks_two_sided(10_000, 0.022_361));
    assert!(above < below && below - above < 1e-3, "{below} {above}");
}

#[test]
fn chernoff_bounds_the_enumerated_tail() {
    let mut compared = 0;
    for (weights, windows, share) in
        [([1.0, 0.6, 0.3], 12, 0.5), ([2.0, -1.0, 0.1], 9, 0.3), ([1.0, 1.0, 5.0], 10, 0.05)]
    {
        let layers = weights.map(|weight| Layer { windows, weight, share });
        let mut outcomes = Vec::new();
        for (i, j, k) in
            (0..=windows).flat_map(|i| (0..=windows).flat_map(move |j| (0..=windows).map(move |k| (i, j, k))))
        {
            let ln: f64 = [i, j, k].iter().map(|&ones| ln_binomial_point(ones, windows, share)).sum();
            outcomes.push((i as f64 * weights[0] + j as f64 * weights[1] + k as f64 * weights[2], ln.exp()));
        }
        outcomes.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut tail = 0.0;
        for pair in outcomes.windows(2) {
            tail += pair[0].1;
            if pair[1].0 < pair[0].0 - 1e-9 {
                let bound = ln_layers_upper(pair[0].0 - 1e-12, &layers);
                assert!(bound >= tail.min(1.0).ln() - 1e-12, "{}: {bound} {}", pair[0].0, tail.ln());
                assert!(bound < tail.ln() + 3.0, "{}: {bound} {}", pair[0].0, tail.ln());
                compared += 1;
            }
        }
    }
    assert!(compared > 300);
    let bit = |windows, weight, share| [Layer { windows, weight, share }];
    near(ln_layers_upper(20.0, &bit(20, 1.0, 0.25)), 20.0 * 0.25f64.ln(), 1e-9);
    // At the greatest sum the bound is the tail itself, and rounding must not take it below.
    for n in 1..300 {
        for share in [0.1, 0.3, 0.7] {
            let (bound, exact) = (ln_layers_upper(n as f64, &bit(n, 1.0, share)), ln_binomial_upper(n, n, share));
            assert!(bound >= exact && bound < exact + 1e-9, "{n} {share}: {bound} {exact}");
        }
    }
    // A layer that never or always hits moves nothing, or the sum by what is certain.
    let with = |share, sum| ln_layers_upper(sum, &[bit(20, 1.0, 0.25)[0], Layer { windows: 7, weight: 0.5, share }]);
    near(with(0.0, 12.0), ln_layers_upper(12.0, &bit(20, 1.0, 0.25)), 1e-9);
    near(with(1.0, 15.5), ln_layers_upper(12.0, &bit(20, 1.0, 0.25)), 1e-9);
    assert_eq!(ln_layers_upper(5.0, &bit(20, 1.0, 0.25)), 0.0);
    assert_eq!(ln_layers_upper(20.1, &bit(20, 1.0, 0.25)), f64::NEG_INFINITY);
    assert!(
        ln_layers_upper(1.0, &bit(20, 1.0, 1.25)).is_nan() && ln_layers_upper(f64::NAN, &bit(20, 1.0, 0.2)).is_nan()
    );
    // Many bits: the bound stays above the exact tail, and near it.
    for k in [500_000_100, 500_010_000, 500_200_000, 600_000_000, 999_999_999] {
        let (bound, exact) =
            (ln_layers_upper(k as f64, &bit(1_000_000_000, 1.0, 0.5)), ln_binomial_upper(k, 1_000_000_000, 0.5));
        assert!(bound >= exact && bound < exact + 12.0, "{k}: {bound} {exact}");
    }
}

#[test]
fn chernoff_bounds_fused_scores() {
    for a in [0.1f64, 0.3, 0.45] {
        for sum in [1.5, 3.0, 8.0, 30.0, 200.0] {
            let b = 1.0 - a;
            let exact = ((b * (-sum / b).exp() - a * (-sum / a).exp()) / (b - a)).ln();
            let bound = ln_pair_upper(sum, 1, a, 0.0);
            assert!(bound >= exact && bound < exact + 8.0, "{a} {sum}: {bound} {exact}");
            near(ln_pair_upper(sum + 0.25, 1, a, 0.25), bound, 1e-12);
        }
    }
    for n in [1u64, 100, 10_000, 100_000_000] {
        for z in [0.5, 3.0, 10.0, 40.0] {
            let sum = n as f64 + z * (n as f64).sqrt();
            for (a, shape, scale) in [(0.0, n as f64, 1.0), (1.0, n as f64, 1.0), (0.5, 2.0 * n as f64, 2.0)] {
                let (bound, exact) = (ln_pair_upper(sum, n, a, 0.0), ln_gamma_upper(shape, scale * sum));
                assert!(bound >= exact && bound < exact + 6.0, "{n} {z} {a}: {bound} {exact}");
            }
        }
    }
    assert_eq!((ln_pair_upper(10.0, 10, 0.3, 0.0), ln_pair_upper(15.0, 10, 0.3, 0.5)), (0.0, 0.0));
    assert!(ln_pair_upper(10.0, 10, 1.3, 0.0).is_nan());
}

#[test]
fn holm_equals_r() {
    // R 4: p.adjust(c(.01, .04, .03, .005, .5), "holm").
    let adjusted = holm(&[0.01f64, 0.04, 0.03, 0.005, 0.5].map(f64::ln));
    for (got, expected) in adjusted.iter().zip([0.04, 0.09, 0.09, 0.025, 0.5]) {
        near(got.exp(), expected, 1e-13);
    }
    near(holm(&[-1e6, -2.0])[0], -1e6 + std::f64::consts::LN_2, 1e-15);
    assert!(holm(&[]).is_empty() && holm(&[-3.0]) == [-3.0] && holm(&[f64::NAN, -3.0])[0].is_nan());
    near(holm(&[f64::NAN, -3.0])[1], -3.0 + std::f64::consts::LN_2, 1e-15);
    assert_eq!((fisher_combination(&[]), bonferroni(-1.0, 100)), (0.0, 0.0));
}

#[test]
fn power_is_that_of_the_critical_count() {
    for (n, null, ln_alpha) in [(50, 0.25, -3.0), (1600, 0.5, -13.8), (5, 0.5, -13.8)] {
        let k = binomial_critical(n, null, ln_alpha);
        assert!(ln_binomial_upper(k, n, null) <= ln_alpha && ln_binomial_upper(k - 1, n, null) > ln_alpha);
        assert!(binomial_power(n, null, null, ln_alpha) <= ln_alpha.exp());
    }
    assert_eq!(binomial_critical(5, 0.5, ln_binomial_upper(5, 5, 0.5)), 5);
    assert_eq!((binomial_critical(5, 0.5, -13.8), binomial_power(5, 0.5, 1.0, -13.8)), (6, 0.0));
    near(ln_gamma_upper(300.0, gamma_critical(300, -13.8)), -13.8, 1e-12);
    // Exponential scores of mean 1.5: exact.
    near(gamma_power(300, 1.5, 2.25, -13.8), ln_gamma_upper(300.0, gamma_critical(300, -13.8) / 1.5).exp(), 1e-12);
}

/// `rejected` of `trials` is what level `alpha` allows, at one in a million.
#[track_caller]
fn calibrated(rejected: u64, trials: u64, alpha: f64) {
    let ln = ln_binomial_upper(rejected, trials, alpha).min(ln_binomial_lower(rejected, trials, alpha));
    assert!(ln > -13.8, "{rejected} of {trials} at {alpha}");
}

#[test]
fn uniformity_rejects_uniform_data_at_its_level() {
    let mut draw = uniforms(1);
    let sets: Vec<Vec<f64>> = (0..4000).map(|_| (0..40).map(|_| libm::log(draw())).collect()).collect();
    for alpha in [0.5f64, 0.05, 0.01] {
        let count = |test: fn(&[f64]) -> f64| sets.iter().filter(|set| test(set) <= alpha.ln()).count() as u64;
        calibrated(count(ln_uniformity), 4000, alpha);
        calibrated(count(ln_too_small), 4000, alpha);
    }
    // Squared uniforms are too small too often.
    assert!(ln_too_small(&sets.concat().iter().take(300).map(|ln| 2.0 * ln).collect::<Vec<_>>()) < -20.0);
}

#[test]
fn randomised_counts_are_uniform() {
    let mut draw = uniforms(2);
    let (mut plain, mut randomised) = (Vec::new(), Vec::new());
    for _ in 0..3000 {
        let hits = (0..8).filter(|_| draw() <= 0.25).count() as u64;
        let u = draw();
        plain.push(ln_binomial_upper(hits, 8, 0.25));
        randomised.push(ln_binomial_randomised(hits, 8, 0.25, u));
        near(
            randomised[randomised.len() - 1],
            ln_randomised(ln_binomial_upper(hits + 1, 8, 0.25), ln_binomial_point(hits, 8, 0.25), u),
            1e-9,
        );
    }
    assert!(ln_uniformity(&randomised) > 0.001f64.ln());
    assert!(ln_uniformity(&plain) < -50.0, "a discrete statistic is not uniform");
}

proptest! {
    #[test]
    fn binomial_tails_are_monotone_and_complete(n in 1u64..5_000_000, at in 0.0..1.0f64, p in 0.0001..0.9999f64) {
        // Half of the counts near the mean, where both tails matter.
        let spread = (n as f64 * p * (1.0 - p)).sqrt();
        let k = (n as f64 * p + 12.0 * (at - 0.5) * spread).round().clamp(1.0, n as f64) as u64;
        let (here, before) = (ln_binomial_upper(k, n, p), ln_binomial_upper(k - 1, n, p));
        prop_assert!(here <= before);
        prop_assert!((here.exp() + ln_binomial_lower(k - 1, n, p).exp() - 1.0).abs() < 1e-12);
        // P(X ≥ k − 1) = P(X ≥ k) + P(X = k − 1): two computations of one number.
        let sum = here.exp() + ln_binomial_point(k - 1, n, p).exp();
        prop_assert!((before.exp() - sum).abs() <= 1e-11 * sum);
        prop_assert!(ln_binomial_upper(k, n, p * 0.99) <= here);
    }

    #[test]
    fn gamma_tails_are_monotone_and_complete(ln_shape in 0.0..18.0f64, z in -9.0..40.0f64) {
        let shape = ln_shape.exp();
        let x = (shape + z * shape.sqrt()).max(1e-3);
        let here = ln_gamma_upper(shape, x);
        prop_assert!(ln_gamma_upper(shape, x * 1.001) <= here && ln_gamma_upper(shape * 1.001, x) >= here);
        prop_assert!((here.exp() + ln_gamma_lower(shape, x).exp() - 1.0).abs() < 1e-12);
        // Q(a + 1, x) = Q(a, x) + x^a e^−x / Γ(a + 1).
        let point = super::special::ln_poisson_point(shape, x);
        let sum = super::special::ln_add(here, point);
        prop_assert!((ln_gamma_upper(shape + 1.0, x) - sum).abs() <= 1e-11 * sum.abs() + 1e-13);
    }
}

/// The mean of an e-value over its null, by going through every outcome of two urns.
#[test]
fn more_hits_has_mean_one_under_its_null() {
    let chance = |k: u64, hits: u64, all: u64, drawn: u64| {
        libm::exp(ln_hypergeometric_upper(k, all, hits, drawn))
            - libm::exp(ln_hypergeometric_upper(k + 1, all, hits, drawn))
    };
    for ((a_hits, a_all, a_drawn), (b_hits, b_all, b_drawn)) in
        [((3, 20, 5), (0, 9, 4)), ((12, 40, 30), (7, 30, 10)), ((1, 2, 1), (500, 1000, 20))]
    {
        let mut mean = 0.0;
        for i in 0..=a_hits.min(a_drawn) {
            for j in 0..=b_hits.min(b_drawn) {
                let p = chance(i, a_hits, a_all, a_drawn) * chance(j, b_hits, b_all, b_drawn);
                let draw = |hits, drawn, all_hits, all| Draw { hits, drawn, all_hits, all };
                let possible = a_drawn - i <= a_all - a_hits && b_drawn - j <= b_all - b_hits;
                if possible {
                    let draws = [draw(i, a_drawn, a_hits, a_all), draw(j, b_drawn, b_hits, b_all)];
                    mean += p * libm::exp(ln_e_more_hits(&draws));
                }
            }
        }
        assert!((mean - 1.0).abs() < 1e-9, "{mean}");
    }
}

#[test]
fn a_sequence_keeps_its_wealth_and_finds_a_late_change() {
    let mut sequence = Sequence::default();
    assert_eq!(sequence.evidence(), 1.0);
    for _ in 0..50 {
        sequence.add(0.0, 1e12);
    }
    assert!((sequence.evidence() - 1.0).abs() < 1e-12, "e-values of one change nothing: {}", sequence.evidence());
    for _ in 0..50 {
        sequence.add(-1.0, 1e12);
    }
    assert!(sequence.evidence() < 0.02);
    for _ in 0..8 {
        sequence.add(3.0, 1e6);
    }
    assert!(sequence.evidence() > 1e5 && sequence.evidence() <= 1e6 + 1.0, "{}", sequence.evidence());
}
