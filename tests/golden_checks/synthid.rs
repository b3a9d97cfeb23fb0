//! SynthID: bits, masks and scores of whole texts.

use crate::load::{close, ids, integer, list, number, vectors};
use serde_json::Value;
use stillhunt::watermark::profile::Profile;
use stillhunt::watermark::synthid::{bayesian_posterior, eos_mask, mean_score, mean_score_f32, weights};
use stillhunt::watermark::synthid_text::{Hashed, hash_iv};
use stillhunt::watermark::synthid_transformers::{Setting, Table, sampling_table};
use stillhunt::watermark::{self, Scheme};

pub(crate) fn setting(config: &Value, vocab: u32) -> Setting {
    let leaves = config["num_leaves"].as_u64().unwrap_or(2) as u32;
    Setting {
        ngram_len: integer(&config["ngram_len"]) as usize,
        history: integer(&config["context_history_size"]) as usize,
        skip_first: config["skip_first_ngram_calls"].as_bool().unwrap_or(false),
        leaves,
        weighted: false,
        vocab,
    }
}

pub(crate) fn keys(config: &Value) -> Vec<i64> {
    list(config, "keys").iter().map(|key| i64::try_from(integer(key)).expect("64 bits")).collect()
}

pub(crate) fn table(config: &Value, vocab: u32) -> Table {
    let size = integer(&config["sampling_table_size"]) as u32;
    let seed = integer(&config["sampling_table_seed"]) as u64;
    Table::new(setting(config, vocab), keys(config), sampling_table(Profile::Cpu, seed, size)).expect("a table")
}

fn flags(mask: &[bool]) -> String {
    mask.iter().map(|keep| if *keep { '1' } else { '0' }).collect()
}

fn words(record: &Value) -> Vec<u64> {
    let word = |word: &Value| u64::from_str_radix(word.as_str().expect("hex"), 16).expect("hex");
    list(record, "g_values_hex").iter().map(word).collect()
}

/// Through the trait, too: bits of layers that differ from all before.
fn check_values(scheme: &dyn Scheme, tokens: &[u32], expected: &[u64], keys: &[i64], modulus: i128) {
    let reduced: Vec<i128> = keys.iter().map(|key| i128::from(*key).rem_euclid(modulus)).collect();
    let kept: Vec<usize> = (0..keys.len()).filter(|at| !reduced[..*at].contains(&reduced[*at])).collect();
    let pick = |word: &u64| kept.iter().enumerate().fold(0, |out, (to, from)| out | (word >> from & 1) << to);
    let expected: Vec<_> = expected.iter().map(|word| watermark::Value::Layers(pick(word))).collect();
    assert_eq!(watermark::score_text(scheme, tokens).expect("windows"), expected);
}

pub(crate) fn check_hf() {
    let file = vectors("synthid_hf");
    for record in list(&file, "sequences") {
        let (tokens, config) = (ids(&record["ids"]), &record["watermarking_config"]);
        let (id, ngram_len) = (&record["id"], integer(&config["ngram_len"]) as usize);
        let scheme = table(config, integer(&record["vocab"]) as u32);
        let (bits, expected) = (scheme.layers(&tokens), words(record));
        assert_eq!(bits, expected, "{id}: bits");
        check_values(&scheme, &tokens, &expected, &keys(config), integer(&config["sampling_table_size"]));

        let context = scheme.context_mask(&tokens);
        assert_eq!(flags(&context), record["context_mask"].as_str().expect("a mask"), "{id}: contexts");
        let eos = eos_mask(&tokens, ngram_len, integer(&record["eos_token_id"]) as u32);
        assert_eq!(flags(&eos), record["eos_mask"].as_str().expect("a mask"), "{id}: end of text");
        let mask: Vec<bool> = context.iter().zip(&eos).map(|(a, b)| *a && *b).collect();
        let n = mask.iter().filter(|keep| **keep).count();
        assert_eq!(n as i128, integer(&record["num_unmasked"]), "{id}");
        let depth = keys(config).len();
        let kept = || bits.iter().zip(&mask).filter(|(_, keep)| **keep);
        for (layer, ones) in list(record, "sum_g_per_layer").iter().enumerate() {
            let got = kept().filter(|(word, _)| *word >> layer & 1 == 1).count();
            assert_eq!(got as i128, integer(ones), "{id}: layer {layer}");
        }

        let (even, falling) = (vec![1.0; depth], weights(depth));
        let scores = [
            ("mean_score", mean_score(&bits, &mask, &even), 1e-12),
            ("weighted_mean_score", mean_score(&bits, &mask, &falling), 1e-12),
            ("mean_score_jax_f32", f64::from(mean_score_f32(&bits, &mask, &even)), 2e-6),
            ("weighted_mean_score_jax_f32", f64::from(mean_score_f32(&bits, &mask, &falling)), 2e-6),
            ("mean_score_context_mask_only", mean_score(&bits, &context, &even), 1e-12),
            ("weighted_mean_context_mask_only", mean_score(&bits, &context, &falling), 1e-12),
        ];
        for (name, got, tolerance) in scores {
            match record[name].as_f64() {
                Some(expected) => close(got, expected, tolerance, &format!("{id}: {name}")),
                None => assert!(record[name].is_null() && got.is_nan(), "{id}: {name}: {got}"),
            }
        }
        let params = &file["bayesian_params_by_depth"][depth.to_string()];
        let numbers = |list: &Value| list.as_array().expect("numbers").iter().map(number).collect::<Vec<f64>>();
        let delta: Vec<Vec<f64>> = list(params, "delta_lower").iter().map(numbers).collect();
        let got = bayesian_posterior(&bits, &mask, &numbers(&params["beta"]), &delta, number(&params["prior"]));
        // Single precision in the reference: a posterior is compared as the probability that it is.
        let expected = number(&record["hf_bayesian_posterior_f32"]);
        assert!((got - expected).abs() <= POSTERIOR, "{id}: posterior {got} and not {expected}");
    }
}

/// Of a posterior, absolute.
const POSTERIOR: f64 = 2e-6;

pub(crate) fn check_gdm_main() {
    for record in list(&vectors("synthid_gdm_main"), "sequences") {
        let (tokens, config, id) = (ids(&record["ids"]), &record["config"], &record["id"]);
        assert_eq!(i128::from(hash_iv(&keys(config))), integer(&record["hash_iv"]), "{id}: start value");
        let scheme = Hashed::new(setting(config, integer(&record["vocab"]) as u32), keys(config));
        let (bits, expected) = (scheme.layers(&tokens), words(record));
        assert_eq!(bits, expected, "{id}: bits");
        check_values(&scheme, &tokens, &expected, &keys(config), 1 << 64);
        let mask = scheme.context_mask(&tokens);
        assert_eq!(flags(&mask), record["context_mask"].as_str().expect("a mask"), "{id}: contexts");
        assert_eq!(mask.iter().filter(|keep| **keep).count() as i128, integer(&record["num_unmasked"]), "{id}");
        let depth = keys(config).len();
        for (name, weights) in [("mean_score", vec![1.0; depth]), ("weighted_mean_score", weights(depth))] {
            close(mean_score(&bits, &mask, &weights), number(&record[name]), 1e-12, &format!("{id}: {name}"));
        }
    }
}
