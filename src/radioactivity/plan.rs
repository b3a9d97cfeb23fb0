//! Before anything is spent: which prompts draw the most served contexts back, and how many tokens of answers a verdict would take.
//!
//! The idea: a model that was trained on a harvest and is asked the harvest's own prompts answers much as it was taught. How often its answers
//! pass through served contexts is estimated from the harvest itself: of the contexts of each response, those that stand in *another* response as well. The windows
//! that a verdict needs follow from the law of the scheme at an assumed strength ([`Law::power`]). In the distillations of `benches/record/radioactivity.md` a green list
//! had strength .006, .028 and .088 in closed tests where 1, 5 and 20% of what the student read was the ring's.
//!
//! Answers repeat each other's windows, and each counts once. If an answer is like a response drawn from the harvest, a window that stands in k of R responses
//! has been said after A answers with the chance 1 − (1 − k/R)^A ([`Shares::distinct`]): so many tokens are planned for, and where all windows of the harvest together
//! are too few, no number of tokens is enough.
//!
//! Weakness: a larger model learns less from the same text, and other prompts draw other contexts; a model also says tokens after a served context that nobody was
//! served, and those count in a test but not in a plan. A plan is a budget and no promise. Guarantee: the same harvest gives the same plan.

use crate::detect::p_value::Law;
use crate::error::Result;
use crate::store::spill::{Gather, Record};
use std::collections::BTreeMap;
use std::path::Path;

/// What one response says of its prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Yield {
    /// Number of the response.
    pub response: usize,
    /// Its tokens.
    pub tokens: u64,
    /// Its contexts that stand in another response as well.
    pub shared: u64,
}

impl Yield {
    /// Served contexts for each token of an answer, in [0, 1].
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.shared as f64 / (self.tokens as f64).max(1.0)
    }
}

/// Fewest tokens of a response that says anything of its prompt.
const LEAST_TOKENS: u64 = 20;
/// Most windows that a plan is made for, and most answers.
const MOST_WINDOWS: u64 = 1 << 40;

/// A window and a response that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Held {
    context: [u64; 2],
    token: u32,
    response: u32,
}

impl Record for Held {
    fn same(&self, other: &Self) -> bool {
        self == other
    }
}

/// The windows of responses, while they are read.
pub struct Windows(Gather<Held>);

impl Windows {
    /// At most `bytes` of windows in memory (24 each); more go to files without a name in `dir`.
    #[must_use]
    pub fn new(bytes: usize, dir: &Path) -> Self {
        Self(Gather::new(bytes, dir))
    }

    /// Adds the windows of a response, each a packed context and the token after it.
    /// # Errors
    /// `Io` when a run cannot be spilled.
    pub fn add(&mut self, response: u32, windows: impl IntoIterator<Item = (u128, u32)>) -> Result<()> {
        let held = |(key, token): (u128, u32)| Held { context: [(key >> 64) as u64, key as u64], token, response };
        self.0.add(&windows.into_iter().map(held).collect::<Vec<_>>())
    }

    /// What `n` responses have in common.
    /// # Errors
    /// `Io` when something cannot be spilled.
    pub fn finish(self, n: usize) -> Result<Shares> {
        let mut out = Shares { shared: vec![0; n], contexts: 0, holders: BTreeMap::new() };
        let all = self.0.finish()?;
        let mut responses: Vec<u32> = Vec::new();
        for windows in all.records().chunk_by(|a, b| a.context == b.context) {
            out.contexts += 1;
            responses.clear();
            responses.extend(windows.iter().map(|held| held.response));
            responses.sort_unstable();
            responses.dedup();
            if responses.len() < 2 {
                continue;
            }
            for response in &responses {
                if let Some(count) = out.shared.get_mut(*response as usize) {
                    *count += 1;
                }
            }
            for window in windows.chunk_by(|a, b| a.token == b.token) {
                *out.holders.entry(window.len() as u64).or_default() += 1;
            }
        }
        Ok(out)
    }
}

/// What responses have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Of each response, how many of its contexts another one has as well.
    pub shared: Vec<u64>,
    /// Distinct contexts of all.
    pub contexts: u64,
    /// How many distinct windows stand in so many responses, among those whose context stands in several.
    pub holders: BTreeMap<u64, u64>,
}

impl Shares {
    /// Distinct windows that answers like these responses can have at most.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.holders.values().sum()
    }

    /// Distinct windows that `answers` of them have, on average.
    #[must_use]
    pub fn distinct(&self, answers: f64) -> f64 {
        let n = (self.shared.len() as f64).max(1.0);
        let said = |k: u64| -libm::expm1(answers * libm::log1p(-(k as f64 / n)));
        self.holders.iter().map(|(&k, &windows)| windows as f64 * said(k)).sum()
    }

    /// How many answers have so many distinct windows on average; none where no number has.
    #[must_use]
    pub fn answers(&self, windows: u64) -> Option<f64> {
        let enough = |answers: f64| self.distinct(answers) >= windows as f64;
        let (mut low, mut high) = (0.0, 1.0);
        while !enough(high) {
            (low, high) = (high, 2.0 * high);
            if high > MOST_WINDOWS as f64 {
                return None;
            }
        }
        // To 10⁻⁹ of it.
        for _ in 0..30 {
            let middle = f64::midpoint(low, high);
            if enough(middle) { high = middle } else { low = middle }
        }
        Some(high)
    }
}

/// Responses by what they promise, best first: `tokens` and `shared` are of each response.
#[must_use]
pub fn ranked(tokens: &[u64], shared: &[u64]) -> Vec<Yield> {
    let of = |(response, (&tokens, &shared)): (usize, (&u64, &u64))| Yield { response, tokens, shared };
    let mut out: Vec<Yield> = tokens.iter().zip(shared).enumerate().map(of).collect();
    out.retain(|of| of.tokens >= LEAST_TOKENS);
    out.sort_by(|a, b| b.rate().total_cmp(&a.rate()).then(a.response.cmp(&b.response)));
    out
}

/// The fewest windows with which a mark of `strength` gives p ≤ e^`ln_alpha` with a chance of `power`; none where no number does.
#[must_use]
pub fn windows_needed(law: &Law, strength: f64, power: f64, ln_alpha: f64) -> Option<u64> {
    let enough = |n: u64| law.power(n, strength, ln_alpha) >= power;
    let mut high = 1;
    while !enough(high) {
        high *= 2;
        if high > MOST_WINDOWS {
            return None;
        }
    }
    let mut low = high / 2;
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if enough(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

/// The strength at which a window under `law` tells `bits`; none where it tells less at its strongest.
#[must_use]
pub fn strength_of(law: &Law, bits: f64) -> Option<f64> {
    if law.bits(1.0) < bits {
        return None;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if law.bits(middle) >= bits { high = middle } else { low = middle }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watermark::Null;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const GREEN: Null = Null::Coin { share: 0.25 };
    const GUMBEL: Null = Null::Exponential { shift: 0.0 };

    #[test]
    fn the_fewest_windows_have_the_power_and_one_less_has_not() {
        for (null, strength) in [(GREEN, 0.02), (GREEN, 0.2), (GUMBEL, 0.1)] {
            let law = Law::new(null);
            let n = windows_needed(&law, strength, 0.95, -13.8).expect("enough windows");
            assert!(law.power(n, strength, -13.8) >= 0.95 && law.power(n / 2, strength, -13.8) < 0.95, "{n}");
        }
        // A mark of .02 raises .25 to .265: by the normal law (4.89 √(.25 × .75) + 1.645 √(.265 × .735))² / .015² windows.
        let n = windows_needed(&Law::new(GREEN), 0.02, 0.95, libm::log(1e-6)).expect("enough windows") as f64;
        let normal = ((4.753 * 0.1875f64.sqrt() + 1.645 * (0.265f64 * 0.735).sqrt()) / 0.015).powi(2);
        assert!((n / normal - 1.0).abs() < 0.05, "{n} and {normal}");
        assert_eq!(windows_needed(&Law::new(GREEN), 1e-9, 0.95, -13.8), None);
    }

    #[test]
    fn windows_that_tell_as_much_are_needed_in_like_number_under_every_law() {
        let bits = Law::new(GREEN).bits(0.02);
        // p raised from .25 to .265, in bits: .265 log₂ 1.06 + .735 log₂ .98.
        assert!((bits - (0.265 * 1.06f64.log2() + 0.735 * 0.98f64.log2())).abs() < 1e-12, "{bits}");
        let needed = |null: Null| {
            let law = Law::new(null);
            let strength = strength_of(&law, bits).expect("a strength");
            assert!((law.bits(strength) / bits - 1.0).abs() < 1e-9);
            windows_needed(&law, strength, 0.95, libm::log(1e-6)).expect("enough windows") as f64
        };
        let green = needed(GREEN);
        for null in [GUMBEL, Null::Layers { depth: 30, share: 0.5, weights: None }] {
            let other = needed(null);
            assert!((other / green - 1.0).abs() < 0.1, "{other} and {green}");
        }
        assert_eq!(strength_of(&Law::new(GREEN), 3.0), None, "a green token tells two bits at most");
    }

    #[test]
    fn answers_repeat_windows_and_the_plan_knows() {
        // Three windows that all of four responses have, and one each that nobody else has, behind a context that all have.
        let mut windows = Windows::new(1 << 20, &std::env::temp_dir());
        for response in 0..4 {
            windows
                .add(response, [(1, 1), (2, 1), (3, 1), (1, 10 + response), (100 + u128::from(response), 1)])
                .expect("added");
            windows.add(response, [(1, 1)]).expect("added");
        }
        let shares = windows.finish(4).expect("finished");
        assert_eq!((shares.contexts, shares.most()), (7, 7));
        assert_eq!(shares.shared, [3; 4]);
        assert_eq!(shares.holders, BTreeMap::from([(1, 4), (4, 3)]));
        assert!((shares.distinct(1.0) - 4.0).abs() < 1e-12);
        // Two answers: the three, and of the four each with the chance 1 − (3/4)².
        assert!((shares.distinct(2.0) - (3.0 + 4.0 * 7.0 / 16.0)).abs() < 1e-12);
        assert!(shares.answers(4).is_some_and(|answers| (answers - 1.0).abs() < 1e-6));
        assert_eq!(shares.answers(8), None);
    }

    proptest! {
        /// The average over answers that are drawn from the responses.
        #[test]
        fn distinct_windows_are_those_of_answers_drawn_from_the_harvest(
            responses in prop::collection::vec(prop::collection::btree_set((0u128..4, 0u32..3), 1..6), 2..5), answers in 1usize..4
        ) {
            let n = responses.len();
            let mut windows = Windows::new(1 << 20, &std::env::temp_dir());
            for (response, of) in (0..).zip(&responses) {
                windows.add(response, of.iter().copied()).expect("added");
            }
            let shares = windows.finish(n).expect("finished");
            let several = |context: u128| responses.iter().filter(|of| of.iter().any(|(other, _)| *other == context)).count() > 1;
            let draws = n.pow(answers as u32);
            let mut total = 0;
            for draw in 0..draws {
                let chosen = (0..answers).map(|i| draw / n.pow(i as u32) % n);
                let said: BTreeSet<(u128, u32)> = chosen.flat_map(|response| responses[response].iter().copied()).collect();
                total += said.into_iter().filter(|(context, _)| several(*context)).count();
            }
            prop_assert!((shares.distinct(answers as f64) - total as f64 / draws as f64).abs() < 1e-9);
        }
    }

    #[test]
    fn what_stands_in_other_responses_ranks_first_and_short_ones_say_nothing() {
        let found = ranked(&[100, 10, 50, 50], &[10, 10, 20, 20]);
        assert_eq!(found.iter().map(|of| of.response).collect::<Vec<_>>(), [2, 3, 0]);
        assert!((found[0].rate() - 0.4).abs() < 1e-12);
    }
}
