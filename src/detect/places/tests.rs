//! Places through the whole reading: planted runs in text of chance, keys that were never used on every kind of scheme, repeats, payloads and many documents.

use super::*;
use crate::detect::decoys::{DecoyConfig, material};
use crate::detect::{DetectConfig, Reading};
use crate::stats::ln_binomial_upper;
use crate::watermark::SoFar;
use crate::watermark::catalogue;
use crate::watermark::fields::Fields;
use crate::watermark::keys::TreeKey;
use crate::watermark::sample::Sampling;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const VOCAB: u32 = 500;

fn scheme(name: &str, dialect: &str, extra: &str) -> Box<dyn Scheme> {
    let about = catalogue::ALL.iter().find(|about| about.scheme == name && about.dialect == dialect).expect("a scheme");
    let mut table = TreeKey::root([7; 32]).fields(about);
    table.extend(extra.parse::<toml::Table>().expect("TOML"));
    table.insert("scheme".into(), name.into());
    table.insert("dialect".into(), dialect.into());
    table.insert("vocab_size".into(), i64::from(VOCAB).into());
    catalogue::open(&Fields::new(table)).unwrap_or_else(|error| panic!("{name} {dialect}: {error}")).1.scheme
}

fn test(name: &'static str, marker: Box<dyn Scheme>) -> Test {
    Test {
        key_id: "a key".into(),
        scheme: name,
        dialect: "native",
        profile: "any".into(),
        predicted: false,
        published: None,
        parameters: std::collections::BTreeMap::new(),
        marker,
    }
}

fn config(decoys: usize) -> DetectConfig {
    DetectConfig {
        search: false,
        places: Some(PlacesConfig { alpha: 0.01, detector: None }),
        alpha: 1e-6,
        least_uniformity: 0.001,
        power: 0.95,
        strength: 0.1,
        level: 0.95,
        decoys: DecoyConfig { n: decoys, windows: 2000, steps: 1e9, seed: 1 },
        bytes: 1 << 24,
        dir: std::env::temp_dir(),
    }
}

fn run(tests: &[Test], texts: &[Vec<u32>], config: &DetectConfig) -> Vec<Finding> {
    let texts: Vec<Text> = texts.iter().map(|tokens| Text { tokens: tokens.clone(), prompt: None }).collect();
    let mut reading = Reading::new(tests, config, false).expect("a directory");
    texts.chunks(3).for_each(|part| reading.add(part).expect("added"));
    reading.finish(None, &|_| ()).expect("finished")
}

fn chance(n: usize, rng: &mut ChaCha8Rng) -> Vec<u32> {
    (0..n).map(|_| rng.random_range(0..VOCAB)).collect()
}

/// Text of chance in which `n` tokens from place `at` on are planted.
fn planted(marker: &dyn Scheme, len: usize, at: usize, n: usize, rng: &mut ChaCha8Rng) -> Vec<u32> {
    let mut tokens = chance(at, rng);
    for _ in 0..n {
        let logits: Vec<f32> = (0..VOCAB).map(|_| 4.0 * rng.random::<f32>()).collect();
        let so_far = SoFar { prompt: &[], response: &tokens };
        let token = marker.plant(so_far, &logits, &Sampling::default(), &mut || rng.random());
        tokens.push(token.expect("finite logits"));
    }
    tokens.extend(chance(len - tokens.len(), rng));
    tokens
}

/// Schemes whose values are coins, lists, one list, scores, blends, layers, and layers that are shifts of one table.
fn kinds() -> Vec<(&'static str, Box<dyn Scheme>)> {
    [
        ("green-list", "native", "context_width = 2"),
        ("gumbel", "native", "context_width = 2"),
        ("tournament", "native", "context_width = 2"),
        ("kgw", "transformers", ""),
        ("unigram", "unigram-watermark", ""),
        ("dual_key_gumbel", "vllm", ""),
        ("synthid", "transformers", "statistic = \"weighted_mean\""),
        ("gumbelmax", "textseal", ""),
    ]
    .map(|(name, dialect, extra)| (name, scheme(name, dialect, extra)))
    .into()
}

#[test]
fn a_planted_run_is_named_with_its_place_and_nothing_else_is() {
    for (name, marker) in kinds() {
        if ["unigram", "gumbelmax"].contains(&name) {
            // One list for all has few windows to score, and the generator of 13 bits repeats itself; both are calibrated below.
            continue;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let mut texts: Vec<Vec<u32>> = (0..12).map(|_| chance(600, &mut rng)).collect();
        texts[7] = planted(marker.as_ref(), 1500, 600, 300, &mut rng);
        let found = run(&[test(name, marker)], &texts, &config(20)).remove(0);
        let places = found.places.expect("asked for");
        assert_eq!(
            (places.named, places.documents, places.m_tests),
            (1, 12, 12),
            "{name}: {} {}",
            found.rule,
            places.rule
        );
        let first = &places.list[0];
        assert!(first.document == 7 && first.named && first.tokens == 1500, "{name}: {first:?}");
        let [from, past] = first.spans[0].tokens;
        let both = past.min(900).saturating_sub(from.max(600)) as f64;
        let either = past.max(900) as f64 - from.min(600) as f64;
        assert!(both / either > 0.75, "{name}: {from} to {past}");
        assert!(first.spans[0].statistic > first.spans[0].expected);
        assert!(places.list[1..].iter().all(|document| !document.named) && places.list.len() == LEAST_LISTED);
        assert!(places.list.is_sorted_by(|a, b| a.log10_p <= b.log10_p));
    }
}

#[test]
fn keys_that_were_never_used_find_no_place_more_often_than_they_may() {
    for (name, marker) in kinds() {
        // Text of chance with its own repeats: few tokens, so that contexts come again.
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let lens = [5usize, 20, 60, 200, 700];
        let texts: Vec<Vec<u32>> = lens
            .iter()
            .map(|n| (0..*n).map(|_| rng.random_range(0..VOCAB).min(rng.random_range(0..VOCAB))).collect())
            .collect();
        let n = if marker.shifted().is_some() || name == "kgw" { 60 } else { 200 };
        let mut small = vec![[0u64; 2]; lens.len()];
        let mut least = 0u64;
        for key in 0..n {
            let test = test(name, marker.with_key(&material(3, key as usize)));
            let mut config = config(0);
            // A wide level, so that the law of each span is computed.
            config.places = Some(PlacesConfig { alpha: 0.5, detector: None });
            let places = run(&[test], &texts, &config).remove(0).places.expect("asked for");
            for document in &places.list {
                for (count, level) in
                    small[document.document as usize].iter_mut().zip([-std::f64::consts::LOG10_2, -1.0])
                {
                    *count += u64::from(document.log10_p <= level);
                }
            }
            least += u64::from(places.list.iter().any(|document| document.adjusted_log10_p <= -1.0));
            assert_eq!((places.named, places.level), (0, None), "no decoys were run");
        }
        for (len, counts) in lens.iter().zip(small) {
            for (hits, alpha) in counts.into_iter().zip([0.5, 0.1]) {
                assert!(ln_binomial_upper(hits, n, alpha) > (1e-6f64).ln(), "{name} {len}: {hits} of {n} at {alpha}");
            }
        }
        assert!(ln_binomial_upper(least, n, 0.1) > (1e-6f64).ln(), "{name}: some document at .1 in {least} of {n}");
    }
}

#[test]
fn a_copy_is_no_place_and_a_payload_is_looked_for_under_its_own() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let marker = scheme("gumbel", "native", "");
    let marked = planted(marker.as_ref(), 400, 100, 200, &mut rng);
    let texts = vec![chance(400, &mut rng), marked.clone(), marked];
    let places = run(&[test("gumbel", marker)], &texts, &config(20)).remove(0).places.expect("asked for");
    // The copy has no window left, so it is no test either.
    assert_eq!((places.documents, places.m_tests, places.named, places.list[0].document), (2, 2, 1, 1));

    let several = scheme("gumbel", "three_bricks", "payload_max = 4\npayload = 3");
    assert_eq!(several.traits().payloads, 5);
    let texts = vec![chance(300, &mut rng), planted(several.as_ref(), 600, 200, 200, &mut rng)];
    let found = run(&[test("gumbel", several)], &texts, &config(20)).remove(0);
    let places = found.places.expect("asked for");
    assert_eq!((found.payload, places.m_tests, places.named), (Some(3), 10, 1), "{}", found.rule);
    assert_eq!(places.list[0].document, 1);
}

#[test]
fn the_level_follows_the_verdict_and_what_gives_no_verdict_names_nothing() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let marker = || scheme("gumbel", "native", "");
    let texts = vec![planted(marker().as_ref(), 900, 300, 300, &mut rng), chance(500, &mut rng)];
    let once = |change: &dyn Fn(&mut Test, &mut DetectConfig), texts: &[Vec<u32>]| {
        let (mut test, mut config) = (test("gumbel", marker()), config(20));
        change(&mut test, &mut config);
        let found = run(&[test], texts, &config).remove(0);
        (found.verdict, found.places.expect("asked for"))
    };
    let (verdict, places) = once(&|_, _| (), &texts);
    assert_eq!((verdict, places.level, places.named), (Verdict::Marked, Some(0.01), 1), "{}", places.rule);
    let (_, places) = once(&|_, config| config.decoys.n = 0, &texts);
    assert!(places.named == 0 && places.level.is_none() && places.rule.contains("no decoys"), "{}", places.rule);
    assert!(!places.list[0].named && places.list[0].log10_p < -10.0);
    let (_, places) = once(&|test, _| test.published = Some("a page"), &texts);
    assert!(places.named == 0 && places.rule.contains("public"), "{}", places.rule);
    let (verdict, places) = once(&|_, _| (), &texts[1..]);
    assert!(verdict != Verdict::Marked && places.level == Some(1e-6) && places.named == 0, "{}", places.rule);
    // A run that the whole text hides is named at the verdict's own level.
    let hidden: Vec<Vec<u32>> = (0..40).map(|_| chance(2000, &mut rng)).chain([texts[0][300..345].to_vec()]).collect();
    let (verdict, places) = once(&|_, _| (), &hidden);
    assert_eq!((verdict != Verdict::Marked, places.level, places.named), (true, Some(1e-6), 1), "{}", places.rule);
}

#[test]
fn many_short_documents_and_those_without_a_window_are_all_counted() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let mut texts: Vec<Vec<u32>> = (0..20_000).map(|_| chance(10, &mut rng)).collect();
    texts.push(vec![3]);
    texts.push(Vec::new());
    let found = run(&[test("gumbel", scheme("gumbel", "native", ""))], &texts, &config(5)).remove(0);
    let places = found.places.expect("asked for");
    assert_eq!((places.documents, places.spans, places.named), (20_000, 20_000, 0), "{}", places.rule);
    assert!(places.list.len() == LEAST_LISTED && places.list.iter().all(|document| document.tokens == 10));
    let none = run(&[test("gumbel", scheme("gumbel", "native", ""))], &[vec![1]], &config(5)).remove(0);
    let places = none.places.expect("asked for");
    assert!(places.documents == 0 && places.list.is_empty() && places.rule.contains("no window"), "{}", places.rule);
}

#[test]
fn more_named_documents_than_are_listed_are_counted() {
    let marker = scheme("gumbel", "native", "");
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let texts: Vec<Vec<u32>> = (0..MOST_LISTED + 30).map(|_| planted(marker.as_ref(), 24, 0, 24, &mut rng)).collect();
    let places = run(&[test("gumbel", marker)], &texts, &config(20)).remove(0).places.expect("asked for");
    assert!(places.named as usize > MOST_LISTED, "{}", places.named);
    assert_eq!(places.list.len(), MOST_LISTED);
    assert_eq!(places.named_not_listed, places.named - MOST_LISTED as u64);
}

#[test]
fn a_trained_detector_speaks_of_its_own_kind_and_moves_nothing() {
    use safetensors::tensor::{Dtype, TensorView, serialize};
    let bytes = |of: Vec<f32>| of.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let [beta, delta, prior] = [vec![0.5; 30], vec![0.01; 900], vec![0.5]].map(bytes);
    fn view(bytes: &[u8]) -> TensorView<'_> {
        TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes).expect("a tensor")
    }
    let named = [
        ("likelihood_model_watermarked.beta", view(&beta)),
        ("likelihood_model_watermarked.delta", view(&delta)),
        ("prior", view(&prior)),
    ];
    let detector = TrainedDetector::from_safetensors(&serialize(named, None).expect("a file")).expect("a detector");
    let marker = || scheme("tournament", "native", "depth = 30");
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let texts = vec![chance(300, &mut rng), planted(marker().as_ref(), 300, 0, 300, &mut rng)];
    let tests = [test("tournament", marker()), test("gumbel", scheme("gumbel", "native", ""))];
    let without = run(&tests, &texts, &config(20));
    let mut config = config(20);
    config.places = Some(PlacesConfig { alpha: 0.01, detector: Some(Arc::new(detector)) });
    let mut found = run(&tests, &texts, &config);
    let own = found[0].places.as_mut().expect("asked for");
    let posteriors: Vec<f64> = own.list.iter_mut().filter_map(|document| document.posterior.take()).collect();
    assert!(posteriors.len() == 2 && posteriors[0] > 0.99 && posteriors[1] < 0.01, "{posteriors:?}");
    assert_eq!(own.posterior_is.take(), Some(POSTERIOR));
    for (found, without) in found.iter().zip(&without) {
        assert_eq!((found.verdict, &found.places), (without.verdict, &without.places));
    }
}
