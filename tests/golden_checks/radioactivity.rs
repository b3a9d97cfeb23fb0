//! radioactivity_closed.json and radioactivity_open.json: the chunked protocol and the reading mode of radioactive-watermark.
//!
//! The reference takes a share γ of the vocabulary for the share of a list; p-values are compared with it, not with the exact share that the
//! product uses.

use crate::load::{close, ids, integer, list, number, vectors};
use serde_json::Value;
use std::collections::BTreeMap;
use stillhunt::detect::decoys::DecoyConfig;
use stillhunt::detect::windows::{Packing, Text};
use stillhunt::detect::{Test, packing, tally};
use stillhunt::log::Prediction;
use stillhunt::radioactivity::evidence::{Evidence, Read};
use stillhunt::radioactivity::{Config, Finding, Served, judge, test};
use stillhunt::stats;
use stillhunt::store::contexts::{Builder, Facts};
use stillhunt::watermark::three_bricks::{Seeding, maryland::Maryland, openai::Openai};
use stillhunt::watermark::{Once, Scheme, score_text};

const BYTES: usize = 1 << 26;

fn scheme(method: &Value, params: &Value, vocab: u32) -> Box<dyn Scheme> {
    let whole = |name: &str| integer(&params[name]) as u64;
    let seeding = Seeding::new(whole("seed"), whole("salt_key"), whole("ngram") as usize, 0, 0);
    match method.as_str() {
        Some("openai") => Box::new(Openai::new(seeding, vocab)),
        _ => Box::new(Maryland::new(seeding, params["gamma"].as_f64().unwrap_or(0.25), 1.0, vocab).expect("a list")),
    }
}

fn test_of(marker: Box<dyn Scheme>) -> Test {
    Test {
        key_id: "key".into(),
        scheme: "three_bricks",
        dialect: "three_bricks",
        profile: "any".into(),
        predicted: false,
        published: None,
        parameters: BTreeMap::new(),
        marker,
    }
}

fn found(test_of: &Test, read: &Read, served: Option<&Served>) -> Finding {
    let config = Config {
        alpha: 1e-6,
        least_uniformity: 0.01,
        least_control: 0.001,
        power: 0.95,
        strength: 0.02,
        level: 0.95,
        decoys: DecoyConfig { n: 0, windows: 1, steps: 1.0, seed: 1 },
        bytes: BYTES,
        dir: std::env::temp_dir(),
    };
    judge(vec![test(test_of, read, served, &[], &[], &config).expect("tested")], &config).remove(0)
}

/// The packing of a scheme with the counting of the reference: each context once (`v1`), or each window.
fn counting(scheme: &dyn Scheme, v1: bool) -> Packing {
    let mut packing = packing(scheme);
    packing.shape.once = if v1 { Once::Context } else { Once::Window };
    packing
}

fn p_value(method: &Value, sum: f64, n: u64, gamma: f64) -> f64 {
    match method.as_str() {
        Some("openai") => stats::ln_gamma_upper(n as f64, sum),
        _ => stats::ln_binomial_upper(sum.round() as u64, n, gamma),
    }
    .exp()
    .max(1e-200)
}

pub(crate) fn check_closed() {
    let file = vectors("radioactivity_closed");
    let vocab = integer(&file["vocab"]) as u32;
    let gamma = file["gamma"].as_f64().unwrap_or(0.25);
    let prompts: Vec<Vec<u32>> = list(&file, "prompts").iter().map(ids).collect();
    for result in list(&file, "results") {
        let what = format!("{} {} {}", result["texts"], result["method"], result["scoring_method"]);
        let texts: Vec<Vec<u32>> = list(&file, result["texts"].as_str().expect("a name")).iter().map(ids).collect();
        let marker = scheme(&result["method"], &file, vocab);
        let (n, sum) = match result["scoring_method"].as_str() {
            // Everything counts, as often as it stands there: no test of ours, only its values.
            Some("none") => {
                let null = marker.traits().null;
                let values: Vec<f64> = texts
                    .iter()
                    .filter_map(|text| score_text(marker.as_ref(), text).ok())
                    .flat_map(|values| {
                        values.into_iter().map(|value| tally::statistic(value, &null)).collect::<Vec<_>>()
                    })
                    .collect();
                (values.len() as u64, values.iter().sum())
            }
            scoring => {
                let packing = counting(marker.as_ref(), scoring == Some("v1"));
                let mut evidence = Evidence::new(packing, BYTES, &std::env::temp_dir()).expect("a directory");
                let masked = result["prompt_dedup"] == true;
                let text = |(tokens, prompt): (&Vec<u32>, &Vec<u32>)| Text {
                    tokens: tokens.clone(),
                    prompt: masked.then(|| prompt.clone()),
                };
                evidence.answers(&texts.iter().zip(&prompts).map(text).collect::<Vec<_>>()).expect("added");
                let read = evidence.finish(BYTES, &std::env::temp_dir()).expect("finished");
                let served = (result["filter"] == true).then(|| {
                    let mut builder = Builder::new(BYTES, &std::env::temp_dir());
                    let contexts = list(&file, "filter_contexts").iter().map(|context| packing.pack(&ids(context)));
                    builder.add(contexts).expect("added");
                    let facts = Facts {
                        width: packing.shape.context,
                        vocab,
                        scheme: String::new(),
                        scheme_digest: String::new(),
                        tokenizer: None,
                        selection: String::new(),
                        selection_digest: String::new(),
                        responses: 0,
                        tokens: 0,
                        contexts: 0,
                    };
                    Served { name: "filter".into(), set: builder.held(facts, &std::env::temp_dir()).expect("held") }
                });
                let found = found(&test_of(marker), &read, served.as_ref());
                (found.scored, found.statistic)
            }
        };
        assert_eq!(i128::from(n), integer(&result["num_scored"]), "{what} {result}");
        close(sum, number(&result["sum_score"]), 1e-6, &what);
        close(p_value(&result["method"], sum, n, gamma), number(&result["pvalue"]), 1e-4, &what);
    }
}

pub(crate) fn check_open() {
    let file = vectors("radioactivity_open");
    let vocab = integer(&file["vocab"]) as u32;
    let batch = integer(&file["batch_size"]) as usize;
    let sequences: Vec<Vec<u32>> = list(&file, "sequences").iter().map(ids).collect();
    for result in list(&file, "results") {
        let what = format!("{} ngram {} top {}", result["method"], result["ngram"], result["topk"]);
        let marker = scheme(&result["method"], result, vocab);
        let (width, top) = (integer(&result["ngram"]) as usize, integer(&result["topk"]) as usize);
        let echoes = integer(&result["no_dedup"]) == 0;
        let predictions = list(&file, if top == 1 { "predictions_top1" } else { "predictions_top3" });
        let mut rows = Vec::new();
        let test = test_of(marker);
        for (number_of, iteration) in list(result, "iterations").iter().enumerate() {
            let now = number_of * batch..((number_of + 1) * batch).min(sequences.len());
            // The reference goes through a batch place by place, and begins one place later than it could.
            for at in width + 1..=sequences[0].len() {
                for (sequence, predicted) in sequences[now.clone()].iter().zip(&predictions[now.clone()]) {
                    let Some(one) = predicted.get(at - 1) else { continue };
                    let predicted = if top == 1 { vec![integer(one) as u32] } else { ids(one) };
                    let begin = if echoes { 1 } else { at - width };
                    rows.push(Prediction { context: sequence[begin..at].to_vec(), predicted });
                }
            }
            let packing = counting(test.marker.as_ref(), integer(&result["v1"]) == 1);
            let mut evidence = Evidence::new(packing, BYTES, &std::env::temp_dir()).expect("a directory");
            evidence.predictions(&rows, top).expect("added");
            let read = evidence.finish(BYTES, &std::env::temp_dir()).expect("finished");
            let found = found(&test, &read, None);
            assert_eq!(i128::from(found.scored), integer(&iteration["nb_distinct"]), "{what} {number_of}");
            let rate = if result["method"] == "openai" { None } else { Some(found.rate) };
            rate.iter().for_each(|rate| close(*rate, number(&iteration["mean_r"]), 1e-6, &what));
            let gamma = result["gamma"].as_f64().unwrap_or(0.25);
            let p = p_value(&result["method"], found.statistic, found.scored, gamma);
            close(p, number(&iteration["p_value"]), 1e-4, &what);
        }
    }
}
