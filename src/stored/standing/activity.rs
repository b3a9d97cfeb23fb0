//! What accounts did, night by night, so that a look-up of one reads its own lines and not all requests.

use super::super::totals::trivial_prompts;
use super::super::view::View;
use super::is_trivial;
use crate::error::Result;
use crate::store::Store;
use crate::store::uses::Activity;
use rayon::prelude::*;
use std::collections::HashSet;

/// The activity of a night, given by its place; `is_known(prompt, account)` says whether an earlier night has that prompt of that account.
pub(super) fn of_night(
    store: &Store,
    view: &View,
    at: usize,
    is_known: &(dyn Fn(u32, u32) -> bool + Sync),
) -> Result<Vec<Activity>> {
    let night = &store.nights()[at];
    let postings = view.postings[at].all();
    let new = trivial_prompts(store, at)?;
    let trivial = |prompt: u32| match prompt.checked_sub(night.first_prompt) {
        Some(i) => new.get(i as usize).copied().unwrap_or_default(),
        None => is_trivial(view, prompt),
    };
    let by_prompt: Vec<_> = postings.chunk_by(|a, b| a.prompt == b.prompt).collect();
    let trivial: HashSet<u32> =
        by_prompt.par_iter().map(|same| same[0].prompt).filter(|&prompt| trivial(prompt)).collect();
    let mut places: Vec<u32> = (0..postings.len() as u32).collect();
    let key = |place: u32| (postings[place as usize].account, place);
    places.par_sort_unstable_by_key(|&place| key(place));
    let of_account = |places: &[u32]| -> Vec<Activity> {
        // Few models, in the order in which they were asked.
        let mut out: Vec<Activity> = Vec::new();
        let mut last_prompt = None;
        // Places are in order of the prompt.
        for posting in places.iter().map(|&place| &postings[place as usize]) {
            let own = out.iter().position(|of_model| of_model.model == posting.model).unwrap_or_else(|| {
                let (first, last) = (posting.time, posting.time);
                let (account, model) = (posting.account, posting.model);
                out.push(Activity {
                    account,
                    night: night.night,
                    model,
                    requests: 0,
                    prompts: 0,
                    trivial: 0,
                    first,
                    last,
                });
                out.len() - 1
            });
            let own = &mut out[own];
            let is_new = last_prompt.replace(posting.prompt) != Some(posting.prompt)
                && (posting.prompt >= night.first_prompt || !is_known(posting.prompt, posting.account));
            own.requests += 1;
            own.prompts += u32::from(is_new);
            own.trivial += u32::from(trivial.contains(&posting.prompt));
            (own.first, own.last) = (own.first.min(posting.time), own.last.max(posting.time));
        }
        out
    };
    let account = |place: &u32| postings[*place as usize].account;
    let accounts: Vec<&[u32]> = places.chunk_by(|a, b| account(a) == account(b)).collect();
    Ok(accounts.into_par_iter().flat_map_iter(of_account).collect())
}

/// The activity of all nights, from all requests.
pub(super) fn of_all(store: &Store, view: &View) -> Result<Vec<Activity>> {
    let mut seen: HashSet<(u32, u32)> = HashSet::new();
    let mut out = Vec::new();
    for at in 0..store.nights().len() {
        out.extend(of_night(store, view, at, &|prompt, account| seen.contains(&(prompt, account)))?);
        seen.extend(view.postings[at].all().iter().map(|posting| (posting.prompt, posting.account)));
    }
    Ok(out)
}
