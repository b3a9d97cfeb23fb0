//! Which families an operator named as known text: they are no evidence for rings, as little as what is registered.
//!
//! The idea: known texts explain fragments when they are found; a whole prompt, a group of near-duplicates or a system prompt is explained here, by the same rule, when
//! it would speak for a ring. Weakness: near-duplicates are judged by the text that leads them. Guarantee: what was named once stays known, also on nights that do not
//! name it again.

use super::super::standing::level_of;
use super::super::view::{View, folded_of};
use super::kept::Kept;
use crate::family::fragment::KnownTexts;
use crate::ids::{Digest, Field, Level};
use crate::ring::Day;
use rayon::prelude::*;
use std::collections::BTreeSet;

/// Takes what is known out of a day, and notes it.
pub(super) fn take_out(day: &mut Day, (view, texts): (&View, &KnownTexts), known: &mut BTreeSet<u64>) {
    let shared = day.new.chunk_by(|a, b| a.family == b.family).filter(|same| same.len() >= 2);
    note(shared.map(|same| same[0].family).chain(day.wide.iter().copied()), (view, texts), known);
    if known.is_empty() {
        return;
    }
    let is_open = |family: u64| !known.contains(&family);
    day.new.retain(|choice| is_open(choice.family));
    day.before.retain(|choice| is_open(choice.family));
    day.again.retain(|choice| is_open(choice.family));
    day.neighbourhoods.retain(|(family, _)| is_open(*family));
    day.wide.retain(|&family| is_open(family));
    day.sent.retain(|sent| is_open(sent.family));
}

/// Notes which texts of the rings so far are known by now.
pub(super) fn of_rings(kept: &mut Kept, (view, texts): (&View, &KnownTexts)) {
    let past = kept.current.past.iter().map(|past| &past.ring);
    let families: BTreeSet<u64> =
        kept.current.rings.iter().chain(past).flat_map(|ring| ring.families.iter().map(|family| family.1)).collect();
    note(families.into_iter(), (view, texts), &mut kept.known);
}

/// Adds those of these families that a known text explains.
fn note(families: impl Iterator<Item = u64>, (view, texts): (&View, &KnownTexts), known: &mut BTreeSet<u64>) {
    if texts.is_empty() {
        return;
    }
    let new: Vec<u64> = families.filter(|family| !known.contains(family)).collect();
    let explained = new.into_par_iter().filter(|&family| {
        let text = match level_of(family) {
            (Level::Exact, prompt) => view.text(prompt),
            (Level::System, system) => view.field_text(Field::System, system),
            (Level::NearDuplicate, number) => view.text(view.families[number as usize].leader),
            // These are explained where fragments are found.
            (Level::Fragment, _) => return false,
        };
        let mut folded = String::new();
        folded_of(text, &mut folded);
        !folded.is_empty() && texts.explains(&folded, &Digest::of(folded.as_bytes())).is_some()
    });
    known.extend(explained.collect::<Vec<u64>>());
}
