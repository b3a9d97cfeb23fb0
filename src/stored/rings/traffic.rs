//! Requests of texts that are sent day after day: who sent them, about what.

use super::super::standing::level_of;
use super::super::view::one;
use super::days::Reader;
use super::neighbourhoods::{Centres, Neighbourhoods};
use crate::family::template::shared_ranges;
use crate::ids::{Field, Level};
use crate::ring::{EVERYWHERE, Traffic};
use crate::store::postings::Posting;
use std::collections::{BTreeMap, HashMap};

/// Requests of a text that are looked at.
const MOST_REQUESTS: usize = 200_000;

/// The traffic of texts on the days after the one that each is given with, through `day`.
pub(super) fn of(
    reader: &Reader<'_>,
    day: i32,
    due: &[(u64, i32)],
    near: &mut Neighbourhoods,
    centres: &Centres,
) -> Vec<(i32, Traffic)> {
    let Some(since) = due.iter().map(|(_, since)| *since).min() else { return Vec::new() };
    let (from, until) = (reader.start(since + 1), reader.start(day + 1));
    let mut found: BTreeMap<u64, Vec<Posting>> = BTreeMap::new();
    for (night, postings) in reader.nights.iter().zip(&reader.view.postings) {
        if night.last_seen < from || night.first_seen >= until {
            continue;
        }
        for posting in postings.all().iter().filter(|posting| (from..until).contains(&posting.time)) {
            let of = reader.day_of(posting);
            for family in reader.texts_of(posting) {
                if due.iter().any(|&(other, since)| other == family && of > since) {
                    let own = found.entry(family).or_default();
                    if own.len() < MOST_REQUESTS {
                        own.push(*posting);
                    }
                }
            }
        }
    }
    let mut prompts: Vec<u32> = found.values().flatten().map(|posting| posting.prompt).collect();
    prompts.sort_unstable();
    prompts.dedup();
    near.look_up(&prompts, centres);
    let traffic = |&(family, since): &(u64, i32)| {
        let mut known: HashMap<u32, u16> = HashMap::new();
        let mut accounts: BTreeMap<u32, Vec<u16>> = BTreeMap::new();
        for posting in found.get(&family).into_iter().flatten() {
            let subject = *known.entry(posting.prompt).or_insert_with(|| subject(reader, near, family, posting.prompt));
            accounts.entry(posting.account).or_default().push(subject);
        }
        (since, Traffic { family, accounts: accounts.into_iter().collect() })
    };
    due.iter().map(traffic).collect()
}

/// The neighbourhood of what a prompt holds beside the text.
fn subject(reader: &Reader<'_>, near: &Neighbourhoods, family: u64, prompt: u32) -> u16 {
    let view = reader.view;
    let mut text = String::new();
    view.folded(prompt, &mut text);
    let (level, number) = level_of(family);
    let mut spans: Vec<(usize, usize)> = match level {
        Level::Exact | Level::System => return near.of(prompt),
        Level::Fragment => {
            let own = view.fragments_of(Field::Prompt, prompt);
            let parts = own.filter(|&part| view.fragments[part as usize].head == number);
            parts.filter_map(|part| view.member(part, prompt)).map(|m| (m.first as usize, m.end as usize)).collect()
        }
        Level::NearDuplicate => {
            let mut leader = String::new();
            view.folded(view.families[number as usize].leader, &mut leader);
            shared_ranges(&leader, &text).into_iter().map(|range| (range.start, range.end)).collect()
        }
    };
    spans.sort_unstable();
    let (mut rest, mut at) = (String::new(), 0);
    for (first, end) in spans {
        rest.push_str(text.get(at..first.max(at)).unwrap_or_default());
        rest.push(' ');
        at = at.max(end);
    }
    rest.push_str(text.get(at..).unwrap_or_default());
    reader.model.vector(rest.trim()).map_or(EVERYWHERE, |vector| near.nearest_to(&one(&vector)))
}
