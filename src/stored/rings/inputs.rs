//! What the accounts of a ring put around the texts that they share, for the question whether it is their own.

use super::super::standing::level_of;
use super::super::view::View;
use super::attributes::families;
use super::neighbourhoods::Neighbourhoods;
use super::subjects::{of_text, rest, words};
use crate::embed::Model;
use crate::ids::{Digest, Level};
use crate::ring::inputs::{Input, Inputs, inputs};
use crate::ring::{EVERYWHERE, Ring};
use crate::store::postings::Posting;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Accounts that are looked at, chosen by digest, and prompts of each.
const MOST_ACCOUNTS: usize = 300;
const MOST_PROMPTS: usize = 32;
/// Bytes beside the shared text, from which on they can have a subject.
const LEAST_BYTES: usize = 24;

/// What the first group of a ring of the first route put around its texts in these requests; none where too little is known.
pub(super) fn of(
    (view, model): (&View, &Model),
    near: &Neighbourhoods,
    requests: &[Posting],
    ring: &Ring,
    seed: u64,
) -> Option<Inputs> {
    let mut order: Vec<(Digest, u32)> = ring
        .frozen
        .iter()
        .map(|account| (Digest::of(&[seed.to_le_bytes(), u64::from(*account).to_le_bytes()].concat()), *account))
        .collect();
    order.sort_unstable();
    let accounts: BTreeSet<u32> = order.into_iter().take(MOST_ACCOUNTS).map(|(_, account)| account).collect();
    let mut widest: BTreeMap<u64, u32> = BTreeMap::new();
    for &(_, family, accounts, _) in &ring.families {
        let most = widest.entry(family).or_default();
        *most = accounts.max(*most);
    }
    // Each prompt of an account, by the widest of the ring's texts that it holds.
    let mut sent: BTreeMap<u64, BTreeSet<(u32, u32)>> = BTreeMap::new();
    let mut of_account: BTreeMap<u32, usize> = BTreeMap::new();
    for posting in requests.iter().filter(|posting| accounts.contains(&posting.account)) {
        let held = families(view, posting).into_iter().filter_map(|family| Some((*widest.get(&family)?, family)));
        let Some((_, family)) = held.max() else { continue };
        let n = of_account.entry(posting.account).or_default();
        if *n < MOST_PROMPTS && sent.entry(family).or_default().insert((posting.account, posting.prompt)) {
            *n += 1;
        }
    }
    let mut found = Vec::new();
    for (family, sent) in &sent {
        let prompts: Vec<u32> = sent.iter().map(|(_, prompt)| *prompt).collect::<BTreeSet<u32>>().into_iter().collect();
        let words = words(view, *family, &prompts);
        let is_whole = level_of(*family).0 == Level::Exact;
        let own = sent.par_iter().map(|&(account, prompt)| {
            let rest = if is_whole { String::new() } else { rest(view, *family, &words, prompt) };
            let subject = if rest.len() < LEAST_BYTES { EVERYWHERE } else { of_text(model, near, &rest) };
            (Input { family: *family, account, subject }, Digest::of(rest.as_bytes()))
        });
        found.extend(own.collect::<Vec<(Input, Digest)>>());
    }
    // What an account puts around everything, the same each time, is no subject.
    let requests = found.len() as u32;
    found.sort_unstable_by_key(|(input, digest)| (input.account, *digest, input.family));
    found.dedup_by_key(|(input, digest)| (input.account, *digest));
    let known: Vec<Input> = found.into_iter().map(|(input, _)| input).filter(|own| own.subject != EVERYWHERE).collect();
    inputs(known, requests, seed)
}
