//! What a configuration is expected to give in evidence: as values, as text and as JSON.
//!
//! Guarantee: names of keys are escaped, and no form holds a key.

use super::escape::{Lines, grouped, terminal};
use serde::Serialize;
use std::fmt::Write as _;

/// A plan of planting. Its JSON names are a format.
#[derive(Clone, Debug, Serialize)]
pub struct Expected {
    /// Number of this format.
    pub schema: u32,
    /// Documents of the sample.
    pub documents: u64,
    /// Steps of logits that were planted; none where there were no logits.
    pub steps: Option<usize>,
    /// One for each key.
    pub keys: Vec<KeyExpected>,
}

/// What one configuration gives.
#[derive(Clone, Debug, Serialize)]
pub struct KeyExpected {
    /// The key's name.
    pub key_id: String,
    /// Its scheme.
    pub scheme: &'static str,
    /// Its dialect.
    pub dialect: &'static str,
    /// Tokens of the sample.
    pub tokens: u64,
    /// Tokens of a thousand that can count.
    pub countable_per_1000: f64,
    /// What the sample itself gives, where it bears the mark (p ≤ 10⁻⁶).
    pub of_sample: Option<Evidence>,
    /// What planting the logits gives, where there are some.
    pub simulated: Option<Evidence>,
    /// Tokens to p ≤ 10⁻⁶ with a chance of .95, at assumed strengths.
    pub at_strengths: Vec<AtStrength>,
    /// What stands against it.
    pub warnings: Vec<String>,
}

/// Evidence of text.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// Statistic a window.
    pub rate: f64,
    /// log10 p of a thousand tokens.
    pub log10_p_per_1000: f64,
    /// Tokens to p ≤ 10⁻⁶ at this rate; none where no number of them does.
    pub tokens_to_found: Option<u64>,
}

/// Tokens at an assumed strength.
#[derive(Clone, Debug, Serialize)]
pub struct AtStrength {
    /// How far a hit rate goes from chance to 1, or what is added to a mean score.
    pub strength: f64,
    /// Tokens; none where no number of them does.
    pub tokens: Option<u64>,
}

/// For a terminal.
#[must_use]
pub fn text(plan: &Expected) -> String {
    let mut out = format!("{} documents\n", grouped(plan.documents));
    let tokens = |n: Option<u64>| n.map_or_else(|| "no number of".to_owned(), grouped);
    for key in &plan.keys {
        let id = terminal(&key.key_id, Lines::Join);
        let _ = writeln!(out, "\n{} ({})  key {id}", key.scheme, key.dialect);
        let _ = writeln!(
            out,
            "  of 1,000 tokens {:.0} can count ({} tokens of the sample)",
            key.countable_per_1000,
            grouped(key.tokens)
        );
        let mut say = |what: &str, of: &Option<Evidence>| {
            if let Some(of) = of {
                let _ = writeln!(
                    out,
                    "  {what}: log10 p {:.1} a 1,000 tokens (rate {:.4}); {} tokens to p < 1e-6",
                    of.log10_p_per_1000,
                    of.rate,
                    tokens(of.tokens_to_found)
                );
            }
        };
        say("the logits, planted", &key.simulated);
        say("the sample, which bears the mark", &key.of_sample);
        for at in &key.at_strengths {
            let _ = writeln!(
                out,
                "  at strength {:<5} {} tokens to p < 1e-6 (in 95 of 100 texts)",
                at.strength,
                tokens(at.tokens)
            );
        }
        key.warnings.iter().for_each(|warning| {
            let _ = writeln!(out, "  warning: {}", terminal(warning, Lines::Join));
        });
    }
    out
}

/// As indented JSON, with a line feed at its end.
#[must_use]
pub fn json(plan: &Expected) -> String {
    serde_json::to_string_pretty(plan).unwrap_or_default() + "\n"
}
