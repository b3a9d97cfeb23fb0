//! SGLang's Gumbel schemes: hashes, coins, scores and p-values, and the scheme's own reading of a text.

use crate::load::{close, ids, integer, list, number, vectors};
use serde_json::Value;
use std::collections::HashSet;
use stillhunt::stats::ln_gamma_upper;
use stillhunt::watermark::gumbel_sglang::{
    Gumbel, MOST_CONTEXTS, coin, context_hash, parse_key, reference_score, token_hash,
};
use stillhunt::watermark::{self, PAD, Scheme as _, Windows};

fn key(value: &Value) -> u64 {
    value.as_str().and_then(parse_key).unwrap_or_else(|| panic!("expected a key, got {value}"))
}

/// Sum and number of some scores against a record's.
fn check_sum(scores: &[f64], expected: &Value, what: &str) {
    assert_eq!(scores.len() as i128, integer(&expected["n"]), "{what}");
    let sum: f64 = scores.iter().sum();
    close(sum, number(&expected["score"]), 1e-9, &what);
    // No context: nothing is said.
    let got = if scores.is_empty() { 0.0 } else { ln_gamma_upper(scores.len() as f64, sum) };
    let log_p = number(&expected["log_p"]);
    // Relative in p: absolute in its logarithm, with what a logarithm of hundreds loses.
    assert!((got - log_p).abs() <= 1e-9 * log_p.abs().max(1.0), "{what}: ln p {got} and not {log_p}");
}

/// What one text is made of: every context once, at most so many, each with its token, as the reference's detector reads it.
fn contexts(tokens: &[u32], first: usize, window: usize) -> (Vec<(&[u32], u32)>, i128) {
    let (mut seen, mut out, mut repeated) = (HashSet::new(), Vec::new(), 0);
    for at in first..tokens.len() {
        let context = &tokens[at.saturating_sub(window)..at];
        if !seen.insert(context) {
            repeated += 1;
            continue;
        }
        out.push((context, tokens[at]));
        if out.len() == MOST_CONTEXTS {
            break;
        }
    }
    (out, repeated)
}

pub(crate) fn check() {
    let file = vectors("sglang_gumbel");
    for record in list(&file, "prf") {
        let (a, b) = (key(&record["key"]), key(&record["key_b"]));
        let hash = context_hash(&ids(&record["context"]));
        assert_eq!(i128::from(hash), integer(&record["context_hash"]), "{record}");
        let token = integer(&record["token"]) as u32;
        assert_eq!(i128::from(token_hash(a, hash, token)), integer(&record["hash"]), "{record}");
        assert_eq!(i128::from(coin(a, b, hash)), integer(&record["coin"]), "{record}");
    }
    for (at, record) in list(&file, "detect").iter().enumerate() {
        let what = format!("record {at}");
        let (window, vocab) = (integer(&record["context_window"]) as usize, integer(&record["vocab"]) as u32);
        let a = key(&record["key"]);
        let b = record["key_b"].is_string().then(|| key(&record["key_b"]));
        let single = Gumbel::single(a, window, 1.0, vocab);
        let scheme = match b {
            Some(b) => single.clone().dual(b, number(&record["mixing_probability"])),
            None => single,
        };
        let (prompt, text) = (ids(&record["prompt"]), ids(&record["ids"]));
        let mut tokens = prompt[prompt.len().saturating_sub(window)..].to_vec();
        // Without a prompt the first contexts are not known.
        let first = if tokens.is_empty() { window.min(text.len()) } else { tokens.len() };
        tokens.extend(&text);
        let (read, repeated) = contexts(&tokens, first, window);
        let result = &record["result"];
        assert_eq!(repeated, integer(&result["repeated"]), "{what}");
        let under =
            |key: u64, (context, token): (&[u32], u32)| reference_score(token_hash(key, context_hash(context), token));
        let chosen = |of: &(&[u32], u32)| scheme.key_of(context_hash(of.0));
        let all = |key: u64| read.iter().map(|of| under(key, *of)).collect::<Vec<f64>>();
        let part =
            |key: u64| read.iter().filter(|of| chosen(of) == key).map(|of| under(key, *of)).collect::<Vec<f64>>();
        let combined: Vec<f64> = read.iter().map(|of| under(chosen(of), *of)).collect();
        check_sum(&combined, &result["combined"], &format!("{what}, combined"));
        check_sum(&all(a), &result["key_a_all"], &format!("{what}, key A"));
        if let Some(b) = b {
            check_sum(&all(b), &result["key_b_all"], &format!("{what}, key B"));
            check_sum(&part(a), &result["partition_a"], &format!("{what}, part A"));
            check_sum(&part(b), &result["partition_b"], &format!("{what}, part B"));
        }
        // The scheme itself, through its units: short contexts padded, each score a little below the reference's.
        let mut flat = Vec::new();
        for (context, token) in &read {
            flat.extend(std::iter::repeat_n(PAD, window - context.len()));
            flat.extend_from_slice(context);
            flat.push(*token);
        }
        let (mut units, mut values) = (Vec::new(), Vec::new());
        scheme.reduce(Windows::new(&flat, window), &mut units);
        scheme.values(&units, &mut values);
        assert_eq!(values.len(), combined.len(), "{what}");
        for (value, reference) in values.iter().zip(&combined) {
            let watermark::Value::Score(score) = value else { panic!("{what}: a score") };
            // Half a step of u, at most.
            let most = 0.5 / 4_294_967_296.0 * (*reference).exp() * 1.001 + 1e-15;
            assert!(*score <= *reference && reference - score <= most, "{what}: {score} and not {reference}");
        }
    }
}
