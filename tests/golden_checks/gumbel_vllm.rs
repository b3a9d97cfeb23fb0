//! vLLM's Gumbel schemes: uniforms, scores and p-values.

use crate::load::{close, ids, integer, list, number, vectors};
use serde_json::Value;
use std::collections::HashSet;
use stillhunt::stats::ln_gamma_upper;
use stillhunt::watermark::dual_key_vllm::DualKey;
use stillhunt::watermark::gumbel_vllm::{Deduplicate, Gumbel, Plan, Prf, uniform};
use stillhunt::watermark::{self, Scheme, text_windows};

fn key(value: &Value) -> u64 {
    u64::try_from(integer(value)).expect("a key of 64 bits")
}

/// Sum of scores and how many: contexts once where `dedup`.
pub(crate) fn scored(scheme: &dyn Scheme, tokens: &[u32], dedup: bool) -> (f64, usize) {
    let values = watermark::score_text(scheme, tokens).expect("windows");
    let mut seen = HashSet::new();
    let (mut sum, mut n) = (0.0, 0);
    for ((_, window), value) in text_windows(tokens, scheme.traits().shape).zip(values) {
        let watermark::Value::Score(score) = value else { panic!("a score") };
        if seen.insert(window[..window.len() - 1].to_vec()) || !dedup {
            sum += score;
            n += 1;
        }
    }
    (sum, n)
}

/// A p-value of double precision: 0 where the reference underflows.
fn check_p(ln_p: f64, expected: &Value, what: &str) {
    let expected = number(expected);
    if expected < 1e-290 {
        assert!(ln_p < (1e-290f64).ln() + 1.0, "{what}: ln p {ln_p} and not that of {expected}");
        return;
    }
    close(ln_p.exp(), expected, 1e-9, &what);
}

pub(crate) fn check() {
    let file = vectors("vllm_gumbel");
    for record in list(&file, "prf") {
        let context = list(record, "context").iter().map(|id| integer(id) as u32).collect::<Vec<u32>>();
        let prf = Prf::new(key(&record["key"]));
        let tokens = ids(&record["tokens"]);
        let expected = list(record, "uniform_f32");
        assert_eq!(tokens.len(), expected.len());
        for (token, expected) in tokens.iter().zip(expected) {
            let got = uniform(prf.word(prf.state(&context), *token));
            assert_eq!(got, number(expected) as f32, "{record}: token {token}");
        }
    }
    let mut tokens = Vec::new();
    for (at, record) in list(&file, "detect").iter().enumerate() {
        if record["ids"].is_array() {
            tokens = ids(&record["ids"]);
        }
        let width = integer(&record["context_width"]) as usize;
        let plan = Plan { width, scope: Deduplicate::SingleTurn, history: 8192 };
        let vocab = tokens.iter().max().map_or(1, |most| most + 1);
        let what = format!("record {at}");
        let n = integer(&record["num_scored"]) as usize;
        if record["detector"].as_str() == Some("dual_key") {
            let alpha = number(&record["alpha"]);
            let scheme = DualKey::new(key(&record["master_key"]), alpha, plan, vocab).expect("a width that fits");
            assert_eq!(scheme.keys(), [key(&record["derived_a"]), key(&record["derived_b"])], "{what}");
            let (sum, got) = scored(&scheme, &tokens, true);
            assert_eq!(got, n, "{what}");
            close(sum, number(&record["score"]), 1e-9, &what);
            // The reference's own p: a gamma of the same mean and variance, of whole shape for some weights.
            let variance = (1.0 - alpha).powi(2) + alpha * alpha;
            let shape = n as f64 / variance;
            let shape = if [0.0, 0.5, 1.0].contains(&alpha) { shape.round_ties_even() } else { shape };
            check_p(ln_gamma_upper(shape, sum / variance), &record["p_value"], &what);
        } else {
            let dedup = record["dedup"].as_bool().expect("a flag");
            let (sum, got) = scored(&Gumbel::new(key(&record["detect_key"]), plan, vocab), &tokens, dedup);
            assert_eq!(got, n, "{what}");
            close(sum, number(&record["score"]), 1e-9, &what);
            check_p(ln_gamma_upper(n as f64, sum), &record["p_value"], &what);
        }
    }
}
