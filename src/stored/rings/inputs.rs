//! What the accounts of a ring put around the texts that they share, for the question whether they are customers of one app.
//!
//! The idea: a new template is shared by the customers of the app that brings it out, each of whom fills it with something of his own; a work queue shares whole texts. So a request
//! counts as filled where a stretch of it beside the shared text is long and no other account's, and loads are counted too, since customers use an app as unevenly
//! as people do. Weakness: an operator who hands out a template with other slots to each account, and unevenly, looks like an app's maker; so this explains, and
//! acquits of nothing. Guarantee: the same requests give the same counts.

use super::super::known::SINGLE;
use super::super::standing::level_of;
use super::super::view::View;
use super::attributes::families;
use super::subjects::{beside, words};
use crate::ids::{Digest, Level};
use crate::ring::Ring;
use crate::ring::streams::ln_p_of_people;
use crate::store::postings::Posting;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Accounts that are looked at, chosen by digest, and prompts of each.
const MOST_ACCOUNTS: usize = 300;
const MOST_PROMPTS: usize = 32;
/// Bytes of a stretch beside the shared text, from which on it is a filling: more than a greeting or some words that were changed.
const LEAST_BYTES: usize = 24;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    /// Distinct prompts that were looked at, of each account.
    pub(crate) requests: u32,
    /// Of these, filled with what no other account sent.
    pub(crate) filled: u32,
    /// ln p that the loads of people are as even.
    pub(crate) ln_p_even: f64,
}

impl Inputs {
    /// Whether most of what was sent is filled, as by customers of an app.
    pub(crate) fn are_filled(&self) -> bool {
        2 * self.filled >= self.requests
    }
}

/// What the first group of a ring put around its texts in these requests; none where it sent none of them.
pub(super) fn of(view: &View, requests: &[Posting], ring: &Ring, seed: u64) -> Option<Inputs> {
    let key = |account: u32| Digest::of(&[seed.to_le_bytes(), u64::from(account).to_le_bytes()].concat());
    let mut order: Vec<(Digest, u32)> = ring.frozen.iter().map(|&account| (key(account), account)).collect();
    order.sort_unstable();
    let accounts: BTreeSet<u32> = order.into_iter().take(MOST_ACCOUNTS).map(|(_, account)| account).collect();
    let mut widest: BTreeMap<u64, u32> = BTreeMap::new();
    for &(_, family, accounts, _) in &ring.families {
        let most = widest.entry(family).or_default();
        *most = accounts.max(*most);
    }
    // Each prompt of an account, by the widest of the ring's texts that it holds.
    let mut sent: BTreeMap<u64, BTreeSet<(u32, u32)>> = BTreeMap::new();
    let (mut prompts, mut loads): (BTreeMap<u32, usize>, BTreeMap<u32, f64>) = (BTreeMap::new(), BTreeMap::new());
    for posting in requests.iter().filter(|posting| accounts.contains(&posting.account)) {
        let held = families(view, posting).into_iter().filter_map(|family| Some((*widest.get(&family)?, family)));
        let Some((_, family)) = held.max() else { continue };
        *loads.entry(posting.account).or_default() += 1.0;
        let n = prompts.entry(posting.account).or_default();
        if *n < MOST_PROMPTS && sent.entry(family).or_default().insert((posting.account, posting.prompt)) {
            *n += 1;
        }
    }
    let mut found: Vec<(Digest, u32, u32)> = Vec::new();
    let mut looked_at = 0;
    for (family, sent) in &sent {
        looked_at += sent.len() as u32;
        if level_of(*family).0 == Level::Exact {
            continue;
        }
        let prompts: BTreeSet<u32> = sent.iter().map(|(_, prompt)| *prompt).collect();
        let words = words(view, *family, &prompts.into_iter().collect::<Vec<u32>>());
        let own = sent.par_iter().flat_map_iter(|&(account, prompt)| {
            let near = view.family(prompt);
            let stretches = beside(view, (near != SINGLE).then_some(near), &words, prompt);
            let long = stretches.into_iter().filter(|stretch| stretch.len() >= LEAST_BYTES);
            long.map(move |stretch| (Digest::of(stretch.as_bytes()), account, prompt))
        });
        found.extend(own.collect::<Vec<(Digest, u32, u32)>>());
    }
    // What two accounts put there is nobody's own, and what an account puts around everything, the same each time, is one filling.
    found.sort_unstable();
    let own = found.chunk_by(|a, b| a.0 == b.0).filter(|same| same[0].1 == same[same.len() - 1].1);
    let filled = own.map(|same| (same[0].1, same[0].2)).collect::<BTreeSet<(u32, u32)>>().len() as u32;
    let loads: Vec<f64> = loads.into_values().collect();
    (looked_at > 0).then(|| Inputs { requests: looked_at, filled, ln_p_even: ln_p_of_people(&loads, seed) })
}
