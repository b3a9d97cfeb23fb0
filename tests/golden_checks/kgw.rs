//! kgw_lefthash.json, kgw_selfhash.json and kgw_hf_4_57_3.json: the detectors of transformers and lm-watermarking; unigram.json.

use crate::load::{close, ids, integer, list, number, vectors};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use std::collections::HashSet;
use stillhunt::watermark::about::Opened;
use stillhunt::watermark::catalogue;
use stillhunt::watermark::fields::Fields;
use stillhunt::watermark::green::Lists;
use stillhunt::watermark::profile::Profile;
use stillhunt::watermark::{Value, kgw_facts, kgw_transformers, score_text, unigram};

/// Opens a scheme as a key file would, with the fields of a record.
pub(crate) fn open(scheme: &str, dialect: &str, fields: &[(&str, &Json)]) -> Opened {
    let mut table = toml::Table::new();
    table.insert("scheme".into(), scheme.into());
    table.insert("dialect".into(), dialect.into());
    for (name, value) in fields {
        table.insert((*name).into(), toml::Value::try_from(value).expect("a field of a key file"));
    }
    catalogue::open(&Fields::new(table)).unwrap_or_else(|error| panic!("{scheme} {dialect}: {error}")).1
}

fn hits(opened: &Opened, tokens: &[u32]) -> Vec<bool> {
    let values = score_text(opened.scheme.as_ref(), tokens).expect("a text with windows");
    values.iter().map(|value| *value == Value::Green(true)).collect()
}

/// Those of `hits` whose window of `width` tokens did not stand before.
fn distinct(hits: &[bool], tokens: &[u32], width: usize) -> Vec<bool> {
    let mut seen = HashSet::new();
    let windows = tokens.windows(width).zip(hits);
    assert_eq!(hits.len(), tokens.len() + 1 - width, "one hit or miss a window");
    windows.filter(|(window, _)| seen.insert(*window)).map(|(_, &hit)| hit).collect()
}

fn mask(hits: &[bool]) -> String {
    hits.iter().map(|&hit| if hit { '1' } else { '0' }).collect()
}

struct Hf {
    hits: Vec<bool>,
    distinct: Vec<bool>,
    ratio: f64,
}

/// Tokens that a window of transformers' detector has.
fn hf_window(config: &Json) -> usize {
    let width = usize::try_from(integer(&config["context_width"])).expect("a width");
    width + usize::from(config["seeding_scheme"] == "lefthash")
}

fn hf(record: &Json, tokens: &[u32]) -> Hf {
    let config = &record["watermarking_config"];
    let mut fields: Vec<(&str, &Json)> =
        config.as_object().expect("a config").iter().map(|(name, value)| (name.as_str(), value)).collect();
    fields.push(("vocab_size", &record["vocab"]));
    let hits = hits(&open("kgw", "transformers", &fields), tokens);
    let distinct = distinct(&hits, tokens, hf_window(config));
    Hf { hits, distinct, ratio: number(&config["greenlist_ratio"]) }
}

fn count(hits: &[bool]) -> usize {
    hits.iter().filter(|&&hit| hit).count()
}

/// Counts, z and p of one detector's result.
fn facts(expected: &Json, hits: &[bool], share: f64, what: &str) {
    let (green, n) = (count(hits), hits.len());
    assert_eq!(n as i128, integer(&expected["num_tokens_scored"]), "{what}");
    assert_eq!(green as i128, integer(&expected["num_green_tokens"]), "{what}");
    let z = kgw_facts::z(green, n, share);
    close(z, number(&expected["z_score"]), 1e-12, &what);
    if expected["p_value"].is_number() {
        close(kgw_facts::p_value(z), number(&expected["p_value"]), 1e-9, &what);
        close(green as f64 / n as f64, number(&expected["green_fraction"]), 1e-12, &what);
        assert_eq!(expected["prediction"], z > if expected["confidence"].is_number() { 3.0 } else { 4.0 }, "{what}");
    }
}

fn seeds(record: &Json, tokens: &[u32]) {
    let config = &record["watermarking_config"];
    let vocab = u32::try_from(integer(&record["vocab"])).expect("32 bits");
    let width = usize::try_from(integer(&config["context_width"])).expect("a width");
    let left = config["seeding_scheme"] == "lefthash";
    let seeding = if left { kgw_transformers::Seeding::LeftHash } else { kgw_transformers::Seeding::SelfHash };
    let lists = Lists::new(Profile::Cpu, vocab, 0.25, false).expect("lists");
    let scheme = kgw_transformers::Kgw::new(integer(&config["hashing_key"]), seeding, width, 0.25, 0.0, lists);
    let scheme = scheme.expect("a key");
    let contexts = tokens.windows(hf_window(config)).map(|window| &window[..window.len() - usize::from(left)]);
    for (expected, context) in list(record, "first8_seeds").iter().zip(contexts) {
        assert_eq!(i128::from(scheme.seed(context)), integer(expected), "{}", record["id"]);
    }
}

fn lm(record: &Json, tokens: &[u32]) {
    let lm = &record["lm_watermarking"];
    let what = record["id"].to_string();
    let name = lm["seeding_scheme"].as_str().expect("a name");
    let fields = [("seeding_scheme", &lm["seeding_scheme"]), ("gamma", &lm["gamma"]), ("vocab_size", &lm["vocab"])];
    let opened = open("kgw", "lm-watermarking", &fields);
    let gamma = number(&lm["gamma"]);
    let hits = hits(&opened, tokens);
    let salt = name.contains("-True");
    let distinct = distinct(&hits, tokens, opened.scheme.traits().shape.context + 1);
    for expected in list(lm, "results") {
        assert_eq!(mask(&hits), expected["green_mask"], "{what}");
        let counted = if expected["ignore_repeated_ngrams"] == true { &distinct } else { &hits };
        facts(expected, counted, gamma, &what);
        running(expected, tokens, opened.scheme.traits().shape.context + 1, counted, gamma);
    }
    assert_eq!(salt, opened.scheme.traits().shape.context + 1 == width_of(name), "{what}");
    window(&lm["winmax"], &distinct, gamma, &what);
}

fn width_of(name: &str) -> usize {
    name.split('-').nth(2).and_then(|width| width.parse().ok()).expect("a width")
}

/// z at every 50th window, read at the number of counted windows up to there.
fn running(expected: &Json, tokens: &[u32], width: usize, counted: &[bool], gamma: f64) {
    let Some(at_50) = expected["z_at_T_every50"].as_array() else { return };
    let z = kgw_facts::running_z(counted, gamma);
    let mut seen = HashSet::new();
    let once = expected["ignore_repeated_ngrams"] == true;
    let mut so_far = 0;
    let mut at_windows = Vec::new();
    for window in tokens.windows(width) {
        so_far += usize::from(seen.insert(window) || !once);
        at_windows.push(f64::from(z[so_far - 1]));
    }
    let got: Vec<f64> = at_windows.into_iter().skip(49).step_by(50).collect();
    assert_eq!(got.len(), at_50.len(), "{expected}");
    for (got, expected) in got.iter().zip(at_50) {
        assert!((got - number(expected)).abs() < 2e-6 * number(expected).abs().max(1.0), "{got} and not {expected}");
    }
}

fn window(expected: &Json, distinct: &[bool], gamma: f64, what: &str) {
    if expected.is_null() {
        return;
    }
    let sizes: Vec<usize> = match expected["window_size"].as_str().expect("sizes") {
        "max" => (1..distinct.len()).collect(),
        sizes => sizes.split(',').map(|size| size.parse().expect("a size")).collect(),
    };
    let got = kgw_facts::best_window(distinct, &sizes, gamma);
    if expected["error"].is_string() {
        assert!(got.is_none(), "{what}");
        return;
    }
    let got = got.unwrap_or_else(|| panic!("{what}: a window"));
    assert_eq!(got.size as i128, integer(&expected["num_tokens_scored"]), "{what}");
    assert_eq!(got.green as i128, integer(&expected["num_green_tokens"]), "{what}");
    close(f64::from(got.z), number(&expected["z_score"]), 1e-12, &what);
    close(kgw_facts::p_value(f64::from(got.z)), number(&expected["p_value"]), 1e-6, &what);
}

pub(crate) fn check(stem: &str) {
    let file = vectors(stem);
    let sequences = list(&file, "sequences");
    for record in sequences {
        let (tokens, what) = (ids(&record["ids"]), record["id"].to_string());
        let scored = hf(record, &tokens);
        let expected = list(record, "hf");
        assert!(expected.iter().any(|result| !result.is_null()), "{what}: a result");
        for result in expected.iter().filter(|result| !result.is_null()) {
            let counted = if result["ignore_repeated_ngrams"] == true { &scored.distinct } else { &scored.hits };
            facts(result, counted, scored.ratio, &what);
        }
        assert_eq!(mask(&scored.hits), record["hf_green_mask_per_ngram"], "{what}");
        seeds(record, &tokens);
        if !record["lm_watermarking"].is_null() {
            lm(record, &tokens);
        }
    }
    for record in file["bos_prepended"].as_array().expect("a list") {
        let sequence = sequences.iter().find(|sequence| sequence["id"] == record["id"]).expect("its sequence");
        let bos = u32::try_from(integer(&record["bos"])).expect("a token");
        let mut tokens = vec![bos];
        tokens.extend(ids(&sequence["ids"]));
        // What a reader of texts does where it is told the token: one leading BOS goes.
        let text = tokens.strip_prefix(&[bos]).expect("a leading BOS");
        let scored = hf(sequence, text);
        facts(&record["hf"], &scored.hits, scored.ratio, &record["id"].to_string());
    }
}

/// The flag that did nothing before transformers 5.19: counts of all windows under its name.
pub(crate) fn check_4_57_3() {
    let file = vectors("kgw_hf_4_57_3");
    for record in list(&file, "records") {
        let stem = record["file"].as_str().and_then(|name| name.strip_suffix(".json")).expect("a file of vectors");
        let sequences = vectors(stem);
        let sequence = list(&sequences, "sequences").iter().find(|sequence| sequence["id"] == record["id"]);
        let sequence = sequence.expect("its sequence");
        let scored = hf(sequence, &ids(&sequence["ids"]));
        let what = record["id"].to_string();
        facts(record, &scored.hits, scored.ratio, &what);
        assert_eq!(scored.distinct.len() as i128, integer(&record["v5_23_num_tokens_scored"]), "{what}");
        let z = kgw_facts::z(count(&scored.distinct), scored.distinct.len(), scored.ratio);
        close(z, number(&record["v5_23_z_score"]), 1e-12, &what);
    }
}

pub(crate) fn check_unigram() {
    let file = vectors("unigram");
    let sequences = vectors("kgw_lefthash");
    for case in list(&file, "cases") {
        let key = i64::try_from(integer(&case["key"])).expect("64 bits");
        let vocab = u32::try_from(integer(&case["vocab"])).expect("32 bits");
        let fraction = number(&case["fraction"]);
        assert_eq!(i128::from(unigram::seed(key)), integer(&case["seed_u32"]), "{key}");
        let scheme = unigram::Unigram::new(key, fraction, 2.0, vocab).expect("a scheme");
        let bytes: Vec<u8> = scheme.mask().iter().map(|&green| u8::from(green)).collect();
        let first: String = bytes.iter().take(64).map(|bit| bit.to_string()).collect();
        assert_eq!(first, case["first64"], "{key}");
        assert_eq!(bytes.iter().filter(|&&bit| bit == 1).count() as i128, integer(&case["ones"]), "{key}");
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, case["sha256_u8"], "{key}");
        let fields = [("watermark_key", &case["key"]), ("fraction", &case["fraction"]), ("vocab_size", &case["vocab"])];
        let opened = open("unigram", "unigram-watermark", &fields);
        for record in list(case, "detect") {
            let sequence = list(&sequences, "sequences").iter().find(|sequence| sequence["id"] == record["seq_id"]);
            let tokens = ids(&sequence.expect("its sequence")["ids"]);
            let what = record["seq_id"].to_string();
            let hits = hits(&opened, &tokens);
            close(kgw_facts::z(count(&hits), hits.len(), fraction), number(&record["z"]), 1e-12, &what);
            let unique = distinct(&hits, &tokens, 1);
            let z = kgw_facts::z(count(&unique), unique.len(), fraction);
            close(z, number(&record["z_unique"]), 1e-12, &what);
            let dynamic = record.as_object().expect("a record").iter();
            for (name, expected) in dynamic.filter(|(name, _)| name.starts_with("dynamic_alpha")) {
                let alpha = name["dynamic_alpha".len()..].replace('_', ".").parse().expect("a level");
                let threshold = unigram::dynamic_threshold(unique.len(), vocab, alpha);
                close(threshold, number(&expected[1]), 1e-10, &what);
                assert_eq!(expected[0], z > threshold, "{what}");
            }
        }
    }
}
