//! The search over readings of a key: the right one is found, and unmarked text gives nothing, at the stated rate.

use super::tests as as_tests;
use crate::detect::decoys::DecoyConfig;
use crate::detect::windows::Text;
use crate::detect::{DetectConfig, Finding, Reading, Verdict};
use crate::stats::ln_binomial_upper;
use crate::watermark::keys::{Given, Key, read};
use crate::watermark::sample::Sampling;
use crate::watermark::{SoFar, search::candidates};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const VOCAB: u32 = 200;

fn searched(file: &str, texts: &[Text], alpha: f64) -> Vec<Finding> {
    let tests = as_tests(candidates(file, "k", &Given::default()).expect("candidates"));
    let config = DetectConfig {
        alpha,
        least_uniformity: 0.001,
        power: 0.95,
        strength: 0.1,
        level: 0.95,
        decoys: DecoyConfig { n: 40, windows: 2000, steps: 1e8, seed: 3 },
        bytes: 1 << 26,
        dir: std::env::temp_dir(),
        search: true,
        places: None,
    };
    let mut reading = Reading::new(&tests, &config, true).expect("a directory");
    reading.add(texts).expect("memory");
    reading.finish(None, &|_| ()).expect("memory")
}

fn key(file: &str) -> Key {
    let root = |_: &str| unreachable!();
    read(file, "k", &Given::default(), &root).expect("a key").pop().expect("one")
}

/// Six texts, marked where there is a scheme.
fn texts(scheme: Option<&Key>, seed: u64) -> Vec<Text> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut one = || {
        let (mut tokens, start): (Vec<u32>, u32) = (Vec::new(), rng.random_range(0..VOCAB));
        for step in 0..150u32 {
            let logits: Vec<f32> = (0..VOCAB).map(|i| ((i * 37 + step * 11 + start) % 101) as f32 / 40.0).collect();
            let mut uniform = || rng.random::<f64>();
            tokens.push(match scheme {
                None => crate::watermark::sample::draw(&vec![1.0; VOCAB as usize], uniform()),
                Some(key) => {
                    let so_far = SoFar { prompt: &[start], response: &tokens };
                    key.opened.scheme.plant(so_far, &logits, &Sampling::default(), &mut uniform).expect("logits")
                }
            });
        }
        Text { tokens, prompt: None }
    };
    (0..6).map(|_| one()).collect()
}

#[test]
fn the_right_reading_of_a_key_is_found_whatever_it_was() {
    let base = format!("vocab_size = {VOCAB}\n");
    for (scheme, dialect, fields) in [
        ("gumbel", "sglang", "key = \"9f3c0d71aa55\"\ncontext_window = 2"),
        ("dual_key_gumbel", "sglang", "key = \"9f3c0d71aa55\"\nkey_b = \"77aa3\""),
        ("sbw", "sbw", "hash_key = 48112959837\nseeding_scheme = \"gpu-fused-simple_4-fullvocab\"\ndelta = 4.0"),
        ("sbw", "vllm", "key = 48112959837\ngamma = 0.25\ndelta = 4.0"),
        ("gumbel", "vllm", "key = 48112959837\ncontext_width = 3"),
        ("kgw", "lm-watermarking", "hash_key = 48112959837\nseeding_scheme = \"minhash\"\ndelta = 4.0"),
    ] {
        let file = format!("scheme = \"{scheme}\"\ndialect = \"{dialect}\"\n{fields}\n{base}");
        let marked = texts(Some(&key(&file)), 5);
        // Nothing but the key is remembered.
        let key_alone: String = fields.lines().filter(|line| line.contains("key")).map(|l| format!("{l}\n")).collect();
        let mut found = searched(&format!("{key_alone}{base}"), &marked, 1e-6);
        found.sort_by(|a, b| a.ln_p.total_cmp(&b.ln_p));
        let best = &found[0];
        assert_eq!((best.scheme, best.dialect, best.verdict), (scheme, dialect, Verdict::Marked), "{}", best.rule);
        assert!(best.rule.contains("every dialect and profile") && best.m_tests == found.len(), "{}", best.rule);
        // Readings that share lists with the right one (another share, another name for the same seeds) rise with it, and no other scheme.
        let others: Vec<_> =
            found.iter().filter(|f| f.verdict == Verdict::Marked).map(|f| (f.scheme, f.dialect)).collect();
        assert!(others.iter().all(|of| of.0 == scheme || of.1 == dialect), "{scheme} {dialect}: {others:?}");
    }
}

#[test]
fn unmarked_text_gives_nothing_at_the_stated_rate() {
    let alpha: f64 = 0.05;
    // Whole numbers have many readings, of which some make a large table each; 32 bytes have fewer.
    let int = |seed: u64| format!("key = {}\nvocab_size = {VOCAB}\n", 48_112_959_837 + 2_000_003 * seed);
    let bytes = |seed: u64| format!("key = \"{}\"\nvocab_size = {VOCAB}\n", blake3::hash(&seed.to_le_bytes()).to_hex());
    for (runs, least, whole) in [(8u64, 60, true), (300, 30, false)] {
        let mut rejected = 0u64;
        for seed in 0..runs {
            let file = if whole { int(seed) } else { bytes(seed) };
            let found = searched(&file, &texts(None, 1000 + seed)[..1], alpha);
            assert!(found.len() > least, "{} readings", found.len());
            rejected += u64::from(found.iter().any(|f| f.adjusted_log10_p <= alpha.log10()));
        }
        // As many or more would come once in ten thousand such tests, were the rate alpha.
        assert!(ln_binomial_upper(rejected, runs, alpha) > (1e-4f64).ln(), "{rejected} of {runs}");
    }
}
