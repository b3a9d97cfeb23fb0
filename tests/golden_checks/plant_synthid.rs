//! SynthID planting: what transformers' processor returned, call by call.

use crate::load::{integer, list, number};
use crate::plant::lcg_scores;
use crate::synthid::table;
use serde_json::Value;

/// The section `hf_synthid` of plant.json.
pub(crate) fn check(file: &Value) {
    for case in list(file, "hf_synthid") {
        let vocab = integer(&case["vocab"]) as usize;
        let scheme = table(&case["config"], vocab as u32);
        let mut response = Vec::new();
        for (call, step) in list(case, "steps").iter().enumerate() {
            let mut scores = lcg_scores(integer(&step["lcg_seed"]) as u32, vocab);
            if step["mask_negative"].as_bool().expect("a flag") {
                scores.iter_mut().filter(|score| **score < 0.0).for_each(|score| *score = f32::NEG_INFINITY);
            }
            let got = scheme.process(&response, &scores);
            assert_eq!(got == scores, step["unchanged"].as_bool().expect("a flag"), "call {call}");
            let expected = list(step, "out");
            assert_eq!(got.len(), expected.len());
            for (token, (got, expected)) in got.iter().zip(expected).enumerate() {
                if expected.is_null() {
                    assert_eq!(*got, f32::NEG_INFINITY, "call {call}, token {token}");
                    continue;
                }
                let (got, expected) = (f64::from(*got), number(expected));
                let near = (got - expected).abs() <= 2e-5 * expected.abs().max(1e-12);
                assert!(near, "call {call}, token {token}: {got} and not {expected}");
            }
            response.push(integer(&step["appended_token"]) as u32);
        }
    }
}
