//! SBW: hashes, seeds, words, and which tokens of a text are green.

use crate::load::{ids, integer, list, number, vectors};
use std::collections::HashSet;
use stillhunt::watermark::sbw::{Sbw, Seeding, hash, word31};
use stillhunt::watermark::{Scheme as _, Value, score_text, text_windows};

pub(crate) fn check() {
    let file = vectors("sbw");
    for record in list(&file, "hash") {
        assert_eq!(i128::from(hash(integer(&record["x"]) as i64)), integer(&record["hash"]), "{record}");
    }
    let seeding = |record: &serde_json::Value| {
        let name = record["scheme"].as_str().expect("a scheme");
        Seeding::parse(name).unwrap_or_else(|| panic!("expected a known seeding scheme, got {name}"))
    };
    for record in list(&file, "prf") {
        let seeding = seeding(record);
        assert_eq!(Some(seeding.self_salt()), record["self_salt"].as_bool(), "{record}");
        let seed = seeding.seed(integer(&record["hash_key"]) as i64, &ids(&record["context"]));
        assert_eq!(i128::from(seed as i64), integer(&record["seed"]), "{record}");
        assert_eq!(i128::from(word31(seed, integer(&record["token"]) as u32)), integer(&record["word31"]), "{record}");
    }
    for (at, record) in list(&file, "detect").iter().enumerate() {
        let what = format!("record {at}");
        let (key, vocab) = (integer(&record["hash_key"]) as i64, integer(&record["vocab"]) as u32);
        let scheme = Sbw::package(key, seeding(record), number(&record["gamma"]), 2.0, vocab);
        let tokens = ids(&record["ids"]);
        let values = score_text(&scheme, &tokens).expect("windows");
        let green: Vec<bool> = values.iter().map(|value| *value == Value::Green(true)).collect();
        let mask: String = green.iter().map(|green| if *green { '1' } else { '0' }).collect();
        assert_eq!(Some(mask.as_str()), record["green_mask_per_ngram"].as_str(), "{what}");
        let mut seen = HashSet::new();
        let windows = text_windows(&tokens, scheme.traits().shape).zip(green);
        let once: Vec<bool> = windows.filter(|((_, window), _)| seen.insert(window.clone())).map(|(_, g)| g).collect();
        assert_eq!(once.len() as i128, integer(&record["num_tokens_scored"]), "{what}");
        let hits = once.iter().filter(|green| **green).count();
        assert_eq!(hits as i128, integer(&record["num_green_tokens"]), "{what}");
    }
}
