//! textseal.json: the hash, the detectors and the fused score of TextSeal.

use crate::load::{close, ids, integer, list, number, vectors};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use stillhunt::stats;
use stillhunt::watermark::textseal::{Kind, TextSeal, steps, uniform};
use stillhunt::watermark::{Scheme, text_windows};

fn whole(value: &Value) -> i64 {
    integer(value) as i64
}

/// Forms of the windows that a text's detector keeps.
fn forms(scheme: &TextSeal, tokens: &[u32], method: Option<&str>) -> Vec<i64> {
    let shape = scheme.traits().shape;
    let mut seen: HashSet<Vec<u32>> = HashSet::new();
    let mut keep = |window: &[u32]| match method {
        Some("v1") => seen.insert(window[..shape.context].to_vec()),
        Some("v2") => seen.insert(window.to_vec()),
        _ => true,
    };
    let kept = text_windows(tokens, shape).filter(|(_, window)| keep(window));
    kept.map(|(_, window)| scheme.form(&window[..shape.context], window[shape.context])).collect()
}

pub(crate) fn check() {
    let file = vectors("textseal");
    for row in list(&file, "prf") {
        let window = ids(&row["window"]);
        let key = whole(&row["secret_key"]);
        let scheme = TextSeal::new(Kind::GumbelMax, window.len(), key, 1 << 20);
        let hash = steps(scheme.form(&window, whole(&row["token"]) as u32));
        assert_eq!(hash, whole(&row["hash_times"]), "{row}");
        assert_eq!(uniform(hash), number(&row["uniform_f32"]) as f32, "{row}");
        for (gamma, green) in [0.25, 0.5].iter().zip(list(row, "green_gamma_25_50")) {
            assert_eq!(f64::from(uniform(hash)) < *gamma, whole(green) == 1, "{row}");
        }
    }
    let sequences = vectors("kgw_lefthash");
    let by_id: BTreeMap<&str, Vec<u32>> = list(&sequences, "sequences")
        .iter()
        .map(|sequence| (sequence["id"].as_str().expect("an id"), ids(&sequence["ids"])))
        .collect();
    let text = |row: &Value| {
        let id = row["seq_id"].as_str().expect("an id");
        by_id.get(id).unwrap_or_else(|| panic!("expected the sequence {id} in kgw_lefthash, found none"))
    };
    let gumbel = |hash: i64| f64::from(-(f64::from(1.0 - uniform(hash)).ln()) as f32);
    for row in list(&file, "detect") {
        let (params, kind) = (&row["params"], row["watermark_type"].as_str().expect("a type"));
        let gamma = params["gamma"].as_f64().unwrap_or(0.5);
        let ngram = integer(&params["ngram"]) as usize;
        let scheme = TextSeal::new(Kind::GumbelMax, ngram, whole(&params["secret_key"]), 1 << 20);
        let forms = forms(&scheme, text(row), row["scoring_method"].as_str());
        let n = forms.len() as u64;
        assert_eq!(n as i64, whole(&row["num_scored"]), "{row}");
        let depth = params["depth"].as_u64().unwrap_or(1) as u32;
        let bits = || forms.iter().map(|&form| TextSeal::layers(form, depth, 1));
        let (sum, p) = match kind {
            "greenlist" => {
                let sum = forms.iter().filter(|form| f64::from(uniform(steps(**form))) < gamma).count();
                (sum as f64, stats::ln_binomial_mid(sum as u64, n, gamma).exp())
            }
            "gumbelmax" => {
                let sum: f64 = forms.iter().map(|&form| gumbel(steps(form))).sum();
                (sum, stats::ln_gamma_upper(n as f64, sum).exp())
            }
            "synthid" => {
                let sum: u32 = bits().map(u64::count_ones).sum();
                (f64::from(sum), stats::ln_binomial_mid(sum.into(), n * u64::from(depth), 0.5).exp())
            }
            _ => {
                let line: Vec<f64> =
                    (0..depth).map(|d| 10.0 - 9.0 * f64::from(d) / f64::from((depth - 1).max(1))).collect();
                let scale = f64::from(depth) / line.iter().sum::<f64>();
                let weights: Vec<f64> = line.iter().map(|w| w * scale).collect();
                let one =
                    |word: u64| -> f64 { weights.iter().enumerate().map(|(d, w)| w * (word >> d & 1) as f64).sum() };
                let sum: f64 = bits().map(one).sum();
                let spread = (0.25 * n as f64 * weights.iter().map(|w| w * w).sum::<f64>()).sqrt();
                (sum, stats::ln_normal_sf((sum - 0.5 * n as f64 * f64::from(depth)) / spread).exp())
            }
        };
        close(sum, number(&row["sum_score"]), 1e-6, row);
        // The weighted one is 1 − Φ(z) there, which ends at the last bit of 1.
        let (theirs, coarse) =
            (number(&row["pvalue"]).max(1e-200), if kind.ends_with("weighted") { 2.3e-16 } else { 0.0 });
        assert!((p - theirs).abs() <= 1e-5 * theirs + coarse, "{row}: {p}");
    }
    for row in list(&file, "dual_key") {
        let alpha = number(&row["mixing_alpha"]);
        let key = whole(&row["key_a"]);
        assert_eq!(whole(&row["key_b"]), key + 12_345, "{row}");
        let scheme = TextSeal::new(Kind::DualKey { alpha }, integer(&row["ngram"]) as usize, key, 1 << 20);
        let fused: Vec<f64> =
            forms(&scheme, text(row), Some("v2")).iter().map(|&f| TextSeal::fused(f, alpha)).collect();
        assert_eq!(fused.len() as i64, whole(&row["n_scored"]), "{row}");
        let sum: f64 = fused.iter().sum();
        close(sum, number(&row["sum_fused"]), 1e-6, row);
        let v = alpha * alpha + (1.0 - alpha) * (1.0 - alpha);
        let p = stats::ln_gamma_upper(fused.len() as f64 / v, sum / v).exp();
        close(p, number(&row["p_unweighted"]), 1e-5, row);
        for (got, first) in fused.iter().zip(list(row, "first4")) {
            close(*got, number(first), 1e-6, row);
        }
    }
}
