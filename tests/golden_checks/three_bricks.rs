//! three_bricks.json: detectors of three_bricks, payloads and all; and its part of plant.json.

use crate::load::{close, ids, integer, list, number, sha256_i4, vectors};
use crate::plant::lcg_scores;
use serde_json::Value;
use std::collections::HashSet;
use stillhunt::stats;
use stillhunt::watermark::sample::Sampling;
use stillhunt::watermark::three_bricks::{Seeding, maryland::Maryland, openai::Openai};
use stillhunt::watermark::{Scheme, SoFar, Windows, score_text, text_windows};

const CLAMP: f64 = 1e-200;

fn seeding(params: &Value, payload_max: u32) -> Seeding {
    let whole = |name: &str| integer(&params[name]) as u64;
    Seeding::new(whole("seed"), whole("salt_key"), whole("ngram") as usize, whole("payload") as u32, payload_max)
}

/// The reference's p-value of a sum over `n` scores.
fn p_value(test: &str, sum: f64, n: u64, gamma: f64) -> f64 {
    let ln_p = match test {
        _ if n == 0 => 0.0,
        "openai" => stats::ln_gamma_upper(n as f64, sum),
        "maryland" => stats::ln_binomial_upper(sum as u64, n, gamma),
        "openaiz" => {
            stats::ln_normal_sf((sum / n as f64 - 1.0) / (std::f64::consts::PI / 6f64.sqrt() / (n as f64).sqrt()))
        }
        "marylandz" => stats::ln_normal_sf((sum - gamma * n as f64) / (gamma * (1.0 - gamma) * n as f64).sqrt()),
        other => panic!("expected a test of three_bricks, got {other}"),
    };
    ln_p.exp().max(CLAMP)
}

pub(crate) fn check() {
    let file = vectors("three_bricks");
    for sequence in list(&file, "sequences") {
        let (params, vocab) = (&sequence["params"], integer(&sequence["vocab"]) as u32);
        let payload_max = integer(&sequence["payload_max"]) as u32;
        let payloads = payload_max as usize + 1;
        let gamma = params["gamma"].as_f64().unwrap_or(0.5);
        let seeding = seeding(params, payload_max);
        let scheme: Box<dyn Scheme> = match sequence["method"].as_str() {
            Some("openai") => Box::new(Openai::new(seeding, vocab)),
            _ => Box::new(Maryland::new(seeding, gamma, 1.0, vocab).expect("a list")),
        };
        let tokens = ids(&sequence["ids"]);
        let shape = scheme.traits().shape;
        let values = score_text(scheme.as_ref(), &tokens).expect("a text");
        let null = scheme.traits().null;
        let score =
            |at: usize, payload: usize| stillhunt::detect::tally::statistic(values[at * payloads + payload], &null);
        for result in list(sequence, "detect") {
            let what = format!("{} {} {}", sequence["id"], result["test"], result["scoring_method"]);
            let mut seen: HashSet<Vec<u32>> = HashSet::new();
            let context = |window: Vec<u32>| window[..shape.context].to_vec();
            let kept: Vec<usize> = text_windows(&tokens, shape)
                .enumerate()
                .filter(|(_, (_, window))| match result["scoring_method"].as_str() {
                    Some("none") => true,
                    Some("v1") => seen.insert(context(window.clone())),
                    _ => seen.insert(window.clone()),
                })
                .map(|(i, _)| i)
                .collect();
            assert_eq!(kept.len() as i128, integer(&result["num_tokens_scored"]), "{what}");
            let test = result["test"].as_str().expect("a name");
            let mut each = Vec::new();
            for payload in 0..payloads {
                let sum: f64 = kept.iter().map(|&at| score(at, payload)).sum();
                close(sum, number(&result["sum_scores"][payload]), 1e-6, &what);
                let p = p_value(test, sum, kept.len() as u64, gamma);
                close(p, number(&result["pvalues_by_payload"][payload]), 1e-5, &what);
                each.push(p);
            }
            for (i, first) in list(result, "first4_scores_payload0").iter().enumerate() {
                close(score(kept[i], 0), number(first), 1e-6, &what);
            }
            let best = (0..payloads).min_by(|&a, &b| each[a].total_cmp(&each[b])).expect("a payload");
            assert_eq!(best as i128, integer(&result["decoded_payload"]), "{what}");
            let adjusted = stats::three_bricks_adjust(each[best].ln(), payloads as u64).exp();
            close(adjusted, number(&result["adjusted_pvalue"]), 1e-5, &what);
        }
    }
}

pub(crate) fn check_plant(file: &Value) {
    for row in list(file, "three_bricks") {
        let vocab = integer(&row["vocab"]) as u32;
        let seeding = seeding(row, integer(&row["payload"]) as u32);
        let context = ids(&row["context"]);
        let mut units = Vec::new();
        let openai = Openai::new(seeding, vocab);
        let window: Vec<u32> = context.iter().copied().chain([0]).collect();
        openai.reduce(Windows::new(&window, context.len()), &mut units);
        let seed = seeding.seed(&context);
        assert_eq!(i128::from(seed), integer(&row["rng_seed"]), "{row}");
        assert_eq!(units[0].seed, u128::from(seed as u32), "{row}");
        let biased = Maryland::new(seeding, 0.25, 1.0, vocab).expect("a list").biased(seed);
        assert_eq!(biased.len() as i128, integer(&row["num_biased"]), "{row}");
        assert_eq!(sha256_i4(biased), row["biased_sha256_i4"].as_str().expect("hex"), "{row}");
        let logits: Vec<f32> =
            lcg_scores(integer(&row["lcg_seed"]) as u32, vocab as usize).iter().map(|x| x * 2.0).collect();
        let sampling = Sampling { temperature: 0.8, top_k: 0, top_p: 0.95 };
        let so_far = SoFar { prompt: &context, response: &[] };
        let token = openai.plant(so_far, &logits, &sampling, &mut || 0.0).expect("finite logits");
        assert_eq!(i128::from(token), integer(&row["openai_next_token_T0_8_p0_95"]), "{row}");
    }
}
