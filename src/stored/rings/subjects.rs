//! What prompts hold beside a text that they share: what each is about, without what all have in common.
//!
//! The idea: an app puts its own words around a customer's in more than one place, so all runs that many prompts of a family hold are its words, not only the family's own.
//! Weakness: what a campaign hands out to one in twenty of its requests or more counts as such words too. Guarantee: the same prompts give the same subjects.

use super::super::standing::level_of;
use super::super::view::{View, one};
use super::neighbourhoods::Neighbourhoods;
use crate::embed::Model;
use crate::family::template::shared_ranges;
use crate::ids::{Field, Level};
use crate::ring::EVERYWHERE;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// One in so many prompts of a family, and so many at least, hold a run that is its template's.
const ONE_IN: usize = 20;
const LEAST: usize = 5;

/// The subject of each of some prompts of a family; of equal prompts that of the whole.
pub(super) fn of((view, model): (&View, &Model), near: &Neighbourhoods, family: u64, prompts: &[u32]) -> Vec<u16> {
    let level = level_of(family).0;
    let words = words(view, family, prompts);
    if level == Level::Exact || (level == Level::System && words.is_empty()) {
        return near.of_each(prompts);
    }
    let of_near = if let (Level::NearDuplicate, number) = level_of(family) { Some(number) } else { None };
    let subject = |prompt: u32| model.vector(&beside(view, of_near, &words, prompt).join(" "));
    let near = |vector: Vec<f32>| near.nearest_to(&one(&vector));
    prompts.par_iter().map(|&prompt| subject(prompt).map_or(EVERYWHERE, near)).collect()
}

/// Families of fragments, by number, that are words of the template of these prompts.
pub(super) fn words(view: &View, family: u64, prompts: &[u32]) -> BTreeSet<u32> {
    let mut held: BTreeMap<u32, usize> = BTreeMap::new();
    for &prompt in prompts {
        let heads = view.fragments_of(Field::Prompt, prompt).map(|part| view.fragments[part as usize].head);
        heads.collect::<BTreeSet<u32>>().into_iter().for_each(|head| *held.entry(head).or_default() += 1);
    }
    let least = LEAST.max(prompts.len() / ONE_IN);
    let mut words: BTreeSet<u32> = held.into_iter().filter(|(_, n)| *n >= least).map(|(head, _)| head).collect();
    if let (Level::Fragment, number) = level_of(family) {
        words.insert(number);
    }
    words
}

/// The stretches of a prompt beside the words of its template and what it shares with the leader of a family of near-duplicates.
pub(super) fn beside(view: &View, near: Option<u32>, words: &BTreeSet<u32>, prompt: u32) -> Vec<String> {
    let mut text = String::new();
    view.folded(prompt, &mut text);
    let parts =
        view.fragments_of(Field::Prompt, prompt).filter(|&part| words.contains(&view.fragments[part as usize].head));
    let mut spans: Vec<(usize, usize)> =
        parts.filter_map(|part| view.member(part, prompt)).map(|m| (m.first as usize, m.end as usize)).collect();
    if let Some(near) = near {
        let mut leader = String::new();
        view.folded(view.families[near as usize].leader, &mut leader);
        spans.extend(shared_ranges(&leader, &text).into_iter().map(|range| (range.start, range.end)));
    }
    spans.push((text.len(), text.len()));
    spans.sort_unstable();
    let (mut out, mut at) = (Vec::new(), 0);
    for (first, end) in spans {
        let stretch = text.get(at..first.max(at)).unwrap_or_default().trim();
        out.extend((!stretch.is_empty()).then(|| stretch.to_owned()));
        at = at.max(end);
    }
    out
}
