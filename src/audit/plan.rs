//! The flow of a plan: responses that were served → contexts that several of them share → prompts to ask, and what a verdict takes.

use super::radioactivity::{Harvest, Question, packings};
use crate::detect::p_value::Law;
use crate::error::{Error, ErrorKind, Result};
use crate::radioactivity::plan::{Windows, ranked, strength_of, windows_needed};
use crate::report::plan::{KeyPlan, Plan, PlannedPrompt, SchemePlan};
use crate::stored::Progress;
use crate::stored::served::Response;
use crate::watermark::Null;
use rayon::prelude::*;
use std::collections::BTreeSet;

/// The native schemes as key files have them where they say nothing else.
fn native() -> [(&'static str, Null); 3] {
    [
        ("green-list", Null::Coin { share: 0.25 }),
        ("gumbel", Null::Exponential { shift: 0.0 }),
        ("tournament", Null::Layers { depth: 30, share: 0.5, weights: None }),
    ]
}

/// A plan: what a verdict takes for each harvest and key, and the prompts that draw most.
/// # Errors
/// `Input` when nothing was served or text comes without a tokenizer; `Io`, `Store` when something cannot be read.
pub fn plan(
    harvests: &[(String, Harvest<'_>)],
    question: &Question<'_>,
    most_prompts: usize,
    progress: &dyn Progress,
) -> Result<Plan> {
    progress.stage("read", None);
    let Question { tests, config, .. } = question;
    // Each payload of a key is a test, in each harvest.
    let n_tests: usize = tests.iter().map(|test| test.marker.traits().payloads).sum::<usize>() * harvests.len();
    let ln_alpha = libm::log(config.alpha / n_tests.max(1) as f64);
    let (mut keys, mut prompts) = (Vec::new(), Vec::new());
    for (name, harvest) in harvests {
        one(name, harvest, question, ln_alpha, (&mut keys, &mut prompts), progress)?;
    }
    prompts.sort_by(|a: &PlannedPrompt, b| b.served_contexts_a_token.total_cmp(&a.served_contexts_a_token));
    let mut seen = BTreeSet::new();
    prompts.retain(|of| seen.insert(of.prompt.clone()));
    prompts.truncate(most_prompts);
    Ok(Plan::new(keys, config, prompts))
}

/// What one harvest says to a plan.
fn one(
    name: &str,
    harvest: &Harvest<'_>,
    question: &Question<'_>,
    ln_alpha: f64,
    (keys, prompts): (&mut Vec<KeyPlan>, &mut Vec<PlannedPrompt>),
    progress: &dyn Progress,
) -> Result<()> {
    let Question { tests, reader, config, .. } = question;
    for (number, packing) in packings(tests).into_iter().enumerate() {
        let mut windows = Windows::new(reader.bytes, reader.dir);
        let (mut texts, mut tokens): (Vec<String>, Vec<u64>) = (Vec::new(), Vec::new());
        let mut take = |batch: Vec<Response>| {
            let n = batch.len() as u64;
            let read = |response: Response| Ok((response.prompt, reader.text(response.text)?));
            let batch: Vec<(String, Vec<u32>)> = batch.into_par_iter().map(read).collect::<Result<_>>()?;
            let followed: Vec<Vec<(u128, u32)>> =
                batch.par_iter().map(|(_, ids)| packing.followed(ids).collect()).collect();
            for ((prompt, ids), followed) in batch.into_iter().zip(followed) {
                let response = u32::try_from(tokens.len()).map_err(|_| {
                    Error::new(ErrorKind::Input, "expected at most 2^32 responses in a harvest, got more")
                })?;
                windows.add(response, followed)?;
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
            return Err(Error::new(
                ErrorKind::Input,
                format!("{name}: expected responses that were served, found none"),
            )
            .hint("the log must hold responses, and the selection at least one of them"));
        }
        let shares = windows.finish(tokens.len())?;
        let ranked = ranked(&tokens, &shares.shared);
        let (all, shared) = ranked.iter().fold((0, 0), |(all, shared), of| (all + of.tokens, shared + of.shared));
        let share = shared as f64 / (all as f64).max(1.0);
        let an_answer = all as f64 / (ranked.len() as f64).max(1.0);
        let tokens_for = |windows: Option<u64>| {
            let answers = windows.and_then(|windows| shares.answers(windows)).filter(|_| share > 0.0);
            answers.map(|answers| (answers * an_answer).ceil() as u64)
        };
        for test in tests.iter().filter(|test| crate::detect::packing(test.marker.as_ref()) == packing) {
            let law = Law::new(test.marker.traits().null);
            let windows = windows_needed(&law, config.strength, config.power, ln_alpha);
            let bits = law.bits(config.strength);
            let of_scheme = |(scheme, null)| {
                let law = Law::new(null);
                let strength = strength_of(&law, bits);
                let windows = strength.and_then(|strength| windows_needed(&law, strength, config.power, ln_alpha));
                SchemePlan { scheme, strength, windows, tokens: tokens_for(windows) }
            };
            keys.push(KeyPlan {
                harvest: name.to_owned(),
                key: test.key_id.clone(),
                scheme: test.scheme,
                dialect: test.dialect,
                served_contexts_a_token: share,
                contexts: shares.contexts,
                most_windows: shares.most(),
                windows,
                tokens: tokens_for(windows),
                bits,
                native: native().map(of_scheme).into(),
            });
        }
        if number == 0 {
            prompts.extend(ranked.iter().map(|of| PlannedPrompt {
                harvest: name.to_owned(),
                prompt: texts[of.response].clone(),
                served_contexts_a_token: of.rate(),
            }));
        }
    }
    Ok(())
}
