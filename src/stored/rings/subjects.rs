//! What prompts hold beside a text that they share: what each is about, without what all have in common.

use super::super::standing::level_of;
use super::super::view::one;
use super::days::Reader;
use super::neighbourhoods::Neighbourhoods;
use crate::family::template::shared_ranges;
use crate::ids::{Field, Level};
use crate::ring::EVERYWHERE;
use rayon::prelude::*;

/// The subject of each of some prompts.
pub(super) fn of(reader: &Reader<'_>, near: &Neighbourhoods, family: u64, prompts: &[u32]) -> Vec<u16> {
    match level_of(family).0 {
        Level::Exact | Level::System => near.of_each(prompts),
        _ => prompts.par_iter().map(|&prompt| subject(reader, near, family, prompt)).collect(),
    }
}

/// The neighbourhood of what a prompt holds beside the text.
fn subject(reader: &Reader<'_>, near: &Neighbourhoods, family: u64, prompt: u32) -> u16 {
    let view = reader.view;
    let mut text = String::new();
    view.folded(prompt, &mut text);
    let (level, number) = level_of(family);
    let mut spans: Vec<(usize, usize)> = match level {
        Level::Exact | Level::System => Vec::new(),
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
