//! Long prompts: unrelated ones stay apart, edited copies are found, a report says for which lengths it was calibrated.
//!
//! The texts are drawn from the vocabulary of the shipped model by Zipf's law, so that they share all common words, most runs of four
//! letters and, as means of many words, nearly their vectors: what made one family of them before grams grew with the texts.

use super::{Members, Site, row};
use serde_json::Value;
use std::collections::BTreeMap;

/// Numbers that look drawn at random (splitmix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 33) as usize % n
    }
}

/// Words of the model's vocabulary, most frequent first.
fn vocabulary() -> Vec<String> {
    let tokenizer: Value = serde_json::from_str(include_str!("../../models/tokenizer.json")).expect("JSON");
    let vocabulary = tokenizer["model"]["vocab"].as_object().expect("a vocabulary");
    let mut words: Vec<(u64, &String)> =
        vocabulary.iter().map(|(word, id)| (id.as_u64().expect("an id"), word)).collect();
    words.sort_unstable();
    let is_word = |word: &&String| word.len() > 2 && word.bytes().all(|b| b.is_ascii_lowercase());
    words.into_iter().map(|(_, word)| word).filter(is_word).take(6_000).cloned().collect()
}

/// A text of `n` bytes: sentences of words drawn by Zipf's law.
fn prose(words: &[String], seed: u64, n: usize) -> String {
    let mut draw = Draw(seed);
    let mut out = String::with_capacity(n + 20);
    while out.len() < n {
        for at in 0..8 + draw.below(12) {
            // The rank whose logarithm is uniform.
            let log = draw.below(1_000_000) as f64 / 1_000_000.0;
            let rank = (words.len() as f64).powf(log) as usize;
            let word = &words[rank.min(words.len() - 1)];
            if at > 0 {
                out.push(' ');
            }
            out.push_str(word);
        }
        out.push_str(". ");
    }
    out.truncate(n);
    out
}

/// Typos in one word of fifty, a sentence moved, a tenth cut, boilerplate around.
fn copies(text: &str, seed: u64) -> [String; 4] {
    let mut draw = Draw(seed);
    let typo = |word: &str, draw: &mut Draw| match draw.below(50) {
        0 if word.len() > 3 => word[..1].to_owned() + &word[2..],
        _ => word.to_owned(),
    };
    let typos: Vec<String> = text.split(' ').map(|word| typo(word, &mut draw)).collect();
    let sentences: Vec<&str> = text.split_inclusive(". ").collect();
    let at = draw.below(sentences.len());
    let moved = sentences[at].to_owned() + &sentences[..at].concat() + &sentences[at + 1..].concat();
    let cut = text[..text.len() / 2].to_owned() + &text[text.len() / 2 + text.len() / 10..];
    let around = format!(
        "You are a helpful assistant for our customers. Read the following carefully.\n\n{text}\n\nAnswer in a friendly tone and in the language of the text."
    );
    [typos.join(" "), moved, cut, around]
}

fn check(length: usize) {
    let (words, site) = (vocabulary(), Site::new());
    let mut rows = Vec::new();
    let n = 150;
    for i in 0..n {
        let text = prose(&words, 1_000 * length as u64 + i, length);
        rows.push(row(&format!("text-{i}"), &format!("account-{i}"), i, &text));
        if i % 5 == 0 {
            for (kind, copy) in copies(&text, i).iter().enumerate() {
                rows.push(row(&format!("copy-{i}-{kind}"), &format!("other-{i}-{kind}"), i, copy));
            }
        }
    }
    site.log("log.jsonl", &rows);
    let report = site.audit(&["log.jsonl"]).ok().json();
    let members: Members = site.members("store");
    let mut joined = 0;
    for ids in members.families("near-duplicate").values() {
        let texts = ids.iter().filter(|id| id.starts_with("text-")).count();
        joined += if texts > 1 { texts } else { 0 };
    }
    assert!(joined as u64 * 100 <= n, "{joined} of {n} unrelated texts of {length} bytes are in a family with another");
    let mut found = BTreeMap::new();
    for i in (0..n).step_by(5) {
        let original = members.of(&format!("text-{i}"), "near-duplicate");
        for kind in 0..4 {
            let copy = members.of(&format!("copy-{i}-{kind}"), "near-duplicate");
            *found.entry(kind).or_insert(0u64) += u64::from(original.is_some() && copy == original);
        }
    }
    assert!(
        found.values().sum::<u64>() * 100 >= 4 * n / 5 * 98,
        "{found:?} of {} copies each at {length} bytes",
        n / 5
    );
    let lengths = report["parameters"]["lengths"].as_array().expect("lengths");
    let counted: u64 = lengths.iter().map(|l| l["prompts"].as_u64().expect("a count")).sum();
    assert_eq!(report["store"]["distinct_prompts"], counted);
    for length in lengths {
        assert!(length["high"].as_f64().is_some_and(|high| high <= 0.01), "{length}");
        assert_eq!(length["uncalibrated"], 0, "{length}");
    }
}

#[test]
fn unrelated_texts_of_1000_characters_stay_apart_and_copies_are_found() {
    check(1_000);
}

#[test]
fn unrelated_texts_of_16000_characters_stay_apart_and_copies_are_found() {
    check(16_000);
}

/// A copy that three other texts of its length surround is found by its fingerprints, however near the vectors of the others are.
#[test]
fn a_long_prompt_is_found_by_its_parts() {
    let (words, site) = (vocabulary(), Site::new());
    let text = |seed| prose(&words, seed, 12_000);
    let mut rows: Vec<Value> = (0..200).map(|i| row(&format!("text-{i}"), &format!("a-{i}"), i, &text(i))).collect();
    let inside = format!("{}\n{}\n{}", text(900), text(7), text(901));
    rows.push(row("inside", "another", 300, &inside));
    site.log("log.jsonl", &rows);
    site.audit(&["log.jsonl"]).ok();
    let members = site.members("store");
    let family = members.of("inside", "near-duplicate").expect("a family");
    assert_eq!(members.of("text-7", "near-duplicate"), Some(family));
    assert_eq!(members.families("near-duplicate")[family].len(), 2);
}

#[test]
fn a_family_says_by_which_rule_it_was_made() {
    let site = Site::new();
    site.log("log.jsonl", &super::campaign("c", 9));
    let report = site.audit(&["log.jsonl"]).ok().json();
    let family = report["families"].as_array().expect("families").iter().find(|f| f["level"] == "near-duplicate");
    let family = family.expect("a family");
    assert_eq!((&family["rule"], &report["parameters"]["rule"]), (&2.into(), &2.into()));
    let exact = report["families"].as_array().expect("families").iter().find(|f| f["level"] == "fragment");
    assert!(exact.is_none_or(|family| family["rule"].is_null()));
    let page = site.run(&["family", family["id"].as_str().expect("a name"), "--store", "store"]).ok().out;
    assert!(page.contains("made by version 2 of the rule\n"), "{page}");
}
