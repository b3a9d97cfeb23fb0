//! What a plan says: what a verdict takes of each harvest and key, and the prompts to ask; text and JSON.

use super::escape::{clip, grouped};
use super::radioactivity::plain;
use crate::radioactivity::Config;
use serde::Serialize;
use std::fmt::Write as _;

/// What a verdict under one key takes.
#[derive(Clone, Debug, Serialize)]
pub struct KeyPlan {
    /// The harvest's name.
    pub harvest: String,
    /// The key's name.
    pub key: String,
    /// The scheme.
    pub scheme: &'static str,
    /// Whose way of doing it.
    pub dialect: &'static str,
    /// Served contexts for each token of an answer, as the harvest's own responses share them.
    pub served_contexts_a_token: f64,
    /// Distinct contexts that were served: predictions give one window for each, or as many as are scored of each prediction.
    pub contexts: u64,
    /// Distinct windows that answers like the harvest's responses have at most, in contexts that several of these have.
    pub most_windows: u64,
    /// Distinct windows in served contexts that the power asks for; none where no number does.
    pub windows: Option<u64>,
    /// Tokens of answers that hold so many; none where `most_windows` are too few.
    pub tokens: Option<u64>,
    /// What a window of the assumed strength tells, in bits.
    pub bits: f64,
    /// The native schemes where a window tells as much.
    pub native: Vec<SchemePlan>,
}

/// What a verdict takes under a native scheme.
#[derive(Clone, Debug, Serialize)]
pub struct SchemePlan {
    /// The scheme.
    pub scheme: &'static str,
    /// The strength at which its windows tell as much; none where they cannot.
    pub strength: Option<f64>,
    /// As for a key.
    pub windows: Option<u64>,
    /// As for a key.
    pub tokens: Option<u64>,
}

/// A prompt to ask the suspect.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedPrompt {
    /// The harvest's name.
    pub harvest: String,
    /// Its text.
    pub prompt: String,
    /// Served contexts for each token of its answer.
    pub served_contexts_a_token: f64,
}

/// What to ask a suspect, and how much. Its JSON names are a format.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Number of this format.
    pub schema: u32,
    /// Assumed strength of the mark in served contexts.
    pub strength: f64,
    /// Largest adjusted p of a verdict, over all keys.
    pub alpha: f64,
    /// Chance that the windows give it.
    pub power: f64,
    /// One for each harvest and key.
    pub keys: Vec<KeyPlan>,
    /// The harvests' own prompts, the best first.
    pub prompts: Vec<PlannedPrompt>,
}

impl Plan {
    /// All of it together.
    #[must_use]
    pub fn new(keys: Vec<KeyPlan>, config: &Config, prompts: Vec<PlannedPrompt>) -> Self {
        Self { schema: 1, strength: config.strength, alpha: config.alpha, power: config.power, keys, prompts }
    }
}

/// The plan for a terminal.
#[must_use]
pub fn text(plan: &Plan) -> String {
    let mut out =
        format!("for p of at most {:e} with a chance of {} at strength {}:\n", plan.alpha, plan.power, plan.strength);
    for key in &plan.keys {
        let _ = writeln!(
            out,
            "  {}, {} ({}) key {}: {} ({:.3} served contexts a token)",
            plain(&key.harvest),
            key.scheme,
            key.dialect,
            plain(&key.key),
            takes(key.windows, key.tokens, key.most_windows),
            key.served_contexts_a_token
        );
        let enough = key.windows.is_some_and(|windows| windows <= key.contexts);
        let _ = writeln!(
            out,
            "    its {} contexts, asked for one prediction each, are {}",
            grouped(key.contexts),
            if enough { "enough" } else { "too few" }
        );
        let _ = writeln!(out, "    where a window tells as much ({:.5} bits):", key.bits);
        for of in &key.native {
            let told = match of.strength {
                None => "cannot tell so much".to_owned(),
                Some(strength) => {
                    format!("at strength {strength:.4} {}", takes(of.windows, of.tokens, key.most_windows))
                }
            };
            let _ = writeln!(out, "      {:<10}  {told}", of.scheme);
        }
    }
    let _ = writeln!(out, "{} prompts, the best first:", plan.prompts.len());
    for prompt in &plan.prompts {
        let text = clip(&plain(&prompt.prompt), 100);
        let _ = writeln!(out, "  {:.3}  {}: {text}", prompt.served_contexts_a_token, plain(&prompt.harvest));
    }
    out + "\na plan is a budget and no promise: how much a model learns of a harvest depends on the model\n"
}

/// Windows and tokens, or why no number of tokens is enough.
fn takes(windows: Option<u64>, tokens: Option<u64>, most: u64) -> String {
    match (windows, tokens) {
        (None, _) => "no number of windows is enough".to_owned(),
        (Some(windows), Some(tokens)) => {
            format!("{} windows in served contexts, some {} tokens of answers", grouped(windows), grouped(tokens))
        }
        (Some(windows), None) => format!(
            "{} windows in served contexts, which no number of tokens gives: answers like these have {} at most",
            grouped(windows),
            grouped(most)
        ),
    }
}
