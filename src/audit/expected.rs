//! The flow of a planting plan: a sample of served text, and logits of the served model → what a configuration gives in evidence, before it is used.
//!
//! The text says how many of a thousand tokens can count at all (windows that are distinct and have a context); the logits, planted one by one under
//! keys drawn for it with contexts out of the sample, say what each of those gives. Where the sample bears the mark already, it says both.
//!
//! Weakness: each row of logits is one step, without the ones that would have followed from another token. Guarantee: the same sample, logits and seed give the same plan.

use crate::detect::decoys::material;
use crate::detect::p_value::Law;
use crate::detect::planting::FOUND;
use crate::detect::tally::statistic;
use crate::detect::windows::Text;
use crate::detect::{Finding, Test, windows_to};
use crate::error::Result;
use crate::radioactivity::plan::windows_needed;
use crate::report::expected::{AtStrength, Evidence, KeyExpected};
use crate::watermark::sample::{Sampling, softmax, warp};
use crate::watermark::{PAD, SoFar, Unit, Value, Windows};
use rand::{Rng as _, SeedableRng as _};
use rayon::prelude::*;

/// Keys under which each row of logits is planted.
const KEYS: usize = 8;
/// Rows of logits that are planted, at most.
pub const MOST_ROWS: usize = 4096;
/// Strengths for which tokens are planned where nothing is known of the model.
const STRENGTHS: [f64; 4] = [0.03, 0.1, 0.3, 1.0];
/// A token whose likeliest alternative has less than this left carries no mark.
const CERTAIN: f64 = 0.999;

/// What planting rows of logits gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Simulated {
    /// Mean statistic of a window.
    pub rate: f64,
    /// Standard error of that mean.
    pub error: f64,
    /// Share of rows that are certain.
    pub certain: f64,
}

/// Plants rows of logits, each under some keys.
///
/// # Errors
/// `Input` when a row is not as wide as the vocabulary, or holds NaN, +∞ or nothing above −∞; it is named by its number.
pub fn simulated(
    test: &Test,
    logits: ndarray::ArrayView2<'_, f32>,
    contexts: &[Text],
    sampling: &Sampling,
    seed: u64,
) -> Result<Simulated> {
    let traits = test.marker.traits();
    let width = traits.shape.context;
    let long: Vec<&[u32]> = contexts.iter().map(|text| text.tokens.as_slice()).filter(|t| t.len() >= width).collect();
    let greedy = sampling.top_k == 1;
    let row = |row: ndarray::ArrayView1<'_, f32>| if greedy { untied(row.to_vec()) } else { row.to_vec() };
    let rows: Vec<Vec<f32>> = logits.outer_iter().take(MOST_ROWS).map(row).collect();
    let one = |(step, row): (usize, &Vec<f32>)| -> Result<[f64; 3]> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed ^ (step as u64) << 20);
        let (mut sum, mut squares) = (0.0, 0.0);
        for key in 0..KEYS {
            let scheme = test.marker.with_key(&material(seed, key));
            let before: Vec<u32> = if long.is_empty() {
                (0..width).map(|_| rng.random_range(0..traits.vocab)).collect()
            } else {
                let text = long[rng.random_range(0..long.len())];
                let at = rng.random_range(0..=text.len() - width);
                text[at..at + width].iter().map(|id| id % traits.vocab).collect()
            };
            // As the answer so far, of which a scheme reads at least the context.
            let so_far = SoFar { prompt: &[], response: &before };
            let token = scheme.plant(so_far, row, sampling, &mut || rng.random::<f64>());
            let token = token.map_err(|error| error.at(format!("step {step}")))?;
            let mut window = vec![PAD; width - before.len().min(width)];
            window.extend_from_slice(&before);
            window.push(token);
            let (mut units, mut values): (Vec<Unit>, Vec<Value>) = (Vec::new(), Vec::new());
            scheme.reduce(Windows::new(&window, width), &mut units);
            scheme.values(&units, &mut values);
            let value = values.first().map_or(0.0, |value| statistic(*value, &traits.null));
            sum += value;
            squares += value * value;
        }
        let most = softmax(&warp(row, sampling)).into_iter().fold(0.0, f64::max);
        Ok([sum, squares, f64::from(u8::from(most >= CERTAIN))])
    };
    let all: Vec<[f64; 3]> = rows.par_iter().enumerate().map(one).collect::<Result<_>>()?;
    let total = |of: usize| all.iter().map(|row| row[of]).sum::<f64>();
    let n = (all.len() * KEYS).max(1) as f64;
    let rate = total(0) / n;
    let variance = (total(1) / n - rate * rate).max(0.0);
    Ok(Simulated { rate, error: (variance / n).sqrt(), certain: total(2) / all.len().max(1) as f64 })
}

/// A row of logits of whose largest ones the first is left: greedy decoding has no choice between equal tokens.
fn untied(mut row: Vec<f32>) -> Vec<f32> {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let largest = row.iter_mut().filter(|x| **x == most && most > f32::NEG_INFINITY);
    largest.skip(1).for_each(|x| *x = f32::NEG_INFINITY);
    row
}

/// What a mean statistic of a window gives.
fn evidence(law: &Law, rate: f64, countable: f64) -> Evidence {
    let n = (1000.0 * countable) as u64;
    let windows = windows_to(law, rate, libm::log(FOUND)).filter(|_| countable > 0.0);
    Evidence {
        rate,
        log10_p_per_1000: law.ln_p(n, (rate * n as f64).floor()) / std::f64::consts::LN_10,
        tokens_to_found: windows.map(|windows| (windows as f64 / countable).ceil() as u64),
    }
}

/// What one configuration gives, with what it warns of. `planted` is what [`simulated`] says, where there are logits.
#[must_use]
pub fn expected(test: &Test, finding: &Finding, planted: Option<Simulated>, sampling: &Sampling) -> KeyExpected {
    let traits = test.marker.traits();
    let law = Law::new(traits.null);
    let countable = finding.scored as f64 / (finding.tokens as f64).max(1.0);
    let of_sample = (finding.ln_p <= libm::log(FOUND)).then(|| evidence(&law, finding.rate, countable));
    // Within three standard errors of the null, a rate is noise.
    let shows = |of: &Simulated| of.rate - 3.0 * of.error > law.expected(1);
    let simulated = planted.map(|of| {
        let found = evidence(&law, of.rate, countable);
        if shows(&of) { found } else { Evidence { tokens_to_found: None, ..found } }
    });
    let at = |strength: f64| AtStrength {
        strength,
        tokens: windows_needed(&law, strength, 0.95, libm::log(FOUND))
            .filter(|_| countable > 0.0)
            .map(|windows| (windows as f64 / countable).ceil() as u64),
    };
    let mut warnings = Vec::new();
    let mut warn = |text: String| warnings.push(text);
    if sampling.top_k == 1 {
        warn("greedy decoding: the token is the likeliest one whatever the key, so schemes that draw with the key plant nothing".into());
    }
    if let Some(of) = planted.filter(|of| of.certain > 0.5) {
        let share = 100.0 * of.certain;
        warn(format!("{share:.0}% of the steps are certain (a probability of {CERTAIN} or more) and carry no mark"));
    }
    if simulated.as_ref().is_some_and(|of| of.tokens_to_found.is_none_or(|tokens| tokens > 1_000_000)) {
        warn("with these logits this configuration plants nothing that a million tokens would show".into());
    }
    if countable < 0.5 {
        let reasons: Vec<String> = finding.masked.iter().map(|(reason, n)| format!("{reason} {n}")).collect();
        warn(format!("only {:.0}% of the sample's tokens can count: {}", 100.0 * countable, reasons.join(", ")));
    }
    let raised = ["bias", "delta", "strength"].iter().filter_map(|name| test.parameters.get(*name));
    if raised.filter_map(|value| value.parse::<f64>().ok()).any(|value| value <= 0.0) {
        warn("the bias is not above 0: no green token is raised".into());
    }
    if traits.shape.context == 0 {
        warn("one list for all text, whatever stands before a token: it is learned from a few thousand tokens".into());
    }
    if let Some(published) = test.published {
        warn(format!("the key is public ({published}): its mark shows nothing"));
    }
    KeyExpected {
        key_id: test.key_id.clone(),
        scheme: test.scheme,
        dialect: test.dialect,
        tokens: finding.tokens,
        countable_per_1000: 1000.0 * countable,
        of_sample,
        simulated,
        at_strengths: STRENGTHS.into_iter().map(at).collect(),
        warnings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::watermark::tests;
    use crate::watermark::keys::{Given, read};

    fn rows(spread: f32) -> ndarray::Array2<f32> {
        ndarray::Array2::from_shape_fn((300, 100), |(step, i)| ((i * 37 + step * 11) % 101) as f32 / spread)
    }

    fn test(file: &str) -> Test {
        let root = |_: &str| unreachable!();
        tests(read(file, "k", &Given::default(), &root).expect("a key")).pop().expect("one")
    }

    #[test]
    fn logits_that_leave_a_choice_give_evidence_and_others_none() {
        let test = test("scheme = \"gumbel\"\ndialect = \"sglang\"\nkey = \"9f3c\"\nvocab_size = 100\n");
        let texts = [Text { tokens: (0..90).collect(), prompt: None }];
        let rate = |spread: f32, sampling: &Sampling| {
            let of = simulated(&test, rows(spread).view(), &texts, sampling, 1).expect("logits");
            (of.rate, of.certain)
        };
        let (open, certain) = rate(40.0, &Sampling::default());
        assert!(open > 3.0 && certain < 0.01, "{open} {certain}");
        let (closed, certain) = rate(0.05, &Sampling::default());
        assert!((0.8..1.25).contains(&closed) && certain > 0.9, "{closed} {certain}");
        let (greedy, _) = rate(40.0, &Sampling { top_k: 1, ..Sampling::default() });
        assert!((0.8..1.25).contains(&greedy), "{greedy}");
        let law = Law::new(test.marker.traits().null);
        assert!(evidence(&law, open, 0.9).tokens_to_found.is_some_and(|tokens| tokens < 60));
        assert_eq!(evidence(&law, 1.0, 0.9).tokens_to_found, None);
    }
}
