//! Before anything is spent: which prompts draw the most served contexts back, and how many tokens of answers a verdict would take.
//!
//! The idea: a model that was trained on a harvest and is asked the harvest's own prompts answers much as it was taught. How often its answers
//! pass through served contexts is estimated from the harvest itself: of the contexts of each response, those that stand in *another* response as well. The windows
//! that a verdict needs follow from the law of the scheme at an assumed strength ([`Law::power`]). In the distillations of `benches/record/radioactivity.md` a green list
//! had strength .006, .028 and .088 in closed tests where 1, 5 and 20% of what the student read was the ring's.
//!
//! Weakness: a larger model learns less from the same text, and other prompts draw other contexts; a plan is a budget and no promise. Guarantee: the
//! same harvest gives the same plan.

use crate::detect::Test;
use crate::detect::p_value::Law;

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
/// Most windows that a plan is made for.
const MOST_WINDOWS: u64 = 1 << 40;

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
pub fn windows_needed(test: &Test, strength: f64, power: f64, ln_alpha: f64) -> Option<u64> {
    let law = Law::new(test.marker.traits().null);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watermark::Scheme;
    use crate::watermark::native::green_list::GreenList;
    use crate::watermark::native::gumbel::Gumbel;
    use std::collections::BTreeMap;

    fn test(marker: Box<dyn Scheme>) -> Test {
        Test {
            key_id: String::new(),
            scheme: "",
            dialect: "",
            profile: String::new(),
            predicted: false,
            published: None,
            parameters: BTreeMap::new(),
            marker,
        }
    }

    #[test]
    fn the_fewest_windows_have_the_power_and_one_less_has_not() {
        let green = || Box::new(GreenList::new(&[1; 32], 0.25, 2.0, 2, 600));
        for (marker, strength) in
            [(green() as Box<dyn Scheme>, 0.02), (green(), 0.2), (Box::new(Gumbel::new(&[1; 32], 2, 600)), 0.1)]
        {
            let law = Law::new(marker.traits().null);
            let n = windows_needed(&test(marker), strength, 0.95, -13.8).expect("enough windows");
            assert!(law.power(n, strength, -13.8) >= 0.95 && law.power(n / 2, strength, -13.8) < 0.95, "{n}");
        }
        // A mark of .02 raises .25 to .265: by the normal law (4.89 √(.25 × .75) + 1.645 √(.265 × .735))² / .015² windows.
        let n = windows_needed(&test(green()), 0.02, 0.95, libm::log(1e-6)).expect("enough windows") as f64;
        let normal = ((4.753 * 0.1875f64.sqrt() + 1.645 * (0.265f64 * 0.735).sqrt()) / 0.015).powi(2);
        assert!((n / normal - 1.0).abs() < 0.05, "{n} and {normal}");
        assert_eq!(windows_needed(&test(green()), 1e-9, 0.95, -13.8), None);
    }

    #[test]
    fn what_stands_in_other_responses_ranks_first_and_short_ones_say_nothing() {
        let found = ranked(&[100, 10, 50, 50], &[10, 10, 20, 20]);
        assert_eq!(found.iter().map(|of| of.response).collect::<Vec<_>>(), [2, 3, 0]);
        assert!((found[0].rate() - 0.4).abs() < 1e-12);
    }
}
