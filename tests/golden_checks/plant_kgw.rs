//! plant.json, `hf_kgw` and `lm_watermarking`: the tokens whose scores are raised, and the seed used last.

use super::lcg_scores;
use crate::load::{ids, integer, list, number, sha256_i4};
use serde_json::Value;
use stillhunt::watermark::green::Lists;
use stillhunt::watermark::kgw_lm::{self, KgwLm, Tail};
use stillhunt::watermark::kgw_transformers::{self, Biased, Kgw};
use stillhunt::watermark::profile::Profile;
use stillhunt::watermark::sample::Sampling;
use stillhunt::watermark::{Scheme, SoFar};

fn lists(record: &Value, share: &str) -> Lists {
    let vocab = u32::try_from(integer(&record["vocab"])).expect("32 bits");
    Lists::new(Profile::Cpu, vocab, number(&record[share]), false).expect("lists")
}

fn scores(record: &Value) -> Vec<f32> {
    let seed = u32::try_from(integer(&record["lcg_seed"]).rem_euclid(1 << 32)).expect("32 bits");
    lcg_scores(seed, usize::try_from(integer(&record["vocab"])).expect("a size"))
}

fn equal(record: &Value, mut biased: Biased) {
    biased.tokens.sort_unstable();
    assert_eq!(biased.tokens.len() as i128, integer(&record["num_biased"]), "{record}");
    let first = ids(&record["biased_first16"]);
    assert_eq!(biased.tokens[..first.len()], first, "{record}");
    assert_eq!(sha256_i4(biased.tokens), record["biased_sha256_i4"], "{record}");
    assert_eq!(biased.seed.map(i128::from), Some(integer(&record["last_seed"])), "{record}");
}

/// Planting through the scheme picks one of the tokens that a bias without measure leaves.
fn planted(record: &Value, scheme: &dyn Scheme, biased: &Biased) {
    let input = ids(&record["input_ids"]);
    let logits = scores(record);
    for uniform in [0.01, 0.37, 0.99] {
        let so_far = SoFar { prompt: &input[..1], response: &input[1..] };
        let token = scheme.plant(so_far, &logits, &Sampling::default(), &mut || uniform).expect("a token");
        assert!(biased.tokens.contains(&token), "{record}");
    }
}

pub(crate) fn check_transformers(file: &Value) {
    for record in list(file, "hf_kgw") {
        let left = record["seeding_scheme"] == "lefthash";
        let seeding = if left { kgw_transformers::Seeding::LeftHash } else { kgw_transformers::Seeding::SelfHash };
        let width = usize::try_from(integer(&record["context_width"])).expect("a width");
        let key = integer(&record["hashing_key"]);
        let lists = lists(record, "greenlist_ratio");
        let scheme = Kgw::new(key, seeding, width, 0.25, 90.0, lists).expect("a key");
        let doubles: Vec<f64> = scores(record).into_iter().map(f64::from).collect();
        let biased = scheme.biased(&ids(&record["input_ids"]), &doubles);
        planted(record, &scheme, &biased);
        equal(record, biased);
    }
}

pub(crate) fn check_lm_watermarking(file: &Value) {
    for record in list(file, "lm_watermarking") {
        let name = record["scheme"].as_str().expect("a name");
        let (seeding, in_name) = kgw_lm::Seeding::parse(name).unwrap_or_else(|| panic!("a scheme, got {name}"));
        let key = i64::try_from(integer(&record["hash_key"])).expect("64 bits");
        assert!(in_name.is_none_or(|in_name| in_name == key), "{record}");
        assert_eq!(seeding.width as i128, integer(&record["context_width"]), "{record}");
        assert_eq!(record["self_salt"], seeding.self_salt, "{record}");
        let scheme = KgwLm::new(key, seeding, 90.0, Tail::Compute, lists(record, "gamma"));
        let doubles: Vec<f64> = scores(record).into_iter().map(f64::from).collect();
        let biased = scheme.biased(&ids(&record["input_ids"]), &doubles);
        planted(record, &scheme, &biased);
        equal(record, biased);
    }
}
