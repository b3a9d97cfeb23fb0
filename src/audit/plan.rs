//! The flow of a plan: responses that were served → contexts that several of them share → prompts to ask, and what a verdict takes.

use super::radioactivity::{Harvest, Question, packings};
use crate::error::{Error, ErrorKind, Result};
use crate::radioactivity::attribute::Owners;
use crate::radioactivity::plan::{ranked, windows_needed};
use crate::report::radioactivity::{KeyPlan, Plan, PlannedPrompt};
use crate::stored::Progress;
use crate::stored::served::Response;
use rayon::prelude::*;

/// A plan: what a verdict takes, and the prompts that draw most.
/// # Errors
/// `Input` when nothing was served or text comes without a tokenizer; `Io`, `Store` when something cannot be read.
pub fn plan(
    harvest: &Harvest<'_>,
    question: &Question<'_>,
    most_prompts: usize,
    progress: &dyn Progress,
) -> Result<Plan> {
    progress.stage("read", None);
    let Question { tests, reader, config, .. } = question;
    let mut keys = Vec::new();
    // Each payload of a key is a test.
    let n_tests: usize = tests.iter().map(|test| test.marker.traits().payloads).sum();
    let ln_alpha = libm::log(config.alpha / n_tests.max(1) as f64);
    let mut prompts = Vec::new();
    for (number, packing) in packings(tests).into_iter().enumerate() {
        let mut owners = Owners::new(reader.bytes, reader.dir);
        let (mut texts, mut tokens): (Vec<String>, Vec<u64>) = (Vec::new(), Vec::new());
        let mut take = |batch: Vec<Response>| {
            let n = batch.len() as u64;
            let read = |response: Response| Ok((response.prompt, reader.text(response.text)?));
            let batch: Vec<(String, Vec<u32>)> = batch.into_par_iter().map(read).collect::<Result<_>>()?;
            let contexts: Vec<Vec<u128>> = batch.par_iter().map(|(_, ids)| packing.contexts(ids).collect()).collect();
            for ((prompt, ids), contexts) in batch.into_iter().zip(contexts) {
                let response = u32::try_from(tokens.len()).map_err(|_| {
                    Error::new(ErrorKind::Input, "expected at most 2^32 responses in a harvest, got more")
                })?;
                owners.add(response, contexts)?;
                tokens.push(ids.len() as u64);
                // Prompts are the same for all keys.
                if number == 0 {
                    texts.push(prompt);
                }
            }
            progress.advance(n, 0);
            Ok(())
        };
        reader.responses(harvest, &mut |_| 0, number == 0, &mut take, progress)?;
        if tokens.is_empty() {
            return Err(Error::new(ErrorKind::Input, "expected responses that were served, found none")
                .hint("the log must hold responses, and the selection at least one of them"));
        }
        let ranked = ranked(&tokens, &owners.finish()?.shared(tokens.len()));
        let (all, shared) = ranked.iter().fold((0, 0), |(all, shared), of| (all + of.tokens, shared + of.shared));
        let share = shared as f64 / (all as f64).max(1.0);
        for test in tests.iter().filter(|test| crate::detect::packing(test.marker.as_ref()) == packing) {
            let windows = windows_needed(test, config.strength, config.power, ln_alpha);
            keys.push(KeyPlan {
                key: test.key_id.clone(),
                scheme: test.scheme,
                dialect: test.dialect,
                served_contexts_a_token: share,
                windows,
                tokens: windows.filter(|_| share > 0.0).map(|windows| (windows as f64 / share).ceil() as u64),
            });
        }
        if number == 0 {
            let mut seen = std::collections::BTreeSet::new();
            for of in &ranked {
                if prompts.len() < most_prompts && seen.insert(&texts[of.response]) {
                    prompts
                        .push(PlannedPrompt { prompt: texts[of.response].clone(), served_contexts_a_token: of.rate() });
                }
            }
        }
    }
    Ok(Plan::new(keys, config, prompts))
}
