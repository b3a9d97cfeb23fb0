//! One day as the statistics read it, from postings, families and uses.

use super::super::known::SINGLE;
use super::super::registry::Registered;
use super::super::standing::{Standings, family_key};
use super::super::view::View;
use super::neighbourhoods::Neighbourhoods;
use crate::ids::{Field, Level};
use crate::ring::{Choice, Day, EVERYWHERE, Requests, Sent};
use crate::store::facts::Head;
use crate::store::postings::{NONE, Posting};
use crate::store::sorted::equal;
use crate::store::uses::Use;
use rayon::prelude::*;
use std::collections::HashMap;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// The day of a moment, where days begin so many seconds after midnight UTC.
pub(super) fn day_of(micros: i64, day_starts: i32) -> i32 {
    (micros - i64::from(day_starts) * 1_000_000).div_euclid(DAY) as i32
}

/// What days are read from.
pub(super) struct Reader<'a> {
    pub(super) view: &'a View,
    pub(super) standings: &'a Standings,
    pub(super) uses: Vec<&'a [Use]>,
    /// How many of those who act are in a family, where these are not the accounts of the store.
    pub(super) actors: Option<HashMap<u64, u64>>,
    /// What is innocent, and no evidence.
    pub(super) registered: Registered,
    /// Seconds after midnight UTC at which a day begins.
    pub(super) day_starts: i32,
}

/// Accounts that a family may be new to on a day and say something, in a small store.
const MOST_NEW: usize = 600;

/// Accounts that a text is sent by on a day, from which on it is wide.
const WIDE: usize = 20;

impl Reader<'_> {
    /// When a day begins.
    pub(super) fn start(&self, day: i32) -> i64 {
        i64::from(self.day_starts) * 1_000_000 + i64::from(day) * DAY
    }

    /// Texts that an exchange holds and that may be sent day after day: fragments that no known text explains, what its
    /// near-duplicates have in common, the system prompt.
    pub(super) fn texts_of(&self, posting: &Posting) -> Vec<u64> {
        let view = self.view;
        let heads = view.fragments_of(Field::Prompt, posting.prompt).map(|number| view.fragments[number as usize].head);
        let mut out: Vec<u64> = heads
            .filter(|&head| !view.fragments[head as usize].is_known())
            .map(|head| family_key(Level::Fragment, head))
            .collect();
        if posting.system != NONE {
            out.push(family_key(Level::System, posting.system));
        }
        let near = view.family(posting.prompt);
        if near != SINGLE {
            out.push(family_key(Level::NearDuplicate, near));
        }
        out.retain(|family| !self.registered.families.contains_key(family));
        out.sort_unstable();
        out.dedup();
        out
    }

    /// Texts that many accounts sent, and the requests of those under test, which are sorted.
    fn texts(&self, postings: &[Posting], under_test: &[u64]) -> (Vec<u64>, Vec<Sent>) {
        let texts = |posting: &Posting| -> Vec<Sent> {
            let sent = |family| Sent { family, account: posting.account, prompt: posting.prompt };
            self.texts_of(posting).into_iter().map(sent).collect()
        };
        let mut all: Vec<Sent> = postings.par_iter().flat_map_iter(texts).collect();
        all.par_sort_unstable();
        let (mut wide, mut sent) = (Vec::new(), Vec::new());
        for same in all.chunk_by(|a, b| a.family == b.family) {
            if same.chunk_by(|a, b| a.account == b.account).nth(WIDE - 1).is_some() {
                wide.push(same[0].family);
            }
            if under_test.binary_search(&same[0].family).is_ok() {
                sent.extend_from_slice(same);
            }
        }
        (wide, sent)
    }

    /// A day of these exchanges; `prompts` are theirs and `under_test` the texts that are, both sorted.
    pub(super) fn day(
        &self,
        day: i32,
        (prompts, postings): (&[u32], &[Posting]),
        under_test: &[u64],
        near: &Neighbourhoods,
    ) -> Day {
        let start = self.start(day);
        let (wide, sent) = self.texts(postings, under_test);
        let families: Vec<Option<Head>> = prompts.par_iter().map(|&prompt| self.family(prompt)).collect();
        let family = |prompt: u32| prompts.binary_search(&prompt).ok().and_then(|i| families[i].as_ref());
        let mut heads: HashMap<u64, &Head> = HashMap::new();
        let mut out = Day { day, wide, sent, large: near.large.clone(), ..Day::default() };
        let mut places: Vec<(u64, u16)> = Vec::new();
        let mut chosen: Vec<Choice> = Vec::new();
        for posting in postings {
            let neighbourhood = near.of(posting.prompt);
            out.requests.push(Requests { account: posting.account, neighbourhood, requests: 1 });
            if let Some(head) = family(posting.prompt) {
                heads.insert(head.family, head);
                chosen.push(Choice { family: head.family, account: posting.account });
                places.push((head.family, neighbourhood));
            }
        }
        chosen.par_sort_unstable();
        chosen.dedup();
        places.par_sort_unstable();
        let mut accounts: Vec<u32> = out.requests.iter().map(|requests| requests.account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        let groups: Vec<&[Choice]> = chosen.chunk_by(|a, b| a.family == b.family).collect();
        let read: Vec<[Vec<Choice>; 3]> = groups
            .par_iter()
            .map(|same| {
                let Some(head) = heads.get(&same[0].family) else { return Default::default() };
                let used = |account: u32| self.used(head, Some(account)).any(|used| used.first < start);
                let (again, new): (Vec<Choice>, Vec<Choice>) = same.iter().partition(|choice| used(choice.account));
                let mut before: Vec<Choice> = Vec::new();
                if new.len() >= 2 {
                    let earlier = self.used(head, None).filter(|used| used.first < start).map(|used| used.account);
                    let active = earlier.filter(|account| accounts.binary_search(account).is_ok());
                    before.extend(active.map(|account| Choice { family: head.family, account }));
                }
                [new, before, again]
            })
            .collect();
        // What more than a twentieth of all accounts take up in a day is news, and says nothing of a group.
        let common = accounts.len().div_ceil(20).max(MOST_NEW);
        for [new, before, again] in read {
            out.again.extend(again);
            if new.len() <= common {
                out.new.extend(new);
                out.before.extend(before);
            }
        }
        for same in places.chunk_by(|a, b| a.0 == b.0) {
            let most =
                same.chunk_by(|a, b| a.1 == b.1).max_by_key(|of_one| (of_one.len(), std::cmp::Reverse(of_one[0].1)));
            let most = most.filter(|of_one| 2 * of_one.len() > same.len()).map_or(EVERYWHERE, |of_one| of_one[0].1);
            out.neighbourhoods.push((same[0].0, most));
        }
        out.in_order()
    }

    /// The family for which a request with this prompt counts: of those that it is in, the one with most accounts. None where its text is trivial or
    /// registered, or where a known text explains a fragment of it.
    fn family(&self, prompt: u32) -> Option<Head> {
        let view = self.view;
        let near = view.family(prompt);
        let is_registered = |level, number| self.registered.families.contains_key(&family_key(level, number));
        if is_registered(Level::Exact, prompt) || near != SINGLE && is_registered(Level::NearDuplicate, near) {
            return None;
        }
        let of_near = (near != SINGLE).then(|| self.standings.head(family_key(Level::NearDuplicate, near))).flatten();
        let own =
            of_near.filter(|head| head.requests > 0).or_else(|| self.standings.head(family_key(Level::Exact, prompt)));
        let mut best = own.filter(|head| head.requests > 1 && head.trivial == 0).copied();
        for fragment in view.fragments_of(Field::Prompt, prompt) {
            let head = view.fragments[view.fragments[fragment as usize].head as usize].head;
            if view.fragments[head as usize].is_known() {
                return None;
            }
            let Some(of) = self.standings.head(family_key(Level::Fragment, head)).filter(|of| of.requests > 1) else {
                continue;
            };
            let wider = |best: Head| (self.actors_of(of), best.family) > (self.actors_of(&best), of.family);
            if best.is_none_or(wider) {
                best = Some(*of);
            }
        }
        best
    }

    /// Accounts of a family.
    fn actors_of(&self, head: &Head) -> u64 {
        let counted = self.actors.as_ref().map(|actors| actors.get(&head.family).copied().unwrap_or_default());
        counted.unwrap_or(head.accounts)
    }

    /// Uses of a family, of one account or of all.
    fn used(&self, head: &Head, account: Option<u32>) -> impl Iterator<Item = &Use> {
        let (family, from) = (head.family, head.uses_from);
        let own = self.uses.iter().flat_map(move |uses| match account {
            Some(account) => equal(uses, |used: &Use| (used.family, used.account).cmp(&(family, account))),
            None => equal(uses, |used: &Use| used.family.cmp(&family)),
        });
        own.filter(move |used| used.night >= from)
    }
}
