//! What requests are after: reasoning written out, or answers graded; told by the phrases of `data/focus.toml`.
//!
//! The idea: whoever trains on answers asks for reasoning and for grades more than others do. What the texts ask for that a ring shares is said and is no test, for its accounts are in
//! the ring since they share them; tested is what else they ask, with every family left out that two accounts of the group ever used, so that neither what proposed them nor what confirmed them
//! counts. Weakness: a list of phrases in English; teachers, testers and judges of contests write so too, so no rung rests on it. Guarantee: the same requests give the same counts.

use super::super::view::View;
use super::attributes::families;
use crate::ids::Digest;
use crate::ring::shares::{Counted, Shares, shares};
use crate::store::postings::Posting;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// Bytes of a prompt in which phrases are looked for.
const MOST_BYTES: usize = 16 << 10;
/// Requests of a day that are looked at beside those of the group; of more, those of some accounts, chosen by digest.
const MOST_REQUESTS: usize = 10_000;

/// The file of phrases.
#[derive(Deserialize)]
struct File {
    phrases: Vec<Phrases>,
}

#[derive(Deserialize)]
struct Phrases {
    texts: Vec<String>,
}

static PHRASES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let file: File = toml::from_str(include_str!("../../../data/focus.toml")).unwrap_or(File { phrases: Vec::new() });
    file.phrases.into_iter().flat_map(|phrases| phrases.texts).collect()
});

/// Whether a folded text has the focus.
fn is_focused(folded: &str) -> bool {
    let mut end = folded.len().min(MOST_BYTES);
    while !folded.is_char_boundary(end) {
        end -= 1;
    }
    PHRASES.iter().any(|phrase| folded[..end].contains(phrase.as_str()))
}

/// The focus of a ring's first group.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Focus {
    /// Of what else its accounts ask.
    pub(crate) others: Option<Shares>,
    /// Requests of the group in families that two of its accounts used, of the day that confirmed it: with the focus, and all.
    pub(crate) shared: (u32, u32),
}

/// What a group, whose accounts are sorted, asks on a day with these requests; `shared` are the families that two of its accounts ever used, and `plans` those of accounts.
pub(super) fn focus(
    view: &View,
    day: &[Posting],
    group: &[u32],
    shared: &BTreeSet<u64>,
    plans: &BTreeMap<u32, u64>,
    seed: u64,
) -> Focus {
    let is_own = |posting: &Posting| group.binary_search(&posting.account).is_ok();
    // Whole accounts, so that shares are those of what they ask.
    let mut of_account: BTreeMap<u32, usize> = BTreeMap::new();
    day.iter()
        .filter(|posting| !is_own(posting))
        .for_each(|posting| *of_account.entry(posting.account).or_default() += 1);
    let mut order: Vec<(Digest, u32, usize)> = of_account
        .into_iter()
        .map(|(account, n)| (Digest::of(&[&seed.to_le_bytes()[..], &account.to_le_bytes()].concat()), account, n))
        .collect();
    order.sort_unstable();
    let mut left = MOST_REQUESTS;
    let within = |(_, account, n): (Digest, u32, usize)| {
        left = left.checked_sub(n)?;
        Some(account)
    };
    let chosen: BTreeSet<u32> = order.into_iter().map_while(within).collect();
    let looked: Vec<&Posting> =
        day.iter().filter(|posting| is_own(posting) || chosen.contains(&posting.account)).collect();
    let mut prompts: Vec<u32> = looked.iter().map(|posting| posting.prompt).collect();
    prompts.sort_unstable();
    prompts.dedup();
    let of_prompt: Vec<bool> = prompts
        .par_iter()
        .map_init(String::new, |text, &prompt| {
            text.clear();
            view.folded(prompt, text);
            is_focused(text)
        })
        .collect();
    let found: Vec<(u32, bool, bool)> = looked
        .par_iter()
        .map(|posting| {
            let focused = prompts.binary_search(&posting.prompt).is_ok_and(|at| of_prompt[at]);
            let is_shared = families(view, posting).iter().any(|family| shared.contains(family));
            (posting.account, focused, is_shared)
        })
        .collect();
    let mut counts: BTreeMap<u32, Counted> = BTreeMap::new();
    let mut of_shared = (0, 0);
    for (account, focused, is_shared) in found {
        if is_shared {
            if group.binary_search(&account).is_ok() {
                of_shared.0 += u32::from(focused);
                of_shared.1 += 1;
            }
            continue;
        }
        let plan = plans.get(&account).copied();
        let of = counts.entry(account).or_insert(Counted { account, plan, ..Counted::default() });
        of.requests += 1;
        of.having += u32::from(focused);
    }
    let counts: Vec<Counted> = counts.into_values().collect();
    Focus { others: shares(&counts, group, seed), shared: of_shared }
}

#[cfg(test)]
mod tests {
    use super::{MOST_BYTES, PHRASES, is_focused};

    #[test]
    fn phrases_are_folded_and_found_within_the_bound() {
        assert!(PHRASES.len() > 25, "{} phrases", PHRASES.len());
        for phrase in PHRASES.iter() {
            let folded = crate::text::fold(phrase).text;
            assert_eq!(&folded, phrase, "a phrase that is not folded is never found");
        }
        let (mut plain, mut folded) = (String::new(), String::new());
        for (text, focused) in [("Think STEP  by\u{200b} step, please", true), ("Which step comes first?", false)] {
            plain.clear();
            plain.push_str(text);
            folded.clear();
            folded.push_str(&crate::text::fold(&plain).text);
            assert_eq!(is_focused(&folded), focused, "{folded}");
        }
        // Beyond the bound nothing is read, and a character across it is no panic.
        let long = format!("{}é step by step", "x".repeat(MOST_BYTES - 1));
        assert!(!is_focused(&long));
    }
}
